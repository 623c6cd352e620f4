#include "service/ops/state_machine_logs.h"

#include "orchestrator/machines.h"
#include "service/api/logs.h"
#include "states/history_json.h"

namespace millrace::service {
namespace {

constexpr std::size_t kEventMemory = 400;
constexpr std::size_t kKnownMax = 10'000;  // configurations remembered

LogLevel level_of(std::string_view name) {
  if (name == "ALL") return LogLevel::All;
  if (name == "ERROR") return LogLevel::Error;
  return name == "FATAL" ? LogLevel::Fatal : LogLevel::Off;
}

// {"id","type","details","redrive_count","previous_event_id","event_timestamp","execution_arn"}
std::string line_of(const states::Event& event, const std::string& arn, std::uint32_t redrives, bool data) {
  JsonWriter out;
  out.begin_object().key("id").string(std::to_string(event.number)).key("type").string(name_of(event.type));
  out.key("details");
  states::write_details(out, event, data);
  out.key("redrive_count").string(std::to_string(redrives));
  out.key("previous_event_id").string(std::to_string(event.previous));
  out.key("event_timestamp").string(std::to_string(to_millis(event.time)));
  out.key("execution_arn").string(arn).end_object();
  return std::string(out.finish().text());
}

// What an event keeps in memory while it waits, about.
std::size_t memory_of(const states::Event& event) {
  return kEventMemory + std::visit(
                            [](const auto& details) {
                              std::size_t bytes = 0;
                              if constexpr (requires { details.input; }) bytes += details.input.text().size();
                              if constexpr (requires { details.parameters; })
                                bytes += details.parameters.text().size();
                              if constexpr (requires { details.output.text(); })
                                bytes += details.output.text().size();
                              if constexpr (requires { details.failure; })
                                bytes += details.failure.error.size() + details.failure.cause.size();
                              return bytes;
                            },
                            event.details);
}

// What one step of an execution has to log, until the writer's thread makes lines of it.
struct ShownEvents {
  std::string group, machine, arn;
  std::uint32_t redrives = 0;
  LogLevel level = LogLevel::All;
  bool data = false;
  orchestrator::KeptEvents events;

  void operator()(std::vector<LogLine>& lines) const {
    for (const states::Event& event : *events) {
      if (!shows(level, event.type)) continue;
      const std::string day = format_rfc3339(event.time).substr(0, 10);
      lines.push_back(
          {group, "states/" + machine + "/" + day, event.time, line_of(event, arn, redrives, data)});
    }
  }
};

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
  const states::ExecutionIdentity& identity = what.execution.identity;
  std::size_t count = 0, bytes = 0;
  for (const states::Event& event : events) {
    bytes += memory_of(event);  // all are kept
    count += shows(configuration.level, event.type);
  }
  if (count == 0) return;
  writer_.write_later(
      {count, bytes,
       ShownEvents{configuration.group, identity.machine_name, identity.arn, what.execution.redrives,
                   configuration.level, configuration.data, what.kept}});
}

}  // namespace millrace::service
