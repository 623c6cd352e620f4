#pragma once
// Gains, weights and the search for a node's best split in its histogram: pure functions.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/trees/grow.h"

namespace millrace::tasks::trees {

struct Split {
  double gain = 0;  // 0: there is none
  std::uint32_t feature = 0;
  std::uint32_t last = 0;  // the last bin of values that goes left; none of the node's may be in it
  bool missing_left = false;
  Sum left = 0;  // with the missing rows when they go left
};

// What a node may answer: monotone constraints narrow it.
struct Bounds {
  double low, high;
};

// -G / (H + lambda), with alpha, max_delta_step and the bounds.
double node_weight(const GrowSettings& settings, double gradient, double hessian, const Bounds& bounds);
// What a node of these sums saves when it answers its weight (times two).
double node_gain(const GrowSettings& settings, double gradient, double hessian, const Bounds& bounds);

struct NodeSums {
  Sum total = 0;
  double unit_gradient = 1, unit_hessian = 1;
  Bounds bounds{};
};

// The best split of one feature that gains more than `least`; else gain 0.
Split best_split_of(const GrowSettings& settings, const Bins& bins, std::uint32_t feature,
                    const Sum* histogram, const NodeSums& node, double least);
// The better of two; the lower feature of equals.
const Split& better(const Split& a, const Split& b);

// Between the bins `last` and `next` of a node's rows, with none of them in between: the last bin that goes
// left when the threshold is to lie in the middle, which is where other rows are told apart best.
std::uint32_t middle_of_gap(const Feature& feature, std::uint32_t last, std::uint32_t next);

// Where the bins of the split's column go.
Route route_of(const Bins& bins, const Split& split);
// Left when x < this.
float condition_of(const Bins& bins, const Split& split);

}  // namespace millrace::tasks::trees
