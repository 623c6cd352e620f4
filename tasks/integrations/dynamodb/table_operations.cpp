#include "tasks/integrations/dynamodb/request.h"

namespace millrace::tasks::dynamodb {
namespace {

constexpr std::int64_t kListMax = 100;
constexpr std::int64_t kTablesMax = 2500;

constexpr OperationRow kOperations[] = {
    {"BatchGetItem", batch_get_item},
    {"BatchWriteItem", batch_write_item, true},
    {"CreateTable", create_table, true},
    {"DeleteItem", delete_item, true},
    {"DeleteTable", delete_table, true},
    {"DescribeTable", describe_table},
    {"GetItem", get_item},
    {"ListTables", list_tables},
    {"PutItem", put_item, true},
    {"Query", query},
    {"Scan", scan},
    {"TransactGetItems", transact_get_items},
    {"TransactWriteItems", transact_write_items, true},
    {"UpdateItem", update_item, true},
};

void write_throughput(JsonWriter& out, JsonView given, bool provisioned) {
  const auto units = [&](std::string_view name) {
    const JsonView value = provisioned && given && given.is_object() ? member(given, name) : JsonView();
    return value && value.is_number() ? value.integer().value_or(0) : 0;
  };
  out.key("ProvisionedThroughput").begin_object();
  out.key("NumberOfDecreasesToday").number(std::int64_t{0});
  out.key("ReadCapacityUnits").number(units("ReadCapacityUnits"));
  out.key("WriteCapacityUnits").number(units("WriteCapacityUnits")).end_object();
}

void write_indexes(JsonWriter& out, const TableDefinition& table, bool global, bool provisioned,
                   const std::string& arn) {
  const JsonView given =
      member(table.request.view(), global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes");
  if (!given) return;
  out.key(global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes").begin_array();
  for (const JsonView index : given.elements()) {
    const std::string name = index.find("IndexName").string();
    out.begin_object().key("IndexName").string(name).key("KeySchema").value(index.find("KeySchema"));
    if (const JsonView projection = member(index, "Projection")) out.key("Projection").value(projection);
    if (global) {
      out.key("IndexStatus").string("ACTIVE");
      write_throughput(out, member(index, "ProvisionedThroughput"), provisioned);
    }
    out.key("IndexSizeBytes").number(std::int64_t{0}).key("ItemCount").number(std::int64_t{0});
    out.key("IndexArn").string(arn + "/index/" + name).end_object();
  }
  out.end_array();
}

Checked<Payload> description(Session& session, const TableDefinition& table, std::string_view member_name,
                             std::string_view status) {
  MR_TRY(volume, session.store.volume(table));
  const JsonView request = table.request.view();
  const JsonView billing = member(request, "BillingMode");
  const bool provisioned = !billing || billing.equals("PROVISIONED");
  const std::string arn =
      "arn:aws:dynamodb:" + session.region + ":" + session.account + ":table/" + table.name;
  JsonWriter out;
  out.begin_object().key(member_name).begin_object();
  out.key("AttributeDefinitions").value(request.find("AttributeDefinitions"));
  out.key("TableName").string(table.name).key("KeySchema").value(request.find("KeySchema"));
  out.key("TableStatus").string(status);
  out.key("CreationDateTime").number(static_cast<double>(to_millis(table.created)) / 1000.0);
  write_throughput(out, member(request, "ProvisionedThroughput"), provisioned);
  out.key("TableSizeBytes").number(volume.bytes).key("ItemCount").number(volume.items);
  out.key("TableArn").string(arn).key("TableId").string(table.uuid);
  if (!provisioned)
    out.key("BillingModeSummary").begin_object().key("BillingMode").string("PAY_PER_REQUEST").end_object();
  write_indexes(out, table, false, provisioned, arn);
  write_indexes(out, table, true, provisioned, arn);
  out.key("DeletionProtectionEnabled")
      .boolean(request.find("DeletionProtectionEnabled") &&
               request.find("DeletionProtectionEnabled").is_boolean() &&
               request.find("DeletionProtectionEnabled").boolean());
  out.end_object().end_object();
  return out.finish();
}

Checked<Table> named_table(Session& session, JsonView input) {
  MR_TRY(name, table_name_of(input));
  MR_TRY(table, session.store.find(name));
  if (!table)
    return service_error("ResourceNotFoundException",
                         "Requested resource not found: Table: " + name + " not found");
  return table;
}

}  // namespace

const OperationRow* find_operation(std::string_view name) {
  for (const OperationRow& row : kOperations)
    if (row.name == name) return &row;
  return nullptr;
}

ServiceAnswer create_table(Session& session, JsonView input) {
  MR_TRY(table, parse_definition(input));
  MR_TRY(there, session.store.find(table.name));
  if (there) return service_error("ResourceInUseException", "Table already exists: " + table.name);
  if (const JsonView stream = member(input, "StreamSpecification");
      stream && stream.is_object() && stream.find("StreamEnabled") &&
      stream.find("StreamEnabled").is_boolean() && stream.find("StreamEnabled").boolean())
    return validation("One or more parameter values were invalid: streams are not supported here");
  MR_TRY(names, session.store.names("", kTablesMax));
  if (static_cast<std::int64_t>(names.size()) >= kTablesMax)
    return service_error("LimitExceededException",
                         "Subscriber limit exceeded: there are " + std::to_string(kTablesMax) + " tables");
  table.created = session.now;
  table.uuid = uuid_v4(session.random);
  MR_DO(session.store.create(table));
  return description(session, table, "TableDescription", "ACTIVE");
}

ServiceAnswer describe_table(Session& session, JsonView input) {
  MR_TRY(table, named_table(session, input));
  return description(session, *table, "Table", "ACTIVE");
}

ServiceAnswer delete_table(Session& session, JsonView input) {
  MR_TRY(table, named_table(session, input));
  const JsonView kept = member(table->request.view(), "DeletionProtectionEnabled");
  if (kept && kept.is_boolean() && kept.boolean())
    return validation(
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
        "protection first.");
  MR_TRY(answer, description(session, *table, "TableDescription", "DELETING"));
  MR_DO(session.store.drop(*table));
  return answer;
}

ServiceAnswer list_tables(Session& session, JsonView input) {
  MR_TRY(limit, whole_of(input, "Limit", 1, kListMax));
  MR_TRY(after, text_of(input, "ExclusiveStartTableName"));
  const std::int64_t max = limit.value_or(kListMax);
  MR_TRY(names, session.store.names(after, max + 1));
  const bool more = static_cast<std::int64_t>(names.size()) > max;
  if (more) names.pop_back();
  JsonWriter out;
  out.begin_object();
  if (more) out.key("LastEvaluatedTableName").string(names.back());
  out.key("TableNames").begin_array();
  for (const std::string& name : names) out.string(name);
  out.end_array().end_object();
  return out.finish();
}

}  // namespace millrace::tasks::dynamodb
