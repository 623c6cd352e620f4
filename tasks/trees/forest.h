#pragma once
// Forests: trees grown by themselves on rows drawn with replacement, the best of a few features drawn for
// each split (Breiman), or with thresholds drawn too (extremely randomised). A leaf answers the mean target
// of its rows, or the share of each class; splits lower the variance, or Gini's impurity, most. Missing
// values go to the better side.
//
// A tree is grown by one thread from the forest's seed and its number alone, so forests are the same for any
// number of threads, and trees can be added to one later. A mean target and two classes use the whole-number
// histograms of boosting (histogram.h); more classes have sums of their own.
//
// Sources: Breiman, "Random Forests" (2001); Geurts, Ernst and Wehenkel, "Extremely randomized trees" (2006).

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/random.h"
#include "tasks/trees/bins.h"
#include "tasks/trees/histogram.h"
#include "tasks/trees/objective.h"
#include "tasks/trees/tree.h"

namespace millrace::tasks::trees {

struct ForestSettings {
  std::size_t classes = 0;    // targets are classes; 0: numbers
  int max_depth = 0;          // 0: no limit
  double min_split = 2;       // rows of a node that is split, and
  double min_leaf = 1;        //   of a leaf; weights count by `least_weight`
  double least_weight = 1;    // of a row
  double least_decrease = 0;  // of impurity, by a split, as a share of all rows
  std::size_t features = 1;   // looked at for a split: more only when they are all constant
  bool random_thresholds = false;
  bool bootstrap = true;
  double samples = 1;  // rows drawn, as a share of the rows there are
  std::uint64_t seed = 0;
};

// A leaf's `condition` is its mean target or the chance of class 1; of three classes or more its `feature` is
// its row in `shares`.
struct ForestTree {
  Tree tree;
  std::vector<float> shares;  // (leaves, classes), or empty
};

class ForestGrower {
 public:
  // `y` (n,) numbers or classes, `weights` (n,) or empty; borrowed, as are the bins.
  ForestGrower(const Bins& bins, ForestSettings settings, std::span<const float> y,
               std::span<const float> weights);

  // What one thread needs to grow trees, one after another.
  struct Room {
    std::vector<std::uint32_t> rows, right, order;
    std::vector<std::uint16_t> drawn;  // by row: how often it was drawn
    std::vector<GradientPair> pairs;
    std::vector<Sum> words, histogram;
    std::vector<float> weights;  // of the rows of this tree
    std::vector<double> totals, left, counts;
    struct Entry {
      std::uint32_t bin, label;
      double weight;
    };
    std::vector<Entry> entries;
  };
  // How often each row is drawn for a tree.
  void draw(std::uint64_t number, std::vector<std::uint16_t>& drawn) const;
  // Any thread, each with its own room. `cancelled` (asked after much work; may be empty) ends growth, and
  // the tree is worthless.
  ForestTree grow(std::uint64_t number, Room& room, const std::function<bool()>& cancelled) const;

 private:
  struct Growth;
  const Bins& bins_;
  ForestSettings settings_;
  std::span<const float> y_, weights_;
  std::vector<std::uint32_t> features_;  // that vary
};

// The leaf of a row.
const Node& leaf_of(const Tree& tree, const float* row);

}  // namespace millrace::tasks::trees
