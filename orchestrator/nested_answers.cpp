#include "orchestrator/nested_answers.h"

namespace millrace::orchestrator {
namespace {

void write_metadata(JsonWriter& out, const std::string& request_id) {
  out.key("SdkHttpMetadata").begin_object();
  out.key("AllHttpHeaders").begin_object();
  out.key("x-amzn-RequestId").begin_array().string(request_id).end_array();
  out.key("Content-Type").begin_array().string("application/x-amz-json-1.0").end_array();
  out.end_object();
  out.key("HttpHeaders").begin_object();
  out.key("x-amzn-RequestId").string(request_id);
  out.key("Content-Type").string("application/x-amz-json-1.0");
  out.end_object();
  out.key("HttpStatusCode").number(std::int64_t{200});
  out.end_object();
  out.key("SdkResponseMetadata").begin_object().key("RequestId").string(request_id).end_object();
}

void write_document(JsonWriter& out, const std::string& name, const Payload& document, bool parsed) {
  out.key(name);
  if (parsed) {
    out.value(document);
  } else {
    out.string(document.text());
  }
  out.key(name + "Details").begin_object().key("Included").boolean(true).end_object();
}

void write_failure(JsonWriter& out, const std::optional<Failure>& failure) {
  if (failure && failure->has_cause) out.key("Cause").string(failure->cause);
  if (failure && failure->has_error) out.key("Error").string(failure->error);
}

void write_arns(JsonWriter& out, const states::ExecutionIdentity& identity) {
  if (!identity.alias_arn.empty()) out.key("StateMachineAliasArn").string(identity.alias_arn);
  out.key("StateMachineArn").string(identity.machine_arn);
  if (!identity.version_arn.empty()) out.key("StateMachineVersionArn").string(identity.version_arn);
}

bool ends_with_exception(std::string_view name) {
  return name.ends_with("Exception");
}

}  // namespace

ExpressBill bill_of(Instant started, Instant stopped) {
  static constexpr std::int64_t kMemory = 64, kStep = 100;
  return {((stopped - started).count() / kStep + 1) * kStep, kMemory};
}

Payload started_answer(const Started& started, bool sdk, const std::string& request_id) {
  JsonWriter out;
  out.begin_object();
  out.key("ExecutionArn").string(started.arn);
  if (sdk) {
    out.key("StartDate").string(format_rfc3339(started.started));
  } else {
    write_metadata(out, request_id);
    out.key("StartDate").number(to_millis(started.started));
  }
  return out.end_object().finish();
}

Payload child_answer(const ExecutionView& view, bool parsed) {
  JsonWriter out;
  out.begin_object();
  write_failure(out, view.failure);
  out.key("ExecutionArn").string(view.identity.arn);
  write_document(out, "Input", view.input, parsed);
  out.key("Name").string(view.row.name);
  if (view.output) write_document(out, "Output", *view.output, parsed);
  out.key("StartDate").number(to_millis(view.row.started));
  write_arns(out, view.identity);
  out.key("Status").string(states::name_of(view.row.status));
  if (view.row.stopped) out.key("StopDate").number(to_millis(*view.row.stopped));
  return out.end_object().finish();
}

Payload sync_answer(const Started& started, const std::string& machine_arn, const Payload& input,
                    const Ended& ended, Instant stopped) {
  const ExpressBill bill = bill_of(started.started, stopped);
  JsonWriter out;
  out.begin_object();
  out.key("BillingDetails").begin_object();
  out.key("BilledDurationInMilliseconds").number(bill.duration_millis);
  out.key("BilledMemoryUsedInMB").number(bill.memory_megabytes);
  out.end_object();
  write_failure(out, ended.failure);
  out.key("ExecutionArn").string(started.arn);
  write_document(out, "Input", input, false);
  out.key("Name").string(started.name);
  if (ended.output) write_document(out, "Output", *ended.output, false);
  out.key("StartDate").string(format_rfc3339(started.started));
  out.key("StateMachineArn").string(machine_arn);
  out.key("Status").string(states::name_of(ended.status));
  out.key("StopDate").string(format_rfc3339(stopped));
  return out.end_object().finish();
}

Payload described_answer(const ExecutionView& view, std::string_view not_redrivable) {
  JsonWriter out;
  out.begin_object();
  write_failure(out, view.failure);
  out.key("ExecutionArn").string(view.identity.arn);
  write_document(out, "Input", view.input, false);
  out.key("Name").string(view.row.name);
  if (view.output) write_document(out, "Output", *view.output, false);
  out.key("RedriveCount").number(static_cast<std::int64_t>(view.row.redrives));
  if (view.row.redriven) out.key("RedriveDate").string(format_rfc3339(*view.row.redriven));
  out.key("RedriveStatus").string(not_redrivable.empty() ? "REDRIVABLE" : "NOT_REDRIVABLE");
  if (!not_redrivable.empty()) out.key("RedriveStatusReason").string(not_redrivable);
  out.key("StartDate").string(format_rfc3339(view.row.started));
  write_arns(out, view.identity);
  out.key("Status").string(states::name_of(view.row.status));
  if (view.row.stopped) out.key("StopDate").string(format_rfc3339(*view.row.stopped));
  return out.end_object().finish();
}

Payload listed_answer(const ExecutionPage& page, const EngineSettings& settings) {
  JsonWriter out;
  out.begin_object().key("Executions").begin_array();
  for (const ExecutionItem& item : page.items) {
    out.begin_object();
    out.key("ExecutionArn").string(execution_arn(settings, item.machine_name, item.row.name));
    out.key("Name").string(item.row.name);
    out.key("RedriveCount").number(static_cast<std::int64_t>(item.row.redrives));
    if (item.row.redriven) out.key("RedriveDate").string(format_rfc3339(*item.row.redriven));
    out.key("StartDate").string(format_rfc3339(item.row.started));
    out.key("StateMachineArn").string(item.machine_arn);
    out.key("Status").string(states::name_of(item.row.status));
    if (item.row.stopped) out.key("StopDate").string(format_rfc3339(*item.row.stopped));
    out.end_object();
  }
  out.end_array();
  if (page.next.value != 0) out.key("NextToken").string(std::to_string(page.next.value));
  return out.end_object().finish();
}

Payload time_answer(std::string_view member, Instant time) {
  JsonWriter out;
  out.begin_object().key(member).string(format_rfc3339(time));
  return out.end_object().finish();
}

Failure api_failure(std::string_view name, const std::string& message, bool sdk,
                    const std::string& request_id) {
  Failure failure;
  failure.error = sdk ? "Sfn." : "StepFunctions.";
  failure.error.append(name);
  if (!ends_with_exception(name)) failure.error += "Exception";
  failure.cause = message;
  if (sdk) {
    failure.cause +=
        " (Service: Sfn, Status Code: 400, Request ID: " + request_id + ") (SDK Attempt Count: 1)";
  } else {
    failure.cause.append(" (Service: AWSStepFunctions; Status Code: 400; Error Code: ").append(name);
    failure.cause += "; Request ID: " + request_id + "; Proxy: null)";
  }
  return failure;
}

}  // namespace millrace::orchestrator
