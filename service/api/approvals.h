#pragma once
// ApprovalsApi: Millrace's own: questions of workflows to people, for the pages that links in messages lead
// to, for the console's inbox and the command line.
//
//   GET  /v1/approvals[?status=Pending]  {"Approvals": […]}
//   GET  /v1/approvals/ID                one of them
//   POST /v1/approvals/ID                {"decision": "approve" | "reject", "reason": "…"}, application/json
//   GET  /v1/approvals/ID?token=…        the page of a link; decides nothing
//   POST /v1/approvals/ID                token, decision, reason, name as a form: what that page sends
//   X-Amz-Target MillraceApprovals.      ListApprovals, DescribeApproval, DecideApproval: the same as AWS
//   JSON
//
// The two with a token are open to who has it; the others to keys with the rights millrace:ListApprovals,
// DescribeApproval, DecideApproval. Before an answer counts the engine is asked whether the task still waits;
// then it is one durable change, and the task is told, after a crash by the next process. Loop thread only.

#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "orchestrator/engine.h"
#include "service/api/call.h"
#include "service/auth/caller.h"
#include "service/http/server.h"
#include "tasks/approvals/approvals.h"

namespace millrace::api {

class ApprovalsApi {
 public:
  static constexpr std::string_view kTarget = "MillraceApprovals.";

  // Both are borrowed. `seed`: of request ids.
  ApprovalsApi(tasks::Approvals& approvals, orchestrator::Engine& engine, std::uint64_t seed)
      : approvals_(approvals), engine_(engine), random_(seed) {}

  void start();  // once the engine has taken up its executions: tells what was decided and not told

  static bool serves_links(const http::Request& request);
  void handle_link(http::ExchangePtr exchange);
  static bool serves(const http::Request& request);
  static std::vector<auth::Demand> demands(const http::Request& request);
  void handle(http::ExchangePtr exchange, const auth::Caller& caller);

 private:
  using Reply = std::function<void(const Result<Json>&)>;
  void decide(const std::string& id, const tasks::ApprovalDecision& decision, const Reply& reply);
  void tell(const std::string& id, const std::string& token, const Json& approval,
            const std::function<void()>& done);
  void call(const std::string& operation, const Json& input, const auth::Caller& caller, const Reply& reply);
  void after_voiding_ended(const std::function<void()>& done);
  void answer_form(const http::ExchangePtr& exchange, const std::string& id);

  tasks::Approvals& approvals_;
  orchestrator::Engine& engine_;
  Random random_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace millrace::api
