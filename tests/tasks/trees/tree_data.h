#pragma once
// Data with what trees meet: missing values, few and many values, weights.

#include <cmath>
#include <limits>

#include "base/random.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

// Eight columns: three of normals (the second with missing values that mean something), codes of 2, 5, 7 and
// 30 values, and a constant. The target is a number; `classes` > 0 cuts it into so many classes.
inline Dataset tree_data(std::size_t n, std::uint64_t seed, std::size_t classes = 0, bool weighted = false) {
  Random random(seed);
  Dataset data;
  data.X = Matrix(n, 8);
  data.target_name = "y";
  for (std::size_t j = 0; j < 8; ++j) data.feature_names.push_back("f" + std::to_string(j));
  for (std::size_t i = 0; i < n; ++i) {
    const double a = random.normal(), b = random.normal(), c = random.normal();
    const auto two = random.below(2), five = random.below(5), seven = random.below(7),
               thirty = random.below(30);
    const float values[] = {float(a),    float(b),     float(c),      float(two),
                            float(five), float(seven), float(thirty), 4};
    for (std::size_t j = 0; j < 8; ++j) data.X.at(i, j) = values[j];
    double target =
        a + (two == 1 ? b : -c) + 0.3 * double(five) + (thirty > 20 ? 1 : 0) + 0.5 * random.normal();
    if (random.uniform() < (target > 1 ? 0.3 : 0.1))
      data.X.at(i, 1) = std::numeric_limits<float>::quiet_NaN();
    if (classes == 2) target = target > 0.8 ? 1 : 0;
    if (classes > 2) target = std::min(double(classes) - 1, std::max(0.0, std::floor(target)));
    data.y.push_back(target);
    if (weighted) data.weights.push_back(0.5 + random.uniform());
  }
  return data;
}

}  // namespace millrace::tasks
