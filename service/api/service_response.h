#pragma once
// The answer of one of the home's data services (tables, queues) in AWS JSON 1.0. Pure.

#include <string>
#include <string_view>

#include "service/http/message.h"
#include "tasks/integrations/service_answer.h"

namespace millrace::api {

// `type`: of an error, with its namespace; `message`: how the member with its text is called.
http::Response service_response(const tasks::ServiceAnswer& answer, std::string_view type,
                                std::string_view message, const std::string& request_id);

}  // namespace millrace::api
