#pragma once
// What the operations share: typed reading of requests, the table they are about, one write and how it is
// carried out, consumed capacity. The store's thread alone.

#include <memory>

#include "tasks/integrations/dynamodb/operations.h"

namespace millrace::tasks::dynamodb {

using Table = std::shared_ptr<const TableDefinition>;

// A member that is null counts as absent: a view that is false.
JsonView member(JsonView input, std::string_view name);
Checked<std::string> text_of(JsonView input, std::string_view name);  // empty when absent
Checked<bool> flag_of(JsonView input, std::string_view name);
Checked<std::optional<std::int64_t>> whole_of(JsonView input, std::string_view name, std::int64_t min,
                                              std::int64_t max);
// The error when a legacy parameter is given.
Checked<bool> refuse_legacy(JsonView input);
// "One of A, B" or an error that lists them.
Checked<std::string> one_of(JsonView input, std::string_view name, std::string_view otherwise,
                            std::initializer_list<std::string_view> choices);
tl::unexpected<ServiceError> missing(std::string_view name);  // "Value null at 'key' …"

Checked<Table> table_of(Session& session, JsonView input);  // ResourceNotFoundException
Checked<Placeholders> placeholders_of(JsonView input, std::initializer_list<std::string_view> expressions);
Checked<std::optional<std::vector<Path>>> projection_of(JsonView input, Placeholders& placeholders);
Checked<std::optional<Condition>> condition_of(JsonView input, std::string_view name,
                                               Placeholders& placeholders);

// One write of an item, as PutItem, UpdateItem, DeleteItem and the parts of a transaction have it.
struct Write {
  enum class Kind { Put, Modify, Delete, Check } kind = Kind::Put;
  Table table;
  Key key;
  Item item;  // Put: all of it; otherwise the key's attributes
  Update update;
  std::optional<Condition> condition;
  bool show_item = false;  // ReturnValuesOnConditionCheckFailure: ALL_OLD
};
Checked<Write> parse_write(Session& session, Write::Kind kind, JsonView input);
struct Written {
  std::optional<Item> before, after;
};
// ConditionalCheckFailedException when the condition does not hold.
Checked<Written> carry_out(Session& session, const Write& write);

// "ConsumedCapacity" of an answer when the request asks for it.
void write_capacity(JsonWriter& out, JsonView input, const std::string& table, double units);
double read_units(std::size_t bytes, bool consistent);
double write_units(std::size_t bytes);
void write_member(JsonWriter& out, std::string_view name, const Item& item);

}  // namespace millrace::tasks::dynamodb
