#pragma once
// Mocks: what tasks answer in a test, by the name of their state and the number of the invocation; and the
// task runner that answers so, under virtual time. One thread. Format: docs/testing.md; also the
// MockedResponses of Step Functions Local.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "orchestrator/dispatch/runner.h"
#include "simulation/difference.h"
#include "simulation/reading.h"
#include "simulation/world.h"

namespace millrace::simulation {

// One answer, for one or more invocations.
struct MockAnswer {
  std::uint64_t first = 0, last = 0;  // the invocations it is for, counted from 0
  bool never = false;                 // it does not answer: timeouts and heartbeats do
  Outcome outcome = Payload::empty_object();
  Millis after{0};
  std::optional<Millis> heartbeat;   // how often it says that it lives
  std::optional<Payload> arguments;  // what it must be called with
  Compare arguments_how = Compare::Subset;
};

// The answers of one state for the invocations that come from one line of control, or from any.
struct MockSeries {
  std::optional<std::uint64_t> iteration;  // of the nearest Map or Parallel around the state
  std::string line;                        // "Each[2]"
  std::vector<MockAnswer> answers;
  bool matches(const Line* from) const;
};

using Mocks = std::map<std::string, std::vector<MockSeries>>;  // by state name

// Members are states; values an answer (for every invocation), a list of answers, or an object of invocations
// ("0", "1-2"). Names that the program does not have are an error.
Result<Mocks> read_mocks(const Member& mocks, const definitions::Program& program);
// The same for one state.
Result<std::vector<MockSeries>> read_mock(const Member& mock);

// Every state's name, those of branches and processors too.
std::set<std::string> state_names(const definitions::Program& program);

class MockRunner final : public orchestrator::TaskRunner {
 public:
  MockRunner(Scheduler& scheduler, Mocks mocks) : scheduler_(scheduler), mocks_(std::move(mocks)) {}
  void watch(const World& world) { world_ = &world; }  // where the lines of control are known

  bool serves(const std::string&) const override { return true; }
  void start(orchestrator::TaskRequest request, Report report) override;
  void cancel(const orchestrator::TaskKey& key) override { out_.erase(key); }

  // The first invocation that no mock answers: the test can't go on. Empty: all is well.
  const std::string& missing() const { return missing_; }
  // Invocations whose arguments were not as expected.
  const std::vector<std::string>& surprises() const { return surprises_; }
  const std::map<std::string, std::uint64_t>& calls() const { return calls_; }  // by state name

 private:
  const MockAnswer* find(const orchestrator::TaskRequest& request);
  void beat(const orchestrator::TaskKey& key, Millis every, Instant end, const Report& report);

  Scheduler& scheduler_;
  const Mocks mocks_;
  const World* world_ = nullptr;
  std::set<orchestrator::TaskKey> out_;
  std::map<std::string, std::uint64_t> calls_;
  std::map<const MockSeries*, std::uint64_t> used_;
  std::string missing_;
  std::vector<std::string> surprises_;
};

}  // namespace millrace::simulation
