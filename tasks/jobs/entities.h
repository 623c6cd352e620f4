#pragma once
// Entities: the table of SageMaker's resources that have records, and what is the same for all of them:
// names, ARNs, describe, list, delete. Any thread.

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

struct EntityKind {
  std::string_view kind;        // "TrainingJob": fields TrainingJobName, TrainingJobArn, TrainingJobStatus
  std::string_view arn_type;    // "training-job"
  std::string_view list_field;  // "TrainingJobSummaries"
  bool modelled_not_found = false;  // what is not there is ResourceNotFound; else ValidationException
  std::string_view fields = {};     // "JobDefinition" where …Name and …Arn don't begin with the kind
  std::size_t name_max = 63;        // characters
};
extern const EntityKind kTrainingJob, kProcessingJob, kTransformJob, kTuningJob, kAutoMLJob, kModel,
    kModelPackageGroup, kModelPackage, kEndpointConfig, kEndpoint, kExperiment, kTrial, kTrialComponent,
    kMonitoringSchedule, kMonitoringExecution, kDataQualityJobDefinition, kModelQualityJobDefinition,
    kModelBiasJobDefinition, kModelExplainabilityJobDefinition, kArtifact, kAction, kContext, kFeatureGroup,
    kLabelingJob;
// The kind of an ARN, or null.
const EntityKind* entity_of_arn(std::string_view arn);

// Our own notes in a record (request, progress, …) are below this key; clients never see them.
inline constexpr const char* kNotes = "Millrace";

// Among them, of a training job: {metric: {"Stride", "Values"}}, its metrics over time.
inline constexpr const char* kCourse = "Course";

std::string name_field(const EntityKind& entity);  // "TrainingJobName"
std::string arn_field(const EntityKind& entity);   // "TrainingJobArn"
// One region and account for all: there is only this machine.
std::string entity_arn(const EntityKind& entity, std::string_view name);
// A name as it is; of an ARN of this kind what follows the type ("group/3" of a model package's).
std::string name_of(const EntityKind& entity, std::string_view name_or_arn);
// SageMaker's rule: letters, digits and single hyphens between them, at most `characters_max`.
Status check_name(std::string_view field, std::string_view name, std::size_t characters_max = 63);

// The text of a member; empty when it is not there or no text. Records keep what requests said, so types are
// not certain.
std::string text_in(const Json& record, std::string_view key);

// The record without our notes and its tags: what Describe… answers.
Json described(const Json& record);
// The tags of a request become notes of its record.
void keep_tags(const Json& request, Json& record);
// The failure of an operation on a record of that kind.
tl::unexpected<Failure> entity_failure(const EntityKind& entity, const Error& error);
// {"TrainingJobArn": …}
Payload arn_answer(const EntityKind& entity, std::string_view name);

// Creates the record `fields` (whole but for name, ARN, times and some notes) of an entity that is not a job.
// When the name is taken by the very same attempt (a dispatch after a crash) that is fine; else
// ValidationException. {"…Arn"}.
Outcome create_entity(const EntityKind& entity, const std::string& name, Json fields, TaskCall& call);

// The operations Describe…, List… (listing.h) and Delete….
Outcome describe_entity(const EntityKind& entity, TaskCall& call);
Outcome list_entities(const EntityKind& entity, TaskCall& call);
Outcome delete_entity(const EntityKind& entity, TaskCall& call);

}  // namespace millrace::tasks
