#include "tasks/jobs/jobs.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

TEST_CASE("Jobs: records outlive the object and names are unique within a kind") {
  const TemporaryHome home;
  {
    auto jobs = Jobs::open(home.path("tasks.db"));
    REQUIRE(jobs);
    REQUIRE((*jobs)->create("TrainingJob", "a", {{"x", 1}}));
    REQUIRE((*jobs)->create("ProcessingJob", "a", {{"x", 2}}));
    const Status again = (*jobs)->create("TrainingJob", "a", {{"x", 1}});
    REQUIRE(!again);
    CHECK(again.error().code == ErrorCode::AlreadyExists);
    CHECK(again.error().message == "TrainingJob \"a\" already exists");
  }
  auto jobs = Jobs::open(home.path("tasks.db"));
  REQUIRE(jobs);
  CHECK((*jobs)->find("TrainingJob", "a")->dump() == R"({"x":1})");
  CHECK((*jobs)->find("ProcessingJob", "a")->dump() == R"({"x":2})");
  CHECK((*jobs)->find("TrainingJob", "b").error().code == ErrorCode::NotFound);
  CHECK((*jobs)->update("TrainingJob", "b", {}).error().code == ErrorCode::NotFound);
  CHECK((*jobs)->remove("TrainingJob", "b").error().code == ErrorCode::NotFound);
}

TEST_CASE("Jobs: lists are newest first, by prefix, bounded") {
  const TemporaryHome home;
  auto jobs = Jobs::open(home.path("tasks.db"));
  REQUIRE(jobs);
  for (const char* name : {"b/1", "a/1", "a/2", "ab/1", "a/10"}) REQUIRE((*jobs)->create("P", name, name));
  REQUIRE((*jobs)->update("P", "a/1", "changed"));
  CHECK(Json(*(*jobs)->list("P", "a/")).dump() == R"(["a/10","a/2","changed"])");
  CHECK(Json(*(*jobs)->list("P", "", 2)).dump() == R"(["a/10","ab/1"])");
  CHECK((*jobs)->list("Q")->empty());
}

TEST_CASE("Jobs: modify writes the new document, or nothing when the change is refused") {
  const TemporaryHome home;
  auto jobs = Jobs::open(home.path("tasks.db"));
  REQUIRE(jobs);
  REQUIRE((*jobs)->create("P", "a", {{"n", 1}}));
  const auto changed = (*jobs)->modify("P", "a", [](Json& d) -> Status {
    d["n"] = 2;
    return {};
  });
  CHECK(changed->dump() == R"({"n":2})");
  const auto refused = (*jobs)->modify("P", "a", [](Json& d) -> Status {
    d["n"] = 3;
    return invalid("no");
  });
  CHECK(refused.error().message == "no");
  CHECK((*jobs)->find("P", "a")->dump() == R"({"n":2})");
}

TEST_CASE("Jobs: one holder of a claim, who hears of a stop") {
  const TemporaryHome home;
  auto jobs = Jobs::open(home.path("tasks.db"));
  REQUIRE(jobs);
  auto claim = (*jobs)->claim("TrainingJob", "a");
  REQUIRE(claim);
  CHECK((*jobs)->claim("TrainingJob", "a") == nullptr);
  CHECK((*jobs)->claim("TrainingJob", "b") != nullptr);
  CHECK(!claim->stop_requested());
  CHECK((*jobs)->request_stop("TrainingJob", "a"));
  CHECK(claim->stop_requested());
  CHECK(!(*jobs)->request_stop("TrainingJob", "b"));
  claim.reset();
  claim = (*jobs)->claim("TrainingJob", "a");
  REQUIRE(claim);
  CHECK(!claim->stop_requested());
}
