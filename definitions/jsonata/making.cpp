// Making values: strings, arrays, objects, all in the arena.

#include <algorithm>

#include "base/random.h"
#include "definitions/jsonata/date_time.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/object_index.h"

namespace millrace::definitions::jsonata {

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

const Checked<std::vector<DatePart>>& Evaluation::date_picture(std::string_view picture) {
  if (const auto* literal = compiled_.pictures.find(picture)) return *literal;
  if (const auto* known = pictures_.find(picture)) return *known;
  return pictures_.add(picture, jsonata::date_picture);
}

const Checked<DateReader>& Evaluation::date_reader(std::string_view picture) {
  if (const auto* literal = compiled_.readers.find(picture)) return *literal;
  if (const auto* known = readers_.find(picture)) return *known;
  return readers_.add(picture, jsonata::date_reader);
}

std::uint64_t Evaluation::draw() {
  return mix(environment_.seed, ++environment_.draws);
}

}  // namespace millrace::definitions::jsonata
