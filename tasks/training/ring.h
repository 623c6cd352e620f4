#pragma once
// Ring: slots that one thread fills and another empties, in order, each used again: the memory of a stream is
// its slots. Waiting is on a condition variable. One writer, one reader.

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace millrace::tasks {

template <class Slot, std::size_t Count>
class Ring {
 public:
  // The next slot to fill; null after stop().
  Slot* begin_write() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || written_ - read_ < Count; });
    return stopped_ ? nullptr : &slots_[written_ % Count];
  }
  void end_write() {
    move([&] { ++written_; });
  }
  // Nothing more will be written.
  void close() {
    move([&] { closed_ = true; });
  }

  // The next full slot; null when there will be none.
  Slot* begin_read() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || closed_ || written_ != read_; });
    return stopped_ || written_ == read_ ? nullptr : &slots_[read_ % Count];
  }
  void end_read() {
    move([&] { ++read_; });
  }

  // Both sides give up.
  void stop() {
    move([&] { stopped_ = true; });
  }

 private:
  void move(auto&& change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }

  std::array<Slot, Count> slots_;
  std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  std::size_t written_ = 0, read_ = 0;
  bool closed_ = false, stopped_ = false;
};

}  // namespace millrace::tasks
