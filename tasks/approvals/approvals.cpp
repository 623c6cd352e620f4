#include "tasks/approvals/approvals.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "base/encoding.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/integrations/sns/message.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

constexpr const char* kTokenNames[] = {"TaskToken", "taskToken", "task_token", "token"};
constexpr const char* kTextNames[] = {"Text", "text", "Message", "message"};
constexpr const char* kPackageNames[] = {"ModelPackageArn", "ModelPackageName"};
constexpr std::size_t kDetailsBytesMax = 32'768;
constexpr std::size_t kScanMax = 100'000;  // records that a list looks at
constexpr int kIdBytes = 10;

// The message as JSON, whichever way it was given: an object, or its text.
Json message_of(const Json& publish) {
  const auto found = publish.find("Message");
  if (found == publish.end()) return Json();
  if (!found->is_string()) return *found;
  const Json parsed = Json::parse(found->get<std::string>(), nullptr, false);
  return parsed.is_object() ? parsed : Json(*found);
}

std::string text_among(const Json& object, std::span<const char* const> names) {
  for (const char* name : names)
    if (std::string text = text_at(object, {name}); !text.empty()) return text;
  return {};
}

bool is_one_of(std::string_view name, std::span<const char* const> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string value_as_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// What people read of a question beside its subject.
std::string text_of_message(const Json& message) {
  if (!message.is_object()) return message.is_string() ? message.get<std::string>() : std::string();
  return text_among(message, kTextNames);
}

Json details_of_message(const Json& message) {
  Json details = Json::object();
  if (!message.is_object()) return details;
  for (const auto& [name, value] : message.items())
    if (!is_one_of(name, kTokenNames) && !is_one_of(name, kTextNames)) details[name] = value;
  return details;
}

std::string details_text(const Json& details) {
  std::string out;
  for (const auto& [name, value] : details.items()) out += name + ": " + value_as_text(value) + "\n";
  return out;
}

// Slack's mark-up has three characters of its own.
std::string slack_text(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

}  // namespace

Approvals::Approvals(Jobs& jobs, const Clock& clock, Settings settings)
    : jobs_(jobs), clock_(clock), settings_(std::move(settings)) {}

void Approvals::serve_at(std::string url) {
  const std::lock_guard lock(mutex_);
  served_at_ = std::move(url);
}

std::optional<std::string> Approvals::token_in(const Json& publish) {
  const Json message = message_of(publish);
  std::string token = message.is_object() ? text_among(message, kTokenNames) : std::string();
  for (const char* name : kTokenNames)
    if (token.empty()) token = text_at(publish, {"MessageAttributes", name, "StringValue"});
  return token.empty() ? std::nullopt : std::optional(token);
}

Json Approvals::without_token(Json publish) {
  Json message = message_of(publish);
  if (message.is_object()) {
    for (const char* name : kTokenNames) message.erase(name);
    publish["Message"] = message.empty() ? Json("-") : Json(std::string(to_payload(message).text()));
  }
  if (publish.contains("MessageAttributes") && publish["MessageAttributes"].is_object())
    for (const char* name : kTokenNames) publish["MessageAttributes"].erase(name);
  publish.erase("MessageStructure");
  return publish;
}

Result<std::string> Approvals::ask(const Json& publish, const std::string& token,
                                   const std::string& execution_arn, const std::string& caller) {
  const Json message = message_of(publish);
  Json details = details_of_message(message);
  if (details.dump().size() > kDetailsBytesMax)
    return invalid("Message: a question's details are at most " + std::to_string(kDetailsBytesMax) + " bytes",
                   "put what is long into an object, and its URI into the message");
  const std::string id = digest_hex(Digest::Sha256, "approval\n" + token).substr(0, 2 * kIdBytes);
  const Instant now = clock_.now();
  Json record = {{"ApprovalId", id},
                 {"Status", "Pending"},
                 {"Subject", publish.value("Subject", "Approval needed")},
                 {"Text", text_of_message(message)},
                 {"Details", details},
                 {"TopicArn", publish.value("TopicArn", publish.value("TargetArn", ""))},
                 {"RequestedBy", caller},
                 {"CreationTime", to_millis(now)},
                 {"LinksExpireTime", to_millis(now + settings_.valid)},
                 {kNotes, {{"TaskToken", token}}}};
  if (!execution_arn.empty()) record["ExecutionArn"] = execution_arn;
  if (std::string package = text_among(message, kPackageNames); !package.empty())
    record["ModelPackageArn"] = package;
  const Status created = jobs_.create(kApprovalRecord, id, record);
  if (!created && created.error().code != ErrorCode::AlreadyExists) return fail(created.error());
  return id;
}

Result<Json> Approvals::list(const std::string& status) const {
  MR_TRY(records, jobs_.list(kApprovalRecord, {}, kScanMax));
  Json out = Json::array();
  for (const Json& record : records) {
    if (out.size() == kApprovalsListed) break;
    if (status.empty() || text_in(record, "Status") == status) out.push_back(described(record));
  }
  return out;
}

Result<Json> Approvals::describe(const std::string& id) const {
  MR_TRY(record, jobs_.find(kApprovalRecord, id));
  return described(record);
}

Result<std::string> Approvals::token_of(const std::string& id) const {
  MR_TRY(record, jobs_.find(kApprovalRecord, id));
  return text_at(record, {kNotes, "TaskToken"});
}

Result<std::string> Approvals::decide(const std::string& id, const ApprovalDecision& decision) {
  if (decision.reason.size() > kApprovalReasonMax)
    return invalid("a reason is at most " + std::to_string(kApprovalReasonMax) + " bytes long");
  MR_TRY(record, jobs_.modify(kApprovalRecord, id, [&](Json& r) -> Status {
    const std::string status = text_in(r, "Status");
    if (status == "Void")
      return fail(ErrorCode::Conflict, "nobody waits for this any more: " + text_in(r, "Reason"));
    if (status != "Pending")
      return fail(ErrorCode::Conflict,
                  "this is decided already: " + status + " by " + text_in(r, "DecidedBy") + " at " +
                      format_rfc3339(from_millis(r.value("DecidedTime", std::int64_t{0}))).substr(0, 19) +
                      "Z");
    r["Status"] = decision.approved ? "Approved" : "Rejected";
    r["DecidedBy"] = decision.by;
    r["DecidedVia"] = decision.via;
    r["DecidedTime"] = to_millis(clock_.now());
    r["Reason"] = decision.reason;
    r[kNotes]["Untold"] = true;
    return {};
  }));
  return text_at(record, {kNotes, "TaskToken"});
}

Status Approvals::void_it(const std::string& id, const std::string& why) {
  const auto changed = jobs_.modify(kApprovalRecord, id, [&](Json& r) -> Status {
    if (text_in(r, "Status") != "Pending") return {};
    r["Status"] = "Void";
    r["Reason"] = why;
    r["DecidedTime"] = to_millis(clock_.now());
    return {};
  });
  return changed ? Status() : Status(fail(changed.error()));
}

Json Approvals::outcome_of(const Json& approval) {
  return {{"ApprovalId", approval.value("ApprovalId", "")},
          {"Status", approval.value("Status", "")},
          {"DecidedBy", approval.value("DecidedBy", "")},
          {"DecidedVia", approval.value("DecidedVia", "")},
          {"DecidedAt", format_rfc3339(from_millis(approval.value("DecidedTime", std::int64_t{0})))},
          {"Reason", approval.value("Reason", "")}};
}

Result<std::vector<Approvals::Untold>> Approvals::untold() const {
  MR_TRY(records, jobs_.list(kApprovalRecord, {}, kScanMax));
  std::vector<Untold> out;
  for (const Json& record : records) {
    const Json notes = record.value(kNotes, Json::object());
    if (notes.value("Untold", false))
      out.push_back({text_in(record, "ApprovalId"), text_in(notes, "TaskToken"), described(record)});
  }
  return out;
}

Status Approvals::told(const std::string& id, const std::string& note) {
  const auto changed = jobs_.modify(kApprovalRecord, id, [&](Json& r) -> Status {
    r[kNotes].erase("Untold");
    if (!note.empty()) r["Note"] = note;
    return {};
  });
  return changed ? Status() : Status(fail(changed.error()));
}

Status Approvals::carry_to_package(const Json& approval) {
  const std::string package = text_in(approval, "ModelPackageArn"), id = text_in(approval, "ApprovalId");
  if (package.empty()) return {};
  const auto changed =
      jobs_.modify(kModelPackage.kind, name_of(kModelPackage, package), [&](Json& record) -> Status {
        Json history = record.value("ApprovalHistory", Json::array());
        for (const Json& entry : history)
          if (text_in(entry, "ApprovalId") == id) return {};
        const std::string status = text_in(approval, "Status"), why = text_in(approval, "Reason");
        history.push_back({{"Status", status},
                           {"Description", why},
                           {"By", text_in(approval, "DecidedBy")},
                           {"Time", approval.value("DecidedTime", std::int64_t{0})},
                           {"ApprovalId", id}});
        record["ApprovalHistory"] = std::move(history);
        record["ModelApprovalStatus"] = status;
        if (!why.empty()) record["ApprovalDescription"] = why;
        record["LastModifiedTime"] = to_millis(clock_.now());
        record["LastModifiedBy"] = {{"UserProfileName", text_in(approval, "DecidedBy")}};
        return {};
      });
  return changed ? Status() : Status(fail(changed.error()));
}

// ---- Links: "EXPIRY.RECIPIENT.MAC", numbers and hexadecimal digits alone.

std::string Approvals::sign(const std::string& id, const ApprovalLink& link) const {
  const std::string said = std::to_string(to_millis(link.expires) / 1000) + "." + hex_encode(link.recipient);
  return said + "." + hex_encode(hmac_sha256(settings_.secret, "approval link\n" + id + "\n" + said));
}

Result<ApprovalLink> Approvals::verify(const std::string& id, std::string_view token) const {
  const auto wrong = [] { return invalid("this link is not valid", "open it as it stands in the message"); };
  const std::size_t first = token.find('.'), second = token.find('.', first + 1);
  if (first == token.npos || second == token.npos || token.size() > 4'096) return wrong();
  const std::string_view said = token.substr(0, second), mac = token.substr(second + 1);
  const std::string expected =
      hex_encode(hmac_sha256(settings_.secret, "approval link\n" + id + "\n" + std::string(said)));
  if (!equal_in_constant_time(mac, expected)) return wrong();
  std::int64_t seconds = 0;
  std::from_chars(token.data(), token.data() + first, seconds);
  ApprovalLink link{{}, from_millis(seconds * 1000)};
  for (std::size_t at = first + 1; at + 1 < second; at += 2) {
    unsigned byte = 0;
    std::from_chars(token.data() + at, token.data() + at + 2, byte, 16);
    link.recipient += static_cast<char>(byte);
  }
  if (clock_.now() >= link.expires)
    return invalid("this link has expired", "the question can still be answered: millrace approvals");
  return link;
}

bool Approvals::names_person(std::string_view recipient) {
  return is_mail_address(recipient);
}

Result<std::string> Approvals::base_url() const {
  std::string base = settings_.base_url;
  if (base.empty()) {
    const std::lock_guard lock(mutex_);
    base = served_at_;
  }
  if (base.empty())
    return fail(ErrorCode::Unavailable, "no server serves this home, so links would lead nowhere",
                "start `millrace serve`, or set approvals.base_url in integrations.json");
  while (base.ends_with('/')) base.pop_back();
  return base;
}

Result<std::string> Approvals::page_url(const std::string& id, const std::string& recipient,
                                        Instant expires) const {
  MR_TRY(base, base_url());
  return base + "/v1/approvals/" + id + "?token=" + sign(id, {recipient, expires});
}

Result<bool> Approvals::prepare(Json& message, const std::string& protocol,
                                const std::string& endpoint) const {
  const std::string id = text_at(message, {kApprovalOfMessage});
  if (id.empty()) return false;
  const auto record = jobs_.find(kApprovalRecord, id);
  if (!record) return false;
  const Instant expires = from_millis(record->value("LinksExpireTime", std::int64_t{0}));
  const bool mail = protocol.starts_with("email");
  // A webhook's address is a secret of its own: who decides by it is called by its host alone.
  std::string recipient = endpoint;
  if (protocol == "http" || protocol == "https") {
    const std::size_t host = endpoint.find("//") + 2;
    recipient = "webhook " + endpoint.substr(host, endpoint.find_first_of("/?", host) - host);
  } else if (!mail) {
    recipient = protocol + " " + endpoint;
  }
  MR_TRY(page, page_url(id, recipient, expires));
  const std::string approve = page + "&decision=approve", reject = page + "&decision=reject";
  std::string until = format_rfc3339(expires).substr(0, 16) + " UTC";
  until[10] = ' ';
  const std::string subject = text_in(*record, "Subject"), text = text_in(*record, "Text");
  const std::string details = details_text(record->value("Details", Json::object()));
  if (protocol == "email") {
    message["Message"] = (text.empty() ? subject : text) + "\n\n" + details + (details.empty() ? "" : "\n") +
                         "Approve:\n" + approve + "\n\nReject:\n" + reject +
                         "\n\nEach link shows the question and asks for a confirmation. They are for " +
                         recipient + " and work until " + until + "; do not pass this message on.\n";
    return true;
  }
  const Json body = {
      {"text", "*" + slack_text(subject) + "*\n" + slack_text(text) + (text.empty() ? "" : "\n") +
                   slack_text(details) + "<" + approve + "|Approve>   <" + reject + "|Reject>"},
      {"approval",
       {{"id", id},
        {"subject", subject},
        {"text", text},
        {"details", record->value("Details", Json::object())},
        {"execution_arn", text_in(*record, "ExecutionArn")},
        {"approve_url", approve},
        {"reject_url", reject},
        {"expires", format_rfc3339(expires)}}}};
  message["Message"] = std::string(to_payload(body).text());
  return protocol == "http" || protocol == "https";
}

}  // namespace millrace::tasks
