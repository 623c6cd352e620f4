#pragma once
// TableDefinition: what CreateTable says of a table: key schema, secondary indexes; and keys as bytes that
// sort as DynamoDB sorts them. Pure. Source: DynamoDB API reference, CreateTable.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "tasks/integrations/dynamodb/value.h"

namespace millrace::tasks::dynamodb {

struct KeyPart {
  std::string name;
  Type type = Type::S;
};
struct KeySchema {
  KeyPart hash;
  std::optional<KeyPart> range;
};

struct IndexDefinition {
  std::int64_t id = 0;
  std::string name;
  bool global = true;
  KeySchema key;
  std::string projection = "ALL";  // ALL, KEYS_ONLY, INCLUDE
  std::vector<std::string> non_key;
};

struct TableDefinition {
  std::int64_t id = 0;
  std::string name, uuid;
  Instant created;
  KeySchema key;
  std::vector<IndexDefinition> indexes;
  Payload request = Payload::empty_object();  // of CreateTable, for DescribeTable

  const IndexDefinition* find_index(std::string_view index) const;
};

// Where an item stands: its key's parts as bytes. Without a range key `range` is empty.
struct Key {
  std::string hash, range;
  auto operator<=>(const Key&) const = default;
};

// ValidationException in AWS's words. Ids, uuid and time are the caller's.
Checked<TableDefinition> parse_definition(JsonView create_table);

// The name in TableName: a name or a table's ARN.
Checked<std::string> table_name_of(JsonView input);

// The key of a whole item: its parts must be there and have their types.
Checked<Key> key_of_item(const KeySchema& schema, const Item& item);
// A key alone, with nothing else in it: "The provided key element does not match the schema".
Checked<Key> key_of_key(const KeySchema& schema, const Item& key);
// Where an item stands in an index; nothing when it lacks the index's attributes.
Checked<std::optional<Key>> key_in_index(const IndexDefinition& index, const Item& item);
// The attributes of the item that are keys of the table and of the index (may be null).
Item key_attributes(const TableDefinition& table, const IndexDefinition* index, const Item& item);
// What the index has of the item.
Item projected(const TableDefinition& table, const IndexDefinition& index, Item item);

}  // namespace millrace::tasks::dynamodb
