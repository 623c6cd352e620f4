#pragma once
// What an AutoML job shows of its candidates: SageMaker's AutoMLCandidate documents, the leaderboard, and the
// workflow that makes the winner again. Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tasks/automl/automl_spec.h"
#include "tasks/training/ensemble/ensemble.h"

namespace millrace::tasks {

struct Candidate {
  std::string name;                          // of its training job
  std::vector<EnsembleMember> members;       // one, or those of the ensemble with their weights
  std::string status = "Completed";          // SageMaker's CandidateStatus
  std::string failure;                       // FailureReason
  std::map<std::string, double> metrics;     // "validation:f1"
  std::map<std::string, double> deviations;  // of those, by bootstrap over the held-out rows
  std::string model_uri;
  std::int64_t created_ms = 0, ended_ms = 0;

  bool is_ensemble() const { return members.size() > 1; }
};

// What candidates are compared by and ensembles are chosen by.
struct BoardRules {
  Problem problem = Problem::Binary;
  ObjectiveMetric objective;
  std::string prepare_job;         // their first step; empty: none, or none yet
  std::string image = "ensemble";  // of their containers

  std::string_view loss_metric() const;  // validation:logloss, mlogloss or rmse; of series the quantile loss
};

// Completed candidates from the best by the objective to the worst, equals by the loss and then their order.
std::vector<std::size_t> rank_candidates(const BoardRules& rules, const std::vector<Candidate>& candidates);
// The winner: the ensemble, unless a candidate is ahead of it by more than its standard error; without one
// the first of the ranking. Nothing when none completed.
std::optional<std::size_t> winner_of(const BoardRules& rules, const std::vector<Candidate>& candidates);

// An AutoMLCandidate. Ours are its Description, and StandardDeviation in each of its CandidateMetrics.
Json candidate_document(const BoardRules& rules, const Candidate& candidate);

std::string leaderboard_page(const AutoMLSpec& spec, const BoardRules& rules,
                             const std::vector<Candidate>& candidates, std::optional<std::size_t> winner);

// The job requests behind a candidate.
struct WinningJobs {
  Json split, prepare;  // null: none
  Json train;
};
// A workflow in Amazon States Language of the same jobs, with names of its own in every execution, and
// createModel at the end. `place`: below which it writes.
Json winning_workflow(const WinningJobs& jobs, const std::string& place, std::string_view comment);

}  // namespace millrace::tasks
