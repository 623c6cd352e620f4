#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/tidy/rules.h"

using namespace millrace::tidy;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = MILLRACE_SOURCE_DIR;
constexpr const char* kParts[] = {"base",  "definitions", "states", "orchestrator",
                                  "tasks", "triggers",    "service"};

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Paths of the parts' sources relative to the root, in order.
std::vector<std::string> sources() {
  std::vector<std::string> found;
  for (const char* part : kParts) {
    if (!fs::exists(kRoot / part)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / part)) {
      const std::string extension = entry.path().extension();
      if (extension == ".h" || extension == ".cpp") found.push_back(fs::relative(entry.path(), kRoot));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

using Check = Findings (*)(std::string_view, std::string_view);
std::string all_findings(Check check) {
  std::string text;
  for (const std::string& path : sources()) {
    for (const std::string& finding : check(path, read(kRoot / path))) text += finding + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the sources are found") {
  CHECK(sources().size() > 100);
}
TEST_CASE("parts include in one direction") {
  CHECK(all_findings(check_includes) == "");
}
TEST_CASE("folders keep to what they may do") {
  CHECK(all_findings(check_banned) == "");
}
TEST_CASE("headers say what they are for") {
  CHECK(all_findings(check_header) == "");
}

TEST_CASE("every part has a README of one screen") {
  for (const char* part : kParts) {
    if (!fs::exists(kRoot / part)) continue;
    CAPTURE(part);
    const std::string text = read(kRoot / part / "README.md");
    CHECK_MESSAGE(
        !text.empty(),
        part << "/README.md is missing: say what lives here, what to read first, what it may include");
    CHECK_MESSAGE(std::count(text.begin(), text.end(), '\n') <= 60,
                  part << "/README.md is longer than a screen");
  }
}

TEST_CASE("the rules catch what they are for") {
  CHECK(check_includes("base/x.cpp", "#include \"states/event.h\"\n").size() == 1);
  CHECK(check_includes("states/x.cpp", "#include \"orchestrator/engine.h\"\n").size() == 1);
  CHECK(check_includes("orchestrator/store/x.cpp", "#include \"orchestrator/loop/loop.h\"\n").size() == 1);
  CHECK(check_includes("tasks/training/x.cpp", "#include \"tasks/jobs/jobs.h\"\n").size() == 1);
  CHECK(check_includes("tasks/jobs/x.cpp", "#include \"orchestrator/dispatch/runner.h\"\n").size() == 1);
  CHECK(check_includes("tasks/runner.h", "#include \"orchestrator/dispatch/runner.h\"\n").empty());
  CHECK(check_includes("unheard/of.cpp", "").size() == 1);
  CHECK(check_includes("states/x.h", "#pragma once\n#include <nlohmann/json.hpp>\n").size() == 1);
  CHECK(check_banned("states/x.cpp", "  const auto t = std::chrono::system_clock::now();\n").size() == 1);
  CHECK(check_banned("states/x.cpp", "  // system_clock is not asked here\n").empty());
  CHECK(check_banned("states/x.cpp", "  say(\"throw nothing\");\n").empty());
  CHECK(check_banned("definitions/x.cpp", "  throw std::logic_error(\"no\");\n").size() == 1);
  CHECK(check_banned("definitions/x.cpp", "#include <fstream>\n").size() == 1);
  CHECK(check_banned("tasks/x.cpp", "  std::random_device device;\n").size() == 1);
  CHECK(check_banned("tasks/x.cpp", "  std::cout << 1;\n").size() == 1);
  CHECK(check_banned("orchestrator/store/x.cpp", "  sqlite3_step(s);\n").size() == 1);
  CHECK(check_header("base/x.h", "#include <string>\n").size() == 1);
  CHECK(check_header("base/x.h", "#pragma once\n#include <string>\n").size() == 1);
  CHECK(check_header("base/x.h", "#pragma once\n// What this is for, in a sentence.\n").empty());
}
