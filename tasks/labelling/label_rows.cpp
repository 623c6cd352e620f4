#include "tasks/labelling/label_rows.h"

#include <algorithm>

namespace millrace::tasks {

const char* const kLabelSchema =
    "CREATE TABLE IF NOT EXISTS objects(job INTEGER NOT NULL, id INTEGER NOT NULL, line TEXT NOT NULL, "
    "  PRIMARY KEY(job, id)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS votes(job INTEGER NOT NULL, id INTEGER NOT NULL, worker TEXT NOT NULL, "
    "  category INTEGER NOT NULL, time INTEGER NOT NULL, PRIMARY KEY(job, id, worker)) WITHOUT ROWID;";

Result<LabelRows> LabelRows::open(Database& database) {
  LabelRows rows;
  const std::pair<Statement*, const char*> statements[] = {
      {&rows.add_, "INSERT OR REPLACE INTO objects(job, id, line) VALUES(?1, ?2, ?3)"},
      {&rows.next_,
       "SELECT id, line FROM objects AS o WHERE job = ?1 AND id > ?5 AND "
       "(SELECT count(*) FROM votes WHERE job = ?1 AND id = o.id) < ?2 AND "
       "NOT EXISTS (SELECT 1 FROM votes WHERE job = ?1 AND id = o.id AND worker = ?3) ORDER BY id LIMIT ?4"},
      {&rows.line_, "SELECT line FROM objects WHERE job = ?1 AND id = ?2"},
      {&rows.object_, "SELECT 1 FROM objects WHERE job = ?1 AND id = ?2"},
      {&rows.others_, "SELECT count(*) FROM votes WHERE job = ?1 AND id = ?2 AND worker <> ?3"},
      {&rows.vote_,
       "INSERT OR REPLACE INTO votes(job, id, worker, category, time) VALUES(?1, ?2, ?3, ?4, ?5)"},
      {&rows.all_, "SELECT count(*) FROM objects WHERE job = ?1"},
      {&rows.labelled_,
       "SELECT count(*) FROM (SELECT id FROM votes WHERE job = ?1 GROUP BY id HAVING count(*) >= ?2)"},
      {&rows.votes_,
       "SELECT o.id, o.line, v.category, v.time FROM objects AS o JOIN votes AS v ON v.job = o.job AND v.id "
       "= o.id "
       "WHERE o.job = ?1 AND (SELECT count(*) FROM votes WHERE job = ?1 AND id = o.id) >= ?2 ORDER BY o.id"},
      {&rows.jobs_,
       "WITH RECURSIVE j(n) AS (SELECT min(job) FROM objects UNION ALL "
       "SELECT (SELECT min(job) FROM objects WHERE job > n) FROM j WHERE n IS NOT NULL) "
       "SELECT n FROM j WHERE n IS NOT NULL"},
      {&rows.drop_objects_, "DELETE FROM objects WHERE job = ?1"},
      {&rows.drop_votes_, "DELETE FROM votes WHERE job = ?1"},
  };
  for (const auto& [statement, sql] : statements) {
    MR_TRY(prepared, database.prepare(sql));
    *statement = std::move(prepared);
  }
  return rows;
}

Status LabelRows::add_object(std::int64_t job, std::int64_t id, std::string_view line) {
  add_.bind(1, job).bind(2, id).bind(3, line);
  return add_.run();
}

Result<std::vector<LabelObject>> LabelRows::next(std::int64_t job, int workers, std::string_view worker,
                                                 std::int64_t limit, std::int64_t after) {
  std::vector<LabelObject> objects;
  next_.bind(1, job).bind(2, std::int64_t{workers}).bind(3, worker).bind(4, limit).bind(5, after);
  for (;;) {
    MR_TRY(row, next_.step());
    if (!row) break;
    objects.push_back({next_.integer(0), std::string(next_.text(1))});
  }
  next_.reset();
  return objects;
}

Result<std::optional<LabelObject>> LabelRows::object(std::int64_t job, std::int64_t id) {
  line_.bind(1, job).bind(2, id);
  MR_TRY(there, line_.step());
  std::optional<LabelObject> found;
  if (there) found = LabelObject{id, std::string(line_.text(0))};
  line_.reset();
  return found;
}

Result<bool> LabelRows::vote(std::int64_t job, int workers, std::int64_t id, std::string_view worker,
                             std::size_t category, Instant now) {
  object_.bind(1, job).bind(2, id);
  MR_TRY(there, object_.step());
  object_.reset();
  if (!there) return false;
  others_.bind(1, job).bind(2, id).bind(3, worker);
  MR_DO(others_.step());
  const bool enough = others_.integer(0) >= workers;
  others_.reset();
  if (enough) return false;
  vote_.bind(1, job).bind(2, id).bind(3, worker).bind(4, static_cast<std::int64_t>(category));
  vote_.bind(5, to_millis(now));
  MR_DO(vote_.run());
  return true;
}

Result<LabelCounts> LabelRows::counts(std::int64_t job, int workers) {
  LabelCounts counts;
  all_.bind(1, job);
  MR_DO(all_.step());
  counts.all = all_.integer(0);
  all_.reset();
  labelled_.bind(1, job).bind(2, std::int64_t{workers});
  MR_DO(labelled_.step());
  counts.labelled = labelled_.integer(0);
  labelled_.reset();
  return counts;
}

Status LabelRows::labelled(std::int64_t job, int workers,
                           const std::function<Status(const LabelObject&, const LabelVotes&)>& take) {
  votes_.bind(1, job).bind(2, std::int64_t{workers});
  std::optional<LabelObject> object;
  LabelVotes votes;
  Status status;
  for (;;) {
    const auto row = votes_.step();
    if (!row) status = fail(row.error());
    const bool more = row && *row;
    if (object && (!more || votes_.integer(0) != object->id)) {
      if (status) status = take(*object, votes);
      object.reset();
      votes = {};
    }
    if (!more || !status) break;
    if (!object) object = LabelObject{votes_.integer(0), std::string(votes_.text(1))};
    ++votes.by_category[static_cast<std::size_t>(votes_.integer(2))];
    votes.newest_ms = std::max(votes.newest_ms, votes_.integer(3));
  }
  votes_.reset();
  return status;
}

Status LabelRows::keep_only(const std::vector<std::int64_t>& jobs) {
  std::vector<std::int64_t> strangers;
  for (;;) {
    MR_TRY(row, jobs_.step());
    if (!row) break;
    if (std::find(jobs.begin(), jobs.end(), jobs_.integer(0)) == jobs.end())
      strangers.push_back(jobs_.integer(0));
  }
  jobs_.reset();
  for (const std::int64_t job : strangers) {
    drop_objects_.bind(1, job);
    MR_DO(drop_objects_.run());
    drop_votes_.bind(1, job);
    MR_DO(drop_votes_.run());
  }
  return {};
}

}  // namespace millrace::tasks
