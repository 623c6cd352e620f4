#pragma once
// Id<Tag>: a number that is not any other number: an ExecutionId does not convert to a FrameId.

#include <compare>
#include <cstdint>
#include <functional>

namespace millrace {

template <class Tag>
struct Id {
  std::uint64_t value = 0;
  auto operator<=>(const Id&) const = default;
};

using ExecutionId = Id<struct ExecutionTag>;
using FrameId = Id<struct FrameTag>;

}  // namespace millrace

template <class Tag>
struct std::hash<millrace::Id<Tag>> {
  std::size_t operator()(const millrace::Id<Tag>& id) const noexcept {
    return std::hash<std::uint64_t>()(id.value);
  }
};
