#pragma once
// PackedTrees: many shallow trees laid out for one row at a time, which is what an endpoint is asked. A row's
// values become ranks among the thresholds of their feature once; then a node is one number (rank and
// feature), children are found by counting (2k, 2k + 1), and sixteen trees are walked side by side, with
// AVX-512 in a register each. Trees are filled up to the depth of the deepest, so this is for boosted trees,
// not for a forest's. The leaves are those of a plain walk and are added in the order of the trees: the same
// bits. Immutable; any thread.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/trees/tree.h"

namespace millrace::tasks::trees {

class PackedTrees {
 public:
  static constexpr std::uint32_t kDepthMost = 8;
  static constexpr std::size_t kTreesLeast = 16;  // fewer are walked as they are

  PackedTrees() = default;
  // Trees [first, last) of a checked ensemble.
  PackedTrees(const Ensemble& ensemble, std::size_t first, std::size_t last);
  // False: too few trees, too deep ones, or too many features or thresholds to number; it must not be asked.
  bool usable() const { return !nodes_.empty(); }

  // Adds every tree's leaf value, times its weight, to scores[outputs[tree] * step]; `outputs` by tree.
  // Missing values are NaN.
  void add(const float* row, std::span<const std::uint32_t> outputs, float* scores, std::size_t step) const;

 private:
  bool number_thresholds(const Ensemble& ensemble, std::size_t first, std::size_t last);
  void pack(const Tree& tree, float weight, std::size_t place);
  void rank(const float* row, std::uint32_t* ranks) const;

  struct Feature {
    std::uint32_t column = 0, first = 0, count = 0;  // its thresholds
  };
  std::uint32_t depth_ = 0;
  std::size_t trees_ = 0;
  bool one_output_ = true;
  std::vector<Feature> features_;          // those that are used
  std::vector<std::uint32_t> feature_of_;  // by column: its place among them
  std::vector<float> thresholds_;          // ascending, by feature
  std::vector<std::uint32_t> nodes_;  // (groups of 16 trees, 2^depth, 16): rank above, place in ranks below
  std::vector<float> leaves_;         // (groups, 2^depth, 16)
};

}  // namespace millrace::tasks::trees
