#pragma once
// Names: what people call state machines and executions, as ARNs. Asks the server or the home; nothing is
// kept.

#include <string>
#include <vector>

#include "base/json.h"
#include "service/client/access.h"

namespace millrace::cli {

// Every item of a list operation, page by page: ask_all(access, "ListStateMachines", {}, "stateMachines").
Result<std::vector<Json>> ask_all(client::Access& access, std::string_view operation, Json input,
                                  std::string_view member);
// One call with Json in and out.
Result<Json> ask(client::Access& access, std::string_view operation, const Json& input);

struct MachineName {
  std::string arn, name;
  bool express = false;
};
Result<std::vector<MachineName>> all_machines(client::Access& access);

// An ARN, a name, NAME:VERSION or NAME:ALIAS. NotFound, with the name that was perhaps meant.
Result<MachineName> find_machine(client::Access& access, const std::string& which);
// An ARN, MACHINE/NAME, a name or the unique beginning of one, or a MACHINE for its newest execution.
// NotFound; InvalidArgument, with the candidates, when several begin so.
Result<std::string> find_execution(client::Access& access, const std::string& which);

// "arn:aws:states:us-east-1:123456789012:execution:hello:one" is {"execution", "hello", "one"}.
struct ArnParts {
  std::string type, name, qualifier;
};
ArnParts parts_of(const std::string& arn);
// "hello/one" of an execution's ARN: how people call it.
std::string short_name(const std::string& execution_arn);

}  // namespace millrace::cli
