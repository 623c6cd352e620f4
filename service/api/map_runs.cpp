// Map runs: ListMapRuns, DescribeMapRun, UpdateMapRun.

#include "orchestrator/maps/map_runs.h"
#include "orchestrator/arns.h"
#include "orchestrator/queries.h"
#include "service/api/errors.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"

namespace millrace::api {
namespace {

using orchestrator::MapRunCounts;
using orchestrator::MapRunRow;

constexpr ErrorNames kMapRunErrors = {"ValidationException", "ResourceNotFound"};

void write_counts(JsonWriter& out, std::string_view name, const MapRunCounts& counts) {
  const std::pair<std::string_view, std::int64_t> members[] = {
      {"pending", counts.pending},
      {"running", counts.running},
      {"succeeded", counts.succeeded},
      {"failed", counts.failed},
      {"timedOut", counts.timed_out},
      {"aborted", counts.aborted},
      {"total", counts.total()},
      {"resultsWritten", counts.results_written},
      {"failuresNotRedrivable", counts.not_redrivable},
      {"pendingRedrive", counts.pending_redrive},
  };
  out.key(name).begin_object();
  for (const auto& [member_name, count] : members) out.key(member_name).number(count);
  out.end_object();
}

// What lists and descriptions both show.
void write_run(JsonWriter& out, const MapRunRow& run) {
  out.key("mapRunArn").string(run.arn).key("executionArn").string(run.execution_arn);
  write_time(out, "startDate", run.started);
  if (run.stopped) write_time(out, "stopDate", *run.stopped);
}

// Of the state machine whose execution the run belongs to.
std::string machine_arn_of(const MapRunRow& run) {
  const auto arn = orchestrator::parse_arn(run.execution_arn);
  return arn ? "arn:aws:states:" + arn->region + ":" + arn->account + ":stateMachine:" + arn->name : "";
}

Payload describe(const MapRunRow& run) {
  JsonWriter out;
  out.begin_object();
  write_run(out, run);
  out.key("status").string(name_of(run.status));
  out.key("maxConcurrency").number(run.concurrency);
  out.key("toleratedFailurePercentage").number(run.tolerated_percentage);
  out.key("toleratedFailureCount").number(run.tolerated_count);
  write_counts(out, "itemCounts", run.items);
  write_counts(out, "executionCounts", run.children);
  out.key("redriveCount").number(std::int64_t{run.redrives});
  if (run.redriven) write_time(out, "redriveDate", *run.redriven);
  out.end_object();
  return out.finish();
}

// Of the call's mapRunArn; answers the call when it is none.
std::optional<std::string> map_run_arn(const Call& call) {
  std::string text = text_of(call.input, "mapRunArn");
  const auto arn = orchestrator::parse_arn(text, "mapRun");
  if (arn) return text;
  call.reply(refuse(arn.error(), kMapRunErrors));
  return std::nullopt;
}

}  // namespace

void list_map_runs(Call call) {
  const std::string execution = text_of(call.input, "executionArn");
  const std::string scope = "ListMapRuns " + execution;
  const auto before = page_number(call.input, scope);
  if (!before) return call.reply(tl::unexpected<ApiError>(before.error()));
  call.services.engine.queries().map_runs(
      execution, orchestrator::MapRunId{*before}, page_size(call.input),
      [scope, reply = std::move(call.reply)](Result<orchestrator::MapRunPage> page) {
        if (!page) return reply(refuse(page.error(), kExecutionErrors));
        JsonWriter out;
        out.begin_object().key("mapRuns").begin_array();
        for (const MapRunRow& run : page->runs) {
          out.begin_object();
          write_run(out, run);
          out.key("stateMachineArn").string(machine_arn_of(run));
          out.end_object();
        }
        out.end_array();
        if (page->next.value != 0)
          out.key("nextToken").string(page_token(scope, std::to_string(page->next.value)));
        out.end_object();
        reply(out.finish());
      });
}

void describe_map_run(Call call) {
  const auto arn = map_run_arn(call);
  if (!arn) return;
  call.services.engine.map_runs().describe(*arn, [reply = std::move(call.reply)](Result<MapRunRow> run) {
    if (!run) return reply(refuse(run.error(), kMapRunErrors));
    reply(describe(*run));
  });
}

void update_map_run(Call call) {
  const auto arn = map_run_arn(call);
  if (!arn) return;
  orchestrator::MapRunUpdate update;
  if (const JsonView given = member(call.input, "maxConcurrency")) update.concurrency = given.integer();
  if (const JsonView given = member(call.input, "toleratedFailureCount"))
    update.tolerated_count = given.integer();
  if (const JsonView given = member(call.input, "toleratedFailurePercentage"))
    update.tolerated_percentage = given.number();
  call.services.engine.map_runs().update(*arn, update, [reply = std::move(call.reply)](Status done) {
    if (!done) return reply(refuse(done.error(), kMapRunErrors));
    reply(empty_answer());
  });
}

}  // namespace millrace::api
