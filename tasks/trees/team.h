#pragma once
// Team: the threads of one fit. They share out numbered pieces of work and sleep between calls (after a few
// microseconds of waiting, so that short steps follow each other quickly and a busy machine loses nothing).
// What is computed must not depend on who takes which piece. One caller at a time; a piece may not call
// each().

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace millrace::tasks::trees {

class Team {
 public:
  explicit Team(int threads);  // the caller is one of them
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls work(piece, member) for every piece of [0, pieces), members are [0, size()); the caller is member
  // 0.
  template <class Work>
  void each(std::size_t pieces, Work&& work) {
    if (threads_.empty() || pieces <= 1) {
      for (std::size_t piece = 0; piece < pieces; ++piece) work(piece, 0);
      return;
    }
    run(
        pieces, [](void* w, std::size_t piece, int member) { (*static_cast<Work*>(w))(piece, member); },
        const_cast<void*>(static_cast<const void*>(&work)));
  }

  // The rows of [0, count) in pieces of `grain`: work(begin, end, member).
  template <class Work>
  void blocks(std::size_t count, std::size_t grain, Work&& work) {
    each((count + grain - 1) / grain, [&](std::size_t piece, int member) {
      const std::size_t begin = piece * grain;
      work(begin, begin + grain < count ? begin + grain : count, member);
    });
  }

 private:
  using Call = void (*)(void*, std::size_t, int);
  void run(std::size_t pieces, Call call, void* work);
  void serve(int member);
  void take(int member);

  Call call_ = nullptr;
  void* work_ = nullptr;
  std::size_t pieces_ = 0;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint32_t> turn_{0};     // grows with each call; the threads wait on it
  std::atomic<std::uint32_t> working_{0};  // threads that have not finished the turn
  std::atomic<bool> stop_{false};
  std::vector<std::jthread> threads_;
};

}  // namespace millrace::tasks::trees
