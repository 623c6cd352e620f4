#include "tasks/jobs/entities.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/jobs/listing.h"

namespace millrace::tasks {

const EntityKind kTrainingJob{"TrainingJob", "training-job", "TrainingJobSummaries"};
const EntityKind kProcessingJob{"ProcessingJob", "processing-job", "ProcessingJobSummaries"};
const EntityKind kTransformJob{"TransformJob", "transform-job", "TransformJobSummaries"};
const EntityKind kTuningJob{"HyperParameterTuningJob",
                            "hyper-parameter-tuning-job",
                            "HyperParameterTuningJobSummaries",
                            false,
                            {},
                            32};
const EntityKind kAutoMLJob{"AutoMLJob", "automl-job", "AutoMLJobSummaries", true, {}, 32};
const EntityKind kModel{"Model", "model", "Models"};
const EntityKind kModelPackageGroup{"ModelPackageGroup", "model-package-group",
                                    "ModelPackageGroupSummaryList"};
const EntityKind kModelPackage{"ModelPackage", "model-package", "ModelPackageSummaryList"};
const EntityKind kEndpointConfig{"EndpointConfig", "endpoint-config", "EndpointConfigs"};
const EntityKind kEndpoint{"Endpoint", "endpoint", "Endpoints"};
const EntityKind kExperiment{"Experiment", "experiment", "ExperimentSummaries", true};
const EntityKind kTrial{"Trial", "experiment-trial", "TrialSummaries", true};
const EntityKind kTrialComponent{"TrialComponent", "experiment-trial-component", "TrialComponentSummaries",
                                 true};
const EntityKind kMonitoringSchedule{"MonitoringSchedule", "monitoring-schedule",
                                     "MonitoringScheduleSummaries", true};
// Its records are named SCHEDULE/time; it has the ARN of its schedule.
const EntityKind kMonitoringExecution{"MonitoringExecution", "monitoring-schedule",
                                      "MonitoringExecutionSummaries", true, "MonitoringSchedule"};
const EntityKind kDataQualityJobDefinition{"DataQualityJobDefinition", "data-quality-job-definition",
                                           "JobDefinitionSummaries", true, "JobDefinition"};
const EntityKind kModelQualityJobDefinition{"ModelQualityJobDefinition", "model-quality-job-definition",
                                            "JobDefinitionSummaries", true, "JobDefinition"};
const EntityKind kModelBiasJobDefinition{"ModelBiasJobDefinition", "model-bias-job-definition",
                                         "JobDefinitionSummaries", true, "JobDefinition"};
const EntityKind kModelExplainabilityJobDefinition{"ModelExplainabilityJobDefinition",
                                                   "model-explainability-job-definition",
                                                   "JobDefinitionSummaries", true, "JobDefinition"};
const EntityKind kArtifact{"Artifact", "artifact", "ArtifactSummaries", true};
const EntityKind kAction{"Action", "action", "ActionSummaries", true};
const EntityKind kContext{"Context", "context", "ContextSummaries", true};
const EntityKind kFeatureGroup{"FeatureGroup", "feature-group", "FeatureGroupSummaries", true};
const EntityKind kLabelingJob{"LabelingJob", "labeling-job", "LabelingJobSummaryList", true};

namespace {

constexpr std::string_view kArnPrefix = "arn:aws:sagemaker:us-east-1:123456789012:";
constexpr std::size_t kRecordsMax = 1'000'000;  // that a list looks at

// What a summary shows of a record, besides its name and ARN.
constexpr std::string_view kSummaryFields[] = {"Status",
                                               "SecondaryStatus",
                                               "CreationTime",
                                               "LastModifiedTime",
                                               "TrainingStartTime",
                                               "TrainingEndTime",
                                               "ProcessingEndTime",
                                               "TransformEndTime",
                                               "FailureReason",
                                               "ModelPackageGroupName",
                                               "ModelPackageVersion",
                                               "ModelApprovalStatus",
                                               "ModelPackageDescription",
                                               "EndpointConfigName",
                                               "TrainingJobStatusCounters",
                                               "ObjectiveStatusCounters",
                                               "AutoMLJobSecondaryStatus",
                                               "EndTime",
                                               "PartialFailureReasons",
                                               "TuningJobArn",
                                               "LabelCounters",
                                               "LabelingJobOutput"};
constexpr const EntityKind* kEntityKinds[] = {&kTrainingJob,
                                              &kProcessingJob,
                                              &kTransformJob,
                                              &kTuningJob,
                                              &kAutoMLJob,
                                              &kModel,
                                              &kModelPackage,
                                              &kModelPackageGroup,
                                              &kEndpoint,
                                              &kEndpointConfig,
                                              &kExperiment,
                                              &kTrial,
                                              &kTrialComponent,
                                              &kMonitoringSchedule,
                                              &kDataQualityJobDefinition,
                                              &kModelQualityJobDefinition,
                                              &kModelBiasJobDefinition,
                                              &kModelExplainabilityJobDefinition,
                                              &kArtifact,
                                              &kAction,
                                              &kContext,
                                              &kFeatureGroup,
                                              &kLabelingJob};

Json summary_of(const EntityKind& entity, const Json& record) {
  Json summary = Json::object();
  const std::string prefix(entity.kind);
  for (const std::string& field : {prefix + "Name", prefix + "Arn", prefix + "Status"})
    if (record.contains(field)) summary[field] = record[field];
  for (const std::string_view field : kSummaryFields)
    if (record.contains(std::string(field))) summary[std::string(field)] = record[std::string(field)];
  if (entity.kind == kTuningJob.kind) {
    const Json config = record.value("HyperParameterTuningJobConfig", Json::object());
    for (const char* field : {"Strategy", "ResourceLimits"})
      if (config.contains(field)) summary[field] = config[field];
  }
  return summary;
}

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Result<std::string> name_in(const EntityKind& entity, const TaskCall& call) {
  MR_TRY(name, Arguments(call.arguments).text(name_field(entity)));
  return name_of(entity, name);
}

Result<Json> summaries(const EntityKind& entity, const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(filter, ListFilter::read(entity, arguments));
  MR_TRY(group, arguments.text_or("ModelPackageGroupName", ""));
  MR_TRY(approval, arguments.text_or("ModelApprovalStatus", ""));
  MR_TRY(package_type, arguments.text_or("ModelPackageType", "Both"));
  MR_DO(arguments.one_of("ModelPackageType", package_type, "Versioned|Unversioned|Both"));
  const std::string prefix = group.empty() ? "" : name_of(kModelPackageGroup, group) + "/";
  MR_TRY(records, call.context.jobs().records(entity.kind, prefix, kRecordsMax));
  std::erase_if(records, [&](const Jobs::Record& record) {
    const bool versioned = record.document.contains("ModelPackageVersion");
    const bool of_type = package_type == "Both" || versioned == (package_type == "Versioned");
    return !filter.fits(record.document) || (entity.kind == kModelPackage.kind && !of_type) ||
           (!approval.empty() && text_in(record.document, "ModelApprovalStatus") != approval);
  });
  MR_TRY(page, page_of(std::move(records), arguments, usual_sort_keys(entity)));
  return page_answer(entity.list_field, page, [&](const Json& record) { return summary_of(entity, record); });
}

}  // namespace

std::string name_field(const EntityKind& entity) {
  return std::string(entity.fields.empty() ? entity.kind : entity.fields) + "Name";
}
std::string arn_field(const EntityKind& entity) {
  return std::string(entity.fields.empty() ? entity.kind : entity.fields) + "Arn";
}

std::string entity_arn(const EntityKind& entity, std::string_view name) {
  return std::string(kArnPrefix) + std::string(entity.arn_type) + "/" + std::string(name);
}

std::string name_of(const EntityKind& entity, std::string_view name_or_arn) {
  const std::string mark = ":" + std::string(entity.arn_type) + "/";
  const std::size_t found =
      name_or_arn.substr(0, 4) == "arn:" ? name_or_arn.find(mark) : std::string_view::npos;
  return std::string(found == std::string_view::npos ? name_or_arn : name_or_arn.substr(found + mark.size()));
}

Status check_name(std::string_view field, std::string_view name, std::size_t characters_max) {
  const std::string what = std::string(field) + " \"" + std::string(name.substr(0, 80)) + "\"";
  if (name.empty()) return invalid(std::string(field) + " must not be empty");
  if (name.size() > characters_max)
    return invalid(what + " has " + std::to_string(name.size()) + " characters, at most " +
                   std::to_string(characters_max) + " are allowed");
  const bool characters_fine =
      std::all_of(name.begin(), name.end(), [](char c) { return letter_or_digit(c) || c == '-'; });
  if (!characters_fine || name.front() == '-' || name.back() == '-')
    return invalid(what + " may have letters, digits and hyphens between them only",
                   "the rule is ^[a-zA-Z0-9](-*[a-zA-Z0-9])*$");
  return {};
}

std::string text_in(const Json& record, std::string_view key) {
  return text_at(record, {key});
}

const EntityKind* entity_of_arn(std::string_view arn) {
  for (const EntityKind* entity : kEntityKinds)
    if (arn.substr(0, 4) == "arn:" && name_of(*entity, arn).size() < arn.size()) return entity;
  return nullptr;
}

Json described(const Json& record) {
  Json answer = record;
  answer.erase(kNotes);
  answer.erase("Tags");  // of records that are older than their notes
  return answer;
}

void keep_tags(const Json& request, Json& record) {
  record.erase("Tags");
  const auto tags = request.find("Tags");
  if (tags != request.end() && tags->is_array()) record[kNotes]["Tags"] = *tags;
}

tl::unexpected<Failure> entity_failure(const EntityKind& entity, const Error& error) {
  if (entity.modelled_not_found && error.code == ErrorCode::NotFound)
    return sagemaker_failure("ResourceNotFoundException", error.message);
  return sagemaker_failure(error);
}

Payload arn_answer(const EntityKind& entity, std::string_view name) {
  return to_payload(Json{{arn_field(entity), entity_arn(entity, name)}});
}

Outcome create_entity(const EntityKind& entity, const std::string& name, Json fields, TaskCall& call) {
  Json record = {{name_field(entity), name}, {arn_field(entity), entity_arn(entity, name)}};
  record.update(fields);
  const std::int64_t now = to_millis(call.context.clock().now());
  record["CreationTime"] = now;
  record["LastModifiedTime"] = now;
  if (!record.contains(kNotes)) record[kNotes] = Json::object();
  record[kNotes]["Key"] = call.key;
  record[kNotes]["Request"] = call.arguments;
  keep_tags(call.arguments, record);
  const Status created = call.context.jobs().create(entity.kind, name, record);
  if (created) return arn_answer(entity, name);
  if (created.error().code != ErrorCode::AlreadyExists) return sagemaker_failure(created.error());
  const auto existing = call.context.jobs().find(entity.kind, name);
  if (existing && !call.key.empty() && text_in(existing->at(kNotes), "Key") == call.key &&
      existing->at(kNotes).value("Request", Json()) == call.arguments)
    return arn_answer(entity, name);
  return sagemaker_failure("ValidationException", "Cannot create already existing " +
                                                      std::string(entity.arn_type) + " \"" +
                                                      entity_arn(entity, name) + "\".");
}

Outcome describe_entity(const EntityKind& entity, TaskCall& call) {
  const auto name = name_in(entity, call);
  if (!name) return sagemaker_failure(name.error());
  const auto record = call.context.jobs().find(entity.kind, *name);
  if (!record) return entity_failure(entity, record.error());
  return to_payload(described(*record));
}

Outcome list_entities(const EntityKind& entity, TaskCall& call) {
  const auto answer = summaries(entity, call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

Outcome delete_entity(const EntityKind& entity, TaskCall& call) {
  const auto name = name_in(entity, call);
  if (!name) return sagemaker_failure(name.error());
  const Status removed = call.context.jobs().remove(entity.kind, *name);
  if (!removed) return entity_failure(entity, removed.error());
  return Payload::empty_object();
}

}  // namespace millrace::tasks
