#pragma once
// A/B test of an endpoint's variants: their outcomes (outcomes.h) compared pair by pair by a test that may be
// read at any time (sequential.h). The chance that any pair is called different though it is not is at most
// 1 - Confidence over the whole life of the test (Bonferroni over the pairs). Worker thread.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/deployment/outcomes.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

struct AbSettings {
  double confidence = 0.95;
  bool missing_is_zero =
      false;  // a request without an outcome counts as 0: of conversions, which alone are reported
  bool lower_is_better = false;
  double margin = 0;    // differences below it don't matter; 0: all do
  std::string control;  // the variant the others are compared with; empty: the first

  // Confidence, MissingOutcomes (Ignore | Zero), Better (Higher | Lower), Margin, Control. InvalidArgument.
  static Result<AbSettings> read(const Json& arguments);
};

struct AbVariant {
  std::string name;
  std::uint64_t requests = 0;
  ArmOutcomes outcomes;
  ArmDifference difference = {};  // to the control; of the control itself nothing
  std::string verdict = {};       // "Control", "Better", "Worse", "Equal", "Undecided"
};

struct AbResult {
  std::string endpoint, control;
  std::vector<AbVariant> variants;  // the control first
  std::string verdict;              // "Winner", "Equal", "Undecided"
  std::string winner;               // the variant that is better than each other; empty: none
  double confidence = 0;
};

// Pure. `variants`: names, requests and outcomes; at least two. InvalidArgument: no such control, or fewer.
Result<AbResult> compare_variants(std::vector<AbVariant> variants, const AbSettings& settings);
// Of the variants that an endpoint has now, since its last update.
Result<AbResult> ab_test(const Jobs& jobs, OutcomeStore& outcomes, const std::string& endpoint,
                         const AbSettings& settings);
Json to_json(const AbResult& result);

// arn:aws:states:::millrace:compareVariants and :putOutcomes
Outcome compare_variants_task(TaskCall& call);
Outcome put_outcomes_task(TaskCall& call);
// {"Accepted": 3, "Unknown": 1, "UnknownInferenceIds": […]}; of the ids at most a hundred.
Json to_json(const OutcomeStore::Taken& taken);

}  // namespace millrace::tasks
