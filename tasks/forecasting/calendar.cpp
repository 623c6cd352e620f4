#include "tasks/forecasting/calendar.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>

namespace millrace::tasks {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::last;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month;
using std::chrono::year_month_day;

constexpr std::int64_t kMinuteSeconds = 60, kHourSeconds = 3600, kDaySeconds = 86'400;
constexpr std::int64_t kCountMax = 1440;

struct UnitName {
  std::string_view name;  // in lower case
  TimeUnit unit;
};
constexpr UnitName kUnitNames[] = {
    {"min", TimeUnit::Minute},    {"t", TimeUnit::Minute},   {"h", TimeUnit::Hour},  {"d", TimeUnit::Day},
    {"b", TimeUnit::BusinessDay}, {"w", TimeUnit::Week},     {"m", TimeUnit::Month}, {"ms", TimeUnit::Month},
    {"q", TimeUnit::Quarter},     {"qs", TimeUnit::Quarter}, {"y", TimeUnit::Year},  {"a", TimeUnit::Year},
};

// Seconds of a unit of fixed length; 0 of the others.
std::int64_t unit_seconds(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::Step:
      return 1;
    case TimeUnit::Minute:
      return kMinuteSeconds;
    case TimeUnit::Hour:
      return kHourSeconds;
    case TimeUnit::Day:
      return kDaySeconds;
    case TimeUnit::Week:
      return 7 * kDaySeconds;
    case TimeUnit::BusinessDay:
    case TimeUnit::Month:
    case TimeUnit::Quarter:
    case TimeUnit::Year:
      break;
  }
  return 0;
}

std::int64_t unit_months(TimeUnit unit) {
  return unit == TimeUnit::Month ? 1 : unit == TimeUnit::Quarter ? 3 : unit == TimeUnit::Year ? 12 : 0;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

sys_days day_of(std::int64_t seconds) {
  return sys_days(days(floor_div(seconds, kDaySeconds)));
}

std::int64_t seconds_of(sys_days date) {
  return date.time_since_epoch().count() * kDaySeconds;
}

std::int64_t month_number(const year_month_day& date) {
  return static_cast<int>(date.year()) * std::int64_t{12} + static_cast<unsigned>(date.month()) - 1;
}

// Days without Saturdays and Sundays since a Monday; nothing for a day of the weekend.
std::optional<std::int64_t> business_day_number(std::int64_t seconds) {
  const std::int64_t since_monday = floor_div(seconds, kDaySeconds) + 3;  // 1970-01-01 was a Thursday
  const std::int64_t week = floor_div(since_monday, 7), weekday = since_monday - week * 7;
  if (weekday > 4) return std::nullopt;
  return week * 5 + weekday;
}

// Takes a whole number of exactly or at most `digits` digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  int value = 0;
  std::size_t length = 0;
  while (length < text.size() && length < digits && text[length] >= '0' && text[length] <= '9')
    value = value * 10 + (text[length++] - '0');
  if (length != digits) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Behind a date: " 10:30", "T10:30:00.000Z", or nothing. Seconds of the day.
std::optional<std::int64_t> take_time_of_day(std::string_view text) {
  if (text.empty()) return 0;
  if (!take_char(text, " T")) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take_char(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  int second = 0;
  if (take_char(text, ":")) {
    const auto seconds = take_number(text, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    second = *seconds;
    if (take_char(text, ".")) {
      while (take_char(text, "0123456789")) {
      }
    }
  }
  take_char(text, "Z");
  if (!text.empty()) return std::nullopt;
  return *hour * kHourSeconds + *minute * kMinuteSeconds + second;
}

}  // namespace

Result<Frequency> parse_frequency(std::string_view text) {
  std::string lower;
  for (const char c : text) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  std::int64_t count = 1;
  const char* begin = lower.data();
  const char* const end = begin + lower.size();
  if (begin != end && *begin >= '0' && *begin <= '9') {
    const auto [behind, error] = std::from_chars(begin, end, count);
    if (error != std::errc()) count = 0;
    begin = behind;
  }
  std::string_view unit(begin, static_cast<std::size_t>(end - begin));
  if (unit.starts_with("w-")) unit = "w";  // weeks that end on another day
  const auto found = std::ranges::find(kUnitNames, unit, &UnitName::name);
  if (found == std::end(kUnitNames) || count < 1 || count > kCountMax)
    return invalid("'" + std::string(text) + "' is not a frequency",
                   "use min, H, D, B, W, M, Q or Y, with a number in front: 30min, 2H");
  return Frequency{found->unit, count};
}

std::string format_frequency(const Frequency& frequency) {
  static constexpr std::string_view kNames[] = {"step", "min", "H", "D", "B", "W", "M", "Q", "Y"};
  return (frequency.count == 1 ? "" : std::to_string(frequency.count)) +
         std::string(kNames[static_cast<std::size_t>(frequency.unit)]);
}

std::optional<TimeStamp> parse_time_stamp(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  std::int64_t step = 0;
  const auto [behind, error] = std::from_chars(text.data(), text.data() + text.size(), step);
  constexpr std::int64_t kStepMax = 1'000'000'000'000'000;
  if (error == std::errc() && behind == text.data() + text.size()) {
    if (step > kStepMax || step < -kStepMax) return std::nullopt;
    return TimeStamp{step, true};
  }
  const auto years = take_number(text, 4);
  if (!years || !take_char(text, "-/")) return std::nullopt;
  const auto months = take_number(text, 2);
  if (!months) return std::nullopt;
  int day_number = 1;
  if (take_char(text, "-/")) {
    const auto taken = take_number(text, 2);
    if (!taken) return std::nullopt;
    day_number = *taken;
  }
  const year_month_day date(year(*years), month(static_cast<unsigned>(*months)),
                            day(static_cast<unsigned>(day_number)));
  const auto seconds = take_time_of_day(text);
  if (!date.ok() || !seconds) return std::nullopt;
  return TimeStamp{seconds_of(sys_days(date)) + *seconds, false};
}

std::string format_time_stamp(std::int64_t value, const Frequency& frequency) {
  if (frequency.unit == TimeUnit::Step) return std::to_string(value);
  const year_month_day date(day_of(value));
  const std::int64_t of_day = value - seconds_of(day_of(value));
  char buffer[48];
  int length = std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02u", static_cast<int>(date.year()),
                             static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  if (frequency.unit == TimeUnit::Minute || frequency.unit == TimeUnit::Hour || of_day != 0)
    length += std::snprintf(buffer + length, sizeof buffer - static_cast<std::size_t>(length),
                            " %02d:%02d:%02d", static_cast<int>(of_day / kHourSeconds),
                            static_cast<int>(of_day / kMinuteSeconds % 60), static_cast<int>(of_day % 60));
  return {buffer, static_cast<std::size_t>(length)};
}

std::optional<std::int64_t> steps_between(std::int64_t start, std::int64_t later,
                                          const Frequency& frequency) {
  std::int64_t distance = later - start, step = unit_seconds(frequency.unit) * frequency.count;
  if (const std::int64_t months = unit_months(frequency.unit); months > 0) {
    distance = month_number(day_of(later)) - month_number(day_of(start));
    step = months * frequency.count;
  } else if (frequency.unit == TimeUnit::BusinessDay) {
    const auto from = business_day_number(start), to = business_day_number(later);
    if (!from || !to) return std::nullopt;
    distance = *to - *from, step = frequency.count;
  }
  if (distance % step != 0) return std::nullopt;
  return distance / step;
}

std::int64_t add_steps(std::int64_t start, std::int64_t steps, const Frequency& frequency) {
  const std::int64_t count = steps * frequency.count;
  if (frequency.unit == TimeUnit::BusinessDay) {
    const std::int64_t number = business_day_number(start).value_or(0) + count;
    const std::int64_t week = floor_div(number, 5);
    const std::int64_t of_day = start - seconds_of(day_of(start));
    return (week * 7 + number - week * 5 - 3) * kDaySeconds + of_day;
  }
  const std::int64_t months = unit_months(frequency.unit);
  if (months == 0) return start + count * unit_seconds(frequency.unit);
  const year_month_day date(day_of(start));
  const std::int64_t number = month_number(date) + count * months;
  const year_month at(year(static_cast<int>(floor_div(number, 12))),
                      month(static_cast<unsigned>(number - floor_div(number, 12) * 12 + 1)));
  const day last_day = (at / last).day();
  const bool end_of_month = date.day() == (date.year() / date.month() / last).day();
  const day moved = end_of_month || date.day() > last_day ? last_day : date.day();
  return seconds_of(sys_days(at / moved)) + (start - seconds_of(day_of(start)));
}

CalendarPlace calendar_place(std::int64_t time, const Frequency& frequency) {
  CalendarPlace place;
  if (frequency.unit == TimeUnit::Step || frequency.unit >= TimeUnit::Month) return place;
  const std::int64_t since_monday = floor_div(time, kDaySeconds) + 3;
  if (frequency.unit != TimeUnit::Week)
    place.weekday = static_cast<int>(since_monday - floor_div(since_monday, 7) * 7);
  place.day_of_month = static_cast<int>(static_cast<unsigned>(year_month_day(day_of(time)).day()));
  return place;
}

std::int64_t calendar_position(std::int64_t time, const Frequency& frequency) {
  if (frequency.unit == TimeUnit::BusinessDay)
    return floor_div(business_day_number(time).value_or(0), frequency.count);
  if (const std::int64_t months = unit_months(frequency.unit); months > 0)
    return floor_div(month_number(day_of(time)), months * frequency.count);
  const std::int64_t monday = frequency.unit == TimeUnit::Step ? 0 : 3 * kDaySeconds;
  return floor_div(time + monday, unit_seconds(frequency.unit) * frequency.count);
}

std::optional<Frequency> infer_frequency(const std::vector<std::int64_t>& times) {
  if (times.size() < 2) return Frequency{};
  std::map<std::int64_t, std::size_t> distances;
  for (std::size_t i = 1; i < times.size(); ++i) ++distances[times[i] - times[i - 1]];
  const std::int64_t common =
      std::ranges::max_element(distances, {}, [](const auto& entry) { return entry.second; })->first;
  const std::int64_t whole_days = common / kDaySeconds;
  if (common % kDaySeconds == 0) {
    if (whole_days == 7) return Frequency{TimeUnit::Week, 1};
    if (whole_days >= 28 && whole_days <= 31) return Frequency{TimeUnit::Month, 1};
    if (whole_days >= 90 && whole_days <= 92) return Frequency{TimeUnit::Quarter, 1};
    if (whole_days == 365 || whole_days == 366) return Frequency{TimeUnit::Year, 1};
    if (whole_days == 1) {
      const bool weekends =
          std::ranges::any_of(times, [](std::int64_t t) { return !business_day_number(t); });
      return Frequency{weekends || times.size() < 6 ? TimeUnit::Day : TimeUnit::BusinessDay, 1};
    }
    if (whole_days >= 2 && whole_days < 28) return Frequency{TimeUnit::Day, whole_days};
    return std::nullopt;
  }
  if (common % kHourSeconds == 0) return Frequency{TimeUnit::Hour, common / kHourSeconds};
  if (common % kMinuteSeconds == 0 && common / kMinuteSeconds <= kCountMax)
    return Frequency{TimeUnit::Minute, common / kMinuteSeconds};
  return std::nullopt;
}

std::vector<int> seasons_of(const Frequency& frequency) {
  const auto parts = [&](std::initializer_list<std::int64_t> units) {
    std::vector<int> seasons;
    for (const std::int64_t unit : units)
      if (unit % frequency.count == 0 && unit / frequency.count > 1)
        seasons.push_back(static_cast<int>(unit / frequency.count));
    return seasons;
  };
  switch (frequency.unit) {
    case TimeUnit::Minute:
      return parts({24 * 60, 7 * 24 * 60});
    case TimeUnit::Hour:
      return parts({24, 168});
    case TimeUnit::Day:
      return frequency.count == 1 ? std::vector<int>{7, 365} : parts({7});
    case TimeUnit::BusinessDay:
      return parts({5});
    case TimeUnit::Week:
      return parts({52});
    case TimeUnit::Month:
      return parts({12});
    case TimeUnit::Quarter:
      return parts({4});
    case TimeUnit::Step:
    case TimeUnit::Year:
      break;
  }
  return {};
}

}  // namespace millrace::tasks
