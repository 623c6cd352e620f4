#include "definitions/jsonata/number_format.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "definitions/jsonata/number_text.h"
#include "definitions/jsonata/utf16.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr std::size_t kPictureUnitsMax = 10'000;

bool contains(std::u16string_view text, std::u16string_view what) {
  return text.find(what) != text.npos;
}
// What stands behind the unit at `at`; nothing where there is none.
std::u16string behind(std::u16string_view text, std::size_t at) {
  return std::u16string(at < text.size() ? text.substr(at + 1) : std::u16string_view());
}
bool twice(std::u16string_view text, std::u16string_view what) {
  return text.find(what) != text.rfind(what);
}

// One side of the pattern separator, cut into its parts.
struct SubPicture {
  std::u16string whole, prefix, active, suffix;
  std::u16string mantissa, integer, fraction;
  std::optional<std::u16string> exponent;
};

// What a sub-picture asks for.
struct Layout {
  std::vector<long> integer_groups, fraction_groups;  // digits between a separator and the decimal point
  long regular_group = 0;
  long integer_least = 0;
  long mantissa_digits = 0;  // before the point, with an exponent
  long fraction_least = 0, fraction_most = 0;
  long exponent_least = 0;
};

class Picture {
 public:
  Picture(std::u16string_view text, const DecimalFormat& format)
      : format_(format), zero_(format.zero_digit.empty() ? u'0' : format.zero_digit[0]) {
    std::size_t at = 0;
    const std::u16string& separator = format.pattern_separator;
    if (separator.empty()) {
      parts_.push_back(cut(text));
      return;
    }
    for (std::size_t end; (end = text.find(separator, at)) != text.npos; at = end + separator.size()) {
      parts_.push_back(cut(text.substr(at, end - at)));
    }
    parts_.push_back(cut(text.substr(at)));
  }

  Checked<std::u16string> format(double value) const {
    if (parts_.size() > 2) return fault("D3080");
    for (const SubPicture& part : parts_) {
      if (const std::string code = problem(part); !code.empty()) return fault(code);
    }
    const SubPicture& part = value >= 0 ? parts_.front() : parts_.back();
    const std::u16string prefix =
        !(value >= 0) && parts_.size() == 1 ? format_.minus_sign + part.prefix : part.prefix;
    if (std::isnan(value)) return format_.nan;
    if (std::isinf(value)) return prefix + format_.infinity + part.suffix;
    return prefix + digits(value, part) + part.suffix;
  }

 private:
  bool is_digit(char16_t c) const { return c >= zero_ && c < zero_ + 10; }
  bool is_optional_digit(char16_t c) const { return format_.digit == std::u16string_view(&c, 1); }
  bool is_any_digit(char16_t c) const { return is_digit(c) || is_optional_digit(c); }
  bool is_active(char16_t c) const {
    const std::u16string_view text(&c, 1);
    return is_any_digit(c) || text == format_.decimal_separator || text == format_.exponent_separator ||
           text == format_.grouping_separator || text == format_.pattern_separator;
  }
  long count_digits(std::u16string_view text) const {
    return std::count_if(text.begin(), text.end(), [&](char16_t c) { return is_digit(c); });
  }
  long count_any_digits(std::u16string_view text) const {
    return std::count_if(text.begin(), text.end(), [&](char16_t c) { return is_any_digit(c); });
  }

  SubPicture cut(std::u16string_view text) const {
    const auto begins = [&](char16_t c) {
      return is_active(c) && format_.exponent_separator != std::u16string_view(&c, 1);
    };
    SubPicture part;
    part.whole = text;
    const auto first = std::find_if(text.begin(), text.end(), begins);
    const auto last = std::find_if(text.rbegin(), text.rend(), begins).base();
    part.prefix.assign(text.begin(), first);
    if (first == text.end()) {  // nothing active: refused, whatever it is
      part.prefix.clear();
      part.active = text;
    } else {
      part.active.assign(first, last);
      part.suffix.assign(last, text.end());
    }
    // The reference takes the separator's place in the sub-picture for one in the active part.
    const std::size_t e = text.find(format_.exponent_separator, part.prefix.size());
    if (e == text.npos || e > text.size() - part.suffix.size()) {
      part.mantissa = part.active;
    } else {
      part.mantissa = part.active.substr(0, e);
      part.exponent = behind(part.active, e);
    }
    const std::size_t point = part.mantissa.find(format_.decimal_separator);
    part.integer = part.mantissa.substr(0, point);
    part.fraction = point == part.mantissa.npos ? part.suffix : behind(part.mantissa, point);
    return part;
  }

  // The code of the last rule that the sub-picture breaks, as the reference reports it. F&O 4.7.3.
  std::string problem(const SubPicture& part) const {
    const bool percent = contains(part.whole, format_.percent);
    const bool per_mille = contains(part.whole, format_.per_mille);
    const auto digits_of = [&](std::u16string_view text) { return count_digits(text) > 0; };
    std::string code;
    if (twice(part.whole, format_.decimal_separator)) code = "D3081";
    if (twice(part.whole, format_.percent)) code = "D3082";
    if (twice(part.whole, format_.per_mille)) code = "D3083";
    if (percent && per_mille) code = "D3084";
    if (count_any_digits(part.mantissa) == 0) code = "D3085";
    if (!std::all_of(part.active.begin(), part.active.end(), [&](char16_t c) { return is_active(c); }))
      code = "D3086";
    if (const std::string grouping = grouping_problem(part); !grouping.empty()) code = grouping;
    const std::size_t optional = part.integer.find(format_.digit);
    if (optional != part.integer.npos && digits_of(part.integer.substr(0, optional))) code = "D3090";
    const std::size_t last_optional = part.fraction.rfind(format_.digit);
    if (last_optional != part.fraction.npos && digits_of(part.fraction.substr(last_optional))) code = "D3091";
    if (!part.exponent) return code;
    if (!part.exponent->empty() && (percent || per_mille)) code = "D3092";
    if (part.exponent->empty() || count_digits(*part.exponent) < static_cast<long>(part.exponent->size()))
      code = "D3093";
    return code;
  }

  std::string grouping_problem(const SubPicture& part) const {
    const std::u16string& comma = format_.grouping_separator;
    const std::size_t point = part.whole.find(format_.decimal_separator);
    const auto is_comma = [&](std::size_t at) {
      return at < part.whole.size() && part.whole.substr(at, 1) == comma;
    };
    std::string code;
    if (point != part.whole.npos) {
      if ((point > 0 && is_comma(point - 1)) || is_comma(point + 1)) code = "D3087";
    } else if (!part.integer.empty() && part.integer.substr(part.integer.size() - 1) == comma) {
      code = "D3088";
    }
    return contains(part.whole, comma + comma) ? "D3089" : code;
  }

  // Places of the separators. The reference looks for the second and later ones in the integer part always.
  std::vector<long> groups(const SubPicture& part, const std::u16string& text, bool to_left) const {
    std::vector<long> places;
    for (std::size_t at = text.find(format_.grouping_separator); at != text.npos;
         at = part.integer.find(format_.grouping_separator, at + 1)) {
      const std::size_t cut = std::min(at, text.size());
      places.push_back(count_any_digits(to_left ? text.substr(0, cut) : text.substr(cut)));
    }
    return places;
  }

  // The distance of the separators when it is the same all along, else 0.
  static long regular(const std::vector<long>& places) {
    const long step =
        std::accumulate(places.begin(), places.end(), 0L, [](long a, long b) { return std::gcd(a, b); });
    for (std::size_t i = 1; i <= places.size(); ++i) {
      if (std::find(places.begin(), places.end(), static_cast<long>(i) * step) == places.end()) return 0;
    }
    return step;
  }

  // F&O 4.7.4.
  Layout layout(const SubPicture& part) const {
    Layout out;
    out.integer_groups = groups(part, part.integer, false);
    out.regular_group = regular(out.integer_groups);
    out.fraction_groups = groups(part, part.fraction, true);
    out.integer_least = out.mantissa_digits = count_digits(part.integer);
    out.fraction_least = count_digits(part.fraction);
    out.fraction_most = count_any_digits(part.fraction);
    if (out.integer_least == 0 && out.fraction_most == 0) {
      if (part.exponent) {
        out.fraction_least = out.fraction_most = 1;
      } else {
        out.integer_least = 1;
      }
    }
    if (part.exponent && out.integer_least == 0 && contains(part.integer, format_.digit))
      out.integer_least = 1;
    if (out.integer_least == 0 && out.fraction_least == 0) out.fraction_least = 1;
    if (part.exponent) out.exponent_least = count_digits(*part.exponent);
    return out;
  }

  // The magnitude in digits of the picture's own family.
  std::u16string text_of(double value, long fraction_digits) const {
    std::u16string out;
    for (const char c : fixed_text(value, static_cast<int>(fraction_digits))) {
      const bool digit = c >= '0' && c <= '9';
      out.push_back(digit ? static_cast<char16_t>(zero_ + (c - '0')) : static_cast<char16_t>(c));
    }
    return out;
  }
  std::u16string zeros(long count) const {
    std::u16string out;
    for (; count > 0; --count) out += format_.zero_digit;
    return out;
  }

  // F&O 4.7.5.
  std::u16string digits(double value, const SubPicture& part) const {
    const Layout plan = layout(part);
    if (contains(part.whole, format_.percent)) {
      value *= 100;
    } else if (contains(part.whole, format_.per_mille)) {
      value *= 1000;
    }
    int exponent = 0;
    if (plan.exponent_least > 0 && value != 0) {
      const double most = std::pow(10, plan.mantissa_digits), least = std::pow(10, plan.mantissa_digits - 1);
      for (; std::abs(value) < least && exponent > -400; --exponent) value *= 10;
      for (; std::abs(value) > most && exponent < 400; ++exponent) value /= 10;
    }
    const double rounded = round_half_even(value, static_cast<double>(plan.fraction_most));
    std::u16string text = text_of(rounded, plan.fraction_most);
    const std::u16string& point = format_.decimal_separator;
    const std::size_t dot = text.find(u'.');
    text = dot == text.npos ? text + point : text.substr(0, dot) + point + text.substr(dot + 1);
    if (format_.zero_digit.size() == 1) {
      text.erase(0, std::min(text.find_first_not_of(zero_), text.size()));
      text.erase(text.find_last_not_of(zero_) + 1);
    }
    const auto point_at = [&] { return static_cast<long>(text.find(point)); };  // -1: the point is empty
    text = zeros(plan.integer_least - point_at()) + text;
    text += zeros(plan.fraction_least - (static_cast<long>(text.size()) - point_at() - 1));
    group_integer(text, plan, point_at());
    const long at = point_at();
    for (const long place : plan.fraction_groups) insert(text, place + at + 1);
    // The reference drops the last unit whenever the picture has no point.
    if (!contains(part.whole, point) || point_at() == static_cast<long>(text.size()) - 1) {
      if (!text.empty()) text.pop_back();
    }
    if (plan.exponent_least == 0) return text;
    const std::u16string power = text_of(exponent, 0);
    return text + format_.exponent_separator + (exponent < 0 ? format_.minus_sign : u"") +
           zeros(plan.exponent_least - static_cast<long>(power.size())) + power;
  }

  void group_integer(std::u16string& text, const Layout& plan, long point) const {
    if (plan.regular_group > 0) {
      const long count = (point - 1) / plan.regular_group;
      for (long group = 1; group <= count; ++group) insert(text, point - group * plan.regular_group);
      return;
    }
    for (const long place : plan.integer_groups) insert(text, point++ - place);
  }

  void insert(std::u16string& text, long at) const {
    text = std::u16string(slice(text, 0, at)) + format_.grouping_separator + std::u16string(slice(text, at));
  }

  DecimalFormat format_;
  char16_t zero_;
  std::vector<SubPicture> parts_;
};

}  // namespace

void DecimalFormat::set(std::string_view name, std::string_view value) {
  struct Option {
    std::string_view name;
    std::u16string DecimalFormat::*field;
  };
  static constexpr Option kOptions[] = {
      {"decimal-separator", &DecimalFormat::decimal_separator},
      {"grouping-separator", &DecimalFormat::grouping_separator},
      {"exponent-separator", &DecimalFormat::exponent_separator},
      {"infinity", &DecimalFormat::infinity},
      {"minus-sign", &DecimalFormat::minus_sign},
      {"NaN", &DecimalFormat::nan},
      {"percent", &DecimalFormat::percent},
      {"per-mille", &DecimalFormat::per_mille},
      {"zero-digit", &DecimalFormat::zero_digit},
      {"digit", &DecimalFormat::digit},
      {"pattern-separator", &DecimalFormat::pattern_separator},
  };
  for (const Option& option : kOptions) {
    if (option.name == name) this->*option.field = utf16_of(value);
  }
}

Checked<std::string> format_number(double value, std::string_view picture, const DecimalFormat& format) {
  const std::u16string text = utf16_of(picture);
  if (text.size() > kPictureUnitsMax) return fault("U1001", "the picture is longer than 10000 characters");
  auto formatted = Picture(text, format).format(value);
  if (!formatted) return tl::make_unexpected(std::move(formatted).error());
  return utf8_of(*formatted);
}

}  // namespace millrace::definitions::jsonata
