#include "tasks/experiments/job_components.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/experiments/experiments.h"
#include "tasks/jobs/entities.h"
#include "tasks/table/table.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kExperimentNameMax = 120;  // characters

struct JobComponentKind {
  const EntityKind& entity;
  std::string_view suffix, source_type, time_prefix;
};
const JobComponentKind kJobComponents[] = {
    {kTrainingJob, "-aws-training-job", "SageMakerTrainingJob", "Training"},
    {kProcessingJob, "-aws-processing-job", "SageMakerProcessingJob", "Processing"},
    {kTransformJob, "-aws-transform-job", "SageMakerTransformJob", "Transform"},
};

void add_artifact(Json& artifacts, const std::string& name, const std::string& uri,
                  const std::string& type = {}) {
  if (name.empty() || uri.empty()) return;
  artifacts[name] = {{"Value", uri}};
  if (!type.empty()) artifacts[name]["MediaType"] = type;
}

// Hyperparameters and environments are texts; what is a number is one here, so that it can be compared.
void add_parameters(Json& parameters, const Json& map) {
  for (const auto& [name, value] : map.items()) {
    if (!value.is_string()) continue;
    double number = 0;
    const bool numeric = parse_number(value.get<std::string>(), number) && number - number == 0;
    parameters[name] = numeric ? Json{{"NumberValue", number}} : Json{{"StringValue", value}};
  }
}

void add_training(const Json& job, Json& parameters, Json& inputs, Json& outputs) {
  add_parameters(parameters, job.value("HyperParameters", Json::object()));
  add_artifact(inputs, "SageMaker.ImageUri", text_at(job, {"AlgorithmSpecification", "TrainingImage"}));
  for (const Json& channel : job.value("InputDataConfig", Json::array()))
    add_artifact(inputs, text_in(channel, "ChannelName"),
                 text_at(channel, {"DataSource", "S3DataSource", "S3Uri"}), text_in(channel, "ContentType"));
  add_artifact(outputs, "SageMaker.ModelArtifact", text_at(job, {"ModelArtifacts", "S3ModelArtifacts"}));
}

void add_processing(const Json& job, Json& parameters, Json& inputs, Json& outputs) {
  add_parameters(parameters, job.value("Environment", Json::object()));
  add_artifact(inputs, "SageMaker.ImageUri", text_at(job, {"AppSpecification", "ImageUri"}));
  for (const Json& input : job.value("ProcessingInputs", Json::array()))
    add_artifact(inputs, text_in(input, "InputName"), text_at(input, {"S3Input", "S3Uri"}));
  const Json config = job.value("ProcessingOutputConfig", Json::object());
  for (const Json& output : config.value("Outputs", Json::array()))
    add_artifact(outputs, text_in(output, "OutputName"), text_at(output, {"S3Output", "S3Uri"}));
}

void add_transform(const Json& job, Json& parameters, Json& inputs, Json& outputs) {
  parameters["SageMaker.ModelName"] = {{"StringValue", text_in(job, "ModelName")}};
  add_artifact(inputs, "SageMaker.TransformInput",
               text_at(job, {"TransformInput", "DataSource", "S3DataSource", "S3Uri"}),
               text_at(job, {"TransformInput", "ContentType"}));
  add_artifact(outputs, "SageMaker.TransformOutput", text_at(job, {"TransformOutput", "S3OutputPath"}),
               text_at(job, {"TransformOutput", "Accept"}));
}

// What the job says of its component.
Json fields_of_job(const JobComponentKind& kind, const Json& job) {
  const std::string prefix(kind.time_prefix);
  Json fields = {
      {"Source", {{"SourceArn", text_in(job, arn_field(kind.entity))}, {"SourceType", kind.source_type}}},
      {"Status", {{"PrimaryStatus", text_in(job, std::string(kind.entity.kind) + "Status")}}}};
  const std::string reason = text_in(job, "FailureReason");
  if (!reason.empty()) fields["Status"]["Message"] = reason.substr(0, 1024);
  for (const char* end : {"StartTime", "EndTime"})
    if (job.contains(prefix + end)) fields[end] = job[prefix + end];
  Json parameters = Json::object(), inputs = Json::object(), outputs = Json::object();
  if (kind.entity.kind == kTrainingJob.kind) add_training(job, parameters, inputs, outputs);
  if (kind.entity.kind == kProcessingJob.kind) add_processing(job, parameters, inputs, outputs);
  if (kind.entity.kind == kTransformJob.kind) add_transform(job, parameters, inputs, outputs);
  fields["Parameters"] = std::move(parameters);
  fields["InputArtifacts"] = std::move(inputs);
  fields["OutputArtifacts"] = std::move(outputs);
  if (job.contains("LastModifiedTime")) fields["LastModifiedTime"] = job["LastModifiedTime"];
  return fields;
}

// What people added to the component stays.
void merge_component(const Json& fields, Json& record) {
  for (const auto& [key, value] : fields.items()) {
    const bool map = key == "Parameters" || key == "InputArtifacts" || key == "OutputArtifacts";
    if (map && record.contains(key))
      record[key].update(value);
    else
      record[key] = value;
  }
}

}  // namespace

Status check_experiment_config(const Jobs& jobs, const Json& request) {
  MR_TRY(config, Arguments(request).object_or_empty("ExperimentConfig"));
  MR_TRY(experiment, config.text_or("ExperimentName", ""));
  MR_TRY(trial, config.text_or("TrialName", ""));
  if (!experiment.empty()) MR_DO(jobs.find(kExperiment.kind, experiment));
  if (trial.empty()) return {};
  MR_TRY(record, jobs.find(kTrial.kind, trial));
  const std::string owner = text_in(record, "ExperimentName");
  if (!experiment.empty() && owner != experiment)
    return config.wrong("TrialName", "trial \"" + trial + "\" belongs to experiment \"" + owner + "\"");
  return {};
}

Status ensure_experiment_config(Jobs& jobs, const Json& request, std::int64_t now_ms) {
  MR_TRY(config, Arguments(request).object_or_empty("ExperimentConfig"));
  MR_TRY(experiment, config.text_or("ExperimentName", ""));
  MR_TRY(trial, config.text_or("TrialName", ""));
  const auto make = [&](const EntityKind& entity, const std::string& name,
                        const std::string& owner) -> Status {
    if (name.empty()) return {};
    MR_DO(check_name("ExperimentConfig." + name_field(entity), name, kExperimentNameMax));
    Json record = {{name_field(entity), name}, {arn_field(entity), entity_arn(entity, name)}};
    if (!owner.empty()) record["ExperimentName"] = owner;
    record.update({{"DisplayName", name},
                   {"CreatedBy", Json::object()},
                   {"CreationTime", now_ms},
                   {"LastModifiedTime", now_ms},
                   {kNotes, Json::object()}});
    const Status made = jobs.create(entity.kind, name, record);
    return made || made.error().code == ErrorCode::AlreadyExists ? Status() : made;
  };
  // A trial needs an experiment: one that is named alone gets one of its name, unless it is there.
  if (experiment.empty() && !trial.empty() && !jobs.find(kTrial.kind, trial)) experiment = trial;
  MR_DO(make(kExperiment, experiment, ""));
  MR_DO(make(kTrial, trial, experiment));
  return check_experiment_config(jobs, request);
}

Status keep_job_component(Jobs& jobs, const Jobs::Change& change) {
  const JobComponentKind* kind = nullptr;
  for (const JobComponentKind& one : kJobComponents)
    if (one.entity.kind == change.kind) kind = &one;
  const Json config = change.document.value("ExperimentConfig", Json());
  if (!kind || change.removed || !config.is_object() || config.empty()) return {};
  const std::string name = change.name + std::string(kind->suffix);
  const Json fields = fields_of_job(*kind, change.document);
  const std::string trial = text_in(config, "TrialName"), experiment = text_in(config, "ExperimentName"),
                    display = text_in(config, "TrialComponentDisplayName");
  Json record = {{"TrialComponentName", name},
                 {"TrialComponentArn", entity_arn(kTrialComponent, name)},
                 {"DisplayName", display.empty() ? name : display},
                 {"CreationTime", change.document.value("CreationTime", Json())},
                 {"CreatedBy", Json::object()},
                 {kNotes, Json::object()}};
  if (!trial.empty()) record[kNotes]["Trials"] = Json::array({trial});
  if (!experiment.empty()) record[kNotes]["Experiment"] = experiment;
  merge_component(fields, record);
  const Status made = jobs.create(kTrialComponent.kind, name, record);
  if (!made && made.error().code != ErrorCode::AlreadyExists) return made;
  const auto kept = jobs.modify(kTrialComponent.kind, name, [&](Json& r) -> Status {
    merge_component(fields, r);
    if (change.document.contains("FinalMetricDataList"))
      r[kNotes]["FinalMetrics"] = change.document["FinalMetricDataList"];
    return {};
  });
  if (!kept && kept.error().code != ErrorCode::NotFound) return fail(kept.error());  // deleted meanwhile
  return {};
}

Json job_course(const Jobs& jobs, const Json& component) {
  const std::string arn = text_at(component, {"Source", "SourceArn"});
  const EntityKind* kind = entity_of_arn(arn);
  if (kind == nullptr || kind->kind != kTrainingJob.kind) return Json::object();
  const auto job = jobs.find(kind->kind, name_of(*kind, arn));
  if (!job) return Json::object();  // deleted
  const Json notes = job->value(kNotes, Json::object());
  return notes.value(kCourse, Json::object());
}

}  // namespace millrace::tasks
