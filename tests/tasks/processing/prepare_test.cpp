#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/artifacts/files.h"
#include "tasks/artifacts/read_table.h"
#include "tasks/processing/column_pipeline.h"
#include "tasks/processing/processors.h"
#include "tasks/table/request_rows.h"
#include "tests/support/paths.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Table table_of(std::string_view csv) {
  CsvOptions options;
  options.keep_spelling = true;
  auto table = parse_csv(csv, "data.csv", options);
  REQUIRE_MESSAGE(table.has_value(), table.error().message);
  return *table;
}
FittedTable fitted(std::string_view csv, const char* settings) {
  auto out = fit_pipeline(table_of(csv), Json::parse(settings), 1);
  REQUIRE_MESSAGE(out.has_value(), out.error().message);
  return std::move(*out);
}
std::string refusal(std::string_view csv, const char* settings) {
  auto out = fit_pipeline(table_of(csv), Json::parse(settings), 1);
  return out ? "accepted" : out.error().message;
}
std::string steps_csv(std::string_view csv, const std::string& steps) {
  return format_csv(fitted(csv, ("{\"steps\":[" + steps + "]}").c_str()).training);
}

}  // namespace

TEST_CASE("steps on numbers: values worked out by hand") {
  // 1, 2, 3, 6: mean 3, population variance 3.5, median 2.5, quartiles 1.75 and 3.75.
  CHECK(steps_csv("x\n1\n\"\"\n3\n", R"({"step":"impute","strategy":"mean","indicator":true})") ==
        "x,x_missing\n1,0\n2,1\n3,0\n");
  CHECK(steps_csv("x\n1\n\"\"\n2\n9\n", R"({"step":"impute"})") == "x\n1\n2\n2\n9\n");
  CHECK(steps_csv("x\n5\n\"\"\n", R"({"step":"impute","strategy":"constant","value":-1})") == "x\n5\n-1\n");
  CHECK(steps_csv("x\n1\n3\n", R"({"step":"scale"})") == "x\n-1\n1\n");
  CHECK(steps_csv("x\n1\n2\n5\n", R"({"step":"scale","method":"min_max"})") == "x\n0\n0.25\n1\n");
  CHECK(steps_csv("x\n1\n2\n3\n6\n", R"({"step":"scale","method":"robust"})") ==
        "x\n-0.75\n-0.25\n0.25\n1.75\n");
  CHECK(steps_csv("x\n4\n4\n", R"({"step":"scale"})") == "x\n0\n0\n");
  CHECK(steps_csv("x\n0\n1\n2\n4\n", R"({"step":"bin","method":"uniform","bins":2})") == "x\n0\n0\n1\n1\n");
  CHECK(steps_csv("x\n0\n1\n2\n4\n", R"({"step":"bin","bins":4})") == "x\n0\n1\n2\n3\n");
  CHECK(steps_csv("x\n0\n3\n", R"({"step":"power","method":"square"})") == "x\n0\n9\n");
  CHECK(steps_csv("x\n0\n3\n100\n", R"({"step":"clip","method":"value","low":1,"high":50})") ==
        "x\n1\n3\n50\n");
  CHECK(steps_csv("a,b\n2,3\n4,5\n", R"({"step":"interactions","columns":["a","b"]})") ==
        "a,b,a*b\n2,3,6\n4,5,20\n");
}

TEST_CASE("steps on texts: values worked out by hand") {
  CHECK(steps_csv("c\nx\ny\nNA\nx\n", R"({"step":"one_hot"})") ==
        "c=x,c=y,c=(missing)\n1,0,0\n0,1,0\n0,0,1\n1,0,0\n");
  CHECK(steps_csv("c\nx\ny\nx\nz\n", R"({"step":"one_hot","max_categories":1})") ==
        "c=x,c=(other)\n1,0\n0,1\n1,0\n0,1\n");
  CHECK(steps_csv("c\nlow\nhigh\n", R"({"step":"ordinal","order":["low","mid","high"]})") == "c\n0\n2\n");
  // 2024-02-29 was a Thursday, 2024-03-02 a Saturday.
  CHECK(steps_csv("d\n2024-02-29\n2024-03-02T13:05:00Z\n", R"({"step":"dates"})") ==
        "d_year,d_month,d_day,d_weekday,d_hour,d_is_weekend\n2024,2,29,3,0,0\n2024,3,2,5,13,1\n");
  CHECK(steps_csv("d\n1970-01-02\n2023-12-31\n", R"({"step":"dates","parts":["days","day_of_year"]})") ==
        "d_days,d_day_of_year\n1,2\n19722,365\n");
  CHECK(steps_csv("a,b\n1,x\n2,y\n",
                  R"({"step":"drop","columns":"b"},{"step":"rename","names":{"a":"c"}})") == "c\n1\n2\n");
  const Table hashed = fitted("c\nx\ny\n", R"({"steps":[{"step":"hash","features":4}]})").training;
  CHECK(hashed.names() == std::vector<std::string>{"c#0", "c#1", "c#2", "c#3"});
}

TEST_CASE("target encoding: whole means at inference, out of fold in training") {
  std::string csv = "c,y\n";
  for (int i = 0; i < 40; ++i) csv += i % 2 ? "a,1\n" : "b,0\n";
  csv += "only,1\n";  // its own target must not show in its own encoding
  const FittedTable out = fitted(csv, R"({"target":"y","steps":[{"step":"target","smoothing":0}]})");
  const Column& encoded = *out.training.find("c");
  CHECK(encoded.numbers[0] == 0);
  CHECK(encoded.numbers[1] == 1);
  CHECK(encoded.numbers[40] > 0.3);
  CHECK(encoded.numbers[40] < 0.7);
  auto applied = out.pipeline->apply(table_of("c\nonly\nnever\n"));
  REQUIRE(applied);
  CHECK(applied->at(0, 0) == 1.0f);
  CHECK(applied->at(1, 0) == doctest::Approx(21.0 / 41));
  CHECK(
      refusal("c,y\na,p\nb,q\nc,r\n", R"({"target":"y","steps":[{"step":"target"}]})").find("two classes") !=
      std::string::npos);
}

TEST_CASE("yeo_johnson: exponentials of a normal distribution are brought back (lambda near 0)") {
  Random random(5);
  std::string csv = "x\n";
  for (int i = 0; i < 4000; ++i) csv += format_number(std::expm1(2 + 0.3 * random.normal())) + "\n";
  const Json saved = fitted(csv, R"({"steps":[{"step":"power"}]})").pipeline->save();
  const double lambda = saved["steps"][0]["columns"][0]["numbers"][0];
  CHECK(std::abs(lambda) < 0.15);
}

TEST_CASE("pipeline: saved and loaded it prepares the same bits, for requests too") {
  const FittedTable out =
      fitted("age,job,zip,id,pay\n39,clerk,007,1,low\n,boss,9,2,high\n50,,10,3,low\n", R"({"target":"pay",
    "positive":"low","steps":[{"step":"drop","columns":["id"]},{"step":"impute","columns":"age"},{"step":"scale","columns":"age"},
    {"step":"one_hot","columns":["job","zip"]}]})");
  CHECK(out.pipeline->input_columns() == std::vector<std::string>{"age", "job", "zip"});
  CHECK(out.training.names().front() == "pay");
  CHECK(out.training.columns[0].numbers == std::vector<double>{1, 0, 1});
  auto loaded = load_pipeline(Json::parse(out.pipeline->save().dump()));
  REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
  auto rows = parse_request_rows("39,clerk,7\n", "text/csv", (*loaded)->input_columns());
  REQUIRE(rows);
  auto features = (*loaded)->apply(*rows);
  REQUIRE_MESSAGE(features.has_value(), features.error().message);
  REQUIRE(features->cols == out.training.columns.size() - 1);
  for (std::size_t c = 0; c < features->cols; ++c) {
    CHECK(features->at(0, c) == static_cast<float>(out.training.columns[c + 1].numbers[0]));
  }
  CHECK((*loaded)->apply(table_of("age,job\n1,x\n")).error().message ==
        "the rows have no column \"zip\", which the preparation needs");
  CHECK((*loaded)->apply(table_of("age,job,zip\nold,x,1\n")).error().message ==
        "data.csv:2: column \"age\": \"old\" is not a number");
  Json broken = out.pipeline->save();
  broken["steps"][1]["columns"] = 3;
  CHECK(load_pipeline(broken).error().code == ErrorCode::DataLoss);
  CHECK(load_pipeline(Json::object()).error().code == ErrorCode::DataLoss);
}

TEST_CASE("prepare: mistakes are refused with their place") {
  CHECK(refusal("a,y\n1,2\n", R"({"target":"z"})") == "the training data has no column \"z\", the target");
  CHECK(refusal("a,y\n1,2\n,\n", R"({"target":"y"})") == "row 2 has no \"y\", the target");
  CHECK(refusal("a\n1\n", R"({"steps":[{"step":"scael"}]})") == "steps[0]: there is no step \"scael\"");
  CHECK(refusal("a\n1\n", R"({"steps":[{"step":"scale","methd":"x"}]})") ==
        "steps[0]: step \"scale\" has no setting \"methd\"");
  CHECK(refusal("a\n1\n", R"({"steps":[{"step":"scale","columns":["b"]}]})") ==
        "steps[0]: step \"scale\": there is no column \"b\"");
  CHECK(refusal("a\nx\n", R"({"steps":[{"step":"scale","columns":["a"]}]})") ==
        "steps[0]: step \"scale\": column \"a\" is text (data.csv:2: column \"a\": \"x\" is not a number)");
  CHECK(refusal("a\nx\n", R"({"steps":[]})") == "column \"a\" is still text after the last step");
  CHECK(refusal("a,b,c\nx,1,y\n", R"({"steps":[]})") ==
        "2 columns, \"a\", \"c\", are still text after the last step");
  CHECK(refusal("a,y\n1,2\n2,3\n", R"({"target":"y","positive":4})") ==
        "positive: the target \"y\" is never \"4\"");
  CHECK(refusal("a\n-1\n", R"({"steps":[{"step":"power","method":"log"}]})") ==
        "steps[0]: column \"a\" goes down to -1, where log is not defined");
  CHECK(refusal("a,b\n1,2\n", R"({"steps":[{"step":"rename","names":{"a":"b"}}]})") ==
        "steps[0]: step \"rename\" makes a second column \"b\"");
}

TEST_CASE("prepare as a processing job: only training is learned from") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/train/a.csv", "x,y\n1,no\n3,yes\n"));
  REQUIRE(context.objects().write("s3://b/test/a.csv", "x,y\n5,yes\n"));
  ProcessingInputs inputs;
  inputs.inputs = {{"test", "s3://b/test/"}, {"train", "s3://b/train/"}};
  inputs.outputs = {{"out", "s3://b/out/"}};
  inputs.settings = Json::parse(R"({"target":"y","steps":[{"step":"scale","method":"min_max"}]})");
  auto result = find_processor("prepare")->run(inputs, context);
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  CHECK(*context.objects().read("s3://b/out/train/data.csv") == "y,x\n0,0\n1,1\n");
  CHECK(*context.objects().read("s3://b/out/test/data.csv") == "y,x\n1,2\n");
  CHECK(*context.objects().read("s3://b/out/train/_pipeline.json") ==
        *context.objects().read("s3://b/out/test/_pipeline.json"));
  CHECK((*result)["rows"].dump() == R"({"test":1,"train":2})");
  inputs.inputs.pop_back();
  CHECK(find_processor("prepare")->run(inputs, context).error().message.find("\"train\"") !=
        std::string::npos);
}

TEST_CASE("prepare: the adult data set becomes numbers only") {
  const std::filesystem::path path = source_path("/../shared/data/adult/data.csv");
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: ../shared/data/adult not there");
    return;
  }
  auto table = parse_csv(*read_file(path), "data.csv");
  REQUIRE(table);
  auto out = fit_pipeline(*table, Json::parse(R"({"target":"income","positive":">50K"})"), 1);
  REQUIRE_MESSAGE(out.has_value(), out.error().message);
  // 6 numbers, 8+16+7+14+6+5+2+41 categories (UCI) and three columns with missing cells.
  CHECK(out->pipeline->feature_names().size() == 6 + 99 + 3);
  double positives = 0;
  for (const double y : out->training.columns[0].numbers) positives += y;
  CHECK(positives == 11'687);  // UCI: 7841 of the training rows, 3846 of the test rows
}
