// Models of tasks and what is forecast from them.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "definitions/compile.h"
#include "simulation/forecast.h"

using namespace millrace;
using namespace millrace::simulation;

namespace {

const std::string kDefinition = R"({"StartAt":"Ask","States":{
  "Ask":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Retry":[{"ErrorEquals":["Busy"],"IntervalSeconds":60,"MaxAttempts":3,"BackoffRate":1}],"Next":"Rest"},
  "Rest":{"Type":"Wait","Seconds":100,"End":true}}})";

Result<Model> model_of(const std::string& text) {
  return read_model(text, "m.json", *definitions::compile(kDefinition).program);
}

ForecastRequest request_with(const std::string& model) {
  ForecastRequest request;
  request.definition = kDefinition;
  auto read = model_of(model);
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message));
  request.model = std::move(*read);
  return request;
}

Forecast made(const ForecastRequest& request) {
  auto done = forecast(request);
  REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
  return std::move(*done);
}

std::string model_refusal(const std::string& model) {
  const auto read = model_of(model);
  return read ? "" : read.error().message;
}

Duration duration_of(const std::string& text) {
  const Payload document = *Payload::parse(text);
  auto read = read_duration(Member(document.view(), "d"));
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message));
  return *read;
}

double quantile(const Duration& duration, double q) {
  Random random(7);
  std::vector<double> drawn;
  for (int i = 0; i < 20'000; ++i) drawn.push_back(static_cast<double>(duration.draw(random).count()) / 1000);
  std::sort(drawn.begin(), drawn.end());
  return drawn[static_cast<std::size_t>(q * 19'999)];
}

}  // namespace

TEST_CASE("percentiles are of nearest rank") {
  std::vector<Millis> values;
  for (int i = 100; i >= 1; --i) values.push_back(Millis(i));
  const Percentiles p = percentiles(values);
  CHECK(p.p50 == Millis(50));
  CHECK(p.p95 == Millis(95));
  CHECK(p.p99 == Millis(99));
  CHECK(p.least == Millis(1));
  CHECK(p.most == Millis(100));
  CHECK(p.mean == Millis(50));
  CHECK(percentiles({Millis(7)}).p99 == Millis(7));
  CHECK(percentiles({}).count == 0);
}

TEST_CASE("durations are drawn from their distributions") {
  CHECK(quantile(duration_of("3"), 0.5) == 3);
  CHECK(quantile(duration_of(R"({"constant":3})"), 0.9) == 3);
  CHECK(quantile(duration_of(R"({"uniform":[10,20]})"), 0.5) == doctest::Approx(15).epsilon(0.02));
  CHECK(quantile(duration_of(R"({"uniform":[10,20]})"), 0.0) >= 10);
  CHECK(quantile(duration_of(R"({"exponential":{"mean":100}})"), 0.5) ==
        doctest::Approx(100 * std::log(2)).epsilon(0.03));
  CHECK(quantile(duration_of(R"({"lognormal":{"median":60,"p95":300}})"), 0.5) ==
        doctest::Approx(60).epsilon(0.03));
  CHECK(quantile(duration_of(R"({"lognormal":{"median":60,"p95":300}})"), 0.95) ==
        doctest::Approx(300).epsilon(0.05));
  CHECK(quantile(duration_of(R"({"samples":[1,2,30]})"), 0.99) == 30);
}

TEST_CASE("a constant model takes exactly as long as it says") {
  ForecastRequest request = request_with(R"({"tasks":{"Ask":{"duration":40}}})");
  request.runs = 3;
  const Forecast done = made(request);
  CHECK(done.duration.least == Millis(140'000));
  CHECK(done.duration.most == Millis(140'000));
  CHECK(done.statuses == std::map<std::string, std::size_t>{{"SUCCEEDED", 3}});
  REQUIRE(done.states.size() == 2);
  CHECK(done.states[0].seconds_per_run == 40);
  CHECK(done.states[1].visit.p50 == Millis(100'000));
  CHECK(done.states[0].attempts == 3);
}

TEST_CASE("failures are retried, and end runs, as often as the model says") {
  ForecastRequest request = request_with(
      R"({"default":{"duration":10,"outcomes":[{"probability":0.5,"throw":{"error":"Busy"},"duration":1}]}})");
  request.runs = 2000;
  const Forecast done = made(request);
  // Four attempts fail with probability 1/16; the attempts of a run are 15/8 on average.
  CHECK(static_cast<double>(done.errors.at("Busy")) == doctest::Approx(125).epsilon(0.25));
  CHECK(static_cast<double>(done.states[0].attempts) == doctest::Approx(3750).epsilon(0.05));
  CHECK(done.states[0].failures == done.errors.at("Busy"));
  CHECK(done.duration.most == Millis(110'000 + 3 * 61'000));
  CHECK(done.duration.least == Millis(110'000));
}

TEST_CASE("the same seed forecasts the same, another one another") {
  ForecastRequest request = request_with(R"({"default":{"duration":{"exponential":{"mean":30}}}})");
  request.runs = 20;
  const auto durations = [&] {
    std::vector<Millis> all;
    for (const RunSummary& run : made(request).runs) all.push_back(run.duration);
    return all;
  };
  const auto first = durations();
  CHECK(durations() == first);
  request.seed = 2;
  CHECK(durations() != first);
}

TEST_CASE("a schedule: runs that overlap are counted, and those that are cut off run on") {
  ForecastRequest request = request_with(R"({"tasks":{"Ask":{"duration":50}}})");
  const Instant zero = request.start;
  for (const int second : {0, 100, 250, 400, 500, 3000})
    request.starts.push_back(zero + std::chrono::seconds(second));
  request.until = zero + std::chrono::seconds(600);
  const Forecast done = made(request);
  CHECK(done.runs.size() == 5);
  CHECK(done.overlap.skipped == 1);
  CHECK(done.overlap.began_while_another_ran == 2);  // 100 s in 0 … 150, 500 s in 400 … 550
  CHECK(done.overlap.at_once_max == 2);
  CHECK(done.overlap.when == zero + std::chrono::seconds(100));
  CHECK(done.statuses.at("RUNNING") == 1);
  CHECK(done.statuses.at("SUCCEEDED") == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(done.runs[i].duration == Millis(150'000));
  REQUIRE(done.typical != nullptr);
  CHECK(done.typical->duration() == Millis(150'000));
}

TEST_CASE("a loop without an end and without time is refused") {
  ForecastRequest request = request_with(R"({"default":{}})");
  request.definition =
      R"({"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":1,"Next":"B"},"B":{"Type":"Choice","Choices":[{"Variable":"$.stop","IsPresent":true,"Next":"C"}],"Default":"A"},"C":{"Type":"Succeed"}}})";
  request.until = request.start + std::chrono::seconds(500);
  const Forecast done = made(request);
  CHECK(done.statuses.at("RUNNING") == 1);
  request.until = Instant::max();
  CHECK(made(request).errors.at("States.Runtime") == 1);  // the history is full
}

TEST_CASE("a model that is wrong says where") {
  CHECK(model_refusal(R"({"tasks":{"Aks":{}}})") == "m.json: /tasks: the definition has no Task state 'Aks'");
  CHECK(model_refusal(R"({})") == "m.json: the model says nothing of 'Ask'");
  CHECK(model_refusal(R"({"tasks":{"Ask":{"duration":-1}}})").find("m.json: /tasks/Ask/duration: ") == 0);
  CHECK(model_refusal(R"({"tasks":{"Ask":{"duration":{"weibull":1}}}})").find("unknown member 'weibull'") !=
        std::string::npos);
  CHECK(model_refusal(R"({"tasks":{"Ask":{"duration":{"uniform":[2,1]}}}})").find("/duration/uniform: ") !=
        std::string::npos);
  CHECK(model_refusal(R"({"tasks":{"Ask":{"duration":{"lognormal":{"median":2}}}}})")
            .find("/lognormal: must have 'median' and one of") != std::string::npos);
  CHECK(model_refusal(R"({"tasks":{"Ask":{"outcomes":[{"probability":0.7},{"probability":0.7}]}}})")
            .find("sum to more than 1") != std::string::npos);
  CHECK(model_refusal(R"({"tasks":{"Ask":{"outcomes":[{"return":1}]}}})").find("'probability' is missing") !=
        std::string::npos);
}
