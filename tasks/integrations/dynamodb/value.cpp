#include "tasks/integrations/dynamodb/value.h"

#include <algorithm>

#include "base/encoding.h"

namespace millrace::tasks::dynamodb {
namespace {

struct TypeName {
  Type type;
  std::string_view name, word;
};
constexpr TypeName kTypes[] = {
    {Type::S, "S", "STRING"},        {Type::N, "N", "NUMBER"},       {Type::B, "B", "BINARY"},
    {Type::Bool, "BOOL", "BOOLEAN"}, {Type::Null, "NULL", "NULL"},   {Type::M, "M", "MAP"},
    {Type::L, "L", "LIST"},          {Type::SS, "SS", "STRING_SET"}, {Type::NS, "NS", "NUMBER_SET"},
    {Type::BS, "BS", "BINARY_SET"},
};

tl::unexpected<ServiceError> serialization(std::string message) {
  return service_error("SerializationException", std::move(message));
}

std::string json_word(JsonView json) {
  switch (json.kind()) {
    case JsonKind::Number:
      return "NUMBER_VALUE";
    case JsonKind::True:
      return "TRUE_VALUE";
    case JsonKind::False:
      return "FALSE_VALUE";
    default:
      return std::string(name_of(json.kind()));
  }
}

Checked<std::string> string_of(JsonView json) {
  if (json.is_string()) return json.string();
  return serialization(json_word(json) + " cannot be converted to String");
}

// One S, N or B, alone or in a set.
Checked<Value> parse_scalar(Type type, JsonView json) {
  MR_TRY(text, string_of(json));
  Value value;
  value.type = type;
  if (type == Type::N) {
    auto number = Decimal::parse(text);
    if (!number) return validation(number.error().message);
    return number_value(std::move(*number));
  }
  if (type == Type::B) {
    auto bytes = base64_decode(text);
    if (!bytes)
      return serialization("Base64 encoded length is expected a multiple of 4 bytes but found: " +
                           std::to_string(text.size()));
    text = std::move(*bytes);
  }
  value.text = std::move(text);
  return value;
}

bool scalar_less(const Value& a, const Value& b) {
  return a.type == Type::N ? a.number.compare(b.number) < 0 : a.text < b.text;
}

Checked<Value> parse_set(Type type, JsonView json) {
  const Type element = type == Type::SS ? Type::S : (type == Type::NS ? Type::N : Type::B);
  if (!json.is_array()) return serialization("Unexpected field type");
  Value value;
  value.type = type;
  const std::string_view kind = element == Type::S ? "string" : (element == Type::N ? "number" : "binary");
  if (json.size() == 0)
    return validation("One or more parameter values were invalid: An " + std::string(kind) +
                      " set  may not be empty");
  for (const JsonView one : json.elements()) {
    MR_TRY(scalar, parse_scalar(element, one));
    value.list.push_back(std::move(scalar));
  }
  std::sort(value.list.begin(), value.list.end(), scalar_less);
  const auto twice = std::adjacent_find(value.list.begin(), value.list.end());
  if (twice != value.list.end())
    return validation("One or more parameter values were invalid: Input collection " +
                      std::string(json.text()) + " contains duplicates.");
  return value;
}

Checked<Value> parse_of_type(Type type, JsonView json, int depth) {
  Value value;
  value.type = type;
  switch (type) {
    case Type::S:
    case Type::N:
    case Type::B:
      return parse_scalar(type, json);
    case Type::SS:
    case Type::NS:
    case Type::BS:
      return parse_set(type, json);
    case Type::Bool:
    case Type::Null:
      if (!json.is_boolean()) return serialization(json_word(json) + " cannot be converted to Boolean");
      value.flag = json.boolean();
      if (type == Type::Null && !value.flag)
        return validation(
            "One or more parameter values were invalid: Null attribute value types must have the value of "
            "true");
      return value;
    case Type::L:
      if (!json.is_array()) return serialization("Unexpected field type");
      for (const JsonView one : json.elements()) {
        MR_TRY(element, parse_value(one, depth + 1));
        value.list.push_back(std::move(element));
      }
      return value;
    case Type::M:
      if (!json.is_object()) return serialization("Unexpected field type");
      for (const auto [key, one] : json.members()) {
        MR_TRY(member, parse_value(one, depth + 1));
        value.map.insert_or_assign(key.string(), std::move(member));
      }
      return value;
  }
  return value;
}

}  // namespace

std::string_view name_of(Type type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}
std::string_view word_of(Type type) {
  return kTypes[static_cast<std::size_t>(type)].word;
}
std::optional<Type> type_of(std::string_view name) {
  for (const TypeName& row : kTypes)
    if (row.name == name) return row.type;
  return std::nullopt;
}

tl::unexpected<ServiceError> validation(std::string message) {
  return service_error("ValidationException", std::move(message));
}

bool Value::operator==(const Value& other) const {
  if (type != other.type) return false;
  switch (type) {
    case Type::N:
      return number == other.number;
    case Type::S:
    case Type::B:
      return text == other.text;
    case Type::Bool:
    case Type::Null:
      return flag == other.flag;
    case Type::M:
      return map == other.map;
    case Type::L:
    case Type::SS:
    case Type::NS:
    case Type::BS:
      return list == other.list;
  }
  return false;
}

Value string_value(std::string text) {
  Value value;
  value.type = Type::S;
  value.text = std::move(text);
  return value;
}
Value number_value(Decimal number) {
  Value value;
  value.type = Type::N;
  value.text = number.text();
  value.number = std::move(number);
  return value;
}

Checked<Value> parse_value(JsonView json, int depth) {
  if (depth > kDepthMax)
    return validation("Nesting Levels have exceeded supported limits: maximum allowed nesting level is " +
                      std::to_string(kDepthMax));
  if (!json.is_object()) return serialization("Unexpected value type in payload");
  std::optional<Type> type;
  JsonView content;
  for (const auto [key, one] : json.members()) {
    const auto named = type_of(key.string());
    if (!named) continue;
    if (type)
      return validation(
          "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
          "supported "
          "datatypes");
    type = named;
    content = one;
  }
  if (!type)
    return validation(
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
  return parse_of_type(*type, content, depth);
}

Checked<Item> parse_item(JsonView json) {
  if (!json.is_object()) return serialization("Unexpected value type in payload");
  Item item;
  for (const auto [key, one] : json.members()) {
    MR_TRY(value, parse_value(one, 1));
    std::string name = key.string();
    if (name.empty() || name.size() > 65'535)
      return validation("One or more parameter values were invalid: attribute names have 1 to 65535 bytes");
    item.insert_or_assign(std::move(name), std::move(value));
  }
  return item;
}

void write(JsonWriter& out, const Value& value) {
  out.begin_object().key(name_of(value.type));
  switch (value.type) {
    case Type::S:
    case Type::N:
      out.string(value.text);
      break;
    case Type::B:
      out.string(base64_encode(value.text));
      break;
    case Type::Bool:
    case Type::Null:
      out.boolean(value.flag);
      break;
    case Type::M:
      write(out, value.map);
      break;
    case Type::L:
      out.begin_array();
      for (const Value& one : value.list) write(out, one);
      out.end_array();
      break;
    case Type::SS:
    case Type::NS:
    case Type::BS:
      out.begin_array();
      for (const Value& one : value.list)
        out.string(one.type == Type::B ? base64_encode(one.text) : one.text);
      out.end_array();
      break;
  }
  out.end_object();
}

void write(JsonWriter& out, const Item& item) {
  out.begin_object();
  for (const auto& [name, value] : item) {
    out.key(name);
    write(out, value);
  }
  out.end_object();
}

std::size_t size_of(const Value& value) {
  std::size_t size = 0;
  switch (value.type) {
    case Type::S:
    case Type::B:
      return value.text.size();
    case Type::N:
      return (value.number.digits() + 1) / 2 + 1;
    case Type::Bool:
    case Type::Null:
      return 1;
    case Type::M:
      size = 3 + value.map.size();
      return size + size_of(value.map);
    case Type::L:
      size = 3 + value.list.size();
      break;
    case Type::SS:
    case Type::NS:
    case Type::BS:
      break;
  }
  for (const Value& one : value.list) size += size_of(one);
  return size;
}

std::size_t size_of(const Item& item) {
  std::size_t size = 0;
  for (const auto& [name, value] : item) size += name.size() + size_of(value);
  return size;
}

std::optional<int> compare(const Value& a, const Value& b) {
  if (a.type != b.type) return std::nullopt;
  if (a.type == Type::N) return a.number.compare(b.number);
  if (a.type != Type::S && a.type != Type::B) return std::nullopt;
  return a.text < b.text ? -1 : (a.text == b.text ? 0 : 1);
}

std::string sort_key(const Value& value) {
  return value.type == Type::N ? value.number.sort_key() : value.text;
}

std::string to_text(const Item& item) {
  JsonWriter out;
  write(out, item);
  return std::string(out.finish().text());
}

}  // namespace millrace::tasks::dynamodb
