#pragma once
// The world of tasks: they succeed, fail, stall, beat, report twice, die with the engine or survive it. What
// an attempt does follows from the seed and its key alone, so a re-dispatched attempt does the same again.
// Outlives the engine.

#include <map>

#include "simulation/scheduler.h"
#include "tests/simulation/ledger.h"

namespace millrace::simulation {

class SimulatedRunner final : public orchestrator::TaskRunner {
 public:
  SimulatedRunner(Scheduler& scheduler, Ledger& ledger, Findings& findings, std::uint64_t seed)
      : scheduler_(scheduler), ledger_(ledger), findings_(findings), seed_(seed) {}

  bool serves(const std::string& resource) const override {
    return resource.find("unserved") == std::string::npos;
  }

  void start(orchestrator::TaskRequest request, Report report) override {
    const TaskKey key = request.key;
    if (!ledger_.outstanding(key)) {
      findings_.add("a task was started that the durable history does not ask for: execution " +
                    std::to_string(key.execution.value) + " " + request.state_name + " attempt " +
                    std::to_string(key.attempt));
    }
    auto [at, fresh] = jobs_.try_emplace(key);
    Job& job = at->second;
    job.report = std::move(report);
    if (job.state == Job::Running) return;                             // re-attached
    if (job.state == Job::Done) return deliver_later(key, Millis(1));  // by key: done once, told again
    ++performed_;
    job.state = Job::Running;
    job.incarnation = ++incarnations_;
    begin(key, job, request);
  }

  void cancel(const TaskKey& key) override {
    const auto found = jobs_.find(key);
    if (found == jobs_.end()) return;
    if (Random(mix(seed_, found->second.incarnation)).below(3) > 0)
      found->second.state = Job::Gone;  // best effort
  }

  // The engine died: what ran inside it is gone, other jobs go on; nobody listens.
  void engine_died() {
    for (auto& [key, job] : jobs_) {
      job.report = nullptr;
      if (job.state == Job::Running && !job.survives) job.state = Job::Gone;
    }
  }
  std::uint64_t performed() const { return performed_; }

 private:
  struct Job {
    enum State { New, Running, Done, Gone } state = New;
    std::uint64_t incarnation = 0;
    bool survives = false;
    Report report;
    std::optional<Outcome> outcome;
  };

  void begin(const TaskKey& key, Job& job, const orchestrator::TaskRequest& request) {
    Random random(mix(mix(seed_, key.execution.value), mix(mix(key.frame.value, key.visit), key.attempt)));
    job.survives = random.below(2) == 0;
    const bool may_stall = request.resource.find("timed") != std::string::npos;
    const bool beats = random.below(4) > 0;
    const bool stalls = may_stall && random.below(6) == 0;
    const auto takes = Millis(random.below(4) == 0 ? random.below(40'000) : random.below(300));
    if (random.below(10) < 7) {
      job.outcome = Payload::literal("{\"n\":" + std::to_string(random.below(6)) + ",\"from\":\"" +
                                     request.state_name + "\"}");
    } else {
      static const char* const kErrors[] = {"Custom.Error", "States.TaskFailed", "Lambda.ServiceException"};
      job.outcome = tl::unexpected<Failure>(
          Failure{kErrors[random.below(3)], "attempt " + std::to_string(key.attempt), true, true});
    }
    const std::uint64_t incarnation = job.incarnation;
    if (beats) {
      for (Millis t(500); t < takes; t += Millis(900))
        at(key, incarnation, t, orchestrator::Heartbeat{Payload::empty_object()});
    }
    if (request.resource.find(".sync") != std::string::npos && random.below(5) > 0) {
      at(key, incarnation, takes / 2, orchestrator::Submitted{Payload::literal("{\"job\":\"j\"}")});
    }
    if (stalls) return;
    scheduler_.after(takes, [this, key, incarnation, twice = random.below(6) == 0] {
      Job& done = jobs_.at(key);
      if (done.incarnation != incarnation || done.state != Job::Running) return;
      done.state = Job::Done;
      deliver(key);
      if (twice) deliver_later(key, Millis(2));
    });
  }
  void at(const TaskKey& key, std::uint64_t incarnation, Millis after, orchestrator::TaskReport report) {
    scheduler_.after(after, [this, key, incarnation, report = std::move(report)] {
      const Job& job = jobs_.at(key);
      if (job.incarnation == incarnation && job.state == Job::Running && job.report)
        Report(job.report)(key, report);
    });
  }
  void deliver_later(const TaskKey& key, Millis delay) {
    scheduler_.after(delay, [this, key] { deliver(key); });
  }
  void deliver(const TaskKey& key) {
    const Job& job = jobs_.at(key);
    if (!job.report) return;
    ledger_.delivered(key, *job.outcome);
    const Report report = job.report;
    report(key, *job.outcome);
  }

  Scheduler& scheduler_;
  Ledger& ledger_;
  Findings& findings_;
  const std::uint64_t seed_;
  std::map<TaskKey, Job> jobs_;
  std::uint64_t incarnations_ = 0, performed_ = 0;
};

}  // namespace millrace::simulation
