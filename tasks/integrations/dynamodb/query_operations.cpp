#include <algorithm>

#include "tasks/integrations/dynamodb/request.h"

namespace millrace::tasks::dynamodb {
namespace {

constexpr std::size_t kPageBytesMax = 1 << 20;  // of items looked at, before the filter
constexpr std::int64_t kLimitMax = 2'147'483'647;
constexpr std::int64_t kSegmentsMax = 1'000'000;

using Kind = Condition::Kind;

// What Query and Scan have in common.
struct Reading {
  Table table;
  const IndexDefinition* index = nullptr;
  Placeholders placeholders;
  std::optional<Condition> filter;
  std::optional<std::vector<Path>> projection;
  std::string select;
  std::optional<std::int64_t> limit;
  bool consistent = false;
  Walk walk;
  std::function<bool(const Key&)> in_segment = {};  // empty: all
};

const KeySchema& schema_of(const Reading& reading) {
  return reading.index ? reading.index->key : reading.table->key;
}

void names_in(const Condition& condition, std::set<std::string>& names) {
  for (const Operand& operand : condition.operands)
    if (operand.kind != Operand::Kind::Literal) names.insert(operand.path[0].name);
  for (const Condition& part : condition.parts) names_in(part, names);
}

Checked<bool> check_select(Reading& reading) {
  if (reading.select == "ALL_PROJECTED_ATTRIBUTES" && !reading.index)
    return validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
  if (reading.select == "SPECIFIC_ATTRIBUTES" && !reading.projection)
    return validation(
        "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES");
  if (!reading.select.empty() && reading.select != "SPECIFIC_ATTRIBUTES" && reading.projection)
    return validation("Cannot specify the ProjectionExpression when choosing to get " + reading.select);
  return true;
}

// Where a page begins: ExclusiveStartKey has the keys of the table and of the index.
Checked<bool> read_start(Reading& reading, JsonView input) {
  const JsonView given = member(input, "ExclusiveStartKey");
  if (!given) return true;
  MR_TRY(start, parse_item(given));
  const auto wrong = [] { return validation("The provided starting key is invalid"); };
  if (key_attributes(*reading.table, reading.index, start) != start) return wrong();
  const auto item_key = key_of_item(reading.table->key, start);
  if (!item_key) return validation("The provided starting key is invalid: " + item_key.error().message);
  reading.walk.after = *item_key;
  if (!reading.index) return true;
  MR_TRY(place, key_in_index(*reading.index, start));
  if (!place) return wrong();
  reading.walk.after = std::move(place);
  reading.walk.after_item = *item_key;
  return true;
}

Checked<Reading> read_common(Session& session, JsonView input,
                             std::initializer_list<std::string_view> expressions) {
  Reading reading;
  MR_DO(refuse_legacy(input));
  MR_TRY(limit, whole_of(input, "Limit", 1, kLimitMax));
  reading.limit = limit;
  MR_TRY(select, one_of(input, "Select", "",
                        {"SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"}));
  reading.select = std::move(select);
  MR_TRY(consistent, flag_of(input, "ConsistentRead"));
  reading.consistent = consistent;
  MR_TRY(placeholders, placeholders_of(input, expressions));
  reading.placeholders = std::move(placeholders);
  MR_TRY(filter, condition_of(input, "FilterExpression", reading.placeholders));
  reading.filter = std::move(filter);
  MR_TRY(projection, projection_of(input, reading.placeholders));
  reading.projection = std::move(projection);
  MR_TRY(table, table_of(session, input));
  reading.table = std::move(table);
  MR_TRY(index, text_of(input, "IndexName"));
  if (!index.empty()) {
    reading.index = reading.table->find_index(index);
    if (!reading.index) return validation("The table does not have the specified index: " + index);
    if (reading.consistent && reading.index->global)
      return validation("Consistent reads are not supported on global secondary indexes");
  }
  MR_DO(check_select(reading));
  reading.walk.table = reading.table.get();
  reading.walk.index = reading.index;
  return reading;
}

// The page: items from where it begins until a limit, those that pass the filter.
ServiceAnswer answer_page(Session& session, const Reading& reading, JsonView input,
                          const std::function<bool(const Item&)>& in_range) {
  JsonWriter items;
  items.begin_array();
  std::int64_t scanned = 0, count = 0;
  std::size_t bytes = 0;
  std::optional<Item> last;
  bool cut = false;
  const bool counting = reading.select == "COUNT";
  MR_DO(session.store.walk(reading.walk, [&](const Found& found) -> Checked<bool> {
    if (reading.in_segment && !reading.in_segment(found.key)) return true;
    const auto document = Payload::parse(found.text);
    if (!document)
      return tl::unexpected<ServiceError>(Error{ErrorCode::DataLoss, "an item of a table is not JSON", {}});
    MR_TRY(item, parse_item(document->view()));
    if (in_range && !in_range(item)) return true;
    ++scanned;
    bytes += size_of(item);
    last = key_attributes(*reading.table, reading.index, item);
    // A local index gives what it lacks from the table, when asked.
    const bool whole = !reading.index ||
                       (!reading.index->global && (reading.select == "ALL_ATTRIBUTES" || reading.projection));
    if (!whole) item = projected(*reading.table, *reading.index, std::move(item));
    if (!reading.filter || holds(*reading.filter, item)) {
      ++count;
      if (!counting) write(items, reading.projection ? project(item, *reading.projection) : item);
    }
    cut = (reading.limit && scanned >= *reading.limit) || bytes >= kPageBytesMax;
    return !cut;
  }));
  items.end_array();
  JsonWriter out;
  out.begin_object();
  if (!counting) out.key("Items").value(items.finish());
  out.key("Count").number(count).key("ScannedCount").number(scanned);
  if (cut && last) write_member(out, "LastEvaluatedKey", *last);
  write_capacity(out, input, reading.table->name, read_units(bytes, reading.consistent));
  out.end_object();
  return out.finish();
}

tl::unexpected<ServiceError> not_supported() {
  return validation("Query key condition not supported");
}

void flatten(const Condition& condition, std::vector<const Condition*>& out) {
  if (condition.kind != Kind::And) return out.push_back(&condition);
  for (const Condition& part : condition.parts) flatten(part, out);
}

Checked<bool> set_bounds(const Condition& condition, const KeyPart& part, Walk& walk) {
  std::vector<std::string> bytes;
  for (std::size_t i = 1; i < condition.operands.size(); ++i) {
    const Operand& operand = condition.operands[i];
    if (operand.kind != Operand::Kind::Literal)
      return validation("Invalid KeyConditionExpression: Invalid operand in KeyConditionExpression");
    if (operand.literal.type != part.type)
      return validation(
          "One or more parameter values were invalid: Condition parameter type does not match schema type");
    if (part.type != Type::N && operand.literal.text.empty() && condition.kind != Kind::BeginsWith)
      return validation(
          "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
          "an empty " +
          std::string(part.type == Type::S ? "string" : "binary") + " value. Key: " + part.name);
    bytes.push_back(sort_key(operand.literal));
  }
  switch (condition.kind) {
    case Kind::Equal:
      walk.low = walk.high = bytes[0];
      return true;
    case Kind::Less:
    case Kind::LessEqual:
      walk.high = bytes[0];
      return true;
    case Kind::Greater:
    case Kind::GreaterEqual:
      walk.low = bytes[0];
      return true;
    case Kind::Between:
      walk.low = bytes[0];
      walk.high = bytes[1];
      return true;
    case Kind::BeginsWith:
      if (part.type == Type::N)
        return validation(
            "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or "
            "function: begins_with, operand type: N");
      walk.low = bytes[0];
      walk.high = bytes[0] + std::string(1025, '\xFF');
      return true;
    default:
      return not_supported();
  }
}

// Which key's attribute a part of the condition is about; an error when it is none.
Checked<std::string> subject_of(const Condition& condition) {
  switch (condition.kind) {
    case Kind::Or:
    case Kind::Not:
    case Kind::In:
    case Kind::NotEqual: {
      const char* name =
          condition.kind == Kind::Or
              ? "OR"
              : (condition.kind == Kind::Not ? "NOT" : (condition.kind == Kind::In ? "IN" : "<>"));
      return validation("Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: " +
                        std::string(name));
    }
    case Kind::Exists:
    case Kind::NotExists:
    case Kind::TypeIs:
    case Kind::Contains: {
      const char* name = condition.kind == Kind::Exists      ? "attribute_exists"
                         : condition.kind == Kind::NotExists ? "attribute_not_exists"
                         : condition.kind == Kind::TypeIs    ? "attribute_type"
                                                             : "contains";
      return validation("Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: " +
                        std::string(name));
    }
    default:
      break;
  }
  const Operand& operand = condition.operands[0];
  if (operand.kind != Operand::Kind::Attribute) return not_supported();
  if (operand.path.size() != 1)
    return validation(
        "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested "
        "attributes");
  return operand.path[0].name;
}

// Fills the walk's bounds; `exact` is the part that bounds (which are included) do not say alone.
Checked<bool> read_key_condition(Reading& reading, const Condition& condition,
                                 std::optional<Condition>& exact) {
  std::vector<const Condition*> parts;
  flatten(condition, parts);
  const KeySchema& schema = schema_of(reading);
  const Condition* of_range = nullptr;
  std::set<std::string> seen;
  for (const Condition* part : parts) {
    MR_TRY(name, subject_of(*part));
    if (!seen.insert(name).second)
      return validation(
          "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key");
    if (name == schema.hash.name) {
      if (part->kind != Kind::Equal) return not_supported();
      Walk at;
      MR_DO(set_bounds(*part, schema.hash, at));
      reading.walk.hash = at.low;
    } else if (schema.range && name == schema.range->name) {
      of_range = part;
    } else if (parts.size() > 1 && seen.size() > (schema.range ? 2u : 1u)) {
      return validation("Conditions can be of length 1 or 2 only");
    }
  }
  if (!reading.walk.hash) return validation("Query condition missed key schema element: " + schema.hash.name);
  if (parts.size() == 2 && !of_range)
    return schema.range ? validation("Query condition missed key schema element: " + schema.range->name)
                        : not_supported();
  if (parts.size() > 2) return validation("Conditions can be of length 1 or 2 only");
  if (of_range) {
    MR_DO(set_bounds(*of_range, *schema.range, reading.walk));
    exact = *of_range;
  }
  return true;
}

Checked<bool> check_filter(const Reading& reading) {
  if (!reading.filter) return true;
  std::set<std::string> names;
  names_in(*reading.filter, names);
  const KeySchema& schema = schema_of(reading);
  for (const std::string& name : names)
    if (name == schema.hash.name || (schema.range && name == schema.range->name))
      return validation(
          "Filter Expression can only contain non-primary key attributes: Primary key attribute: " + name);
  return true;
}

}  // namespace

ServiceAnswer query(Session& session, JsonView input) {
  if (!member(input, "KeyConditionExpression")) {
    MR_DO(refuse_legacy(input));
    return validation(
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.");
  }
  MR_TRY(reading,
         read_common(session, input, {"KeyConditionExpression", "FilterExpression", "ProjectionExpression"}));
  MR_TRY(condition, condition_of(input, "KeyConditionExpression", reading.placeholders));
  MR_DO(reading.placeholders.check_all_used());
  std::optional<Condition> exact;
  MR_DO(read_key_condition(reading, *condition, exact));
  MR_DO(check_filter(reading));
  MR_DO(read_start(reading, input));
  if (reading.walk.after && reading.walk.after->hash != *reading.walk.hash)
    return validation("The provided starting key is outside query boundaries based on provided conditions");
  const JsonView forward = member(input, "ScanIndexForward");
  MR_TRY(forward_flag, flag_of(input, "ScanIndexForward"));
  reading.walk.forward = !forward || forward_flag;
  return answer_page(session, reading, input,
                     exact ? [&exact](const Item& item) { return holds(*exact, item); }
                           : std::function<bool(const Item&)>());
}

ServiceAnswer scan(Session& session, JsonView input) {
  MR_TRY(reading, read_common(session, input, {"FilterExpression", "ProjectionExpression"}));
  MR_DO(reading.placeholders.check_all_used());
  MR_DO(read_start(reading, input));
  MR_TRY(segments, whole_of(input, "TotalSegments", 1, kSegmentsMax));
  MR_TRY(segment, whole_of(input, "Segment", 0, kSegmentsMax - 1));
  if (bool(segments) != bool(segment))
    return validation(
        segments ? "The Segment parameter is required but was not present in the request when parameter "
                   "TotalSegments is present"
                 : "The TotalSegments parameter is required but was not present in the request when Segment "
                   "parameter is present");
  if (segments && *segment >= *segments)
    return validation(
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: " +
        std::to_string(*segment) + " is not less than TotalSegments: " + std::to_string(*segments));
  if (segments)
    reading.in_segment = [of = static_cast<std::uint64_t>(*segments),
                          wanted = static_cast<std::uint64_t>(*segment)](const Key& key) {
      return hash64(key.hash) % of == wanted;
    };
  return answer_page(session, reading, input, {});
}

}  // namespace millrace::tasks::dynamodb
