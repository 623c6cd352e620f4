#pragma once
// MapRuns: the runs of Distributed Maps that are under way. A run reads its items, selects and groups them,
// keeps as many children running as its concurrency allows, counts how they end, and hands its outcome to the
// execution that waits for it. Loop thread only.
//
// What survives a crash: the run's row; of STANDARD children their executions, which carry the run and their
// number of items and are made in the order of the items, so that the next item to read is the sum of them;
// of EXPRESS children their results, saved in groups, so that those without one run again. Nothing is counted
// that is not durable.

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "orchestrator/driver.h"
#include "orchestrator/maps/background.h"
#include "orchestrator/maps/item_reader.h"
#include "orchestrator/maps/map_results.h"
#include "states/distributed_map.h"

namespace millrace::orchestrator {

struct MapRunUpdate {
  std::optional<std::int64_t> concurrency, tolerated_count;
  std::optional<double> tolerated_percentage;
};

class MapRuns final : public MapRunPort {
 public:
  template <class T>
  using Reply = std::function<void(Result<T>)>;

  // Everything is borrowed. `objects` may be null: then a run that reads or writes objects fails.
  MapRuns(Loop& loop, Committer& committer, Driver& driver, Machines& machines,
          const EngineSettings& settings, ObjectSource* objects, Background& background,
          std::function<ExecutionId()> new_id);
  ~MapRuns() override;

  void start(ExecutionId parent, states::effect::StartMapRun run) override;
  void stop(const TaskKey& key) override;
  void taken_up(ExecutionId parent) override;
  void child_ended(MapRunId run, const Ended& ended) override;

  // Finds the runs that were under way: call it before executions are taken up. Those whose execution has
  // ended meanwhile are aborted.
  void recover(Reply<void> reply);
  // The row, with the counts of now. NotFound.
  void describe(const std::string& arn, Reply<MapRunRow> reply);
  // While the run is RUNNING. NotFound, InvalidArgument.
  void update(const std::string& arn, MapRunUpdate update, Reply<void> reply);

 private:
  struct Run;
  using RunPtr = std::shared_ptr<Run>;
  struct Opened;
  struct Reading;

  void open(RunPtr run);
  void on_opened(const RunPtr& run, const std::shared_ptr<Opened>& opened);
  void reopen_later(const RunPtr& run);
  bool prepare_reader(Run& run);
  void pump(const RunPtr& run);
  void step(const RunPtr& run);
  bool select(Run& run);
  void read_more(const RunPtr& run);
  void start_child(const RunPtr& run, states::Batcher::Batch batch);
  void redrive_child(Run& run);
  void count_end(const RunPtr& run, const Ended& ended);
  void keep_output(Run& run, std::uint32_t index, const Ended& ended);
  void save_results(const RunPtr& run);
  void check_tolerance(const RunPtr& run);
  void fail_run(const RunPtr& run, Failure failure);
  void abort_children(Run& run);
  void fill_counts(const Run& run, MapRunRow& row) const;
  // Its end (map_run_end.cpp).
  void close(const RunPtr& run);
  void collect(const RunPtr& run, std::uint64_t after);
  void take_page(const RunPtr& run, const std::shared_ptr<Result<ResultPage>>& page);
  void export_pending(const RunPtr& run);
  void finish_files(const RunPtr& run);
  void conclude(const RunPtr& run, Outcome outcome);

  Loop& loop_;
  Committer& committer_;
  Driver& driver_;
  Machines& machines_;
  const EngineSettings& settings_;
  ObjectSource* objects_;
  Background& background_;
  std::function<ExecutionId()> new_id_;
  Random random_;
  std::map<TaskKey, RunPtr> runs_;
  std::map<MapRunId, RunPtr> by_id_;  // opened ones
  std::size_t opening_ = 0;
  std::map<MapRunId, std::vector<Ended>> early_;             // ends of children of runs that are being opened
  std::map<ExecutionId, std::vector<MapRunRow>> unclaimed_;  // found by recover(), not asked for again yet
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::orchestrator
