#include "tasks/integrations/dynamodb/schema.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "tasks/integrations/dynamodb/request.h"

namespace millrace::tasks::dynamodb {
namespace {

constexpr std::size_t kHashBytesMax = 2048, kRangeBytesMax = 1024;
constexpr std::size_t kGlobalIndexesMax = 20, kLocalIndexesMax = 5;

tl::unexpected<ServiceError> invalid_values(const std::string& why) {
  return validation("One or more parameter values were invalid: " + why);
}

bool is_table_name(std::string_view text) {
  return text.size() >= 3 && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
         });
}

using Types = std::map<std::string, Type>;

Checked<Types> parse_types(JsonView list) {
  Types types;
  if (!list || !list.is_array()) return invalid_values("Some AttributeDefinitions are missing");
  for (const JsonView one : list.elements()) {
    if (!one.is_object()) return service_error("SerializationException", "Unexpected value type in payload");
    const std::string name = text_member(one, "AttributeName"), type = text_member(one, "AttributeType");
    const auto known = type_of(type);
    if (name.empty() || !known || (*known != Type::S && *known != Type::N && *known != Type::B))
      return validation(
          "1 validation error detected: Value '" + type +
          "' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must "
          "satisfy enum value set: [B, N, S]");
    types[name] = *known;
  }
  return types;
}

Checked<KeySchema> parse_schema(JsonView list, const Types& types, std::set<std::string>& used) {
  KeySchema schema;
  if (!list || !list.is_array() || list.size() < 1 || list.size() > 2)
    return validation(
        "1 validation error detected: Value at 'keySchema' failed to satisfy constraint: Member must have "
        "length less "
        "than or equal to 2");
  std::size_t at = 0;
  for (const JsonView one : list.elements()) {
    if (!one.is_object()) return service_error("SerializationException", "Unexpected value type in payload");
    const std::string name = text_member(one, "AttributeName"), role = text_member(one, "KeyType");
    if (role != (at == 0 ? "HASH" : "RANGE"))
      return invalid_values(at == 0
                                ? "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
                                : "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    const auto type = types.find(name);
    if (type == types.end()) {
      std::string keys = "[" + name + "]", known;
      for (const auto& [defined, unused] : types) known += (known.empty() ? "" : ", ") + defined;
      return invalid_values("Some index key attributes are not defined in AttributeDefinitions. Keys: " +
                            keys + ", AttributeDefinitions: [" + known + "]");
    }
    used.insert(name);
    if (at++ == 0)
      schema.hash = {name, type->second};
    else
      schema.range = KeyPart{name, type->second};
  }
  if (schema.range && schema.range->name == schema.hash.name)
    return invalid_values("Both the Hash Key and the Range Key element in the KeySchema have the same name");
  return schema;
}

Checked<bool> parse_indexes(JsonView list, bool global, const Types& types, std::set<std::string>& used,
                            TableDefinition& table) {
  if (!list) return true;
  const std::string kind = global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes";
  if (!list.is_array() || list.size() == 0) return invalid_values("List of " + kind + " is empty");
  if (list.size() > (global ? kGlobalIndexesMax : kLocalIndexesMax))
    return invalid_values("List of " + kind + " has more than " +
                          std::to_string(global ? kGlobalIndexesMax : kLocalIndexesMax) + " indexes");
  for (const JsonView one : list.elements()) {
    if (!one.is_object()) return service_error("SerializationException", "Unexpected value type in payload");
    IndexDefinition index;
    index.global = global;
    index.name = text_member(one, "IndexName");
    if (!is_table_name(index.name))
      return invalid_values("an IndexName has 3 to 255 letters, digits, '_', '-' and '.'");
    if (table.find_index(index.name)) return invalid_values("Duplicate index name: " + index.name);
    MR_TRY(key, parse_schema(member(one, "KeySchema"), types, used));
    index.key = std::move(key);
    if (!global && (index.key.hash.name != table.key.hash.name || !index.key.range))
      return invalid_values(
          "Index KeySchema does not have the same leading hash key as table KeySchema for index: " +
          index.name);
    const JsonView projection = member(one, "Projection");
    if (projection && projection.is_object()) {
      const std::string type = text_member(projection, "ProjectionType");
      if (!type.empty()) index.projection = type;
      if (index.projection != "ALL" && index.projection != "KEYS_ONLY" && index.projection != "INCLUDE")
        return invalid_values("Unknown ProjectionType: " + type);
      const JsonView names = member(projection, "NonKeyAttributes");
      if (names && names.is_array())
        for (const JsonView name : names.elements())
          if (name.is_string()) index.non_key.push_back(name.string());
      if (!index.non_key.empty() && index.projection != "INCLUDE")
        return invalid_values("ProjectionType is " + index.projection +
                              ", but NonKeyAttributes is specified");
    }
    table.indexes.push_back(std::move(index));
  }
  return true;
}

Checked<bool> check_size(const std::string& key, bool hash) {
  if (hash && key.size() > kHashBytesMax)
    return invalid_values("Size of hashkey has exceeded the maximum size limit of2048 bytes");
  if (!hash && key.size() > kRangeBytesMax)
    return invalid_values("Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
  return true;
}

Checked<std::string> key_bytes(const Value& value, const std::string& name, bool hash) {
  if (value.type != Type::N && value.text.empty())
    return validation(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
        "contain an empty " +
        std::string(value.type == Type::S ? "string" : "binary") + " value. Key: " + name);
  std::string bytes = sort_key(value);
  MR_DO(check_size(bytes, hash));
  return bytes;
}

Checked<std::string> item_part(const KeyPart& part, const Item& item, bool hash) {
  const auto found = item.find(part.name);
  if (found == item.end()) return invalid_values("Missing the key " + part.name + " in the item");
  if (found->second.type != part.type)
    return invalid_values("Type mismatch for key " + part.name +
                          " expected: " + std::string(name_of(part.type)) +
                          " actual: " + std::string(name_of(found->second.type)));
  return key_bytes(found->second, part.name, hash);
}

}  // namespace

const IndexDefinition* TableDefinition::find_index(std::string_view index) const {
  for (const IndexDefinition& one : indexes)
    if (one.name == index) return &one;
  return nullptr;
}

Checked<std::string> table_name_of(JsonView input) {
  const JsonView given = member(input, "TableName");
  if (!given)
    return validation(
        "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must "
        "not be null");
  if (!given.is_string()) return service_error("SerializationException", "Unexpected field type");
  std::string name = given.string();
  if (name.starts_with("arn:")) {
    const std::size_t at = name.find(":table/");
    if (at != std::string::npos) name.erase(0, at + 7);
  }
  if (!is_table_name(name)) {
    const bool length = name.size() < 3 || name.size() > 255;
    return validation(
        length
            ? "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and "
              "may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
            : "1 validation error detected: Value '" + name +
                  "' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression "
                  "pattern: [a-zA-Z0-9_.-]+");
  }
  return name;
}

Checked<TableDefinition> parse_definition(JsonView create_table) {
  TableDefinition table;
  MR_TRY(name, table_name_of(create_table));
  table.name = std::move(name);
  MR_TRY(types, parse_types(member(create_table, "AttributeDefinitions")));
  std::set<std::string> used;
  MR_TRY(key, parse_schema(member(create_table, "KeySchema"), types, used));
  table.key = std::move(key);
  MR_DO(parse_indexes(member(create_table, "LocalSecondaryIndexes"), false, types, used, table));
  MR_DO(parse_indexes(member(create_table, "GlobalSecondaryIndexes"), true, types, used, table));
  if (used.size() != types.size())
    return invalid_values(
        "Number of attributes in KeySchema does not exactly match number of attributes defined in "
        "AttributeDefinitions");
  table.request = Payload::of(create_table);
  return table;
}

Checked<Key> key_of_item(const KeySchema& schema, const Item& item) {
  Key key;
  MR_TRY(hash, item_part(schema.hash, item, true));
  key.hash = std::move(hash);
  if (schema.range) {
    MR_TRY(range, item_part(*schema.range, item, false));
    key.range = std::move(range);
  }
  return key;
}

Checked<Key> key_of_key(const KeySchema& schema, const Item& key) {
  const auto fits = [&](const KeyPart& part) {
    const auto found = key.find(part.name);
    return found != key.end() && found->second.type == part.type;
  };
  const std::size_t parts = schema.range ? 2 : 1;
  if (key.size() != parts || !fits(schema.hash) || (schema.range && !fits(*schema.range)))
    return validation("The provided key element does not match the schema");
  return key_of_item(schema, key);
}

Checked<std::optional<Key>> key_in_index(const IndexDefinition& index, const Item& item) {
  const auto part_of = [&](const KeyPart& part, bool hash) -> Checked<std::optional<std::string>> {
    const auto found = item.find(part.name);
    if (found == item.end()) return std::nullopt;
    if (found->second.type != part.type)
      return invalid_values(
          "Type mismatch for Index Key " + part.name + " Expected: " + std::string(name_of(part.type)) +
          " Actual: " + std::string(name_of(found->second.type)) + " IndexName: " + index.name);
    if (found->second.type != Type::N && found->second.text.empty())
      return validation(
          "One or more parameter values are not valid. A value specified for a secondary index key is not "
          "supported. The AttributeValue for a key attribute cannot contain an empty string value. "
          "IndexName: " +
          index.name + ", IndexKey: " + part.name);
    std::string bytes = sort_key(found->second);
    MR_DO(check_size(bytes, hash));
    return std::optional(std::move(bytes));
  };
  MR_TRY(hash, part_of(index.key.hash, true));
  std::optional<std::string> range = std::string();
  if (index.key.range) {
    MR_TRY(given, part_of(*index.key.range, false));
    range = std::move(given);
  }
  if (!hash || !range) return std::nullopt;
  return std::optional(Key{std::move(*hash), std::move(*range)});
}

Item key_attributes(const TableDefinition& table, const IndexDefinition* index, const Item& item) {
  Item out;
  const auto add = [&](const KeySchema& schema) {
    if (const auto found = item.find(schema.hash.name); found != item.end()) out.insert(*found);
    if (!schema.range) return;
    if (const auto found = item.find(schema.range->name); found != item.end()) out.insert(*found);
  };
  add(table.key);
  if (index) add(index->key);
  return out;
}

Item projected(const TableDefinition& table, const IndexDefinition& index, Item item) {
  if (index.projection == "ALL") return item;
  Item out = key_attributes(table, &index, item);
  for (const std::string& name : index.non_key)
    if (auto found = item.find(name); found != item.end()) out.insert(*found);
  return out;
}

}  // namespace millrace::tasks::dynamodb
