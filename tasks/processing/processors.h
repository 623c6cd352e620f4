#pragma once
// The built-in processors: what AppSpecification.ImageUri may name besides a script. Each is a function from
// inputs and settings to objects it writes; processors.cpp lists them.
//
// The request is SageMaker's CreateProcessingJob:
//   ProcessingInputs[].{InputName, S3Input.S3Uri}                           channels of CSV objects with a
//   header ProcessingOutputConfig.Outputs[].{OutputName, S3Output.S3Uri}           where results go settings,
//   one JSON object put together from these, the later ones winning member by member:
//     the object that the input named "config" (or "analysis_config", as Clarify has it) points at,
//     Environment.SETTINGS (the JSON text),
//     AppSpecification.ContainerArguments (["--method", "ordered", "--column", "day"]; a value that is JSON
//     is taken as such, any other as a string; "--some-name" is the setting some_name).
// Worker thread.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/artifacts/channel_source.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/task.h"

namespace millrace::tasks {

struct NamedUri {
  std::string name, uri;
  ChannelSource source = {};  // of an input: the same place, and in which form the rows are there
};

struct ProcessingInputs {
  std::vector<NamedUri> inputs;  // without those of settings
  std::vector<NamedUri> outputs;
  Json settings;  // an object

  // Null when there is none of the name.
  const NamedUri* input(std::string_view name) const;
  // Where a part goes: the output of that name; else, with one output, `name` below it. InvalidArgument when
  // neither.
  Result<std::string> output_for(std::string_view name) const;
};

struct Processor {
  std::string_view name, summary;
  // Settings and names of inputs and outputs, without reading data: what can be said when the job is created.
  Status (*check)(const ProcessingInputs& inputs);
  // What was written and a summary of it, for people and for the states that follow. Errors: InvalidArgument
  // for data and settings, NotFound for channels, Cancelled, OutOfSpace.
  Result<Json> (*run)(const ProcessingInputs& inputs, TaskContext& context);
};
std::span<const Processor> processors();
// By name, or by a registry URI that ends in it ("…/prepare:1"); null when unknown.
const Processor* find_processor(std::string_view image);

// Reads a CreateProcessingJob request. InvalidArgument names the field; NotFound when the config object is
// not there.
Result<ProcessingInputs> read_processing_inputs(const Json& request, const ObjectStore& objects);

}  // namespace millrace::tasks
