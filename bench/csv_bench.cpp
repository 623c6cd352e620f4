// Reading CSV: a generated file of numbers, and one of numbers, categories, quoted text and times with some
// cells missing. Usage: millrace_bench_csv [rows], or a file of numbers without a
// header; prints rows/s and MB/s of one thread's processor time, one line a measure.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/random.h"
#include "tasks/table/csv.h"
#include "tasks/table/number_rows.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Seconds of this thread, so that other work on the machine does not count.
double used_s() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string numbers(std::size_t rows) {
  Random random(1);
  std::string text = "a,b,c,d,e,f,g,h,i,j\n";
  for (std::size_t row = 0; row < rows; ++row) {
    for (int column = 0; column < 10; ++column) {
      append_number(text, std::round(random.normal() * 1e6) / 1e4);
      text += column < 9 ? ',' : '\n';
    }
  }
  return text;
}

std::string mixed(std::size_t rows) {
  static constexpr const char* kKinds[] = {"grocery", "travel", "\"fuel, food\"", "online"};
  Random random(2);
  std::string text = "id,time,kind,amount,note\n";
  for (std::size_t row = 0; row < rows; ++row) {
    text += "t-" + std::to_string(row) + ",2026-03-0" + std::to_string(1 + row % 9) + "T10:15:30Z,";
    text += kKinds[random.below(4)];
    text += ',';
    if (random.uniform() > 0.05) append_number(text, std::round(random.uniform() * 1e5) / 100);
    text += row % 10 == 0 ? ",\"a \"\"quoted\"\" remark\"\n" : ",\n";
  }
  return text;
}

void report(const char* what, std::size_t rows, std::size_t bytes, double seconds) {
  std::printf("%-28s %12.4g rows/s %10.4g MB/s\n", what, static_cast<double>(rows) / seconds,
              static_cast<double>(bytes) / 1e6 / seconds);
}

void measure(const char* what, const std::string& text, bool header = true) {
  CsvOptions options;
  options.header = header;
  const double begun = used_s();
  const auto table = parse_csv(text, "bench.csv", options);
  if (!table) {
    std::printf("%s: %s\n", what, table.error().message.c_str());
    std::exit(1);
  }
  report(what, table->rows, text.size(), used_s() - begun);
}

// Into rows, without a table between: the least of some rounds.
void measure_rows(const char* what, std::string_view text) {
  const std::string_view first = text.substr(0, text.find('\n'));
  const auto columns = static_cast<std::size_t>(std::ranges::count(first, ',')) + 1;
  const std::string room =
      std::string(NumberRows::kBefore, '\n') + std::string(text) + std::string(NumberRows::kBehind, '\n');
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  std::vector<double> cells(kPieceBytes);
  double least = 1e9;
  std::size_t rows = 0;
  for (int round = 0; round < 5; ++round) {
    rows = 0;
    const double begun = used_s();
    NumberRows reader(columns, "bench.csv");
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t end = text.rfind('\n', std::min(text.size(), from + kPieceBytes) - 1) + 1;
      const auto read = reader.read({room.data() + NumberRows::kBefore + from, end - from}, cells.data());
      if (!read) {
        std::printf("%s: %s\n", what, read.error().message.c_str());
        std::exit(1);
      }
      rows += *read, from = end;
    }
    least = std::min(least, used_s() - begun);
  }
  report(what, rows, text.size(), least);
}

std::string text_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::filesystem::exists(argv[1])) {
    const std::string text = text_of(argv[1]);
    measure("as a table", text, false);
    measure_rows("straight into rows", text);
    return 0;
  }
  const std::size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const std::string ten = numbers(rows);
  measure("ten columns of numbers", ten);
  measure_rows("the same, straight into rows", std::string_view(ten).substr(ten.find('\n') + 1));
  measure("text, times and numbers", mixed(rows));
}
