#pragma once
// TrainingSpec: what a CreateTrainingJob request asks of the built-in algorithms, read and checked.
//
// Taken from the request: TrainingJobName, AlgorithmSpecification.TrainingImage (or AlgorithmName),
// HyperParameters, InputDataConfig[].{ChannelName, ContentType, CompressionType,
// DataSource.S3DataSource.{S3Uri, S3DataType, AttributeNames}}, OutputDataConfig.S3OutputPath,
// CheckpointConfig.S3Uri, ResourceConfig.InstanceCount. Fields that only mean something in the cloud are not
// looked at; ones that would change the result and are not supported (other channels and content types) are
// refused. Three hyperparameters are settings of the job, for every algorithm: `target` and `weight` (of
// xgboost `group`, the queries of ranking) name columns of data with a header, `seed` is a number from 0
// (default 0, so that the same data and settings give the same model whatever the job is called). Source:
// SageMaker API reference, CreateTrainingJob.

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "tasks/artifacts/channel_source.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

struct TrainingChannel {
  enum class Header { Unknown, Present, Absent };  // "text/csv; header=present"
  std::string name, uri;
  Header header = Header::Unknown;
  ChannelSource source = {};      // the same place, and in which form the rows are there
  std::string content_type;       // "text/csv", without its parameters; empty: not given
  bool pipe = false;              // TrainingInputMode or the channel's InputMode is Pipe
  std::optional<int> label_size;  // "text/csv; label_size=0": 0 or 1
  bool sharded = false;           // ShardedByS3Key: instances share it out by objects
};

struct TrainingSpec {
  std::string job_name;
  const EstimatorKind* kind = nullptr;
  HyperParameters parameters;         // the algorithm's own
  std::string target, weight, group;  // column names; empty: not given
  std::uint64_t seed = 0;
  TrainingChannel train;
  std::optional<TrainingChannel> validation, test;
  std::string output_uri;      // OutputDataConfig.S3OutputPath
  std::string checkpoint_uri;  // CheckpointConfig.S3Uri; empty: no checkpoints
  int instances = 1;           // ResourceConfig.InstanceCount

  // Whether the first column of the channel is a target unless one is named: what its label_size says, else
  // as the algorithm needs it.
  bool has_target(const TrainingChannel& channel) const;
  // Whether the algorithm keeps checkpoints with these hyperparameters.
  bool keeps_checkpoints() const { return kind->checkpoints && kind->checkpoints(parameters); }
  std::string model_uri() const;        // <S3OutputPath>/<TrainingJobName>/output/model.tar.gz
  std::string checkpoint_name() const;  // <CheckpointConfig.S3Uri>/<TrainingJobName>/…
};

// InvalidArgument names the field by its path: "InputDataConfig[1].ChannelName: …". NotFound for an unknown
// algorithm.
Result<TrainingSpec> parse_training_spec(const Json& request);

}  // namespace millrace::tasks
