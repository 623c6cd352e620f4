#include "triggers/schedule_expression.h"

#include "base/text.h"

#include <charconv>

namespace millrace::triggers {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kRateMax = 366LL * 200;  // of days; others accordingly

struct RateUnit {
  std::string_view name;
  std::int64_t length;
};
constexpr RateUnit kRateUnits[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86'400}};

struct Rate {
  seconds every;
  std::string unit;
};

Result<Rate> parse_rate(std::string_view inside) {
  const std::size_t blank = inside.find(' ');
  std::int64_t count = 0;
  const char* end = inside.data() + std::min(blank, inside.size());
  const auto [stop, code] = std::from_chars(inside.data(), end, count);
  if (code != std::errc() || stop != end || count < 1)
    return invalid("rate() begins with a whole number above 0: rate(5 minutes)");
  std::string_view unit = blank == std::string_view::npos ? "" : trimmed(inside.substr(blank), " ");
  if (unit.ends_with('s')) unit.remove_suffix(1);
  for (const RateUnit& known : kRateUnits) {
    if (known.name != unit) continue;
    if (count > kRateMax * 86'400 / known.length) return invalid("rate() is longer than two centuries");
    return Rate{seconds(count * known.length), std::string(known.name)};
  }
  return invalid("the unit of rate() is minutes, hours or days (or seconds, which AWS does not know)");
}

// 2026-03-29T02:30:00, seconds may be left out.
Result<LocalSeconds> parse_at(std::string_view inside) {
  std::string text(inside);
  if (text.size() == 16) text += ":00";
  const auto time = text.size() == 19 ? parse_rfc3339(text + "Z") : std::nullopt;
  if (!time) return invalid("at() holds a time without zone: at(2026-03-29T02:30:00)");
  return LocalSeconds(std::chrono::floor<seconds>(*time).time_since_epoch());
}

// The first wall's time after `after` that the fields allow.
std::optional<LocalSeconds> next_wall(const Cron& cron, LocalSeconds after) {
  using namespace std::chrono;
  const LocalSeconds from = floor<minutes>(after) + minutes(1);
  const local_days first_day = floor<days>(from);
  const year_month_day first(first_day);
  const int first_minute = static_cast<int>(duration_cast<minutes>(from - first_day).count());
  for (int y = std::max(static_cast<int>(first.year()), Cron::kFirstYear); y <= Cron::kLastYear; ++y) {
    if (!cron.years.test(static_cast<std::size_t>(y - Cron::kFirstYear))) continue;
    for (unsigned m = 1; m <= 12; ++m) {
      const year_month in = year(y) / month(m);
      if (!cron.months.test(m) || in < first.year() / first.month()) continue;
      const std::bitset<32> allowed = days_of(cron, in);
      for (unsigned d = 1; d <= 31; ++d) {
        if (!allowed.test(d)) continue;
        const local_days date(in / day(d));
        if (date < first_day) continue;
        for (int minute = date == first_day ? first_minute : 0; minute < 1440; ++minute) {
          if (!cron.hours.test(static_cast<std::size_t>(minute / 60))) {
            minute = (minute / 60) * 60 + 59;
          } else if (cron.minutes.test(static_cast<std::size_t>(minute % 60))) {
            return LocalSeconds(date) + minutes(minute);
          }
        }
      }
    }
  }
  return std::nullopt;
}

std::optional<Due> due_of(LocalSeconds wall, SystemSeconds after, const TimeZone& zone,
                          std::vector<LocalSeconds>* skipped) {
  const Instants found = zone.instants(wall);
  if (!found.first && skipped) skipped->push_back(wall);
  if (!found.first || *found.first <= after) return std::nullopt;
  return Due{Instant(*found.first), found.second.has_value()};
}

}  // namespace

Result<ScheduleExpression> ScheduleExpression::parse(std::string_view given) {
  const std::string_view text = trimmed(given, " ");
  ScheduleExpression made;
  made.text_ = std::string(text);
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(')'))
    return invalid("'" + std::string(given) + "' is none of rate(…), cron(…) and at(…)");
  const std::string_view name = text.substr(0, open);
  const std::string_view inside = trimmed(text.substr(open + 1, text.size() - open - 2), " ");
  if (name == "rate") {
    MR_TRY(rate, parse_rate(inside));
    made.every_ = rate.every;
    made.unit_ = rate.unit;
  } else if (name == "cron") {
    made.kind_ = Kind::Cron;
    MR_TRY(cron, parse_cron(inside));
    made.cron_ = std::move(cron);
  } else if (name == "at") {
    made.kind_ = Kind::At;
    MR_TRY(at, parse_at(inside));
    made.at_ = at;
  } else {
    return invalid("'" + std::string(given) + "' is none of rate(…), cron(…) and at(…)");
  }
  return made;
}

std::optional<Due> ScheduleExpression::next(Instant after, const TimeZone& zone, Instant anchor,
                                            std::vector<LocalSeconds>* skipped) const {
  if (kind_ == Kind::Rate) {
    if (after < anchor) return Due{anchor};
    const std::int64_t rounds = (after - anchor) / Millis(every_) + 1;
    return Due{anchor + rounds * Millis(every_)};
  }
  const SystemSeconds since = std::chrono::floor<seconds>(after);
  if (kind_ == Kind::At) return due_of(at_, since, zone, skipped);
  LocalSeconds wall = zone.local(since);
  while (const auto found = next_wall(cron_, wall)) {
    if (const auto due = due_of(*found, since, zone, skipped)) return due;
    wall = *found;
  }
  return std::nullopt;
}

std::string ScheduleExpression::words() const {
  if (kind_ == Kind::At) {
    const std::string time = format_rfc3339(Instant(at_.time_since_epoch()));
    return "once, on " + time.substr(0, 10) + " at " + time.substr(11, 8);
  }
  if (kind_ == Kind::Cron) {
    const std::size_t open = text_.find('(');
    return cron_words(cron_, std::string_view(text_).substr(open + 1, text_.size() - open - 2));
  }
  const std::int64_t length = unit_ == "second"   ? 1
                              : unit_ == "minute" ? 60
                              : unit_ == "hour"   ? 3600
                                                  : 86'400;
  const std::int64_t count = every_.count() / length;
  return count == 1 ? "every " + unit_ : "every " + std::to_string(count) + " " + unit_ + "s";
}

}  // namespace millrace::triggers
