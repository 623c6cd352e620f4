#pragma once
// Approvals: questions of workflows to people. A state that publishes to a topic with the attribute
// ApprovalLinks and waits for its task token (sns:publish.waitForTaskToken) makes one: a record of the task
// library (kind Approval), named after the token, so that a task that is carried out again asks once. What
// subscribers get has links in place of the token. A link holds no right but to decide this one question
// until it expires: the approval's name, its end and to whom it went, signed with a secret of the home. What
// was decided is one change of the record; telling the workflow follows and is made up for after a crash.
// Any thread.

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/jobs.h"

namespace millrace::tasks {

inline constexpr std::string_view kApprovalRecord = "Approval";
inline constexpr const char* kApprovalLinks = "ApprovalLinks";   // a topic's attribute: "true"
inline constexpr const char* kApprovalOfMessage = "ApprovalId";  // a message's member
inline constexpr std::size_t kApprovalReasonMax = 2'000;         // bytes
inline constexpr std::size_t kApprovalsListed = 1'000;

// What somebody says to a question.
struct ApprovalDecision {
  bool approved = false;
  std::string by;   // "ada@example.com", "alice (key)"
  std::string via;  // "a link sent to ada@example.com", "the API"
  std::string reason;
};

// Who a link was sent to, and until when it opens its page.
struct ApprovalLink {
  std::string recipient;
  Instant expires;
};

class Approvals {
 public:
  struct Settings {
    std::string secret = "millrace tests";  // signs links
    std::string base_url = {};              // "https://millrace.example.com"; empty: what serve_at says
    Millis valid{7LL * 86'400'000};
  };
  // Borrowed.
  Approvals(Jobs& jobs, const Clock& clock, Settings settings);

  // Where links lead when the settings have no address.
  void serve_at(std::string url);

  // The task token that a Publish request carries: the member TaskToken (also taskToken, task_token, token)
  // of its Message, or the message attribute of that name; nothing: it carries none.
  static std::optional<std::string> token_in(const Json& publish);
  // Makes the question and answers its name; the same for the same token. Also the request as it may be kept
  // and sent: without the token.
  Result<std::string> ask(const Json& publish, const std::string& token, const std::string& execution_arn,
                          const std::string& caller);
  static Json without_token(Json publish);

  // Newest first. `status`: Pending, Approved, Rejected, Void; empty: all.
  Result<Json> list(const std::string& status) const;
  Result<Json> describe(const std::string& id) const;  // NotFound
  // Decides once. Conflict: it is decided; the message says by whom. The token of the waiting task.
  Result<std::string> decide(const std::string& id, const ApprovalDecision& decision);
  // Nobody waits for it any more, and why.
  Status void_it(const std::string& id, const std::string& why);
  // The task of a pending question, to look whether it still waits.
  Result<std::string> token_of(const std::string& id) const;

  // What a decided question's task is told: {"ApprovalId", "Status", "DecidedBy", "DecidedVia", "DecidedAt",
  // "Reason"}.
  static Json outcome_of(const Json& approval);
  // Decided, and their tasks not told yet.
  struct Untold {
    std::string id, token;
    Json approval;
  };
  Result<std::vector<Untold>> untold() const;
  Status told(const std::string& id, const std::string& note);
  // Writes what was decided into the approval history of the model package the question is about, if it is
  // about one. Once, however often it is called.
  Status carry_to_package(const Json& approval);

  // A link's secret part, and what it says when it is for this question: InvalidArgument (of another one,
  // altered, expired).
  std::string sign(const std::string& id, const ApprovalLink& link) const;
  Result<ApprovalLink> verify(const std::string& id, std::string_view token) const;

  Instant now() const { return clock_.now(); }
  // What links begin with, "https://millrace.example.com". Unavailable: nothing serves this home.
  Result<std::string> base_url() const;

  // Whether who has the link is who it was sent to: a mail address, not a channel.
  static bool names_person(std::string_view recipient);

  // A message of a topic as this subscriber gets it: the text with links for mail, JSON for webhooks
  // ({"text": …, "approval": {…}}, which Slack and its like show) and all others. Messages that are no
  // questions stay as they are. True: the subscriber gets the text alone, without SNS's envelope.
  // Unavailable: there is no address yet that links could lead to.
  Result<bool> prepare(Json& message, const std::string& protocol, const std::string& endpoint) const;

 private:
  Result<std::string> page_url(const std::string& id, const std::string& recipient, Instant expires) const;

  Jobs& jobs_;
  const Clock& clock_;
  const Settings settings_;
  mutable std::mutex mutex_;
  std::string served_at_;  // guarded
};

}  // namespace millrace::tasks
