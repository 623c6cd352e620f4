// $toMillis.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/result.h"
#include "definitions/jsonata/calendar.h"
#include "definitions/jsonata/date_picture.h"
#include "definitions/jsonata/date_time.h"
#include "definitions/jsonata/number_words.h"
#include "definitions/jsonata/regex.h"
#include "definitions/jsonata/utf16.h"

#include "definitions/jsonata/not_a_number.h"

namespace millrace::definitions::jsonata {
namespace {

using Kind = IntegerPicture::Kind;
using Case = IntegerPicture::Case;

std::string escaped(std::string_view literal) {
  std::string out;
  for (const char c : literal) {
    if (std::string_view(".*+?^${}()|[]\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

bool is_zone(const DateMarker& marker) {
  return marker.component == 'Z' || marker.component == 'z';
}

const std::string& words_pattern() {
  static const std::string pattern = [] {
    std::string out = "(?:";
    for (const std::string& word : number_words()) out += word + "|";
    return out + "and|[\\-, ])+";
  }();
  return pattern;
}

Checked<std::string> number_pattern(const DateMarker& marker) {
  const IntegerPicture& number = *marker.number;
  const bool upper = number.letter_case == Case::Upper;
  switch (number.kind) {
    case Kind::Letters:
      return upper ? "[A-Z]+" : "[a-z]+";
    case Kind::Roman:
      return upper ? "[MDCLXVI]+" : "[mdclxvi]+";
    case Kind::Words:
      return words_pattern();
    case Kind::Sequence:
      return fault("D3130", utf8_of(number.sequence));
    case Kind::Decimal:
      break;
  }
  const std::string often = marker.parse_digits > 0 ? "{" + std::to_string(marker.parse_digits) + "}" : "+";
  return "[0-9]" + often + (number.ordinal ? "(?:th|st|nd|rd)" : "");
}

std::string zone_pattern(const DateMarker& marker) {
  const IntegerPicture& number = *marker.number;
  std::string out = marker.component == 'z' ? "GMT[-+][0-9]+" : "[-+][0-9]+";
  if (number.regular_group > 0) out += escaped(utf8_of(number.separators.front().character)) + "[0-9]+";
  return out;
}

Checked<std::string> pattern_of(const DatePart& part) {
  if (!part.marker) return escaped(part.literal);
  const DateMarker& marker = *part.marker;
  if (is_zone(marker)) return zone_pattern(marker);
  if (marker.component == 'f' && marker.number) return "[0-9]+";
  if (marker.number) return number_pattern(marker);
  if (std::string_view("MxFP").find(marker.component) == std::string_view::npos)
    return fault("D3133", std::string(1, marker.component));
  return "[a-zA-Z]+";
}

// Minutes east of Greenwich.
double zone_minutes(std::u16string_view text, const DateMarker& marker) {
  if (marker.component == 'z') text = text.substr(std::min<std::size_t>(text.size(), 3));
  const IntegerPicture& number = *marker.number;
  double hours = 0, minutes = 0;
  if (number.regular_group > 0) {
    const std::size_t at = text.find(number.separators.front().character);
    hours = parse_int(text.substr(0, at));
    minutes = at == text.npos ? 0 : parse_int(text.substr(at + 1));
  } else if (text.size() <= 3) {
    hours = parse_int(text);
  } else {
    hours = parse_int(text.substr(0, 3));
    minutes = parse_int(text.substr(3));
  }
  return hours * 60 + minutes;
}

std::optional<double> name_value(std::u16string_view text, const DateMarker& marker) {
  if (marker.component == 'P') {
    if (text == u"am" || text == u"AM") return 0;
    return text == u"pm" || text == u"PM" ? std::optional(1.0) : std::nullopt;
  }
  const bool month = marker.component != 'F';
  for (int i = month ? 11 : 6; i >= 0;
       --i) {  // the last of those that are cut to the same letters: Ma is May
    std::u16string_view name = month ? month_name(i) : weekday_name(i);
    if (marker.width_most && *marker.width_most > 0)
      name = name.substr(0, static_cast<std::size_t>(*marker.width_most));
    if (name == text) return i + 1;
  }
  return std::nullopt;
}

Checked<std::optional<double>> value_of(std::u16string_view text, const DateMarker& marker) {
  if (is_zone(marker)) return zone_minutes(text, marker);
  if (!marker.number) return name_value(text, marker);
  if (marker.component == 'f') {
    std::u16string millis(text.substr(0, 3));  // finer than milliseconds is cut off
    millis.resize(3, u'0');
    return parse_int(millis);
  }
  MR_TRY(value, parse_with(text, *marker.number));
  return value;
}

// What the text says, by component.
using Components = std::map<char, double>;

Checked<std::optional<Components>> read(std::u16string_view text, const DateReader& reader) {
  const std::vector<DatePart>& parts = reader.parts;
  MR_TRY(match, reader.regex->find(text));
  if (!match) return std::nullopt;
  bool any = false;
  Components out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].marker) continue;
    any = true;
    const UnitRange range = match->groups[i].value_or(UnitRange{});
    MR_TRY(value, value_of(text.substr(range.begin, range.end - range.begin), *parts[i].marker));
    out.erase(parts[i].marker->component);  // the last marker of a component counts, even if it means nothing
    if (value) out[parts[i].marker->component] = *value;
  }
  if (!any) return std::nullopt;
  return out;
}

// Whether the components fit a way to name a date: at least one of `wanted`, none of `unwanted`. 0 counts as
// not given.
bool is_kind(const Components& given, std::string_view wanted, std::string_view unwanted) {
  const auto has = [&](char c) {
    const auto found = given.find(c);
    return found != given.end() && found->second != 0 && !std::isnan(found->second);
  };
  return std::any_of(wanted.begin(), wanted.end(), has) &&
         std::none_of(unwanted.begin(), unwanted.end(), has);
}

// Fills what is missing: before the first component that is given from `now`, behind the last one by zero.
Checked<void> complete(Components& given, std::string_view order, double now) {
  bool started = false, ended = false;
  for (const char component : order) {
    if (given.contains(component)) {
      if (ended) return fault("D3136");
      started = true;
    } else if (started) {
      given[component] = component == 'M' || component == 'D' || component == 'd' ? 1 : 0;
      ended = true;
    } else {
      given[component] =
          component == 'P' ? 0 : date_component(now, component);  // no half of the day: the morning
    }
  }
  return {};
}

// The order of significance for the way in which the date and the time are given.
std::string order_of(const Components& given, bool by_day_of_year, bool half_day) {
  std::string out = "YMD";
  if (by_day_of_year) {
    out = "YD";
  } else if (is_kind(given, "Xxw", "YMWdD")) {
    out = "XxwF";
  } else if (is_kind(given, "XW", "YMxwdD")) {
    out = "XWF";
  }
  return out + (half_day ? "Phmsf" : "Hmsf");
}

}  // namespace

Checked<DateReader> date_reader(std::string_view picture) {
  DateReader reader;
  MR_TRY(parts, parse_date_picture(utf16_of(picture)));
  std::string pattern = "^";
  for (const DatePart& part : parts) {
    MR_TRY(piece, pattern_of(part));
    pattern += "(" + piece + ")";
  }
  auto regex = JsRegex::compile(pattern + "$", "i");
  if (!regex) return fault("U1001", regex.error().message);
  reader.parts = std::move(parts);
  reader.regex = std::make_shared<const JsRegex>(std::move(*regex));
  return reader;
}

Checked<std::optional<double>> to_millis(std::string_view text, std::string_view picture, double now) {
  MR_TRY(reader, date_reader(picture));
  return to_millis(text, reader, now);
}

Checked<std::optional<double>> to_millis(std::string_view text, const DateReader& reader, double now) {
  MR_TRY(read_components, read(utf16_of(text), reader));
  if (!read_components) return std::nullopt;
  Components given = std::move(*read_components);
  const bool by_day_of_year = !is_kind(given, "YMD", "XxWwd") && is_kind(given, "Yd", "XMxWwD");
  const bool half_day = !is_kind(given, "Hmsf", "Ph") && is_kind(given, "Phmsf", "H");
  const std::string order = order_of(given, by_day_of_year, half_day);
  MR_DO(complete(given, order, now));
  if (order[0] == 'X') return fault("D3136");  // weeks of the year cannot be read

  double month = std::max(given['M'] - 1, 0.0);
  double day = given['D'];
  if (by_day_of_year) {
    const double date = utc_millis(given['Y'], 0, given['d']);
    month = date_component(date, 'M') - 1;
    day = date_component(date, 'D');
  }
  if (half_day) given['H'] = (given['h'] == 12 ? 0 : given['h']) + (given['P'] == 1 ? 12 : 0);
  const double millis = utc_millis(given['Y'], month, day, given['H'], given['m'], given['s'], given['f']);
  double offset = given['Z'];
  if (offset == 0 || std::isnan(offset)) offset = given['z'];
  return offset == 0 || std::isnan(offset) ? millis : millis - offset * 60'000;
}

Checked<double> to_millis(std::string_view text) {
  static const auto kIso = JsRegex::compile(
      "^(\\d{4})(?:-([01]\\d))?(?:-([0-3]\\d))?(?:T([0-2]\\d):([0-5]\\d):([0-5]\\d))?(?:\\.(\\d+))?"
      "(?:([+-])([0-2]\\d):?([0-5]\\d)|Z)?$",
      "");
  const std::u16string units = utf16_of(text);
  MR_TRY(match, kIso->find(units));
  if (!match) return fault("D3110", std::string(text));
  const auto field = [&](std::size_t group, double otherwise) {
    const auto& range = match->groups[group - 1];
    return range ? parse_int(std::u16string_view(units).substr(range->begin, range->end - range->begin))
                 : otherwise;
  };
  const double year = field(1, 0), month = field(2, 1), day = field(3, 1);
  const double hour = field(4, 0), minute = field(5, 0), second = field(6, 0);
  double millis = 0;
  if (const auto& fraction = match->groups[6]) {
    if (!match->groups[3]) return kNaN;
    std::u16string digits =
        units.substr(fraction->begin, std::min<std::size_t>(fraction->end - fraction->begin, 3));
    digits.resize(3, u'0');
    millis = parse_int(digits);
  }
  const bool midnight = hour == 24 && minute == 0 && second == 0 && millis == 0;
  if (month < 1 || month > 12 || day < 1 || day > 31 || (hour > 23 && !midnight)) return kNaN;
  // utc_millis takes the years 0 to 99 for 1900 to 1999; 400 years are 146,097 days in every calendar of
  // ours.
  const double time =
      utc_millis(year + 400, month - 1, day, hour, minute, second, millis) - 146'097 * 86'400'000.0;
  const bool west = match->groups[7] && units[match->groups[7]->begin] == u'-';
  const double offset = field(9, 0) * 60 + field(10, 0);
  return time - (west ? -offset : offset) * 60'000;
}

}  // namespace millrace::definitions::jsonata
