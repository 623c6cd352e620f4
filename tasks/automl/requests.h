#pragma once
// The jobs behind an AutoML job, as requests: what cuts the rows, what prepares them, what trains a
// candidate. The workflow of the winner is made of the same. Pure.

#include <span>
#include <string>

#include "base/json.h"
#include "tasks/automl/automl_spec.h"
#include "tasks/training/ensemble/ensemble.h"

namespace millrace::tasks {

inline constexpr std::size_t kAutoMLFolds = 5;

// `once`: a part of the rows, or the channel validation, is held out once; else there are folds.
class AutoMLRequests {
 public:
  AutoMLRequests(const AutoMLSpec& spec, const DataAnalysis& analysis, bool split)
      : spec_(spec), analysis_(analysis), split_(split) {}

  bool split() const { return split_; }
  bool once() const { return split_ || !spec_.validation_input.is_null(); }
  std::string prepared_uri() const;
  // CreateProcessingJob of `split`; null when the rows are not cut.
  Json split_request() const;
  Json prepare_request() const;  // CreateProcessingJob of `prepare`
  Json training_request(const std::string& name, std::span<const EnsembleMember> members) const;

 private:
  Json raw_inputs() const;

  const AutoMLSpec& spec_;
  const DataAnalysis& analysis_;
  const bool split_;
};

// CreateProcessingJob of a built-in processor; inputs as [[name, S3Input], …].
Json builtin_processing(const std::string& name, const std::string& image, const Json& settings,
                        const Json& inputs, const std::string& output);

}  // namespace millrace::tasks
