#pragma once
// Small cuts of text that many files need. What is a view points into the text that was given. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "base/payload.h"

namespace millrace {

// Without the blanks at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n");
// The pieces between separators; one more than there are separators, perhaps empty.
std::vector<std::string_view> split(std::string_view text, char separator);
// An object's member that is a string; empty: it is not there, is no string, or `object` is no object.
std::string text_member(JsonView object, std::string_view name);

}  // namespace millrace
