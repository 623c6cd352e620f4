#include "tasks/processing/split.h"

#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tasks/artifacts/files.h"
#include "tasks/artifacts/read_table.h"
#include "tests/support/paths.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

SplitSettings settings_of(const char* text, std::uint64_t seed = 1) {
  auto settings = read_split_settings(Json::parse(text), seed);
  REQUIRE_MESSAGE(settings.has_value(), settings.error().message);
  return *settings;
}
std::string refusal(const char* text) {
  auto settings = read_split_settings(Json::parse(text), 1);
  return settings ? "accepted" : settings.error().message;
}

// 1000 rows: `t` counts down, `class` is 1 in every tenth row, `user` has 50 values.
Table example() {
  Table table;
  table.rows = 1000;
  std::vector<double> t, label;
  std::vector<std::string> user;
  for (int i = 0; i < 1000; ++i) {
    t.push_back(1000 - i);
    label.push_back(i % 10 == 0);
    user.push_back("u" + std::to_string((i * 7) % 50));
  }
  table.columns = {number_column("t", t), number_column("class", label), text_column("user", user)};
  return table;
}

void check_disjoint(const std::vector<std::vector<std::uint32_t>>& parts, std::size_t rows) {
  std::set<std::uint32_t> seen;
  for (const auto& part : parts) {
    for (const std::uint32_t row : part) {
      CHECK(row < rows);
      CHECK(seen.insert(row).second);
    }
  }
}

Json request(const char* image, Json inputs, Json outputs, Json settings) {
  Json out = {{"AppSpecification", {{"ImageUri", image}}}, {"ProcessingInputs", Json::array()}};
  for (auto& [name, uri] : inputs.items())
    out["ProcessingInputs"].push_back({{"InputName", name}, {"S3Input", {{"S3Uri", uri}}}});
  for (auto& [name, uri] : outputs.items()) {
    out["ProcessingOutputConfig"]["Outputs"].push_back(
        {{"OutputName", name}, {"S3Output", {{"S3Uri", uri}}}});
  }
  out["Environment"] = {{"SETTINGS", settings.dump()}};
  return out;
}

}  // namespace

TEST_CASE("split: random parts have exact sizes, no row twice, and depend on the seed alone") {
  const Table table = example();
  const auto settings = settings_of(R"({"train":0.7,"validation":0.2,"test":0.1})");
  auto parts = split_rows(table, settings);
  REQUIRE(parts);
  REQUIRE(parts->size() == 3);
  CHECK((*parts)[0].size() == 700);
  CHECK((*parts)[1].size() == 200);
  CHECK((*parts)[2].size() == 100);
  check_disjoint(*parts, 1000);
  CHECK(*split_rows(table, settings) == *parts);
  CHECK(*split_rows(table, settings_of(R"({"train":0.7,"validation":0.2,"test":0.1,"seed":2})")) != *parts);
}

TEST_CASE("split: counts leave the rest out") {
  auto parts = split_rows(example(), settings_of(R"({"train":300,"test":50})"));
  REQUIRE(parts);
  CHECK((*parts)[0].size() == 300);
  CHECK((*parts)[1].size() == 50);
  check_disjoint(*parts, 1000);
  CHECK(split_rows(example(), settings_of(R"({"train":900,"test":200})")).error().message ==
        "the parts have 1100 rows or more, the data has 1000");
}

TEST_CASE("split: ordered parts follow the column, the newest rows are tested") {
  const Table table = example();
  auto parts = split_rows(table, settings_of(R"({"method":"ordered","column":"t","train":0.8,"test":0.2})"));
  REQUIRE(parts);
  CHECK(table.columns[0].numbers[(*parts)[0].front()] == 1);
  CHECK(table.columns[0].numbers[(*parts)[0].back()] == 800);
  CHECK(table.columns[0].numbers[(*parts)[1].front()] == 801);
}

TEST_CASE("split: stratified parts have each class in its share") {
  const Table table = example();
  auto parts = split_rows(
      table,
      settings_of(R"({"method":"stratified","column":"class","train":0.6,"validation":0.3,"test":0.1})"));
  REQUIRE(parts);
  check_disjoint(*parts, 1000);
  const std::size_t rows[] = {600, 300, 100}, positives[] = {60, 30, 10};
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK((*parts)[k].size() == rows[k]);
    std::size_t found = 0;
    for (const std::uint32_t row : (*parts)[k]) found += table.columns[1].numbers[row] == 1;
    CHECK(std::abs(static_cast<int>(found) - static_cast<int>(positives[k])) <= 1);
  }
}

TEST_CASE("split: by key, no key is on two sides") {
  const Table table = example();
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    auto parts = split_rows(
        table,
        settings_of(R"({"method":"key","column":"user","train":0.5,"validation":0.3,"test":0.2})", seed));
    REQUIRE(parts);
    check_disjoint(*parts, 1000);
    std::map<std::string, std::size_t> side;
    for (std::size_t k = 0; k < 3; ++k) {
      for (const std::uint32_t row : (*parts)[k])
        CHECK(side.emplace(table.columns[2].texts[row], k).first->second == k);
    }
    CHECK(std::abs(static_cast<int>((*parts)[0].size()) - 500) <= 20);  // one user has 20 rows
    CHECK(std::abs(static_cast<int>((*parts)[2].size()) - 200) <= 20);
  }
}

TEST_CASE("split: wrong settings and data are refused by name") {
  CHECK(refusal(R"({"methd":"random"})") == "split has no setting \"methd\"; did you mean \"method\"?");
  CHECK(refusal(R"({"method":"magic"})").find("method") != std::string::npos);
  CHECK(refusal(R"({"method":"key"})") == "column: is required: the column to split by, with method key");
  CHECK(refusal(R"({"train":0.9,"test":0.2})") ==
        "the fractions of train, validation and test sum up to 1.1, more than 1");
  CHECK(refusal(R"({"train":-1})").starts_with("train"));
  CHECK(refusal(R"({"train":10.5,"test":3})").starts_with("train: must be a whole number"));
  Table table = example();
  CHECK(split_rows(table, settings_of(R"({"method":"ordered","column":"day"})")).error().message ==
        "the data has no column \"day\" to split by");
  table.columns[0].numbers[4] = std::nan("");
  CHECK(split_rows(table, settings_of(R"({"method":"ordered","column":"t"})")).error().message ==
        "row 5 has no \"t\", the column to split by");
  CHECK(split_rows(select_rows(table, std::vector<std::uint32_t>{0}), settings_of("{}")).error().message ==
        "the part \"validation\" would have no rows of 1");
  CHECK(split_rows(table, settings_of(
                              R"({"method":"key","column":"class","train":0.4,"validation":0.3,"test":0.3})"))
            .error()
            .message.find("got no rows: \"class\" has too few values") != std::string::npos);
}

TEST_CASE("split as a processing job: cells are written as they were read") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/raw/a.csv", "zip,x\n007,1.50\n\"a,b\",NA\n"));
  REQUIRE(context.objects().write("s3://b/raw/b.csv", "zip,x\n9,2e3\n10,\n"));
  const Json body = request("split", {{"data", "s3://b/raw/"}}, {{"parts", "s3://b/out"}},
                            {{"method", "ordered"}, {"column", "zip"}, {"train", 3}, {"test", 1}});
  auto inputs = read_processing_inputs(body, context.objects());
  REQUIRE_MESSAGE(inputs.has_value(), inputs.error().message);
  const Processor* split = find_processor("123456789012.dkr.ecr.eu-west-1.amazonaws.com/split:1");
  REQUIRE(split != nullptr);
  auto result = split->run(*inputs, context);
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  CHECK(
      result->dump() ==
      R"({"rows":{"train":3,"test":1},"outputs":{"train":"s3://b/out/train","test":"s3://b/out/test"},"seed":1})");
  CHECK(*context.objects().read("s3://b/out/train/data.csv") == "zip,x\n007,1.50\n10,\n9,2e3\n");
  CHECK(*context.objects().read("s3://b/out/test/data.csv") == "zip,x\n\"a,b\",\n");
  CHECK(!context.reports.empty());
  context.cancel = true;
  CHECK(split->run(*inputs, context).error().code == ErrorCode::Cancelled);
}

TEST_CASE(
    "processing jobs: settings come from a config object, the environment and arguments, the later win") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/config.json", R"({"train":0.5,"method":"random","seed":1})"));
  Json body = request("split", {{"config", "s3://b/config.json"}, {"data", "s3://b/raw/"}},
                      {{"test", "s3://b/t/"}}, {{"seed", 2}, {"column", "x"}});
  body["AppSpecification"]["ContainerArguments"] = {"--column", "day of week", "--some-name", "[1,2]"};
  auto inputs = read_processing_inputs(body, context.objects());
  REQUIRE(inputs);
  CHECK(inputs->settings.dump() ==
        R"({"train":0.5,"method":"random","seed":2,"column":"day of week","some_name":[1,2]})");
  CHECK(inputs->inputs.size() == 1);
  CHECK(*inputs->output_for("test") == "s3://b/t/");
  CHECK(*inputs->output_for("train") == "s3://b/t/train");
  body["AppSpecification"]["ContainerArguments"] = {"column"};
  CHECK(read_processing_inputs(body, context.objects()).error().message ==
        "AppSpecification.ContainerArguments[0]: expected \"--name\", got \"column\"");
  body["Environment"]["SETTINGS"] = "[1]";
  CHECK(read_processing_inputs(body, context.objects()).error().message ==
        "Environment.SETTINGS: expected a JSON object of settings");
  body["ProcessingInputs"][0]["S3Input"]["S3Uri"] = "s3://b/none.json";
  CHECK(read_processing_inputs(body, context.objects()).error().code == ErrorCode::NotFound);
  CHECK(find_processor("my-script") == nullptr);
}

TEST_CASE("split: bank_marketing, stratified by the answer") {
  const std::filesystem::path path = source_path("/../shared/data/bank_marketing/data.csv");
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: ../shared/data/bank_marketing not there");
    return;
  }
  auto table = parse_csv(*read_file(path), "data.csv");
  REQUIRE(table);
  const std::string target = table->columns.back().name;
  auto parts =
      split_rows(*table, settings_of(("{\"method\":\"stratified\",\"column\":\"" + target + "\"}").c_str()));
  REQUIRE(parts);
  const Column answers = as_texts(table->columns.back());
  const auto share = [&](const std::vector<std::uint32_t>& rows) {
    double yes = 0;
    for (const std::uint32_t row : rows) yes += answers.texts[row] == "yes" || answers.texts[row] == "1";
    return yes / static_cast<double>(rows.size());
  };
  const double train = share((*parts)[0]);
  CHECK(train > 0.05);
  CHECK(train < 0.2);
  CHECK(share((*parts)[2]) == doctest::Approx(train).epsilon(0.005));
}
