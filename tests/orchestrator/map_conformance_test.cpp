// Recorded AWS behaviour of Distributed Maps, replayed through the engine: status, output, error, cause and
// the types of the history's events.

#include <doctest/doctest.h>

#include "base/json.h"
#include "tests/orchestrator/map_world.h"
#include "tests/support/shared.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::test;

namespace {

// Equal but for texts with <<patterns>>, which stand for parts of ARNs here.
bool matches(const Json& expected, const Json& got) {
  if (expected.is_string() && expected.get<std::string>().find("<<") != std::string::npos)
    return got.is_string();
  if (expected.is_object()) {
    if (!got.is_object() || expected.size() != got.size()) return false;
    for (const auto& [key, value] : expected.items()) {
      if (!got.contains(key) || !matches(value, got[key])) return false;
    }
    return true;
  }
  if (expected.is_array()) {
    if (!got.is_array() || expected.size() != got.size()) return false;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!matches(expected[i], got[i])) return false;
    }
    return true;
  }
  return expected == got;
}

// What differs, or nothing.
std::string difference(const Json& test) {
  MapWorld world;
  const Json objects = test.value("objects", Json::object());
  for (const auto& [name, text] : objects.items()) world.objects.objects[name] = text.get<std::string>();
  world.objects.piece = 11;
  const Ended ended = world.run(test["definition"].dump(), test.value("input", Json::object()).dump());
  const Json& expect = test["expect"];
  if (states::name_of(ended.status) != expect["status"].get<std::string>())
    return "status " + std::string(states::name_of(ended.status)) +
           (ended.failure ? " " + ended.failure->cause : "");
  if (expect.contains("output") &&
      !(ended.output && matches(expect["output"], to_json(ended.output->view()))))
    return "output " + std::string(ended.output ? ended.output->text() : "none");
  const auto said = [&](const char* member, const std::string& text) {
    return !expect.contains(member) || (ended.failure && expect[member].get<std::string>() == text);
  };
  if (!said("error", ended.failure ? ended.failure->error : "")) return "error " + ended.failure->error;
  if (!said("cause", ended.failure ? ended.failure->cause : "")) return "cause " + ended.failure->cause;
  const auto events = world.ask<std::vector<states::Event>>(
      [&](Store& store) { return store.events(ended.id, 0, 100'000).value(); });
  std::string types, expected_types;
  for (const states::Event& event : events) {
    if (states::visible(event.type)) types += std::string(states::name_of(event.type)) + " ";
  }
  for (const Json& event : expect["history"]) expected_types += event["type"].get<std::string>() + " ";
  return types == expected_types ? "" : "history " + types;
}

}  // namespace

TEST_CASE("map runs: recorded AWS behaviour") {
  const auto folder = tests::shared("conformance/asl/distributed_map");
  if (!folder) {
    MESSAGE("skipped: the recorded cases are not there");
    return;
  }
  std::size_t run = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
    const std::string different = difference(Json::parse(tests::read_file(entry.path())));
    CHECK_MESSAGE(different.empty(), entry.path().filename().string() << ": " << different);
    ++run;
  }
  CHECK(run >= 40);
  MESSAGE(run << " recorded cases");
}
