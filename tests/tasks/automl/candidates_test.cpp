#include "tasks/automl/candidates.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

using namespace millrace;
using namespace millrace::tasks;

namespace {

CandidateSetting setting_of(Problem problem, std::vector<std::string> algorithms = {},
                            std::size_t rows = 1000) {
  return {problem, rows, 10, 4, std::move(algorithms), 3};
}

// Every candidate must make a valid ensemble.
bool is_valid(const EnsembleMember& member, Problem problem) {
  HyperParameters parameters = {{"members", format_members(std::span(&member, 1))},
                                {"predictor_type", problem == Problem::Binary    ? "binary_classifier"
                                                   : problem == Problem::Classes ? "multiclass_classifier"
                                                                                 : "regressor"}};
  if (problem == Problem::Classes) parameters["num_classes"] = "4";
  const auto made = make_ensemble(parameters);
  if (!made) MESSAGE(made.error().message);
  return made.has_value();
}

}  // namespace

TEST_CASE("AutoML candidates: first ones and suggested ones are valid for every problem") {
  for (const Problem problem : {Problem::Binary, Problem::Classes, Problem::Regression}) {
    const CandidateSetting setting = setting_of(problem);
    const auto first = first_candidates(setting);
    CHECK(first.size() >= 7);
    std::vector<CandidateResult> known;
    std::set<std::string> algorithms;
    for (const EnsembleMember& member : first) {
      CHECK(is_valid(member, problem));
      algorithms.insert(member.algorithm);
      known.push_back({member, 1.0 / static_cast<double>(known.size() + 1)});
    }
    for (const char* algorithm : {"knn", "linear-learner", "mlp", "xgboost"})
      CHECK(algorithms.contains(algorithm));
    for (std::size_t i = first.size(); i < 30; ++i) {
      const EnsembleMember member = suggested_candidate(setting, known, i);
      CHECK(is_valid(member, problem));
      CHECK(format_members(std::span(&member, 1)) ==
            format_members(std::vector{suggested_candidate(setting, known, i)}));
      known.push_back({member, std::nullopt});  // failed: told, and passed over
    }
  }
}

TEST_CASE("AutoML candidates: the search goes where results are good") {
  const CandidateSetting setting = setting_of(Problem::Binary);
  std::vector<CandidateResult> known;
  std::map<std::string, int> late;
  for (std::size_t i = 0; i < 60; ++i) {
    const EnsembleMember member = suggested_candidate(setting, known, i);
    double loss = 1;
    if (member.algorithm == "mlp")
      loss = 0.2 + 0.05 * std::pow(std::log(std::stod(member.parameters.at("learning_rate")) / 0.002), 2);
    known.push_back({member, loss});
    if (i >= 30) ++late[member.algorithm];
  }
  CHECK(late["mlp"] > 15);
}

TEST_CASE("AutoML candidates: only what is asked for; no neighbours where they cost too much") {
  for (const EnsembleMember& member : first_candidates(setting_of(Problem::Binary, {"mlp"})))
    CHECK(member.algorithm == "mlp");
  CHECK(suggested_candidate(setting_of(Problem::Binary, {"linear-learner"}), {}, 5).algorithm ==
        "linear-learner");
  for (const EnsembleMember& member : first_candidates(setting_of(Problem::Binary, {}, 1'000'000)))
    CHECK(member.algorithm != "knn");
  // Neighbours alone, but of too many rows.
  const CandidateSetting none = setting_of(Problem::Regression, {"knn"}, 1'000'000);
  CHECK(first_candidates(none).size() == 1);
  CHECK(is_valid(suggested_candidate(none, {}, 3), Problem::Regression));
}

TEST_CASE("AutoML candidates: of many classes trees are fewer rounds, so that they end") {
  CandidateSetting setting = setting_of(Problem::Classes, {"xgboost"});
  CHECK(first_candidates(setting)[0].parameters.at("num_round") == "2000");
  setting.classes = 500;
  for (const EnsembleMember& member : first_candidates(setting)) {
    CHECK(member.parameters.at("num_round") == "40");
    CHECK(member.parameters.at("eta") == "0.3");
  }
  CHECK(suggested_candidate(setting, {}, 9).parameters.at("num_round") == "40");
}
