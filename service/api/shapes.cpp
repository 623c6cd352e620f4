#include "service/api/shapes.h"

#include <vector>

#include "base/utf8.h"

namespace millrace::api {
namespace {

using Kind = Shape::Kind;

std::string_view type_name(Kind kind) {
  switch (kind) {
    case Kind::String:
      return "a String";
    case Kind::Integer:
      return "an Integer";
    case Kind::Number:
      return "a Float";
    case Kind::Boolean:
      return "a Boolean";
    case Kind::Structure:
      return "a Structure";
    case Kind::List:
      return "a List";
  }
  return {};
}

bool has_type(JsonView value, Kind kind) {
  switch (kind) {
    case Kind::String:
      return value.is_string();
    case Kind::Integer:
      return value.is_number() && value.integer().has_value();
    case Kind::Number:
      return value.is_number();
    case Kind::Boolean:
      return value.is_boolean();
    case Kind::Structure:
      return value.is_object();
    case Kind::List:
      return value.is_array();
  }
  return false;
}

std::string_view token_name(JsonView value) {
  switch (value.kind()) {
    case JsonKind::Number:
      return value.integer() ? "NUMBER_VALUE" : "DECIMAL_VALUE";
    case JsonKind::String:
      return "STRING_VALUE";
    case JsonKind::True:
      return "TRUE_VALUE";
    case JsonKind::False:
      return "FALSE_VALUE";
    case JsonKind::Array:
      return "START_ARRAY";
    default:
      return "START_OBJECT";
  }
}

// A value as AWS's messages show it: a structure as Name(member=value), a list in brackets.
std::string shown(JsonView value, const Shape& shape) {
  std::string out;
  if (shape.kind == Kind::String) return value.string();
  if (shape.kind == Kind::List) {
    for (const JsonView element : value.elements())
      out.append(out.empty() ? "[" : ", ").append(shown(element, *shape.element));
    return out.empty() ? "[]" : out + "]";
  }
  if (shape.kind != Kind::Structure) return std::string(value.text());
  for (const Member& m : shape.members) {
    const JsonView found = member(value, m.name);
    if (!found) continue;
    out.append(out.empty() ? "(" : ", ").append(m.name).append("=").append(shown(found, *m.shape));
  }
  return std::string(shape.name) + (out.empty() ? "()" : out + ")");
}

class Check {
 public:
  explicit Check(PathStyle style) : style_(style) {}
  std::optional<ApiError> result() const {
    if (!wrong_type_.empty()) return ApiError{"SerializationException", wrong_type_, 400};
    if (broken_.empty()) return std::nullopt;
    std::string message = std::to_string(broken_.size()) + " validation error" +
                          (broken_.size() == 1 ? "" : "s") + " detected: ";
    for (std::size_t i = 0; i < broken_.size(); ++i) message.append(i ? "; " : "").append(broken_[i]);
    return ApiError{"ValidationException", std::move(message), 400};
  }

  void structure(JsonView value, std::span<const Member> members, const std::string& prefix) {
    for (const Member& m : members) {
      std::string path = prefix + std::string(m.name);
      char& first = path[prefix.size()];
      if (style_ == PathStyle::LowerFirst && first >= 'A' && first <= 'Z')
        first = static_cast<char>(first - 'A' + 'a');
      if (const JsonView found = member(value, m.name)) {
        check(found, *m.shape, path);
      } else if (m.required) {
        broken_.push_back("Value null at '" + path +
                          "' failed to satisfy constraint: Member must not be null");
      }
    }
  }

 private:
  void check(JsonView value, const Shape& shape, const std::string& path) {
    if (!has_type(value, shape.kind)) {
      if (wrong_type_.empty())
        wrong_type_.append(token_name(value))
            .append(" can not be converted to ")
            .append(type_name(shape.kind));
      return;
    }
    switch (shape.kind) {
      case Kind::String:
        return text(value, shape, path);
      case Kind::Integer:
      case Kind::Number:
        return range(value.number(), "value", value, shape, path);
      case Kind::Boolean:
        return;
      case Kind::Structure:
        return structure(value, shape.members, path + ".");
      case Kind::List: {
        range(value.size(), "length", value, shape, path);
        std::size_t index = 0;
        for (const JsonView element : value.elements())
          check(element, *shape.element, path + "." + std::to_string(++index) + ".member");
      }
    }
  }
  void text(JsonView value, const Shape& shape, const std::string& path) {
    const std::string characters = value.string();
    range(static_cast<double>(count_code_points(characters)), "length", value, shape, path);
    if (shape.matches && !shape.matches(characters))
      broken(value, shape, path,
             "Member must satisfy regular expression pattern: " + std::string(shape.pattern));
    if (shape.values.empty()) return;
    std::string set;
    for (const std::string_view allowed : shape.values) {
      if (allowed == characters) return;
      set.append(set.empty() ? "[" : ", ").append(allowed);
    }
    broken(value, shape, path, "Member must satisfy enum value set: " + set + "]");
  }
  void range(double amount, std::string_view what, JsonView value, const Shape& shape,
             const std::string& path) {
    const std::string have = "Member must have " + std::string(what);
    if (shape.min >= 0 && amount < static_cast<double>(shape.min))
      broken(value, shape, path, have + " greater than or equal to " + std::to_string(shape.min));
    if (shape.max >= 0 && amount > static_cast<double>(shape.max))
      broken(value, shape, path, have + " less than or equal to " + std::to_string(shape.max));
  }
  void broken(JsonView value, const Shape& shape, const std::string& path, const std::string& constraint) {
    const std::string what = shape.sensitive ? "Value" : "Value '" + shown(value, shape) + "'";
    broken_.push_back(what + " at '" + path + "' failed to satisfy constraint: " + constraint);
  }

  const PathStyle style_;
  std::string wrong_type_;
  std::vector<std::string> broken_;
};

}  // namespace

std::optional<ApiError> check_input(JsonView input, std::span<const Member> members, PathStyle style) {
  Check check(style);
  check.structure(input, members, {});
  return check.result();
}

}  // namespace millrace::api
