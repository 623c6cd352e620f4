#include <algorithm>
#include <map>
#include <set>

#include "base/check.h"
#include "orchestrator/store/memory_catalog.h"
#include "orchestrator/store/memory_map_runs.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {
namespace {

class MemoryStore final : public Store {
 public:
  Result<std::vector<AppendResult>> commit(std::span<const Append> group) override {
    for (const Append& append : group) {
      MR_CHECK(append.row.events == append.expected + append.events.size(), "a row counts its events");
      if (!catalog_.find(append.row.machine)) {
        return invalid("there is no state machine revision " + std::to_string(append.row.machine.value));
      }
    }
    std::vector<AppendResult> results;
    results.reserve(group.size());
    for (const Append& append : group) results.push_back(apply(append));
    return results;
  }

  Result<std::vector<states::Event>> events(ExecutionId id, std::uint64_t after, std::size_t limit) override {
    const auto found = executions_.find(id);
    if (found == executions_.end()) return unknown(id);
    const Kept& kept = found->second;
    std::vector<states::Event> out;
    for (std::size_t i = 0; i + 1 < kept.ends.size() && out.size() < limit; ++i) {
      if (kept.ends[i + 1] <= after) continue;
      const std::uint64_t from = std::max<std::uint64_t>(after, kept.ends[i]);
      out.insert(out.end(), kept.events.begin() + static_cast<std::ptrdiff_t>(from),
                 kept.events.begin() + static_cast<std::ptrdiff_t>(kept.ends[i + 1]));
    }
    return out;
  }
  Result<ExecutionRow> execution(ExecutionId id) override {
    const auto found = executions_.find(id);
    if (found == executions_.end()) return unknown(id);
    return found->second.row;
  }
  Result<ExecutionRow> execution_named(MachineId machine, const std::string& name) override {
    if (const MachineRow* known = catalog_.find(machine)) {
      const auto found = names_.find({family_key(known->family), name});
      if (found != names_.end()) return executions_.at(found->second).row;
    }
    return fail(ErrorCode::NotFound, "there is no execution named '" + name + "' of this state machine");
  }
  Result<ExecutionRow> find_execution(const std::string& machine_name, const std::string& name) override {
    for (auto it = executions_.rbegin(); it != executions_.rend(); ++it) {
      const ExecutionRow& row = it->second.row;
      if (row.map_run.value == 0 && row.name == name && catalog_.find(row.machine)->name == machine_name)
        return row;
    }
    return fail(ErrorCode::NotFound, "there is no execution '" + machine_name + "/" + name + "'");
  }
  Result<std::vector<ExecutionRow>> executions(const ExecutionFilter& filter, ExecutionId before,
                                               std::size_t limit) override {
    std::vector<ExecutionRow> out;
    auto it = before.value == 0 ? executions_.end() : executions_.lower_bound(before);
    while (it != executions_.begin() && out.size() < limit) {
      --it;
      if (matches(filter, it->second.row)) out.push_back(it->second.row);
    }
    return out;
  }
  Result<std::vector<ExecutionRow>> unfinished(ExecutionId after, std::size_t limit) override {
    std::vector<ExecutionRow> out;
    for (auto it = executions_.upper_bound(after); it != executions_.end() && out.size() < limit; ++it) {
      if (it->second.row.status == states::ExecutionStatus::Running) out.push_back(it->second.row);
    }
    return out;
  }
  Result<std::vector<ExecutionRow>> children(MapRunId run, ExecutionId after, std::size_t limit) override {
    std::vector<ExecutionRow> out;
    const auto found = children_.find(run);
    if (found == children_.end()) return out;
    for (auto it = found->second.upper_bound(after); it != found->second.end() && out.size() < limit; ++it)
      out.push_back(executions_.at(*it).row);
    return out;
  }
  Result<ExecutionRow> child_named(const std::string& name) override {
    for (const auto& [run, ids] : children_) {
      for (const ExecutionId id : ids) {
        if (executions_.at(id).row.name == name) return executions_.at(id).row;
      }
    }
    return fail(ErrorCode::NotFound, "there is no execution named '" + name + "' of a map run");
  }
  MapRunTable& map_runs() override { return map_runs_; }
  Result<ExecutionId> last_execution() override {
    return executions_.empty() ? highest_ : std::max(highest_, executions_.rbegin()->first);
  }
  Status reserve(ExecutionId up_to) override {
    highest_ = std::max(highest_, up_to);
    return {};
  }
  Result<RemovedEnded> remove_ended(const RemoveEnded& request) override {
    MR_TRY(highest, last_execution());
    RemovedEnded removed{0, request.after, false};
    std::size_t looked = 0;
    auto at = executions_.upper_bound(request.after);
    for (; at != executions_.end() && looked < request.limit; ++looked) {
      const ExecutionRow row = at->second.row;
      if (row.started >= request.before) break;
      ++at;
      removed.next = row.id;
      if (row.map_run.value != 0 || row.status == states::ExecutionStatus::Running ||
          *row.stopped >= request.before)
        continue;
      MR_TRY(runs, map_runs_.of(row.id, {}, ~std::size_t{0}));
      if (std::any_of(runs.begin(), runs.end(),
                      [](const MapRunRow& run) { return run.status == MapRunStatus::Running; }))
        continue;
      for (const MapRunRow& run : runs) {
        for (const ExecutionId child : std::exchange(children_[run.id], {})) forget(child);
        children_.erase(run.id);
        map_runs_.remove(run.id);
      }
      at = executions_.upper_bound(row.id);  // its children are gone
      forget(row.id);
      ++removed.executions;
    }
    highest_ = highest;
    removed.done = looked < request.limit;
    return removed;
  }

  Catalog& catalog() override { return catalog_; }

  Result<std::string> fact(const std::string& name) override {
    const auto found = facts_.find(name);
    if (found == facts_.end()) return fail(ErrorCode::NotFound, "the home has no fact '" + name + "'");
    return found->second;
  }
  Status put_fact(const std::string& name, const std::string& value) override {
    facts_[name] = value;
    return {};
  }

 private:
  struct Kept {
    ExecutionRow row;
    std::vector<states::Event> events;
    std::vector<std::uint64_t> ends = {0};  // events after each commit
  };

  void forget(ExecutionId id) {
    std::erase_if(names_, [&](const auto& entry) { return entry.second == id; });
    executions_.erase(id);
  }
  static std::string family_key(MachineId family) { return "machine " + std::to_string(family.value); }
  static tl::unexpected<Error> unknown(ExecutionId id) {
    return fail(ErrorCode::NotFound, "there is no execution " + std::to_string(id.value));
  }
  AppendResult apply(const Append& append) {
    auto found = executions_.find(append.row.id);
    if (append.expected != (found == executions_.end() ? 0 : found->second.row.events))
      return AppendResult::Conflict;
    if (found == executions_.end()) {
      const MapRunId run = append.row.map_run;
      const std::pair key(run.value != 0 ? "map run " + std::to_string(run.value)
                                         : family_key(catalog_.find(append.row.machine)->family),
                          append.row.name);
      if (!names_.emplace(key, append.row.id).second) return AppendResult::NameTaken;
      if (run.value != 0) children_[run].insert(append.row.id);
      found = executions_.emplace(append.row.id, Kept{append.row, {}, {0}}).first;
    }
    Kept& kept = found->second;
    kept.row.status = append.row.status;  // the rest of a row never changes
    kept.row.stopped = append.row.stopped;
    kept.row.due = append.row.due;
    kept.row.tasks_out = append.row.tasks_out;
    kept.row.events = append.row.events;
    kept.row.redrives = append.row.redrives;
    kept.row.redriven = append.row.redriven;
    kept.events.insert(kept.events.end(), append.events.begin(), append.events.end());
    kept.ends.push_back(kept.events.size());
    return AppendResult::Ok;
  }
  bool matches(const ExecutionFilter& filter, const ExecutionRow& row) const {
    if (row.map_run != filter.map_run.value_or(MapRunId{})) return false;
    const MachineRow& machine = *catalog_.find(row.machine);
    return (!filter.machine || *filter.machine == row.machine) &&
           (filter.machine_name.empty() || catalog_.newest_family(filter.machine_name) == machine.family) &&
           (!filter.status || *filter.status == row.status) &&
           row.name.find(filter.name_contains) != std::string::npos &&
           (!filter.family || *filter.family == machine.family) &&
           (filter.version == 0 || filter.version == row.version) &&
           (filter.alias.empty() || filter.alias == row.alias) &&
           (!filter.redriven || *filter.redriven == (row.redrives > 0));
  }

  MemoryCatalog catalog_;
  std::map<ExecutionId, Kept> executions_;
  ExecutionId highest_;                                               // that is never given again
  std::map<std::pair<std::string, std::string>, ExecutionId> names_;  // (state machine or map run, name)
  std::map<std::string, std::string> facts_;
  std::map<MapRunId, std::set<ExecutionId>> children_;
  MemoryMapRuns map_runs_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store() {
  return std::make_unique<MemoryStore>();
}

}  // namespace millrace::orchestrator
