#pragma once
// http:invoke: a Task state's request to an HTTP API: what the state says and what its connection adds become
// one request, the answer becomes the state's result or its failure. Any number at once. Any thread; replies
// come at once or on the transfers' thread. Source: Step Functions developer guide, "Call HTTPS APIs in Step
// Functions workflows".

#include <functional>
#include <string>

#include "base/failure.h"
#include "tasks/integrations/http/connections.h"
#include "tasks/integrations/http/form.h"
#include "tasks/integrations/http/tokens.h"
#include "tasks/integrations/http/transfers.h"
#include "tasks/integrations/http/watch.h"

namespace millrace::tasks {

// What the state itself says, checked; without the connection's part.
struct HttpTask {
  std::string endpoint, method;
  std::vector<HttpHeader> headers;
  std::vector<HttpHeader> query;  // name and value, not encoded
  Payload body;                   // when has_body
  bool has_body = false;
  bool form = false;  // URL_ENCODED
  ArrayFormat array_format = ArrayFormat::Indices;
  std::string connection;              // ARN; empty: none
  std::size_t response_bytes_max = 0;  // 0: as the invoker has it
};
// States.Runtime, with the field's name.
tl::expected<HttpTask, Failure> parse_http_task(const Payload& arguments);

// The whole request. `token` is what OAuth gave. States.Runtime when both parts don't go together.
tl::expected<HttpRequest, Failure> build_http_request(const HttpTask& task, const Connection* connection,
                                                      const std::string& token);

// {Headers, ResponseBody, StatusCode, StatusText}, or States.Http.StatusCode.404 and the like.
Outcome http_outcome(const TransferAnswer& answer);

class HttpInvoker {
 public:
  struct Settings {
    std::string user_agent = "Millrace|HttpInvoke";
    Millis time_max{60'000};
    std::size_t response_bytes_max = 262'144;
  };
  using Reply = std::function<void(Outcome)>;

  // All are borrowed; the transfers end before this object does.
  HttpInvoker(Transfers& transfers, Connections& connections, OAuthTokens& tokens, Settings settings)
      : transfers_(transfers), connections_(connections), tokens_(tokens), settings_(std::move(settings)) {}

  // Replies exactly once, unless the returned function was called before: it ends the request.
  std::function<void()> start(const Payload& arguments, Reply reply, HttpWatch watch = {});
  // The same for a request that is known already; `time_max` 0: the settings'.
  std::function<void()> start(HttpTask task, Millis time_max, Outcome (*outcome)(const TransferAnswer&),
                              Reply reply, HttpWatch watch = {});

 private:
  struct Running;
  void authorize(const std::shared_ptr<Running>& running);
  void send(const std::shared_ptr<Running>& running, const std::string& token);
  tl::expected<HttpRequest, Failure> request_of(const Running& running, const Connection* connection,
                                                const std::string& token) const;
  void show(const Running& running, const TransferAnswer& answer, const std::string& token) const;

  Transfers& transfers_;
  Connections& connections_;
  OAuthTokens& tokens_;
  const Settings settings_;
};

}  // namespace millrace::tasks
