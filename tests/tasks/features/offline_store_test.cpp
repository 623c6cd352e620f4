// The offline store: every record in one file, once, in SageMaker's layout, also over kill -9.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/random.h"
#include "tests/tasks/features/store_in_folder.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

constexpr int kKillsOfFeatures = 10;
constexpr int kPutsUnderWay = 32;
constexpr char kFeatureFolder[] = "MILLRACE_FEATURE_KILL_FOLDER";
constexpr char kFeatureFrom[] = "MILLRACE_FEATURE_KILL_FROM";

// Records from `from` on, several under way, each acknowledged by a line; a flush now and then.
void be_the_feature_child(const std::string& folder, int from) {
  FeatureStore::Settings settings;
  settings.flush_interval = Millis(1);
  settings.batch_rows = 50;
  settings.file_bytes = 2000;
  StoreInFolder world(folder, settings);
  for (int first = from;; first += kPutsUnderWay) {
    std::vector<std::future<void>> answers;
    for (int i = first; i < first + kPutsUnderWay; ++i) {
      auto promise = std::make_shared<std::promise<void>>();
      answers.push_back(promise->get_future());
      world.store->call(
          feature_put(i, std::to_string(1'700'000'000 + i * 977), "attempt " + std::to_string(i)),
          [promise, i](const ServiceAnswer& answer) {
            if (!answer) _exit(5);
            const std::string line = "done " + std::to_string(i) + "\n";
            if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(3);
            promise->set_value();
          });
    }
    for (auto& answer : answers) answer.get();
  }
}

void run_feature_child(const std::string& folder, int from, Millis life, std::set<int>& acknowledged) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    setenv(kFeatureFolder, folder.c_str(), 1);
    setenv(kFeatureFrom, std::to_string(from).c_str(), 1);
    execl("/proc/self/exe", "millrace_test_tasks", "-tc=Feature kill: the child", "--no-version=1", nullptr);
    _exit(2);
  }
  close(ends[1]);
  const auto end = std::chrono::steady_clock::now() + life;
  std::string said;
  for (bool open = true; open;) {
    const auto left = std::chrono::duration_cast<Millis>(end - std::chrono::steady_clock::now());
    pollfd waiting{ends[0], POLLIN, 0};
    if (left <= Millis(0) || poll(&waiting, 1, static_cast<int>(left.count())) == 0) kill(pid, SIGKILL);
    char buffer[4096];
    const ssize_t n = read(ends[0], buffer, sizeof buffer);
    open = n > 0;
    if (open) said.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line) && !lines.eof();)
    if (line.starts_with("done ")) acknowledged.insert(std::stoi(line.substr(5)));
}

}  // namespace

TEST_CASE("Offline store: files by event hour, with the columns that SageMaker adds") {
  const TemporaryHome home;
  StoreInFolder world(home.path());
  REQUIRE(world.ask(feature_put(7, "1763708356.5")));
  REQUIRE(world.ask(feature_put(7, "1700000000")));
  REQUIRE(world.ask({"DeleteRecord", Payload::literal(R"({"FeatureGroupName":"g",
      "RecordIdentifierValueAsString":"7","EventTime":"1763708400"})")}));
  REQUIRE(world.store->flush());
  const auto files = world.objects.list("s3://b/p/");
  REQUIRE(files);
  REQUIRE(files->size() == 3);
  const std::string place = "p/123456789012/sagemaker/us-east-1/offline-store/g-1/data/";
  CHECK((*files)[0].key.starts_with(place + "year=2023/month=11/day=14/hour=22/"));
  CHECK((*files)[1].key.starts_with(place + "year=2025/month=11/day=21/hour=06/"));
  CHECK((*files)[2].key.starts_with(place + "year=2025/month=11/day=21/hour=07/"));
  const std::string name = (*files)[0].key.substr((*files)[0].key.rfind('/') + 1);
  CHECK(name.size() == std::string("20261121T065916Z_0123456789abcdef.jsonl").size());
  const std::vector<Json> lines = world.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[1]["id"] == 7);
  CHECK(lines[1]["at"] == 1763708356.5);
  CHECK(lines[1]["v"] == "n7");
  CHECK(lines[1]["is_deleted"] == false);
  CHECK(lines[1]["write_time"].get<std::string>().size() == 24);
  CHECK(lines[1]["api_invocation_time"].get<std::string>() <= lines[1]["write_time"].get<std::string>());
  CHECK(lines[2]["is_deleted"] == true);
  CHECK(lines[2]["v"].is_null());
}

TEST_CASE("Offline store: what was not written to files before the end is written at the end") {
  const TemporaryHome home;
  { REQUIRE(StoreInFolder(home.path()).ask(feature_put(1, "1"))); }
  StoreInFolder world(home.path());
  CHECK(world.lines().size() == 1);
  REQUIRE(world.store->flush());
  CHECK(world.lines().size() == 1);
}

TEST_CASE("Offline store: many hours and small batches, each record once") {
  const TemporaryHome home;
  FeatureStore::Settings settings;
  settings.batch_rows = 17;
  settings.file_bytes = 300;
  StoreInFolder world(home.path(), settings);
  for (int i = 0; i < 200; ++i) REQUIRE(world.ask(feature_put(i, std::to_string(1000 + 1800 * (i % 10)))));
  REQUIRE(world.store->flush());
  std::map<int, int> counts;
  for (const Json& line : world.lines()) ++counts[line["id"].get<int>()];
  CHECK(counts.size() == 200);
  for (const auto& [id, count] : counts) CHECK_MESSAGE(count == 1, id);
}

TEST_CASE("Feature kill: the child") {
  if (const char* folder = getenv(kFeatureFolder))
    be_the_feature_child(folder, std::atoi(getenv(kFeatureFrom)));
}

TEST_CASE("Feature kill: what was acknowledged is online, and in the offline store once") {
  if (getenv(kFeatureFolder)) return;
  const TemporaryHome home;
  Random random(static_cast<std::uint64_t>(getpid()));
  std::set<int> acknowledged;
  int next = 0;
  for (int i = 0; i < kKillsOfFeatures; ++i) {
    run_feature_child(home.path(), next, Millis(80 + random.below(250)), acknowledged);
    // What was not acknowledged is dispatched again, under the keys that name the attempts.
    while (acknowledged.contains(next)) ++next;
  }
  StoreInFolder world(home.path());
  const int last = (acknowledged.empty() ? 0 : *acknowledged.rbegin()) + kPutsUnderWay;
  for (int i = next; i <= last; ++i)
    REQUIRE(
        world.ask(feature_put(i, std::to_string(1'700'000'000 + i * 977), "attempt " + std::to_string(i))));
  REQUIRE(world.store->flush());
  MESSAGE(kKillsOfFeatures << " kills, " << acknowledged.size() << " records acknowledged");
  CHECK(acknowledged.size() > 50);
  std::map<int, int> counts;
  for (const Json& line : world.lines()) ++counts[line["id"].get<int>()];
  CHECK(counts.size() == static_cast<std::size_t>(last + 1));
  for (const auto& [id, count] : counts) CHECK_MESSAGE(count == 1, id);
  for (const int id : acknowledged) {
    const auto found = world.ask(
        {"GetRecord",
         to_payload(Json{{"FeatureGroupName", "g"}, {"RecordIdentifierValueAsString", std::to_string(id)}})});
    REQUIRE(found);
    CHECK(found->view().find("Record"));
  }
}
