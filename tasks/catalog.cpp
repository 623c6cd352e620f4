#include "tasks/catalog.h"

#include <algorithm>
#include <vector>

#include "tasks/catalog_services.h"
#include "tasks/deployment/ab_test.h"
#include "tasks/deployment/invoke.h"
#include "tasks/deployment/models.h"
#include "tasks/experiments/experiments.h"
#include "tasks/features/feature_groups.h"
#include "tasks/integrations/data_tasks.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/jobs/tags.h"
#include "tasks/labelling/label_tasks.h"
#include "tasks/lineage/lineage_operations.h"
#include "tasks/lineage/parameters.h"
#include "tasks/monitoring/alerts.h"
#include "tasks/monitoring/executions.h"
#include "tasks/monitoring/job_definitions.h"
#include "tasks/monitoring/schedules.h"
#include "tasks/registry/compare_packages.h"
#include "tasks/registry/model_packages.h"
#include "tasks/registry/package_aliases.h"
#include "tasks/steps/job_operations.h"

namespace millrace::tasks {
namespace {

using P = Parameter;

constexpr P kModelParameters[] = {
    {"ModelName", "string", true, "unique"},
    {"PrimaryContainer", "object", false, "ModelDataUrl s3://… or ModelPackageName of an Approved package"},
    {"Containers", "array", false, "an inference pipeline: containers in sequence"},
    {"ExecutionRoleArn", "string", false, "accepted, without effect"},
};
constexpr P kGroupParameters[] = {
    {"ModelPackageGroupName", "string", true, "unique"},
    {"ModelPackageGroupDescription", "string", false, "for people"},
};
constexpr P kPackageParameters[] = {
    {"ModelPackageGroupName", "string", false, "the group; it is made when it does not exist"},
    {"ModelPackageName", "string", false, "for a package outside groups"},
    {"InferenceSpecification", "object", false, "Containers[0].ModelDataUrl is the artifact"},
    {"ModelMetrics", "object", false, "ModelQuality.Statistics.S3Uri and the like"},
    {"ModelApprovalStatus", "string", false, "PendingManualApproval (default), Approved, Rejected"},
    {"ModelPackageDescription", "string", false, "for people"},
    {"CustomerMetadataProperties", "map", false, "strings by name"},
    {"ClientToken", "string", false, "outside workflows: the same token gives the same version"},
};
constexpr P kPackageUpdateParameters[] = {
    {"ModelPackageArn", "string", true, "ARN or group/version"},
    {"ModelApprovalStatus", "string", false, "PendingManualApproval, Approved, Rejected"},
    {"ApprovalDescription", "string", false, "why"},
    {"CustomerMetadataProperties", "map", false, "added or replaced"},
    {"CustomerMetadataPropertiesToRemove", "array", false, "names"},
};
constexpr P kTrainingParameters[] = {
    {"TrainingJobName", "string", true, "unique"},
    {"AlgorithmSpecification", "object", true, "TrainingImage, MetricDefinitions"},
    {"HyperParameters", "map", false, "of the algorithm; a script's are its command line"},
    {"InputDataConfig", "array", false, "channels: ChannelName, DataSource.S3DataSource.S3Uri, ContentType"},
    {"OutputDataConfig", "object", true, "S3OutputPath"},
    {"StoppingCondition", "object", false, "MaxRuntimeInSeconds"},
    {"Environment", "map", false, "of a script"},
    {"CheckpointConfig", "object", false,
     "S3Uri: /opt/ml/checkpoints of a script; what a built-in algorithm had reached"},
    {"DebugRuleConfigurations", "array", false,
     "RuleConfigurationName, RuleParameters: Debugger's rules over the metrics, see docs/ml.md"},
    {"EnableManagedSpotTraining", "boolean", false,
     "a program that was ended by a signal runs again; StoppingCondition.MaxWaitTimeInSeconds"},
    {"ResourceConfig", "object", false,
     "MemoryLimitInMB limits a script; the rest is accepted, without effect"},
    {"RoleArn", "string", false, "accepted, without effect"},
};
constexpr P kProcessingParameters[] = {
    {"ProcessingJobName", "string", true, "unique"},
    {"AppSpecification", "object", true, "ImageUri; for a program ContainerEntrypoint, ContainerArguments"},
    {"ProcessingInputs", "array", false, "InputName, S3Input.S3Uri, S3Input.LocalPath"},
    {"ProcessingOutputConfig", "object", false, "Outputs: OutputName, S3Output.S3Uri, S3Output.LocalPath"},
    {"Environment", "map", false, "settings of a built-in processor, variables of a program"},
    {"StoppingCondition", "object", false, "MaxRuntimeInSeconds"},
    {"RoleArn", "string", false, "accepted, without effect"},
};
constexpr P kTransformParameters[] = {
    {"TransformJobName", "string", true, "unique"},
    {"ModelName", "string", true, "of createModel"},
    {"TransformInput", "object", true,
     "DataSource.S3DataSource.S3Uri; ContentType text/csv or application/jsonlines"},
    {"TransformOutput", "object", true, "S3OutputPath; Accept text/csv or application/jsonlines"},
    {"DataProcessing", "object", false, "InputFilter, OutputFilter ($[1:], $[0,-1]), JoinSource Input"},
    {"TransformResources", "object", false, "accepted, without effect"},
};
constexpr P kEndpointConfigParameters[] = {
    {"EndpointConfigName", "string", true, "unique"},
    {"ProductionVariants", "array", true, "VariantName, ModelName, InitialVariantWeight (1)"},
    {"ShadowProductionVariants", "array", false, "the same; they get their share behind the answer"},
    {"DataCaptureConfig", "object", false,
     "EnableCapture, InitialSamplingPercentage, DestinationS3Uri, CaptureOptions, CaptureContentTypeHeader"},
};
constexpr P kEndpointParameters[] = {
    {"EndpointName", "string", true, "unique"},
    {"EndpointConfigName", "string", true, "of createEndpointConfig"},
    {"DeploymentConfig", "object", false,
     "of updateEndpoint: BlueGreenUpdatePolicy or RollingUpdatePolicy, AutoRollbackConfiguration"},
    {"RetainDeploymentConfig", "boolean", false, "of updateEndpoint: the last DeploymentConfig again"},
    {"RetainAllVariantProperties", "boolean", false, "of updateEndpoint: variants keep their weights"},
};
constexpr P kWeightParameters[] = {
    {"EndpointName", "string", true},
    {"DesiredWeightsAndCapacities", "array", true, "VariantName, DesiredWeight"},
};
constexpr P kInvokeParameters[] = {
    {"EndpointName", "string", true},
    {"Body", "string", true, "rows; JSON may also be given as JSON"},
    {"ContentType", "string", false, "text/csv (default), application/json, application/jsonlines"},
    {"Accept", "string", false, "text/csv, application/json, application/jsonlines"},
    {"TargetVariant", "string", false, "that variant instead of one picked by weight"},
    {"TargetModel", "string", false, "of a multi-model endpoint: the model below its prefix"},
    {"InferenceId", "string", false, "names the request for its outcome, see putOutcomes"},
};
constexpr P kCompareParameters[] = {
    {"EndpointName", "string", true},
    {"Confidence", "number", false, "0.95"},
    {"Control", "string", false, "the variant the others are compared with; default: the first"},
    {"MissingOutcomes", "string", false, "Ignore (default), or Zero: a request without an outcome is a 0"},
    {"Better", "string", false, "Higher (default) or Lower outcomes"},
    {"Margin", "number", false, "variants that surely differ by less are Equal"},
};
constexpr P kOutcomesParameters[] = {
    {"EndpointName", "string", true},
    {"Outcomes", "array", false, "{InferenceId, Outcome and/or Label}"},
    {"S3Uri", "string", false, "the same as JSON lines, or CSV with inference_id, outcome, label"},
    {"ContentType", "string", false, "of that object: application/jsonlines or text/csv"},
};
constexpr P kEndpointConfigName[] = {{"EndpointConfigName", "string", true}};
constexpr P kEndpointName[] = {{"EndpointName", "string", true}};
constexpr P kTuningParameters[] = {
    {"HyperParameterTuningJobName", "string", true, "unique"},
    {"HyperParameterTuningJobConfig", "object", true,
     "Strategy, HyperParameterTuningJobObjective, ResourceLimits, ParameterRanges"},
    {"TrainingJobDefinition", "object", true,
     "the trials' CreateTrainingJob request, with StaticHyperParameters"},
};
constexpr P kAutoMLParameters[] = {
    {"AutoMLJobName", "string", true, "unique"},
    {"InputDataConfig", "array", true,
     "ChannelType, DataSource.S3DataSource.S3Uri, TargetAttributeName: CSV with a header"},
    {"OutputDataConfig", "object", true, "S3OutputPath"},
    {"ProblemType", "string", false, "BinaryClassification, MulticlassClassification, Regression"},
    {"AutoMLJobObjective", "object", false, "MetricName: F1, Accuracy, AUC, LogLoss, MSE, RMSE, R2, …"},
    {"AutoMLJobConfig", "object", false, "Mode, CompletionCriteria, CandidateGenerationConfig"},
    {"GenerateCandidateDefinitionsOnly", "boolean", false, "true: nothing is trained"},
    {"ModelDeployConfig", "object", false,
     "EndpointName, or AutoGenerateEndpointName: the winner is deployed"},
    {"RandomSeed", "number", false, "ours: the same seed and data give the same candidates"},
};
constexpr P kAutoMLV2Parameters[] = {
    {"AutoMLJobName", "string", true, "unique"},
    {"AutoMLJobInputDataConfig", "array", true,
     "ChannelType, DataSource.S3DataSource.S3Uri: CSV with a header"},
    {"AutoMLProblemTypeConfig", "object", true,
     "TabularJobConfig: TargetAttributeName, ProblemType, Mode, CompletionCriteria, "
     "CandidateGenerationConfig, FeatureSpecificationS3Uri; or TextClassificationJobConfig: ContentColumn, "
     "TargetLabelColumn; or TimeSeriesForecastingJobConfig: ForecastFrequency, ForecastHorizon, "
     "TimeSeriesConfig"},
    {"OutputDataConfig", "object", true, "S3OutputPath"},
    {"AutoMLJobObjective", "object", false, "MetricName: F1, Accuracy, AUC, LogLoss, MSE, RMSE, R2, …"},
    {"DataSplitConfig", "object", false, "ValidationFraction"},
    {"ModelDeployConfig", "object", false,
     "EndpointName, or AutoGenerateEndpointName: the winner is deployed"},
    {"RandomSeed", "number", false, "ours: the same seed and data give the same candidates"},
};
constexpr P kListCandidatesParameters[] = {
    {"AutoMLJobName", "string", true},
    {"StatusEquals", "string", false, "InProgress, Completed, Failed, Stopping, Stopped"},
    {"CandidateNameEquals", "string", false},
    {"SortBy", "string", false, "CreationTime (default), Status, FinalObjectiveMetricValue"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kListParameters[] = {
    {"NameContains", "string", false, "part of the name"},
    {"StatusEquals", "string", false, "InProgress, Completed, Failed, Stopping, Stopped"},
    {"CreationTimeAfter", "time", false,
     "also CreationTimeBefore, LastModifiedTimeAfter, LastModifiedTimeBefore"},
    {"SortBy", "string", false, "CreationTime (default), Name, LastModifiedTime, Status"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kListTrialJobsParameters[] = {
    {"HyperParameterTuningJobName", "string", true},
    {"StatusEquals", "string", false, "InProgress, Completed, Failed, Stopping, Stopped"},
    {"SortBy", "string", false, "CreationTime (default), Name, Status, FinalObjectiveMetricValue"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kAddTagsParameters[] = {
    {"ResourceArn", "string", true},
    {"Tags", "array", true, "Key, Value; a key that is there gets the new value"},
};
constexpr P kResourceArn[] = {{"ResourceArn", "string", true}};
constexpr P kDeleteTagsParameters[] = {{"ResourceArn", "string", true}, {"TagKeys", "array", true}};
constexpr P kFeatureGroupParameters[] = {
    {"FeatureGroupName", "string", true, "unique"},
    {"RecordIdentifierFeatureName", "string", true, "the feature that names a record"},
    {"EventTimeFeatureName", "string", true, "the feature that tells its time: Fractional seconds or String"},
    {"FeatureDefinitions", "array", true,
     "FeatureName, FeatureType Integral, Fractional, String; CollectionType"},
    {"OnlineStoreConfig", "object", false, "EnableOnlineStore, TtlDuration"},
    {"OfflineStoreConfig", "object", false, "S3StorageConfig.S3Uri"},
    {"Description", "string", false, "for people"},
};
constexpr P kFeatureGroupName[] = {{"FeatureGroupName", "string", true, "name or ARN"}};
constexpr P kFeatureGroupChanges[] = {
    {"FeatureGroupName", "string", true, "name or ARN"},
    {"FeatureAdditions", "array", false, "as FeatureDefinitions; records that are there have no value"},
    {"OnlineStoreConfig", "object", false, "TtlDuration: of records put from now on"},
};
constexpr P kListFeatureGroupsParameters[] = {
    {"NameContains", "string", false, "part of the name"},
    {"FeatureGroupStatusEquals", "string", false, "Created"},
    {"OfflineStoreStatusEquals", "string", false, "Active"},
    {"SortBy", "string", false, "CreationTime (default), Name, FeatureGroupStatus, OfflineStoreStatus"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kFeatureName[] = {{"FeatureGroupName", "string", true, "name or ARN"},
                              {"FeatureName", "string", true}};
constexpr P kFeatureMetadataChanges[] = {
    {"FeatureGroupName", "string", true, "name or ARN"},
    {"FeatureName", "string", true},
    {"Description", "string", false, "for people"},
    {"ParameterAdditions", "array", false, "Key, Value; a key that is there gets the new value"},
    {"ParameterRemovals", "array", false, "keys"},
};
constexpr P kPutRecordParameters[] = {
    {"FeatureGroupName", "string", true, "name or ARN"},
    {"Record", "array", true, "FeatureName and ValueAsString or ValueAsStringList"},
    {"TargetStores", "array", false, "OnlineStore, OfflineStore; those that the group has"},
    {"TtlDuration", "object", false, "Unit, Value: instead of the group's"},
};
constexpr P kPutRecordsParameters[] = {
    {"FeatureGroupName", "string", true, "name or ARN"},
    {"Records", "array", true, "up to 1000, each as Record of putRecord; all or none"},
    {"TargetStores", "array", false, "OnlineStore, OfflineStore; those that the group has"},
};
constexpr P kGetRecordParameters[] = {
    {"FeatureGroupName", "string", true, "name or ARN"},
    {"RecordIdentifierValueAsString", "string", true},
    {"FeatureNames", "array", false, "all when absent"},
    {"ExpirationTimeResponse", "string", false, "Enabled: ExpiresAt is told"},
};
constexpr P kDeleteRecordParameters[] = {
    {"FeatureGroupName", "string", true, "name or ARN"},
    {"RecordIdentifierValueAsString", "string", true},
    {"EventTime", "string", true, "of the deletion"},
    {"DeletionMode", "string", false, "SoftDelete (default), HardDelete"},
    {"TargetStores", "array", false, "OnlineStore, OfflineStore; those that the group has"},
};
constexpr P kBatchGetRecordParameters[] = {
    {"Identifiers", "array", true, "FeatureGroupName, RecordIdentifiersValueAsString, FeatureNames"},
    {"ExpirationTimeResponse", "string", false, "Enabled: ExpiresAt is told"},
};
constexpr P kLabelingParameters[] = {
    {"LabelingJobName", "string", true, "unique"},
    {"LabelAttributeName", "string", true, "of the label in the output manifest"},
    {"InputConfig", "object", true,
     "DataSource.S3DataSource.ManifestS3Uri: JSON lines with source or source-ref"},
    {"OutputConfig", "object", true, "S3OutputPath"},
    {"LabelCategoryConfigS3Uri", "string", true, "{\"labels\": [{\"label\": …}, …]}"},
    {"HumanTaskConfig", "object", true, "TaskTitle, TaskDescription, NumberOfHumanWorkersPerDataObject (1)"},
    {"StoppingConditions", "object", false, "MaxHumanLabeledObjectCount"},
    {"RoleArn", "string", false, "accepted, without effect"},
};
constexpr P kLabelingJobName[] = {{"LabelingJobName", "string", true}};
constexpr P kLabelItemsParameters[] = {
    {"Task", "string", true, "a labelling job"},
    {"Worker", "string", false, "who labels: what he has labelled is left out"},
    {"Limit", "number", false, "10; at most 1000"}};
constexpr P kPutLabelsParameters[] = {{"Task", "string", true, "a labelling job"},
                                      {"Worker", "string", true, "who says so"},
                                      {"Labels", "array", true, "up to 1000: Id, Label"}};
constexpr P kExperimentParameters[] = {
    {"ExperimentName", "string", true, "unique"},
    {"DisplayName", "string", false, "for people"},
    {"Description", "string", false, "for people"},
};
constexpr P kExperimentName[] = {{"ExperimentName", "string", true}};
constexpr P kTrialParameters[] = {
    {"TrialName", "string", true, "unique"},
    {"ExperimentName", "string", true, "of createExperiment"},
    {"DisplayName", "string", false, "for people"},
};
constexpr P kTrialUpdateParameters[] = {{"TrialName", "string", true}, {"DisplayName", "string", false}};
constexpr P kTrialName[] = {{"TrialName", "string", true}};
constexpr P kListTrialsParameters[] = {
    {"ExperimentName", "string", false, "trials of that experiment"},
    {"TrialComponentName", "string", false, "trials with that component"},
    {"CreatedAfter", "time", false, "also CreatedBefore"},
    {"SortBy", "string", false, "CreationTime (default) or Name"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kComponentParameters[] = {
    {"TrialComponentName", "string", true, "unique"},
    {"DisplayName", "string", false, "for people"},
    {"Status", "object", false, "PrimaryStatus, Message"},
    {"StartTime", "time", false},
    {"EndTime", "time", false},
    {"Parameters", "map", false, "StringValue or NumberValue by name"},
    {"InputArtifacts", "map", false, "Value, MediaType by name"},
    {"OutputArtifacts", "map", false, "Value, MediaType by name"},
};
constexpr P kComponentUpdateParameters[] = {
    {"TrialComponentName", "string", true},
    {"Parameters", "map", false, "added or replaced; also InputArtifacts, OutputArtifacts"},
    {"ParametersToRemove", "array", false, "names; also InputArtifactsToRemove, OutputArtifactsToRemove"},
    {"Status", "object", false, "PrimaryStatus, Message"},
    {"StartTime", "time", false},
    {"EndTime", "time", false},
    {"DisplayName", "string", false, "for people"},
};
constexpr P kComponentName[] = {{"TrialComponentName", "string", true}};
constexpr P kComponentAndTrial[] = {{"TrialComponentName", "string", true}, {"TrialName", "string", true}};
constexpr P kListComponentsParameters[] = {
    {"ExperimentName", "string", false, "components in trials of that experiment"},
    {"TrialName", "string", false, "components in that trial"},
    {"SourceArn", "string", false, "the component of that job"},
    {"CreatedAfter", "time", false, "also CreatedBefore"},
    {"SortBy", "string", false, "CreationTime (default) or Name"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kSearchParameters[] = {
    {"Resource", "string", true, "TrainingJob, ExperimentTrialComponent, ModelPackage, Experiment, …"},
    {"SearchExpression", "object", false,
     "Filters (Name, Operator, Value), NestedFilters, SubExpressions, Operator"},
    {"SortBy", "string", false, "any property; LastModifiedTime"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most that"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kPutMetricsParameters[] = {
    {"TrialComponentName", "string", true},
    {"MetricData", "array", true, "up to 10: MetricName, Value, Timestamp, Step"},
};
constexpr P kGetMetricsParameters[] = {
    {"MetricQueries", "array", true, "MetricName, ResourceArn, MetricStat, Period, XAxisType, Start, End"},
};
constexpr P kScheduleParameters[] = {
    {"MonitoringScheduleName", "string", true, "unique"},
    {"MonitoringScheduleConfig", "object", true,
     "ScheduleConfig.ScheduleExpression (cron, rate, NOW), MonitoringType, MonitoringJobDefinition or its "
     "name"},
};
constexpr P kScheduleName[] = {{"MonitoringScheduleName", "string", true}};
constexpr P kRunMonitoringParameters[] = {
    {"MonitoringScheduleName", "string", true},
    {"ScheduledTime", "time", true, "names the run: asked for again, it is the same run"},
    {"PreviousTime", "time", false, "where its span begins, unless offsets say so; an hour before"},
};
constexpr P kListExecutionsParameters[] = {
    {"MonitoringScheduleName", "string", false, "of that schedule"},
    {"EndpointName", "string", false, "also MonitoringJobDefinitionName, MonitoringTypeEquals"},
    {"StatusEquals", "string", false, "InProgress, Completed, CompletedWithViolations, Failed, Stopped"},
    {"ScheduledTimeAfter", "time", false, "also ScheduledTimeBefore, CreationTimeAfter, …"},
    {"SortBy", "string", false, "ScheduledTime (default), CreationTime, Status"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kListSchedulesParameters[] = {
    {"EndpointName", "string", false, "also MonitoringJobDefinitionName, MonitoringTypeEquals"},
    {"NameContains", "string", false, "part of the name"},
    {"StatusEquals", "string", false, "Scheduled, Stopped"},
    {"SortBy", "string", false, "CreationTime (default), Name, Status"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kAlertHistoryParameters[] = {
    {"MonitoringScheduleName", "string", false, "of that schedule"},
    {"StatusEquals", "string", false, "InAlert, OK"},
    {"CreationTimeAfter", "time", false, "also CreationTimeBefore"},
    {"SortBy", "string", false, "CreationTime (default), Status"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr P kUpdateAlertParameters[] = {
    {"MonitoringScheduleName", "string", true},
    {"MonitoringAlertName", "string", true, "violations"},
    {"DatapointsToAlert", "number", true, "so many runs with violations"},
    {"EvaluationPeriod", "number", true, "of the last so many"},
};
constexpr P kDefinitionName[] = {{"JobDefinitionName", "string", true}};
constexpr P kListDefinitionsParameters[] = {
    {"EndpointName", "string", false, "of that endpoint"},
    {"NameContains", "string", false, "part of the name"},
    {"SortBy", "string", false, "CreationTime (default), Name"},
    {"SortOrder", "string", false, "Descending (default) or Ascending"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
#define MR_DEFINITION_PARAMETERS(type, app)                                                                \
  {                                                                                                        \
    {"JobDefinitionName", "string", true, "unique"}, {type "AppSpecification", "object", true, app},       \
        {type "JobInput", "object", true, "EndpointInput, GroundTruthS3Input"},                            \
        {type "JobOutputConfig", "object", true, "MonitoringOutputs[0].S3Output.S3Uri"}, {                 \
      type "BaselineConfig", "object", false, "ConstraintsResource, StatisticsResource, BaseliningJobName" \
    }                                                                                                      \
  }
constexpr P kDataQualityParameters[] =
    MR_DEFINITION_PARAMETERS("DataQuality", "ImageUri sagemaker-model-monitor-analyzer");
constexpr P kModelQualityParameters[] = MR_DEFINITION_PARAMETERS("ModelQuality", "ImageUri, ProblemType");
constexpr P kModelBiasParameters[] = MR_DEFINITION_PARAMETERS("ModelBias", "ImageUri, ConfigUri");
constexpr P kModelExplainabilityParameters[] =
    MR_DEFINITION_PARAMETERS("ModelExplainability", "ImageUri, ConfigUri");
#undef MR_DEFINITION_PARAMETERS
constexpr P kTrainingJobName[] = {{"TrainingJobName", "string", true}};
constexpr P kProcessingJobName[] = {{"ProcessingJobName", "string", true}};
constexpr P kTransformJobName[] = {{"TransformJobName", "string", true}};
constexpr P kTuningJobName[] = {{"HyperParameterTuningJobName", "string", true}};
constexpr P kAutoMLJobName[] = {{"AutoMLJobName", "string", true}};
constexpr P kModelName[] = {{"ModelName", "string", true}};
constexpr P kGroupName[] = {{"ModelPackageGroupName", "string", true}};
constexpr P kPackageName[] = {{"ModelPackageName", "string", true, "ARN or group/version"}};

template <const EntityKind& entity>
Outcome describe(TaskCall& call) {
  return describe_entity(entity, call);
}
template <const EntityKind& entity>
Outcome list(TaskCall& call) {
  return list_entities(entity, call);
}
template <const EntityKind& entity>
Outcome remove(TaskCall& call) {
  return delete_entity(entity, call);
}
enum class DefinitionOperation { Create, List, Delete };
template <DefinitionOperation operation, char initial>  // D, Q, B, E of the four types
Outcome definition(TaskCall& call) {
  constexpr std::string_view kInitials = "DQBE";
  const MonitoringType& type = monitoring_types()[kInitials.find(initial)];
  if constexpr (operation == DefinitionOperation::Create) return create_job_definition(type, call);
  if constexpr (operation == DefinitionOperation::List) return list_job_definitions(type, call);
  return delete_job_definition(type, call);
}
using DefOp = DefinitionOperation;
template <const JobKind& kind>
Outcome create(TaskCall& call) {
  return create_job(kind, call);
}
template <const JobKind& kind>
Outcome stop(TaskCall& call) {
  return stop_job(kind, call);
}

constexpr std::string_view kService = "sagemaker";

// service, operation, summary, optimized, sync, parameters, function, callback, begin; one row a line
// clang-format off
const TaskKind kLibrary[] = {
    {"labels", "getLabelItems", "Objects of a labelling job that are to be labelled; Millrace's own", false, false, kLabelItemsParameters, nullptr, false, begin_labels},
    {"labels", "listLabelTasks", "Labelling jobs that wait for people; Millrace's own", false, false, {}, nullptr, false, begin_labels},
    {"labels", "putLabels", "What somebody says of objects; Millrace's own", false, false, kPutLabelsParameters, nullptr, false, begin_labels},
    {"millrace", "compareVariants", "Compares an endpoint's variants by their outcomes", true, false, kCompareParameters, compare_variants_task},
    {"millrace", "putOutcomes", "What became of requests, by inference id", true, false, kOutcomesParameters, put_outcomes_task},
    {kService, "addTags", "Adds tags to a resource", false, false, kAddTagsParameters, add_tags},
    {kService, "associateTrialComponent", "Puts a component into a trial", false, false, kComponentAndTrial, associate_trial_component},
    {kService, "createAutoMLJob", "Looks at a table, trains candidates, puts the best together", true, true, kAutoMLParameters, create<kAutoMLJobKind>},
    {kService, "createAutoMLJobV2", "The same by the newer request", true, true, kAutoMLV2Parameters, create<kAutoMLJobKind>},
    {kService, "createDataQualityJobDefinition", "Says how checks of data are made", false, false, kDataQualityParameters, definition<DefOp::Create, 'D'>},
    {kService, "createEndpoint", "Serves the models of an endpoint configuration", true, false, kEndpointParameters, create_endpoint},
    {kService, "createEndpointConfig", "Weighs models as variants of an endpoint", true, false, kEndpointConfigParameters, create_endpoint_config},
    {kService, "createExperiment", "Makes an experiment", false, false, kExperimentParameters, create_experiment},
    {kService, "createFeatureGroup", "Makes a feature group", false, false, kFeatureGroupParameters, create_feature_group},
    {kService, "createHyperParameterTuningJob", "Searches hyperparameters by training jobs", true, true, kTuningParameters, create<kTuningJobKind>},
    {kService, "createLabelingJob", "Asks people to label the objects of a manifest", true, true, kLabelingParameters, nullptr, false, begin_create_labeling_job},
    {kService, "createModel", "Makes a model of one or more artifacts", true, false, kModelParameters, create_model},
    {kService, "createModelBiasJobDefinition", "Says how checks of a model's bias are made", false, false, kModelBiasParameters, definition<DefOp::Create, 'B'>},
    {kService, "createModelExplainabilityJobDefinition", "Says how checks of what answers depend on are made", false, false, kModelExplainabilityParameters, definition<DefOp::Create, 'E'>},
    {kService, "createModelPackage", "Registers a version of a model", false, false, kPackageParameters, create_model_package},
    {kService, "createModelPackageGroup", "Makes a group for the versions of a model", false, false, kGroupParameters, create_model_package_group},
    {kService, "createModelQualityJobDefinition", "Says how checks of a model's quality are made", false, false, kModelQualityParameters, definition<DefOp::Create, 'Q'>},
    {kService, "createMonitoringSchedule", "Checks captured requests by the clock", false, false, kScheduleParameters, create_monitoring_schedule},
    {kService, "createProcessingJob", "Runs a built-in processor or a program over data", true, true, kProcessingParameters, create<kProcessingJobKind>},
    {kService, "createTrainingJob", "Trains a model by a built-in algorithm or a program", true, true, kTrainingParameters, create<kTrainingJobKind>},
    {kService, "createTransformJob", "Scores the objects below a prefix", true, true, kTransformParameters, create<kTransformJobKind>},
    {kService, "createTrial", "Makes a trial of an experiment", false, false, kTrialParameters, create_trial},
    {kService, "createTrialComponent", "Makes a component: parameters, metrics and artifacts of one step", false, false, kComponentParameters, create_trial_component},
    {kService, "deleteDataQualityJobDefinition", "Deletes a job definition that no schedule uses", false, false, kDefinitionName, definition<DefOp::Delete, 'D'>},
    {kService, "deleteEndpoint", "Ends an endpoint", false, false, kEndpointName, remove<kEndpoint>},
    {kService, "deleteEndpointConfig", "Deletes an endpoint configuration's record", false, false, kEndpointConfigName, remove<kEndpointConfig>},
    {kService, "deleteExperiment", "Deletes an experiment without trials", false, false, kExperimentName, delete_experiment},
    {kService, "deleteFeatureGroup", "Deletes a feature group with its online records; the offline files stay", false, false, kFeatureGroupName, remove<kFeatureGroup>},
    {kService, "deleteModel", "Deletes a model's record; the artifact stays", false, false, kModelName, remove<kModel>},
    {kService, "deleteModelBiasJobDefinition", "Deletes a job definition that no schedule uses", false, false, kDefinitionName, definition<DefOp::Delete, 'B'>},
    {kService, "deleteModelExplainabilityJobDefinition", "Deletes a job definition that no schedule uses", false, false, kDefinitionName, definition<DefOp::Delete, 'E'>},
    {kService, "deleteModelPackage", "Deletes a version's record; its number is not used again", false, false, kPackageName, delete_model_package},
    {kService, "deleteModelPackageGroup", "Deletes an empty group", false, false, kGroupName, delete_model_package_group},
    {kService, "deleteModelQualityJobDefinition", "Deletes a job definition that no schedule uses", false, false, kDefinitionName, definition<DefOp::Delete, 'Q'>},
    {kService, "deleteMonitoringSchedule", "Deletes a schedule and the records of its executions", false, false, kScheduleName, delete_monitoring_schedule},
    {kService, "deleteTags", "Removes tags from a resource", false, false, kDeleteTagsParameters, delete_tags},
    {kService, "deleteTrial", "Deletes a trial without components", false, false, kTrialName, delete_trial},
    {kService, "deleteTrialComponent", "Deletes a component that is in no trial, with its metrics", false, false, kComponentName, delete_trial_component},
    {kService, "describeAutoMLJob", "An AutoML job's record", false, false, kAutoMLJobName, describe<kAutoMLJob>},
    {kService, "describeAutoMLJobV2", "An AutoML job's record", false, false, kAutoMLJobName, describe<kAutoMLJob>},
    {kService, "describeDataQualityJobDefinition", "A job definition's record", false, false, kDefinitionName, describe<kDataQualityJobDefinition>},
    {kService, "describeEndpoint", "An endpoint's record with the weights of its variants", false, false, kEndpointName, describe<kEndpoint>},
    {kService, "describeEndpointConfig", "An endpoint configuration's record", false, false, kEndpointConfigName, describe<kEndpointConfig>},
    {kService, "describeExperiment", "An experiment's record", false, false, kExperimentName, describe<kExperiment>},
    {kService, "describeFeatureGroup", "A feature group's record", false, false, kFeatureGroupName, describe<kFeatureGroup>},
    {kService, "describeFeatureMetadata", "What is noted of a feature", false, false, kFeatureName, describe_feature_metadata},
    {kService, "describeHyperParameterTuningJob", "A tuning job's record", false, false, kTuningJobName, describe<kTuningJob>},
    {kService, "describeLabelingJob", "A labelling job's record", false, false, kLabelingJobName, describe<kLabelingJob>},
    {kService, "describeModel", "A model's record", false, false, kModelName, describe<kModel>},
    {kService, "describeModelBiasJobDefinition", "A job definition's record", false, false, kDefinitionName, describe<kModelBiasJobDefinition>},
    {kService, "describeModelExplainabilityJobDefinition", "A job definition's record", false, false, kDefinitionName, describe<kModelExplainabilityJobDefinition>},
    {kService, "describeModelPackage", "A version's record with metrics and approval", false, false, kPackageName, describe_model_package},
    {kService, "describeModelPackageGroup", "A group's record", false, false, kGroupName, describe<kModelPackageGroup>},
    {kService, "describeModelQualityJobDefinition", "A job definition's record", false, false, kDefinitionName, describe<kModelQualityJobDefinition>},
    {kService, "describeMonitoringSchedule", "A schedule's record and its last execution", false, false, kScheduleName, describe_monitoring_schedule},
    {kService, "describeProcessingJob", "A processing job's record", false, false, kProcessingJobName, describe<kProcessingJob>},
    {kService, "describeTrainingJob", "A training job's record", false, false, kTrainingJobName, describe<kTrainingJob>},
    {kService, "describeTransformJob", "A transform job's record", false, false, kTransformJobName, describe<kTransformJob>},
    {kService, "describeTrial", "A trial's record", false, false, kTrialName, describe<kTrial>},
    {kService, "describeTrialComponent", "A component with what its metrics come to", false, false, kComponentName, describe_trial_component},
    {kService, "disassociateTrialComponent", "Takes a component out of a trial", false, false, kComponentAndTrial, disassociate_trial_component},
    {kService, "listAutoMLJobs", "AutoML jobs, newest first", false, false, kListParameters, list<kAutoMLJob>},
    {kService, "listCandidatesForAutoMLJob", "An AutoML job's candidates, newest first", false, false, kListCandidatesParameters, list_candidates_for_automl_job},
    {kService, "listDataQualityJobDefinitions", "Job definitions in pages", false, false, kListDefinitionsParameters, definition<DefOp::List, 'D'>},
    {kService, "listEndpointConfigs", "Endpoint configurations, newest first", false, false, kListParameters, list<kEndpointConfig>},
    {kService, "listEndpoints", "Endpoints, newest first", false, false, kListParameters, list<kEndpoint>},
    {kService, "listExperiments", "Experiments, newest first", false, false, kListParameters, list<kExperiment>},
    {kService, "listFeatureGroups", "Feature groups, newest first", false, false, kListFeatureGroupsParameters, list_feature_groups},
    {kService, "listHyperParameterTuningJobs", "Tuning jobs, newest first", false, false, kListParameters, list<kTuningJob>},
    {kService, "listModelBiasJobDefinitions", "Job definitions in pages", false, false, kListDefinitionsParameters, definition<DefOp::List, 'B'>},
    {kService, "listModelExplainabilityJobDefinitions", "Job definitions in pages", false, false, kListDefinitionsParameters, definition<DefOp::List, 'E'>},
    {kService, "listLabelingJobs", "Labelling jobs, newest first", false, false, kListParameters, list<kLabelingJob>},
    {kService, "listModelPackageGroups", "Groups, newest first", false, false, kListParameters, list<kModelPackageGroup>},
    {kService, "listModelPackages", "Versions, newest first; of one ModelPackageGroupName or all", false, false, kListParameters, list<kModelPackage>},
    {kService, "listModelQualityJobDefinitions", "Job definitions in pages", false, false, kListDefinitionsParameters, definition<DefOp::List, 'Q'>},
    {kService, "listModels", "Models, newest first", false, false, kListParameters, list<kModel>},
    {kService, "listMonitoringAlertHistory", "When alerts changed, in pages", false, false, kAlertHistoryParameters, list_monitoring_alert_history},
    {kService, "listMonitoringAlerts", "How a schedule's alert stands", false, false, kScheduleName, list_monitoring_alerts},
    {kService, "listMonitoringExecutions", "Executions of schedules in pages", false, false, kListExecutionsParameters, list_monitoring_executions},
    {kService, "listMonitoringSchedules", "Schedules in pages", false, false, kListSchedulesParameters, list_monitoring_schedules},
    {kService, "listProcessingJobs", "Processing jobs, newest first", false, false, kListParameters, list<kProcessingJob>},
    {kService, "listTags", "A resource's tags", false, false, kResourceArn, list_tags},
    {kService, "listTrainingJobs", "Training jobs, newest first", false, false, kListParameters, list<kTrainingJob>},
    {kService, "listTrainingJobsForHyperParameterTuningJob", "A tuning job's training jobs, newest first", false, false, kListTrialJobsParameters, list_training_jobs_of_tuning_job},
    {kService, "listTransformJobs", "Transform jobs, newest first", false, false, kListParameters, list<kTransformJob>},
    {kService, "listTrialComponents", "Components of a trial, an experiment or a job, newest first", false, false, kListComponentsParameters, list_trial_components},
    {kService, "listTrials", "Trials of an experiment or of a component, newest first", false, false, kListTrialsParameters, list_trials},
    {kService, "runMonitoringExecution", "Ours: one run of a schedule, also over another span", false, false, kRunMonitoringParameters, run_monitoring_execution},
    {kService, "search", "Resources by conditions on any of their properties", false, false, kSearchParameters, search},
    {kService, "stopAutoMLJob", "Tells an AutoML job and its jobs to stop", false, false, kAutoMLJobName, stop<kAutoMLJobKind>},
    {kService, "startMonitoringSchedule", "Takes a stopped schedule up again", false, false, kScheduleName, start_monitoring_schedule},
    {kService, "stopHyperParameterTuningJob", "Tells a tuning job and its training jobs to stop", false, false, kTuningJobName, stop<kTuningJobKind>},
    {kService, "stopMonitoringSchedule", "Stops a schedule; what runs goes on", false, false, kScheduleName, stop_monitoring_schedule},
    {kService, "stopLabelingJob", "Ends a labelling job with what was labelled", false, false, kLabelingJobName, nullptr, false, begin_stop_labeling_job},
    {kService, "stopProcessingJob", "Tells a processing job to stop", false, false, kProcessingJobName, stop<kProcessingJobKind>},
    {kService, "stopTrainingJob", "Tells a training job to stop", false, false, kTrainingJobName, stop<kTrainingJobKind>},
    {kService, "stopTransformJob", "Tells a transform job to stop", false, false, kTransformJobName, stop<kTransformJobKind>},
    {kService, "updateEndpoint", "Moves an endpoint to another configuration", true, false, kEndpointParameters, update_endpoint},
    {kService, "updateEndpointWeightsAndCapacities", "Changes the weights of an endpoint's variants", false, false, kWeightParameters, update_endpoint_weights_and_capacities},
    {kService, "updateExperiment", "Changes what people read of an experiment", false, false, kExperimentParameters, update_experiment},
    {kService, "updateFeatureGroup", "Adds features to a group; changes how long records live", false, false, kFeatureGroupChanges, update_feature_group},
    {kService, "updateFeatureMetadata", "Changes what is noted of a feature", false, false, kFeatureMetadataChanges, update_feature_metadata},
    {kService, "updateModelPackage", "Approves or rejects a version; changes its metadata", false, false, kPackageUpdateParameters, update_model_package},
    {kService, "updateMonitoringAlert", "After how many runs with violations it is an alert", false, false, kUpdateAlertParameters, update_monitoring_alert},
    {kService, "updateMonitoringSchedule", "Changes what a schedule checks and when", false, false, kScheduleParameters, update_monitoring_schedule},
    {kService, "updateTrial", "Changes what people read of a trial", false, false, kTrialUpdateParameters, update_trial},
    {kService, "updateTrialComponent", "Changes a component", false, false, kComponentUpdateParameters, update_trial_component},
    // Lineage, and what SageMaker has no operation for.
    {kService, "addAssociation", "Joins two lineage entities", false, false, kAssociationParameters, add_association},
    {kService, "compareModelPackages", "Versions side by side (not in AWS)", false, false, kCompareParameters, compare_model_packages},
    {kService, "createAction", "Makes a lineage action", false, false, kActionParameters, create_action},
    {kService, "createArtifact", "Makes a lineage artifact", false, false, kArtifactParameters, create_artifact},
    {kService, "createContext", "Makes a lineage context", false, false, kContextParameters, create_context},
    {kService, "deleteAction", "Deletes an action that somebody made", false, false, kActionName, delete_action},
    {kService, "deleteArtifact", "Deletes an artifact that somebody made", false, false, kArtifactArn, delete_artifact},
    {kService, "deleteAssociation", "Parts two lineage entities", false, false, kAssociationParameters, delete_association},
    {kService, "deleteContext", "Deletes a context that somebody made", false, false, kContextName, delete_context},
    {kService, "describeAction", "A lineage action", false, false, kActionName, describe_action},
    {kService, "describeArtifact", "A lineage artifact", false, false, kArtifactArn, describe_artifact},
    {kService, "describeContext", "A lineage context", false, false, kContextName, describe_context},
    {kService, "describeJobRecord", "A job with its inputs, use and reasons (not in AWS)", false, false, kJobRecordParameters, describe_job_record},
    {kService, "listActions", "Lineage actions, newest first", false, false, kListLineageParameters, list_actions},
    {kService, "listArtifacts", "Lineage artifacts, newest first", false, false, kListLineageParameters, list_artifacts},
    {kService, "listAssociations", "What is joined in the lineage", false, false, kListAssociationsParameters, list_associations},
    {kService, "listContexts", "Lineage contexts, newest first", false, false, kListLineageParameters, list_contexts},
    {kService, "listJobRecords", "Jobs of all kinds (not in AWS)", false, false, kListJobRecordsParameters, list_job_records},
    {kService, "queryLineage", "What something came from, and what came of it", false, false, kLineageQueryParameters, query_lineage},
    {kService, "rollbackModelPackageGroup", "Moves an alias back to the version it had before (not in AWS)", false, false, kRollbackParameters, rollback_model_package_group},
    {kService, "updateAction", "Changes an action that somebody made", false, false, kActionUpdateParameters, update_action},
    {kService, "updateArtifact", "Changes an artifact that somebody made", false, false, kArtifactUpdateParameters, update_artifact},
    {kService, "updateContext", "Changes a context that somebody made", false, false, kContextUpdateParameters, update_context},
    {"sagemakerfeaturestoreruntime", "batchGetRecord", "Newest records by their identifiers, of several groups", false, false, kBatchGetRecordParameters, nullptr, false, begin_feature_store},
    {"sagemakerfeaturestoreruntime", "deleteRecord", "Deletes a record; the history keeps it", false, false, kDeleteRecordParameters, nullptr, false, begin_feature_store},
    {"sagemakerfeaturestoreruntime", "getRecord", "The newest record of an identifier", false, false, kGetRecordParameters, nullptr, false, begin_feature_store},
    {"sagemakerfeaturestoreruntime", "putRecord", "Puts a record", false, false, kPutRecordParameters, nullptr, false, begin_feature_store},
    {"sagemakerfeaturestoreruntime", "putRecords", "Puts up to 1000 records, all or none; Millrace's own", false, false, kPutRecordsParameters, nullptr, false, begin_feature_store},
    {"sagemakermetrics", "batchGetMetrics", "Values of trial components' metrics", false, false, kGetMetricsParameters, batch_get_metrics},
    {"sagemakermetrics", "batchPutMetrics", "Adds values to a trial component's metrics", false, false, kPutMetricsParameters, batch_put_metrics},
    {"sagemakerruntime", "invokeEndpoint", "Scores rows by an endpoint", false, false, kInvokeParameters, invoke_endpoint_task},
};
// clang-format on

constexpr const JobKind* kJobKinds[] = {&kTrainingJobKind, &kProcessingJobKind, &kTransformJobKind,
                                        &kTuningJobKind, &kAutoMLJobKind};

// The service part and what follows of arn:PARTITION:states:REGION:ACCOUNT:…; empty when it is something
// else.
std::string_view after_states_arn(std::string_view resource) {
  for (int field = 0; field < 5; ++field) {
    const std::size_t colon = resource.find(':');
    if (colon == std::string_view::npos) return {};
    const std::string_view part = resource.substr(0, colon);
    if ((field == 0 && part != "arn") || (field == 2 && part != "states")) return {};
    resource.remove_prefix(colon + 1);
  }
  return resource;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::span<const TaskKind> catalog() {
  static const std::vector<TaskKind> all = [] {
    std::vector<TaskKind> kinds(std::begin(kLibrary), std::end(kLibrary));
    const std::span<const TaskKind> services = service_kinds();
    kinds.insert(kinds.end(), services.begin(), services.end());
    return kinds;
  }();
  return all;
}

const TaskKind* find_operation(std::string_view service, std::string_view operation) {
  const std::span<const TaskKind> kinds = catalog();
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const TaskKind& kind) {
    return kind.service == service && kind.operation == operation;
  });
  return found == kinds.end() ? nullptr : &*found;
}

std::optional<TaskResource> find_task(std::string_view resource) {
  std::string_view rest = after_states_arn(resource);
  const bool sdk = take_prefix(rest, "aws-sdk:");
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view service = rest.substr(0, colon);
  std::string_view operation = rest.substr(colon + 1);
  constexpr std::string_view kToken = ".waitForTaskToken";
  const bool token = operation.ends_with(kToken);
  if (token) operation.remove_suffix(kToken.size());
  constexpr std::string_view kSync = ".sync";
  const bool sync =
      operation.size() > kSync.size() && operation.substr(operation.size() - kSync.size()) == kSync;
  if (sync) operation.remove_suffix(kSync.size());
  const TaskKind* kind = find_operation(service, operation);
  if (!kind || (sync && (sdk || !kind->sync)) || (!sdk && !kind->optimized)) return std::nullopt;
  if (token && !sdk && !kind->callback) return std::nullopt;
  return TaskResource{kind, sync, !sdk};
}

std::span<const JobKind* const> job_kinds() {
  return kJobKinds;
}

const JobKind* find_job_kind(std::string_view record_kind) {
  for (const JobKind* kind : job_kinds())
    if (kind->entity.kind == record_kind) return kind;
  return nullptr;
}

}  // namespace millrace::tasks
