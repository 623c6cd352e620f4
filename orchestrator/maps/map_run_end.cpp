// The end of a map run: its results into the state's output or into files, its row, and the news to the
// execution that waits.

#include "base/log.h"
#include "orchestrator/maps/map_run.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kResultPage = 500;

Failure writer_failure(std::string cause) {
  return {std::string(error_names::kResultWriterFailed), std::move(cause), true, true};
}

}  // namespace

void MapRuns::close(const RunPtr& run) {
  run->closing = true;
  if (run->stopped) return conclude(run, Payload());
  if (run->wants_files()) {
    if (!objects_)
      return conclude(run, tl::unexpected<Failure>(writer_failure("There is no object store to write to.")));
    run->files = std::make_shared<ResultFiles>(*objects_, *run->map->writer,
                                               run->plan.writer.value_or(Payload::empty_object()),
                                               run->row.arn, run->row.redrives);
    return collect(run, 0);
  }
  if (run->failure) return conclude(run, tl::unexpected<Failure>(*run->failure));
  Failure too_large{
      std::string(error_names::kDataLimitExceeded),
      "The state/task '" + run->row.state +
          "' returned a result with a size exceeding the maximum number of bytes service limit.",
      true, true};
  const std::size_t most = settings_.limits.payload_bytes_max;
  if (run->too_large) return conclude(run, tl::unexpected<Failure>(std::move(too_large)));
  const definitions::ResultWriter* writer = run->map->writer ? &*run->map->writer : nullptr;
  const bool metadata = writer && writer->transformation == definitions::ResultTransformation::None;
  run->array = std::make_unique<ResultArray>(writer, ChildNames::of(run->row.arn), most);
  if (!run->outputs_kept || metadata) return collect(run, 0);
  for (std::optional<Payload>& output : run->outputs) {
    ChildResult child;
    child.status = states::ExecutionStatus::Succeeded;
    child.output = std::move(output);
    run->array->add(child);
  }
  std::optional<Payload> array = run->array->finish();
  if (!array) return conclude(run, tl::unexpected<Failure>(std::move(too_large)));
  conclude(run, std::move(*array));
}

// The next page of children from the store.
void MapRuns::collect(const RunPtr& run, std::uint64_t after) {
  auto page = std::make_shared<Result<ResultPage>>(fail(ErrorCode::Internal, "not read"));
  const bool inputs = run->files || (run->map->writer && run->map->writer->transformation ==
                                                             definitions::ResultTransformation::None);
  committer_.run([page, after, inputs, row = run->row](
                     Store& store) { *page = read_results(store, row, after, kResultPage, inputs); },
                 [this, alive = alive_, run, page] {
                   if (*alive) take_page(run, page);
                 });
}

void MapRuns::take_page(const RunPtr& run, const std::shared_ptr<Result<ResultPage>>& page) {
  if (!*page) {
    log::error("results of a map run can't be read",
               {{"run", run->row.arn}, {"error", (*page).error().message}});
    return conclude(run, tl::unexpected<Failure>(writer_failure((*page).error().message)));
  }
  if (!run->files) {
    for (const ChildResult& child : (*page)->children) run->array->add(child);
    if (!(*page)->last) return collect(run, (*page)->next);
    std::optional<Payload> array = run->array->finish();
    if (array) return conclude(run, std::move(*array));
    return conclude(run, failed(error_names::kDataLimitExceeded,
                                "The state/task '" + run->row.state +
                                    "' returned a result with a size exceeding the maximum number of bytes "
                                    "service limit."));
  }
  auto written = std::make_shared<Status>();
  background_.run(
      [page, written, files = run->files] {
        for (const ChildResult& child : (*page)->children) {
          *written = files->add(child);
          if (!*written) return;
        }
      },
      [this, alive = alive_, run, page, written] {
        if (!*alive) return;
        if (!*written)
          return conclude(run, tl::unexpected<Failure>(writer_failure(written->error().message)));
        if (!(*page)->last) return collect(run, (*page)->next);
        export_pending(run);
      });
}

// The inputs of children that were never started, to the end of the items.
void MapRuns::export_pending(const RunPtr& run) {
  if (!run->failure || run->failure->error == error_names::kItemReaderFailed) return finish_files(run);
  if (run->reading) return;
  select(*run);
  auto written = std::make_shared<Status>();
  auto batches = std::make_shared<std::deque<states::Batcher::Batch>>(std::exchange(run->ready, {}));
  background_.run(
      [batches, written, files = run->files] {
        for (states::Batcher::Batch& batch : *batches) {
          ChildResult child;
          child.input = std::move(batch.input);
          *written = files->add(child);
          if (!*written) return;
        }
      },
      [this, alive = alive_, run, written, batches] {
        if (!*alive) return;
        run->row.children.pending += static_cast<std::int64_t>(batches->size());
        run->row.items.pending += std::exchange(run->ready_items, 0);
        if (!*written)
          return conclude(run, tl::unexpected<Failure>(writer_failure(written->error().message)));
        if (!run->read.empty() && driver_.lend(run->key.execution)) return export_pending(run);
        if (run->exhausted || !run->read.empty()) return finish_files(run);
        read_more(run);  // and back here
      });
}

void MapRuns::finish_files(const RunPtr& run) {
  auto details = std::make_shared<Result<Payload>>(fail(ErrorCode::Internal, "not written"));
  background_.run([details, files = run->files] { *details = files->finish(); },
                  [this, alive = alive_, run, details] {
                    if (!*alive) return;
                    if (!*details)
                      return conclude(run,
                                      tl::unexpected<Failure>(writer_failure((*details).error().message)));
                    for (MapRunCounts* counts : {&run->row.children, &run->row.items})
                      counts->results_written = counts->succeeded + counts->failed + counts->timed_out;
                    if (run->failure) return conclude(run, tl::unexpected<Failure>(*run->failure));
                    conclude(run, std::move(**details));
                  });
}

// The row first, then the news: after a crash in between the row still has the outcome.
void MapRuns::conclude(const RunPtr& run, Outcome outcome) {
  if (run->row.status == MapRunStatus::Running) {
    run->row.status = run->stopped ? MapRunStatus::Aborted
                      : outcome    ? MapRunStatus::Succeeded
                                   : MapRunStatus::Failed;
    run->row.stopped = loop_.clock().now();
    if (!run->stopped && outcome) run->row.output = *outcome;
    if (!run->stopped && !outcome) run->row.failure = outcome.error();
    if (!run->files) {
      run->row.children.pending += static_cast<std::int64_t>(run->ready.size());
      run->row.items.pending += run->ready_items + static_cast<std::int64_t>(run->read.size());
    }
  }
  auto row = std::make_shared<Result<MapRunRow>>(run->row);
  committer_.run([row](Store& store) { *row = store.map_runs().put(std::move(**row)); },
                 [this, alive = alive_, run, row, outcome = std::move(outcome)]() mutable {
                   if (!*alive) return;
                   if (!*row) {
                     log::error("the end of a map run can't be saved",
                                {{"run", run->row.arn}, {"error", (*row).error().message}});
                     loop_.at(loop_.clock().now() + kRetryAfterStoreError,
                              [this, alive, run, outcome = std::move(outcome)] {
                                if (*alive) conclude(run, outcome);
                              });
                     return;
                   }
                   by_id_.erase(run->row.id);
                   runs_.erase(run->key);
                   if (run->stopped) return;
                   driver_.deliver(run->key.execution, states::stimulus::MapRunEnded{
                                                           {run->key.frame, run->key.visit, run->key.attempt},
                                                           std::move(outcome)});
                 });
}

}  // namespace millrace::orchestrator
