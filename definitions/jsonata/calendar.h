#pragma once
// Dates as JavaScript counts them: milliseconds since 1970 as a double, NaN for what is no date, UTC; and the
// fields of a date that pictures name. Pure. Source: ECMAScript 2024, "Time-related Constants"; ISO 8601
// weeks.

#include <cstdint>

namespace millrace::definitions::jsonata {

// Milliseconds of a date whose fields may be out of range: month 12 is January of the next year. `month`
// counts from 0, `day` from 1. As Date.UTC, years 0 to 99 mean 1900 to 1999. NaN beyond 100,000,000 days from
// 1970.
double utc_millis(double year, double month, double day = 1, double hour = 0, double minute = 0,
                  double second = 0, double millis = 0);
// The time value that `new Date(millis)` keeps: whole milliseconds, or NaN where it is out of range.
double clip_time(double millis);

// The fields of a valid date, by integers: what most pictures name.
struct DateFields {
  std::int64_t year = 1970;
  int month = 1, day = 1, weekday = 4;  // from 1; Monday is 1
  int hour = 0, minute = 0, second = 0, millis = 0;
};
DateFields date_fields(double time);  // `time` as clip_time() gives it, not NaN

// The number that the component letter of a date picture stands for: Y M D d F W w X x H h m s f; P is 1 from
// noon on. NaN for an invalid date, and for letters that stand for no number.
double date_component(double time, char letter);

}  // namespace millrace::definitions::jsonata
