#pragma once
// Members of objects by key: a walk along the few, a table of hashes (open addressing) for the many. For the
// files that make and read values.

#include <algorithm>
#include <string_view>

#include "definitions/jsonata/value.h"

namespace millrace::definitions::jsonata {

inline constexpr std::uint32_t kIndexedMembers = 16;  // objects with more have an index

inline std::uint32_t hash_of(std::string_view key) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

inline std::uint32_t* slot_of(Object& object, std::string_view key) {
  std::uint32_t at = hash_of(key) & object.slot_mask;
  while (object.slots[at] != 0 && object.members[object.slots[at] - 1].key.characters() != key)
    at = (at + 1) & object.slot_mask;
  return &object.slots[at];
}

inline Member* find_member(Object& object, std::string_view key) {
  if (object.slots) {
    const std::uint32_t at = *slot_of(object, key);
    return at == 0 ? nullptr : &object.members[at - 1];
  }
  for (std::uint32_t i = 0; i < object.count; ++i)
    if (object.members[i].key.characters() == key) return &object.members[i];
  return nullptr;
}

inline void index_members(Arena& arena, Object& object) {
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

}  // namespace millrace::definitions::jsonata
