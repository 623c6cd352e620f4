#include "tasks/integrations/sns/filter_policy.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

constexpr int kDepthMax = 20;

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool compares(const std::string& op, double value, double limit) {
  if (op == "=") return value == limit;
  if (op == "<") return value < limit;
  if (op == "<=") return value <= limit;
  if (op == ">") return value > limit;
  return value >= limit;
}

bool in_range(const Json& range, const Json& value) {
  if (!value.is_number()) return false;
  for (std::size_t i = 0; i + 1 < range.size(); i += 2)
    if (!compares(range[i].get<std::string>(), value.get<double>(), range[i + 1].get<double>())) return false;
  return true;
}

bool meets(const Json& condition, const Json& value);

// The value is none of what stands behind anything-but.
bool is_other(const Json& excluded, const Json& value) {
  if (excluded.is_array())
    return std::none_of(excluded.begin(), excluded.end(), [&](const Json& one) { return one == value; });
  return !meets(excluded, value);
}

// A value that is there.
bool meets(const Json& condition, const Json& value) {
  if (!condition.is_object()) return condition == value;
  const std::string name = condition.begin().key();
  const Json& operand = condition.begin().value();
  const bool text = value.is_string();
  if (name == "exists") return operand.get<bool>();
  if (name == "numeric") return in_range(operand, value);
  if (name == "anything-but") return is_other(operand, value);
  if (!text) return false;
  const auto& characters = value.get_ref<const std::string&>();
  const std::string wanted = operand.get<std::string>();
  if (name == "prefix") return characters.starts_with(wanted);
  if (name == "suffix") return characters.ends_with(wanted);
  return lower_case(characters) == lower_case(wanted);  // equals-ignore-case
}

bool wants_absence(const Json& conditions) {
  return std::any_of(conditions.begin(), conditions.end(), [](const Json& condition) {
    return condition.is_object() && condition.contains("exists") && condition["exists"] == false;
  });
}

// One of the values meets one of the conditions.
bool meets_one(const Json& conditions, const std::vector<Json>& values) {
  return std::any_of(conditions.begin(), conditions.end(), [&](const Json& condition) {
    return std::any_of(values.begin(), values.end(),
                       [&](const Json& value) { return meets(condition, value); });
  });
}

Status check_numeric(const Arguments& in, const Json& range) {
  constexpr std::string_view kOperators = "=|<|<=|>|>=";
  const bool shaped = range.is_array() && (range.size() == 2 || range.size() == 4);
  if (!shaped) return in.wrong("numeric", "expected an operator and a number, once or twice");
  for (std::size_t i = 0; i < range.size(); i += 2) {
    if (!range[i].is_string() || !range[i + 1].is_number())
      return in.wrong("numeric", "expected an operator and a number, once or twice");
    MR_DO(in.one_of("numeric", range[i].get<std::string>(), kOperators));
  }
  return {};
}

Status check_condition(const std::string& path, const Json& condition) {
  if (condition.is_array()) return invalid(path + ": a condition can't be an array");
  if (!condition.is_object()) return {};
  const Arguments in(condition, path);
  if (condition.size() != 1) return in.wrong("", "a condition has one operator");
  const std::string name = condition.begin().key();
  const Json& operand = condition.begin().value();
  MR_DO(in.one_of(name, name, "prefix|suffix|equals-ignore-case|anything-but|numeric|exists"));
  if (name == "numeric") return check_numeric(in, operand);
  if (name == "exists")
    return operand.is_boolean() ? Status() : Status(in.wrong(name, "expected true or false"));
  if (name != "anything-but")
    return operand.is_string() ? Status() : Status(in.wrong(name, "expected a string"));
  if (operand.is_object()) return check_condition(path + "." + name, operand);
  const Json list = operand.is_array() ? operand : Json::array({operand});
  for (const Json& one : list)
    if (!one.is_string() && !one.is_number()) return in.wrong(name, "expected strings or numbers");
  return {};
}

Status check_policy(const std::string& path, const Json& policy, bool of_body, int depth) {
  if (!policy.is_object()) return invalid((path.empty() ? "the filter policy" : path) + " must be an object");
  if (depth > kDepthMax) return invalid(path + ": policies are nested too deeply");
  for (const auto& [name, conditions] : policy.items()) {
    const std::string place = path.empty() ? name : path + "." + name;
    if (of_body && conditions.is_object()) {
      MR_DO(check_policy(place, conditions, of_body, depth + 1));
      continue;
    }
    if (!conditions.is_array() || conditions.empty())
      return invalid(place + ": expected an array of conditions");
    for (const Json& condition : conditions) MR_DO(check_condition(place, condition));
  }
  return {};
}

// What a message attribute's value is to a policy: a string, a number, or each element of a String.Array.
std::vector<Json> values_of(const Json& attribute) {
  const std::string type = text_at(attribute, {"DataType"}), text = text_at(attribute, {"StringValue"});
  if (type == "String.Array") {
    const Json list = Json::parse(text, nullptr, false);
    return list.is_array() ? std::vector<Json>(list.begin(), list.end()) : std::vector<Json>();
  }
  if (type.starts_with("Number")) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return {Json(number)};
  }
  return type.starts_with("Binary") ? std::vector<Json>() : std::vector<Json>{Json(text)};
}

bool matches_object(const Json& policy, const Json& object);

// A value of a body: of an array any element will do.
bool matches_value(const Json& wanted, const Json& value) {
  if (wanted.is_object()) {
    if (value.is_object()) return matches_object(wanted, value);
    return value.is_array() && std::any_of(value.begin(), value.end(), [&](const Json& element) {
             return element.is_object() && matches_object(wanted, element);
           });
  }
  const std::vector<Json> values =
      value.is_array() ? std::vector<Json>(value.begin(), value.end()) : std::vector<Json>{value};
  return meets_one(wanted, values);
}

bool matches_object(const Json& policy, const Json& object) {
  return std::all_of(policy.items().begin(), policy.items().end(), [&](const auto& item) {
    const auto found = object.find(item.key());
    if (found == object.end()) return item.value().is_array() && wants_absence(item.value());
    return matches_value(item.value(), *found);
  });
}

}  // namespace

Status check_filter_policy(const Json& policy, bool of_body) {
  return check_policy("", policy, of_body, 0);
}

bool matches_attributes(const Json& policy, const Json& attributes) {
  for (const auto& [name, conditions] : policy.items()) {
    const bool there = attributes.is_object() && attributes.contains(name);
    if (there ? !meets_one(conditions, values_of(attributes[name])) : !wants_absence(conditions))
      return false;
  }
  return true;
}

bool matches_body(const Json& policy, const std::string& message) {
  const Json body = Json::parse(message, nullptr, false);
  return body.is_object() && matches_object(policy, body);
}

}  // namespace millrace::tasks
