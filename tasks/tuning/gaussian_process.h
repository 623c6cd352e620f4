#pragma once
// Gaussian process with expected improvement: fits a smooth surface to what trials came to and tries where it
// expects the most below the best so far.
//
// Kernel: Matérn 5/2 with a length of its own for each hyperparameter (two categories, or a hyperparameter
// that is there and one that is not, are a distance of 1 apart). Lengths, scale and noise are those of the
// largest marginal likelihood under weak priors, found by resilient gradient steps over at most 128
// observations: the best half and the latest half. Losses above the median are compressed (log1p) before they
// are standardised, since only the order matters up there. Expected improvement is sought over random points
// and points around the best ones, which are then refined. The first 10 points are random; of more than 512
// observations the best and latest are used. Cost: O(n^3), about 0.1 s for a point at n = 200, so it is for
// trials that take longer than that. Sources: Snoek, Larochelle and Adams, Practical Bayesian Optimization of
// Machine Learning Algorithms (2012); Rasmussen and Williams, Gaussian Processes for Machine Learning,
// chapter 5. Pure.

#include <span>

#include "base/random.h"
#include "tasks/tuning/space.h"
#include "tasks/tuning/tpe.h"

namespace millrace::tasks {

// `observations` in trial order. The same arguments and state of `random` give the same point.
Point suggest_gaussian_process(const SearchSpace& space, std::span<const Observation> observations,
                               Random& random);

}  // namespace millrace::tasks
