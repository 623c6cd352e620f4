#include "tasks/runner.h"

#include <atomic>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/log.h"
#include "tasks/approvals/approvals.h"
#include "tasks/artifacts/content_hashes.h"
#include "tasks/artifacts/remote_store.h"
#include "tasks/catalog.h"
#include "tasks/deployment/async_invocations.h"
#include "tasks/deployment/deployments.h"
#include "tasks/features/feature_service.h"
#include "tasks/functions/invoke.h"
#include "tasks/integrations/data_services.h"
#include "tasks/integrations/integrations.h"
#include "tasks/jobs/state_changes.h"
#include "tasks/labelling/label_service.h"
#include "tasks/request_ids.h"
#include "tasks/runner_context.h"
#include "tasks/steps/step_cache.h"
#include "tasks/storage/remote_settings.h"
#include "tasks/worker_pool.h"

namespace millrace::tasks {

using orchestrator::Heartbeat;
using orchestrator::Submitted;
using orchestrator::TaskKey;
using orchestrator::TaskReport;
using orchestrator::TaskRequest;

namespace {

// One call, shared by the loop and the thread that works on it. All but the flag is constant.
struct Attempt {
  TaskResource resource;  // no kind: a function
  Payload arguments;
  std::uint64_t invocation = 0;  // of a function; loop thread only
  Integrations::Cancel cancel;   // of an integration; loop thread only
  std::string key, caller, execution_arn;
  std::atomic<bool> cancelled{false};
};

struct Listener {
  std::shared_ptr<Attempt> attempt;
  TaskLibraryRunner::Report report;
  std::optional<Payload> submitted;  // said again to whoever re-attaches
};

std::string text_of(const TaskKey& key) {
  return std::to_string(key.execution.value) + "/" + std::to_string(key.frame.value) + "/" +
         std::to_string(key.visit) + "/" + std::to_string(key.attempt);
}

}  // namespace

struct RunnerCore {
  TaskLibraryRunner::Settings settings;
  TaskLibraryRunner::Post post;
  const Clock& clock;
  std::unique_ptr<Jobs> jobs;
  ObjectStore objects;
  std::atomic<bool> suspended{false};

  std::map<TaskKey, Listener> listeners = {};  // loop thread only
  RequestIds ids;
  ContentHashes hashes;

  // Closed by the runner's destructor, calls first: they may hand jobs to the other.
  std::unique_ptr<WorkerPool> job_pool = {}, call_pool = {};
  std::unique_ptr<FunctionHost> functions = {};
  std::unique_ptr<DataServices> data = {};
  std::unique_ptr<Approvals> approvals = {};
  std::unique_ptr<FeatureService> features = {};
  std::unique_ptr<LabelService> labels = {};
  std::unique_ptr<Integrations> integrations = {};
  std::unique_ptr<EndpointHost> endpoints = {};
  std::unique_ptr<StateChanges> changes = {};
  TaskLibraryRunner::RecordWritten schedule_written = {};  // loop thread only
  std::unique_ptr<Deployments> deployments = {};
  std::unique_ptr<AsyncInvocations> async = {};
  std::unique_ptr<PythonEnvironments> environments = {};
};

namespace {

using Send = std::function<void(TaskReport)>;

RunnerContext::Surroundings surroundings(RunnerCore& core, const std::atomic<bool>* cancelled) {
  return {core.objects,
          *core.jobs,
          core.clock,
          core.settings.threads_per_job,
          core.settings.heartbeat_interval,
          core.suspended,
          cancelled,
          core.features.get()};
}

TaskCall make_call(RunnerCore& core, const Json& arguments, TaskContext& context);

// A job that nobody waits for, to its end.
void run_in_background(RunnerCore& core, const JobKind& kind, const std::string& name) {
  RunnerContext context(surroundings(core, nullptr), std::string(kind.entity.kind) + "/" + name, {});
  const Json none = Json::object();
  TaskCall call = make_call(core, none, context);
  try {
    const auto ended = finish_job(kind, name, call);
    if (!ended && ended.error().code != ErrorCode::Cancelled)
      log::error("a job's record can't be kept", {{"job", name}, {"why", ended.error().message}});
  } catch (const std::exception& error) {
    log::error("a job ended in an exception", {{"job", name}, {"why", error.what()}});
  }
}

bool submit_background(RunnerCore& core, std::string_view record_kind, std::string_view name) {
  const JobKind* kind = find_job_kind(record_kind);
  return kind &&
         core.job_pool->submit([&core, kind, n = std::string(name)] { run_in_background(core, *kind, n); });
}

TaskCall make_call(RunnerCore& core, const Json& arguments, TaskContext& context) {
  TaskCall call{arguments, context};
  call.suspended = [&core] { return core.suspended.load(std::memory_order_relaxed); };
  call.run_later = [&core](std::string_view kind, std::string_view name) {
    return submit_background(core, kind, name);
  };
  call.stop_grace = core.settings.stop_grace;
  if (core.settings.job_log)
    call.log_line = [&core](std::string_view kind, std::string_view name, std::int64_t created_ms,
                            std::string_view host, std::string_view line) {
      core.settings.job_log(kind, name, created_ms, host, core.clock.now(), line);
    };
  call.environments = core.environments.get();
  call.script_processes_max = core.settings.script_processes_max;
  call.functions = core.functions.get();
  call.endpoints = core.endpoints.get();
  call.ids = &core.ids;
  call.integrations = core.integrations.get();
  call.alarms = &core.data->alarms();
  call.metrics = &core.data->metric_sink();
  call.place = &core.settings.place;
  call.monitoring = &core.settings.monitoring;
  call.approvals = core.approvals.get();
  call.hashes = &core.hashes;
  call.cache = core.settings.cache;
  call.ranks = core.settings.ranks;
  call.cents_per_hour = core.settings.cents_per_hour;
  return call;
}

Outcome run_guarded(const TaskKind& kind, TaskCall& call) {
  try {
    return kind.run(call);
  } catch (const std::bad_alloc&) {
    return sagemaker_failure("AmazonSageMakerException",
                             "not enough memory for " + std::string(kind.operation));
  } catch (const std::exception& error) {
    return sagemaker_failure("AmazonSageMakerException", std::string(kind.operation) + ": " + error.what());
  }
}

// Worker thread. Sends at most one Outcome, none when the work was left for later.
void execute(RunnerCore& core, Attempt& attempt, const Send& send) {
  // A job that was cancelled while it waited still goes on: an earlier process may have left its record
  // InProgress.
  const bool cancelled = attempt.cancelled;
  if ((core.suspended && !cancelled) || (cancelled && !attempt.resource.sync)) return;
  if (!attempt.arguments.view().is_object()) {
    send(Outcome(service_failure(attempt.resource.kind->service, "ValidationException",
                                 "the arguments must be an object")));
    return;
  }
  const Json arguments = to_json(attempt.arguments.view());
  RunnerContext context(surroundings(core, &attempt.cancelled), attempt.caller,
                        [&send](Payload progress) { send(Heartbeat{std::move(progress)}); });
  TaskCall call = make_call(core, arguments, context);
  // What was cancelled ends as Stopped even if the engine goes down at the same moment: nobody would take it
  // up again.
  call.suspended = [&core, &attempt] {
    return core.suspended.load(std::memory_order_relaxed) &&
           !attempt.cancelled.load(std::memory_order_relaxed);
  };
  call.key = attempt.key;
  call.caller = attempt.caller;
  call.sync = attempt.resource.sync;
  call.optimized = attempt.resource.optimized;
  call.execution_arn = attempt.execution_arn;
  call.submitted = [&send](const Json& output) { send(Submitted{to_payload(output)}); };
  Outcome outcome = run_guarded(*attempt.resource.kind, call);
  if (!core.suspended) send(std::move(outcome));
}

bool submit(RunnerCore& core, std::shared_ptr<Attempt> attempt, Send send) {
  WorkerPool& pool = attempt->resource.sync ? *core.job_pool : *core.call_pool;
  return pool.submit(
      [&core, attempt = std::move(attempt), send = std::move(send)] { execute(core, *attempt, send); });
}

TaskReport refused() {
  return Outcome(
      sagemaker_failure("ResourceLimitExceededException", "too many tasks are waiting; try again later"));
}

// Loop thread. Reports of an attempt that was cancelled or has been answered reach nobody.
void deliver(RunnerCore& core, const TaskKey& key, const Attempt* attempt, TaskReport report) {
  const auto found = core.listeners.find(key);
  if (found == core.listeners.end() || found->second.attempt.get() != attempt) return;
  if (const auto* submitted = std::get_if<Submitted>(&report)) found->second.submitted = submitted->output;
  const TaskLibraryRunner::Report listener = found->second.report;  // a copy: it may start or cancel tasks
  if (std::holds_alternative<Outcome>(report)) core.listeners.erase(found);
  listener(key, std::move(report));
}

// Loop thread. Functions don't pass through the pools: their host watches any number of them at once.
void start_function(RunnerCore& core, LambdaForm form, const std::string& resource, Attempt& attempt,
                    const Send& send) {
  const std::string request_id = core.ids.next();
  auto call = lambda_call(form, resource, attempt.arguments, core.settings.place, request_id);
  if (!call) return send(Outcome(tl::unexpected<Failure>(call.error())));
  if (call->invocation_type != "RequestResponse")
    return send(send_event(*core.functions, *call, request_id, core.clock.now()));
  const Clock& clock = core.clock;
  Invocation invocation = call->invocation;
  attempt.invocation = core.functions->invoke(
      std::move(invocation), [send, call = std::move(*call), &clock](const InvocationAnswer& answer) {
        send(lambda_outcome(call, answer, clock.now()));
      });
}

// Loop thread. Tables and queues have threads of their own, so that many tasks share one of their
// transactions.
void begin_deferred(RunnerCore& core, const std::shared_ptr<Attempt>& attempt, Send send) {
  const TaskKind& kind = *attempt->resource.kind;
  kind.begin({kind, attempt->arguments, attempt->key, attempt->resource.optimized, *core.data, core.ids,
              std::shared_ptr<const std::atomic<bool>>(attempt, &attempt->cancelled),
              [send = std::move(send)](Outcome outcome) { send(std::move(outcome)); }, core.features.get(),
              core.labels.get(), attempt->resource.sync});
}

// Loop thread. HTTP tasks, mapped commands and URLs: like functions, any number at once. False when nothing
// here is meant by the resource.
bool start_integration(RunnerCore& core, const TaskRequest& request, Attempt& attempt, const Send& send) {
  MappedCall call;
  call.resource = request.resource;
  call.arguments = attempt.arguments;
  call.key = attempt.key;
  call.execution_arn = request.execution_arn;
  call.execution_name = request.execution_name;
  call.state_name = request.state_name;
  call.task_token = request.task_token;
  using Exchange = TaskRequest::Exchange;
  if (request.exchange != Exchange::Untold)
    call.watch = {[send](Payload exchange) { send(orchestrator::Exchanged{std::move(exchange)}); },
                  request.exchange == Exchange::Whole};
  attempt.cancel =
      core.integrations->start(std::move(call), [send](Outcome outcome) { send(std::move(outcome)); });
  return static_cast<bool>(attempt.cancel);
}

// Hands the messages of topics to queues of the home.
QueueSender queue_sender(DataServices& data) {
  return [&data](const std::string& queue, const std::string& body, const Json& attributes,
                 std::function<void(const std::string&)> done) {
    const auto queues = data.queues();
    if (!queues) return done(queues.error().message);
    sqs::Message message;
    message.body = body;
    message.attributes = to_payload(attributes);
    (*queues)->send(queue, std::move(message),
                    [done = std::move(done)](const Status& sent) { done(sent ? "" : sent.error().message); });
  };
}

Result<Approvals::Settings> approval_settings(const RunnerCore& core) {
  MR_TRY(read, read_integration_settings(std::filesystem::path(core.settings.home) / "integrations.json"));
  Approvals::Settings settings;
  settings.secret = core.settings.link_secret;
  settings.base_url = read.approvals_url;
  settings.valid = std::chrono::hours(read.approvals_hours);
  return settings;
}

// What parts of the library that know nothing of metrics take from them and give to them.
void join_metrics(RunnerCore& core) {
  core.settings.endpoints.alarm_state = [alarms = &core.data->alarms()](std::string_view name) {
    const auto status = alarms->state_of(name);
    return status ? std::string(name_of(status->state)) : std::string();
  };
  core.settings.monitoring.put_metrics =
      [sink = &core.data->metric_sink()](const std::vector<MonitoringMetric>& metrics) {
        std::vector<MetricValue> values;
        for (const MonitoringMetric& metric : metrics)
          values.push_back({metric.name_space, metric.name, metric.dimensions, metric.value, metric.time});
        return sink->put(std::move(values));
      };
}

// Those who follow the records: endpoints as they are served, changes of state as events.
void open_followers(const std::shared_ptr<RunnerCore>& shared, std::uint64_t seed) {
  RunnerCore& core = *shared;
  EndpointHost::Settings endpoints = core.settings.endpoints;
  endpoints.account = core.settings.place.account;
  endpoints.capture.seed = mix(seed, 4);
  endpoints.logs = std::filesystem::path(core.settings.home) / "logs";
  endpoints.environments = core.environments.get();
  endpoints.outcomes_path = core.settings.home + "/outcomes.db";
  core.endpoints = std::make_unique<EndpointHost>(*core.jobs, core.objects, core.clock, core.settings.metrics,
                                                  std::move(endpoints));
  core.changes = std::make_unique<StateChanges>(*core.jobs, *core.integrations);
  Deployments::Settings deployments;
  deployments.interval = core.settings.endpoints.guard_interval;
  deployments.alarm_state = core.settings.endpoints.alarm_state;
  deployments.labels = [outcomes = &core.endpoints->outcomes()](const std::string& endpoint,
                                                                const std::string& fleet, FleetSeen& seen) {
    const auto arms = outcomes->of(endpoint);
    if (!arms) return log::error("outcomes can't be read", {{"why", arms.error().message}});
    for (const OutcomesOfVariant& arm : *arms)
      if (arm.fleet == fleet) seen.judged += arm.judged, seen.right += arm.right;
  };
  core.deployments =
      std::make_unique<Deployments>(*core.jobs, *core.endpoints, core.clock, std::move(deployments));
  core.jobs->on_write([host = core.endpoints.get(), changes = core.changes.get(),
                       features = core.features.get(), deployments = core.deployments.get(),
                       weak = std::weak_ptr(shared),
                       post = core.post](std::string_view kind, std::string_view name, bool removed) {
    if (kind == kEndpoint.kind) {
      host->changed(name, removed);
      deployments->changed(name);
    }
    if (kind == kFeatureGroup.kind) features->group_changed(name, removed);
    changes->wake();
    if (kind != kMonitoringSchedule.kind) return;
    post([weak, schedule = std::string(name), removed] {
      const auto still = weak.lock();
      if (still && still->schedule_written) still->schedule_written(schedule, removed);
    });
  });
  core.changes->begin();
  core.deployments->begin();
  AsyncInvocations::Settings async;
  async.region = core.settings.place.region;
  async.account = core.settings.place.account;
  async.seed = mix(seed, 5);
  core.async = std::make_unique<AsyncInvocations>(
      *core.jobs, *core.endpoints, core.objects, core.clock,
      [integrations = core.integrations.get()](const Json& request, const std::string& name) -> Status {
        MR_TRY(topics, integrations->topics());
        MR_DO(topics->publish(request, name));
        return {};
      },
      std::move(async));
  core.async->begin();
}

// Jobs without a workflow behind them that an earlier process did not finish.
void continue_background_jobs(RunnerCore& core) {
  for (const JobKind* kind : job_kinds()) {
    const auto records = core.jobs->list(kind->entity.kind, {}, 100'000);
    if (!records) {
      log::error("jobs can't be listed", {{"why", records.error().message}});
      continue;
    }
    for (const Json& record : *records) {
      const std::string status = text_in(record, std::string(kind->entity.kind) + "Status");
      const bool unfinished = status == "InProgress" || status == "Stopping";
      const bool background = record.value(kNotes, Json::object()).value("Background", false);
      if (unfinished && background)
        submit_background(core, kind->entity.kind, text_in(record, name_field(kind->entity)));
    }
  }
}

}  // namespace

TaskLibraryRunner::TaskLibraryRunner(std::shared_ptr<RunnerCore> core) : core_(std::move(core)) {}

Result<std::unique_ptr<TaskLibraryRunner>> TaskLibraryRunner::open(Settings settings, Post post,
                                                                   const Clock& clock) {
  const std::filesystem::path home(settings.home);
  std::error_code error;
  std::filesystem::create_directories(home / "objects", error);
  if (error) return invalid("can't make " + (home / "objects").string() + ": " + error.message());
  MR_TRY(remotes, read_remote_settings(home / "remotes.json", settings.remote_keys));
  std::shared_ptr<const RemoteStore> remote;
  if (!remotes.buckets.empty())
    remote = std::make_shared<const RemoteStore>(std::move(remotes), home / "remote");
  MR_DO(parse_cache_policy(settings.cache));
  MR_TRY(jobs, Jobs::open((home / "tasks.db").string(), state_of_record));
  if (settings.threads_per_job < 1)
    settings.threads_per_job = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const std::uint64_t seed = settings.seed;
  std::shared_ptr<RunnerCore> core(new RunnerCore{std::move(settings),
                                                  std::move(post),
                                                  clock,
                                                  std::move(jobs),
                                                  ObjectStore(home / "objects", std::move(remote)),
                                                  false,
                                                  {},
                                                  RequestIds(seed),
                                                  {(home / "hashes.db").string(), clock}});
  FunctionHost::Settings functions = core->settings.function_host;
  functions.seed = mix(seed, 1);
  functions.functions =
      core->settings.functions.empty() ? home / "functions" : std::filesystem::path(core->settings.functions);
  functions.logs = home / "logs" / "functions";
  functions.call_url = [&integrations = core->integrations](UrlCall call, Integrations::Reply reply) {
    return integrations->call_function(std::move(call), std::move(reply));
  };
  core->functions = std::make_unique<FunctionHost>(std::move(functions), clock);
  core->data = std::make_unique<DataServices>(
      core->settings.home, ServicePlace{core->settings.place.region, core->settings.place.account}, clock,
      mix(seed, 3), core->settings.metric_store, core->settings.metrics);
  join_metrics(*core);
  core->environments =
      std::make_unique<PythonEnvironments>(home / "environments", core->settings.environments, clock);
  core->features = std::make_unique<FeatureService>((home / "features.db").string(), core->settings.features,
                                                    *core->jobs, core->objects, clock);
  core->labels =
      std::make_unique<LabelService>((home / "labels.db").string(), *core->jobs, core->objects, clock);
  Integrations::Settings integrations;
  integrations.home = home;
  integrations.place = core->settings.place;
  integrations.result_bytes_max = core->settings.result_bytes_max;
  integrations.seed = mix(seed, 2);
  MR_TRY(approvals, approval_settings(*core));
  core->approvals = std::make_unique<Approvals>(*core->jobs, clock, std::move(approvals));
  integrations.prepare = [questions = core->approvals.get()](Json& message, const std::string& protocol,
                                                             const std::string& endpoint) {
    return questions->prepare(message, protocol, endpoint);
  };
  MR_TRY(opened,
         Integrations::open(std::move(integrations), *core->functions, queue_sender(*core->data), clock));
  core->integrations = std::move(opened);
  open_followers(core, seed);
  core->job_pool =
      std::make_unique<WorkerPool>(std::max(1, core->settings.jobs_at_once), core->settings.waiting_max);
  core->call_pool =
      std::make_unique<WorkerPool>(std::max(1, core->settings.calls_at_once), core->settings.waiting_max);
  MR_DO(core->features->take_up());
  MR_DO(core->labels->take_up());
  continue_background_jobs(*core);
  return std::unique_ptr<TaskLibraryRunner>(new TaskLibraryRunner(std::move(core)));
}

TaskLibraryRunner::~TaskLibraryRunner() {
  core_->suspended = true;
  core_->listeners.clear();
  core_->integrations->shut_down();
  core_->functions->shut_down();
  core_->data->shut_down();
  core_->endpoints->stop_programs();
  core_->async.reset();
  core_->call_pool.reset();
  core_->job_pool.reset();
  core_->features->shut_down();
  core_->labels->shut_down();
  core_->deployments.reset();
  core_->endpoints.reset();
  core_->changes.reset();
}

bool TaskLibraryRunner::serves(const std::string& resource) const {
  // With mappings that can't be read anything may be mapped: the task says what is wrong with them.
  return lambda_form(resource) || find_task(resource) || core_->integrations->serves(resource) ||
         !core_->integrations->check_mappings();
}

void TaskLibraryRunner::start(TaskRequest request, Report report) {
  // Closures for the loop may outlive the runner, so they hold it weakly.
  const std::weak_ptr<RunnerCore> weak = core_;
  const TaskKey key = request.key;
  if (const auto found = core_->listeners.find(key); found != core_->listeners.end()) {
    found->second.report = std::move(report);
    if (!found->second.submitted) return;
    core_->post([weak, key, attempt = found->second.attempt, output = *found->second.submitted] {
      if (const auto core = weak.lock()) deliver(*core, key, attempt.get(), Submitted{output});
    });
    return;
  }
  auto attempt = std::make_shared<Attempt>();
  attempt->arguments = std::move(request.arguments);
  attempt->key = text_of(key);
  attempt->execution_arn = request.execution_arn;
  attempt->caller = "execution " + request.execution_name + ", state " + request.state_name;
  core_->listeners[key] = Listener{attempt, std::move(report), {}};
  Send send = [weak, key, attempt = std::weak_ptr(attempt), post = core_->post](TaskReport message) {
    post([weak, key, attempt = attempt.lock(), message = std::move(message)]() mutable {
      if (const auto core = weak.lock()) deliver(*core, key, attempt.get(), std::move(message));
    });
  };
  if (start_integration(*core_, request, *attempt, send)) return;
  if (const auto form = lambda_form(request.resource))
    return start_function(*core_, *form, request.resource, *attempt, send);
  const auto resource = find_task(request.resource);
  if (!resource) {
    const Status mappings = core_->integrations->check_mappings();
    send(Outcome(
        mappings
            ? failed(error_names::kRuntime, "no task kind serves the resource \"" + request.resource + "\"")
            : failed(error_names::kTaskFailed, mappings.error().message + "; " + mappings.error().hint)));
    return;
  }
  attempt->resource = *resource;
  if (resource->kind->begin) return begin_deferred(*core_, attempt, std::move(send));
  if (!submit(*core_, attempt, send)) send(refused());
}

void TaskLibraryRunner::cancel(const TaskKey& key) {
  const auto found = core_->listeners.find(key);
  if (found == core_->listeners.end()) return;
  found->second.attempt->cancelled = true;
  if (found->second.attempt->cancel) found->second.attempt->cancel();
  if (found->second.attempt->invocation > 0) core_->functions->cancel(found->second.attempt->invocation);
  core_->listeners.erase(found);
}

void TaskLibraryRunner::call(const std::string& service, const std::string& operation, Payload arguments,
                             std::string caller, std::function<void(Outcome)> reply, std::string key) {
  auto attempt = std::make_shared<Attempt>();
  attempt->key = std::move(key);
  attempt->arguments = std::move(arguments);
  attempt->caller = std::move(caller);
  attempt->resource.kind = find_operation(service, operation);
  const std::weak_ptr<RunnerCore> weak = core_;
  Send send = [weak, post = core_->post, reply = std::move(reply)](TaskReport message) {
    auto* outcome = std::get_if<Outcome>(&message);
    if (!outcome) return;
    post([weak, reply, answer = std::move(*outcome)] {
      if (weak.lock()) reply(answer);
    });
  };
  if (!attempt->resource.kind)
    send(Outcome(sagemaker_failure("ValidationException", "unknown operation " + service + ":" + operation)));
  else if (attempt->resource.kind->begin)
    begin_deferred(*core_, attempt, std::move(send));
  else if (!submit(*core_, attempt, send))
    send(refused());
}

void TaskLibraryRunner::follow_monitoring_schedules(RecordWritten written) {
  core_->schedule_written = std::move(written);
}

FunctionHost& TaskLibraryRunner::functions() {
  return *core_->functions;
}
Jobs& TaskLibraryRunner::jobs() {
  return *core_->jobs;
}
DataServices& TaskLibraryRunner::data() {
  return *core_->data;
}
LabelService& TaskLibraryRunner::labels() {
  return *core_->labels;
}
FeatureService& TaskLibraryRunner::features() {
  return *core_->features;
}
AsyncInvocations& TaskLibraryRunner::async_invocations() {
  return *core_->async;
}
EndpointHost& TaskLibraryRunner::endpoints() {
  return *core_->endpoints;
}
Result<EventLog*> TaskLibraryRunner::events() {
  return core_->integrations->events();
}
Approvals& TaskLibraryRunner::approvals() {
  return *core_->approvals;
}
Integrations& TaskLibraryRunner::integrations() {
  return *core_->integrations;
}
ObjectStore& TaskLibraryRunner::objects() {
  return core_->objects;
}

}  // namespace millrace::tasks
