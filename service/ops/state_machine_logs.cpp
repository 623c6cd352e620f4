#include "service/ops/state_machine_logs.h"

#include "orchestrator/machines.h"
#include "service/api/logs.h"
#include "states/history_json.h"

namespace millrace::service {
namespace {

constexpr std::size_t kKnownMax = 10'000;  // configurations remembered

LogLevel level_of(std::string_view name) {
  if (name == "ALL") return LogLevel::All;
  if (name == "ERROR") return LogLevel::Error;
  return name == "FATAL" ? LogLevel::Fatal : LogLevel::Off;
}

// {"id","type","details","redrive_count","previous_event_id","event_timestamp","execution_arn"}
std::string line_of(const states::Event& event, const states::Execution& execution, bool data) {
  JsonWriter shown;
  states::write_event(shown, event, data);
  const Payload document = shown.finish();
  JsonWriter out;
  out.begin_object().key("id").string(std::to_string(event.number)).key("type").string(name_of(event.type));
  out.key("details");
  JsonView details;
  for (const auto [key, value] : document.view().members()) {
    if (value.is_object() && key.string().ends_with("EventDetails")) details = value;
  }
  if (details) {
    out.value(details);
  } else {
    out.begin_object().end_object();
  }
  out.key("redrive_count").string(std::to_string(execution.redrives));
  out.key("previous_event_id").string(std::to_string(event.previous));
  out.key("event_timestamp").string(std::to_string(to_millis(event.time)));
  out.key("execution_arn").string(execution.identity.arn).end_object();
  return std::string(out.finish().text());
}

}  // namespace

bool shows(LogLevel level, states::EventType type) {
  using states::EventType;
  if (level == LogLevel::Off || !states::visible(type)) return false;
  if (level == LogLevel::All) return true;
  switch (type) {
    case EventType::ExecutionFailed:
    case EventType::ExecutionAborted:
    case EventType::ExecutionTimedOut:
      return true;
    case EventType::FailStateEntered:
    case EventType::WaitStateAborted:
    case EventType::TaskStateAborted:
    case EventType::TaskStartFailed:
    case EventType::TaskSubmitFailed:
    case EventType::TaskFailed:
    case EventType::TaskTimedOut:
    case EventType::LambdaFunctionScheduleFailed:
    case EventType::LambdaFunctionStartFailed:
    case EventType::LambdaFunctionFailed:
    case EventType::LambdaFunctionTimedOut:
    case EventType::ActivityScheduleFailed:
    case EventType::ActivityFailed:
    case EventType::ActivityTimedOut:
    case EventType::ParallelStateFailed:
    case EventType::ParallelStateAborted:
    case EventType::MapStateFailed:
    case EventType::MapStateAborted:
    case EventType::MapIterationFailed:
    case EventType::MapIterationAborted:
    case EventType::MapRunFailed:
    case EventType::MapRunAborted:
    case EventType::EvaluationFailed:
      return level == LogLevel::Error;
    default:
      return false;
  }
}

const StateMachineLogs::Configuration& StateMachineLogs::of(const orchestrator::Observed& what) {
  const orchestrator::MachineRow& row = what.machine.row;
  const auto found = known_.find(row.id);
  if (found != known_.end()) return found->second;
  if (known_.size() >= kKnownMax) known_.clear();
  Configuration& made = known_[row.id];
  const auto document = Payload::parse(row.logging);
  if (row.logging.empty() || !document) return made;
  const JsonView logging = document->view();
  if (const JsonView level = logging.find("level"); level && level.is_string())
    made.level = level_of(level.string());
  if (const JsonView data = logging.find("includeExecutionData"); data) made.data = data.boolean();
  const JsonView destinations = logging.find("destinations");
  const JsonView first = destinations && destinations.size() > 0 ? destinations.at(0) : JsonView();
  const JsonView group = first ? first.find("cloudWatchLogsLogGroup") : JsonView();
  const JsonView arn = group && group.is_object() ? group.find("logGroupArn") : JsonView();
  if (arn && arn.is_string()) made.group = api::log_group_name(arn.string());
  if (made.group.empty()) made.level = LogLevel::Off;
  return made;
}

bool StateMachineLogs::wants(const orchestrator::Observed& what) {
  return !what.machine.row.logging.empty() && of(what).level != LogLevel::Off;
}

void StateMachineLogs::on_step(const orchestrator::Observed& what, const orchestrator::StepTally&,
                               std::span<const states::Event> events) {
  if (events.empty() || what.machine.row.logging.empty()) return;
  const Configuration& configuration = of(what);
  if (configuration.level == LogLevel::Off) return;
  for (const states::Event& event : events) {
    if (!shows(configuration.level, event.type)) continue;
    const std::string day = format_rfc3339(event.time).substr(0, 10);
    writer_.write({configuration.group, "states/" + what.execution.identity.machine_name + "/" + day,
                   event.time, line_of(event, what.execution, configuration.data)});
  }
}

}  // namespace millrace::service
