#pragma once
// Collective: what the ranks of one fit do together. All of them call the same functions in the same order.
// Sums of whole numbers are exact; sums of doubles are taken in the order of the ranks: both are the same
// bytes on every rank. After the first error every call fails with it, so that a loop may look at status()
// when it is done. One thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/ranks/transport.h"

namespace millrace::tasks {

class Collective {
 public:
  explicit Collective(std::unique_ptr<Transport> transport);

  int rank() const { return rank_; }
  int size() const { return size_; }
  const Status& status() const { return status_; }

  // Replaces the values by their sums over all ranks. A ring: each rank sends twice the bytes, however many
  // there are.
  Status sum(std::span<std::int64_t> values);
  // Zeros go through the ranks in their order; each adds its own with `add`. All get what the last one has.
  Status fold(std::span<double> totals, const std::function<void(std::span<double>)>& add);
  // The same with a rank's values added as they are.
  Status sum_in_order(std::span<double> values);
  // What every rank gave, by rank: at the root alone (elsewhere empty), or everywhere.
  Result<std::vector<std::string>> gather(std::string_view bytes, int root = 0);
  Result<std::vector<std::string>> all_gather(std::string_view bytes);
  // The root's bytes everywhere.
  Status broadcast(std::string& bytes, int root = 0);
  Status barrier();
  // The last call: a rank that goes without it is lost to the others.
  Status finish();

 private:
  Status transfer(int to, std::string_view out, int from, std::span<char> in);
  Status sum_small(std::span<std::int64_t> values);
  Status sum_ring(std::span<std::int64_t> values);
  int after(int rank) const { return (rank + 1) % size(); }
  int before(int rank) const { return (rank + size() - 1) % size(); }

  std::unique_ptr<Transport> transport_;  // gone after an error
  int rank_ = 0, size_ = 1;
  Status status_;
};

// Values as the bytes that a collective moves, and back (of the same program on the same kind of processor).
template <class T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}
template <class T>
std::span<char> room_of(std::span<T> values) {
  return {reinterpret_cast<char*>(values.data()), values.size_bytes()};
}

}  // namespace millrace::tasks
