#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "tests/support/paths.h"
#include "tests/tidy/rules.h"

using namespace millrace::tidy;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = millrace::source_path();
constexpr const char* kParts[] = {"base",       "definitions", "states",   "orchestrator",
                                  "simulation", "tasks",       "triggers", "service"};

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

using Names = std::vector<std::string_view>;

// The files below the folders whose names end so, in order.
std::vector<Source> files(const Names& folders, const Names& endings) {
  std::vector<Source> found;
  for (const std::string_view folder : folders) {
    if (!fs::exists(kRoot / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      const std::string path = fs::relative(entry.path(), kRoot);
      if (!entry.is_regular_file()) continue;
      if (std::any_of(endings.begin(), endings.end(), [&](std::string_view e) { return path.ends_with(e); }))
        found.push_back({path, read(entry.path())});
    }
  }
  std::sort(found.begin(), found.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
  return found;
}

const std::vector<Source>& parts() {
  static const std::vector<Source> kFound = files({std::begin(kParts), std::end(kParts)}, {".h", ".cpp"});
  return kFound;
}
// Tests, benchmarks, scripts and pages: what holds for every text.
const std::vector<Source>& others() {
  static const std::vector<Source> kFound = [] {
    auto found = files({"tests", "bench"}, {".h", ".cpp", ".txt", ".md"});
    for (Source& source : files({"docs", "examples", "scripts", ".ci"}, {""}))
      found.push_back(std::move(source));
    for (const auto& entry : fs::directory_iterator(kRoot)) {
      const std::string name = entry.path().filename();
      if (name.ends_with(".md") || name == "CMakeLists.txt") found.push_back({name, read(entry.path())});
    }
    return found;
  }();
  return kFound;
}

using Check = Findings (*)(std::string_view, std::string_view);
std::string all_findings(Check check, const std::vector<Source>& sources) {
  std::string text;
  for (const Source& source : sources) {
    for (const std::string& finding : check(source.path, source.text)) text += finding + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the sources are found") {
  CHECK(parts().size() > 100);
  CHECK(others().size() > 50);
}
TEST_CASE("parts include in one direction") {
  CHECK(all_findings(check_includes, parts()) == "");
}
TEST_CASE("folders keep to what they may do") {
  CHECK(all_findings(check_banned, parts()) == "");
  CHECK(all_findings(check_banned, others()) == "");
}
TEST_CASE("headers say what they are for") {
  CHECK(all_findings(check_header, parts()) == "");
  CHECK(all_findings(check_header, others()) == "");
}
TEST_CASE("sources have a size that can be read") {
  CHECK(all_findings(check_size, parts()) == "");
  CHECK(all_findings(check_size, files({"tests", "bench"}, {".h", ".cpp"})) == "");
}
TEST_CASE("helpers of a part have names of their own") {
  std::string text;
  for (const std::string& finding : check_helper_names(parts())) text += finding + "\n";
  CHECK(text == "");
}
TEST_CASE("every exception is needed") {
  std::string text;
  for (const std::string& finding : unused_exceptions(parts())) text += finding + "\n";
  CHECK(text == "");
}

TEST_CASE("every folder at the top has a README of one screen") {
  std::vector<std::string> folders(std::begin(kParts), std::end(kParts));
  for (const char* folder : {"tests", "bench", "scripts", "examples"}) folders.push_back(folder);
  for (const std::string& part : folders) {
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

TEST_CASE("every command stands in docs/cli.md") {
  const std::string page = read(kRoot / "docs/cli.md");
  const std::regex command(R"re(\bapp\.add_subcommand\("(\w+)")re");
  int commands = 0;
  for (const Source& source : files({"service/cli"}, {".cpp"})) {
    for (std::sregex_iterator found(source.text.begin(), source.text.end(), command), end; found != end;
         ++found, ++commands) {
      CHECK_MESSAGE(page.find("\n## " + found->str(1) + ":") != std::string::npos,
                    "docs/cli.md has no section \"## " << found->str(1) << ": …\"; add it with an example");
    }
  }
  CHECK(commands >= 11);
}

TEST_CASE("every package stands in docs/dependencies.md") {
  const std::string page = read(kRoot / "docs/dependencies.md");
  std::istringstream script(read(kRoot / "scripts/install-packages"));
  const std::regex row(R"(([a-z0-9+.-]+) {2,}\S.*)");  // of the list: a name, blanks, the reason
  std::smatch match;
  int packages = 0;
  for (std::string line; std::getline(script, line);) {
    if (!std::regex_match(line, match, row)) continue;
    ++packages;
    CHECK_MESSAGE(page.find("`" + match.str(1) + "`") != std::string::npos,
                  "docs/dependencies.md does not say why " << match.str(1) << " was chosen; add its row");
  }
  CHECK(packages >= 15);
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
  CHECK(check_banned("tasks/x.cpp", "  prepare(\"SELECT id FROM jobs WHERE name='\" + name);\n").size() == 1);
  CHECK(
      check_banned("tasks/x.cpp", "  prepare(\"SELECT id FROM \" + kTable + \" WHERE name=?\");\n").empty());
  CHECK(check_banned("tasks/x.cpp", "  sql += name;\n").size() == 1);
  CHECK(check_banned("tasks/x.cpp", "  sql += \" AND id<?5\";\n").empty());
  CHECK(check_banned("tasks/x.cpp", "  std::system(line.c_str());\n").size() == 1);
  CHECK(check_banned("orchestrator/x.cpp", "  uv_spawn(loop, &process, &options);\n").size() == 1);
  CHECK(check_banned("tasks/x.cpp", "  const std::regex pattern(text);\n").size() == 1);
  CHECK(check_banned("tests/x.cpp",
                     "  // "
                     "TO"
                     "DO: later\n")
            .size() == 1);
  CHECK(check_banned("docs/x.md", "blank at the end \n").size() == 1);
  CHECK(check_banned("tasks/x.cpp", "one\ntwo \n").front().starts_with("tasks/x.cpp:2: "));
  CHECK(check_size("tasks/x.cpp", std::string(801, '\n')).size() == 1);
  CHECK(check_size("tasks/x.cpp", std::string(800, '\n')).empty());
  CHECK(!unused_exceptions({}).empty());
  const auto helper = [](std::string path, std::string line) {
    return Source{std::move(path), "namespace {\n\n" + line + "\n}\n\n}  // namespace\n"};
  };
  const Source place = helper("tasks/a.cpp", "std::map<int, std::function<int(int)>> place_of(int at) {");
  CHECK(check_helper_names({place, helper("tasks/b.cpp", "int place_of(std::size_t i) {")}).size() == 1);
  CHECK(check_helper_names({place, helper("tasks/b.cpp", "int place_of(const Text& text) {")}).empty());
  CHECK(check_helper_names({place, helper("service/b.cpp", "int place_of(int at) {")}).empty());
  CHECK(check_helper_names({place, helper("tasks/b.cpp", "int Places::place_of(int at) {")}).empty());
  CHECK(check_helper_names({place, helper("tasks/b.cpp", "const int place_of = other(1);")}).empty());
  CHECK(check_header("base/x.h", "#include <string>\n").size() == 1);
  CHECK(check_header("base/x.h", "#pragma once\n#include <string>\n").size() == 1);
  CHECK(check_header("base/x.h", "#pragma once\n// What this is for, in a sentence.\n").empty());
}
