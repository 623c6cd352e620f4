#include "definitions/query.h"

#include <algorithm>

#include "base/text.h"
#include "definitions/jsonata/jsonata.h"

namespace millrace::definitions {
namespace {

constexpr std::string_view kSchema = "SCHEMA_VALIDATION_FAILED";
constexpr std::string_view kStates = "states";

// "array", "number", …: how messages call the type of a value.
std::string_view type_of(JsonView value) {
  return name_of(value.kind());
}

}  // namespace

// The parts of $states that the expression can reach.
struct Parts {
  bool input = false, context = false, result = false, error_output = false;
  bool any() const { return input || context || result || error_output; }
};

struct Query::Compiled {
  Jsonata expression;
  std::string text, location;
  Parts parts;
  std::vector<std::string> variables;

  Payload states(const Scope& scope) const {
    JsonWriter out;
    out.begin_object();
    if (parts.input) out.key("input").value(scope.state_input ? *scope.state_input : scope.input);
    if (parts.context) out.key("context").value(scope.context.object());
    if (parts.result && scope.result) out.key("result").value(*scope.result);
    if (parts.error_output && scope.error_output) out.key("errorOutput").value(*scope.error_output);
    return out.end_object().finish();
  }

  std::string named() const {
    return "The JSONata expression '" + text + "' specified for the field '" + location + "' ";
  }
  Failure failure(std::string_view rest) const {
    Failure out;
    out.error = std::string(error_names::kQueryEvaluationError);
    out.cause = named() + std::string(rest);
    out.location = location;
    return out;
  }
};

namespace {

struct Part {
  std::string_view name;
  bool Parts::*in;
  bool allowed;
  std::string_view where;
};

// Takes down what the expression reads; what it must not read here is reported.
void read_references(const Jsonata& expression, const Site& site, std::uint32_t node, Parts& parts,
                     std::vector<std::string>& variables, std::vector<Problem>& problems) {
  const Part kParts[] = {
      {"input", &Parts::input, true, ""},
      {"context", &Parts::context, true, ""},
      {"result", &Parts::result, site.result, "in Assign and Output of Task, Parallel and Map states"},
      {"errorOutput", &Parts::error_output, site.error_output, "in Assign and Output of a Catcher"}};
  for (const JsonataReference& reference : expression.references()) {
    if (reference.variable != kStates) {
      if (std::find(variables.begin(), variables.end(), reference.variable) == variables.end())
        variables.push_back(reference.variable);
      continue;
    }
    if (reference.members.empty()) {  // $states itself: all there is here
      parts = {true, true, site.result, site.error_output};
      continue;
    }
    const std::string& name = reference.members.front();
    const auto part = std::find_if(std::begin(kParts), std::end(kParts),
                                   [&](const Part& candidate) { return candidate.name == name; });
    if (part == std::end(kParts)) {
      problems.push_back({node, "UNKNOWN_STATES_FIELD", "$states has no field '" + name + "'",
                          "it has input, context, result and errorOutput", true});
    } else if (!part->allowed) {
      problems.push_back({node, std::string(kSchema),
                          "The field '$states." + name + "' is not available in '" + site.location + "'",
                          "it can be read " + std::string(part->where)});
    } else {
      parts.*part->in = true;
    }
  }
}

}  // namespace

bool Query::claimed(JsonView value) {
  if (!value || !value.is_string()) return false;
  const std::string_view quoted = value.text();
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  return inner.starts_with("{%") || inner.ends_with("%}");
}

std::optional<Query> Query::compile(JsonView value, const Site& site, std::vector<Problem>& problems) {
  const std::string all = value.string();
  const auto wrong = [&](std::string message, std::string hint) {
    problems.push_back({value.index(), std::string(kSchema), std::move(message), std::move(hint)});
    return std::nullopt;
  };
  if (all.size() < 4 || !all.starts_with("{%") || !all.ends_with("%}")) {
    return wrong("A JSONata expression must start with '{%' and end with '%}'",
                 "e.g. \"{% $states.input.name %}\", with nothing outside of the marks");
  }
  auto compiled = std::make_shared<Compiled>();
  compiled->text = std::string(trimmed(std::string_view(all).substr(2, all.size() - 4)));
  compiled->location = site.location;
  auto expression = Jsonata::compile(compiled->text);
  if (!expression) {
    return wrong("The JSONata expression '" + compiled->text + "' specified for the field '" + site.location +
                     "' is not valid. " + expression.error().code + ": " + expression.error().message,
                 expression.error().position < 0
                     ? std::string()
                     : "at character " + std::to_string(expression.error().position) + " of the expression");
  }
  compiled->expression = std::move(*expression);
  read_references(compiled->expression, site, value.index(), compiled->parts, compiled->variables, problems);
  Query made;
  made.compiled_ = std::move(compiled);
  return made;
}

const std::string& Query::text() const {
  return compiled_->text;
}
const std::string& Query::location() const {
  return compiled_->location;
}
std::vector<std::string> Query::variables() const {
  return compiled_->variables;
}

Outcome Query::evaluate(const Scope& scope) const {
  const Compiled& c = *compiled_;
  std::optional<Payload> states;
  std::vector<Jsonata::Binding> bindings;
  if (c.parts.any()) {
    states = c.states(scope);
    bindings.emplace_back(kStates, states->view());
  }
  for (const std::string& name : c.variables) {
    if (const Payload* value = scope.variables.find(name)) bindings.emplace_back(name, value->view());
  }
  for (const std::string& name : c.expression.functions()) {
    if (const Payload* value = scope.variables.find(name)) bindings.emplace_back(name, value->view());
  }
  JsonataResult result = c.expression.evaluate({}, bindings, scope.environment);
  switch (result.kind) {
    case JsonataResult::Kind::Value:
      return std::move(result.value);
    case JsonataResult::Kind::Undefined:
      return tl::unexpected<Failure>(c.failure("returned nothing (undefined)."));
    case JsonataResult::Kind::Unsupported:
      return tl::unexpected<Failure>(c.failure("returned an unsupported result type."));
    case JsonataResult::Kind::Error:
      break;
  }
  // Limits of time, depth and memory have words of their own and no code.
  const bool coded = !result.error.code.empty() && result.error.code != "U1001";
  return tl::unexpected<Failure>(c.failure("threw an error during evaluation. " +
                                           (coded ? result.error.code + ": " : std::string()) +
                                           result.error.message));
}

Failure Query::unexpected(std::string_view expected, const Payload& value) const {
  return compiled_->failure("returned an unexpected result type. Expected '" + std::string(expected) +
                            "', but was '" + std::string(type_of(value.view())) +
                            "' for value: " + std::string(value.text()));
}

}  // namespace millrace::definitions
