#include "tasks/integrations/http/function_url.h"

#include <strings.h>

#include <algorithm>
#include <optional>

#include "base/utf8.h"
#include "tasks/functions/host.h"
#include "tasks/integrations/settings.h"

namespace millrace::tasks {
namespace {

using End = TransferAnswer::End;

constexpr std::size_t kShownBytes = 4096;  // of an answer that is no error object

Outcome function_failed(const std::string& type, std::string_view message) {
  return failed(type, function_error(type, message));
}

// The error object that a server answered.
std::optional<Failure> answered_error(const std::string& body) {
  const auto object = Payload::parse(body);
  if (!object || !object->view().is_object()) return std::nullopt;
  const JsonView type = object->view().find("errorType");
  if (!type || !type.is_string()) return std::nullopt;
  return Failure{type.string(), std::string(object->text())};
}

Outcome not_answered(const TransferAnswer& answer) {
  switch (answer.end) {
    case End::Forbidden:
      return function_failed(
          "Http.Forbidden",
          answer.problem + "; \"http\": {\"allow\": […]} in HOME/integrations.json allows it");
    case End::TooLarge:
      return function_failed("Function.ResponseSizeTooLarge", answer.problem);
    case End::Overloaded:
      return function_failed("Http.Overloaded", answer.problem + "; try again later");
    default:
      return function_failed("Http.Socket", answer.problem);
  }
}

}  // namespace

HttpTask function_request(const UrlCall& call) {
  HttpTask task;
  task.method = "POST";
  task.endpoint = call.url;
  task.connection = call.connection;
  task.response_bytes_max = call.response_bytes_max;
  task.has_body = true;
  task.body = call.event;
  // A string is its JSON text, not its characters.
  if (task.body.view().is_string()) task.body = Payload::string(call.event.text());
  const std::pair<const char*, std::string> told[] = {
      {"Lambda-Runtime-Aws-Request-Id", call.request_id},
      {"Lambda-Runtime-Invoked-Function-Arn", call.arn},
      {"Lambda-Runtime-Deadline-Ms", std::to_string(to_millis(call.deadline))},
      {"Lambda-Runtime-Client-Context", call.client_context}};
  for (const auto& [name, value] : told) {
    if (!value.empty()) task.headers.push_back({name, value});
  }
  for (const auto& [name, value] : call.headers) task.headers.push_back({name, value});
  return task;
}

Outcome function_outcome(const TransferAnswer& answer) {
  if (answer.end != End::Answered) return not_answered(answer);
  const bool marked = std::any_of(answer.headers.begin(), answer.headers.end(), [](const HttpHeader& header) {
    return ::strcasecmp(header.name.c_str(), "x-amz-function-error") == 0;
  });
  const bool fine = answer.status >= 200 && answer.status <= 299 && !marked;
  if (!fine) {
    if (auto failure = answered_error(answer.body)) return tl::unexpected<Failure>(std::move(*failure));
    const std::string body = valid_utf8(answer.body) ? answer.body.substr(0, kShownBytes) : "";
    return function_failed("Http.StatusCode." + std::to_string(answer.status),
                           body.empty() ? "the URL answered " + std::to_string(answer.status) : body);
  }
  if (answer.body.find_first_not_of(" \t\r\n") == std::string::npos) return Payload();
  auto result = Payload::parse(answer.body);
  if (!result)
    return function_failed("Runtime.MarshalError", "the URL's answer is not JSON: " + result.error().message);
  return std::move(*result);
}

Result<std::unique_ptr<UrlFunctions>> UrlFunctions::open(const std::filesystem::path& home,
                                                         const Clock& clock, std::uint64_t seed) {
  MR_TRY(settings, read_integration_settings(home / "integrations.json"));
  MR_TRY(connections, Connections::open(home / "connections.json", {}, clock, seed));
  return std::unique_ptr<UrlFunctions>(
      new UrlFunctions(std::move(settings.http), std::move(connections), clock));
}

UrlCaller UrlFunctions::caller() {
  return [this](UrlCall call, std::function<void(Outcome)> reply) {
    const Millis time_max = call.time_max;
    return http_.start(function_request(call), time_max, function_outcome, std::move(reply));
  };
}

}  // namespace millrace::tasks
