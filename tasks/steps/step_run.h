#pragma once
// StepRun: one job's work with what belongs around it: its inputs are hashed, the step cache is asked, what
// the work used is measured, its outputs are hashed. Nothing of it can make a job fail that would succeed
// without it. One worker thread.

#include <functional>
#include <optional>
#include <string>

#include "base/cpu_meter.h"
#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/job_life.h"
#include "tasks/steps/step_record.h"

namespace millrace::tasks {

class StepRun {
 public:
  // `record`: as it is when the work begins; all are borrowed. `first_run`: no other was interrupted before.
  StepRun(const JobKind& kind, const std::string& name, const Json& request, const Json& record,
          bool first_run, JobContext& context);

  // The result of the work, or of an equal job's that the cache found.
  Result<Json> run(const std::function<Result<Json>()>& work);
  // What the record keeps of the step. Outputs are kept of a job that completed.
  Json notes(bool completed) const;
  // "Cached: …" for a result that was taken over; else empty.
  std::string cached_words() const;

 private:
  StepTools tools() const;
  void guarded(const std::function<void()>& part);
  void describe();
  Result<std::optional<Json>> reuse();
  void describe_results(const Json& fields);
  Json usage() const;

  const JobKind& kind_;
  const std::string& name_;
  const Json& request_;
  JobContext& context_;
  StepBegin begin_;  // the job, not this run of it
  std::optional<StepPlan> plan_;
  Json step_;           // null: what the request names can't be hashed
  Json cache_;          // Policy, Result, Why, Source
  Json results_;        // Outputs, Fields
  std::string source_;  // name of the job whose result was taken over
  CpuMeter meter_;
  Millis began_{0}, ended_{0};
};

}  // namespace millrace::tasks
