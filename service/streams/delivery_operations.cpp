#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/streams/operations.h"
#include "service/streams/plan.h"

namespace millrace::streams {
namespace {

using api::Member;
using api::Shape;
using bus::BusAnswer;
using bus::OperationCall;
using Kind = Shape::Kind;

constexpr std::size_t kDeliveriesMax = 5'000;
constexpr std::string_view kDeliveryTypes[] = {"DirectPut", "KinesisStreamAsSource"};
constexpr std::string_view kDestinationId = "destinationId-000000000001";

bool is_delivery_name(std::string_view name) {
  return bus::good_name(name, 64);
}

constexpr Shape kDeliveryName{.min = 1, .max = 64, .pattern = "[a-zA-Z0-9_.-]+", .matches = is_delivery_name};
constexpr Shape kDeliveryType{.values = kDeliveryTypes},
    kDeliveryParts{.kind = Kind::Structure, .name = "Structure"}, kDeliveryText{.min = 1, .max = 512},
    kDeliveryLimit{.kind = Kind::Integer, .min = 1, .max = 10'000};
constexpr Member kCreateDelivery[] = {{"DeliveryStreamName", &kDeliveryName, true},
                                      {"DeliveryStreamType", &kDeliveryType},
                                      {"KinesisStreamSourceConfiguration", &kDeliveryParts},
                                      {"ExtendedS3DestinationConfiguration", &kDeliveryParts},
                                      {"S3DestinationConfiguration", &kDeliveryParts}};
constexpr Member kOneDelivery[] = {{"DeliveryStreamName", &kDeliveryName, true}};
constexpr Member kListDeliveries[] = {{"Limit", &kDeliveryLimit},
                                      {"DeliveryStreamType", &kDeliveryType},
                                      {"ExclusiveStartDeliveryStreamName", &kDeliveryName}};
constexpr Member kUpdateDelivery[] = {{"DeliveryStreamName", &kDeliveryName, true},
                                      {"CurrentDeliveryStreamVersionId", &kDeliveryText, true},
                                      {"DestinationId", &kDeliveryText, true},
                                      {"ExtendedS3DestinationUpdate", &kDeliveryParts},
                                      {"S3DestinationUpdate", &kDeliveryParts}};

tl::unexpected<api::ApiError> wrong_delivery(std::string message) {
  return api::refuse("InvalidArgumentException", std::move(message));
}

tl::expected<Json, api::ApiError> delivery_in(const OperationCall& call) {
  const std::string name = bus::text(call.input, "DeliveryStreamName");
  Json record = call.records.find(kind::kDelivery, name);
  if (record.is_object()) return record;
  return api::refuse("ResourceNotFoundException",
                     "Firehose " + name + " under account " + call.place.account + " not found.");
}

std::optional<std::string> refuse_destination(const Json& to) {
  if (!to.is_object()) return "a destination is missing: ExtendedS3DestinationConfiguration";
  if (service_of_arn(to.value("BucketARN", "")) != "s3") return "BucketARN must be arn:aws:s3:::BUCKET";
  const Json hints = to.value("BufferingHints", Json::object());
  const Json megabytes = hints.value("SizeInMBs", Json(5)),
             seconds = hints.value("IntervalInSeconds", Json(300));
  if (!megabytes.is_number_integer() || megabytes < 1 || megabytes > 128) return "SizeInMBs must be 1 to 128";
  if (!seconds.is_number_integer() || seconds < 0 || seconds > 900)
    return "IntervalInSeconds must be 0 to 900";
  const std::string compression = to.value("CompressionFormat", "UNCOMPRESSED");
  if (compression != "UNCOMPRESSED" && compression != "GZIP")
    return "CompressionFormat " + compression + " is not served here: UNCOMPRESSED, GZIP";
  for (const char* other : {"DataFormatConversionConfiguration", "DynamicPartitioningConfiguration"})
    if (to.contains(other) && to[other].value("Enabled", true))
      return std::string(other) + " is not served here";
  for (const Json& processor :
       to.value("ProcessingConfiguration", Json::object()).value("Processors", Json::array()))
    if (processor.value("Type", "") != "AppendDelimiterToRecord")
      return "the processor " + processor.value("Type", "") + " is not served here: AppendDelimiterToRecord";
  return std::nullopt;
}

BusAnswer keep_delivery(OperationCall& call, const Json& record) {
  if (const auto wrong = refuse_destination(record.value("Destination", Json())))
    return wrong_delivery(*wrong);
  const std::string name = record.value("Name", "");
  const auto plan = compile_plan(kind::kDelivery, name, record, call.place);
  if (!plan) return wrong_delivery(plan.error().message);
  call.records.put(kind::kDelivery, name, record);
  return Json{{"DeliveryStreamARN", plan->arn}};
}

BusAnswer create_delivery(OperationCall& call) {
  const std::string name = bus::text(call.input, "DeliveryStreamName");
  if (call.records.has(kind::kDelivery, name))
    return api::refuse("ResourceInUseException",
                       "Firehose " + name + " under accountId " + call.place.account + " already exists");
  if (call.records.all(kind::kDelivery).size() >= kDeliveriesMax)
    return api::refuse("LimitExceededException", "there are too many delivery streams");
  Json record = {{"Name", name}, {"Created", to_millis(call.now)}, {"Version", 1}};
  if (bus::text(call.input, "DeliveryStreamType") == "KinesisStreamAsSource") {
    const JsonView source = api::member(call.input, "KinesisStreamSourceConfiguration");
    if (!source || service_of_arn(bus::text(source, "KinesisStreamARN")) != "kinesis")
      return wrong_delivery("KinesisStreamSourceConfiguration must name a stream by KinesisStreamARN");
    record["KinesisStreamARN"] = bus::text(source, "KinesisStreamARN");
  }
  for (const char* form : {"S3DestinationConfiguration", "ExtendedS3DestinationConfiguration"})
    if (const JsonView to = api::member(call.input, form)) record["Destination"] = bus::plain_json(to);
  return keep_delivery(call, record);
}

BusAnswer update_delivery(OperationCall& call) {
  MR_TRY(record, delivery_in(call));
  if (bus::text(call.input, "CurrentDeliveryStreamVersionId") != std::to_string(record.value("Version", 1)))
    return api::refuse("ConcurrentModificationException", "the delivery stream was changed: its version is " +
                                                              std::to_string(record.value("Version", 1)));
  for (const char* form : {"S3DestinationUpdate", "ExtendedS3DestinationUpdate"})
    if (const JsonView to = api::member(call.input, form)) record["Destination"].update(bus::plain_json(to));
  record["Version"] = record.value("Version", 1) + 1;
  record["Updated"] = to_millis(call.now);
  MR_TRY(kept, keep_delivery(call, record));
  (void)kept;
  return Json::object();
}

BusAnswer describe_delivery(OperationCall& call) {
  MR_TRY(record, delivery_in(call));
  const std::string stream = record.value("KinesisStreamARN", "");
  Json to = record.value("Destination", Json::object());
  const std::pair<const char*, Json> defaults[] = {
      {"RoleARN", "arn:aws:iam::" + call.place.account + ":role/millrace"},
      {"Prefix", ""},
      {"CompressionFormat", "UNCOMPRESSED"},
      {"BufferingHints", {{"SizeInMBs", 5}, {"IntervalInSeconds", 300}}},
      {"EncryptionConfiguration", {{"NoEncryptionConfig", "NoEncryption"}}}};
  for (const auto& [name, value] : defaults)
    if (!to.contains(name)) to[name] = value;
  const double created = static_cast<double>(record.value("Created", std::int64_t{0})) / 1000;
  Json shown = {
      {"DeliveryStreamName", record["Name"]},
      {"DeliveryStreamARN", call.place.arn("firehose", "deliverystream/" + record.value("Name", ""))},
      {"DeliveryStreamStatus", "ACTIVE"},
      {"DeliveryStreamType", stream.empty() ? "DirectPut" : "KinesisStreamAsSource"},
      {"VersionId", std::to_string(record.value("Version", 1))},
      {"CreateTimestamp", created}};
  if (record.contains("Updated"))
    shown["LastUpdateTimestamp"] = static_cast<double>(record["Updated"].get<std::int64_t>()) / 1000;
  if (!stream.empty())
    shown["Source"] = {{"KinesisStreamSourceDescription",
                        {{"KinesisStreamARN", stream}, {"DeliveryStartTimestamp", created}}}};
  Json plain = Json::object();
  for (const auto& [key, value] : to.items())
    if (key != "ProcessingConfiguration" && key != "FileExtension") plain[key] = value;
  shown["Destinations"] = Json::array({{{"DestinationId", kDestinationId},
                                        {"S3DestinationDescription", plain},
                                        {"ExtendedS3DestinationDescription", to}}});
  shown["HasMoreDestinations"] = false;
  return Json{{"DeliveryStreamDescription", std::move(shown)}};
}

BusAnswer list_deliveries(OperationCall& call) {
  const std::string after = bus::text(call.input, "ExclusiveStartDeliveryStreamName");
  const std::string type = bus::text(call.input, "DeliveryStreamType");
  const auto most = static_cast<std::size_t>(api::whole_of(call.input, "Limit", 10));
  Json names = Json::array();
  bool more = false;
  for (const auto& [name, text] : call.records.all(kind::kDelivery)) {
    if (!after.empty() && name <= after) continue;
    const bool direct = Json::parse(text, nullptr, false).value("KinesisStreamARN", "").empty();
    if (!type.empty() && (type == "DirectPut") != direct) continue;
    if (more = names.size() == most; more) break;
    names.push_back(name);
  }
  return Json{{"DeliveryStreamNames", std::move(names)}, {"HasMoreDeliveryStreams", more}};
}

BusAnswer delete_delivery(OperationCall& call) {
  MR_TRY(record, delivery_in(call));
  const std::string name = record.value("Name", "");
  call.records.erase(kind::kDelivery, name);
  erase_places(call.records, "firehose/" + name);
  return Json::object();
}

constexpr bus::BusOperation kDeliveryOperations[] = {
    {"CreateDeliveryStream", kCreateDelivery, create_delivery},
    {"DeleteDeliveryStream", kOneDelivery, delete_delivery},
    {"DescribeDeliveryStream", kOneDelivery, describe_delivery},
    {"ListDeliveryStreams", kListDeliveries, list_deliveries},
    {"UpdateDestination", kUpdateDelivery, update_delivery},
};

}  // namespace

std::span<const bus::BusOperation> delivery_operations() {
  return kDeliveryOperations;
}

}  // namespace millrace::streams
