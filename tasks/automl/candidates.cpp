#include "tasks/automl/candidates.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "tasks/tuning/tpe.h"

namespace millrace::tasks {

namespace {

// Neighbours cost a distance for each pair of rows: rows times rows times features.
constexpr double kNeighbourCostMax = 2e10;
constexpr const char* kRounds = "2000";
constexpr const char* kPatience = "30";

struct CandidateRow {
  std::string_view algorithm;  // as AutoMLAlgorithms has it
  EnsembleMember member;
};

// Boosted trees end where the held-out rows stop getting better.
EnsembleMember boosted(HyperParameters parameters) {
  parameters.emplace("num_round", kRounds);
  parameters.emplace("early_stopping_rounds", kPatience);
  return {"xgboost", std::move(parameters), std::nullopt};
}

std::vector<CandidateRow> candidate_rows(Problem problem) {
  const bool numbers = problem == Problem::Regression;
  return {
      {"xgboost", boosted({{"eta", "0.1"}, {"max_depth", "6"}})},
      {"linear-learner", {"linear-learner", {{"epochs", "100"}, {"wd", "0.0001"}}, std::nullopt}},
      {"mlp",
       {"mlp",
        {{"hidden_layers", "128,64"}, {"epochs", "60"}, {"early_stopping_patience", "8"}},
        std::nullopt}},
      {"xgboost", boosted({{"eta", "0.05"},
                           {"max_depth", "4"},
                           {"subsample", "0.8"},
                           {"colsample_bytree", "0.7"},
                           {"min_child_weight", "3"},
                           {"lambda", "2"}})},
      {"knn", {"knn", {{"k", numbers ? "5" : "5"}}, std::nullopt}},
      {"randomforest",
       {"xgboost",
        {{"num_round", "1"},
         {"num_parallel_tree", "200"},
         {"eta", "1"},
         {"subsample", "0.63"},
         {"colsample_bynode", numbers ? "0.5" : "0.4"},
         {"max_depth", "16"},
         {"lambda", "0.0001"},
         {"min_child_weight", numbers ? "3" : "1"}},
        std::nullopt}},
      {"xgboost", boosted({{"eta", "0.05"},
                           {"max_depth", "8"},
                           {"subsample", "0.7"},
                           {"colsample_bytree", "0.6"},
                           {"min_child_weight", "5"},
                           {"lambda", "5"}})},
      {"mlp",
       {"mlp",
        {{"hidden_layers", "256,128"},
         {"dropout", "0.2"},
         {"epochs", "60"},
         {"early_stopping_patience", "8"},
         {"mini_batch_size", "256"}},
        std::nullopt}},
  };
}

bool wanted(const CandidateSetting& setting, std::string_view algorithm) {
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

EnsembleMember member_of(const SearchSpace& space, const Point& point) {
  std::map<std::string, std::string> values = values_of(space, point);
  EnsembleMember member;
  member.algorithm = values.at(kAlgorithmRange);
  for (const auto& [name, value] : values)
    if (name != kAlgorithmRange) member.parameters[name.substr(member.algorithm.size() + 1)] = value;
  if (member.algorithm == "xgboost") return boosted(std::move(member.parameters));
  if (member.algorithm == "linear-learner") member.parameters["epochs"] = "100";
  if (member.algorithm == "mlp")
    member.parameters["epochs"] = "60", member.parameters["early_stopping_patience"] = "8";
  return member;
}

}  // namespace

std::vector<EnsembleMember> first_candidates(const CandidateSetting& setting) {
  std::vector<EnsembleMember> out;
  for (CandidateRow& row : candidate_rows(setting.problem))
    if (wanted(setting, row.algorithm)) out.push_back(std::move(row.member));
  // With random forests alone, or neighbours that cost too much, something has to be there.
  if (out.empty()) out.push_back(boosted({{"eta", "0.1"}, {"max_depth", "6"}}));
  return out;
}

EnsembleMember suggested_candidate(const CandidateSetting& setting, std::span<const CandidateResult> known,
                                   std::size_t number) {
  const SearchSpace space = candidate_space(setting);
  Random random = Random(setting.seed).derive("candidate", number);
  if (space.empty()) {  // random forests alone: another depth and share of columns
    EnsembleMember member = first_candidates(setting)[0];
    member.parameters["max_depth"] = std::to_string(6 + random.below(14));
    member.parameters["colsample_bynode"] = std::to_string(random.uniform(0.15, 0.9));
    return member;
  }
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
                                                 {"knn.index_metric", "L2"}};
    for (auto& [name, value] : searched_values(result.member)) values[name] = value;
    if (result.member.parameters.contains("num_parallel_tree")) continue;  // a forest
    if (auto point = point_of(space, values)) observations.push_back({std::move(*point), *result.loss});
  }
  return member_of(space, suggest_tpe(space, observations, random));
}

std::string describe_member(const EnsembleMember& member) {
  std::string out = member.parameters.contains("num_parallel_tree") ? "randomforest" : member.algorithm;
  const char* separator = " ";
  for (const auto& [name, value] : member.parameters) {
    if (name == "num_round" || name == "early_stopping_rounds" || name == "num_parallel_tree" ||
        name == "early_stopping_patience" || name == "epochs")
      continue;
    out += separator + name + " " + value.substr(0, 8);
    separator = ", ";
  }
  return out;
}

}  // namespace millrace::tasks
