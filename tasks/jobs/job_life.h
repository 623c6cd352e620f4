#pragma once
// The life of a job: a record that begins InProgress and ends Completed, Failed or Stopped; one record per
// name however often the attempt is dispatched; one thread that works on it; what it left unfinished is
// worked on again after a restart. What the work is belongs to the JobKind. Worker threads.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/failure.h"
#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/entities.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

class JobContext;

struct JobKind {
  const EntityKind& entity;
  // What can be said about a request before anything is done: InvalidArgument.
  Status (*check)(const Json& request, TaskContext& context);
  // Does the work and returns the fields that Describe… shows of it (ModelArtifacts, FinalMetricDataList, …);
  // what is below kNotes joins our notes. Errors: Cancelled when told to stop, else the message becomes the
  // FailureReason.
  std::function<Result<Json>(const Json& request, JobContext& context)> work;
  // What an equal job's record that the step cache found means for this one: notes to add. Nothing: it can't
  // stand for this job. Asked with `take` false first, with true when it is taken; empty: any can.
  std::function<std::optional<Json>(const Json& source, bool take)> reuse = {};
};

// Among the fields that work returned, true: it was ended before its time, with what it had so far; status
// Stopped.
inline constexpr const char* kStoppedEarly = "StoppedEarly";

// createTrainingJob and the like. With `sync` the outcome is the Describe… document of the finished job, or
// States.TaskFailed with that document as the cause; without, {"…Arn"} at once. Under a taken name: an equal
// request attaches to that job (one that failed in another attempt is tried again), a different one is
// ResourceInUse.
Outcome create_job(const JobKind& kind, TaskCall& call);

// Works on the job of that name until it has ended, in this thread or by waiting for the one that has it
// already. The Describe… document, whatever the status. Cancelled when told to stop while waiting.
Result<Json> finish_job(const JobKind& kind, std::string_view name, TaskCall& call);

// The record of a job that has just been created. AlreadyExists for a name taken by another request.
Result<Json> ensure_job(const JobKind& kind, const Json& request, const TaskCall& call);

// stopTrainingJob and the like: the job is told to stop; one that nobody runs becomes Stopped.
Outcome stop_job(const JobKind& kind, TaskCall& call);

}  // namespace millrace::tasks
