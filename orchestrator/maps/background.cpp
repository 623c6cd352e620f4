#include "orchestrator/maps/background.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace millrace::orchestrator {
namespace {

struct Job {
  std::function<void()> work, done;
};

class BackgroundThread final : public Background {
 public:
  explicit BackgroundThread(Loop& loop) : loop_(loop), thread_([this] { work(); }) {}
  ~BackgroundThread() override {
    *alive_ = false;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      jobs_.clear();
    }
    wake_.notify_one();
    thread_.join();
  }

  void run(std::function<void()> work, std::function<void()> done) override {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back({std::move(work), std::move(done)});
    }
    wake_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      Job job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
        if (stopping_) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job.work();
      loop_.post([alive = alive_, done = std::move(job.done)] {
        if (*alive) done();
      });
    }
  }

  Loop& loop_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // loop thread only
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;   // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::jthread thread_;    // last: starts when the rest is there
};

class BackgroundOnLoop final : public Background {
 public:
  explicit BackgroundOnLoop(Loop& loop) : loop_(loop) {}
  ~BackgroundOnLoop() override { *alive_ = false; }

  void run(std::function<void()> work, std::function<void()> done) override {
    loop_.post([alive = alive_, work = std::move(work), done = std::move(done)] {
      if (!*alive) return;
      work();
      done();
    });
  }

 private:
  Loop& loop_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Background> make_background(Loop& loop) {
  return std::make_unique<BackgroundThread>(loop);
}
std::unique_ptr<Background> make_background_on_loop(Loop& loop) {
  return std::make_unique<BackgroundOnLoop>(loop);
}

}  // namespace millrace::orchestrator
