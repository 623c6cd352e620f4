#include "tests/simulation/ledger.h"

#include "base/random.h"
#include "orchestrator/engine.h"
#include "orchestrator/store/codec.h"

namespace millrace::simulation {
namespace {

using states::Event;
using states::EventType;
namespace detail = states::detail;
namespace waiting = states::waiting;

bool is_outcome(EventType type) {
  switch (type) {
    case EventType::TaskStartFailed:
    case EventType::TaskSubmitFailed:
    case EventType::TaskSucceeded:
    case EventType::TaskFailed:
    case EventType::TaskTimedOut:
    case EventType::LambdaFunctionScheduleFailed:
    case EventType::LambdaFunctionStartFailed:
    case EventType::LambdaFunctionSucceeded:
    case EventType::LambdaFunctionFailed:
    case EventType::LambdaFunctionTimedOut:
    case EventType::ActivityScheduleFailed:
    case EventType::ActivitySucceeded:
    case EventType::ActivityFailed:
    case EventType::ActivityTimedOut:
      return true;
    default:
      return false;
  }
}

// Equal but for the programs, which the engine and the ledger compiled each for themselves.
bool same(states::Execution a, states::Execution b) {
  for (auto* execution : {&a, &b}) {
    for (auto& [id, frame] : execution->frames) frame.program = nullptr;
    for (auto& [id, frame] : execution->fallen) frame.program = nullptr;
  }
  return a == b;
}

}  // namespace

void Ledger::wrong(ExecutionId id, const std::string& what) {
  findings_.add("execution " + std::to_string(id.value) + " at " + format_rfc3339(clock_.now()) + ": " +
                what);
}

const Ledger::Shadow* Ledger::find(ExecutionId id) const {
  const auto found = shadows_.find(id);
  return found == shadows_.end() ? nullptr : &found->second;
}

bool Ledger::outstanding(const TaskKey& key) const {
  const Shadow* shadow = find(key.execution);
  if (!shadow || shadow->execution.ended()) return false;
  for (const auto& task : states::outstanding(shadow->execution, *shadow->program)) {
    if (task.task == states::TaskAttempt{key.frame, key.visit, key.attempt}) return true;
  }
  return false;
}

void Ledger::check_view(ExecutionId id, const states::Execution& seen) {
  const Shadow* shadow = find(id);
  if (!shadow) return wrong(id, "the engine shows an execution that is not durable");
  if (!same(shadow->execution, seen))
    wrong(id, "the engine's view is not the fold of the events in the store");
}

std::vector<AppendResult> Ledger::commit(const std::vector<Append>& group) {
  auto results = store_->commit(group);
  if (!results) {
    findings_.add("commit: " + results.error().message);
    return std::vector<AppendResult>(group.size(), AppendResult::Conflict);
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    if ((*results)[i] == AppendResult::Ok) take(group[i]);
  }
  return *results;
}

void Ledger::take(const Append& append) {
  const ExecutionId id = append.row.id;
  auto& program = programs_[append.row.machine];
  if (!program) program = definitions::compile(store_->machine(append.row.machine)->definition).program;
  auto [at, fresh] = shadows_.try_emplace(id);
  Shadow& shadow = at->second;
  if (fresh) {
    shadow.program = program;
    const std::string& task = append.row.started_by;
    if (!task.empty() && !children_.emplace(task, id).second) wrong(id, "a second child of one task");
  }
  if (fresh || shadow.execution.ended()) ++unfinished_;
  if (append.expected != shadow.execution.events) wrong(id, "the history is not linear");

  const std::string row = orchestrator::encode_events(append.events);
  trace_ = mix(trace_, mix(hash64(row, id.value), static_cast<std::uint64_t>(to_millis(clock_.now()))));
  const auto events = orchestrator::decode_events(row);
  if (!events || *events != append.events) return wrong(id, "the row does not read back as it was written");
  for (const Event& event : *events) {
    check_event(id, shadow, event);
    states::evolve(shadow.execution, *shadow.program, event);
    shadow.last_time = event.time;
    ++events_;
    ++types_[event.type];
  }

  const states::Execution& now = shadow.execution;
  const std::string broken = states::check_consistent(now, *shadow.program);
  if (!broken.empty()) wrong(id, "inconsistent: " + broken);
  if (append.row.status != now.status || append.row.events != now.events ||
      append.row.started != now.started || append.row.stopped != now.stopped ||
      append.row.name != now.identity.name) {
    wrong(id, "the row does not say what the history says");
  }
  if (now.ended()) {
    --unfinished_;
    if (append.row.due || append.row.tasks_out) wrong(id, "an ended execution still waits, by its row");
  } else {
    if (append.row.due != states::next_due(now, *shadow.program))
      wrong(id, "the row has another due time than the history");
    if (append.row.tasks_out != !states::outstanding(now, *shadow.program).empty()) {
      wrong(id, "the row's tasks_out is not what the history says");
    }
  }
}

void Ledger::check_event(ExecutionId id, const Shadow& shadow, const Event& event) {
  const states::Execution& before = shadow.execution;
  const std::string name(states::name_of(event.type));
  if (before.ended() != (event.type == EventType::ExecutionRedriven))
    wrong(id, name + (before.ended() ? " after its end" : " before its end"));
  if (before.events == 0 && event.type != EventType::ExecutionStarted) wrong(id, "begins with " + name);
  if (before.events > 0 && event.type == EventType::ExecutionStarted) wrong(id, "starts twice");
  if (event.number != before.visible_events + (states::visible(event.type) ? 1 : 0))
    wrong(id, name + " has a wrong number");
  if (states::visible(event.type) && event.previous >= event.number)
    wrong(id, name + " follows itself or a later one");
  if (event.time < shadow.last_time || event.time > clock_.now())
    wrong(id, name + " has a time out of order");
  const auto frame = before.frames.find(event.frame);
  if (frame == before.frames.end()) {
    if (event.frame.value != 0 && is_outcome(event.type)) wrong(id, name + " of a frame that is not there");
    return;
  }
  if (is_outcome(event.type)) check_outcome(id, frame->second, event);
  const auto* wait = std::get_if<waiting::ForTime>(&frame->second.waiting);
  if (wait && event.type == EventType::WaitStateExited && event.time < wait->due)
    wrong(id, "a Wait ended early");
  const auto* retry = std::get_if<waiting::ForRetry>(&frame->second.waiting);
  if (retry && (event.type == EventType::TaskScheduled || event.type == EventType::LambdaFunctionScheduled) &&
      event.time < retry->due) {
    wrong(id, "a retry began early");
  }
}

// What a task that waits for its child tells is how the child has ended.
void Ledger::check_nested(ExecutionId id, const TaskKey& key, bool succeeded) {
  const auto found = children_.find(orchestrator::parent_text({key, true}));
  if (found == children_.end()) {
    if (succeeded) wrong(id, "a nested task succeeded without a child");
    return;
  }
  const Shadow* child = find(found->second);
  if (succeeded && child->execution.status != states::ExecutionStatus::Succeeded)
    wrong(id, "a nested task succeeded, and its child did not");
}

void Ledger::check_outcome(ExecutionId id, const states::Frame& frame, const Event& event) {
  const std::string name(states::name_of(event.type));
  const auto* task = std::get_if<waiting::ForTask>(&frame.waiting);
  const TaskKey key{id, frame.id, frame.entered, frame.attempt};
  if (!task) return wrong(id, name + " though no attempt is out");
  if (!recorded_.insert(key).second) wrong(id, name + ": a second outcome of one attempt");
  const auto& kind = frame.program->node(frame.node).kind;
  const auto* definition = std::get_if<definitions::Task>(&kind);
  if (definition && definition->resource.arn.find("states:startExecution") != std::string::npos)
    return check_nested(id, key, event.type == EventType::TaskSucceeded);
  const auto delivered = delivered_.find(key);
  if (const auto* output = std::get_if<detail::TaskOutput>(&event.details)) {
    if (delivered == delivered_.end() || !delivered->second ||
        delivered->second->text() != output->output.text()) {
      wrong(id, name + " of an output that no runner reported");
    }
  }
  const auto* failed = std::get_if<detail::TaskFailed>(&event.details);
  if (event.type == EventType::TaskTimedOut || event.type == EventType::LambdaFunctionTimedOut) {
    const bool heartbeat = failed && failed->failure.error == error_names::kHeartbeatTimeout;
    if (!heartbeat && (!task->deadline || event.time < *task->deadline)) wrong(id, "a task timed out early");
  } else if (failed && (delivered == delivered_.end() || delivered->second) &&
             !failed->failure.cause.starts_with("No task runner here serves")) {
    wrong(id, name + " (" + failed->failure.error + ") that no runner reported");
  }
}

}  // namespace millrace::simulation
