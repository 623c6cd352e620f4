#include "service/client/remote.h"

#include <unistd.h>

#include "base/log.h"

namespace millrace::client {
namespace {

// What must not happen twice when an answer was lost. Everything else is asked so that it may: starts carry a
// name, creations and updates say how it shall be.
constexpr std::string_view kOnce[] = {"RedriveExecution", "SendTaskSuccess", "SendTaskFailure",
                                      "StartSyncExecution"};
bool repeatable(std::string_view operation) {
  return std::find(std::begin(kOnce), std::end(kOnce), operation) == std::end(kOnce);
}

constexpr Millis kPauseMax{5'000};

// "com.amazon.x#Name:http://…" is Name.
std::string_view short_name(std::string_view type) {
  if (const std::size_t hash = type.find('#'); hash != std::string_view::npos) type.remove_prefix(hash + 1);
  return type.substr(0, type.find(':'));
}

std::string text_in(JsonView object, std::string_view name) {
  const JsonView found = object.is_object() ? object.find(name) : JsonView();
  return found && found.is_string() ? found.string() : std::string();
}

Error error_of_response(const HttpResponse& response, const std::string& endpoint) {
  const auto document = Payload::parse(response.body);
  if (!document || !document->view().is_object() || !document->view().find("__type")) {
    return {
        response.status >= 500 ? ErrorCode::Unavailable : ErrorCode::InvalidArgument,
        endpoint + " answered HTTP " + std::to_string(response.status) + ", which is no AWS service's answer",
        "is this the address of `millrace serve`?"};
  }
  std::string message = text_in(document->view(), "message");
  if (message.empty()) message = text_in(document->view(), "Message");
  return error_of_aws(short_name(text_in(document->view(), "__type")), message, response.status);
}

class Remote final : public Access {
 public:
  Remote(RemoteSettings settings, std::string host, const Clock& clock)
      : settings_(std::move(settings)),
        host_(std::move(host)),
        clock_(clock),
        random_(settings_.seed),
        connection_(settings_.limits) {}

  using Access::call;
  Result<Payload> call(const AwsService& service, std::string_view operation, const Payload& input) override {
    for (int attempt = 1;; ++attempt) {
      bool again = false;
      auto answer = once(service, operation, input, again);
      if (answer || !again || attempt >= settings_.attempts_max) return answer;
      log::info("asking again", {{"operation", std::string(operation)}, {"error", answer.error().message}});
      const Millis most = std::min(kPauseMax, settings_.first_pause * (1 << std::min(attempt - 1, 10)));
      pause(Millis(static_cast<std::int64_t>(random_.uniform(0.5, 1.0) * static_cast<double>(most.count()))));
    }
  }
  void pause(Millis time) override { ::usleep(static_cast<useconds_t>(time.count()) * 1000); }
  std::string where() const override { return settings_.endpoint; }
  bool outlives_us() const override { return true; }
  const Clock& clock() const override { return clock_; }

 private:
  // One attempt; `again`: another may help and does no harm.
  Result<Payload> once(const AwsService& service, std::string_view operation, const Payload& input,
                       bool& again) {
    Headers headers = {{"content-type", "application/x-amz-json-" + std::string(service.version)},
                       {"x-amz-target", std::string(service.target) + std::string(operation)}};
    if (settings_.credentials) {
      const Headers added =
          sign_post(*settings_.credentials, {settings_.region, std::string(service.signing)}, host_, "/",
                    headers, input.text(), clock_.now());
      headers.insert(headers.end(), added.begin(), added.end());
    }
    const Millis most =
        operation == "StartSyncExecution" ? settings_.limits.long_request : settings_.limits.request;
    const auto response = connection_.post(settings_.endpoint + "/", headers, input.text(), most);
    if (!response) {
      again = !response.error().sent || repeatable(operation);
      return unanswered(response.error(), operation);
    }
    if (response->status == 200) {
      auto answer = Payload::parse(response->body.empty() ? "{}" : response->body);
      if (answer) return answer;
      return fail(ErrorCode::DataLoss,
                  settings_.endpoint + " answered what is no JSON: " + answer.error().message,
                  "is this the address of `millrace serve`?");
    }
    Error error = error_of_response(*response, settings_.endpoint);
    // 503 and throttling: it was not taken up.
    again = response->status == 503 || response->status == 429 ||
            is_aws_error(error, "ThrottlingException") || (response->status >= 500 && repeatable(operation));
    return fail(std::move(error));
  }

  tl::unexpected<Error> unanswered(const HttpFailure& failure, std::string_view operation) const {
    if (!failure.sent) {
      return fail(ErrorCode::Unavailable, "no server at " + settings_.endpoint + ": " + failure.reason,
                  "start one with `millrace serve`, or leave the endpoint (--endpoint, MILLRACE_ENDPOINT) "
                  "out to use the "
                  "home directory");
    }
    if (repeatable(operation)) {
      return fail(ErrorCode::Unavailable, settings_.endpoint + " did not answer: " + failure.reason,
                  "try again; is the server busy, or stopping?");
    }
    return fail(
        ErrorCode::OutcomeUnknown,
        settings_.endpoint + " took " + std::string(operation) + " and did not answer: " + failure.reason,
        "`millrace describe` shows whether it happened");
  }

  RemoteSettings settings_;
  std::string host_;
  const Clock& clock_;
  Random random_;
  Connection connection_;
};

}  // namespace

Result<std::unique_ptr<Access>> open_remote(RemoteSettings settings, const Clock& clock) {
  const std::size_t scheme = settings.endpoint.find("://");
  const std::string kind = settings.endpoint.substr(0, scheme);
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  const bool known = scheme != std::string::npos && (kind == "http" || kind == "https");
  const std::string host = known ? settings.endpoint.substr(scheme + 3) : "";
  if (host.empty() || host.find_first_of("/ ?#@") != std::string::npos) {
    return invalid("'" + settings.endpoint + "' is no endpoint",
                   "write http://HOST:PORT, e.g. http://127.0.0.1:8083");
  }
  return std::unique_ptr<Access>(std::make_unique<Remote>(std::move(settings), host, clock));
}

}  // namespace millrace::client
