#pragma once
// Value: one attribute value of DynamoDB, read from and written as DynamoDB JSON ({"S":"…"}, {"N":"1"}, …).
// Errors are ValidationException and SerializationException in AWS's words. Pure. Source: DynamoDB API
// reference, AttributeValue; developer guide, item sizes.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/payload.h"
#include "tasks/integrations/dynamodb/decimal.h"
#include "tasks/integrations/service_answer.h"

namespace millrace::tasks::dynamodb {

enum class Type { S, N, B, Bool, Null, M, L, SS, NS, BS };
std::string_view name_of(Type type);  // "S", "BOOL", …
std::string_view word_of(Type type);  // "STRING", "NUMBER", …: as errors of update expressions name types
std::optional<Type> type_of(std::string_view name);

struct Value;
using Item = std::map<std::string, Value, std::less<>>;

struct Value {
  Type type = Type::Null;
  std::string text;         // S; B as bytes; N as its normal text
  Decimal number;           // N
  bool flag = false;        // BOOL
  std::vector<Value> list;  // L; sets: their elements as S, N or B, sorted, each once
  Item map;                 // M

  bool operator==(const Value& other) const;
  bool is_set() const { return type == Type::SS || type == Type::NS || type == Type::BS; }
};

Value string_value(std::string text);
Value number_value(Decimal number);

constexpr int kDepthMax = 32;  // of documents in an item
constexpr std::size_t kItemBytesMax = 409'600;

Checked<Value> parse_value(JsonView json, int depth = 0);
Checked<Item> parse_item(JsonView json);  // an object of attribute values

void write(JsonWriter& out, const Value& value);
void write(JsonWriter& out, const Item& item);
std::size_t size_of(const Value& value);  // as it counts for the limit of an item
std::size_t size_of(const Item& item);

// -1, 0, 1 for S, N and B of the same type; nothing where there is no order.
std::optional<int> compare(const Value& a, const Value& b);
// The bytes of a key that sort as its values do; S, N and B.
std::string sort_key(const Value& value);
std::string to_text(const Item& item);  // its JSON

tl::unexpected<ServiceError> validation(std::string message);

}  // namespace millrace::tasks::dynamodb
