// Consumers of streams, their pure parts: plans, names of objects, what filters and targets see.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "service/streams/anomalies.h"
#include "service/streams/handover.h"
#include "service/streams/object_batch.h"
#include "tasks/artifacts/channel_source.h"

using namespace millrace;
using namespace millrace::streams;

namespace {

const bus::BusPlace kPlaceOfTests;
const Instant kNoon = *parse_rfc3339("2026-11-21T12:34:56.789Z");

std::string key_of(const std::string& prefix, bool gzip = false, const std::string& extension = "") {
  ObjectPlan plan;
  plan.prefix = prefix, plan.gzip = gzip, plan.extension = extension;
  return object_key(plan, "clicks", "batch-1", kNoon);
}

Json pipe_record() {
  return Json::parse(
      R"({"Name": "p", "Source": "arn:aws:kinesis:us-east-1:123456789012:stream/s", "Created": 1000,
    "Target": "arn:aws:states:us-east-1:123456789012:stateMachine:m",
    "SourceParameters": {"KinesisStreamParameters": {"StartingPosition": "LATEST", "BatchSize": 7,
                                                     "MaximumBatchingWindowInSeconds": 3}}})");
}

std::string refusal_of(Json record) {
  const auto plan = compile_plan(kind::kPipe, "p", record, kPlaceOfTests);
  return plan ? "" : plan.error().message;
}

Item item_with(const ConsumerPlan& plan, const std::string& data) {
  return item_of(plan, {}, {5, kNoon, "key", data}, "us-east-1");
}

}  // namespace

TEST_CASE("Delivery: an object is named after its first record and its batch") {
  const std::string end = "clicks-1-2026-11-21-12-34-56-";
  CHECK(key_of("").starts_with("2026/11/21/12/" + end));
  CHECK(key_of("raw/").starts_with("raw/2026/11/21/12/" + end));
  CHECK(key_of("raw/!{timestamp:yyyy/MM/dd/HH}/").starts_with("raw/2026/11/21/12/" + end));
  CHECK(key_of("day=!{timestamp:yyyy-MM-dd}/").starts_with("day=2026-11-21/" + end));
  CHECK(key_of("y=!{timestamp:yyyy}/m=!{timestamp:MM}/").starts_with("y=2026/m=11/" + end));
  CHECK(key_of("", true).ends_with(".gz"));
  CHECK(key_of("", true, ".json.gz").ends_with(".json.gz"));
  CHECK(key_of("") == key_of(""));
  CHECK(object_key({}, "clicks", "batch-2", kNoon) != key_of(""));
  CHECK(key_of("!{firehose:random-string}/") == key_of("!{firehose:random-string}/"));
}

TEST_CASE("Delivery: gzip is read back, and is the same each time") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919 % 1000) + "\n";
  const auto packed = gzip_of(text);
  REQUIRE(packed);
  CHECK(packed->size() < text.size());
  CHECK(*packed == *gzip_of(text));
  const auto again = tasks::decompress(tasks::ChannelSource::Compression::Gzip, *packed, "an object");
  REQUIRE(again);
  CHECK(*again == text);
}

TEST_CASE("Plans: a pipe of a stream") {
  const auto plan = compile_plan(kind::kPipe, "p", pipe_record(), kPlaceOfTests);
  REQUIRE(plan);
  CHECK(plan->source == "s");
  CHECK(plan->arn == "arn:aws:pipes:us-east-1:123456789012:pipe/p");
  CHECK(plan->batch_records == 7);
  CHECK(plan->window == std::chrono::seconds(3));
  CHECK(plan->from == from_millis(1000));
  CHECK(plan->attempts_max == -1);
}

TEST_CASE("Plans: what can't be is said") {
  Json record = pipe_record();
  record["Source"] = "arn:aws:dynamodb:us-east-1:123456789012:table/t";
  CHECK(refusal_of(record).find("neither a stream nor a queue") != std::string::npos);
  const auto forest = [](const char* settings) {
    Json with = pipe_record();
    with["Enrichment"] = kForestArn;
    with["EnrichmentParameters"] = {{"InputTemplate", settings}};
    return refusal_of(with);
  };
  CHECK(forest(R"({"Fields": ["t"]})").empty());
  CHECK(forest("[]").find("must be a JSON object") != std::string::npos);
  CHECK(forest("{}").starts_with("Fields must name"));
  CHECK(forest(R"({"Fields": ["t"], "NumberOfTrees": 0})") == "NumberOfTrees is 0; it must be 1 to 1000");
  CHECK(forest(R"({"Fields": ["t"], "Quantile": 2})").starts_with("Quantile must be a number"));
  record = pipe_record();
  record["SourceParameters"]["FilterCriteria"] = {{"Filters", {{{"Pattern", "{"}}}}};
  CHECK(refusal_of(record).find("Event pattern is not valid") != std::string::npos);
}

TEST_CASE("Plans: a delivery stream can't write outside of its bucket") {
  Json record = Json::parse(R"({"Name": "d", "Destination": {"BucketARN": "arn:aws:s3:::out"}})");
  CHECK(compile_plan(kind::kDelivery, "d", record, kPlaceOfTests));
  for (const char* prefix : {"../up/", "a/../../b/", "a//b/", "/a"}) {
    record["Destination"]["Prefix"] = prefix;
    CHECK_MESSAGE(!compile_plan(kind::kDelivery, "d", record, kPlaceOfTests), prefix);
  }
  record["Destination"] = {{"BucketARN", "arn:aws:s3:::.uploads"}};
  CHECK(!compile_plan(kind::kDelivery, "d", record, kPlaceOfTests));
}

TEST_CASE("Events: filters of pipes and mappings look at the data as JSON") {
  Json record = pipe_record();
  record["SourceParameters"]["FilterCriteria"] = {
      {"Filters", {{{"Pattern", R"({"data": {"n": [{"numeric": [">", 5]}]}, "partitionKey": ["key"]})"}}}}};
  for (const bool pipe : {true, false}) {
    auto plan = compile_plan(kind::kPipe, "p", record, kPlaceOfTests);
    REQUIRE(plan);
    plan->pipe = pipe;
    CHECK(is_wanted(*plan, item_with(*plan, R"({"n": 6})")));
    CHECK(!is_wanted(*plan, item_with(*plan, R"({"n": 5})")));
    CHECK(!is_wanted(*plan, item_with(*plan, "no JSON")));
  }
}

TEST_CASE("Events: a record as a function and as a pipe's target get it") {
  auto plan = compile_plan(kind::kPipe, "p", pipe_record(), kPlaceOfTests);
  REQUIRE(plan);
  const Json of_pipe = to_json(item_with(*plan, "{}").event.view());
  CHECK(of_pipe["data"] == "e30=");
  CHECK(of_pipe["partitionKey"] == "key");
  CHECK(of_pipe["eventID"].get<std::string>().starts_with("shardId-000000000000:49"));
  CHECK(of_pipe["approximateArrivalTimestamp"] == 1795264496.789);
  plan->pipe = false;
  const Item item = item_with(*plan, "{}");
  const Json of_function = to_json(batch_of(*plan, {item}).view());
  CHECK(of_function["Records"][0]["kinesis"]["data"] == "e30=");
  CHECK(of_function["Records"][0]["eventSource"] == "aws:kinesis");
}

TEST_CASE("Anomalies: records without the fields are passed over; what is odd says so") {
  ForestPlan forest;
  forest.fields = {"a.b", "c"};
  forest.settings.fields = 2, forest.settings.trees = 30, forest.settings.samples = 64;
  Anomalies anomalies(forest);
  auto plan = compile_plan(kind::kPipe, "p", pipe_record(), kPlaceOfTests);
  REQUIRE(plan);
  for (const char* data : {"text", "{}", R"({"a": {"b": 1}})", R"({"a": {"b": "1"}, "c": 2})"})
    CHECK(!anomalies.look_at(item_with(*plan, data)));
  CHECK(anomalies.rows() == 0);
  int alarms = 0;
  for (int i = 0; i < 500; ++i)
    alarms += anomalies
                  .look_at(item_with(*plan, "{\"a\":{\"b\":" + std::to_string(i % 7) +
                                                "},\"c\":" + std::to_string(i % 5) + "}"))
                  .has_value();
  CHECK_MESSAGE(alarms < 10, alarms);
  const std::string saved = anomalies.save(77);
  const auto odd = anomalies.look_at(item_with(*plan, R"({"a.b": 400, "c": 2})"));
  REQUIRE(odd);
  const Json told = to_json(odd->event.view())["anomaly"];
  CHECK(told["score"] > told["threshold"]);
  CHECK(told["attribution"]["a.b"] > 0.9);
  CHECK(told["values"]["a.b"] == 400.0);
  Anomalies other(forest);
  CHECK(*other.load(saved) == 77);
  const auto again = other.look_at(item_with(*plan, R"({"a.b": 400, "c": 2})"));
  REQUIRE(again);
  CHECK(again->event == odd->event);
}
