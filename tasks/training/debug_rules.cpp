#include "tasks/training/debug_rules.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/text.h"
#include "tasks/arguments.h"
#include "tasks/training/debug_rule_kinds.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/explain.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kTrainPrefix = "train:", kValidationPrefix = "validation:";
constexpr std::size_t kRulesMax = 20;         // of a job, as on AWS
constexpr std::int64_t kFirstSteps = 10;      // that rules look at each of
constexpr std::size_t kNamePatternsMax = 50;  // of a rule

std::string figure(double value) {
  return rule_figure(value);
}

bool is_loss(const MetricPoint& point) {
  return !larger_is_better(point.name);
}

// Whether the value is better than the best so far by more than `delta`, and it is remembered then.
bool improves(DebugRule& rule, const std::string& name, double value, double delta) {
  const auto [best, first] = rule.losses.emplace(name, value);
  if (first) return true;
  if (!(value < best->second - delta)) return false;
  best->second = value;
  return true;
}

std::string loss_not_decreasing(DebugRule& rule, const MetricPoint& point) {
  if (rule.metric.empty() && is_loss(point)) rule.metric = point.name;
  if (point.name != rule.metric) return {};
  const auto [before, first] = rule.losses.emplace("before", point.value);
  if (first || ++rule.steps % static_cast<std::int64_t>(rule.parameters["num_steps"]) != 0) return {};
  const double least = std::abs(before->second) * rule.parameters["diff_percent"] / 100;
  if (point.value < before->second - least) {
    before->second = point.value;
    return {};
  }
  return point.name + " went from " + figure(before->second) + " to " + figure(point.value) + " in " +
         figure(rule.parameters["num_steps"]) + " steps";
}

std::string overfit(DebugRule& rule, const MetricPoint& point) {
  if (!is_loss(point)) return {};
  if (point.name.starts_with(kTrainPrefix)) rule.losses[point.name.substr(kTrainPrefix.size())] = point.value;
  if (!point.name.starts_with(kValidationPrefix)) return {};
  const std::string loss = point.name.substr(kValidationPrefix.size());
  if (rule.metric.empty() && rule.losses.contains(loss)) rule.metric = loss;
  if (loss != rule.metric || static_cast<double>(point.round) < rule.parameters["start_step"]) return {};
  const double train = rule.losses[loss];
  const bool far = point.value - train > rule.parameters["ratio_threshold"] * std::abs(train);
  rule.streak = far ? rule.streak + 1 : 0;
  if (static_cast<double>(rule.streak) <= rule.parameters["patience"]) return {};
  return loss + " is " + figure(point.value) + " on validation and " + figure(train) + " on train";
}

std::string overtraining(DebugRule& rule, const MetricPoint& point) {
  if (!is_loss(point)) return {};
  const bool validation = point.name.starts_with(kValidationPrefix);
  if (!validation && !point.name.starts_with(kTrainPrefix)) return {};
  const std::string loss = point.name.substr(point.name.find(':') + 1);
  if (rule.metric.empty()) rule.metric = loss;
  if (loss != rule.metric) return {};
  double& stale = rule.losses[validation ? "stale validation" : "stale train"];
  stale = improves(rule, point.name, point.value, rule.parameters["delta"]) ? 0 : stale + 1;
  if (!validation || rule.losses["stale validation"] < rule.parameters["patience_validation"] ||
      rule.losses["stale train"] < rule.parameters["patience_train"])
    return {};
  return loss + " has not improved by " + figure(rule.parameters["delta"]) + " for " +
         figure(rule.losses["stale train"]) + " steps on train and " +
         figure(rule.losses["stale validation"]) + " on validation";
}

std::string exploding(DebugRule& rule, const MetricPoint& point) {
  if (std::isfinite(point.value)) return {};
  if (rule.parameters["only_nan"] != 0 && !std::isnan(point.value)) return {};
  return point.name + " is " + figure(point.value);
}

std::string imbalanced_classes(const DebugRule& rule, const Dataset& train, std::string_view task) {
  if (task != "binary" && task != "multiclass") return {};
  std::map<double, double> counts;
  for (const double y : train.y) ++counts[y];
  if (counts.size() < 2) return counts.empty() ? "" : "all rows are of one class";
  const auto [least, most] =
      std::ranges::minmax_element(counts, {}, [](const auto& entry) { return entry.second; });
  if (most->second / least->second <= rule.parameters.at("threshold_imbalance")) return {};
  return "class " + figure(most->first) + " has " + figure(most->second) + " rows, class " +
         figure(least->first) + " only " + figure(least->second);
}

std::string tree_depth(const DebugRule& rule, const trees::Ensemble& ensemble) {
  int deepest = 0;
  for (const trees::Tree& tree : ensemble.trees) {
    std::vector<int> depth(tree.nodes.size());
    for (std::size_t k = 1; k < tree.nodes.size(); ++k) {  // parents stand before their children
      depth[k] = depth[static_cast<std::size_t>(std::max(0, tree.nodes[k].parent))] + 1;
      deepest = std::max(deepest, depth[k]);
    }
  }
  if (deepest <= rule.parameters.at("depth")) return {};
  return "a tree is " + std::to_string(deepest) + " deep";
}

std::string importance_overweight(const DebugRule& rule, const trees::Ensemble& ensemble) {
  auto gains = trees::feature_importance(ensemble, "total_gain");
  if (!gains) return {};
  const double all = std::accumulate(gains->begin(), gains->end(), 0.0);
  std::ranges::sort(*gains, std::greater<>());
  const auto count = std::min(gains->size(), static_cast<std::size_t>(rule.parameters.at("nfeatures")));
  const double first =
      std::accumulate(gains->begin(), gains->begin() + static_cast<std::ptrdiff_t>(count), 0.0);
  if (!(all > 0) || count == gains->size() || first / all <= rule.parameters.at("threshold")) return {};
  return std::to_string(count) + " of " + std::to_string(gains->size()) + " features have " +
         figure(100 * first / all) + " % of the importance";
}

std::string stalled(const DebugRule& rule, Millis since) {
  const double seconds = static_cast<double>(since.count()) / 1000;
  if (seconds < rule.parameters.at("threshold")) return {};
  return "nothing was reported for " + figure(seconds) + " s";
}

std::vector<DebugRuleKind> all_rule_kinds() {
  std::vector<DebugRuleKind> kinds = {
      {.name = "LossNotDecreasing",
       .parameters = {{"num_steps", 10}, {"diff_percent", 0.1}},
       .on_metric = loss_not_decreasing},
      {.name = "Overfit",
       .parameters = {{"start_step", 0}, {"patience", 1}, {"ratio_threshold", 0.1}},
       .on_metric = overfit},
      {.name = "Overtraining",
       .parameters = {{"patience_train", 5}, {"patience_validation", 10}, {"delta", 0.01}},
       .on_metric = overtraining},
      {.name = "ExplodingTensor",
       .parameters = {{"only_nan", 0}},
       .on_metric = exploding,
       .on_tensors = exploding_tensor},
      {.name = "ClassImbalance", .parameters = {{"threshold_imbalance", 10}}, .on_data = imbalanced_classes},
      {.name = "TreeDepth", .parameters = {{"depth", 4}}, .on_trees = tree_depth},
      {.name = "FeatureImportanceOverweight",
       .parameters = {{"threshold", 0.8}, {"nfeatures", 3}},
       .on_trees = importance_overweight},
      {.name = "StalledTrainingRule", .parameters = {{"threshold", 1800}}, .on_silence = stalled},
      {.name = "CreateXgboostReport", .parameters = {}, .report = true},
  };
  kinds.insert(kinds.end(), tensor_rule_kinds().begin(), tensor_rule_kinds().end());
  return kinds;
}

const std::vector<DebugRuleKind>& rule_kinds() {
  static const std::vector<DebugRuleKind> kKinds = all_rule_kinds();
  return kKinds;
}

// Parameters that choose tensors or describe actions: read elsewhere, or of no meaning here.
constexpr std::string_view kOtherParameters[] = {"rule_to_invoke",
                                                 "action_json",
                                                 "stop_training_on_fire",
                                                 "training_job_name_prefix",
                                                 "collection_names",
                                                 "tensor_regex",
                                                 "use_losses_collection",
                                                 "base_trial",
                                                 "mode",
                                                 "increment_step",
                                                 "use_loss_tensor",
                                                 "other_trials",
                                                 "activation_inputs_regex",
                                                 "labels",
                                                 "predictions",
                                                 "labels_collection",
                                                 "predictions_collection"};

std::vector<std::string> parts_of(std::string_view text, char separator) {
  std::vector<std::string> out;
  for (const std::string_view part : split(text, separator))
    if (const std::string_view name = trimmed(part); !name.empty()) out.emplace_back(name);
  return out;
}

// The tensors a rule looks at: those named by collection_names and tensor_regex, else the kind's own.
Status choose_tensors(const Arguments& configuration, const std::map<std::string, std::string>& parameters,
                      std::string_view algorithm, DebugRule& rule) {
  const EstimatorKind* estimator = algorithm.empty() ? nullptr : find_estimator(algorithm);
  const std::string rule_name(rule.kind->name);
  const bool metrics_too = rule.kind->on_metric != nullptr;
  if (!estimator || estimator->collections.empty()) {
    if (metrics_too) return {};
    return configuration.wrong(
        "RuleConfigurationName",
        rule_name + " looks at tensors, and " +
            (algorithm.empty() ? "those of a program are not known" : std::string(algorithm) + " shows none"),
        "algorithms that show tensors are mlp, linear-learner and xgboost");
  }
  const std::vector<std::string> shown = parts_of(estimator->collections, '|');
  const auto given = [&](const char* name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
  };
  rule.collections = parts_of(given("collection_names"), ',');
  for (const std::string& name : rule.collections) {
    if (std::ranges::find(shown, name) == shown.end())
      return configuration.wrong("RuleParameters",
                                 "collection_names: " + std::string(algorithm) + " shows no '" + name + "'",
                                 "it shows " + std::string(estimator->collections));
  }
  const std::string regex =
      given("tensor_regex").empty() ? given("activation_inputs_regex") : given("tensor_regex");
  for (const std::string& pattern : parts_of(regex, ',')) {
    auto compiled = NamePattern::compile(pattern);
    if (!compiled) return configuration.wrong("RuleParameters", "tensor_regex: " + compiled.error().message);
    if (rule.patterns.size() == kNamePatternsMax)
      return configuration.wrong(
          "RuleParameters", "tensor_regex has more than " + std::to_string(kNamePatternsMax) + " patterns");
    rule.patterns.push_back(std::move(*compiled));
  }
  const std::vector<std::string> own = parts_of(rule.kind->collections, '|');
  if (!own.empty()) {  // patterns may choose among them
    const bool any = std::ranges::any_of(own, [&](const std::string& name) {
      return name != "losses" && std::ranges::find(shown, name) != shown.end();
    });
    if (!any)
      return configuration.wrong("RuleConfigurationName",
                                 rule_name + " looks at " + std::string(rule.kind->collections) + ", which " +
                                     std::string(algorithm) + " does not show",
                                 "it shows " + std::string(estimator->collections));
    return {};
  }
  const bool all = metrics_too || rule.kind->compares_runs;
  if (rule.collections.empty() && rule.patterns.empty() && all) rule.collections = shown;
  if (rule.collections.empty() && rule.patterns.empty())
    return configuration.wrong("RuleParameters", rule_name + " needs collection_names or tensor_regex",
                               std::string(algorithm) + " shows " + std::string(estimator->collections));
  return {};
}

bool looks_at(const DebugRule& rule, const Tensor& tensor) {
  const bool named =
      std::ranges::any_of(rule.patterns, [&](const NamePattern& p) { return p.matches(tensor.name); });
  if (rule.kind->collections.empty())
    return named || std::ranges::find(rule.collections, tensor.collection) != rule.collections.end();
  const std::vector<std::string> own = parts_of(rule.kind->collections, '|');
  if (std::ranges::find(own, tensor.collection) == own.end()) return false;
  // A pattern chooses among activations; gradients and losses of PoorWeightInitialization stay.
  return rule.patterns.empty() || named || tensor.collection == "gradients" || tensor.collection == "losses";
}

Result<const DebugRuleKind*> debug_kind_of(const Arguments& configuration, const std::string& name) {
  std::vector<std::string_view> names;
  std::string listed;
  for (const DebugRuleKind& kind : rule_kinds()) {
    if (kind.name == name) return &kind;
    names.push_back(kind.name);
    listed += (listed.empty() ? "" : ", ") + std::string(kind.name);
  }
  const std::string_view near = nearest_name(name, names);
  return configuration.wrong("RuleParameters",
                             "rule_to_invoke '" + name + "' is not one of the rules" +
                                 (near.empty() ? "" : ": did you mean '" + std::string(near) + "'?"),
                             "the rules are " + listed);
}

std::string lowered(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return text;
}

// [{"name": "StopTraining", "parameters": {…}}], or one of them.
Result<bool> stops_training(const Arguments& configuration,
                            const std::map<std::string, std::string>& parameters) {
  const auto given = [&](const char* name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
  };
  if (lowered(given("stop_training_on_fire")) == "true") return true;
  const std::string text = given("action_json");
  if (text.empty()) return false;
  Json actions = Json::parse(text, nullptr, false);
  if (actions.is_object()) actions = Json::array({actions});
  if (!actions.is_array()) return configuration.wrong("RuleParameters", "action_json is not JSON: " + text);
  bool stops = false;
  for (const Json& action : actions) {
    const auto name = action.is_object() ? action.find("name") : action.end();
    if (name == action.end() || !name->is_string())
      return configuration.wrong("RuleParameters", "action_json: an action has no name");
    if (lowered(name->get<std::string>()) != "stoptraining")
      return configuration.wrong("RuleParameters",
                                 "action_json: '" + name->get<std::string>() + "' is not offered",
                                 "the action is StopTraining; for others a rule of the event bus can act on "
                                 "\"SageMaker Training Job State Change\"");
    stops = true;
  }
  return stops;
}

Result<DebugRule> parse_rule(const Arguments& configuration, std::string_view algorithm) {
  DebugRule rule;
  MR_TRY(name, configuration.text("RuleConfigurationName"));
  MR_TRY(parameters, configuration.text_map("RuleParameters"));
  const auto invoked = parameters.find("rule_to_invoke");
  MR_TRY(kind, debug_kind_of(configuration, invoked == parameters.end() ? name : invoked->second));
  rule.name = name, rule.kind = kind;
  if (kind->on_data && algorithm.empty())
    return configuration.wrong("RuleConfigurationName",
                               std::string(kind->name) + " knows no rows of a program");
  const bool trees = algorithm == "xgboost" || algorithm == "random-forest" || algorithm == "extra-trees";
  if (kind->on_trees && !trees)
    return configuration.wrong("RuleConfigurationName",
                               std::string(kind->name) + " is for xgboost, random-forest and extra-trees");
  if (kind->report && algorithm != "xgboost")
    return configuration.wrong("RuleConfigurationName", std::string(kind->name) + " is for xgboost");
  if (kind->on_tensors) MR_DO(choose_tensors(configuration, parameters, algorithm, rule));
  for (const DebugRuleParameter& own : kind->parameters) rule.parameters[std::string(own.name)] = own.value;
  for (const auto& [key, text] : parameters) {
    const auto own = rule.parameters.find(key);
    if (own == rule.parameters.end()) {
      if (std::ranges::find(kOtherParameters, key) != std::end(kOtherParameters)) continue;
      return configuration.wrong("RuleParameters",
                                 "'" + key + "' is no parameter of " + std::string(kind->name));
    }
    const std::string low = lowered(text);
    const auto number = low == "true" ? 1 : low == "false" ? 0 : parse_real(text);
    const auto& table = kind->parameters;
    const double least = std::ranges::find(table, key, &DebugRuleParameter::name)->least;
    if (!number || *number < least)
      return configuration.wrong("RuleParameters",
                                 key + " is '" + text + "': expected a number" +
                                     (std::isinf(least) ? "" : " of at least " + figure(least)));
    own->second = *number;
  }
  if (kind->name == "TensorVariance" && std::isnan(rule.parameters["max_threshold"]) &&
      std::isnan(rule.parameters["min_threshold"]))
    return configuration.wrong("RuleParameters", "TensorVariance needs max_threshold or min_threshold");
  if (kind->on_metric == loss_not_decreasing)
    rule.parameters["num_steps"] = std::max(1.0, rule.parameters["num_steps"]);
  if (kind->compares_runs) {
    const auto other = parameters.find("other_trials");
    if (other == parameters.end() || trimmed(other->second).empty())
      return configuration.wrong("RuleParameters", std::string(kind->name) + " needs other_trials",
                                 "the name of a training job that saved tensors (DebugHookConfig)");
    rule.other_trial = trimmed(other->second);
  }
  MR_TRY(stops, stops_training(configuration, parameters));
  rule.stops = stops;
  return rule;
}

}  // namespace

std::string rule_figure(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

Result<DebugRules> DebugRules::parse(const Json& request, std::string_view algorithm) {
  DebugRules out;
  MR_TRY(configurations, Arguments(request).list("DebugRuleConfigurations"));
  if (configurations.size() > kRulesMax)
    return invalid("DebugRuleConfigurations: more than " + std::to_string(kRulesMax) + " rules");
  for (const Arguments& configuration : configurations) {
    MR_TRY(rule, parse_rule(configuration, algorithm));
    if (std::ranges::find(out.rules_, rule.name, &DebugRule::name) != out.rules_.end())
      return configuration.wrong("RuleConfigurationName", "there are two rules '" + rule.name + "'");
    out.rules_.push_back(std::move(rule));
  }
  return out;
}

bool DebugRules::watches_time() const {
  return std::ranges::any_of(rules_, [](const DebugRule& rule) { return rule.kind->on_silence != nullptr; });
}

bool DebugRules::wants_tensors(std::int64_t step, bool begins_round) const {
  if (step >= kFirstSteps && !begins_round) return false;
  return std::ranges::any_of(rules_, [](const DebugRule& rule) {
    return rule.issue.empty() && rule.kind->on_tensors != nullptr &&
           (!rule.kind->collections.empty() || !rule.collections.empty() || !rule.patterns.empty());
  });
}

void DebugRules::look_up_others(OtherTensor look_up) {
  for (DebugRule& rule : rules_) {
    if (rule.other_trial.empty()) continue;
    rule.other_sha256 = [look_up, job = rule.other_trial](const Tensor& tensor, std::int64_t step) {
      return look_up(job, tensor, step);
    };
  }
}

std::vector<std::string> DebugRules::reports() const {
  std::vector<std::string> names;
  for (const DebugRule& rule : rules_)
    if (rule.kind->report) names.push_back(rule.name);
  return names;
}

template <class Look>
std::vector<std::size_t> DebugRules::look(Look&& look_with) {
  std::vector<std::size_t> met;
  for (std::size_t k = 0; k < rules_.size(); ++k) {
    if (!rules_[k].issue.empty()) continue;
    rules_[k].issue = look_with(rules_[k]);
    if (!rules_[k].issue.empty()) met.push_back(k);
  }
  return met;
}

std::vector<std::size_t> DebugRules::on_metric(const MetricPoint& point) {
  return look([&](DebugRule& rule) {
    return rule.kind->on_metric ? rule.kind->on_metric(rule, point) : std::string();
  });
}

std::vector<std::size_t> DebugRules::on_data(const Dataset& train, std::string_view task) {
  return look([&](DebugRule& rule) {
    return rule.kind->on_data ? rule.kind->on_data(rule, train, task) : std::string();
  });
}

std::vector<std::size_t> DebugRules::on_tensors(std::int64_t step, std::span<const Tensor> tensors) {
  return look([&](DebugRule& rule) {
    if (!rule.kind->on_tensors) return std::string();
    std::vector<const Tensor*> chosen;
    for (const Tensor& tensor : tensors)
      if (looks_at(rule, tensor)) chosen.push_back(&tensor);
    return rule.kind->on_tensors(rule, step, chosen);
  });
}

std::vector<std::size_t> DebugRules::on_model(const Model& model) {
  const trees::Ensemble* ensemble = ensemble_of(model);
  if (ensemble == nullptr) return {};
  return look([&](DebugRule& rule) {
    return rule.kind->on_trees ? rule.kind->on_trees(rule, *ensemble) : std::string();
  });
}

std::vector<std::size_t> DebugRules::on_silence(Millis since_last_report) {
  return look([&](DebugRule& rule) {
    return rule.kind->on_silence ? rule.kind->on_silence(rule, since_last_report) : std::string();
  });
}

}  // namespace millrace::tasks
