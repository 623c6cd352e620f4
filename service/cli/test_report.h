#pragma once
// What `millrace test` says about the cases it ran: text for people, one JSON document, JUnit's XML. Pure.

#include <string>
#include <vector>

#include "base/json.h"
#include "simulation/test_file.h"

namespace millrace::cli {

struct SuiteResult {
  std::string file, definition;
  std::string machine;  // of a mock configuration; may be empty
  std::vector<simulation::CaseResult> cases;
  std::shared_ptr<const simulation::Coverage> coverage;
  Millis took{0};  // real time

  std::size_t failed() const;
};

// One line a case, what was not as expected below it.
std::string case_text(const simulation::CaseResult& result);
// What was covered, and what was not.
std::string coverage_text(const simulation::Coverage& coverage);
// "5 cases: 4 passed, 1 failed (2 h 3 min in 12 ms)".
std::string summary_text(const std::vector<SuiteResult>& suites);

Json report_json(const std::vector<SuiteResult>& suites);
std::string report_junit(const std::vector<SuiteResult>& suites);

}  // namespace millrace::cli
