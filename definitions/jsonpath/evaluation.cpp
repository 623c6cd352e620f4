#include "definitions/jsonpath/evaluation.h"

#include <algorithm>

namespace millrace::definitions::jsonpath {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

Node list_of(const std::vector<Node>& nodes, Budget& budget) {
  JsonWriter out;
  out.begin_array();
  for (const Node& node : nodes) {
    if (!budget.spend(node.view.node().next - node.view.index())) break;
    out.value(node.view);
  }
  out.end_array();
  return made_node(out.finish());
}

}  // namespace

void Evaluation::stop(End end, std::string why) {
  if (end_ != End::Done) return;
  end_ = end;
  why_ = std::move(why);
}

std::vector<Node> Evaluation::run(const Node& from, const std::vector<Step>& steps) {
  std::vector<Node> nodes{from};
  steps_ = &steps;
  for (at_ = 0; at_ < steps.size() && end_ == End::Done; ++at_) {
    std::vector<Node> next;
    if (std::holds_alternative<step::Descend>(steps[at_])) {
      ++at_;  // the scan looks for what the step behind it wants
      upstream_definite_ = false;
      for (const Node& node : nodes) scan(steps[at_], node, next);
    } else {
      for (const Node& node : nodes) {
        apply(steps[at_], node, next);
        if (end_ != End::Done) break;
      }
    }
    upstream_definite_ = upstream_definite_ && definite(steps[at_], last());
    nodes = std::move(next);
    if (budget_.left == 0) stop(End::Failed, std::string(budget_.why));
  }
  if (end_ != End::Done) nodes.clear();
  return nodes;
}

std::optional<Node> Evaluation::value(const Node& from, const std::vector<Step>& steps) {
  std::vector<Node> found = run(from, steps);
  if (end_ != End::Done) return std::nullopt;
  if (!definite(steps)) return list_of(found, budget_);
  if (found.empty()) {
    stop(End::NotFound, "No results for path: " + normalised(steps, steps.size()));
    return std::nullopt;
  }
  return std::move(found.back());
}

void Evaluation::apply(const Step& step, const Node& node, std::vector<Node>& out) {
  if (!budget_.spend(1)) return;
  std::visit(Overloaded{
                 [&](const step::Member& m) { member(m.name, node, out); },
                 [&](const step::Members& m) { members(m, node, out); },
                 [&](const step::Index& i) { indices({i.position}, node, out); },
                 [&](const step::Indices& i) { indices(i.positions, node, out); },
                 [&](const step::Slice& s) { slice(s, node, out); },
                 [&](const step::Wildcard&) { children(node, out); },
                 [&](const step::Descend&) {},  // run() fuses it with the step behind it
                 [&](const step::Select& s) { select(*s.filter, node, out); },
                 [&](const CallStep& c) { call_function(*c, node, out); },
             },
             step);
}

void Evaluation::member(const std::string& name, const Node& node, std::vector<Node>& out) {
  if (!node.view.is_object()) {
    if (upstream_definite_)
      stop(End::NotFound, "Expected to find an object with property ['" + name + "'] in path " +
                              normalised(*steps_, at_) + " but found '" +
                              std::string(name_of(node.view.kind())) + "'.");
    return;
  }
  constexpr std::uint32_t kKeysPerNode = 8;  // passing over a key is cheap
  budget_.spend(node.view.size() / kKeysPerNode);
  if (const JsonView v = node.view.find(name)) {
    out.push_back({v, node.owner});
  } else if (last()) {
    if (require_) stop(End::NotFound, "No results for path: " + normalised(*steps_, at_ + 1));
  } else if (require_ || (upstream_definite_ && definite((*steps_)[at_], false))) {
    stop(End::NotFound, "Missing property in path " + normalised(*steps_, at_ + 1));
  }
}

// At the end of a path one object with those members; before its end each member in turn.
void Evaluation::members(const step::Members& step, const Node& node, std::vector<Node>& out) {
  if (!last() || !node.view.is_object()) {
    for (const std::string& name : step.names) member(name, node, out);
    return;
  }
  JsonWriter object;
  object.begin_object();
  for (const std::string& name : step.names) {
    if (const JsonView v = node.view.find(name)) {
      if (budget_.spend(v.node().next - v.index())) object.key(name).value(v);
    } else if (require_) {
      stop(End::NotFound, "Missing property in path " + normalised(*steps_, at_ + 1));
    }
  }
  object.end_object();
  out.push_back(made_node(object.finish()));
}

void Evaluation::not_an_array() {
  if (upstream_definite_)
    stop(End::NotFound, "The value at " + normalised(*steps_, at_) + " is not an array.");
}

void Evaluation::indices(const std::vector<std::int64_t>& positions, const Node& node,
                         std::vector<Node>& out) {
  if (!node.view.is_array()) return not_an_array();
  const auto size = static_cast<std::int64_t>(node.view.size());
  for (const std::int64_t position : positions) {
    const std::int64_t from_start = position < 0 ? position + size : position;
    if (from_start < 0 || from_start >= size) continue;
    budget_.spend(static_cast<std::size_t>(from_start) / 8);
    out.push_back({node.view.at(static_cast<std::uint32_t>(from_start)), node.owner});
  }
}

// Between two bounds the library walks from one number to the other, so [-3:-1] counts both from the end and
// [1:-1] is empty; a single negative bound counts from the end.
void Evaluation::slice(const step::Slice& step, const Node& node, std::vector<Node>& out) {
  if (!node.view.is_array()) return not_an_array();
  const auto size = static_cast<std::int64_t>(node.view.size());
  std::int64_t first = step.first.value_or(0), last = std::min(step.last.value_or(size), size);
  if (!step.last && first < 0) first = std::max<std::int64_t>(0, first + size);
  if (!step.first && last < 0) last += size;
  std::vector<JsonView> elements;
  for (const JsonView element : node.view.elements()) elements.push_back(element);
  budget_.spend(elements.size());
  for (std::int64_t i = std::max(first, -size); i < last; ++i) {
    const std::int64_t from_start = i < 0 ? i + size : i;
    out.push_back({elements[static_cast<std::size_t>(from_start)], node.owner});
  }
}

void Evaluation::children(const Node& node, std::vector<Node>& out) {
  const JsonView view = node.view;
  if (view.is_array()) {
    for (const JsonView v : view.elements()) out.push_back({v, node.owner});
  } else if (view.is_object()) {
    for (const auto [key, v] : view.members()) out.push_back({v, node.owner});
  } else {
    return;
  }
  budget_.spend(view.size());
}

void Evaluation::select(const Filter& filter, const Node& node, std::vector<Node>& out) {
  const JsonView view = node.view;
  if (view.is_array()) {
    for (const JsonView v : view.elements()) {
      Node element{v, node.owner};
      if (holds(filter, element)) out.push_back(std::move(element));
      if (end_ != End::Done) return;
    }
  } else if (view.is_object()) {
    if (holds(filter, node)) out.push_back(node);
  } else if (upstream_definite_) {
    stop(End::NotFound, "A filter can not be applied to the " + std::string(name_of(view.kind())) + " at " +
                            normalised(*steps_, at_) + ".");
  }
}

void Evaluation::call_function(const step::Call& step, const Node& node, std::vector<Node>& out) {
  std::vector<Node> arguments;
  for (const auto& argument : step.arguments) {
    if (const auto* literal = std::get_if<Payload>(&argument)) {
      arguments.push_back({literal->view(), {}});
      continue;
    }
    Evaluation inner(root_, budget_);
    std::optional<Node> value = inner.value({root_, {}}, std::get<std::vector<Step>>(argument));
    if (!value) return stop(inner.end(), inner.why());
    arguments.push_back(std::move(*value));
  }
  auto result = call(step.function, node, arguments, budget_);
  if (!result) return stop(End::Failed, std::move(result.error()));
  out.push_back(std::move(*result));
}

// `..`: every array and object from `node` down, in the order of the text. One that has what the next step
// wants gets that step.
void Evaluation::scan(const Step& step, const Node& node, std::vector<Node>& out) {
  const JsonDocument* document = node.view.document();
  const std::uint32_t end = node.view.node().next;
  for (std::uint32_t i = node.view.index(); i < end && end_ == End::Done && budget_.spend(1); ++i) {
    const Node here{JsonView(document, i), node.owner};
    if (!here.view.is_array() && !here.view.is_object()) continue;
    if (scan_stops_at(step, here.view)) apply(step, here, out);
  }
}

bool Evaluation::scan_stops_at(const Step& step, JsonView view) {
  if (const auto* m = std::get_if<step::Member>(&step)) return static_cast<bool>(view.find(m->name));
  if (const auto* all = std::get_if<step::Members>(&step)) {
    return view.is_object() &&
           (!last() || std::all_of(all->names.begin(), all->names.end(),
                                   [&](const std::string& name) { return bool(view.find(name)); }));
  }
  if (const auto* s = std::get_if<step::Select>(&step)) return holds(*s->filter, {view, {}});
  return view.is_array() || std::holds_alternative<step::Wildcard>(step);
}

bool Evaluation::holds(const Filter& filter, const Node& current) {
  if (!budget_.spend(1) || end_ != End::Done) return false;
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
      return exists(filter.left, current);
    case Filter::Kind::Compare:
      break;
  }
  const Regex* regex = filter.left.regex    ? &*filter.left.regex
                       : filter.right.regex ? &*filter.right.regex
                                            : nullptr;
  const auto left = operand(filter.left, current), right = operand(filter.right, current);
  if (end_ != End::Done) return false;
  if (regex && filter.left.regex) return compare(filter.op, right, left, regex, budget_);
  return compare(filter.op, left, right, regex, budget_);
}

std::optional<Node> Evaluation::operand(const Operand& operand, const Node& current) {
  if (operand.regex) return std::nullopt;
  if (operand.literal) return Node{operand.literal->view(), {}};
  Evaluation inner(root_, budget_);
  auto value = inner.value(operand.on_current ? current : Node{root_, {}}, operand.path);
  if (inner.end() == End::Failed) stop(End::Failed, inner.why());
  return value;
}

// `$` means the current node here too, and an indefinite path exists even without a match: so the library has
// it.
bool Evaluation::exists(const Operand& operand, const Node& current) {
  Evaluation inner(root_, budget_, true);
  const std::vector<Node> found = inner.run(current, operand.path);
  if (inner.end() == End::Failed) stop(End::Failed, inner.why());
  return inner.end() == End::Done && (!found.empty() || !definite(operand.path));
}

}  // namespace millrace::definitions::jsonpath
