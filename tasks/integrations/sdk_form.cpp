#include "tasks/integrations/sdk_form.h"

#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/request_ids.h"

namespace millrace::tasks {
namespace {

// Classes of errors in the SDKs' models end so; ValidationException is in none of these services' models.
bool modelled(std::string_view code) {
  return code.ends_with("Exception") && code != "ValidationException";
}

}  // namespace

tl::unexpected<Failure> sdk_failure(const TaskCall& call, const SdkNames& names, std::string_view code,
                                    int status, std::string_view message) {
  const std::string id = call.ids->next(), number = std::to_string(status), service(names.sdk);
  if (!call.optimized)
    return failed(service + "." + (modelled(code) ? std::string(code) : service + "Exception"),
                  std::string(message) + " (Service: " + service + ", Status Code: " + number +
                      ", Request ID: " + id + ")");
  const std::string generic(names.optimized_service);
  return failed(
      std::string(names.optimized) + "." + (modelled(code) ? std::string(code) : generic + "Exception"),
      std::string(message) + " (Service: " + generic + "; Status Code: " + number +
          "; Error Code: " + std::string(code) + "; Request ID: " + id + "; Proxy: null)");
}

std::string plain_message(std::string_view cause) {
  return std::string(cause.substr(0, cause.rfind(" (Service: ")));
}

Payload sdk_answer(const TaskCall& call, Json answer) {
  if (!call.optimized) return to_payload(answer);
  const std::string id = call.ids->next();
  const std::size_t bytes = to_payload(answer).size();
  const std::pair<const char*, std::string> headers[] = {
      {"x-amzn-RequestId", id},
      {"Content-Length", std::to_string(bytes)},
      {"Date", format_http_date(call.context.clock().now())},
      {"Content-Type", "application/x-amz-json-1.1"},
  };
  Json all = Json::object(), one = Json::object();
  for (const auto& [name, value] : headers) {
    all[name] = Json::array({value});
    one[name] = value;
  }
  answer["SdkHttpMetadata"] = {{"AllHttpHeaders", all}, {"HttpHeaders", one}, {"HttpStatusCode", 200}};
  answer["SdkResponseMetadata"] = {{"RequestId", id}};
  return to_payload(answer);
}

}  // namespace millrace::tasks
