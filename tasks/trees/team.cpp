#include "tasks/trees/team.h"

#include <algorithm>

#include "base/cpu_meter.h"

namespace millrace::tasks::trees {

namespace {

constexpr int kSpins = 2000;  // a few microseconds

void team_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Team::Team(int threads) {
  const int others = std::clamp(threads, 1, 1024) - 1;
  threads_.reserve(static_cast<std::size_t>(others));
  for (int i = 0; i < others; ++i)
    threads_.emplace_back([this, i, meter = CpuMeter::current()] {
      const CpuScope scope(meter);
      serve(i + 1);
    });
}

Team::~Team() {
  stop_ = true;
  ++turn_;
  turn_.notify_all();
}

void Team::run(std::size_t pieces, Call call, void* work) {
  call_ = call, work_ = work, pieces_ = pieces;
  next_.store(0, std::memory_order_relaxed);
  working_.store(static_cast<std::uint32_t>(threads_.size()), std::memory_order_relaxed);
  turn_.fetch_add(1, std::memory_order_release);
  turn_.notify_all();
  take(0);
  for (int spin = 0; spin < kSpins && working_.load(std::memory_order_acquire) != 0; ++spin) team_pause();
  for (std::uint32_t left; (left = working_.load(std::memory_order_acquire)) != 0;) working_.wait(left);
}

void Team::take(int member) {
  for (std::size_t piece; (piece = next_.fetch_add(1, std::memory_order_relaxed)) < pieces_;)
    call_(work_, piece, member);
}

void Team::serve(int member) {
  std::uint32_t seen = 0;
  while (true) {
    for (int spin = 0; spin < kSpins && turn_.load(std::memory_order_acquire) == seen; ++spin) team_pause();
    while (turn_.load(std::memory_order_acquire) == seen) turn_.wait(seen);
    if (stop_) return;
    ++seen;
    take(member);
    if (working_.fetch_sub(1, std::memory_order_acq_rel) == 1) working_.notify_one();
  }
}

}  // namespace millrace::tasks::trees
