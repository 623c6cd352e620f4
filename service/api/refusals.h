#pragma once
// From the gate's refusals to the API's errors: each protocol has its own code and status for them. Pure.

#include "service/api/protocol.h"
#include "service/auth/refusal.h"

namespace millrace::api {

ApiError refusal_error(const auth::Refusal& refusal, Protocol protocol);

}  // namespace millrace::api
