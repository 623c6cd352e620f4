#include "service/api/stream_consumers.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/api/protocol.h"
#include "service/streams/operations.h"

namespace millrace::api {
namespace {

constexpr std::string_view kMappingsRoot = "/2015-03-31/event-source-mappings", kPipesRoot = "/v1/pipes";
constexpr std::size_t kPutBatchMax = 500;
constexpr std::int64_t kDeliveryRetention = 24 * 7;  // hours that what is not delivered yet is kept
constexpr std::size_t kDeliveryRecordMax = 1'024'000;

// One operation of a REST API: "METHOD ROOT[/NAME[/VERB]]".
struct ConsumerRoute {
  std::string_view method, verb;
  bool named = false;
  std::string_view operation;
  int status = 200;
};
constexpr ConsumerRoute kMappingRoutes[] = {{"POST", "", false, "CreateEventSourceMapping", 202},
                                            {"GET", "", false, "ListEventSourceMappings"},
                                            {"GET", "", true, "GetEventSourceMapping"},
                                            {"PUT", "", true, "UpdateEventSourceMapping", 202},
                                            {"DELETE", "", true, "DeleteEventSourceMapping", 202}};
constexpr ConsumerRoute kPipeRoutes[] = {
    {"GET", "", false, "ListPipes"},    {"POST", "", true, "CreatePipe"},
    {"GET", "", true, "DescribePipe"},  {"PUT", "", true, "UpdatePipe"},
    {"DELETE", "", true, "DeletePipe"}, {"POST", "start", true, "StartPipe"},
    {"POST", "stop", true, "StopPipe"},
};

struct ConsumerRequest {
  const ConsumerRoute* route = nullptr;  // null: there is none
  std::string name;
};

bool is_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

ConsumerRequest route_of(const http::Request& request, std::string_view root,
                         std::span<const ConsumerRoute> routes) {
  ConsumerRequest asked;
  if (!is_below(request.path, root)) return asked;
  std::string_view rest = std::string_view(request.path).substr(root.size());
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const std::size_t slash = rest.find('/');
  asked.name = percent_decode(rest.substr(0, slash));
  const std::string_view verb = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  for (const ConsumerRoute& route : routes)
    if (route.method == request.method && route.verb == verb && route.named == !asked.name.empty())
      asked.route = &route;
  return asked;
}

// The body with what the path and the query say.
tl::expected<Payload, ApiError> rest_input(const http::Request& request, const ConsumerRequest& asked,
                                           const char* name_member,
                                           std::initializer_list<std::string_view> texts,
                                           std::string_view number) {
  Json input = Json::object();
  if (!request.body.empty()) {
    const auto body = Payload::parse(request.body);
    if (!body || !body->view().is_object())
      return refuse("SerializationException", body ? "the request is no JSON object"
                                                   : "the request is no JSON: " + body.error().message);
    input = to_json(body->view());
  }
  if (!asked.name.empty()) input[name_member] = asked.name;
  for (const std::string_view text : texts)
    if (const std::string value = parameter(request.query, text); !value.empty())
      input[std::string(text)] = value;
  if (const std::string most = parameter(request.query, number); !most.empty()) {
    const Json value = Json::parse(most, nullptr, false);
    input[std::string(number)] = value.is_discarded() ? Json(most) : value;
  }
  return to_payload(input);
}

http::Response rest_response(const Answer& answer, int status, const std::string& id) {
  if (!answer) return error_response(Protocol::RestJson, answer.error(), id);
  http::Response response;
  response.status = status;
  response.headers.push_back({"x-amzn-RequestId", id});
  response.body = answer->text();
  return response;
}

http::Response firehose_response(const Answer& answer, const std::string& id) {
  if (!answer) return error_response(Protocol::AwsJson11, answer.error(), id);
  http::Response response;
  response.content_type = "application/x-amz-json-1.1";
  response.headers.push_back({"x-amzn-RequestId", id});
  response.body = answer->text();
  return response;
}

std::string own_stream_of(const std::string& delivery) {
  return "firehose/" + delivery;
}

ApiError not_kept(const Error& error) {
  if (error.code == ErrorCode::Unavailable) return {"ServiceUnavailableException", error.message, 503};
  return {"InternalFailure", error.message, 500};
}

tl::expected<std::string, ApiError> delivery_data(JsonView record) {
  const JsonView data = record && record.is_object() ? member(record, "Data") : JsonView();
  auto bytes = data && data.is_string() ? base64_decode(data.string()) : std::nullopt;
  if (!bytes) return refuse("SerializationException", "Record.Data is no Base64");
  if (bytes->size() > kDeliveryRecordMax)
    return refuse("InvalidArgumentException", "a record has at most 1,000 KiB");
  return *std::move(bytes);
}

}  // namespace

bool StreamConsumersApi::serves_mappings(const http::Request& request) {
  return is_below(request.path, kMappingsRoot);
}
bool StreamConsumersApi::serves_pipes(const http::Request& request) {
  return is_below(request.path, kPipesRoot);
}

std::vector<auth::Demand> StreamConsumersApi::mapping_demands(const http::Request& request) {
  const auto asked = route_of(request, kMappingsRoot, kMappingRoutes);
  return {{"lambda:" + std::string(asked.route ? asked.route->operation : "*"), "*"}};
}
std::vector<auth::Demand> StreamConsumersApi::pipe_demands(const http::Request& request) {
  const auto asked = route_of(request, kPipesRoot, kPipeRoutes);
  return {{"pipes:" + std::string(asked.route ? asked.route->operation : "*"), "*"}};
}

void StreamConsumersApi::handle_mappings(const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const std::string id = uuid_v4(random_);
  const auto asked = route_of(request, kMappingsRoot, kMappingRoutes);
  const int status = asked.route ? asked.route->status : 200;
  const auto reply = [exchange, id, status](const Answer& answer) {
    exchange->respond(rest_response(answer, status, id));
  };
  if (!asked.route)
    return reply(refuse("UnknownOperationException",
                        "there is nothing at " + request.method + " " + request.path, 404));
  const auto input =
      rest_input(request, asked, "UUID", {"EventSourceArn", "FunctionName", "Marker"}, "MaxItems");
  if (!input) return reply(tl::unexpected<ApiError>(input.error()));
  bus_.call(streams::mapping_operations(), asked.route->operation, *input, reply);
}

void StreamConsumersApi::handle_pipes(const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const std::string id = uuid_v4(random_);
  const auto reply = [exchange, id](const Answer& answer) {
    exchange->respond(rest_response(answer, 200, id));
  };
  const auto asked = route_of(request, kPipesRoot, kPipeRoutes);
  if (!asked.route)
    return reply(refuse("UnknownOperationException",
                        "there is nothing at " + request.method + " " + request.path, 404));
  const auto input =
      rest_input(request, asked, "Name",
                 {"NamePrefix", "NextToken", "DesiredState", "SourcePrefix", "TargetPrefix"}, "Limit");
  if (!input) return reply(tl::unexpected<ApiError>(input.error()));
  bus_.call(streams::pipe_operations(), asked.route->operation, *input, reply);
}

void StreamConsumersApi::handle_firehose(const http::ExchangePtr& exchange) {
  const std::string id = uuid_v4(random_);
  const http::Request& request = exchange->request();
  const Reply reply = [exchange, id](const Answer& answer) {
    exchange->respond(firehose_response(answer, id));
  };
  const std::string_view operation = request.header("x-amz-target").substr(kFirehose.size());
  const auto input =
      request.body.empty() ? Result<Payload>(Payload::empty_object()) : Payload::parse(request.body);
  if (!input || !input->view().is_object())
    return reply(
        refuse("SerializationException", input ? "the request is no JSON object" : input.error().message));
  if (operation == "PutRecord" || operation == "PutRecordBatch")
    return put_to_delivery(operation, *input, reply);
  if (operation == "CreateDeliveryStream") return create_delivery(*input, reply);
  if (operation == "DeleteDeliveryStream") return delete_delivery(*input, reply);
  if (!bus_.call(streams::delivery_operations(), operation, *input, reply))
    reply(refuse("UnknownOperationException",
                 "Firehose has no operation '" + std::string(operation) + "' here"));
}

// What is put directly lies in a stream of the home's own; it is there before the delivery stream is.
void StreamConsumersApi::create_delivery(const Payload& input, const Reply& reply) {
  const auto make = [this, input, reply] {
    bus_.call(streams::delivery_operations(), "CreateDeliveryStream", input, reply);
  };
  const std::string name = text_of(input.view(), "DeliveryStreamName");
  if (text_of(input.view(), "DeliveryStreamType") == "KinesisStreamAsSource" || name.empty() ||
      !bus::good_name(name, 64))
    return make();
  const auto streams = data_.streams();
  if (!streams) return reply(tl::unexpected<ApiError>(not_kept(streams.error())));
  (*streams)->make_own(own_stream_of(name), kDeliveryRetention,
                       [post = post_, make, reply](const Status& made) {
                         post([make, reply, made] {
                           if (made) return make();
                           reply(tl::unexpected<ApiError>(not_kept(made.error())));
                         });
                       });
}

void StreamConsumersApi::delete_delivery(const Payload& input, const Reply& reply) {
  const std::string name = text_of(input.view(), "DeliveryStreamName");
  bus_.call(streams::delivery_operations(), "DeleteDeliveryStream", input,
            [this, name, reply](const Answer& answer) {
              const auto streams = data_.streams();
              if (!answer || !streams) return reply(answer);
              (*streams)->drop_own(own_stream_of(name), [post = post_, reply, answer](const Status&) {
                post([reply, answer] { reply(answer); });
              });
            });
}

void StreamConsumersApi::put_to_delivery(std::string_view operation, const Payload& input,
                                         const Reply& reply) {
  const bool batch = operation == "PutRecordBatch";
  const std::string name = text_of(input.view(), "DeliveryStreamName");
  tasks::kinesis::Streams::Put put;
  put.stream = own_stream_of(name);
  std::vector<JsonView> records;
  if (const JsonView list = member(input.view(), batch ? "Records" : "Record"); list && !batch)
    records.push_back(list);
  else if (list && list.is_array())
    for (const JsonView one : list.elements()) records.push_back(one);
  if (name.empty() || records.empty() || records.size() > kPutBatchMax)
    return reply(refuse("ValidationException", batch ? "DeliveryStreamName and 1 to 500 Records must be given"
                                                     : "DeliveryStreamName and Record must be given"));
  for (const JsonView record : records) {
    auto data = delivery_data(record);
    if (!data) return reply(tl::unexpected<ApiError>(data.error()));
    put.records.push_back({"-", *std::move(data)});
  }
  const auto streams = data_.streams();
  if (!streams) return reply(tl::unexpected<ApiError>(not_kept(streams.error())));
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < records.size(); ++i) ids.push_back(uuid_v4(random_));
  (*streams)->put(std::move(put), [post = post_, reply, name, batch, ids](const Status& kept) {
    Answer answer = Payload();
    if (!kept && kept.error().code == ErrorCode::NotFound)
      answer = refuse("ResourceNotFoundException", "Firehose " + name + " not found, or it reads a stream.");
    else if (!kept)
      answer = tl::unexpected<ApiError>(not_kept(kept.error()));
    if (kept) {
      JsonWriter out;
      out.begin_object();
      if (batch) {
        out.key("FailedPutCount").number(std::int64_t{0}).key("Encrypted").boolean(false);
        out.key("RequestResponses").begin_array();
        for (const std::string& id : ids) out.begin_object().key("RecordId").string(id).end_object();
        out.end_array();
      } else {
        out.key("RecordId").string(ids.front()).key("Encrypted").boolean(false);
      }
      out.end_object();
      answer = out.finish();
    }
    post([reply, answer] { reply(answer); });
  });
}

}  // namespace millrace::api
