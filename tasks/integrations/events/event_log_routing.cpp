// What EventLog does for who routes events.

#include "tasks/integrations/events/event_log.h"

namespace millrace::tasks {

Result<std::vector<EventLog::Row>> EventLog::rows(std::int64_t after, std::size_t limit) const {
  static constexpr std::string_view kRows =
      "SELECT number, time, bus, document FROM event WHERE number > ?1 ORDER BY number LIMIT ?2";
  const std::lock_guard lock(reading_);
  if (!rows_opened_) {
    MR_TRY(database, Database::open_readonly(path_));
    reader_ = std::move(database);
    MR_TRY(statement, reader_.prepare(kRows));
    rows_ = std::move(statement);
    rows_opened_ = true;
  }
  std::vector<Row> found;
  rows_.bind(1, after).bind(2, static_cast<std::int64_t>(limit));
  auto more = rows_.step();
  for (; more && *more; more = rows_.step()) {
    auto document = Payload::parse(rows_.text(3));
    found.push_back({rows_.integer(0), from_millis(rows_.integer(1)), std::string(rows_.text(2)),
                     document ? std::move(*document) : Payload()});
  }
  rows_.reset();
  if (!more) return fail(more.error());
  return found;
}

Result<std::int64_t> EventLog::last() const {
  const std::lock_guard lock(mutex_);
  MR_TRY(statement, database_.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'event'"));
  MR_TRY(row, statement.step());
  return row ? statement.integer(0) : 0;
}

Status EventLog::put_named(const std::vector<Named>& events) {
  std::function<void()> listener;
  {
    const std::lock_guard lock(mutex_);
    MR_TRY(transaction, Transaction::begin(database_));
    const std::int64_t now = to_millis(clock_.now());
    for (const Named& event : events) {
      find_request_.bind(1, std::string_view(event.name));
      const auto there = find_request_.step();
      find_request_.reset();
      if (!there) return fail(there.error());
      if (*there) continue;
      MR_DO(insert_request_.bind(1, std::string_view(event.name))
                .bind(2, now)
                .bind(3, std::string_view("{}"))
                .run());
      MR_DO(insert_.bind(1, now).bind(2, std::string_view(event.bus)).bind(3, event.document.text()).run());
    }
    MR_DO(remove_old());
    MR_DO(transaction.commit());
    listener = listener_;
  }
  if (listener) listener();
  return {};
}

Result<std::optional<Instant>> EventLog::newest_named(const std::string& prefix) const {
  const std::lock_guard lock(mutex_);
  MR_TRY(statement, database_.prepare("SELECT max(time) FROM request WHERE name >= ?1 AND name < ?2"));
  const std::string end = prefix + "\x7f";
  statement.bind(1, std::string_view(prefix)).bind(2, std::string_view(end));
  MR_TRY(row, statement.step());
  if (!row || statement.is_null(0)) return std::optional<Instant>();
  return std::optional<Instant>(from_millis(statement.integer(0)));
}

void EventLog::on_put(std::function<void()> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

}  // namespace millrace::tasks
