#include "service/api/json_words.h"

#include <charconv>

#include "base/utf8.h"

namespace millrace::api {
namespace {

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

std::uint32_t number_behind(std::string_view message, std::string_view name) {
  std::uint32_t out = 1;
  const std::size_t at = message.rfind(name);
  if (at != std::string_view::npos)
    std::from_chars(message.data() + at + name.size(), message.data() + message.size(), out);
  return out;
}

// Where "… at line L, column C" is; columns count code points.
std::size_t offset_of(std::string_view text, std::string_view message) {
  std::size_t at = 0;
  for (std::uint32_t line = number_behind(message, "line "); line > 1; --line) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return text.size();
    at = end + 1;
  }
  for (std::uint32_t column = number_behind(message, "column "); column > 1 && at < text.size(); --column) {
    char32_t code_point = 0;
    at += std::max<std::size_t>(decode_utf8(text.substr(at), code_point), 1);
  }
  return at;
}

struct Words {
  std::string_view ours;    // part of our message
  std::string_view theirs;  // behind "Unexpected character ('x' (code 120)): ", or all when `whole`
  bool whole = false;
};
constexpr std::string_view kValues =
    "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
constexpr Words kWords[] = {
    {"a comma before '}'", "was expecting double-quote to start field name"},
    {"a comma before ']'",
     "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"},
    {"expected a member name", "was expecting double-quote to start field name"},
    {"expected ':'", "was expecting a colon to separate field name and value"},
    {"expected ',' or '}'", "was expecting comma to separate Object entries"},
    {"expected ',' or ']'", "was expecting comma to separate Array entries"},
    {"end of text inside an object", "Unexpected end-of-input: expected close marker for Object", true},
    {"end of text inside an array", "Unexpected end-of-input: expected close marker for Array", true},
    {"end of text inside a string", "Unexpected end-of-input in VALUE_STRING", true},
};

}  // namespace

std::string parser_words(std::string_view text, const Error& error) {
  const std::string_view message = error.message;
  const std::size_t at = offset_of(text, message);
  const auto unexpected = [&](std::string_view rest) {
    char32_t code_point = 0;
    const std::size_t size = std::max<std::size_t>(decode_utf8(text.substr(at), code_point), 1);
    return "Unexpected character ('" + std::string(text.substr(at, size)) + "' (code " +
           std::to_string(static_cast<std::uint32_t>(code_point)) + ")): " + std::string(rest);
  };
  for (const Words& words : kWords) {
    if (message.find(words.ours) == std::string_view::npos) continue;
    if (words.whole) return std::string(words.theirs);
    return at < text.size() ? unexpected(words.theirs) : error.message;
  }
  if (message.find("expected a value") == std::string_view::npos || at >= text.size()) return error.message;
  std::size_t end = at;
  while (end < text.size() && in_word(text[end])) ++end;
  if (end > at)
    return "Unrecognized token '" + std::string(text.substr(at, end - at)) + "': was expecting " +
           std::string(kValues);
  return unexpected("expected a valid value " + std::string(kValues));
}

}  // namespace millrace::api
