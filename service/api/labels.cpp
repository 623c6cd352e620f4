#include "service/api/labels.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/api/protocol.h"
#include "tasks/table/csv.h"

namespace millrace::api {
namespace {

constexpr std::string_view kLabelsRoot = "/v1/labels";

// The task in /v1/labels/TASK; empty: all of them.
std::string task_in_path(const http::Request& request) {
  std::string_view rest = std::string_view(request.path).substr(kLabelsRoot.size());
  while (rest.starts_with('/')) rest.remove_prefix(1);
  return percent_decode(rest);
}

// Empty: there is none.
std::string label_operation_of(const http::Request& request) {
  const std::string_view target = request.header("x-amz-target");
  if (target.starts_with(LabelsApi::kTarget)) return std::string(target.substr(LabelsApi::kTarget.size()));
  const bool one = !task_in_path(request).empty();
  if (request.method == "GET") return one ? "GetLabelItems" : "ListLabelTasks";
  return request.method == "POST" && one ? "PutLabels" : "";
}

// "Task" is task: what people write by hand begins small.
Json small_names(const Json& value) {
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& one : value) list.push_back(small_names(one));
    return list;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, member] : value.items()) {
    std::string name = key;
    if (!name.empty() && name[0] >= 'A' && name[0] <= 'Z') name[0] = static_cast<char>(name[0] - 'A' + 'a');
    out[name] = name == "object" ? member : small_names(member);  // an object's members are its own
  }
  return out;
}
Json large_names(const Json& value) {
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& one : value) list.push_back(large_names(one));
    return list;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, member] : value.items()) {
    std::string name = key;
    if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
    out[name] = large_names(member);
  }
  return out;
}

// "id,label" lines as Labels.
Result<Json> labels_in_csv(std::string_view text) {
  tasks::CsvOptions options;
  options.keep_spelling = true;
  MR_TRY(table, tasks::parse_csv(text, "the request", options));
  const tasks::Column *id = table.find("id"), *label = table.find("label");
  if (!id || !label || id->type != tasks::Column::Type::Number)
    return invalid("expected CSV with the columns id (numbers) and label");
  Json labels = Json::array();
  for (std::size_t row = 0; row < table.rows; ++row)
    labels.push_back({{"Id", static_cast<std::int64_t>(id->numbers[row])}, {"Label", label->texts[row]}});
  return labels;
}

tl::expected<Payload, ApiError> label_input(const http::Request& request) {
  const bool rest = request.header("x-amz-target").empty();
  const bool csv = rest && request.header("content-type").starts_with("text/csv");
  Json input = Json::object();
  if (csv) {
    const auto labels = labels_in_csv(request.body);
    if (!labels) return refuse("ValidationException", labels.error().message);
    input["Labels"] = *labels;
  } else if (request.body.find_first_not_of(" \t\r\n") != std::string::npos) {
    const auto body = Payload::parse(request.body);
    if (!body || !body->view().is_object())
      return refuse("SerializationException", body ? "the request is no JSON object"
                                                   : "the request is no JSON: " + body.error().message);
    if (!rest) return *body;
    input = large_names(to_json(body->view()));
  }
  if (!rest) return to_payload(input);
  if (const std::string task = task_in_path(request); !task.empty()) input["Task"] = task;
  if (const std::string worker = parameter(request.query, "worker"); !worker.empty())
    input["Worker"] = worker;
  if (const std::string limit = parameter(request.query, "limit"); !limit.empty()) {
    const Json number = Json::parse(limit, nullptr, false);
    input["Limit"] = number.is_discarded() ? Json(limit) : number;
  }
  return to_payload(input);
}

}  // namespace

bool LabelsApi::serves(const http::Request& request) {
  return request.path == kLabelsRoot || request.path.starts_with(std::string(kLabelsRoot) + "/");
}

std::vector<auth::Demand> LabelsApi::demands(const http::Request& request) {
  const std::string operation = label_operation_of(request);
  return {{"millrace:" + (operation.empty() ? std::string("*") : operation), "*"}};
}

void LabelsApi::handle(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  const http::Request& request = exchange->request();
  const bool rest = request.header("x-amz-target").empty();
  const Protocol protocol = rest ? Protocol::RestJson : Protocol::AwsJson10;
  const auto refused = [&](const ApiError& error) { exchange->respond(error_response(protocol, error, id)); };
  const std::string operation = label_operation_of(request);
  if (!tasks::LabelStore::has(operation))
    return refused({"UnknownOperationException",
                    "there is nothing at " + request.method + " " + request.path +
                        "; GET /v1/labels lists tasks, GET and POST /v1/labels/TASK are for one",
                    404});
  auto input = label_input(request);
  if (!input) return refused(input.error());
  const auto store = labels_.store();
  if (!store) return refused({"InternalFailure", store.error().message, 500});
  (*store)->call({operation, *std::move(input)}, [exchange, post = post_, id, protocol,
                                                  rest](tasks::ServiceAnswer answer) mutable {
    // The exchange is the loop's: it goes there, and is let go of there.
    post([exchange = std::move(exchange), id, protocol, rest, answer = std::move(answer)] {
      if (!answer) {
        const tasks::ServiceError& error = answer.error();
        return exchange->respond(error_response(protocol, {error.code, error.message, error.status}, id));
      }
      http::Response response;
      response.headers.push_back({"x-amzn-RequestId", id});
      response.body = rest ? std::string(to_payload(small_names(to_json(answer->view()))).text())
                           : std::string(answer->text());
      exchange->respond(std::move(response));
    });
  });
}

}  // namespace millrace::api
