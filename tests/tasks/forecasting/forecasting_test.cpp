#include "tasks/forecasting/forecasting.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/forecasting/series.h"
#include "tasks/training/train.h"
#include "tests/support/paths.h"
#include "tests/tasks/support/fake_context.h"
#include "tests/tasks/support/model_files.h"
#include "tests/tasks/support/own_form_fit.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Months with a season of 12, noise and a trend, in DeepAR's form.
std::string monthly_lines(std::size_t series, int length, std::uint64_t seed) {
  Random random(seed);
  std::string lines;
  for (std::size_t k = 0; k < series; ++k) {
    Json target = Json::array();
    for (int i = 0; i < length; ++i)
      target.push_back(100 + 20 * std::sin(i * 0.5235987755982988) + 0.2 * i + 5 * random.normal());
    lines += Json{{"start", "2015-01-01 00:00:00"}, {"target", target}, {"item_id", "m" + std::to_string(k)}}
                 .dump() +
             "\n";
  }
  return lines;
}

const HyperParameters kMonthly = {{"prediction_length", "6"}, {"time_freq", "M"}};

Fitted monthly_model(FitContext context = {}) {
  auto fitted = fit_own_form(
      "forecasting", kMonthly,
      {channel_of("train", monthly_lines(5, 60, 1)), channel_of("test", monthly_lines(5, 66, 1)), ""},
      context);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

std::string fit_error(const std::string& train, HyperParameters parameters = kMonthly) {
  const auto fitted = fit_own_form("forecasting", parameters, {channel_of("train", train), {}, ""});
  return fitted ? "fitted" : fitted.error().message;
}

std::unique_ptr<const Model> reload(const Model& model) {
  auto loaded = find_estimator("forecasting")->load(model.save());
  REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().message));
  return std::move(*loaded);
}

}  // namespace

TEST_CASE("calendar: frequencies, steps and seasons") {
  CHECK(parse_frequency("30min")->count == 30);
  CHECK(format_frequency(*parse_frequency("2h")) == "2H");
  CHECK(parse_frequency("W-SUN")->unit == TimeUnit::Week);
  CHECK(!parse_frequency("fortnight"));
  CHECK(!parse_frequency("0H"));
  CHECK(seasons_of(*parse_frequency("H")) == std::vector{24, 168});
  CHECK(seasons_of(*parse_frequency("15min")) == std::vector{96, 672});
  CHECK(seasons_of(*parse_frequency("M")) == std::vector{12});
  CHECK(seasons_of(*parse_frequency("Y")).empty());
  const auto seconds = [](const char* text) { return parse_time_stamp(text)->value; };
  const Frequency month{TimeUnit::Month, 1}, business{TimeUnit::BusinessDay, 1},
      quarter{TimeUnit::Quarter, 1};
  CHECK(format_time_stamp(add_steps(seconds("2024-01-31"), 1, month), month) == "2024-02-29");
  CHECK(format_time_stamp(add_steps(seconds("2023-12-30"), 2, month), month) == "2024-02-29");
  CHECK(format_time_stamp(add_steps(seconds("1998-10-01"), 2, quarter), quarter) == "1999-04-01");
  CHECK(format_time_stamp(add_steps(seconds("2026-11-20"), 1, business), business) ==
        "2026-11-23");  // Friday
  CHECK(steps_between(seconds("2026-11-20"), seconds("2026-11-23"), business) == 1);
  CHECK(!steps_between(seconds("2026-11-20"), seconds("2026-11-21"), business));
  CHECK(steps_between(seconds("2024-01-31"), seconds("2025-01-01"), month) == 12);
  const Frequency hour{TimeUnit::Hour, 1};
  CHECK(steps_between(seconds("2024-01-01 00:00:00"), seconds("2024-01-02T01:00:00Z"), hour) == 25);
  CHECK(!steps_between(seconds("2024-01-01 00:00:00"), seconds("2024-01-01 00:30:00"), hour));
  CHECK(format_time_stamp(seconds("1969-12-31 23:00:00"), hour) == "1969-12-31 23:00:00");
  for (const char* wrong :
       {"", "2024", "2024-13-01", "2023-02-29", "2024-01-01 24:00:00", "2024-01-01x", "1.5"})
    CHECK_MESSAGE((!parse_time_stamp(wrong) || parse_time_stamp(wrong)->step), wrong);
}

TEST_CASE("series: CSV in any order, with gaps and inferred steps") {
  const auto set = parse_series_csv(
      "timestamp,item_id,target_value\n2024-03-01,a,3\n2024-01-01,a,1\n2024-04-01,a,\n2024-05-01,a,5\n"
      "2024-01-01,b,7\n",
      "x.csv", {}, std::nullopt);
  REQUIRE_MESSAGE(set.has_value(), (set ? "" : set.error().message));
  CHECK(set->frequency == Frequency{TimeUnit::Month, 1});
  REQUIRE(set->series.size() == 2);
  CHECK(set->series[0].values.size() == 5);
  CHECK(std::isnan(set->series[0].values[1]));
  CHECK(std::isnan(set->series[0].values[3]));
  CHECK(fill_gaps(set->series[0].values, 1).values == std::vector<double>{1, 2, 3, 4, 5});
  const double none = std::nan("");
  CHECK(fill_gaps({none, 1, 2, none, none, none}, 2).values == std::vector<double>{1, 2, 1, 2, 1});
  CHECK(fill_gaps({none, none}, 2).values.empty());
  const auto bare = parse_series_csv("a,1,3\na,2,4\n", "x.csv", {}, std::nullopt);
  REQUIRE(bare.has_value());
  CHECK(bare->series[0].values == std::vector<double>{3, 4});
}

TEST_CASE("series: what is wrong is named with its file, line and field") {
  CHECK(fit_error("{\"start\": \"2024-01-01\", \"target\": [1, \"x\"]}\n") ==
        "s3://b/train:1: target[1]: \"x\" is not a number");
  CHECK(fit_error("\n{\"start\": \"2024-13-01\", \"target\": [1]}\n") ==
        "s3://b/train:2: start: \"2024-13-01\" is not a time");
  CHECK(fit_error("{\"target\": [1]}") == "s3://b/train:1: start is missing");
  CHECK(fit_error("{\"start\": \"2024-01-01\", \"target\": [1], \"categ\": [1]}") ==
        "s3://b/train:1: there is no field 'categ'");
  CHECK(fit_error("{\"start\": \"2024-01-01\", \"target\": [1, 2], \"dynamic_feat\": [[1]]}") ==
        "train: item '0': dynamic_feat[0] has 1 values, expected 2");
  CHECK(fit_error("{oops\n") == "s3://b/train:1: the line is not JSON");
  CHECK(fit_error("item_id,timestamp,target_value\na,2024-01-01,1\na,soon,2\n") ==
        "s3://b/train: row 2, column 'timestamp': 'soon' is not a time");
  CHECK(fit_error("item_id,timestamp,target_value\na,2024-01-01,1\na,2024-02-01,abc\n")
            .starts_with("s3://b/train:3: "));
  CHECK(fit_error("item_id,timestamp,target_value\na,2024-01-01,1\na,2024-01-15,2\n") ==
        "s3://b/train: item 'a', time 2024-01-15: there are two values of this step");
  CHECK(fit_error("item,timestamp,target_value\n", kMonthly) == "s3://b/train: there are no rows");
  CHECK(fit_error("item_id,when,target_value\na,2024-01-01,1\n") ==
        "s3://b/train: there is no column 'timestamp'");
  CHECK(fit_error(monthly_lines(1, 30, 1), {{"prediction_length", "6"}}) ==
        "s3://b/train: series in JSON lines do not show their frequency");
  CHECK(fit_error(monthly_lines(1, 30, 1), {{"prediction_length", "6"}, {"time_freq", "X"}}) ==
        "hyperparameter 'time_freq': 'X' is not a frequency");
  CHECK(fit_error("{\"start\": \"2024-01-01\", \"target\": [null, \"NaN\"]}") ==
        "train: no series has a value");
}

TEST_CASE("forecasting: a job in DeepAR's form; metrics, card and the same bytes for any number of threads") {
  const Fitted one = monthly_model();
  FitContext two;
  two.threads = 2;
  CHECK(one.model->save() == monthly_model(two).model->save());
  for (const char* name : {"RMSE", "MASE", "sMAPE", "WAPE", "MAPE", "mean_wQuantileLoss", "wQL[0.9]"})
    for (const char* part : {"validation:", "test:"}) CHECK(one.metrics.contains(std::string(part) + name));
  CHECK(one.metrics.at("test:RMSE") < 9);  // the noise alone has 5
  CHECK(one.metrics.at("test:MASE") < 1);
  check_damage_is_refused("forecasting", one.model->save());

  FakeContext context;
  REQUIRE(context.objects().write("s3://b/train/a.jsonl", monthly_lines(2, 40, 1)));
  const auto spec = parse_training_spec(Json::parse(R"({"TrainingJobName": "f", "AlgorithmSpecification":
      {"TrainingImage": "522234722520.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1"},
      "HyperParameters": {"prediction_length": "6", "time_freq": "M", "context_length": "12", "epochs": "20"},
      "InputDataConfig": [{"ChannelName": "train", "ContentType": "application/jsonlines",
        "DataSource": {"S3DataSource": {"S3Uri": "s3://b/train/"}}}],
      "OutputDataConfig": {"S3OutputPath": "s3://b/models"}})"));
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  const auto result = run_training(*spec, context);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
  const Json card = Json::parse(model_file(context.objects(), result->model_uri, "model_card.json"));
  CHECK(card["algorithm"] == "forecasting");
  CHECK(card["data"]["train"]["objects"] == 1);
  CHECK(card["metrics"].contains("validation:MASE"));
}

TEST_CASE("forecasting: requests and answers in DeepAR's form, the same after saving and loading") {
  const Fitted fitted = monthly_model();
  const auto model = reload(*fitted.model);
  const std::string request = Json{{"instances", {Json::parse(monthly_lines(1, 48, 9)), {{"item_id", "m2"}}}},
                                   {"configuration",
                                    {{"num_samples", 40},
                                     {"output_types", {"mean", "quantiles", "samples"}},
                                     {"quantiles", {"0.1", "0.5", "0.90"}}}}}
                                  .dump();
  const OwnAnswer answer = answer_of(*model, request, "application/json");
  CHECK(answer.content_type == "application/json");
  CHECK(answer.body == answer_of(*fitted.model, request, "application/json").body);
  const Json predictions = Json::parse(answer.body)["predictions"];
  REQUIRE(predictions.size() == 2);
  for (const Json& prediction : predictions) {
    CHECK(prediction["mean"].size() == 6);
    REQUIRE(prediction["samples"].size() == 40);
    CHECK(prediction["samples"][0].size() == 6);
    for (std::size_t h = 0; h < 6; ++h) {
      CHECK(prediction["quantiles"]["0.1"][h] < prediction["quantiles"]["0.5"][h]);
      CHECK(prediction["quantiles"]["0.5"][h] < prediction["quantiles"]["0.90"][h]);
    }
  }
  // Item m2 has 60 months from 2015 on; CSV numbers its steps by the calendar.
  const OwnAnswer csv =
      answer_of(*model, "{\"instances\":[{\"item_id\":\"m2\"}]}", "application/json", "text/csv");
  CHECK(csv.body.starts_with("item_id,timestamp,mean,p10,p20,"));
  CHECK(csv.body.find("\nm2,2020-01-01,") != std::string::npos);
  CHECK(csv.body.find("\nm2,2020-06-01,") != std::string::npos);
  const OwnAnswer lines = answer_of(*model, monthly_lines(2, 24, 5), "application/jsonlines");
  CHECK(std::count(lines.body.begin(), lines.body.end(), '\n') == 2);
}

TEST_CASE("forecasting: wrong requests are named") {
  const Fitted fitted = monthly_model();
  const Model& model = *fitted.model;
  CHECK(refusal_of(model, "{\"instances\": []}", "application/json") ==
        "instances: expected a list of series");
  CHECK(refusal_of(model, "[", "application/json") == "the body is not a JSON object");
  CHECK(refusal_of(model, "{\"instances\": [{\"item_id\": \"zz\"}]}", "application/json") ==
        "instances[0]: target is missing, and 'zz' is no item of the training data");
  CHECK(refusal_of(model, "{\"instances\": [{\"start\": \"2024-01-01\", \"target\": []}]}",
                   "application/json") == "instances[0]: target has no value");
  const auto with = [](const std::string& configuration) {
    return "{\"instances\": [{\"item_id\": \"m1\"}], \"configuration\": " + configuration + "}";
  };
  CHECK(refusal_of(model, with("{\"num_samples\": 0}"), "application/json") ==
        "configuration.num_samples: expected an integer from 1 to 10000");
  CHECK(refusal_of(model, with("{\"quantiles\": [\"1.5\"]}"), "application/json") ==
        "configuration.quantiles: \"1.5\" is no number between 0 and 1");
  CHECK(refusal_of(model, with("{\"output_types\": [\"median\"]}"), "application/json") ==
        "configuration.output_types: \"median\" is none of mean, quantiles, samples");
  CHECK(refusal_of(model, "x", "text/plain").starts_with("ContentType \"text/plain\" is not supported"));
  CHECK(refusal_of(model, with("{}"), "application/json", "image/png").starts_with("Accept \"image/png\""));
}

TEST_CASE("forecasting: constant, zero, short, negative and broken series in one set") {
  const auto line = [](const std::string& item, const Json& target) {
    return Json{{"start", "2024-01-01"}, {"target", target}, {"item_id", item}}.dump() + "\n";
  };
  Json gaps = Json::array(), sparse = Json::array(), negative = Json::array();
  for (int i = 0; i < 60; ++i) {
    gaps.push_back(i % 5 == 2 ? Json() : Json(10 + i % 12));
    sparse.push_back(i % 7 == 0 ? 3 : 0);
    negative.push_back(-100 + i % 12);
  }
  const std::string train = line("constant", std::vector<int>(40, 7)) +
                            line("zero", std::vector<int>(40, 0)) + line("one", {5}) + line("two", {5, 6}) +
                            line("gaps", gaps) + line("sparse", sparse) + line("negative", negative) +
                            line("none", {nullptr}) + line("huge", {1e300, 1e299, 1e300, 1e299});
  auto fitted = fit_own_form("forecasting", kMonthly, {channel_of("train", train), {}, ""});
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  const auto forecast = [&](const std::string& item) {
    const auto body =
        answer_of(*fitted->model, "{\"instances\":[{\"item_id\":\"" + item + "\"}]}", "application/json")
            .body;
    return Json::parse(body)["predictions"][0];
  };
  for (const char* item : {"constant", "zero", "one", "two", "gaps", "sparse", "negative", "huge"}) {
    CAPTURE(item);
    const Json prediction = forecast(item);
    for (const Json& x : prediction["mean"]) CHECK(x.is_number());
    for (const auto& [level, values] : prediction["quantiles"].items())
      for (const Json& x : values) {
        CHECK(x.is_number());
        if (std::string_view(item) != "negative") CHECK(x.get<double>() >= 0);
      }
  }
  for (const Json& x : forecast("constant")["mean"]) CHECK(x == 7.0);
  for (const Json& x : forecast("zero")["mean"]) CHECK(x == 0.0);
  for (std::size_t h = 0; h < 6; ++h) {
    CHECK(forecast("negative")["mean"][h].get<double>() ==
          doctest::Approx(-100 + static_cast<int>(h)).epsilon(0.01));
    CHECK(forecast("gaps")["mean"][h].get<double>() ==
          doctest::Approx(10 + static_cast<int>(h)).epsilon(0.2));
  }
}

TEST_CASE("forecasting: intervals cover what they promise") {
  Random random(3);
  std::string train;
  std::vector<std::vector<double>> future;
  for (int k = 0; k < 40; ++k) {
    std::vector<double> values;
    double level = 50;
    for (int i = 0; i < 92; ++i) values.push_back((level += 0.3 * random.normal()) + 2 * random.normal());
    future.emplace_back(values.end() - 12, values.end());
    values.resize(80);
    train += Json{{"start", "2024-01-01"}, {"target", values}, {"item_id", std::to_string(k)}}.dump() + "\n";
  }
  auto fitted = fit_own_form("forecasting", {{"prediction_length", "12"}, {"time_freq", "D"}},
                             {channel_of("train", train), {}, ""});
  REQUIRE(fitted.has_value());
  int inside = 0;
  for (std::size_t k = 0; k < future.size(); ++k) {
    const Json answer =
        Json::parse(answer_of(*fitted->model, "{\"instances\":[{\"item_id\":\"" + std::to_string(k) + "\"}]}",
                              "application/json")
                        .body);
    const Json& quantiles = answer["predictions"][0]["quantiles"];
    for (std::size_t h = 0; h < 12; ++h)
      inside += future[k][h] >= quantiles["0.1"][h].get<double>() &&
                future[k][h] <= quantiles["0.9"][h].get<double>();
  }
  const double share = inside / 480.0;
  CHECK(share > 0.72);
  CHECK(share < 0.9);
}

TEST_CASE("forecasting: a stopped fit ends as cancelled") {
  FitContext context;
  context.cancelled = [] { return true; };
  const auto fitted =
      fit_own_form("forecasting", kMonthly, {channel_of("train", monthly_lines(3, 60, 1)), {}, ""}, context);
  REQUIRE(!fitted);
  CHECK(fitted.error().code == ErrorCode::Cancelled);
}

namespace {

// Everything but the last `horizon` rows of each item is the train channel.
void check_published(const std::string& set, const HyperParameters& parameters, std::size_t horizon,
                     const std::map<std::string, double>& at_most) {
  const std::string path = source_path("/../shared/data/") + set + "/data.csv";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: ", path, " is not there");
    return;
  }
  const std::string all = file_text(path);
  std::vector<std::string_view> lines;
  for (std::string_view rest = all; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    lines.push_back(rest.substr(0, end + 1));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  const auto item = [](std::string_view line) {
    return line.substr(0, line.rfind(',', line.rfind(',') - 1));
  };
  std::string train(lines[0]);
  for (std::size_t i = 1; i < lines.size(); ++i)
    if (i + horizon < lines.size() && item(lines[i + horizon]) == item(lines[i])) train += lines[i];
  const auto begun = std::clock();
  auto fitted =
      fit_own_form("forecasting", parameters, {channel_of("train", train), channel_of("test", all), ""});
  const double seconds = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  std::string shown;
  for (const auto& [name, value] : fitted->metrics) shown += " " + name + "=" + std::to_string(value);
  MESSAGE(set, ": ", seconds, " s of CPU with reading and testing;", shown);
  for (const auto& [name, limit] : at_most) {
    CAPTURE(name);
    CHECK(fitted->metrics.at(name) <= limit);
  }
}

}  // namespace

// Published: the M4 competition's winner has sMAPE 9.328 and MASE 0.893 on the hourly series, the best of
// all 8.913 and 0.801; the best local method on tourism a MASE of 0.969.
TEST_CASE("forecasting: accuracy on published series") {
  check_published("m4_hourly", {{"prediction_length", "48"}, {"time_freq", "H"}}, 48,
                  {{"test:sMAPE", 9.0}, {"test:MASE", 0.86}});
  check_published("tourism", {{"prediction_length", "8"}}, 8, {{"test:MASE", 0.945}});
}
