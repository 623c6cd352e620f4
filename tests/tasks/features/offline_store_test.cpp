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
#include "tasks/features/feature_groups.h"
#include "tasks/features/feature_store.h"
#include "tasks/features/offline_files.h"
#include "tasks/jobs/jobs.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

constexpr int kKillsOfFeatures = 10;
constexpr int kPutsUnderWay = 32;
constexpr char kFeatureFolder[] = "MILLRACE_FEATURE_KILL_FOLDER";
constexpr char kFeatureFrom[] = "MILLRACE_FEATURE_KILL_FROM";

// A feature store over a folder, with the group "g" in it.
struct StoreInFolder {
  const SystemClock clock;
  std::unique_ptr<Jobs> jobs;
  ObjectStore objects;
  std::unique_ptr<FeatureStore> store;

  explicit StoreInFolder(const std::string& folder, FeatureStore::Settings settings = {})
      : objects(folder + "/objects") {
    auto opened_jobs = Jobs::open(folder + "/tasks.db");
    if (!opened_jobs) std::abort();
    jobs = std::move(*opened_jobs);
    const Json record = {
        {"FeatureGroupName", "g"},
        {"RecordIdentifierFeatureName", "id"},
        {"EventTimeFeatureName", "at"},
        {"FeatureDefinitions",
         {{{"FeatureName", "id"}, {"FeatureType", "Integral"}},
          {{"FeatureName", "at"}, {"FeatureType", "Fractional"}},
          {{"FeatureName", "v"}, {"FeatureType", "String"}}}},
        {"OnlineStoreConfig", {{"EnableOnlineStore", true}}},
        {"OfflineStoreConfig",
         {{"S3StorageConfig",
           {{"ResolvedOutputS3Uri", offline_place("s3://b/p/", "123456789012", "us-east-1", "g-1")}}}}},
        {"Millrace", {{"Uid", "g-1"}}}};
    (void)jobs->create("FeatureGroup", "g", record);  // of an earlier process, too
    auto opened = FeatureStore::open(folder + "/features.db", settings, *jobs, objects, clock);
    if (!opened) std::abort();
    store = std::move(*opened);
  }

  ServiceAnswer ask(ServiceCall call) {
    std::promise<ServiceAnswer> promise;
    store->call(std::move(call), [&promise](ServiceAnswer answer) { promise.set_value(std::move(answer)); });
    return promise.get_future().get();
  }
  std::vector<Json> lines() {
    std::vector<Json> all;
    const auto files = objects.list("s3://b/p/");
    if (!files) return all;
    for (const ObjectInfo& file : *files) {
      std::istringstream text(*objects.read("s3://b/" + file.key));
      for (std::string line; std::getline(text, line);) all.push_back(Json::parse(line));
    }
    return all;
  }
};

ServiceCall feature_put(int number, const std::string& time, const std::string& key = "") {
  const Json input = {{"FeatureGroupName", "g"},
                      {"Record",
                       {{{"FeatureName", "id"}, {"ValueAsString", std::to_string(number)}},
                        {{"FeatureName", "at"}, {"ValueAsString", time}},
                        {{"FeatureName", "v"}, {"ValueAsString", "n" + std::to_string(number)}}}}};
  return {"PutRecord", to_payload(input), key};
}

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
