#include "service/api/label_links.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/time.h"
#include "service/api/approval_page.h"
#include "service/api/form.h"
#include "service/api/label_page.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kLabelPages = "/v1/labels/", kLinks = "/links";
constexpr std::int64_t kLinkHoursUsual = 168, kLinkHoursMax = 24 * 366;
constexpr std::size_t kWorkerNameMax = 100;

// TASK of /v1/labels/TASK, or of /v1/labels/TASK/links; empty: something else.
std::string task_of_path(std::string_view path, bool links) {
  if (!path.starts_with(kLabelPages)) return {};
  path.remove_prefix(kLabelPages.size());
  if (links != path.ends_with(kLinks)) return {};
  if (links) path.remove_suffix(kLinks.size());
  return path.find('/') == path.npos ? percent_decode(path) : std::string();
}

// What a link's secret part is about: no approval is called so.
std::string link_subject(const std::string& task) {
  return "labels " + task;
}

std::string plain_name(std::string text) {
  std::erase_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (text.size() <= kWorkerNameMax) return text;
  std::size_t end = kWorkerNameMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::optional<std::int64_t> object_id(const std::string& text) {
  const Json number = Json::parse(text, nullptr, false);
  return number.is_number_integer() ? std::optional(number.get<std::int64_t>()) : std::nullopt;
}

void say_why(const http::ExchangePtr& exchange, const tasks::ServiceError& error) {
  exchange->respond(approval_note(
      error.status, error.status == 404 ? "There is no such task" : "That did not work", error.message));
}

}  // namespace

bool LabelLinks::serves_pages(const http::Request& request) {
  if (task_of_path(request.path, false).empty()) return false;
  if (request.method == "POST")
    return request.header("content-type").starts_with("application/x-www-form-urlencoded");
  return (request.method == "GET" || request.method == "HEAD") && !parameter(request.query, "token").empty();
}

bool LabelLinks::makes_links(const http::Request& request) {
  return request.header("x-amz-target") == kTarget ||
         (request.method == "POST" && !task_of_path(request.path, true).empty());
}

std::vector<auth::Demand> LabelLinks::demands(const http::Request&) {
  return {{"millrace:CreateLabelLink", "*"}};
}

void LabelLinks::ask(http::ExchangePtr exchange, const char* operation, const Json& input, Answered then) {
  const auto store = labels_.store();
  if (!store)
    return then(exchange, tl::unexpected(tasks::ServiceError{"InternalFailure", store.error().message, 500}));
  (*store)->call({operation, to_payload(input)}, [exchange = std::move(exchange), then = std::move(then),
                                                  post = post_](tasks::ServiceAnswer answer) mutable {
    // The exchange is the loop's: it goes there, and is let go of there.
    post([exchange = std::move(exchange), then = std::move(then), answer = std::move(answer)] {
      then(exchange, answer);
    });
  });
}

void LabelLinks::handle_page(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const std::string task = task_of_path(request.path, false);
  if (request.method == "POST") return take_answer(exchange, task);
  LabelVisit visit{task, parameter(request.query, "token"), plain_name(parameter(request.query, "worker")),
                   false, parameter(request.query, "last")};
  const auto link = approvals_.verify(link_subject(task), visit.token);
  if (!link)
    return exchange->respond(approval_note(403, "This link does not open anything", link.error().message));
  if (!link->recipient.empty()) visit.worker = link->recipient, visit.names_worker = true;
  Json input = {{"Task", task}, {"Limit", 1}};
  const bool ask_name = visit.worker.empty();
  if (!ask_name) input.update({{"Worker", visit.worker}, {"Reserve", true}});
  if (const auto after = object_id(parameter(request.query, "after"))) input["After"] = *after;
  if (const auto id = object_id(parameter(request.query, "id"))) input["Id"] = *id;
  ask(std::move(exchange), "GetLabelItems", input,
      [visit, ask_name](const http::ExchangePtr& to, const tasks::ServiceAnswer& answer) {
        if (!answer) return say_why(to, answer.error());
        const Json json = to_json(answer->view());
        to->respond(ask_name ? label_name_page(visit, json) : label_page(visit, json));
      });
}

void LabelLinks::take_answer(const http::ExchangePtr& exchange, const std::string& task) {
  const auto form = parse_form(exchange->request().body);
  const auto field = [&](const char* name) {
    const auto found = form.find(name);
    return found == form.end() ? std::string() : found->second;
  };
  const auto nothing = [&](int status, const std::string& why) {
    exchange->respond(approval_note(status, "Nothing was kept", why));
  };
  LabelVisit visit{task, field("token"), plain_name(field("worker")), false, {}};
  const auto link = approvals_.verify(link_subject(task), visit.token);
  if (!link) return nothing(403, link.error().message);
  if (!link->recipient.empty()) visit.worker = link->recipient, visit.names_worker = true;
  const auto id = object_id(field("id"));
  if (!id) return nothing(400, "The form does not say which object it is about.");
  if (visit.worker.empty()) return nothing(400, "Open the link again and say who you are.");
  const Json input = {{"Task", task},
                      {"Worker", visit.worker},
                      {"Labels", Json::array({{{"Id", *id}, {"Label", field("label")}}})}};
  ask(exchange, "PutLabels", input,
      [visit, id](const http::ExchangePtr& to, const tasks::ServiceAnswer& answer) {
        if (!answer) return say_why(to, answer.error());
        // To a page of its own, so that loading it again sends nothing again.
        http::Response response;
        response.status = 303;
        response.content_type = "text/plain";
        response.headers = {{"Location", visit.address("&last=" + std::to_string(*id))},
                            {"Cache-Control", "no-store"},
                            {"Referrer-Policy", "no-referrer"}};
        to->respond(std::move(response));
      });
}

void LabelLinks::make_link(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const bool rest = request.header("x-amz-target").empty();
  const Protocol protocol = rest ? Protocol::RestJson : Protocol::AwsJson10;
  const std::string request_id = uuid_v4(random_);
  const auto refused = [&](const http::ExchangePtr& to, const ApiError& error) {
    to->respond(error_response(protocol, error, request_id));
  };
  const Json body = request.body.empty() ? Json(Json::object()) : Json::parse(request.body, nullptr, false);
  if (!body.is_object())
    return refused(exchange, {"SerializationException", "the request is no JSON object", 400});
  const auto member = [&](const char* small, const char* large) {
    const auto found = body.find(rest ? small : large);
    return found == body.end() ? Json() : *found;
  };
  const Json task_name = rest ? Json(task_of_path(request.path, true)) : member("task", "Task");
  const Json worker = member("worker", "Worker"), hours_given = member("hours", "Hours");
  const Json hours = hours_given.is_null() ? Json(kLinkHoursUsual) : hours_given;
  if (!task_name.is_string() || task_name == "")
    return refused(exchange, {"ValidationException", "Task is required: a labelling job", 400});
  if (!worker.is_null() && (!worker.is_string() || worker.get<std::string>().size() > kWorkerNameMax))
    return refused(exchange, {"ValidationException", "Worker must be a text of at most 100 bytes", 400});
  if (!hours.is_number_integer() || hours.get<std::int64_t>() < 1 ||
      hours.get<std::int64_t>() > kLinkHoursMax)
    return refused(exchange,
                   {"ValidationException",
                    "Hours must be a whole number from 1 to " + std::to_string(kLinkHoursMax), 400});
  const std::string task = task_name;
  tasks::ApprovalLink link{worker.is_string() ? plain_name(worker.get<std::string>()) : std::string(),
                           approvals_.now() + Millis(hours.get<std::int64_t>() * 3'600'000)};
  ask(std::move(exchange), "GetLabelItems", {{"Task", task}, {"Limit", 1}},
      [this, link, task, rest, protocol, request_id](const http::ExchangePtr& to,
                                                     const tasks::ServiceAnswer& answer) {
        const auto no = [&](const ApiError& error) {
          to->respond(error_response(protocol, error, request_id));
        };
        if (!answer) return no({answer.error().code, answer.error().message, answer.error().status});
        const auto base = approvals_.base_url();
        if (!base) return no({"ServiceUnavailable", base.error().message, 503});
        const LabelVisit visit{task, approvals_.sign(link_subject(task), link), "", true, ""};
        http::Response response;
        response.headers.push_back({"x-amzn-RequestId", request_id});
        response.body =
            std::string(to_payload(Json{{rest ? "url" : "Url", *base + visit.address()},
                                        {rest ? "expires" : "Expires", format_rfc3339(link.expires)}})
                            .text());
        to->respond(std::move(response));
      });
}

}  // namespace millrace::api
