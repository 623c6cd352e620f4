// Fitting: settings, folds, members.

#include "tasks/training/ensemble/ensemble.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/evaluation/metrics.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr std::string_view kEnsembleName = "ensemble";
constexpr std::int64_t kEnsembleClassesMax = 10'000;

constexpr HyperParameterRule kEnsembleRules[] = {
    {"predictor_type", Choice, "", 0, 0, "binary_classifier|multiclass_classifier|regressor", true,
     "what is predicted"},
    {"num_classes", Integer, "", 2, 10'000, "", false, "classes of a multiclass_classifier"},
    {"members", Text, "", 0, 0, "", true, "JSON list of {algorithm, hyperparameters, weight}"},
    {"folds", Integer, "5", 2, 100, "", false, "parts of train, where there is no channel validation"},
    {"categorical_features", Text, "[]", 0, 0, "", false, "JSON list of names: features that are codes"},
    {"selection_steps", Integer, "50", 1, 10'000, "", false, "of the choice of weights"},
    {"feature_dim", Integer, "auto", 1, 1e7, "auto", false, "features; checked against the data"},
};

constexpr std::string_view kEnsembleMetrics[] = {
    "validation:logloss",      "validation:accuracy",
    "validation:auc",          "validation:aucpr",
    "validation:f1",           "validation:precision",
    "validation:recall",       "validation:mlogloss",
    "validation:macro_f1",     "validation:macro_precision",
    "validation:macro_recall", "validation:balanced_accuracy",
    "validation:rmse",         "validation:mse",
    "validation:mae",          "validation:r2",
};

// Forests learn nothing from held-out rows; the others stop by them.
constexpr std::string_view kStopByHeldOut[] = {"xgboost", "linear-learner", "mlp"};

MetricValues metric_values(EnsembleTask task, std::span<const double> y, const Matrix& predictions) {
  if (task == EnsembleTask::Classes) return class_metrics(y, predictions);
  std::vector<double> scores(predictions.values.begin(), predictions.values.end());
  return task == EnsembleTask::Binary ? BinaryScores(y, scores).metrics(0.5) : regression_metrics(y, scores);
}

std::string_view deciding_metric(EnsembleTask task) {
  return task == EnsembleTask::Binary    ? "validation:logloss"
         : task == EnsembleTask::Classes ? "validation:mlogloss"
                                         : "validation:rmse";
}

Result<EnsembleMember> parse_member(const Json& json, const std::string& path,
                                    std::span<const std::string_view> algorithms) {
  if (!json.is_object()) return invalid(path + ": expected an object");
  for (const auto& [key, value] : json.items()) {
    if (key != "algorithm" && key != "hyperparameters" && key != "weight")
      return invalid(path + ": there is no member '" + key + "'",
                     "it has algorithm, hyperparameters and weight");
  }
  const Arguments arguments(json, path);
  EnsembleMember member;
  MR_TRY(algorithm, arguments.text("algorithm"));
  if (std::ranges::find(algorithms, algorithm) == algorithms.end() || find_estimator(algorithm) == nullptr) {
    std::string known;
    for (const std::string_view name : algorithms) known += (known.empty() ? "" : ", ") + std::string(name);
    return arguments.wrong("algorithm", "'" + algorithm + "' can't be a member", "use one of " + known);
  }
  member.algorithm = algorithm;
  MR_TRY(parameters, arguments.text_map("hyperparameters"));
  member.parameters = std::move(parameters);
  for (const char* implied : {"objective", "num_class", "num_classes", "predictor_type"}) {
    if (member.parameters.contains(implied))
      return arguments.wrong("hyperparameters",
                             "'" + std::string(implied) + "' follows from the ensemble's: leave it out");
  }
  if (!arguments.has("weight")) return member;
  MR_TRY(weight, arguments.real_or("weight", 0));
  if (!(weight >= 0) || !std::isfinite(weight))
    return arguments.wrong("weight", "expected a number of at least 0");
  member.weight = weight;
  return member;
}

Result<std::set<std::string>> parse_categorical(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  const std::string what = "hyperparameter 'categorical_features': expected a JSON list of names";
  if (!json.is_array()) return invalid(what);
  std::set<std::string> names;
  for (const Json& name : json) {
    if (!name.is_string()) return invalid(what);
    names.insert(name.get<std::string>());
  }
  return names;
}

// The rows of one side of a fold.
Dataset fold_rows(const Dataset& data, const std::vector<std::size_t>& rows) {
  Dataset out;
  out.X = Matrix(rows.size(), data.X.cols);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::copy_n(data.X.values.data() + rows[r] * data.X.cols, data.X.cols,
                out.X.values.data() + r * data.X.cols);
    out.y.push_back(data.y[rows[r]]);
  }
  out.feature_names = data.feature_names, out.target_name = data.target_name;
  return out;
}

std::string dense_name(std::size_t column) {
  return "f" + std::to_string(column);
}

class Ensemble final : public Estimator {
 public:
  Ensemble(HyperParameters parameters, std::vector<EnsembleMember> members, std::set<std::string> categorical)
      : parameters_(std::move(parameters)),
        read_(kEnsembleRules, parameters_),
        members_(std::move(members)),
        categorical_(std::move(categorical)) {
    const std::string_view type = read_.text("predictor_type");
    shape_.task = type == "binary_classifier"       ? EnsembleTask::Binary
                  : type == "multiclass_classifier" ? EnsembleTask::Classes
                                                    : EnsembleTask::Regression;
    if (shape_.task == EnsembleTask::Classes)
      shape_.classes = static_cast<std::size_t>(read_.integer("num_classes"));
  }

  Result<Fitted> fit(const Dataset& train, const Dataset* validation,
                     const FitContext& context) const override {
    MR_DO(check(train, validation));
    Plan plan = plan_of(train, validation, context.seed);
    Fitted fitted;
    std::vector<std::shared_ptr<const EnsemblePart>> parts;
    std::vector<Matrix> predictions;
    const Dataset& held = validation != nullptr ? *validation : train;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      MR_TRY(part, fit_member(members_[m], plan, train, validation, context, fitted.rounds));
      MR_TRY(answers, held_out_predictions(plan.shape, *part, held.X, plan.fold_of));
      parts.push_back(std::move(part));
      predictions.push_back(std::move(answers));
      if (report(plan.shape, held.y, predictions.back(), m, context)) break;
    }
    std::vector<double> weights = given_weights(parts.size());
    if (weights.empty())
      weights = select_weights(plan.shape, predictions, held.y,
                               static_cast<std::size_t>(read_.integer("selection_steps")));
    fitted.metrics =
        ensemble_metrics(plan.shape, held.y, combine_predictions(plan.shape, predictions, weights));
    std::vector<std::shared_ptr<const EnsemblePart>> kept;
    std::vector<double> kept_weights;
    for (std::size_t m = 0; m < parts.size(); ++m) {
      if (weights[m] > 0) kept.push_back(parts[m]), kept_weights.push_back(weights[m]);
    }
    fitted.model = std::make_unique<EnsembleModel>(plan.shape, std::move(kept), std::move(kept_weights));
    return fitted;
  }

 private:
  struct Plan {
    EnsembleShape shape;
    std::size_t folds = 1;
    std::vector<std::uint32_t> fold_of;  // of the rows that are held out
    std::vector<bool> categorical;       // by feature
    double centre = 0, scale = 1;        // of a regressor's target
  };

  Status check(const Dataset& train, const Dataset* validation) const {
    MR_DO(check_dataset("train", train, kEnsembleNeeds));
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(train.X.cols)), train));
    if (validation != nullptr) MR_DO(check_validation(train, *validation, MissingValues::Allowed));
    if (validation == nullptr && train.X.rows < 2)
      return invalid("train has 1 row: there is nothing to hold out",
                     "give more rows, or a channel validation");
    for (const std::string& name : categorical_) {
      if (std::ranges::find(train.feature_names, name) == train.feature_names.end())
        return invalid("hyperparameter 'categorical_features': there is no feature '" + name + "'");
    }
    if (shape_.task == EnsembleTask::Regression) return {};
    const auto classes = static_cast<std::int64_t>(shape_.classes);
    MR_DO(check_classes("train", train, classes, "see predictor_type and num_classes"));
    return validation == nullptr
               ? Status()
               : check_classes("validation", *validation, classes, "see predictor_type and num_classes");
  }

  Plan plan_of(const Dataset& train, const Dataset* validation, std::uint64_t seed) const {
    Plan plan;
    plan.shape = shape_;
    plan.shape.features = train.X.cols;
    for (const std::string& name : train.feature_names)
      plan.categorical.push_back(categorical_.contains(name));
    if (shape_.task == EnsembleTask::Regression) {
      const auto [least, most] = std::ranges::minmax(train.y);
      plan.shape.least = least, plan.shape.most = most;
      double sum = 0, squares = 0;
      for (const double y : train.y) sum += y;
      plan.centre = sum / static_cast<double>(train.y.size());
      for (const double y : train.y) squares += (y - plan.centre) * (y - plan.centre);
      const double deviation = std::sqrt(squares / static_cast<double>(train.y.size()));
      plan.scale = deviation > 0 && std::isfinite(deviation) ? deviation : 1;
    }
    if (validation != nullptr) {
      plan.fold_of.assign(validation->X.rows, 0);
      return plan;
    }
    plan.folds = std::min(static_cast<std::size_t>(read_.integer("folds")), train.X.rows);
    plan.fold_of =
        assign_folds(train.y, shape_.task == EnsembleTask::Regression ? 0 : shape_.classes, plan.folds, seed);
    return plan;
  }

  Result<std::shared_ptr<const EnsemblePart>> fit_member(const EnsembleMember& member, const Plan& plan,
                                                         const Dataset& train, const Dataset* validation,
                                                         const FitContext& context,
                                                         std::int64_t& rounds) const {
    const EstimatorKind& kind = *find_estimator(member.algorithm);
    MR_TRY(estimator, kind.make(complete_member(member, plan.shape.task, plan.shape.classes)));
    auto part = std::make_shared<EnsemblePart>();
    part->algorithm = member.algorithm;
    if (plan.shape.task == EnsembleTask::Regression) part->centre = plan.centre, part->scale = plan.scale;
    for (std::size_t f = 0; f < plan.folds; ++f) {
      if (context.cancelled && context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
      Dataset in, out;
      if (validation != nullptr) {
        in = train, out = *validation;
      } else {
        std::vector<std::size_t> inside, outside;
        for (std::size_t i = 0; i < train.X.rows; ++i) (plan.fold_of[i] == f ? outside : inside).push_back(i);
        in = fold_rows(train, inside), out = fold_rows(train, outside);
      }
      MR_TRY(fold, fit_fold(kind, *estimator, plan, std::move(in), std::move(out), f, context));
      part->folds.push_back(std::move(fold));
      ++rounds;
      Progress progress;
      progress.phase = "Training";
      progress.round = rounds, progress.rounds = static_cast<std::int64_t>(members_.size() * plan.folds);
      if (context.progress) context.progress(progress);
    }
    return std::shared_ptr<const EnsemblePart>(std::move(part));
  }

  Result<EnsemblePart::Fold> fit_fold(const EstimatorKind& kind, const Estimator& estimator, const Plan& plan,
                                      Dataset in, Dataset out, std::size_t f,
                                      const FitContext& context) const {
    EnsemblePart::Fold fold;
    if (!kind.needs.missing) {
      fold.rows = DenseRows::fit(in.X, plan.categorical);
      for (Dataset* side : {&in, &out}) {
        side->X = fold.rows->apply(side->X);
        side->feature_names.clear();
        for (std::size_t j = 0; j < side->X.cols; ++j) side->feature_names.push_back(dense_name(j));
      }
    }
    for (Dataset* side : {&in, &out})
      for (double& y : side->y) y = (y - plan.centre) / plan.scale;
    const bool stops = std::ranges::find(kStopByHeldOut, kind.name) != std::end(kStopByHeldOut);
    FitContext inner;
    inner.seed = mix(context.seed, f);
    inner.threads = context.threads, inner.cancelled = context.cancelled;
    MR_TRY(fitted, estimator.fit(in, stops && !out.y.empty() ? &out : nullptr, inner));
    fold.model = std::move(fitted.model);
    return fold;
  }

  // A member's own metric; true: no more members.
  bool report(const EnsembleShape& shape, std::span<const double> y, const Matrix& predictions, std::size_t m,
              const FitContext& context) const {
    const std::string name(deciding_metric(shape.task));
    const MetricPoint point{name, ensemble_metrics(shape, y, predictions).at(name),
                            static_cast<std::int64_t>(m)};
    if (context.metric) context.metric(point);
    return context.stop_early && context.stop_early(point);
  }

  // Sum 1; empty: to be chosen.
  std::vector<double> given_weights(std::size_t count) const {
    std::vector<double> weights;
    double sum = 0;
    for (std::size_t m = 0; m < count && members_[m].weight; ++m) {
      weights.push_back(*members_[m].weight);
      sum += weights.back();
    }
    if (weights.size() < count || !(sum > 0)) return {};
    for (double& weight : weights) weight /= sum;
    return weights;
  }

  const HyperParameters parameters_;
  const ParameterReader read_;
  const std::vector<EnsembleMember> members_;
  const std::set<std::string> categorical_;
  EnsembleShape shape_;
};

}  // namespace

HyperParameters complete_member(const EnsembleMember& member, EnsembleTask task, std::size_t classes) {
  HyperParameters parameters = member.parameters;
  const auto set = [&](const char* name, std::string value) { parameters.emplace(name, std::move(value)); };
  const std::string count = std::to_string(classes);
  if (member.algorithm == "xgboost") {
    constexpr const char* kObjectives[] = {"binary:logistic", "multi:softprob", "reg:squarederror"};
    constexpr const char* kMetrics[] = {"logloss", "mlogloss", "rmse"};
    const auto index = static_cast<std::size_t>(task);
    set("objective", kObjectives[index]);
    set("eval_metric", kMetrics[index]);
    set("num_round", "100");
    if (task == EnsembleTask::Classes) set("num_class", count);
  } else if (member.algorithm == "knn") {
    set("predictor_type", task == EnsembleTask::Regression ? "regressor" : "classifier");
    set("k", "10");
    set("sample_size", "1000000");
  } else {
    constexpr const char* kTypes[] = {"binary_classifier", "multiclass_classifier", "regressor"};
    set("predictor_type", kTypes[static_cast<std::size_t>(task)]);
    if (task == EnsembleTask::Classes) set("num_classes", count);
  }
  return parameters;
}

Result<std::vector<EnsembleMember>> parse_members(std::string_view text,
                                                  std::span<const std::string_view> algorithms) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_array() || json.empty() || json.size() > kEnsembleMembersMax)
    return invalid("hyperparameter 'members': expected a JSON list of 1 to " +
                       std::to_string(kEnsembleMembersMax) + " members",
                   R"(for instance [{"algorithm": "xgboost"}, {"algorithm": "mlp"}])");
  std::vector<EnsembleMember> members;
  for (std::size_t i = 0; i < json.size(); ++i) {
    MR_TRY(member, parse_member(json[i], "hyperparameter 'members'[" + std::to_string(i) + "]", algorithms));
    members.push_back(std::move(member));
  }
  return members;
}

std::string format_members(std::span<const EnsembleMember> members) {
  Json list = Json::array();
  for (const EnsembleMember& member : members) {
    Json json = {{"algorithm", member.algorithm}};
    if (!member.parameters.empty()) json["hyperparameters"] = member.parameters;
    if (member.weight) json["weight"] = *member.weight;
    list.push_back(std::move(json));
  }
  return list.dump();
}

std::vector<std::uint32_t> assign_folds(std::span<const double> y, std::size_t classes, std::size_t folds,
                                        std::uint64_t seed) {
  std::vector<std::size_t> rows(y.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i;
  Random random = Random(seed).derive("folds");
  shuffle(rows, random);
  if (classes > 0) std::ranges::stable_sort(rows, {}, [&](std::size_t i) { return y[i]; });
  std::vector<std::uint32_t> out(y.size());
  for (std::size_t k = 0; k < rows.size(); ++k) out[rows[k]] = static_cast<std::uint32_t>(k % folds);
  return out;
}

std::map<std::string, double> ensemble_metrics(const EnsembleShape& shape, std::span<const double> y,
                                               const Matrix& predictions) {
  std::map<std::string, double> out;
  for (const auto& [name, value] : metric_values(shape.task, y, predictions)) {
    const std::string full = "validation:" + std::string(name);
    if (std::ranges::find(kEnsembleMetrics, full) != std::end(kEnsembleMetrics)) out[full] = value;
  }
  return out;
}

std::span<const HyperParameterRule> ensemble_rules() {
  return kEnsembleRules;
}
std::span<const std::string_view> ensemble_metric_names() {
  return kEnsembleMetrics;
}

Result<std::unique_ptr<const Estimator>> make_ensemble(const HyperParameters& parameters) {
  MR_DO(check_against_rules(kEnsembleName, kEnsembleRules, parameters));
  const ParameterReader read(kEnsembleRules, parameters);
  const bool many = read.text("predictor_type") == "multiclass_classifier";
  if (many != read.given("num_classes"))
    return invalid(many ? "hyperparameter 'num_classes' is required by a multiclass_classifier"
                        : "hyperparameter 'num_classes' is for a multiclass_classifier");
  MR_TRY(members, parse_members(read.text("members")));
  const EnsembleTask task = many                                         ? EnsembleTask::Classes
                            : read.text("predictor_type") == "regressor" ? EnsembleTask::Regression
                                                                         : EnsembleTask::Binary;
  const auto classes = static_cast<std::size_t>(many ? read.integer("num_classes") : 2);
  std::size_t with_weight = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    with_weight += members[i].weight.has_value();
    const EstimatorKind& kind = *find_estimator(members[i].algorithm);
    const Status checked = check_hyperparameters(kind, complete_member(members[i], task, classes));
    if (!checked)
      return invalid("hyperparameter 'members'[" + std::to_string(i) + "]: " + checked.error().message,
                     checked.error().hint);
  }
  if (with_weight != 0 && with_weight != members.size())
    return invalid("hyperparameter 'members': give all of them a weight, or none");
  MR_TRY(categorical, parse_categorical(read.text("categorical_features")));
  return std::unique_ptr<const Estimator>(
      new Ensemble(parameters, std::move(members), std::move(categorical)));
}

}  // namespace millrace::tasks
