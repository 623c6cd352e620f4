#include "service/api/sagemaker_runtime.h"

#include "base/encoding.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

using tasks::InvokeFailure;
using tasks::InvokeRequest;
using tasks::InvokeResult;

constexpr std::string_view kEndpoints = "/endpoints/", kInvocations = "/invocations";
constexpr std::size_t kInvokeBytesMax = 6u << 20;  // of rows, as AWS

// The endpoint of /endpoints/NAME/invocations; empty: it is another path.
std::string_view endpoint_in(std::string_view path) {
  if (!path.starts_with(kEndpoints) || !path.ends_with(kInvocations) ||
      path.size() <= kEndpoints.size() + kInvocations.size())
    return {};
  const std::string_view name =
      path.substr(kEndpoints.size(), path.size() - kEndpoints.size() - kInvocations.size());
  return name.find('/') == std::string_view::npos ? name : std::string_view();
}

// Borrows the request's texts.
InvokeRequest invoke_request(const http::Request& request) {
  InvokeRequest invoke;
  invoke.endpoint = endpoint_in(request.path);
  invoke.content_type = request.header("content-type");
  invoke.accept = request.header("accept");
  invoke.body = request.body;
  invoke.target_variant = request.header("x-amzn-sagemaker-target-variant");
  invoke.inference_id = request.header("x-amzn-sagemaker-inference-id");
  invoke.custom_attributes = request.header("x-amzn-sagemaker-custom-attributes");
  return invoke;
}

struct Place {
  std::string account, endpoint;
};

http::Response model_error(const InvokeFailure& failure, const Place& place, const std::string& id) {
  const std::string message = "Received " + std::string(failure.status < 500 ? "client" : "server") +
                              " error (" + std::to_string(failure.status) + ") from " +
                              (failure.variant.empty() ? "primary" : failure.variant) + " with message \"" +
                              failure.message + "\"";
  http::Response response;
  response.status = 424;
  response.headers = {{"x-amzn-RequestId", id}, {"x-amzn-ErrorType", "ModelError"}};
  JsonWriter out;
  out.begin_object()
      .key("ErrorCode")
      .string(failure.status < 500 ? "CLIENT_ERROR_FROM_MODEL" : "SERVER_ERROR_FROM_MODEL");
  out.key("LogStreamArn")
      .string("arn:aws:logs:us-east-1:" + place.account + ":log-group:/aws/sagemaker/Endpoints/" +
              place.endpoint);
  out.key("Message").string(message).key("OriginalMessage").string(failure.message);
  out.key("OriginalStatusCode").number(std::int64_t{failure.status}).end_object();
  response.body = out.finish().text();
  return response;
}

http::Response invoke_response(const InvokeResult& result, const Place& place, const std::string& attributes,
                               const std::string& inference_id, const std::string& id) {
  if (!result) {
    const InvokeFailure& failure = result.error();
    if (failure.kind == InvokeFailure::Kind::Model) return model_error(failure, place, id);
    const bool busy = failure.kind == InvokeFailure::Kind::Busy;
    return error_response(Protocol::RestJson,
                          {busy ? "ServiceUnavailable" : "ValidationError", failure.message, failure.status},
                          id);
  }
  http::Response response;
  response.content_type = result->content_type;
  response.headers = {{"x-amzn-RequestId", id}, {"x-Amzn-Invoked-Production-Variant", result->variant}};
  if (!attributes.empty()) response.headers.push_back({"X-Amzn-SageMaker-Custom-Attributes", attributes});
  if (!inference_id.empty()) response.headers.push_back({"X-Amzn-SageMaker-Inference-Id", inference_id});
  response.body = result->body;
  return response;
}

}  // namespace

bool SageMakerRuntime::serves(const http::Request& request) {
  return request.method == "POST" && !endpoint_in(request.path).empty();
}

std::vector<auth::Demand> SageMakerRuntime::demands(const http::Request& request) {
  return {{"sagemaker:InvokeEndpoint",
           "arn:aws:sagemaker:us-east-1:123456789012:endpoint/" + std::string(endpoint_in(request.path))}};
}

void SageMakerRuntime::handle(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const std::string id = uuid_v4(random_);
  const InvokeRequest invoke = invoke_request(request);
  const auto refuse = [&](std::string code, std::string message, int status) {
    exchange->respond(error_response(Protocol::RestJson, {std::move(code), std::move(message), status}, id));
  };
  if (invoke.endpoint.empty())
    return refuse("UnknownOperationException", "there is nothing at " + request.method + " " + request.path,
                  404);
  if (invoke.body.size() > kInvokeBytesMax)
    return refuse("ValidationError",
                  "the body has " + std::to_string(invoke.body.size()) +
                      " bytes, at most 6 MiB are allowed; use a transform job for more",
                  413);
  const Place place{account_, std::string(invoke.endpoint)};
  const std::string attributes(invoke.custom_attributes), inference_id(invoke.inference_id);
  if (host_.quick(invoke))
    return exchange->respond(invoke_response(host_.invoke(invoke), place, attributes, inference_id, id));
  // The exchange is the loop's: it goes back there with the answer, and is let go of there.
  auto kept = std::make_shared<http::ExchangePtr>(std::move(exchange));
  host_.invoke_later(
      [host = &host_, kept, received = invoke.received] {
        InvokeRequest later = invoke_request((*kept)->request());
        later.received = received;
        return host->invoke(later);
      },
      [kept, post = post_, place, attributes, inference_id, id](InvokeResult result) {
        post([kept, result = std::move(result), place, attributes, inference_id, id] {
          (*kept)->respond(invoke_response(result, place, attributes, inference_id, id));
          kept->reset();
        });
      });
}

}  // namespace millrace::api
