#include "service/api/feature_store.h"

#include <algorithm>

#include "base/encoding.h"
#include "service/api/protocol.h"
#include "service/api/shapes.h"

namespace millrace::api {
namespace {

using FieldKind = Shape::Kind;

constexpr std::string_view kFeatureGroupRoot = "/FeatureGroup/", kBatchPath = "/BatchGetRecord";

constexpr std::string_view kStoreNames[] = {"OnlineStore", "OfflineStore"};
constexpr std::string_view kDeletionModes[] = {"SoftDelete", "HardDelete"};
constexpr std::string_view kSwitchStates[] = {"Enabled", "Disabled"};
constexpr std::string_view kTtlUnits[] = {"Seconds", "Minutes", "Hours", "Days", "Weeks"};

constexpr Shape kFeatureGroupOrArn{FieldKind::String, 1, 150};
constexpr Shape kValueShape{FieldKind::String, -1, 358'400};
constexpr Shape kFeatureValues{FieldKind::List, 0, 358'400, {}, nullptr, {}, {}, {}, &kValueShape};
constexpr Shape kFeatureNameText{FieldKind::String, 1, 64};
constexpr Shape kFeatureNameList{FieldKind::List, 1, -1, {}, nullptr, {}, {}, {}, &kFeatureNameText};
constexpr Shape kStoreShape{FieldKind::String, -1, -1, {}, nullptr, kStoreNames};
constexpr Shape kTargetStores{FieldKind::List, 1, 2, {}, nullptr, {}, {}, {}, &kStoreShape};
constexpr Shape kDeletionShape{FieldKind::String, -1, -1, {}, nullptr, kDeletionModes};
constexpr Shape kExpirationShape{FieldKind::String, -1, -1, {}, nullptr, kSwitchStates};
constexpr Shape kTtlUnit{FieldKind::String, -1, -1, {}, nullptr, kTtlUnits};
constexpr Shape kTtlCount{FieldKind::Integer, 1, -1};
constexpr Member kTtlMembers[] = {{"Unit", &kTtlUnit, true}, {"Value", &kTtlCount, true}};
constexpr Shape kTtlShape{FieldKind::Structure, -1, -1, {}, nullptr, {}, "TtlDuration", kTtlMembers};
constexpr Member kFeatureValueMembers[] = {{"FeatureName", &kFeatureNameText, true},
                                           {"ValueAsString", &kValueShape},
                                           {"ValueAsStringList", &kFeatureValues}};
constexpr Shape kFeatureValueShape{FieldKind::Structure, -1, -1, {}, nullptr, {}, "FeatureValue",
                                   kFeatureValueMembers};
constexpr Shape kRecordShape{FieldKind::List, 1, -1, {}, nullptr, {}, {}, {}, &kFeatureValueShape};
constexpr Shape kRecordsShape{FieldKind::List, 1, 1000, {}, nullptr, {}, {}, {}, &kRecordShape};
constexpr Shape kIdentifierList{FieldKind::List, 1, 100, {}, nullptr, {}, {}, {}, &kValueShape};
constexpr Member kIdentifierMembers[] = {{"FeatureGroupName", &kFeatureGroupOrArn, true},
                                         {"RecordIdentifiersValueAsString", &kIdentifierList, true},
                                         {"FeatureNames", &kFeatureNameList}};
constexpr Shape kBatchIdentifier{FieldKind::Structure, -1, -1, {}, nullptr, {}, "BatchGetRecordIdentifier",
                                 kIdentifierMembers};
constexpr Shape kBatchIdentifiers{FieldKind::List, 1, 100, {}, nullptr, {}, {}, {}, &kBatchIdentifier};

constexpr Member kPutRecordInput[] = {{"FeatureGroupName", &kFeatureGroupOrArn, true},
                                      {"Record", &kRecordShape, true},
                                      {"TargetStores", &kTargetStores},
                                      {"TtlDuration", &kTtlShape}};
constexpr Member kPutRecordsInput[] = {{"FeatureGroupName", &kFeatureGroupOrArn, true},
                                       {"Records", &kRecordsShape, true},
                                       {"TargetStores", &kTargetStores}};
constexpr Member kGetRecordInput[] = {{"FeatureGroupName", &kFeatureGroupOrArn, true},
                                      {"RecordIdentifierValueAsString", &kValueShape, true},
                                      {"FeatureNames", &kFeatureNameList},
                                      {"ExpirationTimeResponse", &kExpirationShape}};
constexpr Member kDeleteRecordInput[] = {{"FeatureGroupName", &kFeatureGroupOrArn, true},
                                         {"RecordIdentifierValueAsString", &kValueShape, true},
                                         {"EventTime", &kValueShape, true},
                                         {"TargetStores", &kTargetStores},
                                         {"DeletionMode", &kDeletionShape}};
constexpr Member kBatchGetRecordInput[] = {{"Identifiers", &kBatchIdentifiers, true},
                                           {"ExpirationTimeResponse", &kExpirationShape}};

struct FeatureRoute {
  std::string_view operation;
  std::string_view method;  // of its REST form; empty: it has none
  std::span<const Member> input;
};
constexpr FeatureRoute kFeatureRoutes[] = {{"BatchGetRecord", "POST", kBatchGetRecordInput},
                                           {"DeleteRecord", "DELETE", kDeleteRecordInput},
                                           {"GetRecord", "GET", kGetRecordInput},
                                           {"PutRecord", "PUT", kPutRecordInput},
                                           {"PutRecords", "", kPutRecordsInput}};

// The name in the path; the ARN of a group holds a '/', which clients may leave as it is.
std::string group_in_path(const http::Request& request) {
  return percent_decode(std::string_view(request.path).substr(kFeatureGroupRoot.size()));
}

const FeatureRoute* feature_route(const http::Request& request) {
  const std::string_view target = request.header("x-amz-target");
  const bool rest = target.empty();
  for (const FeatureRoute& route : kFeatureRoutes) {
    if (!rest) {
      if (target.substr(std::min(target.size(), FeatureStoreApi::kTarget.size())) == route.operation)
        return &route;
      continue;
    }
    const bool batch = route.operation == "BatchGetRecord";
    const bool path =
        batch ? request.path == kBatchPath
              : request.path.starts_with(kFeatureGroupRoot) && request.path.size() > kFeatureGroupRoot.size();
    if (path && request.method == route.method) return &route;
  }
  return nullptr;
}

// Members of the input that stand in the query, in the order that they are written.
struct QueryMember {
  std::string_view parameter, member;
  bool list = false;
};
constexpr QueryMember kQueryMembers[] = {{"RecordIdentifierValueAsString", "RecordIdentifierValueAsString"},
                                         {"FeatureName", "FeatureNames", true},
                                         {"ExpirationTimeResponse", "ExpirationTimeResponse"},
                                         {"EventTime", "EventTime"},
                                         {"TargetStores", "TargetStores", true},
                                         {"DeletionMode", "DeletionMode"}};

// Every value of a parameter; "+" is a blank in some clients' queries, and never sent for a plus.
std::vector<std::string> feature_parameters(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    std::string value(pair.substr(equals + 1));
    std::replace(value.begin(), value.end(), '+', ' ');
    values.push_back(percent_decode(value));
  }
  return values;
}

void write_query(JsonWriter& out, std::string_view query) {
  for (const QueryMember& member : kQueryMembers) {
    const std::vector<std::string> values = feature_parameters(query, member.parameter);
    if (values.empty()) continue;
    out.key(member.member);
    if (!member.list) {
      out.string(values.front());
      continue;
    }
    out.begin_array();
    for (const std::string& value : values) out.string(value);
    out.end_array();
  }
}

tl::expected<Payload, ApiError> feature_input(const http::Request& request) {
  const bool empty = request.body.find_first_not_of(" \t\r\n") == std::string::npos;
  auto body = empty ? Result<Payload>(Payload::empty_object()) : Payload::parse(request.body);
  if (!body || !body->view().is_object())
    return refuse("SerializationException",
                  body ? "the request is no JSON object" : "the request is no JSON: " + body.error().message);
  if (!request.header("x-amz-target").empty() || request.path == kBatchPath) return *std::move(body);
  JsonWriter out;
  out.begin_object().key("FeatureGroupName").string(group_in_path(request));
  write_query(out, request.query);
  for (const auto [key, value] : body->view().members())
    if (!key.equals("FeatureGroupName")) out.key(key).value(value);
  return out.end_object().finish();
}

// The runtime's model calls its errors otherwise than the services that speak AWS JSON.
ApiError runtime_error(ApiError error) {
  if (error.code == "ValidationException") error.code = "ValidationError";
  if (error.code == "InternalServerError") error.code = "InternalFailure";
  return error;
}

}  // namespace

bool FeatureStoreApi::serves(const http::Request& request) {
  return request.path == kBatchPath || request.path.starts_with(kFeatureGroupRoot);
}

std::vector<auth::Demand> FeatureStoreApi::demands(const http::Request& request) const {
  const FeatureRoute* route = feature_route(request);
  if (!route) return {{"sagemaker:*", "*"}};
  const std::string action =
      "sagemaker:" + std::string(route->operation == "PutRecords" ? "PutRecord" : route->operation);
  const auto arn = [&](std::string name) {
    return name.starts_with("arn:") ? name
                                    : "arn:aws:sagemaker:us-east-1:" + account_ + ":feature-group/" + name;
  };
  const auto input = feature_input(request);
  if (!input) return {{action, "*"}};
  std::vector<auth::Demand> demands;
  if (const JsonView name = member(input->view(), "FeatureGroupName"); name && name.is_string())
    demands.push_back({action, arn(name.string())});
  if (const JsonView list = member(input->view(), "Identifiers"); list && list.is_array())
    for (const JsonView one : list.elements())
      if (one.is_object()) demands.push_back({action, arn(text_of(one, "FeatureGroupName"))});
  if (demands.empty()) demands.push_back({action, "*"});
  return demands;
}

void FeatureStoreApi::handle(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  const http::Request& request = exchange->request();
  const bool rest = request.header("x-amz-target").empty();
  const Protocol protocol = rest ? Protocol::RestJson : Protocol::AwsJson10;
  const auto refused = [&](const ApiError& error) {
    exchange->respond(error_response(protocol, runtime_error(error), id));
  };
  const FeatureRoute* route = feature_route(request);
  if (!route)
    return refused({"UnknownOperationException",
                    "the Feature Store Runtime has nothing at " + request.method + " " + request.path, 404});
  auto input = feature_input(request);
  if (!input) return refused(input.error());
  if (const auto wrong = check_input(input->view(), route->input, PathStyle::LowerFirst))
    return refused(*wrong);
  const auto store = features_.store();
  if (!store) return refused({"InternalFailure", store.error().message, 500});
  const bool silent = rest && (route->operation == "PutRecord" || route->operation == "DeleteRecord");
  const auto respond = [id, protocol, silent](http::Exchange& to, const tasks::ServiceAnswer& answer) {
    if (!answer) {
      const tasks::ServiceError& error = answer.error();
      return to.respond(
          error_response(protocol, runtime_error({error.code, error.message, error.status}), id));
    }
    http::Response response;
    if (protocol == Protocol::AwsJson10) response.content_type = "application/x-amz-json-1.0";
    response.headers.push_back({"x-amzn-RequestId", id});
    if (!silent) response.body = answer->text();
    to.respond(std::move(response));
  };
  tasks::ServiceCall call{std::string(route->operation), *std::move(input)};
  if (route->operation == "GetRecord" || route->operation == "BatchGetRecord")
    return (*store)->call(std::move(call),
                          [&](const tasks::ServiceAnswer& answer) { respond(*exchange, answer); });
  (*store)->call(std::move(call), [exchange, post = post_, respond](tasks::ServiceAnswer answer) mutable {
    // The exchange is the loop's: it goes there, and is let go of there.
    post([exchange = std::move(exchange), respond, answer = std::move(answer)] {
      respond(*exchange, answer);
    });
  });
}

}  // namespace millrace::api
