#include "tasks/metrics/metric_store.h"

#include <doctest/doctest.h>

#include <cmath>
#include <condition_variable>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

constexpr std::int64_t kStart = 1'795'246'620'000;  // a full minute
constexpr const char* kTopic = "arn:aws:sns:us-east-1:123456789012:ops";

class HandClock final : public Clock {
 public:
  Instant now() const override { return from_millis(now_.load()); }
  Millis uptime() const override { return Millis(now_.load()); }
  void pass(std::int64_t ms) { now_ += ms; }

 private:
  std::atomic<std::int64_t> now_{kStart};
};

// A store over a home, and what it tells.
struct StoreDriver {
  TemporaryHome& home;
  HandClock& clock;
  std::unique_ptr<MetricStore> store;
  std::mutex mutex = {};
  std::condition_variable heard = {};
  std::vector<AlarmChange> changes = {};
  std::optional<Instant> due = {};
  int told = 0;

  StoreDriver(TemporaryHome& h, HandClock& c, MetricStoreSettings settings = {}) : home(h), clock(c) {
    auto opened = MetricStore::open(home.path("metrics.db"), {}, settings, clock);
    REQUIRE(opened);
    store = *std::move(opened);
    store->watch([this](const MetricStore::News& news) {
      const std::lock_guard lock(mutex);
      for (const AlarmChange& change : news.changes) changes.push_back(change);
      due = news.due;
      ++told;
      heard.notify_all();
    });
  }
  ServiceAnswer ask(const std::string& operation, const Json& input, const std::string& key = "") {
    std::promise<ServiceAnswer> promise;
    store->call({operation, to_payload(input), key},
                [&](ServiceAnswer answer) { promise.set_value(std::move(answer)); });
    return promise.get_future().get();
  }
  Json call(const std::string& operation, const Json& input, const std::string& key = "") {
    const ServiceAnswer answer = ask(operation, input, key);
    REQUIRE_MESSAGE(answer, answer.error().message);
    return to_json(answer->view());
  }
  std::string error(const std::string& operation, const Json& input) {
    const ServiceAnswer answer = ask(operation, input);
    return answer ? "" : answer.error().code + ": " + answer.error().message;
  }
  void put(double value, const Json& more = Json::object()) {
    Json datum = {{"MetricName", "m"}, {"Value", value}};
    datum.update(more);
    call("PutMetricData", {{"Namespace", "shop"}, {"MetricData", {datum}}});
  }
  // Lets alarms be evaluated as whoever watches the clock would.
  void evaluate() {
    std::unique_lock lock(mutex);
    const int before = told;
    lock.unlock();
    REQUIRE(store->evaluate());
    lock.lock();
    heard.wait(lock, [&] { return told > before; });
  }
  std::string state(const std::string& alarm) {
    const auto found = store->state_of(alarm);
    return found ? std::string(name_of(found->state)) : "none";
  }
};

Json alarm_over(const std::string& name, const Json& more = Json::object()) {
  Json alarm = {{"AlarmName", name},
                {"Namespace", "shop"},
                {"MetricName", "m"},
                {"Statistic", "Sum"},
                {"Period", 60},
                {"EvaluationPeriods", 1},
                {"Threshold", 5},
                {"ComparisonOperator", "GreaterThanThreshold"},
                {"TreatMissingData", "notBreaching"},
                {"AlarmActions", {kTopic}}};
  alarm.update(more);
  return alarm;
}

Json statistics(std::int64_t from, std::int64_t until, int period) {
  return {{"Namespace", "shop"},
          {"MetricName", "m"},
          {"StartTime", static_cast<double>(from) / 1000},
          {"EndTime", static_cast<double>(until) / 1000},
          {"Period", period},
          {"Statistics", {"Sum", "SampleCount", "Minimum", "Maximum", "Average"}},
          {"ExtendedStatistics", {"p50"}}};
}

}  // namespace

TEST_CASE("Metrics: values are added up by the minute, and are there after a restart") {
  TemporaryHome home;
  HandClock clock;
  {
    StoreDriver driver(home, clock);
    driver.put(1);
    driver.put(3);
    clock.pass(60'000);
    driver.call("PutMetricData",
                {{"Namespace", "shop"},
                 {"MetricData", {{{"MetricName", "m"}, {"Values", {2, 4}}, {"Counts", {3, 1}}}}}});
  }
  StoreDriver driver(home, clock);
  const Json answer = driver.call("GetMetricStatistics", statistics(kStart, kStart + 120'000, 60));
  REQUIRE(answer["Datapoints"].size() == 2);
  CHECK(answer["Datapoints"][0]["Sum"] == 4.0);
  CHECK(answer["Datapoints"][0]["Unit"] == "None");
  CHECK(answer["Datapoints"][1]["SampleCount"] == 4.0);
  CHECK(answer["Datapoints"][1]["Sum"] == 10.0);
  CHECK(answer["Datapoints"][1]["Maximum"] == 4.0);
  CHECK(answer["Datapoints"][1]["ExtendedStatistics"]["p50"].get<double>() ==
        doctest::Approx(2).epsilon(0.01));
  const Json whole = driver.call("GetMetricStatistics", statistics(kStart, kStart + 120'000, 3600));
  REQUIRE(whole["Datapoints"].size() == 1);
  CHECK(whole["Datapoints"][0]["Sum"] == 14.0);
  CHECK(driver.call("ListMetrics", Json::object())["Metrics"].size() == 1);
}

TEST_CASE("Metrics: seconds of high resolution, units apart, dimensions apart") {
  TemporaryHome home;
  HandClock clock;
  StoreDriver driver(home, clock);
  driver.put(1, {{"StorageResolution", 1}});
  clock.pass(1'000);
  driver.put(2, {{"StorageResolution", 1}});
  driver.put(7, {{"Unit", "Bytes"}});
  driver.put(9, {{"Dimensions", {{{"Name", "Shop"}, {"Value", "north"}}}}});
  const Json fine = driver.call("GetMetricStatistics", statistics(kStart, kStart + 5'000, 1));
  CHECK(fine["Datapoints"].size() == 2);
  const Json units = driver.call("GetMetricStatistics", statistics(kStart, kStart + 60'000, 60));
  REQUIRE(units["Datapoints"].size() == 2);
  CHECK(units["Datapoints"][0]["Sum"] == 3.0);
  CHECK(units["Datapoints"][1]["Unit"] == "Bytes");
  Json bytes = statistics(kStart, kStart + 60'000, 60);
  bytes["Unit"] = "Bytes";
  CHECK(driver.call("GetMetricStatistics", bytes)["Datapoints"].size() == 1);
  CHECK(driver.call("ListMetrics", {{"Dimensions", {{{"Name", "Shop"}}}}})["Metrics"].size() == 1);
  CHECK(driver.call("ListMetrics", {{"Namespace", "other"}})["Metrics"].empty());
}

TEST_CASE("Metrics: what grows old is added up, and every value is found once") {
  TemporaryHome home;
  HandClock clock;
  MetricStoreSettings settings;
  settings.seconds_kept = Millis(60'000);
  settings.minutes_kept = Millis(3'600'000);
  settings.five_minutes_kept = Millis(2 * 3'600'000);
  settings.hours_kept = Millis(10 * 3'600'000);
  StoreDriver driver(home, clock, settings);
  double sum = 0;
  for (int i = 0; i < 5 * 60; ++i) {
    driver.put(i, {{"StorageResolution", i % 2 == 0 ? 1 : 60}});
    sum += i;
    if (i % 20 == 0) driver.store->tidy();
    clock.pass(60'000);
  }
  driver.store->tidy();
  const std::int64_t now = to_millis(clock.now());
  double total = 0, count = 0;
  const Json hours = driver.call("GetMetricStatistics", statistics(kStart - 3'600'000, now, 3600));
  for (const Json& point : hours["Datapoints"]) {
    total += point["Sum"].get<double>();
    count += point["SampleCount"].get<double>();
    CHECK(point["ExtendedStatistics"].contains("p50"));
  }
  CHECK(total == sum);
  CHECK(count == 300);
  // Late values still find their period, whatever resolution it has by now.
  driver.put(1000, {{"Timestamp", static_cast<double>(kStart) / 1000}});
  driver.store->tidy();
  const Json first = driver.call("GetMetricStatistics", statistics(kStart - 3'600'000, now, 86'400));
  double all = 0;
  for (const Json& point : first["Datapoints"]) all += point["Sum"].get<double>();
  CHECK(all == sum + 1000);
  clock.pass(20LL * 3'600'000);
  driver.store->tidy();
  CHECK(driver.call("GetMetricStatistics", statistics(kStart - 3'600'000, now, 3600))["Datapoints"].empty());
}

TEST_CASE("Metrics: GetMetricData with expressions, pages and orders") {
  TemporaryHome home;
  HandClock clock;
  StoreDriver driver(home, clock);
  for (int i = 0; i < 5; ++i) {
    driver.put(i);
    driver.call("PutMetricData",
                {{"Namespace", "shop"}, {"MetricData", {{{"MetricName", "all"}, {"Value", 10}}}}});
    clock.pass(60'000);
  }
  const auto stat = [](const char* id, const char* metric, bool shown) {
    return Json{
        {"Id", id},
        {"ReturnData", shown},
        {"MetricStat",
         {{"Metric", {{"Namespace", "shop"}, {"MetricName", metric}}}, {"Period", 60}, {"Stat", "Sum"}}}};
  };
  Json request = {{"StartTime", kStart / 1000},
                  {"EndTime", to_millis(clock.now()) / 1000},
                  {"ScanBy", "TimestampAscending"},
                  {"MetricDataQueries",
                   {{{"Id", "share"}, {"Expression", "percent / 100"}, {"Label", "Share"}},
                    {{"Id", "percent"}, {"Expression", "100 * m / all1"}, {"ReturnData", false}},
                    stat("m", "m", true),
                    stat("all1", "all", false)}}};
  const Json answer = driver.call("GetMetricData", request);
  REQUIRE(answer["MetricDataResults"].size() == 2);
  const Json& share = answer["MetricDataResults"][0];
  CHECK(share["Label"] == "Share");
  CHECK(share["StatusCode"] == "Complete");
  CHECK(share["Values"] == Json({0.0, 0.1, 0.2, 0.3, 0.4}));
  CHECK(answer["MetricDataResults"][1]["Values"] == Json({0.0, 1.0, 2.0, 3.0, 4.0}));
  // In pages of three, newest first.
  request["MaxDatapoints"] = 3;
  request.erase("ScanBy");
  std::vector<double> values;
  for (int pages = 0; pages < 5; ++pages) {
    const Json page = driver.call("GetMetricData", request);
    for (const Json& result : page["MetricDataResults"])
      for (const Json& value : result["Values"]) values.push_back(value.get<double>());
    if (!page.contains("NextToken")) break;
    request["NextToken"] = page["NextToken"];
  }
  CHECK(values == std::vector<double>{0.4, 0.3, 0.2, 0.1, 0, 4, 3, 2, 1, 0});
  const auto wrong = [&](const Json& queries) {
    return driver.error("GetMetricData", {{"StartTime", 0}, {"EndTime", 60}, {"MetricDataQueries", queries}});
  };
  CHECK(wrong({{{"Id", "a"}, {"Expression", "b"}}, {{"Id", "b"}, {"Expression", "a"}}}) ==
        "ValidationError: The expression 'a' refers to itself, directly or in a circle.");
  CHECK(wrong({{{"Id", "A"}, {"Expression", "1"}}}).find("expected pattern") != std::string::npos);
  CHECK(wrong({{{"Id", "a"}}}) ==
        "ValidationError: The query a must have either a MetricStat or an Expression.");
  CHECK(wrong({{{"Id", "a"}, {"Expression", "1 + 1"}}}).find("TIME_SERIES") != std::string::npos);
  CHECK(wrong({stat("m", "m", true), stat("m", "m", true)}) == "ValidationError: The id m is there twice.");
}

TEST_CASE("Metrics: requests are refused in CloudWatch's words") {
  TemporaryHome home;
  HandClock clock;
  MetricStoreSettings settings;
  settings.metrics_max = 2;
  StoreDriver driver(home, clock, settings);
  const auto put = [&](const Json& datum) {
    return driver.error("PutMetricData", {{"Namespace", "shop"}, {"MetricData", {datum}}});
  };
  CHECK(put({{"Value", 1}}) == "MissingRequiredParameterException: The parameter MetricName is required.");
  CHECK(put({{"MetricName", "m"}}) ==
        "MissingRequiredParameterException: The parameter MetricData.member.1.Value is required.");
  CHECK(put({{"MetricName", "m"}, {"Value", 1}, {"Values", {1}}})
            .starts_with("InvalidParameterCombinationException"));
  CHECK(put({{"MetricName", "m"}, {"Values", {1, 2}}, {"Counts", {1}}}).find("of the same size") !=
        std::string::npos);
  CHECK(put({{"MetricName", "m"}, {"Value", 1e200}}).find("between -2^360 and 2^360") != std::string::npos);
  CHECK(put({{"MetricName", "m"}, {"Value", "x"}}).starts_with("SerializationException"));
  CHECK(put({{"MetricName", "m"}, {"Value", 1}, {"Unit", "Furlongs"}}) ==
        "InvalidParameterValueException: The value Furlongs for parameter Unit is invalid.");
  CHECK(put({{"MetricName", "m"}, {"Value", 1}, {"Timestamp", 1000}}).find("two weeks in the past") !=
        std::string::npos);
  CHECK(put({{"MetricName", "m"}, {"Value", 1}, {"Timestamp", kStart / 1000 + 3 * 3600}}).find("two hours") !=
        std::string::npos);
  CHECK(put({{"MetricName", "m"}, {"Value", 1}, {"StorageResolution", 30}}).find("1 or 60") !=
        std::string::npos);
  CHECK(driver.error("PutMetricData",
                     {{"Namespace", "AWS/States"}, {"MetricData", {{{"MetricName", "m"}, {"Value", 1}}}}}) ==
        "InvalidParameterValueException: The value AWS/ for parameter Namespace is invalid.");
  // All or nothing: the third metric is one too many, so the second is not there either.
  driver.put(1);
  const Json two = {{{"MetricName", "b"}, {"Value", 1}}, {{"MetricName", "c"}, {"Value", 1}}};
  CHECK(driver.error("PutMetricData", {{"Namespace", "shop"}, {"MetricData", two}})
            .starts_with("LimitExceededFault"));
  CHECK(driver.call("ListMetrics", Json::object())["Metrics"].size() == 1);
  driver.put(2);
  Json too_many = statistics(kStart - 86'400'000LL * 2, kStart, 60);
  CHECK(driver.error("GetMetricStatistics", too_many) ==
        "InvalidParameterCombinationException: You have requested up to 2,880 datapoints, which exceeds the "
        "limit of "
        "1,440. You may reduce the datapoints requested by increasing Period, or decreasing the time range.");
  too_many["Period"] = 61;
  CHECK(driver.error("GetMetricStatistics", too_many).starts_with("ValidationError: Invalid Period"));
  CHECK(driver.error("ListMetrics", {{"NextToken", "bm9uZQ=="}}).starts_with("InvalidNextToken"));
  const auto alarm = [&](const Json& more) { return driver.error("PutMetricAlarm", alarm_over("a", more)); };
  CHECK(alarm({{"ComparisonOperator", "GreaterThanUpperThreshold"}}).find("not served here") !=
        std::string::npos);
  CHECK(alarm({{"DatapointsToAlarm", 2}}) ==
        "ValidationError: EvaluationPeriods must be greater than or equal to DatapointsToAlarm");
  CHECK(alarm({{"EvaluationPeriods", 2000}}).find("more than a day") != std::string::npos);
  CHECK(alarm({{"ExtendedStatistic", "p99"}}).starts_with("ValidationError: Exactly one of Statistic"));
  CHECK(alarm({{"AlarmActions", {"arn:aws:automate:us-east-1:ec2:stop"}}}).find("Invalid action") !=
        std::string::npos);
  CHECK(driver.error("SetAlarmState", {{"AlarmName", "no"}, {"StateValue", "OK"}, {"StateReason", "r"}})
            .starts_with("ResourceNotFound"));
  CHECK(driver.error("PutDashboard", Json::object()).starts_with("UnknownOperationException"));
}

TEST_CASE("Metrics: what an attempt of a task wrote is written once") {
  TemporaryHome home;
  HandClock clock;
  StoreDriver driver(home, clock);
  const Json data = {{"Namespace", "shop"}, {"MetricData", {{{"MetricName", "m"}, {"Value", 2}}}}};
  for (int i = 0; i < 3; ++i) driver.call("PutMetricData", data, "execution/1/attempt/1");
  driver.call("PutMetricData", data, "execution/1/attempt/2");
  CHECK(driver.call("GetMetricStatistics", statistics(kStart, kStart + 60'000, 60))["Datapoints"][0]["Sum"] ==
        4.0);
}

TEST_CASE("Alarms: a period that breaches changes the state once, and tells with its actions") {
  TemporaryHome home;
  HandClock clock;
  clock.pass(5'000);
  StoreDriver driver(home, clock);
  driver.call("PutMetricAlarm", alarm_over("busy"));
  driver.evaluate();
  CHECK(driver.state("busy") == "OK");  // nothing is not breaching
  REQUIRE(driver.changes.size() == 1);
  CHECK(driver.changes[0].actions.empty());
  driver.put(4);
  driver.put(3);
  CHECK(to_millis(*driver.due) == kStart + 62'000);  // the period's end, and a little for its last values
  driver.evaluate();
  CHECK(driver.state("busy") == "OK");
  clock.pass(62'000);
  driver.evaluate();
  CHECK(driver.state("busy") == "ALARM");
  REQUIRE(driver.changes.size() == 2);
  const AlarmChange& change = driver.changes[1];
  const Json event = to_json(change.event.view());
  CHECK(event["detail-type"] == "CloudWatch Alarm State Change");
  CHECK(event["resources"][0] == "arn:aws:cloudwatch:us-east-1:123456789012:alarm:busy");
  CHECK(event["detail"]["state"]["value"] == "ALARM");
  CHECK(event["detail"]["previousState"]["value"] == "OK");
  CHECK(event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "m");
  const Json data = Json::parse(event["detail"]["state"]["reasonData"].get<std::string>());
  CHECK(data["recentDatapoints"] == Json::array({7.0}));
  REQUIRE(change.actions.size() == 1);
  CHECK(change.actions[0].arn == kTopic);
  CHECK(change.actions[0].subject == "ALARM: \"busy\" in us-east-1");
  const Json message = Json::parse(change.actions[0].input);
  CHECK(message["NewStateValue"] == "ALARM");
  CHECK(message["Trigger"]["Statistic"] == "SUM");
  // As long as it breaches nothing more is told; then once.
  clock.pass(60'000);
  driver.evaluate();
  CHECK(driver.changes.size() == 2);
  clock.pass(180'000);
  driver.evaluate();
  CHECK(driver.state("busy") == "OK");
  CHECK(driver.changes.size() == 3);
  const Json history =
      driver.call("DescribeAlarmHistory", {{"AlarmName", "busy"}, {"HistoryItemType", "StateUpdate"}});
  REQUIRE(history["AlarmHistoryItems"].size() == 3);
  CHECK(history["AlarmHistoryItems"][0]["HistorySummary"] == "Alarm updated from ALARM to OK");
}

TEST_CASE("Alarms: what was not told comes again after a restart, what was does not") {
  TemporaryHome home;
  HandClock clock;
  {
    StoreDriver driver(home, clock);
    driver.call("PutMetricAlarm", alarm_over("a"));
    for (const char* state : {"ALARM", "OK"})
      driver.call("SetAlarmState", {{"AlarmName", "a"}, {"StateValue", state}, {"StateReason", "tried"}});
    REQUIRE(driver.changes.size() == 2);
    driver.store->told(driver.changes[0].number, "a", {kTopic});
  }
  StoreDriver driver(home, clock);
  driver.evaluate();
  REQUIRE(driver.changes.size() == 1);
  CHECK(driver.changes[0].to == AlarmState::Ok);
  CHECK(driver.state("a") == "OK");
  const Json actions = driver.call("DescribeAlarmHistory", {{"HistoryItemType", "Action"}});
  CHECK(actions["AlarmHistoryItems"].size() == 1);
}

TEST_CASE("Alarms: percentiles, expressions, low sample counts") {
  TemporaryHome home;
  HandClock clock;
  StoreDriver driver(home, clock);
  Json p99 = alarm_over("slow", {{"ExtendedStatistic", "p99"}, {"Threshold", 100}});
  p99.erase("Statistic");
  driver.call("PutMetricAlarm", p99);
  Json careful = p99;
  careful["AlarmName"] = "careful";
  careful["EvaluateLowSampleCountPercentile"] = "ignore";
  driver.call("PutMetricAlarm", careful);
  const Json rate = {{"AlarmName", "rate"},
                     {"EvaluationPeriods", 1},
                     {"Threshold", 0.5},
                     {"ComparisonOperator", "GreaterThanOrEqualToThreshold"},
                     {"Metrics",
                      {{{"Id", "e1"}, {"Expression", "SUM(METRICS()) / 100"}},
                       {{"Id", "m1"},
                        {"ReturnData", false},
                        {"MetricStat",
                         {{"Metric", {{"Namespace", "shop"}, {"MetricName", "m"}}},
                          {"Period", 60},
                          {"Stat", "Maximum"}}}}}}};
  driver.call("PutMetricAlarm", rate);
  driver.evaluate();
  CHECK(driver.state("rate") == "INSUFFICIENT_DATA");
  Json values = Json::array(), counts = Json::array();
  for (int i = 1; i <= 50; ++i) values.push_back(i), counts.push_back(1);
  values.push_back(500), counts.push_back(5);
  driver.call("PutMetricData",
              {{"Namespace", "shop"},
               {"MetricData", {{{"MetricName", "m"}, {"Values", values}, {"Counts", counts}}}}});
  clock.pass(62'000);
  driver.evaluate();
  CHECK(driver.state("slow") == "ALARM");
  CHECK(driver.state("careful") == "OK");  // 55 values are too few for a p99: as it was
  CHECK(driver.state("rate") == "ALARM");
  const Json shown = driver.call("DescribeAlarms", {{"AlarmNames", {"rate"}}})["MetricAlarms"][0];
  CHECK(shown["Metrics"][0]["Expression"] == "SUM(METRICS()) / 100");
  CHECK(!shown.contains("Statistic"));
}

TEST_CASE("Alarms: composite ones follow their children, each settled before its parents") {
  TemporaryHome home;
  HandClock clock;
  StoreDriver driver(home, clock);
  driver.call("PutMetricAlarm", alarm_over("a"));
  driver.call("PutMetricAlarm", alarm_over("b"));
  const auto composite = [&](const char* name, const char* rule) {
    return driver.ask("PutCompositeAlarm",
                      {{"AlarmName", name}, {"AlarmRule", rule}, {"OKActions", {kTopic}}});
  };
  REQUIRE(composite("both", "ALARM(a) AND ALARM(b)"));
  REQUIRE(composite("either", "ALARM(a) OR ALARM(b)"));
  // Never true: its children are one way or the other together.
  REQUIRE(composite("never", "ALARM(a) AND NOT ALARM(either)"));
  driver.evaluate();
  CHECK(driver.state("both") == "OK");
  driver.changes.clear();
  const auto set = [&](const char* name, const char* state) {
    driver.call("SetAlarmState", {{"AlarmName", name}, {"StateValue", state}, {"StateReason", "tried"}});
  };
  set("a", "ALARM");
  CHECK(driver.state("both") == "OK");
  CHECK(driver.state("either") == "ALARM");
  set("b", "ALARM");
  CHECK(driver.state("both") == "ALARM");
  set("a", "OK");
  CHECK(driver.state("both") == "OK");
  std::vector<std::string> told;
  for (const AlarmChange& change : driver.changes) told.push_back(change.alarm);
  CHECK(told == std::vector<std::string>{"a", "either", "b", "both", "a", "both"});
  CHECK(driver.error("PutCompositeAlarm", {{"AlarmName", "either"}, {"AlarmRule", "OK(never)"}}) ==
        "ValidationError: The alarm rule of either refers to itself, directly or through never");
  CHECK(driver.error("PutCompositeAlarm", {{"AlarmName", "x"}, {"AlarmRule", "OK(nobody)"}})
            .find("do not exist") != std::string::npos);
  const Json children = driver.call("DescribeAlarms", {{"ChildrenOfAlarmName", "both"}});
  CHECK(children["MetricAlarms"].size() == 2);
  CHECK(driver.call("DescribeAlarms", {{"AlarmTypes", {"CompositeAlarm"}}})["CompositeAlarms"].size() == 3);
  CHECK(driver.call("DescribeAlarms", Json::object())["CompositeAlarms"].empty());
}

TEST_CASE("Alarms: updates keep the state, disabled actions tell nobody, tags, pages") {
  TemporaryHome home;
  HandClock clock;
  StoreDriver driver(home, clock);
  for (int i = 0; i < 7; ++i) driver.call("PutMetricAlarm", alarm_over("alarm-" + std::to_string(i)));
  driver.call("SetAlarmState", {{"AlarmName", "alarm-3"}, {"StateValue", "ALARM"}, {"StateReason", "tried"}});
  driver.call("PutMetricAlarm", alarm_over("alarm-3", {{"Threshold", 6}}));
  CHECK(driver.state("alarm-3") == "ALARM");
  Json request = {{"MaxRecords", 3}};
  std::vector<std::string> names;
  for (int pages = 0; pages < 4; ++pages) {
    const Json page = driver.call("DescribeAlarms", request);
    for (const Json& alarm : page["MetricAlarms"]) names.push_back(alarm["AlarmName"]);
    if (!page.contains("NextToken")) break;
    request["NextToken"] = page["NextToken"];
  }
  CHECK(names.size() == 7);
  CHECK(driver.call("DescribeAlarms", {{"StateValue", "ALARM"}})["MetricAlarms"].size() == 1);
  driver.call("DisableAlarmActions", {{"AlarmNames", {"alarm-3"}}});
  driver.changes.clear();
  driver.call("SetAlarmState", {{"AlarmName", "alarm-3"}, {"StateValue", "OK"}, {"StateReason", "tried"}});
  driver.call("SetAlarmState", {{"AlarmName", "alarm-3"}, {"StateValue", "ALARM"}, {"StateReason", "tried"}});
  REQUIRE(driver.changes.size() == 2);
  CHECK(driver.changes[1].actions.empty());
  const std::string arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:alarm-3";
  driver.call("TagResource", {{"ResourceARN", arn}, {"Tags", {{{"Key", "team"}, {"Value", "ops"}}}}});
  driver.call("TagResource", {{"ResourceARN", arn}, {"Tags", {{{"Key", "team"}, {"Value", "ml"}}}}});
  CHECK(driver.call("ListTagsForResource", {{"ResourceARN", arn}})["Tags"] ==
        Json::array({Json{{"Key", "team"}, {"Value", "ml"}}}));
  driver.call("UntagResource", {{"ResourceARN", arn}, {"TagKeys", {"team"}}});
  CHECK(driver.call("ListTagsForResource", {{"ResourceARN", arn}})["Tags"].empty());
  CHECK(driver.call("DescribeAlarmsForMetric", {{"Namespace", "shop"}, {"MetricName", "m"}})["MetricAlarms"]
            .size() == 7);
  driver.call("DeleteAlarms", {{"AlarmNames", {"alarm-3"}}});
  CHECK(driver.state("alarm-3") == "none");
}

TEST_CASE("Alarms: a thousand that rest cost nothing, and are looked at in little time") {
  TemporaryHome home;
  HandClock clock;
  StoreDriver driver(home, clock);
  for (int i = 0; i < 1000; ++i)
    driver.store->call(
        {"PutMetricAlarm", to_payload(alarm_over("alarm-" + std::to_string(i),
                                                 {{"MetricName", "m" + std::to_string(i % 50)}}))},
        [](const ServiceAnswer&) {});
  CHECK(driver.call("DescribeAlarms", {{"AlarmNamePrefix", "alarm-999"}})["MetricAlarms"].size() == 1);
  for (int i = 0; i < 3; ++i) driver.evaluate();
  const std::size_t before = driver.changes.size();
  clock.pass(62'000);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 2; ++i) driver.evaluate();
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  CHECK(driver.changes.size() == before);
  CHECK(to_millis(*driver.due) > to_millis(clock.now()));
  CHECK(took < 2);
}

TEST_CASE("Metrics: put of the library is seen by queries, and refuses what is no value") {
  TemporaryHome home;
  HandClock clock;
  StoreDriver driver(home, clock);
  MetricSink& sink = *driver.store;
  CHECK(sink.put("AWS/SageMaker", "drift", {{"Endpoint", "e"}}, 0.25, clock.now()));
  CHECK(!sink.put("", "drift", {}, 1, clock.now()));
  CHECK(!sink.put("x", "drift", {}, NAN, clock.now()));
  CHECK(!sink.put("x", "drift", {}, 1, from_millis(0)));
  CHECK(driver.call("ListMetrics", {{"Namespace", "AWS/SageMaker"}})["Metrics"].size() == 1);
}
