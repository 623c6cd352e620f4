#pragma once
// Records of jobs and entities: one JSON document per (kind, name), durable on return, unique by name.
// SageMaker's describe shapes are the documents. Kinds are SageMaker's resource names: TrainingJob,
// ProcessingJob, TransformJob, HyperParameterTuningJob, AutoMLJob, Model, ModelPackageGroup, ModelPackage,
// EndpointConfig, Endpoint, Experiment, Trial, TrialComponent. Changes that the world is told of are kept in
// the transaction that makes them, until they are told (changes.h). Any thread.

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

class Jobs {
 public:
  // What of a record makes a difference to the world ("Completed"); empty: nothing of this kind does. Pure.
  using StateOf = std::string (*)(std::string_view kind, const Json& document);
  struct Record {
    std::int64_t number = 0;  // 1, 2, … in the order of creation
    Json document;
  };
  // A record as a write left it that changed its state, or as it was when it was removed.
  struct Change {
    std::int64_t number = 0;  // in order; never used twice
    std::string kind, name;
    bool removed = false;
    Json document;
  };
  // A value of a trial component's metric, by `step` or as it came.
  struct MetricValue {
    std::string metric;
    std::int64_t time_ms = 0;
    std::optional<std::int64_t> step;
    double value = 0;
  };
  struct MetricSummary {
    std::string metric;
    std::int64_t time_ms = 0, count = 0;  // of the last one
    double min = 0, max = 0, last = 0, mean = 0, deviation = 0;
  };

  // The file is HOME/tasks.db. `state_of` null: changes are not kept.
  static Result<std::unique_ptr<Jobs>> open(const std::string& path, StateOf state_of = nullptr);
  // Called behind each write that is durable, by the thread that wrote: of which record, and whether it is
  // gone now. To be set before other threads have the object.
  using Written = std::function<void(std::string_view kind, std::string_view name, bool removed)>;
  void on_write(Written call);

  // AlreadyExists when the name is taken.
  Status create(std::string_view kind, std::string_view name, const Json& document);
  Status update(std::string_view kind, std::string_view name, const Json& document);  // NotFound
  Result<Json> find(std::string_view kind, std::string_view name) const;              // NotFound
  Status remove(std::string_view kind, std::string_view name);                        // NotFound
  // Reads, changes and writes in one step; nothing is written when `change` fails. The new document.
  // NotFound. `change` must not call back into this object.
  Result<Json> modify(std::string_view kind, std::string_view name,
                      const std::function<Status(Json&)>& change);
  // Newest first; `prefix` filters by name.
  Result<std::vector<Json>> list(std::string_view kind, std::string_view prefix = {},
                                 std::size_t limit = 1000) const;
  Result<std::vector<Record>> records(std::string_view kind, std::string_view prefix = {},
                                      std::size_t limit = 1000) const;

  // Those whose step (tasks/steps) has this key and whose work was their own (no hit of the
  // step cache), newest first.
  Result<std::vector<Record>> steps(std::string_view kind, std::string_view key, std::size_t limit) const;

  // The oldest changes that are kept, and the end of one.
  Result<std::vector<Change>> changes(std::size_t limit) const;
  Status forget_change(std::int64_t number);

  // Values of a trial component's metrics: all of them or none; what there is; what it comes to, by name.
  Status add_metrics(std::string_view component, const std::vector<MetricValue>& values);
  Result<std::vector<MetricValue>> metrics(std::string_view component, std::string_view metric) const;
  Result<std::vector<MetricSummary>> metric_summaries(std::string_view component) const;
  Status remove_metrics(std::string_view component);

  // The right to run a job in this process: one holder at a time per (kind, name), given back on destruction.
  class Claim;
  std::unique_ptr<Claim> claim(std::string_view kind,
                               std::string_view name);  // null: someone runs it already
  // Tells the holder of the claim to stop; false when nobody has it.
  bool request_stop(std::string_view kind, std::string_view name);
  // Where the job's log lines go, and files of its own while it runs: logs/<kind>/<name>.log and
  // scratch/<kind>/<name>/ beside the database. Not made here.
  std::filesystem::path log_path(std::string_view kind, std::string_view name) const;
  std::filesystem::path scratch_path(std::string_view kind, std::string_view name) const;

 private:
  struct State;
  explicit Jobs(std::unique_ptr<State> state);
  template <class Write>
  Status write(std::string_view kind, std::string_view name, std::string before, const Json& after,
               bool removed, Write write);
  void written(std::string_view kind, std::string_view name, bool removed) const;
  std::unique_ptr<State> state_;

 public:
  ~Jobs();
};

class Jobs::Claim {
 public:
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  bool stop_requested() const { return stop_->load(std::memory_order_relaxed); }

 private:
  friend class Jobs;
  Claim(Jobs& jobs, std::string id, std::shared_ptr<std::atomic<bool>> stop)
      : jobs_(&jobs), id_(std::move(id)), stop_(std::move(stop)) {}
  Jobs* jobs_;
  std::string id_;
  std::shared_ptr<std::atomic<bool>> stop_;
};

}  // namespace millrace::tasks
