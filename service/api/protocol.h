#pragma once
// What the AWS protocols have of their own: the shape of an error, the parameters of a query string or
// form. Pure. Source: smithy.io "AWS JSON", "REST JSON 1", "REST XML", "AWS Query".

#include <string>
#include <string_view>

#include "service/api/call.h"
#include "service/http/message.h"

namespace millrace::api {

enum class Protocol { AwsJson10, AwsJson11, RestJson, RestXml, Query };

// An error as clients of the protocol read it; never HTML.
http::Response error_response(Protocol protocol, const ApiError& error, const std::string& request_id);

// The value of the first parameter of that name in "a=b&c=d", decoded; empty when it is not there.
std::string parameter(std::string_view text, std::string_view name);
// Whether the body is a form: "a=b&c=d".
bool is_form(const http::Request& request);
// The parameter of a request of the Query protocol: in its form body, else in its query string.
std::string query_parameter(const http::Request& request, std::string_view name);

// "<NAME>INSIDE</NAME>"; what is inside is escaped already.
std::string xml_element(std::string_view name, std::string_view inside);

}  // namespace millrace::api
