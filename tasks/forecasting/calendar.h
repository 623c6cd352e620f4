#pragma once
// Time of series: frequencies as DeepAR and Forecast write them, time stamps, and counting in steps. A time
// is seconds since 1970 without a zone; series that only number their values count in steps from the number
// given. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

enum class TimeUnit : std::uint8_t { Step, Minute, Hour, Day, BusinessDay, Week, Month, Quarter, Year };

struct Frequency {
  TimeUnit unit = TimeUnit::Step;
  std::int64_t count = 1;  // "5min": 5
  bool operator==(const Frequency&) const = default;
};

// "H", "1H", "30min", "D", "W", "M", "MS", "Q", "Y", "B", in either case. InvalidArgument names the known
// ones.
Result<Frequency> parse_frequency(std::string_view text);
std::string format_frequency(const Frequency& frequency);

// "2009-11-01", "2009-11-01 00:00:00", "2009-11-01T00:00:00Z", "2009-11" or a whole number (a step).
struct TimeStamp {
  std::int64_t value = 0;  // seconds, or the step
  bool step = false;
};
std::optional<TimeStamp> parse_time_stamp(std::string_view text);
// "2009-11-01 00:00:00", of days and longer "2009-11-01"; of a Step the number.
std::string format_time_stamp(std::int64_t value, const Frequency& frequency);

// How many steps `later` is behind `start`; nothing when it is no whole number of them. Months, quarters and
// years go by the calendar's month.
std::optional<std::int64_t> steps_between(std::int64_t start, std::int64_t later, const Frequency& frequency);
// The time that many steps behind `start`. The last day of a month stays the last day.
std::int64_t add_steps(std::int64_t start, std::int64_t steps, const Frequency& frequency);

// The frequency that sorted, distinct times have: by their most frequent distance. Step for fewer than two
// times; nothing when it is none of ours.
std::optional<Frequency> infer_frequency(const std::vector<std::int64_t>& times);

// Where a time stands in its week (0 is Monday) and its month (from 1); -1 where a step is longer than that.
struct CalendarPlace {
  int weekday = -1, day_of_month = -1;
};
CalendarPlace calendar_place(std::int64_t time, const Frequency& frequency);
// Steps from an origin that all series share to the time, so that equal places of a day, a week or a year
// are equal ones modulo a season.
std::int64_t calendar_position(std::int64_t time, const Frequency& frequency);

// Lengths of the seasons in steps, ascending: hours have 24 and 168, months 12, quarters 4, days 7 and 365.
std::vector<int> seasons_of(const Frequency& frequency);

}  // namespace millrace::tasks
