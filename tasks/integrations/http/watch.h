#pragma once
// HttpWatch: who wants to see what an HTTP task sends and gets, and how TestState shows it. Any thread.
// Source: Step Functions API reference, InspectionDataRequest and InspectionDataResponse.

#include <functional>

#include "base/payload.h"
#include "tasks/integrations/http/connections.h"
#include "tasks/integrations/http/transfers.h"

namespace millrace::tasks {

struct HttpWatch {
  // Told before the reply; not when the request was never sent. Empty: nobody wants to see it.
  std::function<void(Payload exchange)> seen;
  bool secrets = false;  // with what the connection keeps secret
};

// The connection with REDACTED in place of each of its secrets.
Connection without_secrets(Connection connection);

// {"request": {"protocol", "method", "url", "headers", "body"}, "response": {"protocol", "statusCode",
// "statusMessage", "headers", "body"}}, all texts; no "response" where nothing was answered. Headers are
// "[name: value, name: value]".
Payload exchange_of(const HttpRequest& request, const TransferAnswer& answer, std::string_view status_text);

}  // namespace millrace::tasks
