#include "tasks/look_up.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tasks/catalog.h"
#include "tasks/runner_context.h"

namespace millrace::tasks {

Result<Outcome> look_up(const std::string& home, std::string_view operation, const Payload& arguments,
                        const Clock& clock) {
  constexpr std::string_view kReading[] = {"describe", "list", "query", "search", "compare"};
  const TaskKind* kind = find_operation("sagemaker", operation);
  const bool reads = std::any_of(std::begin(kReading), std::end(kReading),
                                 [&](std::string_view word) { return operation.starts_with(word); });
  if (!kind || !kind->run || !reads)
    return invalid(std::string(operation) + " is no operation that only looks at a home");
  const std::filesystem::path path(home);
  std::error_code error;
  if (!std::filesystem::exists(path / "tasks.db", error))
    return fail(ErrorCode::NotFound, "there are no jobs or models in " + home,
                "run a workflow first, or name the home with --home");
  MR_TRY(jobs, Jobs::open((path / "tasks.db").string()));
  ObjectStore objects(path / "objects");
  const std::atomic<bool> suspended{false};
  RunnerContext context({objects, *jobs, clock, 1, Millis(1000), suspended, nullptr, nullptr}, "look up", {});
  const Json asked = to_json(arguments.view());
  TaskCall call{asked, context};
  return kind->run(call);
}

}  // namespace millrace::tasks
