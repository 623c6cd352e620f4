#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "service/streams/operations.h"
#include "service/streams/plan.h"

namespace millrace::streams {
namespace {

using api::Member;
using api::Shape;
using bus::BusAnswer;
using bus::OperationCall;
using Kind = Shape::Kind;

constexpr std::size_t kMappingsMax = 10'000;
constexpr std::string_view kPositions[] = {"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"};
constexpr std::string_view kResponseTypes[] = {"ReportBatchItemFailures"};

constexpr Shape kFunctionName{.min = 1, .max = 256}, kSourceArn{.min = 1, .max = 1600},
    kBatchSize{.kind = Kind::Integer, .min = 1, .max = 10'000}, kSwitch{.kind = Kind::Boolean},
    kWindow{.kind = Kind::Integer, .min = 0, .max = 300},
    kParallel{.kind = Kind::Integer, .min = 1, .max = 10},
    kRetries{.kind = Kind::Integer, .min = -1, .max = 10'000},
    kRecordAge{.kind = Kind::Integer, .min = -1, .max = 604'800}, kPosition{.values = kPositions},
    kTime{.kind = Kind::Number}, kParts{.kind = Kind::Structure, .name = "Structure"},
    kResponseType{.values = kResponseTypes},
    kResponses{.kind = Kind::List, .max = 1, .element = &kResponseType}, kId{.min = 1, .max = 64},
    kPageMark{.min = 1, .max = 2048}, kPageSize{.kind = Kind::Integer, .min = 1, .max = 10'000};

constexpr Member kCreateMapping[] = {{"FunctionName", &kFunctionName, true},
                                     {"EventSourceArn", &kSourceArn, true},
                                     {"BatchSize", &kBatchSize},
                                     {"BisectBatchOnFunctionError", &kSwitch},
                                     {"DestinationConfig", &kParts},
                                     {"Enabled", &kSwitch},
                                     {"FilterCriteria", &kParts},
                                     {"FunctionResponseTypes", &kResponses},
                                     {"MaximumBatchingWindowInSeconds", &kWindow},
                                     {"MaximumRecordAgeInSeconds", &kRecordAge},
                                     {"MaximumRetryAttempts", &kRetries},
                                     {"ParallelizationFactor", &kParallel},
                                     {"StartingPosition", &kPosition},
                                     {"StartingPositionTimestamp", &kTime}};
constexpr Member kUpdateMapping[] = {{"UUID", &kId, true},
                                     {"FunctionName", &kFunctionName},
                                     {"BatchSize", &kBatchSize},
                                     {"BisectBatchOnFunctionError", &kSwitch},
                                     {"DestinationConfig", &kParts},
                                     {"Enabled", &kSwitch},
                                     {"FilterCriteria", &kParts},
                                     {"FunctionResponseTypes", &kResponses},
                                     {"MaximumBatchingWindowInSeconds", &kWindow},
                                     {"MaximumRecordAgeInSeconds", &kRecordAge},
                                     {"MaximumRetryAttempts", &kRetries},
                                     {"ParallelizationFactor", &kParallel}};
constexpr Member kOneMapping[] = {{"UUID", &kId, true}};
constexpr Member kListMappings[] = {{"EventSourceArn", &kSourceArn},
                                    {"FunctionName", &kFunctionName},
                                    {"Marker", &kPageMark},
                                    {"MaxItems", &kPageSize}};

tl::unexpected<api::ApiError> wrong_mapping(std::string message) {
  return api::refuse("InvalidParameterValueException", std::move(message));
}
tl::unexpected<api::ApiError> no_mapping() {
  return api::refuse("ResourceNotFoundException", "The resource you requested does not exist.", 404);
}

// Names of functions come in several forms; kept is the ARN.
std::string function_arn(const OperationCall& call, const std::string& name) {
  if (name.starts_with("arn:")) return name;
  const std::size_t at = name.rfind("function:");
  return call.place.arn("lambda", "function:" + (at == std::string::npos ? name : name.substr(at + 9)));
}

Json shown_mapping(const OperationCall& call, const Json& record) {
  Json shown = record;
  const bool stream = service_of_arn(record.value("EventSourceArn", "")) == "kinesis";
  shown.erase("Enabled"), shown.erase("Created");
  shown["State"] = record.value("Enabled", true) ? "Enabled" : "Disabled";
  shown["StateTransitionReason"] = "USER_INITIATED";
  shown["LastModified"] = static_cast<double>(record.value("LastModified", std::int64_t{0})) / 1000;
  shown["EventSourceMappingArn"] =
      call.place.arn("lambda", "event-source-mapping:" + record.value("UUID", ""));
  const std::pair<const char*, Json> defaults[] = {{"BatchSize", stream ? 100 : 10},
                                                   {"MaximumBatchingWindowInSeconds", 0}};
  for (const auto& [name, value] : defaults)
    if (!shown.contains(name)) shown[name] = value;
  const std::pair<const char*, Json> of_streams[] = {{"ParallelizationFactor", 1},
                                                     {"MaximumRetryAttempts", -1},
                                                     {"MaximumRecordAgeInSeconds", -1},
                                                     {"BisectBatchOnFunctionError", false}};
  for (const auto& [name, value] : of_streams)
    if (stream && !shown.contains(name)) shown[name] = value;
  return shown;
}

void copy_settings(Json& record, JsonView input) {
  bus::copy_members(record, input,
                    {"BatchSize", "BisectBatchOnFunctionError", "DestinationConfig", "Enabled",
                     "FilterCriteria", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds",
                     "MaximumRecordAgeInSeconds", "MaximumRetryAttempts", "ParallelizationFactor"});
}

BusAnswer keep_mapping(OperationCall& call, Json record) {
  const std::string id = record.value("UUID", "");
  const auto plan = compile_plan(kind::kMapping, id, record, call.place);
  if (!plan) return wrong_mapping(plan.error().message);
  record["LastModified"] = to_millis(call.now);
  call.records.put(kind::kMapping, id, record);
  return shown_mapping(call, record);
}

BusAnswer create_mapping(OperationCall& call) {
  Json record = {{"UUID", uuid_v4(call.random)},
                 {"EventSourceArn", bus::text(call.input, "EventSourceArn")},
                 {"FunctionArn", function_arn(call, bus::text(call.input, "FunctionName"))},
                 {"Created", to_millis(call.now)}};
  const bool stream = service_of_arn(record["EventSourceArn"].get<std::string>()) == "kinesis";
  if (stream && bus::text(call.input, "StartingPosition").empty())
    return wrong_mapping(
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
        "constraint: Member must not be null.");
  bus::copy_members(record, call.input, {"StartingPosition", "StartingPositionTimestamp"});
  copy_settings(record, call.input);
  for (const auto& [key, text] : call.records.all(kind::kMapping)) {
    const Json other = Json::parse(text, nullptr, false);
    if (other["EventSourceArn"] == record["EventSourceArn"] && other["FunctionArn"] == record["FunctionArn"])
      return api::refuse("ResourceConflictException",
                         "The event source arn (\" " + record["EventSourceArn"].get<std::string>() +
                             " \") and function (\" " + record["FunctionArn"].get<std::string>() +
                             " \") provided mapping already exists. Please update or delete the existing "
                             "mapping with UUID " +
                             key,
                         409);
  }
  if (call.records.all(kind::kMapping).size() >= kMappingsMax)
    return wrong_mapping("there are too many event source mappings");
  return keep_mapping(call, std::move(record));
}

BusAnswer update_mapping(OperationCall& call) {
  Json record = call.records.find(kind::kMapping, bus::text(call.input, "UUID"));
  if (!record.is_object()) return no_mapping();
  copy_settings(record, call.input);
  if (const std::string name = bus::text(call.input, "FunctionName"); !name.empty())
    record["FunctionArn"] = function_arn(call, name);
  return keep_mapping(call, std::move(record));
}

BusAnswer get_mapping(OperationCall& call) {
  const Json record = call.records.find(kind::kMapping, bus::text(call.input, "UUID"));
  if (!record.is_object()) return no_mapping();
  return shown_mapping(call, record);
}

BusAnswer delete_mapping(OperationCall& call) {
  const std::string id = bus::text(call.input, "UUID");
  const Json record = call.records.find(kind::kMapping, id);
  if (!record.is_object()) return no_mapping();
  call.records.erase(kind::kMapping, id);
  erase_places(call.records, "mapping/" + id);
  Json shown = shown_mapping(call, record);
  shown["State"] = "Deleting";
  return shown;
}

BusAnswer list_mappings(OperationCall& call) {
  const std::string source = bus::text(call.input, "EventSourceArn"),
                    name = bus::text(call.input, "FunctionName");
  const std::string function = name.empty() ? "" : function_arn(call, name);
  const std::string after = bus::text(call.input, "Marker");
  const auto most =
      static_cast<std::size_t>(std::min<std::int64_t>(api::whole_of(call.input, "MaxItems", 100), 100));
  Json answer, list = Json::array();
  for (const auto& [key, text] : call.records.all(kind::kMapping)) {
    const Json record = Json::parse(text, nullptr, false);
    if (key <= after || (!source.empty() && record["EventSourceArn"] != source) ||
        (!function.empty() && record["FunctionArn"] != function))
      continue;
    if (list.size() == most) {
      answer["NextMarker"] = list.back()["UUID"];
      break;
    }
    list.push_back(shown_mapping(call, record));
  }
  answer["EventSourceMappings"] = std::move(list);
  return answer;
}

constexpr bus::BusOperation kMappingOperations[] = {
    {"CreateEventSourceMapping", kCreateMapping, create_mapping},
    {"DeleteEventSourceMapping", kOneMapping, delete_mapping},
    {"GetEventSourceMapping", kOneMapping, get_mapping},
    {"ListEventSourceMappings", kListMappings, list_mappings},
    {"UpdateEventSourceMapping", kUpdateMapping, update_mapping},
};

}  // namespace

std::span<const bus::BusOperation> mapping_operations() {
  return kMappingOperations;
}

void erase_places(bus::Records& records, const std::string& plan_key) {
  const std::string prefix = bus::joined_key(plan_key, "");
  std::vector<std::string> keys;
  const auto& all = records.all(kind::kPlace);
  for (auto it = all.lower_bound(prefix); it != all.end() && it->first.starts_with(prefix); ++it)
    keys.push_back(it->first);
  for (const std::string& key : keys) records.erase(kind::kPlace, key);
}

}  // namespace millrace::streams
