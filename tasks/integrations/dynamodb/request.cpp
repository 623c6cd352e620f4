#include "tasks/integrations/dynamodb/request.h"

#include <algorithm>
#include <cmath>

namespace millrace::tasks::dynamodb {
namespace {

constexpr std::string_view kLegacy[] = {"AttributeUpdates", "AttributesToGet", "ConditionalOperator",
                                        "Expected",         "KeyConditions",   "QueryFilter",
                                        "ScanFilter"};

std::string lower_first(std::string_view name) {
  std::string out(name);
  if (!out.empty()) out[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(out[0])));
  return out;
}

tl::unexpected<ServiceError> wrong_kind(JsonView value, std::string_view wanted) {
  const std::string given = value.is_number() ? "NUMBER_VALUE" : std::string(name_of(value.kind()));
  return service_error("SerializationException", given + " cannot be converted to " + std::string(wanted));
}

// Key attributes stay what they are.
Checked<bool> check_no_key(const TableDefinition& table, const Update& update) {
  for (const Action& action : update) {
    const std::string& name = action.path[0].name;
    if (name == table.key.hash.name || (table.key.range && name == table.key.range->name))
      return validation("One or more parameter values were invalid: Cannot update attribute " + name +
                        ". This attribute is part of the key");
  }
  return true;
}

ServiceError condition_failed(const Write& write, const std::optional<Item>& before) {
  ServiceError error("ConditionalCheckFailedException", "The conditional request failed");
  if (write.show_item && before) {
    JsonWriter out;
    out.begin_object();
    write_member(out, "Item", *before);
    out.end_object();
    error.detail = out.finish();
  }
  return error;
}

}  // namespace

JsonView member(JsonView input, std::string_view name) {
  const JsonView found = input.find(name);
  return found && !found.is_null() ? found : JsonView();
}

Checked<std::string> text_of(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  if (!found) return std::string();
  if (!found.is_string()) return wrong_kind(found, "String");
  return found.string();
}

Checked<bool> flag_of(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  if (!found) return false;
  if (!found.is_boolean()) return wrong_kind(found, "Boolean");
  return found.boolean();
}

Checked<std::optional<std::int64_t>> whole_of(JsonView input, std::string_view name, std::int64_t min,
                                              std::int64_t max) {
  const JsonView found = member(input, name);
  if (!found) return std::optional<std::int64_t>();
  const auto value = found.is_number() ? found.integer() : std::nullopt;
  if (!value) return wrong_kind(found, "Integer");
  if (*value < min || *value > max)
    return validation("1 validation error detected: Value '" + std::to_string(*value) + "' at '" +
                      lower_first(name) + "' failed to satisfy constraint: Member must have value " +
                      (*value < min ? "greater than or equal to " + std::to_string(min)
                                    : "less than or equal to " + std::to_string(max)));
  return value;
}

tl::unexpected<ServiceError> missing(std::string_view name) {
  return validation("1 validation error detected: Value null at '" + lower_first(name) +
                    "' failed to satisfy constraint: Member must not be null");
}

Checked<bool> refuse_legacy(JsonView input) {
  for (const std::string_view name : kLegacy)
    if (member(input, name))
      return validation("The legacy parameter " + std::string(name) +
                        " is not supported here; use the expression that replaces it");
  return true;
}

Checked<std::string> one_of(JsonView input, std::string_view name, std::string_view otherwise,
                            std::initializer_list<std::string_view> choices) {
  MR_TRY(given, text_of(input, name));
  if (given.empty()) return std::string(otherwise);
  if (std::find(choices.begin(), choices.end(), given) != choices.end()) return given;
  std::string all;
  for (const std::string_view choice : choices) all += (all.empty() ? "" : ", ") + std::string(choice);
  return validation("1 validation error detected: Value '" + given + "' at '" + lower_first(name) +
                    "' failed to satisfy constraint: Member must satisfy enum value set: [" + all + "]");
}

Checked<Table> table_of(Session& session, JsonView input) {
  MR_TRY(name, table_name_of(input));
  MR_TRY(table, session.store.find(name));
  if (!table) return service_error("ResourceNotFoundException", "Requested resource not found");
  return table;
}

Checked<Placeholders> placeholders_of(JsonView input, std::initializer_list<std::string_view> expressions) {
  const JsonView names = member(input, "ExpressionAttributeNames"),
                 values = member(input, "ExpressionAttributeValues");
  std::string absent;
  bool any = false;
  for (const std::string_view name : expressions) {
    any = any || member(input, name);
    absent += (absent.empty() ? "" : " and ") + std::string(name);
  }
  if (!any && (names || values)) {
    const std::string which = names ? "ExpressionAttributeNames" : "ExpressionAttributeValues";
    return validation(which + " can only be specified when using expressions" +
                      (names ? "" : ": " + absent + (expressions.size() > 1 ? " are null" : " is null")));
  }
  return Placeholders::read(names, values);
}

Checked<std::optional<std::vector<Path>>> projection_of(JsonView input, Placeholders& placeholders) {
  if (!member(input, "ProjectionExpression")) return std::optional<std::vector<Path>>();
  MR_TRY(text, text_of(input, "ProjectionExpression"));
  MR_TRY(paths, parse_projection(text, placeholders));
  return std::optional(std::move(paths));
}

Checked<std::optional<Condition>> condition_of(JsonView input, std::string_view name,
                                               Placeholders& placeholders) {
  if (!member(input, name)) return std::optional<Condition>();
  MR_TRY(text, text_of(input, name));
  MR_TRY(condition, parse_condition(name, text, placeholders));
  return std::optional(std::move(condition));
}

Checked<Write> parse_write(Session& session, Write::Kind kind, JsonView input) {
  if (!input.is_object()) return service_error("SerializationException", "Unexpected value type in payload");
  Write write;
  write.kind = kind;
  MR_DO(refuse_legacy(input));
  const std::string_view content = kind == Write::Kind::Put ? "Item" : "Key";
  if (!member(input, content)) return missing(content);
  if (kind == Write::Kind::Check && !member(input, "ConditionExpression"))
    return missing("ConditionExpression");
  MR_TRY(item, parse_item(member(input, content)));
  write.item = std::move(item);
  MR_TRY(show, one_of(input, "ReturnValuesOnConditionCheckFailure", "NONE", {"ALL_OLD", "NONE"}));
  write.show_item = show == "ALL_OLD";
  MR_TRY(placeholders, kind == Write::Kind::Modify
                           ? placeholders_of(input, {"UpdateExpression", "ConditionExpression"})
                           : placeholders_of(input, {"ConditionExpression"}));
  if (kind == Write::Kind::Modify && member(input, "UpdateExpression")) {
    MR_TRY(text, text_of(input, "UpdateExpression"));
    MR_TRY(update, parse_update(text, placeholders));
    write.update = std::move(update);
  }
  MR_TRY(condition, condition_of(input, "ConditionExpression", placeholders));
  write.condition = std::move(condition);
  MR_DO(placeholders.check_all_used());
  MR_TRY(table, table_of(session, input));
  write.table = std::move(table);
  MR_DO(check_no_key(*write.table, write.update));
  const KeySchema& schema = write.table->key;
  MR_TRY(key, kind == Write::Kind::Put ? key_of_item(schema, write.item) : key_of_key(schema, write.item));
  write.key = std::move(key);
  if (kind == Write::Kind::Put && size_of(write.item) > kItemBytesMax)
    return validation("Item size has exceeded the maximum allowed size");
  return write;
}

Checked<Written> carry_out(Session& session, const Write& write) {
  Written out;
  MR_TRY(before, session.store.get(*write.table, write.key));
  out.before = std::move(before);
  static const Item kNothing;
  if (write.condition && !holds(*write.condition, out.before ? *out.before : kNothing))
    return tl::unexpected<ServiceError>(condition_failed(write, out.before));
  const Item* old = out.before ? &*out.before : nullptr;
  switch (write.kind) {
    case Write::Kind::Check:
      out.after = out.before;
      return out;
    case Write::Kind::Delete:
      if (old) MR_DO(session.store.erase(*write.table, write.key, *old));
      return out;
    case Write::Kind::Put:
      out.after = write.item;
      break;
    case Write::Kind::Modify:
      out.after = old ? *old : write.item;
      MR_DO(apply(write.update, *out.after));
      if (size_of(*out.after) > kItemBytesMax)
        return validation("Item size to update has exceeded the maximum allowed size");
      break;
  }
  MR_DO(session.store.put(*write.table, write.key, *out.after, old));
  return out;
}

double read_units(std::size_t bytes, bool consistent) {
  const double blocks = std::max(1.0, std::ceil(static_cast<double>(bytes) / 4096.0));
  return consistent ? blocks : blocks / 2;
}
double write_units(std::size_t bytes) {
  return std::max(1.0, std::ceil(static_cast<double>(bytes) / 1024.0));
}

void write_capacity(JsonWriter& out, JsonView input, const std::string& table, double units) {
  const JsonView wanted = member(input, "ReturnConsumedCapacity");
  if (!wanted || (!wanted.equals("TOTAL") && !wanted.equals("INDEXES"))) return;
  out.key("ConsumedCapacity").begin_object();
  out.key("TableName").string(table).key("CapacityUnits").number(units).end_object();
}

void write_member(JsonWriter& out, std::string_view name, const Item& item) {
  out.key(name);
  write(out, item);
}

}  // namespace millrace::tasks::dynamodb
