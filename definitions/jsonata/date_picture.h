#pragma once
// Pictures of dates and times, `[FNn], [D1o] [MNn] [Y]`: literal text and markers. Pure. Source: XPath and
// XQuery Functions 3.1, 9.8.4 "The date/time formatting functions", as JSONata reads it, with its own
// components X (year of the ISO week) and x (month of the week).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "definitions/jsonata/integer_format.h"

namespace millrace::definitions::jsonata {

struct DateMarker {
  char component = 0;  // Y M D d F W w X x H h P m s f Z z C E; others mean nothing
  enum class Names { None, Lower, Upper, Title } names = Names::None;
  std::optional<IntegerPicture> number;
  std::optional<long> width_least, width_most;
  long year_digits = -1;     // the year is shown modulo 10^year_digits; -1: in full
  bool traditional = false;  // `t`: Z for no offset
  long parse_digits = 0;     // > 0: exactly so many digits, because a number follows at once
  bool plain = false;        // `number` is a decimal in ASCII, ungrouped and not padded beyond 20 digits
};

struct DatePart {
  std::string literal;  // UTF-8
  std::optional<DateMarker> marker;
};

// Faults D3131 (mixed digits), D3132 (an unknown component, alone), D3135 (no closing bracket).
Checked<std::vector<DatePart>> parse_date_picture(std::u16string_view picture);

// January is 0; Monday is 0.
std::u16string_view month_name(int month);
std::u16string_view weekday_name(int weekday);

}  // namespace millrace::definitions::jsonata
