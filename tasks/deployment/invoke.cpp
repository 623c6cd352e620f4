#include "tasks/deployment/invoke.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/deployment/endpoint_host.h"

namespace millrace::tasks {
namespace {

Result<InvokeAnswer> invoke_by(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(endpoint, arguments.text("EndpointName"));
  MR_TRY(content_type, arguments.text_or("ContentType", ""));
  MR_TRY(accept, arguments.text_or("Accept", ""));
  MR_TRY(target, arguments.text_or("TargetVariant", ""));
  // A Body that a definition writes as JSON, without turning it into text first, is meant as that JSON.
  const Json body = call.arguments.value("Body", Json());
  if (body.is_null()) return invalid("Body is required");
  const std::string text = body.is_string() ? body.get<std::string>() : std::string(to_payload(body).text());
  if (content_type.empty() && !body.is_string()) content_type = "application/json";
  MR_TRY(inference_id, arguments.text_or("InferenceId", ""));
  MR_TRY(target_model, arguments.text_or("TargetModel", ""));
  if (!call.endpoints) return fail(ErrorCode::Internal, "there is no host of endpoints here");
  return invoke_endpoint(*call.endpoints, endpoint, content_type, text, accept, target, inference_id,
                         target_model);
}

}  // namespace

Result<InvokeAnswer> invoke_endpoint(EndpointHost& host, std::string_view endpoint,
                                     std::string_view content_type, std::string_view body,
                                     std::string_view accept, std::string_view target_variant,
                                     std::string_view inference_id, std::string_view target_model) {
  InvokeResult answer =
      host.invoke({endpoint, content_type, accept, body, target_variant, inference_id, {}, target_model});
  if (answer) return *std::move(answer);
  const InvokeFailure& failure = answer.error();
  switch (failure.kind) {
    case InvokeFailure::Kind::NoEndpoint:
      return fail(ErrorCode::NotFound, failure.message);
    case InvokeFailure::Kind::NoVariant:
    case InvokeFailure::Kind::NoModel:
      return invalid(failure.message);
    case InvokeFailure::Kind::Busy:
    case InvokeFailure::Kind::Throttled:
      return fail(ErrorCode::Unavailable, failure.message);
    case InvokeFailure::Kind::Model:
      break;
  }
  return fail(failure.status < 500 ? ErrorCode::InvalidArgument : ErrorCode::DataLoss, failure.message);
}

Result<InvokeAnswer> invoke_endpoint(const Jobs& jobs, const ObjectStore& objects, std::string_view endpoint,
                                     std::string_view content_type, std::string_view body,
                                     std::string_view accept) {
  const SystemClock clock;  // of captures only
  EndpointHost host(jobs, objects, clock, nullptr, {});
  return invoke_endpoint(host, endpoint, content_type, body, accept);
}

Outcome invoke_endpoint_task(TaskCall& call) {
  const auto answer = invoke_by(call);
  if (!answer) {
    const bool callers_fault =
        answer.error().code == ErrorCode::InvalidArgument || answer.error().code == ErrorCode::NotFound;
    return failed(
        callers_fault ? "SageMakerRuntime.ValidationErrorException" : "SageMakerRuntime.ModelErrorException",
        answer.error().message);
  }
  return to_payload(Json{{"Body", answer->body},
                         {"ContentType", answer->content_type},
                         {"InvokedProductionVariant", answer->variant}});
}

}  // namespace millrace::tasks
