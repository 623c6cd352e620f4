#include "service/cli/show.h"

#include <nlohmann/json.hpp>

#include "definitions/compile.h"
#include "states/decide.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kPage = 500;

struct Wanted {
  std::string machine, name;
};

Wanted parse(const std::string& which) {
  if (which.starts_with("arn:")) {
    const std::size_t last = which.rfind(':');
    const std::size_t before = which.rfind(':', last - 1);
    return {which.substr(before + 1, last - before - 1), which.substr(last + 1)};
  }
  const std::size_t slash = which.find('/');
  if (slash == std::string::npos) return {"", which};
  return {which.substr(0, slash), which.substr(slash + 1)};
}

Result<orchestrator::ExecutionRow> find_row(orchestrator::Store& store, const std::string& which) {
  const Wanted wanted = parse(which);
  orchestrator::ExecutionFilter filter;
  filter.machine_name = wanted.machine;
  filter.name_contains = wanted.name;
  ExecutionId before{};
  for (;;) {
    MR_TRY(rows, store.executions(filter, before, kPage));
    for (const auto& row : rows) {
      if (row.name == wanted.name) return row;
    }
    if (rows.size() < kPage) break;
    before = rows.back().id;
  }
  // A machine's name alone means its newest execution.
  if (wanted.machine.empty()) {
    filter.machine_name = which;
    filter.name_contains.clear();
    MR_TRY(newest, store.executions(filter, {}, 1));
    if (!newest.empty()) return newest[0];
  }
  return fail(ErrorCode::NotFound, "Execution Does Not Exist: '" + which + "'",
              "`millrace list` shows the executions of this home");
}

}  // namespace

Result<Shown> find_execution(orchestrator::Store& store, const std::string& which) {
  Shown shown;
  MR_TRY(row, find_row(store, which));
  shown.row = row;
  MR_TRY(machine, store.machine(row.machine));
  shown.machine = std::move(machine);
  MR_TRY(events, store.events(row.id, 0, ~std::size_t{0}));
  shown.events = std::move(events);
  const definitions::Compiled compiled = definitions::compile(shown.machine.definition);
  if (!compiled.program)
    return fail(ErrorCode::DataLoss,
                "the definition of '" + shown.machine.name + "' in this home does not compile");
  shown.program = compiled.program;
  for (const states::Event& event : shown.events) states::evolve(shown.execution, *shown.program, event);
  return shown;
}

Json describe_json(const Shown& shown) {
  const states::Execution& e = shown.execution;
  const auto seconds = [](Instant t) { return static_cast<double>(to_millis(t)) / 1000; };
  Json json = {{"executionArn", e.identity.arn},
               {"stateMachineArn", e.identity.machine_arn},
               {"name", e.identity.name},
               {"status", std::string(states::name_of(e.status))},
               {"startDate", seconds(e.started)}};
  if (e.stopped) json["stopDate"] = seconds(*e.stopped);
  json["input"] = std::string(e.input.text());
  if (e.output) json["output"] = std::string(e.output->text());
  if (e.failure && e.failure->has_error) json["error"] = e.failure->error;
  if (e.failure && e.failure->has_cause) json["cause"] = e.failure->cause;
  json["redriveCount"] = e.redrives;
  return json;
}

std::string for_people(const std::string& error, const std::string& cause) {
  std::string reason = cause;
  if (auto document = Payload::parse(cause); document && document->view().is_object()) {
    for (const char* name : {"FailureReason", "errorMessage", "Cause"}) {
      const JsonView found = document->view().find(name);
      if (!found || !found.is_string()) continue;
      reason = found.string();
      break;
    }
  }
  if (error.empty() || reason.empty()) return error + reason;
  return error + ": " + reason;
}

std::string status_line(const Shown& shown) {
  const states::Execution& e = shown.execution;
  std::string line =
      e.identity.machine_name + "/" + e.identity.name + " " + std::string(states::name_of(e.status));
  if (e.stopped) line += " in " + format_duration(*e.stopped - e.started);
  return line;
}

}  // namespace millrace::cli
