// The table of EventBridge's operations: name, shape of the request, function.

#include <algorithm>

#include "service/bus/event_functions.h"

namespace millrace::bus {
namespace {

using api::Member;
using api::Shape;
using Kind = Shape::Kind;

constexpr std::string_view kRuleStates[] = {"ENABLED", "DISABLED",
                                            "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"};
constexpr std::string_view kMethods[] = {"POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"};

bool is_name(std::string_view text) {
  return good_name(text, text.size() + 1);
}

// Source: the service's model.
constexpr Shape kRuleName{.min = 1, .max = 64, .pattern = R"([\.\-_A-Za-z0-9]+)", .matches = is_name};
constexpr Shape kTargetId{.min = 1, .max = 64, .pattern = R"([\.\-_A-Za-z0-9]+)", .matches = is_name};
constexpr Shape kBusName{.min = 1, .max = 1600};
constexpr Shape kShortName{.min = 1, .max = 64};
constexpr Shape kAnyArn{.min = 1, .max = 1600};
constexpr Shape kTextShape{};
constexpr Shape kDescriptionShape{.max = 512};
constexpr Shape kScheduleText{.max = 256};
constexpr Shape kStateShape{.values = kRuleStates};
constexpr Shape kMethod{.values = kMethods};
constexpr Shape kTokenShape{.min = 1, .max = 2048};
constexpr Shape kLimit{.kind = Kind::Integer, .min = 1, .max = 100};
constexpr Shape kDays{.kind = Kind::Integer, .min = 0};
constexpr Shape kRate{.kind = Kind::Integer, .min = 1};
constexpr Shape kForce{.kind = Kind::Boolean};
constexpr Shape kTagKeyShape{.min = 1, .max = 128};
constexpr Shape kTagValueShape{.max = 256};
constexpr Member kTagShape[] = {{"Key", &kTagKeyShape, true}, {"Value", &kTagValueShape, true}};
constexpr Shape kTagStructure{.kind = Kind::Structure, .name = "Tag", .members = kTagShape};
constexpr Shape kTagList{.kind = Kind::List, .element = &kTagStructure};
constexpr Shape kKeyList{.kind = Kind::List, .element = &kTagKeyShape};
constexpr Shape kIdList{.kind = Kind::List, .min = 1, .max = 100, .element = &kTargetId};
constexpr Shape kObject{.kind = Kind::Structure, .name = "Structure"};

constexpr Shape kAttempts{.kind = Kind::Integer, .min = 0, .max = 185};
constexpr Shape kAge{.kind = Kind::Integer, .min = 60, .max = 86'400};
constexpr Member kRetryMembers[] = {{"MaximumRetryAttempts", &kAttempts},
                                    {"MaximumEventAgeInSeconds", &kAge}};
constexpr Shape kRetry{.kind = Kind::Structure, .name = "RetryPolicy", .members = kRetryMembers};
constexpr Member kDeadMembers[] = {{"Arn", &kAnyArn}};
constexpr Shape kDead{.kind = Kind::Structure, .name = "DeadLetterConfig", .members = kDeadMembers};
constexpr Shape kMessageGroup{.max = 128};
constexpr Member kSqsMembers[] = {{"MessageGroupId", &kMessageGroup}};
constexpr Shape kSqs{.kind = Kind::Structure, .name = "SqsParameters", .members = kSqsMembers};
constexpr Shape kValues{.kind = Kind::List, .element = &kTextShape};
constexpr Member kHttpMembers[] = {
    {"PathParameterValues", &kValues}, {"HeaderParameters", &kObject}, {"QueryStringParameters", &kObject}};
constexpr Shape kHttp{.kind = Kind::Structure, .name = "HttpParameters", .members = kHttpMembers};
constexpr Member kTargetMembers[] = {{"Id", &kTargetId, true},   {"Arn", &kAnyArn, true},
                                     {"RoleArn", &kAnyArn},      {"Input", &kTextShape},
                                     {"InputPath", &kTextShape}, {"InputTransformer", &kObject},
                                     {"RetryPolicy", &kRetry},   {"DeadLetterConfig", &kDead},
                                     {"SqsParameters", &kSqs},   {"HttpParameters", &kHttp}};
constexpr Shape kTarget{.kind = Kind::Structure, .name = "Target", .members = kTargetMembers};
constexpr Shape kTargets{.kind = Kind::List, .min = 1, .max = 100, .element = &kTarget};

constexpr Member kPutRule[] = {{"Name", &kRuleName, true},
                               {"ScheduleExpression", &kScheduleText},
                               {"EventPattern", &kTextShape},
                               {"State", &kStateShape},
                               {"Description", &kDescriptionShape},
                               {"RoleArn", &kAnyArn},
                               {"Tags", &kTagList},
                               {"EventBusName", &kBusName}};
constexpr Member kRule[] = {{"Name", &kRuleName, true}, {"EventBusName", &kBusName}, {"Force", &kForce}};
constexpr Member kListRules[] = {
    {"NamePrefix", &kRuleName}, {"EventBusName", &kBusName}, {"NextToken", &kTokenShape}, {"Limit", &kLimit}};
constexpr Member kPutTargets[] = {
    {"Rule", &kRuleName, true}, {"EventBusName", &kBusName}, {"Targets", &kTargets, true}};
constexpr Member kRemoveTargets[] = {
    {"Rule", &kRuleName, true}, {"EventBusName", &kBusName}, {"Ids", &kIdList, true}, {"Force", &kForce}};
constexpr Member kListTargets[] = {
    {"Rule", &kRuleName, true}, {"EventBusName", &kBusName}, {"NextToken", &kTokenShape}, {"Limit", &kLimit}};
constexpr Member kByTarget[] = {{"TargetArn", &kAnyArn, true},
                                {"EventBusName", &kBusName},
                                {"NextToken", &kTokenShape},
                                {"Limit", &kLimit}};
constexpr Member kTestPattern[] = {{"EventPattern", &kTextShape, true}, {"Event", &kTextShape, true}};
constexpr Member kCreateBus[] = {{"Name", &kBusName, true},
                                 {"EventSourceName", &kBusName},
                                 {"Description", &kDescriptionShape},
                                 {"KmsKeyIdentifier", &kTextShape},
                                 {"DeadLetterConfig", &kDead},
                                 {"LogConfig", &kObject},
                                 {"Tags", &kTagList}};
constexpr Member kUpdateBus[] = {{"Name", &kBusName},
                                 {"Description", &kDescriptionShape},
                                 {"KmsKeyIdentifier", &kTextShape},
                                 {"DeadLetterConfig", &kDead},
                                 {"LogConfig", &kObject}};
constexpr Member kDescribeBus[] = {{"Name", &kBusName}};
constexpr Member kListBuses[] = {{"NamePrefix", &kBusName}, {"NextToken", &kTokenShape}, {"Limit", &kLimit}};
constexpr Member kDeleteBus[] = {{"Name", &kBusName, true}};
constexpr Member kTagResource[] = {{"ResourceARN", &kAnyArn, true}, {"Tags", &kTagList, true}};
constexpr Member kUntagResource[] = {{"ResourceARN", &kAnyArn, true}, {"TagKeys", &kKeyList, true}};
constexpr Member kListTags[] = {{"ResourceARN", &kAnyArn, true}};
constexpr Member kCreateArchive[] = {{"ArchiveName", &kShortName, true},
                                     {"EventSourceArn", &kAnyArn, true},
                                     {"Description", &kDescriptionShape},
                                     {"EventPattern", &kTextShape},
                                     {"RetentionDays", &kDays}};
constexpr Member kUpdateArchive[] = {{"ArchiveName", &kShortName, true},
                                     {"Description", &kDescriptionShape},
                                     {"EventPattern", &kTextShape},
                                     {"RetentionDays", &kDays}};
constexpr Member kArchive[] = {{"ArchiveName", &kShortName, true}};
constexpr Member kListArchives[] = {{"NamePrefix", &kShortName},
                                    {"EventSourceArn", &kAnyArn},
                                    {"State", &kTextShape},
                                    {"NextToken", &kTokenShape},
                                    {"Limit", &kLimit}};
constexpr Member kReplayTargetMembers[] = {{"Arn", &kAnyArn, true}, {"FilterArns", &kValues}};
constexpr Shape kReplayTarget{
    .kind = Kind::Structure, .name = "ReplayDestination", .members = kReplayTargetMembers};
constexpr Member kStartReplay[] = {{"ReplayName", &kShortName, true},
                                   {"Description", &kDescriptionShape},
                                   {"EventSourceArn", &kAnyArn, true},
                                   {"Destination", &kReplayTarget, true}};
constexpr Member kReplay[] = {{"ReplayName", &kShortName, true}};
constexpr Member kListReplays[] = {{"NamePrefix", &kShortName},
                                   {"EventSourceArn", &kAnyArn},
                                   {"State", &kTextShape},
                                   {"NextToken", &kTokenShape},
                                   {"Limit", &kLimit}};
constexpr Member kCreateDestination[] = {
    {"Name", &kShortName, true},       {"Description", &kDescriptionShape},
    {"ConnectionArn", &kAnyArn, true}, {"InvocationEndpoint", &kTextShape, true},
    {"HttpMethod", &kMethod, true},    {"InvocationRateLimitPerSecond", &kRate}};
constexpr Member kUpdateDestination[] = {
    {"Name", &kShortName, true}, {"Description", &kDescriptionShape},
    {"ConnectionArn", &kAnyArn}, {"InvocationEndpoint", &kTextShape},
    {"HttpMethod", &kMethod},    {"InvocationRateLimitPerSecond", &kRate}};
constexpr Member kDestination[] = {{"Name", &kShortName, true}};
constexpr Member kListDestinations[] = {{"NamePrefix", &kShortName},
                                        {"ConnectionArn", &kAnyArn},
                                        {"NextToken", &kTokenShape},
                                        {"Limit", &kLimit}};

constexpr BusOperation kEventOperations[] = {
    {"CancelReplay", kReplay, cancel_replay},
    {"CreateApiDestination", kCreateDestination, create_api_destination},
    {"CreateArchive", kCreateArchive, create_archive},
    {"CreateEventBus", kCreateBus, create_event_bus},
    {"DeleteApiDestination", kDestination, delete_api_destination},
    {"DeleteArchive", kArchive, delete_archive},
    {"DeleteEventBus", kDeleteBus, delete_event_bus},
    {"DeleteRule", kRule, delete_rule},
    {"DescribeApiDestination", kDestination, describe_api_destination},
    {"DescribeArchive", kArchive, describe_archive},
    {"DescribeEventBus", kDescribeBus, describe_event_bus},
    {"DescribeReplay", kReplay, describe_replay},
    {"DescribeRule", kRule, describe_rule},
    {"DisableRule", kRule, disable_rule},
    {"EnableRule", kRule, enable_rule},
    {"ListApiDestinations", kListDestinations, list_api_destinations},
    {"ListArchives", kListArchives, list_archives},
    {"ListEventBuses", kListBuses, list_event_buses},
    {"ListReplays", kListReplays, list_replays},
    {"ListRuleNamesByTarget", kByTarget, list_rule_names_by_target},
    {"ListRules", kListRules, list_rules},
    {"ListTagsForResource", kListTags, list_event_tags},
    {"ListTargetsByRule", kListTargets, list_targets_by_rule},
    {"PutRule", kPutRule, put_rule},
    {"PutTargets", kPutTargets, put_targets},
    {"RemoveTargets", kRemoveTargets, remove_targets},
    {"StartReplay", kStartReplay, start_replay},
    {"TagResource", kTagResource, tag_event_resource},
    {"TestEventPattern", kTestPattern, test_event_pattern},
    {"UntagResource", kUntagResource, untag_event_resource},
    {"UpdateApiDestination", kUpdateDestination, update_api_destination},
    {"UpdateArchive", kUpdateArchive, update_archive},
    {"UpdateEventBus", kUpdateBus, update_event_bus},
};

}  // namespace

std::span<const BusOperation> event_operations() {
  return kEventOperations;
}

}  // namespace millrace::bus
