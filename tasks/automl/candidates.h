#pragma once
// The candidates of an AutoML job: first a list that is known to do well together, then what a search
// suggests from the results so far. Pure.
//
// The search is a TPE over one space with conditions: the algorithm, and what it has to choose. A candidate
// is a training job of the image `ensemble` with one member, so that every one has its folds, its gaps and
// its codes in the same way.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tasks/automl/analysis.h"
#include "tasks/training/ensemble/ensemble.h"

namespace millrace::tasks {

// What the choice of candidates depends on.
struct CandidateSetting {
  Problem problem = Problem::Binary;
  std::size_t rows = 0, features = 0, classes = 2;
  std::vector<std::string> algorithms;  // as AutoMLSpec has them; empty: all
  std::uint64_t seed = 0;
};

// In the order in which they are worth their time.
std::vector<EnsembleMember> first_candidates(const CandidateSetting& setting);

// What became of a candidate: its loss by the metric that ensembles are chosen by; nothing when it failed.
struct CandidateResult {
  EnsembleMember member;
  std::optional<double> loss;
};
// The candidate of this number (from 0) behind those, all of which it may know. The same arguments give the
// same candidate.
EnsembleMember suggested_candidate(const CandidateSetting& setting, std::span<const CandidateResult> known,
                                   std::size_t number);

// "xgboost eta 0.1, max_depth 6"
std::string describe_member(const EnsembleMember& member);

}  // namespace millrace::tasks
