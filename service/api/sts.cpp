#include "service/api/sts.h"

#include "base/encoding.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kStsVersion = "2011-06-15";

std::string caller_identity(const auth::Caller& caller, const std::string& request_id) {
  const std::string& user = caller.key_id.empty() ? caller.account : caller.key_id;
  return R"(<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">)" +
         xml_element("GetCallerIdentityResult", xml_element("Arn", escape_xml(caller.arn())) +
                                                    xml_element("UserId", escape_xml(user)) +
                                                    xml_element("Account", escape_xml(caller.account))) +
         xml_element("ResponseMetadata", xml_element("RequestId", request_id)) +
         "</GetCallerIdentityResponse>";
}

}  // namespace

bool StsApi::serves(const http::Request& request) {
  return request.path == "/" && query_parameter(request, "Version") == kStsVersion;
}

void StsApi::handle(http::ExchangePtr exchange, const auth::Caller& caller) {
  const http::Request& request = exchange->request();
  const std::string id = uuid_v4(random_);
  const std::string action = query_parameter(request, "Action");
  if (action != "GetCallerIdentity")
    return exchange->respond(error_response(
        Protocol::Query,
        {"InvalidAction", "STS has no action '" + action + "' here; it has GetCallerIdentity"}, id));
  http::Response response;
  response.content_type = "text/xml";
  response.headers.push_back({"x-amzn-RequestId", id});
  response.body = caller_identity(caller, id);
  exchange->respond(std::move(response));
}

}  // namespace millrace::api
