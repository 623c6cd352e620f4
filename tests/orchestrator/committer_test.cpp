#include "orchestrator/committer.h"

#include <doctest/doctest.h>

#include <future>

#include "tests/support/sample_events.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

// A memory store that notes the groups, can be held up, and can be out of space.
struct Probe {
  std::vector<std::size_t> groups;
  std::atomic<bool> full = false;
  std::atomic<std::uint64_t> committed = 0;
  std::shared_future<void> gate;  // when valid, the first commit waits for it
  std::unique_ptr<Store> memory = make_memory_store();
  MachineId machine;
  Probe() { machine = memory->put_machine({MachineId{}, "arn:m", "m", "role", "{}", "hash", Instant()})->id; }
};

class ProbedStore final : public Store {
 public:
  explicit ProbedStore(Probe& probe) : probe_(probe) {}
  Result<std::vector<AppendResult>> commit(std::span<const Append> group) override {
    if (probe_.groups.empty() && probe_.gate.valid()) probe_.gate.wait();
    probe_.groups.push_back(group.size());
    if (probe_.full) return fail(ErrorCode::OutOfSpace, "the disk is full");
    probe_.committed += group.size();
    return probe_.memory->commit(group);
  }
  Result<std::vector<states::Event>> events(ExecutionId id, std::uint64_t after, std::size_t limit) override {
    return probe_.memory->events(id, after, limit);
  }
  Result<ExecutionRow> execution(ExecutionId id) override { return probe_.memory->execution(id); }
  Result<ExecutionRow> execution_named(MachineId machine, const std::string& name) override {
    return probe_.memory->execution_named(machine, name);
  }
  Result<ExecutionRow> find_execution(const std::string& machine, const std::string& name) override {
    return probe_.memory->find_execution(machine, name);
  }
  Result<std::vector<ExecutionRow>> executions(const ExecutionFilter& filter, ExecutionId before,
                                               std::size_t limit) override {
    return probe_.memory->executions(filter, before, limit);
  }
  Result<std::vector<ExecutionRow>> unfinished(ExecutionId after, std::size_t limit) override {
    return probe_.memory->unfinished(after, limit);
  }
  Result<std::vector<ExecutionRow>> children(MapRunId run, ExecutionId after, std::size_t limit) override {
    return probe_.memory->children(run, after, limit);
  }
  Result<ExecutionRow> child_named(const std::string& name) override {
    return probe_.memory->child_named(name);
  }
  MapRunTable& map_runs() override { return probe_.memory->map_runs(); }
  Result<ExecutionId> last_execution() override { return probe_.memory->last_execution(); }
  Result<RemovedEnded> remove_ended(const RemoveEnded& request) override {
    return probe_.memory->remove_ended(request);
  }
  Status reserve(ExecutionId up_to) override { return probe_.memory->reserve(up_to); }
  Catalog& catalog() override { return probe_.memory->catalog(); }
  Result<std::string> fact(const std::string& name) override { return probe_.memory->fact(name); }
  Status put_fact(const std::string& name, const std::string& value) override {
    return probe_.memory->put_fact(name, value);
  }

 private:
  Probe& probe_;
};

Append finished(const Probe& probe, std::uint64_t id, std::size_t bytes = 100) {
  Append append;
  append.events = samples::chain(1, bytes, id);
  append.row = {ExecutionId{id},
                probe.machine,
                "e" + std::to_string(id),
                states::ExecutionStatus::Succeeded,
                Instant(),
                Instant(),
                {},
                false,
                append.events.size()};
  return append;
}

}  // namespace

TEST_CASE("committer: what gathers while a group is written is the next group; answers come in order") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  Probe probe;
  std::promise<void> open;
  probe.gate = open.get_future().share();
  const auto committer = make_committer(std::make_unique<ProbedStore>(probe), *loop);
  std::vector<std::uint64_t> answered;
  for (std::uint64_t id = 1; id <= 500; ++id) {
    committer->submit(finished(probe, id), [&, id](const Result<AppendResult>& result) {
      CHECK(result.value() == AppendResult::Ok);
      answered.push_back(id);
      if (id == 500) loop->stop();
    });
  }
  CHECK(answered.empty());  // never from within submit
  open.set_value();
  loop->run();
  REQUIRE(answered.size() == 500);
  CHECK(std::is_sorted(answered.begin(), answered.end()));
  CHECK(probe.groups.size() <= 3);
}

TEST_CASE("committer: groups are bounded in number and in bytes; refusals reach the one they are about") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  for (const auto& [settings, largest] :
       {std::pair(CommitterSettings{10, 1u << 30}, 10u), std::pair(CommitterSettings{1000, 50'000}, 7u)}) {
    Probe probe;
    std::promise<void> open;
    probe.gate = open.get_future().share();
    const auto committer = make_committer(std::make_unique<ProbedStore>(probe), *loop, settings);
    std::size_t taken = 0, answers = 0;
    for (std::uint64_t i = 0; i < 100; ++i) {
      Append append = finished(probe, i + 1, 4000);
      if (i % 10 == 9) append.row.name = "e1";
      committer->submit(std::move(append), [&](const Result<AppendResult>& result) {
        if (result.value() == AppendResult::NameTaken) ++taken;
        if (++answers == 100) loop->stop();
      });
    }
    open.set_value();
    loop->run();
    CHECK(taken == 10);
    CHECK(*std::max_element(probe.groups.begin(), probe.groups.end()) <= largest);
    CHECK(probe.groups.size() < 60);
  }
}

TEST_CASE("committer: jobs see what was submitted before them, and answer in turn") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  Probe probe;
  const auto committer = make_committer(std::make_unique<ProbedStore>(probe), *loop);
  std::vector<std::string> order;
  std::uint64_t seen = 0;
  committer->submit(finished(probe, 1), [&](const Result<AppendResult>&) { order.push_back("append 1"); });
  committer->run([&](Store& store) { seen = store.last_execution().value().value; },
                 [&] { order.push_back("job"); });
  committer->submit(finished(probe, 2), [&](const Result<AppendResult>&) {
    order.push_back("append 2");
    loop->stop();
  });
  loop->run();
  CHECK(seen == 1);
  CHECK(order == std::vector<std::string>{"append 1", "job", "append 2"});
}

TEST_CASE("committer: a full disk is answered to everyone in the group, later ones may succeed") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  Probe probe;
  probe.full = true;
  const auto committer = make_committer(std::make_unique<ProbedStore>(probe), *loop);
  int failed = 0;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    committer->submit(finished(probe, id), [&](const Result<AppendResult>& result) {
      REQUIRE(!result);
      CHECK(result.error().code == ErrorCode::OutOfSpace);
      if (++failed < 20) return;
      probe.full = false;
      committer->submit(finished(probe, 21), [&](const Result<AppendResult>& later) {
        CHECK(later.value() == AppendResult::Ok);
        loop->stop();
      });
    });
  }
  loop->run();
  CHECK(failed == 20);
}

TEST_CASE("committer: its end commits what was submitted and calls nobody any more") {
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  Probe probe;
  bool called = false;
  {
    const auto committer = make_committer(std::make_unique<ProbedStore>(probe), *loop);
    for (std::uint64_t id = 1; id <= 300; ++id)
      committer->submit(finished(probe, id), [&](const Result<AppendResult>&) { called = true; });
  }
  CHECK(probe.committed == 300);
  loop->stop();
  loop->run();
  CHECK(!called);
}
