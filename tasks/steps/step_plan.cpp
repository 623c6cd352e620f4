// Requests of jobs, read for what can make a difference to their results; see step_record.h.

#include <nlohmann/json.hpp>
#include <set>

#include "tasks/arguments.h"
#include "tasks/deployment/models.h"
#include "tasks/processing/processors.h"
#include "tasks/script/train_script.h"
#include "tasks/steps/step_record.h"
#include "tasks/training/estimator.h"
#include "tasks/training/training_spec.h"

namespace millrace::tasks {
namespace {

// Members of requests that can't change what comes out.
constexpr std::string_view kWithoutEffect[] = {"Tags",
                                               "ExperimentConfig",
                                               "RoleArn",
                                               "ResourceConfig",
                                               "ProcessingResources",
                                               "TransformResources",
                                               "StoppingCondition",
                                               "VpcConfig",
                                               "DebugHookConfig",
                                               "DebugRuleConfigurations",
                                               "ProfilerConfig",
                                               "ProfilerRuleConfigurations",
                                               "TensorBoardOutputConfig",
                                               "RetryStrategy",
                                               "MaxConcurrentTransforms",
                                               "MaxPayloadInMB",
                                               "ModelClientConfig",
                                               "CheckpointConfig",
                                               "OutputDataConfig",
                                               "TuningJobArn",
                                               "ModelName",
                                               "TrainingJobName",
                                               "ProcessingJobName",
                                               "TransformJobName"};
// Hyperparameters with which SageMaker's SDK tells a program about its job.
constexpr std::string_view kAboutTheJob[] = {"sagemaker_submit_directory", "sagemaker_job_name",
                                             "sagemaker_region", "sagemaker_container_log_level"};
// Members whose bytes count instead of their place, at any depth.
constexpr std::string_view kPlaces[] = {"S3Uri",         "S3OutputPath", "ImageUri",
                                        "TrainingImage", "KmsKeyId",     "OutputKmsKeyId"};

// What the parts of lists are called; their own parameters are told apart by it.
constexpr std::string_view kPartNames[] = {"ChannelName", "InputName", "OutputName"};

template <std::size_t n>
bool is_among(const std::string_view (&names)[n], std::string_view name) {
  for (const std::string_view one : names)
    if (one == name) return true;
  return false;
}

// Texts by their path: InputDataConfig[0].ContentType is "train.ContentType". Of people's own maps (`whole`)
// every member counts; elsewhere the bytes of places do.
void flatten_request(const Json& value, const std::string& path, bool whole,
                     std::map<std::string, std::string>& out) {
  if (value.is_null()) return;
  if (value.is_object()) {
    for (const auto& [key, member] : value.items())
      if (whole || (!is_among(kPlaces, key) && !is_among(kPartNames, key)))
        flatten_request(member, path.empty() ? key : path + "." + key, whole || key == "Environment", out);
    return;
  }
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      std::string name;
      for (const std::string_view key : kPartNames)
        if (name.empty()) name = text_in(value[i], key);
      if (!name.empty()) out.emplace(path, "").first->second += (i == 0 ? "" : ", ") + name;
      flatten_request(value[i], name.empty() ? path + "[" + std::to_string(i) + "]" : name, whole, out);
    }
    return;
  }
  out[path] = value.is_string() ? value.get<std::string>() : std::string(to_payload(value).text());
}

std::map<std::string, std::string> step_parameters(const Json& request) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : request.items()) {
    if (is_among(kWithoutEffect, key)) continue;
    if (key == "HyperParameters" && value.is_object()) {
      for (const auto& [name, text] : value.items())
        if (!is_among(kAboutTheJob, name)) flatten_request(text, name, true, out);
    } else {
      flatten_request(value, key, key == "Environment", out);
    }
  }
  return out;
}

// The settings of a built-in processor by their names, wherever the request has them: settings.train.
void name_settings(const Json& request, std::map<std::string, std::string>& parameters) {
  const std::string text = text_at(request, {"Environment", "SETTINGS"});
  const Json settings = text.empty() ? Json() : Json::parse(text, nullptr, false);
  if (settings.is_object()) {
    parameters.erase("Environment.SETTINGS");
    flatten_request(settings, "settings", true, parameters);
  }
  const auto arguments = Arguments(request).object_or_empty("AppSpecification");
  const auto texts = arguments ? arguments->texts("ContainerArguments") : Result<std::vector<std::string>>();
  for (std::size_t i = 0; texts && i + 1 < texts->size(); i += 2) {
    const std::string& name = (*texts)[i];
    if (!name.starts_with("--") || name.size() < 3) return;
    for (const std::size_t k : {i, i + 1})
      parameters.erase("AppSpecification.ContainerArguments[" + std::to_string(k) + "]");
    parameters["settings." + name.substr(2)] = (*texts)[i + 1];
  }
}

ChannelSource prefix(std::string uri) {
  ChannelSource source;
  source.uri = std::move(uri);
  return source;
}

// As the Python SDK writes texts: "\"s3://…\"".
std::string unquoted(const std::string& text) {
  const Json parsed = text.starts_with('"') ? Json::parse(text, nullptr, false) : Json();
  return parsed.is_string() ? parsed.get<std::string>() : text;
}

Status plan_training(const Json& request, StepPlan& plan) {
  const std::string image = text_at(request, {"AlgorithmSpecification", "TrainingImage"});
  const EstimatorKind* estimator = find_estimator(image);
  plan.program = names_program(request) || image == "script";
  plan.image = estimator && !plan.program ? std::string(estimator->name) : image;
  const Arguments arguments(request);
  MR_TRY(parameters, arguments.text_map("HyperParameters"));
  const auto directory = parameters.find("sagemaker_submit_directory");
  if (plan.program && directory != parameters.end()) plan.code = unquoted(directory->second);
  MR_TRY(channels, arguments.list("InputDataConfig"));
  for (const Arguments& channel : channels) {
    MR_TRY(source, channel.object_or_empty("DataSource"));
    MR_TRY(s3, source.object_or_empty("S3DataSource"));
    MR_TRY(uri, s3.text_or("S3Uri", ""));
    MR_TRY(type, s3.text_or("S3DataType", "S3Prefix"));
    if (uri.empty()) continue;
    StepPlace place{text_in(channel.json(), "ChannelName"), prefix(uri), !plan.program};
    MR_TRY(data, parse_data_type(type));
    place.source.data = data;
    MR_TRY(attributes, s3.texts("AttributeNames"));
    place.source.attributes = attributes;
    plan.inputs.push_back(std::move(place));
  }
  // What a program of the user's finds of an earlier run may make a difference to what it does.
  const std::string checkpoints = text_at(request, {"CheckpointConfig", "S3Uri"});
  if (plan.program && !checkpoints.empty())
    plan.inputs.push_back({"checkpoints", prefix(checkpoints), false, true});
  const std::string out = text_at(request, {"OutputDataConfig", "S3OutputPath"});
  plan.outputs.push_back(
      {"output", prefix(join_uri(join_uri(out, text_in(request, "TrainingJobName")), "output/")), false});
  return {};
}

Status plan_processing(const Json& request, StepPlan& plan) {
  const std::string image = text_at(request, {"AppSpecification", "ImageUri"});
  const Arguments arguments(request);
  MR_TRY(application, arguments.object_or_empty("AppSpecification"));
  MR_TRY(entrypoint, application.texts("ContainerEntrypoint"));
  const Processor* processor = find_processor(image);
  plan.program = !entrypoint.empty();
  plan.image = processor && !plan.program ? std::string(processor->name) : image;
  MR_TRY(inputs, arguments.list("ProcessingInputs"));
  for (const Arguments& input : inputs) {
    MR_TRY(s3, input.object_or_empty("S3Input"));
    MR_TRY(uri, s3.text_or("S3Uri", ""));
    MR_TRY(type, s3.text_or("S3DataType", "S3Prefix"));
    if (uri.empty()) continue;
    MR_TRY(data, parse_data_type(type));
    StepPlace place{text_in(input.json(), "InputName"), prefix(uri), !plan.program};
    if (place.name.empty()) place.name = "input-" + std::to_string(plan.inputs.size() + 1);
    place.source.data = data;
    plan.inputs.push_back(std::move(place));
  }
  MR_TRY(config, arguments.object_or_empty("ProcessingOutputConfig"));
  MR_TRY(outputs, config.list("Outputs"));
  for (const Arguments& output : outputs) {
    std::string name = text_in(output.json(), "OutputName");
    if (name.empty()) name = "output-" + std::to_string(plan.outputs.size() + 1);
    plan.outputs.push_back({name, prefix(text_at(output.json(), {"S3Output", "S3Uri"})), false});
  }
  return {};
}

Status plan_transform(const Json& request, const Jobs& jobs, StepPlan& plan) {
  plan.image = "transform";
  MR_TRY(uris, model_uris(jobs, text_in(request, "ModelName")));
  for (std::size_t i = 0; i < uris.size(); ++i)
    plan.inputs.push_back({i == 0 ? "model" : "model-" + std::to_string(i + 1), prefix(uris[i]), false});
  plan.inputs.push_back(
      {"input", prefix(text_at(request, {"TransformInput", "DataSource", "S3DataSource", "S3Uri"})), false});
  plan.outputs.push_back({"output", prefix(text_at(request, {"TransformOutput", "S3OutputPath"})), false});
  return {};
}

}  // namespace

Result<std::optional<StepPlan>> plan_step(const EntityKind& kind, const Json& request, const Jobs& jobs) {
  StepPlan plan;
  if (kind.kind == kTrainingJob.kind) {
    MR_DO(plan_training(request, plan));
  } else if (kind.kind == kProcessingJob.kind) {
    MR_DO(plan_processing(request, plan));
  } else if (kind.kind == kTransformJob.kind) {
    MR_DO(plan_transform(request, jobs, plan));
  } else {
    return std::optional<StepPlan>();
  }
  plan.parameters = step_parameters(request);
  if (kind.kind == kProcessingJob.kind && !plan.program) name_settings(request, plan.parameters);
  return std::optional<StepPlan>(std::move(plan));
}

}  // namespace millrace::tasks
