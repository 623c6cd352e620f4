// The operations of SageMaker's API and the shapes of their requests: what its clients check, too, and what a
// request must have for the library to understand it. What only means something in the cloud (RoleArn,
// ResourceConfig, …) may be left out. Source: SageMaker API reference, 2017-07-24.

#include "service/api/sagemaker.h"

namespace millrace::api {
namespace {

using Kind = Shape::Kind;

bool is_entity_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !letter(text.front()) || !letter(text.back())) return false;
  for (const char c : text)
    if (!letter(c) && c != '-') return false;
  return true;
}
bool is_name_part(std::string_view text) {
  for (const char c : text)
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-')
      return false;
  return true;
}

constexpr std::string_view kOrders[] = {"Ascending", "Descending"};
constexpr std::string_view kJobStatuses[] = {"InProgress", "Completed", "Failed", "Stopping", "Stopped"};
constexpr std::string_view kEndpointStatuses[] = {"OutOfService",   "Creating",    "Updating",
                                                  "SystemUpdating", "RollingBack", "InService",
                                                  "Deleting",       "Failed",      "UpdateRollbackFailed"};
constexpr std::string_view kJobSorts[] = {"Name", "CreationTime", "Status"};
constexpr std::string_view kNameSorts[] = {"Name", "CreationTime"};
constexpr std::string_view kTrialSorts[] = {"Name", "CreationTime", "Status", "FinalObjectiveMetricValue"};
constexpr std::string_view kCandidateSorts[] = {"CreationTime", "Status", "FinalObjectiveMetricValue"};
constexpr std::string_view kEndpointSorts[] = {"Name", "CreationTime", "Status"};
constexpr std::string_view kExecutionSorts[] = {"CreationTime", "ScheduledTime", "Status"};
constexpr std::string_view kScheduleStatuses[] = {"Pending", "Failed", "Scheduled", "Stopped"};
constexpr std::string_view kExecutionStatuses[] = {
    "Pending", "Completed", "CompletedWithViolations", "InProgress", "Failed", "Stopping", "Stopped"};
constexpr std::string_view kAlertStatuses[] = {"InAlert", "OK"};
constexpr std::string_view kAlertSorts[] = {"CreationTime", "Status"};
constexpr std::string_view kMonitoringTypes[] = {"DataQuality", "ModelQuality", "ModelBias",
                                                 "ModelExplainability"};
constexpr std::string_view kApprovals[] = {"Approved", "Rejected", "PendingManualApproval"};
constexpr std::string_view kPackageTypes[] = {"Versioned", "Unversioned", "Both"};
constexpr std::string_view kOperators[] = {"And", "Or"};
constexpr std::string_view kResources[] = {
    "TrainingJob",  "Experiment",     "ExperimentTrial",   "ExperimentTrialComponent",
    "Endpoint",     "ModelPackage",   "ModelPackageGroup", "HyperParameterTuningJob",
    "FeatureGroup", "FeatureMetadata"};

constexpr std::string_view kNamePattern = "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}";
constexpr Shape kName{Kind::String, 1, 63, kNamePattern, is_entity_name};
constexpr Shape kShortName{Kind::String, 1, 32, "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", is_entity_name};
constexpr Shape kLongName{Kind::String, 1, 120, "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}", is_entity_name};
constexpr Shape kNameOrArn{Kind::String, 1, 256};
constexpr Shape kText{Kind::String};
constexpr Shape kNeededText{Kind::String, 1, 2048};
constexpr Shape kAnyObject{Kind::Structure};  // its members are the library's to check
constexpr Shape kTimestamp{Kind::Number};
constexpr Shape kFlagShape{Kind::Boolean};
constexpr Shape kPageLimit{Kind::Integer, 1, 100};
constexpr Shape kContains{Kind::String, -1, 63, "[a-zA-Z0-9\\-]+", is_name_part};
constexpr Shape kOrder{Kind::String, -1, -1, {}, nullptr, kOrders};
constexpr Shape kJobStatus{Kind::String, -1, -1, {}, nullptr, kJobStatuses};
constexpr Shape kEndpointStatus{Kind::String, -1, -1, {}, nullptr, kEndpointStatuses};
constexpr Shape kJobSort{Kind::String, -1, -1, {}, nullptr, kJobSorts};
constexpr Shape kNameSort{Kind::String, -1, -1, {}, nullptr, kNameSorts};
constexpr Shape kTrialSort{Kind::String, -1, -1, {}, nullptr, kTrialSorts};
constexpr Shape kCandidateSort{Kind::String, -1, -1, {}, nullptr, kCandidateSorts};
constexpr Shape kEndpointSort{Kind::String, -1, -1, {}, nullptr, kEndpointSorts};
constexpr Shape kExecutionSort{Kind::String, -1, -1, {}, nullptr, kExecutionSorts};
constexpr Shape kScheduleStatus{Kind::String, -1, -1, {}, nullptr, kScheduleStatuses};
constexpr Shape kExecutionStatus{Kind::String, -1, -1, {}, nullptr, kExecutionStatuses};
constexpr Shape kAlertStatus{Kind::String, -1, -1, {}, nullptr, kAlertStatuses};
constexpr Shape kAlertSort{Kind::String, -1, -1, {}, nullptr, kAlertSorts};
constexpr Shape kAlertNumber{Kind::Integer, 1, 100};
constexpr Shape kMonitoringType{Kind::String, -1, -1, {}, nullptr, kMonitoringTypes};
constexpr Shape kApproval{Kind::String, -1, -1, {}, nullptr, kApprovals};
constexpr Shape kPackageType{Kind::String, -1, -1, {}, nullptr, kPackageTypes};
constexpr Shape kOperator{Kind::String, -1, -1, {}, nullptr, kOperators};
constexpr Shape kResource{Kind::String, -1, -1, {}, nullptr, kResources};
constexpr Shape kTagKey{Kind::String, 1, 128};
constexpr Shape kTagValue{Kind::String, 0, 256};
constexpr Member kTagMembers[] = {{"Key", &kTagKey, true}, {"Value", &kTagValue, true}};
constexpr Shape kTag{Kind::Structure, -1, -1, {}, nullptr, {}, "Tag", kTagMembers};
constexpr Shape kTags{Kind::List, 0, 50, {}, nullptr, {}, {}, {}, &kTag};
constexpr Shape kTagKeys{Kind::List, 1, 50, {}, nullptr, {}, {}, {}, &kTagKey};
constexpr Shape kTexts{Kind::List, -1, -1, {}, nullptr, {}, {}, {}, &kText};
constexpr Shape kObjects{Kind::List, -1, -1, {}, nullptr, {}, {}, {}, &kAnyObject};
constexpr Shape kSomeObjects{Kind::List, 1, -1, {}, nullptr, {}, {}, {}, &kAnyObject};

constexpr Shape kS3Uri{Kind::String, 0, 1024};
constexpr Member kS3Members[] = {{"S3Uri", &kS3Uri, true}};
constexpr Shape kS3Source{Kind::Structure, -1, -1, {}, nullptr, {}, "S3DataSource", kS3Members};
constexpr Member kSourceMembers[] = {{"S3DataSource", &kS3Source}};
constexpr Shape kSource{Kind::Structure, -1, -1, {}, nullptr, {}, "DataSource", kSourceMembers};
constexpr Shape kChannelName{Kind::String, 1, 64};
constexpr Member kChannelMembers[] = {{"ChannelName", &kChannelName, true}, {"DataSource", &kSource, true}};
constexpr Shape kChannel{Kind::Structure, -1, -1, {}, nullptr, {}, "Channel", kChannelMembers};
constexpr Shape kChannels{Kind::List, 1, 20, {}, nullptr, {}, {}, {}, &kChannel};
constexpr Member kOutputMembers[] = {{"S3OutputPath", &kS3Uri, true}};
constexpr Shape kOutput{Kind::Structure, -1, -1, {}, nullptr, {}, "OutputDataConfig", kOutputMembers};
constexpr Shape kSeconds{Kind::Integer, 1, -1};
constexpr Member kStoppingMembers[] = {{"MaxRuntimeInSeconds", &kSeconds}};
constexpr Shape kStopping{Kind::Structure, -1, -1, {}, nullptr, {}, "StoppingCondition", kStoppingMembers};

constexpr Member kCreateTrainingJob[] = {
    {"TrainingJobName", &kName, true},       {"AlgorithmSpecification", &kAnyObject, true},
    {"HyperParameters", &kAnyObject},        {"RoleArn", &kText},
    {"InputDataConfig", &kChannels},         {"OutputDataConfig", &kOutput, true},
    {"ResourceConfig", &kAnyObject},         {"StoppingCondition", &kStopping},
    {"EnableNetworkIsolation", &kFlagShape}, {"Environment", &kAnyObject},
    {"ExperimentConfig", &kAnyObject},       {"Tags", &kTags}};
constexpr Member kAppMembers[] = {
    {"ImageUri", &kNeededText, true}, {"ContainerEntrypoint", &kTexts}, {"ContainerArguments", &kTexts}};
constexpr Shape kApp{Kind::Structure, -1, -1, {}, nullptr, {}, "AppSpecification", kAppMembers};
constexpr Member kInputMembers[] = {{"InputName", &kNeededText, true}, {"S3Input", &kAnyObject}};
constexpr Shape kInput{Kind::Structure, -1, -1, {}, nullptr, {}, "ProcessingInput", kInputMembers};
constexpr Shape kInputs{Kind::List, 0, 10, {}, nullptr, {}, {}, {}, &kInput};
constexpr Member kCreateProcessingJob[] = {{"ProcessingJobName", &kName, true},
                                           {"AppSpecification", &kApp, true},
                                           {"ProcessingInputs", &kInputs},
                                           {"ProcessingOutputConfig", &kAnyObject},
                                           {"ProcessingResources", &kAnyObject},
                                           {"StoppingCondition", &kStopping},
                                           {"Environment", &kAnyObject},
                                           {"ExperimentConfig", &kAnyObject},
                                           {"RoleArn", &kText},
                                           {"Tags", &kTags}};
constexpr Member kTransformInputMembers[] = {{"DataSource", &kSource, true}, {"ContentType", &kText}};
constexpr Shape kTransformInput{Kind::Structure,       -1, -1, {}, nullptr, {}, "TransformInput",
                                kTransformInputMembers};
constexpr Member kTransformOutputMembers[] = {{"S3OutputPath", &kS3Uri, true}, {"Accept", &kText}};
constexpr Shape kTransformOutput{Kind::Structure,        -1, -1, {}, nullptr, {}, "TransformOutput",
                                 kTransformOutputMembers};
constexpr Member kCreateTransformJob[] = {{"TransformJobName", &kName, true},
                                          {"ModelName", &kName, true},
                                          {"TransformInput", &kTransformInput, true},
                                          {"TransformOutput", &kTransformOutput, true},
                                          {"TransformResources", &kAnyObject},
                                          {"ExperimentConfig", &kAnyObject},
                                          {"Tags", &kTags}};
constexpr Member kCreateTuningJob[] = {{"HyperParameterTuningJobName", &kShortName, true},
                                       {"HyperParameterTuningJobConfig", &kAnyObject, true},
                                       {"TrainingJobDefinition", &kAnyObject},
                                       {"Tags", &kTags}};
constexpr Member kCreateAutoMLJob[] = {{"AutoMLJobName", &kShortName, true},
                                       {"InputDataConfig", &kSomeObjects, true},
                                       {"OutputDataConfig", &kAnyObject, true},
                                       {"ProblemType", &kText},
                                       {"AutoMLJobObjective", &kAnyObject},
                                       {"AutoMLJobConfig", &kAnyObject},
                                       {"ModelDeployConfig", &kAnyObject},
                                       {"RoleArn", &kText},
                                       {"Tags", &kTags}};
constexpr Member kCreateAutoMLJobV2[] = {{"AutoMLJobName", &kShortName, true},
                                         {"AutoMLJobInputDataConfig", &kSomeObjects, true},
                                         {"OutputDataConfig", &kAnyObject, true},
                                         {"AutoMLProblemTypeConfig", &kAnyObject, true},
                                         {"AutoMLJobObjective", &kAnyObject},
                                         {"DataSplitConfig", &kAnyObject},
                                         {"SecurityConfig", &kAnyObject},
                                         {"ModelDeployConfig", &kAnyObject},
                                         {"RoleArn", &kText},
                                         {"Tags", &kTags}};
constexpr Member kCreateModel[] = {{"ModelName", &kName, true},
                                   {"PrimaryContainer", &kAnyObject},
                                   {"Containers", &kObjects},
                                   {"ExecutionRoleArn", &kText},
                                   {"Tags", &kTags}};
constexpr Member kCreateModelPackageGroup[] = {
    {"ModelPackageGroupName", &kName, true}, {"ModelPackageGroupDescription", &kText}, {"Tags", &kTags}};
constexpr Member kCreateModelPackage[] = {{"ModelPackageName", &kName},
                                          {"ModelPackageGroupName", &kNameOrArn},
                                          {"ModelPackageDescription", &kText},
                                          {"InferenceSpecification", &kAnyObject},
                                          {"ModelApprovalStatus", &kApproval},
                                          {"ModelMetrics", &kAnyObject},
                                          {"CustomerMetadataProperties", &kAnyObject},
                                          {"ClientToken", &kText},
                                          {"Tags", &kTags}};
constexpr Member kUpdateModelPackage[] = {{"ModelPackageArn", &kNameOrArn, true},
                                          {"ModelApprovalStatus", &kApproval},
                                          {"ApprovalDescription", &kText},
                                          {"CustomerMetadataProperties", &kAnyObject},
                                          {"CustomerMetadataPropertiesToRemove", &kTexts}};
constexpr Member kVariantMembers[] = {{"VariantName", &kName}, {"ModelName", &kName, true}};
constexpr Shape kVariant{Kind::Structure, -1, -1, {}, nullptr, {}, "ProductionVariant", kVariantMembers};
constexpr Shape kVariants{Kind::List, 1, 10, {}, nullptr, {}, {}, {}, &kVariant};
constexpr Member kCreateEndpointConfig[] = {
    {"EndpointConfigName", &kName, true},     {"ProductionVariants", &kVariants, true},
    {"ShadowProductionVariants", &kVariants}, {"DataCaptureConfig", &kAnyObject},
    {"AsyncInferenceConfig", &kAnyObject},    {"Tags", &kTags}};
constexpr Member kCreateEndpoint[] = {{"EndpointName", &kName, true},
                                      {"EndpointConfigName", &kName, true},
                                      {"DeploymentConfig", &kAnyObject},
                                      {"Tags", &kTags}};
constexpr Member kUpdateEndpoint[] = {{"EndpointName", &kName, true},
                                      {"EndpointConfigName", &kName, true},
                                      {"RetainAllVariantProperties", &kFlagShape},
                                      {"RetainDeploymentConfig", &kFlagShape},
                                      {"DeploymentConfig", &kAnyObject}};
constexpr Member kUpdateWeights[] = {{"EndpointName", &kName, true},
                                     {"DesiredWeightsAndCapacities", &kSomeObjects, true}};

constexpr Member kMonitoringSchedule[] = {{"MonitoringScheduleName", &kName, true},
                                          {"MonitoringScheduleConfig", &kAnyObject, true},
                                          {"Tags", &kTags}};
constexpr Member kMonitoringScheduleName[] = {{"MonitoringScheduleName", &kName, true}};
constexpr Member kUpdateAlert[] = {{"MonitoringScheduleName", &kName, true},
                                   {"MonitoringAlertName", &kName, true},
                                   {"DatapointsToAlert", &kAlertNumber, true},
                                   {"EvaluationPeriod", &kAlertNumber, true}};
constexpr Member kListAlerts[] = {
    {"MonitoringScheduleName", &kName, true}, {"NextToken", &kText}, {"MaxResults", &kPageLimit}};
constexpr Member kListAlertHistory[] = {{"MonitoringScheduleName", &kName},
                                        {"MonitoringAlertName", &kName},
                                        {"SortBy", &kAlertSort},
                                        {"SortOrder", &kOrder},
                                        {"NextToken", &kText},
                                        {"MaxResults", &kPageLimit},
                                        {"CreationTimeBefore", &kTimestamp},
                                        {"CreationTimeAfter", &kTimestamp},
                                        {"StatusEquals", &kAlertStatus}};
constexpr Member kDefinitionName[] = {{"JobDefinitionName", &kName, true}};
#define MR_DEFINITION_MEMBERS(type)                                                             \
  {"JobDefinitionName", &kName, true}, {type "BaselineConfig", &kAnyObject},                    \
      {type "AppSpecification", &kAnyObject, true}, {type "JobInput", &kAnyObject, true},       \
      {type "JobOutputConfig", &kAnyObject, true}, {"JobResources", &kAnyObject},               \
      {"NetworkConfig", &kAnyObject}, {"RoleArn", &kText}, {"StoppingCondition", &kStopping}, { \
    "Tags", &kTags                                                                              \
  }
constexpr Member kCreateDataQuality[] = {MR_DEFINITION_MEMBERS("DataQuality")};
constexpr Member kCreateModelQuality[] = {MR_DEFINITION_MEMBERS("ModelQuality")};
constexpr Member kCreateModelBias[] = {MR_DEFINITION_MEMBERS("ModelBias")};
constexpr Member kCreateModelExplainability[] = {MR_DEFINITION_MEMBERS("ModelExplainability")};
#undef MR_DEFINITION_MEMBERS

constexpr Member kTrainingJobName[] = {{"TrainingJobName", &kName, true}};
constexpr Member kProcessingJobName[] = {{"ProcessingJobName", &kName, true}};
constexpr Member kTransformJobName[] = {{"TransformJobName", &kName, true}};
constexpr Member kTuningJobName[] = {{"HyperParameterTuningJobName", &kShortName, true}};
constexpr Member kAutoMLJobName[] = {{"AutoMLJobName", &kShortName, true}};
constexpr Member kModelName[] = {{"ModelName", &kName, true}};
constexpr Member kGroupName[] = {{"ModelPackageGroupName", &kNameOrArn, true}};
constexpr Member kPackageName[] = {{"ModelPackageName", &kNameOrArn, true}};
constexpr Member kConfigName[] = {{"EndpointConfigName", &kName, true}};
constexpr Member kEndpointNameOnly[] = {{"EndpointName", &kName, true}};

// What lists have in common.
#define MR_LIST_MEMBERS(sort)                                                                            \
  {"NameContains", &kContains}, {"CreationTimeAfter", &kTimestamp}, {"CreationTimeBefore", &kTimestamp}, \
      {"LastModifiedTimeAfter", &kTimestamp}, {"LastModifiedTimeBefore", &kTimestamp},                   \
      {"MaxResults", &kPageLimit}, {"NextToken", &kText}, {"SortBy", &sort}, {                           \
    "SortOrder", &kOrder                                                                                 \
  }
constexpr Member kListJobs[] = {MR_LIST_MEMBERS(kJobSort), {"StatusEquals", &kJobStatus}};
constexpr Member kListNamed[] = {MR_LIST_MEMBERS(kNameSort)};
constexpr Member kListEndpoints[] = {MR_LIST_MEMBERS(kEndpointSort), {"StatusEquals", &kEndpointStatus}};
constexpr Member kListDefinitions[] = {MR_LIST_MEMBERS(kNameSort), {"EndpointName", &kText}};
constexpr Member kListSchedules[] = {MR_LIST_MEMBERS(kJobSort),
                                     {"StatusEquals", &kScheduleStatus},
                                     {"EndpointName", &kText},
                                     {"MonitoringJobDefinitionName", &kText},
                                     {"MonitoringTypeEquals", &kMonitoringType}};
constexpr Member kListExecutions[] = {
    MR_LIST_MEMBERS(kExecutionSort),         {"MonitoringScheduleName", &kNameOrArn},
    {"StatusEquals", &kExecutionStatus},     {"EndpointName", &kText},
    {"ScheduledTimeAfter", &kTimestamp},     {"ScheduledTimeBefore", &kTimestamp},
    {"MonitoringJobDefinitionName", &kText}, {"MonitoringTypeEquals", &kMonitoringType}};
constexpr Member kListPackages[] = {MR_LIST_MEMBERS(kNameSort),
                                    {"ModelPackageGroupName", &kNameOrArn},
                                    {"ModelApprovalStatus", &kApproval},
                                    {"ModelPackageType", &kPackageType}};
#undef MR_LIST_MEMBERS
constexpr Member kListTrialJobs[] = {{"HyperParameterTuningJobName", &kShortName, true},
                                     {"MaxResults", &kPageLimit},
                                     {"NextToken", &kText},
                                     {"SortBy", &kTrialSort},
                                     {"SortOrder", &kOrder},
                                     {"StatusEquals", &kJobStatus}};

constexpr Member kListCandidates[] = {{"AutoMLJobName", &kShortName, true},
                                      {"StatusEquals", &kJobStatus},
                                      {"CandidateNameEquals", &kText},
                                      {"MaxResults", &kPageLimit},
                                      {"NextToken", &kText},
                                      {"SortBy", &kCandidateSort},
                                      {"SortOrder", &kOrder}};

constexpr Member kAddTags[] = {{"ResourceArn", &kNameOrArn, true}, {"Tags", &kTags, true}};
constexpr Member kListTags[] = {
    {"ResourceArn", &kNameOrArn, true}, {"NextToken", &kText}, {"MaxResults", &kPageLimit}};
constexpr Member kDeleteTags[] = {{"ResourceArn", &kNameOrArn, true}, {"TagKeys", &kTagKeys, true}};
constexpr Member kExpressionMembers[] = {{"Filters", &kObjects},
                                         {"NestedFilters", &kObjects},
                                         {"SubExpressions", &kObjects},
                                         {"Operator", &kOperator}};
constexpr Shape kExpression{Kind::Structure, -1, -1, {}, nullptr, {}, "SearchExpression", kExpressionMembers};
constexpr Member kSearch[] = {{"Resource", &kResource, true},
                              {"SearchExpression", &kExpression},
                              {"SortBy", &kText},
                              {"SortOrder", &kOrder},
                              {"NextToken", &kText},
                              {"MaxResults", &kPageLimit}};

constexpr Member kCreateExperiment[] = {{"ExperimentName", &kLongName, true},
                                        {"DisplayName", &kLongName},
                                        {"Description", &kText},
                                        {"Tags", &kTags}};
constexpr Member kExperimentName[] = {{"ExperimentName", &kNameOrArn, true}};
constexpr Member kUpdateExperiment[] = {
    {"ExperimentName", &kLongName, true}, {"DisplayName", &kLongName}, {"Description", &kText}};
constexpr Member kCreateTrial[] = {{"TrialName", &kLongName, true},
                                   {"ExperimentName", &kLongName, true},
                                   {"DisplayName", &kLongName},
                                   {"Tags", &kTags}};
constexpr Member kTrialName[] = {{"TrialName", &kNameOrArn, true}};
constexpr Member kUpdateTrial[] = {{"TrialName", &kLongName, true}, {"DisplayName", &kLongName}};
constexpr Member kCreateComponent[] = {{"TrialComponentName", &kLongName, true},
                                       {"DisplayName", &kLongName},
                                       {"Status", &kAnyObject},
                                       {"StartTime", &kTimestamp},
                                       {"EndTime", &kTimestamp},
                                       {"Parameters", &kAnyObject},
                                       {"InputArtifacts", &kAnyObject},
                                       {"OutputArtifacts", &kAnyObject},
                                       {"Tags", &kTags}};
constexpr Member kComponentName[] = {{"TrialComponentName", &kNameOrArn, true}};
constexpr Member kUpdateComponent[] = {{"TrialComponentName", &kLongName, true},
                                       {"DisplayName", &kLongName},
                                       {"Status", &kAnyObject},
                                       {"StartTime", &kTimestamp},
                                       {"EndTime", &kTimestamp},
                                       {"Parameters", &kAnyObject},
                                       {"ParametersToRemove", &kTexts},
                                       {"InputArtifacts", &kAnyObject},
                                       {"InputArtifactsToRemove", &kTexts},
                                       {"OutputArtifacts", &kAnyObject},
                                       {"OutputArtifactsToRemove", &kTexts}};
constexpr Member kComponentAndTrial[] = {{"TrialComponentName", &kLongName, true},
                                         {"TrialName", &kLongName, true}};
#define MR_CREATED_LIST                                                                  \
  {"CreatedAfter", &kTimestamp}, {"CreatedBefore", &kTimestamp}, {"SortBy", &kNameSort}, \
      {"SortOrder", &kOrder}, {"NextToken", &kText}, {                                   \
    "MaxResults", &kPageLimit                                                            \
  }
constexpr Member kListExperiments[] = {MR_CREATED_LIST};
constexpr Member kListTrials[] = {
    MR_CREATED_LIST, {"ExperimentName", &kLongName}, {"TrialComponentName", &kLongName}};
constexpr Member kListComponents[] = {
    MR_CREATED_LIST, {"ExperimentName", &kLongName}, {"TrialName", &kLongName}, {"SourceArn", &kNameOrArn}};
#undef MR_CREATED_LIST

// Lineage.
constexpr std::string_view kDirections[] = {"Both", "Ascendants", "Descendants"};
constexpr std::string_view kEdgeTypes[] = {"ContributedTo", "AssociatedWith", "DerivedFrom", "Produced",
                                           "SameAs"};
constexpr Shape kDirection{Kind::String, -1, -1, {}, nullptr, kDirections};
constexpr Shape kEdgeType{Kind::String, -1, -1, {}, nullptr, kEdgeTypes};
constexpr Shape kStarts{Kind::List, 1, 100, {}, nullptr, {}, {}, {}, &kNeededText};
constexpr Shape kVertexLimit{Kind::Integer, 1, 20'000};
constexpr Shape kJobLimit{Kind::Integer, 1, 1000};
constexpr Shape kDepthShape{Kind::Integer, 0, 1000};
constexpr Member kLineageSourceMembers[] = {{"SourceUri", &kNeededText, true}};
constexpr Shape kLineageSource{Kind::Structure, -1, -1, {}, nullptr, {}, "Source", kLineageSourceMembers};
constexpr Member kQueryLineage[] = {{"StartArns", &kStarts, true}, {"Direction", &kDirection},
                                    {"IncludeEdges", &kFlagShape}, {"Filters", &kAnyObject},
                                    {"MaxDepth", &kDepthShape},    {"MaxResults", &kVertexLimit},
                                    {"NextToken", &kText}};
constexpr Member kAddAssociation[] = {
    {"SourceArn", &kNameOrArn, true}, {"DestinationArn", &kNameOrArn, true}, {"AssociationType", &kEdgeType}};
constexpr Member kDeleteAssociation[] = {{"SourceArn", &kNameOrArn, true},
                                         {"DestinationArn", &kNameOrArn, true}};
constexpr Member kListAssociations[] = {{"SourceArn", &kNameOrArn},      {"DestinationArn", &kNameOrArn},
                                        {"SourceType", &kText},          {"DestinationType", &kText},
                                        {"AssociationType", &kEdgeType}, {"CreatedAfter", &kTimestamp},
                                        {"CreatedBefore", &kTimestamp},  {"SortBy", &kText},
                                        {"SortOrder", &kOrder},          {"NextToken", &kText},
                                        {"MaxResults", &kPageLimit}};
constexpr Member kCreateArtifact[] = {{"ArtifactName", &kLongName},         {"Source", &kLineageSource, true},
                                      {"ArtifactType", &kNeededText, true}, {"Properties", &kAnyObject},
                                      {"MetadataProperties", &kAnyObject},  {"Tags", &kTags}};
constexpr Member kCreateAction[] = {{"ActionName", &kLongName, true},
                                    {"Source", &kLineageSource, true},
                                    {"ActionType", &kNeededText, true},
                                    {"Description", &kText},
                                    {"Status", &kText},
                                    {"Properties", &kAnyObject},
                                    {"MetadataProperties", &kAnyObject},
                                    {"Tags", &kTags}};
constexpr Member kCreateContext[] = {{"ContextName", &kLongName, true},   {"Source", &kLineageSource, true},
                                     {"ContextType", &kNeededText, true}, {"Description", &kText},
                                     {"Properties", &kAnyObject},         {"Tags", &kTags}};
constexpr Member kArtifactArn[] = {{"ArtifactArn", &kNameOrArn, true}};
constexpr Member kDeleteArtifact[] = {{"ArtifactArn", &kNameOrArn}, {"Source", &kLineageSource}};
constexpr Member kActionName[] = {{"ActionName", &kNameOrArn, true}};
constexpr Member kContextName[] = {{"ContextName", &kNameOrArn, true}};
constexpr Member kUpdateArtifact[] = {{"ArtifactArn", &kNameOrArn, true},
                                      {"ArtifactName", &kLongName},
                                      {"Properties", &kAnyObject},
                                      {"PropertiesToRemove", &kTexts}};
constexpr Member kUpdateAction[] = {{"ActionName", &kLongName, true},
                                    {"Description", &kText},
                                    {"Status", &kText},
                                    {"Properties", &kAnyObject},
                                    {"PropertiesToRemove", &kTexts}};
constexpr Member kUpdateContext[] = {{"ContextName", &kLongName, true},
                                     {"Description", &kText},
                                     {"Properties", &kAnyObject},
                                     {"PropertiesToRemove", &kTexts}};
constexpr Member kListArtifacts[] = {
    {"SourceUri", &kText},          {"ArtifactType", &kText},   {"CreatedAfter", &kTimestamp},
    {"CreatedBefore", &kTimestamp}, {"SortBy", &kText},         {"SortOrder", &kOrder},
    {"NextToken", &kText},          {"MaxResults", &kPageLimit}};
constexpr Member kListActions[] = {{"SourceUri", &kText},         {"ActionType", &kText},
                                   {"CreatedAfter", &kTimestamp}, {"CreatedBefore", &kTimestamp},
                                   {"SortBy", &kNameSort},        {"SortOrder", &kOrder},
                                   {"NextToken", &kText},         {"MaxResults", &kPageLimit}};
constexpr Member kListContexts[] = {{"SourceUri", &kText},         {"ContextType", &kText},
                                    {"CreatedAfter", &kTimestamp}, {"CreatedBefore", &kTimestamp},
                                    {"SortBy", &kNameSort},        {"SortOrder", &kOrder},
                                    {"NextToken", &kText},         {"MaxResults", &kPageLimit}};

// What SageMaker has no operation for.
constexpr Shape kVersionText{Kind::String, 1, 63};
constexpr Shape kVersionList{Kind::List, 2, 20, {}, nullptr, {}, {}, {}, &kVersionText};
constexpr Member kCompareModelPackages[] = {{"ModelPackageGroupName", &kNameOrArn, true},
                                            {"Versions", &kVersionList, true}};
constexpr Member kRollback[] = {
    {"ModelPackageGroupName", &kNameOrArn, true}, {"Alias", &kName}, {"EndpointName", &kName}};
constexpr Member kListJobRecords[] = {
    {"JobKind", &kText},    {"NameContains", &kText},   {"StatusEquals", &kText}, {"SortBy", &kText},
    {"SortOrder", &kOrder}, {"MaxResults", &kJobLimit}, {"NextToken", &kText}};
constexpr Member kJobRecord[] = {{"JobName", &kNeededText, true}, {"JobKind", &kText}};
bool is_feature_group_name(std::string_view text) {
  return text.find_first_not_of("-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
             std::string_view::npos &&
         !text.empty() && text.front() != '-' && text.front() != '_' && text.back() != '-' &&
         text.back() != '_';
}
constexpr std::string_view kFeatureTypes[] = {"Integral", "Fractional", "String"};
constexpr std::string_view kCollectionTypes[] = {"List", "Set", "Vector"};
constexpr std::string_view kFeatureGroupStatuses[] = {"Creating", "Created", "CreateFailed", "Deleting",
                                                      "DeleteFailed"};
constexpr std::string_view kOfflineStatuses[] = {"Active", "Blocked", "Disabled"};
constexpr std::string_view kFeatureGroupSorts[] = {"Name", "FeatureGroupStatus", "OfflineStoreStatus",
                                                   "CreationTime"};
constexpr Shape kFeatureGroupNameShape{Kind::String, 1, 64, "^[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}",
                                       is_feature_group_name};
constexpr Shape kFeatureNameShape{Kind::String, 1, 64, "^[a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,63}",
                                  is_feature_group_name};
constexpr Shape kFeatureTypeShape{Kind::String, -1, -1, {}, nullptr, kFeatureTypes};
constexpr Shape kCollectionTypeShape{Kind::String, -1, -1, {}, nullptr, kCollectionTypes};
constexpr Shape kFeatureGroupStatusShape{Kind::String, -1, -1, {}, nullptr, kFeatureGroupStatuses};
constexpr Shape kOfflineStatusShape{Kind::String, -1, -1, {}, nullptr, kOfflineStatuses};
constexpr Shape kFeatureGroupSortShape{Kind::String, -1, -1, {}, nullptr, kFeatureGroupSorts};
constexpr Member kDefinitionMembers[] = {{"FeatureName", &kFeatureNameShape, true},
                                         {"FeatureType", &kFeatureTypeShape, true},
                                         {"CollectionType", &kCollectionTypeShape},
                                         {"CollectionConfig", &kAnyObject}};
constexpr Shape kDefinition{Kind::Structure,   -1, -1, {}, nullptr, {}, "FeatureDefinition",
                            kDefinitionMembers};
constexpr Shape kDefinitions{Kind::List, 1, 2500, {}, nullptr, {}, {}, {}, &kDefinition};
constexpr Shape kAdditions{Kind::List, 1, 100, {}, nullptr, {}, {}, {}, &kDefinition};
constexpr Shape kShortText{Kind::String, 0, 128};
constexpr Shape kNoteText{Kind::String, 0, 255};
constexpr Shape kParameterKey{Kind::String, 1, 255};
constexpr Member kParameterMembers[] = {{"Key", &kParameterKey, true}, {"Value", &kParameterKey, true}};
constexpr Shape kParameter{Kind::Structure, -1, -1, {}, nullptr, {}, "FeatureParameter", kParameterMembers};
constexpr Shape kParameterAdditions{Kind::List, 0, 25, {}, nullptr, {}, {}, {}, &kParameter};
constexpr Shape kParameterRemovals{Kind::List, 0, 25, {}, nullptr, {}, {}, {}, &kParameterKey};
constexpr Member kCreateFeatureGroup[] = {{"FeatureGroupName", &kFeatureGroupNameShape, true},
                                          {"RecordIdentifierFeatureName", &kFeatureNameShape, true},
                                          {"EventTimeFeatureName", &kFeatureNameShape, true},
                                          {"FeatureDefinitions", &kDefinitions, true},
                                          {"OnlineStoreConfig", &kAnyObject},
                                          {"OfflineStoreConfig", &kAnyObject},
                                          {"ThroughputConfig", &kAnyObject},
                                          {"RoleArn", &kText},
                                          {"Description", &kShortText},
                                          {"Tags", &kTags}};
constexpr Member kFeatureGroupName[] = {{"FeatureGroupName", &kNameOrArn, true}, {"NextToken", &kText}};
constexpr Member kListFeatureGroups[] = {{"NameContains", &kFeatureNameShape},
                                         {"FeatureGroupStatusEquals", &kFeatureGroupStatusShape},
                                         {"OfflineStoreStatusEquals", &kOfflineStatusShape},
                                         {"CreationTimeAfter", &kTimestamp},
                                         {"CreationTimeBefore", &kTimestamp},
                                         {"SortOrder", &kOrder},
                                         {"SortBy", &kFeatureGroupSortShape},
                                         {"MaxResults", &kPageLimit},
                                         {"NextToken", &kText}};
constexpr Member kUpdateFeatureGroup[] = {{"FeatureGroupName", &kNameOrArn, true},
                                          {"FeatureAdditions", &kAdditions},
                                          {"OnlineStoreConfig", &kAnyObject},
                                          {"ThroughputConfig", &kAnyObject}};
constexpr Member kFeatureMetadataName[] = {{"FeatureGroupName", &kNameOrArn, true},
                                           {"FeatureName", &kFeatureNameShape, true}};
constexpr Member kUpdateFeatureMetadata[] = {{"FeatureGroupName", &kNameOrArn, true},
                                             {"FeatureName", &kFeatureNameShape, true},
                                             {"Description", &kNoteText},
                                             {"ParameterAdditions", &kParameterAdditions},
                                             {"ParameterRemovals", &kParameterRemovals}};

constexpr Shape kAttributeName{Kind::String, 1, 127, "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}", is_entity_name};
constexpr Member kCreateLabelingJob[] = {{"LabelingJobName", &kName, true},
                                         {"LabelAttributeName", &kAttributeName, true},
                                         {"InputConfig", &kAnyObject, true},
                                         {"OutputConfig", &kOutput, true},
                                         {"RoleArn", &kText},
                                         {"LabelCategoryConfigS3Uri", &kS3Uri},
                                         {"StoppingConditions", &kAnyObject},
                                         {"LabelingJobAlgorithmsConfig", &kAnyObject},
                                         {"HumanTaskConfig", &kAnyObject, true},
                                         {"Tags", &kTags}};
constexpr Member kLabelingJobName[] = {{"LabelingJobName", &kName, true}};

constexpr SageMakerOperation kSageMakerOperations[] = {
    {"AddAssociation", kAddAssociation},
    {"AddTags", kAddTags},
    {"AssociateTrialComponent", kComponentAndTrial},
    {"CompareModelPackages", kCompareModelPackages},
    {"CreateAction", kCreateAction},
    {"CreateArtifact", kCreateArtifact},
    {"CreateAutoMLJob", kCreateAutoMLJob},
    {"CreateAutoMLJobV2", kCreateAutoMLJobV2},
    {"CreateContext", kCreateContext},
    {"CreateDataQualityJobDefinition", kCreateDataQuality},
    {"CreateEndpoint", kCreateEndpoint},
    {"CreateEndpointConfig", kCreateEndpointConfig},
    {"CreateExperiment", kCreateExperiment},
    {"CreateFeatureGroup", kCreateFeatureGroup},
    {"CreateHyperParameterTuningJob", kCreateTuningJob},
    {"CreateLabelingJob", kCreateLabelingJob},
    {"CreateModel", kCreateModel},
    {"CreateModelBiasJobDefinition", kCreateModelBias},
    {"CreateModelExplainabilityJobDefinition", kCreateModelExplainability},
    {"CreateModelPackage", kCreateModelPackage},
    {"CreateModelPackageGroup", kCreateModelPackageGroup},
    {"CreateModelQualityJobDefinition", kCreateModelQuality},
    {"CreateMonitoringSchedule", kMonitoringSchedule},
    {"CreateProcessingJob", kCreateProcessingJob},
    {"CreateTrainingJob", kCreateTrainingJob},
    {"CreateTransformJob", kCreateTransformJob},
    {"CreateTrial", kCreateTrial},
    {"CreateTrialComponent", kCreateComponent},
    {"DeleteAction", kActionName},
    {"DeleteArtifact", kDeleteArtifact},
    {"DeleteAssociation", kDeleteAssociation},
    {"DeleteContext", kContextName},
    {"DeleteDataQualityJobDefinition", kDefinitionName},
    {"DeleteEndpoint", kEndpointNameOnly},
    {"DeleteEndpointConfig", kConfigName},
    {"DeleteExperiment", kExperimentName},
    {"DeleteFeatureGroup", kFeatureGroupName},
    {"DeleteModel", kModelName},
    {"DeleteModelBiasJobDefinition", kDefinitionName},
    {"DeleteModelExplainabilityJobDefinition", kDefinitionName},
    {"DeleteModelPackage", kPackageName},
    {"DeleteModelPackageGroup", kGroupName},
    {"DeleteModelQualityJobDefinition", kDefinitionName},
    {"DeleteMonitoringSchedule", kMonitoringScheduleName},
    {"DeleteTags", kDeleteTags},
    {"DeleteTrial", kTrialName},
    {"DeleteTrialComponent", kComponentName},
    {"DescribeAction", kActionName},
    {"DescribeArtifact", kArtifactArn},
    {"DescribeAutoMLJob", kAutoMLJobName},
    {"DescribeAutoMLJobV2", kAutoMLJobName},
    {"DescribeContext", kContextName},
    {"DescribeDataQualityJobDefinition", kDefinitionName},
    {"DescribeEndpoint", kEndpointNameOnly},
    {"DescribeEndpointConfig", kConfigName},
    {"DescribeExperiment", kExperimentName},
    {"DescribeFeatureGroup", kFeatureGroupName},
    {"DescribeFeatureMetadata", kFeatureMetadataName},
    {"DescribeHyperParameterTuningJob", kTuningJobName},
    {"DescribeJobRecord", kJobRecord},
    {"DescribeLabelingJob", kLabelingJobName},
    {"DescribeModel", kModelName},
    {"DescribeModelBiasJobDefinition", kDefinitionName},
    {"DescribeModelExplainabilityJobDefinition", kDefinitionName},
    {"DescribeModelPackage", kPackageName},
    {"DescribeModelPackageGroup", kGroupName},
    {"DescribeModelQualityJobDefinition", kDefinitionName},
    {"DescribeMonitoringSchedule", kMonitoringScheduleName},
    {"DescribeProcessingJob", kProcessingJobName},
    {"DescribeTrainingJob", kTrainingJobName},
    {"DescribeTransformJob", kTransformJobName},
    {"DescribeTrial", kTrialName},
    {"DescribeTrialComponent", kComponentName},
    {"DisassociateTrialComponent", kComponentAndTrial},
    {"ListActions", kListActions},
    {"ListArtifacts", kListArtifacts},
    {"ListAssociations", kListAssociations},
    {"ListAutoMLJobs", kListJobs},
    {"ListCandidatesForAutoMLJob", kListCandidates},
    {"ListContexts", kListContexts},
    {"ListDataQualityJobDefinitions", kListDefinitions},
    {"ListEndpointConfigs", kListNamed},
    {"ListEndpoints", kListEndpoints},
    {"ListExperiments", kListExperiments},
    {"ListFeatureGroups", kListFeatureGroups},
    {"ListHyperParameterTuningJobs", kListJobs},
    {"ListJobRecords", kListJobRecords},
    {"ListLabelingJobs", kListJobs},
    {"ListModelBiasJobDefinitions", kListDefinitions},
    {"ListModelExplainabilityJobDefinitions", kListDefinitions},
    {"ListModelPackageGroups", kListNamed},
    {"ListModelPackages", kListPackages},
    {"ListModelQualityJobDefinitions", kListDefinitions},
    {"ListModels", kListNamed},
    {"ListMonitoringAlertHistory", kListAlertHistory},
    {"ListMonitoringAlerts", kListAlerts},
    {"ListMonitoringExecutions", kListExecutions},
    {"ListMonitoringSchedules", kListSchedules},
    {"ListProcessingJobs", kListJobs},
    {"ListTags", kListTags},
    {"ListTrainingJobs", kListJobs},
    {"ListTrainingJobsForHyperParameterTuningJob", kListTrialJobs},
    {"ListTransformJobs", kListJobs},
    {"ListTrialComponents", kListComponents},
    {"ListTrials", kListTrials},
    {"QueryLineage", kQueryLineage},
    {"RollbackModelPackageGroup", kRollback},
    {"Search", kSearch},
    {"StartMonitoringSchedule", kMonitoringScheduleName},
    {"StopAutoMLJob", kAutoMLJobName},
    {"StopHyperParameterTuningJob", kTuningJobName},
    {"StopLabelingJob", kLabelingJobName},
    {"StopMonitoringSchedule", kMonitoringScheduleName},
    {"StopProcessingJob", kProcessingJobName},
    {"StopTrainingJob", kTrainingJobName},
    {"StopTransformJob", kTransformJobName},
    {"UpdateAction", kUpdateAction},
    {"UpdateArtifact", kUpdateArtifact},
    {"UpdateContext", kUpdateContext},
    {"UpdateEndpoint", kUpdateEndpoint},
    {"UpdateEndpointWeightsAndCapacities", kUpdateWeights},
    {"UpdateExperiment", kUpdateExperiment},
    {"UpdateFeatureGroup", kUpdateFeatureGroup},
    {"UpdateFeatureMetadata", kUpdateFeatureMetadata},
    {"UpdateModelPackage", kUpdateModelPackage},
    {"UpdateMonitoringAlert", kUpdateAlert},
    {"UpdateMonitoringSchedule", kMonitoringSchedule},
    {"UpdateTrial", kUpdateTrial},
    {"UpdateTrialComponent", kUpdateComponent},
};

}  // namespace

std::span<const SageMakerOperation> sagemaker_operations() {
  return kSageMakerOperations;
}

}  // namespace millrace::api
