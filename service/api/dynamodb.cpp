#include "service/api/dynamodb.h"

#include <optional>

#include "service/api/service_response.h"

namespace millrace::api {
namespace {

using tasks::ServiceAnswer;

constexpr std::string_view kTarget = "DynamoDB_20120810.";

// Errors that the front of the service gives have another namespace; clients look behind the '#' only.
std::string type_of_error(const std::string& code) {
  const bool front = code == "ValidationException" || code == "SerializationException" ||
                     code == "UnknownOperationException" || code == "ThrottlingException";
  return (front ? "com.amazon.coral.validate#" : "com.amazonaws.dynamodb.v20120810#") + code;
}

http::Response response_of(const ServiceAnswer& answer, const std::string& id) {
  const std::string code = answer ? "" : answer.error().code;
  // One class of errors writes its message large.
  return service_response(answer, type_of_error(code),
                          code == "TransactionCanceledException" ? "Message" : "message", id);
}

}  // namespace

bool DynamoApi::serves(const http::Request& request) {
  return request.method == "POST" && request.header("x-amz-target").starts_with(kTarget);
}

void DynamoApi::handle(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  const auto refuse = [&](std::string code, std::string message, int status = 400) {
    exchange->respond(response_of(tasks::service_error(std::move(code), std::move(message), status), id));
  };
  const std::string operation(exchange->request().header("x-amz-target").substr(kTarget.size()));
  if (!tasks::dynamodb::Tables::has(operation))
    return refuse("UnknownOperationException", "DynamoDB has no operation '" + operation + "' here");
  auto input = Payload::parse(exchange->request().body);
  if (!input || !input->view().is_object())
    return refuse("SerializationException", input ? "the request is no JSON object" : input.error().message);
  auto tables = data_.tables();
  if (!tables) return refuse("InternalServerError", tables.error().message, 500);
  tasks::ServiceCall call{operation, *std::move(input)};
  (*tables)->call(std::move(call), [exchange, post = post_, id](ServiceAnswer answer) mutable {
    // The exchange is the loop's: it goes there, and is let go of there.
    post([exchange = std::move(exchange), id, answer = std::move(answer)] {
      exchange->respond(response_of(answer, id));
    });
  });
}

}  // namespace millrace::api
