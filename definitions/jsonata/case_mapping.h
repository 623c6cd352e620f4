#pragma once
// Upper and lower case as Unicode has them in full: ß becomes SS, Σ at the end of a word becomes ς. No locale
// (not Turkish). Any thread. The tables are ICU's.

#include <string>
#include <string_view>

namespace millrace::definitions::jsonata {

std::string to_upper(std::string_view utf8);
std::string to_lower(std::string_view utf8);

// The UTF-16 units that a regular expression with the flag `i` takes for the same as `c`, `c` among them.
// Source: ECMAScript, Canonicalize without the flag `u`: k and K, but not the Kelvin sign.
std::u16string same_without_case(char16_t c);

}  // namespace millrace::definitions::jsonata
