// The answers of the APIs that mocks stand for most: states, lambda, s3, events, sqs, sns, dynamodb, kms. An
// API that is not in the table is not checked. Source: the API references of these services; recorded
// messages.

#include <algorithm>
#include <charconv>

#include "states/test_state_request.h"

namespace millrace::states {
namespace {

// service:action -> members, with names as Step Functions writes them. A member ends in "!" when it is always
// there. A value is an object (members; "*" stands for any name), an array of one, or
//   "string 1..256", "blob 1..", "number 128..10240", "boolean", "time", "json", "enum A|B|C"
constexpr std::string_view kShapes = R"json({
"states:startExecution": {"ExecutionArn!": "string 1..256", "StartDate!": "time"},
"states:startSyncExecution": {"ExecutionArn!": "string 1..256", "StateMachineArn": "string 1..256",
  "Name": "string 1..80", "StartDate!": "time", "StopDate!": "time",
  "Status!": "enum SUCCEEDED|FAILED|TIMED_OUT", "Error": "string", "Cause": "string", "Input": "string",
  "Output": "string", "TraceHeader": "string",
  "BillingDetails": {"BilledMemoryUsedInMB": "number 0..", "BilledDurationInMilliseconds": "number 0.."}},
"states:describeExecution": {"ExecutionArn!": "string 1..256", "StateMachineArn!": "string 1..256",
  "Name": "string 1..80", "Status!": "enum RUNNING|SUCCEEDED|FAILED|TIMED_OUT|ABORTED|PENDING_REDRIVE",
  "StartDate!": "time", "StopDate": "time", "Input": "string", "Output": "string", "Error": "string",
  "Cause": "string", "RedriveCount": "number 0..", "RedriveDate": "time", "MapRunArn": "string 1..2000"},
"states:stopExecution": {"StopDate!": "time"},
"lambda:invoke": {"StatusCode": "number", "FunctionError": "string", "LogResult": "string", "Payload": "json",
  "ExecutedVersion": "string 1..1024"},
"lambda:getFunction": {"Configuration": {"FunctionName": "string 1..", "FunctionArn": "string",
  "Runtime": "string", "Role": "string", "Handler": "string", "CodeSize": "number", "Description": "string",
  "Timeout": "number 1..", "MemorySize": "number 128..10240", "LastModified": "string", "CodeSha256": "string",
  "Version": "string 1..1024", "State": "enum Pending|Active|Inactive|Failed",
  "PackageType": "enum Zip|Image"}, "Code": {"RepositoryType": "string", "Location": "string"},
  "Tags": {"*": "string"}},
"s3:getObject": {"Body": "json", "DeleteMarker": "boolean", "AcceptRanges": "string", "Expiration": "string",
  "Restore": "string", "LastModified": "time", "ContentLength": "number", "ETag": "string",
  "MissingMeta": "number", "VersionId": "string", "CacheControl": "string", "ContentDisposition": "string",
  "ContentEncoding": "string", "ContentLanguage": "string", "ContentRange": "string", "ContentType": "string",
  "Expires": "time", "WebsiteRedirectLocation": "string", "Metadata": {"*": "string"},
  "ServerSideEncryption": "enum AES256|aws:fsx|aws:kms|aws:kms:dsse", "BucketKeyEnabled": "boolean",
  "StorageClass": "enum STANDARD|REDUCED_REDUNDANCY|STANDARD_IA|ONEZONE_IA|INTELLIGENT_TIERING|GLACIER|DEEP_ARCHIVE|OUTPOSTS|GLACIER_IR|SNOW|EXPRESS_ONEZONE|FSX_OPENZFS",
  "PartsCount": "number", "TagCount": "number"},
"s3:putObject": {"Expiration": "string", "ETag": "string", "VersionId": "string",
  "ServerSideEncryption": "enum AES256|aws:fsx|aws:kms|aws:kms:dsse", "BucketKeyEnabled": "boolean",
  "Size": "number"},
"s3:listObjectsV2": {"IsTruncated": "boolean", "Name": "string", "Prefix": "string", "Delimiter": "string",
  "MaxKeys": "number", "KeyCount": "number", "ContinuationToken": "string",
  "NextContinuationToken": "string", "StartAfter": "string",
  "Contents": [{"Key": "string 1..", "LastModified": "time", "ETag": "string", "Size": "number",
    "StorageClass": "string"}], "CommonPrefixes": [{"Prefix": "string"}]},
"s3:deleteObject": {"DeleteMarker": "boolean", "VersionId": "string"},
"events:putEvents": {"FailedEntryCount": "number",
  "Entries": [{"EventId": "string", "ErrorCode": "string", "ErrorMessage": "string"}]},
"sqs:sendMessage": {"MD5OfMessageBody": "string", "MD5OfMessageAttributes": "string",
  "MD5OfMessageSystemAttributes": "string", "MessageId": "string", "SequenceNumber": "string"},
"sns:publish": {"MessageId": "string", "SequenceNumber": "string"},
"dynamodb:putItem": {"Attributes": {"*": "json"}, "ConsumedCapacity": {"TableName": "string",
  "CapacityUnits": "number", "ReadCapacityUnits": "number", "WriteCapacityUnits": "number"},
  "ItemCollectionMetrics": {"ItemCollectionKey": {"*": "json"}, "SizeEstimateRangeGB": ["number"]}},
"dynamodb:getItem": {"Item": {"*": "json"}, "ConsumedCapacity": {"TableName": "string",
  "CapacityUnits": "number", "ReadCapacityUnits": "number", "WriteCapacityUnits": "number"}},
"dynamodb:deleteItem": {"Attributes": {"*": "json"}, "ConsumedCapacity": {"CapacityUnits": "number"}},
"dynamodb:updateItem": {"Attributes": {"*": "json"}, "ConsumedCapacity": {"CapacityUnits": "number"}},
"kms:encrypt": {"CiphertextBlob": "blob 1..6144", "KeyId": "string 1..2048",
  "EncryptionAlgorithm": "enum SYMMETRIC_DEFAULT|RSAES_OAEP_SHA_1|RSAES_OAEP_SHA_256|SM2PKE"}
})json";

constexpr std::string_view kSay = "Mock result schema validation error: ";

std::string about(std::string_view field, std::string_view what) {
  std::string text(kSay);
  return text.append("Field '").append(field).append("' ").append(what);
}

// "128..10240", "1..", "": the bounds of a kind.
struct Bounds {
  std::optional<double> low, high;
};
std::optional<double> bound(std::string_view text) {
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}
Bounds bounds(std::string_view text) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return {};
  return {bound(text.substr(0, dots)), bound(text.substr(dots + 2))};
}

bool one_of(std::string_view names, JsonView value) {
  while (!names.empty()) {
    const std::size_t bar = std::min(names.find('|'), names.size());
    if (value.equals(names.substr(0, bar))) return true;
    names.remove_prefix(std::min(bar + 1, names.size()));
  }
  return false;
}

std::string check_plain(std::string_view spec, JsonView value, std::string_view field) {
  const std::size_t blank = std::min(spec.find(' '), spec.size());
  const std::string_view kind = spec.substr(0, blank);
  const std::string_view rest = spec.substr(std::min(blank + 1, spec.size()));
  if (kind == "json") return {};
  if (kind == "boolean") return value.is_boolean() ? "" : about(field, "must be a boolean");
  const Bounds limit = bounds(rest);
  if (kind == "number") {
    if (!value.is_number()) return about(field, "must be a number");
    if (limit.low && value.number() < *limit.low) return about(field, "is less than the minimum value");
    if (limit.high && value.number() > *limit.high) return about(field, "exceeds the maximum value");
    return {};
  }
  if (!value.is_string()) return about(field, "must be a string");
  if (kind == "enum") return one_of(rest, value) ? "" : about(field, "is not an expected value");
  const auto length = static_cast<double>(value.string().size());
  if (limit.low && length < *limit.low) return about(field, "is smaller than the minimum length");
  if (limit.high && length > *limit.high) return about(field, "exceeds the maximum length");
  return {};
}

std::string check(JsonView spec, JsonView value, std::string_view field, bool strict);

std::string check_members(JsonView spec, JsonView value, std::string_view field, bool strict) {
  if (!value.is_object()) return about(field, "must be an object");
  for (const auto [key, kind] : spec.members()) {
    std::string name = key.string();
    const bool required = name.back() == '!';
    if (required) name.pop_back();
    if (name == "*") {
      for (const auto [member, inner] : value.members()) {
        if (std::string wrong = check(kind, inner, field, strict); !wrong.empty()) return wrong;
      }
      continue;
    }
    const JsonView member = value.find(name);
    if (!member) {
      if (required && strict) return std::string(kSay) + "Required field '" + name + "' is missing";
      continue;
    }
    if (std::string wrong = check(kind, member, name, strict); !wrong.empty()) return wrong;
  }
  return {};
}

std::string check(JsonView spec, JsonView value, std::string_view field, bool strict) {
  if (spec.is_string()) return check_plain(spec.string(), value, field);
  if (spec.is_object()) return check_members(spec, value, field, strict);
  if (!value.is_array()) return about(field, "must be an array");
  for (const JsonView element : value.elements()) {
    if (std::string wrong = check(spec.at(0), element, field, strict); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

std::string check_mock_shape(const definitions::Resource& resource, JsonView result, bool strict) {
  static const Payload kTable = Payload::literal(kShapes);
  // What a .sync task or a callback gives is another answer than that of the API it calls.
  if (resource.family != definitions::TaskFamily::Service ||
      resource.pattern != definitions::TaskPattern::RequestResponse)
    return {};
  std::string service = resource.resource_type;
  if (service.starts_with("aws-sdk:")) service.erase(0, 8);
  if (service == "sfn") service = "states";
  const JsonView spec = kTable.view().find(service + ":" + resource.action);
  if (!spec) return {};
  if (!result.is_object()) return "Mock result must be a valid JSON object";
  return check_members(spec, result, "", strict);
}

}  // namespace millrace::states
