#pragma once
// TableStore: tables and their items in SQLite: rows in the order of their keys' bytes, an entry per item and
// secondary index, and the answers of attempts that were carried out. Within a transaction of the caller's;
// the store's thread alone.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sqlite.h"
#include "tasks/integrations/dynamodb/schema.h"

namespace millrace::tasks::dynamodb {

extern const char* const kTablesSchema;

// A walk over items in key order; in an index by the index's key, then the item's.
struct Walk {
  const TableDefinition* table = nullptr;
  const IndexDefinition* index = nullptr;  // null: the table itself
  bool forward = true;
  std::optional<std::string> hash;       // of one partition; nothing: all (forward)
  std::string low, high;                 // bounds of the range key, both included; high empty: none
  std::optional<Key> after, after_item;  // begin behind this place; after_item: the item's key, in an index
};
struct Found {
  Key key;  // of the item
  std::string_view text;
};

class TableStore {
 public:
  static Result<TableStore> open(Database& database);

  Result<std::shared_ptr<const TableDefinition>> find(const std::string& name);  // null: there is none
  Result<std::vector<std::string>> names(const std::string& after, std::int64_t limit);
  Status create(TableDefinition table);  // gives ids
  Status drop(const TableDefinition& table);
  struct Volume {
    std::int64_t items = 0, bytes = 0;
  };
  Result<Volume> volume(const TableDefinition& table);

  Checked<std::optional<Item>> get(const TableDefinition& table, const Key& key);
  // Writes the item in place of `before` (null: there was none), and its entries.
  Checked<bool> put(const TableDefinition& table, const Key& key, const Item& item, const Item* before);
  Checked<bool> erase(const TableDefinition& table, const Key& key, const Item& before);
  // Calls `visit` for each item until it says false.
  Checked<bool> walk(const Walk& walk, const std::function<Checked<bool>(const Found&)>& visit);

  void forget();  // what it remembers of tables: a transaction was undone

 private:
  Checked<bool> entries(const TableDefinition& table, const Key& key, const Item* before, const Item* after);

  std::map<std::string, std::shared_ptr<const TableDefinition>> known_;
  Statement find_, names_, insert_table_, last_id_, drop_table_, drop_items_, drop_entries_, volume_;
  Statement get_, put_, erase_, add_entry_, erase_entry_;
  Statement query_, query_back_, query_index_, query_index_back_, scan_, scan_index_;
};

}  // namespace millrace::tasks::dynamodb
