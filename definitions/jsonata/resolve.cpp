// From the tree as written to the tree that is evaluated. See ast.h.

#include <algorithm>
#include <utility>

#include "definitions/jsonata/parser.h"

namespace millrace::definitions::jsonata {
namespace {

class Resolver {
 public:
  explicit Resolver(Jsonata::Compiled& compiled) : compiled_(compiled) {}

  Node* root(Node* raw) {
    Node* const node = resolve(raw);
    if (!node) return nullptr;
    if (node->kind == NodeKind::Parent || !node->seeking.empty()) return no_parent(*node);
    finish(*node);
    return node;
  }
  SyntaxError error;

 private:
  Node* fail(std::string code, std::size_t position, std::string_view token = {},
             std::string_view value = {}) {
    if (error.code.empty()) error = {std::move(code), position, std::string(token), std::string(value)};
    return nullptr;
  }
  Node* no_parent(const Node& node) { return fail("S0217", node.position, name_of(node.kind)); }

  Node* make(NodeKind kind, std::uint32_t position) {
    Node& node = compiled_.nodes.emplace_back();
    node.kind = kind;
    node.position = position;
    return &node;
  }
  Node* path_of(Node* step) {
    if (step->kind == NodeKind::Path) return step;
    Node* const path = make(NodeKind::Path, step->position);
    path->items.push_back(step);
    return path;
  }

  Node* resolve(Node* raw);
  Node* by_kind(Node* raw);
  Node* binary(Node* raw);
  Node* dot(Node* raw);
  Node* predicate(Node* raw);
  Node* group(Node* raw);
  Node* order_by(Node* raw);
  Node* focus(Node* raw);
  Node* index(Node* raw);
  Node* operands(Node* raw);
  Node* negate(Node* raw);
  bool all(std::vector<Node*>& nodes, Node* adopter);
  bool one(Node*& node, Node* adopter);
  Node* parent(Node* raw);

  void mark_tail(Node* node);
  bool finish(Node& node);

  void adopt_seeking(Node& result, const Node& part);
  bool seek(Node& node, Slot& slot);
  bool resolve_parents(Node& path);

  Jsonata::Compiled& compiled_;
};

Node* Resolver::resolve(Node* raw) {
  Node* const node = by_kind(raw);
  if (node && raw->keep_array) node->keep_array = true;
  return node;
}

// Resolves a part in place; what it seeks, its owner seeks too.
bool Resolver::one(Node*& node, Node* adopter) {
  if (!node) return true;
  node = resolve(node);
  if (!node) return false;
  if (adopter) adopt_seeking(*adopter, *node);
  return true;
}

bool Resolver::all(std::vector<Node*>& nodes, Node* adopter) {
  return std::all_of(nodes.begin(), nodes.end(), [&](Node*& node) { return one(node, adopter); });
}

Node* Resolver::by_kind(Node* raw) {
  switch (raw->kind) {
    case NodeKind::End:
      return fail("S0207", raw->position, "(end)");
    case NodeKind::Word:
      raw->kind = NodeKind::Name;
      raw->name = compiled_.number_of(raw->text);
      [[fallthrough]];
    case NodeKind::Name: {
      Node* const path = path_of(raw);
      path->keep_singleton = raw->keep_array;
      return path;
    }
    case NodeKind::Parent:
      return parent(raw);
    case NodeKind::Binary:
      return binary(raw);
    case NodeKind::Negate:
      return negate(raw);
    case NodeKind::Object:
      for (Pair& pair : raw->pairs)
        if (!one(pair.key, raw) || !one(pair.value, raw)) return nullptr;
      return raw;
    case NodeKind::Call:
    case NodeKind::Partial:
      return all(raw->items, raw) && one(raw->a, nullptr) ? raw : nullptr;
    case NodeKind::Lambda:
      if (!one(raw->b, nullptr)) return nullptr;
      for (const Node* parameter : raw->items) compiled_.names[parameter->name].bound = true;
      mark_tail(raw->b);
      return raw;
    case NodeKind::Transform:
      return one(raw->a, nullptr) && one(raw->b, nullptr) && one(raw->c, nullptr) ? raw : nullptr;
    case NodeKind::Block:
      if (!all(raw->items, raw)) return nullptr;
      for (const Node* part : raw->items)
        if (part->constructed || (part->kind == NodeKind::Path && part->items[0]->constructed))
          raw->constructed = true;
      return raw;
    case NodeKind::Condition:
      return operands(raw);
    case NodeKind::Array:
      return all(raw->items, raw) ? raw : nullptr;
    case NodeKind::Placeholder:
    default:
      return raw;
  }
}

Node* Resolver::operands(Node* raw) {
  return one(raw->a, raw) && one(raw->b, raw) && one(raw->c, raw) ? raw : nullptr;
}

Node* Resolver::parent(Node* raw) {
  Slot& slot = compiled_.slots.emplace_back();
  slot.label = compiled_.number_of(compiled_.keep("!" + std::to_string(compiled_.slots.size())));
  compiled_.names[slot.label].bound = true;
  raw->slot = &slot;
  return raw;
}

Node* Resolver::negate(Node* raw) {
  if (!one(raw->a, nullptr)) return nullptr;
  if (raw->a->kind == NodeKind::Number) {
    raw->a->number = -raw->a->number;
    return raw->a;
  }
  adopt_seeking(*raw, *raw->a);
  return raw;
}

Node* Resolver::binary(Node* raw) {
  switch (raw->op) {
    case Operator::Dot:
      return dot(raw);
    case Operator::Predicate:
      return predicate(raw);
    case Operator::Group:
      return group(raw);
    case Operator::OrderBy:
      return order_by(raw);
    case Operator::Focus:
      return focus(raw);
    case Operator::Index:
      return index(raw);
    case Operator::Assign:
      raw->kind = NodeKind::Bind;
      raw->name = raw->a->name;
      compiled_.names[raw->name].bound = true;
      raw->a = nullptr;
      return one(raw->b, raw) ? raw : nullptr;
    case Operator::Chain:
      raw->kind = NodeKind::Apply;
      if (!one(raw->a, nullptr) || !one(raw->b, nullptr)) return nullptr;
      raw->keep_array = raw->keep_array || raw->a->keep_array || raw->b->keep_array;
      return raw;
    default:
      return operands(raw);
  }
}

Node* Resolver::dot(Node* raw) {
  Node* const left = resolve(raw->a);
  if (!left) return nullptr;
  Node* const path = path_of(left);
  if (left->kind == NodeKind::Parent) path->seeking = {left->slot};
  Node* const rest = resolve(raw->b);
  if (!rest) return nullptr;
  if (rest->kind == NodeKind::Path) {
    path->items.insert(path->items.end(), rest->items.begin(), rest->items.end());
  } else {
    std::swap(rest->stages, rest->predicates);
    path->items.push_back(rest);
  }
  for (Node* step : path->items) {
    if (step->kind == NodeKind::Number || step->kind == NodeKind::Literal)
      return fail("S0213", step->position, {}, step->text);
    if (step->kind == NodeKind::String) {
      step->kind = NodeKind::Name;
      step->name = compiled_.number_of(step->text);
    }
    if (step->keep_array) path->keep_singleton = true;
  }
  for (Node* step : {path->items.front(), path->items.back()})
    if (step->kind == NodeKind::Array) step->constructed = true;
  return resolve_parents(*path) ? path : nullptr;
}

Node* Resolver::predicate(Node* raw) {
  Node* const result = resolve(raw->a);
  if (!result) return nullptr;
  Node* const step = result->kind == NodeKind::Path ? result->items.back() : result;
  if (step->group) return fail("S0209", raw->position);
  Node* const filter = resolve(raw->b);
  if (!filter) return nullptr;
  if (!filter->seeking.empty()) {
    for (Slot* slot : filter->seeking) {
      if (slot->level != 1) {
        --slot->level;
      } else if (!seek(*step, *slot)) {
        return nullptr;
      }
    }
    adopt_seeking(*step, *filter);
  }
  (result->kind == NodeKind::Path ? step->stages : step->predicates).push_back({filter, 0});
  return result;
}

Node* Resolver::group(Node* raw) {
  Node* const result = resolve(raw->a);
  if (!result) return nullptr;
  if (result->group) return fail("S0210", raw->position);
  Node* const pairs = make(NodeKind::Object, raw->position);
  for (const Pair& pair : raw->pairs) {
    Node* const key = resolve(pair.key);
    Node* const value = key ? resolve(pair.value) : nullptr;
    if (!value) return nullptr;
    pairs->pairs.push_back({key, value});
  }
  result->group = pairs;
  return result;
}

Node* Resolver::order_by(Node* raw) {
  Node* const left = resolve(raw->a);
  if (!left) return nullptr;
  Node* const path = path_of(left);
  Node* const sort = make(NodeKind::Sort, raw->position);
  for (const Term& term : raw->terms) {
    Node* const expression = resolve(term.expression);
    if (!expression) return nullptr;
    adopt_seeking(*sort, *expression);
    sort->terms.push_back({expression, term.descending});
  }
  path->items.push_back(sort);
  return resolve_parents(*path) ? path : nullptr;
}

Node* Resolver::focus(Node* raw) {
  Node* const result = resolve(raw->a);
  if (!result) return nullptr;
  Node* const step = result->kind == NodeKind::Path ? result->items.back() : result;
  if (!step->stages.empty() || !step->predicates.empty()) return fail("S0215", raw->position);
  if (step->kind == NodeKind::Sort) return fail("S0216", raw->position);
  if (raw->keep_array) step->keep_array = true;
  step->focus = raw->b->name;
  step->tuple = true;
  compiled_.names[step->focus].bound = true;
  return result;
}

Node* Resolver::index(Node* raw) {
  Node* result = resolve(raw->a);
  if (!result) return nullptr;
  Node* step = result;
  if (result->kind == NodeKind::Path) {
    step = result->items.back();
  } else {
    result = path_of(step);
    if (step->stages.empty()) std::swap(step->stages, step->predicates);
  }
  const std::uint32_t name = raw->b->name;
  if (step->stages.empty()) {
    step->index = name;
  } else {
    step->stages.push_back({nullptr, name});
  }
  step->tuple = true;
  compiled_.names[name].bound = true;
  return result;
}

// ---- % ----------------------------------------------------------------------------------------------

void Resolver::adopt_seeking(Node& result, const Node& part) {
  result.seeking.insert(result.seeking.end(), part.seeking.begin(), part.seeking.end());
  if (part.kind == NodeKind::Parent) result.seeking.push_back(part.slot);
}

// Goes one step back from where the slot's `%` stands. False: no step can be the parent there.
bool Resolver::seek(Node& node, Slot& slot) {
  switch (node.kind) {
    case NodeKind::Name:
    case NodeKind::Wildcard:
      if (--slot.level == 0) {
        if (node.ancestor) slot.label = node.ancestor->label;
        node.ancestor = &slot;
        node.tuple = true;
      }
      return true;
    case NodeKind::Parent:
      ++slot.level;
      return true;
    case NodeKind::Block:
      if (node.items.empty()) return true;
      node.tuple = true;
      return seek(*node.items.back(), slot);
    case NodeKind::Path: {
      node.tuple = true;
      std::size_t i = node.items.size();
      if (!seek(*node.items[--i], slot)) return false;
      while (slot.level > 0 && i > 0)
        if (!seek(*node.items[--i], slot)) return false;
      return true;
    }
    default:
      no_parent(node);
      return false;
  }
}

bool Resolver::resolve_parents(Node& path) {
  Node& last = *path.items.back();
  if (last.kind == NodeKind::Parent) last.seeking.push_back(last.slot);
  for (Slot* slot : last.seeking) {
    std::size_t i = path.items.size() - 1;  // steps before this one were not looked at yet
    while (slot->level > 0) {
      if (i == 0) {
        path.seeking.push_back(slot);
        break;
      }
      Node* step = path.items[--i];
      // Steps that bind a variable side by side have the same input.
      while (i > 0 && step->focus != 0 && path.items[i - 1]->focus != 0) step = path.items[--i];
      if (!seek(*step, *slot)) return false;
    }
  }
  return true;
}

// ---- marks ------------------------------------------------------------------------------------------

bool has_nothing_behind(const Node& node) {
  return node.predicates.empty() && !node.group && !node.keep_array;
}

void Resolver::mark_tail(Node* node) {
  if (!node || !has_nothing_behind(*node)) return;
  if (node->kind == NodeKind::Call) node->tail = true;
  if (node->kind == NodeKind::Condition && node->op == Operator::None) {
    mark_tail(node->b);
    mark_tail(node->c);
  }
  if (node->kind == NodeKind::Block && !node->items.empty()) mark_tail(node->items.back());
}

bool literal_keys(const Node& node) {
  std::vector<std::string_view> keys;
  for (const Pair& pair : node.pairs) {
    if (pair.key->kind != NodeKind::String || !has_nothing_behind(*pair.key)) return false;
    keys.push_back(pair.key->text);
  }
  std::sort(keys.begin(), keys.end());
  return std::adjacent_find(keys.begin(), keys.end()) == keys.end();
}

// Marks from the leaves up; true when a variable is bound in the frame that `node` is evaluated in.
bool Resolver::finish(Node& node) {
  node.plain = has_nothing_behind(node);
  if (!node.pairs.empty() || node.kind == NodeKind::Object) node.literal_keys = literal_keys(node);
  bool binds = false;
  if (node.kind != NodeKind::Lambda) {
    for_each_child(node, [&](Node& child) { binds = finish(child) || binds; });
  } else {
    finish(*node.b);
  }
  if (node.kind == NodeKind::Block) {
    node.has_frame = binds;
    binds = false;
  }
  if (node.kind == NodeKind::Lambda) return false;
  return binds || node.kind == NodeKind::Bind;
}

}  // namespace

tl::expected<Node*, SyntaxError> resolve(Jsonata::Compiled& compiled, Node* root) {
  Resolver resolver(compiled);
  Node* const node = resolver.root(root);
  if (!node) return tl::unexpected(std::move(resolver.error));
  return node;
}

}  // namespace millrace::definitions::jsonata
