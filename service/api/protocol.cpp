#include "service/api/protocol.h"

#include "base/encoding.h"

namespace millrace::api {
namespace {

std::string json_error(std::string_view type_member, std::string_view message_member, const ApiError& error) {
  JsonWriter body;
  body.begin_object();
  if (!type_member.empty()) body.key(type_member).string(error.code);
  body.key(message_member).string(error.message).end_object();
  return std::string(body.finish().text());
}

std::string code_and_message(const ApiError& error) {
  return "<Code>" + escape_xml(error.code) + "</Code><Message>" + escape_xml(error.message) + "</Message>";
}

}  // namespace

std::string xml_element(std::string_view name, std::string_view inside) {
  return "<" + std::string(name) + ">" + std::string(inside) + "</" + std::string(name) + ">";
}

http::Response error_response(Protocol protocol, const ApiError& error, const std::string& request_id) {
  http::Response response;
  response.status = error.status;
  response.headers = {{"x-amzn-RequestId", request_id}, {"x-amzn-ErrorType", error.code}};
  switch (protocol) {
    case Protocol::AwsJson10:
    case Protocol::AwsJson11:
      response.content_type =
          protocol == Protocol::AwsJson10 ? "application/x-amz-json-1.0" : "application/x-amz-json-1.1";
      response.body = json_error("__type", "message", error);
      return response;
    case Protocol::RestJson:
      response.body = json_error({}, "Message", error);
      return response;
    case Protocol::RestXml:
      response.headers = {{"x-amz-request-id", request_id}};
      response.content_type = "application/xml";
      response.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>" + code_and_message(error) +
                      "<RequestId>" + request_id + "</RequestId></Error>";
      return response;
    case Protocol::Query:
      response.content_type = "text/xml";
      response.body = "<ErrorResponse><Error><Type>" +
                      std::string(error.status < 500 ? "Sender" : "Receiver") + "</Type>" +
                      code_and_message(error) + "</Error><RequestId>" + request_id +
                      "</RequestId></ErrorResponse>";
      return response;
  }
  return response;
}

std::string parameter(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name && equals != std::string_view::npos)
      return percent_decode(pair.substr(equals + 1));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return {};
}

bool is_form(const http::Request& request) {
  return request.header("content-type").starts_with("application/x-www-form-urlencoded");
}

std::string query_parameter(const http::Request& request, std::string_view name) {
  if (!is_form(request)) return parameter(request.query, name);
  std::string body = request.body;  // in a form a blank is a plus
  for (char& c : body) c = c == '+' ? ' ' : c;
  const std::string found = parameter(body, name);
  return found.empty() ? parameter(request.query, name) : found;
}

}  // namespace millrace::api
