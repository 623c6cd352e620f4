#include "tasks/integrations/dynamodb/table_store.h"

namespace millrace::tasks::dynamodb {

const char* const kTablesSchema =
    "CREATE TABLE IF NOT EXISTS definition ("
    " name TEXT PRIMARY KEY, id INTEGER NOT NULL UNIQUE, uuid TEXT NOT NULL, created INTEGER NOT NULL,"
    " request TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS item ("
    " table_id INTEGER NOT NULL, hash BLOB NOT NULL, range BLOB NOT NULL, bytes INTEGER NOT NULL,"
    " document TEXT NOT NULL, PRIMARY KEY (table_id, hash, range)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS entry ("
    " index_id INTEGER NOT NULL, hash BLOB NOT NULL, range BLOB NOT NULL, item_hash BLOB NOT NULL,"
    " item_range BLOB NOT NULL, PRIMARY KEY (index_id, hash, range, item_hash, item_range)) WITHOUT ROWID;";

namespace {

// A table has this many ids: its own, and one for each index.
constexpr std::int64_t kIdsPerTable = 32;
constexpr std::size_t kKeyBytesMax = 2048;

// Behind every key.
const std::string& beyond() {
  static const std::string kBeyond(kKeyBytesMax + 1, '\xFF');
  return kBeyond;
}

struct ResetStatement {
  Statement& statement;
  ~ResetStatement() { statement.reset(); }
};

Result<TableDefinition> definition_of(const Statement& row) {
  auto request = Payload::parse(row.text(4));
  if (!request) return fail(ErrorCode::DataLoss, "the definition of a table is not JSON");
  auto table = parse_definition(request->view());
  if (!table)
    return fail(ErrorCode::DataLoss, "the definition of a table is wrong: " + table.error().message);
  table->id = row.integer(1);
  table->uuid = row.text(2);
  table->created = from_millis(row.integer(3));
  std::int64_t id = table->id;
  for (IndexDefinition& index : table->indexes) index.id = ++id;
  return *std::move(table);
}

Checked<Item> item_of(std::string_view text) {
  const auto document = Payload::parse(text);
  if (!document)
    return tl::unexpected<ServiceError>(Error{ErrorCode::DataLoss, "an item of a table is not JSON", {}});
  return parse_item(document->view());
}

}  // namespace

Result<TableStore> TableStore::open(Database& database) {
  // CROSS JOIN: entries lead, in their order, items follow.
  TableStore store;
  const std::pair<Statement&, std::string_view> statements[] = {
      {store.find_, "SELECT name, id, uuid, created, request FROM definition WHERE name = ?1"},
      {store.names_, "SELECT name FROM definition WHERE name > ?1 ORDER BY name LIMIT ?2"},
      {store.insert_table_,
       "INSERT INTO definition (name, id, uuid, created, request) VALUES (?1, ?2, ?3, ?4, ?5)"},
      {store.last_id_, "SELECT coalesce(max(id), 0) FROM definition"},
      {store.drop_table_, "DELETE FROM definition WHERE name = ?1"},
      {store.drop_items_, "DELETE FROM item WHERE table_id = ?1"},
      {store.drop_entries_, "DELETE FROM entry WHERE index_id = ?1"},
      {store.volume_, "SELECT count(*), coalesce(sum(bytes), 0) FROM item WHERE table_id = ?1"},
      {store.get_, "SELECT document FROM item WHERE table_id = ?1 AND hash = ?2 AND range = ?3"},
      {store.put_,
       "INSERT OR REPLACE INTO item (table_id, hash, range, bytes, document) VALUES (?1, ?2, ?3, ?4, ?5)"},
      {store.erase_, "DELETE FROM item WHERE table_id = ?1 AND hash = ?2 AND range = ?3"},
      {store.add_entry_,
       "INSERT OR REPLACE INTO entry (index_id, hash, range, item_hash, item_range) VALUES (?1, ?2, ?3, ?4, "
       "?5)"},
      {store.erase_entry_,
       "DELETE FROM entry WHERE index_id = ?1 AND hash = ?2 AND range = ?3 AND item_hash = ?4 AND item_range "
       "= ?5"},
      {store.query_,
       "SELECT hash, range, document, hash, range FROM item WHERE table_id = ?1 AND hash = ?3 AND range >= "
       "?4 ORDER BY range"},
      {store.query_back_,
       "SELECT hash, range, document, hash, range FROM item WHERE table_id = ?1 AND hash = ?3 AND range <= "
       "?4 ORDER BY range DESC"},
      {store.query_index_,
       "SELECT e.hash, e.range, i.document, i.hash, i.range FROM entry e CROSS JOIN item i ON i.table_id = "
       "?1 AND "
       "i.hash = e.item_hash AND i.range = e.item_range"
       " WHERE e.index_id = ?2 AND e.hash = ?3 AND (e.range, e.item_hash, e.item_range) >= (?4, ?5, ?6)"
       " ORDER BY e.range, e.item_hash, e.item_range"},
      {store.query_index_back_,
       "SELECT e.hash, e.range, i.document, i.hash, i.range FROM entry e CROSS JOIN item i ON i.table_id = "
       "?1 AND "
       "i.hash = e.item_hash AND i.range = e.item_range"
       " WHERE e.index_id = ?2 AND e.hash = ?3 AND (e.range, e.item_hash, e.item_range) <= (?4, ?5, ?6)"
       " ORDER BY e.range DESC, e.item_hash DESC, e.item_range DESC"},
      {store.scan_,
       "SELECT hash, range, document, hash, range FROM item WHERE table_id = ?1 AND (hash, range) >= (?3, "
       "?4) ORDER BY hash, range"},
      {store.scan_index_,
       "SELECT e.hash, e.range, i.document, i.hash, i.range FROM entry e CROSS JOIN item i ON i.table_id = "
       "?1 AND "
       "i.hash = e.item_hash AND i.range = e.item_range"
       " WHERE e.index_id = ?2 AND (e.hash, e.range, e.item_hash, e.item_range) >= (?3, ?4, ?5, ?6)"
       " ORDER BY e.hash, e.range, e.item_hash, e.item_range"},
  };
  for (const auto& [statement, sql] : statements) {
    MR_TRY(prepared, database.prepare(sql));
    statement = std::move(prepared);
  }
  return store;
}

void TableStore::forget() {
  known_.clear();
}

Result<std::shared_ptr<const TableDefinition>> TableStore::find(const std::string& name) {
  const auto known = known_.find(name);
  if (known != known_.end()) return known->second;
  const ResetStatement reset{find_};
  find_.bind(1, std::string_view(name));
  MR_TRY(there, find_.step());
  if (!there) return std::shared_ptr<const TableDefinition>();
  MR_TRY(table, definition_of(find_));
  auto kept = std::make_shared<const TableDefinition>(std::move(table));
  known_[name] = kept;
  return std::shared_ptr<const TableDefinition>(kept);
}

Result<std::vector<std::string>> TableStore::names(const std::string& after, std::int64_t limit) {
  std::vector<std::string> out;
  const ResetStatement reset{names_};
  names_.bind(1, std::string_view(after)).bind(2, limit);
  for (;;) {
    MR_TRY(there, names_.step());
    if (!there) return out;
    out.emplace_back(names_.text(0));
  }
}

Status TableStore::create(TableDefinition table) {
  const ResetStatement reset{last_id_};
  MR_DO(last_id_.step());
  const std::int64_t id = last_id_.integer(0) + kIdsPerTable;
  const std::string request(table.request.text());
  insert_table_.bind(1, std::string_view(table.name))
      .bind(2, id)
      .bind(3, std::string_view(table.uuid))
      .bind(4, to_millis(table.created))
      .bind(5, std::string_view(request));
  known_.erase(table.name);
  return insert_table_.run();
}

Status TableStore::drop(const TableDefinition& table) {
  drop_items_.bind(1, table.id);
  MR_DO(drop_items_.run());
  for (const IndexDefinition& index : table.indexes) {
    drop_entries_.bind(1, index.id);
    MR_DO(drop_entries_.run());
  }
  drop_table_.bind(1, std::string_view(table.name));
  const std::string name = table.name;
  MR_DO(drop_table_.run());
  known_.erase(name);
  return {};
}

Result<TableStore::Volume> TableStore::volume(const TableDefinition& table) {
  const ResetStatement reset{volume_};
  volume_.bind(1, table.id);
  MR_DO(volume_.step());
  return Volume{volume_.integer(0), volume_.integer(1)};
}

Checked<std::optional<Item>> TableStore::get(const TableDefinition& table, const Key& key) {
  const ResetStatement reset{get_};
  get_.bind(1, table.id).bind_blob(2, key.hash).bind_blob(3, key.range);
  MR_TRY(there, get_.step());
  if (!there) return std::optional<Item>();
  MR_TRY(item, item_of(get_.text(0)));
  return std::optional(std::move(item));
}

Checked<bool> TableStore::entries(const TableDefinition& table, const Key& key, const Item* before,
                                  const Item* after) {
  for (const IndexDefinition& index : table.indexes) {
    std::optional<Key> old_place, new_place;
    if (after) {
      MR_TRY(place, key_in_index(index, *after));
      new_place = std::move(place);
    }
    if (before) {
      MR_TRY(place, key_in_index(index, *before));
      old_place = std::move(place);
    }
    if (old_place == new_place) continue;
    const auto run = [&](Statement& statement, const Key& place) {
      statement.bind(1, index.id)
          .bind_blob(2, place.hash)
          .bind_blob(3, place.range)
          .bind_blob(4, key.hash)
          .bind_blob(5, key.range);
      return statement.run();
    };
    if (old_place) MR_DO(run(erase_entry_, *old_place));
    if (new_place) MR_DO(run(add_entry_, *new_place));
  }
  return true;
}

Checked<bool> TableStore::put(const TableDefinition& table, const Key& key, const Item& item,
                              const Item* before) {
  MR_DO(entries(table, key, before, &item));
  const std::string document = to_text(item);
  put_.bind(1, table.id)
      .bind_blob(2, key.hash)
      .bind_blob(3, key.range)
      .bind(4, static_cast<std::int64_t>(size_of(item)))
      .bind(5, std::string_view(document));
  MR_DO(put_.run());
  return true;
}

Checked<bool> TableStore::erase(const TableDefinition& table, const Key& key, const Item& before) {
  MR_DO(entries(table, key, &before, nullptr));
  erase_.bind(1, table.id).bind_blob(2, key.hash).bind_blob(3, key.range);
  MR_DO(erase_.run());
  return true;
}

Checked<bool> TableStore::walk(const Walk& walk, const std::function<Checked<bool>(const Found&)>& visit) {
  const bool index = walk.index != nullptr;
  Statement& statement =
      walk.hash ? (walk.forward ? (index ? query_index_ : query_) : (index ? query_index_back_ : query_back_))
                : (index ? scan_index_ : scan_);
  const std::string none, hash = walk.hash ? *walk.hash : (walk.after ? walk.after->hash : none);
  // Where to begin: at a bound of the range key, or at the place before.
  std::string range = walk.forward ? walk.low : (walk.high.empty() ? beyond() : walk.high);
  std::string item_hash = walk.forward ? none : beyond(), item_range = item_hash;
  const bool resumes =
      walk.after && (!walk.hash || (walk.forward ? walk.after->range >= range : walk.after->range <= range));
  if (resumes) {
    range = walk.after->range;
    if (walk.after_item) item_hash = walk.after_item->hash, item_range = walk.after_item->range;
  }
  const ResetStatement reset{statement};
  statement.bind(1, walk.table->id).bind_blob(3, hash).bind_blob(4, range);
  if (index) statement.bind(2, walk.index->id).bind_blob(5, item_hash).bind_blob(6, item_range);
  for (;;) {
    MR_TRY(there, statement.step());
    if (!there) return true;
    const std::string_view at = statement.blob(1);
    if (walk.hash && walk.forward && !walk.high.empty() && at > walk.high) return true;
    if (walk.hash && !walk.forward && at < walk.low) return true;
    Found found{{std::string(statement.blob(3)), std::string(statement.blob(4))}, statement.text(2)};
    if (resumes && statement.blob(0) == walk.after->hash && at == walk.after->range &&
        (!index || (walk.after_item && found.key == *walk.after_item)))
      continue;
    MR_TRY(more, visit(found));
    if (!more) return true;
  }
}

}  // namespace millrace::tasks::dynamodb
