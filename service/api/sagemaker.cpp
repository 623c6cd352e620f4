#include "service/api/sagemaker.h"

#include <algorithm>

#include "service/api/library_call.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kSageMakerContentType = "application/x-amz-json-1.1";
constexpr std::int64_t kMillisFrom = 100'000'000'000;  // no time in seconds is as large

// Members whose own members are people's, not ours.
constexpr std::string_view kFreeForm[] = {"Summary", "HyperParameters", "Environment", "Tags",
                                          "CustomerMetadataProperties"};

void copy_in_seconds(JsonWriter& out, JsonView value) {
  if (value.is_array()) {
    out.begin_array();
    for (const JsonView element : value.elements()) copy_in_seconds(out, element);
    out.end_array();
    return;
  }
  if (!value.is_object()) {
    out.value(value);
    return;
  }
  out.begin_object();
  for (const auto& [key, member] : value.members()) {
    const std::string name = key.string();
    const bool time = name.ends_with("Time") || name.ends_with("Timestamp") || name == "TimeStamp";
    const auto millis = time && member.is_number() ? member.integer() : std::nullopt;
    if (millis && *millis >= kMillisFrom) {
      write_time(out, name, from_millis(*millis));
      continue;
    }
    out.key(key);
    const bool free = std::find(std::begin(kFreeForm), std::end(kFreeForm), name) != std::end(kFreeForm);
    free ? void(out.value(member)) : copy_in_seconds(out, member);
  }
  out.end_object();
}

// The library has the names of SDKs' classes, the service those of its model.
ApiError sagemaker_error(ApiError error) {
  constexpr std::string_view kModelled[] = {"ResourceNotFound", "ResourceInUse", "ResourceLimitExceeded"};
  for (const std::string_view name : kModelled)
    if (error.code == std::string(name) + "Exception") error.code = name;
  if (error.code == "AmazonSageMakerException") {
    error.code = "InternalFailure";
    error.status = 500;
  }
  return error;
}

http::Response sagemaker_response(const Answer& answer, const std::string& id) {
  http::Response response;
  response.content_type = kSageMakerContentType;
  response.headers.push_back({"x-amzn-RequestId", id});
  JsonWriter out;
  if (answer) {
    copy_in_seconds(out, answer->view());
  } else {
    const ApiError error = sagemaker_error(answer.error());
    response.status = error.status;
    response.headers.push_back({"x-amzn-ErrorType", error.code});
    // Errors of the model have a Message, those of the front a message; clients look at the one they know.
    const bool modelled = error.code.starts_with("Resource") || error.code == "ConflictException";
    out.begin_object().key("__type").string(error.code);
    out.key(modelled ? "Message" : "message").string(error.message).end_object();
  }
  response.body = out.finish().text();
  return response;
}

const SageMakerOperation* find_sagemaker_operation(std::string_view name) {
  const auto rows = sagemaker_operations();
  const auto found =
      std::lower_bound(rows.begin(), rows.end(), name,
                       [](const SageMakerOperation& row, std::string_view n) { return row.name < n; });
  return found == rows.end() || found->name != name ? nullptr : &*found;
}

tl::expected<Payload, ApiError> read_input(const http::Request& request) {
  const bool empty = request.body.find_first_not_of(" \t\r\n") == std::string::npos;
  auto input = empty ? Result<Payload>(Payload::empty_object()) : Payload::parse(request.body);
  if (!input) return refuse("SerializationException", "the request is no JSON: " + input.error().message);
  if (!input->view().is_object()) return refuse("SerializationException", "the request is no JSON object");
  return *std::move(input);
}

}  // namespace

void SageMakerApi::handle(http::ExchangePtr exchange, const auth::Caller& caller) {
  const std::string id = uuid_v4(random_);
  const auto reply = [exchange, id](const Answer& answer) {
    exchange->respond(sagemaker_response(answer, id));
  };
  std::string_view name = exchange->request().header("x-amz-target");
  name.remove_prefix(std::min(kTarget.size(), name.size()));
  const SageMakerOperation* operation = find_sagemaker_operation(name);
  if (!operation)
    return reply(refuse("UnknownOperationException", "SageMaker has no operation '" + std::string(name) +
                                                         "' here; docs/api.md lists those it has"));
  const auto input = read_input(exchange->request());
  if (!input) return reply(tl::unexpected<ApiError>(input.error()));
  if (const auto wrong = check_input(input->view(), operation->input, PathStyle::LowerFirst))
    return reply(tl::unexpected<ApiError>(*wrong));
  const std::string who =
      caller.name.empty() ? "the SageMaker API" : caller.name + ", over the SageMaker API";
  call_library(library_, "sagemaker", library_operation(name), *input, who, reply);
}

bool SageMakerApi::serves_metrics(const http::Request& request) {
  return (request.method == "PUT" && request.path == "/BatchPutMetrics") ||
         (request.method == "POST" && request.path == "/BatchGetMetrics");
}

std::vector<auth::Demand> SageMakerApi::metrics_demands(const http::Request& request) {
  return {{"sagemaker:" + request.path.substr(1), "*"}};
}

void SageMakerApi::handle_metrics(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  const auto reply = [exchange, id](const Answer& answer) {
    if (!answer)
      return exchange->respond(error_response(Protocol::RestJson, sagemaker_error(answer.error()), id));
    http::Response response;
    response.headers.push_back({"x-amzn-RequestId", id});
    response.body = answer->text();
    exchange->respond(std::move(response));
  };
  if (!serves_metrics(exchange->request()))
    return reply(refuse("UnknownOperationException",
                        "there is nothing at " + exchange->request().method + " " + exchange->request().path,
                        404));
  const auto input = read_input(exchange->request());
  if (!input) return reply(tl::unexpected<ApiError>(input.error()));
  call_library(library_, "sagemakermetrics", library_operation(exchange->request().path.substr(1)), *input,
               "the SageMaker Metrics API", reply);
}

}  // namespace millrace::api
