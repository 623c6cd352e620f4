#pragma once
// Which items go together: how many users have both, against how many have each. Equal bytes for any number
// of threads. Source: Sarwar et al. 2001, item-based collaborative filtering.

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/recommend/factors.h"

namespace millrace::tasks {

enum class Similarity : std::uint8_t { Cosine, CoOccurrence };

struct Neighbours {
  std::vector<std::size_t> begin;  // of each item, and the end
  std::vector<std::uint32_t> items;
  std::vector<float> similarities;  // greatest first; of equal ones the first item
};

// The most similar items of each. cosine: both / sqrt(one * other) * both / (both + shrinkage);
// co-occurrence: both. Users with more than `items_of_user_max` items are left out: they say little and cost
// much. Cancelled.
Result<Neighbours> similar_items(const PairMatrix& by_user, const PairMatrix& by_item, Similarity kind,
                                 double shrinkage, std::size_t neighbours_max, int threads,
                                 const std::function<bool()>& cancelled);
inline constexpr std::size_t kItemsOfUserMax = 2000;

}  // namespace millrace::tasks
