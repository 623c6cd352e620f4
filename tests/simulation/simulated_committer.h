#pragma once
// A committer over the ledger that loses what was not synced: it dies with the engine, and what it had not
// written by then is gone. It may also die between writing and answering: durable, but nobody heard.

#include <deque>
#include <variant>

#include "orchestrator/committer.h"
#include "simulation/scheduler.h"
#include "tests/simulation/ledger.h"

namespace millrace::simulation {

struct StoreFaults {
  double full = 0;     // of groups: refused with OutOfSpace, nothing written
  double unheard = 0;  // of groups: written, and yet answered with an error
  double slow = 0;     // of groups: takes seconds
};

class SimulatedCommitter final : public orchestrator::Committer {
 public:
  SimulatedCommitter(Scheduler& scheduler, orchestrator::Loop& loop, Ledger& ledger,
                     const StoreFaults& faults, Random random)
      : scheduler_(scheduler), loop_(loop), ledger_(ledger), faults_(faults), random_(std::move(random)) {}
  ~SimulatedCommitter() override { *alive_ = false; }

  void submit(Append append, Done done) override { put(Submitted{std::move(append), std::move(done)}); }
  void run(std::function<void(orchestrator::Store&)> job, std::function<void()> done) override {
    put(Job{std::move(job), std::move(done)});
  }

 private:
  struct Submitted {
    Append append;
    Done done;
  };
  struct Job {
    std::function<void(orchestrator::Store&)> work;
    std::function<void()> done;
  };

  void put(std::variant<Submitted, Job> item) {
    queue_.push_back(std::move(item));
    if (!busy_) turn();
  }
  void later(Millis delay, std::function<void()> work) {
    scheduler_.after(delay, [alive = alive_, work = std::move(work)] {
      if (*alive) work();
    });
  }
  void turn() {
    busy_ = true;
    const bool slow = random_.uniform() < faults_.slow;
    later(Millis(random_.below(slow ? 20'000 : 4)), [this] { write(); });
  }
  void write() {
    if (auto* job = std::get_if<Job>(&queue_.front())) {
      job->work(ledger_.store());
      auto done = std::move(job->done);
      queue_.pop_front();
      return answer(std::move(done));
    }
    std::vector<Append> group;
    std::vector<Done> dones;
    for (std::uint64_t most = 1 + random_.below(8); most > 0 && !queue_.empty(); --most) {
      auto* submitted = std::get_if<Submitted>(&queue_.front());
      if (!submitted) break;
      group.push_back(std::move(submitted->append));
      dones.push_back(std::move(submitted->done));
      queue_.pop_front();
    }
    const double fate = random_.uniform();
    std::vector<Result<AppendResult>> results;
    if (fate < faults_.full) {
      results.assign(group.size(), fail(ErrorCode::OutOfSpace, "the disk is full"));
    } else {
      const auto written = ledger_.commit(group);
      results.assign(written.begin(), written.end());
      if (fate < faults_.full + faults_.unheard) {
        results.assign(group.size(), fail(ErrorCode::OutcomeUnknown, "the answer was lost"));
      }
    }
    answer([dones = std::move(dones), results = std::move(results)] {
      for (std::size_t i = 0; i < dones.size(); ++i) dones[i](results[i]);
    });
  }
  void answer(std::function<void()> call) {
    later(Millis(random_.below(3)), [this, call = std::move(call)]() mutable {
      loop_.post(std::move(call));
      busy_ = false;
      if (!queue_.empty()) turn();
    });
  }

  Scheduler& scheduler_;
  orchestrator::Loop& loop_;
  Ledger& ledger_;
  const StoreFaults& faults_;
  Random random_;
  std::deque<std::variant<Submitted, Job>> queue_;
  bool busy_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::simulation
