#include "tasks/integrations/integrations.h"

#include "base/random.h"
#include "tasks/integrations/http/function_url.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kHttpInvoke = "http:invoke";
constexpr std::string_view kToken = ".waitForTaskToken";
constexpr std::size_t kCommandsWaitingMax = 10'000;
constexpr Millis kCommandGrace{10'000}, kClosingGrace{2'000};

bool is_http_invoke(std::string_view resource) {
  std::string_view part = mapped_part(resource);
  if (part.ends_with(kToken)) part.remove_suffix(kToken.size());
  return part == kHttpInvoke;
}

// What a mapped URL answered: its JSON is the result.
Outcome url_outcome(const TransferAnswer& answer) {
  if (answer.end != TransferAnswer::End::Answered) return http_outcome(answer);
  if (answer.status < 200 || answer.status > 299) {
    if (auto failure = failure_in(answer.body)) return tl::unexpected<Failure>(*failure);
    return http_outcome(answer);
  }
  if (answer.body.find_first_not_of(" \t\r\n") == std::string::npos) return Payload::empty_object();
  auto result = Payload::parse(answer.body);
  if (!result)
    return failed(error_names::kTaskFailed,
                  "the URL must answer with one JSON document: " + result.error().message);
  return std::move(*result);
}

}  // namespace

Integrations::Integrations(Settings settings, IntegrationSettings read, FunctionHost& functions,
                           QueueSender queues, const Clock& clock)
    : settings_(std::move(settings)),
      functions_(functions),
      queues_(std::move(queues)),
      clock_(clock),
      mappings_(settings_.home / "integrations.json"),
      transfers_(std::move(read.http)),
      tokens_(transfers_, clock),
      commands_at_once_(read.commands_at_once) {
  event_settings_.retention_days = read.event_days;
  event_settings_.events_max = read.events_max;
  event_settings_.place = settings_.place;
  event_settings_.seed = mix(settings_.seed, 1);
  delivery_settings_ = std::move(read.delivery);
  delivery_settings_.files = settings_.home / "notifications";
  delivery_settings_.place = settings_.place;
  dead_letter_days_ = read.dead_letter_days;
}

Result<std::unique_ptr<Integrations>> Integrations::open(Settings settings, FunctionHost& functions,
                                                         QueueSender queues, const Clock& clock) {
  const std::filesystem::path home = settings.home;
  MR_TRY(read, read_integration_settings(home / "integrations.json"));
  std::unique_ptr<Integrations> made(
      new Integrations(std::move(settings), std::move(read), functions, std::move(queues), clock));
  MR_TRY(connections, Connections::open(home / "connections.json", made->settings_.place, clock,
                                        mix(made->settings_.seed, 2)));
  made->connections_ = std::move(connections);
  HttpInvoker::Settings http;
  http.user_agent += "|" + made->settings_.place.region;
  http.response_bytes_max = made->settings_.result_bytes_max;
  made->http_ =
      std::make_unique<HttpInvoker>(made->transfers_, *made->connections_, made->tokens_, std::move(http));
  std::error_code code;
  if (std::filesystem::exists(home / "topics.db", code)) MR_DO(made->topics());
  return made;
}

Integrations::~Integrations() {
  shut_down();
}

void Integrations::shut_down() {
  closing_ = true;
  Deliverer* deliverer = nullptr;
  {
    const std::lock_guard lock(mutex_);
    deliverer = deliverer_.get();
  }
  if (deliverer) deliverer->shut_down();
  transfers_.shut_down();
  std::unique_ptr<WorkerPool> commands;
  {
    const std::lock_guard lock(mutex_);
    commands = std::move(commands_);
  }
  commands.reset();
}

Result<EventLog*> Integrations::events() {
  const std::lock_guard lock(mutex_);
  if (!events_) {
    MR_TRY(opened, EventLog::open((settings_.home / "events.db").string(), event_settings_, clock_));
    events_ = std::move(opened);
  }
  return events_.get();
}

Result<Topics*> Integrations::topics() {
  const std::lock_guard lock(mutex_);
  if (topics_) return topics_.get();
  if (closing_) return fail(ErrorCode::Unavailable, "the home is being closed");
  Topics::Settings settings;
  settings.place = settings_.place;
  settings.seed = mix(settings_.seed, 3);
  settings.dead_letter_days = dead_letter_days_;
  settings.refuse = [this](const std::string& protocol, const std::string& endpoint) {
    return refuse_endpoint(delivery_settings_, queues_ != nullptr, protocol, endpoint);
  };
  settings.published = [this] { deliverer_->wake(); };
  delivery_settings_.prepare = settings_.prepare;
  MR_TRY(opened, Topics::open((settings_.home / "topics.db").string(), std::move(settings), clock_));
  topics_ = std::move(opened);
  deliverer_ =
      std::make_unique<Deliverer>(*topics_, transfers_, functions_, queues_, delivery_settings_, clock_);
  return topics_.get();
}

Status Integrations::check_mappings() {
  const auto found = mappings_.find("");
  return found ? Status() : Status(fail(found.error()));
}

bool Integrations::serves(const std::string& resource) {
  const auto mapping = mappings_.find(resource);
  return (mapping && *mapping) || is_http_invoke(resource);
}

Integrations::Cancel Integrations::start(MappedCall call, Reply reply) {
  const auto found = mappings_.find(call.resource);
  if (found && *found) {
    const Mapping& mapping = **found;
    return mapping.command.empty() ? start_url(mapping, call, std::move(reply))
                                   : start_command(mapping, std::move(call), std::move(reply));
  }
  if (is_http_invoke(call.resource))
    return http_->start(call.arguments, std::move(reply), std::move(call.watch));
  return {};
}

Integrations::Cancel Integrations::start_command(const Mapping& mapping, MappedCall call, Reply reply) {
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  CommandSurroundings around;
  around.home = settings_.home;
  around.scratch_name = std::to_string(++serial_);
  around.output_bytes_max = settings_.result_bytes_max;
  around.uptime = [this] { return clock_.uptime(); };
  around.grace = [this] { return closing_.load() ? kClosingGrace : kCommandGrace; };
  around.cancelled = [this, cancelled] { return cancelled->load() || closing_.load(); };
  const auto work = [this, mapping, call = std::move(call), around, cancelled, reply] {
    if (cancelled->load() || closing_.load()) return;
    Outcome outcome = run_mapped_command(mapping, call, around);
    if (!cancelled->load() && !closing_.load()) reply(std::move(outcome));
  };
  bool taken = false;
  {
    const std::lock_guard lock(mutex_);
    if (!commands_ && !closing_)
      commands_ = std::make_unique<WorkerPool>(static_cast<int>(commands_at_once_), kCommandsWaitingMax);
    taken = commands_ && commands_->submit(work);
  }
  if (!taken) reply(failed(error_names::kTaskFailed, "too many commands are waiting; try again later"));
  return [cancelled] { *cancelled = true; };
}

Integrations::Cancel Integrations::call_function(UrlCall call, Reply reply) {
  const Millis time_max = call.time_max;
  return http_->start(function_request(call), time_max, function_outcome, std::move(reply));
}

Integrations::Cancel Integrations::start_url(const Mapping& mapping, const MappedCall& call, Reply reply) {
  HttpTask task;
  task.method = "POST";
  task.endpoint = mapping.url;
  task.body = call.arguments;
  // A string is its JSON text, not its characters.
  if (call.arguments.view().is_string()) task.body = Payload::string(call.arguments.text());
  task.has_body = true;
  task.connection = mapping.connection;
  const std::pair<const char*, const std::string&> told[] = {
      {"Idempotency-Key", call.key},
      {"X-Millrace-Resource", call.resource},
      {"X-Millrace-Execution-Arn", call.execution_arn},
      {"X-Millrace-Task-Token", call.task_token},
  };
  for (const auto& [name, value] : told)
    if (!value.empty()) task.headers.push_back({name, value});
  for (const auto& [name, value] : mapping.headers) task.headers.push_back({name, value});
  return http_->start(std::move(task), mapping.time_max, url_outcome, std::move(reply));
}

}  // namespace millrace::tasks
