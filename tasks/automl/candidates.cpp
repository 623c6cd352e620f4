#include "tasks/automl/candidates.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "tasks/tuning/tpe.h"

namespace millrace::tasks {

namespace {

// Neighbours cost a distance for each pair of rows: rows times rows times features.
constexpr double kNeighbourCostMax = 2e10;
constexpr std::size_t kShownValue = 8, kShownMethods = 100;  // characters of a value in a description
constexpr std::size_t kRoundsMax = 2000, kRoundsMin = 20;
constexpr std::size_t kTreesMax = 20'000;  // of one fit: of many classes each round grows a tree for each
constexpr const char* kPatience = "30";
constexpr std::size_t kEpochsByRows = 8192;

// Boosted trees end where the held-out rows stop getting better.
EnsembleMember boosted(const CandidateSetting& setting, HyperParameters parameters) {
  const std::size_t trees =
      setting.problem == Problem::Classes ? std::max<std::size_t>(setting.classes, 2) : 1;
  const std::size_t rounds = std::clamp(kTreesMax / trees, kRoundsMin, kRoundsMax);
  // So few rounds have to go further each.
  if (rounds < kRoundsMax / 10) parameters["eta"] = "0.3";
  parameters.emplace("num_round", std::to_string(rounds));
  parameters.emplace("early_stopping_rounds", kPatience);
  return {"xgboost", std::move(parameters), std::nullopt};
}

// Forests: fewer trees and larger leaves where rows are many, or the model would be larger than the data.
EnsembleMember forest(std::string_view algorithm, const CandidateSetting& setting,
                      HyperParameters parameters) {
  parameters.emplace("n_estimators", setting.rows < 5000 ? "300" : "100");
  const bool two = setting.problem == Problem::Binary;
  parameters.emplace("min_samples_leaf", setting.rows > 20'000 ? "5" : two ? "3" : "1");
  return {std::string(algorithm), std::move(parameters), std::nullopt};
}

// Of few rows mlp knows how many epochs they need.
EnsembleMember network(const CandidateSetting& setting, HyperParameters parameters) {
  if (setting.rows > kEpochsByRows) parameters.emplace("epochs", "60");
  parameters.emplace("early_stopping_patience", "8");
  return {"mlp", std::move(parameters), std::nullopt};
}

std::vector<EnsembleMember> candidate_rows(const CandidateSetting& setting) {
  return {
      boosted(setting, {{"eta", "0.1"}, {"max_depth", "6"}}),
      {"linear-learner", {{"epochs", "100"}, {"wd", "0.0001"}}, std::nullopt},
      network(setting, {{"hidden_layers", "128,64"}}),
      boosted(setting, {{"eta", "0.05"},
                        {"max_depth", "4"},
                        {"subsample", "0.8"},
                        {"colsample_bytree", "0.7"},
                        {"min_child_weight", "3"},
                        {"lambda", "2"}}),
      forest("extra-trees", setting, {}),
      {"knn",
       {{"k", setting.rows < 200                   ? "5"
              : setting.problem == Problem::Binary ? "30"
                                                   : "10"}},
       std::nullopt},
      boosted(setting, {{"eta", "0.05"},
                        {"max_depth", "8"},
                        {"subsample", "0.7"},
                        {"colsample_bytree", "0.6"},
                        {"min_child_weight", "5"},
                        {"lambda", "5"}}),
      forest("random-forest", setting, {}),
      network(setting, {{"hidden_layers", "256,128"}, {"dropout", "0.2"}}),
  };
}

bool wanted(const CandidateSetting& setting, std::string_view algorithm) {
  if (find_estimator(algorithm) == nullptr) return false;
  if (algorithm == "knn") {
    const auto rows = static_cast<double>(setting.rows);
    if (rows * rows * static_cast<double>(setting.features) > kNeighbourCostMax) return false;
  }
  return setting.algorithms.empty() ||
         std::ranges::find(setting.algorithms, algorithm) != setting.algorithms.end();
}

// Ranges by algorithm; names are "<algorithm>.<hyperparameter>".
constexpr std::string_view kCandidateSpace = R"({
  "xgboost": {
    "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": 2, "MaxValue": 11}],
    "ContinuousParameterRanges": [
      {"Name": "eta", "MinValue": 0.02, "MaxValue": 0.3, "ScalingType": "Logarithmic"},
      {"Name": "subsample", "MinValue": 0.5, "MaxValue": 1},
      {"Name": "colsample_bytree", "MinValue": 0.3, "MaxValue": 1},
      {"Name": "min_child_weight", "MinValue": 0.3, "MaxValue": 30, "ScalingType": "Logarithmic"},
      {"Name": "lambda", "MinValue": 0.1, "MaxValue": 30, "ScalingType": "Logarithmic"}]},
  "linear-learner": {
    "ContinuousParameterRanges": [
      {"Name": "wd", "MinValue": 1e-6, "MaxValue": 0.1, "ScalingType": "Logarithmic"}]},
  "mlp": {
    "CategoricalParameterRanges": [{"Name": "hidden_layers", "Values": ["64", "128,64", "256,128", "256,128,64"]},
                                   {"Name": "activation", "Values": ["relu", "tanh"]}],
    "ContinuousParameterRanges": [
      {"Name": "learning_rate", "MinValue": 0.0003, "MaxValue": 0.01, "ScalingType": "Logarithmic"},
      {"Name": "dropout", "MinValue": 0, "MaxValue": 0.5},
      {"Name": "wd", "MinValue": 1e-6, "MaxValue": 0.05, "ScalingType": "Logarithmic"}]},
  "extra-trees": {
    "IntegerParameterRanges": [{"Name": "min_samples_leaf", "MinValue": 1, "MaxValue": 20, "ScalingType": "Logarithmic"}],
    "ContinuousParameterRanges": [{"Name": "max_features", "MinValue": 0.1, "MaxValue": 0.99}]},
  "random-forest": {
    "IntegerParameterRanges": [{"Name": "min_samples_leaf", "MinValue": 1, "MaxValue": 20, "ScalingType": "Logarithmic"}],
    "ContinuousParameterRanges": [{"Name": "max_features", "MinValue": 0.1, "MaxValue": 0.99}]},
  "knn": {
    "IntegerParameterRanges": [{"Name": "k", "MinValue": 1, "MaxValue": 40, "ScalingType": "Logarithmic"}],
    "CategoricalParameterRanges": [{"Name": "index_metric", "Values": ["L2", "COSINE"]}]}})";
constexpr const char* kAlgorithmRange = "algorithm";

SearchSpace candidate_space(const CandidateSetting& setting) {
  const Json all = Json::parse(kCandidateSpace);
  Json ranges = Json::object(), algorithms = Json::array();
  for (const auto& [algorithm, own] : all.items()) {
    if (!wanted(setting, algorithm)) continue;
    algorithms.push_back(algorithm);
    for (const auto& [kind, list] : own.items()) {
      for (Json range : list) {
        range["Name"] = algorithm + "." + range["Name"].get<std::string>();
        range["Condition"] = {{"Name", kAlgorithmRange}, {"Values", {algorithm}}};
        ranges[kind].push_back(std::move(range));
      }
    }
  }
  if (algorithms.empty()) return {};
  ranges["CategoricalParameterRanges"].push_back({{"Name", kAlgorithmRange}, {"Values", algorithms}});
  auto space = parse_search_space(ranges, "candidates");
  MR_CHECK(space.has_value(), "the table of candidates' ranges is a valid space");
  return *space;
}

std::map<std::string, std::string> searched_values(const EnsembleMember& member) {
  std::map<std::string, std::string> values = {{kAlgorithmRange, member.algorithm}};
  for (const auto& [name, value] : member.parameters) values[member.algorithm + "." + name] = value;
  return values;
}

EnsembleMember member_of(const CandidateSetting& setting, const SearchSpace& space, const Point& point) {
  std::map<std::string, std::string> values = values_of(space, point);
  const std::string algorithm = values.at(kAlgorithmRange);
  HyperParameters parameters;
  for (const auto& [name, value] : values)
    if (name != kAlgorithmRange) parameters[name.substr(algorithm.size() + 1)] = value;
  if (algorithm == "xgboost") return boosted(setting, std::move(parameters));
  if (algorithm == "mlp") return network(setting, std::move(parameters));
  if (algorithm.ends_with("-trees") || algorithm.ends_with("-forest"))
    return forest(algorithm, setting, std::move(parameters));
  if (algorithm == "linear-learner") parameters["epochs"] = "100";
  return {algorithm, std::move(parameters), std::nullopt};
}

}  // namespace

std::vector<EnsembleMember> first_candidates(const CandidateSetting& setting) {
  std::vector<EnsembleMember> out;
  for (EnsembleMember& member : candidate_rows(setting))
    if (wanted(setting, member.algorithm)) out.push_back(std::move(member));
  // Neighbours alone where they cost too much: something has to be there.
  if (out.empty()) out.push_back(boosted(setting, {{"eta", "0.1"}, {"max_depth", "6"}}));
  return out;
}

EnsembleMember suggested_candidate(const CandidateSetting& given, std::span<const CandidateResult> known,
                                   std::size_t number) {
  CandidateSetting setting = given;
  if (candidate_space(setting).empty()) setting.algorithms = {"xgboost"};
  const SearchSpace space = candidate_space(setting);
  Random random = Random(setting.seed).derive("candidate", number);
  std::vector<Observation> observations;
  for (const CandidateResult& result : known) {
    if (!result.loss) continue;
    // What a first candidate leaves out has its default.
    std::map<std::string, std::string> values = {{"xgboost.subsample", "1"},
                                                 {"xgboost.colsample_bytree", "1"},
                                                 {"xgboost.min_child_weight", "1"},
                                                 {"xgboost.lambda", "1"},
                                                 {"mlp.activation", "relu"},
                                                 {"mlp.learning_rate", "0.001"},
                                                 {"mlp.dropout", "0"},
                                                 {"mlp.wd", "0.0001"},
                                                 {"knn.index_metric", "L2"},
                                                 {"extra-trees.max_features", "0.3"},
                                                 {"random-forest.max_features", "0.3"}};
    for (auto& [name, value] : searched_values(result.member)) values[name] = value;
    if (auto point = point_of(space, values)) observations.push_back({std::move(*point), *result.loss});
  }
  return member_of(setting, space, suggest_tpe(space, observations, random));
}

std::string describe_member(const EnsembleMember& member) {
  static constexpr std::string_view kSelfEvident[] = {"num_round", "early_stopping_rounds", "n_estimators",
                                                      "early_stopping_patience", "epochs"};
  std::string out = member.algorithm;
  const char* separator = " ";
  for (const auto& [name, value] : member.parameters) {
    if (std::ranges::find(kSelfEvident, name) != std::end(kSelfEvident)) continue;
    out += separator + name + " " + value.substr(0, name == "methods" ? kShownMethods : kShownValue);
    separator = ", ";
  }
  return out;
}

}  // namespace millrace::tasks
