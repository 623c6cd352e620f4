#include "orchestrator/store/sqlite_catalog.h"

#include <optional>

namespace millrace::orchestrator {
namespace {

constexpr char kSelectMachine[] =
    "SELECT m.id, m.arn, m.name, m.role_arn, m.definition, m.hash, m.created, m.family, s.type, m.revision, "
    "m.logging, m.tracing, s.created, s.status FROM machines m JOIN state_machines s ON s.id=m.family ";
constexpr char kSelectVersion[] =
    "SELECT family, number, machine, description, created FROM versions WHERE family=?1 ";
constexpr char kSelectAlias[] =
    "SELECT family, name, description, version1, weight1, version2, weight2, created, updated FROM aliases "
    "WHERE family=?1 ";

MachineId id_at(const Statement& at, int column) {
  return MachineId{static_cast<std::uint64_t>(at.integer(column))};
}
std::uint32_t number_at(const Statement& at, int column) {
  return static_cast<std::uint32_t>(at.integer(column));
}

Result<MachineRow> machine_at(const Statement& at) {
  MachineRow row;
  row.id = id_at(at, 0);
  row.arn = at.text(1);
  row.name = at.text(2);
  row.role_arn = at.text(3);
  row.definition = at.text(4);
  row.hash = at.text(5);
  row.created = from_millis(at.integer(6));
  row.family = id_at(at, 7);
  row.type = at.integer(8) == 0 ? MachineType::Standard : MachineType::Express;
  row.revision = at.text(9);
  row.logging = at.text(10);
  row.tracing = at.text(11);
  row.machine_created = from_millis(at.integer(12));
  row.status = static_cast<MachineStatus>(std::clamp<std::int64_t>(at.integer(13), 0, 2));
  return row;
}
Result<VersionRow> version_at(const Statement& at) {
  return VersionRow{id_at(at, 0), number_at(at, 1), id_at(at, 2), std::string(at.text(3)),
                    from_millis(at.integer(4))};
}
Result<AliasRow> alias_at(const Statement& at) {
  AliasRow row{id_at(at, 0), std::string(at.text(1)), std::string(at.text(2)), {}, {}, {}};
  row.routes.push_back({number_at(at, 3), static_cast<int>(at.integer(4))});
  if (at.integer(5) != 0) row.routes.push_back({number_at(at, 5), static_cast<int>(at.integer(6))});
  row.created = from_millis(at.integer(7));
  row.updated = from_millis(at.integer(8));
  return row;
}
Result<ActivityRow> activity_at(const Statement& at) {
  return ActivityRow{std::string(at.text(0)), std::string(at.text(1)), from_millis(at.integer(2))};
}

template <class T, class Read>
Result<T> only(Statement& statement, const Read& read, const std::string& otherwise) {
  MR_TRY(rows, all_rows<T>(statement, read));
  if (rows.empty()) return fail(ErrorCode::NotFound, otherwise);
  return std::move(rows.front());
}

}  // namespace

Result<std::int64_t> number_of(Database& database, std::string_view sql) {
  MR_TRY(statement, database.prepare(sql));
  MR_TRY(row, statement.step());
  return row ? statement.integer(0) : 0;
}

Status SqliteCatalog::atomically(const std::function<Status()>& work) {
  if (inside_) return work();
  MR_TRY(transaction, Transaction::begin(database_));
  inside_ = true;
  Status done = work();
  inside_ = false;
  if (!done) return done;
  return transaction.commit();
}

Result<Statement*> Statements::get(const std::string& sql) {
  auto found = prepared_.find(sql);
  if (found == prepared_.end()) {
    MR_TRY(statement, database_.prepare(sql));
    found = prepared_.emplace(sql, std::move(statement)).first;
  }
  return &found->second;
}

Result<Statement*> SqliteCatalog::writing(const std::string& sql) {
  if (!writes_) return invalid("the home is open for reading only");
  return statements_.get(sql);
}

Result<MachineRow> SqliteCatalog::put_machine(MachineRow machine) {
  const auto newest = newest_machine(machine.arn);
  if (!newest && newest.error().code != ErrorCode::NotFound) return fail(newest.error());
  if (newest && newest->hash == machine.hash && newest->role_arn == machine.role_arn &&
      newest->logging == machine.logging && newest->tracing == machine.tracing)
    return *newest;
  return add_revision(std::move(machine));
}

Result<MachineRow> SqliteCatalog::add_revision(MachineRow machine) {
  const Status done = atomically([&]() -> Status {
    const auto newest = newest_machine(machine.arn);
    if (!newest && newest.error().code != ErrorCode::NotFound) return fail(newest.error());
    MR_TRY(highest, number_of(database_, "SELECT max(id) FROM machines"));
    machine.id = MachineId{static_cast<std::uint64_t>(highest + 1)};
    if (newest) {
      machine.family = newest->family;
    } else {
      machine.family = machine.id;
      machine.revision.clear();
      MR_TRY(insert, writing("INSERT INTO state_machines(id, arn, name, type, status, created) "
                             "VALUES(?,?,?,?,0,?)"));
      insert->bind(1, as_signed(machine.id.value)).bind(2, machine.arn).bind(3, machine.name);
      insert->bind(4, static_cast<std::int64_t>(machine.type)).bind(5, to_millis(machine.created));
      MR_DO(insert->run());
    }
    MR_TRY(insert, writing("INSERT INTO machines(id, family, arn, name, role_arn, definition, hash, created, "
                           "revision, logging, tracing) VALUES(?,?,?,?,?,?,?,?,?,?,?)"));
    insert->bind(1, as_signed(machine.id.value))
        .bind(2, as_signed(machine.family.value))
        .bind(3, machine.arn);
    insert->bind(4, machine.name).bind(5, machine.role_arn).bind(6, machine.definition).bind(7, machine.hash);
    insert->bind(8, to_millis(machine.created)).bind(9, machine.revision).bind(10, machine.logging);
    return insert->bind(11, machine.tracing).run();
  });
  MR_DO(done);
  return this->machine(machine.id);
}

Result<MachineRow> SqliteCatalog::machine(MachineId id) {
  MR_TRY(select, statements_.get(std::string(kSelectMachine) + "WHERE m.id=?"));
  return only<MachineRow>(select->bind(1, as_signed(id.value)), machine_at,
                          "there is no state machine revision " + std::to_string(id.value));
}

Result<MachineRow> SqliteCatalog::newest_machine(const std::string& arn) {
  MR_TRY(select, statements_.get(std::string(kSelectMachine) +
                                 "WHERE s.arn=? AND s.status<2 ORDER BY m.id DESC LIMIT 1"));
  return only<MachineRow>(select->bind(1, arn), machine_at, "State Machine Does Not Exist: '" + arn + "'");
}

Result<std::vector<MachineRow>> SqliteCatalog::machines(const std::string& after, std::size_t limit) {
  MR_TRY(select, statements_.get(std::string(kSelectMachine) +
                                 "WHERE s.status<2 AND s.name>?1 AND m.id=(SELECT max(id) FROM machines "
                                 "WHERE family=s.id) ORDER BY m.name, m.arn LIMIT ?2"));
  return all_rows<MachineRow>(select->bind(1, after).bind(2, limit_of(limit)), machine_at);
}

Status SqliteCatalog::set_machine_status(MachineId family, MachineStatus status) {
  MR_TRY(update, writing("UPDATE state_machines SET status=? WHERE id=?"));
  return update->bind(1, static_cast<std::int64_t>(status)).bind(2, as_signed(family.value)).run();
}

Result<VersionRow> SqliteCatalog::add_version(VersionRow version) {
  const Status added = atomically([&]() -> Status {
    const std::int64_t family = as_signed(version.family.value);
    MR_TRY(count, writing("UPDATE state_machines SET last_version=last_version+1 WHERE id=?"));
    MR_DO(count->bind(1, family).run());
    MR_TRY(select, statements_.get("SELECT last_version FROM state_machines WHERE id=?"));
    MR_TRY(row, select->bind(1, family).step());
    if (!row) return fail(ErrorCode::NotFound, "there is no state machine " + std::to_string(family));
    version.number = number_at(*select, 0);
    select->reset();
    MR_TRY(insert,
           writing("INSERT INTO versions(family, number, machine, description, created) VALUES(?,?,?,?,?)"));
    insert->bind(1, family).bind(2, std::int64_t{version.number}).bind(3, as_signed(version.machine.value));
    return insert->bind(4, version.description).bind(5, to_millis(version.created)).run();
  });
  MR_DO(added);
  return version;
}

Result<VersionRow> SqliteCatalog::version(MachineId family, std::uint32_t number) {
  MR_TRY(select, statements_.get(std::string(kSelectVersion) + "AND number=?2"));
  return only<VersionRow>(select->bind(1, as_signed(family.value)).bind(2, std::int64_t{number}), version_at,
                          "there is no version " + std::to_string(number));
}

Result<std::vector<VersionRow>> SqliteCatalog::versions(MachineId family, std::uint32_t below,
                                                        std::size_t limit) {
  MR_TRY(select, statements_.get(std::string(kSelectVersion) +
                                 "AND (?2=0 OR number<?2) ORDER BY number DESC LIMIT ?3"));
  select->bind(1, as_signed(family.value)).bind(2, std::int64_t{below}).bind(3, limit_of(limit));
  return all_rows<VersionRow>(*select, version_at);
}

Status SqliteCatalog::remove_version(MachineId family, std::uint32_t number) {
  MR_TRY(remove, writing("DELETE FROM versions WHERE family=? AND number=?"));
  return remove->bind(1, as_signed(family.value)).bind(2, std::int64_t{number}).run();
}

Status SqliteCatalog::put_alias(const AliasRow& alias) {
  MR_TRY(insert,
         writing("INSERT OR REPLACE INTO aliases(family, name, description, version1, weight1, version2, "
                 "weight2, created, updated) VALUES(?,?,?,?,?,?,?,?,?)"));
  const AliasRoute first = alias.routes.empty() ? AliasRoute{} : alias.routes[0];
  const AliasRoute second = alias.routes.size() < 2 ? AliasRoute{} : alias.routes[1];
  insert->bind(1, as_signed(alias.family.value)).bind(2, alias.name).bind(3, alias.description);
  insert->bind(4, std::int64_t{first.version}).bind(5, std::int64_t{first.weight});
  insert->bind(6, std::int64_t{second.version}).bind(7, std::int64_t{second.weight});
  return insert->bind(8, to_millis(alias.created)).bind(9, to_millis(alias.updated)).run();
}

Result<AliasRow> SqliteCatalog::alias(MachineId family, const std::string& name) {
  MR_TRY(select, statements_.get(std::string(kSelectAlias) + "AND name=?2"));
  return only<AliasRow>(select->bind(1, as_signed(family.value)).bind(2, name), alias_at,
                        "there is no alias '" + name + "'");
}

Result<std::vector<AliasRow>> SqliteCatalog::aliases(MachineId family, const std::string& after,
                                                     std::size_t limit) {
  MR_TRY(select, statements_.get(std::string(kSelectAlias) + "AND name>?2 ORDER BY name LIMIT ?3"));
  select->bind(1, as_signed(family.value)).bind(2, after).bind(3, limit_of(limit));
  return all_rows<AliasRow>(*select, alias_at);
}

Status SqliteCatalog::remove_alias(MachineId family, const std::string& name) {
  MR_TRY(remove, writing("DELETE FROM aliases WHERE family=? AND name=?"));
  return remove->bind(1, as_signed(family.value)).bind(2, name).run();
}

Status SqliteCatalog::put_activity(const ActivityRow& activity) {
  MR_TRY(insert, writing("INSERT OR REPLACE INTO activities(arn, name, created) VALUES(?,?,?)"));
  return insert->bind(1, activity.arn).bind(2, activity.name).bind(3, to_millis(activity.created)).run();
}

Result<ActivityRow> SqliteCatalog::activity(const std::string& arn) {
  MR_TRY(select, statements_.get("SELECT arn, name, created FROM activities WHERE arn=?"));
  return only<ActivityRow>(select->bind(1, arn), activity_at, "Activity Does Not Exist: '" + arn + "'");
}

Result<std::vector<ActivityRow>> SqliteCatalog::activities(const std::string& after, std::size_t limit) {
  MR_TRY(select,
         statements_.get("SELECT arn, name, created FROM activities WHERE arn>? ORDER BY arn LIMIT ?"));
  return all_rows<ActivityRow>(select->bind(1, after).bind(2, limit_of(limit)), activity_at);
}

Status SqliteCatalog::remove_activity(const std::string& arn) {
  MR_TRY(remove, writing("DELETE FROM activities WHERE arn=?"));
  return remove->bind(1, arn).run();
}

Result<std::vector<TagRow>> SqliteCatalog::tags(const std::string& resource) {
  MR_TRY(select, statements_.get("SELECT key, value FROM tags WHERE resource=? ORDER BY key"));
  return all_rows<TagRow>(select->bind(1, resource), [](const Statement& at) -> Result<TagRow> {
    return TagRow{std::string(at.text(0)), std::string(at.text(1))};
  });
}

Status SqliteCatalog::put_tag(const std::string& resource, const TagRow& tag) {
  MR_TRY(insert, writing("INSERT OR REPLACE INTO tags(resource, key, value) VALUES(?,?,?)"));
  return insert->bind(1, resource).bind(2, tag.key).bind(3, tag.value).run();
}

Status SqliteCatalog::remove_tag(const std::string& resource, const std::string& key) {
  MR_TRY(remove, writing("DELETE FROM tags WHERE resource=? AND key=?"));
  return remove->bind(1, resource).bind(2, key).run();
}

}  // namespace millrace::orchestrator
