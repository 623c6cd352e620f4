#include "orchestrator/nested_runner.h"

#include <charconv>
#include <utility>

#include "base/random.h"
#include "orchestrator/arns.h"
#include "orchestrator/aws_errors.h"
#include "orchestrator/nested_answers.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kNull = "failed to satisfy constraint: Member must not be null";

// The same for the same attempt, in every life of the engine.
Random random_of(const TaskKey& key) {
  return Random(mix(mix(key.execution.value, key.frame.value), mix(key.visit, key.attempt)));
}
std::string child_name(const TaskKey& key) {
  Random random = random_of(key).derive("child");
  return uuid_v4(random);
}
std::string request_id(const TaskKey& key) {
  Random random = random_of(key).derive("request");
  return uuid_v4(random);
}

std::string text_at(JsonView arguments, std::string_view name) {
  const JsonView value = arguments.find(name);
  return value && value.is_string() ? value.string() : std::string();
}

// A parameter that the API has as text that holds JSON: given as text or as the document itself.
Result<Payload> document_at(JsonView arguments, std::string_view name) {
  const JsonView value = arguments.find(name);
  if (!value || value.kind() == JsonKind::Null) return Payload::empty_object();
  if (!value.is_string()) return Payload::of(value);
  auto parsed = Payload::parse(value.string());
  if (!parsed) return invalid("Invalid State Machine Execution Input: '" + parsed.error().message + "'");
  return *std::move(parsed);
}

std::optional<states::ExecutionStatus> status_named(std::string_view name) {
  using states::ExecutionStatus;
  for (const auto status : {ExecutionStatus::Running, ExecutionStatus::Succeeded, ExecutionStatus::Failed,
                            ExecutionStatus::TimedOut, ExecutionStatus::Aborted}) {
    if (states::name_of(status) == name) return status;
  }
  return std::nullopt;
}

// The API's name of an error, by its text or, failing that, by its kind.
std::string_view name_of_error(const Error& error) {
  const std::string_view name = aws_name_in_text(error.message);
  if (!name.empty()) return name;
  switch (error.code) {
    case ErrorCode::InvalidArgument:
      return "ValidationException";
    case ErrorCode::Conflict:
      return "ConflictException";
    default:
      return "InternalFailure";
  }
}

}  // namespace

struct NestedRunner::Call {
  TaskKey key;
  Payload arguments;
  Report report;
  bool sdk = false;
  Pattern pattern = Pattern::Request;
  bool cancelled = false;
  bool express = false;  // startSyncExecution: the answer is the child's end
  std::optional<Started> child;

  bool waits() const { return pattern == Pattern::Sync || pattern == Pattern::Sync2 || express; }
  JsonView view() const { return arguments.view(); }
  std::string execution_arn() const { return text_at(view(), "ExecutionArn"); }
};

NestedRunner::NestedRunner(Engine& engine, Loop& loop, TaskRunner& inner)
    : engine_(engine), loop_(loop), inner_(inner), self_(std::make_shared<NestedRunner*>(this)) {}

NestedRunner::~NestedRunner() {
  *self_ = nullptr;
}

std::optional<NestedRunner::Parsed> NestedRunner::parse(std::string_view resource) {
  static constexpr Action kActions[] = {
      {"startExecution", &NestedRunner::start_execution},
      {"startSyncExecution", &NestedRunner::start_sync_execution},
      {"describeExecution", &NestedRunner::describe_execution},
      {"listExecutions", &NestedRunner::list_executions},
      {"redriveExecution", &NestedRunner::redrive_execution},
      {"sendTaskFailure", &NestedRunner::send_task_failure},
      {"sendTaskHeartbeat", &NestedRunner::send_task_heartbeat},
      {"sendTaskSuccess", &NestedRunner::send_task_success},
      {"stopExecution", &NestedRunner::stop_execution},
  };
  static constexpr std::pair<std::string_view, Pattern> kPatterns[] = {
      {".sync", Pattern::Sync}, {".sync:2", Pattern::Sync2}, {".waitForTaskToken", Pattern::Token}};
  static constexpr std::string_view kOptimized = "arn:aws:states:::states:";
  static constexpr std::string_view kSdk = "arn:aws:states:::aws-sdk:sfn:";
  Parsed parsed;
  parsed.sdk = resource.starts_with(kSdk);
  if (!parsed.sdk && !resource.starts_with(kOptimized)) return std::nullopt;
  resource.remove_prefix(parsed.sdk ? kSdk.size() : kOptimized.size());
  const std::string_view suffix = resource.substr(std::min(resource.size(), resource.find('.')));
  resource.remove_suffix(suffix.size());
  for (const Action& action : kActions) {
    if (action.name == resource) parsed.action = &action;
    if (!parsed.sdk) break;  // optimized: startExecution alone
  }
  if (!parsed.action) return std::nullopt;
  if (suffix.empty()) return parsed;
  for (const auto& [text, pattern] : kPatterns) {
    if (text != suffix || (parsed.sdk && pattern != Pattern::Token)) continue;
    parsed.pattern = pattern;
    return parsed;
  }
  return std::nullopt;
}

bool NestedRunner::serves(const std::string& resource) const {
  return (engine_.settings().nested_executions && parse(resource)) || inner_.serves(resource);
}

void NestedRunner::start(TaskRequest request, Report report) {
  const auto parsed = engine_.settings().nested_executions ? parse(request.resource) : std::nullopt;
  if (!parsed) return inner_.start(std::move(request), std::move(report));
  const auto call = std::make_shared<Call>();
  call->key = request.key;
  call->arguments = std::move(request.arguments);
  call->report = std::move(report);
  call->sdk = parsed->sdk;
  call->pattern = parsed->pattern;
  calls_[call->key] = call;
  // From the loop: whoever started the execution of this task hears of that before it acts.
  loop_.post([alive = self_, call, run = parsed->action->run] {
    if (*alive && !call->cancelled) ((*alive)->*run)(call);
  });
}

void NestedRunner::cancel(const TaskKey& key) {
  const auto it = calls_.find(key);
  if (it == calls_.end()) return inner_.cancel(key);
  const CallPtr call = it->second;
  calls_.erase(it);
  call->cancelled = true;
  stop_child(*call);
}

void NestedRunner::stop_child(const Call& call) {
  if (!call.waits() || !call.child) return;
  engine_.stop_execution(call.child->id, {{}, {}, false, false}, [](const Status&) {});
}

void NestedRunner::finish(const CallPtr& call, Outcome outcome) {
  if (call->cancelled) return;
  calls_.erase(call->key);
  call->report(call->key, std::move(outcome));
}

void NestedRunner::refuse(const CallPtr& call, const Error& error) {
  finish(call, tl::unexpected<Failure>(
                   api_failure(name_of_error(error), error.message, call->sdk, request_id(call->key))));
}

// ---- startExecution

void NestedRunner::start_sync_execution(const CallPtr& call) {
  call->express = true;
  start_execution(call);
}

void NestedRunner::start_execution(const CallPtr& call) {
  StartRequest request;
  request.machine = text_at(call->view(), "StateMachineArn");
  if (request.machine.empty())
    return refuse(call, {ErrorCode::InvalidArgument,
                         "1 validation error detected: Value null at 'stateMachineArn' " + std::string(kNull),
                         {}});
  request.name = text_at(call->view(), "Name");
  if (request.name.empty()) request.name = child_name(call->key);
  auto input = document_at(call->view(), "Input");
  if (!input) return refuse(call, input.error());
  request.input = *std::move(input);
  request.parent = Parent{call->key, call->waits()};
  std::function<void(const Ended&)> ended;
  if (call->waits()) {
    request.only = call->express ? MachineType::Express : MachineType::Standard;
    ended = [alive = self_, call, input = request.input](const Ended& end) {
      if (!*alive) return;
      if (call->express) return (*alive)->on_express_ended(call, input, end);
      (*alive)->on_child_ended(call);
    };
  }
  engine_.start_execution(
      std::move(request),
      [alive = self_, call](const Result<Started>& started) {
        if (*alive) (*alive)->on_started(call, started);
      },
      std::move(ended));
}

void NestedRunner::on_started(const CallPtr& call, const Result<Started>& started) {
  if (!started) return refuse(call, started.error());
  call->child = *started;
  if (call->cancelled) return stop_child(*call);
  if (call->express) return;
  Payload answer = started_answer(*started, call->sdk, request_id(call->key));
  if (!call->waits()) return finish(call, std::move(answer));
  call->report(call->key, Submitted{std::move(answer)});
}

void NestedRunner::on_child_ended(const CallPtr& call) {
  if (call->cancelled || !call->child) return;
  engine_.queries().describe(call->child->arn, [alive = self_, call](const Result<ExecutionView>& view) {
    if (!*alive) return;
    if (!view) return (*alive)->refuse(call, view.error());
    if (view->output) return (*alive)->finish(call, child_answer(*view, call->pattern == Pattern::Sync2));
    Failure failure;
    failure.error = std::string(error_names::kTaskFailed);
    failure.cause = std::string(child_answer(*view, false).text());
    (*alive)->finish(call, tl::unexpected<Failure>(std::move(failure)));
  });
}

void NestedRunner::on_express_ended(const CallPtr& call, const Payload& input, const Ended& end) {
  if (call->cancelled || !call->child) return;
  const std::string given = text_at(call->view(), "StateMachineArn");
  const auto arn = parse_arn(given, "stateMachine");
  finish(call, sync_answer(*call->child, arn ? arn->unqualified() : machine_arn(engine_.settings(), given),
                           input, end, loop_.clock().now()));
}

// ---- aws-sdk:sfn

void NestedRunner::describe_execution(const CallPtr& call) {
  engine_.queries().describe(call->execution_arn(), [alive = self_, call](const Result<ExecutionView>& view) {
    if (!*alive) return;
    NestedRunner& runner = **alive;
    if (!view) return runner.refuse(call, view.error());
    const std::string_view why_not =
        not_redrivable(*view, runner.loop_.clock().now(), runner.engine_.settings().limits);
    runner.finish(call, described_answer(*view, why_not));
  });
}

void NestedRunner::list_executions(const CallPtr& call) {
  ListRequest request;
  request.arn = text_at(call->view(), "StateMachineArn");
  request.map_run = text_at(call->view(), "MapRunArn");
  request.status = status_named(text_at(call->view(), "StatusFilter"));
  if (const std::string redriven = text_at(call->view(), "RedriveFilter"); !redriven.empty())
    request.redriven = redriven == "REDRIVEN";
  if (const JsonView most = call->view().find("MaxResults"); most && most.integer().value_or(0) > 0)
    request.limit = static_cast<std::size_t>(std::min<std::int64_t>(*most.integer(), 1000));
  const std::string token = text_at(call->view(), "NextToken");
  std::from_chars(token.data(), token.data() + token.size(), request.before.value);
  if (!token.empty() && std::to_string(request.before.value) != token)
    return refuse(call, {ErrorCode::InvalidArgument, "Invalid Token: 'Invalid token'", {}});
  engine_.queries().list(request, [alive = self_, call](const Result<ExecutionPage>& page) {
    if (!*alive) return;
    if (!page) return (*alive)->refuse(call, page.error());
    (*alive)->finish(call, listed_answer(*page, (*alive)->engine_.settings()));
  });
}

void NestedRunner::stop_execution(const CallPtr& call) {
  const JsonView error = call->view().find("Error"), cause = call->view().find("Cause");
  Failure reason{text_at(call->view(), "Error"), text_at(call->view(), "Cause"), static_cast<bool>(error),
                 static_cast<bool>(cause)};
  engine_.queries().find(call->execution_arn(), [alive = self_, call, reason = std::move(reason)](
                                                    const Result<ExecutionRow>& row) {
    if (!*alive) return;
    if (!row || row->status != states::ExecutionStatus::Running) return (*alive)->answer_stopped(call, row);
    (*alive)->engine_.stop_execution(row->id, reason, [alive, call](const Status& stopped) {
      if (!*alive) return;
      if (!stopped) return (*alive)->refuse(call, stopped.error());
      (*alive)->engine_.queries().find(call->execution_arn(),
                                       [alive, call](const Result<ExecutionRow>& after) {
                                         if (*alive) (*alive)->answer_stopped(call, after);
                                       });
    });
  });
}

void NestedRunner::answer_stopped(const CallPtr& call, const Result<ExecutionRow>& row) {
  if (!row) return refuse(call, row.error());
  finish(call, time_answer("StopDate", row->stopped.value_or(row->started)));
}

void NestedRunner::redrive_execution(const CallPtr& call) {
  const auto answer = [alive = self_, call](const Result<Instant>& redriven) {
    if (!*alive) return;
    if (redriven) return (*alive)->finish(call, time_answer("RedriveDate", *redriven));
    if (redriven.error().code != ErrorCode::InvalidArgument) return (*alive)->refuse(call, redriven.error());
    (*alive)->finish(call,
                     tl::unexpected<Failure>(api_failure("ExecutionNotRedrivable", redriven.error().message,
                                                         call->sdk, request_id(call->key))));
  };
  engine_.redrive_execution(call->execution_arn(), text_at(call->view(), "ClientToken"), answer);
}

void NestedRunner::send_task_success(const CallPtr& call) {
  const std::string token = text_at(call->view(), "TaskToken");
  auto output = document_at(call->view(), "Output");
  if (output) return engine_.send_task_success(token, *std::move(output), answered(call));
  // A token that is none is told before an output that is none.
  engine_.send_task_heartbeat(token, [alive = self_, call](const Status& known) {
    if (!*alive) return;
    if (!known) return (*alive)->refuse(call, known.error());
    (*alive)->refuse(call, {ErrorCode::InvalidArgument, "Invalid Output: 'Output is not valid JSON'", {}});
  });
}

void NestedRunner::send_task_failure(const CallPtr& call) {
  const JsonView error = call->view().find("Error"), cause = call->view().find("Cause");
  engine_.send_task_failure(text_at(call->view(), "TaskToken"),
                            {text_at(call->view(), "Error"), text_at(call->view(), "Cause"),
                             static_cast<bool>(error), static_cast<bool>(cause)},
                            answered(call));
}

void NestedRunner::send_task_heartbeat(const CallPtr& call) {
  engine_.send_task_heartbeat(text_at(call->view(), "TaskToken"), answered(call));
}

std::function<void(Status)> NestedRunner::answered(const CallPtr& call) {
  return [alive = self_, call](const Status& done) {
    if (!*alive) return;
    if (!done) return (*alive)->refuse(call, done.error());
    (*alive)->finish(call, Payload::empty_object());
  };
}

}  // namespace millrace::orchestrator
