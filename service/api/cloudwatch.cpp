#include "service/api/cloudwatch.h"

#include "service/api/cbor.h"
#include "service/api/cloudwatch_query.h"
#include "service/api/inflate.h"
#include "service/api/protocol.h"
#include "service/api/service_response.h"

namespace millrace::api {
namespace {

using tasks::service_error;
using tasks::ServiceAnswer;

constexpr std::string_view kCborPath = "/service/GraniteServiceVersion20100801/operation/";
constexpr std::string_view kCloudWatchTypes = "com.amazonaws.cloudwatch.v2010_08_01#";

constexpr std::size_t kUnpackedMax = 4u
                                     << 20;  // a whole PutMetricData is smaller; it is unpacked on the loop

enum class WireForm { Json, Query, Cbor };

WireForm form_of(const http::Request& request) {
  if (request.header("x-amz-target").starts_with(CloudWatchApi::kTarget)) return WireForm::Json;
  return CloudWatchApi::serves_cbor(request) ? WireForm::Cbor : WireForm::Query;
}

bool is_gzip(const http::Request& request) {
  return request.header("content-encoding") == "gzip";
}

std::string_view query_text(const http::Request& request) {
  return request.body.empty() ? std::string_view(request.query) : std::string_view(request.body);
}

std::string operation_in(const http::Request& request, WireForm form, std::string_view body) {
  if (form == WireForm::Json)
    return std::string(request.header("x-amz-target").substr(CloudWatchApi::kTarget.size()));
  if (form == WireForm::Cbor) return request.path.substr(kCborPath.size());
  return cloudwatch_action(body);
}

// The name that SDKs' classes have.
std::string shape_of_error(const std::string& code) {
  return code == "InternalServerError" ? "InternalServiceFault" : code;
}

http::Header query_error(const tasks::ServiceError& error) {
  return {"x-amzn-query-error",
          std::string(cloudwatch_query_code(error.code)) + (error.status < 500 ? ";Sender" : ";Receiver")};
}

http::Response json_answer(const ServiceAnswer& answer, const std::string& id) {
  const std::string code = answer ? "" : shape_of_error(answer.error().code);
  http::Response response = service_response(answer, std::string(kCloudWatchTypes) + code, "message", id);
  if (!answer) response.headers.push_back(query_error(answer.error()));
  return response;
}

http::Response cbor_answer(const ServiceAnswer& answer, const std::string& id) {
  http::Response response;
  response.content_type = "application/cbor";
  response.headers = {{"x-amzn-RequestId", id}, {"smithy-protocol", "rpc-v2-cbor"}};
  if (answer) {
    response.body = write_cbor(answer->view(), {is_cloudwatch_time});
    return response;
  }
  const tasks::ServiceError& error = answer.error();
  JsonWriter out;
  out.begin_object().key("__type").string(std::string(kCloudWatchTypes) + shape_of_error(error.code));
  out.key("message").string(error.message).end_object();
  response.status = error.status;
  response.headers.push_back(query_error(error));
  response.body = write_cbor(out.finish().view(), {is_cloudwatch_time});
  return response;
}

http::Response xml_answer(const std::string& operation, const ServiceAnswer& answer, const std::string& id) {
  http::Response response;
  response.content_type = "text/xml";
  response.headers.push_back({"x-amzn-RequestId", id});
  if (answer) {
    response.body = cloudwatch_answer_xml(operation, answer->view(), id);
    return response;
  }
  const tasks::ServiceError& error = answer.error();
  response.status = error.status;
  response.body =
      cloudwatch_error_xml(cloudwatch_query_code(error.code), error.message, error.status < 500, id);
  return response;
}

http::Response answer_in(WireForm form, const std::string& operation, const ServiceAnswer& answer,
                         const std::string& id) {
  if (form == WireForm::Json) return json_answer(answer, id);
  return form == WireForm::Cbor ? cbor_answer(answer, id) : xml_answer(operation, answer, id);
}

Result<Payload> input_in(WireForm form, std::string_view body) {
  if (form == WireForm::Query) return cloudwatch_input_of_form(body);
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return Payload::empty_object();
  MR_TRY(input, form == WireForm::Cbor ? read_cbor(body) : Payload::parse(body));
  if (!input.view().is_object()) return invalid("the request is no object");
  return input;
}

}  // namespace

bool CloudWatchApi::serves_query(const http::Request& request) {
  constexpr std::string_view kVersion = "Version=2010-08-01";
  if (request.path != "/" || !request.header("x-amz-target").empty()) return false;
  const std::string_view text = query_text(request);
  const std::size_t at = text.find(kVersion);
  return at != std::string_view::npos && (at == 0 || text[at - 1] == '&');
}

bool CloudWatchApi::serves_cbor(const http::Request& request) {
  return request.method == "POST" && request.path.starts_with(kCborPath);
}

std::vector<auth::Demand> CloudWatchApi::demands(const http::Request& request) {
  const WireForm form = form_of(request);
  std::string operation = operation_in(request, form, query_text(request));
  // What can't be read without unpacking it needs the right to everything.
  if (operation.empty() || (form == WireForm::Query && is_gzip(request))) operation = "*";
  return {{"cloudwatch:" + operation, "*"}};
}

void CloudWatchApi::handle(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const std::string id = uuid_v4(random_);
  const WireForm form = form_of(request);
  std::string unpacked;
  std::string_view body = form == WireForm::Query ? query_text(request) : std::string_view(request.body);
  const auto refuse = [&](std::string code, std::string message, int status = 400) {
    exchange->respond(answer_in(form, "", service_error(std::move(code), std::move(message), status), id));
  };
  if (is_gzip(request)) {
    auto inflated = inflate_body(request.body, kUnpackedMax);
    if (!inflated) return refuse("SerializationException", inflated.error().message);
    unpacked = *std::move(inflated);
    body = unpacked;
  }
  const std::string operation = operation_in(request, form, body);
  if (!tasks::MetricStore::has(operation))
    return refuse("UnknownOperationException", "CloudWatch has no operation '" + operation + "' here");
  auto input = input_in(form, body);
  if (!input)
    return refuse(form == WireForm::Query ? "InvalidParameterValueException" : "SerializationException",
                  input.error().message);
  auto metrics = data_.metrics();
  if (!metrics) return refuse("InternalServerError", metrics.error().message, 500);
  tasks::ServiceCall call{operation, *std::move(input)};
  (*metrics)->call(std::move(call),
                   [exchange, post = post_, id, form, operation](ServiceAnswer answer) mutable {
                     // The exchange is the loop's: it goes there, and is let go of there.
                     post([exchange = std::move(exchange), id, form, operation, answer = std::move(answer)] {
                       exchange->respond(answer_in(form, operation, answer, id));
                     });
                   });
}

}  // namespace millrace::api
