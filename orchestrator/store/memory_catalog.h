#pragma once
// The memory store's catalog.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/store/catalog.h"

namespace millrace::orchestrator {

class MemoryCatalog final : public Catalog {
 public:
  Status atomically(const std::function<Status()>& work) override;
  Result<MachineRow> put_machine(MachineRow machine) override;
  Result<MachineRow> add_revision(MachineRow machine) override;
  Result<MachineRow> machine(MachineId id) override;
  Result<MachineRow> newest_machine(const std::string& arn) override;
  Result<std::vector<MachineRow>> machines(const std::string& after, std::size_t limit) override;
  Status set_machine_status(MachineId family, MachineStatus status) override;
  Result<VersionRow> add_version(VersionRow version) override;
  Result<VersionRow> version(MachineId family, std::uint32_t number) override;
  Result<std::vector<VersionRow>> versions(MachineId family, std::uint32_t below, std::size_t limit) override;
  Status remove_version(MachineId family, std::uint32_t number) override;
  Status put_alias(const AliasRow& alias) override;
  Result<AliasRow> alias(MachineId family, const std::string& name) override;
  Result<std::vector<AliasRow>> aliases(MachineId family, const std::string& after,
                                        std::size_t limit) override;
  Status remove_alias(MachineId family, const std::string& name) override;
  Status put_activity(const ActivityRow& activity) override;
  Result<ActivityRow> activity(const std::string& arn) override;
  Result<std::vector<ActivityRow>> activities(const std::string& after, std::size_t limit) override;
  Status remove_activity(const std::string& arn) override;
  Result<std::vector<TagRow>> tags(const std::string& resource) override;
  Status put_tag(const std::string& resource, const TagRow& tag) override;
  Status remove_tag(const std::string& resource, const std::string& key) override;

  const MachineRow* find(MachineId id) const;              // null: there is none
  MachineId newest_family(const std::string& name) const;  // of state machines of that name; 0: none

 private:
  struct Tables {
    std::map<MachineId, MachineRow> machines;
    std::map<MachineId, std::uint32_t> last_version;
    std::map<std::pair<MachineId, std::uint32_t>, VersionRow> versions;
    std::map<std::pair<MachineId, std::string>, AliasRow> aliases;
    std::map<std::string, ActivityRow> activities;
    std::map<std::pair<std::string, std::string>, std::string> tags;  // (resource, key)
  };
  Tables tables_;
};

}  // namespace millrace::orchestrator
