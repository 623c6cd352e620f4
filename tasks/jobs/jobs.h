#pragma once
// Records of jobs and entities: one JSON document per (kind, name), durable on return, unique by name. SageMaker's
// describe shapes are the documents. Kinds are SageMaker's resource names: TrainingJob, ProcessingJob, TransformJob,
// HyperParameterTuningJob, Model, ModelPackageGroup, ModelPackage, EndpointConfig, Endpoint. Any thread.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace millrace::tasks {

class Jobs {
 public:
  // The file is HOME/tasks.db.
  static Result<std::unique_ptr<Jobs>> open(const std::string& path);

  // AlreadyExists when the name is taken by a different request.
  Status create(std::string_view kind, std::string_view name, const Json& document);
  Status update(std::string_view kind, std::string_view name, const Json& document);  // NotFound
  Result<Json> find(std::string_view kind, std::string_view name) const;               // NotFound
  Status remove(std::string_view kind, std::string_view name);                         // NotFound
  // Newest first; `prefix` filters by name.
  Result<std::vector<Json>> list(std::string_view kind, std::string_view prefix = {}, std::size_t limit = 1000) const;

 private:
  struct State;
  explicit Jobs(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;

 public:
  ~Jobs();
};

}  // namespace millrace::tasks
