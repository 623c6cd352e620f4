// Replays recorded AWS behaviour (inline) through compile() and decide() with a small driver under
// virtual time, and compares status, output, error, cause and the whole history.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "definitions/compile.h"
#include "states/decide.h"
#include "states/history_json.h"
#include "tests/support/placeholders.h"
#include "tests/support/shared.h"

using namespace millrace;
using namespace millrace::states;

namespace {

// Runs an execution to its end; tasks are answered by `functions` as the cases' README describes them.
struct Replay {
  Limits limits;
  definitions::Compiled compiled;
  Execution execution;
  std::vector<Event> events;
  Instant now = from_millis(1'700'000'000'000);
  Json functions;
  std::string problem;

  void apply(const Stimulus& stimulus) {
    Environment environment{now, 42, &limits};
    const Execution before = execution;
    Decision decision = decide(*compiled.program, execution, stimulus, environment);
    Execution folded = before;
    for (const Event& event : decision.events) evolve(folded, *compiled.program, event);
    if (!(folded == decision.next)) problem = "the state is not the fold of the events";
    execution = std::move(decision.next);
    if (const std::string broken = check_consistent(execution, *compiled.program); !broken.empty())
      problem = broken;
    std::move(decision.events.begin(), decision.events.end(), std::back_inserter(events));
    std::vector<effect::StartTask> tasks;
    for (Effect& effect : decision.effects) {
      if (auto* start = std::get_if<effect::StartTask>(&effect)) tasks.push_back(std::move(*start));
    }
    for (const effect::StartTask& task : tasks) answer(task);
  }

  void answer(const effect::StartTask& task) {
    const Json arguments = to_json(task.arguments.view());
    std::string name;
    Json event = arguments;
    const bool service = task.resource->family == definitions::TaskFamily::Service;
    if (service) {
      if (task.resource->resource_type != "lambda") {
        problem = "another service";
        return;
      }
      name = arguments.value("FunctionName", "");
      event = arguments.contains("Payload") ? arguments["Payload"] : Json::object();
      if (event.is_null()) event = Json::object();
      if (event.is_string()) event = Json::parse(event.get<std::string>());  // a text is JSON to the service
    } else {
      name = task.resource->arn;
    }
    const std::size_t colon = name.find(":function:");
    if (colon != std::string::npos) name = name.substr(colon + 10);
    name = name.substr(0, name.find(':'));
    if (!functions.contains(name)) {
      problem = "no such function " + name;
      return;
    }
    const Json& behaviour = functions[name];
    const std::string kind = behaviour.value("behaviour", behaviour.value("kind", ""));
    Outcome outcome = Payload();
    if (kind == "echo") {
      outcome = to_payload(event);
    } else if (kind == "return") {
      outcome = to_payload(behaviour["value"]);
    } else if (kind == "return_large") {
      outcome = Payload::string(std::string(behaviour["bytes"].get<std::size_t>(), 'a'));
    } else if (kind == "raise") {
      outcome =
          failed(behaviour["errorType"].get<std::string>(), Json{{"errorMessage", behaviour["errorMessage"]},
                                                                 {"errorType", behaviour["errorType"]},
                                                                 {"requestId", "r"},
                                                                 {"stackTrace", Json::array()}}
                                                                .dump());
    } else if (kind == "sleep") {
      return;  // until its timeout
    } else {
      problem = "behaviour " + kind;
      return;
    }
    if (service && outcome) {
      JsonWriter out;
      out.begin_object()
          .key("ExecutedVersion")
          .string("$LATEST")
          .key("Payload")
          .value(*outcome)
          .key("StatusCode")
          .number(std::int64_t{200})
          .end_object();
      outcome = out.finish();
    }
    apply(stimulus::TaskReported{task.task, outcome});
  }

  void run(const Json& input) {
    stimulus::Started started;
    started.identity = {"arn:aws:states:us-east-1:123456789012:execution:machine:name", "name",
                        "arn:aws:states:us-east-1:123456789012:stateMachine:machine", "machine",
                        "arn:aws:iam::123456789012:role/r"};
    started.input = to_payload(input);
    apply(started);
    for (int i = 0; i < 10'000 && !execution.ended() && problem.empty(); ++i) {
      const auto due = next_due(execution, *compiled.program);
      if (!due) {
        problem = "waits for nothing";
        return;
      }
      now = std::max(now, *due);
      apply(stimulus::TimeCame{});
    }
  }
};

bool matches(const Json& expected, const Json& actual);

bool matches(const Json& expected, const Json& actual) {
  if (expected.is_string()) {
    const std::string text = expected.get<std::string>();
    if (text == "<<any>>" || text == "<<optional>>" || text == "<<time>>") return true;
    return actual.is_string() && tests::matches_text(text, actual.get<std::string>());
  }
  if (expected.is_object()) {
    if (expected.size() == 1 && expected.contains("$jsonString")) {
      const Json parsed =
          actual.is_string() ? Json::parse(actual.get<std::string>(), nullptr, false) : actual;
      return !parsed.is_discarded() && matches(expected["$jsonString"], parsed);
    }
    if (!actual.is_object()) return false;
    for (const auto& [key, value] : expected.items()) {
      if (!actual.contains(key)) {
        if (value.is_string() && value.get<std::string>() == "<<optional>>") continue;
        return false;
      }
      if (!matches(value, actual[key])) return false;
    }
    for (const auto& [key, value] : actual.items()) {
      if (!expected.contains(key) && key != "RedriveCount") return false;  // younger than some recordings
    }
    return true;
  }
  if (expected.is_array()) {
    if (!actual.is_array() || actual.size() != expected.size()) return false;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!matches(expected[i], actual[i])) return false;
    }
    return true;
  }
  return expected == actual;
}

// The event as the cases write it: documents parsed, no time.
Json shown(const Event& event) {
  JsonWriter out;
  write_event(out, event);
  Json json = to_json(out.finish().view());
  Json made = {{"type", json["type"]},
               {"id", json["id"]},
               {"previousEventId", json["previousEventId"]},
               {"details", Json::object()}};
  for (auto& [key, value] : json.items()) {
    if (key.size() > 12 && key.ends_with("EventDetails")) made["details"] = value;
  }
  for (auto& [key, value] : made["details"].items()) {
    if ((key == "input" || key == "output" || key == "parameters") && value.is_string())
      value = Json::parse(value.get<std::string>());
    if (key == "assignedVariables") {
      for (auto& [name, text] : value.items()) text = Json::parse(text.get<std::string>());
    }
  }
  return made;
}

std::string compare_history(const Json& expected, const std::vector<Event>& events, bool ordered) {
  std::vector<Json> actual;
  for (const Event& event : events) {
    if (visible(event.type)) actual.push_back(shown(event));
  }
  if (actual.size() != expected.size()) {
    return "the history has " + std::to_string(actual.size()) + " events, expected " +
           std::to_string(expected.size());
  }
  std::vector<bool> used(actual.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const Json& want = expected[i];
    bool found = false;
    for (std::size_t k = ordered ? i : 0; k < (ordered ? i + 1 : actual.size()) && !found; ++k) {
      if (used[k] || want["type"] != actual[k]["type"] ||
          !matches(want.value("details", Json::object()), actual[k]["details"]))
        continue;
      if (ordered &&
          (want["id"] != actual[k]["id"] || want["previousEventId"] != actual[k]["previousEventId"]))
        continue;
      used[k] = found = true;
    }
    if (!found)
      return "event " + std::to_string(i + 1) + ": expected " + want.dump().substr(0, 300) + " but was " +
             actual[i].dump().substr(0, 300);
  }
  return {};
}

bool out_of_reach(const Json& test) {
  const std::string text = test["definition"].dump();
  static const std::set<std::string> kOther = {
      "test_state", "test_state_field_validation", "activities", "callback", "nested", "distributed_map",
      "express"};
  for (const char* word :
       {"DISTRIBUTED", "ItemReader", "ResultWriter", "aws-sdk", "arn:aws:states:::states", "${"}) {
    if (text.find(word) != std::string::npos) return true;
  }
  return kOther.contains(test["area"].get<std::string>());
}

}  // namespace

TEST_CASE("recorded AWS histories") {
  const auto folder = tests::shared("conformance/asl");
  if (!folder) {
    MESSAGE("skipped: ../shared/conformance/asl is not there");
    return;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*folder)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  int run = 0, passed = 0, skipped = 0;
  for (const auto& file : files) {
    const Json test = Json::parse(tests::read_file(file));
    if (!test.contains("definition") || !test.contains("expect") || !test["expect"].contains("status"))
      continue;
    if (out_of_reach(test)) {
      ++skipped;
      continue;
    }
    ++run;
    Replay replay;
    replay.compiled = definitions::compile(test["definition"].dump());
    replay.functions = test.value("functions", Json::object());
    std::string why;
    if (!replay.compiled.program) {
      why = "does not compile: " +
            (replay.compiled.diagnostics.empty() ? "" : replay.compiled.diagnostics[0].message);
    } else {
      replay.run(test.contains("input") ? test["input"] : Json::object());
      const Json& expect = test["expect"];
      const Json compare = test.value("compare", Json::object());
      const Execution& e = replay.execution;
      if (!replay.problem.empty())
        why = replay.problem;
      else if (expect["status"] != std::string(name_of(e.status)))
        why = "status " + std::string(name_of(e.status)) +
              (e.failure ? ": " + e.failure->error + ": " + e.failure->cause : "");
      else if (expect.contains("output") &&
               (!e.output || !matches(expect["output"], to_json(e.output->view()))))
        why = "output " + (e.output ? std::string(e.output->text()) : "");
      else if (expect.contains("error") && (!e.failure || expect["error"] != e.failure->error))
        why = "error " + (e.failure ? e.failure->error : "");
      else if (expect.contains("cause") && compare.value("cause", "exact") != "ignore" &&
               (!e.failure || !matches(expect["cause"], Json(e.failure->cause))))
        why = "cause " + (e.failure ? e.failure->cause : "");
      else if (expect.contains("history"))
        why = compare_history(expect["history"], replay.events,
                              compare.value("history", "ordered") == "ordered");
    }
    if (replay.problem.starts_with("no such function") ||
        test["definition"].dump().find("LogType") != std::string::npos) {
      --run;  // the function service's own answers are tested where it is built
      ++skipped;
    } else if (why.empty()) {
      ++passed;
    } else {
      MESSAGE(file.parent_path().filename().string(), "/", file.stem().string(), ": ", why.substr(0, 700));
    }
  }
  MESSAGE("recorded cases: ", run, " run, ", passed, " as recorded, ", skipped,
          " of other parts of the language skipped");
  CHECK(passed == run);
}
