// Events put on a bus: what is accepted, what is refused, what is kept.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tasks/integrations/events/event_log.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct FixedClock final : Clock {
  Instant time = *parse_rfc3339("2026-11-21T10:00:00Z");
  Millis up{0};
  Instant now() const override { return time; }
  Millis uptime() const override { return up; }
};

Json entry(const std::string& detail = "{}") {
  return {{"Source", "shop"}, {"DetailType", "Order Placed"}, {"Detail", detail}};
}

struct Log {
  TemporaryHome home;
  FixedClock clock;
  EventLog::Settings settings;
  std::unique_ptr<EventLog> log;
  Log() { reopen(); }
  void reopen() {
    log.reset();
    ++settings.seed;  // each process draws its own
    auto opened = EventLog::open(home.path("events.db"), settings, clock);
    REQUIRE(opened);
    log = std::move(*opened);
  }
  Json put(const Json& entries, const std::string& request = "", const std::vector<std::string>& more = {}) {
    const auto answer = log->put({{"Entries", entries}}, request, more);
    return answer ? *answer : Json{{"error", answer.error().message}};
  }
  std::vector<EventLog::Event> all() { return *log->read(0, 1000); }
};

}  // namespace

TEST_CASE("PutEvents: an accepted event is kept as its targets will see it") {
  Log l;
  Json full = entry(R"({"order": 7, "price": 1.50})");
  full["Resources"] = Json::array({"arn:aws:s3:::b"});
  full["Time"] = 1'700'000'000.5;
  full["EventBusName"] = "arn:aws:events:us-east-1:123456789012:event-bus/orders";
  const Json answer = l.put(Json::array({full, entry()}), "", {"arn:execution"});
  CHECK(answer["FailedEntryCount"] == 0);
  CHECK(answer["Entries"][0]["EventId"].get<std::string>().size() == 36);
  CHECK(answer["Entries"][0]["EventId"] != answer["Entries"][1]["EventId"]);
  l.reopen();
  const auto events = l.all();
  REQUIRE(events.size() == 2);
  CHECK(events[0].bus == "orders");
  CHECK(
      events[0].document.dump() ==
      R"({"version":"0","id":")" + answer["Entries"][0]["EventId"].get<std::string>() +
          R"(","detail-type":"Order Placed","source":"shop","account":"123456789012","time":"2023-11-14T22:13:20Z",)"
          R"("region":"us-east-1","resources":["arn:aws:s3:::b","arn:execution"],"detail":{"order":7,"price":1.5}})");
  CHECK(events[1].bus == "default");
  CHECK(events[1].document["time"] == "2026-11-21T10:00:00Z");
  CHECK(l.log->read(events[0].number, 10)->size() == 1);
}

TEST_CASE("PutEvents: wrong entries fail alone, wrong requests fail whole") {
  Log l;
  Json none = entry(), source = entry(), type = entry(), aws = entry(), bus = entry(), time = entry();
  none.erase("Detail");
  source.erase("Source");
  type["DetailType"] = "";
  aws["Source"] = "aws.ec2";
  bus["EventBusName"] = "arn:aws:sqs:us-east-1:1:q";
  time["Time"] = "yesterday";
  const Json answer =
      l.put(Json::array({entry(), none, source, type, aws, bus, time, entry("{"), entry("[1]"), entry("3")}));
  CHECK(answer["FailedEntryCount"] == 9);
  CHECK(answer["Entries"][0].contains("EventId"));
  const char* kCodes[] = {
      "InvalidArgument", "InvalidArgument", "InvalidArgument", "NotAuthorizedForSourceException",
      "InvalidArgument", "InvalidArgument", "MalformedDetail", "MalformedDetail",
      "MalformedDetail"};
  for (std::size_t i = 0; i < std::size(kCodes); ++i) {
    CAPTURE(i);
    CHECK(answer["Entries"][i + 1]["ErrorCode"] == kCodes[i]);
  }
  CHECK(answer["Entries"][2]["ErrorMessage"] ==
        "Parameter Source is not valid. Reason: Source is a required argument.");
  CHECK(l.all().size() == 1);
  CHECK(l.put(Json::array())["error"].get<std::string>().find("greater than or equal to 1") !=
        std::string::npos);
  CHECK(l.put(Json::array({1})).contains("error"));
  CHECK(l.put("x").contains("error"));
  CHECK(l.put(Json(std::vector<Json>(101, entry()))).contains("error"));
  CHECK(l.all().size() == 1);
}

TEST_CASE("PutEvents: the same attempt puts its events once, also in another process") {
  Log l;
  const Json first = l.put(Json::array({entry()}), "7/1/2/0");
  CHECK(l.put(Json::array({entry()}), "7/1/2/0") == first);
  l.reopen();
  CHECK(l.put(Json::array({entry()}), "7/1/2/0") == first);
  CHECK(l.put(Json::array({entry()}), "7/1/2/1") != first);
  CHECK(l.all().size() == 2);
}

TEST_CASE("PutEvents: events are kept for a time and in number within limits") {
  Log l;
  l.settings.retention_days = 2;
  l.settings.events_max = 3;
  l.reopen();
  l.put(Json::array({entry()}), "old");
  l.clock.time += std::chrono::hours(49);
  l.clock.up += std::chrono::hours(49);
  l.put(Json::array({entry()}));
  REQUIRE(l.all().size() == 1);
  CHECK(l.all()[0].number == 2);
  for (int i = 0; i < 5; ++i) {
    l.clock.up += std::chrono::minutes(2);
    l.put(Json::array({entry()}));
  }
  CHECK(l.all().size() == 3);
  CHECK(l.all().back().number == 7);
}

TEST_CASE("events:putEvents: both forms of the task, with the execution among the resources") {
  TemporaryHome home;
  TaskDriver driver(home.path());
  const auto run = [&](const std::string& operation, const std::string& arguments) {
    const auto key = TaskDriver::key(++driver.visits);
    orchestrator::TaskRequest request;
    request.key = key;
    request.resource = "arn:aws:states:::" + operation;
    request.arguments = Payload::literal(arguments);
    request.execution_arn = "arn:aws:states:us-east-1:123456789012:execution:shop:run-1";
    driver.runner->start(request, [&](const orchestrator::TaskKey& at, orchestrator::TaskReport report) {
      if (auto* outcome = std::get_if<Outcome>(&report)) driver.seen[at].outcome = *outcome;
    });
    return driver.wait(key) ? TaskDriver::text(*driver.seen[key].outcome) : "no outcome";
  };
  const std::string good = R"({"Entries":[{"Source":"s","DetailType":"d","Detail":{"a":1}}]})";
  const std::string bad = R"({"Entries":[{"Source":"s","DetailType":"d","Detail":"{"}]})";
  const Json optimized = Json::parse(run("events:putEvents", good));
  CHECK(optimized["FailedEntryCount"] == 0);
  CHECK(optimized["SdkHttpMetadata"]["HttpStatusCode"] == 200);
  CHECK(optimized["SdkResponseMetadata"]["RequestId"] ==
        optimized["SdkHttpMetadata"]["HttpHeaders"]["x-amzn-RequestId"]);
  CHECK(run("events:putEvents.waitForTaskToken", good).find("EventId") != std::string::npos);
  const Json sdk = Json::parse(run("aws-sdk:eventbridge:putEvents", good));
  CHECK(sdk.size() == 2);
  CHECK(
      run("events:putEvents", bad) ==
      R"(EventBridge.FailedEntry: {"Entries":[{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}],"FailedEntryCount":1})");
  CHECK(Json::parse(run("aws-sdk:eventbridge:putEvents", bad))["FailedEntryCount"] == 1);
  CHECK(run("events:putEvents", "{}")
            .starts_with("EventBridge.AmazonEventBridgeException: 1 validation error"));
  CHECK(run("aws-sdk:eventbridge:putEvents", "{}")
            .starts_with("EventBridge.EventBridgeException: 1 validation error"));
  driver.runner.reset();
  EventLog::Settings settings;
  const auto log = EventLog::open(home.path("events.db"), settings, driver.clock);
  REQUIRE(log);
  const auto events = *(*log)->read(0, 10);
  REQUIRE(events.size() == 3);
  CHECK(
      events[0].document["resources"].dump() ==
      R"(["arn:aws:states:us-east-1:123456789012:execution:shop:run-1","arn:aws:states:us-east-1:123456789012:stateMachine:shop"])");
}
