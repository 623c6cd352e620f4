#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tasks/processing/processors.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct SqlCase {
  SqlCase() {
    REQUIRE(context.objects().write("s3://b/people/1.csv",
                                    "id,name,zip,age\n1,Ada,00123,36\n2,\"Bo, B\",99999,\n"));
    REQUIRE(context.objects().write("s3://b/people/2.csv", "id,name,zip,age\n3,Cy,00042,7.5\n"));
    REQUIRE(context.objects().write("s3://b/orders.csv", "person,total\n1,10\n1,5\n3,2.5\n"));
  }
  Result<Json> run(const Json& settings) {
    ProcessingInputs request;
    request.inputs = {{"people", "s3://b/people/"}, {"orders", "s3://b/orders.csv"}};
    request.outputs = {{"out", "s3://b/out"}};
    request.settings = settings;
    return find_processor("sql")->run(request, context);
  }
  std::string refusal(const std::string& sql) {
    auto result = run({{"sql", sql}});
    return result ? "accepted" : result.error().message;
  }
  TestContext context;
};

}  // namespace

TEST_CASE_FIXTURE(SqlCase, "sql: channels are tables, the last SELECT is the output") {
  auto result =
      run({{"sql",
            {"CREATE TABLE sums AS SELECT person, sum(total) AS spent FROM orders GROUP BY person;",
             "SELECT 'not this'; -- and this is a comment; with a semicolon",
             "SELECT id, name, zip, age, spent, 7 / 2 AS whole FROM people LEFT JOIN sums ON person = id",
             "ORDER BY id;  /* done */"}}});
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  CHECK((*result)["rows"] == 3);
  CHECK((*result)["tables"] == Json({"people", "orders"}));
  CHECK(*context.objects().read("s3://b/out/data.csv") ==
        "id,name,zip,age,spent,whole\n1,Ada,00123,36,15,3\n2,\"Bo, B\",99999,,,3\n3,Cy,00042,7.5,2.5,3\n");
  auto none = run({{"sql", "SELECT id FROM people WHERE id > 99"}});
  REQUIRE(none);
  CHECK(*context.objects().read("s3://b/out/data.csv") == "id\n");
}

TEST_CASE_FIXTURE(SqlCase, "sql: nothing but its own tables can be reached") {
  for (const char* sql : {"ATTACH '/etc/passwd' AS x; SELECT 1", "PRAGMA database_list",
                          "SELECT load_extension('x')", "CREATE VIRTUAL TABLE v USING fts5(x); SELECT 1",
                          "SELECT readfile('/etc/passwd')", "VACUUM INTO '/tmp/millrace-sql-test'; SELECT 1",
                          "SELECT writefile('/tmp/millrace-sql-test', 'x')"}) {
    CAPTURE(sql);
    const std::string message = refusal(sql);
    CAPTURE(message);
    CHECK(message != "accepted");
  }
}

TEST_CASE_FIXTURE(SqlCase, "sql: errors name the statement and what is wrong") {
  CHECK(refusal("SELECT 1 AS a; SELECT nam FROM people") == "statement 2: no such column: nam");
  CHECK(refusal("SELEC 1") == "statement 1: near \"SELEC\": syntax error");
  CHECK(refusal("CREATE TABLE t (x)") == "statement 1, the last one, gives no rows");
  CHECK(refusal("-- nothing") == "the script has no statement");
  CHECK(refusal("SELECT 1 AS a, 2 AS a") == "the result has two columns named \"a\"");
  CHECK(refusal("SELECT x'00' AS a") == "column \"a\" of the result has blobs");
  CHECK(run({{"sqll", "SELECT 1"}}).error().message == "sql has no setting \"sqll\"; did you mean \"sql\"?");
  CHECK(run(Json::object()).error().message.find("sql is required") == 0);
}

TEST_CASE_FIXTURE(SqlCase, "sql: limits of time and size, and stopping") {
  const std::string endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
  auto late = run({{"sql", endless}, {"max_seconds", 1}});
  REQUIRE(!late);
  CHECK(late.error().message == "the script took longer than 1 seconds");
  CHECK(late.error().code == ErrorCode::LimitExceeded);
  auto large =
      run({{"sql",
            "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) "
            "SELECT hex(randomblob(100)) AS x FROM n; SELECT count(*) AS c FROM t"},
           {"max_bytes", 1 << 20}});
  REQUIRE(!large);
  CHECK(large.error().message.find("larger than 1048576 bytes") != std::string::npos);
  auto wide = run({{"sql", "SELECT hex(zeroblob(1000)) AS x FROM orders"}, {"max_output_bytes", 100}});
  REQUIRE(!wide);
  CHECK(wide.error().message == "the result is longer than 100 bytes");
  CHECK(refusal("SELECT length(zeroblob(1000000000)) AS x").find("too big") != std::string::npos);
  context.cancel = true;
  auto stopped = run({{"sql", endless}});
  REQUIRE(!stopped);
  CHECK(stopped.error().code == ErrorCode::Cancelled);
}
