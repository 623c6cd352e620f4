#include "definitions/jsonata/value.h"

#include <algorithm>
#include <utility>

namespace millrace::definitions::jsonata {
namespace {
constexpr std::size_t kChunkBytesMin = 16 << 10, kChunkBytesMax = 1 << 20;
}

void Arena::grow(std::size_t bytes) {
  std::size_t wanted = chunks_.empty() ? kChunkBytesMin : std::min(chunks_.back().bytes * 2, kChunkBytesMax);
  wanted = std::max(wanted, bytes);
  Chunk chunk = std::move(spare_);
  spare_ = {nullptr, 0};
  if (chunk.bytes < wanted) {
    held_ -= chunk.bytes;
    chunk = {std::unique_ptr<char[]>(new char[wanted]), wanted};
    held_ += wanted;
  }
  next_ = chunk.memory.get();
  end_ = next_ + chunk.bytes;
  chunks_.push_back(std::move(chunk));
}

void Arena::release(const Mark& mark) {
  while (chunks_.size() > mark.chunks) {
    Chunk last = std::move(chunks_.back());
    chunks_.pop_back();
    if (last.bytes > spare_.bytes) std::swap(last, spare_);
    held_ -= last.bytes;
  }
  next_ = mark.next;
  end_ = mark.end;
}

}  // namespace millrace::definitions::jsonata
