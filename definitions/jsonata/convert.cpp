// From values to text and documents, and the making and reading of arrays, objects and strings.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/random.h"
#include "base/utf8.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/messages.h"
#include "definitions/jsonata/number_text.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr std::uint32_t kIndexedMembers = 16;  // objects with more have an index
constexpr std::size_t kMessageBytesMax = 1'000;

std::uint32_t hash_of(std::string_view key) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

void append_line(std::string& out, bool pretty, int depth) {
  if (!pretty) return;
  out += '\n';
  out.append(static_cast<std::size_t>(depth) * 2, ' ');
}

// Halves of surrogate pairs that stand alone cannot leave as UTF-8.
std::string without_lone_surrogates(std::string_view characters) {
  std::string out;
  char32_t point = 0;
  while (!characters.empty()) {
    const std::size_t length = decode_utf8(characters, point);
    append_utf8(out, length > 0 ? point : 0xFFFD);
    characters.remove_prefix(length > 0 ? length : std::min<std::size_t>(3, characters.size()));
  }
  return out;
}

}  // namespace

// ---- making ---------------------------------------------------------------------------------------------

Value Evaluation::text(std::string_view characters) {
  return concat(characters, {});
}

Value Evaluation::concat(std::string_view a, std::string_view b) {
  const std::size_t size = a.size() + b.size();
  if (!arena_.has_room(size) || !work(size / 256)) return failed_ ? Value::failed() : over_memory();
  char* const copy = static_cast<char*>(arena_.allocate(size));
  std::copy(a.begin(), a.end(), copy);
  std::copy(b.begin(), b.end(), copy + a.size());
  return Value::string({copy, size});
}

Value Evaluation::unescaped(const JsonNode& node, const JsonDocument& document) {
  const JsonView view(&document, static_cast<std::uint32_t>(&node - document.nodes.data()));
  return text(view.string());
}

Array* Evaluation::make_array(std::size_t count, bool sequence) {
  if (!arena_.has_room(count * sizeof(Value))) {
    over_memory();
    return nullptr;
  }
  auto* const array = arena_.make<Array>();
  array->items = arena_.make_array<Value>(std::max<std::size_t>(count, 1));
  array->count = static_cast<std::uint32_t>(count);
  array->sequence = sequence;
  return array;
}

Value Evaluation::make_array(std::span<const Value> items, bool sequence) {
  Array* const array = make_array(items.size(), sequence);
  if (!array) return Value::failed();
  std::copy(items.begin(), items.end(), array->items);
  return Value::of_array(array);
}

Object* Evaluation::make_object(std::size_t capacity) {
  auto* const object = arena_.make<Object>();
  object->capacity = static_cast<std::uint32_t>(std::max<std::size_t>(capacity, 1));
  object->members = arena_.make_array<Member>(object->capacity);
  return object;
}

namespace {

std::uint32_t* slot_of(Object& object, std::string_view key) {
  std::uint32_t at = hash_of(key) & object.slot_mask;
  while (object.slots[at] != 0 && object.members[object.slots[at] - 1].key.characters() != key)
    at = (at + 1) & object.slot_mask;
  return &object.slots[at];
}

Member* find_member(Object& object, std::string_view key) {
  if (object.slots) {
    const std::uint32_t at = *slot_of(object, key);
    return at == 0 ? nullptr : &object.members[at - 1];
  }
  for (std::uint32_t i = 0; i < object.count; ++i)
    if (object.members[i].key.characters() == key) return &object.members[i];
  return nullptr;
}

void index_members(Arena& arena, Object& object) {
  if (object.capacity <= kIndexedMembers) {
    object.slots = nullptr;
    return;
  }
  std::uint32_t size = 64;
  while (size < object.capacity * 2) size *= 2;
  object.slots = arena.make_array<std::uint32_t>(size);
  object.slot_mask = size - 1;
  std::fill_n(object.slots, size, 0u);
  for (std::uint32_t i = 0; i < object.count; ++i)
    *slot_of(object, object.members[i].key.characters()) = i + 1;
}

}  // namespace

void Evaluation::put(Object& object, Value key, Value value) {
  if (object.count > 0 || object.slots) {
    if (Member* const known = find_member(object, key.characters())) {
      known->value = value;
      return;
    }
  }
  if (object.count == object.capacity) {
    Member* const members = arena_.make_array<Member>(object.capacity * std::size_t{2});
    std::copy_n(object.members, object.count, members);
    object.members = members;
    object.capacity *= 2;
    index_members(arena_, object);
  } else if (!object.slots && object.capacity > kIndexedMembers) {
    index_members(arena_, object);
  }
  if (object.slots) *slot_of(object, key.characters()) = object.count + 1;
  object.members[object.count++] = {key, value};
}

void Evaluation::erase(Object& object, std::string_view key) {
  Member* const known = find_member(object, key);
  if (!known) return;
  std::copy(known + 1, object.members + object.count, known);
  --object.count;
  index_members(arena_, object);
}

Value Evaluation::keep(Payload payload) {
  documents_.push_back(std::move(payload));
  return value_of(documents_.back().view());
}

std::uint64_t Evaluation::draw() {
  return mix(environment_.seed, ++environment_.draws);
}

// ---- reading --------------------------------------------------------------------------------------------

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
    open(value);
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
    open(run.value);
  }
}

void Evaluation::Items::open(Value array) {
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
  if (depth_ > depth_max_) return deep();
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
      if (depth_ > depth_max_) return deep(), false;
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
    if (depth_ > depth_max_) return deep(), false;
    ++depth_;
    bool same = true;
    Items left(*this, a), right(*this, b);
    for (Value x, y; same && left.next(x) && right.next(y);) same = equal(x, y);
    --depth_;
    return same;
  }
  if (a.is_object() && b.is_object()) {
    if (member_count(a) != member_count(b)) return false;
    if (depth_ > depth_max_) return deep(), false;
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

// ---- text and documents ---------------------------------------------------------------------------------

bool Evaluation::append_string(std::string& out, Value value, bool pretty) {
  if (value.is_string()) {
    out += value.characters();
    return true;
  }
  if (value.is_function()) return true;
  if (value.is_number()) {
    const double d = value.to_double();
    if (!std::isfinite(d)) return fail("D3001", value), false;
    out += number_text(shown_number(d));
    return true;
  }
  if (value.tag == Value::Tag::Array && value.array->outer_wrapper) value = value.array->items[0];
  return append_json(out, value, pretty);
}

bool Evaluation::append_json(std::string& out, Value value, bool pretty, int depth) {
  if (!work(1)) return false;
  if (depth > depth_max_ / 4) return deep(), false;
  if (out.size() > environment_.limits->jsonata_memory_max) return over_memory(), false;
  bool fine = true, first = true;
  switch (value.tag) {
    case Value::Tag::Boolean:
      out += value.truth ? "true" : "false";
      return true;
    case Value::Tag::Number:
    case Value::Tag::InputNumber: {
      const double d = value.to_double();
      if (std::isnan(d)) return out += "null", true;
      if (!is_numeric(value)) return false;
      out += number_text(shown_number(d));
      return true;
    }
    case Value::Tag::String:
      append_quoted(out, value.characters());
      return true;
    case Value::Tag::Function:
      out += "\"\"";
      return true;
    case Value::Tag::InputArray:
    case Value::Tag::Array: {
      out += '[';
      Items items(*this, value);
      for (Value item; fine && items.next(item); first = false) {
        if (!first) out += ',';
        append_line(out, pretty, depth + 1);
        fine = append_json(out, item, pretty, depth + 1);
      }
      if (!first) append_line(out, pretty, depth);
      out += ']';
      return fine;
    }
    case Value::Tag::InputObject:
    case Value::Tag::Object:
      out += '{';
      for_each_member(value, [&](std::string_view key, Value item) {
        if (item.is_undefined()) return true;
        if (!first) out += ',';
        first = false;
        append_line(out, pretty, depth + 1);
        append_quoted(out, key);
        out += pretty ? ": " : ":";
        fine = append_json(out, item, pretty, depth + 1);
        return fine;
      });
      if (!first) append_line(out, pretty, depth);
      out += '}';
      return fine;
    default:
      out += "null";
      return true;
  }
}

std::string Evaluation::json_for_message(Value value) {
  if (value.is_undefined()) return {};
  if (value.is_number()) return number_text(value.to_double());
  // What is asked for a message must not fail for itself.
  const std::int64_t steps = steps_left_;
  std::string out;
  steps_left_ = kMessageBytesMax * 4;
  append_json(out, value, false);
  steps_left_ = steps;
  failed_ = false;
  if (out.size() > kMessageBytesMax) out = std::string(first_code_points(out, kMessageBytesMax)) + "...";
  return out;
}

Value Evaluation::clone(Value value, int depth) {
  if (!work(1)) return Value::failed();
  if (depth > depth_max_ / 4) return deep();
  if (value.is_array()) {
    Collector copies(*this);
    Items items(*this, value);
    for (Value item; items.next(item);) {
      const Value copy = clone(item, depth + 1);
      if (copy.has_failed()) return copy;
      copies.push(copy);
    }
    return copies.array(false);
  }
  if (!value.is_object()) return value.is_function() ? Value::string("") : value;
  Object* const made = make_object(member_count(value));
  for_each_member(value, [&](std::string_view key, Value item) {
    const Value copy = clone(item, depth + 1);
    if (!copy.has_failed()) put(*made, Value::string(key), copy);
    return !copy.has_failed();
  });
  return failed_ ? Value::failed() : Value::of_object(made);
}

bool Evaluation::write(JsonWriter& out, Value value, int depth) {
  if (depth > environment_.limits->json_depth_max) return deep(), false;
  switch (value.tag) {
    case Value::Tag::Boolean:
      out.boolean(value.truth);
      return true;
    case Value::Tag::Number:
      if (!std::isfinite(value.real)) return fail("D1001", value), false;
      out.number_text(number_text(value.real));
      return true;
    case Value::Tag::InputNumber:
    case Value::Tag::InputArray:
    case Value::Tag::InputObject:
      out.value(value.view());
      return true;
    case Value::Tag::String:
      if (valid_utf8(value.characters()))
        out.string(value.characters());
      else
        out.string(without_lone_surrogates(value.characters()));
      return true;
    case Value::Tag::Array: {
      if (!work(value.array->count)) return false;
      out.begin_array();
      Items items(*this, value);
      for (Value item; items.next(item);)
        if (!write(out, item, depth + 1)) return false;
      out.end_array();
      return true;
    }
    case Value::Tag::Object:
      out.begin_object();
      for (std::uint32_t i = 0; i < value.object->count; ++i) {
        const Member& member = value.object->members[i];
        if (member.value.is_undefined()) continue;
        out.key(member.key.characters());
        if (!write(out, member.value, depth + 1)) return false;
      }
      out.end_object();
      return true;
    case Value::Tag::Function:
      unsupported_ = true;
      return false;
    default:
      out.null();
      return true;
  }
}

}  // namespace millrace::definitions::jsonata
