#include "orchestrator/maps/map_runs.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "orchestrator/maps/map_run.h"

namespace millrace::orchestrator {
namespace {

using states::ExecutionStatus;

constexpr std::size_t kReadItems = 1000;                  // in one go, and at most
constexpr std::size_t kReadBytes = std::size_t{1} << 20;  // about so many bytes
constexpr std::size_t kReadyMax = 1000;                   // children whose input is made ahead
constexpr std::size_t kUnsavedMax = 10'000;               // results that wait for the disk
constexpr std::size_t kPage = 10'000;                     // children read back at a time

Failure no_words() {
  Failure failure;
  failure.has_error = failure.has_cause = false;
  return failure;
}

std::int64_t MapRunCounts::*counter_of(ExecutionStatus status) {
  switch (status) {
    case ExecutionStatus::Running:
      return &MapRunCounts::running;
    case ExecutionStatus::Succeeded:
      return &MapRunCounts::succeeded;
    case ExecutionStatus::Failed:
      return &MapRunCounts::failed;
    case ExecutionStatus::TimedOut:
      return &MapRunCounts::timed_out;
    case ExecutionStatus::Aborted:
      return &MapRunCounts::aborted;
  }
  return &MapRunCounts::failed;
}

}  // namespace

// What the store knew when the run was opened.
struct MapRuns::Opened {
  Result<MapRunRow> row = fail(ErrorCode::Internal, "not read");
  MapRunCounts children, items;
  std::uint64_t items_started = 0;
  std::uint32_t children_made = 0;
  std::vector<std::pair<ExecutionId, Run::Child>> running;
  std::vector<std::pair<ExecutionId, Run::Child>> to_redrive;
  std::vector<bool> saved;
  bool fresh = false;
};

MapRuns::MapRuns(Loop& loop, Committer& committer, Driver& driver, Machines& machines,
                 const EngineSettings& settings, ObjectSource* objects, Background& background,
                 std::function<ExecutionId()> new_id)
    : loop_(loop),
      committer_(committer),
      driver_(driver),
      machines_(machines),
      settings_(settings),
      objects_(objects),
      background_(background),
      new_id_(std::move(new_id)),
      random_(mix(settings.seed, hash64("map runs"))) {
  driver_.map_runs(this);
}
MapRuns::~MapRuns() {
  *alive_ = false;
  driver_.map_runs(nullptr);
}

void MapRuns::start(ExecutionId parent, states::effect::StartMapRun effect) {
  const TaskKey key{parent, effect.task.frame, effect.task.visit, effect.task.attempt};
  if (const auto known = runs_.find(key); known != runs_.end()) return pump(RunPtr(known->second));
  const auto lent = driver_.lend(parent);
  if (!lent) return;  // it is being read back, and says so again then
  auto run = std::make_shared<Run>();
  run->key = key;
  run->map = effect.map;
  run->plan = states::MapRunPlan::of(effect.plan);
  run->items = std::move(effect.items);
  run->redrives = effect.redrives;
  run->whole = lent->machine;
  auto machine = machines_.processor(lent->machine, effect.state_name);
  MR_CHECK(machine, "a run of a Map that its definition does not have");
  run->machine = *machine;
  MapRunRow& row = run->row;
  row.arn = std::move(effect.arn);
  row.execution_arn = lent->execution.identity.arn;
  row.execution = parent;
  row.frame = key.frame;
  row.visit = key.visit;
  row.attempt = key.attempt;
  row.machine = lent->machine->row.id;
  row.state = std::move(effect.state_name);
  row.express = effect.map->express;
  row.started = loop_.clock().now();
  row.concurrency = run->plan.concurrency;
  row.tolerated_count = run->plan.tolerated_count;
  row.tolerated_percentage = run->plan.tolerated_percentage;
  runs_.emplace(key, run);
  open(std::move(run));
}

void MapRuns::stop(const TaskKey& key) {
  const auto found = runs_.find(key);
  if (found == runs_.end()) return;
  const RunPtr run = found->second;
  run->stopped = true;
  if (!run->opened || run->closing) return;
  abort_children(*run);
  pump(run);
}

void MapRuns::taken_up(ExecutionId parent) {
  auto rows = unclaimed_.extract(parent);
  if (!rows) return;
  for (MapRunRow& row : rows.mapped()) {
    const TaskKey key{row.execution, row.frame, row.visit, row.attempt};
    if (runs_.contains(key)) continue;
    auto run = std::make_shared<Run>();
    run->key = key;
    run->row = std::move(row);
    run->stopped = true;
    runs_.emplace(key, run);
    open(std::move(run));
  }
}

void MapRuns::recover(Reply<void> reply) {
  struct Found {
    Result<std::vector<MapRunRow>> rows = fail(ErrorCode::Internal, "not read");
    std::vector<bool> waited_for;
  };
  auto found = std::make_shared<Found>();
  committer_.run(
      [found](Store& store) {
        found->rows = store.map_runs().running();
        if (!found->rows) return;
        for (const MapRunRow& row : *found->rows) {
          const auto parent = store.execution(row.execution);
          found->waited_for.push_back(parent && parent->status == ExecutionStatus::Running);
        }
      },
      [this, alive = alive_, found, reply = std::move(reply)] {
        if (!*alive) return;
        if (!found->rows) return reply(fail(found->rows.error()));
        std::vector<ExecutionId> orphans;
        for (std::size_t i = 0; i < found->rows->size(); ++i) {
          MapRunRow& row = (*found->rows)[i];
          if (!found->waited_for[i]) orphans.push_back(row.execution);
          unclaimed_[row.execution].push_back(std::move(row));
        }
        for (const ExecutionId parent : orphans) taken_up(parent);
        reply(Status());
      });
}

// ---- beginning, or going on after a restart

namespace {

Status tally_executions(Store& store, const MapRunRow& row, const auto& each) {
  for (ExecutionId after{};;) {
    MR_TRY(page, store.children(row.id, after, kPage));
    for (const ExecutionRow& child : page) each(child);
    if (page.size() < kPage) return {};
    after = page.back().id;
  }
}

Status tally_results(Store& store, const MapRunRow& row, const auto& each) {
  for (std::uint32_t first = 0;;) {
    MR_TRY(page, store.map_runs().results(row.id, first, kPage, false));
    for (const MapResultRow& child : page) each(child);
    if (page.size() < kPage) return {};
    first = page.back().index + 1;
  }
}

// The row of a run that had ended and goes on.
void redrive(MapRunRow& row, std::uint32_t redrives, Instant now) {
  row.status = MapRunStatus::Running;
  row.redrives = redrives;
  row.redriven = now;
  row.stopped.reset();
  row.output.reset();
  row.failure.reset();
}

}  // namespace

void MapRuns::open(RunPtr run) {
  ++opening_;
  auto opened = std::make_shared<Opened>();
  committer_.run(
      [opened, row = run->row, redrives = run->redrives, now = loop_.clock().now()](Store& store) {
        opened->row = store.map_runs().find(row.arn);
        if (!opened->row && opened->row.error().code == ErrorCode::NotFound) {
          opened->fresh = true;
          opened->row = store.map_runs().put(row);
        }
        if (opened->row && redrives > opened->row->redrives) redrive(*opened->row, redrives, now);
        if (opened->fresh || !opened->row || opened->row->status != MapRunStatus::Running) return;
        const auto count = [&](ExecutionStatus status, std::uint32_t items) {
          ++(opened->children.*counter_of(status));
          opened->items.*counter_of(status) += items;
        };
        Status read;
        if (opened->row->express) {
          read = tally_results(store, *opened->row, [&](const MapResultRow& child) {
            if (Run::runs_again(*opened->row, child.status, child.stopped)) return;
            count(child.status, child.items);
            if (opened->saved.size() <= child.index) opened->saved.resize(child.index + 1);
            opened->saved[child.index] = true;
          });
        } else {
          read = tally_executions(store, *opened->row, [&](const ExecutionRow& child) {
            const std::uint32_t index = opened->children_made++;
            opened->items_started += child.map_items;
            Run::Child known{index, child.map_items, child.name, child.started, {}};
            if (child.status == ExecutionStatus::Running) {
              opened->running.emplace_back(child.id, std::move(known));
            } else if (Run::runs_again(*opened->row, child.status, child.stopped)) {
              opened->to_redrive.emplace_back(child.id, std::move(known));
            } else {
              count(child.status, child.map_items);
            }
          });
        }
        if (read && redrives > 0) opened->row = store.map_runs().put(std::move(*opened->row));
        if (!read) opened->row = fail(read.error());
      },
      [this, alive = alive_, run, opened] {
        if (*alive) on_opened(run, opened);
      });
}

void MapRuns::on_opened(const RunPtr& run, const std::shared_ptr<Opened>& opened) {
  --opening_;
  std::map<MapRunId, std::vector<Ended>> early;
  if (opening_ == 0) early.swap(early_);
  if (!opened->row) {
    log::error("a map run can't be opened", {{"run", run->row.arn}, {"error", opened->row.error().message}});
    return reopen_later(run);
  }
  run->row = *opened->row;
  by_id_[run->row.id] = run;
  run->opened = true;
  if (run->row.status != MapRunStatus::Running) {  // it has ended; only that was not heard
    run->closing = true;
    Outcome outcome = run->row.output.value_or(Payload());
    if (run->row.failure) outcome = tl::unexpected<Failure>(*run->row.failure);
    return conclude(run, std::move(outcome));
  }
  run->row.children = opened->children;
  run->row.items = opened->items;
  run->skip_items = opened->items_started;
  run->next_child = opened->children_made;
  run->saved = std::move(opened->saved);
  if (!opened->fresh) run->outputs_kept = false;
  for (const auto& [id, child] : opened->to_redrive) run->to_redrive_items += child.items;
  run->to_redrive = std::deque(std::make_move_iterator(opened->to_redrive.begin()),
                               std::make_move_iterator(opened->to_redrive.end()));
  for (auto& [id, child] : opened->running) {
    run->running_items += child.items;
    run->running.emplace(id, std::move(child));
  }
  auto mine = opening_ == 0 ? std::move(early[run->row.id]) : std::exchange(early_[run->row.id], {});
  for (const Ended& ended : mine) count_end(run, ended);
  if (run->stopped) {
    abort_children(*run);
  } else if (!prepare_reader(*run)) {
    return fail_run(run,
                    {std::string(error_names::kItemReaderFailed), "There is no object store to read from."});
  } else if (run->plan.max_items.value_or(0) < 0) {
    return fail_run(run, {std::string(error_names::kItemReaderFailed), "field MaxItems must be positive"});
  }
  check_tolerance(run);
  pump(run);
}

// The store failed: what is durable is looked at again.
void MapRuns::reopen_later(const RunPtr& run) {
  loop_.at(loop_.clock().now() + kRetryAfterStoreError, [this, alive = alive_, run] {
    if (*alive && runs_.contains(run->key)) open(run);
  });
}

bool MapRuns::prepare_reader(Run& run) {
  run.batcher.emplace(run.plan, settings_.limits.payload_bytes_max);
  if (!run.map->reader) {
    run.source = states::kItemsOfState;
    run.reader = read_state_items(run.items);
    return true;
  }
  if (!objects_) return false;
  const Payload arguments = run.plan.reader.value_or(Payload::empty_object());
  run.source = source_name(*run.map->reader, arguments);
  run.reader =
      read_objects(*objects_, *run.map->reader, arguments, run.plan.max_items.value_or(0), settings_.limits);
  return true;
}

// ---- running

// What a step leads to may come back here: it is done in the same turn, one after the other.
void MapRuns::pump(const RunPtr& run) {
  run->again = true;
  if (run->pumping) return;
  run->pumping = true;
  while (run->again) {
    run->again = false;
    step(run);
  }
  run->pumping = false;
}

void MapRuns::step(const RunPtr& run) {
  if (!run->opened || run->closing) return;
  const bool over = run->failure || run->stopped;
  if (!over) {
    if (!select(*run)) return;
    const auto most = static_cast<std::int64_t>(settings_.limits.distributed_map_concurrency_max);
    const std::int64_t asked = run->row.concurrency;
    const auto room = static_cast<std::size_t>(asked == 0 ? most : std::min(asked, most));
    while (!run->to_redrive.empty() && run->running.size() < room) redrive_child(*run);
    while (!run->ready.empty() && run->running.size() < room && run->unsaved.size() < kUnsavedMax &&
           !run->failure && !run->stopped) {
      states::Batcher::Batch batch = std::move(run->ready.front());
      run->ready.pop_front();
      run->ready_items -= batch.items;
      start_child(run, std::move(batch));
    }
    if (!run->exhausted && !run->reading && run->read.empty()) read_more(run);
    if (!run->read.empty() && run->ready.size() < kReadyMax / 2) run->again = true;
  }
  save_results(run);
  const bool done =
      run->failure || run->stopped || (run->all_known() && run->ready.empty() && run->to_redrive.empty());
  if (done && run->running.empty() && !run->reading && !run->saving) close(run);
}

// What was read becomes the inputs of children, as far ahead as is kept. False: the run has come to a
// failure, or its execution is not at hand.
bool MapRuns::select(Run& run) {
  if (run.read.empty()) return true;
  const auto lent = driver_.lend(run.key.execution);
  if (!lent) return false;
  while (!run.read.empty() && run.ready.size() < kReadyMax) {
    const Item item = std::move(run.read.front());
    run.read.pop_front();
    const std::uint32_t index = run.next_item++;
    if (index < run.skip_items) continue;
    Environment environment;
    environment.now = run.row.started;  // the same item comes out the same after a restart
    environment.seed = mix(hash64(run.row.arn), index);
    environment.limits = &settings_.limits;
    Outcome selected = states::select_item(*lent->machine->program, lent->execution, run.key.frame,
                                           {index, item.value.view(), item.key, run.source}, environment);
    auto full = selected ? run.batcher->add(std::move(*selected))
                         : tl::expected<std::vector<states::Batcher::Batch>, Failure>(
                               tl::unexpected<Failure>(selected.error()));
    if (!full) {
      fail_run(runs_.at(run.key), full.error());
      return false;
    }
    for (states::Batcher::Batch& batch : *full) {
      run.ready_items += batch.items;
      run.ready.push_back(std::move(batch));
    }
  }
  if (run.all_known()) {
    if (auto rest = run.batcher->rest()) {
      run.ready_items += rest->items;
      run.ready.push_back(std::move(*rest));
    }
  }
  return true;
}

struct MapRuns::Reading {
  std::deque<Item> items;
  std::optional<Failure> failure;
  bool end = false;
};

void MapRuns::read_more(const RunPtr& run) {
  run->reading = true;
  auto reading = std::make_shared<Reading>();
  background_.run(
      [reading, reader = run->reader] {
        std::size_t bytes = 0;
        while (reading->items.size() < kReadItems && bytes < kReadBytes) {
          auto item = reader->next();
          if (!item) {
            reading->failure = item.error();
            return;
          }
          if (!*item) {
            reading->end = true;
            return;
          }
          bytes += (*item)->value.size();
          reading->items.push_back(std::move(**item));
        }
      },
      [this, alive = alive_, run, reading] {
        if (!*alive) return;
        run->reading = false;
        run->read = std::move(reading->items);
        run->exhausted = reading->end || reading->failure;
        if (reading->failure && !run->closing) return fail_run(run, *reading->failure);
        if (run->closing) return export_pending(run);
        if (run->exhausted && run->read.empty()) {  // nothing more will be selected
          if (auto rest = run->batcher->rest()) {
            run->ready_items += rest->items;
            run->ready.push_back(std::move(*rest));
          }
        }
        if (run->all_known()) check_tolerance(run);
        pump(run);
      });
}

void MapRuns::start_child(const RunPtr& run, states::Batcher::Batch batch) {
  const std::uint32_t index = run->next_child++;
  if (index < run->saved.size() && run->saved[index]) return;
  const ExecutionId id = run->row.express ? driver_.new_in_memory_id() : new_id_();
  const Instant now = loop_.clock().now();
  states::stimulus::Started started;
  const ChildNames names = ChildNames::of(run->row.arn);
  started.identity.name = uuid_v7(to_millis(now), random_);
  started.identity.arn = names.execution_prefix + ":" + started.identity.name;
  started.identity.machine_arn = names.machine_arn;
  started.identity.machine_name = run_machine(run->row.arn);
  started.identity.role_arn = run->machine->row.role_arn;
  started.input = batch.input;
  Run::Child child{index, batch.items, started.identity.name, now, {}};
  if (run->row.express) child.input = batch.input;
  run->running_items += batch.items;
  run->running.emplace(id, std::move(child));
  const Origin origin{run->row.id, batch.items, run->row.express};
  driver_.start(
      id, run->machine, std::move(started),
      [this, alive = alive_, run, id](Result<AppendResult> result) {
        if (!*alive || (result && *result == AppendResult::Ok)) return;
        // Not durable, so it does not exist: the run is looked at again from what is.
        if (!run->opened || !run->running.contains(id)) return;
        by_id_.erase(run->row.id);
        const auto known = runs_.find(run->key);
        if (known == runs_.end() || known->second != run) return;
        auto again = std::make_shared<Run>();
        again->key = run->key;
        again->row = run->row;
        again->machine = run->machine;
        again->whole = run->whole;
        again->map = run->map;
        again->plan = run->plan;
        again->items = run->items;
        again->stopped = run->stopped;
        again->redrives = run->redrives;
        run->opened = false;
        known->second = again;
        reopen_later(again);
      },
      origin);
}

// A STANDARD child goes on from where it failed.
void MapRuns::redrive_child(Run& run) {
  auto [id, child] = std::move(run.to_redrive.front());
  run.to_redrive.pop_front();
  run.to_redrive_items -= child.items;
  run.running_items += child.items;
  run.running.emplace(id, std::move(child));
  driver_.deliver(id, states::stimulus::RedriveRequested{});
}

void MapRuns::child_ended(MapRunId id, const Ended& ended) {
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) {
    const RunPtr run = found->second;
    count_end(run, ended);
    pump(run);
  } else if (opening_ > 0) {
    early_[id].push_back(ended);
  }
}

void MapRuns::count_end(const RunPtr& run, const Ended& ended) {
  auto node = run->running.extract(ended.id);
  if (!node) return;  // it had ended when the run was opened
  Run::Child& child = node.mapped();
  run->running_items -= child.items;
  ++(run->row.children.*counter_of(ended.status));
  run->row.items.*counter_of(ended.status) += child.items;
  keep_output(*run, child.index, ended);
  if (run->row.express) {
    MapResultRow row;
    row.index = child.index;
    row.name = std::move(child.name);
    row.status = ended.status;
    row.items = child.items;
    row.started = child.started;
    row.stopped = loop_.clock().now();
    if (run->wants_files() || ended.status != ExecutionStatus::Succeeded) row.input = std::move(child.input);
    row.output = ended.output;
    row.failure = ended.failure;
    run->unsaved.push_back(std::move(row));
  }
  if (ended.status != ExecutionStatus::Succeeded) check_tolerance(run);
}

void MapRuns::keep_output(Run& run, std::uint32_t index, const Ended& ended) {
  if (!run.outputs_kept) return;
  if (ended.output) run.output_bytes += ended.output->size() - std::min<std::size_t>(2, ended.output->size());
  run.too_large = run.output_bytes > settings_.limits.payload_bytes_max;
  if (!ended.output || run.too_large || run.wants_files()) {
    run.outputs_kept = false;
    run.outputs.clear();
    return;
  }
  if (run.outputs.size() <= index) run.outputs.resize(index + 1);
  run.outputs[index] = ended.output;
}

void MapRuns::save_results(const RunPtr& run) {
  if (run->saving || run->unsaved.empty()) return;
  run->saving = true;
  auto results = std::make_shared<std::vector<MapResultRow>>(std::exchange(run->unsaved, {}));
  auto status = std::make_shared<Status>();
  committer_.run([results, status,
                  id = run->row.id](Store& store) { *status = store.map_runs().add_results(id, *results); },
                 [this, alive = alive_, run, results, status] {
                   if (!*alive) return;
                   run->saving = false;
                   if (*status) return pump(run);
                   log::error("results of a map run can't be saved",
                              {{"run", run->row.arn}, {"error", status->error().message}});
                   run->unsaved.insert(run->unsaved.begin(), results->begin(), results->end());
                   run->saving = true;  // until it is tried again
                   loop_.at(loop_.clock().now() + kRetryAfterStoreError, [this, alive = alive_, run] {
                     if (!*alive) return;
                     run->saving = false;
                     pump(run);
                   });
                 });
}

// More failed items than are tolerated fail the run. The percentage is of all items, so it is known when they
// are. Zero of both tolerates none.
void MapRuns::check_tolerance(const RunPtr& run) {
  const std::int64_t failed = run->row.items.failed + run->row.items.timed_out;
  if (failed == 0 || run->failure || run->stopped || run->closing) return;
  const std::int64_t count = run->row.tolerated_count;
  const double percentage = run->row.tolerated_percentage;
  bool exceeded = count > 0 ? failed > count : percentage <= 0;
  const std::int64_t total = run->map && !run->map->reader
                                 ? static_cast<std::int64_t>(run->items.view().size())
                             : run->all_known() ? static_cast<std::int64_t>(run->next_item)
                                                : 0;
  if (percentage > 0 && total > 0)
    exceeded = exceeded || 100.0 * static_cast<double>(failed) > percentage * static_cast<double>(total);
  if (exceeded) {
    fail_run(run, {std::string(error_names::kExceedToleratedFailureThreshold),
                   "The specified tolerated failure threshold was exceeded"});
  }
}

void MapRuns::fail_run(const RunPtr& run, Failure failure) {
  if (run->failure || run->closing) return;
  run->failure = std::move(failure);
  abort_children(*run);
  pump(run);
}

void MapRuns::abort_children(Run& run) {
  std::vector<ExecutionId> ids;
  ids.reserve(run.running.size());
  for (const auto& [id, child] : run.running) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const ExecutionId id : ids) driver_.deliver(id, states::stimulus::StopRequested{no_words()});
}

// ---- what is told of runs

void MapRuns::fill_counts(const Run& run, MapRunRow& row) const {
  if (row.status != MapRunStatus::Running) return;
  row.children.running = static_cast<std::int64_t>(run.running.size());
  row.items.running = run.running_items;
  row.children.pending = static_cast<std::int64_t>(run.ready.size());
  row.items.pending = run.ready_items + static_cast<std::int64_t>(run.read.size());
  row.children.pending_redrive = static_cast<std::int64_t>(run.to_redrive.size());
  row.items.pending_redrive = run.to_redrive_items;
}

void MapRuns::describe(const std::string& arn, Reply<MapRunRow> reply) {
  for (const auto& [id, run] : by_id_) {
    if (run->row.arn != arn) continue;
    MapRunRow row = run->row;
    fill_counts(*run, row);
    return reply(std::move(row));
  }
  auto row = std::make_shared<Result<MapRunRow>>(fail(ErrorCode::Internal, "not read"));
  committer_.run([row, arn](Store& store) { *row = store.map_runs().find(arn); },
                 [row, reply = std::move(reply)] { reply(std::move(*row)); });
}

void MapRuns::update(const std::string& arn, MapRunUpdate update, Reply<void> reply) {
  if (update.concurrency.value_or(0) < 0 || update.tolerated_count.value_or(0) < 0 ||
      update.tolerated_percentage.value_or(0) < 0 || update.tolerated_percentage.value_or(0) > 100) {
    return reply(
        invalid("maxConcurrency and toleratedFailureCount are not negative, toleratedFailurePercentage is "
                "between 0 and 100"));
  }
  RunPtr run;
  for (const auto& [id, candidate] : by_id_) {
    if (candidate->row.arn == arn) run = candidate;
  }
  if (!run || run->closing || run->stopped || run->failure || run->row.status != MapRunStatus::Running) {
    return describe(arn, [reply = std::move(reply)](Result<MapRunRow> row) {
      if (!row) return reply(fail(row.error()));
      reply(
          invalid("Map Run is not running: '" + row->arn + "'", "only a run that is RUNNING can be changed"));
    });
  }
  if (update.concurrency) run->row.concurrency = *update.concurrency;
  if (update.tolerated_count) run->row.tolerated_count = *update.tolerated_count;
  if (update.tolerated_percentage) run->row.tolerated_percentage = *update.tolerated_percentage;
  auto row = std::make_shared<Result<MapRunRow>>(run->row);
  committer_.run([row](Store& store) { *row = store.map_runs().put(std::move(**row)); },
                 [this, alive = alive_, run, row, reply = std::move(reply)] {
                   if (!*alive) return;
                   if (!*row) return reply(fail((*row).error()));
                   reply(Status());
                   check_tolerance(run);
                   pump(run);
                 });
}

}  // namespace millrace::orchestrator
