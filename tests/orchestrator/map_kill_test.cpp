// SIGKILL in the middle of map runs: a child process runs the real engine on SQLite with two distributed
// Maps; it is killed and started again until both have ended, and then every item has been run for, counted
// once and told once.

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <thread>

#include "base/log.h"
#include "tests/orchestrator/map_world.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::test;

namespace {

constexpr char kMapFolder[] = "MILLRACE_MAP_KILL_TEST_FOLDER";
constexpr int kItems = 3000;
constexpr int kMapKills = 12;

std::string machine(const std::string& type, const std::string& more) {
  return distributed(
      R"("MaxConcurrency":150,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},"ReaderConfig":{"InputType":"JSONL"}},)" +
          more,
      type);
}

// Tasks that take some milliseconds; they live and die with the process.
class SlowRunner final : public TaskRunner {
 public:
  explicit SlowRunner(Loop& loop) : loop_(loop) {}
  bool serves(const std::string&) const override { return true; }
  void start(TaskRequest request, Report report) override {
    const Millis delay(static_cast<std::int64_t>(mix(request.key.execution.value, 7) % 40));
    loop_.at(loop_.clock().now() + delay, [key = request.key, arguments = request.arguments,
                                           report = std::move(report)] { report(key, Outcome(arguments)); });
  }
  void cancel(const TaskKey&) override {}

 private:
  Loop& loop_;
};

void be_the_child(const std::string& folder) {
  log::set_level(log::Level::Off);
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  auto store = open_sqlite_store(folder + "/millrace.db");
  if (!store) _exit(4);
  const ExecutionId last = (*store)->last_execution().value();
  const auto committer = make_committer(*std::move(store), *loop);
  SlowRunner runner(*loop);
  MemoryObjects objects;
  objects.piece = 1000;
  for (int i = 0; i < kItems; ++i) objects.objects["b/k"] += std::to_string(i) + "\n";
  const auto background = make_background(*loop);
  EngineSettings settings;
  settings.seed = static_cast<std::uint64_t>(getpid());
  settings.maps = {&objects, background.get()};
  Engine engine(*loop, *committer, runner, settings, last);
  const auto begin = [&](const std::string& name, const std::string& definition) {
    engine.create_machine(name, definition, [&engine, name](Result<MachineRow> row) {
      if (!row) _exit(6);
      engine.start_execution({name, "only", Payload::literal("{}")}, [](Result<Started>) {});
    });
  };
  std::function<void()> look = [&] {
    auto left = std::make_shared<std::size_t>(1);
    committer->run(
        [left](Store& at) {
          *left =
              at.unfinished(ExecutionId{}, 1).value().size() + (at.executions({}, {}, 3).value().size() < 2);
        },
        [&, left] { *left == 0 ? _exit(0) : void(loop->at(clock.now() + Millis(50), look)); });
  };
  engine.recover([&](Result<RecoverySummary> summary) {
    if (!summary) _exit(5);
    begin("standard", machine("STANDARD", ""));
    begin("express", machine("EXPRESS", R"("ItemBatcher":{"MaxItemsPerBatch":2},)"));
    look();
  });
  loop->run();
}

// True when the child ended by itself.
bool run_child(const std::string& folder, std::optional<Millis> life) {
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    setenv(kMapFolder, folder.c_str(), 1);
    execl("/proc/self/exe", "millrace_test_orchestrator", "-tc=map kill: the child", "--no-version=1",
          "--out=/dev/null", nullptr);
    _exit(2);
  }
  const auto end = std::chrono::steady_clock::now() + life.value_or(std::chrono::seconds(120));
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= end) kill(pid, SIGKILL);
    std::this_thread::sleep_for(Millis(1));
  }
  CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
  return WIFEXITED(status);
}

}  // namespace

TEST_CASE("map kill: the child") {
  if (const char* folder = getenv(kMapFolder)) be_the_child(folder);
}

TEST_CASE("map kill: runs go on after every kill; nothing is lost, nothing counted twice") {
  char name[] = "/tmp/millrace-map-kill-XXXXXX";
  const std::string folder = mkdtemp(name);
  int kills = 0;
  for (bool ended = false; kills < kMapKills && !ended;) {
    ended = run_child(folder, Millis(150 + 37 * kills));
    kills += !ended;
  }
  CHECK(run_child(folder, std::nullopt));
  auto store = open_sqlite_store(folder + "/millrace.db").value();
  std::uint64_t children = 0;
  const std::vector<ExecutionRow> parents = store->executions({}, {}, 3).value();
  for (const ExecutionRow& row : parents) {
    CAPTURE(row.machine.value);
    REQUIRE(row.status == states::ExecutionStatus::Succeeded);
    const MapRunRow run = store->map_runs().of(row.id, {}, 2).value().at(0);
    CHECK(run.status == MapRunStatus::Succeeded);
    CHECK(run.items.succeeded == kItems);
    CHECK(run.items.total() == kItems);
    const auto last = store->events(row.id, row.events - 1, 10).value();
    const Payload output = std::get<states::detail::ExecutionSucceeded>(last.back().details).output;
    if (run.express) {
      CHECK(run.children.succeeded == kItems / 2);
      REQUIRE(output.view().size() == kItems / 2);
      CHECK(output.view().at(700).text() == R"({"Items":[1400,1401]})");
      CHECK(store->map_runs().results(run.id, 0, kItems, false).value().size() == kItems / 2);
    } else {
      CHECK(run.children.succeeded == kItems);
      REQUIRE(output.view().size() == kItems);
      std::int64_t at = 0;
      for (const JsonView item : output.view().elements()) REQUIRE(item.integer() == at++);
      children = store->children(run.id, {}, kItems + 1).value().size();
    }
  }
  CHECK(children == kItems);
  MESSAGE(kills << " kills");
  std::filesystem::remove_all(folder);
}
