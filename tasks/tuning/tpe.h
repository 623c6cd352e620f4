#pragma once
// Tree-structured Parzen estimator: draws the next point of a search where good points lie denser than
// others.
//
// Observations are split into the best gamma(n) = min(ceil(0.1 n), 25) and the rest; each side is a mixture
// of truncated normals (categories: smoothed counts) around its points plus a wide prior; of 24 draws from
// the good side the one with the largest ratio good(x) / rest(x) is taken. Kernels weigh 1 for the last 25
// observations, older ones less (a ramp from 1/n). The first 10 points are random.
//   univariate    each hyperparameter by itself; widths from the distance to the neighbours
//   multivariate  kernels over whole points, widths 0.2 n^(-1/(d+4)): learns how hyperparameters go together,
//   early
// Hyperparameters under a condition learn from the observations that have them, those under the same one
// jointly. Joint is used for the first 50 observations, then both take turns by trial: univariate refines
// better late. Source: Bergstra et al., Algorithms for Hyper-Parameter Optimization (2011); rules and
// constants of Optuna 3.1's TPESampler (prior weight 1, magic clip, endpoints off). Cost: O(24 n d) for a
// point. Pure.

#include <span>

#include "base/random.h"
#include "tasks/tuning/space.h"

namespace millrace::tasks {

struct Observation {
  Point point;
  double loss = 0;  // smaller is better; finite
};

enum class TpeMode { Mixed, Univariate, Multivariate };

// `observations` in trial order. The same arguments and state of `random` give the same point.
Point suggest_tpe(const SearchSpace& space, std::span<const Observation> observations, Random& random,
                  TpeMode mode = TpeMode::Mixed);

}  // namespace millrace::tasks
