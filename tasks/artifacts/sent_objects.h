#pragma once
// SentObjects: the hashes of what went through this process into another store, taken on the way, so that a
// job's outputs there need not be fetched to be known. Numbered in the order they were sent; the newest
// kSentObjectsKept are remembered. Any thread.

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace millrace::tasks {

struct SentObject {
  std::string uri, sha256;
  std::uint64_t bytes = 0;
};

class SentObjects {
 public:
  static constexpr std::size_t kSentObjectsKept = 20'000;

  void add(SentObject object);
  // What was sent so far; a mark for since().
  std::uint64_t count() const;
  // The newest of each object that is `uri` or lies below it, sent after the mark, by name. Nothing when some
  // of what was sent since then is forgotten.
  std::optional<std::vector<SentObject>> since(std::uint64_t mark, const std::string& uri) const;

 private:
  mutable std::mutex mutex_;  // over what follows
  std::deque<SentObject> kept_;
  std::uint64_t count_ = 0;
};

}  // namespace millrace::tasks
