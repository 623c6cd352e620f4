#include "service/api/operations.h"

#include <algorithm>
#include <cctype>

namespace millrace::api {
namespace {

using Kind = Shape::Kind;

bool is_alias_name(std::string_view text) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  };
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed) &&
         !std::all_of(text.begin(), text.end(), digit);
}
bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F; });
}
bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

constexpr std::string_view kTypes[] = {"STANDARD", "EXPRESS"};
// In the order of AWS's message.
constexpr std::string_view kStatuses[] = {"SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE",
                                          "ABORTED",   "FAILED",    "RUNNING"};
constexpr std::string_view kRedriveFilters[] = {"REDRIVEN", "NOT_REDRIVEN"};
constexpr std::string_view kIncludedData[] = {"ALL_DATA", "METADATA_ONLY"};
constexpr std::string_view kLogLevels[] = {"ALL", "ERROR", "FATAL", "OFF"};
constexpr std::string_view kEncryptionTypes[] = {"AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"};

// Simple shapes. Source: the service's model (lengths in characters).
constexpr Shape kArn{.min = 1, .max = 256};
constexpr Shape kLongArn{.min = 1, .max = 2000};
constexpr Shape kName{.min = 1, .max = 80};
constexpr Shape kAliasName{
    .min = 1, .max = 80, .pattern = R"(^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$)", .matches = is_alias_name};
constexpr Shape kDefinition{.min = 1, .max = 1'048'576, .sensitive = true};
constexpr Shape kData{.sensitive = true};  // documents: their size is the engine's limit
constexpr Shape kErrorText{.max = 256, .sensitive = true};
constexpr Shape kCause{.max = 32'768, .sensitive = true};
constexpr Shape kDescription{.max = 256, .sensitive = true};
constexpr Shape kText{};
constexpr Shape kTraceHeader{.max = 256, .pattern = R"(\p{ASCII}*)", .matches = is_ascii};
constexpr Shape kClientToken{.min = 1, .max = 64, .pattern = "[!-~]+", .matches = is_printable};
constexpr Shape kTaskToken{.min = 1, .max = 2048};
constexpr Shape kPageToken{.min = 1, .max = 1024};
constexpr Shape kExecutionsPageToken{.min = 1, .max = 3096};
constexpr Shape kPageSizeShape{.kind = Kind::Integer, .min = 0, .max = 1000};
constexpr Shape kFlag{.kind = Kind::Boolean};
constexpr Shape kCount{.kind = Kind::Integer, .min = 0};
constexpr Shape kPercentage{.kind = Kind::Number, .min = 0, .max = 100};
constexpr Shape kWeight{.kind = Kind::Integer, .min = 0, .max = 100};
constexpr Shape kType{.values = kTypes};
constexpr Shape kStatus{.values = kStatuses};
constexpr Shape kRedriveFilter{.values = kRedriveFilters};
constexpr Shape kIncluded{.values = kIncludedData};
constexpr Shape kLogLevel{.values = kLogLevels};
constexpr Shape kEncryptionType{.values = kEncryptionTypes};

// Structures and lists.
constexpr Shape kTagKey{.min = 1, .max = 128};
constexpr Shape kTagValue{.min = 0, .max = 256};
constexpr Member kTagMembers[] = {{"key", &kTagKey}, {"value", &kTagValue}};
constexpr Shape kTag{.kind = Kind::Structure, .name = "Tag", .members = kTagMembers};
constexpr Shape kTags{.kind = Kind::List, .element = &kTag};
constexpr Shape kTagKeys{.kind = Kind::List, .element = &kTagKey};
constexpr Member kLogGroupMembers[] = {{"logGroupArn", &kArn}};
constexpr Shape kLogGroup{
    .kind = Kind::Structure, .name = "CloudWatchLogsLogGroup", .members = kLogGroupMembers};
constexpr Member kDestinationMembers[] = {{"cloudWatchLogsLogGroup", &kLogGroup}};
constexpr Shape kDestination{
    .kind = Kind::Structure, .name = "LogDestination", .members = kDestinationMembers};
constexpr Shape kDestinations{.kind = Kind::List, .element = &kDestination};
constexpr Member kLoggingMembers[] = {
    {"level", &kLogLevel}, {"includeExecutionData", &kFlag}, {"destinations", &kDestinations}};
constexpr Shape kLogging{.kind = Kind::Structure, .name = "LoggingConfiguration", .members = kLoggingMembers};
constexpr Member kTracingMembers[] = {{"enabled", &kFlag}};
constexpr Shape kTracing{.kind = Kind::Structure, .name = "TracingConfiguration", .members = kTracingMembers};
constexpr Shape kKmsKey{.min = 1, .max = 2048};
constexpr Shape kKmsPeriod{.kind = Kind::Integer, .min = 60, .max = 900};
constexpr Member kEncryptionMembers[] = {
    {"type", &kEncryptionType, true}, {"kmsKeyId", &kKmsKey}, {"kmsDataKeyReusePeriodSeconds", &kKmsPeriod}};
constexpr Shape kEncryption{
    .kind = Kind::Structure, .name = "EncryptionConfiguration", .members = kEncryptionMembers};

// Requests.
constexpr Member kCreateStateMachine[] = {{"name", &kName, true},
                                          {"definition", &kDefinition, true},
                                          {"roleArn", &kArn, true},
                                          {"type", &kType},
                                          {"loggingConfiguration", &kLogging},
                                          {"tags", &kTags},
                                          {"tracingConfiguration", &kTracing},
                                          {"publish", &kFlag},
                                          {"versionDescription", &kDescription},
                                          {"encryptionConfiguration", &kEncryption}};
constexpr Member kUpdateStateMachine[] = {{"stateMachineArn", &kArn, true},
                                          {"definition", &kDefinition},
                                          {"roleArn", &kArn},
                                          {"loggingConfiguration", &kLogging},
                                          {"tracingConfiguration", &kTracing},
                                          {"publish", &kFlag},
                                          {"versionDescription", &kDescription},
                                          {"encryptionConfiguration", &kEncryption}};
constexpr Member kStateMachine[] = {{"stateMachineArn", &kArn, true}};
constexpr Member kStateMachineData[] = {{"stateMachineArn", &kArn, true}, {"includedData", &kIncluded}};
constexpr Member kStateMachineList[] = {
    {"stateMachineArn", &kArn, true}, {"nextToken", &kPageToken}, {"maxResults", &kPageSizeShape}};
constexpr Member kPublishVersion[] = {
    {"stateMachineArn", &kArn, true}, {"revisionId", &kText}, {"description", &kDescription}};
constexpr Member kVersion[] = {{"stateMachineVersionArn", &kLongArn, true}};
constexpr Member kRouteMembers[] = {{"stateMachineVersionArn", &kArn, true}, {"weight", &kWeight, true}};
constexpr Shape kRoute{
    .kind = Kind::Structure, .name = "RoutingConfigurationListItem", .members = kRouteMembers};
constexpr Shape kRoutes{.kind = Kind::List, .min = 1, .max = 2, .element = &kRoute};
constexpr Member kCreateAlias[] = {
    {"description", &kDescription}, {"name", &kAliasName, true}, {"routingConfiguration", &kRoutes, true}};
constexpr Member kUpdateAlias[] = {{"stateMachineAliasArn", &kArn, true},
                                   {"description", &kDescription},
                                   {"routingConfiguration", &kRoutes}};
constexpr Member kAlias[] = {{"stateMachineAliasArn", &kArn, true}};
constexpr Member kCreateActivity[] = {
    {"name", &kName, true}, {"tags", &kTags}, {"encryptionConfiguration", &kEncryption}};
constexpr Member kActivity[] = {{"activityArn", &kArn, true}};
constexpr Member kTagResource[] = {{"resourceArn", &kArn, true}, {"tags", &kTags, true}};
constexpr Member kUntagResource[] = {{"resourceArn", &kArn, true}, {"tagKeys", &kTagKeys, true}};
constexpr Member kResource[] = {{"resourceArn", &kArn, true}};
constexpr std::string_view kSeverities[] = {"ERROR", "WARNING"};
constexpr Shape kSeverity{.values = kSeverities};
constexpr Shape kDiagnosticsCount{.kind = Kind::Integer, .min = 0, .max = 100};
constexpr Member kValidate[] = {{"definition", &kDefinition, true},
                                {"type", &kType},
                                {"severity", &kSeverity},
                                {"maxResults", &kDiagnosticsCount}};
constexpr std::string_view kInspectionLevels[] = {"INFO", "DEBUG", "TRACE"};
constexpr Shape kInspectionLevel{.values = kInspectionLevels};
constexpr std::string_view kFieldValidationModes[] = {"STRICT", "PRESENT", "NONE"};
constexpr Shape kFieldValidationMode{.values = kFieldValidationModes};
constexpr Member kErrorOutputMembers[] = {{"error", &kErrorText}, {"cause", &kCause}};
constexpr Shape kErrorOutput{
    .kind = Kind::Structure, .name = "MockErrorOutput", .members = kErrorOutputMembers};
constexpr Member kMockMembers[] = {
    {"result", &kData}, {"errorOutput", &kErrorOutput}, {"fieldValidationMode", &kFieldValidationMode}};
constexpr Shape kMock{.kind = Kind::Structure, .name = "MockInput", .members = kMockMembers};
constexpr Member kStateConfigurationMembers[] = {{"retrierRetryCount", &kCount},
                                                 {"errorCausedByState", &kName},
                                                 {"mapIterationFailureCount", &kCount},
                                                 {"mapItemReaderData", &kData}};
constexpr Shape kStateConfiguration{
    .kind = Kind::Structure, .name = "TestStateConfiguration", .members = kStateConfigurationMembers};
constexpr Member kTestState[] = {{"definition", &kDefinition, true},
                                 {"roleArn", &kArn},
                                 {"input", &kData},
                                 {"inspectionLevel", &kInspectionLevel},
                                 {"revealSecrets", &kFlag},
                                 {"variables", &kData},
                                 {"stateName", &kName},
                                 {"mock", &kMock},
                                 {"context", &kData},
                                 {"stateConfiguration", &kStateConfiguration}};
constexpr Member kList[] = {{"maxResults", &kPageSizeShape}, {"nextToken", &kPageToken}};
constexpr Member kStartExecution[] = {
    {"stateMachineArn", &kArn, true}, {"name", &kName}, {"input", &kData}, {"traceHeader", &kTraceHeader}};
constexpr Member kStartSyncExecution[] = {{"stateMachineArn", &kArn, true},
                                          {"name", &kName},
                                          {"input", &kData},
                                          {"traceHeader", &kTraceHeader},
                                          {"includedData", &kIncluded}};
constexpr Member kGetActivityTask[] = {{"activityArn", &kArn, true}, {"workerName", &kName}};
constexpr Member kSendTaskSuccess[] = {{"taskToken", &kTaskToken, true}, {"output", &kData, true}};
constexpr Member kSendTaskFailure[] = {
    {"taskToken", &kTaskToken, true}, {"error", &kErrorText}, {"cause", &kCause}};
constexpr Member kSendTaskHeartbeat[] = {{"taskToken", &kTaskToken, true}};
constexpr Member kMapRun[] = {{"mapRunArn", &kLongArn, true}};
constexpr Member kListMapRuns[] = {
    {"executionArn", &kArn, true}, {"maxResults", &kPageSizeShape}, {"nextToken", &kPageToken}};
constexpr Member kUpdateMapRun[] = {{"mapRunArn", &kLongArn, true},
                                    {"maxConcurrency", &kCount},
                                    {"toleratedFailurePercentage", &kPercentage},
                                    {"toleratedFailureCount", &kCount}};
constexpr Member kStopExecution[] = {
    {"executionArn", &kArn, true}, {"error", &kErrorText}, {"cause", &kCause}};
constexpr Member kRedriveExecution[] = {{"executionArn", &kArn, true}, {"clientToken", &kClientToken}};
constexpr Member kExecutionData[] = {{"executionArn", &kArn, true}, {"includedData", &kIncluded}};
constexpr Member kListExecutions[] = {{"stateMachineArn", &kArn},      {"statusFilter", &kStatus},
                                      {"maxResults", &kPageSizeShape}, {"nextToken", &kExecutionsPageToken},
                                      {"mapRunArn", &kLongArn},        {"redriveFilter", &kRedriveFilter}};
constexpr Member kGetExecutionHistory[] = {{"executionArn", &kArn, true},
                                           {"maxResults", &kPageSizeShape},
                                           {"reverseOrder", &kFlag},
                                           {"nextToken", &kPageToken},
                                           {"includeExecutionData", &kFlag}};

}  // namespace

std::span<const OperationRow> operations() {
  static constexpr OperationRow kOperations[] = {
      {"CreateActivity", create_activity, kCreateActivity},
      {"CreateStateMachine", create_state_machine, kCreateStateMachine},
      {"CreateStateMachineAlias", create_state_machine_alias, kCreateAlias},
      {"DeleteActivity", delete_activity, kActivity},
      {"DeleteStateMachine", delete_state_machine, kStateMachine},
      {"DeleteStateMachineAlias", delete_state_machine_alias, kAlias},
      {"DeleteStateMachineVersion", delete_state_machine_version, kVersion},
      {"DescribeActivity", describe_activity, kActivity},
      {"DescribeExecution", describe_execution, kExecutionData},
      {"DescribeMapRun", describe_map_run, kMapRun},
      {"DescribeStateMachine", describe_state_machine, kStateMachineData},
      {"DescribeStateMachineAlias", describe_state_machine_alias, kAlias},
      {"DescribeStateMachineForExecution", describe_state_machine_for_execution, kExecutionData},
      {"GetActivityTask", get_activity_task, kGetActivityTask},
      {"GetExecutionHistory", get_execution_history, kGetExecutionHistory},
      {"ListActivities", list_activities, kList},
      {"ListExecutions", list_executions, kListExecutions},
      {"ListMapRuns", list_map_runs, kListMapRuns},
      {"ListStateMachineAliases", list_state_machine_aliases, kStateMachineList},
      {"ListStateMachineVersions", list_state_machine_versions, kStateMachineList},
      {"ListStateMachines", list_state_machines, kList},
      {"ListTagsForResource", list_tags_for_resource, kResource},
      {"PublishStateMachineVersion", publish_state_machine_version, kPublishVersion},
      {"RedriveExecution", redrive_execution, kRedriveExecution},
      {"SendTaskFailure", send_task_failure, kSendTaskFailure},
      {"SendTaskHeartbeat", send_task_heartbeat, kSendTaskHeartbeat},
      {"SendTaskSuccess", send_task_success, kSendTaskSuccess},
      {"StartExecution", start_execution, kStartExecution},
      {"StartSyncExecution", start_sync_execution, kStartSyncExecution},
      {"StopExecution", stop_execution, kStopExecution},
      {"TagResource", tag_resource, kTagResource},
      {"TestState", test_state, kTestState},
      {"UntagResource", untag_resource, kUntagResource},
      {"UpdateMapRun", update_map_run, kUpdateMapRun},
      {"UpdateStateMachine", update_state_machine, kUpdateStateMachine},
      {"UpdateStateMachineAlias", update_state_machine_alias, kUpdateAlias},
      {"ValidateStateMachineDefinition", validate_state_machine_definition, kValidate},
  };
  return kOperations;
}

const OperationRow* find_operation(std::string_view name) {
  for (const OperationRow& row : operations()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace millrace::api
