#pragma once
// Pictures of integers, of $formatInteger and $parseInteger and of the parts of date pictures: `#,##0`, `01`,
// `w`, `I`, `a`, with `;o` as ordinals. Pure. Source: XPath and XQuery Functions 3.1, 4.6.1
// "fn:format-integer", as JSONata reads it.

#include <string>
#include <string_view>
#include <vector>

#include "definitions/jsonata/fault.h"

namespace millrace::definitions::jsonata {

struct IntegerPicture {
  enum class Kind {
    Decimal,
    Letters,
    Roman,
    Words,
    Sequence
  } kind = Kind::Decimal;  // Sequence: not supported
  enum class Case { Lower, Upper, Title } letter_case = Case::Lower;
  bool ordinal = false;
  std::u16string sequence;  // what a Sequence begins with

  // Decimal only. A separator stands behind so many digits, counted from the right.
  struct Separator {
    long position = 0;
    std::u16string character;
  };
  char32_t zero = U'0';
  long mandatory_digits = 0, optional_digits = 0;
  long regular_group = 0;             // > 0: separators repeat at this distance
  std::vector<Separator> separators;  // from the right; the first one where they are regular
};

// Fault D3131: digits of different scripts.
Checked<IntegerPicture> parse_integer_picture(std::u16string_view picture);
// `value` rounded down already. Faults: D3130 for a Sequence, U1001 where the text would be huge.
Checked<std::u16string> format_with(double value, const IntegerPicture& picture);
// NaN for what is no number; D3130 for a Sequence.
Checked<double> parse_with(std::u16string_view text, const IntegerPicture& picture);

// $formatInteger and $parseInteger.
Checked<std::string> format_integer(double value, std::string_view picture);
Checked<double> parse_integer(std::string_view text, std::string_view picture);

}  // namespace millrace::definitions::jsonata
