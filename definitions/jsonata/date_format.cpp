// $fromMillis.

#include <algorithm>
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
  std::u16string out;
  for (const DatePart& part : picture) {
    out += part.literal;
    if (!part.marker) continue;
    MR_TRY(shown, marker_text(time, offset, *part.marker));
    out += shown;
  }
  return utf8_of(out);
}

Checked<std::string> from_millis(double millis, std::optional<std::string_view> picture,
                                 std::optional<std::string_view> zone) {
  MR_TRY(parts, date_picture(picture.value_or(kIsoPicture)));
  return format_millis(millis, parts, zone);
}

}  // namespace millrace::definitions::jsonata
