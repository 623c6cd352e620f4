// Executions: StartExecution, StartSyncExecution, StopExecution, RedriveExecution, DescribeExecution,
// ListExecutions.

#include "orchestrator/arns.h"
#include "orchestrator/nested_answers.h"
#include "orchestrator/queries.h"
#include "service/api/errors.h"
#include "service/api/json_words.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"

namespace millrace::api {
namespace {

using orchestrator::ExecutionView;
using states::ExecutionStatus;

// The document in input's member `name`, which holds JSON as text; {} when there is none.
tl::expected<Payload, ApiError> parse_execution_input(JsonView input) {
  const JsonView given = member(input, "input");
  if (!given) return Payload::empty_object();
  const std::string text = given.string();
  auto parsed = Payload::parse(text);
  if (!parsed)
    return refuse("InvalidExecutionInput",
                  "Invalid State Machine Execution Input: '" +
                      (text.empty() ? "Invalid execution input." : parser_words(text, parsed.error())) + "'");
  return *std::move(parsed);
}

void write_document(JsonWriter& out, std::string_view name, const Payload& document) {
  out.key(name).string(document.text());
  out.key(std::string(name) + "Details").begin_object().key("included").boolean(true).end_object();
}

void write_redrives(JsonWriter& out, const orchestrator::ExecutionRow& row) {
  out.key("redriveCount").number(static_cast<std::int64_t>(row.redrives));
  if (row.redriven) write_time(out, "redriveDate", *row.redriven);
}

constexpr ErrorNames kStartErrors = {"ValidationException", "StateMachineDoesNotExist",
                                     "ExecutionAlreadyExists", "ConflictException", "ExecutionLimitExceeded"};

tl::expected<orchestrator::StartRequest, ApiError> start_request(JsonView given) {
  auto input = parse_execution_input(given);
  if (!input) return tl::unexpected<ApiError>(input.error());
  orchestrator::StartRequest request;
  request.machine = text_of(given, "stateMachineArn");
  if (const auto arn = orchestrator::parse_arn(request.machine, "stateMachine"); !arn)
    return refuse(arn.error(), kMachineErrors);
  request.name = text_of(given, "name");
  request.input = *std::move(input);
  return request;
}

void write_failure(JsonWriter& out, const std::optional<Failure>& failure) {
  if (failure && failure->has_error) out.key("error").string(failure->error);
  if (failure && failure->has_cause) out.key("cause").string(failure->cause);
}

Payload describe_sync(const orchestrator::SyncResult& result, bool with_data, const std::string& trace) {
  JsonWriter out;
  out.begin_object();
  out.key("executionArn").string(result.arn);
  out.key("stateMachineArn").string(result.machine_arn);
  out.key("name").string(result.name);
  write_time(out, "startDate", result.started);
  write_time(out, "stopDate", result.stopped);
  out.key("status").string(states::name_of(result.status));
  if (with_data) {
    write_document(out, "input", result.input);
    if (result.output) write_document(out, "output", *result.output);
    write_failure(out, result.failure);
  }
  if (!trace.empty()) out.key("traceHeader").string(trace);
  const orchestrator::ExpressBill bill = orchestrator::bill_of(result.started, result.stopped);
  out.key("billingDetails").begin_object();
  out.key("billedMemoryUsedInMB").number(bill.memory_megabytes);
  out.key("billedDurationInMilliseconds").number(bill.duration_millis);
  out.end_object().end_object();
  return out.finish();
}

Payload describe(const ExecutionView& view, std::string_view not_redrivable, bool with_data) {
  JsonWriter out;
  out.begin_object();
  out.key("executionArn").string(view.identity.arn);
  out.key("stateMachineArn").string(view.identity.machine_arn);
  if (!view.identity.version_arn.empty()) out.key("stateMachineVersionArn").string(view.identity.version_arn);
  if (!view.identity.alias_arn.empty()) out.key("stateMachineAliasArn").string(view.identity.alias_arn);
  out.key("name").string(view.row.name);
  out.key("status").string(states::name_of(view.row.status));
  write_time(out, "startDate", view.row.started);
  if (view.row.stopped) write_time(out, "stopDate", *view.row.stopped);
  if (with_data) {
    write_document(out, "input", view.input);
    if (view.output) write_document(out, "output", *view.output);
    write_failure(out, view.failure);
  }
  if (!view.map_run_arn.empty()) out.key("mapRunArn").string(view.map_run_arn);
  write_redrives(out, view.row);
  out.key("redriveStatus").string(not_redrivable.empty() ? "REDRIVABLE" : "NOT_REDRIVABLE");
  if (!not_redrivable.empty()) out.key("redriveStatusReason").string(not_redrivable);
  out.end_object();
  return out.finish();
}

void write_item(JsonWriter& out, const orchestrator::EngineSettings& settings,
                const orchestrator::ExecutionItem& item) {
  out.begin_object();
  out.key("executionArn").string(orchestrator::execution_arn(settings, item.machine_name, item.row.name));
  out.key("stateMachineArn").string(item.machine_arn);
  if (item.row.version != 0)
    out.key("stateMachineVersionArn").string(item.machine_arn + ":" + std::to_string(item.row.version));
  if (!item.row.alias.empty())
    out.key("stateMachineAliasArn").string(item.machine_arn + ":" + item.row.alias);
  out.key("name").string(item.row.name);
  out.key("status").string(states::name_of(item.row.status));
  write_time(out, "startDate", item.row.started);
  if (item.row.stopped) write_time(out, "stopDate", *item.row.stopped);
  if (!item.map_run_arn.empty()) {
    out.key("mapRunArn").string(item.map_run_arn);
    out.key("itemCount").number(std::int64_t{item.row.map_items});
  }
  write_redrives(out, item.row);
  out.end_object();
}

// What is not there names itself a state machine, or is a map run.
constexpr ErrorNames kListErrors = {"ValidationException", "ResourceNotFound"};

std::optional<ExecutionStatus> status_named(std::string_view name) {
  for (const auto status : {ExecutionStatus::Running, ExecutionStatus::Succeeded, ExecutionStatus::Failed,
                            ExecutionStatus::TimedOut, ExecutionStatus::Aborted}) {
    if (states::name_of(status) == name) return status;
  }
  return std::nullopt;
}

}  // namespace

void start_execution(Call call) {
  auto request = start_request(call.input);
  if (!request) return call.reply(tl::unexpected<ApiError>(request.error()));
  call.services.engine.start_execution(
      *std::move(request), [reply = std::move(call.reply)](Result<orchestrator::Started> started) {
        if (!started) return reply(refuse(started.error(), kStartErrors));
        JsonWriter out;
        out.begin_object().key("executionArn").string(started->arn);
        write_time(out, "startDate", started->started);
        out.end_object();
        reply(out.finish());
      });
}

void start_sync_execution(Call call) {
  auto request = start_request(call.input);
  if (!request) return call.reply(tl::unexpected<ApiError>(request.error()));
  const bool with_data = text_of(call.input, "includedData") != "METADATA_ONLY";
  call.services.engine.start_sync_execution(
      *std::move(request), [with_data, trace = text_of(call.input, "traceHeader"),
                            reply = std::move(call.reply)](Result<orchestrator::SyncResult> result) {
        if (!result) return reply(refuse(result.error(), kStartErrors));
        reply(describe_sync(*result, with_data, trace));
      });
}

void stop_execution(Call call) {
  const std::string arn = text_of(call.input, "executionArn");
  Failure reason{text_of(call.input, "error"), text_of(call.input, "cause"),
                 static_cast<bool>(member(call.input, "error")),
                 static_cast<bool>(member(call.input, "cause"))};
  auto& engine = call.services.engine;
  const auto answer = [reply = call.reply](Result<orchestrator::ExecutionRow> row) {
    if (!row) return reply(refuse(row.error(), kExecutionErrors));
    JsonWriter out;
    out.begin_object();
    write_time(out, "stopDate", row->stopped.value_or(row->started));
    out.end_object();
    reply(out.finish());
  };
  engine.queries().find(arn, [&engine, arn, reason = std::move(reason), reply = std::move(call.reply),
                              answer](Result<orchestrator::ExecutionRow> row) mutable {
    if (!row || row->status != ExecutionStatus::Running) return answer(std::move(row));
    engine.stop_execution(row->id, std::move(reason), [&engine, arn, reply, answer](Status stopped) {
      if (!stopped) return reply(refuse(stopped.error(), kExecutionErrors));
      engine.queries().find(arn, answer);
    });
  });
}

void redrive_execution(Call call) {
  static constexpr ErrorNames kNames = {
      "ExecutionNotRedrivable", "ExecutionDoesNotExist", {}, "ConflictException", "ExecutionLimitExceeded"};
  call.services.engine.redrive_execution(text_of(call.input, "executionArn"),
                                         text_of(call.input, "clientToken"),
                                         [reply = std::move(call.reply)](Result<Instant> redriven) {
                                           if (!redriven) return reply(refuse(redriven.error(), kNames));
                                           JsonWriter out;
                                           out.begin_object();
                                           write_time(out, "redriveDate", *redriven);
                                           reply(out.end_object().finish());
                                         });
}

void describe_execution(Call call) {
  const bool with_data = text_of(call.input, "includedData") != "METADATA_ONLY";
  call.services.engine.queries().describe(
      text_of(call.input, "executionArn"),
      [with_data, &services = call.services, reply = std::move(call.reply)](Result<ExecutionView> view) {
        if (!view) return reply(refuse(view.error(), kExecutionErrors));
        const auto& limits = services.engine.settings().limits;
        reply(describe(*view, orchestrator::not_redrivable(*view, services.loop.clock().now(), limits),
                       with_data));
      });
}

void list_executions(Call call) {
  orchestrator::ListRequest request;
  request.arn = text_of(call.input, "stateMachineArn");
  request.map_run = text_of(call.input, "mapRunArn");
  if (request.arn.empty() == request.map_run.empty())
    return call.reply(
        refuse("ValidationException", "Exactly one of stateMachineArn and mapRunArn must be specified"));
  if (!request.map_run.empty()) {
    if (const auto arn = orchestrator::parse_arn(request.map_run, "mapRun"); !arn)
      return call.reply(refuse(arn.error(), kListErrors));
  }
  request.status = status_named(text_of(call.input, "statusFilter"));
  if (const std::string redriven = text_of(call.input, "redriveFilter"); !redriven.empty())
    request.redriven = redriven == "REDRIVEN";
  request.limit = page_size(call.input);
  const std::string scope = "ListExecutions " + request.arn + request.map_run;
  const auto before = page_number(call.input, scope);
  if (!before) return call.reply(tl::unexpected<ApiError>(before.error()));
  request.before = ExecutionId{*before};
  auto& engine = call.services.engine;
  engine.queries().list(
      request, [&engine, scope, reply = std::move(call.reply)](Result<orchestrator::ExecutionPage> page) {
        if (!page) return reply(refuse(page.error(), kListErrors));
        JsonWriter out;
        out.begin_object().key("executions").begin_array();
        for (const auto& item : page->items) write_item(out, engine.settings(), item);
        out.end_array();
        if (page->next.value != 0)
          out.key("nextToken").string(page_token(scope, std::to_string(page->next.value)));
        out.end_object();
        reply(out.finish());
      });
}

}  // namespace millrace::api
