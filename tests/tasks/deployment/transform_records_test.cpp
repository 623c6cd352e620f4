#include "tasks/deployment/transform_records.h"

#include <doctest/doctest.h>

#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace::tasks;

namespace {

std::string picked(const char* filter, const char* record) {
  const auto parsed = ColumnFilter::parse("F", filter);
  if (!parsed) return "error: " + parsed.error().message;
  const auto result = parsed->apply(record);
  return result ? *result : "error: " + result.error().message;
}

}  // namespace

TEST_CASE("Transform: filters pick columns as SageMaker's examples do") {
  CHECK(picked("$", "id,1,2,3") == "id,1,2,3");
  CHECK(picked("$[1:]", "id,1,2,3") == "1,2,3");
  CHECK(picked("$[:-1]", "id,1,2,3") == "id,1,2");
  CHECK(picked("$[1:3]", "id,1,2,3") == "1,2");
  CHECK(picked("$[0,-1]", "id,1,2,3") == "id,3");
  CHECK(picked("$[-1]", "id,1,2,3") == "3");
  CHECK(picked("$[9:]", "id,1") == "");
  CHECK(picked("$[0,-1]", "\"a,\"\"b\",2,\"c\"") == "\"a,\"\"b\",\"c\"");
  CHECK(picked("$[4]", "id,1") == "error: a filter picks column 4 of a record with 2 columns");
  CHECK(picked("$.features", "id") == "error: F: \"$.features\" is not supported");
  CHECK(picked("$[a:]", "id") == "error: F: \"$[a:]\" is not supported");
  CHECK(picked("$[]", "id") == "error: F: \"$[]\" is not supported");
}

TEST_CASE("Transform: records are whole, whatever their quotes and line ends") {
  const TemporaryHome home;
  home.write("a.csv", "1,\"x\ny\"\r\n\n2,\"\"\"\"\n3,z");
  auto reader = RecordReader::open(home.path("a.csv"), true);
  REQUIRE(reader);
  auto batch = reader->next(2);
  REQUIRE(batch);
  CHECK(batch->first == 1);
  CHECK(batch->records == std::vector<std::string>{"1,\"x\ny\"", "2,\"\"\"\""});
  batch = reader->next(2);
  CHECK(batch->first == 3);
  CHECK(batch->records == std::vector<std::string>{"3,z"});
  CHECK(reader->next(2)->records.empty());
  home.write("a.jsonl", "{\"a\":\"\\\"\"}\n{}\n");
  auto lines = RecordReader::open(home.path("a.jsonl"), false);
  CHECK(lines->next(10)->records.size() == 2);
}

TEST_CASE("Transform: an output appears whole or not at all") {
  const TemporaryHome home;
  {
    auto file = AtomicFile::create(home.path("deep/out"));
    REQUIRE(file);
    REQUIRE(file->append("half"));
  }
  CHECK(std::filesystem::is_empty(home.path("deep")));
  auto file = AtomicFile::create(home.path("deep/out"));
  REQUIRE(file->append("all"));
  CHECK(!std::filesystem::exists(home.path("deep/out")));
  REQUIRE(file->commit());
  CHECK(home.read("deep/out") == "all");
}
