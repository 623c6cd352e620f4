// Schedules and their groups: EventBridge Scheduler's operations.

#include <nlohmann/json.hpp>

#include "service/bus/operations.h"
#include "service/bus/schedule_settings.h"
#include "service/bus/universal_target.h"
#include "triggers/schedule_expression.h"

namespace millrace::bus {
namespace {

using api::Member;
using api::Shape;
using Kind = Shape::Kind;

constexpr std::size_t kSchedulesMax = 1'000'000, kGroupsMax = 500;

std::string schedule_arn(const BusPlace& place, std::string_view group, std::string_view name) {
  return place.arn("scheduler", "schedule/" + std::string(group) + "/" + std::string(name));
}
std::string group_arn(const BusPlace& place, std::string_view name) {
  return place.arn("scheduler", "schedule-group/" + std::string(name));
}

tl::unexpected<api::ApiError> no_such(std::string message) {
  return api::refuse("ResourceNotFoundException", std::move(message), 404);
}
tl::unexpected<api::ApiError> in_conflict(std::string message) {
  return api::refuse("ConflictException", std::move(message), 409);
}

bool group_there(const OperationCall& call, const std::string& group) {
  return group == kDefaultGroup || call.records.has(kind::kGroup, group);
}

struct ScheduleKey {
  std::string group, name, key;
};
ScheduleKey schedule_key(JsonView input) {
  std::string group = text(input, "GroupName");
  if (group.empty()) group = kDefaultGroup;
  const std::string name = text(input, "Name");
  return {group, name, joined_key(group, name)};
}

std::optional<std::string> refuse_window(JsonView window) {
  const bool flexible = text(window, "Mode") == "FLEXIBLE";
  const bool given = static_cast<bool>(api::member(window, "MaximumWindowInMinutes"));
  if (flexible && !given)
    return "FlexibleTimeWindow: MaximumWindowInMinutes must be given when Mode is FLEXIBLE.";
  if (!flexible && given)
    return "FlexibleTimeWindow: MaximumWindowInMinutes must not be given when Mode is OFF.";
  return std::nullopt;
}

std::optional<std::string> refuse_schedule_target(JsonView target) {
  const std::string arn = text(target, "Arn"), input = text(target, "Input");
  if (is_universal_target(arn)) return refuse_universal_target(arn, input);
  if (arn.find(":api-destination/") != std::string::npos) return "Provided Arn is not a target of schedules.";
  return refuse_target_arn(arn);
}

// What of a request makes no schedule.
std::optional<std::string> refuse_schedule(const OperationCall& call) {
  const JsonView in = call.input;
  const std::string expression = text(in, "ScheduleExpression"),
                    zone = text(in, "ScheduleExpressionTimezone");
  const auto parsed = triggers::ScheduleExpression::parse(expression);
  if (!parsed) return "Invalid Schedule Expression " + expression + ". " + parsed.error().message + ".";
  if (!zone.empty())
    if (const auto loaded = triggers::TimeZone::load(zone); !loaded)
      return "Invalid Schedule Expression Timezone " + zone + ". " + loaded.error().message + ".";
  if (const auto settings = read_schedule_settings(text(in, "Description")); !settings)
    return settings.error().message;
  if (auto why = refuse_window(api::member(in, "FlexibleTimeWindow"))) return why;
  if (auto why = refuse_schedule_target(api::member(in, "Target"))) return "Invalid Target. " + *why;
  for (const char* name : {"StartDate", "EndDate"})
    if (api::member(in, name) && !time_in(in, name)) return std::string(name) + " is no time.";
  const auto start = time_in(in, "StartDate"), end = time_in(in, "EndDate");
  if (start && end && *end <= *start)
    return std::string("The EndDate you specify must come after the StartDate.");
  if (end && *end <= call.now) return std::string("The EndDate you specify must be in the future.");
  return std::nullopt;
}

Json schedule_record(const OperationCall& call, const ScheduleKey& key) {
  Json record = {{"Arn", schedule_arn(call.place, key.group, key.name)},
                 {"State", "ENABLED"},
                 {"ActionAfterCompletion", "NONE"},
                 {"ScheduleExpressionTimezone", "UTC"}};
  copy_members(record, call.input,
               {"ScheduleExpression", "ScheduleExpressionTimezone", "State", "Description", "KmsKeyArn",
                "ActionAfterCompletion", "FlexibleTimeWindow", "Target"});
  for (const char* name : {"StartDate", "EndDate"})
    if (const auto time = time_in(call.input, name)) record[name] = to_millis(*time);
  Json& target = record["Target"];
  if (!target.contains("RetryPolicy")) target["RetryPolicy"] = Json::object();
  Json& policy = target["RetryPolicy"];
  if (!policy.contains("MaximumEventAgeInSeconds")) policy["MaximumEventAgeInSeconds"] = 86'400;
  if (!policy.contains("MaximumRetryAttempts")) policy["MaximumRetryAttempts"] = 185;
  record["Changed"] = to_millis(call.now);
  record["Active"] = to_millis(call.now);
  return record;
}

Json schedule_shown(const std::string& key, const Json& record, bool all) {
  const std::size_t end = key.find(kKeySeparator);
  Json shown = {{"Arn", record["Arn"]},
                {"GroupName", key.substr(0, end)},
                {"Name", key.substr(end + 1)},
                {"State", record["State"]}};
  for (const auto& [from, to] :
       {std::pair("Created", "CreationDate"), std::pair("Changed", "LastModificationDate")})
    if (const auto time = millis_in(record, from)) shown[to] = seconds_of(*time);
  if (!all) {
    shown["Target"] = {{"Arn", record["Target"]["Arn"]}};
    return shown;
  }
  for (const char* name : {"ActionAfterCompletion", "Description", "FlexibleTimeWindow", "KmsKeyArn",
                           "ScheduleExpression", "ScheduleExpressionTimezone", "Target"})
    if (const auto found = record.find(name); found != record.end()) shown[name] = *found;
  for (const char* name : {"StartDate", "EndDate"})
    if (const auto time = millis_in(record, name)) shown[name] = seconds_of(*time);
  return shown;
}

BusAnswer create_schedule(OperationCall& call) {
  const ScheduleKey key = schedule_key(call.input);
  const std::string token = text(call.input, "ClientToken");
  if (!group_there(call, key.group)) return no_such("Schedule group " + key.group + " does not exist.");
  if (const Json there = call.records.find(kind::kSchedule, key.key); there.is_object()) {
    if (!token.empty() && there.value("ClientToken", "") == token) return Json{{"ScheduleArn", there["Arn"]}};
    return in_conflict("Schedule " + key.name + " already exists.");
  }
  if (auto why = refuse_schedule(call)) return invalid_request(*why);
  if (call.records.all(kind::kSchedule).size() >= kSchedulesMax)
    return api::refuse("ServiceQuotaExceededException",
                       "There are " + std::to_string(kSchedulesMax) + " schedules; more are not kept.", 402);
  Json record = schedule_record(call, key);
  record["Created"] = to_millis(call.now);
  if (!token.empty()) record["ClientToken"] = token;
  call.records.put(kind::kSchedule, key.key, record);
  return Json{{"ScheduleArn", record["Arn"]}};
}

BusAnswer update_schedule(OperationCall& call) {
  const ScheduleKey key = schedule_key(call.input);
  const Json before = call.records.find(kind::kSchedule, key.key);
  if (!before.is_object()) return no_such("Schedule " + key.name + " does not exist.");
  if (auto why = refuse_schedule(call)) return invalid_request(*why);
  Json record = schedule_record(call, key);
  record["Created"] = before["Created"];
  if (const auto token = before.find("ClientToken"); token != before.end()) record["ClientToken"] = *token;
  // A change that leaves the times alone does not forget what is due; what was paused does not catch up.
  const auto same = [&](const char* name) {
    return before.value(name, Json()) == record.value(name, Json());
  };
  if (same("ScheduleExpression") && same("ScheduleExpressionTimezone") && same("State") && same("StartDate"))
    record["Active"] = before["Active"];
  else
    call.records.erase(kind::kFired, "schedule/" + key.key);
  call.records.put(kind::kSchedule, key.key, record);
  return Json{{"ScheduleArn", record["Arn"]}};
}

BusAnswer get_schedule(OperationCall& call) {
  const ScheduleKey key = schedule_key(call.input);
  const Json record = call.records.find(kind::kSchedule, key.key);
  if (!record.is_object()) return no_such("Schedule " + key.name + " does not exist.");
  return schedule_shown(key.key, record, true);
}

BusAnswer delete_schedule(OperationCall& call) {
  const ScheduleKey key = schedule_key(call.input);
  if (!call.records.has(kind::kSchedule, key.key))
    return no_such("Schedule " + key.name + " does not exist.");
  call.records.erase(kind::kSchedule, key.key);
  call.records.erase(kind::kFired, "schedule/" + key.key);
  return Json::object();
}

BusAnswer list_schedules(OperationCall& call) {
  const std::string group = text(call.input, "ScheduleGroup").empty() ? text(call.input, "GroupName")
                                                                      : text(call.input, "ScheduleGroup");
  const std::string names = text(call.input, "NamePrefix"), state = text(call.input, "State");
  if (!group.empty() && !group_there(call, group))
    return no_such("Schedule group " + group + " does not exist.");
  const std::string prefix = group.empty() ? "" : joined_key(group, names);
  return page_of(call, kind::kSchedule, "Schedules", "MaxResults", prefix,
                 [&](const std::string& key, const Json& record) -> std::optional<Json> {
                   if (!state.empty() && record["State"] != state) return std::nullopt;
                   if (!std::string_view(key).substr(key.find(kKeySeparator) + 1).starts_with(names))
                     return std::nullopt;
                   return schedule_shown(key, record, false);
                 });
}

Json group_shown(const OperationCall& call, const std::string& name, const Json& record) {
  Json shown = {{"Arn", group_arn(call.place, name)}, {"Name", name}, {"State", "ACTIVE"}};
  if (!record.is_object()) return shown;
  if (const auto time = millis_in(record, "Created"))
    shown["CreationDate"] = shown["LastModificationDate"] = seconds_of(*time);
  return shown;
}

BusAnswer create_group(OperationCall& call) {
  const std::string name = text(call.input, "Name"), token = text(call.input, "ClientToken");
  const Json there = call.records.find(kind::kGroup, name);
  if (name == kDefaultGroup || there.is_object()) {
    if (there.is_object() && !token.empty() && there.value("ClientToken", "") == token)
      return Json{{"ScheduleGroupArn", group_arn(call.place, name)}};
    return in_conflict("Schedule group " + name + " already exists.");
  }
  if (call.records.all(kind::kGroup).size() >= kGroupsMax)
    return api::refuse("ServiceQuotaExceededException",
                       "There are " + std::to_string(kGroupsMax) + " schedule groups.", 402);
  Json record = {{"Created", to_millis(call.now)}};
  if (!token.empty()) record["ClientToken"] = token;
  call.records.put(kind::kGroup, name, record);
  put_tags(call, group_arn(call.place, name), api::member(call.input, "Tags"));
  return Json{{"ScheduleGroupArn", group_arn(call.place, name)}};
}

BusAnswer get_group(OperationCall& call) {
  const std::string name = text(call.input, "Name");
  if (!group_there(call, name)) return no_such("Schedule group " + name + " does not exist.");
  return group_shown(call, name, call.records.find(kind::kGroup, name));
}

BusAnswer delete_group(OperationCall& call) {
  const std::string name = text(call.input, "Name");
  if (name == kDefaultGroup) return invalid_request("The default schedule group can't be deleted.");
  if (!group_there(call, name)) return no_such("Schedule group " + name + " does not exist.");
  const std::string prefix = joined_key(name, "");
  std::vector<std::string> keys;
  const Records::Documents& schedules = call.records.all(kind::kSchedule);
  for (auto it = schedules.lower_bound(prefix); it != schedules.end() && it->first.starts_with(prefix); ++it)
    keys.push_back(it->first);
  for (const std::string& key : keys) {
    call.records.erase(kind::kSchedule, key);
    call.records.erase(kind::kFired, "schedule/" + key);
  }
  call.records.erase(kind::kGroup, name);
  call.records.erase(kind::kTags, group_arn(call.place, name));
  return Json::object();
}

BusAnswer list_groups(OperationCall& call) {
  const std::string prefix = text(call.input, "NamePrefix");
  auto page =
      page_of(call, kind::kGroup, "ScheduleGroups", "MaxResults", prefix,
              [&](const std::string& key, const Json& record) { return group_shown(call, key, record); });
  if (page && text(call.input, "NextToken").empty() && kDefaultGroup.starts_with(prefix)) {
    Json& groups = (*page)["ScheduleGroups"];
    groups.insert(groups.begin(), group_shown(call, std::string(kDefaultGroup), Json()));
  }
  return page;
}

tl::expected<std::string, api::ApiError> tagged_group(const OperationCall& call) {
  const std::string arn = text(call.input, "ResourceArn");
  const std::size_t at = arn.find(":schedule-group/");
  if (at == std::string::npos) return invalid_request("Only schedule groups have tags: " + arn);
  if (!group_there(call, arn.substr(at + 16)))
    return no_such("Schedule group " + arn.substr(at + 16) + " does not exist.");
  return arn;
}

BusAnswer tag_group(OperationCall& call) {
  const auto arn = tagged_group(call);
  if (!arn) return tl::unexpected<api::ApiError>(arn.error());
  put_tags(call, *arn, api::member(call.input, "Tags"));
  return Json::object();
}
BusAnswer untag_group(OperationCall& call) {
  const auto arn = tagged_group(call);
  if (!arn) return tl::unexpected<api::ApiError>(arn.error());
  return remove_tags(call, *arn);
}
BusAnswer list_group_tags(OperationCall& call) {
  const auto arn = tagged_group(call);
  if (!arn) return tl::unexpected<api::ApiError>(arn.error());
  return list_tags(call, *arn);
}

bool is_schedule_name(std::string_view name) {
  return good_name(name, name.size() + 1);
}

constexpr std::string_view kStates[] = {"ENABLED", "DISABLED"};
constexpr std::string_view kActions[] = {"NONE", "DELETE"};
constexpr std::string_view kModes[] = {"OFF", "FLEXIBLE"};
constexpr Shape kScheduleName{.min = 1, .max = 64, .pattern = "[0-9a-zA-Z-_.]+", .matches = is_schedule_name};
constexpr Shape kExpression{.min = 1, .max = 256};
constexpr Shape kZone{.min = 1, .max = 50};
constexpr Shape kScheduleArn{.min = 1, .max = 1600};
constexpr Shape kAnyText{};
constexpr Shape kScheduleDescription{.max = 512};
constexpr Shape kScheduleState{.values = kStates};
constexpr Shape kAction{.values = kActions};
constexpr Shape kToken64{.min = 1, .max = 64};
constexpr Shape kPageToken2048{.min = 1, .max = 2048};
constexpr Shape kResults{.kind = Kind::Integer, .min = 1, .max = 100};
constexpr Shape kMode{.values = kModes};
constexpr Shape kMinutes{.kind = Kind::Integer, .min = 1, .max = 1440};
constexpr Member kWindowMembers[] = {{"Mode", &kMode, true}, {"MaximumWindowInMinutes", &kMinutes}};
constexpr Shape kWindow{.kind = Kind::Structure, .name = "FlexibleTimeWindow", .members = kWindowMembers};
constexpr Shape kRetries{.kind = Kind::Integer, .min = 0, .max = 185};
constexpr Shape kEventAge{.kind = Kind::Integer, .min = 60, .max = 86'400};
constexpr Member kPolicyMembers[] = {{"MaximumRetryAttempts", &kRetries},
                                     {"MaximumEventAgeInSeconds", &kEventAge}};
constexpr Shape kPolicy{.kind = Kind::Structure, .name = "RetryPolicy", .members = kPolicyMembers};
constexpr Member kDeadLetterMembers[] = {{"Arn", &kScheduleArn}};
constexpr Shape kDeadLetter{
    .kind = Kind::Structure, .name = "DeadLetterConfig", .members = kDeadLetterMembers};
constexpr Member kBridgeMembers[] = {{"DetailType", &kAnyText, true}, {"Source", &kAnyText, true}};
constexpr Shape kBridge{.kind = Kind::Structure, .name = "EventBridgeParameters", .members = kBridgeMembers};
constexpr Member kGroupMembers[] = {{"MessageGroupId", &kAnyText}};
constexpr Shape kGroupOfMessage{.kind = Kind::Structure, .name = "SqsParameters", .members = kGroupMembers};
constexpr Member kScheduleTargetMembers[] = {{"Arn", &kScheduleArn, true},
                                             {"RoleArn", &kScheduleArn, true},
                                             {"Input", &kAnyText},
                                             {"RetryPolicy", &kPolicy},
                                             {"DeadLetterConfig", &kDeadLetter},
                                             {"EventBridgeParameters", &kBridge},
                                             {"SqsParameters", &kGroupOfMessage}};
constexpr Shape kScheduleTarget{.kind = Kind::Structure, .name = "Target", .members = kScheduleTargetMembers};
constexpr Shape kTagKey{.min = 1, .max = 128};
constexpr Shape kTagValue{.min = 1, .max = 256};
constexpr Member kTagMembers[] = {{"Key", &kTagKey, true}, {"Value", &kTagValue, true}};
constexpr Shape kTag{.kind = Kind::Structure, .name = "Tag", .members = kTagMembers};
constexpr Shape kTags{.kind = Kind::List, .max = 200, .element = &kTag};
constexpr Shape kTagKeys{.kind = Kind::List, .min = 1, .max = 50, .element = &kTagKey};

constexpr Member kWhole[] = {{"Name", &kScheduleName, true},
                             {"GroupName", &kScheduleName},
                             {"ScheduleExpression", &kExpression, true},
                             {"ScheduleExpressionTimezone", &kZone},
                             {"FlexibleTimeWindow", &kWindow, true},
                             {"Target", &kScheduleTarget, true},
                             {"State", &kScheduleState},
                             {"Description", &kScheduleDescription},
                             {"ActionAfterCompletion", &kAction},
                             {"KmsKeyArn", &kAnyText},
                             {"ClientToken", &kToken64}};
constexpr Member kOne[] = {
    {"Name", &kScheduleName, true}, {"GroupName", &kScheduleName}, {"ClientToken", &kToken64}};
constexpr Member kList[] = {{"ScheduleGroup", &kScheduleName}, {"GroupName", &kScheduleName},
                            {"NamePrefix", &kScheduleName},    {"State", &kScheduleState},
                            {"NextToken", &kPageToken2048},    {"MaxResults", &kResults}};
constexpr Member kCreateGroup[] = {
    {"Name", &kScheduleName, true}, {"Tags", &kTags}, {"ClientToken", &kToken64}};
constexpr Member kListGroups[] = {
    {"NamePrefix", &kScheduleName}, {"NextToken", &kPageToken2048}, {"MaxResults", &kResults}};
constexpr Member kTagging[] = {{"ResourceArn", &kScheduleArn, true}, {"Tags", &kTags, true}};
constexpr Member kUntagging[] = {{"ResourceArn", &kScheduleArn, true}, {"TagKeys", &kTagKeys, true}};
constexpr Member kTagsOf[] = {{"ResourceArn", &kScheduleArn, true}};

constexpr BusOperation kSchedulerOperations[] = {
    {"CreateSchedule", kWhole, create_schedule},
    {"CreateScheduleGroup", kCreateGroup, create_group},
    {"DeleteSchedule", kOne, delete_schedule},
    {"DeleteScheduleGroup", kOne, delete_group},
    {"GetSchedule", kOne, get_schedule},
    {"GetScheduleGroup", kOne, get_group},
    {"ListScheduleGroups", kListGroups, list_groups},
    {"ListSchedules", kList, list_schedules},
    {"ListTagsForResource", kTagsOf, list_group_tags},
    {"TagResource", kTagging, tag_group},
    {"UntagResource", kUntagging, untag_group},
    {"UpdateSchedule", kWhole, update_schedule},
};

}  // namespace

std::span<const BusOperation> scheduler_operations() {
  return kSchedulerOperations;
}

}  // namespace millrace::bus
