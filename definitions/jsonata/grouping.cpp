// Objects made of expressions: a literal one, and `{key: value}` behind a sequence, which groups its items by
// key and then computes each value once, with all the items of its key as the context.

#include <algorithm>

#include "definitions/jsonata/evaluation.h"

namespace millrace::definitions::jsonata {
namespace {

struct Group {
  Value key;
  std::size_t pair = 0;
  Value first;                // the only item so far, as it is
  std::vector<Value> merged;  // two or more: arrays among them flattened
  bool several = false;
};

}  // namespace

// Different literal keys and one context: no grouping to do.
Value Evaluation::plain_object(const Node& node, Value input, Frame* frame) {
  Object* const made = make_object(node.pairs.size());
  for (const Pair& pair : node.pairs) {
    const Value value = evaluate(*pair.value, input, frame);
    if (value.has_failed()) return value;
    if (value.is_undefined()) continue;
    if (made->slots) {
      put(*made, Value::string(pair.key->text), value);
    } else {
      made->members[made->count++] = {Value::string(pair.key->text), value};
    }
  }
  return Value::of_object(made);
}

Value Evaluation::group(const Node& node, Run input, bool tuples, Frame* frame) {
  std::vector<Group> groups;
  Object* const known = make_object(8);  // key to position in groups
  const bool none = !input.one && (input.value.is_undefined() || count_of(input.value) == 0);
  if (none && !tuples) input = {Value(), true};  // a literal object of no context
  const auto add = [&](Group& group, Value item) {
    if (tuples || !item.is_array()) {
      if (!item.is_undefined()) group.merged.push_back(item);
      return;
    }
    Items parts(*this, item);
    for (Value part; parts.next(part);) group.merged.push_back(part);
  };
  Items items(*this, input);
  for (Value item; items.next(item);) {
    const bool tuple = item.tag == Value::Tag::Tuple;
    Frame* const inner = tuple ? frame_of(frame, *item.tuple) : frame;
    for (std::size_t p = 0; p < node.pairs.size(); ++p) {
      const Value key = evaluate(*node.pairs[p].key, tuple ? item.tuple->item : item, inner);
      if (key.has_failed()) return key;
      if (key.is_undefined()) continue;
      if (!key.is_string()) return fail_at(node, "T1003", key);
      const Value at = member(Value::of_object(known), key.characters());
      if (at.is_undefined()) {
        put(*known, key, Value::number(static_cast<double>(groups.size())));
        groups.push_back({key, p, item, {}, false});
        continue;
      }
      Group& group = groups[static_cast<std::size_t>(at.real)];
      if (group.pair != p) return fail_at(node, "D1009", key);
      if (!group.several) add(group, group.first);
      group.several = true;
      add(group, item);
      if (!arena_.has_room(group.merged.size() * sizeof(Value))) return over_memory();
    }
  }
  Object* const made = make_object(groups.size());
  for (const Group& group : groups) {
    Value data = group.first;
    if (group.several) data = make_array(group.merged, false);
    if (data.has_failed()) return data;
    const Value value = group_value(node, data, tuples, group.pair, frame);
    if (value.has_failed()) return value;
    if (!value.is_undefined()) put(*made, group.key, value);
  }
  return Value::of_object(made);
}

Value Evaluation::group_value(const Node& node, Value data, bool tuples, std::size_t pair, Frame* frame) {
  const Node& expression = *node.pairs[pair].value;
  if (!tuples || data.is_undefined()) return evaluate(expression, data, frame);
  const Value merged = data.tag == Value::Tag::Tuple ? data : merged_tuple(data);
  if (merged.has_failed()) return merged;
  return evaluate(expression, merged.tuple->item, frame_of(frame, *merged.tuple));
}

// One tuple of several: each variable, and the item, becomes the sequence of what it was in each.
Value Evaluation::merged_tuple(Value tuples) {
  std::vector<std::uint32_t> names;
  const std::span<const Value> all(tuples.array->items, tuples.array->count);
  for (const Value& tuple : all)
    for (const Binding* b = tuple.tuple->first; b; b = b->next)
      if (std::find(names.begin(), names.end(), b->name) == names.end()) names.push_back(b->name);
  // The values that `of` finds in each tuple, in one array, or alone.
  const auto merge = [&](auto of) -> Value {
    Collector found(*this);
    Value only;
    std::size_t count = 0;
    for (const Value& tuple : all) {
      const Value value = of(*tuple.tuple);
      if (value.is_undefined()) continue;
      only = value;
      ++count;
      if (value.is_array())
        found.push_items(value);
      else
        found.push(value);
    }
    return count > 1 ? found.array(false) : only;
  };
  auto* const made = arena_.make<Tuple>();
  made->item = merge([](const Tuple& tuple) { return tuple.item; });
  for (const std::uint32_t name : names) {
    auto* const binding = arena_.make<Binding>();
    binding->name = name;
    binding->value = merge([name](const Tuple& tuple) {
      for (const Binding* b = tuple.first; b; b = b->next)
        if (b->name == name) return b->value;
      return Value();
    });
    binding->next = made->first;
    made->first = binding;
  }
  return failed_ ? Value::failed() : Value::of_tuple(made);
}

}  // namespace millrace::definitions::jsonata
