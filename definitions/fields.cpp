#include "definitions/fields.h"

#include <algorithm>

#include "base/utf8.h"

namespace millrace::definitions {
namespace {

std::string shown(JsonView value) {
  constexpr std::size_t kShown = 40;
  const std::string_view text = value.text();
  if (text.size() <= kShown) return std::string(text);
  return std::string(name_of(value.kind()));
}

std::string number_text(double n) {
  JsonWriter writer;
  writer.number(n);
  return std::string(writer.finish().text());
}

const FieldRule* rule_of(std::span<const FieldRule> rules, std::string_view name) {
  const auto it =
      std::find_if(rules.begin(), rules.end(), [&](const FieldRule& r) { return r.name == name; });
  return it == rules.end() ? nullptr : &*it;
}

std::string owners(unsigned states) {
  std::string out;
  for (unsigned t = 0; t < 8; ++t) {
    if ((states & (1u << t)) == 0) continue;
    if (!out.empty()) out += ", ";
    out += name_of(static_cast<StateType>(t));
  }
  return out;
}

// Why it can't be one; empty if it can. Names are identifiers as Unicode has them (UAX #31), roughly: every
// character beyond ASCII passes.
std::string wrong_variable_name(const std::string& name, std::size_t characters_max) {
  if (name == "states") return "'states' is reserved for what the engine shows in $states";
  if (name.empty()) return "a variable needs a name";
  if (count_code_points(name) > characters_max)
    return "a name has at most " + std::to_string(characters_max) + " characters";
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  const bool plain = letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
                       return letter(c) || (c >= '0' && c <= '9');
                     });
  return plain ? std::string()
               : "letters, digits and '_', beginning with a letter; a part of a variable can't be assigned";
}

}  // namespace

void Fields::error(std::string_view code, std::string message, std::string hint) {
  source_->error(anchor_, pointer_, code, std::move(message), std::move(hint));
}

void Fields::error_at(std::string_view name, std::string message, std::string hint) {
  const JsonView value = find(name);
  source_->error(value ? value : anchor_, place(pointer_, name), codes::kSchema, std::move(message),
                 std::move(hint));
}

std::string Fields::takes(std::string_view name) const {
  const FieldRule* rule = rule_of(rules_, name);
  if (!rule || rule->takes.empty()) return {};
  return std::string(name) + " takes " + std::string(rule->takes);
}

void Fields::refuse_unknown(unsigned states, QueryLanguage language) {
  for (const auto [key, value] : object_.members()) {
    const std::string name = key.string();
    const FieldRule* rule = rule_of(rules_, name);
    if (!rule || (rule->states & states) == 0) {
      std::string hint;
      if (rule) {
        hint = "it is a field of " + owners(rule->states) + " states";
      } else {
        std::vector<std::string_view> candidates;
        for (const FieldRule& r : rules_) {
          if ((r.states & states) != 0) candidates.push_back(r.name);
        }
        const std::string near = source_->nearest_name(name, candidates);
        hint = near.empty() ? "the fields here are " + list_of(candidates) : "did you mean '" + near + "'?";
      }
      source_->error(key, pointer_, codes::kSchema, "Field '" + name + "' is not supported", std::move(hint));
    } else if (rule->use != Use::Both &&
               (rule->use == Use::JsonPathOnly) != (language == QueryLanguage::JsonPath)) {
      const bool path_only = rule->use == Use::JsonPathOnly;
      source_->error(key, pointer_, codes::kSchema,
                     "The QueryLanguage is set to '" + std::string(path_only ? "JSONata" : "JSONPath") +
                         "', but field '" + name + "' is only supported for the '" +
                         (path_only ? "JSONPath" : "JSONata") + "' QueryLanguage");
    }
  }
}

bool Fields::require(std::initializer_list<std::string_view> names) {
  std::vector<std::string_view> missing;
  for (const std::string_view name : names) {
    if (!has(name)) missing.push_back(name);
  }
  if (missing.empty()) return true;
  // A misspelled field is reported as unknown, with the right name as its hint; it is not also missing.
  for (const auto [key, value] : object_.members()) {
    if (missing.empty()) return false;
    const std::string name = key.string();
    if (!rule_of(rules_, name)) std::erase(missing, nearest(name, missing));
  }
  if (missing.empty()) return false;
  std::string hint;
  for (const std::string_view name : missing) {
    const std::string sentence = takes(name);
    if (sentence.empty()) continue;
    if (!hint.empty()) hint += "; ";
    hint += sentence;
  }
  error(codes::kSchema, "These fields are required: " + list_of(missing), std::move(hint));
  return false;
}

bool Fields::at_most_one(std::initializer_list<std::string_view> names, int* given) {
  std::vector<std::string_view> found;
  for (const std::string_view name : names) {
    if (has(name)) found.push_back(name);
  }
  if (given) *given = static_cast<int>(found.size());
  if (found.size() <= 1) return true;
  error(codes::kSchema, "There should only be one of the following fields: " + list_of(found),
        "remove all but one");
  return false;
}

void Fields::wrong_type(std::string_view name, JsonView value, std::string_view type) {
  std::string hint = "it is " + shown(value);
  const std::string by_path = std::string(name) + "Path";
  if (value.is_string() && value.string().starts_with('$') && rule_of(rules_, by_path)) {
    hint += "; to read it from the input, use '" + by_path + "'";
  } else if (const std::string sentence = takes(name); !sentence.empty()) {
    hint += "; " + sentence;
  }
  error_at(name, "Expected value of type " + std::string(type), std::move(hint));
}

JsonView Fields::typed(std::string_view name, bool (JsonView::*is)() const, std::string_view type) {
  const JsonView value = find(name);
  if (!value) return {};
  if ((value.*is)()) return value;
  wrong_type(name, value, type);
  return {};
}

std::optional<std::string> Fields::text(std::string_view name) {
  const JsonView value = typed(name, &JsonView::is_string, "String");
  if (!value) return std::nullopt;
  return value.string();
}

std::optional<bool> Fields::flag(std::string_view name) {
  const JsonView value = typed(name, &JsonView::is_boolean, "Boolean");
  if (!value) return std::nullopt;
  return value.boolean();
}

std::optional<std::int64_t> Fields::whole(std::string_view name, std::int64_t min, std::int64_t max) {
  const JsonView value = typed(name, &JsonView::is_number, "Integer");
  if (!value) return std::nullopt;
  const std::optional<std::int64_t> n = value.integer();
  if (!n) {
    wrong_type(name, value, "Integer");
    return std::nullopt;
  }
  if (*n >= min && *n <= max) return n;
  error_at(name,
           *n < min ? "Minimum value is " + std::to_string(min) : "Maximum value is " + std::to_string(max),
           takes(name));
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view name, double min, double max) {
  const JsonView value = typed(name, &JsonView::is_number, "Number");
  if (!value) return std::nullopt;
  const double n = value.number();
  if (n >= min && n <= max) return n;
  error_at(name, n < min ? "Minimum value is " + number_text(min) : "Maximum value is " + number_text(max),
           takes(name));
  return std::nullopt;
}

std::optional<std::string> Fields::one_of(std::string_view name,
                                          std::initializer_list<std::string_view> values) {
  const std::optional<std::string> value = text(name);
  if (!value) return std::nullopt;
  if (std::find(values.begin(), values.end(), *value) != values.end()) return value;
  const std::vector<std::string_view> all(values);
  const std::string near = source_->nearest_name(*value, all);
  error_at(name, "The field '" + std::string(name) + "' should have one of these values: " + list_of(all),
           near.empty() ? std::string() : "did you mean '" + near + "'?");
  return std::nullopt;
}

JsonView Fields::object(std::string_view name) {
  return typed(name, &JsonView::is_object, "Object");
}

JsonView Fields::array(std::string_view name) {
  const JsonView value = typed(name, &JsonView::is_array, "Array");
  if (value && value.size() == 0) {
    error_at(name, "Value cannot be empty", takes(name));
    return {};
  }
  return value;
}

std::optional<Path> Fields::path(std::string_view name) {
  const std::optional<std::string> source = text(name);
  if (!source) return std::nullopt;
  auto parsed = Path::parse(*source);
  if (parsed) {
    if (!parsed->unknown_function().empty())
      source_->warning(find(name), place(pointer_, name), codes::kUnknownFunction,
                       parsed->unknown_function_message(), std::string(Path::kFunctionsHint));
    return std::move(*parsed);
  }
  const std::string reason = source->starts_with('$') ? parsed.error().message : "a path begins with '$'";
  error_at(name, "Value is not a valid JSONPath: " + reason, takes(name));
  return std::nullopt;
}

std::optional<Path> Fields::reference(std::string_view name) {
  std::optional<Path> parsed = path(name);
  if (!parsed || parsed->definite()) return parsed;
  error_at(name, "Value is not a Reference Path: '" + parsed->source() + "' can name more than one value",
           "a reference path has only members and indices, e.g. $.settings.list[0]");
  return std::nullopt;
}

PathField Fields::path_field(std::string_view name) {
  const JsonView value = find(name);
  if (!value) return {};
  if (value.is_null()) return {PathField::Kind::Null, std::nullopt};
  std::optional<Path> parsed = path(name);
  if (!parsed || (parsed->whole() && parsed->root() == Path::Root::Input)) return {};
  return {PathField::Kind::Path, std::move(parsed)};
}

ResultPathField Fields::result_path(std::string_view name) {
  const JsonView value = find(name);
  if (!value) return {};
  if (value.is_null()) return {ResultPathField::Kind::Discard, std::nullopt};
  const std::optional<std::string> source = text(name);
  if (!source) return {};
  auto parsed = ReferencePath::parse(*source);
  if (!parsed) {
    const std::string reason =
        source->starts_with('$') ? parsed.error().message : "Reference path didn't start with '$'";
    error_at(name, "Value is not a Reference Path: " + reason, takes(name));
    return {};
  }
  if (parsed->whole()) return {};
  return {ResultPathField::Kind::Path, std::move(*parsed)};
}

Site Fields::site(std::string_view name) const {
  const Source::State& state = source_->state;
  Site out;
  out.language = state.language;
  if (state.language == QueryLanguage::JsonAta && pointer_.starts_with(state.pointer)) {
    if (pointer_.size() > state.pointer.size())
      out.location = pointer_.substr(state.pointer.size() + 1) + "/";
    out.location += name;
  }
  return out;
}

std::optional<PayloadTemplate> Fields::payload_template(std::string_view name, bool result,
                                                        bool error_output) {
  const JsonView value = find(name);
  if (!value) return std::nullopt;
  Site where = site(name);
  where.result = result;
  where.error_output = error_output;
  std::vector<Problem> problems;
  PayloadTemplate compiled = PayloadTemplate::compile(value, problems, where);
  source_->add(value, place(pointer_, name), problems);
  return compiled;
}

std::optional<Query> Fields::query(std::string_view name) {
  const JsonView value = find(name);
  if (!value || source_->state.language != QueryLanguage::JsonAta || !Query::claimed(value))
    return std::nullopt;
  std::vector<Problem> problems;
  std::optional<Query> compiled = Query::compile(value, site(name), problems);
  source_->add(value, place(pointer_, name), problems);
  return compiled;
}

std::optional<Assign> Fields::assign(bool result, bool error_output) {
  const JsonView value = object("Assign");
  if (!value) return std::nullopt;
  Assign out;
  const std::string pointer = place(pointer_, "Assign");
  for (const auto [key, inner] : value.members()) {
    std::string name = key.string();
    if (source_->state.language == QueryLanguage::JsonPath && name.ends_with(".$"))
      name.resize(name.size() - 2);
    if (std::string why = wrong_variable_name(name, source_->limits().name_characters_max); !why.empty()) {
      source_->error(key, pointer, codes::kSchema, "Invalid variable name: '" + name + "'", std::move(why));
      continue;
    }
    source_->assigned[source_->scope].names.push_back({name, key, pointer});
    out.names.push_back(std::move(name));
  }
  out.values = *payload_template("Assign", result, error_output);
  return out;
}

}  // namespace millrace::definitions
