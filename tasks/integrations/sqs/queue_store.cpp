#include "tasks/integrations/sqs/queue_store.h"

namespace millrace::tasks::sqs {

const char* const kQueuesSchema =
    "CREATE TABLE IF NOT EXISTS queue ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,"
    " modified INTEGER NOT NULL, attributes TEXT NOT NULL, tags TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS message ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT, queue_id INTEGER NOT NULL, id TEXT NOT NULL, body TEXT NOT "
    "NULL,"
    " attributes TEXT NOT NULL, system TEXT NOT NULL, group_id TEXT NOT NULL, deduplication_id TEXT NOT NULL,"
    " source TEXT NOT NULL, sent INTEGER NOT NULL, visible_at INTEGER NOT NULL, receives INTEGER NOT NULL,"
    " first_received INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS message_visible ON message (queue_id, visible_at);"
    "CREATE INDEX IF NOT EXISTS message_sent ON message (queue_id, sent);"
    "CREATE INDEX IF NOT EXISTS message_group ON message (queue_id, group_id, visible_at) WHERE group_id <> "
    "'';"
    "CREATE INDEX IF NOT EXISTS message_order ON message (queue_id, sequence) WHERE group_id <> '';"
    "CREATE TABLE IF NOT EXISTS duplicate ("
    " queue_id INTEGER NOT NULL, scope TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, message_id TEXT "
    "NOT NULL,"
    " sequence INTEGER NOT NULL, PRIMARY KEY (queue_id, scope, id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS duplicate_at ON duplicate (at);";

namespace {

constexpr std::int64_t kPrunedDuplicates = 4;

struct ResetStatement {
  Statement& statement;
  ~ResetStatement() { statement.reset(); }
};

std::string text_of(const Texts& texts) {
  JsonWriter out;
  out.begin_object();
  for (const auto& [name, value] : texts) out.key(name).string(value);
  out.end_object();
  return std::string(out.finish().text());
}

Result<Texts> texts_of(std::string_view text) {
  MR_TRY(document, Payload::parse(text));
  Texts texts;
  if (document.view().is_object())
    for (const auto [key, value] : document.view().members())
      if (value.is_string()) texts[key.string()] = value.string();
  return texts;
}

Stored stored_of(const Statement& row) {
  Stored out;
  out.sequence = row.integer(0);
  out.id = row.text(1);
  out.body = row.text(2);
  out.attributes = row.text(3);
  out.system = row.text(4);
  out.group_id = row.text(5);
  out.deduplication_id = row.text(6);
  out.source = row.text(7);
  out.sent = from_millis(row.integer(8));
  out.receives = row.integer(9);
  out.first_received = from_millis(row.integer(10));
  return out;
}

std::string behind_prefix(const std::string& prefix) {
  return prefix + "\xF4\x8F\xBF\xBF";  // behind every name that begins so
}

}  // namespace

Result<QueueStore> QueueStore::open(Database& database) {
  QueueStore store;
  const std::pair<Statement&, std::string_view> statements[] = {
      {store.find_, "SELECT id, name, created, modified, attributes, tags FROM queue WHERE name = ?1"},
      {store.names_,
       "SELECT name FROM queue WHERE name >= ?1 AND name < ?2 AND name > ?3 ORDER BY name LIMIT ?4"},
      {store.create_,
       "INSERT INTO queue (name, created, modified, attributes, tags) VALUES (?1, ?2, ?3, ?4, ?5)"},
      {store.update_, "UPDATE queue SET modified = ?2, attributes = ?3, tags = ?4 WHERE id = ?1"},
      {store.drop_, "DELETE FROM queue WHERE id = ?1"},
      {store.purge_, "DELETE FROM message WHERE queue_id = ?1"},
      {store.drop_duplicates_, "DELETE FROM duplicate WHERE queue_id = ?1"},
      {store.find_duplicate_,
       "SELECT message_id, sequence FROM duplicate WHERE queue_id = ?1 AND scope = ?2 AND id = ?3 AND at > "
       "?4"},
      {store.add_duplicate_,
       "INSERT OR REPLACE INTO duplicate (queue_id, scope, id, at, message_id, sequence) VALUES (?1, ?2, ?3, "
       "?4, ?5, ?6)"},
      {store.prune_duplicates_,
       "DELETE FROM duplicate WHERE (queue_id, scope, id) IN (SELECT queue_id, scope, id FROM duplicate "
       "WHERE at <= ?1 ORDER BY at LIMIT ?2)"},
      {store.add_,
       "INSERT INTO message (queue_id, id, body, attributes, system, group_id, deduplication_id, source, "
       "sent, visible_at, receives,"
       " first_received) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8, ?9, 0, 0)"},
      {store.last_, "SELECT last_insert_rowid()"},
      {store.visible_,
       "SELECT sequence, id, body, attributes, system, group_id, deduplication_id, source, sent, receives, "
       "first_received FROM message"
       " WHERE queue_id = ?1 AND visible_at <= ?2 ORDER BY visible_at, sequence LIMIT ?3"},
      // A group waits while one of its messages is in flight, or an earlier one is not visible yet.
      {store.visible_fifo_,
       "SELECT sequence, id, body, attributes, system, group_id, deduplication_id, source, sent, receives, "
       "first_received FROM message m"
       " WHERE queue_id = ?1 AND group_id <> '' AND +visible_at <= ?2 AND NOT EXISTS (SELECT 1 FROM message e"
       " WHERE e.queue_id = ?1 AND e.group_id = m.group_id AND e.group_id <> '' AND e.visible_at > ?2 AND "
       "(e.receives > 0 OR e.sequence < m.sequence))"
       " ORDER BY sequence LIMIT ?3"},
      {store.expire_, "DELETE FROM message WHERE queue_id = ?1 AND sent <= ?2"},
      {store.next_visible_, "SELECT min(visible_at) FROM message WHERE queue_id = ?1 AND visible_at > ?2"},
      {store.receive_,
       "UPDATE message SET visible_at = ?2, receives = receives + 1,"
       " first_received = CASE WHEN receives = 0 THEN ?3 ELSE first_received END WHERE sequence = ?1"},
      {store.move_,
       "UPDATE message SET queue_id = ?2, source = ?3, visible_at = ?4, receives = 0 WHERE sequence = ?1"},
      {store.visible_at_,
       "SELECT visible_at FROM message WHERE sequence = ?1 AND queue_id = ?2 AND receives = ?3"},
      {store.erase_, "DELETE FROM message WHERE sequence = ?1"},
      {store.hide_, "UPDATE message SET visible_at = ?2 WHERE sequence = ?1"},
      {store.counts_,
       "SELECT coalesce(sum(visible_at <= ?2), 0), coalesce(sum(visible_at > ?2 AND receives > 0), 0),"
       " coalesce(sum(visible_at > ?2 AND receives = 0), 0) FROM message WHERE queue_id = ?1"},
  };
  for (const auto& [statement, sql] : statements) {
    MR_TRY(prepared, database.prepare(sql));
    statement = std::move(prepared);
  }
  return store;
}

void QueueStore::forget() {
  known_.clear();
}

Result<QueuePtr> QueueStore::find(const std::string& name) {
  const auto known = known_.find(name);
  if (known != known_.end()) return known->second;
  const ResetStatement reset{find_};
  find_.bind(1, std::string_view(name));
  MR_TRY(there, find_.step());
  if (!there) return QueuePtr();
  Queue queue;
  queue.id = find_.integer(0);
  queue.name = find_.text(1);
  queue.created = from_millis(find_.integer(2));
  queue.modified = from_millis(find_.integer(3));
  MR_TRY(attributes, texts_of(find_.text(4)));
  MR_TRY(tags, texts_of(find_.text(5)));
  queue.attributes = std::move(attributes);
  queue.tags = std::move(tags);
  auto kept = std::make_shared<const Queue>(std::move(queue));
  known_[name] = kept;
  return QueuePtr(kept);
}

Result<std::vector<std::string>> QueueStore::names(const std::string& prefix, const std::string& after,
                                                   std::int64_t limit) {
  const std::string end = behind_prefix(prefix);
  std::vector<std::string> out;
  const ResetStatement reset{names_};
  names_.bind(1, std::string_view(prefix))
      .bind(2, std::string_view(end))
      .bind(3, std::string_view(after))
      .bind(4, limit);
  for (;;) {
    MR_TRY(there, names_.step());
    if (!there) return out;
    out.emplace_back(names_.text(0));
  }
}

Status QueueStore::create(const Queue& queue) {
  known_.erase(queue.name);
  const std::string attributes = text_of(queue.attributes), tags = text_of(queue.tags);
  create_.bind(1, std::string_view(queue.name))
      .bind(2, to_millis(queue.created))
      .bind(3, to_millis(queue.modified))
      .bind(4, std::string_view(attributes))
      .bind(5, std::string_view(tags));
  return create_.run();
}

Status QueueStore::update(const Queue& queue) {
  known_.erase(queue.name);
  const std::string attributes = text_of(queue.attributes), tags = text_of(queue.tags);
  update_.bind(1, queue.id)
      .bind(2, to_millis(queue.modified))
      .bind(3, std::string_view(attributes))
      .bind(4, std::string_view(tags));
  return update_.run();
}

Status QueueStore::purge(const Queue& queue) {
  purge_.bind(1, queue.id);
  return purge_.run();
}

Status QueueStore::drop(const Queue& queue) {
  MR_DO(purge(queue));
  drop_duplicates_.bind(1, queue.id);
  MR_DO(drop_duplicates_.run());
  drop_.bind(1, queue.id);
  MR_DO(drop_.run());
  known_.erase(std::string(queue.name));
  return {};
}

Result<std::optional<Sent>> QueueStore::duplicate_of(const Queue& queue, const std::string& scope,
                                                     const std::string& id, Instant now) {
  const ResetStatement reset{find_duplicate_};
  find_duplicate_.bind(1, queue.id)
      .bind(2, std::string_view(scope))
      .bind(3, std::string_view(id))
      .bind(4, to_millis(now - kDeduplication));
  MR_TRY(there, find_duplicate_.step());
  if (!there) return std::optional<Sent>();
  return std::optional(Sent{std::string(find_duplicate_.text(0)), find_duplicate_.integer(1)});
}

Result<Sent> QueueStore::add(const Queue& queue, const Message& message, const std::string& id,
                             const std::string& scope, const std::string& deduplication_id, Instant now,
                             Instant visible_at) {
  add_.bind(1, queue.id)
      .bind(2, std::string_view(id))
      .bind(3, std::string_view(message.body))
      .bind(4, message.attributes.text())
      .bind(5, message.system.text())
      .bind(6, std::string_view(message.group_id))
      .bind(7, std::string_view(deduplication_id))
      .bind(8, to_millis(now))
      .bind(9, to_millis(visible_at));
  MR_DO(add_.run());
  const ResetStatement reset{last_};
  MR_DO(last_.step());
  const Sent sent{id, last_.integer(0)};
  if (deduplication_id.empty()) return sent;
  prune_duplicates_.bind(1, to_millis(now - kDeduplication)).bind(2, kPrunedDuplicates);
  MR_DO(prune_duplicates_.run());
  add_duplicate_.bind(1, queue.id)
      .bind(2, std::string_view(scope))
      .bind(3, std::string_view(deduplication_id))
      .bind(4, to_millis(now))
      .bind(5, std::string_view(id))
      .bind(6, sent.sequence);
  MR_DO(add_duplicate_.run());
  return sent;
}

Result<std::vector<Stored>> QueueStore::visible(const Queue& queue, Instant now, std::int64_t limit) {
  const Millis kept = std::chrono::seconds(queue.number("MessageRetentionPeriod"));
  expire_.bind(1, queue.id).bind(2, to_millis(now - kept));
  MR_DO(expire_.run());
  Statement& select = queue.fifo() ? visible_fifo_ : visible_;
  const ResetStatement reset{select};
  select.bind(1, queue.id).bind(2, to_millis(now)).bind(3, limit);
  std::vector<Stored> out;
  for (;;) {
    MR_TRY(there, select.step());
    if (!there) return out;
    out.push_back(stored_of(select));
  }
}

Result<std::optional<Instant>> QueueStore::next_visible(const Queue& queue, Instant now) {
  const ResetStatement reset{next_visible_};
  next_visible_.bind(1, queue.id).bind(2, to_millis(now));
  MR_DO(next_visible_.step());
  if (next_visible_.is_null(0)) return std::optional<Instant>();
  return std::optional(from_millis(next_visible_.integer(0)));
}

Status QueueStore::receive(const Stored& message, Instant now, Instant visible_at) {
  receive_.bind(1, message.sequence).bind(2, to_millis(visible_at)).bind(3, to_millis(now));
  return receive_.run();
}

Status QueueStore::move(const Stored& message, const Queue& to, const std::string& from_arn, Instant now) {
  move_.bind(1, message.sequence).bind(2, to.id).bind(3, std::string_view(from_arn)).bind(4, to_millis(now));
  return move_.run();
}

Result<std::optional<Instant>> QueueStore::visible_at(const Queue& queue, std::int64_t sequence,
                                                      std::int64_t receives) {
  const ResetStatement reset{visible_at_};
  visible_at_.bind(1, sequence).bind(2, queue.id).bind(3, receives);
  MR_TRY(there, visible_at_.step());
  if (!there) return std::optional<Instant>();
  return std::optional(from_millis(visible_at_.integer(0)));
}

Status QueueStore::erase(std::int64_t sequence) {
  erase_.bind(1, sequence);
  return erase_.run();
}

Status QueueStore::hide(std::int64_t sequence, Instant until) {
  hide_.bind(1, sequence).bind(2, to_millis(until));
  return hide_.run();
}

Result<Counts> QueueStore::counts(const Queue& queue, Instant now) {
  const ResetStatement reset{counts_};
  counts_.bind(1, queue.id).bind(2, to_millis(now));
  MR_DO(counts_.step());
  return Counts{counts_.integer(0), counts_.integer(1), counts_.integer(2)};
}

}  // namespace millrace::tasks::sqs
