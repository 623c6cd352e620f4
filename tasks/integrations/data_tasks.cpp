#include "tasks/integrations/data_tasks.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/encoding.h"
#include "tasks/features/feature_service.h"
#include "tasks/integrations/data_services.h"
#include "tasks/request_ids.h"

namespace millrace::tasks {
namespace {

// How a service is named in errors, and which of its errors are classes of the SDK.
struct DataNames {
  std::string_view optimized, optimized_service;  // DynamoDB.… and (Service: AmazonDynamoDBv2; …)
  std::string_view optimized_base;                // the class of what has none of its own
  std::string_view sdk;                           // DynamoDb.… and (Service: DynamoDb, …)
  std::string_view content_type;
  std::span<const std::string_view> modelled;
};

constexpr std::string_view kDynamoErrors[] = {
    "ConditionalCheckFailedException",
    "IdempotentParameterMismatchException",
    "ItemCollectionSizeLimitExceededException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceededException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "TransactionCanceledException",
    "TransactionConflictException",
    "TransactionInProgressException",
};
constexpr std::string_view kSqsErrors[] = {
    "BatchEntryIdsNotDistinct",
    "BatchRequestTooLong",
    "EmptyBatchRequest",
    "InvalidAttributeName",
    "InvalidAttributeValue",
    "InvalidBatchEntryId",
    "InvalidMessageContents",
    "MessageNotInflight",
    "OverLimit",
    "QueueDoesNotExist",
    "QueueNameExists",
    "ReceiptHandleIsInvalid",
    "RequestThrottled",
    "TooManyEntriesInBatchRequest",
    "UnsupportedOperation",
};
constexpr std::string_view kCloudWatchErrors[] = {
    "InternalServiceFault",
    "InvalidFormatFault",
    "InvalidNextToken",
    "InvalidParameterCombinationException",
    "InvalidParameterValueException",
    "LimitExceededFault",
    "MissingRequiredParameterException",
    "ResourceNotFound",
    "ResourceNotFoundException",
};
constexpr DataNames kCloudWatchNames{"CloudWatch", "AmazonCloudWatch",           "AmazonCloudWatchException",
                                     "CloudWatch", "application/x-amz-json-1.0", kCloudWatchErrors};
constexpr std::string_view kFeatureErrors[] = {"AccessForbidden", "InternalFailure", "ResourceNotFound",
                                               "ServiceUnavailable", "ValidationError"};
constexpr DataNames kFeatureNames{"SageMakerFeatureStoreRuntime",
                                  "AmazonSageMakerFeatureStoreRuntime",
                                  "AmazonSageMakerFeatureStoreRuntimeException",
                                  "SageMakerFeatureStoreRuntime",
                                  "application/json",
                                  kFeatureErrors};
constexpr std::string_view kKinesisErrors[] = {
    "AccessDeniedException",    "ExpiredIteratorException",  "ExpiredNextTokenException",
    "InvalidArgumentException", "LimitExceededException",    "ProvisionedThroughputExceededException",
    "ResourceInUseException",   "ResourceNotFoundException", "ValidationException",
};
constexpr DataNames kKinesisNames{
    "Kinesis",     "AmazonKinesis", "AmazonKinesisException", "Kinesis", "application/x-amz-json-1.1",
    kKinesisErrors};
constexpr DataNames kDynamoNames{"DynamoDB", "AmazonDynamoDBv2",           "AmazonDynamoDBException",
                                 "DynamoDb", "application/x-amz-json-1.0", kDynamoErrors};
constexpr DataNames kSqsNames{
    "SQS", "AmazonSQS", "AmazonSQSException", "Sqs", "application/x-amz-json-1.0", kSqsErrors};

std::string error_class(const DataNames& names, const std::string& code, bool optimized) {
  const bool modelled = std::find(names.modelled.begin(), names.modelled.end(), code) != names.modelled.end();
  if (modelled) return code.ends_with("Exception") ? code : code + "Exception";
  if (optimized) return std::string(names.optimized_base);
  return std::string(names.sdk) + "Exception";
}

Outcome failure_of(const DataNames& names, const ServiceError& error, bool optimized, const std::string& id) {
  const std::string status = std::to_string(error.status);
  const std::string name = error_class(names, error.code, optimized);
  if (!optimized)
    return failed(std::string(names.sdk) + "." + name,
                  error.message + " (Service: " + std::string(names.sdk) + ", Status Code: " + status +
                      ", Request ID: " + id + ")");
  return failed(std::string(names.optimized) + "." + name,
                error.message + " (Service: " + std::string(names.optimized_service) + "; Status Code: " +
                    status + "; Error Code: " + error.code + "; Request ID: " + id + "; Proxy: null)");
}

// What the HTTP answer would have carried.
void write_metadata(JsonWriter& out, const DataNames& names, std::size_t bytes, const std::string& id,
                    Instant now) {
  const std::pair<const char*, std::string> headers[] = {
      {"Server", "Server"},
      {"Connection", "keep-alive"},
      {"x-amzn-RequestId", id},
      {"Content-Length", std::to_string(bytes)},
      {"Date", format_http_date(now)},
      {"Content-Type", std::string(names.content_type)},
  };
  out.key("SdkHttpMetadata").begin_object().key("AllHttpHeaders").begin_object();
  for (const auto& [name, value] : headers) out.key(name).begin_array().string(value).end_array();
  out.end_object().key("HttpHeaders").begin_object();
  for (const auto& [name, value] : headers) out.key(name).string(value);
  out.end_object().key("HttpStatusCode").number(std::int64_t{200}).end_object();
  out.key("SdkResponseMetadata").begin_object().key("RequestId").string(id).end_object();
}

// Of tables and queues CreationDateTime; CloudWatch's all end so.
bool is_sdk_time(std::string_view name) {
  return name == "CreationDateTime" || name.ends_with("Timestamp") || name == "Timestamps";
}

// Whose elements have members to be written so.
bool is_sdk_list(std::string_view name) {
  constexpr std::string_view kLists[] = {"AlarmHistoryItems", "CompositeAlarms", "Datapoints",
                                         "Messages",          "MetricAlarms",    "MetricDataResults",
                                         "Successful",        "Timestamps"};
  return std::find(std::begin(kLists), std::end(kLists), name) != std::end(kLists);
}

// The SDK's answer as Step Functions writes it: times as text, digests with a small d.
void write_sdk(JsonWriter& out, JsonView value, std::string_view name) {
  if (is_sdk_time(name) && value.is_number()) {
    out.string(format_rfc3339(from_millis(static_cast<std::int64_t>(value.number() * 1000.0))));
  } else if (value.is_array() && is_sdk_list(name)) {
    out.begin_array();
    for (const JsonView one : value.elements()) write_sdk(out, one, name == "Timestamps" ? name : "");
    out.end_array();
  } else if (value.is_object() && (name.empty() || name == "Table" || name == "TableDescription")) {
    out.begin_object();
    for (const auto [key, one] : value.members()) {
      const std::string member = key.string();
      out.key(member.starts_with("MD5") ? "Md5" + member.substr(3) : member);
      write_sdk(out, one, member);
    }
    out.end_object();
  } else {
    out.value(value);
  }
}

Outcome answer_of(const DataNames& names, const ServiceAnswer& answer, bool optimized, const std::string& id,
                  Instant now) {
  if (!answer) return failure_of(names, answer.error(), optimized, id);
  JsonWriter out;
  if (!optimized) {
    write_sdk(out, answer->view(), "");
    return out.finish();
  }
  out.begin_object();
  for (const auto [key, value] : answer->view().members()) out.key(key).value(value);
  write_metadata(out, names, answer->size(), id, now);
  out.end_object();
  return out.finish();
}

// "getItem" is GetItem.
std::string operation_name(const TaskKind& kind) {
  std::string name(kind.operation);
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

// A task may give JSON for a message's body: its text is sent.
Payload with_text_body(const Payload& input) {
  const JsonView body = input.view().find("MessageBody");
  if (!body || body.is_string() || body.is_null()) return input;
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : input.view().members()) {
    out.key(key);
    if (key.equals("MessageBody"))
      out.string(value.text());
    else
      out.value(value);
  }
  out.end_object();
  return out.finish();
}

// A task gives a record's data as text, or as JSON, whose text is put.
Payload with_data_bytes(JsonView value) {
  JsonWriter out;
  const auto write = [&out](const auto& self, JsonView one, bool data) -> void {
    if (data && !one.is_null()) {
      out.string(base64_encode(one.is_string() ? one.string() : std::string(one.text())));
    } else if (one.is_object()) {
      out.begin_object();
      for (const auto [key, member] : one.members()) {
        out.key(key);
        self(self, member, key.equals("Data"));
      }
      out.end_object();
    } else if (one.is_array()) {
      out.begin_array();
      for (const JsonView element : one.elements()) self(self, element, false);
      out.end_array();
    } else {
      out.value(one);
    }
  };
  write(write, value, false);
  return out.finish();
}

Payload as_it_is(const Payload& input) {
  return input;
}

template <class Service>
void begin(DeferredCall call, const DataNames& names, Result<Service*> service,
           Payload (*prepare)(const Payload&) = as_it_is) {
  const std::string id = call.ids.next();
  if (!call.arguments.view().is_object())
    return call.answer(failure_of(
        names, ServiceError("ValidationException", "the arguments must be an object"), call.optimized, id));
  if (!service) return call.answer(failure_of(names, ServiceError(service.error()), call.optimized, id));
  ServiceCall asked{operation_name(call.kind), prepare(call.arguments), call.key};
  asked.gone = call.cancelled;
  (*service)->call(std::move(asked), [&names, id, optimized = call.optimized, &clock = call.services.clock(),
                                      answer = std::move(call.answer)](const ServiceAnswer& given) {
    answer(answer_of(names, given, optimized, id, clock.now()));
  });
}

}  // namespace

void begin_dynamodb(DeferredCall call) {
  auto tables = call.services.tables();
  begin(std::move(call), kDynamoNames, std::move(tables));
}

void begin_sqs(DeferredCall call) {
  auto queues = call.services.queues();
  begin(std::move(call), kSqsNames, std::move(queues), with_text_body);
}

void begin_kinesis(DeferredCall call) {
  auto streams = call.services.streams();
  begin(
      std::move(call), kKinesisNames, std::move(streams),
      +[](const Payload& input) { return with_data_bytes(input.view()); });
}

void begin_cloudwatch(DeferredCall call) {
  auto metrics = call.services.metrics();
  begin(std::move(call), kCloudWatchNames, std::move(metrics));
}

void begin_feature_store(DeferredCall call) {
  auto store = call.features
                   ? call.features->store()
                   : Result<FeatureStore*>(fail(ErrorCode::Unavailable, "there is no feature store"));
  begin(std::move(call), kFeatureNames, std::move(store));
}

}  // namespace millrace::tasks
