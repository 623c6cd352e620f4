#include "definitions/diagnostics.h"

#include <doctest/doctest.h>

using namespace millrace;
using namespace millrace::definitions;

TEST_CASE("Diagnostics: a rendered one shows the line with a caret, then the hint") {
  Diagnostic d;
  d.code = "MISSING_TRANSITION_TARGET";
  d.message = "Missing 'Next' target: Trian";
  d.pointer = "/States/A/Next";
  d.hint = "did you mean 'Train'?";
  d.position = {2, 11};
  CHECK(render(d, "fraud.json", "{\n  \"Next\": \"Trian\",\n}") ==
        "fraud.json:2:11: error: MISSING_TRANSITION_TARGET: Missing 'Next' target: Trian at /States/A/Next\n"
        "    \"Next\": \"Trian\",\n"
        "            ^\n"
        "  hint: did you mean 'Train'?\n");
}

TEST_CASE("Diagnostics: the caret stands under its column behind tabs and wide characters") {
  Diagnostic d;
  d.severity = Severity::Warning;
  d.code = "C";
  d.message = "m";
  d.position = {1, 5};
  CHECK(render(d, "f", "\t漢é\"x\"") == "f:1:5: warning: C: m\n  \t漢é\"x\"\n  \t    ^\n");
  d.position = {2, 2};
  CHECK(render(d, "f", "one\r\ntwo\r\n") == "f:2:2: warning: C: m\n  two\n   ^\n");
  d.position = {9, 1};  // beyond the text
  CHECK(render(d, "f", "one") == "f:9:1: warning: C: m\n  \n  ^\n");
}

TEST_CASE("Diagnostics: of a long line only the part around the caret is shown") {
  Diagnostic d;
  d.code = "C";
  d.message = "m";
  d.position = {1, 5000};
  std::string line(10'000, 'x');
  line[4999] = 'Y';
  const std::string shown = render(d, "f", line);
  CHECK(shown.size() < 400);
  const auto rows = shown.find('\n') + 1, caret_row = shown.find('\n', rows) + 1;
  // "… " is four bytes and two columns.
  CHECK(shown.find('Y') - rows - 2 == shown.find('^') - caret_row);
}

TEST_CASE("Diagnostics: the nearest name") {
  const std::vector<std::string_view> names = {"Train", "Evaluate", "Deploy", "Rollback"};
  CHECK(nearest("Trian", names) == "Train");
  CHECK(nearest("train", names) == "Train");
  CHECK(nearest("Evalute", names) == "Evaluate");
  CHECK(nearest("Deplyo", names) == "Deploy");
  CHECK(nearest("Notify", names).empty());
  CHECK(nearest("", names).empty());
  CHECK(nearest("X", {"Y"}).empty());
}
