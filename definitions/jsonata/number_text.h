#pragma once
// Numbers as JavaScript writes, reads and rounds them, and the functions of JSONata that rest on that. Pure.
// Source: ECMAScript 2024, Number::toString, toPrecision, toFixed; docs.jsonata.org, "Numeric functions".

#include <string>
#include <string_view>

#include "definitions/jsonata/fault.h"

namespace millrace::definitions::jsonata {

// The shortest text that reads back as `value`; exponents from 1e21 and below 1e-6; "NaN", "Infinity".
std::string number_text(double value);
// The number that $string shows: integers as they are, others cut to 15 significant digits (0.1+0.2 is 0.3).
// JSONata 2.0.6 cuts integers too: `integers_too`.
double shown_number(double value, bool integers_too = false);
// Text as number_text, or any decimal text, as a double: too large is infinite, too small 0, no number NaN.
double parse_number(std::string_view text);

// $round: half to even, on the decimal text, `precision` digits after the point (negative: before it). -0 is
// 0.
double round_half_even(double value, double precision = 0);
// The magnitude of `value` with exactly `digits` digits after the point, halves away from zero.
std::string fixed_text(double value, int digits);
// $formatBase. D3100: the radix, rounded, is not within 2 to 36.
Checked<std::string> format_base(double value, double radix);

}  // namespace millrace::definitions::jsonata
