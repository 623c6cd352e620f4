#pragma once
// The model of linear-learner. Bytes: "MRLL", version 1, kind, k and d as little-endian integers, k rows of d
// weights and a bias as doubles, then the SHA-256 of all that. Version 2 has a threshold as a double behind
// d. Immutable; any thread.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/training/estimator.h"
#include "tasks/training/linear_solver.h"

namespace millrace::tasks {

enum class LinearOutput : std::uint8_t { Value, Probability, Probabilities };  // regression, binary, classes

// `parameters` are for data as given, not normalised.
// `threshold`: scores of class 1 are above it.
std::unique_ptr<const Model> make_linear_model(LinearOutput output, std::size_t d, Parameters parameters,
                                               double threshold = 0.5);

// The same model with another threshold; `model` is one of linear-learner.
std::unique_ptr<const Model> with_threshold(const Model& model, double threshold);

}  // namespace millrace::tasks
