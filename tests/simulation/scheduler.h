#pragma once
// Virtual time. Everything that happens in a simulation is an entry here; the seed decides the order of what
// is due at the same instant. One thread.

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/random.h"
#include "orchestrator/loop/loop.h"

namespace millrace::simulation {

class SimulatedClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  Millis uptime() const override { return now_ - start_; }
  void advance_to(Instant t) { now_ = std::max(now_, t); }

 private:
  const Instant start_ = from_millis(1'700'000'000'000);
  Instant now_ = start_;
};

class Scheduler {
 public:
  explicit Scheduler(std::uint64_t seed) : random_(Random(seed).derive("order")) {}

  std::uint64_t at(Instant due, std::function<void()> work) {
    const std::uint64_t number = ++last_;
    const Key key{std::max(due, clock_.now()), random_.next(), number};
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
  // Does the next thing; false when there is none.
  bool step() {
    if (entries_.empty()) return false;
    auto entry = entries_.extract(entries_.begin());
    keys_.erase(entry.key().number);
    clock_.advance_to(entry.key().when);
    entry.mapped()();
    return true;
  }
  const SimulatedClock& clock() const { return clock_; }

 private:
  struct Key {
    Instant when;
    std::uint64_t tie, number;
    auto operator<=>(const Key&) const = default;
  };
  SimulatedClock clock_;
  Random random_;
  std::uint64_t last_ = 0;
  std::map<Key, std::function<void()>> entries_;
  std::unordered_map<std::uint64_t, Key> keys_;
};

// The loop of one life of the engine: what it still had to do is gone when it is.
class SimulatedLoop final : public orchestrator::Loop {
 public:
  explicit SimulatedLoop(Scheduler& scheduler) : scheduler_(scheduler) {}
  ~SimulatedLoop() override { *alive_ = false; }

  void post(std::function<void()> work) override {
    // In the order posted among themselves, in any order with what else is due now.
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
