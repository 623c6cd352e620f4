// The online store against a model of it: puts and deletions in any order of their times.

#include <doctest/doctest.h>

#include <map>

#include "base/random.h"
#include "tests/tasks/features/store_in_folder.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// What the service's documentation says, in a few lines.
struct OnlineModel {
  struct Held {
    std::uint64_t time = 0;
    bool deleted = false;
    int number = 0;
  };
  std::map<std::uint64_t, Held> records;

  void put(std::uint64_t id, std::uint64_t time, int number) {
    const auto found = records.find(id);
    if (found == records.end() || time >= found->second.time) records[id] = {time, false, number};
  }
  bool soft_delete(std::uint64_t id, std::uint64_t time) {
    const auto found = records.find(id);
    if (found == records.end() || time > found->second.time) records[id] = {time, true, 0};
    return true;
  }
  bool hard_delete(std::uint64_t id, std::uint64_t time) {
    const auto found = records.find(id);
    if (found != records.end() && time <= found->second.time) return false;
    records.erase(id);
    return true;
  }
};

ServiceCall numbered_put(std::uint64_t id, std::uint64_t time, int number) {
  return {"PutRecord",
          to_payload(Json{{"FeatureGroupName", "g"},
                          {"Record",
                           {{{"FeatureName", "id"}, {"ValueAsString", std::to_string(id)}},
                            {{"FeatureName", "at"}, {"ValueAsString", std::to_string(time)}},
                            {{"FeatureName", "v"}, {"ValueAsString", std::to_string(number)}}}}})};
}
ServiceCall numbered_delete(std::uint64_t id, std::uint64_t time, const char* mode) {
  return {"DeleteRecord", to_payload(Json{{"FeatureGroupName", "g"},
                                          {"RecordIdentifierValueAsString", std::to_string(id)},
                                          {"EventTime", std::to_string(time)},
                                          {"DeletionMode", mode}})};
}

}  // namespace

TEST_CASE("Online store: puts and deletions in any order come to what a model of them says") {
  const TemporaryHome home;
  StoreInFolder world(home.path());
  OnlineModel model;
  Random random(20261122);
  std::size_t lines = 0;
  for (int step = 0; step < 600; ++step) {
    const std::uint64_t id = random.below(6), time = 1000 + random.below(40), what = random.below(10);
    if (what < 6) {
      model.put(id, time, step);
      REQUIRE(world.ask(numbered_put(id, time, step)));
      ++lines;
    } else {
      const bool hard = what > 7;
      const bool expected = hard ? model.hard_delete(id, time) : model.soft_delete(id, time);
      const auto answer = world.ask(numbered_delete(id, time, hard ? "HardDelete" : "SoftDelete"));
      CHECK(answer.has_value() == expected);
      lines += expected;
    }
    const auto found =
        world.ask({"GetRecord", to_payload(Json{{"FeatureGroupName", "g"},
                                                {"RecordIdentifierValueAsString", std::to_string(id)},
                                                {"FeatureNames", {"v"}}})});
    REQUIRE(found);
    const auto held = model.records.find(id);
    const bool there = held != model.records.end() && !held->second.deleted;
    const JsonView record = found->view().find("Record");
    CHECK(static_cast<bool>(record) == there);
    if (there && record)
      CHECK(record.at(0).find("ValueAsString").string() == std::to_string(held->second.number));
  }
  REQUIRE(world.store->flush());
  CHECK(world.lines().size() == lines);
}
