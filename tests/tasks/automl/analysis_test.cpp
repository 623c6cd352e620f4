#include "tasks/automl/analysis.h"

#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/processing/column_pipeline.h"
#include "tasks/table/csv.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// 200 rows of what tables are made of; `y` is a class.
std::string shop_csv() {
  std::string csv = "id,day,age,income,city,empty,same,copy,note,mixed,leak,y\n";
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const int age = 18 + static_cast<int>(random.below(60));
    const bool buys = age + 10 * random.normal() > 45;
    const std::string city = i % 3 == 0 ? "Rome" : i % 3 == 1 ? "Oslo" : "Bern";
    csv += std::to_string(1000 + i) + ",2024-01-" + (i % 28 < 9 ? "0" : "") + std::to_string(i % 28 + 1) +
           "," + (i % 11 == 0 ? "" : std::to_string(age)) + "," +
           std::to_string(1000 + random.below(100000)) + ".5," + city + ",,7," + city + ",\"the " +
           std::to_string(i) + " good customer bought\"," +
           (i % 50 == 0 ? "unknown" : std::to_string(i % 17)) + "," + (buys ? "1" : "0") + "," +
           (buys ? "yes" : "no") + "\n";
  }
  return csv;
}

Table table_of(const std::string& csv) {
  CsvOptions options;
  options.keep_spelling = true;
  auto table = parse_csv(csv, "test.csv", options);
  REQUIRE_MESSAGE(table.has_value(), (table ? "" : table.error().message));
  return *table;
}

AnalysisSettings target(const char* name) {
  AnalysisSettings settings;
  settings.target = name;
  return settings;
}

DataAnalysis analysed(const std::string& csv, const AnalysisSettings& settings) {
  auto analysis = analyse_table(table_of(csv), settings);
  REQUIRE_MESSAGE(analysis.has_value(), (analysis ? "" : analysis.error().message));
  return *analysis;
}

std::string refusal_of(const std::string& csv, const AnalysisSettings& settings) {
  const auto analysis = analyse_table(table_of(csv), settings);
  return analysis ? "accepted" : analysis.error().message;
}

const AnalysedColumn& column_named(const DataAnalysis& analysis, std::string_view name) {
  for (const AnalysedColumn& column : analysis.columns)
    if (column.name == name) return column;
  FAIL("no such column");
  return analysis.columns[0];
}

bool remarked(const DataAnalysis& analysis, std::string_view column, std::string_view text) {
  return std::ranges::any_of(analysis.remarks, [&](const DataRemark& remark) {
    return remark.column == column && remark.text.find(text) != std::string::npos;
  });
}

// rows of "x,y" where y is f(row)
std::string column_of_targets(int rows, const std::function<std::string(int)>& f) {
  std::string csv = "x,y\n";
  for (int i = 0; i < rows; ++i) csv += std::to_string(i * 7 % 13) + "," + f(i) + "\n";
  return csv;
}

}  // namespace

TEST_CASE("AutoML analysis: what columns are, what is left out, what people should know") {
  const DataAnalysis analysis = analysed(shop_csv(), target("y"));
  CHECK(analysis.problem == Problem::Binary);
  CHECK(analysis.classes == std::vector<std::string>{"no", "yes"});
  CHECK(column_named(analysis, "id").reason == "an identifier: nearly every cell is different");
  CHECK(column_named(analysis, "day").role == ColumnRole::Date);
  CHECK(column_named(analysis, "age").role == ColumnRole::Number);
  CHECK(column_named(analysis, "income").role == ColumnRole::Number);  // all different, but a measurement
  CHECK(column_named(analysis, "city").role == ColumnRole::Category);
  CHECK(column_named(analysis, "empty").reason == "no cell has a value");
  CHECK(column_named(analysis, "same").reason == "every cell is the same");
  CHECK(column_named(analysis, "copy").reason == "a copy of \"city\"");
  CHECK(column_named(analysis, "note").role == ColumnRole::Text);
  CHECK(column_named(analysis, "mixed").role == ColumnRole::MixedNumber);
  CHECK(analysis.features() == 7);
  CHECK(analysis.categorical() == std::vector<std::string>{"city"});
  CHECK(remarked(analysis, "leak", "predicts the target nearly by itself"));
  CHECK(!remarked(analysis, "age", "predicts"));
  CHECK(remarked(analysis, "mixed", "text among numbers"));
  const std::string page = exploration_page(analysis, "shop");
  for (const char* text : {"BinaryClassification", "an identifier", "predicts the target", "Oslo"})
    CHECK(page.find(text) != std::string::npos);
}

TEST_CASE("AutoML analysis: the steps that follow prepare the very rows, gaps and all") {
  const DataAnalysis analysis = analysed(shop_csv(), target("y"));
  auto table = parse_csv(shop_csv(), "shop.csv", {});
  REQUIRE(table.has_value());
  const auto fitted = fit_pipeline(*table, analysis.prepare_settings(), 0);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  const Table& rows = fitted->training;
  CHECK(rows.columns[0].name == "y");
  CHECK(rows.find("id") == nullptr);
  CHECK(std::isnan(rows.find("age")->numbers[0]));
  CHECK(std::isnan(rows.find("mixed")->numbers[0]));
  CHECK(rows.find("mixed")->numbers[18] == 1);
  CHECK(rows.find("city")->numbers[0] == 2);  // Bern, Oslo, Rome
  CHECK(rows.find("day_weekday") != nullptr);
  CHECK(std::ranges::any_of(rows.columns, [](const Column& c) { return c.name.starts_with("note"); }));
}

TEST_CASE("AutoML analysis: the problem type follows from the target") {
  const auto problem = [](int rows, const std::function<std::string(int)>& f) {
    return analysed(column_of_targets(rows, f), target("y")).problem;
  };
  CHECK(problem(100, [](int i) { return std::to_string(i % 2); }) == Problem::Binary);
  CHECK(problem(100, [](int i) { return std::to_string(i % 2 * 0.5); }) == Problem::Binary);
  CHECK(problem(200, [](int i) { return std::to_string(i % 7); }) == Problem::Classes);
  CHECK(problem(60, [](int i) { return std::to_string(i % 7); }) == Problem::Regression);  // nine rows each
  CHECK(problem(900, [](int i) { return std::to_string(i % 30); }) == Problem::Regression);
  CHECK(problem(100, [](int i) { return std::to_string(i * 0.5); }) == Problem::Regression);
  CHECK(problem(100, [](int i) { return "c" + std::to_string(i % 3); }) == Problem::Classes);
  AnalysisSettings asked = target("y");
  asked.problem = Problem::Regression;
  CHECK(analysed(column_of_targets(100, [](int i) { return std::to_string(i % 2); }), asked).problem ==
        Problem::Regression);
  CHECK(refusal_of(column_of_targets(100, [](int i) { return "c" + std::to_string(i % 3); }), asked)
            .starts_with("the target \"y\" of a Regression is text"));
  asked.problem = Problem::Binary;
  CHECK(refusal_of(column_of_targets(100, [](int i) { return "c" + std::to_string(i % 3); }), asked) ==
        "the target \"y\" has 3 classes, but the problem type is BinaryClassification");
}

TEST_CASE("AutoML analysis: number classes are numbered in their order, and prepared so") {
  const std::string csv =
      column_of_targets(300, [](int i) { return std::to_string(i % 3 == 0 ? 10 : i % 3); });
  const DataAnalysis analysis = analysed(csv, target("y"));
  CHECK(analysis.classes == std::vector<std::string>{"1", "2", "10"});
  auto table = parse_csv(csv, "c.csv", {});
  const auto fitted = fit_pipeline(*table, analysis.prepare_settings(), 0);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  CHECK(fitted->pipeline->target().classes == analysis.classes);
  CHECK(fitted->training.columns[0].numbers[0] == 2);
  CHECK(fitted->training.columns[0].numbers[1] == 0);
}

TEST_CASE("AutoML analysis: missing targets, rare classes, wrong names, too little data") {
  const std::string csv = column_of_targets(400, [](int i) {
    return i % 40 == 0 ? "" : i % 100 == 1 ? "a" : "b";
  });
  const DataAnalysis analysis = analysed(csv, target("y"));
  CHECK(analysis.without_target == 10);
  CHECK(remarked(analysis, "y", "10 rows have no target"));
  CHECK(remarked(analysis, "y", "the class \"a\" has only 4 rows"));
  CHECK(analysis.prepare_settings()["filter"] == "\"y\" IS NOT NULL");
  const auto refused = analyse_table(table_of(csv), target("Y2"));
  REQUIRE(!refused);
  CHECK(refused.error().message == "TargetAttributeName: the data has no column \"Y2\"");
  CHECK(refusal_of(column_of_targets(19, [](int i) { return std::to_string(i % 2); }), target("y")) ==
        "the data has 19 rows; at least 20 are needed");
  CHECK(refusal_of(column_of_targets(100, [](int) { return "a"; }), target("y")) ==
        "the target \"y\" has one value: there is nothing to learn");
  AnalysisSettings only = target("y");
  only.features = {"z"};
  CHECK(refusal_of(csv, only) == "FeatureAttributeNames: the data has no column \"z\"");
  only.features = {"x"}, only.types["x"] = "categorical";
  CHECK(column_named(analysed(csv, only), "x").role == ColumnRole::Category);
}
