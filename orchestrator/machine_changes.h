#pragma once
// What can be done to state machines, their versions and aliases: the rules, over a store. Store thread.
// Errors carry AWS's texts. Source: the API reference of Step Functions, and recorded answers.

#include <optional>
#include <string>
#include <vector>

#include "orchestrator/store/store.h"

namespace millrace::orchestrator {

struct NewMachine {
  std::string arn, name, definition, hash, role_arn;
  MachineType type = MachineType::Standard;
  std::string logging, tracing;  // JSON; empty: none
  std::vector<TagRow> tags;
  bool publish = false;
  std::string description;  // of the version
};
// What is set is changed.
struct MachineEdit {
  std::string arn;
  std::optional<std::string> definition, hash, role_arn, logging, tracing;
  bool publish = false;
  std::string description;
};
struct MachineChange {
  MachineRow row;
  std::uint32_t version = 0;  // published; 0: none
};

// The same again answers what is there; AlreadyExists for another definition, type or configuration.
Result<MachineChange> create_machine(Store& store, const NewMachine& request, Instant now);
// `revision` is the new revisionId, used when something changes. NotFound.
Result<MachineChange> update_machine(Store& store, const MachineEdit& edit, const std::string& revision,
                                     Instant now);
// Versions, aliases and tags go at once. With executions running the state machine is Deleting, and these are
// returned: when they have ended, finish_removal(). NotFound.
struct Removal {
  MachineId family;
  std::vector<ExecutionId> running;
};
Result<Removal> remove_machine(Store& store, const std::string& arn);
Status finish_removal(Store& store, MachineId family);
// Those that were Deleting when the engine ended.
Result<std::vector<Removal>> unfinished_removals(Store& store);

// The newest revision as a version; when it is one already, that one. Conflict when `revision` (may be empty)
// is not the newest.
Result<VersionRow> publish_version(Store& store, const std::string& arn, const std::string& revision,
                                   const std::string& description, Instant now);
// Absent: nothing happens. Conflict while an alias leads to it.
Status remove_version(Store& store, const std::string& version_arn);
Result<std::vector<VersionRow>> list_versions(Store& store, const std::string& arn, std::uint32_t below,
                                              std::size_t limit);

struct AliasEdit {
  std::string arn;   // of the state machine
  std::string name;  // of the alias
  std::optional<std::string> description;
  std::vector<std::pair<std::string, int>> routes;  // version ARN and weight; empty: as they are
};
// The same again answers what is there; Conflict for another description or other routes.
Result<AliasRow> create_alias(Store& store, const AliasEdit& request, Instant now);
Result<AliasRow> update_alias(Store& store, const AliasEdit& edit, Instant now);
Result<AliasRow> find_alias(Store& store, const std::string& alias_arn);  // NotFound
Status remove_alias(Store& store, const std::string& alias_arn);          // NotFound
// By name; of a version's ARN those that lead to it.
Result<std::vector<AliasRow>> list_aliases(Store& store, const std::string& arn, const std::string& after,
                                           std::size_t limit);

}  // namespace millrace::orchestrator
