#pragma once
// Small statistics of one column of numbers, missing cells left out. Any thread.

#include <span>
#include <vector>

namespace millrace::tasks {

// The cells that are there, ascending. Cost: O(n log n).
std::vector<double> sorted_values(std::span<const double> numbers);
// Quantile q in [0, 1] of ascending values, linear between neighbours (numpy's default, type 7 of Hyndman and
// Fan 1996). `ascending` may not be empty.
double quantile(std::span<const double> ascending, double q);

struct Moments {
  std::size_t count = 0;
  double mean = 0, variance = 0;  // population variance (divided by n), as scikit-learn's StandardScaler
};
Moments moments(std::span<const double> numbers);

}  // namespace millrace::tasks
