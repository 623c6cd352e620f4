#pragma once
// Test files: a definition, and cases with an input, mocks and what must come of them; and how a case is run.
// Format: docs/testing.md. One thread.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "simulation/coverage.h"
#include "simulation/mocks.h"
#include "simulation/objects.h"

namespace millrace::simulation {

struct Expectation {
  std::optional<std::string> status;  // RUNNING: it waits for good
  std::optional<Payload> output;
  Compare output_how = Compare::Exact;
  std::optional<std::string> error, cause, cause_contains;
  std::optional<std::vector<std::string>> path;           // of the execution itself
  std::map<std::string, std::vector<std::string>> lines;  // paths of branches and iterations, by label
  std::map<std::string, std::uint64_t> visits, calls;     // by state
  std::optional<Millis> at_least, at_most;                // virtual time
};

struct TestCase {
  std::string name;
  Payload input = Payload::empty_object();
  Mocks mocks;
  MemoryObjects::Contents objects;
  Expectation expect;
  std::string execution_name, machine_name = "test";
  Instant start = kDefaultStart;
  Millis time_limit{std::chrono::hours(24 * 366)};  // virtual
  std::uint64_t seed = 1;
};

struct TestSuite {
  std::string file;             // as it was given
  std::string definition_file;  // empty: it stands in the test file
  std::string definition;       // text
  std::shared_ptr<const definitions::Program> program;
  std::vector<TestCase> cases;
};

// Reads a file named in a test file, relative to that.
using LoadFile = std::function<Result<std::string>(const std::string& path)>;

// InvalidArgument with file and place: no JSON, unknown members, states that are not there, a definition that
// does not compile (the diagnostics as text).
Result<TestSuite> read_test_suite(const std::string& text, const std::string& file, const LoadFile& load);

// A MockConfigFile of Step Functions Local: machines, their test cases, and mocked responses.
struct MockConfig {
  std::string file;
  Payload document;
  // The machines, and the names of a machine's test cases.
  std::vector<std::string> machines() const;
  std::vector<std::string> test_cases(const std::string& machine) const;
  // The mocks of a test case; NotFound names what there is.
  Result<Mocks> mocks(const std::string& machine, const std::string& test_case,
                      const definitions::Program& program) const;
};
bool is_mock_config(const Payload& document);
Result<MockConfig> read_mock_config(const std::string& text, const std::string& file);

struct CaseResult {
  std::string name;
  std::vector<std::string> problems;  // what was not as expected; empty: passed
  std::string status;
  std::optional<Payload> output;
  std::optional<Failure> failure;
  Millis duration{0};  // virtual
  std::uint64_t events = 0;
  std::shared_ptr<const Trace> trace;                  // null when it did not start
  std::vector<std::shared_ptr<const Trace>> children;  // executions of its Map runs

  bool passed() const { return problems.empty(); }
};
CaseResult run_case(const TestSuite& suite, const TestCase& test);

}  // namespace millrace::simulation
