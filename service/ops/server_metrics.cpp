#include "service/ops/server_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "service/version.h"

namespace millrace::service {
namespace {

namespace fs = std::filesystem;
using orchestrator::TaskSeries;

constexpr double kGroupSizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};
constexpr std::size_t kResourcesMax = 200, kOperationsMax = 300;
constexpr const char* kOther = "other";

// The entry of that name, or the one shared by all that came when the table was full.
template <class Map, class Make>
auto& bounded(Map& map, const std::string& name, std::size_t max, Make make) {
  const auto found = map.find(name);
  if (found != map.end()) return *found->second;
  const std::string label = map.size() < max ? name : kOther;
  auto& slot = map[label];
  if (!slot) slot = make(label);
  return *slot;
}

double page_count(const std::string& text, int field) {
  std::istringstream in(text);
  double value = 0;
  for (int i = 0; i <= field; ++i) in >> value;
  return value * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

std::string first_line(const char* path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

double count_entries(const char* folder) {
  std::error_code error;
  double count = 0;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) ++count;
  return count;
}

double size_of(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0.0 : static_cast<double>(size);
}

void watch_process(metrics::Registry& registry) {
  registry.gauge("process_start_time_seconds", "When this process started its server, seconds since 1970")
      .set(static_cast<double>(to_millis(SystemClock().now())) / 1000);
  registry.gauge("millrace_build_info", "Always 1; the version is the label", {{"version", version()}})
      .set(1);
  auto& resident = registry.gauge("process_resident_memory_bytes", "Memory this process has in RAM");
  auto& address_space = registry.gauge("process_virtual_memory_bytes", "Address space of this process");
  auto& open = registry.gauge("process_open_fds", "File descriptors that are open");
  auto& most = registry.gauge("process_max_fds", "File descriptors that may be open");
  auto& threads = registry.gauge("process_threads", "Threads of this process");
  registry.before_text([&resident, &address_space, &open, &most, &threads] {
    const std::string memory = first_line("/proc/self/statm");
    address_space.set(page_count(memory, 0));
    resident.set(page_count(memory, 1));
    open.set(count_entries("/proc/self/fd"));
    threads.set(count_entries("/proc/self/task"));
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) most.set(static_cast<double>(limit.rlim_cur));
  });
}

void watch_store(metrics::Registry& registry, const std::string& home) {
  constexpr const char* kHelp = "Size of a database of the home, its log included";
  for (const char* name :
       {"millrace", "bus", "tasks", "tables", "queues", "streams", "events", "topics", "logs", "metrics"}) {
    auto& bytes = registry.gauge("millrace_store_bytes", kHelp, {{"database", name}});
    registry.before_text([&bytes, file = (fs::path(home) / (std::string(name) + ".db")).string()] {
      bytes.set(size_of(file) + size_of(file + "-wal"));
    });
  }
  auto& free = registry.gauge("millrace_home_free_bytes", "What the home's file system has left");
  registry.before_text([&free, home] {
    std::error_code error;
    const auto space = fs::space(home, error);
    if (!error) free.set(static_cast<double>(space.available));
  });
}

}  // namespace

struct ServerMetrics::Machine {
  Machine(metrics::Registry& r, const metrics::Labels& labels)
      : started(r.counter("millrace_executions_started_total", "Executions that began", labels)),
        redriven(r.counter("millrace_executions_redriven_total", "Executions that were redriven", labels)),
        transitions(r.counter("millrace_state_transitions_total", "States that were entered", labels)),
        retries(r.counter("millrace_task_retries_total", "Failed attempts that a Retry answered", labels)),
        failures(r.counter("millrace_task_failures_total", "Failed attempts that no Retry answered", labels)),
        seconds(r.histogram("millrace_execution_seconds", "From the start of an execution to its end",
                            metrics::kLongTimes, labels)) {
    static constexpr const char* kStatuses[] = {"succeeded", "failed", "timed_out", "aborted"};
    for (std::size_t i = 0; i < 4; ++i) {
      metrics::Labels with = labels;
      with.emplace_back("status", kStatuses[i]);
      ended[i] = &r.counter("millrace_executions_ended_total", "Executions that ended, by how", with);
    }
  }
  metrics::Counter &started, &redriven, &transitions, &retries, &failures;
  metrics::Counter* ended[4];
  metrics::Histogram& seconds;
};

struct ServerMetrics::Operation {
  std::string label;
  metrics::Histogram& seconds;
  std::unordered_map<int, metrics::Counter*> codes;
};

ServerMetrics::ServerMetrics(MetricSettings settings) : settings_(settings) {
  watch_process(registry_);
}
ServerMetrics::~ServerMetrics() = default;

orchestrator::EngineMetrics ServerMetrics::engine_metrics() {
  return {&registry_.histogram("millrace_timer_lateness_seconds",
                               "How long after its time a wait, timeout or retry was taken up",
                               metrics::kLongTimes),
          [this](const std::string& resource) { return tasks(resource); }};
}

orchestrator::CommitMetrics ServerMetrics::commit_metrics() {
  return {
      &registry_.counter("millrace_appends_submitted_total", "Appends handed to the store"),
      &registry_.counter("millrace_appends_committed_total", "Appends the store has answered"),
      &registry_.counter("millrace_commit_failures_total", "Transactions of the store that failed"),
      &registry_.histogram("millrace_commit_seconds", "One transaction of the store, from begin to durable",
                           metrics::kShortTimes),
      &registry_.histogram("millrace_commit_sync_seconds",
                           "Of it the COMMIT: the log written and flushed to the disk", metrics::kShortTimes),
      &registry_.histogram("millrace_commit_group_appends", "Appends in one transaction", kGroupSizes)};
}

ServerMetrics::Machine& ServerMetrics::machine(const std::string& name) {
  return bounded(machines_, name, settings_.machines_max, [&](const std::string& label) {
    return std::make_unique<Machine>(registry_, metrics::Labels{{"machine", label}});
  });
}

const TaskSeries* ServerMetrics::tasks(const std::string& resource) {
  return &bounded(tasks_, resource_label(resource), kResourcesMax, [&](const std::string& label) {
    const auto ended = [&](const char* outcome) {
      return &registry_.counter("millrace_tasks_ended_total", "Attempts of tasks that were answered, by how",
                                {{"resource", label}, {"outcome", outcome}});
    };
    return std::make_unique<TaskSeries>(
        TaskSeries{&registry_.counter("millrace_tasks_started_total",
                                      "Attempts of tasks that were handed out, and again after a restart",
                                      {{"resource", label}}),
                   ended("succeeded"), ended("failed"), ended("heartbeat_timed_out"),
                   &registry_.histogram("millrace_task_seconds", "From handing out a task to its answer",
                                        metrics::kLongTimes, {{"resource", label}})});
  });
}

void ServerMetrics::answered(const http::Request& request, int status, std::chrono::nanoseconds took) {
  // What nothing here serves is one operation: its names are the client's invention.
  const bool known = status != 404 && status != 405;
  Operation& operation = bounded(
      operations_, known ? operation_label(request) : kOther, kOperationsMax, [&](const std::string& label) {
        return std::make_unique<Operation>(
            Operation{label,
                      registry_.histogram("millrace_http_request_seconds",
                                          "From a request's last byte to the beginning of its answer",
                                          metrics::kShortTimes, {{"operation", label}}),
                      {}});
      });
  metrics::Counter*& counter = operation.codes[status];
  if (!counter) {
    counter = &registry_.counter("millrace_http_requests_total", "Requests answered",
                                 {{"operation", operation.label}, {"code", std::to_string(status)}});
  }
  counter->add();
  operation.seconds.observe(took);
}

void ServerMetrics::watch(const orchestrator::Engine& engine, const http::Server& server,
                          const std::string& home) {
  auto& running = registry_.gauge("millrace_executions_running", "Executions that have not ended");
  auto& live = registry_.gauge("millrace_executions_in_memory", "Executions in memory");
  auto& out = registry_.gauge("millrace_tasks_out", "Tasks that were handed out and not answered");
  auto& waiting =
      registry_.gauge("millrace_activity_tasks_waiting", "Tasks of activities that no worker has taken");
  auto& timers = registry_.gauge("millrace_timers", "Times that executions wait for, outdated ones too");
  auto& connections = registry_.gauge("millrace_http_connections", "Connections that are open");
  registry_.before_text([this, &engine, &server, &running, &live, &out, &waiting, &timers, &connections] {
    const orchestrator::EngineGauges gauges = engine.gauges();
    running.set(static_cast<double>(running_));
    live.set(static_cast<double>(gauges.live));
    out.set(static_cast<double>(gauges.tasks_out));
    waiting.set(static_cast<double>(gauges.activity_tasks_waiting));
    timers.set(static_cast<double>(gauges.timers));
    connections.set(static_cast<double>(server.connections()));
  });
  watch_store(registry_, home);
}

void ServerMetrics::on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
                            std::span<const states::Event>) {
  const states::Execution& execution = what.execution;
  Machine& series = machine(execution.identity.machine_name);
  series.transitions.add(tally.transitions);
  if (tally.retries > 0) series.retries.add(tally.retries);
  if (tally.failures > 0) series.failures.add(tally.failures);
  if (tally.started) series.started.add();
  if (tally.redriven) series.redriven.add();
  running_ += tally.started + tally.redriven;
  if (!tally.ended || !execution.ended()) return;
  --running_;
  series.ended[static_cast<std::size_t>(execution.status) - 1]->add();
  series.seconds.observe(execution.stopped.value_or(execution.started) -
                         execution.redriven.value_or(execution.started));
}

bool ServerMetrics::serves(const http::Request& request) {
  return request.path == "/metrics" && (request.method == "GET" || request.method == "HEAD");
}

void ServerMetrics::handle(const http::ExchangePtr& exchange) {
  exchange->respond({200, "text/plain; version=0.0.4; charset=utf-8", {}, registry_.text()});
}

std::string resource_label(std::string_view resource) {
  constexpr std::string_view kIntegration = "arn:aws:states:::";
  if (resource.starts_with(kIntegration)) return std::string(resource.substr(kIntegration.size()));
  if (resource.find(":activity:") != std::string_view::npos) return "activity";
  if (resource.find(":lambda:") != std::string_view::npos) return "lambda";
  return kOther;
}

std::string operation_label(const http::Request& request) {
  const std::string_view target = request.header("x-amz-target");
  if (!target.empty()) return std::string(target.substr(0, 100));
  const std::string_view path = request.path;
  if (path.starts_with("/2015-03-31/functions")) return request.method + " lambda";
  if (path.starts_with("/v1/")) return request.method + " " + std::string(path.substr(0, path.find('/', 4)));
  return request.method + " " + std::string(path.substr(0, path.find('/', 1)));
}

}  // namespace millrace::service
