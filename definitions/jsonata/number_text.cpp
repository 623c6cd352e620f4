#include "definitions/jsonata/number_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "definitions/jsonata/not_a_number.h"

namespace millrace::definitions::jsonata {
namespace {

// A magnitude as 0.d1d2d3… * 10^point, without zeros at either end of the digits.
struct Decimal {
  std::string digits;
  int point = 0;
};

Decimal decimal_of(std::string_view scientific) {
  const std::size_t e = scientific.find('e');
  Decimal out;
  for (const char c : scientific.substr(0, e)) {
    if (c != '.') out.digits += c;
  }
  out.digits.erase(out.digits.find_last_not_of('0') + 1);
  std::string_view exponent = scientific.substr(e + 1);
  if (exponent.front() == '+') exponent.remove_prefix(1);
  std::from_chars(exponent.data(), exponent.data() + exponent.size(), out.point);
  ++out.point;
  return out;
}

Decimal shortest(double magnitude) {
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, magnitude, std::chars_format::scientific).ptr;
  return decimal_of({buffer, static_cast<std::size_t>(end - buffer)});
}

// All digits of the double: at most 767.
Decimal exact(double magnitude) {
  char buffer[1200];
  const int size = std::snprintf(buffer, sizeof buffer, "%.1100e", magnitude);
  std::replace(buffer, buffer + size, ',', '.');
  return decimal_of({buffer, static_cast<std::size_t>(size)});
}

// Keeps `count` digits (which may be none or fewer than none), halves up.
void round_digits(Decimal& number, int count) {
  if (count < 0) {
    number = {};
    return;
  }
  const auto keep = static_cast<std::size_t>(count);
  if (keep >= number.digits.size()) return;
  const bool up = number.digits[keep] >= '5';
  number.digits.resize(keep);
  if (!up) return;
  std::size_t i = keep;
  while (i > 0 && number.digits[i - 1] == '9') number.digits[--i] = '0';
  if (i > 0) {
    ++number.digits[i - 1];
  } else {
    number.digits.insert(number.digits.begin(), '1');
    ++number.point;
  }
}

std::string with_exponent(const Decimal& number) {
  const int exponent = number.point - 1;
  std::string out(1, number.digits[0]);
  if (number.digits.size() > 1) out += "." + number.digits.substr(1);
  return out + (exponent < 0 ? "e-" : "e+") + std::to_string(std::abs(exponent));
}

std::string integer_text(double magnitude, int radix) {
  static constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string reversed;
  while (magnitude >= 0x1p53) {  // as V8 does: beyond 2^53 the last digits are zeros
    magnitude /= radix;
    reversed += '0';
  }
  magnitude = std::floor(magnitude);
  do {
    const double digit = std::fmod(magnitude, radix);
    reversed += kDigits[static_cast<int>(digit)];
    magnitude = (magnitude - digit) / radix;
  } while (magnitude > 0);
  return {reversed.rbegin(), reversed.rend()};
}

}  // namespace

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (value == 0) return "0";
  const std::string sign = value < 0 ? "-" : "";
  if (std::isinf(value)) return sign + "Infinity";
  const Decimal number = shortest(std::abs(value));
  const int count = static_cast<int>(number.digits.size());
  const auto zeros = [](int n) { return std::string(static_cast<std::size_t>(n), '0'); };
  if (number.point > 21 || number.point <= -6) return sign + with_exponent(number);
  if (number.point <= 0) return sign + "0." + zeros(-number.point) + number.digits;
  if (count <= number.point) return sign + number.digits + zeros(number.point - count);
  const auto point = static_cast<std::size_t>(number.point);
  return sign + number.digits.substr(0, point) + "." + number.digits.substr(point);
}

double shown_number(double value, bool integers_too) {
  if (!std::isfinite(value) || value == 0 || (!integers_too && value == std::trunc(value))) return value;
  if (shortest(std::abs(value)).digits.size() <= 15) return value;
  Decimal number = exact(std::abs(value));
  round_digits(number, 15);
  const double magnitude = parse_number(with_exponent(number));
  return value < 0 ? -magnitude : magnitude;
}

double parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return kNaN;
  if (error != std::errc::result_out_of_range) return value;
  const std::size_t e = text.find_first_of("eE");
  const bool small =
      e != text.npos ? text.substr(e + 1).starts_with('-') : text.find_first_of("123456789") > text.find('.');
  const double magnitude = small ? 0 : std::numeric_limits<double>::infinity();
  return text.starts_with('-') ? -magnitude : magnitude;
}

double round_half_even(double value, double precision) {
  // The point is moved in the text: 4.515 * 100 would be 451.49999999999994.
  const auto shifted = [](double number, double by) {
    if (!std::isfinite(number)) return number;
    if (by != std::trunc(by)) return kNaN;
    const std::string text = number_text(number);
    const std::size_t e = text.find('e');
    const double exponent = (e == text.npos ? 0 : parse_number(std::string_view(text).substr(e + 1))) + by;
    return parse_number(text.substr(0, e) + "e" + number_text(std::clamp(exponent, -9999.0, 9999.0)));
  };
  if (precision != 0) value = shifted(value, precision);
  double rounded = std::floor(value);
  if (value - rounded >= 0.5) rounded += 1;
  if (std::abs(rounded - value) == 0.5 && std::abs(std::fmod(rounded, 2)) == 1) rounded -= 1;
  if (precision != 0) rounded = shifted(rounded, -precision);
  return rounded == 0 ? 0 : rounded;
}

std::string fixed_text(double value, int digits) {
  if (!std::isfinite(value) || std::abs(value) >= 1e21) return number_text(std::abs(value));
  Decimal number = value == 0 ? Decimal{} : exact(std::abs(value));
  round_digits(number, number.point + digits);
  if (number.digits.empty()) number.point = 0;
  if (number.point < 0) {
    number.digits.insert(0, static_cast<std::size_t>(-number.point), '0');
    number.point = 0;
  }
  const auto point = static_cast<std::size_t>(number.point);
  number.digits.resize(point + static_cast<std::size_t>(digits), '0');
  const std::string whole = point == 0 ? "0" : number.digits.substr(0, point);
  return digits == 0 ? whole : whole + "." + number.digits.substr(point);
}

Checked<std::string> format_base(double value, double radix) {
  value = round_half_even(value);
  radix = round_half_even(radix);
  if (!(radix >= 2 && radix <= 36)) return fault("D3100", number_text(radix));
  if (radix == 10 || !std::isfinite(value)) return number_text(value);
  return (value < 0 ? "-" : "") + integer_text(std::abs(value), static_cast<int>(radix));
}

}  // namespace millrace::definitions::jsonata
