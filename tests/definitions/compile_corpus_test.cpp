// Definitions people wrote, and what AWS answered to others, when that collection is beside the project.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "definitions/compile.h"
#include "tests/support/paths.h"

using namespace millrace;
using namespace millrace::definitions;

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;
const fs::path kShared = source_path("/../shared/conformance");

bool there(const fs::path& folder) {
  if (fs::exists(folder)) return true;
  MESSAGE("skipped: ", folder.string(), " is not there");
  return false;
}

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<fs::path> files_below(const fs::path& folder, std::string_view ending) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().string().ends_with(ending)) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Filters compare with a text without quotes, which Jayway, and so AWS, does not read.
constexpr std::string_view kUnreadable = "app-dataquality-using-lambda-dataquality.asl.json";

struct Verdict {
  bool compiled = false;
  std::string errors;
};
Verdict judge(const std::string& text, const std::string& name, MachineKind kind = MachineKind::Standard) {
  const Compiled got = compile(text, {}, kind);
  Verdict out;
  out.compiled = got.program != nullptr;
  for (const Diagnostic& d : got.diagnostics) {
    if (d.severity == Severity::Warning) continue;
    out.errors += render(d, name, text);
  }
  return out;
}

std::string definition_text(const Json& c) {
  std::string text;
  if (c.contains("definitionText"))
    text = c["definitionText"].get<std::string>();
  else if (c["definition"].is_string())
    text = c["definition"].get<std::string>();
  else
    text = c["definition"].dump();
  // The collection puts ARNs of what it creates first in for these.
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>("${activity:", "arn:aws:states:us-east-1:1:activity:"),
        std::pair<std::string, std::string>("${stateMachine:", "arn:aws:states:us-east-1:1:stateMachine:")}) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;) {
      const std::size_t end = text.find('}', at);
      text = text.substr(0, at) + to + text.substr(at + from.size(), end - at - from.size()) +
             text.substr(end + 1);
    }
  }
  return text;
}

// AWS's partition in recorded messages.
std::string concrete(std::string message) {
  const std::string from = "<<partition>>";
  for (std::size_t at; (at = message.find(from)) != std::string::npos;)
    message.replace(at, from.size(), "aws");
  return message;
}

}  // namespace

TEST_CASE("Corpus: every definition compiles") {
  for (const std::string folder : {"corpus", "ml-definitions"}) {
    if (!there(kShared / folder)) continue;
    int compiled = 0, all = 0;
    for (const fs::path& file : files_below(kShared / folder, ".asl.json")) {
      const std::string name = file.filename().string();
      const Verdict verdict = judge(read_text(file), name);
      compiled += verdict.compiled;
      ++all;
      if (name == kUnreadable) {
        CHECK(verdict.errors.find("Value is not a valid JSONPath") != std::string::npos);
        continue;
      }
      CHECK_MESSAGE(verdict.compiled, verdict.errors);
    }
    MESSAGE(folder, ": ", compiled, " of ", all, " compile");
    CHECK(compiled > 50);
  }
}

TEST_CASE("Corpus: what AWS ran compiles, what AWS refused is refused in its words") {
  if (!there(kShared / "asl")) return;
  int compiled = 0, refused = 0, as_recorded = 0;
  for (const fs::path& file : files_below(kShared / "asl", ".json")) {
    const Json c = Json::parse(read_text(file));
    if (!c.contains("definition") && !c.contains("definitionText")) continue;
    const Json& expect = c.value("expect", Json::object());
    if (c["area"] == "test_state" || c["area"] == "test_state_field_validation") continue;  // single states
    const MachineKind kind = c.value("type", "") == "EXPRESS" ? MachineKind::Express : MachineKind::Standard;
    const std::string name = c["name"], text = definition_text(c);
    CAPTURE(name);
    const Verdict verdict = judge(text, name, kind);
    const bool refusal = expect.contains("createError") ||
                         (expect.contains("validate") && expect["validate"]["result"] == "FAIL");
    if (!refusal) {
      compiled += verdict.compiled;
      CHECK_MESSAGE(verdict.compiled, verdict.errors);
      continue;
    }
    ++refused;
    CHECK_FALSE(verdict.compiled);
    std::vector<Diagnostic> errors = compile(text, {}, kind).diagnostics;
    std::erase_if(errors, [](const Diagnostic& d) { return d.severity == Severity::Warning; });
    REQUIRE(errors.size() == 1);
    const Diagnostic& d = errors[0];
    if (expect.contains("createError")) {
      CHECK("Invalid State Machine Definition: '" + list_errors(errors) + "'" ==
            concrete(expect["createError"]["message"].get<std::string>()));
    } else {
      const Json& wanted = expect["validate"]["diagnostics"][0];
      CHECK(d.code == wanted["code"].get<std::string>());
      CHECK(d.message == wanted["message"].get<std::string>());
      CHECK(d.pointer == wanted.value("location", ""));
    }
    ++as_recorded;
  }
  MESSAGE(compiled, " compile, ", refused, " are refused, ", as_recorded, " of them in AWS's words");
  CHECK(compiled > 600);
}
