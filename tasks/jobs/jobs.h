#pragma once
// Records of jobs and entities: one JSON document per (kind, name), durable on return, unique by name.
// SageMaker's describe shapes are the documents. Kinds are SageMaker's resource names: TrainingJob,
// ProcessingJob, TransformJob, HyperParameterTuningJob, Model, ModelPackageGroup, ModelPackage,
// EndpointConfig, Endpoint. Any thread.

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

class Jobs {
 public:
  // The file is HOME/tasks.db.
  static Result<std::unique_ptr<Jobs>> open(const std::string& path);

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
