#pragma once
// The SQLite store's catalog, and how the store's sources read rows.

#include <map>
#include <vector>

#include "base/sqlite.h"
#include "orchestrator/store/catalog.h"

namespace millrace::orchestrator {

// Every row of a query that has its parameters.
template <class T, class Read>
Result<std::vector<T>> all_rows(Statement& statement, const Read& read) {
  std::vector<T> out;
  for (;;) {
    auto more = statement.step();
    if (!more) return fail(more.error());
    if (!*more) break;
    auto row = read(statement);
    if (!row) {
      statement.reset();
      return fail(row.error());
    }
    out.push_back(*std::move(row));
  }
  statement.reset();
  return out;
}
// The first column of the first row, 0 when there is none.
Result<std::int64_t> number_of(Database& database, std::string_view sql);
inline std::int64_t limit_of(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::size_t{1} << 40));
}

// Statements by their text, prepared once. What get() gives is reset before it is used again.
class Statements {
 public:
  explicit Statements(Database& database) : database_(database) {}
  Result<Statement*> get(const std::string& sql);

 private:
  Database& database_;
  std::map<std::string, Statement, std::less<>> prepared_;
};

class SqliteCatalog final : public Catalog {
 public:
  // Borrows the database.
  SqliteCatalog(Database& database, bool writes)
      : database_(database), statements_(database), writes_(writes) {}

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

 private:
  Result<Statement*> writing(const std::string& sql);

  Database& database_;
  Statements statements_;
  bool writes_;
  bool inside_ = false;  // atomically()
};

}  // namespace millrace::orchestrator
