// $fromMillis.

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/result.h"
#include "definitions/jsonata/calendar.h"
#include "definitions/jsonata/date_picture.h"
#include "definitions/jsonata/date_time.h"
#include "definitions/jsonata/number_text.h"
#include "definitions/jsonata/utf16.h"

namespace millrace::definitions::jsonata {
namespace {

using Names = DateMarker::Names;

constexpr std::size_t kPictureUnitsMax = 100'000;

// "+0530" as hours and minutes, both of the offset's sign; NaN if it is no number.
struct Offset {
  double hours = 0, minutes = 0;
  double digits() const { return hours * 100 + minutes; }
};

std::u16string cased(std::u16string text, Names names) {
  const auto change = [&](char16_t first, int by) {
    for (char16_t& c : text) {
      if (c >= first && c < first + 26) c = static_cast<char16_t>(c + by);
    }
  };
  if (names == Names::Upper) change(u'a', 'A' - 'a');
  if (names == Names::Lower) change(u'A', 'a' - 'A');
  return text;
}

Checked<std::u16string> name_text(double value, const DateMarker& marker) {
  const bool month = marker.component == 'M' || marker.component == 'x';
  if (!month && marker.component != 'F') return fault("D3133", std::string(1, marker.component));
  std::u16string name = u"undefined";  // what JavaScript shows for an invalid date
  if (!std::isnan(value)) {
    const int index = static_cast<int>(value) - 1;
    name = cased(std::u16string(month ? month_name(index) : weekday_name(index)), marker.names);
  }
  if (marker.width_most) name.resize(std::min(name.size(), static_cast<std::size_t>(*marker.width_most)));
  return name;
}

Checked<std::u16string> offset_text(const Offset& offset, const DateMarker& marker) {
  const IntegerPicture& picture = *marker.number;
  const long digits = picture.kind == IntegerPicture::Kind::Decimal ? picture.mandatory_digits : 0;
  if (offset.digits() == 0 && marker.traditional &&
      (picture.regular_group > 0 || (digits >= 1 && digits <= 4)))
    return u"Z";
  std::u16string text;
  if (picture.regular_group > 0 || digits == 3 || digits == 4) {
    MR_TRY(whole, format_with(offset.digits(), picture));
    text = std::move(whole);
  } else if (digits == 1 || digits == 2) {
    MR_TRY(hours, format_with(offset.hours, picture));
    text = std::move(hours);
    if (offset.minutes != 0) {
      MR_TRY(minutes, format_integer(offset.minutes, "00"));
      text += u":" + utf16_of(minutes);
    }
  } else {
    return fault("D3134", std::to_string(digits));
  }
  if (offset.digits() >= 0) text.insert(text.begin(), u'+');
  return marker.component == 'z' ? u"GMT" + text : text;
}

Checked<std::u16string> marker_text(double time, const Offset& offset, const DateMarker& marker) {
  switch (marker.component) {
    case 'Z':
    case 'z':
      return offset_text(offset, marker);
    case 'C':
    case 'E':
      return u"ISO";
    case 'P': {
      const std::u16string_view half = date_component(time, 'P') == 1 ? u"pm" : u"am";
      return cased(std::u16string(half), marker.names == Names::Upper ? Names::Upper : Names::None);
    }
    default:
      break;
  }
  // The reference shows what it does not know as JavaScript's undefined.
  if (std::string_view("YMDdFWwXxHhmsf").find(marker.component) == std::string_view::npos)
    return u"undefined";
  double value = date_component(time, marker.component);
  if (marker.year_digits >= 0)
    value = std::fmod(value, std::pow(10, static_cast<double>(marker.year_digits)));
  return marker.number ? format_with(value, *marker.number) : name_text(value, marker);
}

void append_plain(std::string& out, std::int64_t value, const IntegerPicture& picture) {
  char digits[24];
  const char* const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  const auto size = static_cast<std::size_t>(end - digits);
  const auto least = static_cast<std::size_t>(std::max(picture.mandatory_digits, 0L));
  if (least > size) out.append(least - size, '0');
  out.append(digits, size);
  if (!picture.ordinal) return;
  const char last = out.back();
  const bool teen = std::max(size, least) > 1 && out[out.size() - 2] == '1';
  out += teen ? "th" : last == '1' ? "st" : last == '2' ? "nd" : last == '3' ? "rd" : "th";
}

void append_name(std::string& out, std::u16string_view name, const DateMarker& marker) {
  if (marker.width_most) name = name.substr(0, static_cast<std::size_t>(*marker.width_most));
  for (const char16_t c : name) {
    char letter = static_cast<char>(c);
    if (marker.names == Names::Upper && letter >= 'a') letter = static_cast<char>(letter - ('a' - 'A'));
    if (marker.names == Names::Lower && letter < 'a') letter = static_cast<char>(letter + ('a' - 'A'));
    out += letter;
  }
}

// What nearly every picture is made of, written at once; false, and nothing written, for the rest.
bool append_common(std::string& out, const DateFields& date, const Offset& offset, const DateMarker& marker) {
  if (!marker.plain) {
    switch (marker.component) {
      case 'M':
        if (!marker.number) append_name(out, month_name(date.month - 1), marker);
        return !marker.number;
      case 'F':
        if (!marker.number) append_name(out, weekday_name(date.weekday - 1), marker);
        return !marker.number;
      case 'P':
        out +=
            marker.names == Names::Upper ? (date.hour >= 12 ? "PM" : "AM") : (date.hour >= 12 ? "pm" : "am");
        return true;
      case 'Z':
        if (offset.digits() != 0 || !marker.traditional || marker.number->regular_group <= 0) return false;
        out += 'Z';
        return true;
      default:
        return false;
    }
  }
  std::int64_t value = 0;
  switch (marker.component) {
    case 'Y':
      if (date.year < 0 || marker.year_digits > 6) return false;
      value = date.year;
      if (marker.year_digits >= 0) {
        std::int64_t modulus = 1;
        for (long i = 0; i < marker.year_digits; ++i) modulus *= 10;
        value %= modulus;
      }
      break;
    case 'M':
      value = date.month;
      break;
    case 'D':
      value = date.day;
      break;
    case 'F':
      value = date.weekday;
      break;
    case 'H':
      value = date.hour;
      break;
    case 'h':
      value = date.hour % 12 == 0 ? 12 : date.hour % 12;
      break;
    case 'm':
      value = date.minute;
      break;
    case 's':
      value = date.second;
      break;
    case 'f':
      value = date.millis;
      break;
    default:
      return false;
  }
  append_plain(out, value, *marker.number);
  return true;
}

}  // namespace

Checked<std::vector<DatePart>> date_picture(std::string_view picture) {
  const std::u16string text = utf16_of(picture);
  if (text.size() > kPictureUnitsMax) return fault("U1001", "the picture is longer than 100000 characters");
  return parse_date_picture(text);
}

Checked<std::string> format_millis(double millis, const std::vector<DatePart>& picture,
                                   std::optional<std::string_view> zone) {
  Offset offset;
  if (zone) {
    const double digits = parse_int(utf16_of(*zone));
    offset = {std::floor(digits / 100), std::fmod(digits, 100)};
  }
  const double time = clip_time(millis + (60 * offset.hours + offset.minutes) * 60'000);
  const bool valid = !std::isnan(time);
  const DateFields date = valid ? date_fields(time) : DateFields();
  std::string out;
  for (const DatePart& part : picture) {
    out += part.literal;
    if (!part.marker || (valid && append_common(out, date, offset, *part.marker))) continue;
    MR_TRY(shown, marker_text(time, offset, *part.marker));
    out += utf8_of(shown);
  }
  return out;
}

Checked<std::string> from_millis(double millis, std::optional<std::string_view> picture,
                                 std::optional<std::string_view> zone) {
  MR_TRY(parts, date_picture(picture.value_or(kIsoPicture)));
  return format_millis(millis, parts, zone);
}

}  // namespace millrace::definitions::jsonata
