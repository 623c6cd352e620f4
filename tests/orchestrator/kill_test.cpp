// SIGKILL at random moments: a child process runs the real engine on SQLite and tells what it acknowledged;
// it is killed and started again some thirty times, and in the end everything that was acknowledged is there
// and ended once.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "base/log.h"
#include "base/random.h"
#include "definitions/compile.h"
#include "orchestrator/engine.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

constexpr int kKills = 30;
constexpr std::uint64_t kExecutionsMax = 600;
constexpr char kFolder[] = "MILLRACE_KILL_TEST_FOLDER";
constexpr char kFinish[] = "MILLRACE_KILL_TEST_FINISH";
const char* const kDefinition = R"json({"StartAt":"Both","States":{
  "Both":{"Type":"Parallel","ResultPath":"$.both","Next":"Each","Branches":[
    {"StartAt":"Pause","States":{"Pause":{"Type":"Wait","Seconds":1,"End":true}}},
    {"StartAt":"Work","States":{"Work":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:work",
      "Retry":[{"ErrorEquals":["Custom.Error"],"IntervalSeconds":1,"BackoffRate":1,"MaxAttempts":3,"JitterStrategy":"FULL"}],
      "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Sorry"}],"Next":"Done"},
      "Sorry":{"Type":"Pass","End":true},"Done":{"Type":"Pass","End":true}}}]},
  "Each":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":2,"End":true,"ItemProcessor":{"StartAt":"Item","States":{
    "Item":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:item",
      "Retry":[{"ErrorEquals":["Custom.Error"],"IntervalSeconds":1,"BackoffRate":1,"MaxAttempts":9}],"End":true}}}}}})json";

// Tasks that take some milliseconds and sometimes fail; they live and die with the process.
class TimedRunner final : public TaskRunner {
 public:
  explicit TimedRunner(Loop& loop) : loop_(loop) {}
  bool serves(const std::string&) const override { return true; }
  void start(TaskRequest request, Report report) override {
    const TaskKey key = request.key;
    Random random(mix(mix(key.execution.value, key.frame.value), mix(key.visit, key.attempt)));
    loop_.at(loop_.clock().now() + Millis(random.below(60)),
             [key, report = std::move(report), bad = random.below(5) == 0] {
               if (bad) {
                 report(key, Outcome(failed("Custom.Error", "by design")));
               } else {
                 report(key, Outcome(Payload::literal("{\"done\":true}")));
               }
             });
  }
  void cancel(const TaskKey&) override {}

 private:
  Loop& loop_;
};

void say(const std::string& line) {
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(3);
}

// What the child does: recovers, starts executions one after the other (unless it is to finish), tells each
// answer.
void be_the_child(const std::string& folder, bool finish) {
  log::set_level(log::Level::Off);
  const SystemClock clock;
  const auto loop = make_uv_loop(clock);
  auto store = open_sqlite_store(folder + "/millrace.db");
  if (!store) _exit(4);
  const ExecutionId last = (*store)->last_execution().value();
  const auto committer = make_committer(*std::move(store), *loop);
  TimedRunner runner(*loop);
  EngineSettings settings;
  settings.seed = static_cast<std::uint64_t>(getpid());
  settings.park_after = Millis(500);
  Engine engine(*loop, *committer, runner, settings, last);
  std::uint64_t count = last.value;
  const auto on_end = [](const Ended& ended) {
    say("ended " + std::to_string(ended.id.value) + " " + std::to_string(static_cast<int>(ended.status)) +
        "\n");
  };
  std::function<void()> start = [&] {
    if (count++ >= kExecutionsMax) return;
    StartRequest request{"machine", "run-" + std::to_string(getpid()) + "-" + std::to_string(count),
                         Payload::literal("{\"items\":[1,2,3]}")};
    engine.start_execution(
        std::move(request),
        [&](Result<Started> started) {
          if (started) say("started " + std::to_string(started->id.value) + " " + started->name + "\n");
          loop->at(clock.now() + Millis(count % 12), start);
        },
        on_end);
  };
  // Ready when nothing is unfinished any more: looked up in the store, not in the engine.
  std::function<void()> look = [&] {
    auto left = std::make_shared<std::size_t>(1);
    committer->run([left](Store& at) { *left = at.unfinished(ExecutionId{}, 1).value().size(); },
                   [&, left] { *left == 0 ? _exit(0) : void(loop->at(clock.now() + Millis(50), look)); });
  };
  engine.recover([&](Result<RecoverySummary> summary) {
    if (!summary) _exit(5);
    say("recovered\n");
    engine.create_machine("machine", kDefinition, [&](Result<MachineRow> machine) {
      if (!machine) _exit(6);
      finish ? look() : start();
    });
  });
  loop->run();
}

struct Heard {
  std::map<std::uint64_t, std::string> started;
  std::map<std::uint64_t, int> ended;
  int recovered = 0;

  void take(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (lines.eof()) break;  // cut off by the kill: not an answer
      std::istringstream words(line);
      std::string what, name;
      std::uint64_t id = 0;
      words >> what >> id;
      if (what == "recovered") ++recovered;
      if (what == "started" && words >> name) started[id] = name;
      if (int status = 0; what == "ended" && words >> status) {
        if (ended.contains(id)) CHECK(ended[id] == status);
        ended[id] = status;
      }
    }
  }
};

// Runs a child; kills it after `life` when that is given. What it said, and how it ended.
int run_child(const std::string& folder, std::optional<Millis> life, Heard& heard) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    setenv(kFolder, folder.c_str(), 1);
    setenv(kFinish, life ? "0" : "1", 1);
    execl("/proc/self/exe", "millrace_test_orchestrator", "-tc=kill: the child", "--no-version=1", nullptr);
    _exit(2);
  }
  close(ends[1]);
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + life.value_or(std::chrono::seconds(60));
  std::string said;
  for (bool open = true; open;) {
    const auto left = std::chrono::duration_cast<Millis>(end - std::chrono::steady_clock::now());
    pollfd waiting{ends[0], POLLIN, 0};
    if (left <= Millis(0) || ::poll(&waiting, 1, static_cast<int>(left.count())) == 0) {
      kill(pid, SIGKILL);
    }
    char buffer[4096];
    const ssize_t n = ::read(ends[0], buffer, sizeof buffer);
    open = n > 0;
    if (open) said.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  heard.take(said);
  return status;
}

// One execution's history: linear, ended once, no attempt recorded twice.
void check_history(Store& store, const ExecutionRow& row, const definitions::Program& program) {
  const auto events = store.events(row.id, 0, ~std::size_t{0});
  REQUIRE_MESSAGE(events, (events ? "" : events.error().message));
  CHECK(events->size() == row.events);
  states::Execution execution;
  std::set<std::tuple<FrameId, states::EventNumber, std::uint32_t>> recorded;
  for (const states::Event& event : *events) {
    REQUIRE_FALSE(execution.ended());
    REQUIRE(event.number == execution.visible_events + (states::visible(event.type) ? 1 : 0));
    const auto frame = execution.frames.find(event.frame);
    if (event.type == states::EventType::LambdaFunctionSucceeded ||
        event.type == states::EventType::LambdaFunctionFailed) {
      REQUIRE(frame != execution.frames.end());
      REQUIRE(std::holds_alternative<states::waiting::ForTask>(frame->second.waiting));
      CHECK(recorded.emplace(event.frame, frame->second.entered, frame->second.attempt).second);
    }
    if (event.type == states::EventType::WaitStateExited) {
      CHECK(event.time >= std::get<states::waiting::ForTime>(frame->second.waiting).due);
    }
    states::evolve(execution, program, event);
  }
  CHECK(states::check_consistent(execution, program).empty());
  CHECK(execution.ended());
  CHECK(execution.status == row.status);
}

}  // namespace

TEST_CASE("kill: the child") {
  const char* folder = getenv(kFolder);
  if (folder) be_the_child(folder, std::string(getenv(kFinish)) == "1");
}

TEST_CASE("kill: what was acknowledged survives thirty kills and ends once") {
  if (getenv(kFolder)) return;
  char name[] = "/tmp/millrace-kill-XXXXXX";
  const std::string folder = mkdtemp(name);
  Random random(static_cast<std::uint64_t>(getpid()));
  Heard heard;
  for (int i = 0; i < kKills; ++i) {
    const int status =
        run_child(folder, Millis(i % 6 == 5 ? 1500 + random.below(700) : 10 + random.below(190)), heard);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  }
  const int status = run_child(folder, std::nullopt, heard);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));

  auto store = open_sqlite_store(folder + "/millrace.db");
  REQUIRE(store);
  const auto program = definitions::compile(kDefinition).program;
  for (const auto& [id, execution_name] : heard.started) {
    const auto row = (*store)->execution(ExecutionId{id});
    REQUIRE_MESSAGE(row, "acknowledged, and gone: " << execution_name);
    CHECK(row->name == execution_name);
  }
  std::size_t found = 0, attempts = 0;
  const auto rows = (*store)->executions({}, ExecutionId{}, 10'000);
  REQUIRE(rows);
  for (const ExecutionRow& row : *rows) {
    ++found;
    attempts += row.events;
    check_history(**store, row, *program);
    if (heard.ended.contains(row.id.value)) CHECK(heard.ended[row.id.value] == static_cast<int>(row.status));
  }
  MESSAGE(kKills << " kills, " << heard.recovered << " recoveries, " << heard.started.size()
                 << " acknowledged, " << found << " found, " << heard.ended.size() << " ends told, "
                 << attempts << " events");
  CHECK(heard.started.size() > 50);
  CHECK(heard.recovered > 5);
  CHECK(heard.ended.size() > 5);
  std::filesystem::remove_all(folder);
}
