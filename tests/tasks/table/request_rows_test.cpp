#include "tasks/table/request_rows.h"

#include <doctest/doctest.h>

using namespace millrace;
using namespace millrace::tasks;

namespace {
const std::vector<std::string> kColumns = {"age", "job"};

std::string described(std::string_view body, std::string_view type,
                      const std::vector<std::string>& columns = kColumns) {
  auto table = parse_request_rows(body, type, columns);
  if (!table) return table.error().message;
  std::string out;
  for (std::size_t i = 0; i < table->rows; ++i) {
    for (const Column& column : table->columns) {
      out += is_missing(column, i) ? "- " : as_texts(column).texts[i] + " ";
    }
    out += "| ";
  }
  return out;
}
}  // namespace

TEST_CASE("request rows: CSV without a header, several rows, missing cells") {
  CHECK(described("39,clerk\n", "text/csv") == "39 clerk | ");
  CHECK(described("39,clerk\r\n,\"a, b\"", "text/csv; charset=utf-8") == "39 clerk | - a, b | ");
  CHECK(described("39,clerk", "") == "39 clerk | ");
}

TEST_CASE("request rows: numbers keep their spelling, so a code like 007 is still one") {
  CHECK(described("1,007", "text/csv") == "1 007 | ");
  auto table = parse_request_rows("1,007", "text/csv", kColumns);
  CHECK(table->columns[1].type == Column::Type::Number);
  CHECK(table->columns[1].numbers[0] == 7);
}

TEST_CASE("request rows: a line of the column names is a header, and cells go by name") {
  CHECK(described("job,age,extra\nclerk,39,1\n", "text/csv") == "39 clerk | ");
}

TEST_CASE("request rows: a wrong number of cells says what the model expects") {
  const std::vector<std::string> six = {"a", "b", "c", "d", "e", "f"};
  CHECK(described("1\n", "text/csv", six) ==
        "Invalid data format. Input data has 1 while the model expects 6: a, b, c, d, e, f");
  CHECK(described(R"({"instances":[[1,2]]})", "application/json", six) ==
        "Invalid data format. Input data has 2 while the model expects 6: a, b, c, d, e, f");
  CHECK(described("1,2\n3\n", "text/csv") == "request:2: 1 cell, expected 2");
}

TEST_CASE("request rows: JSON instances in order, as features and by name") {
  CHECK(described(R"({"instances":[[39,"clerk"],{"features":[40,"boss"]},{"job":null,"age":1.50,"x":0}]})",
                  "application/json") == "39 clerk | 40 boss | 1.50 - | ");
  CHECK(described(R"([[39,"clerk"]])", "application/json") == "39 clerk | ");
  CHECK(described(R"([39,"clerk"])", "application/json") == "39 clerk | ");
  CHECK(described(R"({"age":39,"job":"clerk"})", "application/json") == "39 clerk | ");
  CHECK(described("{\"features\":[1,\"a\"]}\n\n[2,\"b\"]\n", "application/jsonlines") == "1 a | 2 b | ");
}

TEST_CASE("request rows: what can't be read is refused with its place") {
  CHECK(described(R"({"instances":[{"age":1}]})", "application/json") ==
        "Invalid data format. Row 1 has no \"job\"");
  CHECK(described(R"([[1,[2]]])", "application/json") ==
        "Invalid data format. Row 1, column \"job\": expected a number or a string, not an array");
  CHECK(described("{\"age\":1,\"job\":2}\n{", "application/jsonlines")
            .starts_with("Invalid data format. Line 2: invalid JSON"));
  CHECK(described("", "text/csv") == "Invalid data format. The request has no rows");
  CHECK(described(R"({"instances":[]})", "application/json") ==
        "Invalid data format. The request has no rows");
  CHECK(described("x", "image/png") == "content type \"image/png\" is not supported");
}
