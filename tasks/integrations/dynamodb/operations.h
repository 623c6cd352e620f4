#pragma once
// The operations of DynamoDB's API over the store: requests and answers as documents in DynamoDB's shapes.
// Within a transaction of the caller's, which is undone when the answer is an error; the store's thread
// alone. Source: DynamoDB API reference, version 2012-08-10. Not here: streams, backups, global tables,
// PartiQL, the legacy parameters that expressions replaced (they are refused by name).

#include <string_view>

#include "base/random.h"
#include "tasks/integrations/dynamodb/evaluate.h"
#include "tasks/integrations/dynamodb/table_store.h"

namespace millrace::tasks::dynamodb {

struct Session {
  TableStore& store;
  Instant now;
  Random& random;
  const std::string& region;
  const std::string& account;
};

struct OperationRow {
  std::string_view name;  // "PutItem"
  ServiceAnswer (*run)(Session& session, JsonView input);
  bool writes = false;  // carried out once for a key
};
const OperationRow* find_operation(std::string_view name);  // null: there is none

// item_operations.cpp
ServiceAnswer get_item(Session& session, JsonView input);
ServiceAnswer put_item(Session& session, JsonView input);
ServiceAnswer update_item(Session& session, JsonView input);
ServiceAnswer delete_item(Session& session, JsonView input);
// many_operations.cpp
ServiceAnswer batch_get_item(Session& session, JsonView input);
ServiceAnswer batch_write_item(Session& session, JsonView input);
ServiceAnswer transact_get_items(Session& session, JsonView input);
ServiceAnswer transact_write_items(Session& session, JsonView input);
// query_operations.cpp
ServiceAnswer query(Session& session, JsonView input);
ServiceAnswer scan(Session& session, JsonView input);
// table_operations.cpp
ServiceAnswer create_table(Session& session, JsonView input);
ServiceAnswer delete_table(Session& session, JsonView input);
ServiceAnswer describe_table(Session& session, JsonView input);
ServiceAnswer list_tables(Session& session, JsonView input);

}  // namespace millrace::tasks::dynamodb
