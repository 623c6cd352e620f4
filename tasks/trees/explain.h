#pragma once
// Why a model answers what it does: exact contributions of the features to a row's score (TreeSHAP, path
// dependent), contributions of pairs, and importances of the features over the whole model.
//
// A leaf is a list of intervals, one for each feature of its path. Which of them a row satisfies is a pattern
// of at most 2^8, and for each pattern what the leaf contributes to each feature is in a table that is made
// once; many rows are looked up at a time. Leaves of more features, or beyond kTableBytes, are worked out
// by polynomials for each row. Everything here is for trees: a linear model explains itself.
//
// Sources: Lundberg, Erion and Lee, "Consistent individualized feature attribution" (2018); Mitchell et al.,
// "GPUTreeShap" (2022), leaves as lists of intervals; Yang, "Fast TreeSHAP" (2021), tables.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/numeric/matrix.h"
#include "tasks/trees/team.h"
#include "tasks/trees/tree.h"

namespace millrace::tasks::trees {

inline constexpr std::size_t kTableBytes = std::size_t(64) << 20;

class Explainer {
 public:
  // A checked ensemble of trees; `base_margin` is its objective's.
  Explainer(const Ensemble& ensemble, double base_margin);

  // out (n, outputs, features + 1): what each feature adds to the score; the last column is the expected
  // score of a row of which nothing is known. A row's columns sum to its score.
  void contributions(MatrixView X, Team& team, float* out) const;
  // out (n, outputs, features + 1, features + 1): pairs share what they do together half and half, the
  // diagonal is what a feature does alone; a row of the square sums to the feature's contribution.
  void interactions(MatrixView X, Team& team, float* out) const;

  std::size_t features() const { return features_; }
  std::size_t outputs() const { return base_.size(); }

 private:
  struct Interval {
    std::uint32_t feature;
    float low, high;          // low <= x < high
    float missing;            // 1 when a missing value belongs to it
    float share;              // of the rows that go this way when the feature is not known
    std::int32_t categories;  // of a feature of categories: which of demands_, else -1
  };
  // What categories a path leads through: all those sets that it has to be in, or not in.
  struct Demand {
    std::uint32_t set;  // of sets_
    bool within;
  };
  struct Leaf {
    std::uint32_t first, count;  // intervals
    std::uint32_t output;
    std::uint32_t has_table;
    std::size_t table;  // (count, 2^count), each row of at least 16
    float value;
  };
  void add_leaves(const Tree& tree, std::uint32_t output, float weight);
  void make_table(Leaf& leaf);
  // What one side of a split leaves of an interval; of a split by categories, the last of sets_.
  void narrow(Interval& interval, const Node& node, bool right);
  bool satisfied(const Interval& interval, float x) const;
  void add_lookups(const Leaf& leaf, const float* columns, float* sums) const;
  void add_worked_out(const Leaf& leaf, const float* columns, float* sums) const;
  void add_pairs(const Leaf& leaf, const float* row, float* square) const;

  std::size_t features_;
  std::vector<double> base_;  // by output
  std::vector<Interval> intervals_;
  std::vector<Leaf> leaves_;
  std::vector<float> tables_;
  std::vector<std::vector<std::uint32_t>> sets_;  // of categories, by split
  std::vector<std::vector<Demand>> demands_;
};

// XGBoost's importance types: "weight" (number of splits), "gain" and "cover" (means over the splits),
// "total_gain", "total_cover"; by feature, 0 where it is not used. InvalidArgument for another type.
Result<std::vector<double>> feature_importance(const Ensemble& ensemble, std::string_view type);

}  // namespace millrace::tasks::trees
