#include "service/bus/rules.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "service/bus/operations.h"

namespace millrace::bus {
namespace {

RuleTarget compile_target(const Json& record) {
  RuleTarget target;
  target.id = record.value("Id", "");
  target.arn = record.value("Arn", "");
  const Payload document = to_payload(record);
  if (auto input = triggers::TargetInput::read(document.view())) target.input = std::move(*input);
  target.policy = policy_of(record);
  Json parameters = Json::object();
  for (const char* name : {"SqsParameters", "HttpParameters"})
    if (const auto found = record.find(name); found != record.end()) parameters[name] = *found;
  target.parameters = to_payload(parameters);
  return target;
}

std::optional<triggers::Pattern> pattern_in(const Json& record) {
  const std::string text = record.value("EventPattern", "");
  if (text.empty()) return std::nullopt;
  auto compiled = triggers::compile_pattern(text);
  if (compiled) return std::move(*compiled);
  log::error("a pattern of the bus can't be read", {{"pattern", text}, {"why", compiled.error().message}});
  return triggers::Pattern{};  // no event meets it
}

std::string text_at(const Payload& event, std::string_view name) {
  const JsonView found = event.view().is_object() ? event.view().find(name) : JsonView();
  return found && found.is_string() ? found.string() : std::string();
}

}  // namespace

RulePtr compile_rule(const std::string& key, const Json& record) {
  if (record.value("State", "ENABLED") == "DISABLED" || record["Targets"].empty()) return nullptr;
  auto rule = std::make_shared<Rule>();
  const std::size_t end = key.find(kKeySeparator);
  rule->bus = key.substr(0, end);
  rule->name = key.substr(end + 1);
  rule->arn = record.value("Arn", "");
  rule->pattern = pattern_in(record);
  rule->since = record.value("Since", std::int64_t{0});
  rule->enabled = millis_in(record, "Enabled").value_or(Instant{});
  for (const Json& target : record["Targets"]) rule->targets.push_back(compile_target(target));
  return rule;
}

RulePtr compile_archive(const std::string& name, const Json& record) {
  auto rule = std::make_shared<Rule>();
  rule->bus = record.value("Bus", "");
  rule->name = name;
  rule->arn = "archive/" + name;
  rule->pattern = pattern_in(record);
  rule->since = record.value("Since", std::int64_t{0});
  rule->enabled = millis_in(record, "Created").value_or(Instant{});
  rule->archive = true;
  if (!rule->pattern) rule->pattern = *triggers::compile_pattern(R"({"id": [{"exists": true}]})");
  RuleTarget target;
  target.id = name;
  target.arn = "archive:" + name;
  rule->targets.push_back(std::move(target));
  return rule;
}

bool may_want(const Rule& rule, std::string_view source, std::string_view detail_type) {
  if (!rule.pattern) return false;
  JsonWriter out;
  out.begin_object().key("source").string(source).key("type").string(detail_type).end_object();
  const Payload names = out.finish();
  const auto fits = [&](const triggers::PatternLeaf& leaf) {
    if (leaf.path != "source" && leaf.path != "detail-type") return true;
    const JsonView value = names.view().find(leaf.path == "source" ? "source" : "type");
    return std::any_of(leaf.any_of.begin(), leaf.any_of.end(),
                       [&](const triggers::Condition& c) { return triggers::meets(c, value); });
  };
  return std::any_of(
      rule.pattern->alternatives.begin(), rule.pattern->alternatives.end(),
      [&](const triggers::Conjunction& all) { return std::all_of(all.begin(), all.end(), fits); });
}

Delivery delivery_of(const Rule& rule, const RuleTarget& target, const Payload& event,
                     const std::string& event_id, Instant since) {
  Delivery delivery;
  delivery.key = event_id + "/" + rule.arn + "/" + target.id;
  delivery.origin = rule.arn;
  delivery.target = target.arn;
  delivery.event = std::string(event.text());
  delivery.input = target.input.text_for(event, {rule.arn, rule.name, since});
  delivery.parameters = target.parameters;
  delivery.policy = target.policy;
  delivery.since = since;
  delivery.name = execution_name(rule.name, delivery.key);
  return delivery;
}

std::vector<Delivery> deliveries_of(const RuleSet& rules, const EventFacts& event,
                                    std::vector<std::uint32_t>& scratch) {
  std::vector<Delivery> made;
  const auto bus = rules.buses.find(event.bus);
  if (bus == rules.buses.end() || !event.document.view().is_object()) return made;
  const std::string replay_name = text_at(event.document, "replay-name");
  const auto replay = replay_name.empty() ? rules.replays.end() : rules.replays.find(replay_name);
  bus->second.index.match(event.document.view(), scratch);
  std::string id = text_at(event.document, "id");
  if (!replay_name.empty()) id += "/" + replay_name;
  for (const std::uint32_t position : scratch) {
    const Rule& rule = *bus->second.rules[position];
    if (event.number <= rule.since) continue;
    if (!replay_name.empty() && rule.archive) continue;  // it is in the archive already
    if (replay != rules.replays.end() && !replay->second.rules.empty() &&
        !replay->second.rules.contains(rule.arn))
      continue;
    for (const RuleTarget& target : rule.targets)
      made.push_back(delivery_of(rule, target, event.document, id, event.accepted));
  }
  return made;
}

}  // namespace millrace::bus
