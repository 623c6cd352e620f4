#include <string>

#include "base/encoding.h"
#include "base/utf8.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata::natives {
namespace {

constexpr std::string_view kReserved = ";/?:@&=+$,#";  // what a whole URL keeps

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.!~*'()").find(c) != std::string_view::npos;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

Value encode(Evaluation& evaluation, Value value, std::string_view kept) {
  if (!value.is_string()) return {};
  constexpr char kHex[] = "0123456789ABCDEF";
  const std::string_view text = value.characters();
  if (!valid_utf8(text)) return evaluation.fail("D3140", value);  // half of a surrogate pair
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c) || kept.find(c) != std::string_view::npos) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return evaluation.text(out);
}

Value decode(Evaluation& evaluation, Value value, std::string_view kept) {
  if (!value.is_string()) return {};
  const std::string_view text = value.characters();
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '%') {
      out += text[i++];
      continue;
    }
    // The escapes of one character.
    std::string bytes;
    const std::size_t begin = i;
    std::size_t length = 1;
    for (std::size_t n = 0; n < length; ++n, i += 3) {
      const int high = i + 2 < text.size() && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
      if (low < 0) return evaluation.fail("D3140", value);
      const auto byte = static_cast<unsigned char>(high * 16 + low);
      if (n == 0) length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
      bytes += static_cast<char>(byte);
    }
    if (!valid_utf8(bytes)) return evaluation.fail("D3140", value);
    const bool keep = bytes.size() == 1 && kept.find(bytes[0]) != std::string_view::npos;
    out += keep ? text.substr(begin, 3) : std::string_view(bytes);
  }
  return evaluation.text(out);
}

}  // namespace

// As in the reference, characters are bytes here: those beyond U+00FF lose their upper bits.
Value base64_encode(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  std::string bytes;
  std::string_view text = arguments[0].characters();
  for (char32_t point = 0; !text.empty();) {
    const std::size_t length = decode_utf8(text, point);
    if (length == 4) bytes += static_cast<char>((0xD800 + ((point - 0x10000) >> 10)) & 0xFF);
    bytes += static_cast<char>((length == 4 ? 0xDC00 + ((point - 0x10000) & 0x3FF) : point) & 0xFF);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return evaluation.text(millrace::base64_encode(bytes));
}

// Lenient: foreign characters are skipped, both alphabets are read, padding may be missing.
Value base64_decode(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  std::string out;
  unsigned bits = 0;
  int held = 0;
  for (const char c : arguments[0].characters()) {
    if (c == '=') break;
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::size_t value = kAlphabet.find(c);
    if (c == '-') value = 62;
    if (c == '_') value = 63;
    if (value == std::string_view::npos) continue;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xFFFF;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    append_utf8(out, (bits >> held) & 0xFF);
  }
  return evaluation.text(out);
}

Value encode_url_component(Evaluation& evaluation, Arguments arguments) {
  return encode(evaluation, arguments[0], "");
}
Value encode_url(Evaluation& evaluation, Arguments arguments) {
  return encode(evaluation, arguments[0], kReserved);
}
Value decode_url_component(Evaluation& evaluation, Arguments arguments) {
  return decode(evaluation, arguments[0], "");
}
Value decode_url(Evaluation& evaluation, Arguments arguments) {
  return decode(evaluation, arguments[0], kReserved);
}

}  // namespace millrace::definitions::jsonata::natives
