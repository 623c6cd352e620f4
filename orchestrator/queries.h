#pragma once
// Queries: what may be asked about executions: describe, list, pages of histories. Everything is read from
// the store, so an answer shows what is durable. Loop thread only; reads run between commits.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/committer.h"
#include "orchestrator/maps/map_results.h"
#include "states/event.h"

namespace millrace::orchestrator {

struct ExecutionView {
  std::string map_run_arn;  // of a child of a map run
  ExecutionRow row;
  MachineRow machine;  // the revision it runs
  states::ExecutionIdentity identity;
  Payload input;
  std::optional<Payload> output;           // when it succeeded
  std::optional<Failure> failure;          // when it ended otherwise
  states::EventNumber history_events = 0;  // visible ones, of an execution that has ended
};
// Why it can't be redriven, in AWS's words; empty: it can.
std::string_view not_redrivable(const ExecutionView& view, Instant now, const Limits& limits);

struct ExecutionItem {
  ExecutionRow row;
  std::string machine_arn, machine_name;
  std::string map_run_arn;  // of a child of a map run
};
struct ExecutionPage {
  std::vector<ExecutionItem> items;
  ExecutionId next;  // ask again with `before` = this; 0: that was all
};

struct ListRequest {
  std::string arn;      // of a state machine, a version or an alias
  std::string map_run;  // or of a map run: its children
  std::optional<states::ExecutionStatus> status;
  std::optional<bool> redriven;  // whether they ever were
  ExecutionId before;            // of the page before: `next`
  std::size_t limit = 100;
};

struct MapRunPage {
  std::vector<MapRunRow> runs;
  MapRunId next;  // ask again with `before` = this; 0: that was all
};

struct HistoryRequest {
  std::string arn;
  bool reverse = false;  // newest first
  std::size_t limit = 100;
  std::uint64_t position = 0;  // of the page before: `next`; 0: from the beginning (or the end)
};
struct HistoryPage {
  std::vector<states::Event> events;  // visible ones
  std::uint64_t next = 0;             // 0: that was all
};

class Queries {
 public:
  template <class T>
  using Reply = std::function<void(Result<T>)>;

  explicit Queries(Committer& committer) : committer_(committer) {}

  // NotFound, "Execution Does Not Exist: '<arn>'"; InvalidArgument for what is no execution's ARN.
  void find(const std::string& arn, Reply<ExecutionRow> reply);
  void describe(const std::string& arn, Reply<ExecutionView> reply);
  void history(const HistoryRequest& request, Reply<HistoryPage> reply);
  // Newest first; children of an EXPRESS map run, once they have ended, in the order of their items.
  // NotFound, "State Machine Does Not Exist: '<arn>'"; InvalidArgument when it is EXPRESS.
  void list(const ListRequest& request, Reply<ExecutionPage> reply);
  // Anything else, asked of the store as it is between commits.
  template <class T>
  void ask(std::function<Result<T>(Store&)> question, Reply<T> reply) {
    ask_store<T>(committer_, std::move(question), std::move(reply));
  }
  // Map runs of an execution, newest first. What is counted of one that runs, MapRuns::describe() tells.
  void map_runs(const std::string& execution_arn, MapRunId before, std::size_t limit,
                Reply<MapRunPage> reply);

 private:
  Committer& committer_;
};

}  // namespace millrace::orchestrator
