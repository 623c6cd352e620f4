#include "service/ops/configuration.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "definitions/diagnostics.h"
#include "tests/support/paths.h"

using namespace millrace;
using namespace millrace::service;

namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-config-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(std::string_view text) const { std::ofstream(path / "millrace.json") << text; }
};

Loaded load_text(std::string_view text, Sources sources = {}) {
  const Folder folder;
  folder.write(text);
  sources.home = folder.path.string();
  Loaded loaded = load(sources);
  for (Error& problem : loaded.problems) {
    const std::string prefix = folder.path.string() + "/";
    if (problem.message.starts_with(prefix)) problem.message.erase(0, prefix.size());
  }
  return loaded;
}

}  // namespace

TEST_CASE("Configuration: every row is sound, and its default is in its range") {
  std::set<std::string> names, environments, flags;
  std::string last_section;
  std::set<std::string> sections;
  const Configuration defaults;
  for (const Option& option : options()) {
    CAPTURE(option.name);
    CHECK(names.insert(std::string(option.name)).second);
    CHECK(environments.insert(environment_name(option)).second);
    if (!option.flag.empty()) CHECK(flags.insert(std::string(option.flag)).second);
    CHECK(!option.help.empty());
    CHECK(!option.help.ends_with('.'));
    if (section_of(option) != last_section) CHECK(sections.insert(std::string(section_of(option))).second);
    last_section = section_of(option);
    const std::string shown = show_value(option, option.get(defaults));
    const auto read = read_value(option, shown);
    REQUIRE_MESSAGE(read, (read ? "" : read.error().message));
    CHECK(*read == option.get(defaults));
    // What is set is what is got: no row reads one field and writes another.
    Configuration changed;
    OptionValue other = option.get(defaults);
    if (option.kind == OptionKind::Text) {
      other.text = "elsewhere";
    } else if (option.kind == OptionKind::Choice) {
      other.text = std::string(option.choices.substr(option.choices.rfind('|') + 1));
    } else if (option.kind == OptionKind::Flag) {
      other.number = 1 - other.number;
    } else {
      other.number = other.number == option.min ? option.max : option.min;
    }
    option.set(changed, other);
    CHECK(option.get(changed) == other);
    for (const Option& neighbour : options()) {
      if (neighbour.name != option.name) CHECK(neighbour.get(changed) == neighbour.get(defaults));
    }
  }
}

TEST_CASE("Configuration: command line over environment over file over default") {
  const std::string file =
      R"({"http": {"connections_max": 10, "idle_time_max": "2 min", "body_bytes_max": 100000}})";
  Sources sources;
  sources.environment = {{"MILLRACE_HTTP_CONNECTIONS_MAX", "20"},
                         {"MILLRACE_HTTP_IDLE_TIME_MAX", "3 min"},
                         {"MILLRACE_HOME", "/somewhere"}};
  sources.flags = {{"http.connections_max", "30"}};
  const Loaded loaded = load_text(file, sources);
  REQUIRE(loaded.problems.empty());
  CHECK(loaded.configuration.http.connections_max == 30);
  CHECK(loaded.configuration.http.idle_time_max == std::chrono::minutes(3));
  CHECK(loaded.configuration.http.parser.body_bytes_max == 100000);
  CHECK(loaded.configuration.http.write_time_max == http::ServerSettings{}.write_time_max);
  CHECK(loaded.origins.at("http.connections_max") == "command line");
  CHECK(loaded.origins.at("http.idle_time_max") == "environment MILLRACE_HTTP_IDLE_TIME_MAX");
  CHECK(loaded.origins.at("http.body_bytes_max").ends_with("millrace.json:1:78"));
  CHECK(!loaded.origins.contains("http.write_time_max"));
}

TEST_CASE("Configuration: comments and trailing commas are allowed, and places stay right") {
  const Loaded loaded = load_text(
      "{ // the address\n"
      "  /* of this\n machine */ \"server\": {\"region\": \"eu//1\",},\n"
      "  \"limits\": {\"payload_bytes_max\": \"1 MiB\"},\n}\n");
  REQUIRE(loaded.problems.empty());
  CHECK(loaded.configuration.engine.region == "eu//1");
  CHECK(loaded.configuration.engine.limits.payload_bytes_max == 1 << 20);
  CHECK(without_comments("[1, /*x*/ ]").size() == 11);
  CHECK(without_comments(R"("a // b\" /* c")") == R"("a // b\" /* c")");
  CHECK(without_comments("{} /* open") == "{} /* open");
}

TEST_CASE("Configuration: all problems at once, each with file, line, column and a remedy") {
  const Loaded loaded = load_text(
      "{\n"
      "  \"htp\": {},\n"
      "  \"http\": {\"conections_max\": 1, \"idle_time_max\": \"soon\",\n"
      "           \"body_bytes_max\": 1, \"header_bytes_max\": true},\n"
      "  \"log\": {\"level\": \"loud\"}\n"
      "}");
  std::vector<std::string> said;
  for (const Error& problem : loaded.problems) said.push_back(problem.message + " | " + problem.hint);
  REQUIRE(said.size() == 6);
  CHECK(said[0] == "millrace.json:2:3: unknown section 'htp' | did you mean 'http'?");
  CHECK(said[1] ==
        "millrace.json:3:12: unknown option 'http.conections_max' | did you mean 'http.connections_max'?");
  CHECK(said[2] ==
        "millrace.json:3:50: http.idle_time_max: 'soon' is no time: write 1500 (ms) or 1.5 s, min, h, d | ");
  CHECK(said[3] == "millrace.json:4:30: http.body_bytes_max: '1' is outside 64 KiB … 4294967295 B | ");
  CHECK(said[4] ==
        "millrace.json:4:53: http.header_bytes_max: a boolean does not fit, it is 1 KiB … 16 MiB | ");
  CHECK(said[5] == "millrace.json:5:20: log.level: 'loud' is none of debug, info, warning, error, off | ");
}

TEST_CASE("Configuration: what is no JSON, and environment and command line in error, are told") {
  CHECK(load_text("{\"http\": }").problems.at(0).message.find("line 1") != std::string::npos);
  CHECK(load_text("[]").problems.at(0).message == "millrace.json:1:1: expected an object of sections");
  CHECK(load_text("{\"http\": {\"idle_time_max\": 100, \"idle_time_max\": 200}}").problems.size() == 1);
  Sources sources;
  sources.environment = {{"MILLRACE_HTTP_CONECTIONS_MAX", "1"}, {"MILLRACE_HTTP_IDLE_TIME_MAX", "x"}};
  sources.flags = {{"payload_bytes_max", "1"}, {"log.level", "x"}};
  const Loaded loaded = load_text("{}", sources);
  REQUIRE(loaded.problems.size() == 4);
  CHECK(loaded.problems[0].hint == "did you mean MILLRACE_HTTP_CONNECTIONS_MAX?");
  CHECK(loaded.problems[1].message.starts_with("environment MILLRACE_HTTP_IDLE_TIME_MAX: "));
  CHECK(loaded.problems[2].hint == "did you mean 'limits.payload_bytes_max'?");
  CHECK(loaded.problems[3].message.starts_with("log.level: 'x'"));
}

TEST_CASE("Configuration: the table of docs/operations.md is the table of the program") {
  std::ifstream in(source_path("/docs/operations.md"));
  std::ostringstream text;
  text << in.rdbuf();
  CHECK_MESSAGE(text.str().find(options_as_markdown()) != std::string::npos,
                "docs/operations.md: put in what `millrace config table` prints");
}
