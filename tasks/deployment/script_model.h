#pragma once
// ScriptModel: a program of the user's behind an endpoint, by SageMaker's
// contract for containers without a container: it serves GET /ping and POST
// /invocations on SAGEMAKER_BIND_TO_PORT and finds the model in /opt/ml/model.
// A program whose name ends in .py is a module with model_fn, input_fn,
// predict_fn, output_fn (or transform_fn), as SageMaker's scikit-learn
// container takes it; a driver of ours serves it (script_driver.h). Any other
// is run as it is.
//
// Its processes are workers: at least workers_min of them, one more whenever
// none is free, up to workers_max; one that had nothing to do for idle_max ends
// again. One that ends by itself is started again, later each time it fails.
// Any thread; invoke() blocks. Source: SageMaker developer guide, "Custom
// inference code with hosting services".

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/deployment/script_worker.h"
#include "tasks/script/opt_ml.h"
#include "tasks/script/python_environments.h"

namespace millrace::tasks {

// A container of a model that runs a program.
struct ScriptContainer {
  std::string model_uri;  // its files are /opt/ml/model; may be empty
  std::string code_uri;   // SAGEMAKER_SUBMIT_DIRECTORY, s3://…; empty: code/ of the model
  std::string program;    // SAGEMAKER_PROGRAM
  std::map<std::string, std::string> environment;

  // Nothing when the container runs no program. InvalidArgument.
  static Result<std::optional<ScriptContainer>> read(const Json& container, const std::string& model_uri);
  Json to_json() const;
  static ScriptContainer from_json(const Json& json);
};

struct ScriptLimits {
  int workers_min = 1, workers_max = 1;
  int concurrency = 4;              // requests at a time of one worker; of a .py module 1
  std::size_t waiting_max = 1'000;  // requests that wait for a worker
  Millis idle_max{300'000};
  Millis startup_max{60'000};          // until /ping answers
  Millis request_max{60'000};          // as AWS
  std::uint64_t memory_bytes_max = 0;  // of a worker; 0: no limit
};

using ScriptWorkerPtr = std::shared_ptr<ScriptWorker>;

class ScriptModel {
 public:
  struct Place {
    std::string name;               // for messages: "churn/blue"
    std::filesystem::path scratch;  // a directory of its own, which need not
                                    // exist; removed in the end
    std::filesystem::path log;      // what it prints; empty: only the last lines are kept
    // Of the packages its requirements.txt asks for, prepared by the first start; null: it has what is
    // installed.
    PythonEnvironments* environments = nullptr;
  };
  // Brings model and code; starts nothing. NotFound, InvalidArgument. The clock
  // is borrowed.
  static Result<std::shared_ptr<ScriptModel>> make(const ObjectStore& objects, ScriptContainer container,
                                                   ScriptLimits limits, Place place, const Clock& clock);
  ~ScriptModel();  // ends the workers
  ScriptModel(const ScriptModel&) = delete;
  ScriptModel& operator=(const ScriptModel&) = delete;

  // A worker that answers /ping is there; starts one when there is none.
  // Internal with the last lines of its log.
  Status warm_up();
  // What the program answered, whatever its status. Errors: Internal when it
  // ended or did not answer, with the last lines of its log; Unavailable when
  // too many wait, or too long.
  Result<ScriptAnswer> invoke(const ScriptRequest& request);
  // Once a second or so: as many workers as there should be. Starts are done
  // here, by the calling thread.
  void tend();
  // Ends the workers at once; requests that are under way fail, and no others are taken.
  void stop();

  int workers() const;
  std::uint64_t starts() const;  // of workers, so far

 private:
  ScriptModel(ScriptContainer container, ScriptLimits limits, Place place, OptMl opt_ml, const Clock& clock);

  Result<ScriptWorkerPtr> start_worker();
  Status prepare_packages();
  Result<ScriptWorkerPtr> acquire(std::unique_lock<std::mutex>& lock);
  Result<ScriptWorkerPtr> add_worker(std::unique_lock<std::mutex>& lock);
  ScriptWorkerPtr free_worker();
  void drop_ended();
  void back_off();
  void release(const ScriptWorkerPtr& worker, bool answered);
  tl::unexpected<Error> program_failed(const std::string& what) const;

  const ScriptContainer container_;
  const ScriptLimits limits_;
  const Place place_;
  const Clock& clock_;
  const std::unique_ptr<ScriptLog> log_;
  std::mutex packages_mutex_;  // over what follows, up to mutex_
  OptMl opt_ml_;               // constant behind the first start
  bool packages_asked_ = false;
  std::optional<PreparedEnvironment> packages_;
  mutable std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  std::list<ScriptWorkerPtr> workers_;
  int starting_ = 0, failures_ = 0;  // in a row
  std::size_t waiting_ = 0;
  std::uint64_t starts_ = 0;
  Millis not_before_{0};  // uptime of the next start after a failure
  std::string last_failure_;
  std::atomic<bool> closing_{false};
};

}  // namespace millrace::tasks
