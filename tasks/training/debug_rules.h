#pragma once
// DebugRuleConfigurations of a training job: Debugger's built-in rules, as far as they can be told from what
// trainers report: metrics of every round, the training data, the trees that came out, tensors (of algorithms
// that show some, tensors.h), and the time between reports. Pure: the caller says what happens and asks what
// was found. One thread at a time.
//
// Taken from a configuration: RuleConfigurationName, RuleParameters: rule_to_invoke (else the name says which
// rule it is), the rule's own numbers, and action_json or stop_training_on_fire, which end the job.
// Thresholds have Debugger's defaults. A loss is a metric of which less is better; steps of metrics are
// rounds, those of tensors the fit's own.
//
// Source: SageMaker developer guide, "List of Debugger built-in rules".

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "tasks/training/estimator.h"
#include "tasks/training/tensors.h"

namespace millrace::tasks {

struct DebugRuleKind;  // a row of the table in debug_rules.cpp

// One rule of a job and what it has seen.
struct DebugRule {
  const DebugRuleKind* kind = nullptr;
  std::string name;                          // RuleConfigurationName
  std::map<std::string, double> parameters;  // all of the kind's
  bool stops = false;                        // ends the job when its condition is met
  std::string issue;                         // what was found; empty: nothing yet

  std::string metric;                    // the loss that is watched
  std::map<std::string, double> losses;  // what is remembered, by name
  std::int64_t steps = 0, streak = 0;

  // Which tensors: those of a collection, and those whose name fits a pattern.
  std::vector<std::string> collections;
  std::vector<NamePattern> patterns;
  std::map<std::string, std::vector<float>> remembered;  // of the step before, by name
  std::int64_t remembered_step = 0;
  std::string other_trial;  // of SimilarAcrossRuns: the job to compare with
  std::function<std::string(const Tensor&, std::int64_t step)> other_sha256;  // see look_up_others
};

class DebugRules {
 public:
  // `algorithm`: the built-in one, empty of a program. InvalidArgument names the field.
  static Result<DebugRules> parse(const Json& request, std::string_view algorithm);

  const std::vector<DebugRule>& rules() const { return rules_; }
  bool watches_time() const;
  // Rules look at the first steps, at those that begin an epoch, and at the fit's last one.
  bool wants_tensors(std::int64_t step, bool begins_round) const;
  // Names of the rules that write a report of the model.
  std::vector<std::string> reports() const;
  // A rule that was met before, by a run that was interrupted.
  void take_issue(std::size_t rule, std::string issue) { rules_[rule].issue = std::move(issue); }

  // The SHA-256 that another job saved of a tensor in a step; empty: none. For SimilarAcrossRuns.
  using OtherTensor =
      std::function<std::string(const std::string& job, const Tensor& tensor, std::int64_t step)>;
  void look_up_others(OtherTensor look_up);

  // What happens. Each returns the rules (their places) whose condition is met now for the first time.
  std::vector<std::size_t> on_metric(const MetricPoint& point);
  std::vector<std::size_t> on_data(const Dataset& train, std::string_view task);
  std::vector<std::size_t> on_tensors(std::int64_t step, std::span<const Tensor> tensors);
  std::vector<std::size_t> on_model(const Model& model);
  std::vector<std::size_t> on_silence(Millis since_last_report);

 private:
  template <class Look>
  std::vector<std::size_t> look(Look&& look_with);
  std::vector<DebugRule> rules_;
};

}  // namespace millrace::tasks
