// Reading CSV: a generated file of numbers, and one of numbers, categories, quoted text and times with some
// cells missing. Usage: millrace_bench_csv [rows]; prints rows/s and MB/s, one line a measure.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/random.h"
#include "tasks/table/csv.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
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

void measure(const char* what, const std::string& text) {
  const double begun = now_s();
  const auto table = parse_csv(text, "bench.csv");
  const double seconds = now_s() - begun;
  if (!table) {
    std::printf("%s: %s\n", what, table.error().message.c_str());
    std::exit(1);
  }
  std::printf("%-28s %12.4g rows/s %10.4g MB/s\n", what, static_cast<double>(table->rows) / seconds,
              static_cast<double>(text.size()) / 1e6 / seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  measure("ten columns of numbers", numbers(rows));
  measure("text, times and numbers", mixed(rows));
}
