#pragma once
// UTF-8: decode, encode, validate, count code points.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

// Length in bytes (1..4) of the valid code point at the start of `text`, 0 if there is none there (empty,
// overlong, surrogate, above U+10FFFF, cut short). `code_point` is set when valid.
std::size_t decode_utf8(std::string_view text, char32_t& code_point);
void append_utf8(std::string& out, char32_t code_point);
bool valid_utf8(std::string_view text);
// Code points of valid UTF-8.
std::size_t count_code_points(std::string_view text);
// At most `code_points` from the start, never cutting one.
std::string_view first_code_points(std::string_view text, std::size_t code_points);

}  // namespace millrace
