// TestState: the recorded answers of AWS when they are there, and tests/cases/test_state/*.json:
//   request   as the API takes it; `definition`, `input`, `context`, `variables` and a mock's `result` may be
//             written as JSON
//   task      {"resource", "arguments"}: what the caller is asked to run; `outcome` {"output"} or {"error",
//             "cause"} is what it reports
//   expect    the answer with documents as JSON, or {"apiError": {"code", "message"}}

#include <doctest/doctest.h>

#include <algorithm>

#include "base/json.h"
#include "states/test_state.h"
#include "tests/support/cases.h"
#include "tests/support/placeholders.h"

using namespace millrace;
using namespace millrace::states;

namespace {

const Limits kLimits;

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// The documents inside as JSON.
Json read_documents(const Payload& answer) {
  Json json = to_json(answer.view());
  const auto parse = [](Json& value) {
    if (!value.is_string()) return;
    Json parsed = Json::parse(value.get<std::string>(), nullptr, false);
    if (!parsed.is_discarded()) value = std::move(parsed);
  };
  if (json.contains("output")) parse(json["output"]);
  if (json.contains("inspectionData")) {
    for (auto& [key, value] : json["inspectionData"].items()) parse(value);
  }
  return json;
}

struct Answered {
  Json answer;
  Json task;  // null when none was asked for
};

Answered test_state(const Json& request, const Json& outcome) {
  const Environment environment{from_millis(1'700'000'000'000), 42, &kLimits};
  auto test = TestState::prepare(to_payload(request), {}, environment);
  if (!test) return {{{"apiError", {{"code", test.error().code}, {"message", test.error().message}}}}, {}};
  if (!test->task()) return {read_documents(std::move(*test).answer()), {}};
  const Json task = {{"resource", test->task()->resource->arn},
                     {"arguments", to_json(test->task()->arguments.view())}};
  Outcome reported = failed("NoOutcome", "the case has no outcome for the task");
  if (outcome.contains("output")) reported = to_payload(outcome["output"]);
  if (outcome.contains("error"))
    reported = failed(outcome["error"].get<std::string>(), outcome.value("cause", ""));
  return {read_documents(std::move(*test).answer(reported)), task};
}

// The first difference, or empty. "<<optional>>" may be absent, "<<any>>" is anything.
std::string difference(const Json& expected, const Json& actual, const std::string& at) {
  if (expected.is_string()) {
    const std::string text = expected.get<std::string>();
    if (text == "<<any>>" || text == "<<optional>>") return {};
    if (actual.is_string() && tests::matches_text(text, actual.get<std::string>())) return {};
  } else if (expected.is_object() && actual.is_object()) {
    for (const auto& [key, value] : expected.items()) {
      if (!actual.contains(key)) {
        if (value == "<<optional>>") continue;
        return at + "/" + key + " is missing";
      }
      if (std::string d = difference(value, actual[key], at + "/" + key); !d.empty()) return d;
    }
    for (const auto& [key, value] : actual.items()) {
      if (!expected.contains(key)) return at + "/" + key + " is not expected: " + value.dump();
    }
    return {};
  } else if (expected.is_array() && actual.is_array() && expected.size() == actual.size()) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (std::string d = difference(expected[i], actual[i], at + "/" + std::to_string(i)); !d.empty())
        return d;
    }
    return {};
  } else if (expected == actual) {
    return {};
  }
  return at + ": expected " + expected.dump() + " but was " + actual.dump();
}

// A recorded case as a request.
Json request_of(const Json& recorded) {
  static const std::vector<std::string> kNotSent = {"name", "area",   "source",  "unstamped",
                                                    "note", "expect", "compare", "functions"};
  Json request = Json::object();
  for (const auto& [key, value] : recorded.items()) {
    if (std::find(kNotSent.begin(), kNotSent.end(), key) == kNotSent.end()) request[key] = value;
  }
  for (const char* name : {"definition", "input"}) {
    if (request.contains(name)) request[name] = request[name].dump();
  }
  if (request.value("roleArn", false)) request["roleArn"] = "arn:aws:iam::123456789012:role/r";
  return request;
}

// What the function of a recorded case answers to lambda:invoke, or called by its ARN.
Json outcome_of(const Json& recorded) {
  const std::string definition = recorded["definition"].dump();
  if (!recorded.contains("functions")) return Json::object();
  const Json& function = recorded["functions"].begin().value();
  const Json payload = function.contains("value") ? function["value"] : Json::object();
  if (definition.find("lambda:invoke") == std::string::npos) return {{"output", payload}};
  return {{"output", {{"ExecutedVersion", "$LATEST"}, {"Payload", payload}, {"StatusCode", 200}}}};
}

void recorded_cases(const std::string& area) {
  const auto folder = tests::shared("conformance/asl/" + area);
  if (!folder) {
    MESSAGE("skipped: ../shared/conformance/asl/", area, " is not there");
    return;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::size_t passed = 0;
  for (const auto& file : files) {
    const Json recorded = Json::parse(tests::read_file(file));
    const Json answer = test_state(request_of(recorded), outcome_of(recorded)).answer;
    const std::string wrong = difference(recorded["expect"], answer, "");
    if (wrong.empty())
      ++passed;
    else
      MESSAGE(file.stem().string(), ": ", wrong.substr(0, 600), "\n  ", answer.dump().substr(0, 600));
  }
  MESSAGE(area, ": ", passed, " of ", files.size(), " as recorded");
  CHECK(passed == files.size());
}

}  // namespace

TEST_CASE("TestState answers as AWS was recorded to") {
  recorded_cases("test_state");
}

TEST_CASE("TestState checks mocks against the shapes of APIs as AWS was recorded to") {
  recorded_cases("test_state_field_validation");
}

TEST_CASE("tests/cases/test_state") {
  for (const Json& test : tests::cases_of("test_state")) {
    Json request = test["request"];
    for (const char* name : {"definition", "input", "context", "variables"}) {
      if (request.contains(name)) request[name] = text_of(request[name]);
    }
    if (request.contains("mock") && request["mock"].contains("result"))
      request["mock"]["result"] = text_of(request["mock"]["result"]);
    const Answered got = test_state(request, test.value("outcome", Json::object()));
    const std::string name = test["name"].get<std::string>();
    const std::string wrong = difference(test["expect"], got.answer, "");
    CHECK_MESSAGE(wrong.empty(), name << ": " << wrong << "\n  " << got.answer.dump());
    if (test.contains("task")) {
      const std::string other = difference(test["task"], got.task, "task");
      CHECK_MESSAGE(other.empty(), name << ": " << other);
    } else {
      CHECK_MESSAGE(got.task.is_null(), name << ": asks for a task: " << got.task.dump());
    }
  }
}
