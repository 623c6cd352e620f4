#include "tasks/features/as_of_join.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kScratchBytesMax = std::int64_t{64} << 30;

AsOfRecord record_at(const Statement& row) {
  return {row.text(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4) != 0, row.text(5)};
}

}  // namespace

Result<std::unique_ptr<AsOfJoin>> AsOfJoin::open(std::size_t groups, std::function<bool()> stop) {
  std::unique_ptr<AsOfJoin> join(new AsOfJoin);
  SandboxLimits limits;
  limits.file_bytes_max = kScratchBytesMax;
  limits.stop = std::move(stop);
  MR_TRY(database, Database::open_sandbox(std::move(limits)));
  join->database_ = std::move(database);
  MR_DO(join->database_.execute("CREATE TABLE rows(n INTEGER PRIMARY KEY, cells TEXT)"));
  for (std::size_t g = 0; g < groups; ++g) {
    Group group;
    group.table = std::to_string(g);
    const std::string tables =
        "CREATE TABLE keys" + group.table +
        "(n INTEGER PRIMARY KEY, id TEXT, time INTEGER);"
        "CREATE TABLE records" +
        group.table +
        "(id TEXT, time INTEGER, invoked INTEGER, written INTEGER, deleted INTEGER, cells TEXT);"
        "CREATE TABLE found" +
        group.table + "(n INTEGER, cells TEXT)";
    MR_DO(join->database_.execute(tables.c_str()));
    MR_TRY(key, join->database_.prepare("INSERT INTO keys" + group.table + " VALUES(?1, ?2, ?3)"));
    MR_TRY(record,
           join->database_.prepare("INSERT INTO records" + group.table + " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
    MR_TRY(found, join->database_.prepare("INSERT INTO found" + group.table + " VALUES(?1, ?2)"));
    group.add_key = std::move(key), group.add_record = std::move(record), group.add_found = std::move(found);
    join->groups_.push_back(std::move(group));
  }
  MR_TRY(row, join->database_.prepare("INSERT INTO rows VALUES(?1, ?2)"));
  join->add_row_ = std::move(row);
  MR_DO(join->database_.execute("BEGIN"));
  return join;
}

Status AsOfJoin::add_row(std::string_view cells, std::span<const std::optional<std::string>> ids,
                         std::int64_t time_us) {
  add_row_.bind(1, count_).bind(2, cells);
  MR_DO(add_row_.run());
  for (std::size_t g = 0; g < ids.size(); ++g) {
    if (!ids[g]) continue;
    groups_[g].add_key.bind(1, count_).bind(2, *ids[g]).bind(3, time_us);
    MR_DO(groups_[g].add_key.run());
  }
  ++count_;
  return {};
}

Status AsOfJoin::add_record(std::size_t group, const AsOfRecord& record) {
  Statement& add = groups_[group].add_record;
  add.bind(1, record.id).bind(2, record.time_us).bind(3, record.invoked_us).bind(4, record.written_ms);
  add.bind(5, std::int64_t{record.deleted}).bind(6, record.cells);
  return add.run();
}

Status AsOfJoin::merge(std::size_t group, const AsOfRules& rules) {
  Group& g = groups_[group];
  MR_TRY(keys, database_.prepare("SELECT n, id, time FROM keys" + g.table + " ORDER BY id, time"));
  MR_TRY(records, database_.prepare("SELECT id, time, invoked, written, deleted, cells FROM records" +
                                    g.table + " ORDER BY id, time, invoked, written"));
  MR_TRY(more, records.step());
  std::string id;  // of the candidate
  std::optional<std::string>
      candidate;  // cells of the newest record so far; none: deleted, or there was none
  std::int64_t candidate_time = 0;
  for (;;) {
    MR_TRY(row, keys.step());
    if (!row) return {};
    const std::string_view key = keys.text(1);
    const std::int64_t time = keys.integer(2);
    if (id != key) {
      id = key;
      candidate.reset();
    }
    while (more && (records.text(0) < key ||
                    (records.text(0) == key && (!rules.accurate || records.integer(1) <= time)))) {
      if (records.text(0) == key) {
        const AsOfRecord record = record_at(records);
        candidate.reset();
        if (!record.deleted) candidate = std::string(record.cells);
        candidate_time = record.time_us;
      }
      MR_TRY(next, records.step());
      more = next;
    }
    if (!candidate || (rules.max_age_us && time - candidate_time > *rules.max_age_us)) continue;
    g.add_found.bind(1, keys.integer(0)).bind(2, *candidate);
    MR_DO(g.add_found.run());
  }
}

Status AsOfJoin::rows(const TakeRow& take) {
  MR_TRY(all, database_.prepare("SELECT n, cells FROM rows ORDER BY n"));
  std::vector<Statement> found;
  std::vector<bool> more;
  for (const Group& group : groups_) {
    MR_TRY(statement, database_.prepare("SELECT n, cells FROM found" + group.table + " ORDER BY n"));
    MR_TRY(first, statement.step());
    found.push_back(std::move(statement));
    more.push_back(first);
  }
  std::vector<std::optional<std::string_view>> cells(groups_.size());
  for (;;) {
    MR_TRY(row, all.step());
    if (!row) return {};
    const std::int64_t n = all.integer(0);
    for (std::size_t g = 0; g < found.size(); ++g) {
      cells[g].reset();
      if (more[g] && found[g].integer(0) == n) cells[g] = found[g].text(1);
    }
    MR_DO(take(all.text(1), cells));
    for (std::size_t g = 0; g < found.size(); ++g) {
      if (!cells[g]) continue;
      MR_TRY(next, found[g].step());
      more[g] = next;
    }
  }
}

Status AsOfJoin::newest_first(std::size_t group, const std::function<Result<bool>(const AsOfRecord&)>& take) {
  MR_TRY(records,
         database_.prepare("SELECT id, time, invoked, written, deleted, cells FROM records" +
                           groups_[group].table + " ORDER BY id, time DESC, invoked DESC, written DESC"));
  std::optional<std::string> done;  // an identifier that is
  for (;;) {
    MR_TRY(row, records.step());
    if (!row) return {};
    if (done && records.text(0) == *done) continue;
    MR_TRY(go_on, take(record_at(records)));
    if (!go_on) done = std::string(records.text(0));
  }
}

}  // namespace millrace::tasks
