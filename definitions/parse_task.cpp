#include "definitions/parse.h"

namespace millrace::definitions {
namespace {

void parse_credentials(Parsing& p, Task& task) {
  const JsonView value = p.fields.object("Credentials");
  if (!value) return;
  if (!value.find("RoleArn") && !value.find("RoleArn.$")) {
    p.fields.error_at("Credentials", "The field 'RoleArn' is required but was missing",
                      p.fields.takes("Credentials"));
  } else {
    task.credentials = p.fields.payload_template("Credentials");
  }
}

// What an Express execution can't wait for.
void check_express(Parsing& p, const Resource& resource) {
  std::string_view what;
  if (resource.family == TaskFamily::Activity) {
    what = "Activity ARN";
  } else if (resource.pattern == TaskPattern::WaitForTaskToken) {
    what = "'.waitForTaskToken' service integration ";  // with a blank at the end, as AWS has it
  } else if (resource.pattern == TaskPattern::Sync) {
    what = "'.sync' service integration";
  } else {
    return;
  }
  p.fields.error_at("Resource", "Express state machine does not support " + std::string(what),
                    "make the state machine STANDARD, or start the work without waiting for it");
}

}  // namespace

void parse_task(Parsing& p) {
  Task task;
  p.fields.require({"Resource"});
  if (const std::optional<std::string> arn = p.fields.text("Resource")) {
    auto resource = parse_resource(*arn);
    if (resource) {
      if (p.source.express) check_express(p, *resource);
      task.resource = std::move(*resource);
    } else {
      p.fields.error_at("Resource", resource.error().message, resource.error().hint);
    }
  }
  task.timeout_seconds = parse_number_or_path(p, "TimeoutSeconds", 1, kSecondsMax);
  task.heartbeat_seconds = parse_number_or_path(p, "HeartbeatSeconds", 1, kSecondsMax);
  if (task.timeout_seconds.value && task.heartbeat_seconds.value &&
      *task.heartbeat_seconds.value >= *task.timeout_seconds.value) {
    p.fields.error_at("HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds",
                      "TimeoutSeconds is " + std::to_string(*task.timeout_seconds.value));
  }
  parse_credentials(p, task);
  p.node.kind = std::move(task);
  parse_transition(p);
  parse_error_policy(p);
}

}  // namespace millrace::definitions
