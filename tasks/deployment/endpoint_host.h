#pragma once
// EndpointHost: the endpoints of a home as they answer requests: their models stay loaded, a variant is
// picked by weight, exchanges are captured, shadow variants get their share behind the answer. What is kept
// of an endpoint is immutable and replaced as a whole when its record changes, so a request meets the old or
// the new one, never a mixture, and none fails for it. While a deployment shifts traffic (rollout.h) the old
// and the new fleet are both there, and each request goes to one of them. Any thread; whether a request may
// be answered on a thread that must not wait is what quick() says, from what requests of its variant took so
// far. Source: SageMaker Runtime API reference, InvokeEndpoint.

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/deployment/data_capture.h"
#include "tasks/deployment/guards.h"
#include "tasks/deployment/invoke.h"
#include "tasks/deployment/model_shelf.h"
#include "tasks/deployment/outcomes.h"
#include "tasks/deployment/script_model.h"
#include "tasks/jobs/jobs.h"
#include "tasks/metrics/invocation_tally.h"
#include "tasks/worker_pool.h"

namespace millrace::tasks {

class PythonEnvironments;
class ServingLine;
struct ServedEndpoint;
struct ServedVariant;
struct VariantSeries;

// A request for scores. The texts are borrowed for the call.
struct InvokeRequest {
  std::string_view endpoint, content_type, accept, body;
  std::string_view target_variant = {};  // empty: picked by weight
  std::string_view inference_id = {}, custom_attributes = {};
  std::string_view target_model = {};  // of a multi-model endpoint
  metrics::Stopwatch received = {};    // since it came
};

// Why there are no scores.
struct InvokeFailure {
  enum class Kind {
    NoEndpoint,
    NoVariant,
    Model,      // what the model, or the server around it, says of the rows
    NoModel,    // of a multi-model endpoint
    Busy,       // too much waits
    Throttled,  // more at a time than a serverless variant takes
  } kind = Kind::NoEndpoint;
  int status = 400;  // of Model: what a container would have answered: 400, 415, 500
  std::string message;
  std::string variant = {};  // that was asked
};
using InvokeResult = tl::expected<InvokeAnswer, InvokeFailure>;

class EndpointHost {
 public:
  struct Settings {
    int threads = 2;  // that score what is not quick
    std::size_t waiting_max = 1000;
    std::int64_t quick_micros_max = 500;   // longer work is not done on the thread that asks
    std::string account = "123456789012";  // in messages
    DataCapture::Settings capture = {};
    std::string outcomes_path;  // see outcomes.h; empty: none are kept
    OutcomeStore::Settings outcomes = {};
    Millis guard_interval{1'000};                                     // between two looks at a deployment
    std::function<std::string(std::string_view name)> alarm_state{};  // see deployments.h; may be empty
    int script_threads = 32;          // that wait for programs and for models to be loaded
    int script_workers_max = 64;      // processes of one variant, whatever it says
    Millis script_idle_max{300'000};  // then a worker beyond the least number ends
    ModelShelf::Settings models = {};
    std::filesystem::path logs;  // of programs: below it, Endpoint/NAME/VARIANT.log; empty: none
    PythonEnvironments* environments = nullptr;  // of programs' packages; null: they have what is installed
  };
  // Borrowed; the registry may be null.
  EndpointHost(const Jobs& jobs, const ObjectStore& objects, const Clock& clock, metrics::Registry* registry,
               Settings settings);
  ~EndpointHost();

  // An endpoint's record has changed, or is gone. Any thread.
  void changed(std::string_view endpoint, bool removed);
  // Begins to load every endpoint, on a thread of the host's, so that first requests find them.
  void load_all();

  // Ends all programs, so that nobody waits for one: the beginning of the end. Any thread.
  void stop_programs();

  // Loads the models of an endpoint's document and starts its programs, so that they answer when it is
  // served. What is wrong with them.
  Status prepare(const std::string& endpoint, const Json& fields);
  // Whether the fleet of a record could be served.
  Status can_serve(const std::string& endpoint, const Json& record);
  // What requests of a fleet came to since it serves; nothing of one that is not served.
  FleetSeen seen_of(std::string_view endpoint, std::string_view fleet) const;
  // Why the new fleet of an endpoint that is being updated can't be served; empty: it is.
  std::string broken_fleet(std::string_view endpoint);

  OutcomeStore& outcomes() { return outcomes_; }
  // "OK", "ALARM", "INSUFFICIENT_DATA"; empty: there is no such alarm.
  std::string alarm_state(std::string_view name) const {
    return settings_.alarm_state ? settings_.alarm_state(name) : std::string();
  }

  // Whether invoke() of it would neither read files nor take long.
  bool quick(const InvokeRequest& request) const;
  InvokeResult invoke(const InvokeRequest& request);
  // The same on a thread of the host's, which calls `done`; Busy on the caller's thread when too much waits.
  // What was counted of requests since the last time, for the home's metrics.
  std::vector<MetricBatch> take_values();
  void invoke_later(std::string_view endpoint, std::function<InvokeResult()> work,
                    std::function<void(InvokeResult)> done);
  // Anything else on such a thread; false when too much waits.
  bool do_later(std::function<void()> work);
  // Outcomes in one of the forms of read_outcomes(); the answer's JSON. InvalidArgument, also for an endpoint
  // that does not exist.
  Result<std::string> take_outcomes(std::string_view endpoint, std::string_view text,
                                    std::string_view content_type);

 private:
  using ServedPtr = std::shared_ptr<const ServedEndpoint>;
  ServedPtr find(std::string_view endpoint) const;  // null: not loaded, or not as its record is now
  Result<ServedPtr> load(const std::string& endpoint);
  InvokeResult score(const ServedVariant& variant, const InvokeRequest& request);
  void follow_up(const ServedPtr& served, std::uint64_t call, const InvokeRequest& request,
                 const InvokeAnswer& answer);
  std::shared_ptr<VariantSeries> series_of(const std::string& endpoint, const std::string& variant);
  Result<ServingLine> load_line(const std::string& endpoint, const std::string& fleet,
                                const std::string& variant, const Json& fields);
  Result<std::shared_ptr<ScriptModel>> script_of(const std::string& endpoint, const std::string& fleet,
                                                 const std::string& variant, std::size_t position,
                                                 const Json& container, const Json& limits);
  WorkerPool& script_pool();
  void remove_left_programs() const;
  void tend_all();
  void tend_scripts();
  Status add_fleet(const Json& fields, const std::string& fleet, bool is_new, double factor,
                   ServedEndpoint& served);
  Status add_fleets(const Json& record, ServedEndpoint& served);
  InvokeFailure not_loaded(std::string_view endpoint, const Error& error) const;

  const Jobs& jobs_;
  const ObjectStore& objects_;
  const Clock& clock_;
  metrics::Registry* const registry_;
  const Settings settings_;
  std::atomic<std::uint64_t> version_{1};
  mutable std::mutex mutex_;  // over what follows
  std::map<std::string, ServedPtr, std::less<>> served_;
  std::map<std::string, std::shared_ptr<VariantSeries>> series_;  // by ENDPOINT/VARIANT
  std::mutex loading_;                                            // one record is read and loaded at a time
  // A program behind a variant, kept as long as something that is served uses it.
  struct Script {
    std::shared_ptr<ScriptModel> model;
    std::shared_ptr<std::atomic<bool>> tended = std::make_shared<std::atomic<bool>>(false);
    metrics::Gauge* workers = nullptr;
    Millis wanted{0};
  };
  std::mutex scripts_mutex_;
  std::map<std::string, Script> scripts_;  // by ENDPOINT/FLEET/VARIANT/POSITION; guarded, as the next
  std::uint64_t last_script_ = 0;
  bool programs_stopped_ = false;
  std::unique_ptr<WorkerPool> script_pool_;  // made when it is needed; guarded by mutex_
  ModelShelf models_;
  DataCapture capture_;
  OutcomeStore outcomes_;
  std::unique_ptr<WorkerPool> pool_;  // its work uses the rest
  std::mutex tending_mutex_;
  std::condition_variable tending_wake_;
  bool stopping_ = false;  // guarded by tending_mutex_
  std::jthread tending_;   // last
};

}  // namespace millrace::tasks
