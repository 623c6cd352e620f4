#pragma once
// The catalog's rows of services beside the job library: data, messages, functions, objects, metrics.

#include <span>

#include "tasks/task_kind.h"

namespace millrace::tasks {

std::span<const TaskKind> service_kinds();

}  // namespace millrace::tasks
