#include "simulation/test_file.h"

#include <algorithm>

#include "definitions/compile.h"
#include "definitions/diagnostics.h"

namespace millrace::simulation {
namespace {

Result<std::vector<std::string>> read_names(const Member& names) {
  if (!names.view().is_array()) return names.wrong("must be an array of state names");
  std::vector<std::string> read;
  for (const JsonView name : names.view().elements()) {
    if (!name.is_string()) return names.wrong("must be an array of state names");
    read.push_back(name.string());
  }
  return read;
}

Status check_state(const Member& at, const std::string& state, const std::set<std::string>& names) {
  if (names.contains(state)) return {};
  const std::string near =
      definitions::nearest(state, std::vector<std::string_view>(names.begin(), names.end()));
  return at.wrong("the definition has no state '" + state + "'",
                  near.empty() ? "" : "did you mean '" + near + "'?");
}

Result<std::map<std::string, std::uint64_t>> read_counts(const Member& counts,
                                                         const std::set<std::string>& names) {
  std::map<std::string, std::uint64_t> read;
  if (!counts) return read;
  if (!counts.view().is_object()) return counts.wrong("must be an object of states and numbers");
  for (const auto [key, value] : counts.view().members()) {
    MR_DO(check_state(counts, key.string(), names));
    MR_TRY(count, counts.whole(key.string()));
    read[key.string()] = *count;
  }
  return read;
}

Status read_expected_paths(const Member& expect, const std::set<std::string>& names, Expectation& read) {
  if (const Member path = expect.find("path")) {
    MR_TRY(states, read_names(path));
    for (const std::string& state : states) MR_DO(check_state(path, state, names));
    read.path = std::move(states);
  }
  if (const Member lines = expect.find("lines")) {
    if (!lines.view().is_object())
      return lines.wrong("must be an object of lines, such as \"Each[0]\", and paths");
    for (const auto [key, value] : lines.view().members()) {
      MR_TRY(states, read_names(Member(value, lines.below(key.string()))));
      for (const std::string& state : states) MR_DO(check_state(lines, state, names));
      read.lines.emplace(key.string(), std::move(states));
    }
  }
  return {};
}

Result<Expectation> read_expectation(const Member& expect, const std::set<std::string>& names) {
  Expectation read;
  if (!expect) {
    read.status = "SUCCEEDED";
    return read;
  }
  MR_DO(expect.members({"status", "output", "outputContains", "error", "cause", "causeContains", "path",
                        "lines", "visits", "calls", "duration"}));
  MR_TRY(status, expect.text("status"));
  MR_TRY(error, expect.text("error"));
  MR_TRY(cause, expect.text("cause"));
  MR_TRY(cause_contains, expect.text("causeContains"));
  static constexpr std::string_view kStatuses[] = {"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"};
  if (status && std::find(std::begin(kStatuses), std::end(kStatuses), *status) == std::end(kStatuses))
    return expect.find("status").wrong("'" + *status + "' is no status",
                                       "RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED");
  read.status = status ? *status : error || cause || cause_contains ? "FAILED" : "SUCCEEDED";
  read.error = std::move(error);
  read.cause = std::move(cause);
  read.cause_contains = std::move(cause_contains);
  const Member output = expect.find("output"), part = expect.find("outputContains");
  if (output && part) return expect.wrong("has 'output' and 'outputContains': give one of them");
  if (output) read.output = Payload::of(output.view());
  if (part) {
    read.output = Payload::of(part.view());
    read.output_how = Compare::Subset;
  }
  MR_DO(read_expected_paths(expect, names, read));
  MR_TRY(visits, read_counts(expect.find("visits"), names));
  MR_TRY(calls, read_counts(expect.find("calls"), names));
  read.visits = std::move(visits);
  read.calls = std::move(calls);
  if (const Member duration = expect.find("duration")) {
    MR_DO(duration.members({"atLeast", "atMost"}));
    MR_TRY(least, duration.seconds("atLeast"));
    MR_TRY(most, duration.seconds("atMost"));
    read.at_least = least;
    read.at_most = most;
  }
  return read;
}

// What of the context object a test can set.
Status read_context(const Member& context, TestCase& read) {
  if (!context) return {};
  MR_DO(context.members({"Execution", "StateMachine"}));
  if (const Member execution = context.find("Execution")) {
    MR_DO(execution.members({"Name", "StartTime"}));
    MR_TRY(name, execution.text("Name"));
    if (name) read.execution_name = *name;
    MR_TRY(start, execution.text("StartTime"));
    if (start) {
      const auto time = parse_rfc3339(*start);
      if (!time) return execution.wrong("'" + *start + "' is no time", "e.g. 2026-01-31T08:00:00Z");
      read.start = *time;
    }
  }
  if (const Member machine = context.find("StateMachine")) {
    MR_DO(machine.members({"Name"}));
    MR_TRY(name, machine.text("Name"));
    if (name) read.machine_name = *name;
  }
  return {};
}

// Objects by "bucket/key": a text as it is, anything else as JSON.
Status read_objects(const Member& objects, MemoryObjects::Contents& into) {
  if (!objects) return {};
  if (!objects.view().is_object()) return objects.wrong("must be an object of names such as \"bucket/key\"");
  for (const auto [key, value] : objects.view().members()) {
    std::string name = key.string();
    if (name.starts_with("s3://")) name.erase(0, 5);
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == name.size())
      return objects.wrong("'" + key.string() + "' is no name of an object", "bucket/key");
    into.insert_or_assign(std::move(name), value.is_string() ? value.string() : std::string(value.text()));
  }
  return {};
}

struct Reading {
  const TestSuite& suite;
  const LoadFile& load;
  std::set<std::string> names;
  std::optional<MockConfig> config;
  std::string machine;  // of the config
  Mocks shared;         // mocks of the whole file
  MemoryObjects::Contents objects;
};

Result<TestCase> read_case(const Member& test, const Reading& with) {
  MR_DO(test.members({"name", "input", "inputFile", "context", "mocks", "mockCase", "objects", "expect",
                      "timeLimit", "seed"}));
  TestCase read;
  MR_TRY(name, test.text("name"));
  if (!name || name->empty()) return test.wrong("'name' is missing");
  read.name = std::move(*name);
  MR_TRY(file, test.text("inputFile"));
  if (file) {
    MR_TRY(text, with.load(*file));
    MR_TRY(document, parse_file(text, *file));
    read.input = std::move(document);
  }
  if (const Member input = test.find("input")) read.input = Payload::of(input.view());
  MR_DO(read_context(test.find("context"), read));
  read.mocks = with.shared;
  MR_TRY(from_config, test.text("mockCase"));
  if (from_config) {
    if (!with.config)
      return test.wrong("'mockCase' needs a 'mockConfig' in the file",
                        "name the MockConfigFile.json and its 'stateMachine'");
    MR_TRY(mocks, with.config->mocks(with.machine, *from_config, *with.suite.program));
    for (auto& [state, series] : mocks) read.mocks.insert_or_assign(state, std::move(series));
  }
  MR_TRY(mocks, read_mocks(test.find("mocks"), *with.suite.program));
  for (auto& [state, series] : mocks) read.mocks.insert_or_assign(state, std::move(series));
  read.objects = with.objects;
  MR_DO(read_objects(test.find("objects"), read.objects));
  MR_TRY(expect, read_expectation(test.find("expect"), with.names));
  read.expect = std::move(expect);
  MR_TRY(limit, test.seconds("timeLimit"));
  if (limit) read.time_limit = *limit;
  MR_TRY(seed, test.whole("seed"));
  read.seed = seed.value_or(1);
  return read;
}

Status read_definition(const Member& root, const LoadFile& load, TestSuite& suite) {
  const Member definition = root.find("definition");
  if (!definition)
    return root.wrong("'definition' is missing", "a path relative to the test file, or the definition");
  if (definition.view().is_string()) {
    suite.definition_file = definition.view().string();
    MR_TRY(text, load(suite.definition_file));
    suite.definition = std::move(text);
  } else {
    suite.definition = std::string(definition.view().text());
  }
  definitions::Compiled compiled = definitions::compile(suite.definition);
  if (!compiled.program) {
    const std::string& shown = suite.definition_file.empty() ? suite.file : suite.definition_file;
    std::string all;
    for (const definitions::Diagnostic& d : compiled.diagnostics)
      all += "\n" + definitions::render(d, shown, suite.definition);
    return definition.wrong("the definition does not compile" + all);
  }
  suite.program = std::move(compiled.program);
  return {};
}

// ---- running

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return "[" + text + "]";
}

void check_path(const std::string& what, const std::vector<std::string>& expected,
                const std::vector<std::string>& actual, std::vector<std::string>& problems) {
  if (expected == actual) return;
  const auto differ = std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end());
  const auto at = [](const std::vector<std::string>& path, auto where) {
    return where == path.end() ? std::string("the end") : "'" + *where + "'";
  };
  problems.push_back(what + ": expected " + list_of(expected) + "\n" + std::string(what.size() + 2, ' ') +
                     "got      " + list_of(actual) + "\n" + std::string(what.size() + 2, ' ') + "step " +
                     std::to_string(differ.first - expected.begin() + 1) + ": expected " +
                     at(expected, differ.first) + ", got " + at(actual, differ.second));
}

void check_lines(const Expectation& expect, const CaseResult& result, std::vector<std::string>& problems) {
  std::map<std::string, std::vector<std::string>> actual;
  std::map<std::string, std::uint64_t> visits;
  const auto add = [&](const Trace& trace) {
    // A state that is visited again begins lines of the same name: the last one counts.
    for (const auto& [frame, line] : trace.lines()) actual[line.label] = line.path;
    for (const Visit& visit : trace.visits()) ++visits[visit.state];
  };
  add(*result.trace);
  for (const auto& child : result.children) add(*child);
  if (expect.path) check_path("path", *expect.path, actual[""], problems);
  for (const auto& [label, path] : expect.lines) {
    const auto found = actual.find(label);
    if (found == actual.end())
      problems.push_back("path of " + label + ": there is no such branch or iteration");
    else
      check_path("path of " + label, path, found->second, problems);
  }
  for (const auto& [state, count] : expect.visits) {
    if (visits[state] != count)
      problems.push_back("visits of '" + state + "': expected " + std::to_string(count) + ", got " +
                         std::to_string(visits[state]));
  }
}

void check_end(const Expectation& expect, const CaseResult& result, std::vector<std::string>& problems) {
  const std::string error = result.failure ? result.failure->error : "";
  const std::string cause = result.failure ? result.failure->cause : "";
  if (expect.status && *expect.status != result.status) {
    problems.push_back("status: expected " + *expect.status + ", got " + result.status +
                       (result.failure ? " (" + error + ": " + shortened(cause, 500) + ")" : ""));
  }
  const auto text = [&](std::string_view what, const std::optional<std::string>& expected,
                        const std::string& actual) {
    if (expected && *expected != actual)
      problems.push_back(std::string(what) + ": expected '" + *expected + "', got '" +
                         shortened(actual, 500) + "'");
  };
  if (!expect.status && result.status == "RUNNING")
    problems.push_back("it did not end: nothing more will happen");
  text("error", expect.error, error);
  text("cause", expect.cause, cause);
  if (expect.cause_contains && cause.find(*expect.cause_contains) == std::string::npos)
    problems.push_back("cause: expected '" + *expect.cause_contains + "' in '" + shortened(cause, 500) + "'");
  if (!expect.output) return;
  if (!result.output) {
    problems.push_back("output: expected " + shortened(expect.output->text(), 300) + ", got none");
  } else if (const auto differ =
                 first_difference(expect.output->view(), result.output->view(), expect.output_how)) {
    problems.push_back("output " + describe(*differ));
  }
}

void check_duration(const Expectation& expect, Millis duration, std::vector<std::string>& problems) {
  if (expect.at_least && duration < *expect.at_least)
    problems.push_back("duration: expected at least " + format_duration(*expect.at_least) + ", got " +
                       format_duration(duration));
  if (expect.at_most && duration > *expect.at_most)
    problems.push_back("duration: expected at most " + format_duration(*expect.at_most) + ", got " +
                       format_duration(duration));
}

}  // namespace

Result<TestSuite> read_test_suite(const std::string& text, const std::string& file, const LoadFile& load) {
  MR_TRY(document, parse_file(text, file));
  const Member root(document.view(), file);
  MR_DO(root.members({"comment", "definition", "mockConfig", "stateMachine", "mocks", "objects", "cases"}));
  TestSuite suite;
  suite.file = file;
  MR_DO(read_definition(root, load, suite));
  Reading with{suite, load, state_names(*suite.program), {}, {}, {}, {}};
  MR_TRY(config_file, root.text("mockConfig"));
  if (config_file) {
    MR_TRY(config_text, load(*config_file));
    MR_TRY(config, read_mock_config(config_text, *config_file));
    MR_TRY(machine, root.text("stateMachine"));
    const std::vector<std::string> machines = config.machines();
    with.machine = machine ? *machine : machines.size() == 1 ? machines[0] : "";
    with.config = std::move(config);
  }
  MR_TRY(shared, read_mocks(root.find("mocks"), *suite.program));
  with.shared = std::move(shared);
  MR_DO(read_objects(root.find("objects"), with.objects));
  const Member cases = root.find("cases");
  if (!cases || !cases.view().is_array()) return cases.wrong("must be an array of cases");
  for (std::uint32_t i = 0; i < cases.view().size(); ++i) {
    MR_TRY(test, read_case(cases.at(i), with));
    suite.cases.push_back(std::move(test));
  }
  return suite;
}

CaseResult run_case(const TestSuite& suite, const TestCase& test) {
  CaseResult result;
  result.name = test.name;
  Scheduler scheduler(test.seed, Ties::InOrder, test.start);
  MockRunner runner(scheduler, test.mocks);
  orchestrator::EngineSettings settings;
  settings.callbacks = false;
  settings.nested_executions = false;  // mocked like the others
  settings.seed = test.seed;
  MemoryObjects objects(test.objects, test.start);
  World world(scheduler, runner, settings, &objects);
  runner.watch(world);
  const auto made = world.create_machine(test.machine_name, suite.definition);
  const auto id = made ? world.start(test.machine_name, test.execution_name, test.input)
                       : Result<ExecutionId>(tl::unexpected<Error>(made.error()));
  if (!id) {
    result.problems.push_back("it did not start: " + id.error().message);
    return result;
  }
  const Trace& trace = *world.trace(*id);
  const bool ended_in_time = world.run(
      test.start + test.time_limit, [&] { return trace.execution().ended() || !runner.missing().empty(); });
  result.status = std::string(name_of(trace.execution().status));
  result.output = trace.execution().output;
  result.failure = trace.execution().failure;
  result.duration = trace.execution().ended() ? trace.duration() : world.now() - test.start;
  result.events = trace.execution().visible_events;
  result.trace = std::make_shared<const Trace>(trace);
  for (const auto& [other, child] : world.traces()) {
    if (other != *id) result.children.push_back(std::make_shared<const Trace>(*child));
  }
  if (!runner.missing().empty()) {
    result.problems.push_back(runner.missing());
    return result;
  }
  if (!ended_in_time) result.problems.push_back("it goes on and on: more than five million things happened");
  result.problems.insert(result.problems.end(), runner.surprises().begin(), runner.surprises().end());
  check_end(test.expect, result, result.problems);
  check_lines(test.expect, result, result.problems);
  for (const auto& [state, count] : test.expect.calls) {
    const auto found = runner.calls().find(state);
    const std::uint64_t calls = found == runner.calls().end() ? 0 : found->second;
    if (calls != count)
      result.problems.push_back("calls of '" + state + "': expected " + std::to_string(count) + ", got " +
                                std::to_string(calls));
  }
  check_duration(test.expect, result.duration, result.problems);
  return result;
}

}  // namespace millrace::simulation
