#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/artifacts/read_table.h"
#include "tasks/processing/column_pipeline.h"
#include "tasks/processing/processors.h"
#include "tasks/processing/row_rules.h"
#include "tasks/processing/sql_expressions.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Result<FittedTable> fit_steps(const Table& table, const std::string& settings) {
  return fit_pipeline(table, Json::parse(settings), 1);
}

void check_rows(const Table& table, const std::vector<std::vector<double>>& expected) {
  REQUIRE(table.rows == expected.size());
  for (std::size_t i = 0; i < table.rows; ++i) {
    CAPTURE(i);
    REQUIRE(table.columns.size() == expected[i].size());
    for (std::size_t c = 0; c < table.columns.size(); ++c)
      CHECK(std::abs(table.columns[c].numbers[i] - expected[i][c]) < 1e-9);
  }
}

Table mails() {
  Table out;
  out.rows = 5;
  out.columns = {text_column("m", {"Free entry, win a prize NOW!", "call me now about the entry",
                                   "win win prize a b", "", "über die Brücke call"})};
  return out;
}

}  // namespace

TEST_CASE("tfidf: scikit-learn's TfidfVectorizer gives the same weights") {
  auto plain = fit_steps(mails(), R"({"steps": [{"step": "tfidf"}]})");
  REQUIRE_MESSAGE(plain.has_value(), plain.error().message);
  CHECK(plain->training.names() == std::vector<std::string>{"m:about", "m:brücke", "m:call", "m:die",
                                                            "m:entry", "m:free", "m:me", "m:now", "m:prize",
                                                            "m:the", "m:win", "m:über"});
  check_rows(
      plain->training,
      {{0, 0, 0, 0, 0.425001375133, 0.526778249874, 0, 0.425001375133, 0.425001375133, 0, 0.425001375133, 0},
       {0.449341854987, 0, 0.362526179317, 0, 0.362526179317, 0, 0.449341854987, 0.362526179317, 0,
        0.449341854987, 0, 0},
       {0, 0, 0, 0, 0, 0, 0, 0, 0.4472135955, 0, 0.894427191, 0},
       {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
       {0, 0.52335825027, 0.422242140986, 0.52335825027, 0, 0, 0, 0, 0, 0, 0, 0.52335825027}});
  auto pairs =
      fit_steps(mails(), R"({"steps": [{"step": "tfidf", "ngram_max": 2, "min_df": 2, "sublinear": true}]})");
  REQUIRE(pairs);
  CHECK(pairs->training.names() ==
        std::vector<std::string>{"m:call", "m:entry", "m:now", "m:prize", "m:win", "m:win prize"});
  check_rows(pairs->training, {{0, 0.4472135955, 0.4472135955, 0.4472135955, 0.4472135955, 0.4472135955},
                               {0.57735026919, 0.57735026919, 0.57735026919, 0, 0, 0},
                               {0, 0, 0, 0.453294655228, 0.767494567462, 0.453294655228},
                               {0, 0, 0, 0, 0, 0},
                               {1, 0, 0, 0, 0, 0}});
  auto few = fit_steps(mails(), R"({"steps": [{"step": "tfidf", "max_features": 2}]})");
  CHECK(few->training.names() == std::vector<std::string>{"m:call", "m:win"});
  // What was saved prepares the same.
  auto loaded = ColumnPipeline::load(plain->pipeline->save());
  REQUIRE(loaded);
  CHECK(format_csv(*(*loaded)->apply_to_table(mails())) == format_csv(plain->training));
}

TEST_CASE("step sql: new columns and columns in place, the same for one row and for many") {
  Table table;
  table.rows = 3;
  table.columns = {number_column("income", {10, 20, NAN}), number_column("age", {4, 8, 2}),
                   text_column("city", {"Rome", "oslo", "Rome"})};
  auto out = fit_steps(table, R"({"steps": [{"step": "sql", "expressions": {"ratio": "income / age",
      "age": "age + 1", "is_rome": "lower(city) = 'rome'", "size": "CASE WHEN age > 3 THEN 'big' ELSE 'small' END"}},
      {"step": "drop", "columns": ["city"]}, {"step": "ordinal", "columns": ["size"]}]})");
  REQUIRE_MESSAGE(out.has_value(), out.error().message);
  CHECK(format_csv(out->training) == "income,age,ratio,is_rome,size\n10,5,2.5,1,0\n20,9,2.5,0,0\n,3,,1,1\n");
  const std::uint32_t second[] = {1};
  auto one = out->pipeline->apply_to_table(select_rows(table, second));
  REQUIRE(one);
  CHECK(format_csv(*one) == "income,age,ratio,is_rome,size\n20,9,2.5,0,0\n");
  const auto refusal = [&](const std::string& expression) {
    auto bad =
        fit_steps(table, R"({"steps": [{"step": "sql", "expressions": {"x": ")" + expression + "\"}}]}");
    return bad ? std::string("accepted") : bad.error().message;
  };
  CHECK(refusal("incom + 1") == "steps[0]: step \"sql\": \"incom + 1\": no such column: incom");
  CHECK(refusal("age), (income").find("is not one SQL expression") != std::string::npos);
  CHECK(refusal("random()").find("not authorized") != std::string::npos);
  CHECK(refusal("load_extension('x')").find("not authorized") != std::string::npos);
  CHECK(refusal("age; DROP TABLE x") != "accepted");
  CHECK(refusal("age) --") != "accepted");
}

TEST_CASE("filter: rows for which the condition is true, by channel") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/train.csv", "age,y\n10,a\n20,b\n,a\n40,b\n"));
  REQUIRE(context.objects().write("s3://b/test.csv", "age,y\n5,a\n50,b\n"));
  const auto run = [&](const char* settings) {
    ProcessingInputs request;
    request.inputs = {{"train", "s3://b/train.csv"}, {"test", "s3://b/test.csv"}};
    request.outputs = {{"out", "s3://b/out"}};
    request.settings = Json::parse(settings);
    return find_processor("prepare")->run(request, context);
  };
  auto all = run(R"({"target": "y", "filter": "age BETWEEN 15 AND 60"})");
  REQUIRE_MESSAGE(all.has_value(), all.error().message);
  CHECK((*all)["rows"]["train"] == 2);
  CHECK((*all)["rows"]["test"] == 1);
  auto train = run(R"({"target": "y", "filter": {"where": "age < 30", "channels": ["train"]}})");
  REQUIRE(train);
  CHECK((*train)["rows"]["test"] == 2);
  CHECK(run(R"({"target": "y", "filter": "age > 99"})").error().message == "filter: no row is left of 4");
  CHECK(run(R"({"target": "y", "filter": "agee > 9"})").error().message.find("no such column: agee") !=
        std::string::npos);
  CHECK(run(R"({"target": "y", "filter": {"where": "1", "channels": ["validation"]}})").error().message ==
        "filter.channels: there is no input named \"validation\"");
}

TEST_CASE("balance: rows repeated, left out or weighted; nothing of one class alone") {
  Table table;
  table.rows = 6;
  table.columns = {number_column("y", {0, 0, 0, 0, 1, 1}), number_column("x", {1, 2, 3, 4, 5, 6})};
  const auto ones = [](const Table& t) {
    return std::count(t.columns[0].numbers.begin(), t.columns[0].numbers.end(), 1.0);
  };
  auto over = balanced_rows(table, Balance::Over, Random(1));
  REQUIRE(over);
  CHECK(over->rows == 8);
  CHECK(ones(*over) == 4);
  auto under = balanced_rows(table, Balance::Under, Random(1));
  CHECK(under->rows == 4);
  CHECK(ones(*under) == 2);
  auto weights = balanced_rows(table, Balance::Weights, Random(1));
  CHECK(weights->names() == std::vector<std::string>{"y", "weight", "x"});
  CHECK(weights->columns[1].numbers == std::vector<double>{0.75, 0.75, 0.75, 0.75, 1.5, 1.5});
  Table same = table;
  same.columns[0].numbers.assign(6, 1);
  CHECK(balanced_rows(same, Balance::Over, Random(1)).error().message ==
        "balance: all training rows are of one class");
  CHECK(format_csv(*balanced_rows(table, Balance::Under, Random(1))) == format_csv(*under));
}
