#pragma once
// Store: where histories live. Synchronous, called by one thread at a time (the store thread); group commit
// sits before it (committer.h), not in it. Implementations: memory, SQLite; every one runs
// tests/contracts/store_contract_test.cpp.

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "orchestrator/store/catalog.h"
#include "orchestrator/store/map_run_table.h"
#include "orchestrator/store/rows.h"

namespace millrace::orchestrator {

// How long the engine waits before it asks a store again that has failed.
inline constexpr Millis kRetryAfterStoreError{1000};

// What one decision adds to one execution.
struct Append {
  ExecutionRow row;                   // as it is afterwards; row.events counts these events too
  std::uint64_t expected = 0;         // events in the history before; 0 creates the execution
  std::vector<states::Event> events;  // in order
};

enum class AppendResult {
  Ok,
  Conflict,   // the history has another length than expected: someone else writes it, or this was already
              // written
  NameTaken,  // an execution of this machine has the name
};

struct ExecutionFilter {
  std::optional<MachineId> machine;  // nothing: of all machines
  std::string machine_name;          // empty: any; all revisions of the newest of that name
  std::optional<states::ExecutionStatus> status;
  std::string name_contains;
  std::optional<MapRunId> map_run = {};  // nothing: those that are no child of a map run
  std::optional<MachineId> family = {};  // of one state machine
  std::uint32_t version = 0;             // started by this version or an alias that led to it; 0: any
  std::string alias = {};                // started by this alias; empty: any
  std::optional<bool> redriven = {};     // whether it ever was
};

// What retention asks for.
struct RemoveEnded {
  Instant before;           // executions that ended before it
  ExecutionId after;        // with an id above this one
  std::size_t limit = 200;  // looked at in one transaction, and removed with their map runs' children
};
struct RemovedEnded {
  std::size_t executions = 0;
  ExecutionId next;   // ask again with `after` = this
  bool done = false;  // there is nothing more to remove
};

class Store {
 public:
  virtual ~Store() = default;

  // One transaction, durable on return. Each append is accepted or refused by itself, so one lost execution
  // does not fail its neighbours. Errors fail the whole group, nothing of it is written: OutOfSpace,
  // DataLoss, Internal.
  virtual Result<std::vector<AppendResult>> commit(std::span<const Append> group) = 0;

  // How long the last commit() took to make its transaction durable, of all its time. For metrics.
  virtual std::chrono::nanoseconds last_sync() const { return {}; }

  // Events after the first `after` ones, in order, at most about `limit` (whole commits are returned).
  // NotFound when there is no such execution; DataLoss when a row can't be read back (checksum, format).
  virtual Result<std::vector<states::Event>> events(ExecutionId id, std::uint64_t after,
                                                    std::size_t limit) = 0;
  virtual Result<ExecutionRow> execution(ExecutionId id) = 0;  // NotFound
  virtual Result<ExecutionRow> execution_named(
      MachineId machine, const std::string& name) = 0;  // NotFound; any revision of the machine
  // The newest execution of that name of a state machine of that name, deleted ones too. NotFound
  virtual Result<ExecutionRow> find_execution(const std::string& machine_name, const std::string& name) = 0;
  // Newest first, those with an id below `before` (0: from the newest).
  virtual Result<std::vector<ExecutionRow>> executions(const ExecutionFilter& filter, ExecutionId before,
                                                       std::size_t limit) = 0;
  // Running ones in order of id, those with an id above `after`.
  virtual Result<std::vector<ExecutionRow>> unfinished(ExecutionId after, std::size_t limit) = 0;
  // Children of a map run, in the order they were started in, those with an id above `after`.
  virtual Result<std::vector<ExecutionRow>> children(MapRunId run, ExecutionId after, std::size_t limit) = 0;
  virtual Result<ExecutionRow> child_named(const std::string& name) = 0;  // NotFound; of any map run
  virtual MapRunTable& map_runs() = 0;
  virtual Result<ExecutionId> last_execution() = 0;  // the highest id ever used; 0 when there is none
  // Removes executions with their histories, map runs and these runs' children, a few at a time; children go
  // with their run, whatever their own age. Names are free again, ids are not. One transaction.
  virtual Result<RemovedEnded> remove_ended(const RemoveEnded& request) = 0;
  // Gives up to `pages` free pages back to the file system. Nothing where the file does not allow it.
  virtual Status vacuum(std::size_t /*pages*/) { return {}; }
  // Ids up to this one are never given to new executions.
  virtual Status reserve(ExecutionId up_to) = 0;

  virtual Catalog& catalog() = 0;
  // The catalog's functions that are asked for everywhere.
  Result<MachineRow> put_machine(MachineRow machine) { return catalog().put_machine(std::move(machine)); }
  Result<MachineRow> machine(MachineId id) { return catalog().machine(id); }
  Result<MachineRow> newest_machine(const std::string& arn) { return catalog().newest_machine(arn); }
  Result<std::vector<MachineRow>> machines() { return catalog().machines({}, ~std::size_t{0}); }

  // Long-lived facts of the home by name: schema version, the token key.
  virtual Result<std::string> fact(const std::string& name) = 0;  // NotFound
  virtual Status put_fact(const std::string& name, const std::string& value) = 0;
};

// In memory, for tests and for runs that need not survive.
std::unique_ptr<Store> make_memory_store();
// HOME/millrace.db. DataLoss for a file that is damaged or not ours, Unavailable when it was written by a
// newer version.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path);
// The same for commands that only read, also while another process has the home open; what would write is
// refused with InvalidArgument. NotFound when there is no file, Unavailable when its version is not this
// one's.
Result<std::unique_ptr<Store>> open_sqlite_store_readonly(const std::string& path);

}  // namespace millrace::orchestrator
