#include "tasks/training/xgboost_settings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tasks/training/hyperparameters.h"
#include "tasks/training/xgboost.h"

namespace millrace::tasks {

namespace {

using trees::Ensemble;
using trees::LinearSettings;

constexpr double kPoissonStep = 0.7;  // max_delta_step of count:poisson, unless given
constexpr double kLinearRate = 0.5, kLinearLambda = 0;

// Tree updaters of XGBoost that all mean: grow trees. The engine has one way.
constexpr std::string_view kTreeUpdaters[] = {
    "grow_colmaker", "grow_histmaker", "grow_local_histmaker", "grow_quantile_histmaker", "prune", "sync"};
constexpr std::string_view kLinearUpdaters[] = {"shotgun", "coord_descent"};

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return parts;
}

double one_minus(double x) {
  return 1 - x;
}
double squared(double x) {
  return x * x;
}

tl::unexpected<Error> wrong_value(const ParameterReader& read, std::string_view name,
                                  const std::string& expected) {
  return invalid("hyperparameter '" + std::string(name) + "' is '" + std::string(read.text(name)) +
                 "': expected " + expected);
}

Result<std::vector<int>> parse_monotone(const ParameterReader& read) {
  std::string text(read.text("monotone_constraints"));
  std::erase_if(text, [](char c) { return c == '(' || c == ')' || c == '[' || c == ']'; });
  std::vector<int> constraints;
  for (const std::string& part : split_list(text)) {
    const auto number = parse_real(part);
    if (!number || (*number != 1 && *number != 0 && *number != -1))
      return wrong_value(read, "monotone_constraints", "1, 0 or -1 for each feature, like (1,0,-1)");
    constraints.push_back(static_cast<int>(*number));
  }
  return constraints;
}

Result<std::vector<std::vector<std::uint32_t>>> parse_interactions(const ParameterReader& read) {
  std::vector<std::vector<std::uint32_t>> sets;
  if (read.text("interaction_constraints").empty()) return sets;
  const std::string expected = "lists of feature numbers, like [[0,1],[2,3,4]]";
  const Json json = Json::parse(read.text("interaction_constraints"), nullptr, false);
  if (!json.is_array()) return wrong_value(read, "interaction_constraints", expected);
  for (const Json& set : json) {
    if (!set.is_array()) return wrong_value(read, "interaction_constraints", expected);
    std::vector<std::uint32_t>& features = sets.emplace_back();
    for (const Json& feature : set) {
      if (!feature.is_number_unsigned() ||
          feature.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max())
        return wrong_value(read, "interaction_constraints", expected);
      features.push_back(feature.get<std::uint32_t>());
    }
  }
  return sets;
}

Status check_updater(const ParameterReader& read, bool linear) {
  const std::vector<std::string> names = split_list(read.text("updater"));
  bool grows = names.empty();
  for (const std::string& name : names) {
    const bool known = linear ? std::ranges::find(kLinearUpdaters, name) != std::end(kLinearUpdaters)
                              : std::ranges::find(kTreeUpdaters, name) != std::end(kTreeUpdaters);
    if (!known) {
      std::string all;
      for (const std::string_view each : linear ? std::span<const std::string_view>(kLinearUpdaters)
                                                : std::span<const std::string_view>(kTreeUpdaters))
        all += (all.empty() ? "" : ", ") + std::string(each);
      return wrong_value(read, "updater", all + (linear ? "" : "; refresh needs a model to begin with"));
    }
    grows |= linear || name.starts_with("grow_");
  }
  if (!grows) return wrong_value(read, "updater", "one that grows trees, like grow_quantile_histmaker");
  return {};
}

Status read_growing(const ParameterReader& read, XgboostSettings& settings) {
  trees::GrowSettings& grow = settings.boost.grow;
  grow.learning_rate = read.real("eta");
  grow.max_depth = static_cast<int>(read.integer("max_depth"));
  grow.max_leaves = static_cast<int>(read.integer("max_leaves"));
  grow.loss_guided = read.text("grow_policy") == "lossguide";
  grow.min_child_weight = read.real("min_child_weight"), grow.gamma = read.real("gamma");
  grow.lambda = read.real("lambda"), grow.alpha = read.real("alpha");
  grow.max_delta_step = read.real("max_delta_step");
  if (settings.boost.objective == "count:poisson" && !read.given("max_delta_step"))
    grow.max_delta_step = kPoissonStep;
  settings.boost.objective_settings.max_delta_step = grow.max_delta_step;
  grow.columns_by_tree = read.real("colsample_bytree");
  grow.columns_by_level = read.real("colsample_bylevel");
  grow.columns_by_node = read.real("colsample_bynode");
  MR_TRY(monotone, parse_monotone(read));
  grow.monotone = std::move(monotone);
  MR_TRY(interactions, parse_interactions(read));
  grow.interactions = std::move(interactions);
  settings.boost.subsample = read.real("subsample");
  if (settings.boost.subsample <= 0) return wrong_value(read, "subsample", "a number above 0");
  settings.boost.parallel_trees = static_cast<std::size_t>(read.integer("num_parallel_tree"));
  settings.boost.max_bin = static_cast<std::uint32_t>(read.integer("max_bin"));
  return {};
}

void read_boosters(const ParameterReader& read, trees::BoostSettings& boost) {
  using enum LinearSettings::Order;
  const std::string_view booster = read.text("booster");
  boost.booster = booster == "dart"       ? Ensemble::Booster::Dart
                  : booster == "gblinear" ? Ensemble::Booster::Linear
                                          : Ensemble::Booster::Trees;
  boost.dart = {read.real("rate_drop"), read.real("skip_drop"), read.integer("one_drop") != 0,
                read.text("sample_type") == "weighted", read.text("normalize_type") == "forest"};
  boost.linear.learning_rate = read.given("eta") ? read.real("eta") : kLinearRate;
  boost.linear.lambda = read.given("lambda") ? read.real("lambda") : kLinearLambda;
  boost.linear.alpha = read.real("alpha");
  boost.linear.lambda_bias = read.real("lambda_bias");
  boost.linear.top = static_cast<std::size_t>(read.integer("top_k"));
  const std::string_view order = read.text("feature_selector");
  boost.linear.order = order == "shuffle"   ? Shuffle
                       : order == "random"  ? Random
                       : order == "greedy"  ? Greedy
                       : order == "thrifty" ? Thrifty
                                            : Cyclic;
}

Status read_objective(const ParameterReader& read, XgboostSettings& settings) {
  trees::BoostSettings& boost = settings.boost;
  boost.objective = read.text("objective");
  // The same trees; predictions are always probabilities.
  if (boost.objective == "multi:softmax") boost.objective = "multi:softprob";
  if (boost.objective == "reg:linear") boost.objective = "reg:squarederror";
  settings.multi = boost.objective.starts_with("multi:");
  settings.binary = boost.objective.starts_with("binary:");
  settings.ranking = boost.objective.starts_with("rank:");
  if (settings.multi && !read.given("num_class"))
    return invalid("hyperparameter 'num_class' is required by objective " + boost.objective);
  trees::ObjectiveSettings& own = boost.objective_settings;
  if (settings.multi) own.classes = static_cast<std::size_t>(read.integer("num_class"));
  own.scale_pos_weight = read.real("scale_pos_weight");
  own.huber_slope = read.real("huber_slope");
  if (own.huber_slope <= 0) return wrong_value(read, "huber_slope", "a number above 0");
  own.tweedie_variance_power = read.real("tweedie_variance_power");
  if (own.tweedie_variance_power >= 2 || own.tweedie_variance_power <= 1)
    return wrong_value(read, "tweedie_variance_power", "a number above 1 and below 2");
  boost.base_score = read.real("base_score");
  boost.median_base = boost.objective == "reg:absoluteerror" && !read.given("base_score");
  if (!trees::make_objective(boost.objective, own)->good_base(boost.base_score)) {
    return wrong_value(
        read, "base_score",
        settings.binary || boost.objective == "reg:logistic"
            ? "a number above 0 and below 1, as objective " + boost.objective + " gives chances"
            : "a number above 0, as objective " + boost.objective + " gives");
  }
  return {};
}

Status read_metrics(const ParameterReader& read, XgboostSettings& settings) {
  const trees::BoostSettings& boost = settings.boost;
  std::vector<std::string> names = split_list(read.text("eval_metric"));
  if (names.empty()) {
    std::string name(trees::make_objective(boost.objective, boost.objective_settings)->default_metric());
    if (name == "tweedie-nloglik") {
      std::string power = std::to_string(boost.objective_settings.tweedie_variance_power);
      power.erase(power.find_last_not_of('0') + 1);
      name += "@" + power;
    }
    names = {name};
  }
  for (const std::string& name : names) {
    XgboostMetric metric{name, {}, nullptr};
    std::string own = name;
    if (name == "accuracy") own = settings.multi ? "merror" : "error", metric.derive = one_minus;
    if (name == "mse") own = "rmse", metric.derive = squared;
    MR_TRY(parsed, trees::parse_metric(own, boost.objective, boost.objective_settings));
    metric.metric = std::move(parsed);
    settings.metrics.push_back(std::move(metric));
  }
  return {};
}

}  // namespace

Result<XgboostSettings> xgboost_settings(const HyperParameters& parameters) {
  const ParameterReader read(xgboost_rules(), parameters);
  XgboostSettings settings;
  settings.rounds = read.integer("num_round");
  settings.patience = read.integer_or("early_stopping_rounds", 0);
  settings.threads = static_cast<int>(read.integer_or("nthread", 0));
  settings.seed_given = read.given("seed");
  settings.boost.seed = static_cast<std::uint64_t>(read.integer("seed"));
  MR_DO(read_objective(read, settings));
  MR_DO(read_growing(read, settings));
  read_boosters(read, settings.boost);
  const bool linear = settings.boost.booster == Ensemble::Booster::Linear;
  MR_DO(check_updater(read, linear));
  MR_DO(read_metrics(read, settings));
  if (linear && settings.patience > 0)
    return invalid("early_stopping_rounds needs trees: a gblinear model can't be cut back to its best round");
  if (linear && settings.boost.objective == "reg:absoluteerror")
    return invalid(
        "objective reg:absoluteerror needs trees: its hessians say nothing, leaves answer medians");
  return settings;
}

}  // namespace millrace::tasks
