#include "service/api/service.h"

#include "service/api/access.h"
#include "service/api/operations.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kContentType = "application/x-amz-json-1.0";

http::Response response_of(const Answer& answer, std::string request_id) {
  if (!answer) return error_response(Protocol::AwsJson10, answer.error(), request_id);
  http::Response response;
  response.content_type = kContentType;
  response.headers.push_back({"x-amzn-RequestId", std::move(request_id)});
  response.body = answer->text();
  return response;
}

// The request's body as an object; an empty one is {}.
tl::expected<Payload, ApiError> parse_input(const std::string& body) {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) return Payload::empty_object();
  auto parsed = Payload::parse(body);
  if (!parsed) return refuse("SerializationException", "the request is no JSON: " + parsed.error().message);
  if (!parsed->view().is_object()) return refuse("SerializationException", "the request is no JSON object");
  return *std::move(parsed);
}

}  // namespace

void Service::handle(http::ExchangePtr exchange, const auth::Caller& caller) {
  const http::Request& request = exchange->request();
  const std::string_view target = request.header("x-amz-target");
  if (target.starts_with(kTarget) && request.method == "POST")
    return aws_json(std::move(exchange), target.substr(kTarget.size()), caller);
  exchange->respond(
      response_of(refuse("UnknownOperationException", "Step Functions has nothing at " + request.method +
                                                          " " + request.path +
                                                          "; operations are POST / with the header "
                                                          "X-Amz-Target: AWSStepFunctions.OPERATION"),
                  uuid_v4(services_.random)));
}

std::vector<auth::Demand> Service::demands(const http::Request& request) const {
  const std::string_view target = request.header("x-amz-target");
  if (!target.starts_with(kTarget)) return {{"states:*", "*"}};
  const orchestrator::EngineSettings& settings = services_.engine.settings();
  return states_demands(target.substr(kTarget.size()), request.body, {settings.region, settings.account});
}

void Service::aws_json(http::ExchangePtr exchange, std::string_view operation, const auth::Caller& caller) {
  std::string id = uuid_v4(services_.random);
  const auto reply = [exchange, id](Answer answer) { exchange->respond(response_of(answer, id)); };
  const OperationRow* row = find_operation(operation);
  if (!row)
    return reply(refuse("UnknownOperationException",
                        "Step Functions has no operation '" + std::string(operation) + "' here"));
  const auto input = parse_input(exchange->request().body);
  if (!input) return reply(tl::unexpected<ApiError>(input.error()));
  if (auto wrong = check_input(input->view(), row->input))
    return reply(tl::unexpected<ApiError>(*std::move(wrong)));
  row->run({services_, input->view(), reply,
            [exchange](std::function<void()> call) { exchange->on_gone(std::move(call)); }, *input, caller});
}

}  // namespace millrace::api
