#pragma once
// ScheduleExpression: rate(5 minutes), cron(30 2 ? * MON-FRI *), at(2026-03-29T02:30:00): when something is
// due. A cron or at time is a wall's time in a time zone: one that clocks jump over is skipped, one that
// comes twice counts once, the first time. Pure; any thread. Source: EventBridge Scheduler user guide,
// "Schedule types"; seconds in rate() are an addition.

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "triggers/time_zone.h"

namespace millrace::triggers {

// The fields of cron(); names and lists are bits.
struct Cron {
  static constexpr int kFirstYear = 1970, kLastYear = 2199;
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;     // of the month, from 1
  std::bitset<13> months;   // from 1
  std::bitset<8> weekdays;  // 1 is Sunday
  std::bitset<kLastYear - kFirstYear + 1> years;
  bool any_day = false, any_weekday = false;      // "?" or "*": the other field decides
  std::vector<int> before_last;                   // L, L-2: days before the month's last
  std::vector<int> nearest;                       // 15W: the weekday nearest to that day; 0: LW
  std::bitset<8> last_weekdays;                   // 6L: the last Friday
  std::vector<std::pair<int, int>> nth_weekdays;  // 3#2: the second Tuesday
};

struct Due {
  Instant time;
  bool twice = false;  // its wall's time comes twice
};

class ScheduleExpression {
 public:
  enum class Kind { Rate, Cron, At };

  // InvalidArgument says what is wrong with which part.
  static Result<ScheduleExpression> parse(std::string_view text);

  Kind kind() const { return kind_; }
  const std::string& text() const { return text_; }
  // The first due time after `after`; none: never again. A rate counts from `anchor` and is due there first.
  // `skipped` (may be null) gets the walls' times on the way that do not exist in the zone.
  std::optional<Due> next(Instant after, const TimeZone& zone, Instant anchor,
                          std::vector<LocalSeconds>* skipped = nullptr) const;
  // "at 02:30 from Monday to Friday": for people.
  std::string words() const;

 private:
  std::string text_;
  Kind kind_ = Kind::Rate;
  std::chrono::seconds every_{60};
  std::string unit_;
  Cron cron_;
  LocalSeconds at_{};
};

// The bits of the days of that month on which the fields are met.
std::bitset<32> days_of(const Cron& cron, std::chrono::year_month month);
// The fields of "30 2 ? * MON-FRI *". InvalidArgument.
Result<Cron> parse_cron(std::string_view fields);
std::string cron_words(const Cron& cron, std::string_view fields);

}  // namespace millrace::triggers
