#include "definitions/choice_rule.h"

#include <algorithm>
#include <functional>

#include "base/time.h"
#include "definitions/jsonpath/path.h"

namespace millrace::definitions {
namespace {

enum class Kind { String, Numeric, Boolean, Timestamp };
enum class Order { Equals, LessThan, GreaterThan, LessThanEquals, GreaterThanEquals };
enum class Test { Compare, Matches, IsNull, IsPresent, IsNumeric, IsString, IsBoolean, IsTimestamp };

struct Operator {
  std::string_view name;
  Test test;
  Kind kind = Kind::String;
  Order order = Order::Equals;
};

constexpr Operator kOperators[] = {
    {"StringEquals", Test::Compare, Kind::String, Order::Equals},
    {"StringLessThan", Test::Compare, Kind::String, Order::LessThan},
    {"StringGreaterThan", Test::Compare, Kind::String, Order::GreaterThan},
    {"StringLessThanEquals", Test::Compare, Kind::String, Order::LessThanEquals},
    {"StringGreaterThanEquals", Test::Compare, Kind::String, Order::GreaterThanEquals},
    {"NumericEquals", Test::Compare, Kind::Numeric, Order::Equals},
    {"NumericLessThan", Test::Compare, Kind::Numeric, Order::LessThan},
    {"NumericGreaterThan", Test::Compare, Kind::Numeric, Order::GreaterThan},
    {"NumericLessThanEquals", Test::Compare, Kind::Numeric, Order::LessThanEquals},
    {"NumericGreaterThanEquals", Test::Compare, Kind::Numeric, Order::GreaterThanEquals},
    {"BooleanEquals", Test::Compare, Kind::Boolean, Order::Equals},
    {"TimestampEquals", Test::Compare, Kind::Timestamp, Order::Equals},
    {"TimestampLessThan", Test::Compare, Kind::Timestamp, Order::LessThan},
    {"TimestampGreaterThan", Test::Compare, Kind::Timestamp, Order::GreaterThan},
    {"TimestampLessThanEquals", Test::Compare, Kind::Timestamp, Order::LessThanEquals},
    {"TimestampGreaterThanEquals", Test::Compare, Kind::Timestamp, Order::GreaterThanEquals},
    {"StringMatches", Test::Matches},
    {"IsNull", Test::IsNull},
    {"IsPresent", Test::IsPresent},
    {"IsNumeric", Test::IsNumeric},
    {"IsString", Test::IsString},
    {"IsBoolean", Test::IsBoolean},
    {"IsTimestamp", Test::IsTimestamp},
};

const Operator* find_operator(std::string_view name) {
  const auto it = std::find_if(std::begin(kOperators), std::end(kOperators),
                               [&](const Operator& o) { return o.name == name; });
  return it == std::end(kOperators) ? nullptr : it;
}

bool ordered(Order order, int sign) {
  switch (order) {
    case Order::Equals:
      return sign == 0;
    case Order::LessThan:
      return sign < 0;
    case Order::GreaterThan:
      return sign > 0;
    case Order::LessThanEquals:
      return sign <= 0;
    case Order::GreaterThanEquals:
      return sign >= 0;
  }
  return false;
}

template <class T>
int sign_of(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

std::optional<Instant> timestamp(JsonView v) {
  return v.is_string() ? parse_rfc3339(v.string()) : std::nullopt;
}

// Order of the characters' bytes in UTF-8.
int compare_strings(JsonView a, JsonView b) {
  if (a.node().escaped || b.node().escaped) return a.string().compare(b.string());
  const std::string_view x = a.text(), y = b.text();
  return x.substr(1, x.size() - 2).compare(y.substr(1, y.size() - 2));
}

// Values of another type than the operator's compare as false.
bool compare(Kind kind, Order order, JsonView a, JsonView b) {
  switch (kind) {
    case Kind::String:
      return a.is_string() && b.is_string() && ordered(order, compare_strings(a, b));
    case Kind::Numeric:
      return a.is_number() && b.is_number() && ordered(order, sign_of(a.number(), b.number()));
    case Kind::Boolean:
      return a.is_boolean() && b.is_boolean() && a.boolean() == b.boolean();
    case Kind::Timestamp: {
      const auto x = timestamp(a), y = timestamp(b);
      return x && y && ordered(order, sign_of(*x, *y));
    }
  }
  return false;
}

// `*` stands for any characters; \* and \\ for themselves. Linear in practice: only the last star is gone
// back to.
bool matches(std::string_view text, std::string_view pattern) {
  struct Symbol {
    char c;
    bool star;
  };
  std::vector<Symbol> symbols;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool escaped =
        pattern[i] == '\\' && i + 1 < pattern.size() && (pattern[i + 1] == '*' || pattern[i + 1] == '\\');
    if (escaped) ++i;
    symbols.push_back({pattern[i], !escaped && pattern[i] == '*'});
  }
  std::size_t t = 0, s = 0, star = symbols.size(), mark = 0;
  while (t < text.size()) {
    if (s < symbols.size() && !symbols[s].star && symbols[s].c == text[t]) {
      ++t;
      ++s;
    } else if (s < symbols.size() && symbols[s].star) {
      star = s++;
      mark = t;
    } else if (star < symbols.size()) {
      s = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (s < symbols.size() && symbols[s].star) ++s;
  return s == symbols.size();
}

}  // namespace

const std::vector<std::string_view>& choice_operators() {
  static const std::vector<std::string_view> kNames = [] {
    static std::vector<std::string> paths;
    std::vector<std::string_view> names{"And", "Or", "Not"};
    paths.reserve(std::size(kOperators));
    for (const Operator& o : kOperators) {
      names.push_back(o.name);
      if (o.test == Test::Compare) names.push_back(paths.emplace_back(std::string(o.name) + "Path"));
    }
    return names;
  }();
  return kNames;
}

struct ChoiceRule::Compiled {
  enum class Shape { Test, And, Or, Not, Condition } shape = Shape::Test;
  std::vector<ChoiceRule> parts;
  std::optional<Path> variable;
  const Operator* op = nullptr;
  Payload expected;
  std::optional<Path> expected_path;
  std::string expected_field;
  bool constant = false;       // of a Condition
  std::optional<Query> query;  // of a Condition, instead
};

namespace {

constexpr std::string_view kSchema = "SCHEMA_VALIDATION_FAILED";

void report(std::vector<Problem>& problems, JsonView at, std::string message, std::string hint = {}) {
  problems.push_back({at.index(), std::string(kSchema), std::move(message), std::move(hint)});
}

// Keeps a path, or reports why it is none.
void take_path(std::optional<Path>& into, Result<Path> path, const std::string& field, JsonView at,
               std::vector<Problem>& problems) {
  if (!path)
    return report(problems, at, "The value for the field '" + field + "' must be a valid JSONPath",
                  path.error().message);
  if (!path->unknown_function().empty())
    problems.push_back({at.index(), "UNKNOWN_FUNCTION", path->unknown_function_message(),
                        std::string(Path::kFunctionsHint), true});
  into = std::move(*path);
}

std::string_view expected_kind(const Operator& op) {
  if (op.test == Test::Matches) return "string";
  if (op.test != Test::Compare) return "boolean";
  switch (op.kind) {
    case Kind::String:
      return "string";
    case Kind::Numeric:
      return "number";
    case Kind::Boolean:
      return "boolean";
    case Kind::Timestamp:
      return "timestamp";
  }
  return "value";
}

bool fits(const Operator& op, JsonView v) {
  const std::string_view kind = expected_kind(op);
  if (kind == "string") return v.is_string();
  if (kind == "number") return v.is_number();
  if (kind == "boolean") return v.is_boolean();
  return timestamp(v).has_value();
}

}  // namespace

ChoiceRule ChoiceRule::compile(JsonView view, std::vector<Problem>& problems) {
  auto made = std::make_shared<Compiled>();
  ChoiceRule rule;
  rule.compiled_ = made;
  if (!view.is_object()) {
    report(problems, view, "A choice rule must be an object");
    return rule;
  }
  const auto nested = [&](JsonView v) {
    if (v.is_object()) {
      if (const JsonView next = v.find("Next"))
        report(problems, next, "Next is only allowed in a top level choice rule",
               "move it to the rule around this one");
    }
    made->parts.push_back(compile(v, problems));
  };
  std::size_t operators = 0;
  JsonView variable;
  for (const auto [key, value] : view.members()) {
    const std::string name = key.string();
    if (name == "Variable") {
      variable = value;
    } else if (name == "And" || name == "Or") {
      ++operators;
      made->shape = name == "And" ? Compiled::Shape::And : Compiled::Shape::Or;
      if (!value.is_array() || value.size() == 0) {
        report(problems, value, "'" + name + "' takes a non-empty array of choice rules");
      } else {
        for (const JsonView part : value.elements()) nested(part);
      }
    } else if (name == "Not") {
      ++operators;
      made->shape = Compiled::Shape::Not;
      nested(value);
    } else if (const Operator* op = find_operator(name)) {
      ++operators;
      made->op = op;
      made->expected = Payload::of(value);
      if (!fits(*op, value))
        report(problems, value, "'" + name + "' takes a " + std::string(expected_kind(*op)));
    } else if (const Operator* by_path =
                   name.ends_with("Path") ? find_operator(std::string_view(name).substr(0, name.size() - 4))
                                          : nullptr;
               by_path && by_path->test == Test::Compare) {
      ++operators;
      made->op = by_path;
      made->expected_field = name;
      auto path =
          value.is_string() ? Path::parse(value.string()) : Result<Path>(invalid("it must be a string"));
      take_path(made->expected_path, std::move(path), name, value, problems);
    }
  }
  if (operators != 1) {
    report(problems, view,
           operators == 0 ? "A choice rule needs a comparison" : "A choice rule has one comparison only",
           "one of StringEquals, NumericGreaterThan, IsPresent, And, Or, Not, …");
  }
  if (made->shape != Compiled::Shape::Test) return rule;
  if (!variable) {
    report(problems, view, "These fields are required: [Variable]");
  } else {
    auto path =
        variable.is_string() ? Path::parse(variable.string()) : Result<Path>(invalid("it must be a string"));
    take_path(made->variable, std::move(path), "Variable", variable, problems);
  }
  return rule;
}

void ChoiceRule::variables(VariableNames& names) const {
  if (!compiled_) return;  // what was there did not compile
  const Compiled& c = *compiled_;
  for (const ChoiceRule& part : c.parts) part.variables(names);
  for (const auto* path : {&c.variable, &c.expected_path}) {
    if (*path && (*path)->root() == Path::Root::Variable) names.insert((*path)->variable());
  }
  if (!c.query) return;
  for (const std::string& name : c.query->variables()) names.insert(name);
}

bool ChoiceRule::always() const {
  // Null: what was there did not compile.
  return compiled_ && compiled_->shape == Compiled::Shape::Condition && compiled_->constant;
}

ChoiceRule ChoiceRule::compile_condition(JsonView view, const Site& site, std::vector<Problem>& problems) {
  auto made = std::make_shared<Compiled>();
  made->shape = Compiled::Shape::Condition;
  if (view.is_boolean()) {
    made->constant = view.boolean();
  } else if (Query::claimed(view)) {
    made->query = Query::compile(view, site, problems);
  } else {
    report(problems, view, "The Condition must be a boolean or a JSONata expression",
           "e.g. \"{% $states.input.auc > 0.8 %}\"");
  }
  ChoiceRule rule;
  rule.compiled_ = std::move(made);
  return rule;
}

tl::expected<bool, Failure> ChoiceRule::evaluate(const Scope& scope) const {
  const Compiled& c = *compiled_;
  switch (c.shape) {
    case Compiled::Shape::Condition: {
      if (!c.query) return c.constant;
      const Outcome value = c.query->evaluate(scope);
      if (!value) return tl::unexpected<Failure>(value.error());
      if (!value->view().is_boolean()) return tl::unexpected<Failure>(c.query->unexpected("boolean", *value));
      return value->view().boolean();
    }
    case Compiled::Shape::Not: {
      auto inner = c.parts[0].evaluate(scope);
      return inner ? tl::expected<bool, Failure>(!*inner) : inner;
    }
    case Compiled::Shape::And:
    case Compiled::Shape::Or: {
      const bool stop_at = c.shape == Compiled::Shape::Or;
      for (const ChoiceRule& part : c.parts) {
        auto holds = part.evaluate(scope);
        if (!holds || *holds == stop_at) return holds;
      }
      return !stop_at;
    }
    case Compiled::Shape::Test:
      break;
  }
  Outcome document = c.variable->root_document(scope);
  if (!document && c.op->test == Test::IsPresent) return !c.expected.view().boolean();  // nothing assigned
  if (!document) return tl::unexpected<Failure>(document.error());
  JsonView value = c.variable->definite() ? c.variable->find(*document) : JsonView();
  std::optional<Payload> kept;
  if (!value) {
    Outcome found = c.variable->evaluate_on(*document, scope.environment);
    if (found) {
      kept = std::move(*found);
      value = kept->view();
      // An indefinite path that matches nothing names nothing.
      if (!c.variable->definite() && value.is_array() && value.size() == 0 && c.op->test == Test::IsPresent)
        value = {};
    } else if (c.op->test != Test::IsPresent) {
      return failed(error_names::kRuntime,
                    "Invalid path '" + c.variable->source() +
                        "': The choice state's condition path references an invalid value.");
    }
  }
  if (c.op->test == Test::IsPresent) return static_cast<bool>(value) == c.expected.view().boolean();
  if (c.op->test == Test::Compare) {
    if (!c.expected_path) return compare(c.op->kind, c.op->order, value, c.expected.view());
    Outcome expected = c.expected_path->evaluate(scope);
    if (!expected) return tl::unexpected<Failure>(expected.error());
    return compare(c.op->kind, c.op->order, value, expected->view());
  }
  if (c.op->test == Test::Matches)
    return value.is_string() && matches(value.string(), c.expected.view().string());
  bool is = false;
  switch (c.op->test) {
    case Test::IsNull:
      is = value.is_null();
      break;
    case Test::IsNumeric:
      is = value.is_number();
      break;
    case Test::IsString:
      is = value.is_string();
      break;
    case Test::IsBoolean:
      is = value.is_boolean();
      break;
    case Test::IsTimestamp:
      is = timestamp(value).has_value();
      break;
    default:
      break;
  }
  return is == c.expected.view().boolean();
}

}  // namespace millrace::definitions
