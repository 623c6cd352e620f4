#include <uv.h>

#include <atomic>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "orchestrator/loop/loop.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kDrainMax = 1024;  // posted works a turn, so that timers and signals get theirs
constexpr Millis kLookAtClock = std::chrono::seconds(1);  // how late a jump of the wall clock may be noticed

class RealLoop final : public UvLoop {
 public:
  explicit RealLoop(const Clock& clock) : clock_(clock) {
    MR_CHECK(uv_loop_init(&loop_) == 0, "the event loop starts");
    MR_CHECK(uv_async_init(&loop_, &wake_, [](uv_async_t* h) { self(h)->drain(); }) == 0,
             "the event loop can be woken");
    MR_CHECK(uv_timer_init(&loop_, &timer_) == 0, "the event loop has a timer");
    wake_.data = timer_.data = this;
  }
  ~RealLoop() override {
    // libuv closes handles from the loop; it must run until the last close has been reported.
    uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
    for (auto& signal : signals_) uv_close(reinterpret_cast<uv_handle_t*>(&signal->handle), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    MR_CHECK(uv_loop_close(&loop_) == 0, "every handle of the event loop is closed");
  }

  void post(std::function<void()> work) override {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(work));
    }
    uv_async_send(&wake_);
  }

  TimerHandle at(Instant due, std::function<void()> work) override {
    const TimerHandle handle = ++last_timer_;
    dues_.emplace(handle, due);
    timers_.emplace(std::pair(due, handle), std::move(work));
    if (timers_.begin()->first.second == handle) arm();
    return handle;
  }
  void cancel(TimerHandle timer) override {
    const auto found = dues_.find(timer);
    if (found == dues_.end()) return;
    timers_.erase({found->second, timer});
    dues_.erase(found);  // the timer may fire for nothing, once
  }
  const Clock& clock() const override { return clock_; }

  void run() override {
    uv_run(&loop_, UV_RUN_DEFAULT);
    stopping_ = false;
  }
  void stop() override {
    stopping_ = true;
    uv_async_send(&wake_);
  }
  void on_signal(int signal, std::function<void()> handler) override {
    auto& node = signals_.emplace_back(std::make_unique<Signal>());
    node->handler = std::move(handler);
    MR_CHECK(uv_signal_init(&loop_, &node->handle) == 0, "the event loop listens to signals");
    node->handle.data = node.get();
    const auto fired = [](uv_signal_t* h, int) { static_cast<Signal*>(h->data)->handler(); };
    MR_CHECK(uv_signal_start(&node->handle, fired, signal) == 0, "the signal can be handled");
  }
  uv_loop_s* handle() override { return &loop_; }

 private:
  struct Signal {
    uv_signal_t handle;
    std::function<void()> handler;
  };
  template <class Handle>
  static RealLoop* self(Handle* handle) {
    return static_cast<RealLoop*>(handle->data);
  }

  void drain() {
    for (std::size_t done = 0; done < kDrainMax; ++done) {
      if (next_ == draining_.size()) {
        draining_.clear();
        next_ = 0;
        const std::lock_guard lock(mutex_);
        draining_.swap(posted_);
        if (draining_.empty()) break;
      }
      const auto work = std::move(draining_[next_++]);
      work();
    }
    const bool more = next_ < draining_.size() || something_posted();
    if (more) {
      uv_async_send(&wake_);
    } else if (stopping_) {
      uv_stop(&loop_);
    }
  }
  bool something_posted() {
    const std::lock_guard lock(mutex_);
    return !posted_.empty();
  }

  // Sets the timer for the first due time, or for a look at the clock when that is far away; not before
  // `least`.
  void arm(Millis least = Millis(0)) {
    if (timers_.empty()) {
      uv_timer_stop(&timer_);
      return;
    }
    const auto until = std::chrono::duration_cast<Millis>(timers_.begin()->first.first - clock_.now());
    const Millis wait = std::clamp(until, least, kLookAtClock);
    uv_update_time(&loop_);
    const auto fired = [](uv_timer_t* h) { self(h)->fire(); };
    uv_timer_start(&timer_, fired, static_cast<std::uint64_t>(wait.count()), 0);
  }
  void fire() {
    // What is due now; what the works add comes in the next turn, so that a timer that is always due starves
    // nobody.
    const Instant now = clock_.now();
    const TimerHandle newest = last_timer_;
    for (auto it = timers_.begin(); it != timers_.end() && it->first.first <= now;) {
      if (it->first.second > newest) {
        ++it;
        continue;
      }
      const auto key = it->first;
      const auto work = std::move(it->second);
      dues_.erase(key.second);
      timers_.erase(it);
      work();
      it = timers_.upper_bound(key);
    }
    arm(Millis(1));  // libuv would fire a timer of 0 ms again before anything else has its turn
  }

  const Clock& clock_;
  uv_loop_t loop_;
  uv_async_t wake_;
  uv_timer_t timer_;
  std::vector<std::unique_ptr<Signal>> signals_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  std::vector<std::function<void()>> draining_;
  std::size_t next_ = 0;  // of draining_
  std::map<std::pair<Instant, TimerHandle>, std::function<void()>> timers_;
  std::unordered_map<TimerHandle, Instant> dues_;
  TimerHandle last_timer_ = 0;
  std::atomic<bool> stopping_ = false;
};

}  // namespace

std::unique_ptr<UvLoop> make_uv_loop(const Clock& clock) {
  return std::make_unique<RealLoop>(clock);
}

}  // namespace millrace::orchestrator
