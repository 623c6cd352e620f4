#include "tasks/table/number_rows.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "base/random.h"
#include "tasks/table/csv.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct ReadRows {
  std::vector<double> cells;
  std::string error;
};

ReadRows read_rows_of(const std::string& lines, std::size_t columns, bool portable) {
  // Right up to the ends of what may be touched, so that the address sanitizer sees a step too far.
  std::string room = std::string(NumberRows::kBefore, '9') + lines + std::string(NumberRows::kBehind, ',');
  NumberRows reader(columns, "part.csv", 1);
  if (portable) reader.be_portable();
  ReadRows out;
  out.cells.resize(lines.size() + 1);
  const auto rows = reader.read({room.data() + NumberRows::kBefore, lines.size()}, out.cells.data());
  if (!rows) {
    out.error = rows.error().message;
    out.cells.clear();
  } else {
    out.cells.resize(*rows * columns);
  }
  return out;
}

bool same_bits(double a, double b) {
  return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
}

std::string random_cell(Random& random) {
  static constexpr const char* kSpecial[] = {"",
                                             "NA",
                                             "?",
                                             "null",
                                             "NaN",
                                             "inf",
                                             "-inf",
                                             "1e5",
                                             "-2.5E-3",
                                             "+7",
                                             " 3 ",
                                             "-0",
                                             "0",
                                             ".5",
                                             "5.",
                                             "-.25",
                                             "007",
                                             "1e400",
                                             "12345678901234567890",
                                             "0.12345678901234567890",
                                             "9007199254740993"};
  if (random.below(6) == 0) return kSpecial[random.below(std::size(kSpecial))];
  if (random.below(20) == 0) return "\"" + std::to_string(random.below(1000)) + "\"";
  std::string text = random.below(3) == 0 ? "-" : "";
  const std::uint64_t whole = random.below(8), fraction = random.below(9);
  for (std::uint64_t i = 0; i < whole + (fraction == 0); ++i)
    text += static_cast<char>('0' + random.below(10));
  if (fraction > 0) text += '.';
  for (std::uint64_t i = 0; i < fraction; ++i) text += static_cast<char>('0' + random.below(10));
  return text;
}

}  // namespace

TEST_CASE("rows of numbers are what parse_csv reads, with and without AVX2") {
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    const std::size_t columns = 1 + random.below(12), rows = 1 + random.below(40);
    std::string lines;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        std::string cell = random_cell(random);
        if (columns == 1 && cell.empty()) cell = "1";  // would be a blank line
        lines += cell + (column + 1 < columns ? "," : random.below(9) == 0 ? "\r\n" : "\n");
      }
      if (random.below(15) == 0) lines += random.below(2) == 0 ? "\n" : "\r\n";
    }
    CsvOptions options;
    options.header = false;
    for (std::size_t column = 0; column < columns; ++column)
      options.types.emplace_back("c" + std::to_string(column), Column::Type::Number);
    const auto table = parse_csv(lines, "part.csv", options);
    REQUIRE_MESSAGE(table, (table ? "" : table.error().message));
    for (const bool portable : {false, true}) {
      const ReadRows read = read_rows_of(lines, columns, portable);
      REQUIRE(read.error == "");
      REQUIRE(read.cells.size() == table->rows * columns);
      for (std::size_t row = 0; row < table->rows; ++row) {
        for (std::size_t column = 0; column < columns; ++column) {
          const double expected = table->columns[column].numbers[row];
          const double found = read.cells[row * columns + column];
          CAPTURE(lines);
          CAPTURE(expected);
          CAPTURE(found);
          REQUIRE(same_bits(expected, found));
        }
      }
    }
  }
}

TEST_CASE("rows of numbers that are none name file, line and cell") {
  struct Case {
    const char *lines, *error;
    std::size_t columns = 2;
  };
  static constexpr Case kCases[] = {
      {"1,2\n3,x\n", "part.csv:2: cell 2: \"x\" is not a number"},
      {"1,2\n\n3\n", "part.csv:3: 1 cell, expected 2"},
      {"1,2\r\n3,4,5\r\n", "part.csv:2: 3 cells, expected 2"},
      {"1,2\n3,\"4\n", "part.csv:2: cell 2: the quotes around it do not close before the next comma"},
      {"1,\"4\"5\n", "part.csv:1: cell 2: the quotes around it do not close before the next comma"},
      {"1,1.2.3\n", "part.csv:1: cell 2: \"1.2.3\" is not a number"},
      {"-,1\n", "part.csv:1: cell 1: \"-\" is not a number"},
      {".,1\n", "part.csv:1: cell 1: \".\" is not a number"},
      {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n",
       "part.csv:1: 30 cells, expected 2"},
  };
  for (const Case& example : kCases) {
    for (const bool portable : {false, true}) {
      CAPTURE(example.lines);
      CAPTURE(portable);
      CHECK(read_rows_of(example.lines, example.columns, portable).error == example.error);
    }
  }
}
