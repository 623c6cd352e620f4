#include "tasks/arguments.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace millrace::tasks {
namespace {

const Json& empty_object() {
  static const Json object = Json::object();
  return object;
}

// "the number 3", "an array": for errors.
std::string describe(const Json& value) {
  if (value.is_number()) return "the number " + value.dump();
  if (value.is_string()) return "the string \"" + value.get_ref<const std::string&>().substr(0, 60) + "\"";
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  return "null";
}

}  // namespace

const Json* Arguments::member(std::string_view key) const {
  if (!value_->is_object()) return nullptr;
  const auto found = value_->find(std::string(key));
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

std::string Arguments::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

bool Arguments::has(std::string_view key) const {
  return member(key) != nullptr;
}

tl::unexpected<Error> Arguments::wrong(std::string_view key, std::string_view what, std::string hint) const {
  return invalid(path_of(key) + ": " + std::string(what), std::move(hint));
}

Result<std::string> Arguments::text(std::string_view key) const {
  const Json* value = member(key);
  if (!value) return invalid(path_of(key) + " is required");
  if (!value->is_string()) return wrong(key, "expected a string, got " + describe(*value));
  if (value->get_ref<const std::string&>().empty()) return invalid(path_of(key) + " must not be empty");
  return value->get<std::string>();
}

Result<std::string> Arguments::text_or(std::string_view key, std::string_view otherwise) const {
  const Json* value = member(key);
  if (!value) return std::string(otherwise);
  if (!value->is_string()) return wrong(key, "expected a string, got " + describe(*value));
  return value->get<std::string>();
}

Result<std::int64_t> Arguments::integer_or(std::string_view key, std::int64_t otherwise) const {
  const Json* value = member(key);
  if (!value) return otherwise;
  if (value->is_number_integer()) return value->get<std::int64_t>();
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (std::abs(number) < 9e15 && number == std::floor(number)) return static_cast<std::int64_t>(number);
  }
  return wrong(key, "expected a whole number, got " + describe(*value));
}

Result<double> Arguments::real_or(std::string_view key, double otherwise) const {
  const Json* value = member(key);
  if (!value) return otherwise;
  if (!value->is_number()) return wrong(key, "expected a number, got " + describe(*value));
  return value->get<double>();
}

Result<bool> Arguments::boolean_or(std::string_view key, bool otherwise) const {
  const Json* value = member(key);
  if (!value) return otherwise;
  if (!value->is_boolean()) return wrong(key, "expected true or false, got " + describe(*value));
  return value->get<bool>();
}

Result<Arguments> Arguments::object(std::string_view key) const {
  if (!has(key)) return invalid(path_of(key) + " is required");
  return object_or_empty(key);
}

Result<Arguments> Arguments::object_or_empty(std::string_view key) const {
  const Json* value = member(key);
  if (!value) return Arguments(empty_object(), path_of(key));
  if (!value->is_object()) return wrong(key, "expected an object, got " + describe(*value));
  return Arguments(*value, path_of(key));
}

Result<std::vector<Arguments>> Arguments::list(std::string_view key) const {
  std::vector<Arguments> elements;
  const Json* value = member(key);
  if (!value) return elements;
  if (!value->is_array()) return wrong(key, "expected an array, got " + describe(*value));
  for (std::size_t i = 0; i < value->size(); ++i) {
    const std::string place = std::string(key) + "[" + std::to_string(i) + "]";
    if (!(*value)[i].is_object()) return wrong(place, "expected an object, got " + describe((*value)[i]));
    elements.emplace_back((*value)[i], path_of(place));
  }
  return elements;
}

Result<std::vector<std::string>> Arguments::texts(std::string_view key) const {
  std::vector<std::string> elements;
  const Json* value = member(key);
  if (!value) return elements;
  if (!value->is_array()) return wrong(key, "expected an array, got " + describe(*value));
  for (std::size_t i = 0; i < value->size(); ++i) {
    const Json& element = (*value)[i];
    if (!element.is_string())
      return wrong(std::string(key) + "[" + std::to_string(i) + "]",
                   "expected a string, got " + describe(element));
    elements.push_back(element.get<std::string>());
  }
  return elements;
}

Result<std::map<std::string, std::string>> Arguments::text_map(std::string_view key) const {
  std::map<std::string, std::string> map;
  const Json* value = member(key);
  if (!value) return map;
  if (!value->is_object()) return wrong(key, "expected an object, got " + describe(*value));
  for (const auto& [name, element] : value->items()) {
    if (element.is_string())
      map[name] = element.get<std::string>();
    else if (element.is_number() || element.is_boolean())
      map[name] = element.dump();
    else
      return wrong(std::string(key) + "." + name, "expected a string, got " + describe(element));
  }
  return map;
}

Status Arguments::one_of(std::string_view key, const std::string& text, std::string_view choices) const {
  const std::string list = "|" + std::string(choices) + "|";
  if (!text.empty() && text.find('|') == std::string::npos &&
      list.find("|" + text + "|") != std::string::npos)
    return {};
  return wrong(key, "\"" + text + "\" is not one of " + std::string(choices));
}

std::string text_at(const Json& document, std::initializer_list<std::string_view> path) {
  const Json* at = &document;
  for (const std::string_view key : path) {
    if (!at->is_object()) return {};
    const auto found = at->find(std::string(key));
    if (found == at->end()) return {};
    at = &*found;
  }
  return at->is_string() ? at->get<std::string>() : std::string();
}

}  // namespace millrace::tasks
