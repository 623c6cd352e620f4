#pragma once
// Growing one tree on binned rows: histograms, best splits, partitions. The rules are XGBoost's (regularised
// gain, missing values to the better side, monotone and interaction constraints, leaf-wise or level-wise
// growth); sums are whole numbers (histogram.h), so a tree depends on the data and the settings only, not on
// threads or processor.
//
// Without a limit of leaves the order of splitting does not matter: nodes of many rows are split by all
// threads together, the subtrees below them by one thread each, which keeps a subtree's rows in its cache;
// the larger child takes over its parent's histogram, so no more than log2(rows) of them are held at a time.
// With max_leaves or lossguide a queue decides.
//
// With ranks the rows of a tree are shared out among processes: nodes are split group by group, and
// histograms of a group's smaller children are summed over all ranks at once.
//
// Sources: Chen and Guestrin, "XGBoost" (2016); Ke et al., "LightGBM" (2017), leaf-wise growth; Shi et al.,
// "Quantized training of GBDT" (2022), stochastic rounding.

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "tasks/ranks/rank_rows.h"
#include "tasks/trees/bins.h"
#include "tasks/trees/histogram.h"
#include "tasks/trees/team.h"
#include "tasks/trees/tree.h"

namespace millrace::tasks::trees {

struct GrowSettings {
  double learning_rate = 0.3;
  int max_depth = 6;   // 0: no limit
  int max_leaves = 0;  // 0: no limit
  bool loss_guided = false;
  double min_child_weight = 1, gamma = 0, lambda = 1, alpha = 0, max_delta_step = 0;
  double columns_by_tree = 1, columns_by_level = 1, columns_by_node = 1;  // shares
  std::vector<int> monotone;                                              // by feature: 1, 0, -1; or empty
  std::vector<std::vector<std::uint32_t>> interactions;  // sets of features that may meet; empty: all may
};

// The gradients of one tree.
struct Gradients {
  std::span<const Sum> words;                  // by row
  double unit_gradient = 1, unit_hessian = 1;  // value of one
};

class Grower {
 public:
  // Asked on the calling thread after much work; true ends growth, and the tree is worthless.
  using Cancelled = std::function<bool()>;
  // Leaf values that are not -G / (H + lambda): from a leaf's rows. May be called by any thread of the team.
  using LeafValue = std::function<double(std::span<const std::uint32_t> rows)>;

  // `ranks` (may be null): the bins are those of this rank's rows. Every rank grows the same trees; after an
  // error of the collective they are worthless.
  Grower(const Bins& bins, GrowSettings settings, Team& team, const RankRows* ranks = nullptr);
  ~Grower();

  // Grows a tree over `rows` (ascending; reordered) and adds its leaf values to their scores. `key` decides
  // what is random.
  Tree grow(const Gradients& gradients, std::vector<std::uint32_t>& rows, std::uint64_t key, float* scores,
            const LeafValue& leaf_value, const Cancelled& cancelled);

 private:
  struct Work;
  const Bins& bins_;
  GrowSettings settings_;
  Team& team_;
  const RankRows* const ranks_;
  std::vector<std::uint32_t> right_;          // room for the rows of a partition
  std::vector<std::vector<Sum>> histograms_;  // not in use
  std::mutex histograms_mutex_;
};

}  // namespace millrace::tasks::trees
