#include "definitions/jsonata/date_picture.h"

#include <algorithm>
#include <cmath>

#include "base/result.h"
#include "definitions/jsonata/utf16.h"

namespace millrace::definitions::jsonata {
namespace {

using Names = DateMarker::Names;

struct Default {
  char16_t component;
  std::u16string_view presentation;
};
constexpr Default kDefaults[] = {
    {u'Y', u"1"},     {u'M', u"1"},     {u'D', u"1"},  {u'd', u"1"},  {u'F', u"n"},
    {u'W', u"1"},     {u'w', u"1"},     {u'X', u"1"},  {u'x', u"1"},  {u'H', u"1"},
    {u'h', u"1"},     {u'P', u"n"},     {u'm', u"01"}, {u's', u"01"}, {u'f', u"1"},
    {u'Z', u"01:01"}, {u'z', u"01:01"}, {u'C', u"n"},  {u'E', u"n"},
};
constexpr std::u16string_view kNumbers = u"YMDdFWwXxHhmsf";

constexpr long kPlainDigitsMax = 20;

constexpr std::u16string_view kMonths[] = {u"January",   u"February", u"March",    u"April",
                                           u"May",       u"June",     u"July",     u"August",
                                           u"September", u"October",  u"November", u"December"};
constexpr std::u16string_view kDays[] = {u"Monday", u"Tuesday",  u"Wednesday", u"Thursday",
                                         u"Friday", u"Saturday", u"Sunday"};

std::optional<long> width_of(std::u16string_view text) {
  const double value = parse_int(text);
  return value >= 0 && value < 1e6 ? std::optional(static_cast<long>(value)) : std::nullopt;
}

// The width modifier: `,3`, `,3-4`, `,*-3`.
void read_width(DateMarker& marker, std::u16string_view text) {
  const std::size_t dash = text.find(u'-');
  marker.width_least = width_of(text.substr(0, dash));
  if (dash != text.npos) marker.width_most = width_of(text.substr(dash + 1));
}

void fit_number(DateMarker& marker) {
  IntegerPicture& number = *marker.number;
  const bool decimal = number.kind == IntegerPicture::Kind::Decimal;
  if (decimal && marker.width_least)
    number.mandatory_digits = std::max(number.mandatory_digits, *marker.width_least);
  if (marker.component != 'Y') return;
  if (marker.width_most) {
    marker.year_digits = number.mandatory_digits = *marker.width_most;
  } else if (decimal && number.mandatory_digits + number.optional_digits >= 2) {
    marker.year_digits = number.mandatory_digits + number.optional_digits;
  }
}

bool is_plain(const IntegerPicture& number) {
  return number.kind == IntegerPicture::Kind::Decimal && number.zero == U'0' && number.separators.empty() &&
         number.mandatory_digits <= kPlainDigitsMax;
}

Names names_of(std::u16string_view presentation) {
  if (presentation.starts_with(u"Nn")) return Names::Title;
  if (presentation.starts_with(u"N")) return Names::Upper;
  return presentation.starts_with(u"n") ? Names::Lower : Names::None;
}

// What stands between the brackets.
Checked<DateMarker> parse_marker(std::u16string text) {
  text.erase(std::remove_if(text.begin(), text.end(), is_white_space), text.end());
  const std::u16string_view view = text;
  if (text.empty()) return fault("D3132");
  DateMarker marker;
  marker.component = view[0] < 0x80 ? static_cast<char>(view[0]) : '?';
  const std::size_t comma = view.rfind(u',');
  if (comma != view.npos) read_width(marker, view.substr(comma + 1));
  std::u16string presentation(view.substr(1, comma == view.npos || comma == 0 ? view.npos : comma - 1));
  char16_t second = 0;  // the second presentation modifier
  if (presentation.size() > 1 &&
      std::u16string_view(u"atco").find(presentation.back()) != std::u16string_view::npos) {
    second = presentation.back();
    presentation.pop_back();
  }
  if (presentation.empty()) {
    const auto known = std::find_if(std::begin(kDefaults), std::end(kDefaults),
                                    [&](const Default& d) { return d.component == view[0]; });
    if (known == std::end(kDefaults)) return fault("D3132", utf8_of(view.substr(0, 1)));
    presentation = known->presentation;
  }
  marker.traditional = second == u't';
  marker.names = names_of(presentation);
  if (marker.component == 'Z' || marker.component == 'z') {
    MR_TRY(number, parse_integer_picture(presentation));
    marker.number = std::move(number);
  } else if (marker.names == Names::None && kNumbers.find(view[0]) != kNumbers.npos) {
    MR_TRY(number, parse_integer_picture(second ? presentation + u";" + second : presentation));
    marker.number = std::move(number);
    fit_number(marker);
    marker.plain = is_plain(*marker.number);
  }
  return marker;
}

}  // namespace

Checked<std::vector<DatePart>> parse_date_picture(std::u16string_view picture) {
  std::vector<DatePart> parts;
  const auto literal = [&](std::size_t begin, std::size_t end) {
    if (end > begin)
      parts.push_back({utf8_of(replace_all(picture.substr(begin, end - begin), u"]]", u"]")), std::nullopt});
  };
  std::size_t start = 0;
  for (std::size_t open; (open = picture.find(u'[', start)) != picture.npos;) {
    literal(start, open);
    if (picture.substr(open + 1).starts_with(u"[")) {
      parts.push_back({"[", std::nullopt});
      start = open + 2;
      continue;
    }
    const std::size_t close = picture.find(u']', open);
    if (close == picture.npos) return fault("D3135");
    MR_TRY(marker, parse_marker(std::u16string(picture.substr(open + 1, close - open - 1))));
    const bool is_number = marker.number && marker.component != 'Z' && marker.component != 'z';
    if (is_number && !parts.empty() && parts.back().marker && parts.back().marker->number) {
      DateMarker& before = *parts.back().marker;
      before.parse_digits = before.number->mandatory_digits;
    }
    parts.push_back({{}, std::move(marker)});
    start = close + 1;
  }
  literal(start, picture.size());
  return parts;
}

std::u16string_view month_name(int month) {
  return kMonths[month];
}

std::u16string_view weekday_name(int weekday) {
  return kDays[weekday];
}

}  // namespace millrace::definitions::jsonata
