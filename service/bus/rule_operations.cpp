// Rules and their targets. A rule's record holds its targets: both change together.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/bus/event_functions.h"
#include "service/bus/schedule_settings.h"
#include "triggers/pattern.h"
#include "triggers/schedule_expression.h"
#include "triggers/target_input.h"

namespace millrace::bus {
namespace {

constexpr std::size_t kRulesMax = 10'000;  // of one bus; AWS: 300
constexpr std::size_t kTargetsMax = 100;   // of one rule; AWS: 5

struct RuleKey {
  std::string bus, name, key;
};

// The rule a request names. ResourceNotFoundException for its bus.
tl::expected<RuleKey, api::ApiError> rule_key(const OperationCall& call, std::string_view member) {
  auto bus = bus_in(call, "EventBusName");
  if (!bus) return tl::unexpected<api::ApiError>(bus.error());
  const std::string name = text(call.input, member);
  return RuleKey{*bus, name, joined_key(*bus, name)};
}

tl::unexpected<api::ApiError> no_rule(const RuleKey& rule) {
  return not_found("Rule " + rule.name + " does not exist on EventBus " + rule.bus + ".");
}

tl::expected<std::pair<RuleKey, Json>, api::ApiError> there(const OperationCall& call,
                                                            std::string_view member) {
  auto rule = rule_key(call, member);
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  Json record = call.records.find(kind::kRule, rule->key);
  if (!record.is_object()) return no_rule(*rule);
  return std::pair(*rule, std::move(record));
}

std::optional<api::ApiError> check_schedule(const RuleKey& rule, const std::string& expression,
                                            const std::string& description) {
  if (rule.bus != kDefaultBus)
    return api::ApiError{"ValidationException",
                         "ScheduleExpression is supported only on the default event bus.", 400};
  const auto parsed = triggers::ScheduleExpression::parse(expression);
  if (!parsed || parsed->kind() == triggers::ScheduleExpression::Kind::At)
    return api::ApiError{
        "ValidationException",
        "Parameter ScheduleExpression is not valid." + (parsed ? "" : " Reason: " + parsed.error().message),
        400};
  if (const auto settings = read_schedule_settings(description); !settings)
    return api::ApiError{"ValidationException", settings.error().message, 400};
  return std::nullopt;
}

std::optional<std::string> refuse_target(JsonView target) {
  if (auto why = refuse_target_arn(text(target, "Arn"))) return why;
  if (const auto input = triggers::TargetInput::read(target); !input) return input.error().message;
  return std::nullopt;
}

Json set_state(OperationCall& call, const RuleKey& rule, Json record, const char* state) {
  record["State"] = state;
  record["Since"] = call.last_event;
  record["Enabled"] = to_millis(call.now);
  call.records.put(kind::kRule, rule.key, record);
  return Json::object();
}

Json rule_shown(const std::string& key, const Json& record) {
  const std::size_t end = key.find(kKeySeparator);
  Json shown = {{"Name", key.substr(end + 1)}, {"Arn", record["Arn"]}};
  for (const char* member : {"EventPattern", "State", "Description", "ScheduleExpression", "RoleArn"})
    if (const auto found = record.find(member); found != record.end()) shown[member] = *found;
  shown["EventBusName"] = key.substr(0, end);
  return shown;
}

}  // namespace

std::string rule_arn(const BusPlace& place, std::string_view bus, std::string_view rule) {
  return place.arn("events", bus == kDefaultBus ? "rule/" + std::string(rule)
                                                : "rule/" + std::string(bus) + "/" + std::string(rule));
}

BusAnswer put_rule(OperationCall& call) {
  auto rule = rule_key(call, "Name");
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  const std::string pattern = text(call.input, "EventPattern"),
                    schedule = text(call.input, "ScheduleExpression");
  if (pattern.empty() && schedule.empty())
    return invalid_request("Parameter(s) EventPattern or ScheduleExpression must be specified.");
  if (!pattern.empty())
    if (const auto compiled = triggers::compile_pattern(pattern); !compiled)
      return api::refuse("InvalidEventPatternException", compiled.error().message);
  if (!schedule.empty())
    if (auto wrong = check_schedule(*rule, schedule, text(call.input, "Description")))
      return tl::unexpected<api::ApiError>(*std::move(wrong));
  const Json before = call.records.find(kind::kRule, rule->key);
  if (!before.is_object() && call.records.all(kind::kRule).size() >= kRulesMax)
    return api::refuse("LimitExceededException",
                       "The requested resource exceeds the maximum number allowed.");
  Json record = {{"Arn", rule_arn(call.place, rule->bus, rule->name)}, {"State", "ENABLED"}};
  copy_members(record, call.input, {"EventPattern", "ScheduleExpression", "State", "Description", "RoleArn"});
  record["Created"] = before.is_object() ? before["Created"] : Json(to_millis(call.now));
  record["Targets"] = before.is_object() ? before["Targets"] : Json::array();
  // What was put on the bus before is not its business; a change that leaves pattern and state alone changes
  // nothing.
  const auto same = [&](const char* member) { return before.value(member, "") == record.value(member, ""); };
  const bool goes_on =
      before.is_object() && same("EventPattern") && same("State") && same("ScheduleExpression");
  record["Since"] = goes_on ? before["Since"] : Json(call.last_event);
  record["Enabled"] = goes_on ? before["Enabled"] : Json(to_millis(call.now));
  call.records.put(kind::kRule, rule->key, record);
  if (!before.is_object()) put_tags(call, record["Arn"].get<std::string>(), api::member(call.input, "Tags"));
  return Json{{"RuleArn", record["Arn"]}};
}

BusAnswer describe_rule(OperationCall& call) {
  const auto rule = there(call, "Name");
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  Json shown = rule_shown(rule->first.key, rule->second);
  shown["CreatedBy"] = call.place.account;
  return shown;
}

BusAnswer list_rules(OperationCall& call) {
  const auto bus = bus_in(call, "EventBusName");
  if (!bus) return tl::unexpected<api::ApiError>(bus.error());
  return page_of(call, kind::kRule, "Rules", "Limit", joined_key(*bus, text(call.input, "NamePrefix")),
                 rule_shown);
}

BusAnswer enable_rule(OperationCall& call) {
  auto rule = there(call, "Name");
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  return set_state(call, rule->first, std::move(rule->second), "ENABLED");
}

BusAnswer disable_rule(OperationCall& call) {
  auto rule = there(call, "Name");
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  return set_state(call, rule->first, std::move(rule->second), "DISABLED");
}

BusAnswer delete_rule(OperationCall& call) {
  const auto rule = rule_key(call, "Name");
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  const Json record = call.records.find(kind::kRule, rule->key);
  if (!record.is_object()) return Json::object();
  if (!record["Targets"].empty()) return invalid_request("Rule can't be deleted since it has targets.");
  call.records.erase(kind::kRule, rule->key);
  call.records.erase(kind::kTags, record["Arn"].get<std::string>());
  call.records.erase(kind::kFired, "rule/" + rule->key);
  return Json::object();
}

BusAnswer put_targets(OperationCall& call) {
  auto rule = there(call, "Rule");
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  Json& targets = rule->second["Targets"];
  for (const JsonView target : api::member(call.input, "Targets").elements()) {
    const std::string id = text(target, "Id");
    if (auto why = refuse_target(target))
      return invalid_request("Parameter " + text(target, "Arn") + " is not valid. Reason: " + *why);
    const auto old =
        std::find_if(targets.begin(), targets.end(), [&](const Json& t) { return t["Id"] == id; });
    if (old != targets.end())
      *old = plain_json(target);
    else
      targets.push_back(plain_json(target));
  }
  if (targets.size() > kTargetsMax)
    return api::refuse("LimitExceededException",
                       "The requested resource exceeds the maximum number allowed.");
  call.records.put(kind::kRule, rule->first.key, rule->second);
  return Json{{"FailedEntryCount", 0}, {"FailedEntries", Json::array()}};
}

BusAnswer remove_targets(OperationCall& call) {
  auto rule = there(call, "Rule");
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  Json kept = Json::array(), failures = Json::array();
  std::vector<std::string> ids;
  for (const JsonView id : api::member(call.input, "Ids").elements()) ids.push_back(id.string());
  for (const Json& target : rule->second["Targets"])
    if (std::find(ids.begin(), ids.end(), target["Id"].get<std::string>()) == ids.end())
      kept.push_back(target);
  rule->second["Targets"] = std::move(kept);
  call.records.put(kind::kRule, rule->first.key, rule->second);
  return Json{{"FailedEntryCount", 0}, {"FailedEntries", std::move(failures)}};
}

BusAnswer list_targets_by_rule(OperationCall& call) {
  const auto rule = there(call, "Rule");
  if (!rule) return tl::unexpected<api::ApiError>(rule.error());
  return Json{{"Targets", rule->second["Targets"]}};
}

BusAnswer list_rule_names_by_target(OperationCall& call) {
  const auto bus = bus_in(call, "EventBusName");
  if (!bus) return tl::unexpected<api::ApiError>(bus.error());
  const std::string arn = text(call.input, "TargetArn");
  return page_of(call, kind::kRule, "RuleNames", "Limit", joined_key(*bus, ""),
                 [&](const std::string& key, const Json& record) -> std::optional<Json> {
                   for (const Json& target : record["Targets"])
                     if (target["Arn"] == arn) return Json(key.substr(key.find(kKeySeparator) + 1));
                   return std::nullopt;
                 });
}

}  // namespace millrace::bus
