#pragma once
// The catalog: every task kind, one row each (catalog.cpp). A new kind is its file, its row and its test.

#include <optional>
#include <span>
#include <string_view>

#include "tasks/jobs/job_life.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

std::span<const TaskKind> catalog();

// What a Resource asks for: arn:aws:states:::sagemaker:createTrainingJob.sync,
// arn:aws:states:::aws-sdk:sagemaker:…, each perhaps with .waitForTaskToken, which changes nothing here.
struct TaskResource {
  const TaskKind* kind = nullptr;
  bool sync = false;
  bool optimized = false;  // not by aws-sdk:
};
// Nothing when no kind serves it: another service, an operation we don't have, .sync where there is none.
std::optional<TaskResource> find_task(std::string_view resource);
const TaskKind* find_operation(std::string_view service,
                               std::string_view operation);  // "sagemaker", "createModel"; null

// The jobs among them, by the kind of their records ("TrainingJob"); null when unknown.
const JobKind* find_job_kind(std::string_view record_kind);
std::span<const JobKind* const> job_kinds();

}  // namespace millrace::tasks
