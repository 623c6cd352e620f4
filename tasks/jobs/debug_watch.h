#pragma once
// DebugWatch: the Debugger rules of one training job while it runs (debug_rules.h), its record's
// DebugRuleEvaluationStatuses, lines of its log, and the end of the job where a rule asks for it; tensors
// that are to be saved (debug_output.h); the report of CreateXgboostReport, at
// <S3OutputPath>/<TrainingJobName>/rule-output/<RuleConfigurationName>/xgboost_report.html. A change of a
// rule's status is a change of the job that the event bus is told of. Built-in algorithms end with the model
// so far, programs, and fits that have none yet, by a stop of the job. Any thread; the time between reports
// is watched by one of its own.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tasks/jobs/debug_output.h"
#include "tasks/jobs/job_context.h"
#include "tasks/training/debug_rules.h"
#include "tasks/training/train.h"

namespace millrace::tasks {

class DebugWatch {
 public:
  // `task`: what a built-in algorithm learns; empty of a program.
  DebugWatch(DebugRules rules, DebugOutput output, std::string task, const Json& request,
             JobContext& context);
  ~DebugWatch();
  DebugWatch(const DebugWatch&) = delete;
  DebugWatch& operator=(const DebugWatch&) = delete;

  // The hooks of the job, with those it has already. They live as long as this.
  TrainHooks hooks(const TrainHooks& outer);
  // A rule wants the job to end.
  bool stops() const;
  // The job has ended: what was not met had no issues, or was stopped with the job.
  void end(bool completed);

 private:
  void begin();
  void met(const std::vector<std::size_t>& rules, const std::string& when);
  void write(const std::string& of_the_others);
  void watch_time();
  void save_tensors(std::int64_t step, std::span<const Tensor> tensors);
  void write_reports(const Model& model, const Dataset* train, const Dataset* validation);

  JobContext& context_;
  const std::string task_;
  const Json& request_;
  const DebugOutput output_;
  bool output_failed_ = false;       // the fit's thread
  std::vector<MetricPoint> course_;  // for reports; the fit's thread
  mutable std::mutex mutex_;         // over what follows
  std::condition_variable ended_;
  DebugRules rules_;
  std::vector<std::int64_t> changed_ms_;  // by rule
  Millis last_report_;
  bool stop_ = false, over_ = false;
  std::optional<std::jthread> clock_;
};

}  // namespace millrace::tasks
