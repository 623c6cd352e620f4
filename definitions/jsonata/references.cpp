// Free variables of an expression, and what the States Language refuses in it: `$` and unqualified names
// where there is no context (its expressions have no input document), and `$$`. Source: states-language.net,
// "JSONata", and the Step Functions developer guide, "Transforming data with JSONata".

#include <algorithm>

#include "definitions/jsonata/functions.h"
#include "definitions/jsonata/parser.h"

namespace millrace::definitions::jsonata {
namespace {

class References {
 public:
  explicit References(Jsonata::Compiled& compiled)
      : compiled_(compiled), strict_(compiled.dialect == JsonataDialect::StatesLanguage) {}

  void walk(const Node& node, bool has_context);
  SyntaxError error;

 private:
  void refuse(const Node& node, std::string token) {
    if (error.code.empty()) error = {"S0500", node.position, std::move(token)};
  }
  void read(const Node& variable, const Node* path, bool has_context);
  void path(const Node& node, bool has_context);
  void around(const Node& node);
  void lambda(const Node& node, bool has_context);
  bool bound(std::uint32_t name) const {
    return std::find(scope_.begin(), scope_.end(), name) != scope_.end();
  }

  Jsonata::Compiled& compiled_;
  bool strict_;
  std::vector<std::uint32_t> scope_;  // names bound where we are
};

void References::read(const Node& variable, const Node* path, bool has_context) {
  if (variable.text == "$") {
    if (strict_ && error.code.empty()) error = {"S0501", variable.position, "$$"};
    return;
  }
  if (variable.text.empty()) {
    if (strict_ && !has_context) refuse(variable, "$");
    return;
  }
  if (bound(variable.name)) return;
  if (find_function(variable.text, compiled_.dialect)) {
    auto& names = compiled_.functions;
    if (std::find(names.begin(), names.end(), variable.text) == names.end())
      names.emplace_back(variable.text);
    return;
  }
  JsonataReference found{std::string(variable.text), {}, compiled_.position_of(variable.position)};
  if (path && variable.predicates.empty() && variable.stages.empty()) {
    for (std::size_t i = 1; i < path->items.size() && path->items[i]->kind == NodeKind::Name; ++i) {
      found.members.emplace_back(path->items[i]->text);
      if (!path->items[i]->stages.empty() || path->items[i]->focus != 0) break;
    }
  }
  auto& all = compiled_.references;
  const bool known = std::any_of(all.begin(), all.end(), [&](const JsonataReference& r) {
    return r.variable == found.variable && r.members == found.members;
  });
  if (!known) all.push_back(std::move(found));
}

void References::path(const Node& node, bool has_context) {
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Node& step = *node.items[i];
    if (step.kind == NodeKind::Variable) {
      read(step, i == 0 ? &node : nullptr, has_context || i > 0);
      around(step);
    } else {
      walk(step, has_context || i > 0);
    }
    for (const std::uint32_t name : {step.focus, step.index})
      if (name != 0) scope_.push_back(name);
    for (const Stage& stage : step.stages)
      if (stage.index != 0) scope_.push_back(stage.index);
  }
}

// Predicates, groups and terms see an item as their context.
void References::around(const Node& node) {
  for (const auto* stages : {&node.stages, &node.predicates})
    for (const Stage& stage : *stages)
      if (stage.filter) walk(*stage.filter, true);
  for (const Term& term : node.terms) walk(*term.expression, true);
  if (node.group) {
    for (const Pair& pair : node.group->pairs) {
      walk(*pair.key, true);
      walk(*pair.value, true);
    }
  }
}

void References::lambda(const Node& node, bool has_context) {
  const std::size_t outside = scope_.size();
  for (const Node* parameter : node.items) scope_.push_back(parameter->name);
  walk(*node.b, has_context);
  scope_.resize(outside);
}

void References::walk(const Node& node, bool has_context) {
  const std::size_t outside = scope_.size();
  switch (node.kind) {
    case NodeKind::Variable:
      read(node, nullptr, has_context);
      break;
    case NodeKind::Name:
      if (strict_ && !has_context) refuse(node, std::string(node.text));
      break;
    case NodeKind::Path:
      path(node, has_context);
      break;
    case NodeKind::Lambda:
      lambda(node, has_context);
      break;
    case NodeKind::Bind:
      // A function may call itself, so its name is bound inside it.
      if (node.b->kind == NodeKind::Lambda) scope_.push_back(node.name);
      walk(*node.b, has_context);
      scope_.push_back(node.name);
      return;
    case NodeKind::Transform:
      for (const Node* part : {node.a, node.b, node.c})
        if (part) walk(*part, true);
      break;
    default:
      for (const Node* part : {node.a, node.b, node.c})
        if (part) walk(*part, has_context);
      for (const Node* part : node.items) walk(*part, has_context);
      for (const Pair& pair : node.pairs) {
        walk(*pair.key, has_context);
        walk(*pair.value, has_context);
      }
  }
  around(node);
  if (node.kind == NodeKind::Block || node.kind == NodeKind::Path) scope_.resize(outside);
}

}  // namespace

tl::expected<void, SyntaxError> check_references(Jsonata::Compiled& compiled) {
  References references(compiled);
  references.walk(*compiled.root, false);
  if (!references.error.code.empty()) return tl::unexpected(std::move(references.error));
  return {};
}

}  // namespace millrace::definitions::jsonata
