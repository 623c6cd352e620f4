#pragma once
// The stable merge sort of $sort and of `^(…)`. A template of its own because its order of comparing is
// visible: a comparison may be any function of the expression, consistent or not, and it may fail.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace millrace::definitions::jsonata {

// `behind(a, b)`: whether a belongs behind b. Halves first, the left one the smaller.
template <class T, class Behind>
void merge_sort(std::vector<T>& items, Behind& behind) {
  std::vector<T> spare(items.size());
  const auto sort = [&](auto& self, std::size_t begin, std::size_t end) -> void {
    if (end - begin < 2) return;
    const std::size_t middle = begin + (end - begin) / 2;
    self(self, begin, middle);
    self(self, middle, end);
    std::size_t left = begin, right = middle, out = begin;
    while (left < middle && right < end) {
      const bool take_right = behind(items[left], items[right]);
      spare[out++] = take_right ? items[right++] : items[left++];
    }
    while (left < middle) spare[out++] = items[left++];
    while (right < end) spare[out++] = items[right++];
    std::copy(spare.begin() + static_cast<std::ptrdiff_t>(begin),
              spare.begin() + static_cast<std::ptrdiff_t>(end),
              items.begin() + static_cast<std::ptrdiff_t>(begin));
  };
  sort(sort, 0, items.size());
}

}  // namespace millrace::definitions::jsonata
