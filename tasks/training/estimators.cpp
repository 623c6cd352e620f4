#include <algorithm>

#include "tasks/forecasting/forecasting.h"
#include "tasks/recommend/recommend.h"
#include "tasks/text/blazingtext.h"
#include "tasks/text/text_ensemble.h"
#include "tasks/training/ensemble/ensemble.h"
#include "tasks/training/estimator.h"
#include "tasks/training/factorization_machines.h"
#include "tasks/training/forest.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/kmeans.h"
#include "tasks/training/knn.h"
#include "tasks/training/linear_learner.h"
#include "tasks/training/mlp/mlp.h"
#include "tasks/training/own_form.h"
#include "tasks/training/pca.h"
#include "tasks/training/randomcutforest.h"
#include "tasks/training/xgboost.h"

namespace millrace::tasks {

namespace {

bool always_keeps_checkpoints(const HyperParameters&) {
  return true;
}

RankUse ranks_of_rows(const HyperParameters&) {
  return RankUse::Rows;
}
RankUse ranks_of_trees(const HyperParameters&) {
  return RankUse::All;
}

}  // namespace

std::span<const EstimatorKind> estimators() {
  static const EstimatorKind table[] = {
      {.name = "xgboost",
       .summary = "Gradient boosted trees, with XGBoost's settings and models",
       .rules = xgboost_rules(),
       .metrics = xgboost_metrics(),
       .default_metric = "validation:rmse",
       .make = make_xgboost,
       .load = load_xgboost,
       .checkpoints = always_keeps_checkpoints,
       .needs = {.missing = true, .groups = true},
       .streams = true,
       .collections = kXgboostCollections,
       .file = "xgboost-model",
       .ranks = xgboost_ranks},
      {.name = kRandomForest,
       .summary = "Trees on rows drawn with replacement, averaged",
       .rules = random_forest_rules(),
       .metrics = forest_metrics(),
       .default_metric = "validation:objective_loss",
       .make = make_random_forest,
       .load = load_random_forest,
       .checkpoints = always_keeps_checkpoints,
       .needs = kForestNeeds,
       .test = test_forest,
       .ranks = ranks_of_trees},
      {.name = kExtraTrees,
       .summary = "Trees with thresholds drawn at random, averaged",
       .rules = extra_trees_rules(),
       .metrics = forest_metrics(),
       .default_metric = "validation:objective_loss",
       .make = make_extra_trees,
       .load = load_extra_trees,
       .checkpoints = always_keeps_checkpoints,
       .needs = kForestNeeds,
       .test = test_forest,
       .ranks = ranks_of_trees},
      {.name = "linear-learner",
       .summary = "Logistic, softmax and linear regression",
       .rules = linear_learner_rules(),
       .metrics = linear_learner_metrics(),
       .default_metric = "validation:objective_loss",
       .make = make_linear_learner,
       .load = load_linear_learner,
       .checkpoints = always_keeps_checkpoints,
       .streams = true,
       .collections = kLinearCollections,
       .ranks = linear_learner_ranks},
      {.name = "kmeans",
       .summary = "k-means clustering",
       .rules = kmeans_rules(),
       .metrics = kmeans_metrics(),
       .default_metric = "test:msd",
       .make = make_kmeans,
       .load = load_kmeans,
       .checkpoints = always_keeps_checkpoints,
       .needs = kKmeansNeeds,
       .test = test_kmeans,
       .task = "clustering",
       .streams = true,
       .ranks = ranks_of_rows},
      {.name = "pca",
       .summary = "Principal components",
       .rules = pca_rules(),
       .metrics = pca_metrics(),
       .default_metric = "test:explained_variance_ratio",
       .make = make_pca,
       .load = load_pca,
       .needs = kPcaNeeds,
       .test = test_pca,
       .task = "projection",
       .streams = true,
       .ranks = ranks_of_rows},
      {"knn", "Nearest neighbours", knn_rules(), knn_metrics(), "test:accuracy", make_knn, load_knn, nullptr,
       kKnnNeeds, test_knn},
      {"randomcutforest", "Anomaly scores by random cut trees", randomcutforest_rules(),
       randomcutforest_metrics(), "test:f1", make_randomcutforest, load_randomcutforest, nullptr, kRcfNeeds,
       test_randomcutforest, "anomaly", true},
      {"factorization-machines",
       "Factorization machines",
       factorization_machines_rules(),
       factorization_machines_metrics(),
       "test:rmse",
       make_factorization_machines,
       load_factorization_machines,
       always_keeps_checkpoints,
       kFmNeeds,
       test_factorization_machines,
       {},
       true},
      {.name = "mlp",
       .summary = "Neural network of dense layers",
       .rules = mlp_rules(),
       .metrics = mlp_metrics(),
       .default_metric = "validation:objective_loss",
       .make = make_mlp,
       .load = load_mlp,
       .checkpoints = always_keeps_checkpoints,
       .needs = kMlpNeeds,
       .test = test_mlp,
       .collections = kMlpCollections},
      {.name = "ensemble",
       .summary = "Several of these models as one, held-out rows choosing their weights",
       .rules = ensemble_rules(),
       .metrics = ensemble_metric_names(),
       .default_metric = "validation:accuracy",
       .make = make_ensemble,
       .load = load_ensemble,
       .needs = kEnsembleNeeds},
      {.name = "forecasting",
       .summary = "Many time series: methods weighed by their past; DeepAR's data and answers",
       .rules = forecasting_rules(),
       .metrics = forecasting_metrics(),
       .default_metric = "validation:mean_wQuantileLoss",
       .make = nullptr,
       .load = load_forecasting,
       .checkpoints = always_keeps_checkpoints,
       .task = "forecasting",
       .own_form = &forecasting_form()},
      {.name = "blazingtext",
       .summary = "Texts to labels by word and character n-grams, as fastText does",
       .rules = blazingtext_rules(),
       .metrics = blazingtext_metrics(),
       .default_metric = "validation:accuracy",
       .make = nullptr,
       .load = load_blazingtext,
       .checkpoints = always_keeps_checkpoints,
       .task = "text-classification",
       .own_form = &blazingtext_form()},
      {.name = "text-ensemble",
       .summary = "Texts to labels by several models answering as one",
       .rules = text_ensemble_rules(),
       .metrics = text_ensemble_metrics(),
       .default_metric = "validation:accuracy",
       .make = nullptr,
       .load = load_text_ensemble,
       .task = "text-classification",
       .own_form = &text_ensemble_form()},
      {.name = "als",
       .summary = "Recommendations by factors of users and items; ratings by effects and factors",
       .rules = als_rules(),
       .metrics = als_metrics(),
       .default_metric = "validation:normalized_discounted_cumulative_gain_at_25",
       .make = nullptr,
       .load = load_recommender,
       .checkpoints = always_keeps_checkpoints,
       .task = "recommendation",
       .own_form = &als_form()},
      {.name = "item-similarity",
       .summary = "Recommendations by items that the same users have",
       .rules = item_similarity_rules(),
       .metrics = item_similarity_metrics(),
       .default_metric = "validation:normalized_discounted_cumulative_gain_at_25",
       .make = nullptr,
       .load = load_recommender,
       .task = "recommendation",
       .own_form = &item_similarity_form()},
      {.name = "popularity-count",
       .summary = "Recommendations of what most events are of: a baseline",
       .rules = popularity_count_rules(),
       .metrics = item_similarity_metrics(),
       .default_metric = "validation:normalized_discounted_cumulative_gain_at_25",
       .make = nullptr,
       .load = load_recommender,
       .task = "recommendation",
       .own_form = &popularity_count_form()},
  };
  return table;
}

Result<Fitted> Estimator::fit_stream(RowStream&, const Dataset*, const FitContext&) const {
  return invalid("the algorithm does not train on a stream");
}

const EstimatorKind* find_estimator(std::string_view training_image) {
  // "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1": the part behind the last '/',
  // without its tag
  std::string_view name = training_image.substr(training_image.rfind('/') + 1);
  name = name.substr(0, name.find_first_of(":@"));
  if (name.starts_with("sagemaker-")) name.remove_prefix(10);
  if (name == "forecasting-deepar") name = "forecasting";
  for (const EstimatorKind& kind : estimators()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

Status check_hyperparameters(const EstimatorKind& kind, const HyperParameters& parameters) {
  MR_DO(check_against_rules(kind.name, kind.rules, parameters));
  if (kind.own_form != nullptr) return kind.own_form->check(parameters);
  MR_TRY(estimator, kind.make(parameters));  // what several of them together must fulfil
  return {};
}

bool larger_is_better(std::string_view metric) {
  static constexpr std::string_view kLarger[] = {"auc",
                                                 "aucpr",
                                                 "accuracy",
                                                 "f1",
                                                 "map",
                                                 "ndcg",
                                                 "precision",
                                                 "recall",
                                                 "r2",
                                                 "roc_auc_score",
                                                 "f_beta",
                                                 "macro_f_beta",
                                                 "macro_f1",
                                                 "balanced_accuracy",
                                                 "macro_precision",
                                                 "macro_recall",
                                                 "binary_f_beta",
                                                 "binary_classification_accuracy",
                                                 "multiclass_accuracy",
                                                 "multiclass_top_k_accuracy",
                                                 "pre",
                                                 "oob_score",
                                                 "explained_variance_ratio",
                                                 "normalized_discounted_cumulative_gain",
                                                 "mean_reciprocal_rank",
                                                 "coverage",
                                                 "precision_at_target_recall",
                                                 "recall_at_target_precision"};
  std::string_view name = metric.substr(metric.rfind(':') + 1);
  name = name.substr(0, name.find('@'));
  if (const std::size_t at = name.rfind("_at_");
      at != name.npos && at + 4 < name.size() && name[at + 4] <= '9')
    name = name.substr(0, at);  // precision_at_10, but not precision_at_target_recall
  return std::ranges::find(kLarger, name) != std::end(kLarger);
}

}  // namespace millrace::tasks
