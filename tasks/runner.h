#pragma once
// TaskLibraryRunner: the task library as the engine's TaskRunner. Loop thread only; the work is done by
// threads of its own, which come back through the post function. Jobs that an earlier process left unfinished
// and that no workflow waits for (started without .sync) continue as soon as the runner exists; the others
// when they are dispatched again.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/sigv4.h"
#include "orchestrator/dispatch/runner.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/deployment/endpoint_host.h"
#include "tasks/features/feature_store.h"
#include "tasks/functions/lambda.h"
#include "tasks/jobs/jobs.h"
#include "tasks/metrics/metric_store.h"
#include "tasks/monitoring/schedules.h"
#include "tasks/script/python_environments.h"

namespace millrace::tasks {

class Approvals;
class AsyncInvocations;
class DataServices;
class EventLog;
class FeatureService;
class Integrations;
class LabelService;
struct RunnerCore;

class TaskLibraryRunner final : public orchestrator::TaskRunner {
 public:
  struct Settings {
    std::string home;         // directory: functions/, objects/, logs/, tasks.db; made when missing
    int jobs_at_once = 2;     // jobs (training, processing, …) that run at the same time; others wait
    int calls_at_once = 2;    // quick calls (createModel, describe…, invokeEndpoint) at the same time
    int threads_per_job = 0;  // 0: as many as the machine has
    std::size_t waiting_max =
        10'000;  // of each sort; more are refused with SageMaker.ResourceLimitExceededException
    Millis stop_grace{120'000};                 // what a script has to end after SIGTERM, then SIGKILL
    Millis heartbeat_interval{200};             // progress is reported at most this often
    std::uint64_t seed = 0;                     // of the ids of requests
    std::size_t result_bytes_max = 262'144;     // of what HTTP tasks and mapped resources answer
    std::string functions;                      // their folder; empty: HOME/functions
    LambdaPlace place;                          // in ARNs
    FunctionHost::Settings function_host = {};  // its limits; its folders and seed are set here
    EndpointHost::Settings endpoints = {};      // its account and seed are set here
    FeatureStore::Settings features = {};
    SigningCredentials remote_keys = {};    // of buckets in other stores, where remotes.json has none
    MetricStoreSettings metric_store = {};  // HOME/metrics.db
    metrics::Registry* metrics = nullptr;   // of endpoints; may be null
    // What checks of monitoring schedules need to know.
    MonitoringSurroundings monitoring = {};
    // Signs links of approvals.
    std::string link_secret = "millrace tests";
    // Jobs take over the result of an equal one that ended at most so long ago: "P30D", "on", "off". The tag
    // millrace:cache of a job says otherwise (tasks/steps/step_cache.h).
    std::string cache = "off";
    RankSettings ranks = {};          // of training jobs of several instances
    std::int64_t cents_per_hour = 0;  // price of an hour of a job, for estimates; 0: none
    // Packages of programs: HOME/environments.
    EnvironmentSettings environments = {};
    int script_processes_max = 4096;  // of one host of a program of the user's; 0: any number
    // Log lines of jobs, besides their files; of which host ("": the first); may be empty. Any thread.
    std::function<void(std::string_view kind, std::string_view name, std::int64_t created_ms,
                       std::string_view host, Instant now, std::string_view line)>
        job_log = {};
  };
  // Runs a function on the loop thread, soon; callable from any thread.
  using Post = std::function<void(std::function<void()>)>;

  // Errors: those of opening HOME/tasks.db. The clock is borrowed.
  static Result<std::unique_ptr<TaskLibraryRunner>> open(Settings settings, Post post, const Clock& clock);
  // Tells all work to stop and waits for it (a second or so). Jobs stay InProgress in their records and are
  // continued by the next runner on the same home. Nothing is reported afterwards.
  ~TaskLibraryRunner() override;

  bool serves(const std::string& resource) const override;
  void start(orchestrator::TaskRequest request, Report report) override;
  void cancel(const orchestrator::TaskKey& key) override;

  // The same functions for other doors (HTTP API, command line): e.g. ("sagemaker", "createTrainingJob"). The
  // reply comes on the loop thread. ValidationException for an operation that does not exist. `key`: as in
  // TaskCall; what writes is carried out once for it.
  void call(const std::string& service, const std::string& operation, Payload arguments, std::string caller,
            std::function<void(Outcome)> reply, std::string key = {});

  // Told on the loop behind each durable write of a monitoring schedule's record. An empty function ends it.
  using RecordWritten = std::function<void(const std::string& name, bool removed)>;
  void follow_monitoring_schedules(RecordWritten written);

  FunctionHost& functions();              // any thread
  Jobs& jobs();                           // any thread
  ObjectStore& objects();                 // any thread
  DataServices& data();                   // any thread: tables, queues, metrics
  EndpointHost& endpoints();              // any thread
  FeatureService& features();             // any thread
  LabelService& labels();                 // any thread
  Result<EventLog*> events();             // any thread; opened when it is asked for first
  Approvals& approvals();                 // any thread
  Integrations& integrations();           // any thread: HTTP requests, mapped resources
  AsyncInvocations& async_invocations();  // any thread

 private:
  explicit TaskLibraryRunner(std::shared_ptr<RunnerCore> core);
  std::shared_ptr<RunnerCore> core_;
};

}  // namespace millrace::tasks
