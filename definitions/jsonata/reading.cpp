// Reading values: items and members of any form, truth, equality, order.

#include <algorithm>
#include <cmath>

#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/object_index.h"

namespace millrace::definitions::jsonata {

std::size_t Evaluation::count_of(Value array) const {
  if (array.tag == Value::Tag::Array) return array.array->count;
  return array.tag == Value::Tag::InputArray ? array.view().size() : 1;
}

Value Evaluation::item_of(Value array, std::size_t position) {
  if (array.tag == Value::Tag::InputArray) {
    steps_left_ -= static_cast<std::int64_t>(position / 8);
    return value_of(array.view().at(static_cast<std::uint32_t>(position)));
  }
  const Array& made = *array.array;
  return made.items ? made.items[position] : Value::number(made.first + static_cast<double>(position));
}

Evaluation::Items::Items(Evaluation& evaluation, Value value) : evaluation_(evaluation) {
  if (value.is_array()) {
    start(value);
  } else {
    single_ = value;
    values_ = &single_;
    left_ = 1;
  }
}

Evaluation::Items::Items(Evaluation& evaluation, Run run) : evaluation_(evaluation) {
  if (run.one) {
    single_ = run.value;
    values_ = &single_;
    left_ = 1;
  } else if (run.value.is_array()) {
    start(run.value);
  }
}

void Evaluation::Items::start(Value array) {
  if (array.tag == Value::Tag::InputArray) {
    document_ = array.document;
    node_ = array.size + 1;
    left_ = array.view().size();
  } else {
    values_ = array.array->items;
    number_ = array.array->first;
    left_ = array.array->count;
  }
}

Value Evaluation::member(Value object, std::string_view key) {
  if (object.tag == Value::Tag::InputObject) {
    const JsonNode* const nodes = object.document->nodes.data();
    if (nodes[object.size].count > kIndexedMembers) return value_of(find_indexed(object, key));
    return value_of(object.view().find(key));
  }
  if (object.tag != Value::Tag::Object) return {};
  const Member* const found = find_member(*object.object, key);
  return found ? found->value : Value();
}

// Objects of the input with many members get an index when they are searched again and again.
JsonView Evaluation::find_indexed(Value object, std::string_view key) {
  const JsonView view = object.view();
  auto at = std::find_if(indexes_.begin(), indexes_.end(), [&](const InputIndex& i) {
    return i.document == object.document && i.node == object.size;
  });
  if (at == indexes_.end()) {
    if (indexes_.size() >= kInputIndexesMax) indexes_.erase(indexes_.begin());
    indexes_.push_back({object.document, object.size, 0, {}});
    at = indexes_.end() - 1;
  }
  if (++at->searches <= kSearchesBeforeIndex) {
    steps_left_ -= view.size() / 16;
    return view.find(key);
  }
  auto& slots = at->slots;
  const auto matches = [&](std::uint32_t node) { return JsonView(object.document, node).equals(key); };
  if (slots.empty()) {
    std::size_t size = 64;
    while (size < std::size_t{2} * view.size()) size *= 2;
    slots.assign(size, 0);
    for (const auto [name, value] : view.members()) {
      std::size_t slot = hash_of(name.string()) & (size - 1);
      while (slots[slot] != 0) slot = (slot + 1) & (size - 1);
      slots[slot] = name.index();
    }
    steps_left_ -= view.size();
  }
  std::size_t slot = hash_of(key) & (slots.size() - 1);
  while (slots[slot] != 0 && !matches(slots[slot])) slot = (slot + 1) & (slots.size() - 1);
  return slots[slot] == 0 ? JsonView() : JsonView(object.document, slots[slot] + 1);
}

Value Evaluation::lookup(Value value, std::string_view key) {
  if (!value.is_array()) return member(value, key);
  if (is_too_deep()) return deep();
  Collector found(*this);
  Items items(*this, value);
  ++depth_;
  for (Value item; items.next(item);) {
    if (!work(1)) break;
    const Value result = lookup(item, key);
    if (result.is_array())
      found.push_items(result);
    else if (!result.is_undefined())
      found.push(result);
    if (failed_) break;
  }
  --depth_;
  return failed_ ? Value::failed() : found.array(true);
}

bool Evaluation::truth(Value value) {
  switch (value.tag) {
    case Value::Tag::Boolean:
      return value.truth;
    case Value::Tag::Number:
    case Value::Tag::InputNumber:
      return is_numeric(value) && value.to_double() != 0;
    case Value::Tag::String:
      return value.size > 0;
    case Value::Tag::Object:
      return value.object->count > 0;
    case Value::Tag::InputObject:
      return value.view().size() > 0;
    case Value::Tag::InputArray:
    case Value::Tag::Array: {
      if (is_too_deep()) return deep(), false;
      ++depth_;
      bool any = false;
      Items items(*this, value);
      for (Value item; !any && items.next(item) && work(1);) any = truth(item);
      --depth_;
      return any;
    }
    default:
      return false;
  }
}

bool Evaluation::is_numeric(Value value) {
  if (!value.is_number()) return false;
  const double d = value.to_double();
  if (std::isnan(d)) return false;
  if (!std::isfinite(d)) fail("D1001", value);
  return std::isfinite(d);
}

bool Evaluation::equal(Value a, Value b) {
  if (!work(1)) return false;
  if (a.is_number() || b.is_number()) return a.is_number() && b.is_number() && a.to_double() == b.to_double();
  if (a.is_array() && b.is_array()) {
    if (count_of(a) != count_of(b)) return false;
    if (is_too_deep()) return deep(), false;
    ++depth_;
    bool same = true;
    Items left(*this, a), right(*this, b);
    for (Value x, y; same && left.next(x) && right.next(y);) same = equal(x, y);
    --depth_;
    return same;
  }
  if (a.is_object() && b.is_object()) {
    if (member_count(a) != member_count(b)) return false;
    if (is_too_deep()) return deep(), false;
    ++depth_;
    bool same = true;
    for_each_member(a, [&](std::string_view key, Value value) {
      const Value other = member(b, key);
      same = !other.is_undefined() && equal(value, other);
      return same;
    });
    --depth_;
    return same;
  }
  if (a.tag != b.tag) return false;
  if (a.is_boolean()) return a.truth == b.truth;
  if (a.is_string()) return a.characters() == b.characters();
  return !a.is_function() || a.function == b.function;
}

int Evaluation::compare_text(std::string_view a, std::string_view b) {
  const auto [x, y] = std::mismatch(
      a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
  const auto i = x - a.begin();
  if (i == static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())))
    return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
  // Units order as bytes do, but for the surrogates of what lies beyond U+FFFF, which come before U+E000.
  const auto rank = [](char c) {
    const int byte = static_cast<unsigned char>(c);
    return byte == 0xEE || byte == 0xEF ? byte + 0x100 : byte;
  };
  return rank(*x) < rank(*y) ? -1 : 1;
}

}  // namespace millrace::definitions::jsonata
