#include "service/api/audit.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::api {
namespace {

constexpr std::string_view kReading[] = {"BatchGet",       "Describe",     "Filter",      "Get",     "Head",
                                         "InvokeEndpoint", "List",         "Query",       "Scan",    "Search",
                                         "Select",         "StreamEvents", "TransactGet", "Validate"};
constexpr std::size_t kResourceShown = 300;

// What stands in a line; texts of clients are cut, and the log quotes them.
struct Line {
  std::string user, key, from, action, resource;

  Line(const http::Request& request, const auth::Caller* caller, std::span<const auth::Demand> demands)
      : user(caller ? caller->name : ""), key(caller ? caller->key_id : ""), from(request.peer) {
    if (demands.empty()) return;
    action = demands.front().action.substr(0, kResourceShown);
    resource = demands.front().resource.substr(0, kResourceShown);
  }
  void write(log::Level level, std::string_view message, int status, std::string_view code) const {
    log::write(level, message,
               {{"user", user},
                {"key", key},
                {"from", from},
                {"action", action},
                {"resource", resource},
                {"status", status > 0 ? std::to_string(status) : ""},
                {"error", std::string(code)}});
  }
};

class AuditedExchange final : public http::Exchange {
 public:
  AuditedExchange(http::ExchangePtr exchange, Line line)
      : exchange_(std::move(exchange)), line_(std::move(line)) {}

  const http::Request& request() const override { return exchange_->request(); }
  void read_body(std::function<void(std::string bytes, bool end)> call) override {
    exchange_->read_body(std::move(call));
  }
  void respond(http::Response response) override {
    line_.write(log::Level::Info, "audit", response.status, "");
    exchange_->respond(std::move(response));
  }
  http::BodyStreamPtr stream(http::Response head) override {
    line_.write(log::Level::Info, "audit", head.status, "");
    return exchange_->stream(std::move(head));
  }
  void on_gone(std::function<void()> call) override { exchange_->on_gone(std::move(call)); }

 private:
  const http::ExchangePtr exchange_;
  const Line line_;
};

}  // namespace

bool is_change(std::string_view action) {
  const std::string_view operation = action.substr(action.find(':') + 1);
  return std::none_of(std::begin(kReading), std::end(kReading),
                      [&](std::string_view word) { return operation.starts_with(word); });
}

void audit_refusal(const http::Request& request, const auth::Caller* caller,
                   std::span<const auth::Demand> demands, std::string_view code) {
  Line(request, caller, demands).write(log::Level::Warning, "audit: refused", 0, code);
}

http::ExchangePtr audited(http::ExchangePtr exchange, const auth::Caller& caller,
                          std::span<const auth::Demand> demands) {
  Line line(exchange->request(), &caller, demands);
  return std::make_shared<AuditedExchange>(std::move(exchange), std::move(line));
}

}  // namespace millrace::api
