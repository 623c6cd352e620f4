#pragma once
// Predictor: an ensemble laid out for walking. Children of a node lie side by side and a leaf leads to
// itself, so that a step needs no branch; many trees (of one row) or many rows (of one tree) are under way at
// a time. Shallow trees are packed (packed_trees.h). Scores add the trees in their order, so every way gives
// the same bits. Immutable; any thread.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/numeric/matrix.h"
#include "tasks/trees/packed_trees.h"
#include "tasks/trees/tree.h"

namespace millrace::tasks::trees {

class Predictor {
 public:
  Predictor() = default;
  // Trees [first, last) of a checked ensemble.
  Predictor(const Ensemble& ensemble, std::size_t first, std::size_t last);
  explicit Predictor(const Ensemble& ensemble) : Predictor(ensemble, 0, ensemble.trees.size()) {}
  explicit Predictor(const Tree& tree);

  // Adds every tree's leaf value, times its weight, to scores[i * row_step + output * output_step].
  void add(MatrixView X, float* scores, std::size_t row_step, std::size_t output_step) const;
  // The same for some rows of X, whose scores are scores[i * row_step + …] by their row number i.
  void add(MatrixView X, std::span<const std::uint32_t> rows, float* scores, std::size_t row_step,
           std::size_t output_step) const;
  // out (n, trees): the number that the leaf has in its Tree.
  void leaves(MatrixView X, std::uint32_t* out) const;
  std::size_t trees() const { return roots_.size(); }

 private:
  struct Step {
    float threshold;        // NaN in a leaf
    std::uint32_t feature;  // times two, plus one when a missing value goes right
    std::uint32_t left;     // right is the next one; itself in a leaf
    float value;            // of a leaf, times the tree's weight
  };
  void append(const Tree& tree, std::uint32_t output, float weight);
  // The leaf of a row, with splits by categories; for ensembles that have any.
  std::uint32_t walk_one(const float* row, std::size_t tree) const;
  template <bool kMissing>
  void walk_trees(const float* row, std::size_t first, std::size_t count, std::uint32_t* at) const;
  template <bool kMissing>
  void walk_rows(const float* const* rows, std::size_t count, std::size_t tree, std::uint32_t* at) const;
  void add_block(const float* const* rows, float* const* scores, std::size_t count, std::size_t cols,
                 std::size_t output_step) const;

  std::vector<Step> steps_;
  std::vector<std::uint32_t> numbers_;  // by step: the number in its Tree
  std::vector<std::uint32_t> roots_;    // by tree
  std::vector<std::uint32_t> depths_;
  std::vector<std::uint32_t> outputs_;
  PackedTrees packed_;                            // the same trees, where they are shallow
  std::vector<std::vector<std::uint32_t>> sets_;  // of categories; empty: all splits are numeric
  std::vector<std::int32_t> set_of_;              // with sets, by step: its own, or -1
};

// Scores of a linear ensemble, or of trees: base margin and all, out (n, outputs).
void margins_of(const Ensemble& ensemble, const Predictor& predictor, double base_margin, MatrixView X,
                float* out);

}  // namespace millrace::tasks::trees
