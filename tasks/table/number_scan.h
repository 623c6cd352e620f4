#pragma once
// The fast way for the decimals that data files are made of. Exact: a whole number up to 2^53 divided by a
// power of ten up to 10^18 is one correctly rounded operation (Clinger, How to read floating point numbers
// accurately, 1990).

#include <cstdint>

namespace millrace::tasks {

// Reads -?digits[.digits] of at most 18 digits from [p, end): the place behind it, or null when what stands
// there is something else (an exponent ends the number: the caller sees that the cell goes on and takes the
// slow way).
inline const char* scan_decimal(const char* p, const char* end, double& out) {
  static constexpr double kPowers[19] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                         1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
  const bool negative = p != end && *p == '-';
  if (negative) ++p;
  std::uint64_t mantissa = 0;  // wraps on a long run of digits, which is refused below
  const char* first = p;
  for (; p != end && static_cast<unsigned char>(*p - '0') < 10; ++p) {
    mantissa = mantissa * 10 + static_cast<std::uint64_t>(*p - '0');
  }
  auto digits = p - first, fraction = digits - digits;
  if (p != end && *p == '.') {
    first = ++p;
    for (; p != end && static_cast<unsigned char>(*p - '0') < 10; ++p) {
      mantissa = mantissa * 10 + static_cast<std::uint64_t>(*p - '0');
    }
    fraction = p - first;
    digits += fraction;
  }
  if (digits == 0 || digits > 18 || mantissa > (std::uint64_t{1} << 53)) return nullptr;
  const double value = static_cast<double>(mantissa) / kPowers[fraction];
  out = negative ? -value : value;
  return p;
}

}  // namespace millrace::tasks
