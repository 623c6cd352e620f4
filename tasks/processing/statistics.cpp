#include "tasks/processing/statistics.h"

#include <algorithm>
#include <cmath>

namespace millrace::tasks {

std::vector<double> sorted_values(std::span<const double> numbers) {
  std::vector<double> values;
  values.reserve(numbers.size());
  for (const double x : numbers) {
    if (!std::isnan(x)) values.push_back(x);
  }
  std::sort(values.begin(), values.end());
  return values;
}

double quantile(std::span<const double> ascending, double q) {
  const double at = q * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  if (below + 1 >= ascending.size()) return ascending.back();
  return ascending[below] + (at - static_cast<double>(below)) * (ascending[below + 1] - ascending[below]);
}

Moments moments(std::span<const double> numbers) {
  Moments out;
  double sum = 0;
  for (const double x : numbers) {
    if (!std::isnan(x)) sum += x, ++out.count;
  }
  if (out.count == 0) return out;
  out.mean = sum / static_cast<double>(out.count);
  double squares = 0;
  for (const double x : numbers) {
    if (!std::isnan(x)) squares += (x - out.mean) * (x - out.mean);
  }
  out.variance = squares / static_cast<double>(out.count);
  return out;
}

}  // namespace millrace::tasks
