// Tables, queues and streams by data: tests/cases/{dynamodb,sqs,kinesis}/*.json. A case is steps in order,
// each one operation and its answer or error; "after_seconds" moves the clock first; "keep" names parts of an
// answer for later steps
// ("$name"); {"repeat": "x", "times": 9} is a long text.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.h"
#include "tasks/integrations/dynamodb/tables.h"
#include "tasks/integrations/kinesis/streams.h"
#include "tasks/integrations/sqs/queues.h"
#include "tests/support/paths.h"
#include "tests/tasks/integrations/manual_clock.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

template <class Service>
struct ServiceUnderCases {
  TemporaryHome home;
  ManualClock clock;
  std::unique_ptr<Service> service;
  std::map<std::string, Json> kept;

  ServiceUnderCases() {
    auto opened = Service::open(home.path("service.db"), {}, clock, 7);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    service = std::move(*opened);
  }

  ServiceAnswer ask(const std::string& operation, const Json& input, const std::string& key) {
    std::promise<ServiceAnswer> promise;
    auto answer = promise.get_future();
    service->call({operation, to_payload(input), key},
                  [&promise](ServiceAnswer given) { promise.set_value(std::move(given)); });
    if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      return service_error("Stuck", "no answer");
    return answer.get();
  }

  // "$name" is what was kept under that name.
  Json filled(const Json& value) const {
    if (value.is_string() && value.get<std::string>().starts_with("$")) {
      const auto found = kept.find(value.get<std::string>().substr(1));
      return found == kept.end() ? value : found->second;
    }
    if (!value.is_structured()) return value;
    if (value.is_object() && value.contains("repeat")) {
      const auto text = value["repeat"].template get<std::string>();
      std::string long_text;
      for (int i = 0; i < value["times"].template get<int>(); ++i) long_text += text;
      return long_text;
    }
    Json out = value;
    for (auto& part : out) part = filled(part);
    return out;
  }
};

// Objects without regard to order; "*" takes anything.
bool matches(const Json& expected, const Json& given) {
  if (expected == "*") return true;
  if (expected.type() != given.type() && !(expected.is_number() && given.is_number())) return false;
  if (expected.is_object()) {
    if (expected.size() != given.size()) return false;
    for (const auto& [key, value] : expected.items())
      if (!given.contains(key) || !matches(value, given[key])) return false;
    return true;
  }
  if (!expected.is_array()) return expected == given;
  if (expected.size() != given.size()) return false;
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!matches(expected[i], given[i])) return false;
  return true;
}

template <class Service>
void run_case(const Json& one) {
  ServiceUnderCases<Service> world;
  std::size_t number = 0;
  for (const Json& step : one["steps"]) {
    ++number;
    if (step.contains("after_seconds"))
      world.clock.advance(std::chrono::seconds(step["after_seconds"].template get<int>()));
    if (!step.contains("call")) continue;
    const std::string operation = step["call"].template get<std::string>();
    const Json request = world.filled(step.value("request", Json::object()));
    const ServiceAnswer answer = world.ask(operation, request, step.value("key", ""));
    INFO("step " << number << ": " << operation << " " << request.dump());
    if (step.contains("error")) {
      const std::string given = answer ? "answer " + std::string(answer->text())
                                       : answer.error().code + ": " + answer.error().message;
      CHECK(given == world.filled(step["error"]).template get<std::string>());
      if (!answer && step.contains("detail"))
        CHECK_MESSAGE(matches(step["detail"], to_json(answer.error().detail.view())),
                      std::string(answer.error().detail.text()));
      continue;
    }
    REQUIRE_MESSAGE(answer, (answer ? "" : answer.error().code + ": " + answer.error().message));
    const Json given = to_json(answer->view());
    if (step.contains("answer")) CHECK_MESSAGE(matches(world.filled(step["answer"]), given), given.dump());
    const Json keep = step.value("keep", Json::object());
    for (const auto& [name, pointer] : keep.items())
      world.kept[name] = given.at(Json::json_pointer(pointer.template get<std::string>()));
  }
}

template <class Service>
int run_folder(const std::string& folder) {
  int count = 0;
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("/tests/cases/") + folder))
    files.insert(entry.path());
  for (const auto& file : files) {
    std::ifstream in(file);
    const Json cases = Json::parse(in);
    for (const Json& one : cases) {
      ++count;
      INFO(file.filename().string() << ": " << one["name"].get<std::string>());
      run_case<Service>(one);
    }
  }
  return count;
}

}  // namespace

TEST_CASE("Tables: the cases of tests/cases/dynamodb") {
  CHECK(run_folder<dynamodb::Tables>("dynamodb") > 20);
}

TEST_CASE("Queues: the cases of tests/cases/sqs") {
  CHECK(run_folder<sqs::Queues>("sqs") > 10);
}

TEST_CASE("Streams: the cases of tests/cases/kinesis") {
  CHECK(run_folder<kinesis::Streams>("kinesis") > 10);
}
