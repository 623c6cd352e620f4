#include "base/text.h"

namespace millrace {

std::string_view trimmed(std::string_view text, std::string_view blanks) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const std::size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::string text_member(JsonView object, std::string_view name) {
  const JsonView found = object && object.is_object() ? object.find(name) : JsonView();
  return found && found.is_string() ? found.string() : std::string();
}

}  // namespace millrace
