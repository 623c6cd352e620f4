#pragma once
// Training as a job does it: channels from the object store, fit, model directory. Worker threads.
//
// Progress goes through SageMaker's phases Downloading, Training (with round, metric and time to go),
// Uploading; every round is a line of the log in XGBoost's form, "[5]\ttrain-auc:0.93\tvalidation-auc:0.91".
// A run that was interrupted is begun again and writes the same bytes: from the start, or with
// CheckpointConfig (of algorithms that keep checkpoints) from the last tenth round.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/ranks/collective.h"
#include "tasks/task.h"
#include "tasks/training/own_form.h"
#include "tasks/training/tensors.h"
#include "tasks/training/training_spec.h"

namespace millrace::tasks {

// What trains: part of every card and of every step's key.
inline constexpr std::string_view kEngineVersion = "millrace 0.1.0";

struct TrainResult {
  std::string model_uri;                  // ModelArtifacts.S3ModelArtifacts
  std::map<std::string, double> metrics;  // of the model as saved, by name
  std::vector<MetricPoint> history;       // every metric of every round, as they came
  std::int64_t rounds = 0;                // of the model
  bool stopped_early = false;             // by TrainHooks::stop_early
};

// For tuning and Debugger's rules; all may be empty. Called on the training thread.
struct TrainHooks {
  std::function<void(const MetricPoint&)> metric;
  std::function<bool(const MetricPoint&)> stop_early;  // true: the model so far is enough
  std::function<void(std::size_t bytes)> pace;         // see RowStreamOptions; may be empty
  std::function<void(const Dataset& train)> data;      // as it was read; not of a stream or a form of its own
  // As it is saved, with the rows of the channels (null: a stream, none, of ranks).
  std::function<void(const Model& model, const Dataset* train, const Dataset* validation)> model;
  TensorTap tensors;  // of algorithms that show some; not of ranks
  // Checkpoints and the model go here instead of to the object store; `scratch` is a folder for the archive.
  // Empty: to the store.
  std::function<Status(const std::string& uri, std::string_view bytes)> write = {};
  std::filesystem::path scratch = {};
  // This is one of several ranks that train together (EstimatorKind::ranks says so): rank 0 does what this
  // file describes, the others their share of the fit and nothing else. Null: alone.
  Collective* ranks = nullptr;
};

// "binary", "multiclass", "regression", or what the algorithm says.
std::string_view task_of(const TrainingSpec& spec);

// The objects of a channel, of algorithms that read them themselves. NotFound, Cancelled.
Result<ObjectChannel> read_channel_objects(const TrainingChannel& channel, TaskContext& context);

// InvalidArgument (the data; channel, row and column are named), NotFound (no objects), Cancelled,
// OutOfSpace. In ranks Unavailable: another one is gone; what is not rank 0 gets an empty result.
Result<TrainResult> run_training(const TrainingSpec& spec, TaskContext& context,
                                 const TrainHooks& hooks = {});

}  // namespace millrace::tasks
