#include "tests/tidy/rules.h"

#include <algorithm>
#include <initializer_list>
#include <regex>

namespace millrace::tidy {
namespace {

// A file belongs to the first row whose prefix its path begins with, and may include what begins with one of
// `may`.
struct Direction {
  std::string_view part;
  std::vector<std::string_view> may;
};

const std::vector<Direction>& directions() {
  // What every family of the task library may use.
#define MR_TASK_GROUND \
  "base/", "tasks/task.h", "tasks/arguments.h", "tasks/numeric/", "tasks/table/", "tasks/artifacts/"
  static const std::vector<Direction> kDirections = {
      {"base/", {"base/"}},
      {"definitions/", {"base/", "definitions/"}},
      {"states/", {"base/", "definitions/", "states/"}},
      {"orchestrator/store/", {"base/", "definitions/", "states/", "orchestrator/store/"}},
      {"orchestrator/loop/", {"base/", "orchestrator/loop/"}},
      {"orchestrator/dispatch/",
       {"base/", "definitions/", "states/", "orchestrator/loop/", "orchestrator/dispatch/"}},
      {"orchestrator/maps/",
       {"base/", "definitions/", "states/", "orchestrator/loop/", "orchestrator/maps/"}},
      {"orchestrator/", {"base/", "definitions/", "states/", "orchestrator/"}},
      {"tasks/numeric/", {"base/", "tasks/numeric/"}},
      {"tasks/table/", {"base/", "tasks/numeric/", "tasks/table/"}},
      {"tasks/artifacts/", {"base/", "tasks/table/", "tasks/artifacts/"}},
      {"tasks/processing/", {MR_TASK_GROUND, "tasks/processing/", "tasks/evaluation/"}},
      {"tasks/evaluation/", {MR_TASK_GROUND, "tasks/evaluation/", "tasks/processing/", "tasks/training/"}},
      {"tasks/training/", {MR_TASK_GROUND, "tasks/training/", "tasks/processing/pipeline.h"}},
      {"tasks/tuning/", {MR_TASK_GROUND, "tasks/tuning/", "tasks/training/", "tasks/evaluation/svg_chart.h"}},
      {"tasks/runner.", {"base/", "tasks/", "orchestrator/dispatch/runner.h"}},
      {"tasks/", {"base/", "tasks/"}},
      {"triggers/", {"base/", "definitions/", "orchestrator/engine.h", "orchestrator/store/", "triggers/"}},
      {"service/", {"base/", "definitions/", "states/", "orchestrator/", "tasks/", "triggers/", "service/"}},
  };
#undef MR_TASK_GROUND
  return kDirections;
}

// What a folder never contains, save for the files named.
struct Ban {
  std::string pattern;                    // regular expression, on lines without comments and literals
  std::vector<std::string_view> folders;  // empty: all
  std::vector<std::string_view> except;   // prefixes of paths
  std::string advice;
};

const std::vector<Ban>& bans() {
  static const std::vector<std::string_view> kPure = {"definitions/", "states/"};
  static const std::vector<Ban> kBans = {
      {R"(\b(system_clock|steady_clock|high_resolution_clock)\b|\btime\s*\(\s*(NULL|nullptr|0)\s*\)|\bgettimeofday\b|\bclock_gettime\b)",
       {},
       {"base/clock.", "tasks/script/process.", "service/cli/bench."},
       "ask the Clock that was handed in (base/clock.h), in the core the Environment"},
      {R"(\brandom_device\b|\bs?rand\s*\(|\bmt19937)",
       {},
       {"service/home."},
       "draw from base/random.h with a seed that was handed in; real entropy enters in service/home.cpp"},
      {R"(<(thread|mutex|atomic|condition_variable|future)>|std::(thread|jthread|mutex|async)\b)",
       kPure,
       {},
       "the core is pure: threads live in orchestrator/ and tasks/"},
      {R"(<(fstream|filesystem|iostream)>|\bf?open\s*\(|std::[io]?fstream|\bgetenv\b|\bf?printf\s*\()",
       kPure,
       {},
       "the core is pure: files and surroundings are the shell's business"},
      {R"(\bthrow\b)", kPure, {}, "return Result or Outcome: exceptions do not cross functions of ours"},
      {R"(\bsqlite3_\w+\s*\()", {}, {"base/sqlite."}, "use the handles of base/sqlite.h"},
      {R"(std::c(out|err)\b|\bprintf\s*\(|\bputs\s*\()",
       {},
       {"service/"},
       "say it in a Result, an event or the log (base/log.h): only the command line writes to the terminal"},
      {R"(\bgetenv\b)",
       {},
       {"service/", "tasks/script/", "tasks/training/xgboost_handles."},
       "settings are handed in; the environment is read in service/"},
      {R"(\b(TODO|FIXME|XXX)\b)", {}, {}, "do it, or leave it out"},
  };
  return kBans;
}

const std::vector<std::string_view> kHeavyHeaders = {"<nlohmann/json.hpp>", "<Eigen/", "<boost/", "<spdlog/",
                                                     "<doctest/",           "<CLI/",   "<uv.h>"};

// Headers with a member of a type that needs its whole definition.
const std::vector<std::string_view> kHeavyAllowed = {"tasks/training/model_artifact.h"};

bool begins_with_any(std::string_view text, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view p) { return text.starts_with(p); });
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The line without string literals and without a comment that runs to its end.
std::string code_of(const std::string& line) {
  std::string code;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote) {
      if (c == '\\')
        ++i;
      else if (c == quote)
        quote = 0;
    } else if (c == '/' && i + 1 < line.size() && line[i + 1] == '/') {
      break;
    } else if (c == '"' ||
               (c == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(line[i - 1]))))) {
      quote = c;
    } else {
      code += c;
    }
  }
  return code;
}

std::string at(std::string_view path, std::size_t line) {
  return std::string(path) + ":" + std::to_string(line + 1) + ": ";
}

}  // namespace

Findings check_includes(std::string_view path, std::string_view text) {
  Findings findings;
  const auto& all = directions();
  const auto row =
      std::find_if(all.begin(), all.end(), [&](const Direction& d) { return path.starts_with(d.part); });
  if (row == all.end())
    return {std::string(path) +
            ": no row of tests/tidy/rules.cpp says what this folder may include; add one"};
  const bool header = path.ends_with(".h") && !begins_with_any(path, kHeavyAllowed);
  const auto lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    if (!line.starts_with("#include ")) continue;
    const std::string_view what = line.substr(9);
    if (what.starts_with("\"")) {
      const std::string_view target = what.substr(1, what.find('"', 1) - 1);
      if (!begins_with_any(target, row->may)) {
        findings.push_back(
            at(path, i) + std::string(row->part) + " may not include " + std::string(target) +
            "; hand the value in, or move the code to a part that may (architecture: direction of includes)");
      }
    } else if (header && begins_with_any(what, kHeavyHeaders)) {
      findings.push_back(at(path, i) + "heavy header " + std::string(what) +
                         " in a header; include it in the source and forward-declare here");
    }
  }
  return findings;
}

Findings check_banned(std::string_view path, std::string_view text) {
  Findings findings;
  const auto lines = lines_of(text);
  for (const Ban& ban : bans()) {
    if (!ban.folders.empty() && !begins_with_any(path, ban.folders)) continue;
    if (begins_with_any(path, ban.except)) continue;
    const std::regex pattern(ban.pattern);
    std::smatch match;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string code = lines[i].starts_with("#include <") ? lines[i] : code_of(lines[i]);
      if (std::regex_search(code, match, pattern))
        findings.push_back(at(path, i) + match.str() + ": " + ban.advice);
    }
  }
  return findings;
}

Findings check_header(std::string_view path, std::string_view text) {
  if (!path.ends_with(".h")) return {};
  const auto lines = lines_of(text);
  if (lines.empty() || lines[0] != "#pragma once")
    return {std::string(path) + ":1: a header begins with #pragma once"};
  if (lines.size() < 2 || !lines[1].starts_with("// ") || lines[1].size() < 20) {
    return {std::string(path) +
            ":2: no opening comment; say in prose what this is for, who may call it from which thread, and "
            "where it comes from"};
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (code_of(lines[i]).find("using namespace") != std::string::npos)
      return {at(path, i) +
              "using namespace in a header reaches everyone who includes it; name what you use"};
  }
  return {};
}

}  // namespace millrace::tidy
