#include "orchestrator/queries.h"

#include <charconv>
#include <map>

#include "orchestrator/arns.h"
#include "states/redrive.h"

namespace millrace::orchestrator {
namespace {

tl::unexpected<Error> no_execution(std::string_view arn) {
  return fail(ErrorCode::NotFound, "Execution Does Not Exist: '" + std::string(arn) + "'");
}

Result<ExecutionRow> find_row(Store& store, const std::string& text) {
  MR_TRY(arn, parse_arn(text, "execution"));
  const bool child = arn.name.find('/') != std::string::npos;  // MACHINE/LABEL: of a map run
  auto row = child ? store.child_named(arn.qualifier) : store.find_execution(arn.name, arn.qualifier);
  if (!row && row.error().code == ErrorCode::NotFound) return no_execution(text);
  return row;
}

Result<ExecutionView> read_view(Store& store, const std::string& arn) {
  ExecutionView view;
  MR_TRY(row, find_row(store, arn));
  MR_TRY(machine, store.machine(row.machine));
  MR_TRY(first, store.events(row.id, 0, 1));
  const auto* started =
      first.empty() ? nullptr : std::get_if<states::detail::ExecutionStarted>(&first.front().details);
  if (!started)
    return fail(ErrorCode::DataLoss, "the history of '" + arn + "' does not begin with ExecutionStarted");
  if (started->identity.arn != arn) return no_execution(arn);  // of another region or account
  view.identity = started->identity;
  view.input = started->input;
  if (row.status != states::ExecutionStatus::Running) {
    MR_TRY(last, store.events(row.id, row.events - 1, 1));
    if (last.empty()) return fail(ErrorCode::DataLoss, "the history of '" + arn + "' has no end");
    view.history_events = last.back().number;
    const states::EventDetails& details = last.back().details;
    if (const auto* d = std::get_if<states::detail::ExecutionSucceeded>(&details)) view.output = d->output;
    if (const auto* d = std::get_if<states::detail::Failed>(&details)) view.failure = d->failure;
  }
  if (row.map_run.value != 0) {
    MR_TRY(run, store.map_runs().get(row.map_run));
    view.map_run_arn = run.arn;
  }
  view.row = std::move(row);
  view.machine = std::move(machine);
  return view;
}

// Reads on until the page is full: hidden events are not shown.
Result<HistoryPage> read_forward(Store& store, const ExecutionRow& row, const HistoryRequest& request) {
  HistoryPage page;
  std::uint64_t at = request.position;
  while (at < row.events) {
    MR_TRY(events, store.events(row.id, at, request.limit));
    if (events.empty()) break;
    for (states::Event& event : events) {
      if (states::visible(event.type)) {
        if (page.events.size() == request.limit) {
          page.next = at;
          return page;
        }
        page.events.push_back(std::move(event));
      }
      ++at;
    }
  }
  return page;
}

// `position` is the number of events that are older than the page before.
Result<HistoryPage> read_backward(Store& store, const ExecutionRow& row, const HistoryRequest& request) {
  HistoryPage page;
  std::uint64_t below = request.position == 0 ? row.events : std::min(request.position, row.events);
  while (below > 0) {
    const std::uint64_t from = below > request.limit ? below - request.limit : 0;
    MR_TRY(events, store.events(row.id, from, static_cast<std::size_t>(below - from)));
    events.resize(std::min<std::size_t>(events.size(), static_cast<std::size_t>(below - from)));
    while (!events.empty()) {
      if (states::visible(events.back().type)) {
        if (page.events.size() == request.limit) {
          page.next = below;
          return page;
        }
        page.events.push_back(std::move(events.back()));
      }
      events.pop_back();
      --below;
    }
    if (below > from) return fail(ErrorCode::DataLoss, "the history of '" + request.arn + "' has a gap");
  }
  return page;
}

Result<ExecutionFilter> filter_of(Store& store, const ListRequest& request) {
  MR_TRY(arn, parse_arn(request.arn, "stateMachine"));
  const auto machine = store.newest_machine(arn.unqualified());
  if (!machine) {
    if (machine.error().code != ErrorCode::NotFound) return fail(machine.error());
    return fail(ErrorCode::NotFound, "State Machine Does Not Exist: '" + request.arn + "'");
  }
  if (machine->type == MachineType::Express)
    return invalid("This operation is not supported by this type of state machine");
  ExecutionFilter filter;
  filter.family = machine->family;
  filter.status = request.status;
  filter.redriven = request.redriven;
  if (arn.is_version()) {
    std::from_chars(arn.qualifier.data(), arn.qualifier.data() + arn.qualifier.size(), filter.version);
  } else {
    filter.alias = arn.qualifier;
  }
  return filter;
}

// Of a map run: STANDARD children are executions, of EXPRESS ones the results are kept. There a page is
// continued by the index behind its last one.
Result<ExecutionPage> read_children(Store& store, const ListRequest& request) {
  MR_TRY(run, store.map_runs().find(request.map_run));
  const std::string machine_name(run_machine(run.arn));
  const std::string machine_arn = ChildNames::of(run.arn).machine_arn;
  ExecutionPage page;
  std::vector<ExecutionRow> rows;
  if (run.express) {  // they are started again, not redriven
    for (auto first = static_cast<std::uint32_t>(request.before.value);;) {
      MR_TRY(results, store.map_runs().results(run.id, first, request.limit + 1, false));
      for (const MapResultRow& result : results) {
        first = result.index + 1;
        if (request.status && *request.status != result.status) continue;
        if (request.redriven.value_or(false)) continue;
        if (rows.size() == request.limit) {
          page.next = ExecutionId{result.index};
          break;
        }
        ExecutionRow row;
        row.name = result.name;
        row.status = result.status;
        row.started = result.started;
        row.stopped = result.stopped;
        row.map_run = run.id;
        row.map_items = result.items;
        rows.push_back(std::move(row));
      }
      if (page.next.value != 0 || results.size() <= request.limit) break;
    }
  } else {
    ExecutionFilter filter;
    filter.map_run = run.id;
    filter.status = request.status;
    filter.redriven = request.redriven;
    MR_TRY(found, store.executions(filter, request.before, request.limit + 1));
    rows = std::move(found);
    if (rows.size() > request.limit) {
      rows.resize(request.limit);
      page.next = rows.back().id;
    }
  }
  for (ExecutionRow& row : rows) page.items.push_back({std::move(row), machine_arn, machine_name, run.arn});
  return page;
}

Result<ExecutionPage> read_list(Store& store, const ListRequest& request) {
  if (!request.map_run.empty()) return read_children(store, request);
  MR_TRY(filter, filter_of(store, request));
  // One more than asked for tells whether there is a next page.
  MR_TRY(rows, store.executions(filter, request.before, request.limit + 1));
  ExecutionPage page;
  if (rows.size() > request.limit) {
    rows.resize(request.limit);
    page.next = rows.back().id;
  }
  std::map<MachineId, MachineRow> machines;
  for (ExecutionRow& row : rows) {
    auto known = machines.find(row.machine);
    if (known == machines.end()) {
      MR_TRY(machine, store.machine(row.machine));
      known = machines.emplace(row.machine, std::move(machine)).first;
    }
    page.items.push_back({std::move(row), known->second.arn, known->second.name, {}});
  }
  return page;
}

}  // namespace

std::string_view not_redrivable(const ExecutionView& view, Instant now, const Limits& limits) {
  const states::RedriveCandidate candidate{view.row.status, view.row.started, view.row.stopped,
                                           view.history_events,
                                           view.machine.status == MachineStatus::Deleting};
  return states::why_not_redrivable(candidate, now, limits);
}

void Queries::find(const std::string& arn, Reply<ExecutionRow> reply) {
  ask_store<ExecutionRow>(
      committer_, [arn](Store& store) { return find_row(store, arn); }, std::move(reply));
}

void Queries::describe(const std::string& arn, Reply<ExecutionView> reply) {
  ask_store<ExecutionView>(
      committer_, [arn](Store& store) { return read_view(store, arn); }, std::move(reply));
}

void Queries::history(const HistoryRequest& request, Reply<HistoryPage> reply) {
  ask_store<HistoryPage>(
      committer_,
      [request](Store& store) -> Result<HistoryPage> {
        MR_TRY(row, find_row(store, request.arn));
        return request.reverse ? read_backward(store, row, request) : read_forward(store, row, request);
      },
      std::move(reply));
}

void Queries::list(const ListRequest& request, Reply<ExecutionPage> reply) {
  ask_store<ExecutionPage>(
      committer_, [request](Store& store) { return read_list(store, request); }, std::move(reply));
}

void Queries::map_runs(const std::string& execution_arn, MapRunId before, std::size_t limit,
                       Reply<MapRunPage> reply) {
  ask_store<MapRunPage>(
      committer_,
      [execution_arn, before, limit](Store& store) -> Result<MapRunPage> {
        MR_TRY(row, find_row(store, execution_arn));
        MapRunPage page;
        MR_TRY(runs, store.map_runs().of(row.id, before, limit + 1));
        if (runs.size() > limit) {
          runs.resize(limit);
          page.next = runs.back().id;
        }
        page.runs = std::move(runs);
        return page;
      },
      std::move(reply));
}

}  // namespace millrace::orchestrator
