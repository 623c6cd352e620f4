#include "tasks/training/linear_learner.h"
#include "tasks/training/supervised_metrics.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr double kLinearMax = 1e18;  // no upper end

constexpr HyperParameterRule kLinearRules[] = {
    {"predictor_type", Choice, "", 0, 0, "binary_classifier|multiclass_classifier|regressor", true,
     "what is predicted"},
    {"num_classes", Integer, "", 3, 1e6, "", false, "classes of a multiclass_classifier"},
    {"feature_dim", Integer, "auto", 1, 1e7, "auto", false, "features; checked against the data"},
    {"epochs", Integer, "15", 1, 1e6, "", false, "passes over the data, or iterations of L-BFGS"},
    {"mini_batch_size", Integer, "1000", 1, 1e7, "", false, "rows of a step"},
    {"optimizer", Choice, "auto", 0, 0, "auto|adam|sgd|rmsprop", false, "how the loss is minimised"},
    {"loss", Choice, "auto", 0, 0,
     "auto|logistic|hinge_loss|softmax_loss|squared_loss|absolute_loss|huber_loss|quantile_loss|"
     "eps_insensitive_squared_loss|eps_insensitive_absolute_loss",
     false, "auto: logistic, softmax_loss or squared_loss"},
    {"learning_rate", Real, "auto", 1e-12, 1e3, "auto", false, "of mini-batch steps; auto: 0.01, sgd 0.1"},
    {"wd", Real, "auto", 0, kLinearMax, "auto", false, "L2 penalty"},
    {"l1", Real, "auto", 0, kLinearMax, "auto", false, "L1 penalty"},
    {"momentum", Real, "auto", 0, 0.999999, "auto", false, "of sgd; auto: 0.9"},
    {"beta_1", Real, "auto", 0, 0.999999, "auto", false, "of adam; auto: 0.9"},
    {"beta_2", Real, "auto", 0, 0.999999, "auto", false, "of adam and rmsprop; auto: 0.999"},
    {"use_lr_scheduler", Boolean, "true", 0, 0, "", false, "let the learning rate fall"},
    {"lr_scheduler_step", Integer, "auto", 1, 1e9, "auto", false, "steps between falls; auto: an epoch"},
    {"lr_scheduler_factor", Real, "auto", 1e-6, 1, "auto", false,
     "of each fall; auto: to 1/10 over all epochs"},
    {"lr_scheduler_minimum_lr", Real, "auto", 0, 1e3, "auto", false, "auto: 1e-6"},
    {"init_method", Choice, "uniform", 0, 0, "uniform|normal", false, "of the first weights"},
    {"init_scale", Real, "0.07", 0, 1e3, "", false, "uniform: in [-scale, scale]"},
    {"init_sigma", Real, "0.01", 0, 1e3, "", false, "normal: the deviation"},
    {"init_bias", Real, "0", -kLinearMax, kLinearMax, "", false, "the first bias"},
    {"use_bias", Boolean, "true", 0, 0, "", false, "whether there is one"},
    {"bias_lr_mult", Real, "auto", 0, 1e6, "auto", false, "learning rate of the bias; auto: 1"},
    {"bias_wd_mult", Real, "auto", 0, 1e6, "auto", false, "L2 penalty of the bias; auto: 0"},
    {"normalize_data", Boolean, "true", 0, 0, "", false, "features to mean 0 and deviation 1; auto is true"},
    {"normalize_label", Boolean, "true", 0, 0, "", false, "the same for a regressor's target"},
    {"positive_example_weight_mult", Real, "1.0", 0, kLinearMax, "balanced", false, "weight of class 1"},
    {"balance_multiclass_weights", Boolean, "false", 0, 0, "", false, "weigh classes by their rarity"},
    {"early_stopping_patience", Integer, "3", 1, 1e6, "", false, "rounds without improvement"},
    {"early_stopping_tolerance", Real, "0.001", 0, 1, "", false, "what counts as one, relative"},
    {"quantile", Real, "0.5", 0, 1, "", false, "of quantile_loss"},
    {"huber_delta", Real, "1.0", 0, kLinearMax, "", false, "of huber_loss, in normalised targets"},
    {"loss_insensitivity", Real, "0.01", 0, kLinearMax, "", false,
     "of eps_insensitive losses, in normalised targets"},
    {"f_beta", Real, "1.0", 0, 1000, "", false, "beta of binary_f_beta and macro_f_beta"},
    {"binary_classifier_model_selection_criteria", Choice, "loss_function", 0, 0,
     "accuracy|f_beta|precision_at_target_recall|recall_at_target_precision|loss_function", false,
     "what the threshold of predicted_label is best by, on validation or train; loss_function: a half"},
    {"target_recall", Real, "0.8", 0, 1, "", false, "of precision_at_target_recall"},
    {"target_precision", Real, "0.8", 0, 1, "", false, "of recall_at_target_precision"},
    {"num_models", Integer, "auto", 1, 1e6, "auto", false, "trained at a time there; without effect: one is"},
    {"num_calibration_samples", Integer, "auto", 1, 1e9, "auto", false, "without effect: all rows are taken"},
    {"unbias_data", Choice, "auto", 0, 0, "auto|true|false", false, "without effect: normalising centres"},
    {"unbias_label", Choice, "auto", 0, 0, "auto|true|false", false, "without effect: normalising centres"},
    {"num_point_for_scaler", Integer, "10000", 1, 1e9, "", false, "without effect: all rows are taken"},
    {"accuracy_top_k", Integer, "3", 1, 1e6, "", false, "k of multiclass_top_k_accuracy"},
};

constexpr auto kLinearMetrics = metrics_with("train:objective_loss");

}  // namespace

std::span<const HyperParameterRule> linear_learner_rules() {
  return kLinearRules;
}
std::span<const std::string_view> linear_learner_metrics() {
  // There is no channel `test`.
  return std::span(kLinearMetrics).first(std::size(kValidationMetrics) + 1);
}

}  // namespace millrace::tasks
