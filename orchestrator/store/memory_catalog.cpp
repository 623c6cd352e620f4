#include "orchestrator/store/memory_catalog.h"

namespace millrace::orchestrator {
namespace {

bool same_revision(const MachineRow& a, const MachineRow& b) {
  return a.hash == b.hash && a.role_arn == b.role_arn && a.logging == b.logging && a.tracing == b.tracing;
}

}  // namespace

Status MemoryCatalog::atomically(const std::function<Status()>& work) {
  const Tables before = tables_;
  Status done = work();
  if (!done) tables_ = before;
  return done;
}

const MachineRow* MemoryCatalog::find(MachineId id) const {
  const auto found = tables_.machines.find(id);
  return found == tables_.machines.end() ? nullptr : &found->second;
}

MachineId MemoryCatalog::newest_family(const std::string& name) const {
  MachineId newest;
  for (const auto& [id, machine] : tables_.machines) {
    if (machine.name == name) newest = std::max(newest, machine.family);
  }
  return newest;
}

Result<MachineRow> MemoryCatalog::put_machine(MachineRow machine) {
  const auto newest = newest_machine(machine.arn);
  if (newest && same_revision(*newest, machine)) return *newest;
  return add_revision(std::move(machine));
}

Result<MachineRow> MemoryCatalog::add_revision(MachineRow machine) {
  const auto newest = newest_machine(machine.arn);
  machine.id = MachineId{tables_.machines.empty() ? 1 : tables_.machines.rbegin()->first.value + 1};
  machine.family = newest ? newest->family : machine.id;
  machine.machine_created = newest ? newest->machine_created : machine.created;
  machine.status = newest ? newest->status : MachineStatus::Active;
  if (newest) {
    machine.type = newest->type;
  } else {
    machine.revision.clear();
  }
  return tables_.machines.emplace(machine.id, machine).first->second;
}

Result<MachineRow> MemoryCatalog::machine(MachineId id) {
  if (const MachineRow* found = find(id)) return *found;
  return fail(ErrorCode::NotFound, "there is no state machine revision " + std::to_string(id.value));
}

Result<MachineRow> MemoryCatalog::newest_machine(const std::string& arn) {
  for (auto it = tables_.machines.rbegin(); it != tables_.machines.rend(); ++it) {
    if (it->second.arn == arn && it->second.status != MachineStatus::Deleted) return it->second;
  }
  return fail(ErrorCode::NotFound, "State Machine Does Not Exist: '" + arn + "'");
}

Result<std::vector<MachineRow>> MemoryCatalog::machines(const std::string& after, std::size_t limit) {
  std::map<std::pair<std::string, std::string>, MachineRow> newest;
  for (const auto& [id, machine] : tables_.machines) {
    if (machine.name > after && machine.status != MachineStatus::Deleted)
      newest[{machine.name, machine.arn}] = machine;
  }
  std::vector<MachineRow> out;
  for (auto& [key, machine] : newest) {
    if (out.size() < limit) out.push_back(std::move(machine));
  }
  return out;
}

Status MemoryCatalog::set_machine_status(MachineId family, MachineStatus status) {
  for (auto& [id, machine] : tables_.machines) {
    if (machine.family == family) machine.status = status;
  }
  return {};
}

Result<VersionRow> MemoryCatalog::add_version(VersionRow version) {
  version.number = ++tables_.last_version[version.family];
  return tables_.versions.emplace(std::pair(version.family, version.number), version).first->second;
}

Result<VersionRow> MemoryCatalog::version(MachineId family, std::uint32_t number) {
  const auto found = tables_.versions.find({family, number});
  if (found != tables_.versions.end()) return found->second;
  return fail(ErrorCode::NotFound, "there is no version " + std::to_string(number));
}

Result<std::vector<VersionRow>> MemoryCatalog::versions(MachineId family, std::uint32_t below,
                                                        std::size_t limit) {
  std::vector<VersionRow> out;
  const std::uint32_t end = below == 0 ? ~std::uint32_t{0} : below;
  auto it = tables_.versions.lower_bound({family, end});
  while (it != tables_.versions.begin() && out.size() < limit) {
    --it;
    if (it->first.first != family) break;
    out.push_back(it->second);
  }
  return out;
}

Status MemoryCatalog::remove_version(MachineId family, std::uint32_t number) {
  tables_.versions.erase({family, number});
  return {};
}

Status MemoryCatalog::put_alias(const AliasRow& alias) {
  tables_.aliases.insert_or_assign({alias.family, alias.name}, alias);
  return {};
}

Result<AliasRow> MemoryCatalog::alias(MachineId family, const std::string& name) {
  const auto found = tables_.aliases.find({family, name});
  if (found != tables_.aliases.end()) return found->second;
  return fail(ErrorCode::NotFound, "there is no alias '" + name + "'");
}

Result<std::vector<AliasRow>> MemoryCatalog::aliases(MachineId family, const std::string& after,
                                                     std::size_t limit) {
  std::vector<AliasRow> out;
  auto it = tables_.aliases.upper_bound({family, after});
  for (; it != tables_.aliases.end() && it->first.first == family && out.size() < limit; ++it)
    out.push_back(it->second);
  return out;
}

Status MemoryCatalog::remove_alias(MachineId family, const std::string& name) {
  tables_.aliases.erase({family, name});
  return {};
}

Status MemoryCatalog::put_activity(const ActivityRow& activity) {
  tables_.activities.insert_or_assign(activity.arn, activity);
  return {};
}

Result<ActivityRow> MemoryCatalog::activity(const std::string& arn) {
  const auto found = tables_.activities.find(arn);
  if (found != tables_.activities.end()) return found->second;
  return fail(ErrorCode::NotFound, "Activity Does Not Exist: '" + arn + "'");
}

Result<std::vector<ActivityRow>> MemoryCatalog::activities(const std::string& after, std::size_t limit) {
  std::vector<ActivityRow> out;
  auto it = tables_.activities.upper_bound(after);
  for (; it != tables_.activities.end() && out.size() < limit; ++it) out.push_back(it->second);
  return out;
}

Status MemoryCatalog::remove_activity(const std::string& arn) {
  tables_.activities.erase(arn);
  return {};
}

Result<std::vector<TagRow>> MemoryCatalog::tags(const std::string& resource) {
  std::vector<TagRow> out;
  auto it = tables_.tags.lower_bound({resource, {}});
  for (; it != tables_.tags.end() && it->first.first == resource; ++it)
    out.push_back({it->first.second, it->second});
  return out;
}

Status MemoryCatalog::put_tag(const std::string& resource, const TagRow& tag) {
  tables_.tags[{resource, tag.key}] = tag.value;
  return {};
}

Status MemoryCatalog::remove_tag(const std::string& resource, const std::string& key) {
  tables_.tags.erase({resource, key});
  return {};
}

}  // namespace millrace::orchestrator
