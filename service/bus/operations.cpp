#include "service/bus/operations.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/api/pagination.h"

namespace millrace::bus {

const BusOperation* find_operation(std::span<const BusOperation> table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const BusOperation& o) { return o.name == name; });
  return found == table.end() ? nullptr : &*found;
}

tl::unexpected<api::ApiError> not_found(std::string message) {
  return api::refuse("ResourceNotFoundException", std::move(message));
}

std::string text(JsonView input, std::string_view name) {
  return api::text_of(input, name);
}

Json plain_json(JsonView view) {
  if (!view.is_object() && !view.is_array()) return to_json(view);
  Json made = view.is_object() ? Json::object() : Json::array();
  if (view.is_array())
    for (const JsonView element : view.elements()) made.push_back(plain_json(element));
  else
    for (const auto [key, value] : view.members())
      if (!value.is_null()) made[key.string()] = plain_json(value);
  return made;
}

void copy_members(Json& into, JsonView input, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const JsonView found = api::member(input, name)) into[std::string(name)] = plain_json(found);
}

double seconds_of(Instant time) {
  return static_cast<double>(to_millis(time)) / 1000;
}

std::optional<Instant> time_in(JsonView input, std::string_view name) {
  const JsonView found = api::member(input, name);
  if (!found) return std::nullopt;
  if (found.is_string()) return parse_rfc3339(found.string());
  if (!found.is_number() || !(found.number() >= 0 && found.number() < 1e11)) return std::nullopt;
  return from_millis(static_cast<std::int64_t>(found.number() * 1000));
}

std::optional<Instant> millis_in(const Json& record, std::string_view name) {
  const auto found = record.find(std::string(name));
  if (found == record.end() || !found->is_number()) return std::nullopt;
  return from_millis(found->get<std::int64_t>());
}

bool good_name(std::string_view name, std::size_t max) {
  return !name.empty() && name.size() <= max && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == '_';
  });
}

tl::expected<std::string, api::ApiError> bus_in(const OperationCall& call, std::string_view member) {
  std::string name = text(call.input, member);
  if (name.empty()) return std::string(kDefaultBus);
  if (const std::size_t at = name.find(":event-bus/"); name.starts_with("arn:") && at != std::string::npos)
    name = name.substr(at + 11);
  if (name != kDefaultBus && !call.records.has(kind::kBus, name))
    return not_found("Event bus " + name + " does not exist.");
  return name;
}

BusAnswer page_of(const OperationCall& call, std::string_view kind, std::string_view list,
                  std::string_view limit_member, const std::string& key_prefix, const ShowRecord& show) {
  const std::string scope = std::string(list) + "/" + key_prefix;
  JsonWriter wrapped;
  wrapped.begin_object().key("nextToken").string(text(call.input, "NextToken")).end_object();
  const Payload token = wrapped.finish();
  auto position = text(call.input, "NextToken").empty() ? tl::expected<std::string, api::ApiError>("")
                                                        : api::page_position(token.view(), scope);
  if (!position) return invalid_request("Parameter NextToken is not valid.");
  const auto limit = static_cast<std::size_t>(
      std::clamp<std::int64_t>(api::whole_of(call.input, limit_member, 100), 1, 100));
  const Records::Documents& documents = call.records.all(kind);
  auto it = position->empty() ? documents.lower_bound(key_prefix) : documents.upper_bound(*position);
  Json answer, entries = Json::array();
  std::string last;
  for (; it != documents.end() && it->first.starts_with(key_prefix); ++it) {
    auto entry = show(it->first, Json::parse(it->second, nullptr, false));
    if (!entry) continue;
    if (entries.size() == limit) {
      answer["NextToken"] = api::page_token(scope, last);
      break;
    }
    entries.push_back(std::move(*entry));
    last = it->first;
  }
  answer[std::string(list)] = std::move(entries);
  return answer;
}

void put_tags(OperationCall& call, const std::string& arn, JsonView tags) {
  if (!tags || tags.size() == 0) return;
  Json record = call.records.find(kind::kTags, arn);
  if (!record.is_object()) record = Json::object();
  for (const JsonView tag : tags.elements()) record[text(tag, "Key")] = text(tag, "Value");
  call.records.put(kind::kTags, arn, record);
}

BusAnswer list_tags(OperationCall& call, const std::string& arn) {
  Json tags = Json::array();
  const Json record = call.records.find(kind::kTags, arn);
  if (record.is_object())
    for (const auto& [key, value] : record.items()) tags.push_back({{"Key", key}, {"Value", value}});
  return Json{{"Tags", std::move(tags)}};
}

BusAnswer remove_tags(OperationCall& call, const std::string& arn) {
  Json record = call.records.find(kind::kTags, arn);
  const JsonView keys = api::member(call.input, "TagKeys");
  if (!record.is_object() || !keys) return Json::object();
  for (const JsonView key : keys.elements()) record.erase(key.string());
  if (record.empty())
    call.records.erase(kind::kTags, arn);
  else
    call.records.put(kind::kTags, arn, record);
  return Json::object();
}

std::optional<std::string> refuse_target_arn(std::string_view arn) {
  // arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {{"states", "stateMachine:"},
                                                                      {"lambda", "function:"},
                                                                      {"sns", ""},
                                                                      {"sqs", ""},
                                                                      {"logs", "log-group:"},
                                                                      {"events", "event-bus/"},
                                                                      {"events", "api-destination/"}};
  std::vector<std::string_view> parts;
  std::string_view rest = arn;
  for (int i = 0; i < 5 && rest.find(':') != std::string_view::npos; ++i) {
    parts.push_back(rest.substr(0, rest.find(':')));
    rest.remove_prefix(rest.find(':') + 1);
  }
  if (parts.size() != 5 || parts[0] != "arn" || rest.empty()) return "Provided Arn is not in correct format.";
  for (const auto& [service, resource] : kKinds)
    if (parts[2] == service && rest.starts_with(resource) && rest.size() > resource.size())
      return std::nullopt;
  return "nothing here takes events for " + std::string(arn) +
         ": state machines, functions, topics, queues, log groups, event buses and API destinations do";
}

}  // namespace millrace::bus
