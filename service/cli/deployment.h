#pragma once
// Deployments: how a state machine shall be, what that changes, and the calls that make it so. What `deploy`
// does to one, `apply` does to a folder of them.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "service/cli/names.h"
#include "service/client/access.h"

namespace millrace::cli {

// "fraud" of "examples/fraud/fraud.asl.json"; "hello" of "examples/hello/definition.json".
std::string machine_name(const std::string& file);
// Compiles the text; all diagnostics that matter go to stderr as `validate` shows them. InvalidArgument when
// there is an error among them.
Status check_definition(const std::string& file, const std::string& text);

// Where an alias shall lead: to the newest revision, published as a version, or by shares to versions.
struct AliasSpec {
  std::string name;
  std::vector<std::pair<int, int>> routes;  // version and weight; empty: the newest revision
};

struct MachineSpec {
  std::string name, file, definition;
  std::string type;         // empty: STANDARD, or as it is
  std::string role;         // empty: one of Millrace's, or as it is
  std::string description;  // of the version that is published
  bool publish = false;
  std::vector<AliasSpec> aliases;
};

enum class Action { Create, Update, Unchanged, Delete };
std::string_view name_of(Action action);  // "create", …

// Between two definitions: states by name, wherever they are nested.
struct DefinitionChange {
  std::vector<std::string> added, removed, changed;
  std::vector<std::string> settings;  // members beside the states: "TimeoutSeconds"
  bool empty() const { return added.empty() && removed.empty() && changed.empty() && settings.empty(); }
};
DefinitionChange compare(JsonView before, JsonView after);
std::string describe(const DefinitionChange& change);  // "changed Train; added Judge"

struct MachinePlan {
  Action action = Action::Create;
  std::string arn;                   // empty: there is none yet
  DefinitionChange change;           // of an update
  bool new_role = false;             // of an update
  std::vector<std::string> aliases;  // that will lead elsewhere, or are new
};
// What `spec` changes of what there is now. InvalidArgument when it can't be made so: another type.
Result<MachinePlan> plan_machine(client::Access& access, const MachineSpec& spec,
                                 const std::vector<MachineName>& machines);

struct MachineDone {
  std::string arn, revision, version_arn;
  std::vector<std::string> aliases;  // "PROD → 4"
};
Result<MachineDone> carry_out(client::Access& access, const MachineSpec& spec, const MachinePlan& plan,
                              const std::vector<MachineName>& machines);

}  // namespace millrace::cli
