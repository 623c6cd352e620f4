#include "service/api/sqs.h"

#include <algorithm>
#include <atomic>
#include <cctype>

#include "service/api/service_response.h"
#include "service/api/sqs_query.h"

namespace millrace::api {
namespace {

using tasks::ServiceAnswer;
using tasks::ServiceError;

constexpr std::string_view kTarget = "AmazonSQS.";
constexpr std::string_view kForm = "application/x-www-form-urlencoded";
constexpr std::string_view kVersion = "2012-11-05";

http::Response json_response(const ServiceAnswer& answer, const std::string& id) {
  const std::string code = answer ? "" : answer.error().code;
  http::Response response = service_response(answer, "com.amazonaws.sqs#" + code, "message", id);
  if (!answer)
    response.headers.push_back(
        {"x-amzn-query-error", sqs_query_code(code) + (response.status < 500 ? ";Sender" : ";Receiver")});
  return response;
}

http::Response xml_response(const std::string& operation, const ServiceAnswer& answer,
                            const std::string& id) {
  http::Response response;
  response.content_type = "text/xml";
  response.headers.push_back({"x-amzn-RequestId", id});
  if (answer) {
    response.body = sqs_answer_xml(operation, *answer, id);
    return response;
  }
  const ServiceError& error = answer.error();
  response.status = error.status;
  response.body = sqs_error_xml(error.code, error.message, error.status < 500, id);
  return response;
}

// What the client reached us by, so that it can use the URLs of queues that it is given.
std::string base_url_of(const http::Request& request, std::string_view scheme) {
  const std::string_view host = request.header("host");
  const bool good = !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view(".:-_[]").find(c) != std::string_view::npos;
  });
  return good ? std::string(scheme) + "://" + std::string(host) : "";
}

}  // namespace

bool SqsApi::serves(const http::Request& request) {
  if (request.method != "POST") return false;
  const std::string_view target = request.header("x-amz-target");
  if (!target.empty()) return target.starts_with(kTarget);
  if (!request.header("content-type").starts_with(kForm)) return false;
  const auto form = parse_form(request.body);
  const auto version = form.find("Version");
  return version != form.end() && version->second == kVersion;
}

void SqsApi::handle(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const std::string_view target = request.header("x-amz-target");
  if (!target.empty()) {
    const std::string operation(target.substr(kTarget.size()));
    auto input = Payload::parse(request.body.empty() ? "{}" : request.body);
    if (!input || !input->view().is_object())
      return exchange->respond(
          json_response(tasks::service_error("SerializationException",
                                             input ? "the request is no JSON object" : input.error().message),
                        uuid_v4(random_)));
    return call(std::move(exchange), operation, *std::move(input), true);
  }
  auto form = parse_form(request.body);
  const auto action = form.find("Action");
  const std::string operation = action == form.end() ? "" : action->second;
  // The queue may be named by the path alone.
  if (request.path.size() > 1) form.try_emplace("QueueUrl", request.path);
  auto input = sqs_input_of_form(std::move(form));
  if (!input)
    return exchange->respond(xml_response(
        operation, tasks::service_error("MalformedInput", input.error().message), uuid_v4(random_)));
  call(std::move(exchange), operation, *std::move(input), false);
}

void SqsApi::call(http::ExchangePtr exchange, std::string operation, Payload input, bool json) {
  const std::string id = uuid_v4(random_);
  const auto shown = [json, operation, id](const ServiceAnswer& answer) {
    return json ? json_response(answer, id) : xml_response(operation, answer, id);
  };
  if (!tasks::sqs::Queues::has(operation))
    return exchange->respond(shown(tasks::service_error(
        "InvalidAction", "The action " + operation + " is not valid for this endpoint.")));
  auto queues = data_.queues();
  if (!queues)
    return exchange->respond(shown(tasks::service_error("InternalError", queues.error().message, 500)));
  auto gone = std::make_shared<std::atomic<bool>>(false);
  exchange->on_gone([gone] { gone->store(true, std::memory_order_relaxed); });
  tasks::ServiceCall asked{std::move(operation), std::move(input)};
  asked.gone = gone;
  asked.base_url = base_url_of(exchange->request(), tls_ ? "https" : "http");
  (*queues)->call(std::move(asked),
                  [exchange = std::move(exchange), post = post_, shown](ServiceAnswer answer) mutable {
                    // The exchange is the loop's: it goes there, and is let go of there.
                    post([exchange = std::move(exchange), shown, answer = std::move(answer)] {
                      exchange->respond(shown(answer));
                    });
                  });
}

}  // namespace millrace::api
