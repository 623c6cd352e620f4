#include "orchestrator/store/memory_map_runs.h"

namespace millrace::orchestrator {

std::string_view name_of(MapRunStatus status) {
  switch (status) {
    case MapRunStatus::Running:
      return "RUNNING";
    case MapRunStatus::Succeeded:
      return "SUCCEEDED";
    case MapRunStatus::Failed:
      return "FAILED";
    case MapRunStatus::Aborted:
      return "ABORTED";
  }
  return "RUNNING";
}

Result<MapRunRow> MemoryMapRuns::put(MapRunRow run) {
  if (run.id.value == 0) run.id = MapRunId{runs_.empty() ? 1 : runs_.rbegin()->first.value + 1};
  runs_[run.id] = run;
  return run;
}

Result<MapRunRow> MemoryMapRuns::get(MapRunId id) {
  const auto found = runs_.find(id);
  if (found == runs_.end())
    return fail(ErrorCode::NotFound, "there is no map run " + std::to_string(id.value));
  return found->second;
}

Result<MapRunRow> MemoryMapRuns::find(const std::string& arn) {
  for (const auto& [id, run] : runs_) {
    if (run.arn == arn) return run;
  }
  return fail(ErrorCode::NotFound, "Resource not found: '" + arn + "'");
}

Result<std::vector<MapRunRow>> MemoryMapRuns::of(ExecutionId execution, MapRunId before, std::size_t limit) {
  std::vector<MapRunRow> out;
  for (auto it = runs_.rbegin(); it != runs_.rend() && out.size() < limit; ++it) {
    if (it->second.execution == execution && (before.value == 0 || it->first < before))
      out.push_back(it->second);
  }
  return out;
}

Result<std::vector<MapRunRow>> MemoryMapRuns::running() {
  std::vector<MapRunRow> out;
  for (const auto& [id, run] : runs_) {
    if (run.status == MapRunStatus::Running) out.push_back(run);
  }
  return out;
}

Status MemoryMapRuns::add_results(MapRunId run, std::span<const MapResultRow> results) {
  for (const MapResultRow& result : results) results_[run][result.index] = result;
  return {};
}

Result<std::vector<MapResultRow>> MemoryMapRuns::results(MapRunId run, std::uint32_t first, std::size_t limit,
                                                         bool documents) {
  std::vector<MapResultRow> out;
  const auto& of_run = results_[run];
  for (auto it = of_run.lower_bound(first); it != of_run.end() && out.size() < limit; ++it) {
    out.push_back(it->second);
    if (documents) continue;
    out.back().input.reset();
    out.back().output.reset();
    out.back().failure.reset();
  }
  return out;
}

}  // namespace millrace::orchestrator
