#pragma once
// What programs of this folder share: tables of numbers from CSV, the clocks and the memory of the process,
// the time that a model takes for one row. All exit with a message when something is wrong.

#include <cstddef>
#include <string>
#include <vector>

#include "tasks/training/estimator.h"

namespace millrace::bench {

// A file without a header, all cells numbers; the target first, if it has one.
tasks::Dataset read_numbers(const std::string& path, bool target = true);

// Seconds that have passed on a clock that never goes back, and seconds of processors that this process used.
struct Used {
  double wall_s = 0, cpu_s = 0;
};
Used used();

// Mebibytes in memory: now, and the most since forget_peak_memory.
double memory_mb();
double peak_memory_mb();
void forget_peak_memory();

double median_of(std::vector<double> values);
// Area under the curve of scores (first column) of rows that are 0 or 1; ties count half.
double area_under_curve(tasks::MatrixView scores, const std::vector<double>& labels);

// Microseconds for a single row, calls one after another: the least over some rounds of their mean
// (`mean_us`), and, each call with the clock's own time, the median and the 99th of a hundred.
struct Latency {
  double mean_us = 0, p50_us = 0, p99_us = 0;
};
Latency one_row(const tasks::Model& model, tasks::MatrixView rows);

}  // namespace millrace::bench
