// Reads tests/cases/states/*.json. A case is a definition, an input, stimuli with times, and what must come
// of them:
//   limits     fields of Limits that differ from AWS's
//   steps      in order; the first decision is Started with `input` at second 0, its expectations are `begin`
//     at                  seconds since the start
//     report              {"task", "attempt"?, "frame"?, "output"} or {"error", "cause"}: of a task that was
//     started submitted           the same with "output" heartbeat_missed    {"task"} time, stop true;
//     {"error", "cause"} effects             "start T", "start T again" (attempt 1, 2 …), "cancel T";
//     unordered due                 next_due() in seconds afterwards; null: none events              the
//     number of events that came of it
//   status, output, error, cause      how it stands in the end
//   history             every event as harness.h's brief() writes it
//   details             {"number": part of the event's details}

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "definitions/compile.h"
#include "states/history_json.h"
#include "tests/states/harness.h"
#include "tests/support/paths.h"
#include "tests/support/shared.h"

using namespace millrace;
using namespace millrace::states;

namespace {

struct Started {
  std::string state;
  TaskAttempt attempt;
  Payload arguments;
};

struct CaseRun {
  definitions::Compiled compiled;
  tests::Harness harness;
  std::vector<Started> started;  // every task ever started
  std::vector<std::string> wrong;

  void expect(const std::string& what, const Json& expected, const Json& actual) {
    if (expected != actual)
      wrong.push_back(what + "\n      expected " + expected.dump() + "\n      but was  " + actual.dump());
  }

  std::string state_of(const TaskAttempt& attempt) const {
    const auto it =
        std::find_if(started.begin(), started.end(), [&](const Started& s) { return s.attempt == attempt; });
    return it == started.end() ? "a task that was never started" : it->state;
  }

  TaskAttempt attempt_of(const Json& step) {
    for (auto it = started.rbegin(); it != started.rend(); ++it) {
      if (it->state != step["task"].get<std::string>()) continue;
      if (step.contains("attempt") && step["attempt"] != it->attempt.attempt) continue;
      if (step.contains("frame") && step["frame"] != it->attempt.frame.value) continue;
      return it->attempt;
    }
    wrong.push_back("no such task was started: " + step.dump());
    return {};
  }

  Stimulus stimulus_of(const Json& step) {
    const auto text = [](const Json& from, const char* key) { return from.value(key, std::string()); };
    if (step.contains("report")) {
      const Json& r = step["report"];
      const TaskAttempt attempt = attempt_of(r);
      if (r.contains("output")) return stimulus::TaskReported{attempt, to_payload(r["output"])};
      return stimulus::TaskReported{attempt, failed(text(r, "error"), text(r, "cause"))};
    }
    if (step.contains("submitted"))
      return stimulus::TaskSubmitted{attempt_of(step["submitted"]), to_payload(step["submitted"]["output"])};
    if (step.contains("heartbeat_missed"))
      return stimulus::HeartbeatMissed{attempt_of(step["heartbeat_missed"])};
    if (step.contains("stop"))
      return stimulus::StopRequested{Failure{text(step["stop"], "error"), text(step["stop"], "cause")}};
    if (step.contains("redrive")) return stimulus::RedriveRequested{};
    if (!step.contains("time")) wrong.push_back("a step without a stimulus: " + step.dump());
    return stimulus::TimeCame{};
  }

  void take(const Json& step, const std::string& where, std::vector<Effect> effects, std::uint64_t before) {
    std::vector<std::string> shown;
    for (const Effect& effect : effects) {
      if (const auto* start = std::get_if<effect::StartTask>(&effect)) {
        started.push_back({start->state_name, start->task, start->arguments});
        shown.push_back("start " + start->state_name + (start->task.attempt > 0 ? " again" : ""));
      } else {
        shown.push_back("cancel " + state_of(std::get<effect::CancelTask>(effect).task));
      }
    }
    std::sort(shown.begin(), shown.end());
    if (step.contains("effects")) {
      std::vector<std::string> expected = step["effects"];
      std::sort(expected.begin(), expected.end());
      expect(where + ": effects", expected, shown);
    }
    if (step.contains("arguments")) {
      REQUIRE(!started.empty());
      expect(where + ": arguments", step["arguments"], to_json(started.back().arguments.view()));
    }
    if (step.contains("due")) {
      const auto due = next_due(harness.execution, *compiled.program);
      const Json actual =
          due ? Json(static_cast<double>(to_millis(*due) - 1'700'000'000'000) / 1000) : Json(nullptr);
      expect(where + ": due", step["due"], actual);
    }
    if (step.contains("events"))
      expect(where + ": events", step["events"], harness.execution.events - before);
  }

  // Whether every member of `part` is in `whole`.
  static bool has(const Json& part, const Json& whole) {
    return std::all_of(part.items().begin(), part.items().end(), [&](const auto& item) {
      return whole.contains(item.key()) && whole[item.key()] == item.value();
    });
  }

  void check_details(const Json& details) {
    for (const auto& [number, part] : details.items()) {
      Json shown;
      for (const Event& event : harness.events) {
        if (!visible(event.type) || std::to_string(event.number) != number) continue;
        JsonWriter out;
        write_event(out, event);
        const Json whole = to_json(out.finish().view());
        for (const auto& [key, value] : whole.items()) {
          if (key.ends_with("EventDetails")) shown = value;
        }
      }
      if (!has(part, shown)) expect("details of event " + number, part, shown);
    }
  }

  void check_end(const Json& c) {
    const Execution& e = harness.execution;
    expect("status", c["status"], std::string(name_of(e.status)));
    if (c.contains("output")) expect("output", c["output"], e.output ? to_json(e.output->view()) : Json());
    if (c.contains("error")) expect("error", c["error"], e.failure ? Json(e.failure->error) : Json());
    if (c.contains("cause")) expect("cause", c["cause"], e.failure ? Json(e.failure->cause) : Json());
    if (c.contains("history")) {
      Json actual = Json::array();
      for (const Event& event : harness.events) actual.push_back(tests::brief(event));
      if (actual != c["history"]) wrong.push_back("history was\n" + actual.dump(1));
    }
    if (c.contains("details")) check_details(c["details"]);
  }

  void run(const Json& c) {
    compiled = definitions::compile(c["definition"].dump());
    if (!compiled.program) {
      wrong.push_back("does not compile: " + render(compiled.diagnostics.at(0), "case", ""));
      return;
    }
    harness.program = compiled.program.get();
    const Json limits = c.value("limits", Json::object());
    harness.limits.payload_bytes_max = limits.value("payload_bytes_max", harness.limits.payload_bytes_max);
    harness.limits.history_events_max = limits.value("history_events_max", harness.limits.history_events_max);
    harness.limits.decision_events_max =
        limits.value("decision_events_max", harness.limits.decision_events_max);
    harness.limits.cause_characters_max =
        limits.value("cause_characters_max", harness.limits.cause_characters_max);
    harness.limits.variable_bytes_max = limits.value("variable_bytes_max", harness.limits.variable_bytes_max);
    harness.limits.variables_bytes_max =
        limits.value("variables_bytes_max", harness.limits.variables_bytes_max);
    const Instant start = harness.now;
    take(c.value("begin", Json::object()), "begin",
         harness.start(to_payload(c.value("input", Json::object()))), 0);
    int number = 0;
    for (const Json& step : c.value("steps", Json::array())) {
      harness.now = start + Millis(static_cast<std::int64_t>(step.value("at", 0.0) * 1000));
      const std::uint64_t before = harness.execution.events;
      const Stimulus stimulus = stimulus_of(step);
      take(step, "step " + std::to_string(++number), harness.apply(stimulus), before);
    }
    check_end(c);
    if (!harness.problem.empty()) wrong.push_back("after a decision: " + harness.problem);
  }
};

}  // namespace

TEST_CASE("States: every case of tests/cases/states goes as it says") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("/tests/cases/states")))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  int count = 0;
  for (const auto& file : files) {
    const Json document = Json::parse(tests::read_file(file));
    for (const Json& c : document["cases"]) {
      const std::string name = file.filename().string() + ": " + c["name"].get<std::string>();
      CaseRun run;
      run.run(c);
      std::string text;
      for (const std::string& w : run.wrong) text += "\n   " + w;
      CHECK_MESSAGE(run.wrong.empty(), name, text);
      ++count;
    }
  }
  CHECK(count >= 60);
}
