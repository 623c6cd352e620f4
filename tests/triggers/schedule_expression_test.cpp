// When schedules are due: the fields of cron(), time zones, daylight saving.

#include "triggers/schedule_expression.h"

#include <doctest/doctest.h>

#include <filesystem>

using namespace millrace;
using namespace millrace::triggers;

namespace {

ScheduleExpression expression(const std::string& text) {
  auto parsed = ScheduleExpression::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message));
  return *parsed;
}

// Nothing where the system has no time zones.
std::optional<TimeZone> zone(const std::string& name) {
  if (!std::filesystem::exists("/usr/share/zoneinfo/Europe/Berlin")) {
    MESSAGE("skipped: /usr/share/zoneinfo is not there");
    return std::nullopt;
  }
  auto loaded = TimeZone::load(name);
  REQUIRE(loaded);
  return *loaded;
}

Instant at(const std::string& text) {
  const auto parsed = parse_rfc3339(text);
  REQUIRE(parsed);
  return *parsed;
}

// The due times behind `from` as walls show them, with the offset: "2026-03-29 03:00 +120".
std::vector<std::string> walls(const std::string& text, const TimeZone& in, const std::string& from,
                               int count, std::size_t* skipped = nullptr) {
  const ScheduleExpression e = expression(text);
  std::vector<std::string> result;
  std::vector<LocalSeconds> jumped;
  Instant t = at(from);
  for (int i = 0; i < count; ++i) {
    const auto due = e.next(t, in, at(from), &jumped);
    if (!due) break;
    t = due->time;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(t);
    const std::string wall = format_rfc3339(Instant(in.local(seconds).time_since_epoch()));
    result.push_back(wall.substr(0, 10) + " " + wall.substr(11, 5) + " +" +
                     std::to_string(in.offset_at(seconds).count() / 60) + (due->twice ? " twice" : ""));
  }
  if (skipped) *skipped = jumped.size();
  return result;
}
using Texts = std::vector<std::string>;

const TimeZone kUtc;

std::string problem(const std::string& text) {
  const auto parsed = ScheduleExpression::parse(text);
  REQUIRE_FALSE(parsed);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("cron: fields, lists, steps, names") {
  CHECK(walls("cron(0/20 9-10 ? * MON-FRI *)", kUtc, "2026-11-20T10:30:00Z", 3) ==
        Texts{"2026-11-20 10:40 +0", "2026-11-23 09:00 +0", "2026-11-23 09:20 +0"});
  CHECK(walls("cron(15 12 1,15 JAN,jul ? 2027)", kUtc, "2026-11-20T10:30:00Z", 9) ==
        Texts{"2027-01-01 12:15 +0", "2027-01-15 12:15 +0", "2027-07-01 12:15 +0", "2027-07-15 12:15 +0"});
  CHECK(walls("cron(0 0 ? * FRI-MON *)", kUtc, "2026-11-19T10:00:00Z", 5) ==
        Texts{"2026-11-20 00:00 +0", "2026-11-21 00:00 +0", "2026-11-22 00:00 +0", "2026-11-23 00:00 +0",
              "2026-11-27 00:00 +0"});
  CHECK(walls("cron(0 0 29 2 ? *)", kUtc, "2026-01-01T00:00:00Z", 2) ==
        Texts{"2028-02-29 00:00 +0", "2032-02-29 00:00 +0"});
  CHECK(walls("cron(0 0 30 2 ? *)", kUtc, "2026-01-01T00:00:00Z", 1).empty());
}

TEST_CASE("cron: L, W and #") {
  CHECK(walls("cron(0 8 L * ? *)", kUtc, "2026-01-15T00:00:00Z", 3) ==
        Texts{"2026-01-31 08:00 +0", "2026-02-28 08:00 +0", "2026-03-31 08:00 +0"});
  CHECK(walls("cron(0 8 L-2 * ? *)", kUtc, "2026-02-01T00:00:00Z", 1) == Texts{"2026-02-26 08:00 +0"});
  // 2026-08-01 is a Saturday, 2026-08-15 too, 2026-11-01 a Sunday, 2026-05-31 a Sunday.
  CHECK(walls("cron(0 8 1W 8 ? *)", kUtc, "2026-01-01T00:00:00Z", 1) == Texts{"2026-08-03 08:00 +0"});
  CHECK(walls("cron(0 8 15W 8 ? *)", kUtc, "2026-01-01T00:00:00Z", 1) == Texts{"2026-08-14 08:00 +0"});
  CHECK(walls("cron(0 8 1W 11 ? *)", kUtc, "2026-01-01T00:00:00Z", 1) == Texts{"2026-11-02 08:00 +0"});
  CHECK(walls("cron(0 8 31W 5 ? *)", kUtc, "2026-01-01T00:00:00Z", 1) == Texts{"2026-05-29 08:00 +0"});
  CHECK(walls("cron(0 8 LW 5 ? *)", kUtc, "2026-01-01T00:00:00Z", 1) == Texts{"2026-05-29 08:00 +0"});
  CHECK(walls("cron(0 8 ? * 6L *)", kUtc, "2026-11-01T00:00:00Z", 2) ==
        Texts{"2026-11-27 08:00 +0", "2026-12-25 08:00 +0"});
  CHECK(walls("cron(0 8 ? * TUE#2 *)", kUtc, "2026-11-01T00:00:00Z", 2) ==
        Texts{"2026-11-10 08:00 +0", "2026-12-08 08:00 +0"});
  CHECK(walls("cron(0 8 ? * 1#5 *)", kUtc, "2026-11-01T09:00:00Z", 2) ==
        Texts{"2026-11-29 08:00 +0", "2027-01-31 08:00 +0"});
}

TEST_CASE("schedules: rate counts from its anchor, at comes once") {
  const ScheduleExpression rate = expression("rate(5 minutes)");
  const Instant anchor = at("2026-11-21T10:01:30Z");
  CHECK(rate.next(anchor - Millis(1), kUtc, anchor)->time == anchor);
  CHECK(rate.next(anchor, kUtc, anchor)->time == anchor + Millis(300'000));
  CHECK(rate.next(anchor + Millis(299'999), kUtc, anchor)->time == anchor + Millis(300'000));
  CHECK(walls("at(2026-11-21T12:00:00)", kUtc, "2026-11-21T11:59:59Z", 3) == Texts{"2026-11-21 12:00 +0"});
  CHECK(walls("at(2026-11-21T12:00:00)", kUtc, "2026-11-21T12:00:00Z", 3).empty());
}

TEST_CASE("daylight saving: Berlin skips 02:30 in March, and has it once in October") {
  const auto berlin = zone("Europe/Berlin");
  if (!berlin) return;
  std::size_t skipped = 0;
  CHECK(walls("cron(30 2 * * ? *)", *berlin, "2026-03-28T00:00:00Z", 3, &skipped) ==
        Texts{"2026-03-28 02:30 +60", "2026-03-30 02:30 +120", "2026-03-31 02:30 +120"});
  CHECK(skipped == 1);
  CHECK(walls("cron(30 2 * * ? *)", *berlin, "2026-10-23T22:00:00Z", 3) ==
        Texts{"2026-10-24 02:30 +120", "2026-10-25 02:30 +120 twice", "2026-10-26 02:30 +60"});
  CHECK(walls("cron(0/30 1-3 * * ? *)", *berlin, "2026-10-24T23:29:59Z", 5) ==
        Texts{"2026-10-25 01:30 +120", "2026-10-25 02:00 +120 twice", "2026-10-25 02:30 +120 twice",
              "2026-10-25 03:00 +60", "2026-10-25 03:30 +60"});
  CHECK(walls("at(2026-03-29T02:30:00)", *berlin, "2026-01-01T00:00:00Z", 1).empty());
  // After the last entry of the file the rule at its end holds.
  CHECK(walls("cron(30 2 ? 3 1L 2150)", *berlin, "2026-01-01T00:00:00Z", 1).empty());
  CHECK(walls("cron(30 3 ? 3 1L 2150)", *berlin, "2026-01-01T00:00:00Z", 1) ==
        Texts{"2150-03-29 03:30 +120"});
}

TEST_CASE("daylight saving: New York") {
  const auto york = zone("America/New_York");
  if (!york) return;
  CHECK(walls("cron(15 2 * * ? *)", *york, "2026-03-07T12:00:00Z", 1) == Texts{"2026-03-09 02:15 +-240"});
  CHECK(walls("cron(0/30 0-2 1 11 ? 2026)", *york, "2026-10-31T12:00:00Z", 9) ==
        Texts{"2026-11-01 00:00 +-240", "2026-11-01 00:30 +-240", "2026-11-01 01:00 +-240 twice",
              "2026-11-01 01:30 +-240 twice", "2026-11-01 02:00 +-300", "2026-11-01 02:30 +-300"});
}

TEST_CASE("daylight saving: Lord Howe moves its clocks by half an hour") {
  const auto howe = zone("Australia/Lord_Howe");
  if (!howe) return;
  CHECK(walls("cron(0/15 1-2 4 10 ? 2026)", *howe, "2026-10-01T00:00:00Z", 9) ==
        Texts{"2026-10-04 01:00 +630", "2026-10-04 01:15 +630", "2026-10-04 01:30 +630",
              "2026-10-04 01:45 +630", "2026-10-04 02:30 +660", "2026-10-04 02:45 +660"});
  CHECK(walls("cron(0/15 1-2 5 4 ? 2026)", *howe, "2026-04-01T00:00:00Z", 9) ==
        Texts{"2026-04-05 01:00 +660", "2026-04-05 01:15 +660", "2026-04-05 01:30 +660 twice",
              "2026-04-05 01:45 +660 twice", "2026-04-05 02:00 +630", "2026-04-05 02:15 +630",
              "2026-04-05 02:30 +630", "2026-04-05 02:45 +630"});
}

TEST_CASE("time zones: Kolkata never changes its clocks; names are checked") {
  const auto kolkata = zone("Asia/Kolkata");
  if (!kolkata) return;
  CHECK(walls("cron(30 2 * * ? *)", *kolkata, "2026-03-28T00:00:00Z", 2) ==
        Texts{"2026-03-29 02:30 +330", "2026-03-30 02:30 +330"});
  CHECK(kolkata->abbreviation_at(std::chrono::sys_days(std::chrono::year(2026) / 7 / 1)) == "IST");
  for (const char* name : {"", "Europe/Atlantis", "../../../etc/passwd", "/etc/passwd", "Europe", "tzdata.zi",
                           "Europe/Berlin\n"})
    CHECK_FALSE(TimeZone::load(name));
}

// A year of nights, minute by minute: a run at 02:30 for each day that has such a time, and never two.
TEST_CASE("daylight saving: a year of nights in every zone of the table") {
  const struct {
    const char* zone;
    int runs;  // of 365 days
  } kRows[] = {{"Europe/Berlin", 364},
               {"America/New_York", 364},
               {"Australia/Lord_Howe", 365},
               {"Asia/Kolkata", 365},
               {"Europe/London", 365},
               {"America/Sao_Paulo", 365},
               {"UTC", 365}};
  for (const auto& row : kRows) {
    CAPTURE(row.zone);
    const auto in = zone(row.zone);
    if (!in) return;
    const ScheduleExpression e = expression("cron(30 2 * * ? *)");
    // From the wall's new year to the next one's.
    const auto begin =
        *in->instants(LocalSeconds(std::chrono::local_days(std::chrono::year(2026) / 1 / 1))).first;
    const auto end =
        *in->instants(LocalSeconds(std::chrono::local_days(std::chrono::year(2027) / 1 / 1))).first;
    int runs = 0, shown = 0;
    auto due = e.next(Instant(begin) - Millis(1), *in, Instant(begin));
    bool before = false;
    std::string last_day;
    for (SystemSeconds now = begin; now < end; now += std::chrono::minutes(1)) {
      const std::string wall = format_rfc3339(Instant(in->local(now).time_since_epoch()));
      const bool half_past_two = wall.substr(11, 5) == "02:30";
      if (half_past_two && !before && wall.substr(0, 10) != last_day) {
        ++shown;
        last_day = wall.substr(0, 10);
      }
      before = half_past_two;
      if (due && due->time == Instant(now)) {
        CHECK(half_past_two);
        ++runs;
        due = e.next(due->time, *in, Instant(begin));
      }
      if (due) CHECK(due->time > Instant(now));
    }
    CHECK(runs == row.runs);
    CHECK(runs == shown);
  }
}

TEST_CASE("schedules: what is wrong is said with its field") {
  CHECK(problem("cron(60 * * * ? *)") == "the minutes field '60' is not valid: it goes from 0 to 59");
  CHECK(problem("cron(0 0 * * MON *)") == "one of day-of-month and day-of-week, and only one, must be '?'");
  CHECK(problem("cron(0 0 ? * ? *)").find("only one, must be '?'") != std::string::npos);
  CHECK(problem("cron(0 0 * * ?)").find("5 fields instead of 6") != std::string::npos);
  CHECK(problem("cron(0 5-2 * * ? *)").find("the range goes backwards") != std::string::npos);
  CHECK(problem("cron(0 0 ? * MON#6 *)").find("1 to 5") != std::string::npos);
  CHECK(problem("cron(*/0 0 * * ? *)").find("a step of 1 or more") != std::string::npos);
  CHECK(problem("cron(0 0 ? * FOO *)").find("a name like MON") != std::string::npos);
  CHECK(problem("rate(0 minutes)").find("above 0") != std::string::npos);
  CHECK(problem("rate(5 fortnights)").find("unit") != std::string::npos);
  CHECK(problem("at(2026-02-30T00:00:00)").find("at() holds") != std::string::npos);
  CHECK(problem("every day").find("none of rate") != std::string::npos);
}

TEST_CASE("schedules: in words") {
  const std::pair<const char*, const char*> kRows[] = {
      {"rate(1 hour)", "every hour"},
      {"rate(90 minutes)", "every 90 minutes"},
      {"at(2026-03-29T02:30:00)", "once, on 2026-03-29 at 02:30:00"},
      {"cron(30 2 * * ? *)", "at 02:30, every day"},
      {"cron(0 9 ? * MON-FRI *)", "at 09:00, on Monday to Friday"},
      {"cron(0/15 * * * ? *)", "every 15 minutes, every day"},
      {"cron(* 8-17 ? * SAT,SUN *)", "every minute of hours 8 to 17, on every Sunday and Saturday"},
      {"cron(0 8 LW * ? *)", "at 08:00, on the last working day of the month"},
      {"cron(0 8 ? * TUE#2 *)", "at 08:00, on the second Tuesday of the month"},
      {"cron(0 8 1,15 JAN,JUL ? 2027)", "at 08:00, on the 1st and 15th in January and July, 2027"},
  };
  for (const auto& [text, words] : kRows) CHECK(expression(text).words() == words);
}
