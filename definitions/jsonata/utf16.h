#pragma once
// UTF-16, in which JSONata counts the positions of regular expressions and reads pictures, because its
// reference lives in JavaScript. Pure.

#include <string>
#include <string_view>

namespace millrace::definitions::jsonata {

// Valid UTF-8 as UTF-16; what is no UTF-8 becomes U+FFFD.
std::u16string utf16_of(std::string_view utf8);
// A half of a surrogate pair that stands alone becomes U+FFFD.
std::string utf8_of(std::u16string_view utf16);

// `text` with every `what` replaced; `what` is not empty.
std::u16string replace_all(std::u16string_view text, std::u16string_view what, std::u16string_view with);

// JavaScript's slice: negative positions count from the end, everything is clamped.
std::u16string_view slice(std::u16string_view text, long begin);
std::u16string_view slice(std::u16string_view text, long begin, long end);

// JavaScript's parseInt in base 10: white space, a sign, digits; what follows is ignored. NaN without digits.
double parse_int(std::u16string_view text);

// Unicode's White_Space and U+FEFF: what `\s` and trim mean.
bool is_white_space(char16_t c);

}  // namespace millrace::definitions::jsonata
