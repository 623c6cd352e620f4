// The fields of cron(): read, and as days of a month.

#include <algorithm>
#include <cctype>
#include <charconv>
#include <span>

#include "base/text.h"
#include "triggers/schedule_expression.h"

namespace millrace::triggers {
namespace {

constexpr std::string_view kMonthNames[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                            "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::string_view kDayNames[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct CronField {
  std::string_view name;
  int low, high;
  std::span<const std::string_view> names = {};  // of low, low + 1, …
};
constexpr CronField kMinutes{"minutes", 0, 59};
constexpr CronField kHours{"hours", 0, 23};
constexpr CronField kDays{"day-of-month", 1, 31};
constexpr CronField kMonths{"month", 1, 12, kMonthNames};
constexpr CronField kWeekdays{"day-of-week", 1, 7, kDayNames};
constexpr CronField kYears{"year", Cron::kFirstYear, Cron::kLastYear};

tl::unexpected<Error> wrong_field(const CronField& field, std::string_view text, const std::string& why) {
  return invalid("the " + std::string(field.name) + " field '" + std::string(text) +
                 "' is not valid: " + why);
}

std::optional<int> digits_of(std::string_view text) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good =
      code == std::errc() && end == text.data() + text.size() && !text.empty() && text[0] != '-';
  return good ? std::optional(value) : std::nullopt;
}

// A number or a name within the field's range.
Result<int> value_of(const CronField& field, std::string_view text) {
  std::optional<int> value = digits_of(text);
  if (!value && text.size() == 3) {
    std::string upper(text);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    for (std::size_t i = 0; i < field.names.size(); ++i)
      if (field.names[i] == upper) value = field.low + static_cast<int>(i);
  }
  if (!value)
    return wrong_field(field, text,
                       field.names.empty()
                           ? "a number was expected"
                           : "a number or a name like " + std::string(field.names[1]) + " was expected");
  if (*value < field.low || *value > field.high)
    return wrong_field(field, text,
                       "it goes from " + std::to_string(field.low) + " to " + std::to_string(field.high));
  return *value;
}

// "*", "5", "1-5", "*/15", "5/15", "1-30/2"
template <class Bits>
Status add_range(const CronField& field, std::string_view part, Bits& bits, int base) {
  std::string_view range = part;
  int step = 1;
  if (const std::size_t slash = part.find('/'); slash != std::string_view::npos) {
    range = part.substr(0, slash);
    const auto given = digits_of(part.substr(slash + 1));
    if (!given || *given < 1) return wrong_field(field, part, "behind '/' stands a step of 1 or more");
    step = *given;
  }
  int low = field.low, high = field.high;
  if (range != "*") {
    const std::size_t dash = range.find('-');
    MR_TRY(first, value_of(field, range.substr(0, dash)));
    low = first;
    if (dash != std::string_view::npos) {
      MR_TRY(second, value_of(field, range.substr(dash + 1)));
      high = second;
    } else if (range == part) {
      high = low;
    }
  }
  // FRI-MON goes over the end of the week, NOV-FEB over that of the year.
  const int span = field.high - field.low + 1;
  if (high < low && field.names.empty()) return wrong_field(field, part, "the range goes backwards");
  if (high < low) high += span;
  for (int value = low; value <= high; value += step)
    bits.set(static_cast<std::size_t>((value - field.low) % span + field.low - base));
  return {};
}

template <class Bits>
Status read_list(const CronField& field, std::string_view text, Bits& bits, int base = 0) {
  for (const std::string_view part : split(text, ',')) MR_DO(add_range(field, part, bits, base));
  return {};
}

Status read_days(std::string_view text, Cron& cron) {
  if (text == "?" || text == "*") {
    cron.any_day = true;
    return {};
  }
  for (const std::string_view part : split(text, ',')) {
    if (part == "L") {
      cron.before_last.push_back(0);
    } else if (part == "LW") {
      cron.nearest.push_back(0);
    } else if (part.starts_with("L-")) {
      const auto before = digits_of(part.substr(2));
      if (!before || *before > 30) return wrong_field(kDays, part, "behind L- stand 0 to 30 days");
      cron.before_last.push_back(*before);
    } else if (part.ends_with('W')) {
      MR_TRY(day, value_of(kDays, part.substr(0, part.size() - 1)));
      cron.nearest.push_back(day);
    } else {
      MR_DO(add_range(kDays, part, cron.days, 0));
    }
  }
  return {};
}

Status read_weekdays(std::string_view text, Cron& cron) {
  if (text == "?" || text == "*") {
    cron.any_weekday = true;
    return {};
  }
  for (const std::string_view part : split(text, ',')) {
    const std::size_t hash = part.find('#');
    if (part == "L") {
      cron.weekdays.set(7);
    } else if (hash != std::string_view::npos) {
      MR_TRY(day, value_of(kWeekdays, part.substr(0, hash)));
      const auto nth = digits_of(part.substr(hash + 1));
      if (!nth || *nth < 1 || *nth > 5) return wrong_field(kWeekdays, part, "behind '#' stands 1 to 5");
      cron.nth_weekdays.emplace_back(day, *nth);
    } else if (part.ends_with('L')) {
      MR_TRY(day, value_of(kWeekdays, part.substr(0, part.size() - 1)));
      cron.last_weekdays.set(static_cast<std::size_t>(day));
    } else {
      MR_DO(add_range(kWeekdays, part, cron.weekdays, 0));
    }
  }
  return {};
}

std::string two_digits(std::size_t number) {
  return (number < 10 ? "0" : "") + std::to_string(number);
}

constexpr std::string_view kMonthWords[] = {"January",   "February", "March",    "April",
                                            "May",       "June",     "July",     "August",
                                            "September", "October",  "November", "December"};
constexpr std::string_view kDayWords[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                          "Thursday", "Friday", "Saturday"};
constexpr std::string_view kOrdinals[] = {"first", "second", "third", "fourth", "fifth"};

std::string ordinal(int n) {
  const bool teen = n % 100 >= 11 && n % 100 <= 13;
  const char* ending = teen ? "th" : n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
  return std::to_string(n) + ending;
}

std::string list_of(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i)
    text += (i == 0 ? "" : i + 1 == items.size() ? " and " : ", ") + items[i];
  return text;
}

// "Monday", "Monday to Friday", "1st, 2nd and 9th"
template <class Bits, class Word>
std::string ranges_of(const Bits& bits, std::size_t low, std::size_t high, Word word) {
  std::vector<std::string> items;
  for (std::size_t i = low; i <= high; ++i) {
    if (!bits.test(i)) continue;
    std::size_t end = i;
    while (end < high && bits.test(end + 1)) ++end;
    if (end - i >= 2) {
      items.push_back(word(i) + " to " + word(end));
      i = end;
    } else {
      items.push_back(word(i));
    }
  }
  return list_of(items);
}

std::string time_words(const Cron& cron, std::string_view minutes, std::string_view hours) {
  const auto number = [](std::size_t i) { return std::to_string(i); };
  if (cron.minutes.count() * cron.hours.count() <= 6) {
    std::vector<std::string> times;
    for (std::size_t h = 0; h < 24; ++h)
      for (std::size_t m = 0; m < 60; ++m)
        if (cron.hours.test(h) && cron.minutes.test(m)) times.push_back(two_digits(h) + ":" + two_digits(m));
    return "at " + list_of(times);
  }
  std::string text;
  const auto step = minutes.find('/') == std::string_view::npos
                        ? std::nullopt
                        : digits_of(minutes.substr(minutes.find('/') + 1));
  const bool from_start = minutes.starts_with("*/") || minutes.starts_with("0/");
  if (cron.minutes.all())
    text = "every minute";
  else if (step && from_start && 60 % *step == 0)
    text = "every " + std::to_string(*step) + " minutes";
  else if (cron.minutes.count() == 1 && cron.minutes.test(0))
    text = "on the hour";
  else
    text = "at minute" + std::string(cron.minutes.count() == 1 ? " " : "s ") +
           ranges_of(cron.minutes, 0, 59, number);
  if (cron.hours.all()) return text + (cron.minutes.all() || step ? "" : " of every hour");
  (void)hours;
  return text + " of hour" + (cron.hours.count() == 1 ? " " : "s ") + ranges_of(cron.hours, 0, 23, number);
}

std::string day_words(const Cron& cron) {
  std::vector<std::string> items;
  const auto name = [](std::size_t i) { return std::string(kDayWords[i - 1]); };
  const auto nth = [](std::size_t i) { return ordinal(static_cast<int>(i)); };
  if (cron.days.any()) items.push_back("the " + ranges_of(cron.days, 1, 31, nth));
  for (const int before : cron.before_last)
    items.push_back(before == 0 ? "the last day" : "the day " + std::to_string(before) + " before the last");
  for (const int day : cron.nearest)
    items.push_back(day == 0 ? "the last working day" : "the working day nearest to the " + ordinal(day));
  if (cron.weekdays.any())
    items.push_back((cron.weekdays.count() > 2 ? "" : "every ") + ranges_of(cron.weekdays, 1, 7, name));
  for (std::size_t i = 1; i <= 7; ++i)
    if (cron.last_weekdays.test(i)) items.push_back("the last " + name(i));
  for (const auto& [day, which] : cron.nth_weekdays)
    items.push_back("the " + std::string(kOrdinals[which - 1]) + " " + name(static_cast<std::size_t>(day)));
  if (items.empty()) return "every day";
  const bool of_month = cron.weekdays.none() || items.size() > 1;
  return "on " + list_of(items) + (of_month && cron.months.count() == 12 ? " of the month" : "");
}

}  // namespace

Result<Cron> parse_cron(std::string_view text) {
  std::vector<std::string_view> fields;
  for (const std::string_view part : split(text, ' '))
    if (!part.empty()) fields.push_back(part);
  if (fields.size() != 6)
    return invalid("cron() has " + std::to_string(fields.size()) +
                   " fields instead of 6: minutes hours day-of-month month day-of-week year");
  Cron cron;
  MR_DO(read_list(kMinutes, fields[0], cron.minutes));
  MR_DO(read_list(kHours, fields[1], cron.hours));
  MR_DO(read_days(fields[2], cron));
  MR_DO(read_list(kMonths, fields[3], cron.months));
  MR_DO(read_weekdays(fields[4], cron));
  MR_DO(read_list(kYears, fields[5], cron.years, Cron::kFirstYear));
  if ((fields[2] == "?") == (fields[4] == "?"))
    return invalid("one of day-of-month and day-of-week, and only one, must be '?'");
  return cron;
}

std::bitset<32> days_of(const Cron& cron, std::chrono::year_month month) {
  using namespace std::chrono;
  const sys_days first(month / 1);
  const int length = static_cast<int>(
      static_cast<unsigned>(year_month_day_last(month.year(), month_day_last(month.month())).day()));
  const auto weekday_of = [&](int day) {
    return static_cast<int>((weekday(first).c_encoding() + static_cast<unsigned>(day) - 1) % 7) + 1;
  };
  std::bitset<32> result;
  const bool no_limits = cron.any_day && cron.any_weekday;
  for (int day = 1; day <= length; ++day) {
    const auto bit = static_cast<std::size_t>(day);
    const auto wday = static_cast<std::size_t>(weekday_of(day));
    if (no_limits || cron.days.test(bit) || cron.weekdays.test(wday)) result.set(bit);
    if (cron.last_weekdays.test(wday) && day + 7 > length) result.set(bit);
  }
  for (const int before : cron.before_last)
    if (length - before >= 1) result.set(static_cast<std::size_t>(length - before));
  for (const auto& [day, nth] : cron.nth_weekdays) {
    const int date = 1 + (day - weekday_of(1) + 7) % 7 + (nth - 1) * 7;
    if (date <= length) result.set(static_cast<std::size_t>(date));
  }
  // Never into another month: from Saturday the 1st to Monday the 3rd.
  for (const int wanted : cron.nearest) {
    if (wanted > length) continue;
    int day = wanted == 0 ? length : wanted;
    if (weekday_of(day) == 7)
      day += day == 1 ? 2 : -1;
    else if (weekday_of(day) == 1)
      day += day == length ? -2 : 1;
    result.set(static_cast<std::size_t>(day));
  }
  return result;
}

std::string cron_words(const Cron& cron, std::string_view text) {
  std::vector<std::string_view> fields;
  for (const std::string_view part : split(text, ' '))
    if (!part.empty()) fields.push_back(part);
  const auto month = [](std::size_t i) { return std::string(kMonthWords[i - 1]); };
  const auto year = [](std::size_t i) { return std::to_string(i + Cron::kFirstYear); };
  std::string words = time_words(cron, fields[0], fields[1]) + ", " + day_words(cron);
  if (cron.months.count() < 12)
    words += std::string(cron.any_day && cron.any_weekday ? " in " : " in ") +
             ranges_of(cron.months, 1, 12, month);
  if (!cron.years.all()) words += ", " + ranges_of(cron.years, 0, Cron::kLastYear - Cron::kFirstYear, year);
  return words;
}

}  // namespace millrace::triggers
