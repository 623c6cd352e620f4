#include "base/payload.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/check.h"
#include "base/utf8.h"

namespace millrace {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Appends one character of a string the way compact text holds it: escaped only where JSON demands it.
void append_escaped(std::string& out, char32_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (c < 0x20 || (c >= 0xD800 && c <= 0xDFFF)) {  // a lone surrogate can only be written as an escape
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(c >> shift) & 0xF];
  } else {
    append_utf8(out, c);
  }
}

bool plain(unsigned char c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

}  // namespace

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

// ---- views
// ------------------------------------------------------------------------------------------------------

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

// ---- writer
// -----------------------------------------------------------------------------------------------------

JsonWriter::JsonWriter() : document_(new JsonDocument) {}
JsonWriter::~JsonWriter() {
  delete document_;
}

void JsonWriter::before_value() {
  if (!document_) document_ = new JsonDocument;
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (stack_.empty()) return;
  JsonNode& parent = document_->nodes[stack_.back()];
  if (parent.count > 0) document_->text += ',';
  ++parent.count;
}

std::uint32_t JsonWriter::open(JsonKind kind) {
  const auto index = static_cast<std::uint32_t>(document_->nodes.size());
  JsonNode node;
  node.begin = static_cast<std::uint32_t>(document_->text.size());
  node.next = index + 1;
  node.kind = kind;
  document_->nodes.push_back(node);
  return index;
}

JsonWriter& JsonWriter::begin_object() {
  before_value();
  stack_.push_back(open(JsonKind::Object));
  document_->text += '{';
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  before_value();
  stack_.push_back(open(JsonKind::Array));
  document_->text += '[';
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  MR_CHECK(!stack_.empty() && !after_key_, "JsonWriter: end without begin, or a key without a value");
  JsonNode& node = document_->nodes[stack_.back()];
  document_->text += node.kind == JsonKind::Object ? '}' : ']';
  node.end = static_cast<std::uint32_t>(document_->text.size());
  node.next = static_cast<std::uint32_t>(document_->nodes.size());
  stack_.pop_back();
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  return end_object();
}

void JsonWriter::quote(std::string_view characters) {
  std::string& out = document_->text;
  const std::uint32_t index = open(JsonKind::String);
  out += '"';
  std::size_t i = 0;
  while (i < characters.size()) {
    std::size_t run = i;
    while (run < characters.size() && plain(static_cast<unsigned char>(characters[run]))) ++run;
    out.append(characters, i, run - i);
    i = run;
    if (i == characters.size()) break;
    char32_t c = 0;
    const std::size_t length = decode_utf8(characters.substr(i), c);
    append_escaped(out, length == 0 ? char32_t{0xFFFD} : c);
    i += length == 0 ? 1 : length;
  }
  out += '"';
  JsonNode& node = document_->nodes[index];
  node.end = static_cast<std::uint32_t>(out.size());
  node.escaped = out.find('\\', node.begin) != std::string::npos;
}

JsonWriter& JsonWriter::key(std::string_view characters) {
  before_value();
  quote(characters);
  document_->text += ':';
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(JsonView string_node) {
  value(string_node);
  document_->text += ':';
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(JsonView view) {
  before_value();
  const JsonDocument& source = *view.document();
  const JsonNode& root = view.node();
  const auto start = static_cast<std::uint32_t>(document_->text.size());
  document_->text.append(source.text, root.begin, root.end - root.begin);
  copy_nodes(source, view.index(), root.next, start - root.begin);
  return *this;
}

JsonWriter& JsonWriter::run(JsonView container, std::uint32_t first, std::uint32_t end, std::uint32_t count) {
  if (count == 0) return *this;
  before_value();  // counts one of them
  document_->nodes[stack_.back()].count += count - 1;
  const JsonDocument& source = *container.document();
  const std::uint32_t from = source.nodes[first].begin;
  // Up to the comma before the next neighbour, or the container's closing bracket.
  const std::uint32_t to =
      (end == container.node().next ? container.node().end : source.nodes[end].begin) - 1;
  const auto start = static_cast<std::uint32_t>(document_->text.size());
  document_->text.append(source.text, from, to - from);
  copy_nodes(source, first, end, start - from);
  return *this;
}

// Nodes from `first` up to `end`, whose text stands `shift` bytes further on here. Differences wrap when they
// are negative, and wrap back when added.
void JsonWriter::copy_nodes(const JsonDocument& source, std::uint32_t first, std::uint32_t end,
                            std::uint32_t shift) {
  std::vector<JsonNode>& nodes = document_->nodes;
  const std::size_t here = nodes.size();
  const std::uint32_t shift_index = static_cast<std::uint32_t>(here) - first;
  nodes.insert(nodes.end(), source.nodes.begin() + first, source.nodes.begin() + end);
  if (shift == 0 && shift_index == 0) return;  // the beginning of a document, copied to the beginning
  for (std::size_t i = here; i < nodes.size(); ++i) {
    nodes[i].begin += shift;
    nodes[i].end += shift;
    nodes[i].next += shift_index;
  }
}

JsonWriter& JsonWriter::reserve(std::size_t text_bytes, std::size_t nodes) {
  if (!document_) document_ = new JsonDocument;
  document_->text.reserve(document_->text.size() + text_bytes);
  document_->nodes.reserve(document_->nodes.size() + nodes);
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view characters) {
  before_value();
  quote(characters);
  return *this;
}

JsonWriter& JsonWriter::number_text(std::string_view text) {
  before_value();
  const std::uint32_t index = open(JsonKind::Number);
  document_->text += text;
  document_->nodes[index].end = static_cast<std::uint32_t>(document_->text.size());
  return *this;
}

JsonWriter& JsonWriter::number(std::int64_t n) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, n).ptr;
  return number_text({buffer, static_cast<std::size_t>(end - buffer)});
}

JsonWriter& JsonWriter::number(double n) {
  if (!std::isfinite(n)) return null();  // JSON has no infinities and no NaN
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof buffer - 2, n).ptr;
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  if (text.find_first_of(".e") == std::string_view::npos) {
    *end++ = '.';
    *end++ = '0';
    text = {buffer, text.size() + 2};
  }
  return number_text(text);
}

JsonWriter& JsonWriter::boolean(bool b) {
  before_value();
  const std::uint32_t index = open(b ? JsonKind::True : JsonKind::False);
  document_->text += b ? "true" : "false";
  document_->nodes[index].end = static_cast<std::uint32_t>(document_->text.size());
  return *this;
}

JsonWriter& JsonWriter::null() {
  before_value();
  const std::uint32_t index = open(JsonKind::Null);
  document_->text += "null";
  document_->nodes[index].end = static_cast<std::uint32_t>(document_->text.size());
  return *this;
}

Payload JsonWriter::finish() {
  MR_CHECK(stack_.empty() && document_ && !document_->nodes.empty() && !after_key_,
           "JsonWriter: document not complete");
  JsonDocument* done = document_;
  document_ = nullptr;
  return Payload::adopt(done);
}

// ---- parser
// -----------------------------------------------------------------------------------------------------

class JsonParser {
 public:
  JsonParser(std::string_view text, const JsonParseOptions& options) : text_(text), options_(options) {
    out_.document_->text.reserve(text.size());
    out_.document_->nodes.reserve(text.size() / 12 + 4);
  }

  Result<Payload> run() {
    if (text_.size() >= kNone) return invalid("the document is larger than 4 GiB");
    skip_space();
    if (!value(0)) return error();
    skip_space();
    if (at_ != text_.size()) {
      wrong("unexpected text behind the end of the document");
      return error();
    }
    if (duplicates_) drop_duplicates();
    return out_.finish();
  }

 private:
  bool wrong(std::string_view what) {
    if (message_.empty()) message_ = what;
    return false;
  }
  tl::unexpected<Error> error() const {
    const JsonPosition p = position_of(text_, at_);
    return invalid("invalid JSON: " + message_ + " at line " + std::to_string(p.line) + ", column " +
                   std::to_string(p.column));
  }
  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') break;
      ++at_;
    }
  }
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  void note_offset() {
    if (options_.offsets) options_.offsets->push_back(static_cast<std::uint32_t>(at_));
  }

  bool value(int depth) {
    if (at_ == text_.size()) return wrong("unexpected end of text, expected a value");
    note_offset();
    switch (text_[at_]) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        out_.before_value();
        return string();
      case 't':
        return word("true") && (out_.boolean(true), true);
      case 'f':
        return word("false") && (out_.boolean(false), true);
      case 'n':
        return word("null") && (out_.null(), true);
      default:
        return number();
    }
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return unexpected_character();
    at_ += expected.size();
    return true;
  }

  bool unexpected_character() {
    char32_t c = 0;
    if (decode_utf8(text_.substr(at_), c) == 0) return wrong("a byte that is not UTF-8");
    if (c < 0x20) return wrong("unexpected control character, expected a value");
    std::string shown;
    append_utf8(shown, c);
    return wrong("unexpected '" + shown + "', expected a value");
  }

  bool object(int depth) {
    if (depth >= options_.depth_max)
      return wrong("nested deeper than " + std::to_string(options_.depth_max) + " levels");
    out_.begin_object();
    const std::uint32_t self = out_.stack_.back();
    ++at_;
    skip_space();
    if (next_is('}')) {
      ++at_;
      out_.end_object();
      return true;
    }
    for (;;) {
      if (!next_is('"')) return wrong("expected a member name in double quotes");
      note_offset();
      out_.before_value();
      if (!string()) return false;
      out_.document_->text += ':';
      out_.after_key_ = true;
      skip_space();
      if (!next_is(':')) return wrong("expected ':' behind a member name");
      ++at_;
      skip_space();
      if (!value(depth + 1)) return false;
      skip_space();
      if (next_is(',')) {
        ++at_;
        skip_space();
        if (next_is('}')) return wrong("a comma before '}'");
        continue;
      }
      if (!next_is('}'))
        return wrong(at_ == text_.size() ? "unexpected end of text inside an object" : "expected ',' or '}'");
      ++at_;
      out_.end_object();
      find_duplicates(self);
      return true;
    }
  }

  bool array(int depth) {
    if (depth >= options_.depth_max)
      return wrong("nested deeper than " + std::to_string(options_.depth_max) + " levels");
    out_.begin_array();
    ++at_;
    skip_space();
    if (next_is(']')) {
      ++at_;
      out_.end_array();
      return true;
    }
    for (;;) {
      if (!value(depth + 1)) return false;
      skip_space();
      if (next_is(',')) {
        ++at_;
        skip_space();
        if (next_is(']')) return wrong("a comma before ']'");
        continue;
      }
      if (!next_is(']'))
        return wrong(at_ == text_.size() ? "unexpected end of text inside an array" : "expected ',' or ']'");
      ++at_;
      out_.end_array();
      return true;
    }
  }

  bool string() {
    std::string& out = out_.document_->text;
    const std::uint32_t index = out_.open(JsonKind::String);
    out += '"';
    ++at_;
    for (;;) {
      std::size_t run = at_;
      while (run < text_.size() && plain(static_cast<unsigned char>(text_[run]))) ++run;
      out.append(text_, at_, run - at_);
      at_ = run;
      if (at_ == text_.size()) return wrong("unexpected end of text inside a string");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') break;
      if (c == '\\') {
        if (!escape(out)) return false;
      } else if (c < 0x20) {
        return wrong("a control character inside a string; write it as an escape");
      } else {
        char32_t ignored = 0;
        const std::size_t n = decode_utf8(text_.substr(at_), ignored);
        if (n == 0) return wrong("a byte that is not UTF-8");
        out.append(text_, at_, n);
        at_ += n;
      }
    }
    ++at_;
    out += '"';
    JsonNode& node = out_.document_->nodes[index];
    node.end = static_cast<std::uint32_t>(out.size());
    node.escaped = std::memchr(out.data() + node.begin, '\\', node.end - node.begin) != nullptr;
    return true;
  }

  bool hex4(char32_t& c) {
    if (text_.size() - at_ < 4) return wrong("a cut \\u escape");
    c = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = hex_digit(text_[at_]);
      if (digit < 0) return wrong("a \\u escape needs four hexadecimal digits");
      c = (c << 4) | static_cast<char32_t>(digit);
      ++at_;
    }
    return true;
  }

  bool escape(std::string& out) {
    ++at_;
    if (at_ == text_.size()) return wrong("unexpected end of text inside a string");
    const char c = text_[at_++];
    switch (c) {
      case '"':
      case '\\':
        append_escaped(out, static_cast<char32_t>(c));
        return true;
      case '/':
        out += '/';
        return true;
      case 'b':
        out += "\\b";
        return true;
      case 'f':
        out += "\\f";
        return true;
      case 'n':
        out += "\\n";
        return true;
      case 'r':
        out += "\\r";
        return true;
      case 't':
        out += "\\t";
        return true;
      case 'u':
        break;
      default:
        --at_;
        return wrong("an escape that JSON does not know");
    }
    char32_t unit = 0;
    if (!hex4(unit)) return false;
    if (unit >= 0xD800 && unit <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
      const std::size_t back = at_;
      char32_t low = 0;
      at_ += 2;
      if (!hex4(low)) return false;
      if (low >= 0xDC00 && low <= 0xDFFF) {
        append_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
        return true;
      }
      at_ = back;
    }
    append_escaped(out, unit);
    return true;
  }

  bool number() {
    const std::size_t start = at_;
    const auto digits = [&] {
      const std::size_t before = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ > before;
    };
    if (next_is('-')) ++at_;
    if (next_is('0')) {
      ++at_;
      if (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9')
        return wrong("a number with a leading zero");
    } else if (!digits()) {
      return at_ > start ? wrong("a '-' without digits") : unexpected_character();
    }
    if (next_is('.')) {
      ++at_;
      if (!digits()) return wrong("a number without digits behind the decimal point");
    }
    if (next_is('e') || next_is('E')) {
      ++at_;
      if (next_is('+') || next_is('-')) ++at_;
      if (!digits()) return wrong("a number without digits in its exponent");
    }
    out_.number_text(text_.substr(start, at_ - start));
    return true;
  }

  std::string_view raw(std::uint32_t node) const {
    const JsonNode& n = out_.document_->nodes[node];
    return std::string_view(out_.document_->text).substr(n.begin, n.end - n.begin);
  }

  void find_duplicates(std::uint32_t object) {
    const auto& nodes = out_.document_->nodes;
    const std::uint32_t end = nodes[object].next;
    const std::uint32_t count = nodes[object].count;
    const auto note = [&](std::uint32_t key) {
      duplicates_ = true;
      if (options_.duplicates && options_.offsets) options_.duplicates->push_back((*options_.offsets)[key]);
    };
    if (count <= 12) {
      for (std::uint32_t k = object + 1; k < end; k = nodes[k + 1].next) {
        for (std::uint32_t later = nodes[k + 1].next; later < end; later = nodes[later + 1].next) {
          if (raw(k) == raw(later)) {
            note(k);
            break;
          }
        }
      }
      return;
    }
    std::unordered_map<std::string_view, std::uint32_t> seen;
    seen.reserve(count);
    for (std::uint32_t k = object + 1; k < end; k = nodes[k + 1].next) {
      const auto [it, fresh] = seen.emplace(raw(k), k);
      if (!fresh) {
        note(it->second);
        it->second = k;
      }
    }
  }

  // Writes the document again without overridden members: a key keeps its first place and takes its last
  // value.
  void drop_duplicates() {
    JsonWriter clean;
    std::vector<std::uint32_t> offsets;
    copy_clean(clean, {out_.document_, 0}, offsets);
    std::swap(out_.document_, clean.document_);
    if (options_.offsets) *options_.offsets = std::move(offsets);
  }

  void copy_clean(JsonWriter& to, JsonView from, std::vector<std::uint32_t>& offsets) {
    const auto keep_offset = [&](JsonView v) {
      if (options_.offsets) offsets.push_back((*options_.offsets)[v.index()]);
    };
    keep_offset(from);
    if (from.is_array()) {
      to.begin_array();
      for (const JsonView element : from.elements()) copy_clean(to, element, offsets);
      to.end_array();
    } else if (from.is_object()) {
      std::unordered_map<std::string_view, JsonView> last;
      for (const auto [key, value] : from.members()) last[key.text()] = value;
      to.begin_object();
      for (const auto [key, value] : from.members()) {
        const auto it = last.find(key.text());
        if (it == last.end()) continue;
        keep_offset(key);
        to.key(key);
        copy_clean(to, it->second, offsets);
        last.erase(it);
      }
      to.end_object();
    } else {
      to.value(from);
    }
  }

  std::string_view text_;
  const JsonParseOptions& options_;
  std::size_t at_ = 0;
  std::string message_;
  bool duplicates_ = false;
  JsonWriter out_;
};

// ---- payload
// ----------------------------------------------------------------------------------------------------

Payload::Payload() {
  static const Payload kNull = [] {
    JsonWriter writer;
    writer.null();
    return writer.finish();
  }();
  *this = kNull;
}

void Payload::release() noexcept {
  if (document_ && document_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete document_;
}

Result<Payload> Payload::parse(std::string_view text, const JsonParseOptions& options) {
  return JsonParser(text, options).run();
}

Payload Payload::literal(std::string_view text) {
  auto parsed = parse(text);
  MR_CHECK(parsed.has_value(), "Payload::literal: not valid JSON");
  return *parsed;
}

Payload Payload::string(std::string_view characters) {
  JsonWriter writer;
  writer.string(characters);
  return writer.finish();
}

const Payload& Payload::empty_object() {
  static const Payload kEmpty = literal("{}");
  return kEmpty;
}

Payload Payload::of(JsonView view) {
  if (view.index() == 0) return Payload(view.document());
  JsonWriter writer;
  writer.value(view);
  return writer.finish();
}

Payload Payload::adopt(JsonDocument* document) {
  return Payload(document);
}

}  // namespace millrace
