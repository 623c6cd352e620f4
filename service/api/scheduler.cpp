#include "service/api/scheduler.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/api/protocol.h"
#include "service/bus/operations.h"

namespace millrace::api {
namespace {

struct ScheduleRoute {
  std::string_view method, root;  // "/schedules"
  bool named = false;             // "/schedules/NAME"
  std::string_view operation;
  std::string_view member = {};  // what the name is in the input
};
constexpr ScheduleRoute kRoutes[] = {
    {"POST", "/schedules", true, "CreateSchedule", "Name"},
    {"GET", "/schedules", true, "GetSchedule", "Name"},
    {"PUT", "/schedules", true, "UpdateSchedule", "Name"},
    {"DELETE", "/schedules", true, "DeleteSchedule", "Name"},
    {"GET", "/schedules", false, "ListSchedules"},
    {"POST", "/schedule-groups", true, "CreateScheduleGroup", "Name"},
    {"GET", "/schedule-groups", true, "GetScheduleGroup", "Name"},
    {"DELETE", "/schedule-groups", true, "DeleteScheduleGroup", "Name"},
    {"GET", "/schedule-groups", false, "ListScheduleGroups"},
    {"GET", "/tags", true, "ListTagsForResource", "ResourceArn"},
    {"POST", "/tags", true, "TagResource", "ResourceArn"},
    {"DELETE", "/tags", true, "UntagResource", "ResourceArn"},
};

// How query parameters are members of the input.
constexpr std::pair<std::string_view, std::string_view> kParameters[] = {{"groupName", "GroupName"},
                                                                         {"clientToken", "ClientToken"},
                                                                         {"ScheduleGroup", "ScheduleGroup"},
                                                                         {"NamePrefix", "NamePrefix"},
                                                                         {"State", "State"},
                                                                         {"NextToken", "NextToken"}};

struct ScheduleRequest {
  const ScheduleRoute* route = nullptr;  // null: AWS JSON, or nothing
  std::string operation, name;
};

ScheduleRequest read_route(const http::Request& request) {
  const std::string_view target = request.header("x-amz-target");
  if (target.starts_with(SchedulerApi::kTarget))
    return {nullptr, std::string(target.substr(SchedulerApi::kTarget.size())), ""};
  for (const ScheduleRoute& route : kRoutes) {
    std::string_view path = request.path;
    if (request.method != route.method || !path.starts_with(route.root)) continue;
    path.remove_prefix(route.root.size());
    if (path.ends_with('/')) path.remove_suffix(1);
    if (route.named != (path.size() > 1 && path.front() == '/') || (!route.named && !path.empty())) continue;
    return {&route, std::string(route.operation),
            route.named ? percent_decode(path.substr(1)) : std::string()};
  }
  return {};
}

// Every value of a parameter that may come several times.
Json values_of(std::string_view query, std::string_view name) {
  Json values = Json::array();
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (const std::string value = parameter(part, name); !value.empty()) values.push_back(value);
  }
  return values;
}

tl::expected<Payload, ApiError> input_of(const http::Request& request, const ScheduleRequest& asked) {
  const bool empty = request.body.find_first_not_of(" \t\r\n") == std::string::npos;
  const auto body = empty ? Result<Payload>(Payload::empty_object()) : Payload::parse(request.body);
  if (!body || !body->view().is_object())
    return refuse("ValidationException",
                  body ? "the request is no JSON object" : "the request is no JSON: " + body.error().message);
  if (!asked.route) return *body;
  Json input = to_json(body->view());
  if (!asked.route->member.empty()) input[std::string(asked.route->member)] = asked.name;
  for (const auto& [from, to] : kParameters)
    if (const std::string value = parameter(request.query, from); !value.empty())
      input[std::string(to)] = value;
  if (const std::string most = parameter(request.query, "MaxResults"); !most.empty()) {
    const Json number = Json::parse(most, nullptr, false);
    input["MaxResults"] = number.is_discarded() ? Json(most) : number;
  }
  if (asked.operation == "UntagResource") input["TagKeys"] = values_of(request.query, "TagKeys");
  return to_payload(input);
}

}  // namespace

bool SchedulerApi::serves(const http::Request& request) {
  return read_route(request).route != nullptr;
}

std::vector<auth::Demand> SchedulerApi::demands(const http::Request& request) {
  const ScheduleRequest asked = read_route(request);
  return {{"scheduler:" + (asked.operation.empty() ? std::string("*") : asked.operation), "*"}};
}

void SchedulerApi::handle(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  const http::Request& request = exchange->request();
  const ScheduleRequest asked = read_route(request);
  const Protocol protocol = asked.route ? Protocol::RestJson : Protocol::AwsJson10;
  const auto reply = [exchange, id, protocol](const Answer& answer) {
    if (!answer) return exchange->respond(error_response(protocol, answer.error(), id));
    http::Response response;
    response.headers.push_back({"x-amzn-RequestId", id});
    response.body = answer->text();
    exchange->respond(std::move(response));
  };
  const auto input = input_of(request, asked);
  if (!input) return reply(tl::unexpected<ApiError>(input.error()));
  if (!bus_.call(bus::scheduler_operations(), asked.operation, *input, reply))
    reply(refuse("UnknownOperationException",
                 "EventBridge Scheduler has nothing at " + request.method + " " + request.path, 404));
}

}  // namespace millrace::api
