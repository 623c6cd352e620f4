// What only the SQLite store promises: refusing foreign, newer and damaged files, a full disk, reading beside
// a writer.

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/sqlite.h"
#include "orchestrator/store/store.h"
#include "tests/support/sample_events.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/millrace-sqlite-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name = "millrace.db") const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::unique_ptr<Store> opened(const std::string& path) {
  auto store = open_sqlite_store(path);
  REQUIRE_MESSAGE(store, (store ? "" : store.error().message));
  return *std::move(store);
}

MachineId put_machine(Store& store) {
  auto row = store.put_machine({MachineId{}, "arn:orders", "orders", "role", "{}", "hash", Instant()});
  REQUIRE(row);
  return row->id;
}

Append finished(std::uint64_t id, MachineId machine, std::size_t bytes = 1000) {
  Append append;
  append.events = samples::chain(10, bytes, id);
  append.row = {ExecutionId{id},
                machine,
                "execution-" + std::to_string(id),
                states::ExecutionStatus::Succeeded,
                from_millis(1),
                from_millis(2),
                {},
                false,
                append.events.size()};
  return append;
}

// Files of this process may not grow beyond `bytes` while the object lives: what a full disk looks like from
// inside.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  sighandler_t handler_;
  rlimit before_{};
};

}  // namespace

TEST_CASE("sqlite store: a file of a newer version is refused and left as it is") {
  const Folder folder;
  { opened(folder.file()); }
  {
    auto database = Database::open(folder.file());
    REQUIRE(database);
    REQUIRE(database->execute("PRAGMA user_version=999; PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  const std::string before = bytes_of(folder.file());
  const auto store = open_sqlite_store(folder.file());
  REQUIRE(!store);
  CHECK(store.error().code == ErrorCode::Unavailable);
  CHECK(store.error().message.find("newer") != std::string::npos);
  CHECK(bytes_of(folder.file()) == before);
  CHECK(!open_sqlite_store_readonly(folder.file()));
}

TEST_CASE("sqlite store: files that are not ours are refused and left as they are") {
  const Folder folder;
  const std::string text = "This is not a database. " + std::string(5000, 'x');
  std::ofstream(folder.file("text")) << text;
  const auto not_sqlite = open_sqlite_store(folder.file("text"));
  REQUIRE(!not_sqlite);
  CHECK(not_sqlite.error().code == ErrorCode::DataLoss);
  CHECK(bytes_of(folder.file("text")) == text);

  {
    auto database = Database::open(folder.file("other"));
    REQUIRE(database);
    REQUIRE(database->execute("PRAGMA journal_mode=DELETE; CREATE TABLE t(x)"));
  }
  const std::string before = bytes_of(folder.file("other"));
  const auto foreign = open_sqlite_store(folder.file("other"));
  REQUIRE(!foreign);
  CHECK(foreign.error().code == ErrorCode::DataLoss);
  CHECK(bytes_of(folder.file("other")) == before);
  CHECK(!open_sqlite_store(folder.file("no-such-folder/millrace.db")));
}

TEST_CASE("sqlite store: a damaged history row is DataLoss, other executions are read") {
  const Folder folder;
  {
    const auto store = opened(folder.file());
    const MachineId m = put_machine(*store);
    REQUIRE(store->commit(std::vector{finished(1, m), finished(2, m), finished(3, m)}));
  }
  {
    auto database = Database::open(folder.file());
    REQUIRE(database);
    REQUIRE(database->execute(
        "UPDATE history SET events=substr(events,1,100)||x'00'||substr(events,102) WHERE execution=2;"
        "DELETE FROM history WHERE execution=3"));
  }
  const auto store = opened(folder.file());
  CHECK(store->events(ExecutionId{1}, 0, 100));
  for (const std::uint64_t id : {2, 3}) {
    const auto events = store->events(ExecutionId{id}, 0, 100);
    REQUIRE(!events);
    CHECK(events.error().code == ErrorCode::DataLoss);
    CHECK(events.error().message.find("execution " + std::to_string(id)) != std::string::npos);
  }
}

TEST_CASE("sqlite store: flipped bits in the file are noticed or harmless, never a wrong answer") {
  const Folder folder;
  std::vector<Append> group;
  {
    const auto store = opened(folder.file());
    const MachineId m = put_machine(*store);
    for (std::uint64_t id = 1; id <= 20; ++id) group.push_back(finished(id, m));
    REQUIRE(store->commit(group));
  }
  const std::string good = bytes_of(folder.file());
  Random random(3);
  int noticed = 0;
  for (int round = 0; round < 300; ++round) {
    std::string bad = good;
    const std::size_t at = random.below(bad.size());
    bad[at] = static_cast<char>(bad[at] ^ (1 << random.below(8)));
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(folder.file("bad" + std::string(suffix)));
    std::ofstream(folder.file("bad"), std::ios::binary) << bad;
    const auto store = open_sqlite_store(folder.file("bad"));
    if (!store) {
      ++noticed;
      continue;
    }
    bool wrong = false;
    for (const Append& append : group) {
      const auto events = (*store)->events(append.row.id, 0, 1000);
      if (!events) {
        ++noticed;
      } else if (*events != append.events) {
        wrong = true;
      }
    }
    CHECK_MESSAGE(!wrong, "bit flip at byte " << at);
  }
  CHECK(noticed > 10);
}

TEST_CASE(
    "sqlite store: a full disk is refused, nothing of the group is there, and it goes on when there is "
    "room") {
  const Folder folder;
  const auto store = opened(folder.file());
  const MachineId m = put_machine(*store);
  std::uint64_t id = 0, accepted = 0;
  {
    const FullDisk full(2'000'000);
    for (; accepted == id; ++id) {
      REQUIRE(id < 3000);
      const auto results = store->commit(std::vector{finished(id + 1, m, 20'000)});
      if (results) {
        ++accepted;
      } else {
        CHECK_MESSAGE(results.error().code == ErrorCode::OutOfSpace, results.error().message);
      }
    }
    CHECK(!store->commit(std::vector{finished(id, m, 20'000), finished(id + 1, m, 20'000)}));
    CHECK(store->events(ExecutionId{1}, 0, 100));  // still answers
  }
  REQUIRE(accepted > 10);
  CHECK(store->last_execution().value() == ExecutionId{accepted});
  CHECK(store->execution(ExecutionId{id}).error().code == ErrorCode::NotFound);
  CHECK(store->commit(std::vector{finished(id, m)}).value() == std::vector{AppendResult::Ok});
  for (std::uint64_t i = 1; i <= id; ++i) CHECK(store->events(ExecutionId{i}, 0, 100));
}

TEST_CASE("sqlite store: the log stays bounded under load") {
  const Folder folder;
  const auto store = opened(folder.file());
  const MachineId m = put_machine(*store);
  std::uint64_t id = 0;
  std::uintmax_t largest = 0;
  for (int i = 0; i < 150; ++i) {
    std::vector<Append> group;
    for (int k = 0; k < 20; ++k) group.push_back(finished(++id, m, 20'000));
    REQUIRE(store->commit(group));
    largest = std::max(largest, std::filesystem::file_size(folder.file("millrace.db-wal")));
  }
  MESSAGE("largest log: " << largest / 1024 << " KiB, file "
                          << std::filesystem::file_size(folder.file()) / 1024 << " KiB");
  CHECK(largest < 8u << 20);
  CHECK(std::filesystem::file_size(folder.file()) > 40u << 20);
}

TEST_CASE("sqlite store: opened for reading it sees what another one commits, and writes nothing") {
  const Folder folder;
  CHECK(open_sqlite_store_readonly(folder.file()).error().code == ErrorCode::NotFound);
  const auto store = opened(folder.file());
  const MachineId m = put_machine(*store);
  REQUIRE(store->commit(std::vector{finished(1, m)}));
  auto reader = open_sqlite_store_readonly(folder.file());
  REQUIRE(reader);
  CHECK((*reader)->events(ExecutionId{1}, 0, 100).value() == finished(1, m).events);
  REQUIRE(store->commit(std::vector{finished(2, m)}));
  CHECK((*reader)->execution(ExecutionId{2}).value() == finished(2, m).row);
  CHECK((*reader)->commit(std::vector{finished(3, m)}).error().code == ErrorCode::InvalidArgument);
  CHECK((*reader)->put_fact("a", "b").error().code == ErrorCode::InvalidArgument);
  CHECK(!(*reader)->put_machine({MachineId{}, "arn:x", "x", "role", "{}", "hash", Instant()}));
  CHECK(store->last_execution().value() == ExecutionId{2});
}
