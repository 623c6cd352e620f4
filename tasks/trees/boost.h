#pragma once
// Booster: gradient boosting round by round: trees, trees with dropout (dart), or a linear model. It knows
// nothing of metrics and stopping; whoever drives it looks at the scores between rounds.
//
// A round depends on the data, the settings and its number, and on the rounds before only through the
// ensemble: continuing from a model that was saved after k rounds gives the same bytes as never having
// stopped. The number of threads changes nothing.
//
// Sources: Friedman (2001); Rashmi and Gilad-Bachrach, "DART" (2015); XGBoost's parameters.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "tasks/trees/grow.h"
#include "tasks/trees/objective.h"
#include "tasks/trees/tree.h"

namespace millrace::tasks::trees {

struct DartSettings {
  double rate_drop = 0, skip_drop = 0;
  bool one_drop = false, weighted = false, forest = false;
};

struct LinearSettings {
  enum class Order { Cyclic, Shuffle, Random, Greedy, Thrifty };
  double learning_rate = 0.5, lambda = 0, alpha = 0, lambda_bias = 0;
  Order order = Order::Cyclic;
  std::size_t top = 0;  // features that Greedy and Thrifty look at; 0: all
};

struct BoostSettings {
  std::string objective = "reg:squarederror";
  ObjectiveSettings objective_settings;
  Ensemble::Booster booster = Ensemble::Booster::Trees;
  double base_score = 0.5;
  bool median_base = false;  // base_score is the median of the targets instead
  GrowSettings grow;
  DartSettings dart;
  LinearSettings linear;
  double subsample = 1;
  std::size_t parallel_trees = 1;
  std::uint32_t max_bin = 256;
  std::uint64_t seed = 0;
};

// Rows of a channel; borrowed.
struct ChannelRows {
  MatrixView X;
  std::span<const float> y, weights;           // weights may be empty
  std::span<const std::uint32_t> groups = {};  // where queries begin, and the end; of ranking
};

class Booster {
 public:
  // Settings and data have been checked by the caller. `start` (may be null) is continued: InvalidArgument
  // when it is of another booster, objective, width or number of outputs. `bins` of the training rows, whose
  // values (train.X) are then not looked at, only their number of columns; not for a linear model. `ranks`
  // (may be null; borrowed): train is this rank's part of the rows, and `bins` is of all (bins_of_ranks); not
  // for ranking or a linear model. Every rank then calls the same, and comes to the same ensemble.
  static Result<std::unique_ptr<Booster>> make(BoostSettings settings, const ChannelRows& train,
                                               const ChannelRows* validation, const Ensemble* start,
                                               std::vector<std::string> feature_names, Team& team,
                                               std::unique_ptr<Bins> bins = nullptr,
                                               const RankRows* ranks = nullptr);
  ~Booster();

  // One round. Cancelled when `cancelled` (asked after much work within a round) said so.
  Status round(const Grower::Cancelled& cancelled);

  const Ensemble& ensemble() const { return ensemble_; }
  const Objective& objective() const { return *objective_; }
  // Scores in planes (objective.h) with all rounds so far.
  std::span<const float> train_scores() const { return train_scores_; }
  std::span<const float> validation_scores() const { return validation_scores_; }
  // The ensemble, cut to its first rounds. Ends the Booster.
  Ensemble take(std::size_t rounds);

 private:
  Booster(BoostSettings settings, const ChannelRows& train, const ChannelRows* validation, Team& team);
  Status begin(const Ensemble* start, std::vector<std::string> feature_names);
  Status rescore_train(const std::vector<char>& without);
  void rescore(const ChannelRows& rows, std::vector<float>& scores, const std::vector<char>& without) const;
  Status grow_round(const Grower::Cancelled& cancelled);
  Status rank_status() const;
  void gradients_of(std::size_t output);
  void draw_rows(std::uint64_t key);
  void add_tree(const Tree& tree, std::size_t output, bool all_train_rows);
  double median_of(std::span<const std::uint32_t> rows, std::span<const float> scores) const;
  std::vector<char> draw_dropped(Random& random) const;
  Status dart_round(const Grower::Cancelled& cancelled);
  void linear_round();
  double linear_step(std::size_t feature, std::size_t output, double penalty) const;
  void change_weight(std::size_t feature, std::size_t output, double step);
  std::vector<std::size_t> linear_order(std::size_t output, double penalty, Random& random) const;

  BoostSettings settings_;
  ChannelRows train_, validation_;
  bool has_validation_ = false;
  bool binned_ = false;  // the training rows are known by their bins alone
  Team& team_;
  const RankRows* ranks_ = nullptr;
  std::unique_ptr<Objective> objective_;
  Ensemble ensemble_;
  std::unique_ptr<Bins> bins_;
  std::unique_ptr<Grower> grower_;
  std::vector<float> train_scores_, validation_scores_;
  std::vector<GradientPair> pairs_;
  std::vector<Sum> words_;
  std::vector<std::uint32_t> rows_, others_;  // of a tree: sampled or not
};

}  // namespace millrace::tasks::trees
