#include "orchestrator/machine_changes.h"

#include <charconv>

#include "orchestrator/arns.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kPage = 1000;

tl::unexpected<Error> does_not_exist(const std::string& arn) {
  return fail(ErrorCode::NotFound, "State Machine Does Not Exist: '" + arn + "'");
}
tl::unexpected<Error> being_deleted(const std::string& arn) {
  return fail(ErrorCode::Unavailable, "State Machine is being deleted: '" + arn + "'",
              "wait until it is gone");
}

// The newest revision of a state machine that may be changed. A version's or alias's ARN names none.
Result<MachineRow> changeable(Store& store, const std::string& text) {
  MR_TRY(arn, parse_arn(text, "stateMachine"));
  if (!arn.qualifier.empty()) return does_not_exist(text);
  MR_TRY(row, store.newest_machine(text));
  if (row.status != MachineStatus::Active) return being_deleted(text);
  return row;
}

// The newest revision as a version, made when there is none yet.
Result<VersionRow> publish(Store& store, const MachineRow& row, const std::string& description, Instant now) {
  MR_TRY(newest, store.catalog().versions(row.family, 0, 1));
  if (!newest.empty() && newest.front().machine == row.id) return newest.front();
  return store.catalog().add_version({row.family, 0, row.id, description, now});
}

Result<std::vector<ExecutionId>> running_executions(Store& store, MachineId family) {
  ExecutionFilter filter;
  filter.family = family;
  filter.status = states::ExecutionStatus::Running;
  std::vector<ExecutionId> out;
  ExecutionId before{};
  for (;;) {
    MR_TRY(rows, store.executions(filter, before, kPage));
    for (const ExecutionRow& row : rows) out.push_back(row.id);
    if (rows.size() < kPage) return out;
    before = rows.back().id;
  }
}

Status remove_names(Store& store, const MachineRow& row) {
  Catalog& catalog = store.catalog();
  MR_TRY(aliases, catalog.aliases(row.family, {}, ~std::size_t{0}));
  for (const AliasRow& alias : aliases) MR_DO(catalog.remove_alias(row.family, alias.name));
  MR_TRY(versions, catalog.versions(row.family, 0, ~std::size_t{0}));
  for (const VersionRow& version : versions) MR_DO(catalog.remove_version(row.family, version.number));
  MR_TRY(tags, catalog.tags(row.arn));
  for (const TagRow& tag : tags) MR_DO(catalog.remove_tag(row.arn, tag.key));
  return {};
}

template <class T>
Result<T> at_once(Store& store, const std::function<Result<T>()>& work) {
  Result<T> out = fail(ErrorCode::Internal, "not done");
  const Status done = store.catalog().atomically([&]() -> Status {
    out = work();
    if (!out) return fail(out.error());
    return {};
  });
  if (!done) return fail(done.error());
  return out;
}

}  // namespace

Result<MachineChange> create_machine(Store& store, const NewMachine& request, Instant now) {
  return at_once<MachineChange>(store, [&]() -> Result<MachineChange> {
    MachineChange change;
    const auto there = store.newest_machine(request.arn);
    if (!there && there.error().code != ErrorCode::NotFound) return fail(there.error());
    if (there) {
      if (there->status != MachineStatus::Active) return being_deleted(request.arn);
      if (there->definition != request.definition || there->type != request.type ||
          there->logging != request.logging || there->tracing != request.tracing)
        return fail(ErrorCode::AlreadyExists, "State Machine Already Exists: '" + request.arn + "'",
                    "choose another name, or change it with UpdateStateMachine");
      change.row = *there;
    } else {
      MachineRow row{{}, request.arn,  request.name, request.role_arn, request.definition, request.hash, now,
                     {}, request.type, {},           request.logging,  request.tracing};
      MR_TRY(made, store.put_machine(std::move(row)));
      change.row = std::move(made);
      for (const TagRow& tag : request.tags) MR_DO(store.catalog().put_tag(request.arn, tag));
    }
    if (!request.publish) return change;
    MR_TRY(version, publish(store, change.row, request.description, now));
    change.version = version.number;
    return change;
  });
}

Result<MachineChange> update_machine(Store& store, const MachineEdit& edit, const std::string& revision,
                                     Instant now) {
  return at_once<MachineChange>(store, [&]() -> Result<MachineChange> {
    MR_TRY(row, changeable(store, edit.arn));
    if (edit.definition) row.definition = *edit.definition;
    if (edit.hash) row.hash = *edit.hash;
    if (edit.role_arn) row.role_arn = *edit.role_arn;
    if (edit.logging) row.logging = *edit.logging;
    if (edit.tracing) row.tracing = *edit.tracing;
    row.revision = revision;
    row.created = now;
    MachineChange change;
    // A role that is given by itself is a new revision even when it is the same, as recorded on AWS.
    const bool role_only = edit.role_arn && !edit.definition && !edit.logging && !edit.tracing;
    Catalog& catalog = store.catalog();
    MR_TRY(made, role_only ? catalog.add_revision(std::move(row)) : catalog.put_machine(std::move(row)));
    change.row = std::move(made);
    if (!edit.publish) return change;
    MR_TRY(version, publish(store, change.row, edit.description, now));
    change.version = version.number;
    return change;
  });
}

Result<Removal> remove_machine(Store& store, const std::string& arn) {
  return at_once<Removal>(store, [&]() -> Result<Removal> {
    MR_TRY(row, store.newest_machine(arn));
    Removal removal{row.family, {}};
    MR_TRY(running, running_executions(store, row.family));
    removal.running = std::move(running);
    MR_DO(remove_names(store, row));
    MR_DO(store.catalog().set_machine_status(
        row.family, removal.running.empty() ? MachineStatus::Deleted : MachineStatus::Deleting));
    return removal;
  });
}

Status finish_removal(Store& store, MachineId family) {
  return store.catalog().set_machine_status(family, MachineStatus::Deleted);
}

Result<std::vector<Removal>> unfinished_removals(Store& store) {
  std::vector<Removal> out;
  MR_TRY(machines, store.machines());
  for (const MachineRow& row : machines) {
    if (row.status != MachineStatus::Deleting) continue;
    MR_TRY(running, running_executions(store, row.family));
    out.push_back({row.family, std::move(running)});
  }
  return out;
}

Result<VersionRow> publish_version(Store& store, const std::string& arn, const std::string& revision,
                                   const std::string& description, Instant now) {
  return at_once<VersionRow>(store, [&]() -> Result<VersionRow> {
    MR_TRY(row, changeable(store, arn));
    const std::string current = row.revision.empty() ? "INITIAL" : row.revision;
    if (!revision.empty() && revision != current)
      return fail(ErrorCode::Conflict, "Failed to publish the State Machine version for revision " +
                                           revision + ". The current State Machine revision is " + current +
                                           ".");
    return publish(store, row, description, now);
  });
}

Status remove_version(Store& store, const std::string& text) {
  MR_TRY(arn, parse_arn(text, "stateMachine"));
  if (!arn.is_version())
    return invalid("Invalid Arn: 'The ARN is not a state machine version ARN: " + text + "'");
  std::uint32_t number = 0;
  std::from_chars(arn.qualifier.data(), arn.qualifier.data() + arn.qualifier.size(), number);
  return store.catalog().atomically([&]() -> Status {
    const auto row = store.newest_machine(arn.unqualified());
    if (!row) return row.error().code == ErrorCode::NotFound ? Status() : Status(fail(row.error()));
    MR_TRY(aliases, list_aliases(store, text, {}, ~std::size_t{0}));
    std::string names;
    for (const AliasRow& alias : aliases) names.append(names.empty() ? "" : ", ").append(alias.name);
    if (!names.empty())
      return fail(ErrorCode::Conflict,
                  "Version to be deleted must not be referenced by an alias. Current list of aliases "
                  "referencing this version: [" +
                      names + "]");
    return store.catalog().remove_version(row->family, number);
  });
}

Result<std::vector<VersionRow>> list_versions(Store& store, const std::string& text, std::uint32_t below,
                                              std::size_t limit) {
  MR_TRY(arn, parse_arn(text, "stateMachine"));
  MR_TRY(row, store.newest_machine(arn.unqualified()));
  return store.catalog().versions(row.family, below, limit);
}

}  // namespace millrace::orchestrator
