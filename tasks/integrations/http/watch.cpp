#include "tasks/integrations/http/watch.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kMask = "REDACTED";

void mask_secrets(std::vector<ConnectionParameter>& parameters) {
  for (ConnectionParameter& parameter : parameters) {
    if (parameter.secret) parameter.value = kMask;
  }
}

std::string header_list(const std::vector<HttpHeader>& headers) {
  std::string out = "[";
  for (const HttpHeader& header : headers)
    out += (out.size() > 1 ? ", " : "") + header.name + ": " + header.value;
  return out + "]";
}

void write_common(JsonWriter& out, const HttpRequest& request, const std::vector<HttpHeader>& headers) {
  out.key("protocol").string(std::string_view(request.url).substr(0, request.url.find(':')));
  out.key("headers").string(header_list(headers));
}

}  // namespace

Connection without_secrets(Connection connection) {
  for (std::string* secret : {&connection.password, &connection.key_value}) *secret = kMask;
  for (auto* list :
       {&connection.invocation.headers, &connection.invocation.query, &connection.invocation.body})
    mask_secrets(*list);
  return connection;
}

Payload exchange_of(const HttpRequest& request, const TransferAnswer& answer, std::string_view status_text) {
  JsonWriter out;
  out.begin_object().key("request").begin_object();
  write_common(out, request, request.headers);
  out.key("method").string(request.method).key("url").string(request.url);
  if (request.has_body) out.key("body").string(request.body);
  out.end_object();
  if (answer.end == TransferAnswer::End::Answered) {
    out.key("response").begin_object();
    write_common(out, request, answer.headers);
    out.key("statusCode").string(std::to_string(answer.status)).key("statusMessage").string(status_text);
    out.key("body").string(answer.body).end_object();
  }
  return out.end_object().finish();
}

}  // namespace millrace::tasks
