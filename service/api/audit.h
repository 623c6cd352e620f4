#pragma once
// Audit: a line of the server's log for calls that were refused, and for calls that change something: who,
// from where, what on what, and how it was answered. No documents, no secrets. Loop thread only.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "service/auth/caller.h"
#include "service/http/server.h"

namespace millrace::api {

enum class AuditLevel { Off, Refused, Changes };  // Changes: and refused ones

// Whether an action changes something, by its name: all that do not begin like "Get", "List", "Describe", ….
bool is_change(std::string_view action);

// A line about a call that was not let in. `caller`: null when it is not known who it was.
void audit_refusal(const http::Request& request, const auth::Caller* caller,
                   std::span<const auth::Demand> demands, std::string_view code);
// The exchange, with a line when it is answered.
http::ExchangePtr audited(http::ExchangePtr exchange, const auth::Caller& caller,
                          std::span<const auth::Demand> demands);

}  // namespace millrace::api
