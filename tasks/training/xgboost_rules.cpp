#include "tasks/training/xgboost.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr double kMax = 1e18;  // no upper end

constexpr HyperParameterRule kRules[] = {
    {"num_round", Integer, "", 1, 1e6, "", true, "rounds of boosting"},
    {"objective", Choice, "reg:squarederror", 0, 0,
     "reg:squarederror|reg:linear|reg:squaredlogerror|reg:logistic|reg:pseudohubererror|reg:absoluteerror|"
     "reg:gamma|"
     "reg:tweedie|binary:logistic|binary:logitraw|binary:hinge|count:poisson|multi:softmax|multi:softprob|"
     "rank:pairwise|rank:ndcg|rank:map",
     false, "the loss"},
    {"num_class", Integer, "", 2, 1e5, "", false, "classes, for multi:softmax and multi:softprob"},
    {"eval_metric", Text, "", 0, 0, "", false,
     "metrics of every round, separated by commas; the last one decides early stopping"},
    {"early_stopping_rounds", Integer, "", 1, 1e6, "", false,
     "stop when the metric has not improved for so many rounds"},
    {"booster", Choice, "gbtree", 0, 0, "gbtree|dart|gblinear", false, "kind of model"},
    {"eta", Real, "0.3", 0, 1, "", false, "step size"},
    {"gamma", Real, "0", 0, kMax, "", false, "least loss reduction of a split"},
    {"max_depth", Integer, "6", 0, 64, "", false, "depth of a tree; 0: no limit"},
    {"min_child_weight", Real, "1", 0, kMax, "", false, "least sum of hessians in a child"},
    {"max_delta_step", Real, "0", 0, kMax, "", false, "largest step of a leaf; 0: no limit"},
    {"subsample", Real, "1", 0, 1, "", false, "share of the rows for each tree"},
    {"sampling_method", Choice, "uniform", 0, 0, "uniform", false, "how rows are sampled"},
    {"colsample_bytree", Real, "1", 0, 1, "", false, "share of the columns for each tree"},
    {"colsample_bylevel", Real, "1", 0, 1, "", false, "share of those for each level"},
    {"colsample_bynode", Real, "1", 0, 1, "", false, "share of those for each split"},
    {"lambda", Real, "1", 0, kMax, "", false, "L2 penalty"},
    {"alpha", Real, "0", 0, kMax, "", false, "L1 penalty"},
    {"tree_method", Choice, "auto", 0, 0, "auto|exact|approx|hist", false,
     "all are hist: splits between bins"},
    {"sketch_eps", Real, "0.03", 0, 1, "", false, "accepted for older jobs; max_bin says it now"},
    {"scale_pos_weight", Real, "1", 0, kMax, "", false, "weight of the positive class"},
    {"updater", Text, "", 0, 0, "", false,
     "tree updaters, separated by commas, all the same here; or shotgun, coord_descent for gblinear"},
    {"grow_policy", Choice, "depthwise", 0, 0, "depthwise|lossguide", false,
     "order in which nodes are split"},
    {"max_leaves", Integer, "0", 0, 1e6, "", false, "leaves of a tree; 0: no limit"},
    {"max_bin", Integer, "256", 2, 65536, "", false, "bins of a feature"},
    {"base_score", Real, "0.5", -kMax, kMax, "", false, "prediction before the first round"},
    {"num_parallel_tree", Integer, "1", 1, 10000, "", false, "trees of a round"},
    {"csv_weights", Integer, "0", 0, 1, "", false, "1: the CSV column after the target holds row weights"},
    {"monotone_constraints", Text, "", 0, 0, "", false, "(1,0,-1): one for each feature"},
    {"interaction_constraints", Text, "", 0, 0, "", false,
     "[[0,1],[2,3,4]]: features that may meet in a tree"},
    {"seed", Integer, "0", 0, 2147483647, "", false, "for sampling"},
    {"process_type", Choice, "default", 0, 0, "default", false,
     "update needs a model to begin with, which jobs have not"},
    {"refresh_leaf", Integer, "1", 0, 1, "", false, "of the refresh updater, which is not offered"},
    {"verbosity", Integer, "0", 0, 3, "", false, "accepted; the job's log holds every round"},
    {"nthread", Integer, "", 1, 1024, "", false, "threads; else the job's. The model is the same"},
    {"rate_drop", Real, "0", 0, 1, "", false, "dart: share of the trees dropped"},
    {"skip_drop", Real, "0", 0, 1, "", false, "dart: chance that a round drops none"},
    {"one_drop", Integer, "0", 0, 1, "", false, "dart: 1: at least one is dropped"},
    {"sample_type", Choice, "uniform", 0, 0, "uniform|weighted", false, "dart: which trees are dropped"},
    {"normalize_type", Choice, "tree", 0, 0, "tree|forest", false, "dart: weight of new trees"},
    {"tweedie_variance_power", Real, "1.5", 1, 2, "", false, "of reg:tweedie"},
    {"huber_slope", Real, "1", 0, kMax, "", false, "of reg:pseudohubererror"},
    {"lambda_bias", Real, "0", 0, kMax, "", false, "gblinear: L2 penalty of the bias"},
    {"feature_selector", Choice, "cyclic", 0, 0, "cyclic|shuffle|random|greedy|thrifty", false,
     "gblinear: order of coordinates"},
    {"top_k", Integer, "0", 0, 1e6, "", false, "gblinear: features that greedy and thrifty look at; 0: all"},
};

constexpr std::string_view kMetrics[] = {
    "validation:auc",
    "validation:aucpr",
    "validation:logloss",
    "validation:error",
    "validation:accuracy",
    "validation:f1",
    "validation:mlogloss",
    "validation:merror",
    "validation:rmse",
    "validation:rmsle",
    "validation:mae",
    "validation:mape",
    "validation:mse",
    "validation:mphe",
    "validation:map",
    "validation:ndcg",
    "validation:poisson-nloglik",
    "validation:gamma-nloglik",
    "validation:gamma-deviance",
    "validation:tweedie-nloglik",
    "train:auc",
    "train:aucpr",
    "train:logloss",
    "train:error",
    "train:accuracy",
    "train:f1",
    "train:mlogloss",
    "train:merror",
    "train:rmse",
    "train:rmsle",
    "train:mae",
    "train:mape",
    "train:mse",
    "train:mphe",
    "train:map",
    "train:ndcg",
    "train:poisson-nloglik",
    "train:gamma-nloglik",
    "train:gamma-deviance",
    "train:tweedie-nloglik",
};

}  // namespace

std::span<const HyperParameterRule> xgboost_rules() {
  return kRules;
}
std::span<const std::string_view> xgboost_metrics() {
  return kMetrics;
}

}  // namespace millrace::tasks
