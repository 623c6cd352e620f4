// Homes of earlier formats are brought forward when they are opened, with all that is in them; what is newer,
// or not ours, is refused and left as it was.

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/sqlite.h"
#include "orchestrator/store/sqlite_schema.h"
#include "orchestrator/store/store.h"
#include "tests/support/paths.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

std::string read_all(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct OldHome {
  std::filesystem::path folder, file;
  OldHome() {
    char name[] = "/tmp/millrace-migration-XXXXXX";
    folder = mkdtemp(name);
    file = folder / "millrace.db";
  }
  ~OldHome() { std::filesystem::remove_all(folder); }

  // The file as a Millrace that knew `version` steps had left it.
  void make(int version) {
    std::filesystem::remove(file);
    auto database = Database::open(file.string());
    REQUIRE(database);
    const std::string rows = read_all(source_path("/tests/cases/store/format_1.sql"));
    REQUIRE(!rows.empty());
    for (int step = 0; step < version; ++step) {
      REQUIRE(database->execute(kSchemaSteps[step]));
      if (step == 0) REQUIRE(database->execute(rows.c_str()));
    }
    REQUIRE(database->execute(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str()));
    REQUIRE(database->execute(("PRAGMA user_version=" + std::to_string(version)).c_str()));
    REQUIRE(database->checkpoint());
  }
};

}  // namespace

TEST_CASE("migration: a home of every earlier format opens with all that is in it, and goes on") {
  OldHome home;
  for (int version = 1; version <= kSchemaVersion; ++version) {
    CAPTURE(version);
    home.make(version);
    for (int time = 0; time < 2; ++time) {  // once brought forward it opens again
      CAPTURE(time);
      auto store = open_sqlite_store(home.file.string());
      REQUIRE_MESSAGE(store, (store ? "" : store.error().message));
      const auto machines = (*store)->machines();
      REQUIRE(machines);
      REQUIRE(machines->size() == 1);
      CHECK(machines->front().name == "hello");
      CHECK(machines->front().status == MachineStatus::Active);
      const auto one = (*store)->find_execution("hello", "try-1");
      const auto two = (*store)->find_execution("hello", "try-2");
      REQUIRE(one);
      REQUIRE(two);
      CHECK(one->status == states::ExecutionStatus::Succeeded);
      CHECK(two->status == states::ExecutionStatus::Failed);
      CHECK(one->redrives == 0);
      CHECK(one->version == 0);
      const auto events = (*store)->events(one->id, 0, 1000);
      REQUIRE_MESSAGE(events, (events ? "" : events.error().message));
      CHECK(events->size() == one->events);
      const auto* output = std::get_if<states::detail::ExecutionSucceeded>(&events->back().details);
      REQUIRE(output != nullptr);
      CHECK(output->output.text() == R"({"greeting":"Bonjour, Grace!"})");
      CHECK((*store)->last_execution()->value == two->id.value);
    }
    auto database = Database::open_readonly(home.file.string());
    auto check = database->prepare("PRAGMA integrity_check");
    REQUIRE(*check->step());
    CHECK(check->text(0) == "ok");
  }
}

TEST_CASE("migration: a newer home, and a database of somebody else, are refused and left as they were") {
  OldHome home;
  home.make(kSchemaVersion);
  {
    auto database = Database::open(home.file.string());
    REQUIRE(database->execute(("PRAGMA user_version=" + std::to_string(kSchemaVersion + 1)).c_str()));
    REQUIRE(database->checkpoint());
  }
  const std::string before = read_all(home.file);
  const auto newer = open_sqlite_store(home.file.string());
  REQUIRE(!newer);
  CHECK(newer.error().code == ErrorCode::Unavailable);
  CHECK(newer.error().message.find("written by a newer Millrace (format " +
                                   std::to_string(kSchemaVersion + 1)) != std::string::npos);
  CHECK(read_all(home.file) == before);
  {
    auto database = Database::open(home.file.string());
    REQUIRE(database->execute("PRAGMA application_id=7; PRAGMA user_version=1"));
    REQUIRE(database->checkpoint());
  }
  const auto foreign = open_sqlite_store(home.file.string());
  REQUIRE(!foreign);
  CHECK(foreign.error().code == ErrorCode::DataLoss);
}

TEST_CASE("migration: a step that fails leaves the file at the format before it") {
  OldHome home;
  home.make(1);
  {
    // The second step makes this table: it will fail.
    auto database = Database::open(home.file.string());
    REQUIRE(database->execute("CREATE TABLE map_runs(x)"));
    REQUIRE(database->checkpoint());
  }
  CHECK(!open_sqlite_store(home.file.string()));
  auto database = Database::open(home.file.string());
  auto version = database->prepare("PRAGMA user_version");
  REQUIRE(*version->step());
  CHECK(version->integer(0) == 1);
  version->reset();
  REQUIRE(database->execute("DROP TABLE map_runs"));
  CHECK(open_sqlite_store(home.file.string()).has_value());
}
