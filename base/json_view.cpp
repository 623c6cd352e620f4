// Looking into documents.

#include <charconv>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/json_text.h"
#include "base/payload.h"

namespace millrace {

std::string_view name_of(JsonKind kind) {
  switch (kind) {
    case JsonKind::Null:
      return "null";
    case JsonKind::False:
    case JsonKind::True:
      return "boolean";
    case JsonKind::Number:
      return "number";
    case JsonKind::String:
      return "string";
    case JsonKind::Array:
      return "array";
    case JsonKind::Object:
      return "object";
  }
  return "null";
}
std::string JsonView::string() const {
  std::string_view raw = text();
  raw = raw.substr(1, raw.size() - 2);
  if (!node().escaped) return std::string(raw);
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out += raw[i];
      continue;
    }
    switch (raw[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        char32_t c = 0;
        for (int k = 1; k <= 4; ++k)
          c = (c << 4) | static_cast<char32_t>(hex_digit(raw[i + static_cast<std::size_t>(k)]));
        i += 4;
        // A lone surrogate has no UTF-8; what asks for characters sees the replacement character.
        append_utf8(out, c >= 0xD800 && c <= 0xDFFF ? char32_t{0xFFFD} : c);
        break;
      }
      default:
        out += raw[i];
    }
  }
  return out;
}

bool JsonView::equals(std::string_view characters) const {
  const JsonNode& n = node();
  if (n.kind != JsonKind::String) return false;
  if (!n.escaped) {
    return n.end - n.begin - 2 == characters.size() &&
           std::memcmp(document_->text.data() + n.begin + 1, characters.data(), characters.size()) == 0;
  }
  return string() == characters;
}

double JsonView::number() const {
  const std::string_view t = text();
  double value = 0;
  const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), value);
  if (error ==
      std::errc::result_out_of_range) {  // from_chars leaves the value alone: tell overflow from underflow
    const std::size_t e = t.find_first_of("eE");
    const bool tiny = e != std::string_view::npos && t[e + 1] == '-';
    value = tiny ? 0.0 : HUGE_VAL;
    if (t[0] == '-') value = -value;
  }
  return value;
}

std::optional<std::int64_t> JsonView::integer() const {
  if (!document_ || !is_number()) return std::nullopt;
  const std::string_view t = text();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), value);
  if (error == std::errc() && end == t.data() + t.size()) return value;
  const double d = number();
  if (std::floor(d) == d && std::fabs(d) < 9.2e18) return static_cast<std::int64_t>(d);
  return std::nullopt;
}

JsonView JsonView::find(std::string_view key) const {
  const JsonView found = find_key(key);
  return found ? JsonView(found.document_, found.index_ + 1) : found;
}

JsonView JsonView::find_key(std::string_view key) const {
  if (!document_ || !is_object()) return {};
  const char* const text = document_->text.data();
  const JsonNode* const nodes = document_->nodes.data();
  const std::uint32_t end = nodes[index_].next;
  for (std::uint32_t k = index_ + 1; k < end; k = nodes[k + 1].next) {
    const JsonNode& node = nodes[k];
    const bool same = node.escaped ? JsonView(document_, k).string() == key
                                   : node.end - node.begin - 2 == key.size() &&
                                         std::memcmp(text + node.begin + 1, key.data(), key.size()) == 0;
    if (same) return {document_, k};
  }
  return {};
}

JsonView JsonView::at(std::uint32_t position) const {
  if (!document_ || !is_array() || position >= size()) return {};
  auto it = elements().begin();
  for (std::uint32_t i = 0; i < position; ++i) ++it;
  return *it;
}

bool equal(JsonView a, JsonView b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case JsonKind::Null:
    case JsonKind::False:
    case JsonKind::True:
      return true;
    case JsonKind::String:
      return a.text() == b.text();
    case JsonKind::Number: {
      if (a.text() == b.text()) return true;
      const auto fractional = [](std::string_view t) {
        return t.find_first_of(".eE") != std::string_view::npos;
      };
      if (!fractional(a.text()) && !fractional(b.text())) {
        return a.number() == 0 && b.number() == 0;  // whole numbers of any length: equal digits, or 0 and -0
      }
      return a.number() == b.number();
    }
    case JsonKind::Array: {
      if (a.size() != b.size()) return false;
      auto other = b.elements().begin();
      for (const JsonView element : a.elements()) {
        if (!equal(element, *other)) return false;
        ++other;
      }
      return true;
    }
    case JsonKind::Object: {
      if (a.size() != b.size()) return false;
      auto beside = b.members().begin();  // mostly the members stand in the same order
      for (const auto [key, value] : a.members()) {
        const auto [other_key, other_value] = *beside;
        ++beside;
        JsonView other = other_value;
        if (other_key.text() != key.text())
          other =
              key.node().escaped ? b.find(key.string()) : b.find(key.text().substr(1, key.text().size() - 2));
        if (!other || !equal(value, other)) return false;
      }
      return true;
    }
  }
  return false;
}

JsonPosition position_of(std::string_view text, std::size_t offset) {
  JsonPosition position;
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++position.line;
      position.column = 1;
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++position.column;
    }
  }
  return position;
}

}  // namespace millrace
