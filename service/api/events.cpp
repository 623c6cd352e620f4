#include "service/api/events.h"

#include <algorithm>

#include "service/api/library_call.h"
#include "service/bus/operations.h"

namespace millrace::api {
namespace {

constexpr std::string_view kEventsContentType = "application/x-amz-json-1.1";

// Of the task library.
constexpr std::string_view kLibraryOperations[] = {"CreateConnection",   "DeleteConnection",
                                                   "DescribeConnection", "ListConnections",
                                                   "PutEvents",          "UpdateConnection"};

// The records have RFC 3339, the protocol has seconds since 1970.
constexpr std::string_view kTimes[] = {"CreationTime", "LastModifiedTime", "LastAuthorizedTime"};

void copy_with_times(JsonWriter& out, JsonView value) {
  if (value.is_array()) {
    out.begin_array();
    for (const JsonView element : value.elements()) copy_with_times(out, element);
    out.end_array();
    return;
  }
  if (!value.is_object()) {
    out.value(value);
    return;
  }
  out.begin_object();
  for (const auto& [key, member] : value.members()) {
    const bool time = std::any_of(std::begin(kTimes), std::end(kTimes),
                                  [&, k = key](std::string_view name) { return k.equals(name); });
    const auto instant = time && member.is_string() ? parse_rfc3339(member.string()) : std::nullopt;
    if (instant) {
      write_time(out, key.string(), *instant);
    } else {
      out.key(key);
      copy_with_times(out, member);
    }
  }
  out.end_object();
}

http::Response events_response(const Answer& answer, const std::string& id) {
  http::Response response;
  response.content_type = kEventsContentType;
  response.headers.push_back({"x-amzn-RequestId", id});
  JsonWriter out;
  if (answer) {
    copy_with_times(out, answer->view());
  } else {
    const ApiError& error = answer.error();
    response.status = error.status;
    response.headers.push_back({"x-amzn-ErrorType", error.code});
    out.begin_object().key("__type").string(error.code).key("message").string(error.message).end_object();
  }
  response.body = out.finish().text();
  return response;
}

}  // namespace

void EventsApi::handle(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  const auto reply = [exchange, id](const Answer& answer) { exchange->respond(events_response(answer, id)); };
  const http::Request& request = exchange->request();
  std::string_view operation = request.header("x-amz-target");
  operation.remove_prefix(std::min(kTarget.size(), operation.size()));
  const bool empty = request.body.find_first_not_of(" \t\r\n") == std::string::npos;
  const auto input = empty ? Result<Payload>(Payload::empty_object()) : Payload::parse(request.body);
  if (!input || !input->view().is_object())
    return reply(refuse("SerializationException", input
                                                      ? "the request is no JSON object"
                                                      : "the request is no JSON: " + input.error().message));
  const bool of_library = std::find(std::begin(kLibraryOperations), std::end(kLibraryOperations),
                                    operation) != std::end(kLibraryOperations);
  if (of_library)
    return call_library(library_, "eventbridge", library_operation(operation), *input, "the EventBridge API",
                        reply);
  if (!bus_.call(bus::event_operations(), operation, *input, reply))
    reply(refuse("UnknownOperationException",
                 "EventBridge has no operation '" + std::string(operation) + "' here"));
}

}  // namespace millrace::api
