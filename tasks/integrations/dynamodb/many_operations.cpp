#include <algorithm>
#include <set>

#include "tasks/integrations/dynamodb/request.h"

namespace millrace::tasks::dynamodb {
namespace {

constexpr std::size_t kBatchWritesMax = 25, kBatchReadsMax = 100, kTransactionMax = 100;
constexpr std::size_t kBatchBytesMax = 16 << 20;

using Place = std::pair<std::int64_t, Key>;  // table and key

struct PartName {
  std::string_view name;
  Write::Kind kind;
};
constexpr PartName kTransactParts[] = {{"Put", Write::Kind::Put},
                                       {"Update", Write::Kind::Modify},
                                       {"Delete", Write::Kind::Delete},
                                       {"ConditionCheck", Write::Kind::Check}};

// A request for one table by itself: the shared readers look for TableName.
Payload with_table(std::string_view table, std::string_view name, JsonView content) {
  JsonWriter out;
  out.begin_object().key("TableName").string(table).key(name).value(content).end_object();
  return out.finish();
}

Checked<JsonView> map_of(JsonView input, std::string_view name) {
  const JsonView items = member(input, name);
  if (!items) return missing(name);
  if (!items.is_object()) return service_error("SerializationException", "Unexpected field type");
  if (items.size() == 0)
    return validation(
        "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must "
        "have length greater than or equal to 1");
  return items;
}

Checked<JsonView> list_of(JsonView input, std::string_view name, std::size_t max) {
  const JsonView items = member(input, name);
  if (!items) return missing(name);
  if (!items.is_array()) return service_error("SerializationException", "Unexpected field type");
  if (items.size() < 1 || items.size() > max)
    return validation(
        "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must "
        "have "
        "length " +
        (items.size() < 1 ? std::string("greater than or equal to 1")
                          : "less than or equal to " + std::to_string(max)));
  return items;
}

Checked<Write> batch_write_of(Session& session, std::string_view table, JsonView request) {
  const JsonView put = request.is_object() ? member(request, "PutRequest") : JsonView();
  const JsonView erase = request.is_object() ? member(request, "DeleteRequest") : JsonView();
  if (bool(put) == bool(erase))
    return validation("Supplied WriteRequest must have exactly one of PutRequest and DeleteRequest");
  const std::string_view content = put ? "Item" : "Key";
  const JsonView given = (put ? put : erase).is_object() ? member(put ? put : erase, content) : JsonView();
  if (!given) return missing(content);
  const Payload single = with_table(table, content, given);
  return parse_write(session, put ? Write::Kind::Put : Write::Kind::Delete, single.view());
}

// Why one part of a transaction was cancelled.
void write_reason(JsonWriter& out, const std::optional<ServiceError>& error) {
  out.begin_object();
  if (!error) {
    out.key("Code").string("None").end_object();
    return;
  }
  const bool condition = error->code == "ConditionalCheckFailedException";
  for (const auto [key, value] : error->detail.view().members()) out.key(key).value(value);
  out.key("Code").string(condition ? "ConditionalCheckFailed" : "ValidationError");
  out.key("Message").string(error->message).end_object();
}

tl::unexpected<ServiceError> cancelled(const std::vector<std::optional<ServiceError>>& reasons) {
  std::string words;
  JsonWriter out;
  out.begin_object().key("CancellationReasons").begin_array();
  for (const auto& reason : reasons) {
    const bool condition = reason && reason->code == "ConditionalCheckFailedException";
    words += (words.empty() ? "" : ", ") +
             std::string(!reason ? "None" : (condition ? "ConditionalCheckFailed" : "ValidationError"));
    write_reason(out, reason);
  }
  out.end_array().end_object();
  ServiceError error(
      "TransactionCanceledException",
      "Transaction cancelled, please refer cancellation reasons for specific reasons [" + words + "]");
  error.detail = out.finish();
  return tl::unexpected<ServiceError>(std::move(error));
}

}  // namespace

ServiceAnswer batch_write_item(Session& session, JsonView input) {
  MR_TRY(tables, map_of(input, "RequestItems"));
  std::vector<Write> writes;
  std::set<Place> places;
  for (const auto [table, requests] : tables.members()) {
    if (!requests.is_array()) return service_error("SerializationException", "Unexpected field type");
    for (const JsonView request : requests.elements()) {
      MR_TRY(write, batch_write_of(session, table.string(), request));
      if (!places.insert({write.table->id, write.key}).second)
        return validation("Provided list of item keys contains duplicates");
      if (writes.size() == kBatchWritesMax)
        return validation("Too many items requested for the BatchWriteItem call");
      writes.push_back(std::move(write));
    }
  }
  for (const Write& write : writes) MR_DO(carry_out(session, write));
  JsonWriter out;
  out.begin_object().key("UnprocessedItems").begin_object().end_object().end_object();
  return out.finish();
}

ServiceAnswer batch_get_item(Session& session, JsonView input) {
  MR_TRY(tables, map_of(input, "RequestItems"));
  JsonWriter out, rest;
  out.begin_object().key("Responses").begin_object();
  rest.begin_object();
  std::size_t count = 0, bytes = 0;
  for (const auto [name, request] : tables.members()) {
    if (!request.is_object()) return service_error("SerializationException", "Unexpected field type");
    MR_DO(refuse_legacy(request));
    const JsonView keys = member(request, "Keys");
    if (!keys || !keys.is_array()) return missing("Keys");
    MR_TRY(placeholders, placeholders_of(request, {"ProjectionExpression"}));
    MR_TRY(projection, projection_of(request, placeholders));
    MR_DO(placeholders.check_all_used());
    const Payload naming = with_table(name.string(), "Keys", keys);
    MR_TRY(table, table_of(session, naming.view()));
    std::set<Key> seen;
    std::vector<JsonView> left;
    out.key(table->name).begin_array();
    for (const JsonView one : keys.elements()) {
      if (++count > kBatchReadsMax) return validation("Too many items requested for the BatchGetItem call");
      MR_TRY(attributes, parse_item(one));
      MR_TRY(key, key_of_key(table->key, attributes));
      if (!seen.insert(key).second) return validation("Provided list of item keys contains duplicates");
      if (bytes > kBatchBytesMax) {
        left.push_back(one);
        continue;
      }
      MR_TRY(item, session.store.get(*table, key));
      if (!item) continue;
      bytes += size_of(*item);
      write(out, projection ? project(*item, *projection) : *item);
    }
    out.end_array();
    if (left.empty()) continue;
    rest.key(name).begin_object();
    for (const auto [key, value] : request.members())
      if (!key.equals("Keys")) rest.key(key).value(value);
    rest.key("Keys").begin_array();
    for (const JsonView one : left) rest.value(one);
    rest.end_array().end_object();
  }
  rest.end_object();
  out.end_object().key("UnprocessedKeys").value(rest.finish()).end_object();
  return out.finish();
}

ServiceAnswer transact_get_items(Session& session, JsonView input) {
  MR_TRY(items, list_of(input, "TransactItems", kTransactionMax));
  JsonWriter out;
  out.begin_object().key("Responses").begin_array();
  for (const JsonView one : items.elements()) {
    const JsonView get = one.is_object() ? member(one, "Get") : JsonView();
    if (!get || !get.is_object()) return missing("Get");
    MR_TRY(answer, get_item(session, get));
    out.begin_object();
    if (const JsonView item = answer.view().find("Item")) out.key("Item").value(item);
    out.end_object();
  }
  out.end_array().end_object();
  return out.finish();
}

ServiceAnswer transact_write_items(Session& session, JsonView input) {
  MR_TRY(items, list_of(input, "TransactItems", kTransactionMax));
  std::vector<Write> writes;
  std::set<Place> places;
  for (const JsonView one : items.elements()) {
    JsonView content;
    Write::Kind kind = Write::Kind::Put;
    int given = 0;
    for (const PartName& part : kTransactParts) {
      const JsonView found = one.is_object() ? member(one, part.name) : JsonView();
      if (!found) continue;
      content = found;
      kind = part.kind;
      ++given;
    }
    if (given != 1) return validation("TransactItems can only contain one of Check, Put, Update or Delete");
    MR_TRY(write, parse_write(session, kind, content));
    if (!places.insert({write.table->id, write.key}).second)
      return validation("Transaction request cannot include multiple operations on one item");
    writes.push_back(std::move(write));
  }
  std::vector<std::optional<ServiceError>> reasons;
  bool failed = false;
  for (const Write& write : writes) {
    const auto written = carry_out(session, write);
    if (!written && written.error().of_store) return tl::unexpected<ServiceError>(written.error());
    reasons.push_back(written ? std::nullopt : std::optional(written.error()));
    failed = failed || !written;
  }
  if (failed) return cancelled(reasons);
  return Payload::empty_object();
}

}  // namespace millrace::tasks::dynamodb
