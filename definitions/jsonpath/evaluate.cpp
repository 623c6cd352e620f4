// Following a path through a document. A definite path without functions only moves a view; the rest collects
// nodes.

#include <algorithm>
#include <cmath>

#include "definitions/jsonpath/compiled.h"

namespace millrace::definitions {
namespace jsonpath {
namespace {

constexpr std::size_t kStepsMax = 2'000'000;  // nodes looked at in one evaluation: no path runs away

// A node of the document, or a value that was made (by a function, or of several members).
struct Node {
  JsonView view;
  std::optional<Payload> made;
  JsonView get() const { return made ? made->view() : view; }
};

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

class Evaluation {
 public:
  explicit Evaluation(JsonView root) : root_(root) {}

  // Nothing matched in the definite beginning: `missing_` tells where.
  std::vector<Node> run(JsonView from, const std::vector<Step>& steps) {
    std::vector<Node> nodes{{from, {}}};
    bool still_definite = true;
    for (std::size_t i = 0; i < steps.size() && failure_.empty(); ++i) {
      std::vector<Node> next;
      const bool over_list =
          !still_definite && std::holds_alternative<step::Call>(steps[i]) && after_descent(steps, i);
      if (over_list) {
        const Node list = list_of(nodes);
        apply_call(std::get<step::Call>(steps[i]), list.get(), next);
      } else {
        for (const Node& node : nodes) {
          apply(steps[i], node, next);
          if (!failure_.empty()) break;
        }
      }
      if (next.empty() && still_definite && !std::holds_alternative<step::Call>(steps[i])) {
        const bool needs_child = !std::holds_alternative<step::Wildcard>(steps[i]) &&
                                 !std::holds_alternative<step::Descend>(steps[i]) &&
                                 !std::holds_alternative<step::Select>(steps[i]) &&
                                 !std::holds_alternative<step::Slice>(steps[i]) &&
                                 !std::holds_alternative<step::Indices>(steps[i]);
        if (needs_child) {
          missing_ = i + 1;
          return {};
        }
      }
      still_definite = still_definite && (std::holds_alternative<step::Member>(steps[i]) ||
                                          std::holds_alternative<step::Members>(steps[i]) ||
                                          std::holds_alternative<step::Index>(steps[i]) ||
                                          std::holds_alternative<step::Call>(steps[i]));
      nodes = std::move(next);
    }
    return nodes;
  }

  std::size_t missing() const { return missing_; }
  const std::string& failure() const { return failure_; }

 private:
  static bool after_descent(const std::vector<Step>& steps, std::size_t call) {
    return std::any_of(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(call),
                       [](const Step& s) { return std::holds_alternative<step::Descend>(s); });
  }

  static Node list_of(const std::vector<Node>& nodes) {
    JsonWriter out;
    out.begin_array();
    for (const Node& node : nodes) out.value(node.get());
    out.end_array();
    return {{}, out.finish()};
  }

  // A child of `parent`: when the parent was made, the child must keep it alive.
  static Node child(const Node& parent, JsonView view) {
    if (parent.made) return {{}, Payload::of(view)};
    return {view, {}};
  }

  bool spend() {
    if (++steps_ <= kStepsMax) return true;
    failure_ = "the path looks at more than " + std::to_string(kStepsMax) + " nodes";
    return false;
  }

  void apply(const Step& s, const Node& node, std::vector<Node>& out) {
    if (!spend()) return;
    const JsonView view = node.get();
    std::visit(Overloaded{
                   [&](const step::Member& m) {
                     if (const JsonView v = view.find(m.name)) out.push_back(child(node, v));
                   },
                   [&](const step::Members& m) { members(m, view, out); },
                   [&](const step::Index& i) {
                     if (const JsonView v = element(view, i.position)) out.push_back(child(node, v));
                   },
                   [&](const step::Indices& i) {
                     for (const std::int64_t p : i.positions) {
                       if (const JsonView v = element(view, p)) out.push_back(child(node, v));
                     }
                   },
                   [&](const step::Slice& slice) { apply_slice(slice, node, out); },
                   [&](const step::Wildcard&) { children(node, out); },
                   [&](const step::Descend&) { descend(node, out); },
                   [&](const step::Select& select) { apply_filter(*select.filter, node, out); },
                   [&](const step::Call& call) { apply_call(call, view, out); },
               },
               s);
  }

  static JsonView element(JsonView view, std::int64_t position) {
    if (!view.is_array()) return {};
    const std::int64_t from_start =
        position < 0 ? position + static_cast<std::int64_t>(view.size()) : position;
    if (from_start < 0 || from_start >= static_cast<std::int64_t>(view.size())) return {};
    return view.at(static_cast<std::uint32_t>(from_start));
  }

  static void members(const step::Members& m, JsonView view, std::vector<Node>& out) {
    if (!view.is_object()) return;
    JsonWriter object;
    object.begin_object();
    for (const std::string& name : m.names) {
      if (const JsonView v = view.find(name)) object.key(name).value(v);
    }
    object.end_object();
    out.push_back({{}, object.finish()});
  }

  static void apply_slice(const step::Slice& slice, const Node& node, std::vector<Node>& out) {
    const JsonView view = node.get();
    if (!view.is_array()) return;
    const auto size = static_cast<std::int64_t>(view.size());
    std::int64_t first = slice.first.value_or(0), last = slice.last.value_or(size);
    if (slice.first && first < 0) first = std::max<std::int64_t>(0, first + size);
    if (slice.last && last < 0) {
      if (slice.first)
        return;  // the library finds nothing between a beginning and an end counted from the end
      last += size;
    }
    std::int64_t position = 0;
    for (const JsonView element_view : view.elements()) {
      if (position >= first && position < last) out.push_back(child(node, element_view));
      ++position;
    }
  }

  void children(const Node& node, std::vector<Node>& out) {
    const JsonView view = node.get();
    if (view.is_array()) {
      for (const JsonView v : view.elements()) out.push_back(child(node, v));
    } else if (view.is_object()) {
      for (const auto [key, v] : view.members()) out.push_back(child(node, v));
    }
    steps_ += view.is_array() || view.is_object() ? view.size() : 0;
    spend();
  }

  void descend(const Node& node, std::vector<Node>& out) {
    if (!spend()) return;
    out.push_back(node);
    std::vector<Node> below;
    children(node, below);
    for (const Node& next : below) {
      if (next.get().is_array() || next.get().is_object()) descend(next, out);
    }
  }

  void apply_filter(const Filter& filter, const Node& node, std::vector<Node>& out) {
    const JsonView view = node.get();
    if (view.is_array()) {
      for (const JsonView v : view.elements()) {
        if (holds(filter, v)) out.push_back(child(node, v));
      }
    } else if (view.is_object() && holds(filter, view)) {
      out.push_back(node);
    }
  }

  std::optional<Node> value_of(const Operand& operand, JsonView current) {
    if (operand.literal) return Node{{}, operand.literal};
    Evaluation inner(root_);
    std::vector<Node> found = inner.run(operand.on_current ? current : root_, operand.path);
    steps_ += inner.steps_;
    if (!inner.failure_.empty()) return std::nullopt;
    if (definite(operand.path)) return found.empty() ? std::nullopt : std::optional(found[0]);
    if (inner.missing_ != 0) return std::nullopt;
    return list_of(found);
  }

  bool holds(const Filter& filter, JsonView current) {
    if (!spend()) return false;
    switch (filter.kind) {
      case Filter::Kind::And:
        return std::all_of(filter.parts.begin(), filter.parts.end(),
                           [&](const Filter& f) { return holds(f, current); });
      case Filter::Kind::Or:
        return std::any_of(filter.parts.begin(), filter.parts.end(),
                           [&](const Filter& f) { return holds(f, current); });
      case Filter::Kind::Not:
        return !holds(filter.parts[0], current);
      case Filter::Kind::Exists:
        return value_of(filter.left, current).has_value();
      case Filter::Kind::Compare:
        break;
    }
    return compare(filter.op, value_of(filter.left, current), value_of(filter.right, current));
  }

  // The number that a value is, or that a string reads as.
  static std::optional<double> as_number(JsonView v) {
    if (v.is_number()) return v.number();
    if (!v.is_string()) return std::nullopt;
    const auto parsed = Payload::parse(v.string());
    if (!parsed || !parsed->view().is_number()) return std::nullopt;
    return parsed->view().number();
  }

  static bool equal_values(JsonView a, JsonView b) {
    if (a.is_number() != b.is_number()) {
      const auto x = as_number(a), y = as_number(b);
      return x && y && *x == *y;
    }
    return equal(a, b);
  }

  static bool contains(JsonView list, JsonView item) {
    if (list.is_string() && item.is_string()) return list.string().find(item.string()) != std::string::npos;
    if (!list.is_array()) return false;
    for (const JsonView v : list.elements()) {
      if (equal_values(v, item)) return true;
    }
    return false;
  }

  static std::size_t shared(JsonView a, JsonView b) {
    std::size_t n = 0;
    for (const JsonView v : a.elements()) n += contains(b, v);
    return n;
  }

  static bool compare(const std::string& op, const std::optional<Node>& left,
                      const std::optional<Node>& right) {
    if (op == "!=" || op == "!==") return !left || !right || !equal_values(left->get(), right->get());
    if (!left || !right) return false;
    const JsonView a = left->get(), b = right->get();
    if (op == "==") return equal_values(a, b);
    if (op == "===") return equal(a, b);
    if (op == "in") return b.is_array() && contains(b, a);
    if (op == "nin") return b.is_array() && !contains(b, a);
    if (op == "contains") return contains(a, b);
    if (op == "size") {
      const auto length = a.is_array()    ? a.size()
                          : a.is_string() ? static_cast<std::uint32_t>(a.string().size())
                                          : ~0u;
      return b.is_number() && b.number() == length;
    }
    if (op == "empty") {
      const bool is_empty =
          a.is_array() || a.is_object() ? a.size() == 0 : a.is_string() && a.string().empty();
      return b.is_boolean() && b.boolean() == is_empty;
    }
    if (op == "subsetof" || op == "anyof" || op == "noneof" || op == "all") {
      if (!a.is_array() || !b.is_array()) return false;
      if (op == "subsetof") return shared(a, b) == a.size();
      if (op == "all") return shared(b, a) == b.size();
      return (shared(a, b) > 0) == (op == "anyof");
    }
    int order = 0;
    if (a.is_number() && b.is_number()) {
      order = a.number() < b.number() ? -1 : a.number() > b.number();
    } else if (a.is_string() && b.is_string()) {
      order = a.string().compare(b.string());
    } else {
      return false;  // order comparisons never cross types
    }
    if (op == "<") return order < 0;
    if (op == "<=") return order <= 0;
    if (op == ">") return order > 0;
    return op == ">=" && order >= 0;
  }

  void made(JsonWriter& writer, std::vector<Node>& out) { out.push_back({{}, writer.finish()}); }

  void apply_call(const step::Call& call, JsonView view, std::vector<Node>& out) {
    JsonWriter result;
    const std::string& f = call.function;
    if (f == "length" || f == "size") {
      const std::int64_t n = view.is_string() ? static_cast<std::int64_t>(view.string().size())
                             : view.is_array() || view.is_object() ? static_cast<std::int64_t>(view.size())
                                                                   : -1;
      n < 0 ? result.null() : result.number(n);
      return made(result, out);
    }
    if (f == "keys") {
      if (!view.is_object()) return;
      result.begin_array();
      for (const auto [key, v] : view.members()) result.value(key);
      result.end_array();
      return made(result, out);
    }
    if (f == "first" || f == "last" || f == "index") {
      std::int64_t position = f == "first" ? 0 : -1;
      if (f == "index") {
        const auto parsed =
            call.arguments.empty() ? fail(ErrorCode::NotFound, "") : Payload::parse(call.arguments[0]);
        if (!parsed || !parsed->view().integer()) {
          failure_ = "index() needs a whole number";
          return;
        }
        position = *parsed->view().integer();
      }
      if (const JsonView v = element(view, position)) out.push_back({{}, Payload::of(v)});
      return;
    }
    if (f == "concat" || f == "append") return joined(call, view, out);
    numeric(f, view, out);
  }

  std::vector<Node> arguments_of(const step::Call& call) {
    std::vector<Node> values;
    for (const std::string& argument : call.arguments) {
      if (argument[0] == '$') {
        if (const auto path = Path::parse(argument)) {
          const Environment environment;
          const Outcome value = path->evaluate_on(Payload::of(root_), environment);
          if (value) values.push_back({{}, *value});
        }
      } else if (const auto literal = Payload::parse(argument)) {
        values.push_back({{}, *literal});
      } else if (argument.size() >= 2 && argument[0] == '\'') {
        values.push_back({{}, Payload::string(std::string_view(argument).substr(1, argument.size() - 2))});
      }
    }
    return values;
  }

  void joined(const step::Call& call, JsonView view, std::vector<Node>& out) {
    JsonWriter result;
    const std::vector<Node> extra = arguments_of(call);
    if (call.function == "append") {
      if (!view.is_array()) return;
      result.begin_array();
      for (const JsonView v : view.elements()) result.value(v);
      for (const Node& v : extra) result.value(v.get());
      result.end_array();
      return made(result, out);
    }
    std::string text;
    const auto add = [&](JsonView v) { text += v.is_string() ? v.string() : std::string(v.text()); };
    if (view.is_array()) {
      for (const JsonView v : view.elements()) {
        if (v.is_string()) add(v);
      }
    }
    for (const Node& v : extra) add(v.get());
    result.string(text);
    made(result, out);
  }

  void numeric(const std::string& f, JsonView view, std::vector<Node>& out) {
    std::vector<double> values;
    if (view.is_array()) {
      for (const JsonView v : view.elements()) {
        if (v.is_number()) values.push_back(v.number());
      }
    }
    if (values.empty()) {
      failure_ = "Aggregation function attempted to calculate value using empty array";
      return;
    }
    double sum = 0;
    for (const double v : values) sum += v;
    const double mean = sum / static_cast<double>(values.size());
    double result = sum;
    if (f == "avg") result = mean;
    if (f == "min") result = *std::min_element(values.begin(), values.end());
    if (f == "max") result = *std::max_element(values.begin(), values.end());
    if (f == "stddev") {
      double squares = 0;
      for (const double v : values) squares += (v - mean) * (v - mean);
      result = std::sqrt(squares / static_cast<double>(values.size()));
    }
    JsonWriter writer;
    writer.number(result);
    made(writer, out);
  }

  JsonView root_;
  std::size_t steps_ = 0, missing_ = 0;
  std::string failure_;
};

}  // namespace
}  // namespace jsonpath

JsonView Path::find(const Payload& document) const {
  JsonView view = document.view();
  for (const jsonpath::Step& s : compiled_->steps) {
    if (const auto* member = std::get_if<jsonpath::step::Member>(&s)) {
      view = view.find(member->name);
    } else if (const auto* index = std::get_if<jsonpath::step::Index>(&s)) {
      if (!view.is_array()) return {};
      const std::int64_t p =
          index->position < 0 ? index->position + static_cast<std::int64_t>(view.size()) : index->position;
      view = p < 0 || p >= static_cast<std::int64_t>(view.size()) ? JsonView()
                                                                  : view.at(static_cast<std::uint32_t>(p));
    } else {
      return {};
    }
    if (!view) return {};
  }
  return view;
}

Outcome Path::root_document(const Scope& scope) const {
  switch (root_) {
    case Root::Input:
      return scope.input;
    case Root::Context:
      return scope.context.object();
    case Root::Variable:
      break;
  }
  const auto it = scope.variables.find(variable_);
  if (it == scope.variables.end())
    return failed(error_names::kRuntime, "The variable '$" + variable_ + "' is not assigned.");
  return it->second;
}

Outcome Path::evaluate(const Scope& scope) const {
  Outcome document = root_document(scope);
  if (!document || whole()) return document;
  return evaluate_on(*document, scope.environment);
}

Outcome Path::evaluate_on(const Payload& document, const Environment&) const {
  if (whole()) return document;
  if (definite()) {
    if (const JsonView found = find(document)) return Payload::of(found);
  }
  jsonpath::Evaluation evaluation(document.view());
  const auto nodes = evaluation.run(document.view(), compiled_->steps);
  const auto no_result = [&](std::string why) {
    return failed(error_names::kRuntime, "Invalid path '" + source_ + "' : " + std::move(why));
  };
  if (!evaluation.failure().empty()) return no_result(evaluation.failure());
  // The service answers an indefinite path whose beginning is missing with no matches; the library fails
  // there.
  if (evaluation.missing() != 0 && definite())
    return no_result("No results for path: " + jsonpath::normalised(compiled_->steps, evaluation.missing()));
  if (definite()) {
    if (nodes.empty())
      return no_result("No results for path: " +
                       jsonpath::normalised(compiled_->steps, compiled_->steps.size()));
    return nodes[0].made ? *nodes[0].made : Payload::of(nodes[0].view);
  }
  const bool ends_in_call =
      !compiled_->steps.empty() && std::holds_alternative<jsonpath::step::Call>(compiled_->steps.back());
  if (ends_in_call && nodes.size() == 1 && nodes[0].made) return *nodes[0].made;
  JsonWriter out;
  out.begin_array();
  for (const auto& node : nodes) out.value(node.get());
  out.end_array();
  return out.finish();
}

}  // namespace millrace::definitions
