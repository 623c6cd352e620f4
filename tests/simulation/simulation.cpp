#include "tests/simulation/simulation.h"

#include "orchestrator/engine.h"
#include "tests/simulation/random_definition.h"
#include "tests/simulation/simulated_committer.h"
#include "tests/simulation/simulated_runner.h"

namespace millrace::simulation {
namespace {

using namespace orchestrator;
using states::ExecutionStatus;

constexpr std::uint64_t kStepsMax = 400'000;
constexpr std::uint64_t kCalmAfterSteps = 30'000;

class CrashingWorld final : public Observer {
 public:
  explicit CrashingWorld(std::uint64_t seed)
      : seed_(seed),
        random_(Random(seed).derive("world")),
        scheduler_(seed),
        ledger_(scheduler_.clock(), findings_),
        runner_(scheduler_, ledger_, findings_, mix(seed, 7)) {
    faults_.full = random_.below(2) == 0 ? 0.03 : 0;
    faults_.unheard = random_.below(3) == 0 ? 0.02 : 0;
    faults_.slow = random_.below(3) == 0 ? 0.05 : 0;
    crash_one_in_ = random_.below(4) == 0 ? 0 : 10 + random_.below(200);
    crashes_left_ = 1 + random_.below(12);
    plan();
  }

  Run run() {
    boot();
    std::uint64_t steps = 0;
    while (findings_.first().empty() && steps < kStepsMax && !finished()) {
      if (++steps == kCalmAfterSteps) calm_down();
      if (engine_ && crash_one_in_ > 0 && crashes_left_ > 0 && random_.below(crash_one_in_) == 0) {
        --crashes_left_;
        die(Millis(random_.below(4) == 0 ? random_.below(120'000) : random_.below(2'000)));
      } else if (!scheduler_.step()) {
        // Nothing more will happen by itself. An execution whose first append was written but answered with
        // an error is nobody's until a restart; nothing else may be left.
        if (faults_.unheard == 0 || restarted_at_rest_) break;
        restarted_at_rest_ = true;
        calm_down();
        die(Millis(10));
      }
    }
    check_end();
    return {findings_.first(),   ledger_.trace(), steps, ledger_.events(), ledger_.shadows().size(), crashes_,
            runner_.performed(), ledger_.types()};
  }

  void on_events(ExecutionId id, const states::Execution& execution,
                 std::span<const states::Event>) override {
    ledger_.check_view(id, execution);
  }
  void on_progress(ExecutionId, FrameId, const std::string&, const Payload&) override {}

 private:
  struct Start {
    std::string machine, name;
    Payload input;
    bool answered = false;
    bool acknowledged = false;
    ExecutionId id;
    std::string last_error;
    std::uint64_t asked = 0;
  };

  // ---- what clients will do
  void plan() {
    machines_.emplace_back("child", random_definition(random_.next()));
    for (std::uint64_t i = 0; i < 1 + random_.below(3); ++i) {
      const auto& fixed = fixed_definitions();
      const bool is_fixed = random_.below(6) == 0;
      machines_.emplace_back("machine-" + std::to_string(i),
                             is_fixed ? fixed[random_.below(fixed.size())]
                                      : random_definition(random_.next(), random_.below(2) == 0));
    }
    const std::uint64_t count = 2 + random_.below(7);
    for (std::uint64_t i = 0; i < count; ++i) {
      Start start;
      start.machine = machines_[random_.below(machines_.size())].first;
      start.name =
          i > 0 && random_.below(8) == 0 ? starts_[random_.below(i)].name : "run-" + std::to_string(i);
      start.input =
          Payload::literal("{\"n\":" + std::to_string(random_.below(5)) + ",\"items\":[1,2,3],\"count\":0}");
      starts_.push_back(std::move(start));
      scheduler_.after(Millis(random_.below(60'000)), [this, i] { begin(i); });
    }
    for (std::uint64_t i = 0; i < random_.below(3); ++i)
      scheduler_.after(Millis(random_.below(200'000)), [this] { stop_one(); });
    for (std::uint64_t i = 0; i < random_.below(4); ++i)
      scheduler_.after(Millis(random_.below(300'000)), [this] { redrive_one(); });
  }

  void begin(std::size_t i) {
    Start& start = starts_[i];
    if (start.answered) return;
    ++start.asked;
    if (!serving_) return again(i);
    engine_->start_execution(
        {start.machine, start.name, start.input},
        [this, i, life = life_](Result<Started> result) {
          if (life != life_) return findings_.add("an answer came from an engine that is gone");
          Start& mine = starts_[i];
          if (result) {
            mine.answered = mine.acknowledged = true;
            mine.id = result->id;
            const auto* shadow = ledger_.find(result->id);
            if (!shadow) return findings_.add("a start was acknowledged before it was durable");
            if (shadow->execution.identity.name != result->name)
              findings_.add("a start was answered with another execution's name");
            return;
          }
          // AlreadyExists answers a retry after a lost answer as well as a name that is taken.
          if (result.error().code == ErrorCode::AlreadyExists) {
            mine.answered = true;
          } else {
            mine.last_error = result.error().message;
            again(i);
          }
        },
        [this, i, life = life_, told = std::make_shared<int>(0)](const Ended& ended) {
          if (life != life_) return findings_.add("an end was told by an engine that is gone");
          if (++*told > 1) findings_.add("an end was told twice");
          check_ended(ended);
        });
    // The answer may die with the engine: a client asks again, with the same name.
    again(i, Millis(30'000));
  }
  void again(std::size_t i, Millis delay = Millis(1'000)) {
    scheduler_.after(delay + Millis(random_.below(1'000)), [this, i, asked = starts_[i].asked] {
      if (asked == starts_[i].asked) begin(i);
    });
  }
  void check_ended(const Ended& ended) {
    const auto* shadow = ledger_.find(ended.id);
    if (!shadow || shadow->execution.status != ended.status || !shadow->execution.ended() ||
        shadow->execution.output != ended.output || shadow->execution.failure != ended.failure) {
      findings_.add("an end was told that is not durable");
    }
  }
  void stop_one() {
    if (!serving_ || ledger_.shadows().empty()) return;
    auto it = ledger_.shadows().begin();
    std::advance(it, static_cast<std::ptrdiff_t>(random_.below(ledger_.shadows().size())));
    const ExecutionId id = it->first;
    const bool was_ended = it->second.execution.ended();
    engine_->stop_execution(id, Failure{"Client.Stop", "enough", true, true},
                            [this, id, was_ended](Result<void> result) {
                              if (result && !ledger_.find(id)->execution.ended())
                                findings_.add("a stop was acknowledged, and the execution runs");
                              (void)was_ended;
                            });
  }

  void redrive_one() {
    if (!serving_ || ledger_.shadows().empty()) return;
    auto it = ledger_.shadows().begin();
    std::advance(it, static_cast<std::ptrdiff_t>(random_.below(ledger_.shadows().size())));
    const ExecutionId id = it->first;
    const std::string arn = it->second.execution.identity.arn;
    engine_->redrive_execution(arn, {}, [this, id](const Result<Instant>& redriven) {
      if (redriven && ledger_.find(id)->execution.redriven != *redriven)
        findings_.add("a redrive was acknowledged that is not durable");
    });
  }

  // ---- the engine's lives
  void boot() {
    ++life_;
    loop_ = std::make_unique<SimulatedLoop>(scheduler_);
    committer_ = std::make_unique<SimulatedCommitter>(scheduler_, *loop_, ledger_, faults_,
                                                      random_.derive("committer", life_));
    EngineSettings settings;
    settings.seed = mix(seed_, life_);
    settings.park_after = Millis(random_.below(3) == 0 ? 0 : 30'000);
    engine_ =
        std::make_unique<Engine>(*loop_, *committer_, runner_, settings, *ledger_.store().last_execution());
    engine_->observe(this);
    const std::size_t unfinished = ledger_.unfinished();
    engine_->recover([this, unfinished](Result<RecoverySummary> summary) {
      if (!summary) return findings_.add("recovery: " + summary.error().message);
      if (summary->executions != unfinished)
        findings_.add("recovery did not take up every unfinished execution");
      make_machines(0);
    });
  }
  void make_machines(std::size_t i) {
    if (i == machines_.size()) {
      serving_ = true;
      return;
    }
    engine_->create_machine(machines_[i].first, machines_[i].second, [this, i](Result<MachineRow> row) {
      if (!row) return findings_.add("create_machine: " + row.error().message + "\n" + machines_[i].second);
      make_machines(i + 1);
    });
  }
  void die(Millis down_for) {
    ++crashes_;
    serving_ = false;
    engine_.reset();
    committer_.reset();
    loop_.reset();
    runner_.engine_died();
    scheduler_.after(down_for, [this] { boot(); });
  }
  void calm_down() {
    faults_.full = 0;
    faults_.slow = 0;
    if (!restarted_at_rest_)
      faults_.unheard = faults_.unheard > 0 ? 1e-12 : 0;  // still remembered: a restart may be needed
    crashes_left_ = 0;
  }

  bool finished() const {
    if (!serving_ || ledger_.unfinished() > 0 || engine_->live() > 0) return false;
    return std::all_of(starts_.begin(), starts_.end(), [](const Start& s) { return s.answered; });
  }
  void check_end() {
    if (!findings_.first().empty()) return;
    for (const Start& start : starts_) {
      if (!start.answered)
        return findings_.add("a start was never answered: " + start.name +
                             ", last error: " + start.last_error);
      if (start.acknowledged && !ledger_.find(start.id))
        return findings_.add("an acknowledged execution is gone: " + start.name);
    }
    for (const auto& [id, shadow] : ledger_.shadows()) {
      if (!shadow.execution.ended())
        return findings_.add("execution " + std::to_string(id.value) + " never ended");
      const auto events = ledger_.store().events(id, 0, ~std::size_t{0});
      states::Execution again;
      for (const states::Event& event : *events) states::evolve(again, *shadow.program, event);
      if (!(again == shadow.execution)) return findings_.add("the stored history folds to something else");
    }
    if (engine_->live() > 0) findings_.add("the engine keeps executions that have ended");
  }

  const std::uint64_t seed_;
  Random random_;
  Findings findings_;
  Scheduler scheduler_;
  Ledger ledger_;
  SimulatedRunner runner_;
  StoreFaults faults_;
  std::uint64_t crash_one_in_ = 0, crashes_left_ = 0, crashes_ = 0, life_ = 0;
  bool serving_ = false, restarted_at_rest_ = false;
  std::vector<std::pair<std::string, std::string>> machines_;
  std::vector<Start> starts_;
  std::unique_ptr<SimulatedLoop> loop_;
  std::unique_ptr<SimulatedCommitter> committer_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace

Run simulate(std::uint64_t seed) {
  return CrashingWorld(seed).run();
}

}  // namespace millrace::simulation
