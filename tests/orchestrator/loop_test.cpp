#include "orchestrator/loop/loop.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

// The system's clock, with a jump that a test can make.
class JumpingClock final : public Clock {
 public:
  Instant now() const override { return real_.now() + Millis(jump_.load()); }
  Millis uptime() const override { return real_.uptime(); }
  void jump(Millis by) { jump_ += by.count(); }

 private:
  SystemClock real_;
  std::atomic<std::int64_t> jump_ = 0;
};

}  // namespace

TEST_CASE("loop: works of one thread run in the order posted, on the loop's thread") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  std::vector<std::vector<int>> seen(3);
  std::thread::id loop_thread;
  std::atomic<int> left = 3;
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        loop->post([&, t, i] {
          seen[t].push_back(i);
          CHECK(std::this_thread::get_id() == loop_thread);
        });
      }
      if (--left == 0) loop->stop();
    });
  }
  loop_thread = std::this_thread::get_id();
  loop->run();
  threads.clear();
  loop->stop();
  loop->run();  // what was posted while the first run ended
  for (const auto& numbers : seen) {
    REQUIRE(numbers.size() == 5000);
    for (int i = 0; i < 5000; ++i) REQUIRE(numbers[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("loop: stop lets run what is posted, and the loop may run again") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  int count = 0;
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 3000; ++i) loop->post([&] { ++count; });
    loop->post([&] {
      loop->stop();
      loop->post([&] { ++count; });
    });
    loop->run();
    CHECK(count == 3001 * round);
  }
}

TEST_CASE("loop: timers come in order of their times, never early; cancelled ones do not come") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  std::vector<int> order;
  const Instant start = clock.now();
  const auto at = [&](int ms) {
    return loop->at(start + Millis(ms), [&, ms] {
      CHECK(clock.now() >= start + Millis(ms));
      order.push_back(ms);
    });
  };
  at(30);
  const TimerHandle gone = at(20);
  at(10);
  at(-1000);
  loop->at(start + Millis(5), [&] { loop->cancel(gone); });
  loop->at(start + Millis(12), [&] { at(12); });  // added while timers fire
  const TimerHandle fired = at(1);
  loop->at(start + Millis(45), [&] {
    loop->cancel(fired);
    loop->cancel(12345);
    loop->cancel(0);
    loop->stop();
  });
  loop->run();
  CHECK(order == std::vector{-1000, 1, 10, 12, 30});
}

TEST_CASE("loop: a timer that is always due does not keep posted work from running") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  int fired = 0;
  std::function<void()> again = [&] {
    ++fired;
    loop->at(clock.now(), again);
  };
  again();
  std::function<void(int)> hop = [&](int left) {
    left == 0 ? loop->stop() : loop->post([&, left] { hop(left - 1); });
  };
  loop->at(clock.now() + Millis(20), [&] { hop(100); });
  loop->run();
  CHECK(fired > 1);
}

TEST_CASE("loop: a jump of the wall clock is noticed within about a second") {
  JumpingClock clock;
  const auto loop = make_uv_loop(clock);
  const Millis begin = clock.uptime();
  loop->at(clock.now() + std::chrono::hours(1), [&] { loop->stop(); });
  std::jthread jump([&] {
    std::this_thread::sleep_for(Millis(50));
    clock.jump(std::chrono::hours(2));
  });
  loop->run();
  CHECK(clock.uptime() - begin < Millis(2500));
}

TEST_CASE("loop: signals are handled on the loop") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  int seen = 0;
  loop->on_signal(SIGUSR1, [&] {
    if (++seen == 2) {
      loop->stop();
    } else {
      raise(SIGUSR1);
    }
  });
  loop->post([] { raise(SIGUSR1); });
  loop->run();
  CHECK(seen == 2);
}

TEST_CASE("loop: closes clean with timers, works and signals left") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  loop->at(clock.now() + std::chrono::hours(1), [] {});
  loop->at(clock.now(), [] {});
  loop->post([] {});
  loop->on_signal(SIGUSR2, [] {});
}
