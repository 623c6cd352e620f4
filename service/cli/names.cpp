#include "service/cli/names.h"

#include <nlohmann/json.hpp>

#include "definitions/diagnostics.h"
#include "orchestrator/arns.h"

namespace millrace::cli {
namespace {

constexpr int kPageItems = 1000;
constexpr std::size_t kNamesLooked = 1000;  // newest executions of a machine, for beginnings of names
constexpr std::size_t kCandidatesShown = 5;

// Of the machine's executions, newest first.
Result<std::vector<Json>> newest(client::Access& access, const std::string& machine_arn, std::size_t count) {
  MR_TRY(page, ask(access, "ListExecutions", {{"stateMachineArn", machine_arn}, {"maxResults", count}}));
  return page.value("executions", std::vector<Json>());
}

std::string execution_arn(const std::string& machine_arn, const std::string& name) {
  const auto arn = orchestrator::parse_arn(machine_arn);
  if (!arn) return {};
  return "arn:aws:states:" + arn->region + ":" + arn->account + ":execution:" + arn->name + ":" + name;
}

// When it was started; nothing when there is no execution of this ARN.
Result<std::optional<double>> start_of(client::Access& access, const std::string& arn) {
  const auto found =
      ask(access, "DescribeExecution", {{"executionArn", arn}, {"includedData", "METADATA_ONLY"}});
  if (found) return std::optional(found->value("startDate", 0.0));
  if (found.error().code == ErrorCode::NotFound || client::is_aws_error(found.error(), "InvalidArn") ||
      client::is_aws_error(found.error(), "ValidationException"))
    return std::optional<double>();
  return fail(found.error());
}

tl::unexpected<Error> no_execution(const std::string& which, const std::vector<std::string>& known) {
  const std::string near = definitions::nearest(which, {known.begin(), known.end()});
  return fail(ErrorCode::NotFound, "Execution Does Not Exist: '" + which + "'",
              near.empty() ? "`millrace list` shows the executions" : "did you mean '" + near + "'?");
}

// What `millrace list` knows of names, for one word that is no ARN.
Result<std::string> search_execution(client::Access& access, const std::vector<MachineName>& machines,
                                     const std::string& which) {
  std::vector<std::string> begin_so, known;
  for (const MachineName& machine : machines) {
    if (machine.express) continue;
    MR_TRY(rows, newest(access, machine.arn, kNamesLooked));
    if (machine.name == which && !rows.empty()) return rows[0].value("executionArn", "");
    for (const Json& row : rows) {
      known.push_back(row.value("name", ""));
      if (known.back().starts_with(which)) begin_so.push_back(row.value("executionArn", ""));
    }
    known.push_back(machine.name);
  }
  if (begin_so.size() == 1) return begin_so[0];
  if (begin_so.empty()) return no_execution(which, known);
  std::string shown;
  for (std::size_t i = 0; i < begin_so.size() && i < kCandidatesShown; ++i)
    shown += (i ? ", " : "") + short_name(begin_so[i]);
  if (begin_so.size() > kCandidatesShown) shown += ", …";
  return invalid(std::to_string(begin_so.size()) + " executions begin with '" + which + "': " + shown,
                 "write more of the name");
}

}  // namespace

Result<Json> ask(client::Access& access, std::string_view operation, const Json& input) {
  MR_TRY(answer, access.call(operation, to_payload(input)));
  return to_json(answer.view());
}

Result<std::vector<Json>> ask_all(client::Access& access, std::string_view operation, Json input,
                                  std::string_view member) {
  if (!input.is_object()) input = Json::object();
  input["maxResults"] = kPageItems;
  std::vector<Json> items;
  for (;;) {
    MR_TRY(page, ask(access, operation, input));
    const auto found = page.find(member);
    if (found != page.end() && found->is_array()) {
      for (Json& item : *found) items.push_back(std::move(item));
    }
    const std::string token = page.value("nextToken", "");
    if (token.empty()) return items;
    input["nextToken"] = token;
  }
}

Result<std::vector<MachineName>> all_machines(client::Access& access) {
  MR_TRY(items, ask_all(access, "ListStateMachines", {}, "stateMachines"));
  std::vector<MachineName> machines;
  for (const Json& item : items) {
    machines.push_back(
        {item.value("stateMachineArn", ""), item.value("name", ""), item.value("type", "") == "EXPRESS"});
  }
  return machines;
}

Result<MachineName> find_machine(client::Access& access, const std::string& which) {
  if (which.starts_with("arn:")) {
    const auto arn = orchestrator::parse_arn(which, "stateMachine");
    if (!arn) return fail(arn.error());
    const auto found = ask(access, "DescribeStateMachine",
                           {{"stateMachineArn", arn->unqualified()}, {"includedData", "METADATA_ONLY"}});
    if (!found) return fail(found.error());
    return MachineName{which, found->value("name", ""), found->value("type", "") == "EXPRESS"};
  }
  MR_TRY(machines, all_machines(access));
  const std::size_t colon = which.find(':');
  const std::string name = which.substr(0, colon);
  std::vector<std::string_view> names;
  for (const MachineName& machine : machines) {
    if (machine.name == name)
      return MachineName{machine.arn + (colon == std::string::npos ? "" : which.substr(colon)), name,
                         machine.express};
    names.push_back(machine.name);
  }
  const std::string near = definitions::nearest(name, names);
  return fail(ErrorCode::NotFound, "State Machine Does Not Exist: '" + name + "'",
              near.empty() ? "`millrace list machines` shows them, `millrace deploy` makes one"
                           : "did you mean '" + near + "'?");
}

Result<std::string> find_execution(client::Access& access, const std::string& which) {
  if (which.starts_with("arn:")) return which;
  MR_TRY(machines, all_machines(access));
  const std::size_t slash = which.find('/');
  const std::string name = slash == std::string::npos ? which : which.substr(slash + 1);
  std::string newest_arn;
  double newest_start = -1;
  for (const MachineName& machine : machines) {
    if (machine.express || (slash != std::string::npos && machine.name != which.substr(0, slash))) continue;
    const std::string arn = execution_arn(machine.arn, name);
    MR_TRY(start, start_of(access, arn));
    if (!start || *start <= newest_start) continue;
    newest_start = *start;
    newest_arn = arn;
  }
  if (!newest_arn.empty()) return newest_arn;
  if (slash == std::string::npos) return search_execution(access, machines, which);
  std::vector<MachineName> of_name;
  for (const MachineName& machine : machines) {
    if (machine.name == which.substr(0, slash)) of_name.push_back(machine);
  }
  const auto found =
      name.empty() ? Result<std::string>(no_execution(which, {})) : search_execution(access, of_name, name);
  if (found || found.error().code != ErrorCode::NotFound) return found;
  return fail(ErrorCode::NotFound, "Execution Does Not Exist: '" + which + "'", found.error().hint);
}

ArnParts parts_of(const std::string& arn) {
  const auto parsed = orchestrator::parse_arn(arn);
  if (!parsed) return {};
  return {parsed->type, parsed->name, parsed->qualifier};
}

std::string short_name(const std::string& arn) {
  const ArnParts parts = parts_of(arn);
  return parts.qualifier.empty() ? arn : parts.name + "/" + parts.qualifier;
}

}  // namespace millrace::cli
