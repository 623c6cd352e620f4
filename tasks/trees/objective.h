#pragma once
// Objectives: gradients of a row's loss by its score, and what a score means to people. One row of a table
// each, by XGBoost's names, with its formulas and limits for targets.
//
// Scores of several outputs lie in planes: output k of row i is scores[k * rows + i].
// Source: XGBoost 1.7 parameters and definitions of its objectives.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/ranks/rank_rows.h"
#include "tasks/trees/team.h"

namespace millrace::tasks::trees {

struct GradientPair {
  float gradient, hessian;
};

// Values of objective parameters by name; absent ones have their defaults.
struct ObjectiveSettings {
  double scale_pos_weight = 1;
  double huber_slope = 1;
  double tweedie_variance_power = 1.5;
  double max_delta_step = 0.7;  // of count:poisson
  std::size_t classes = 1;
};

class Objective {
 public:
  virtual ~Objective() = default;
  virtual std::string_view default_metric() const = 0;
  // Gradients of output k, of rows [begin, end), times their weights (or empty).
  virtual void gradients(std::size_t k, std::size_t begin, std::size_t end, std::span<const float> scores,
                         std::span<const float> y, std::span<const float> weights,
                         GradientPair* out) const = 0;
  // Called once before the gradients of a round, over all rows; what softmax needs of other outputs.
  virtual void begin_round(std::span<const float> scores, std::size_t rows, Team& team) {
    (void)scores, (void)rows, (void)team;
  }
  // Scores of one row (all outputs) to predictions, in place.
  virtual void transform(float* scores, std::size_t outputs) const { (void)scores, (void)outputs; }
  // The score that stands for base_score. base_score must be good().
  virtual double base_margin(double base_score) const { return base_score; }
  virtual bool good_base(double base_score) const { return base_score == base_score; }
  // Of ranking: where queries begin among the rows (and the end), and the targets; borrowed.
  virtual void set_groups(std::span<const std::uint32_t> groups, std::span<const float> y) {
    (void)groups, (void)y;
  }
  // What is wrong with a target; empty when it may be used.
  virtual std::string_view wrong_target(double y) const {
    (void)y;
    return {};
  }
  // Leaves answer the middle of their rows' residuals instead of -G / (H + lambda).
  virtual bool median_leaves() const { return false; }
  // Its parameters as a model file holds them: the object's name (empty: none) and its entries.
  virtual std::string_view parameter_object() const { return {}; }
  virtual std::map<std::string, std::string> parameters() const { return {}; }
};

// Null when there is none of this name.
std::unique_ptr<Objective> make_objective(std::string_view name, const ObjectiveSettings& settings);
// The names there are, in the table's order.
std::span<const std::string_view> objective_names();

// Gradients to words: multiplied by powers of two so that sums over all rows fit, and rounded up or down at
// random by the row's number and `salt`, so that sums are right on average. Deterministic.
struct Units {
  double gradient = 1, hessian = 1;  // value of one
};
// With ranks the units are those of all ranks' rows; an error of theirs stands in the collective.
Units to_words(std::span<GradientPair> pairs, std::span<std::int64_t> words, std::uint32_t salt, Team& team,
               const RankRows* ranks = nullptr);

}  // namespace millrace::tasks::trees
