#include "orchestrator/queries.h"

#include <map>

#include "orchestrator/arns.h"

namespace millrace::orchestrator {
namespace {

tl::unexpected<Error> no_execution(std::string_view arn) {
  return fail(ErrorCode::NotFound, "Execution Does Not Exist: '" + std::string(arn) + "'");
}

Result<ExecutionRow> find_row(Store& store, const std::string& text) {
  MR_TRY(arn, parse_arn(text, "execution"));
  auto row = store.find_execution(arn.name, arn.qualifier);
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
    const states::EventDetails& details = last.back().details;
    if (const auto* d = std::get_if<states::detail::ExecutionSucceeded>(&details)) view.output = d->output;
    if (const auto* d = std::get_if<states::detail::Failed>(&details)) view.failure = d->failure;
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

}  // namespace

template <class T>
void Queries::read(std::function<Result<T>(Store&)> from_store, Reply<T> reply) {
  auto result = std::make_shared<Result<T>>(fail(ErrorCode::Internal, "not read"));
  committer_.run([result, from_store = std::move(from_store)](Store& store) { *result = from_store(store); },
                 [result, reply = std::move(reply)] { reply(std::move(*result)); });
}

void Queries::find(const std::string& arn, Reply<ExecutionRow> reply) {
  read<ExecutionRow>([arn](Store& store) { return find_row(store, arn); }, std::move(reply));
}

void Queries::describe(const std::string& arn, Reply<ExecutionView> reply) {
  read<ExecutionView>([arn](Store& store) { return read_view(store, arn); }, std::move(reply));
}

void Queries::history(const HistoryRequest& request, Reply<HistoryPage> reply) {
  read<HistoryPage>(
      [request](Store& store) -> Result<HistoryPage> {
        MR_TRY(row, find_row(store, request.arn));
        return request.reverse ? read_backward(store, row, request) : read_forward(store, row, request);
      },
      std::move(reply));
}

void Queries::list(const ExecutionFilter& filter, ExecutionId before, std::size_t limit,
                   Reply<ExecutionPage> reply) {
  read<ExecutionPage>(
      [filter, before, limit](Store& store) -> Result<ExecutionPage> {
        // One more than asked for tells whether there is a next page.
        MR_TRY(rows, store.executions(filter, before, limit + 1));
        ExecutionPage page;
        if (rows.size() > limit) {
          rows.resize(limit);
          page.next = rows.back().id;
        }
        std::map<MachineId, MachineRow> machines;
        for (ExecutionRow& row : rows) {
          auto known = machines.find(row.machine);
          if (known == machines.end()) {
            MR_TRY(machine, store.machine(row.machine));
            known = machines.emplace(row.machine, std::move(machine)).first;
          }
          page.items.push_back({std::move(row), known->second.arn, known->second.name});
        }
        return page;
      },
      std::move(reply));
}

}  // namespace millrace::orchestrator
