#include "definitions/jsonata/integer_format.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/result.h"
#include "base/utf8.h"
#include "definitions/jsonata/case_mapping.h"
#include "definitions/jsonata/number_text.h"
#include "definitions/jsonata/number_words.h"
#include "definitions/jsonata/utf16.h"

namespace millrace::definitions::jsonata {
namespace {

using Kind = IntegerPicture::Kind;
using Case = IntegerPicture::Case;

constexpr long kDigitsMax = 10'000;

// The zeros of Unicode's decimal digits in the basic plane.
constexpr char32_t kZeros[] = {0x30,   0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6,
                               0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0,
                               0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
                               0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10};

std::optional<char32_t> zero_of(char32_t c) {
  for (const char32_t zero : kZeros) {
    if (c >= zero && c <= zero + 9) return zero;
  }
  return std::nullopt;
}

std::u16string text_of(char32_t code_point) {
  std::string utf8;
  append_utf8(utf8, code_point);
  return utf16_of(utf8);
}

std::u32string code_points(std::u16string_view text) {
  const std::string bytes = utf8_of(text);
  std::string_view rest = bytes;
  std::u32string out;
  for (char32_t c = 0; !rest.empty(); out.push_back(c)) rest.remove_prefix(decode_utf8(rest, c));
  return out;
}

struct Named {
  std::u16string_view picture;
  Kind kind;
  Case letter_case;
};
constexpr Named kNamed[] = {
    {u"A", Kind::Letters, Case::Upper}, {u"a", Kind::Letters, Case::Lower}, {u"I", Kind::Roman, Case::Upper},
    {u"i", Kind::Roman, Case::Lower},   {u"W", Kind::Words, Case::Upper},   {u"Ww", Kind::Words, Case::Title},
    {u"w", Kind::Words, Case::Lower},
};

// The distance of the separators, if they are the same character all along at the same distance; else 0.
long regular_group(const std::vector<IntegerPicture::Separator>& separators) {
  long step = 0;
  for (const auto& separator : separators) {
    if (separator.character != separators.front().character) return 0;
    step = std::gcd(step, separator.position);
  }
  for (std::size_t i = 1; i <= separators.size(); ++i) {
    const long wanted = static_cast<long>(i) * step;
    if (std::none_of(separators.begin(), separators.end(),
                     [&](const auto& s) { return s.position == wanted; }))
      return 0;
  }
  return step;
}

std::u16string grouped(std::u16string text, const IntegerPicture& picture) {
  const auto insert = [&](long at, const std::u16string& what) {
    const std::u16string_view view = text;
    const auto head = view.substr(0, static_cast<std::size_t>(std::max(at, 0L)));  // as JavaScript's substr
    text = std::u16string(head) + what + std::u16string(slice(view, at));
  };
  const auto size = [&] { return static_cast<long>(text.size()); };
  if (picture.regular_group > 0) {
    for (long i = (size() - 1) / picture.regular_group; i > 0; --i) {
      insert(size() - i * picture.regular_group, picture.separators.front().character);
    }
  } else {
    for (auto s = picture.separators.rbegin(); s != picture.separators.rend(); ++s)
      insert(size() - s->position, s->character);
  }
  return text;
}

std::u16string_view ordinal_suffix(std::u16string_view number) {
  const char16_t last = number.empty() ? u'\0' : number.back();
  if (number.size() > 1 && number[number.size() - 2] == u'1') return u"th";
  return last == u'1' ? u"st" : last == u'2' ? u"nd" : last == u'3' ? u"rd" : u"th";
}

Checked<std::u16string> decimal_text(double magnitude, const IntegerPicture& picture) {
  std::string digits = number_text(magnitude);
  const long missing = picture.mandatory_digits - static_cast<long>(digits.size());
  if (picture.mandatory_digits > kDigitsMax)
    return fault("U1001", "the picture asks for more than 10000 digits");
  if (missing > 0) digits.insert(0, static_cast<std::size_t>(missing), '0');
  std::u16string text;
  for (const char c : digits) text += text_of(picture.zero + static_cast<char32_t>(c) - U'0');
  text = grouped(std::move(text), picture);
  return picture.ordinal ? text + std::u16string(ordinal_suffix(text)) : text;
}

std::string cased(std::string text, Case letter_case) {
  if (letter_case == Case::Upper) return to_upper(text);
  return letter_case == Case::Lower ? to_lower(text) : text;
}

Checked<std::u16string> magnitude_text(double magnitude, const IntegerPicture& picture) {
  switch (picture.kind) {
    case Kind::Letters:
      return utf16_of(letters_of(magnitude, picture.letter_case == Case::Upper ? 'A' : 'a'));
    case Kind::Roman: {
      MR_TRY(text, roman_of(magnitude));
      return utf16_of(cased(std::move(text), picture.letter_case));
    }
    case Kind::Words: {
      MR_TRY(text, words_of(magnitude, picture.ordinal));
      return utf16_of(cased(std::move(text), picture.letter_case));
    }
    case Kind::Sequence:
      return fault("D3130", utf8_of(picture.sequence));
    case Kind::Decimal:
      break;
  }
  return decimal_text(magnitude, picture);
}

}  // namespace

Checked<IntegerPicture> parse_integer_picture(std::u16string_view text) {
  IntegerPicture out;
  if (const std::size_t semicolon = text.rfind(u';'); semicolon != text.npos) {
    out.ordinal = text.substr(semicolon + 1).starts_with(u'o');
    text = text.substr(0, semicolon);
  }
  for (const Named& named : kNamed) {
    if (named.picture != text) continue;
    out.kind = named.kind;
    out.letter_case = named.letter_case;
    return out;
  }
  std::optional<char32_t> zero;
  const std::u32string characters = code_points(text);
  for (auto c = characters.rbegin(); c != characters.rend(); ++c) {
    if (const auto family = zero_of(*c)) {
      if (zero && *zero != *family) return fault("D3131");
      zero = family;
      ++out.mandatory_digits;
    } else if (*c == U'#') {
      ++out.optional_digits;
    } else {
      out.separators.push_back({out.mandatory_digits + out.optional_digits, text_of(*c)});
    }
  }
  if (!zero) {
    out.kind = Kind::Sequence;
    out.sequence = text;
    return out;
  }
  out.zero = *zero;
  out.regular_group = regular_group(out.separators);
  return out;
}

Checked<std::u16string> format_with(double value, const IntegerPicture& picture) {
  auto text = magnitude_text(std::abs(value), picture);
  if (text && value < 0) text->insert(text->begin(), u'-');
  return text;
}

Checked<double> parse_with(std::u16string_view text, const IntegerPicture& picture) {
  switch (picture.kind) {
    case Kind::Letters:
      return number_of_letters(text, picture.letter_case == Case::Upper ? 'A' : 'a');
    case Kind::Roman:
      return number_of_roman(picture.letter_case == Case::Upper ? utf8_of(text) : to_upper(utf8_of(text)));
    case Kind::Words:
      return number_of_words(to_lower(utf8_of(text)));
    case Kind::Sequence:
      return fault("D3130", utf8_of(picture.sequence));
    case Kind::Decimal:
      break;
  }
  std::u16string digits(
      text.substr(0, picture.ordinal ? text.size() - std::min<std::size_t>(text.size(), 2) : text.npos));
  if (picture.regular_group > 0) {
    digits = replace_all(digits, u",", u"");  // the reference takes regular separators for commas
  } else {
    for (const auto& separator : picture.separators) digits = replace_all(digits, separator.character, u"");
  }
  if (picture.zero != U'0') {
    for (char16_t& c : digits) c = static_cast<char16_t>(c - picture.zero + U'0');
  }
  return parse_int(digits);
}

Checked<std::string> format_integer(double value, std::string_view picture) {
  MR_TRY(parsed, parse_integer_picture(utf16_of(picture)));
  MR_TRY(text, format_with(std::floor(value), parsed));
  return utf8_of(text);
}

Checked<double> parse_integer(std::string_view text, std::string_view picture) {
  MR_TRY(parsed, parse_integer_picture(utf16_of(picture)));
  return parse_with(utf16_of(text), parsed);
}

}  // namespace millrace::definitions::jsonata
