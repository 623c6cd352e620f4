// What schedules are due for: missed runs, windows, names; and what rules make of events. No server.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "service/bus/operations.h"
#include "service/bus/schedules.h"

using namespace millrace;
using namespace millrace::bus;

namespace {

Instant at(const std::string& text) {
  const auto parsed = parse_rfc3339(text);
  REQUIRE(parsed);
  return *parsed;
}

Scheduled scheduled(const std::string& expression, const Json& more = Json::object()) {
  Json record = {{"Arn", "arn:aws:scheduler:us-east-1:123456789012:schedule/default/s"},
                 {"State", "ENABLED"},
                 {"ScheduleExpression", expression},
                 {"ScheduleExpressionTimezone", "UTC"},
                 {"Created", to_millis(at("2026-01-01T00:00:30Z"))},
                 {"Target", {{"Arn", "arn:aws:states:us-east-1:123456789012:stateMachine:m"}}}};
  record.update(more);
  auto made = compile_schedule(joined_key("default", "s"), record, {});
  REQUIRE(made);
  return *made;
}

std::vector<std::string> runs(const Scheduled& s, const std::string& until, const std::string& now,
                              std::size_t limit = 1000) {
  std::vector<std::string> texts;
  for (const Instant due : due_runs(s, at(until), at(now), limit))
    texts.push_back(format_rfc3339(due).substr(5, 14));
  return texts;
}
using Texts = std::vector<std::string>;

const Json kCatchUp = {{"Description", "x [millrace missed=catch-up]"}};
const Json kSkip = {{"Description", "[millrace missed=skip overlap=queue] y"}};

}  // namespace

TEST_CASE("schedules: what was due within the last minute always runs") {
  for (const Json& settings : {Json(Json::object()), kCatchUp, kSkip})
    CHECK(runs(scheduled("rate(20 seconds)", settings), "2026-01-05T10:00:00Z", "2026-01-05T10:00:55Z") ==
          Texts{"01-05T10:00:10", "01-05T10:00:30", "01-05T10:00:50"});
}

TEST_CASE("schedules: missed runs, once, not at all, or all of them") {
  const char* const kUntil = "2026-01-05T01:30:00Z";
  const char* const kNow = "2026-01-05T06:10:00Z";
  CHECK(runs(scheduled("cron(0 * * * ? *)"), kUntil, kNow) == Texts{"01-05T06:00:00"});
  CHECK(runs(scheduled("cron(0 * * * ? *)", kSkip), kUntil, kNow).empty());
  CHECK(runs(scheduled("cron(0 * * * ? *)", kCatchUp), kUntil, kNow) ==
        Texts{"01-05T02:00:00", "01-05T03:00:00", "01-05T04:00:00", "01-05T05:00:00", "01-05T06:00:00"});
  CHECK(runs(scheduled("cron(0 * * * ? *)", kCatchUp), kUntil, kNow, 2) ==
        Texts{"01-05T05:00:00", "01-05T06:00:00"});
  // Older than a day, which is what the retry policy allows: not at all.
  CHECK(runs(scheduled("cron(0 0 4 * ? *)"), "2026-01-03T01:00:00Z", kNow).empty());
  CHECK(runs(scheduled("cron(0 * * * ? *)", kCatchUp), "2026-01-01T00:00:00Z", kNow).size() == 24);
}

TEST_CASE("schedules: a schedule of every second that was away for a year is cheap") {
  const Scheduled s = scheduled("rate(1 second)");
  CHECK(runs(s, "2026-01-05T00:00:00Z", "2027-01-05T00:00:00Z").size() == 60);
  CHECK(runs(scheduled("cron(30 2 * * ? *)"), "2026-01-05T00:00:00Z", "2027-01-05T00:00:00Z") ==
        Texts{"01-04T02:30:00"});
}

TEST_CASE("schedules: a window holds a run back, to the same moment each time") {
  const Scheduled s = scheduled(
      "cron(0 12 * * ? *)", {{"FlexibleTimeWindow", {{"Mode", "FLEXIBLE"}, {"MaximumWindowInMinutes", 60}}}});
  std::set<Instant::rep> moments;
  for (int day = 0; day < 30; ++day) {
    const Instant due = at("2026-01-05T12:00:00Z") + std::chrono::hours(24 * day);
    const Instant begin = begin_of(s, due);
    CHECK(begin == begin_of(s, due));
    CHECK(begin >= due);
    CHECK(begin < due + std::chrono::minutes(60));
    moments.insert((begin - due).count());
    CHECK(due_runs(s, due - Millis(1), begin - Millis(1), 10).empty());
    CHECK(due_runs(s, due - Millis(1), begin, 10) == std::vector<Instant>{due});
  }
  CHECK(moments.size() > 25);
}

TEST_CASE("schedules: a run is named after its schedule and its time, and its input is filled in") {
  const Scheduled s = scheduled(
      "rate(1 hour)",
      {{"Target",
        {{"Arn", "arn:aws:states:us-east-1:123456789012:stateMachine:m"},
         {"Input", R"({"t":"<aws.scheduler.scheduled-time>","s":"<aws.scheduler.schedule-arn>"})"}}}});
  const auto one = s.deliveries(at("2026-02-03T04:05:06Z")), again = s.deliveries(at("2026-02-03T04:05:06Z"));
  const auto other = s.deliveries(at("2026-02-03T05:05:06Z"));
  REQUIRE(one.size() == 1);
  CHECK(one[0].name.starts_with("s-20260203T040506Z-"));
  CHECK(one[0].name.size() <= 80);
  CHECK(one[0].name == again[0].name);
  CHECK(one[0].name != other[0].name);
  CHECK(one[0].input ==
        R"({"t":"2026-02-03T04:05:06Z","s":"arn:aws:scheduler:us-east-1:123456789012:schedule/default/s"})");
}

// A year of nights under a clock of our own: what is handled up to each look is kept, as it is over restarts.
TEST_CASE("schedules: a year of nights in Berlin, looked at every twenty seconds, with days off") {
  auto zone = triggers::TimeZone::load("Europe/Berlin");
  if (!zone) {
    MESSAGE("skipped: the time zone is not there");
    return;
  }
  const Scheduled s = scheduled("cron(30 2 * * ? *)", {{"ScheduleExpressionTimezone", "Europe/Berlin"},
                                                       {"Description", "[millrace missed=catch-up]"}});
  Instant until = s.active;
  std::set<std::string> nights;
  int count = 0, day = 0;
  const Instant end = at("2027-01-01T00:00:00Z");
  for (Instant now = at("2026-01-01T00:01:00Z"); now < end; now += Millis(20'000), ++day) {
    if (day % 1'000 == 999) now = std::min(end, now + std::chrono::hours(20));  // nobody was there
    for (const Instant due : due_runs(s, until, now, 1000)) {
      ++count;
      nights.insert(format_rfc3339(due).substr(0, 10));
      until = due;
    }
    until = std::max(until, now - Millis(1));
  }
  CHECK(count == 364);  // the 29th of March has no such time
  CHECK(nights.size() == 364);
  CHECK_FALSE(nights.contains("2026-03-29"));
  CHECK(nights.contains("2026-10-25"));
}

TEST_CASE("schedules: settings in a description") {
  const auto read = read_schedule_settings("Nightly [millrace missed=catch-up overlap=cancel] report");
  REQUIRE(read);
  CHECK(*read == ScheduleSettings{MissedRuns::CatchUp, Overlap::Cancel});
  CHECK(*read_schedule_settings("[other missed=skip]") == ScheduleSettings{});
  CHECK(read_schedule_settings("[millrace missed=never]").error().message.find("run-once, skip, catch-up") !=
        std::string::npos);
  CHECK(read_schedule_settings("[millrace late=skip]").error().message.find("missed=… and overlap=…") !=
        std::string::npos);
  CHECK_FALSE(read_schedule_settings("[millrace missed=skip"));
}

TEST_CASE("rules: an event goes to each target of each rule it meets, under names of its own") {
  const auto rule = [](const char* name, const char* pattern, std::int64_t since) {
    return compile_rule(
        joined_key("default", name),
        {{"Arn", std::string("arn:aws:events:us-east-1:123456789012:rule/") + name},
         {"EventPattern", pattern},
         {"State", "ENABLED"},
         {"Since", since},
         {"Targets",
          Json::array(
              {{{"Id", "1"}, {"Arn", "arn:aws:states:us-east-1:123456789012:stateMachine:m"}},
               {{"Id", "2"}, {"Arn", "arn:aws:sqs:us-east-1:123456789012:q"}, {"InputPath", "$.detail"}}})}});
  };
  RuleSet set;
  RuleSet::Bus& bus = set.buses["default"];
  bus.rules = {rule("a", R"({"source":["s"]})", 0), rule("b", R"({"source":[{"prefix":"s"}]})", 7),
               rule("c", R"({"source":["t"]})", 0)};
  std::vector<const triggers::Pattern*> patterns;
  for (const RulePtr& r : bus.rules) patterns.push_back(&*r->pattern);
  bus.index = triggers::RuleIndex(patterns);
  std::vector<std::uint32_t> scratch;
  const Payload event = Payload::literal(R"({"id":"e","source":"s","detail":{"x":1}})");
  CHECK(deliveries_of(set, {8, Instant{}, "default", event}, scratch).size() == 4);
  const auto before = deliveries_of(set, {7, Instant{}, "default", event}, scratch);  // b was made behind it
  REQUIRE(before.size() == 2);
  CHECK(before[1].input == R"({"x":1})");
  CHECK(before[0].key != before[1].key);
  CHECK(before[0].name.starts_with("a-"));
  CHECK(deliveries_of(set, {8, Instant{}, "other", event}, scratch).empty());
  CHECK(compile_rule("default\nd", {{"State", "DISABLED"}, {"Targets", Json::array({Json::object()})}}) ==
        nullptr);
  CHECK(may_want(*bus.rules[1], "s3", "anything"));
  CHECK_FALSE(may_want(*bus.rules[0], "aws.states", "anything"));
}

TEST_CASE("deliveries: what is kept is what was sent") {
  Delivery d;
  d.key = "k";
  d.name = "n";
  d.origin = "o";
  d.target = "t";
  d.input = "{\"a\": 1.50}";
  d.event = "{}";
  d.parameters = Payload::literal(R"({"SqsParameters":{"MessageGroupId":"g"}})");
  d.policy = {3, Millis(60'000), "dead"};
  d.since = at("2026-01-01T00:00:00Z");
  d.attempts = 2;
  d.error = "why";
  const Delivery back = from_record("k", to_record(d));
  CHECK(to_record(back) == to_record(d));
  CHECK(back.input == d.input);
  CHECK(back.policy.dead_letters == "dead");
}

TEST_CASE("schedules: monitoring runs each missed span, and is named and bounded by its times") {
  Json record = {
      {"MonitoringScheduleName", "hourly"},
      {"MonitoringScheduleArn", "arn:aws:sagemaker:us-east-1:123456789012:monitoring-schedule/hourly"},
      {"MonitoringScheduleStatus", "Scheduled"},
      {"CreationTime", to_millis(at("2026-01-01T00:20:00Z"))},
      {"MonitoringScheduleConfig", {{"ScheduleConfig", {{"ScheduleExpression", "cron(0 * ? * * *)"}}}}}};
  const auto hourly = compile_monitoring_schedule(record);
  REQUIRE(hourly);
  CHECK(hourly->key == "monitoring/hourly");
  CHECK(runs(*hourly, "2026-01-05T01:30:00Z", "2026-01-05T04:10:00Z") ==
        Texts{"01-05T02:00:00", "01-05T03:00:00", "01-05T04:00:00"});
  const auto deliveries = hourly->deliveries(at("2026-01-05T02:00:00Z"));
  REQUIRE(deliveries.size() == 1);
  CHECK(deliveries[0].target == "arn:aws:scheduler:::aws-sdk:sagemaker:runMonitoringExecution");
  CHECK(Json::parse(deliveries[0].input) == Json{{"MonitoringScheduleName", "hourly"},
                                                 {"ScheduledTime", "2026-01-05T02:00:00.000Z"},
                                                 {"PreviousTime", "2026-01-05T01:00:00.000Z"}});
  CHECK(deliveries[0].key == hourly->deliveries(at("2026-01-05T02:00:00Z"))[0].key);
  CHECK(deliveries[0].key != hourly->deliveries(at("2026-01-05T03:00:00Z"))[0].key);

  const auto with = [&](const char* expression, const char* missed = nullptr) {
    Json changed = record;
    changed["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"] = expression;
    if (missed) changed["Millrace"]["Tags"] = Json::array({{{"Key", "millrace:missed"}, {"Value", missed}}});
    return *compile_monitoring_schedule(changed);
  };
  const auto previous = [](const Scheduled& s, const char* due) {
    return Json::parse(s.deliveries(at(due))[0].input).value("PreviousTime", "none");
  };
  CHECK(previous(with("cron(0 17 ? * * *)"), "2026-01-05T17:00:00Z") == "2026-01-04T17:00:00.000Z");
  CHECK(previous(with("cron(0 17 1 * ? *)"), "2026-03-01T17:00:00Z") == "2026-02-01T17:00:00.000Z");
  // A rate's first span begins with the schedule.
  CHECK(previous(with("rate(5 minutes)"), "2026-01-01T00:25:00Z") == "2026-01-01T00:20:00.000Z");
  CHECK(runs(with("cron(0 * ? * * *)", "skip"), "2026-01-05T01:30:00Z", "2026-01-05T04:10:00Z").empty());
  CHECK(runs(with("cron(0 * ? * * *)", "run-once"), "2026-01-05T01:30:00Z", "2026-01-05T04:10:00Z") ==
        Texts{"01-05T04:00:00"});
  // NOW is once, whenever somebody is there to run it.
  CHECK(runs(with("NOW"), "2026-01-01T00:20:00Z", "2026-01-01T05:00:00Z") == Texts{"01-01T00:20:01"});
  CHECK(runs(with("NOW"), "2026-01-01T00:20:01Z", "2026-01-09T00:00:00Z").empty());
  CHECK(previous(with("NOW"), "2026-01-01T00:20:01Z") == "none");
  record["MonitoringScheduleStatus"] = "Stopped";
  CHECK(!compile_monitoring_schedule(record));
}
