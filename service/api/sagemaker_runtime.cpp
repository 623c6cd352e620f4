#include "service/api/sagemaker_runtime.h"

#include "base/encoding.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

using tasks::InvokeFailure;
using tasks::InvokeRequest;
using tasks::InvokeResult;

constexpr std::string_view kEndpoints = "/endpoints/", kInvocations = "/invocations", kOutcomes = "/outcomes",
                           kAsync = "/async-invocations";
constexpr std::size_t kInvokeBytesMax = 6u << 20;  // of rows, as AWS

// The endpoint of /endpoints/NAME/invocations, or of another such path; empty: it is something else.
std::string_view endpoint_in(std::string_view path, std::string_view what = kInvocations) {
  if (!path.starts_with(kEndpoints) || !path.ends_with(what) ||
      path.size() <= kEndpoints.size() + what.size())
    return {};
  const std::string_view name = path.substr(kEndpoints.size(), path.size() - kEndpoints.size() - what.size());
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
  invoke.target_model = request.header("x-amzn-sagemaker-target-model");
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
    const bool throttled = failure.kind == InvokeFailure::Kind::Throttled;
    return error_response(Protocol::RestJson,
                          {busy        ? "ServiceUnavailable"
                           : throttled ? "ThrottlingException"
                                       : "ValidationError",
                           failure.message, failure.status},
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

http::Response outcomes_response(const Result<std::string>& body, const std::string& id) {
  if (body) {
    http::Response response;
    response.headers = {{"x-amzn-RequestId", id}};
    response.body = *body;
    return response;
  }
  const ErrorCode code = body.error().code;
  if (code == ErrorCode::Unavailable)
    return error_response(Protocol::RestJson, {"ServiceUnavailable", body.error().message, 503}, id);
  const bool callers = code == ErrorCode::InvalidArgument || code == ErrorCode::LimitExceeded;
  return error_response(
      Protocol::RestJson,
      {callers ? "ValidationError" : "InternalFailure", body.error().message, callers ? 400 : 500}, id);
}

}  // namespace

// Outcomes are written by a thread of the host's, and answered when they are durable.
void SageMakerRuntime::take_outcomes(http::ExchangePtr exchange, const std::string& id) {
  if (exchange->request().body.size() > kInvokeBytesMax)
    return exchange->respond(error_response(
        Protocol::RestJson, {"ValidationError", "at most 6 MiB of outcomes are taken at a time", 413}, id));
  auto kept = std::make_shared<http::ExchangePtr>(std::move(exchange));
  const auto answer = [kept, post = post_, id](Result<std::string> body) {
    post([kept, body = std::move(body), id] {
      (*kept)->respond(outcomes_response(body, id));
      kept->reset();
    });
  };
  const bool taken = host_.do_later([host = &host_, kept, answer] {
    const http::Request& request = (*kept)->request();
    answer(host->take_outcomes(endpoint_in(request.path, kOutcomes), request.body,
                               request.header("content-type")));
  });
  if (!taken)
    answer(fail(ErrorCode::Unavailable, "too many requests of endpoints are waiting; try again later"));
}

// Accepted when it is durable: 202.
void SageMakerRuntime::accept_async(http::ExchangePtr exchange, const std::string& id) {
  auto kept = std::make_shared<http::ExchangePtr>(std::move(exchange));
  const auto answer = [kept, post = post_, id](Result<tasks::AsyncInvocations::Accepted> accepted) {
    post([kept, accepted = std::move(accepted), id] {
      http::Response response;
      if (accepted) {
        response.status = 202;
        response.headers = {{"x-amzn-RequestId", id},
                            {"X-Amzn-SageMaker-OutputLocation", accepted->output},
                            {"X-Amzn-SageMaker-FailureLocation", accepted->failure}};
        JsonWriter body;
        body.begin_object().key("InferenceId").string(accepted->inference_id).end_object();
        response.body = body.finish().text();
      } else {
        response = outcomes_response(fail(accepted.error()), id);
      }
      (*kept)->respond(std::move(response));
      kept->reset();
    });
  };
  const bool taken = host_.do_later([async = &async_, kept, answer] {
    const http::Request& request = (*kept)->request();
    const auto header = [&](std::string_view name) { return std::string(request.header(name)); };
    answer(async->accept({std::string(endpoint_in(request.path, kAsync)),
                          header("x-amzn-sagemaker-inputlocation"), header("x-amzn-sagemaker-content-type"),
                          header("x-amzn-sagemaker-accept"), header("x-amzn-sagemaker-custom-attributes"),
                          header("x-amzn-sagemaker-inference-id")}));
  });
  if (!taken)
    answer(fail(ErrorCode::Unavailable, "too many requests of endpoints are waiting; try again later"));
}

bool SageMakerRuntime::serves(const http::Request& request) {
  return request.method == "POST" &&
         !(endpoint_in(request.path).empty() && endpoint_in(request.path, kOutcomes).empty() &&
           endpoint_in(request.path, kAsync).empty());
}

std::vector<auth::Demand> SageMakerRuntime::demands(const http::Request& request) {
  if (const std::string_view endpoint = endpoint_in(request.path, kOutcomes); !endpoint.empty())
    return {{"sagemaker:PutOutcomes",
             "arn:aws:sagemaker:us-east-1:123456789012:endpoint/" + std::string(endpoint)}};
  if (const std::string_view endpoint = endpoint_in(request.path, kAsync); !endpoint.empty())
    return {{"sagemaker:InvokeEndpointAsync",
             "arn:aws:sagemaker:us-east-1:123456789012:endpoint/" + std::string(endpoint)}};
  return {{"sagemaker:InvokeEndpoint",
           "arn:aws:sagemaker:us-east-1:123456789012:endpoint/" + std::string(endpoint_in(request.path))}};
}

void SageMakerRuntime::handle(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const std::string id = uuid_v4(random_);
  if (!endpoint_in(request.path, kOutcomes).empty()) return take_outcomes(std::move(exchange), id);
  if (!endpoint_in(request.path, kAsync).empty()) return accept_async(std::move(exchange), id);
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
      place.endpoint,
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
