// `millrace approvals`: questions of workflows to people: list, show, approve, reject.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "service/cli/command.h"
#include "service/cli/connect.h"

namespace millrace::cli {
namespace {

struct ApprovalOptions {
  std::string id, reason;
  bool all = false;
};

Result<Json> ask_approvals(const Shared& shared, std::string_view operation, const Json& input) {
  MR_TRY(access, connect(shared, client::Use::Look));
  MR_TRY(answer, access->call(client::kApprovals, operation, to_payload(input)));
  return to_json(answer.view());
}

std::string approval_time(const Json& approval, const char* member) {
  const auto found = approval.find(member);
  if (found == approval.end() || !found->is_number()) return "-";
  const Instant time = from_millis(static_cast<std::int64_t>(found->get<double>() * 1000));
  return format_rfc3339(time).substr(0, 19) + "Z";
}

// Its beginning is enough when nothing else begins so.
Result<std::string> whole_id(const Shared& shared, const std::string& given) {
  MR_TRY(answer, ask_approvals(shared, "ListApprovals", Json::object()));
  std::string found;
  for (const Json& approval : answer["Approvals"]) {
    const std::string id = approval.value("ApprovalId", "");
    if (id == given) return id;
    if (!id.starts_with(given)) continue;
    if (!found.empty()) return invalid("more than one approval begins with " + given, "give more of its ID");
    found = id;
  }
  if (!found.empty()) return found;
  return fail(ErrorCode::NotFound, "there is no approval " + given,
              "`millrace approvals list --all` shows them");
}

void print_approval(const Json& approval) {
  const std::string status = approval.value("Status", "");
  print_line(approval.value("Subject", "") + "  [" + status + "]");
  if (const std::string text = approval.value("Text", ""); !text.empty()) print_line("  " + text);
  const Json details = approval.value("Details", Json::object());
  for (const auto& [name, value] : details.items())
    print_line("  " + name + ": " + (value.is_string() ? value.get<std::string>() : value.dump()));
  print_line("  asked by " + approval.value("RequestedBy", "-") + " at " +
             approval_time(approval, "CreationTime"));
  if (status == "Approved" || status == "Rejected")
    print_line("  " + status + " by " + approval.value("DecidedBy", "") + " at " +
               approval_time(approval, "DecidedTime") + ", through " + approval.value("DecidedVia", ""));
  if (const std::string reason = approval.value("Reason", ""); !reason.empty())
    print_line("  reason: " + reason);
  if (const std::string note = approval.value("Note", ""); !note.empty()) print_line("  note: " + note);
}

Result<int> list_approvals(const ApprovalOptions& options, const Shared& shared) {
  const Json input = options.all ? Json(Json::object()) : Json{{"Status", "Pending"}};
  MR_TRY(answer, ask_approvals(shared, "ListApprovals", input));
  if (shared.json) {
    print_json(answer);
    return kSucceeded;
  }
  std::printf("%-22s %-9s %-21s %s\n", "APPROVAL", "STATUS", "ASKED", "SUBJECT");
  for (const Json& approval : answer["Approvals"])
    std::printf("%-22s %-9s %-21s %s\n", approval.value("ApprovalId", "").c_str(),
                approval.value("Status", "").c_str(), approval_time(approval, "CreationTime").c_str(),
                approval.value("Subject", "").c_str());
  return kSucceeded;
}

Result<int> asked_of(const ApprovalOptions& options, std::string_view operation, Json input,
                     const Shared& shared) {
  MR_TRY(id, whole_id(shared, options.id));
  input["ApprovalId"] = id;
  MR_TRY(approval, ask_approvals(shared, operation, input));
  if (shared.json)
    print_json(approval);
  else
    print_approval(approval);
  return kSucceeded;
}

}  // namespace

void add_approvals(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("approvals", "Questions of workflows to people: list, approve, reject");
  command->fallthrough();
  command->require_subcommand(1);
  command->footer(
      "How a workflow asks: docs/approvals.md. An ID may be cut short. All of these ask a server.\n"
      "Examples:\n"
      "  millrace approvals list\n"
      "  millrace approvals reject 5f3c --reason 'AUC fell on the newest month'");
  auto options = std::make_shared<ApprovalOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    return add_action(*command, name, what, shared, exit_code,
                      [options, &shared, run] { return run(*options, shared); });
  };
  add("list", "What waits for an answer", list_approvals)
      ->add_flag("--all", options->all, "also what is decided");
  add("show", "One question, and who decided what and why",
      [](const ApprovalOptions& o, const Shared& s) {
        return asked_of(o, "DescribeApproval", Json::object(), s);
      })
      ->add_option("ID", options->id, "of `list`")
      ->required();
  for (const auto& [word, what] : {std::pair("approve", "Say yes"), std::pair("reject", "Say no")}) {
    CLI::App* sub = add(word, what, [w = word](const ApprovalOptions& o, const Shared& s) {
      return asked_of(o, "DecideApproval", {{"Decision", w}, {"Reason", o.reason}}, s);
    });
    sub->add_option("ID", options->id, "of `list`")->required();
    sub->add_option("--reason", options->reason, "is recorded with the decision")
        ->required(std::string_view(word) == "reject");
  }
}

}  // namespace millrace::cli
