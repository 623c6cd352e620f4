#include "definitions/jsonata/calendar.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "definitions/jsonata/not_a_number.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr double kDay = 86'400'000;
constexpr double kTimeMax = 8.64e15;

struct Date {
  double year, month, day;  // month from 0
};

// Days since 1970 of the first day of a month; the proleptic Gregorian calendar.
// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
double days_before(double year, double month) {
  const double y = month <= 1 ? year - 1 : year;
  const double era = std::floor(y / 400);
  const double year_of_era = y - era * 400;
  const double day_of_year = std::floor((153 * (month > 1 ? month - 2 : month + 10) + 2) / 5);
  const double day_of_era =
      year_of_era * 365 + std::floor(year_of_era / 4) - std::floor(year_of_era / 100) + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

Date date_of(double time) {
  const double days = std::floor(time / kDay) + 719'468;
  const double era = std::floor(days / 146'097);
  const double day_of_era = days - era * 146'097;
  const double year_of_era = std::floor((day_of_era - std::floor(day_of_era / 1460) +
                                         std::floor(day_of_era / 36'524) - std::floor(day_of_era / 146'096)) /
                                        365);
  const double day_of_year =
      day_of_era - (365 * year_of_era + std::floor(year_of_era / 4) - std::floor(year_of_era / 100));
  const double shifted = std::floor((5 * day_of_year + 2) / 153);  // from March
  const double month = shifted < 10 ? shifted + 2 : shifted - 10;
  return {year_of_era + era * 400 + (month <= 1 ? 1 : 0), month,
          day_of_year - std::floor((153 * shifted + 2) / 5) + 1};
}

// 1 Monday … 7 Sunday.
double weekday(double time) {
  const double days = std::floor(time / kDay);
  const double from_monday = days + 3 - std::floor((days + 3) / 7) * 7;  // 1970-01-01 was a Thursday
  return from_monday + 1;
}

struct Month {
  double year, month;
  Month next() const { return month == 11 ? Month{year + 1, 0} : Month{year, month + 1}; }
  Month previous() const { return month == 0 ? Month{year - 1, 11} : Month{year, month - 1}; }
};

// Weeks begin on Monday; the first one of a year, and of a month, is the one with its first Thursday.
double first_week(Month month) {
  const double first = utc_millis(month.year, month.month);
  const double day = weekday(first);
  return day > 4 ? first + (8 - day) * kDay : first - (day - 1) * kDay;
}

// The week of `today` in a period of at least `full` weeks, when the periods before and after begin as given.
double week_within(double today, double begin, double next, double previous, double full) {
  const auto weeks_from = [&](double start) { return (today - start) / (kDay * 7) + 1; };
  double week = weeks_from(begin);
  if (week > full && today >= next) {
    week = 1;
  } else if (week < 1) {
    week = weeks_from(previous);
  }
  return std::floor(week);
}

double week_of_year(const Date& date) {
  const double today = utc_millis(date.year, date.month, date.day);
  return week_within(today, first_week({date.year, 0}), first_week({date.year + 1, 0}),
                     first_week({date.year - 1, 0}), 52);
}

double week_of_month(const Date& date) {
  const Month month{date.year, date.month};
  const double today = utc_millis(date.year, date.month, date.day);
  return week_within(today, first_week(month), first_week(month.next()), first_week(month.previous()), 4);
}

double year_of_week(double time, const Date& date) {
  if (time < first_week({date.year, 0})) return date.year - 1;
  return time >= first_week({date.year + 1, 0}) ? date.year + 1 : date.year;
}

double month_of_week(double time, const Date& date) {
  const Month month{date.year, date.month};
  if (time < first_week(month)) return month.previous().month + 1;
  return (time >= first_week(month.next()) ? month.next().month : month.month) + 1;
}

}  // namespace

double utc_millis(double year, double month, double day, double hour, double minute, double second,
                  double millis) {
  for (double* field : {&year, &month, &day, &hour, &minute, &second, &millis}) {
    if (!std::isfinite(*field) || std::abs(*field) > kTimeMax) return kNaN;
    *field = std::trunc(*field);
  }
  if (year >= 0 && year <= 99) year += 1900;
  year += std::floor(month / 12);
  month -= std::floor(month / 12) * 12;
  if (std::abs(year) > 400'000) return kNaN;
  const double days = days_before(year, month) + day - 1;
  return clip_time(days * kDay + hour * 3'600'000 + minute * 60'000 + second * 1000 + millis);
}

double clip_time(double millis) {
  if (!std::isfinite(millis) || std::abs(millis) > kTimeMax) return kNaN;
  return std::trunc(millis) + 0.0;
}

DateFields date_fields(double time) {
  constexpr std::int64_t kMillisOfDay = 86'400'000;
  const auto millis = static_cast<std::int64_t>(time);
  const std::int64_t days = millis / kMillisOfDay - (millis % kMillisOfDay < 0 ? 1 : 0);
  auto rest = static_cast<int>(millis - days * kMillisOfDay);
  // As date_of(), which says where it is from.
  const std::int64_t shifted_days = days + 719'468;
  const std::int64_t era = (shifted_days >= 0 ? shifted_days : shifted_days - 146'096) / 146'097;
  const auto day_of_era = static_cast<int>(shifted_days - era * 146'097);
  const int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int from_march = (5 * day_of_year + 2) / 153;
  DateFields out;
  out.month = from_march < 10 ? from_march + 3 : from_march - 9;
  out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
  out.day = day_of_year - (153 * from_march + 2) / 5 + 1;
  out.weekday = static_cast<int>(((days + 3) % 7 + 7) % 7) + 1;
  out.millis = rest % 1000;
  out.second = (rest /= 1000) % 60;
  out.minute = (rest /= 60) % 60;
  out.hour = rest / 60;
  return out;
}

double date_component(double time, char letter) {
  if (std::isnan(time)) return letter == 'P' ? 0 : kNaN;
  const Date date = date_of(time);
  const double in_day = time - std::floor(time / kDay) * kDay;
  const double hour = std::floor(in_day / 3'600'000);
  switch (letter) {
    case 'Y':
      return date.year;
    case 'M':
      return date.month + 1;
    case 'D':
      return date.day;
    case 'd':
      return (utc_millis(date.year, date.month, date.day) - utc_millis(date.year, 0)) / kDay + 1;
    case 'F':
      return weekday(time);
    case 'W':
      return week_of_year(date);
    case 'w':
      return week_of_month(date);
    case 'X':
      return year_of_week(time, date);
    case 'x':
      return month_of_week(time, date);
    case 'H':
      return hour;
    case 'h':
      return std::fmod(hour, 12) == 0 ? 12 : std::fmod(hour, 12);
    case 'P':
      return hour >= 12 ? 1 : 0;
    case 'm':
      return std::fmod(std::floor(in_day / 60'000), 60);
    case 's':
      return std::fmod(std::floor(in_day / 1000), 60);
    case 'f':
      return std::fmod(in_day, 1000);
    default:
      return kNaN;
  }
}

}  // namespace millrace::definitions::jsonata
