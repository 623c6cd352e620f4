#include "service/api/approvals.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "orchestrator/queries.h"
#include "service/api/approval_page.h"
#include "service/api/form.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kApprovalsRoot = "/v1/approvals";
constexpr std::size_t kApproverNameMax = 100;

// "ID" of /v1/approvals/ID; empty: something else.
std::string approval_in(std::string_view path) {
  if (!path.starts_with(kApprovalsRoot) || path.size() < kApprovalsRoot.size() + 2 ||
      path[kApprovalsRoot.size()] != '/')
    return {};
  const std::string_view id = path.substr(kApprovalsRoot.size() + 1);
  const bool fine = std::all_of(id.begin(), id.end(),
                                [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return fine && id.size() <= 64 ? std::string(id) : std::string();
}

bool is_approvals_root(std::string_view path) {
  return path == kApprovalsRoot || path == "/v1/approvals/";
}

bool has_content_type(const http::Request& request, std::string_view type) {
  const std::string_view given = request.header("content-type");
  return given.substr(0, given.find(';')) == type;
}

std::string operation_of_target(const http::Request& request) {
  const std::string_view target = request.header("x-amz-target");
  if (!target.starts_with(ApprovalsApi::kTarget)) return {};
  return std::string(target.substr(ApprovalsApi::kTarget.size()));
}

// What a request asks for, whichever way it says so; empty: nothing there is.
std::string operation_of(const http::Request& request) {
  if (const std::string operation = operation_of_target(request); !operation.empty()) return operation;
  if (is_approvals_root(request.path)) return request.method == "GET" ? "ListApprovals" : "";
  if (request.method == "GET") return "DescribeApproval";
  return request.method == "POST" ? "DecideApproval" : "";
}

ApiError approval_error(const Error& error) {
  const std::string words = error.hint.empty() ? error.message : error.message + "; " + error.hint;
  switch (error.code) {
    case ErrorCode::NotFound:
      return {"ResourceNotFoundException", words, 404};
    case ErrorCode::InvalidArgument:
      return {"ValidationException", words, 400};
    case ErrorCode::Conflict:
      return {"ApprovalNotPending", words, 409};
    case ErrorCode::OutOfSpace:
    case ErrorCode::Unavailable:
      return {"ServiceUnavailable", words, 503};
    default:
      return {"InternalFailure", words, 500};
  }
}

bool task_is_gone(const Error& error) {
  return error.code == ErrorCode::NotFound || error.code == ErrorCode::InvalidArgument;
}

std::string text_member(const Json& input, const char* name) {
  const auto found = input.find(name);
  return found != input.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "decision" and "reason", or as AWS JSON writes them.
Result<tasks::ApprovalDecision> decision_in(const Json& input, const auth::Caller& caller) {
  std::string word = text_member(input, "decision"), reason = text_member(input, "reason");
  if (word.empty()) word = text_member(input, "Decision");
  if (reason.empty()) reason = text_member(input, "Reason");
  if (word != "approve" && word != "reject")
    return invalid("decision: \"" + word + "\"", "it is approve or reject");
  const std::string who = caller.name.empty() ? "somebody at this server" : caller.name;
  return tasks::ApprovalDecision{word == "approve", who, "the API", std::move(reason)};
}

// Times in seconds, as AWS JSON has them.
Json with_seconds(Json approval) {
  for (const char* member : {"CreationTime", "DecidedTime", "LinksExpireTime"})
    if (approval.contains(member)) approval[member] = approval[member].get<double>() / 1000;
  return approval;
}

std::string one_line(std::string text, std::size_t size_max) {
  std::erase_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (text.size() <= size_max) return text;
  while (size_max > 0 && (static_cast<unsigned char>(text[size_max]) & 0xC0) == 0x80) --size_max;
  return text.substr(0, size_max);
}

}  // namespace

void ApprovalsApi::start() {
  const auto untold = approvals_.untold();
  if (!untold) return log::error("approvals can't be read", {{"why", untold.error().message}});
  for (const auto& one : *untold) tell(one.id, one.token, one.approval, [] {});
}

// The package first: the states that follow find it approved.
void ApprovalsApi::tell(const std::string& id, const std::string& token, const Json& approval,
                        const std::function<void()>& done) {
  std::string note;
  if (const Status carried = approvals_.carry_to_package(approval); !carried) {
    note = "the model package was not changed: " + carried.error().message;
    log::warning("an approval is about a model package that can't be changed",
                 {{"approval", id}, {"why", carried.error().message}});
  }
  engine_.send_task_success(
      token, to_payload(tasks::Approvals::outcome_of(approval)),
      [this, id, note, done, alive = std::weak_ptr(alive_)](const Status& sent) {
        if (alive.expired()) return;
        if (!sent && !task_is_gone(sent.error())) {  // it stays untold, for the next start
          log::error("a workflow could not be told of a decision",
                     {{"approval", id}, {"why", sent.error().message}});
          return done();
        }
        // Gone: an earlier process told it, or it ended in this very moment.
        if (const Status kept = approvals_.told(id, note); !kept)
          log::error("an approval can't be kept", {{"approval", id}, {"why", kept.error().message}});
        done();
      });
}

void ApprovalsApi::decide(const std::string& id, const tasks::ApprovalDecision& decision,
                          const Reply& reply) {
  const auto approval = approvals_.describe(id);
  if (!approval) return reply(fail(approval.error()));
  const auto token = approvals_.token_of(id);
  if (!token) return reply(fail(token.error()));
  const auto settle = [this, id, decision, reply] {
    const auto decided = approvals_.decide(id, decision);
    if (!decided) return reply(fail(decided.error()));
    const auto now = approvals_.describe(id);
    if (!now) return reply(fail(now.error()));
    tell(id, *decided, *now, [this, id, reply] { reply(approvals_.describe(id)); });
  };
  if (approval->value("Status", "") != "Pending") return settle();  // says by whom it is decided
  engine_.send_task_heartbeat(
      *token, [this, id, reply, settle, alive = std::weak_ptr(alive_)](const Status& waits) {
        if (alive.expired()) return;
        if (waits) return settle();
        if (!task_is_gone(waits.error())) return reply(fail(waits.error()));
        const std::string why = "the workflow went on without an answer, or has ended";
        if (const Status kept = approvals_.void_it(id, why); !kept) return reply(fail(kept.error()));
        reply(fail(ErrorCode::Conflict, "nobody waits for this any more: " + why));
      });
}

void ApprovalsApi::call(const std::string& operation, const Json& input, const auth::Caller& caller,
                        const Reply& reply) {
  const std::string id = text_member(input, "ApprovalId");
  const Reply shown = [reply](const Result<Json>& approval) {
    reply(approval ? Result<Json>(with_seconds(*approval)) : approval);
  };
  if (operation == "DescribeApproval") return shown(approvals_.describe(id));
  if (operation == "DecideApproval") {
    const auto decision = decision_in(input, caller);
    return decision ? decide(id, *decision, shown) : reply(fail(decision.error()));
  }
  const std::string status = text_member(input, "Status");
  after_voiding_ended([this, status, reply] {
    const auto list = approvals_.list(status);
    if (!list) return reply(fail(list.error()));
    Json answer = {{"Approvals", Json::array()}};
    for (const Json& approval : *list) answer["Approvals"].push_back(with_seconds(approval));
    reply(answer);
  });
}

// Questions whose executions have ended meanwhile are nobody's any more. `done` is called on the loop.
void ApprovalsApi::after_voiding_ended(const std::function<void()>& done) {
  const auto pending = approvals_.list("Pending");
  const auto left = std::make_shared<std::size_t>(pending ? pending->size() : 0);
  if (*left == 0) return done();
  for (const Json& approval : *pending) {
    engine_.queries().find(
        text_member(approval, "ExecutionArn"),
        [this, left, done, id = text_member(approval, "ApprovalId"),
         alive = std::weak_ptr(alive_)](const Result<orchestrator::ExecutionRow>& row) {
          if (alive.expired()) return;
          if (row && row->status != states::ExecutionStatus::Running)
            if (const Status kept = approvals_.void_it(id, "the execution has ended"); !kept)
              log::error("an approval can't be kept", {{"approval", id}, {"why", kept.error().message}});
          if (--*left == 0) done();
        });
  }
}

bool ApprovalsApi::serves(const http::Request& request) {
  return is_approvals_root(request.path) || !approval_in(request.path).empty();
}

bool ApprovalsApi::serves_links(const http::Request& request) {
  if (approval_in(request.path).empty()) return false;
  if (request.method == "POST") return has_content_type(request, "application/x-www-form-urlencoded");
  return (request.method == "GET" || request.method == "HEAD") && !parameter(request.query, "token").empty();
}

std::vector<auth::Demand> ApprovalsApi::demands(const http::Request& request) {
  return {{"millrace:" + operation_of(request), "*"}};
}

void ApprovalsApi::handle_link(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const std::string id = approval_in(request.path);
  if (request.method == "POST") return answer_form(exchange, id);
  ApprovalPage page;
  page.token = parameter(request.query, "token");
  page.wanted = parameter(request.query, "decision");
  const auto link = approvals_.verify(id, page.token);
  if (!link)
    return exchange->respond(approval_note(403, "This link does not open anything", link.error().message));
  auto approval = approvals_.describe(id);
  if (!approval) return exchange->respond(approval_note(404, "There is no such question", ""));
  page.approval = std::move(*approval);
  page.ask_name = !tasks::Approvals::names_person(link->recipient);
  exchange->respond(approval_form(page));
}

void ApprovalsApi::answer_form(const http::ExchangePtr& exchange, const std::string& id) {
  const auto form = parse_form(exchange->request().body);
  const auto field = [&](const char* name) {
    const auto found = form.find(name);
    return found == form.end() ? std::string() : found->second;
  };
  const auto nothing = [&](int status, const std::string& why) {
    exchange->respond(approval_note(status, "Nothing was decided", why));
  };
  const std::string word = field("decision"), name = one_line(field("name"), kApproverNameMax);
  const auto link = approvals_.verify(id, field("token"));
  if (!link) return nothing(403, link.error().message);
  if (word != "approve" && word != "reject") return nothing(400, "The answer is approve or reject.");
  tasks::ApprovalDecision decision{word == "approve", link->recipient, "a link sent to " + link->recipient,
                                   field("reason")};
  if (!tasks::Approvals::names_person(link->recipient)) {
    if (name.empty()) return nothing(400, "Go back and say who you are.");
    decision.by = name;
  }
  decide(id, decision, [exchange](const Result<Json>& decided) {
    if (decided) return exchange->respond(approval_form({*decided}));
    const ApiError error = approval_error(decided.error());
    exchange->respond(approval_note(error.status, "Nothing was decided", error.message));
  });
}

void ApprovalsApi::handle(http::ExchangePtr exchange, const auth::Caller& caller) {
  const http::Request& request = exchange->request();
  const std::string request_id = uuid_v4(random_), operation = operation_of(request);
  const auto refused = [exchange, request_id](const ApiError& error) {
    exchange->respond(error_response(Protocol::AwsJson10, error, request_id));
  };
  if (operation != "ListApprovals" && operation != "DescribeApproval" && operation != "DecideApproval")
    return refused(
        {"UnknownOperationException", "approvals are listed and described with GET, decided with POST", 404});
  const bool plain = operation_of_target(request).empty();
  // Other people's pages can make a browser send forms and plain text, but not this type.
  if (plain && request.method == "POST" && !has_content_type(request, "application/json"))
    return refused({"ValidationException", "Content-Type must be application/json", 415});
  Json input = request.body.empty() ? Json(Json::object()) : Json::parse(request.body, nullptr, false);
  if (!input.is_object()) return refused({"SerializationException", "the request is no JSON object"});
  if (plain) {
    input["ApprovalId"] = approval_in(request.path);
    if (operation == "ListApprovals") input["Status"] = parameter(request.query, "status");
  }
  call(operation, input, caller, [exchange, request_id, refused](const Result<Json>& answer) {
    if (!answer) return refused(approval_error(answer.error()));
    http::Response response;
    response.headers.push_back({"x-amzn-RequestId", request_id});
    response.body = to_payload(*answer).text();
    exchange->respond(std::move(response));
  });
}

}  // namespace millrace::api
