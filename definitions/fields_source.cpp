#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "definitions/fields.h"

namespace millrace::definitions {
namespace {

// The place of `node` below `within`. A member "x.$" of a payload template is named in the message; AWS's
// place for it is the object it stands in.
std::string place_of(JsonView within, std::string pointer, std::uint32_t node) {
  while (within && within.index() != node) {
    JsonView inner;
    if (within.is_object()) {
      for (const auto [key, value] : within.members()) {
        if (node < key.index() || node >= value.node().next) continue;
        const std::string name = key.string();
        if (!name.ends_with(".$")) pointer = place(pointer, name);
        if (node != key.index()) inner = value;
        break;
      }
    } else if (within.is_array()) {
      std::size_t i = 0;
      for (const JsonView element : within.elements()) {
        if (node >= element.index() && node < element.node().next) {
          pointer += "[" + std::to_string(i) + "]";
          inner = element;
          break;
        }
        ++i;
      }
    }
    within = inner;
  }
  return pointer;
}

// "… at line 3, column 7" at the end of a message of the parser.
JsonPosition position_in(std::string_view message) {
  JsonPosition p;
  const std::size_t line = message.rfind("line "), column = message.rfind("column ");
  if (line == std::string_view::npos || column == std::string_view::npos) return p;
  const auto read = [&](std::size_t at, std::uint32_t& to) {
    std::from_chars(message.data() + at, message.data() + message.size(), to);
  };
  read(line + 5, p.line);
  read(column + 7, p.column);
  return p;
}

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

std::size_t offset_of_position(std::string_view text, JsonPosition p) {
  std::size_t at = 0;
  for (std::uint32_t line = 1; line < p.line; ++line) at = text.find('\n', at) + 1;
  for (std::uint32_t column = 1; column < p.column && at < text.size(); ++column) {
    char32_t ignored = 0;
    at += std::max<std::size_t>(1, decode_utf8(text.substr(at), ignored));
  }
  return std::min(at, text.size());
}

}  // namespace

std::string place(const std::string& parent, std::string_view field) {
  std::string out = parent == "/" ? "" : parent;
  out += '/';
  out += field;
  return out;
}

std::string place(const std::string& parent, std::string_view field, std::size_t index) {
  return place(parent, field) + "[" + std::to_string(index) + "]";
}

std::string list_of(std::span<const std::string_view> names) {
  std::string out = "[";
  for (const std::string_view name : names) {
    if (out.size() > 1) out += ", ";
    out += name;
  }
  return out + "]";
}

bool Source::read() {
  if (text_.size() > limits_.definition_bytes_max) {
    note({}, Severity::Error, "", codes::kTooLarge,
         "The definition is " + std::to_string(text_.size()) + " bytes long; the limit is " +
             std::to_string(limits_.definition_bytes_max),
         "move inner parts to state machines of their own and start them with states:startExecution");
    return false;
  }
  if (text_.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    note({}, Severity::Error, "", codes::kSchema, "Definition must be a valid JSON object",
         "the definition is empty");
    return false;
  }
  std::vector<std::uint32_t> duplicates;
  auto parsed = Payload::parse(
      text_, {.depth_max = limits_.json_depth_max, .offsets = &offsets_, .duplicates = &duplicates});
  if (!parsed) {
    not_json(parsed.error());
    return false;
  }
  document_ = std::move(*parsed);
  if (!root().is_object()) {
    error(root(), "", codes::kSchema, "Definition must be a valid JSON object",
          "it is " + std::string(name_of(root().kind())) +
              "; a definition begins with {\"StartAt\": …, \"States\": {…}}");
    return false;
  }
  note_duplicates(duplicates);
  return true;
}

// AWS shows what its parser (Jackson) says; its text is known for a word that is no JSON.
void Source::not_json(const Error& error) {
  const JsonPosition p = position_in(error.message);
  std::string message = error.message, pointer, hint = error.hint;
  const std::size_t start = offset_of_position(text_, p);
  std::size_t end = start;
  while (end < text_.size() && in_word(text_[end])) ++end;
  const bool word = end > start && !(text_[start] >= '0' && text_[start] <= '9') &&
                    message.find("expected a value") != std::string::npos;
  if (word) {
    const std::string shown =
        text_.size() <= 500 ? std::string(text_) : std::string(first_code_points(text_, 500));
    pointer = "[Source: (String)\"" + shown +
              (shown.size() < text_.size()
                   ? "\"[truncated " + std::to_string(text_.size() - shown.size()) + " chars]"
                   : "\"") +
              "; line: " + std::to_string(p.line) + ", column: " + std::to_string(p.column + (end - start)) +
              "]";
    message =
        "Unrecognized token '" + std::string(text_.substr(start, end - start)) +
        "': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at " +
        pointer;
    hint = "names and texts stand in double quotes";
  }
  failed_ = true;
  noted_.push_back(
      {static_cast<std::uint32_t>(start),
       {Severity::Error, std::string(codes::kJson), pointer, p, std::move(message), std::move(hint)}});
}

void Source::note_duplicates(const std::vector<std::uint32_t>& duplicates) {
  std::size_t shown = 0;
  for (const std::uint32_t offset : duplicates) {
    if (++shown > 20) break;
    const auto node = std::find(offsets_.begin(), offsets_.end(), offset);
    const JsonView key(document_.document(), static_cast<std::uint32_t>(node - offsets_.begin()));
    if (node == offsets_.end() || !key.is_string()) continue;  // inside a value that was overridden itself
    warning(key, place_of(root(), "/", key.index()), codes::kDuplicateKey,
            "The key " + std::string(key.text()) + " stands more than once in the same object",
            "the last one counts; rename or remove the others");
  }
}

void Source::note(JsonView at, Severity severity, std::string pointer, std::string_view code,
                  std::string message, std::string hint) {
  failed_ = failed_ || severity == Severity::Error;
  noted_.push_back(
      {offset_of(at),
       {severity, std::string(code), std::move(pointer), {}, std::move(message), std::move(hint)}});
}
void Source::error(JsonView at, std::string pointer, std::string_view code, std::string message,
                   std::string hint) {
  note(at, Severity::Error, std::move(pointer), code, std::move(message), std::move(hint));
}
void Source::warning(JsonView at, std::string pointer, std::string_view code, std::string message,
                     std::string hint) {
  note(at, Severity::Warning, std::move(pointer), code, std::move(message), std::move(hint));
}

void Source::add(JsonView part, const std::string& pointer, const std::vector<Problem>& problems) {
  for (const Problem& p : problems) {
    note(JsonView(part.document(), p.node), p.warning ? Severity::Warning : Severity::Error,
         place_of(part, pointer, p.node), p.code, p.message, p.hint);
  }
}

std::string Source::nearest_name(std::string_view name, const std::vector<std::string_view>& candidates) {
  comparisons_left_ -= static_cast<std::int64_t>(candidates.size());
  if (comparisons_left_ < 0) return {};
  return nearest(name, candidates);
}

JsonPosition Source::position_at(std::uint32_t offset) {
  if (offset < cursor_offset_) {
    cursor_offset_ = 0;
    cursor_ = {1, 1};
  }
  for (; cursor_offset_ < offset; ++cursor_offset_) {
    const char c = text_[cursor_offset_];
    if (c == '\n') {
      ++cursor_.line;
      cursor_.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++cursor_.column;
    }
  }
  // Inside a character of several bytes the lead byte was counted already; nodes never begin there.
  return cursor_;
}

std::vector<Diagnostic> Source::diagnostics() {
  std::stable_sort(noted_.begin(), noted_.end(),
                   [](const Noted& a, const Noted& b) { return a.offset < b.offset; });
  std::vector<Diagnostic> out;
  out.reserve(noted_.size());
  for (Noted& noted : noted_) {
    if (noted.diagnostic.code != codes::kJson) noted.diagnostic.position = position_at(noted.offset);
    out.push_back(std::move(noted.diagnostic));
  }
  noted_.clear();
  return out;
}

}  // namespace millrace::definitions
