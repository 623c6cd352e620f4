#pragma once
// Small cuts of text that many files need. Views into the text that was given; pure.

#include <string_view>
#include <vector>

namespace millrace {

// Without the blanks at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n");
// The pieces between separators; one more than there are separators, perhaps empty.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace millrace
