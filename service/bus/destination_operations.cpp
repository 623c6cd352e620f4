// API destinations: an address, how often it may be asked, and the connection that authorizes.

#include <nlohmann/json.hpp>

#include "service/bus/event_functions.h"
#include "tasks/integrations/http/transfers.h"

namespace millrace::bus {
namespace {

constexpr std::size_t kDestinationsMax = 3000;

Json destination_shown(const std::string& name, const Json& record) {
  Json shown = {{"Name", name}, {"ApiDestinationState", "ACTIVE"}};
  for (const char* member : {"ApiDestinationArn", "Description", "ConnectionArn", "InvocationEndpoint",
                             "HttpMethod", "InvocationRateLimitPerSecond"})
    if (const auto found = record.find(member); found != record.end()) shown[member] = *found;
  if (const auto made = millis_in(record, "Created")) shown["CreationTime"] = seconds_of(*made);
  if (const auto changed = millis_in(record, "Changed")) shown["LastModifiedTime"] = seconds_of(*changed);
  return shown;
}

Json destination_answer(const Json& record) {
  Json answer = {{"ApiDestinationArn", record["ApiDestinationArn"]}, {"ApiDestinationState", "ACTIVE"}};
  if (const auto made = millis_in(record, "Created")) answer["CreationTime"] = seconds_of(*made);
  if (const auto changed = millis_in(record, "Changed")) answer["LastModifiedTime"] = seconds_of(*changed);
  return answer;
}

// '*' in the path is a place for a target's PathParameterValues.
std::optional<api::ApiError> wrong_endpoint(const std::string& endpoint) {
  const auto url = tasks::parse_url(endpoint);
  if (url) return std::nullopt;
  return api::ApiError{"ValidationException",
                       "Parameter InvocationEndpoint is not valid. Reason: " + url.error().message, 400};
}

tl::expected<Json, api::ApiError> destination_record(const OperationCall& call, const std::string& name) {
  Json record = call.records.find(kind::kDestination, name);
  if (!record.is_object()) return not_found("ApiDestination " + name + " does not exist.");
  return record;
}

}  // namespace

BusAnswer create_api_destination(OperationCall& call) {
  const std::string name = text(call.input, "Name");
  if (!good_name(name, 64)) return invalid_request("Parameter Name is not valid.");
  if (call.records.has(kind::kDestination, name))
    return api::refuse("ResourceAlreadyExistsException", "An api-destination '" + name + "' already exists.");
  if (call.records.all(kind::kDestination).size() >= kDestinationsMax)
    return api::refuse("LimitExceededException",
                       "The requested resource exceeds the maximum number allowed.");
  if (auto wrong = wrong_endpoint(text(call.input, "InvocationEndpoint")))
    return tl::unexpected<api::ApiError>(*std::move(wrong));
  Json record = {
      {"ApiDestinationArn", call.place.arn("events", "api-destination/" + name + "/" + uuid_v4(call.random))},
      {"InvocationRateLimitPerSecond", 300},
      {"Created", to_millis(call.now)},
      {"Changed", to_millis(call.now)}};
  copy_members(
      record, call.input,
      {"Description", "ConnectionArn", "InvocationEndpoint", "HttpMethod", "InvocationRateLimitPerSecond"});
  call.records.put(kind::kDestination, name, record);
  return destination_answer(record);
}

BusAnswer update_api_destination(OperationCall& call) {
  const std::string name = text(call.input, "Name");
  auto record = destination_record(call, name);
  if (!record) return tl::unexpected<api::ApiError>(record.error());
  if (const std::string endpoint = text(call.input, "InvocationEndpoint"); !endpoint.empty())
    if (auto wrong = wrong_endpoint(endpoint)) return tl::unexpected<api::ApiError>(*std::move(wrong));
  copy_members(
      *record, call.input,
      {"Description", "ConnectionArn", "InvocationEndpoint", "HttpMethod", "InvocationRateLimitPerSecond"});
  (*record)["Changed"] = to_millis(call.now);
  call.records.put(kind::kDestination, name, *record);
  return destination_answer(*record);
}

BusAnswer describe_api_destination(OperationCall& call) {
  const std::string name = text(call.input, "Name");
  const auto record = destination_record(call, name);
  if (!record) return tl::unexpected<api::ApiError>(record.error());
  return destination_shown(name, *record);
}

BusAnswer list_api_destinations(OperationCall& call) {
  const std::string connection = text(call.input, "ConnectionArn");
  return page_of(call, kind::kDestination, "ApiDestinations", "Limit", text(call.input, "NamePrefix"),
                 [&](const std::string& key, const Json& record) -> std::optional<Json> {
                   if (!connection.empty() && record["ConnectionArn"] != connection) return std::nullopt;
                   return destination_shown(key, record);
                 });
}

BusAnswer delete_api_destination(OperationCall& call) {
  const std::string name = text(call.input, "Name");
  const auto record = destination_record(call, name);
  if (!record) return tl::unexpected<api::ApiError>(record.error());
  call.records.erase(kind::kDestination, name);
  return Json::object();
}

}  // namespace millrace::bus
