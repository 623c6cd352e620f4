// Runs the recorded and measured suites of expressions, where they are: JSONPath (Jayway's answers, what the
// States Language adds), Reference Paths, ResultPath, payload templates, intrinsic functions. Each test
// counts what agrees; what does not is named here with its reason, and nothing else may fail.

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

#include "definitions/intrinsics/intrinsic.h"
#include "definitions/jsonpath/path.h"
#include "definitions/jsonpath/reference_path.h"
#include "definitions/payload_template.h"
#include "tests/definitions/expression_support.h"
#include "tests/support/cases.h"

using namespace millrace;
using namespace millrace::definitions;

namespace {

Payload payload_of(const Json& json) {
  return to_payload(json);
}

// "" when `got` is what `expect` asks for, else what is different.
std::string difference(const Json& expect, const Outcome& got) {
  if (expect.contains("error")) {
    if (got) return "answers " + std::string(got->text());
    if (expect["error"] == true) return {};
    if (got.error().error == expect["error"].get<std::string>()) return {};
    for (const Json& other : expect.value("alternatives", Json::array())) {
      if (got.error().error == other.get<std::string>()) return {};
    }
    return "fails with " + got.error().error + ": " + got.error().cause;
  }
  if (!got && got.error().error == "path") return "does not compile: " + got.error().cause;
  if (expect.contains("noMatch")) return got ? "answers " + std::string(got->text()) : "";
  if (!got) return "fails with " + got.error().error + ": " + got.error().cause;
  if (expect.contains("uuidV4"))
    return got->size() == 38 && got->text()[15] == '4' ? "" : "is no UUID: " + std::string(got->text());
  if (expect.contains("integerInRange")) {
    const auto n = got->view().integer();
    const Json& range = expect["integerInRange"];
    return n && *n >= range[0].get<std::int64_t>() && *n < range[1].get<std::int64_t>() ? "" : "out of range";
  }
  const Payload expected = payload_of(expect.contains("output") ? expect["output"] : expect["result"]);
  return *got == expected ? "" : "answers " + std::string(got->text());
}

Outcome follow(const std::string& path, const Payload& data) {
  const auto parsed = Path::parse(path);
  if (!parsed) return failed("path", parsed.error().message);  // a name of this test: does not compile
  tests::GivenScope given;
  given.input = data;
  return parsed->evaluate(given.scope());
}

// Runs each case through `run` (case -> "" or what is different); what fails must be what `known` names.
template <class Run>
void check_suite(const std::string& file, const std::set<std::string>& known, Run run) {
  const auto path = tests::shared("conformance/" + file);
  if (!path) {
    MESSAGE("skipped: " << file << " is not there");
    return;
  }
  int count = 0, agree = 0;
  std::set<std::string> failing;
  for (const Json& c : tests::lines_of(*path)) {
    const std::string different = run(c);
    if (different == "-") continue;
    ++count;
    agree += different.empty();
    if (different.empty()) continue;
    const std::string name = c["name"].get<std::string>();
    failing.insert(name);
    CHECK_MESSAGE(known.contains(name), name << " " << c.dump().substr(0, 400) << "\n  " << different);
  }
  for (const std::string& name : known) CHECK_MESSAGE(failing.contains(name), name << " agrees by now");
  MESSAGE(file << ": " << agree << " of " << count << " agree");
}

}  // namespace

TEST_CASE("Conformance: JSONPath as Jayway and the States Language have it") {
  const std::set<std::string> known{
      // A path without '$', which the library puts there and the States Language refuses.
      "jayway-doc/case113",
      // A backslash before a comma: the service keeps it as part of the name (asl-aws/case007), the library
      // drops it.
      "jayway-tests-path/case1866"};
  check_suite("jsonpath/cases.jsonl", known, [](const Json& c) -> std::string {
    if (c["dialect"] == "rfc9535") return "-";
    const std::string text = c["path"].get<std::string>();
    const Outcome got = follow(text, payload_of(c["data"]));
    std::string different = difference(c["expect"], got);
    // Where the beginning of an indefinite path is missing the library fails; the service was recorded
    // (asl/base, array_wildcard_or_slice_with_no_input) answering no matches.
    const auto path = Path::parse(text);
    if (c["expect"].contains("noMatch") && path && !path->definite() && got && got->text() == "[]") return {};
    if (different.empty() && !c["expect"].contains("error") && c.contains("definite") &&
        Path::parse(text)->definite() != c["definite"].get<bool>())
      different = "definite is wrong";
    // The library goes on to name its Java types; the sentence before that is the same.
    std::string message = c.value("message", "");
    message = message.substr(0, message.find(" This is not a json object according to the JsonProvider"));
    if (different.empty() && !message.empty() && !got &&
        got.error().cause != "Invalid path '" + text + "' : " + message)
      different = "message: " + got.error().cause;
    return different;
  });
}

TEST_CASE("Conformance: Reference Paths, ResultPath and InputPath texts") {
  // $.a.['b c'], which the developer guide shows in paths, is taken in Reference Paths too; the library has
  // no scripts, $.a[(@.length-1)].
  const std::set<std::string> known{"reference-path/case035", "reference-path/case066"};
  check_suite("jsonpath/reference-paths.jsonl", known, [](const Json& c) -> std::string {
    const std::string text = c["path"].get<std::string>();
    const auto doubtful = [&](const char* field) {
      for (const Json& d : c.value("doubtful", Json::array())) {
        if (d == field) return true;
      }
      return !c.contains(field);
    };
    const bool reference = ReferencePath::parse(text).has_value(), path = Path::parse(text).has_value();
    std::string different;
    if (!doubtful("resultPath") && c["resultPath"] != reference) different += " resultPath";
    if (!doubtful("inputPath") && c["inputPath"] != path) different += " inputPath";
    return different;
  });
}

TEST_CASE("Conformance: ResultPath puts the result into the input") {
  check_suite("jsonpath/result-path.jsonl", {}, [](const Json& c) -> std::string {
    if (c["resultPath"].is_null()) return "-";  // nothing is put: states/data_flow does that
    const auto path = ReferencePath::parse(c["resultPath"].get<std::string>());
    if (!path) return path.error().message;
    return difference(c["expect"], path->put(payload_of(c["input"]), payload_of(c["result"])));
  });
}

TEST_CASE("Conformance: payload templates") {
  check_suite("jsonpath/payload-templates.jsonl", {}, [](const Json& c) -> std::string {
    std::vector<Problem> problems;
    const PayloadTemplate compiled = PayloadTemplate::compile(payload_of(c["template"]).view(), problems);
    if (c["expect"].contains("invalid")) return problems.empty() ? "is accepted" : "";
    if (!problems.empty()) return problems[0].message;
    tests::GivenScope given;
    given.input = payload_of(c["input"]);
    given.context.document = payload_of(c["context"]);
    return difference(c["expect"], compiled.evaluate(given.scope()));
  });
}

TEST_CASE("Conformance: intrinsic functions") {
  check_suite("intrinsics/cases.jsonl", {}, [](const Json& c) -> std::string {
    const auto call = IntrinsicCall::parse(c["expr"].get<std::string>());
    if (!call) return call.error().message;
    tests::GivenScope given;
    given.input = payload_of(c["input"]);
    if (c.contains("context")) given.context.document = payload_of(c["context"]);
    return difference(c["expect"], call->evaluate(given.scope()));
  });
}
