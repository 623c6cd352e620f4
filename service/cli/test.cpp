// `millrace test`: test files of workflows, run with mocked tasks under virtual time.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "definitions/compile.h"
#include "service/cli/command.h"
#include "service/cli/test_report.h"

namespace millrace::cli {
namespace {

struct TestOptions {
  std::vector<std::string> files;
  std::string filter, junit, input = "{}";
  std::vector<std::string> definitions;  // [MACHINE=]FILE, for mock configurations
  bool coverage = false;
  double coverage_min = 0;
};

// Files named in a test file are relative to it.
simulation::LoadFile beside(const std::string& file) {
  return [folder = std::filesystem::path(file == "-" ? "" : file).parent_path()](const std::string& path) {
    return read_input(path == "-" ? path : (folder / path).string());
  };
}

// The definition for a machine of a mock configuration.
Result<std::string> definition_of(const std::string& machine, const simulation::MockConfig& config,
                                  const TestOptions& options) {
  for (const std::string& given : options.definitions) {
    const std::size_t equals = given.find('=');
    if (equals != std::string::npos && given.substr(0, equals) == machine) return given.substr(equals + 1);
    if (equals == std::string::npos && config.machines().size() == 1) return given;
  }
  return invalid(config.file + ": which definition has the state machine '" + machine + "'?",
                 "--definition " + machine + "=FILE");
}

// Every test case of every machine; there is nothing to expect but that the mocks are enough to come to an
// end.
Result<std::vector<simulation::TestSuite>> suites_of(const simulation::MockConfig& config,
                                                     const TestOptions& options) {
  std::vector<simulation::TestSuite> suites;
  MR_TRY(input, read_json(options.input));
  for (const std::string& machine : config.machines()) {
    simulation::TestSuite suite;
    suite.file = config.file;
    MR_TRY(file, definition_of(machine, config, options));
    MR_TRY(text, read_input(file));
    suite.definition_file = std::move(file);
    suite.definition = std::move(text);
    auto compiled = definitions::compile(suite.definition);
    if (!compiled.program)
      return invalid(suite.definition_file + " does not compile",
                     "`millrace validate " + suite.definition_file + "` says where and what to do");
    suite.program = std::move(compiled.program);
    for (const std::string& name : config.test_cases(machine)) {
      simulation::TestCase test;
      test.name = name;
      test.input = input;
      test.machine_name = machine;
      MR_TRY(mocks, config.mocks(machine, name, *suite.program));
      test.mocks = std::move(mocks);
      suite.cases.push_back(std::move(test));
    }
    suites.push_back(std::move(suite));
  }
  return suites;
}

Result<std::vector<simulation::TestSuite>> read_file(const std::string& file, const TestOptions& options) {
  MR_TRY(text, read_input(file));
  MR_TRY(document, simulation::parse_file(text, file));
  if (simulation::is_mock_config(document)) {
    MR_TRY(config, simulation::read_mock_config(text, file));
    return suites_of(config, options);
  }
  MR_TRY(suite, simulation::read_test_suite(text, file, beside(file)));
  std::vector<simulation::TestSuite> suites;
  suites.push_back(std::move(suite));
  return suites;
}

SuiteResult run_suite(const simulation::TestSuite& suite, const TestOptions& options, bool quiet) {
  SuiteResult result;
  result.file = suite.file;
  result.definition = suite.definition_file;
  if (!suite.cases.empty() && suite.cases.front().machine_name != "test")
    result.machine = suite.cases.front().machine_name;
  auto coverage = std::make_shared<simulation::Coverage>(*suite.program);
  const SystemClock clock;
  const Millis began = clock.uptime();
  if (!quiet)
    print_line(suite.file + (suite.definition_file.empty() ? "" : "  (" + suite.definition_file + ")"));
  for (const simulation::TestCase& test : suite.cases) {
    if (test.name.find(options.filter) == std::string::npos) continue;
    simulation::CaseResult done = simulation::run_case(suite, test);
    if (done.trace) coverage->add(*done.trace);
    for (const auto& child : done.children) coverage->add(*child);
    if (!quiet) print_line(case_text(done));
    result.cases.push_back(std::move(done));
  }
  result.took = clock.uptime() - began;
  result.coverage = std::move(coverage);
  if (!quiet && (options.coverage || options.coverage_min > 0)) print_line(coverage_text(*result.coverage));
  return result;
}

int test(const TestOptions& options, const Shared& shared) {
  std::vector<SuiteResult> results;
  int exit_code = kSucceeded;
  for (const std::string& file : options.files) {
    const auto suites = read_file(file, options);
    if (!suites) {
      exit_code = report(suites.error(), shared);
      continue;
    }
    for (const simulation::TestSuite& suite : *suites)
      results.push_back(run_suite(suite, options, shared.json));
  }
  std::size_t cases = 0;
  for (const SuiteResult& result : results) {
    cases += result.cases.size();
    if (exit_code == kSucceeded && result.failed() > 0) exit_code = kWorkflowFailed;
    if (result.coverage->percent() >= options.coverage_min) continue;
    std::fprintf(stderr, "millrace: %s: coverage %.1f %% is below %.1f %%\n", result.file.c_str(),
                 result.coverage->percent(), options.coverage_min);
    if (exit_code == kSucceeded) exit_code = kWorkflowFailed;
  }
  if (shared.json)
    print_json(report_json(results));
  else if (!results.empty())
    print_line(summary_text(results));
  if (!options.junit.empty()) {
    std::ofstream out(options.junit, std::ios::binary);
    if (!(out << report_junit(results)) || !out.flush())
      return report(
          {ErrorCode::InvalidArgument, "can't write " + options.junit, "check the path and the disk"},
          shared);
  }
  if (cases == 0 && exit_code == kSucceeded)
    return report({ErrorCode::InvalidArgument, "no case was run",
                   options.filter.empty() ? "add cases to the file" : "--filter keeps none of them"},
                  shared);
  return exit_code;
}

}  // namespace

void add_test(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("test", "Run the cases of test files: tasks are mocked, time is virtual");
  command->fallthrough();
  auto options = std::make_shared<TestOptions>();
  command->add_option("FILE", options->files, "test files, or a MockConfigFile.json of Step Functions Local")
      ->required();
  command->add_option("--filter", options->filter, "only cases whose name contains this");
  command->add_flag("--coverage", options->coverage,
                    "what of the definition the cases reached, and what not");
  command
      ->add_option("--coverage-min", options->coverage_min,
                   "fail when less than this many percent are covered")
      ->check(CLI::Range(0.0, 100.0));
  command->add_option("--junit", options->junit, "write a report in JUnit's XML to this file");
  command->add_option("--definition", options->definitions,
                      "[MACHINE=]FILE: the definition of a state machine of a MockConfigFile.json");
  command->add_option("-i,--input", options->input, "the input of the cases of a MockConfigFile.json")
      ->capture_default_str();
  command->footer(
      "Exit code 1 when a case fails or coverage is too low. Format of test files: "
      "docs/testing.md\nExamples:\n"
      "  millrace test examples/retry-and-catch/tests.json --coverage\n"
      "  millrace test MockConfigFile.json --definition definition.json --input '{\"n\":1}'");
  command->callback([options, &shared, &exit_code] { exit_code = test(*options, shared); });
}

}  // namespace millrace::cli
