#include "definitions/jsonata/utf16.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/utf8.h"

namespace millrace::definitions::jsonata {

std::u16string utf16_of(std::string_view utf8) {
  std::u16string out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    char32_t c = 0;
    const std::size_t length = decode_utf8(utf8, c);
    if (length == 0) c = 0xFFFD;
    if (c < 0x10000) {
      out.push_back(static_cast<char16_t>(c));
    } else {
      out.push_back(static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10)));
      out.push_back(static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF)));
    }
    utf8.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string utf8_of(std::u16string_view utf16) {
  std::string out;
  out.reserve(utf16.size());
  for (std::size_t i = 0; i < utf16.size(); ++i) {
    char32_t c = utf16[i];
    const bool high = c >= 0xD800 && c < 0xDC00;
    const char32_t low = high && i + 1 < utf16.size() ? utf16[i + 1] : 0;
    if (low >= 0xDC00 && low < 0xE000) {
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      ++i;
    } else if (c >= 0xD800 && c < 0xE000) {
      c = 0xFFFD;
    }
    append_utf8(out, c);
  }
  return out;
}

std::u16string replace_all(std::u16string_view text, std::u16string_view what, std::u16string_view with) {
  std::u16string out;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(what, at)) != text.npos; at = found + what.size()) {
    out.append(text.substr(at, found - at)).append(with);
  }
  return out.append(text.substr(at));
}

std::u16string_view slice(std::u16string_view text, long begin) {
  return slice(text, begin, static_cast<long>(text.size()));
}

std::u16string_view slice(std::u16string_view text, long begin, long end) {
  const long size = static_cast<long>(text.size());
  const auto clamp = [&](long at) { return std::clamp(at < 0 ? at + size : at, 0L, size); };
  const long from = clamp(begin);
  const long to = std::max(from, clamp(end));
  return text.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
}

double parse_int(std::u16string_view text) {
  while (!text.empty() && is_white_space(text.front())) text.remove_prefix(1);
  const bool negative = !text.empty() && text.front() == u'-';
  if (!text.empty() && (text.front() == u'-' || text.front() == u'+')) text.remove_prefix(1);
  std::string digits;
  for (const char16_t c : text) {
    if (c < u'0' || c > u'9') break;
    digits += static_cast<char>(c);
  }
  if (digits.empty()) return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec == std::errc::result_out_of_range) value = std::numeric_limits<double>::infinity();
  return negative ? -value : value;
}

bool is_white_space(char16_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000 || c == 0xFEFF;
}

}  // namespace millrace::definitions::jsonata
