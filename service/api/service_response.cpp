#include "service/api/service_response.h"

namespace millrace::api {

http::Response service_response(const tasks::ServiceAnswer& answer, std::string_view type,
                                std::string_view message, const std::string& request_id) {
  http::Response response;
  response.content_type = "application/x-amz-json-1.0";
  response.headers.push_back({"x-amzn-RequestId", request_id});
  if (answer) {
    response.body = answer->text();
    return response;
  }
  const tasks::ServiceError& error = answer.error();
  response.status = error.status;
  JsonWriter out;
  out.begin_object().key("__type").string(type);
  for (const auto [key, value] : error.detail.view().members()) out.key(key).value(value);
  out.key(message).string(error.message).end_object();
  response.body = out.finish().text();
  return response;
}

}  // namespace millrace::api
