#include "service/api/router.h"

#include "base/encoding.h"
#include "service/api/refusals.h"

namespace millrace::api {
namespace {

// The protocol of an error about a request that no row takes.
Protocol protocol_of_unknown(const http::Request& request, std::string_view service) {
  if (service == "s3") return Protocol::RestXml;
  if (is_form(request)) return Protocol::Query;
  return Protocol::AwsJson10;
}

ApiError nothing_there(const http::Request& request, std::string_view service) {
  const std::string_view target = request.header("x-amz-target");
  if (!target.empty())
    return {"UnknownOperationException", "no service here has the operation '" + std::string(target) + "'"};
  const std::string what = request.method + " " + request.path;
  if (!service.empty())
    return {"UnknownOperationException",
            "the service '" + std::string(service) + "' is not served here (" + what + ")", 404};
  return {"UnknownOperationException",
          "there is nothing at " + what + "; operations are POST / with the header X-Amz-Target", 404};
}

std::vector<auth::Demand> usual_demands(const http::Request& request, const ServiceRow& row) {
  const std::string_view target = request.header("x-amz-target");
  std::string operation = row.target.empty() || !target.starts_with(row.target)
                              ? query_parameter(request, "Action")
                              : std::string(target.substr(row.target.size()));
  if (operation.empty()) operation = "*";
  return {{std::string(row.name) + ":" + operation, "*"}};
}

std::vector<auth::Demand> demands_of(const http::Request& request, const ServiceRow& row) {
  return row.demands ? row.demands(request) : usual_demands(request, row);
}

bool is_health_check(const http::Request& request) {
  return request.path == "/healthz" && (request.method == "GET" || request.method == "HEAD");
}

}  // namespace

std::string scope_service(const http::Request& request) {
  std::string credential;
  const std::string_view header = request.header("authorization");
  constexpr std::string_view kCredential = "Credential=";
  if (const std::size_t at = header.find(kCredential); at != std::string_view::npos) {
    const std::string_view rest = header.substr(at + kCredential.size());
    credential = rest.substr(0, rest.find_first_of(", "));
  } else {
    credential = parameter(request.query, "X-Amz-Credential");
  }
  // KEY/20260101/us-east-1/SERVICE/aws4_request
  const std::size_t end = credential.rfind('/');
  if (end == std::string::npos || end == 0) return {};
  const std::size_t start = credential.rfind('/', end - 1);
  return start == std::string::npos ? std::string() : credential.substr(start + 1, end - start - 1);
}

const ServiceRow* Router::find(const http::Request& request) const {
  const std::string_view target = request.header("x-amz-target");
  const std::string service = scope_service(request);
  const ServiceRow* named = nullptr;
  for (const ServiceRow& row : rows_) {
    if (!target.empty()) {
      if (!row.target.empty() && target.starts_with(row.target)) return &row;
      continue;
    }
    if (!service.empty() && row.name != service) continue;
    if (row.serves && row.serves(request)) return &row;
    if (!service.empty() && !named) named = &row;
  }
  return named;
}

void Router::handle(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const ServiceRow* row = find(request);
  if (!row && is_health_check(request))
    return exchange->respond({200, "application/json", {}, R"({"status":"ok"})"});
  const std::string scope = scope_service(request);
  if (row && row->open && scope.empty()) return row->handle(std::move(exchange), auth::Caller{});
  const Protocol protocol = row ? row->protocol : protocol_of_unknown(request, scope);
  const auto refuse = [&](const ApiError& error) {
    exchange->respond(error_response(protocol, error, uuid_v4(random_)));
  };
  std::vector<auth::Demand> demands;
  const auto turn_away = [&](const auth::Caller* who, const auth::Refusal& refusal) {
    const ApiError error = refusal_error(refusal, protocol);
    if (audit_ != AuditLevel::Off) {
      if (!who && row) demands = usual_demands(request, *row);  // nothing of a stranger's is read for this
      audit_refusal(request, who, demands, error.code);
    }
    refuse(error);
  };
  const auto caller = gate_.admit(request, row ? row->name : std::string_view(scope));
  if (!caller) return turn_away(nullptr, caller.error());
  if (!row) return refuse(nothing_there(request, scope));
  if (caller->rights || audit_ == AuditLevel::Changes) demands = demands_of(request, *row);
  if (const auto lacking = caller->lacks(demands)) return turn_away(&*caller, *lacking);
  const bool told = audit_ == AuditLevel::Changes && !demands.empty() && is_change(demands.front().action);
  row->handle(told ? audited(std::move(exchange), *caller, demands) : std::move(exchange), *caller);
}

}  // namespace millrace::api
