#pragma once
// Small data sets with a known rule in them, for the estimator tests.

#include <cmath>
#include <string>

#include "base/random.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

enum class SampleTask { Regression, Binary, Classes };

// d columns of standard normals; the first three carry the target. Classes are 0, 1, 2.
inline Dataset sample_data(SampleTask task, std::size_t n, std::size_t d, std::uint64_t seed) {
  Random random(seed);
  Dataset data;
  data.X = Matrix(n, d);
  data.target_name = "y";
  for (std::size_t j = 0; j < d; ++j) data.feature_names.push_back("x" + std::to_string(j));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < d; ++j) data.X.at(i, j) = static_cast<float>(random.normal());
    const auto x = data.X.values.begin() + static_cast<std::ptrdiff_t>(i * d);
    const double a = x[0], b = d > 1 ? x[1] : 0, c = d > 2 ? x[2] : 0;
    const double noise = 0.1 * random.normal();
    switch (task) {
      case SampleTask::Regression:
        data.y.push_back(3 * a - 2 * b + 0.5 * c + 1 + noise);
        break;
      case SampleTask::Binary:
        data.y.push_back(2 * a - b + noise > 0 ? 1 : 0);
        break;
      case SampleTask::Classes:
        data.y.push_back(a + noise > 0.5 ? 2 : (b > 0 ? 1 : 0));
        break;
    }
  }
  return data;
}

}  // namespace millrace::tasks
