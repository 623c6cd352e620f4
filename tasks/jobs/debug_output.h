#pragma once
// DebugHookConfig of a training job: which collections of tensors (tensors.h) are saved, and how often.
// Taken from it: S3OutputPath; HookParameters and each CollectionConfigurations' CollectionParameters:
// save_interval [500] (train.save_interval means the same), start_step, end_step, and include_regex, which
// makes a collection of the tensors whose names fit. "all" is every tensor.
//
// What is saved of a step is one object of a collection, written whole or not at all:
//   <S3OutputPath>/<TrainingJobName>/debug-output/<collection>/<step, 12 digits>.json
//   {"step": 500, "collection": "weights", "tensors": [{"name", "shape", "min", …, "sha256"}]}   (to_json)
// Long jobs save less often the longer they run: after each kSavesBetween objects of a collection the
// interval doubles. Which steps are saved depends on nothing but the step, so a job that goes on after a
// crash writes the same objects. The fit's thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/training/tensors.h"

namespace millrace::tasks {

class DebugOutput {
 public:
  static constexpr std::int64_t kSavesBetween = 500;
  static constexpr std::size_t kCollectionsMax = 20;  // of a job, as on AWS

  // `shown`: "weights|biases|…", what the algorithm shows. InvalidArgument names the field.
  static Result<DebugOutput> parse(const Json& request, std::string_view shown);

  // Nothing is asked for.
  bool idle() const { return collections_.empty() && unknown_.empty(); }
  bool wants(std::int64_t step) const;
  // The objects of a step's collections. The errors of ObjectStore::write.
  Status save(std::int64_t step, std::span<const Tensor> tensors, const ObjectStore& objects) const;
  // The SHA-256 that the job of this record saved of a tensor; empty: it did not.
  static std::string saved_sha256(const Json& record, const Tensor& tensor, std::int64_t step,
                                  const ObjectStore& objects);
  // Collections that are asked for and that the algorithm does not show; to be said in the log.
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  struct Collection {
    std::string name;
    std::int64_t interval = 500, first = 0, last = 0;
    std::optional<NamePattern> pattern;
    bool saves(std::int64_t step) const;
    bool holds(const Tensor& tensor) const;
  };
  static Result<Collection> parse_collection(const Json& configuration, const std::string& path,
                                             const Json& of_all);
  std::string place_;  // up to "debug-output"
  std::vector<Collection> collections_;
  std::vector<std::string> unknown_;
};

}  // namespace millrace::tasks
