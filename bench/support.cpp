#include "bench/support.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tasks/table/csv.h"

namespace millrace::bench {

using tasks::Dataset;
using tasks::Matrix;
using tasks::MatrixView;

Dataset read_numbers(const std::string& path, bool target) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  tasks::CsvOptions options;
  options.header = false;
  const auto table = tasks::parse_csv(text.str(), path, options);
  if (!file || !table) {
    std::fprintf(stderr, "%s\n", table ? (path + " cannot be read").c_str() : table.error().message.c_str());
    std::exit(2);
  }
  const std::size_t first = target ? 1 : 0;
  Dataset data;
  data.X = Matrix(table->rows, table->columns.size() - first);
  if (target) data.y = table->columns[0].numbers;
  for (std::size_t j = first; j < table->columns.size(); ++j) {
    if (table->columns[j].numbers.size() != table->rows) {
      std::fprintf(stderr, "%s: column %zu is not of numbers\n", path.c_str(), j);
      std::exit(2);
    }
    for (std::size_t i = 0; i < table->rows; ++i)
      data.X.at(i, j - first) = static_cast<float>(table->columns[j].numbers[i]);
  }
  return data;
}

Used used() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return {std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          seconds(use.ru_utime) + seconds(use.ru_stime)};
}

namespace {

double status_mb(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::atof(line.c_str() + name.size() + 1) / 1024;
  }
  std::fprintf(stderr, "no %s in /proc/self/status\n", name.c_str());
  std::exit(2);
}

}  // namespace

double memory_mb() {
  return status_mb("VmRSS");
}

double peak_memory_mb() {
  return status_mb("VmHWM");
}

void forget_peak_memory() {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double area_under_curve(MatrixView scores, const std::vector<double>& labels) {
  std::vector<std::pair<float, double>> rows;
  for (std::size_t i = 0; i < labels.size(); ++i) rows.emplace_back(scores.row(i)[0], labels[i]);
  std::ranges::sort(rows);
  double below = 0, pairs = 0, positives = 0;
  for (std::size_t at = 0; at < rows.size();) {
    double tied[2] = {0, 0};
    const float same = rows[at].first;
    for (; at < rows.size() && rows[at].first == same; ++at) ++tied[rows[at].second > 0.5];
    pairs += tied[1] * (below + tied[0] / 2), below += tied[0], positives += tied[1];
  }
  return pairs / (below * positives);
}

Latency one_row(const tasks::Model& model, MatrixView rows) {
  constexpr std::size_t kCalls = 20'000, kRounds = 7;
  const auto ask = [&](std::size_t k) {
    if (model.predict(rows.slice(k * 7919 % rows.rows, 1))) return;
    std::fprintf(stderr, "a row cannot be scored\n");
    std::exit(2);
  };
  Latency out;
  out.mean_us = 1e9;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const double begun = used().wall_s;
    for (std::size_t k = 0; k < kCalls; ++k) ask(k);
    out.mean_us = std::min(out.mean_us, (used().wall_s - begun) / static_cast<double>(kCalls) * 1e6);
  }
  std::vector<double> us;
  for (std::size_t k = 0; k < kCalls; ++k) {
    const auto begun = std::chrono::steady_clock::now();
    ask(k);
    us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun).count());
  }
  std::ranges::sort(us);
  out.p50_us = us[kCalls / 2], out.p99_us = us[kCalls * 99 / 100];
  return out;
}

}  // namespace millrace::bench
