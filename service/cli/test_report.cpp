#include "service/cli/test_report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace millrace::cli {
namespace {

using simulation::CaseResult;
using simulation::Coverage;
using simulation::CoverageKind;
using simulation::kCoverageKinds;

// The lines behind the first are moved under it.
std::string indented(const std::string& text, const std::string& by) {
  std::string out = by;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += by;
  }
  return out;
}

std::string percent(double value) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", value);
  return text;
}

std::string plural(std::size_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string seconds(Millis time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(time.count()) / 1000);
  return text;
}

Json coverage_json(const Coverage& coverage) {
  Json json = {{"percent", coverage.percent()}};
  for (std::size_t k = 0; k < kCoverageKinds; ++k) {
    const auto kind = static_cast<CoverageKind>(k);
    Json missed = Json::array();
    for (const Coverage::Item& item : coverage.items(kind)) {
      if (item.hits == 0) missed.push_back(item.name);
    }
    std::string name(name_of(kind));
    if (kind == CoverageKind::ChoiceRules) name = "choiceRules";
    json[name] = {{"covered", coverage.covered(kind)},
                  {"total", coverage.items(kind).size()},
                  {"missed", std::move(missed)}};
  }
  return json;
}

Json case_json(const CaseResult& result) {
  Json json = {{"name", result.name},     {"passed", result.passed()},
               {"status", result.status}, {"durationMillis", result.duration.count()},
               {"events", result.events}, {"problems", result.problems}};
  if (result.output) json["output"] = to_json(result.output->view());
  if (result.failure && result.failure->has_error) json["error"] = result.failure->error;
  if (result.failure && result.failure->has_cause) json["cause"] = result.failure->cause;
  if (result.trace && !result.trace->lines().empty()) {
    json["path"] = result.trace->lines().begin()->second.path;
    Json lines = Json::object();
    const auto add = [&lines](const simulation::Trace& trace) {
      for (const auto& [frame, line] : trace.lines()) {
        if (!line.label.empty()) lines[line.label] = line.path;
      }
    };
    add(*result.trace);
    for (const auto& child : result.children) add(*child);
    if (!lines.empty()) json["lines"] = std::move(lines);
  }
  return json;
}

}  // namespace

std::size_t SuiteResult::failed() const {
  return static_cast<std::size_t>(
      std::count_if(cases.begin(), cases.end(), [](const CaseResult& c) { return !c.passed(); }));
}

std::string case_text(const CaseResult& result) {
  std::string text = std::string(result.passed() ? "  ✓ " : "  ✗ ") + result.name;
  if (!result.status.empty())
    text += "  (" + result.status + ", " + format_duration(result.duration) + ", " +
            plural(result.events, "event") + ")";
  for (const std::string& problem : result.problems) text += "\n" + indented(problem, "      ");
  return text;
}

std::string coverage_text(const Coverage& coverage) {
  std::string text = "  coverage " + percent(coverage.percent()) + ":";
  std::string missed;
  for (std::size_t k = 0; k < kCoverageKinds; ++k) {
    const auto kind = static_cast<CoverageKind>(k);
    const auto& items = coverage.items(kind);
    if (items.empty()) continue;
    text += (text.ends_with(':') ? " " : ", ") + std::string(name_of(kind)) + " " +
            std::to_string(coverage.covered(kind)) + "/" + std::to_string(items.size());
    for (const Coverage::Item& item : items) {
      if (item.hits == 0) missed += "\n    not reached: " + std::string(name_of(kind)) + ": " + item.name;
    }
  }
  return text + missed;
}

std::string summary_text(const std::vector<SuiteResult>& suites) {
  std::size_t cases = 0, failed = 0;
  Millis passed_by{0}, took{0};
  for (const SuiteResult& suite : suites) {
    cases += suite.cases.size();
    failed += suite.failed();
    took += suite.took;
    for (const CaseResult& c : suite.cases) passed_by += c.duration;
  }
  return plural(cases, "case") + ": " + std::to_string(cases - failed) + " passed, " +
         std::to_string(failed) + " failed (" + format_duration(passed_by) + " of virtual time in " +
         format_duration(took) + ")";
}

Json report_json(const std::vector<SuiteResult>& suites) {
  Json json = {{"passed", 0}, {"failed", 0}, {"suites", Json::array()}};
  std::size_t cases = 0, failed = 0;
  for (const SuiteResult& suite : suites) {
    Json one = {{"file", suite.file}, {"definition", suite.definition}};
    if (!suite.machine.empty()) one["stateMachine"] = suite.machine;
    one["cases"] = Json::array();
    for (const CaseResult& c : suite.cases) one["cases"].push_back(case_json(c));
    if (suite.coverage) one["coverage"] = coverage_json(*suite.coverage);
    cases += suite.cases.size();
    failed += suite.failed();
    json["suites"].push_back(std::move(one));
  }
  json["passed"] = cases - failed;
  json["failed"] = failed;
  return json;
}

std::string report_junit(const std::vector<SuiteResult>& suites) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const SuiteResult& suite : suites) {
    const std::string name = suite.file + (suite.machine.empty() ? "" : " " + suite.machine);
    out += "  <testsuite name=\"" + escape_xml(name) + "\" tests=\"" + std::to_string(suite.cases.size()) +
           "\" failures=\"" + std::to_string(suite.failed()) + "\" errors=\"0\" skipped=\"0\" time=\"" +
           seconds(suite.took) + "\">\n";
    for (const CaseResult& c : suite.cases) {
      out += "    <testcase classname=\"" + escape_xml(name) + "\" name=\"" + escape_xml(c.name) +
             "\" time=\"" + seconds(c.duration) + "\"";
      if (c.passed()) {
        out += "/>\n";
        continue;
      }
      std::string all;
      for (const std::string& problem : c.problems) all += (all.empty() ? "" : "\n") + problem;
      out += ">\n      <failure message=\"" + escape_xml(c.problems.front()) + "\">" + escape_xml(all) +
             "</failure>\n    </testcase>\n";
    }
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace millrace::cli
