#pragma once
// Walking trees by the bins of rows instead of their values: of training rows whose values are not kept. A
// split of a tree that was grown on these bins lies between two of them, so the leaf is the same.

#include <cstdint>
#include <span>

#include "tasks/trees/bins.h"
#include "tasks/trees/tree.h"

namespace millrace::tasks::trees {

class BinnedTree {
 public:
  BinnedTree(const Tree& tree, const Bins& bins);
  // Whether all its splits lie between bins; else it may not be walked.
  bool fits() const { return fits_; }
  // The value of a row's leaf.
  float value(std::size_t row) const;

 private:
  struct Step {
    std::uint32_t feature, last;  // left: bins up to the last
    std::int32_t left, right;     // left -1: a leaf
    bool missing_left;
    float value;
  };
  const Bins& bins_;
  std::vector<Step> steps_;
  bool fits_ = true;
};

// Adds weight times the leaf's value to scores[row], of the rows listed or (with an empty list) of all.
void add_binned(const BinnedTree& tree, float weight, std::span<const std::uint32_t> rows, std::size_t all,
                float* scores, Team& team);

}  // namespace millrace::tasks::trees
