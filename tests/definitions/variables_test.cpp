// Which variables states read, as the Describe calls show it.

#include "definitions/variables.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/json.h"
#include "definitions/compile.h"
#include "tests/support/shared.h"

using namespace millrace;
using namespace millrace::definitions;

namespace {

using References = std::map<std::string, std::vector<std::string>>;

References references_of(const Json& definition) {
  const Compiled compiled = compile(definition.dump());
  REQUIRE_MESSAGE(compiled.program, list_errors(compiled.diagnostics));
  return variable_references(*compiled.program);
}

}  // namespace

TEST_CASE("Variable references: every field of both languages, sorted, by state, states inside too") {
  const References got = references_of(Json::parse(R"json({"StartAt": "A", "States": {
    "A": {"Type": "Pass", "Result": {"$x": "$y"}, "Assign": {"a": "$no", "b.$": "States.Format('{}{}', $f, States.MathAdd($d, 1))"}, "Next": "C"},
    "C": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$v.a[0]", "NumericEqualsPath": "$e"}, {"Not": {"Variable": "$n", "IsNull": true}}], "Next": "W"}], "Default": "W"},
    "W": {"Type": "Wait", "SecondsPath": "$w", "Next": "T"},
    "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"p.$": "$p", "c.$": "$$.State.Name"}, "TimeoutSecondsPath": "$t",
          "Catch": [{"ErrorEquals": ["E"], "Assign": {"k.$": "$caught"}, "Next": "M"}], "Next": "M"},
    "M": {"Type": "Map", "QueryLanguage": "JSONata", "Items": "{% $items %}", "MaxConcurrency": "{% $m %}", "ItemProcessor": {"StartAt": "I", "States": {
          "I": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"x": ["{% ($local := $outer; $local + $count($states.input)) %}"]}, "End": true}}}, "Next": "F"},
    "F": {"Type": "Fail", "ErrorPath": "$z", "CausePath": "States.Format('{}', $cause)"}}})json"));
  CHECK(got == References{{"A", {"d", "f"}},
                          {"C", {"e", "n", "v"}},
                          {"W", {"w"}},
                          {"T", {"caught", "p", "t"}},
                          {"M", {"items", "m"}},
                          {"I", {"outer"}},
                          {"F", {"cause", "z"}}});
}

TEST_CASE("Variable references: as the service was recorded to list them") {
  const auto folder = tests::shared("conformance/asl/variable_references");
  if (!folder) {
    MESSAGE("skipped: ../shared/conformance/asl is not there");
    return;
  }
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
    const Json test = Json::parse(tests::read_file(entry.path()));
    for (const Json& step : test["steps"]) {
      if (step.value("op", "") != "DescribeStateMachine" || !step["expect"].contains("definition")) continue;
      CAPTURE(entry.path().filename().string());
      CHECK(references_of(step["expect"]["definition"]) ==
            step["expect"].value("variableReferences", Json::object()).get<References>());
      ++seen;
    }
  }
  CHECK(seen >= 10);
}
