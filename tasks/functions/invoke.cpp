#include "tasks/functions/invoke.h"

#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/log.h"
#include "tasks/arguments.h"
#include "tasks/request_ids.h"

namespace millrace::tasks {
namespace {

void log_answer(const std::string& name, const InvocationAnswer& answer) {
  if (answer.kind == InvocationAnswer::Kind::Result) return;
  log::error("a function that was invoked as an event failed", {{"function", name}, {"why", answer.error}});
}

// What is wrong with the function before it is invoked; nothing when it could be.
std::optional<InvocationAnswer> problem_of(const FunctionHost& host, const std::string& name,
                                           const std::string& request_id) {
  const auto function = load_function(host.settings().functions, name);
  if (function) return std::nullopt;
  InvocationAnswer answer;
  answer.kind = function.error().code == ErrorCode::NotFound ? InvocationAnswer::Kind::NotFound
                                                             : InvocationAnswer::Kind::CannotRun;
  answer.error = function.error().message;
  answer.request_id = request_id;
  return answer;
}

}  // namespace

Outcome send_event(FunctionHost& host, const LambdaCall& call, const std::string& request_id, Instant now) {
  if (const auto problem = problem_of(host, call.function.name, request_id))
    return lambda_outcome(call, *problem, now);
  if (call.invocation_type == "Event")
    host.invoke(call.invocation,
                [name = call.function.name](const InvocationAnswer& answer) { log_answer(name, answer); });
  return lambda_accepted(call, request_id, now);
}

Outcome invoke_function(TaskCall& call) {
  const Clock& clock = call.functions->clock();
  const std::string request_id = call.ids->next();
  auto wanted = lambda_call(LambdaForm::Optimized, {}, to_payload(call.arguments), *call.place, request_id);
  if (!wanted) return tl::unexpected<Failure>(wanted.error());
  if (wanted->invocation_type != "RequestResponse")
    return send_event(*call.functions, *wanted, request_id, clock.now());
  auto answered = std::make_shared<std::promise<InvocationAnswer>>();
  auto answer = answered->get_future();
  const std::uint64_t id = call.functions->invoke(
      wanted->invocation, [answered](InvocationAnswer given) { answered->set_value(std::move(given)); });
  while (answer.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
    if (!call.context.cancelled()) continue;
    call.functions->cancel(id);
    return failed("Lambda.ServiceException", "the invocation was cancelled");
  }
  return lambda_outcome(*wanted, answer.get(), clock.now());
}

Outcome get_function(TaskCall& call) {
  const std::string request_id = call.ids->next();
  const auto wrong = [&](std::string_view code, int status, std::string_view message) {
    return tl::unexpected<Failure>(lambda_failure(LambdaForm::Sdk, code, status, message, request_id));
  };
  const auto name = Arguments(call.arguments).text("FunctionName");
  if (!name) return wrong("ValidationException", 400, name.error().message);
  const auto parsed = parse_function_name(*name, *call.place);
  if (!parsed) return wrong("ValidationException", 400, parsed.error().message);
  const auto function = load_function(call.functions->settings().functions, parsed->name);
  if (!function && function.error().code == ErrorCode::NotFound)
    return wrong("ResourceNotFoundException", 404, "Function not found: " + parsed->arn);
  if (!function) return wrong("ServiceException", 500, function.error().message);
  Json answer;
  answer["Configuration"] = function_configuration(*function, *call.place);
  answer["Code"] = {{"RepositoryType", "file"}, {"Location", "file://" + function->directory.string()}};
  return to_payload(answer);
}

Outcome list_functions(TaskCall& call) {
  Json functions = Json::array();
  for (const std::string& name : function_names(call.functions->settings().functions)) {
    const auto function = load_function(call.functions->settings().functions, name);
    if (function) functions.push_back(function_configuration(*function, *call.place));
  }
  Json answer;
  answer["Functions"] = std::move(functions);
  return to_payload(answer);
}

}  // namespace millrace::tasks
