#pragma once
// TaskKind: one row of catalog.cpp: a task kind with its parameters, which are also its documentation, and
// TaskCall: what one call of it is handed. Worker thread.

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/failure.h"
#include "base/json.h"
#include "base/result.h"
#include "tasks/ranks/rank_settings.h"
#include "tasks/task.h"

namespace millrace::tasks {

class AlarmStates;
class Approvals;
class ContentHashes;
class DataServices;
class EndpointHost;
class FeatureService;
class FunctionHost;
class Integrations;
class MetricSink;
class LabelService;
class PythonEnvironments;
class RequestIds;
struct LambdaPlace;
struct MonitoringSurroundings;

struct TaskCall {
  const Json& arguments;  // an object
  TaskContext& context;
  std::string key = {};  // names one attempt, the same when it is dispatched again; empty outside workflows
  std::string caller = {};         // who asks, for people: "execution churn-7, state Approve"
  std::string execution_arn = {};  // empty outside workflows
  bool optimized = false;          // by arn:aws:states:::service:…, not by aws-sdk: and not by another door
  bool sync = false;               // answer when the job has ended, not when it exists
  std::function<void(const Json& output)> submitted = {};  // the job exists now; may be empty
  // True: the engine is going down. The work ends as if cancelled, but its record stays InProgress, to be
  // continued.
  std::function<bool()> suspended = {};
  // Runs the job of that kind and name later, on a thread of its own; false when too many are waiting.
  std::function<bool(std::string_view kind, std::string_view name)> run_later = {};
  Millis stop_grace{120'000};  // what a program of the user's has to end after SIGTERM
  // Besides its file, a job's log lines: of which job, created when, on which host ("": the first); may be
  // empty. Any thread.
  std::function<void(std::string_view kind, std::string_view name, std::int64_t created_ms,
                     std::string_view host, std::string_view line)>
      log_line = {};
  PythonEnvironments* environments = nullptr;  // of programs' packages; null: programs have what is installed
  int script_processes_max = 0;                // of a program of the user's; 0: any number
  FunctionHost* functions = nullptr;           // of the home; null outside a runner
  EndpointHost* endpoints = nullptr;           // of the home; null outside a runner
  RequestIds* ids = nullptr;                   // of requests, where the service would give one
  Integrations* integrations = nullptr;        // of the home; null outside a runner
  AlarmStates* alarms = nullptr;               // of the home; null outside a runner
  MetricSink* metrics = nullptr;               // of the home; null outside a runner
  const LambdaPlace* place = nullptr;          // where those functions say they live
  // Null outside a runner.
  const MonitoringSurroundings* monitoring = nullptr;
  Approvals* approvals = nullptr;
  ContentHashes* hashes = nullptr;  // of the home's files; null: jobs keep no hashes
  std::string cache = {};           // what jobs without the tag millrace:cache do (steps/step_cache.h)
  RankSettings ranks = {};          // of training jobs of several instances
  std::int64_t cents_per_hour = 0;  // of a job, for estimates; 0: no price
};

struct TaskKind;

// One call of a kind that waits for others instead of working.
struct DeferredCall {
  const TaskKind& kind;
  Payload arguments;
  std::string key;         // as in TaskCall
  bool optimized = false;  // not by aws-sdk:
  DataServices& services;  // of the home
  RequestIds& ids;
  std::shared_ptr<const std::atomic<bool>> cancelled;  // true: nobody waits for the answer any more
  std::function<void(Outcome)> answer;                 // once, from any thread
  FeatureService* features = nullptr;                  // of the home
  LabelService* labels = nullptr;                      // of the home
  bool sync = false;                                   // answer when the job has ended
};

struct Parameter {
  std::string_view name;
  std::string_view type;  // "string", "object", "array", "map"
  bool required = false;
  std::string_view help = {};
};

struct TaskKind {
  std::string_view service;    // as in the Resource: "sagemaker", "sagemakerruntime"
  std::string_view operation;  // "createTrainingJob"
  std::string_view summary;
  bool optimized = false;  // has arn:aws:states:::sagemaker:… besides arn:aws:states:::aws-sdk:sagemaker:…
  bool sync = false;       // has ….sync: a job, which may take long
  std::span<const Parameter> parameters;
  Outcome (*run)(TaskCall& call);
  bool callback = false;  // the optimized form has ….waitForTaskToken; that of the SDK always has
  // Instead of run: called on the loop thread, must not block.
  void (*begin)(DeferredCall call) = nullptr;
};

// A failed operation as the service would answer it: ValidationException for what repeating can't help,
// ResourceLimitExceededException, ResourceInUseException; AmazonSageMakerException for what may pass.
tl::unexpected<Failure> sagemaker_failure(const Error& error);
// A failure of the service a kind belongs to: ("s3", "NoSuchKeyException") is S3.NoSuchKeyException.
tl::unexpected<Failure> service_failure(std::string_view service, std::string_view code, std::string cause);

}  // namespace millrace::tasks
