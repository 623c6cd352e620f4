#pragma once
// Virtual time. Everything that happens in a simulation is an entry here. What is due at the same instant
// happens in the order asked for, or in an order that the seed decides. One thread.

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/random.h"
#include "orchestrator/loop/loop.h"

namespace millrace::simulation {

inline constexpr Instant kDefaultStart{Millis{1'700'000'000'000}};  // 2023-11-14T22:13:20Z

class VirtualClock final : public Clock {
 public:
  explicit VirtualClock(Instant start) : start_(start), now_(start) {}
  Instant now() const override { return now_; }
  Millis uptime() const override { return now_ - start_; }
  void advance_to(Instant t) { now_ = std::max(now_, t); }

 private:
  const Instant start_;
  Instant now_;
};

enum class Ties { InOrder, Shuffled };

class Scheduler {
 public:
  explicit Scheduler(std::uint64_t seed, Ties ties = Ties::Shuffled, Instant start = kDefaultStart)
      : clock_(start), random_(Random(seed).derive("order")), ties_(ties) {}

  std::uint64_t at(Instant due, std::function<void()> work) {
    const std::uint64_t number = ++last_;
    const Key key{std::max(due, clock_.now()), ties_ == Ties::Shuffled ? random_.next() : 0, number};
    keys_.emplace(number, key);
    entries_.emplace(key, std::move(work));
    return number;
  }
  std::uint64_t after(Millis delay, std::function<void()> work) {
    return at(clock_.now() + delay, std::move(work));
  }
  void cancel(std::uint64_t number) {
    const auto found = keys_.find(number);
    if (found == keys_.end()) return;
    entries_.erase(found->second);
    keys_.erase(found);
  }
  // Does the next thing; false when there is none, or none until `end`.
  bool step(Instant end = Instant::max()) {
    if (entries_.empty() || entries_.begin()->first.when > end) return false;
    auto entry = entries_.extract(entries_.begin());
    keys_.erase(entry.key().number);
    clock_.advance_to(entry.key().when);
    entry.mapped()();
    return true;
  }
  const VirtualClock& clock() const { return clock_; }

 private:
  struct Key {
    Instant when;
    std::uint64_t tie, number;
    auto operator<=>(const Key&) const = default;
  };
  VirtualClock clock_;
  Random random_;
  const Ties ties_;
  std::uint64_t last_ = 0;
  std::map<Key, std::function<void()>> entries_;
  std::unordered_map<std::uint64_t, Key> keys_;
};

// The loop of one life of an engine: what it still had to do is gone when it is.
class SimulatedLoop final : public orchestrator::Loop {
 public:
  explicit SimulatedLoop(Scheduler& scheduler) : scheduler_(scheduler) {}
  ~SimulatedLoop() override { *alive_ = false; }

  void post(std::function<void()> work) override {
    // In the order posted among themselves, whatever the order of what else is due now.
    posted_.push_back(std::move(work));
    scheduler_.after(Millis(0), [this, alive = alive_] {
      if (!*alive) return;
      const auto first = std::move(posted_.front());
      posted_.pop_front();
      first();
    });
  }
  orchestrator::TimerHandle at(Instant due, std::function<void()> work) override {
    return scheduler_.at(due, [alive = alive_, work = std::move(work)] {
      if (*alive) work();
    });
  }
  void cancel(orchestrator::TimerHandle timer) override { scheduler_.cancel(timer); }
  const Clock& clock() const override { return scheduler_.clock(); }

 private:
  Scheduler& scheduler_;
  std::deque<std::function<void()>> posted_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::simulation
