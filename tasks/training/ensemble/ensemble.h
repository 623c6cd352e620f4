#pragma once
// `ensemble`: several models of the built-in algorithms answering as one, the weighted mean of theirs. Ours;
// what AutoML makes of its candidates, and usable by itself.
//
// Each member is fitted once for each fold (folds: as many parts of the training rows, each held out once;
// of classes stratified), or once on all training rows where there is a channel `validation`, which is then
// what is held out. A member answers as the mean of its folds' models. Held-out predictions are what weights
// are chosen by and what the metrics are of: no row is judged by a model that has seen it (early stopping of
// a member does look at them). Weights: those of `members` where all have one, else by greedy selection with
// replacement: selection_steps times the member that makes the mean of those picked best by logloss, mlogloss
// or squared error, and the best step counts (Caruana et al., Ensemble Selection from Libraries of Models,
// 2004).
//
// Features may have gaps, and those named in categorical_features are codes: xgboost takes both as they are,
// other members see them through DenseRows. A regressor's members learn the target minus its mean over its
// deviation, and answers stay within the targets of train. Members:
//   [{"algorithm": "xgboost", "hyperparameters": {"num_round": "200", "eta": "0.1"}, "weight": 0.7},
//    {"algorithm": "mlp", "weight": 0.3}]
// predictor_type, num_classes, an objective and the like follow from those of the ensemble and are not given.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/training/ensemble/dense_rows.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

inline constexpr std::size_t kEnsembleMembersMax = 100;

enum class EnsembleTask { Binary, Classes, Regression };

struct EnsembleMember {
  std::string algorithm;
  HyperParameters parameters;
  std::optional<double> weight;
};
// Algorithms that can be members.
inline constexpr std::string_view kMemberAlgorithms[] = {"xgboost", "linear-learner", "mlp",
                                                         "knn",     "random-forest",  "extra-trees"};
// The hyperparameter `members`. InvalidArgument names the member by its place.
Result<std::vector<EnsembleMember>> parse_members(
    std::string_view json, std::span<const std::string_view> algorithms = kMemberAlgorithms);
std::string format_members(std::span<const EnsembleMember> members);

// A member that was fitted: a model for each fold. Shared between ensembles.
struct EnsemblePart {
  struct Fold {
    std::optional<DenseRows> rows;  // of members that take no gaps
    std::shared_ptr<const Model> model;
  };
  std::string algorithm;
  double centre = 0, scale = 1;  // of a regressor: what its answers are in
  std::vector<Fold> folds;
};

// What all members of an ensemble have in common.
struct EnsembleShape {
  EnsembleTask task = EnsembleTask::Binary;
  std::size_t features = 0, classes = 2;
  double least = 0, most = 0;  // targets of train, of a regressor
  std::size_t outputs() const { return task == EnsembleTask::Classes ? classes : 1; }
};

// A member's hyperparameters, completed by what follows from the ensemble's.
HyperParameters complete_member(const EnsembleMember& member, EnsembleTask task, std::size_t classes);
// A classifier's answers as the ensemble's: one share of class 1, or a column for each class; of a regressor
// in the target's units.
Matrix adapt_answers(const EnsembleShape& shape, const EnsemblePart& part, Matrix given);

class EnsembleModel final : public Model {
 public:
  EnsembleModel(EnsembleShape shape, std::vector<std::shared_ptr<const EnsemblePart>> parts,
                std::vector<double> weights);

  std::string_view algorithm() const override { return "ensemble"; }
  std::size_t n_features() const override { return shape_.features; }
  Result<Matrix> predict(MatrixView X) const override;
  std::string save() const override;

  const EnsembleShape& shape() const { return shape_; }
  const std::vector<std::shared_ptr<const EnsemblePart>>& parts() const { return parts_; }

 private:
  const EnsembleShape shape_;
  const std::vector<std::shared_ptr<const EnsemblePart>> parts_;
  const std::vector<double> weights_;  // sum 1
};

// The fold of each row, 0 … folds - 1; `classes` 0: targets are numbers.
std::vector<std::uint32_t> assign_folds(std::span<const double> y, std::size_t classes, std::size_t folds,
                                        std::uint64_t seed);
// (n, outputs): each row as answered by the model of its fold alone.
Result<Matrix> held_out_predictions(const EnsembleShape& shape, const EnsemblePart& part, MatrixView X,
                                    std::span<const std::uint32_t> fold_of);
// Weights, sum 1, by greedy selection over held-out predictions. At least one prediction.
std::vector<double> select_weights(const EnsembleShape& shape, std::span<const Matrix> predictions,
                                   std::span<const double> y, std::size_t steps);
// The weighted mean, within the range of a regressor.
Matrix combine_predictions(const EnsembleShape& shape, std::span<const Matrix> predictions,
                           std::span<const double> weights);
// validation:accuracy and so on, of held-out predictions.
std::map<std::string, double> ensemble_metrics(const EnsembleShape& shape, std::span<const double> y,
                                               const Matrix& predictions);

inline constexpr DataNeeds kEnsembleNeeds{.weights = false, .missing = true};
std::span<const HyperParameterRule> ensemble_rules();
std::span<const std::string_view> ensemble_metric_names();
Result<std::unique_ptr<const Estimator>> make_ensemble(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_ensemble(std::string_view bytes);

}  // namespace millrace::tasks
