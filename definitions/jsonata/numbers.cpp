#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/integer_format.h"
#include "definitions/jsonata/natives.h"
#include "definitions/jsonata/number_format.h"
#include "definitions/jsonata/number_text.h"

namespace millrace::definitions::jsonata::natives {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// -?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?
bool is_decimal(std::string_view t) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t begin = i;
    while (i < t.size() && is_digit(t[i])) ++i;
    return i > begin;
  };
  if (i < t.size() && t[i] == '-') ++i;
  if (!digits()) return false;
  if (i < t.size() && t[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < t.size() && (t[i] == 'e' || t[i] == 'E')) {
    ++i;
    if (i < t.size() && (t[i] == '+' || t[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == t.size();
}

// 0x1F, 0o17, 0b101
std::optional<double> prefixed(std::string_view text) {
  if (text.size() < 3 || text[0] != '0') return std::nullopt;
  const char letter = static_cast<char>(text[1] | 0x20);
  const int radix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
  if (radix == 0) return std::nullopt;
  double value = 0;
  for (const char c : text.substr(2)) {
    const char lower = static_cast<char>(c | 0x20);
    const int digit = is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
    if (digit >= radix) return std::nullopt;
    value = value * radix + digit;
  }
  return value;
}

template <class Compute>
Value computed(Arguments arguments, Compute compute) {
  return arguments[0].is_number() ? Value::number(compute(arguments[0].to_double())) : Value();
}

Value answer(Evaluation& evaluation, const Checked<std::string>& text) {
  if (text) return evaluation.text(*text);
  return evaluation.fail_with_text(text.error().code, text.error().value);
}

// Folds the numbers of an array; undefined if there are none.
template <class Fold>
Value folded(Evaluation& evaluation, Value array, double start, Fold fold) {
  Evaluation::Items items(evaluation, array);
  if (!evaluation.work(evaluation.count_of(array) / 4)) return Value::failed();
  for (Value item; items.next(item);) start = fold(start, item.to_double());
  return Value::number(start);
}

}  // namespace

Value number(Evaluation& evaluation, Arguments arguments) {
  const Value value = arguments[0];
  if (value.is_undefined() || value.is_number()) return value;
  if (value.is_boolean()) return Value::number(value.truth ? 1 : 0);
  if (value.is_string()) {
    if (is_decimal(value.characters())) {
      const double read = parse_number(value.characters());
      if (std::isfinite(read)) return Value::number(read);
    } else if (const auto read = prefixed(value.characters())) {
      return Value::number(*read);
    }
  }
  return evaluation.fail("D3030", value);
}

Value abs(Evaluation&, Arguments arguments) {
  return computed(arguments, [](double d) { return std::fabs(d); });
}
Value floor(Evaluation&, Arguments arguments) {
  return computed(arguments, [](double d) { return std::floor(d); });
}
Value ceil(Evaluation&, Arguments arguments) {
  return computed(arguments, [](double d) { return std::ceil(d); });
}
Value round(Evaluation&, Arguments arguments) {
  const double digits = arguments[1].is_number() ? arguments[1].to_double() : 0;
  return computed(arguments, [digits](double d) { return round_half_even(d, digits); });
}

Value power(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_number()) return {};
  const double raised =
      arguments[1].is_number() ? std::pow(arguments[0].to_double(), arguments[1].to_double()) : NAN;
  return std::isfinite(raised) ? Value::number(raised) : evaluation.fail("D3061", arguments[0], arguments[1]);
}

Value sqrt(Evaluation& evaluation, Arguments arguments) {
  if (arguments[0].is_number() && arguments[0].to_double() < 0) return evaluation.fail("D3060", arguments[0]);
  return computed(arguments, [](double d) { return std::sqrt(d); });
}

Value random(Evaluation& evaluation, Arguments) {
  return Value::number(Random(evaluation.draw()).uniform());
}

Value format_number(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_number()) return {};
  DecimalFormat format;
  if (arguments[2].is_object()) {
    evaluation.for_each_member(arguments[2], [&](std::string_view key, Value value) {
      if (value.is_string()) format.set(key, value.characters());
      return true;
    });
  }
  const std::string_view picture = arguments[1].is_string() ? arguments[1].characters() : "";
  return answer(evaluation, jsonata::format_number(arguments[0].to_double(), picture, format));
}

Value format_base(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_number()) return {};
  const double radix = arguments[1].is_number() ? arguments[1].to_double() : 10;
  return answer(evaluation, jsonata::format_base(arguments[0].to_double(), radix));
}

Value format_integer(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_number()) return {};
  const std::string_view picture = arguments[1].is_string() ? arguments[1].characters() : "";
  return answer(evaluation, jsonata::format_integer(arguments[0].to_double(), picture));
}

Value parse_integer(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view picture = arguments[1].is_string() ? arguments[1].characters() : "";
  const auto read = jsonata::parse_integer(arguments[0].characters(), picture);
  if (!read) return evaluation.fail_with_text(read.error().code, read.error().value);
  return Value::number(*read);
}

Value sum(Evaluation& evaluation, Arguments arguments) {
  if (arguments[0].is_undefined()) return {};
  return folded(evaluation, arguments[0], 0, [](double a, double b) { return a + b; });
}

Value max(Evaluation& evaluation, Arguments arguments) {
  if (arguments[0].is_undefined() || evaluation.count_of(arguments[0]) == 0) return {};
  return folded(evaluation, arguments[0], -INFINITY, [](double a, double b) { return a < b ? b : a; });
}

Value min(Evaluation& evaluation, Arguments arguments) {
  if (arguments[0].is_undefined() || evaluation.count_of(arguments[0]) == 0) return {};
  return folded(evaluation, arguments[0], INFINITY, [](double a, double b) { return b < a ? b : a; });
}

Value average(Evaluation& evaluation, Arguments arguments) {
  if (arguments[0].is_undefined() || evaluation.count_of(arguments[0]) == 0) return {};
  const Value total = sum(evaluation, arguments);
  if (total.has_failed()) return total;
  return Value::number(total.real / static_cast<double>(evaluation.count_of(arguments[0])));
}

}  // namespace millrace::definitions::jsonata::natives
