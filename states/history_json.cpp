#include "states/history_json.h"

#include <cstdio>

namespace millrace::states {
namespace {

// stateEnteredEventDetails for every …StateEntered, stateExitedEventDetails for every …StateExited, the
// iteration events share theirs too; otherwise the type with a small first letter.
std::string details_name(EventType type) {
  std::string name(name_of(type));
  if (name.ends_with("StateEntered")) return "stateEnteredEventDetails";
  if (name.ends_with("StateExited")) return "stateExitedEventDetails";
  name[0] = static_cast<char>(name[0] - 'A' + 'a');
  return name + "EventDetails";
}

void write_failure(JsonWriter& out, const Failure& failure) {
  if (failure.has_error) out.key("error").string(failure.error);
  if (failure.has_cause) out.key("cause").string(failure.cause);
}

void write_resource(JsonWriter& out, const std::string& type, const std::string& resource) {
  if (!type.empty()) out.key("resourceType").string(type);
  if (!resource.empty()) out.key("resource").string(resource);
}

struct Write {
  JsonWriter& out;
  const Event& event;
  bool data;

  void write_text(std::string_view name, const Payload& document) const {
    if (!data) return;
    out.key(name).string(document.text());
    out.key(std::string(name) + "Details").begin_object().key("truncated").boolean(false).end_object();
  }

  void operator()(const std::monostate&) const {}
  void operator()(const detail::ExecutionStarted& d) const {
    write_text("input", d.input);
    out.key("roleArn").string(d.identity.role_arn);
    if (!d.identity.version_arn.empty()) out.key("stateMachineVersionArn").string(d.identity.version_arn);
    if (!d.identity.alias_arn.empty()) out.key("stateMachineAliasArn").string(d.identity.alias_arn);
  }
  void operator()(const detail::ExecutionSucceeded& d) const { write_text("output", d.output); }
  void operator()(const detail::Failed& d) const { write_failure(out, d.failure); }
  void operator()(const detail::StateEntered& d) const {
    out.key("name").string(d.name);
    write_text("input", d.input);
  }
  void operator()(const detail::StateExited& d) const {
    out.key("name").string(d.name);
    write_text("output", d.output);
    if (!d.assigned || !data) return;
    out.key("assignedVariables").begin_object();
    for (const auto [key, value] : d.assigned->view().members()) out.key(key).string(value.text());
    out.end_object();
    out.key("assignedVariablesDetails").begin_object().key("truncated").boolean(false).end_object();
  }
  void operator()(const detail::TaskScheduled& d) const {
    write_resource(out, d.resource_type, d.resource);
    if (event.type == EventType::TaskScheduled) {
      out.key("region").string(d.region);
      if (data) out.key("parameters").string(d.parameters.text());
    } else {
      write_text("input", d.parameters);
    }
    if (d.timeout_seconds) out.key("timeoutInSeconds").number(*d.timeout_seconds);
    if (d.heartbeat_seconds) out.key("heartbeatInSeconds").number(*d.heartbeat_seconds);
    if (d.credentials) out.key("taskCredentials").value(*d.credentials);
  }
  void operator()(const detail::TaskStarted& d) const {
    write_resource(out, d.resource_type, d.resource);
    if (!d.worker.empty()) out.key("workerName").string(d.worker);
  }
  void operator()(const detail::TaskOutput& d) const {
    write_resource(out, d.resource_type, d.resource);
    write_text("output", d.output);
  }
  void operator()(const detail::TaskFailed& d) const {
    write_resource(out, d.resource_type, d.resource);
    write_failure(out, d.failure);
  }
  void operator()(const detail::EvaluationFailed& d) const {
    write_failure(out, d.failure);
    if (!d.location.empty()) out.key("location").string(d.location);
    out.key("state").string(d.state);
  }
  void operator()(const detail::ParallelStarted&) const {}
  void operator()(const detail::MapStarted& d) const {
    out.key("length").number(static_cast<std::int64_t>(d.length));
  }
  void operator()(const detail::IterationStarted& d) const {
    out.key("name").string(d.name).key("index").number(static_cast<std::int64_t>(d.index));
  }
  void operator()(const detail::IterationEnded& d) const {
    out.key("name").string(d.name).key("index").number(static_cast<std::int64_t>(d.index));
  }
  void operator()(const detail::WaitScheduled&) const {}
  void operator()(const detail::RetryScheduled&) const {}
  void operator()(const detail::BranchSucceeded&) const {}
  void operator()(const detail::MapRunStarted& d) const { out.key("mapRunArn").string(d.map_run_arn); }
  void operator()(const detail::ExecutionRedriven& d) const {
    out.key("redriveCount").number(static_cast<std::int64_t>(d.redrive_count));
  }
  void operator()(const detail::MapRunRedriven& d) const {
    out.key("mapRunArn").string(d.map_run_arn);
    out.key("redriveCount").number(static_cast<std::int64_t>(d.redrive_count));
  }
};

bool has_details(const Event& event) {
  return !std::holds_alternative<std::monostate>(event.details) &&
         !std::holds_alternative<detail::ParallelStarted>(event.details);
}

}  // namespace

void write_details(JsonWriter& out, const Event& event, bool data) {
  out.begin_object();
  std::visit(Write{out, event, data}, event.details);
  out.end_object();
}

void write_event(JsonWriter& out, const Event& event, bool data) {
  const std::int64_t ms = to_millis(event.time);
  char timestamp[32];
  const int length = std::snprintf(timestamp, sizeof timestamp, "%lld.%03d",
                                   static_cast<long long>(ms / 1000), static_cast<int>(ms % 1000));
  out.begin_object();
  out.key("timestamp").number_text({timestamp, static_cast<std::size_t>(length)});
  out.key("type").string(name_of(event.type));
  out.key("id").number(static_cast<std::int64_t>(event.number));
  out.key("previousEventId").number(static_cast<std::int64_t>(event.previous));
  if (has_details(event)) {
    out.key(details_name(event.type));
    write_details(out, event, data);
  }
  out.end_object();
}

}  // namespace millrace::states
