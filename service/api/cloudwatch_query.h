#pragma once
// CloudWatch's Query protocol: forms as the documents that the other protocols have, and documents as XML.
// Pure. Source: smithy.io "AWS Query protocol"; Amazon CloudWatch API reference, 2010-08-01.

#include <string>
#include <string_view>

#include "base/payload.h"

namespace millrace::api {

// The action is not a member. InvalidArgument: a number that is none, what is nested too deeply.
Result<Payload> cloudwatch_input_of_form(std::string_view form);
std::string cloudwatch_action(std::string_view form);  // empty: it names none

std::string cloudwatch_answer_xml(std::string_view operation, JsonView answer, std::string_view request_id);
std::string cloudwatch_error_xml(std::string_view code, std::string_view message, bool senders,
                                 std::string_view request_id);

// What the Query protocol calls an error: "InvalidParameterValue" for InvalidParameterValueException.
std::string_view cloudwatch_query_code(std::string_view name);
// Whether a member's numbers are times.
bool is_cloudwatch_time(std::string_view name);

}  // namespace millrace::api
