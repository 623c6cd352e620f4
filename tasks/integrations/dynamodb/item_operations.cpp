#include "tasks/integrations/dynamodb/request.h"

namespace millrace::tasks::dynamodb {
namespace {

std::size_t bytes_of(const Written& written) {
  return std::max(written.before ? size_of(*written.before) : 0, written.after ? size_of(*written.after) : 0);
}

// What ReturnValues asks for of an update; nothing: no Attributes.
std::optional<Item> returned(const std::string& wanted, const Write& write, const Written& written) {
  if (wanted == "ALL_OLD") return written.before;
  if (wanted == "ALL_NEW") return written.after;
  if (wanted == "NONE") return std::nullopt;
  std::vector<Path> paths;
  for (const Action& action : write.update) paths.push_back(action.path);
  const std::optional<Item>& of = wanted == "UPDATED_OLD" ? written.before : written.after;
  Item part = of ? project(*of, paths) : Item{};
  if (part.empty()) return std::nullopt;
  return part;
}

ServiceAnswer write_item(Session& session, Write::Kind kind, JsonView input,
                         std::initializer_list<std::string_view> return_values) {
  MR_TRY(wanted,
         one_of(input, "ReturnValues", "NONE", {"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"}));
  if (std::find(return_values.begin(), return_values.end(), wanted) == return_values.end())
    return validation("Return values set to invalid value");
  MR_TRY(write, parse_write(session, kind, input));
  MR_TRY(written, carry_out(session, write));
  JsonWriter out;
  out.begin_object();
  if (const auto attributes = returned(wanted, write, written)) write_member(out, "Attributes", *attributes);
  write_capacity(out, input, write.table->name, write_units(bytes_of(written)));
  out.end_object();
  return out.finish();
}

}  // namespace

ServiceAnswer get_item(Session& session, JsonView input) {
  MR_DO(refuse_legacy(input));
  if (!member(input, "Key")) return missing("Key");
  MR_TRY(attributes, parse_item(member(input, "Key")));
  MR_TRY(consistent, flag_of(input, "ConsistentRead"));
  MR_TRY(placeholders, placeholders_of(input, {"ProjectionExpression"}));
  MR_TRY(projection, projection_of(input, placeholders));
  MR_DO(placeholders.check_all_used());
  MR_TRY(table, table_of(session, input));
  MR_TRY(key, key_of_key(table->key, attributes));
  MR_TRY(item, session.store.get(*table, key));
  JsonWriter out;
  out.begin_object();
  if (item) write_member(out, "Item", projection ? project(*item, *projection) : *item);
  write_capacity(out, input, table->name, read_units(item ? size_of(*item) : 0, consistent));
  out.end_object();
  return out.finish();
}

ServiceAnswer put_item(Session& session, JsonView input) {
  return write_item(session, Write::Kind::Put, input, {"NONE", "ALL_OLD"});
}
ServiceAnswer update_item(Session& session, JsonView input) {
  return write_item(session, Write::Kind::Modify, input,
                    {"NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"});
}
ServiceAnswer delete_item(Session& session, JsonView input) {
  return write_item(session, Write::Kind::Delete, input, {"NONE", "ALL_OLD"});
}

}  // namespace millrace::tasks::dynamodb
