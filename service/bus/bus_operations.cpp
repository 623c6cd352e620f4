// Event buses, tags, TestEventPattern.

#include <nlohmann/json.hpp>

#include "service/bus/event_functions.h"
#include "triggers/pattern.h"

namespace millrace::bus {
namespace {

constexpr std::size_t kBusesMax = 100;

Json bus_shown(const OperationCall& call, const std::string& name, const Json& record) {
  Json shown = {{"Name", name}, {"Arn", bus_arn(call.place, name)}};
  if (!record.is_object()) return shown;  // the default one
  for (const char* member : {"Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"})
    if (const auto found = record.find(member); found != record.end()) shown[member] = *found;
  if (const auto made = millis_in(record, "Created")) shown["CreationTime"] = seconds_of(*made);
  if (const auto changed = millis_in(record, "Changed")) shown["LastModifiedTime"] = seconds_of(*changed);
  return shown;
}

bool good_bus_name(std::string_view name) {
  std::string plain(name);
  for (char& c : plain)
    if (c == '/') c = '-';
  return good_name(plain, 256) && name != kDefaultBus;
}

// A rule's or a bus's ARN that is there.
tl::expected<std::string, api::ApiError> tagged_arn(const OperationCall& call) {
  const std::string arn = text(call.input, "ResourceARN");
  const auto missing = [&] { return not_found("Resource " + arn + " does not exist."); };
  if (const std::size_t at = arn.find(":event-bus/"); at != std::string::npos) {
    const std::string name = arn.substr(at + 11);
    if (name != kDefaultBus && !call.records.has(kind::kBus, name)) return missing();
    return arn;
  }
  const std::size_t at = arn.find(":rule/");
  if (at == std::string::npos) return missing();
  const std::string path = arn.substr(at + 6);
  const std::size_t slash = path.rfind('/');
  const std::string bus = slash == std::string::npos ? std::string(kDefaultBus) : path.substr(0, slash);
  const std::string rule = slash == std::string::npos ? path : path.substr(slash + 1);
  if (!call.records.has(kind::kRule, joined_key(bus, rule))) return missing();
  return arn;
}

}  // namespace

std::string bus_arn(const BusPlace& place, std::string_view name) {
  return place.arn("events", "event-bus/" + std::string(name));
}

BusAnswer create_event_bus(OperationCall& call) {
  const std::string name = text(call.input, "Name");
  if (name.find('/') != std::string::npos && api::member(call.input, "EventSourceName"))
    return invalid_request("Event buses of partners are not there.");
  if (!good_bus_name(name))
    return invalid_request(
        "1 validation error detected: Value '" + name +
        "' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "[/\\.\\-_A-Za-z0-9]+");
  if (call.records.has(kind::kBus, name))
    return api::refuse("ResourceAlreadyExistsException", "Event bus " + name + " already exists.");
  if (call.records.all(kind::kBus).size() >= kBusesMax)
    return api::refuse("LimitExceededException",
                       "The requested resource exceeds the maximum number allowed.");
  Json record = {{"Created", to_millis(call.now)}, {"Changed", to_millis(call.now)}};
  copy_members(record, call.input, {"Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"});
  call.records.put(kind::kBus, name, record);
  put_tags(call, bus_arn(call.place, name), api::member(call.input, "Tags"));
  Json answer = {{"EventBusArn", bus_arn(call.place, name)}};
  for (const char* member : {"Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"})
    if (const auto found = record.find(member); found != record.end()) answer[member] = *found;
  return answer;
}

BusAnswer update_event_bus(OperationCall& call) {
  auto name = bus_in(call, "Name");
  if (!name) return tl::unexpected<api::ApiError>(name.error());
  if (*name == kDefaultBus) return invalid_request("The default event bus can't be changed here.");
  Json record = call.records.find(kind::kBus, *name);
  copy_members(record, call.input, {"Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"});
  record["Changed"] = to_millis(call.now);
  call.records.put(kind::kBus, *name, record);
  return bus_shown(call, *name, record);
}

BusAnswer describe_event_bus(OperationCall& call) {
  auto name = bus_in(call, "Name");
  if (!name) return tl::unexpected<api::ApiError>(name.error());
  return bus_shown(call, *name, call.records.find(kind::kBus, *name));
}

BusAnswer list_event_buses(OperationCall& call) {
  const std::string prefix = text(call.input, "NamePrefix");
  auto page =
      page_of(call, kind::kBus, "EventBuses", "Limit", prefix,
              [&](const std::string& key, const Json& record) { return bus_shown(call, key, record); });
  const bool first = text(call.input, "NextToken").empty();
  if (page && first && kDefaultBus.starts_with(prefix)) {
    Json& buses = (*page)["EventBuses"];
    buses.insert(buses.begin(), bus_shown(call, std::string(kDefaultBus), Json()));
  }
  return page;
}

BusAnswer delete_event_bus(OperationCall& call) {
  const std::string name = text(call.input, "Name");
  if (name == kDefaultBus) return invalid_request("Cannot delete event bus default.");
  const std::string prefix = joined_key(name, "");
  const Records::Documents& rules = call.records.all(kind::kRule);
  if (const auto rule = rules.lower_bound(prefix); rule != rules.end() && rule->first.starts_with(prefix))
    return invalid_request("Event bus " + name + " can't be deleted since it has rules.");
  if (!call.records.has(kind::kBus, name)) return Json::object();
  call.records.erase(kind::kBus, name);
  call.records.erase(kind::kTags, bus_arn(call.place, name));
  return Json::object();
}

BusAnswer tag_event_resource(OperationCall& call) {
  const auto arn = tagged_arn(call);
  if (!arn) return tl::unexpected<api::ApiError>(arn.error());
  put_tags(call, *arn, api::member(call.input, "Tags"));
  return Json::object();
}

BusAnswer untag_event_resource(OperationCall& call) {
  const auto arn = tagged_arn(call);
  if (!arn) return tl::unexpected<api::ApiError>(arn.error());
  return remove_tags(call, *arn);
}

BusAnswer list_event_tags(OperationCall& call) {
  const auto arn = tagged_arn(call);
  if (!arn) return tl::unexpected<api::ApiError>(arn.error());
  return list_tags(call, *arn);
}

BusAnswer test_event_pattern(OperationCall& call) {
  const auto pattern = triggers::compile_pattern(text(call.input, "EventPattern"));
  if (!pattern) return api::refuse("InvalidEventPatternException", pattern.error().message);
  const auto event = Payload::parse(text(call.input, "Event"));
  if (!event || !event->view().is_object())
    return invalid_request("Parameter Event is not valid. Reason: it is no JSON object");
  for (const char* name : {"id", "account", "source", "time", "region", "resources", "detail-type"})
    if (!event->view().find(name))
      return invalid_request("Parameter Event is not valid. Reason: Missing field '" + std::string(name) +
                             "'");
  return Json{{"Result", triggers::matches(*pattern, event->view())}};
}

}  // namespace millrace::bus
