#include "tasks/integrations/dynamodb/evaluate.h"

#include <algorithm>
#include <functional>

namespace millrace::tasks::dynamodb {
namespace {

using Kind = Condition::Kind;

const Value* step_into(const Value& value, const Step& step) {
  if (step.index >= 0) {
    if (value.type != Type::L || static_cast<std::size_t>(step.index) >= value.list.size()) return nullptr;
    return &value.list[static_cast<std::size_t>(step.index)];
  }
  if (value.type != Type::M) return nullptr;
  const auto found = value.map.find(step.name);
  return found == value.map.end() ? nullptr : &found->second;
}

Value count_value(std::size_t n) {
  return number_value(Decimal::parse(std::to_string(n)).value_or(Decimal()));
}

std::optional<Value> size_value(const Value& value) {
  switch (value.type) {
    case Type::S:  // characters, not bytes
      return count_value(
          static_cast<std::size_t>(std::count_if(value.text.begin(), value.text.end(), [](char c) {
            return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
          })));
    case Type::B:
      return count_value(value.text.size());
    case Type::M:
      return count_value(value.map.size());
    case Type::L:
    case Type::SS:
    case Type::NS:
    case Type::BS:
      return count_value(value.list.size());
    case Type::N:
    case Type::Bool:
    case Type::Null:
      return std::nullopt;
  }
  return std::nullopt;
}

// The value of an operand; `kept` holds it when it is made here.
const Value* value_of(const Operand& operand, const Item& item, std::optional<Value>& kept) {
  if (operand.kind == Operand::Kind::Literal) return &operand.literal;
  const Value* at = find(item, operand.path);
  if (operand.kind == Operand::Kind::Attribute || !at) return at;
  kept = size_value(*at);
  return kept ? &*kept : nullptr;
}

bool in_order(Kind kind, const Value& a, const Value& b) {
  const auto order = compare(a, b);
  if (!order) return false;
  switch (kind) {
    case Kind::Less:
      return *order < 0;
    case Kind::LessEqual:
      return *order <= 0;
    case Kind::Greater:
      return *order > 0;
    default:
      return *order >= 0;
  }
}

bool contains(const Value& whole, const Value& part) {
  if ((whole.type == Type::S || whole.type == Type::B) && whole.type == part.type)
    return whole.text.find(part.text) != std::string::npos;
  if (whole.type != Type::L && !whole.is_set()) return false;
  return std::find(whole.list.begin(), whole.list.end(), part) != whole.list.end();
}

bool operands_hold(const Condition& condition, const Item& item) {
  std::vector<std::optional<Value>> kept(condition.operands.size());
  std::vector<const Value*> values;
  for (std::size_t i = 0; i < condition.operands.size(); ++i)
    values.push_back(value_of(condition.operands[i], item, kept[i]));
  const Value* first = values[0];
  const auto all = [&] {
    return std::all_of(values.begin(), values.end(), [](const Value* v) { return v; });
  };
  switch (condition.kind) {
    case Kind::Exists:
      return first;
    case Kind::NotExists:
      return !first;
    case Kind::Equal:
      return all() && *first == *values[1];
    case Kind::NotEqual:  // what is not there differs from everything
      return !all() || !(*first == *values[1]);
    case Kind::Between:
      return all() && in_order(Kind::GreaterEqual, *first, *values[1]) &&
             in_order(Kind::LessEqual, *first, *values[2]);
    case Kind::In:
      return first &&
             std::any_of(values.begin() + 1, values.end(), [&](const Value* v) { return v && *v == *first; });
    case Kind::TypeIs:
      return all() && name_of(first->type) == values[1]->text;
    case Kind::BeginsWith:
      return all() && first->type == values[1]->type && (first->type == Type::S || first->type == Type::B) &&
             first->text.starts_with(values[1]->text);
    case Kind::Contains:
      return all() && contains(*first, *values[1]);
    default:
      return all() && in_order(condition.kind, *first, *values[1]);
  }
}

tl::unexpected<ServiceError> no_such_attribute() {
  return validation("The provided expression refers to an attribute that does not exist in the item");
}
tl::unexpected<ServiceError> no_place() {
  return validation("The document path provided in the update expression is invalid for update");
}
tl::unexpected<ServiceError> wrong_operand() {
  return validation("An operand in the update expression has an incorrect data type");
}

Checked<Value> evaluate(const Term& term, const Item& item) {
  switch (term.kind) {
    case Term::Kind::Literal:
      return term.literal;
    case Term::Kind::Attribute: {
      const Value* value = find(item, term.path);
      if (!value) return no_such_attribute();
      return *value;
    }
    case Term::Kind::IfNotExists:
      if (const Value* value = find(item, term.path)) return *value;
      return evaluate(term.parts[0], item);
    case Term::Kind::ListAppend: {
      MR_TRY(first, evaluate(term.parts[0], item));
      MR_TRY(second, evaluate(term.parts[1], item));
      if (first.type != Type::L || second.type != Type::L) return wrong_operand();
      first.list.insert(first.list.end(), second.list.begin(), second.list.end());
      return first;
    }
  }
  return no_such_attribute();
}

Checked<Value> assigned_value(const Action& action, const Item& item) {
  MR_TRY(first, evaluate(action.terms[0], item));
  if (action.terms.size() == 1) return first;
  MR_TRY(second, evaluate(action.terms[1], item));
  if (first.type != Type::N || second.type != Type::N) return wrong_operand();
  const auto sum = first.number.plus(action.sign == '+' ? second.number : second.number.negated());
  if (!sum) return validation(sum.error().message);
  return number_value(*sum);
}

// The map or list the path's last step is in; null when the way there is none.
Value* parent_of(Item& item, const Path& path) {
  const auto root = item.find(path[0].name);
  if (root == item.end()) return nullptr;
  const Value* at = &root->second;
  for (std::size_t i = 1; at && i + 1 < path.size(); ++i) at = step_into(*at, path[i]);
  return const_cast<Value*>(at);  // the item itself is not const
}

Checked<bool> put_at(Item& item, const Path& path, Value value) {
  if (path.size() == 1) {
    item.insert_or_assign(path[0].name, std::move(value));
    return true;
  }
  Value* parent = parent_of(item, path);
  if (!parent) return no_place();
  const Step& last = path.back();
  if (last.index >= 0) {
    if (parent->type != Type::L) return no_place();
    const auto index = static_cast<std::size_t>(last.index);
    if (index < parent->list.size())
      parent->list[index] = std::move(value);
    else
      parent->list.push_back(std::move(value));
    return true;
  }
  if (parent->type != Type::M) return no_place();
  parent->map.insert_or_assign(last.name, std::move(value));
  return true;
}

Checked<bool> remove_at(Item& item, const Path& path) {
  if (path.size() == 1) {
    item.erase(path[0].name);
    return true;
  }
  Value* parent = parent_of(item, path);
  if (!parent) return no_place();
  const Step& last = path.back();
  if (last.index >= 0 ? parent->type != Type::L : parent->type != Type::M) return no_place();
  if (last.index < 0)
    parent->map.erase(last.name);
  else if (static_cast<std::size_t>(last.index) < parent->list.size())
    parent->list.erase(parent->list.begin() + last.index);
  return true;
}

tl::unexpected<ServiceError> type_mismatch() {
  return validation("Type mismatch for attribute to update");
}

Checked<bool> add_at(Item& item, const Action& action) {
  const Value* there = find(item, action.path);
  if (!there) return put_at(item, action.path, action.value);
  if (there->type != action.value.type) return type_mismatch();
  Value sum = *there;
  if (sum.type == Type::N) {
    const auto added = sum.number.plus(action.value.number);
    if (!added) return validation(added.error().message);
    return put_at(item, action.path, number_value(*added));
  }
  const auto less = [](const Value& a, const Value& b) { return compare(a, b).value_or(0) < 0; };
  for (const Value& one : action.value.list) {
    const auto place = std::lower_bound(sum.list.begin(), sum.list.end(), one, less);
    if (place == sum.list.end() || !(*place == one)) sum.list.insert(place, one);
  }
  return put_at(item, action.path, std::move(sum));
}

Checked<bool> delete_at(Item& item, const Action& action) {
  const Value* there = find(item, action.path);
  if (!there) return true;
  if (there->type != action.value.type) return type_mismatch();
  Value rest = *there;
  std::erase_if(rest.list, [&](const Value& one) {
    return std::find(action.value.list.begin(), action.value.list.end(), one) != action.value.list.end();
  });
  // There are no empty sets.
  if (rest.list.empty()) return remove_at(item, action.path);
  return put_at(item, action.path, std::move(rest));
}

// From behind, so that an element's removal moves none that is still to be removed.
std::vector<const Action*> removals(const Update& update) {
  std::vector<const Action*> out;
  for (const Action& action : update)
    if (action.kind == Action::Kind::Remove) out.push_back(&action);
  std::stable_sort(out.begin(), out.end(), [](const Action* a, const Action* b) {
    return a->path.back().index > b->path.back().index;
  });
  return out;
}

int depth_of(const Value& value) {
  int below = 0;
  for (const Value& one : value.list) below = std::max(below, value.is_set() ? 0 : depth_of(one));
  for (const auto& [name, one] : value.map) below = std::max(below, depth_of(one));
  return below + 1;
}

using Rest = std::pair<const Path*, std::size_t>;  // a path, and how many of its steps are behind

std::optional<Value> project_value(const Value& value, const std::vector<Rest>& paths) {
  for (const auto& [path, at] : paths)
    if (at == path->size()) return value;
  Value out;
  out.type = value.type;
  std::map<std::pair<std::int64_t, std::string>, std::vector<Rest>> next;
  for (const auto& [path, at] : paths) next[{(*path)[at].index, (*path)[at].name}].push_back({path, at + 1});
  for (const auto& [step, rest] : next) {
    const Value* below = step_into(value, Step{step.second, step.first});
    auto part = below ? project_value(*below, rest) : std::nullopt;
    if (!part) continue;
    if (step.first >= 0)
      out.list.push_back(std::move(*part));
    else
      out.map[step.second] = std::move(*part);
  }
  if (out.list.empty() && out.map.empty()) return std::nullopt;
  return out;
}

}  // namespace

const Value* find(const Item& item, const Path& path) {
  const auto root = item.find(path[0].name);
  if (root == item.end()) return nullptr;
  const Value* at = &root->second;
  for (std::size_t i = 1; at && i < path.size(); ++i) at = step_into(*at, path[i]);
  return at;
}

bool holds(const Condition& condition, const Item& item) {
  const auto part_holds = [&](const Condition& part) { return holds(part, item); };
  switch (condition.kind) {
    case Kind::And:
      return std::all_of(condition.parts.begin(), condition.parts.end(), part_holds);
    case Kind::Or:
      return std::any_of(condition.parts.begin(), condition.parts.end(), part_holds);
    case Kind::Not:
      return !holds(condition.parts[0], item);
    default:
      return operands_hold(condition, item);
  }
}

Checked<bool> apply(const Update& update, Item& item) {
  std::vector<std::pair<const Path*, Value>> assigned;
  for (const Action& action : update) {
    if (action.kind != Action::Kind::Set) continue;
    MR_TRY(value, assigned_value(action, item));
    assigned.emplace_back(&action.path, std::move(value));
  }
  // Elements behind the end of a list are put there in the order of their indices.
  std::stable_sort(assigned.begin(), assigned.end(), [](const auto& a, const auto& b) {
    return a.first->back().index < b.first->back().index;
  });
  Item changed = item;
  for (auto& [path, value] : assigned) MR_DO(put_at(changed, *path, std::move(value)));
  for (const Action& action : update) {
    if (action.kind == Action::Kind::Add) MR_DO(add_at(changed, action));
    if (action.kind == Action::Kind::Delete) MR_DO(delete_at(changed, action));
  }
  for (const Action* action : removals(update)) MR_DO(remove_at(changed, action->path));
  // What was put together may be deeper than what may be read.
  for (const auto& [name, value] : changed)
    if (depth_of(value) > kDepthMax)
      return validation("Nesting Levels have exceeded supported limits: maximum allowed nesting level is " +
                        std::to_string(kDepthMax));
  item = std::move(changed);
  return true;
}

Item project(const Item& item, const std::vector<Path>& paths) {
  Value root;
  root.type = Type::M;
  root.map = item;
  std::vector<Rest> all;
  for (const Path& path : paths) all.emplace_back(&path, 0);
  auto out = project_value(root, all);
  return out ? std::move(out->map) : Item{};
}

}  // namespace millrace::tasks::dynamodb
