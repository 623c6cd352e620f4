#pragma once
// Router: one port, many services. Which service a request is for: the prefix of X-Amz-Target; else the
// service in the scope of its credential (paths alone are ambiguous: a bucket may be called 'schedules');
// else the first row whose rule takes its path. What nobody takes gets 404 in the shape of its protocol. Loop
// thread only.

#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "service/api/audit.h"
#include "service/api/protocol.h"
#include "service/auth/gate.h"
#include "service/http/server.h"

namespace millrace::api {

// One service, or one part of a service that has its own protocol or paths.
struct ServiceRow {
  std::string_view name;         // in the scope of credentials, and before the ':' of a policy's actions
  Protocol protocol;             // of errors
  std::string_view target = {};  // prefix of X-Amz-Target, with its dot; empty: the service has none
  // Whether a request without X-Amz-Target is this row's; null: none is. Asked of signed requests for this
  // service, and of requests without a signature, in the order of the table.
  bool (*serves)(const http::Request&) = nullptr;
  std::function<void(http::ExchangePtr, const auth::Caller&)> handle;
  // What its caller needs the right to; asked only of callers with a policy. Null: the operation (of
  // X-Amz-Target or Action, else "*") on resource "*".
  std::function<std::vector<auth::Demand>(const http::Request&)> demands = nullptr;
  bool open = false;  // to everybody who does not sign
};

class Router {
 public:
  // `gate` is borrowed. `seed`: of request ids.
  Router(auth::Gate& gate, std::uint64_t seed, AuditLevel audit = AuditLevel::Off)
      : gate_(gate), random_(seed), audit_(audit) {}

  void add(ServiceRow row) { rows_.push_back(std::move(row)); }
  void handle(http::ExchangePtr exchange);

  // Null: nobody serves it.
  const ServiceRow* find(const http::Request& request) const;

 private:
  auth::Gate& gate_;
  std::vector<ServiceRow> rows_;
  Random random_;
  const AuditLevel audit_;
};

// The service in the scope of the request's credential, in its header or its query; empty: it has none.
std::string scope_service(const http::Request& request);

}  // namespace millrace::api
