#pragma once
// $formatNumber: pictures of decimal numbers, `#,##0.00;(#,##0.00)`. Pure. Source: XPath and XQuery Functions
// 3.1, 4.7 "Formatting numbers", as JSONata reads it: where its answers differ from the text of XPath,
// JSONata's count.

#include <string>
#include <string_view>

#include "definitions/jsonata/fault.h"

namespace millrace::definitions::jsonata {

// The characters with a meaning; each may be set by $formatNumber's third argument.
struct DecimalFormat {
  std::u16string decimal_separator = u".";
  std::u16string grouping_separator = u",";
  std::u16string exponent_separator = u"e";
  std::u16string infinity = u"Infinity";
  std::u16string minus_sign = u"-";
  std::u16string nan = u"NaN";
  std::u16string percent = u"%";
  std::u16string per_mille = u"\u2030";
  std::u16string zero_digit = u"0";
  std::u16string digit = u"#";
  std::u16string pattern_separator = u";";

  // Sets the option of this name ("decimal-separator", …); options with other names are ignored.
  void set(std::string_view name, std::string_view value);
};

// Faults D3080 to D3093 for pictures that mean nothing.
Checked<std::string> format_number(double value, std::string_view picture, const DecimalFormat& format = {});

}  // namespace millrace::definitions::jsonata
