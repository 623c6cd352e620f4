#include "service/api/kinesis.h"

#include "service/api/cbor.h"

namespace millrace::api {
namespace {

using tasks::ServiceAnswer;

constexpr std::string_view kKinesisJson = "application/x-amz-json-1.1",
                           kKinesisCbor = "application/x-amz-cbor-1.1";

constexpr CborForm kKinesisForm{[](std::string_view name) { return name.ends_with("Timestamp"); },
                                [](std::string_view name) { return name == "Data"; }, 1000};

http::Response kinesis_response(const ServiceAnswer& answer, const std::string& id, bool cbor) {
  http::Response response;
  response.content_type = cbor ? kKinesisCbor : kKinesisJson;
  response.headers.push_back({"x-amzn-RequestId", id});
  Payload document = Payload::empty_object();
  if (answer) {
    document = *answer;
  } else {
    const tasks::ServiceError& error = answer.error();
    response.status = error.status;
    response.headers.push_back({"x-amzn-ErrorType", error.code});
    JsonWriter out;
    out.begin_object().key("__type").string(error.code).key("message").string(error.message).end_object();
    document = out.finish();
  }
  // What changes something and has nothing to tell answers nothing at all.
  if (answer && document.view().size() == 0) return response;
  response.body = cbor ? write_cbor(document.view(), kKinesisForm) : std::string(document.text());
  return response;
}

Result<Payload> kinesis_input(const std::string& body, bool cbor) {
  if (body.empty()) return Payload::empty_object();
  return cbor ? read_cbor(body, kKinesisForm.time_units) : Payload::parse(body);
}

}  // namespace

void KinesisApi::handle(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  const http::Request& request = exchange->request();
  const bool cbor = request.header("content-type").starts_with(kKinesisCbor);
  const auto refuse = [&](std::string code, std::string message, int status = 400) {
    exchange->respond(
        kinesis_response(tasks::service_error(std::move(code), std::move(message), status), id, cbor));
  };
  const std::string operation(request.header("x-amz-target").substr(kTarget.size()));
  if (!tasks::kinesis::Streams::has(operation))
    return refuse("UnknownOperationException", "Kinesis has no operation '" + operation + "' here");
  auto input = kinesis_input(request.body, cbor);
  if (!input || !input->view().is_object())
    return refuse("SerializationException", input ? "the request is no object" : input.error().message);
  auto streams = data_.streams();
  if (!streams) return refuse("InternalFailure", streams.error().message, 500);
  tasks::ServiceCall call{operation, *std::move(input)};
  (*streams)->call(std::move(call), [exchange, post = post_, id, cbor](const ServiceAnswer& answer) mutable {
    // The exchange is the loop's: it goes there, and is let go of there.
    auto response = std::make_shared<http::Response>(kinesis_response(answer, id, cbor));
    post([exchange = std::move(exchange), response] { exchange->respond(std::move(*response)); });
  });
}

}  // namespace millrace::api
