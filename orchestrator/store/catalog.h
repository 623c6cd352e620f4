#pragma once
// Catalog: what a home knows beside executions: state machines with their revisions, versions and aliases,
// activities, tags. Part of a Store, same thread rule. Each function is durable on return; atomically() makes
// several of them one. Rules (which version may go, what a name may be) are orchestrator/machines' business.

#include <functional>

#include "base/result.h"
#include "orchestrator/store/rows.h"

namespace millrace::orchestrator {

class Catalog {
 public:
  virtual ~Catalog() = default;

  // All that `work` does through this catalog, or nothing of it when it fails.
  virtual Status atomically(const std::function<Status()>& work) = 0;

  // Adds a revision and gives it its id; one that is equal to the newest of its ARN (hash, role, logging,
  // tracing) is returned instead. The first revision of an ARN makes the state machine, with that row's
  // type; it has no revisionId.
  virtual Result<MachineRow> put_machine(MachineRow machine) = 0;
  // The same, also when it is equal to the newest.
  virtual Result<MachineRow> add_revision(MachineRow machine) = 0;
  virtual Result<MachineRow> machine(MachineId id) = 0;                   // NotFound; deleted ones are there
  virtual Result<MachineRow> newest_machine(const std::string& arn) = 0;  // NotFound; not deleted ones
  // The newest revision of each that is not deleted, by name; those whose name is behind `after`.
  virtual Result<std::vector<MachineRow>> machines(const std::string& after, std::size_t limit) = 0;
  virtual Status set_machine_status(MachineId family, MachineStatus status) = 0;

  // Adds a version under a number that no version of this state machine ever had.
  virtual Result<VersionRow> add_version(VersionRow version) = 0;
  virtual Result<VersionRow> version(MachineId family, std::uint32_t number) = 0;  // NotFound
  // Newest first, those below `below` (0: from the newest).
  virtual Result<std::vector<VersionRow>> versions(MachineId family, std::uint32_t below,
                                                   std::size_t limit) = 0;
  virtual Status remove_version(MachineId family, std::uint32_t number) = 0;  // absent: nothing happens

  virtual Status put_alias(const AliasRow& alias) = 0;                            // adds or replaces
  virtual Result<AliasRow> alias(MachineId family, const std::string& name) = 0;  // NotFound
  virtual Result<std::vector<AliasRow>> aliases(MachineId family, const std::string& after,
                                                std::size_t limit) = 0;  // by name
  virtual Status remove_alias(MachineId family, const std::string& name) = 0;

  virtual Status put_activity(const ActivityRow& activity) = 0;
  virtual Result<ActivityRow> activity(const std::string& arn) = 0;  // NotFound
  virtual Result<std::vector<ActivityRow>> activities(const std::string& after, std::size_t limit) = 0;
  virtual Status remove_activity(const std::string& arn) = 0;

  virtual Result<std::vector<TagRow>> tags(const std::string& resource) = 0;  // by key
  virtual Status put_tag(const std::string& resource, const TagRow& tag) = 0;
  virtual Status remove_tag(const std::string& resource, const std::string& key) = 0;
};

}  // namespace millrace::orchestrator
