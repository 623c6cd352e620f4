#include "tests/tidy/rules.h"

#include <algorithm>
#include <initializer_list>
#include <map>
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
#define MR_TASK_GROUND                                                                            \
  "base/", "tasks/task.h", "tasks/arguments.h", "tasks/numeric/", "tasks/ranks/", "tasks/table/", \
      "tasks/artifacts/"
  static const std::vector<Direction> kDirections = {
      {"base/", {"base/"}},
      {"definitions/", {"base/", "definitions/"}},
      {"states/", {"base/", "definitions/", "states/"}},
      {"orchestrator/store/", {"base/", "definitions/", "states/", "orchestrator/store/"}},
      {"orchestrator/loop/", {"base/", "orchestrator/loop/"}},
      {"orchestrator/dispatch/",
       {"base/", "definitions/", "states/", "orchestrator/loop/", "orchestrator/dispatch/"}},
      // Runs of Maps start and count executions: they stand on the driver and the store (decision 0008).
      {"orchestrator/maps/map_r", {"base/", "definitions/", "states/", "orchestrator/"}},
      {"orchestrator/maps/",
       {"base/", "definitions/", "states/", "orchestrator/loop/", "orchestrator/maps/"}},
      {"orchestrator/", {"base/", "definitions/", "states/", "orchestrator/"}},
      {"simulation/", {"base/", "definitions/", "states/", "orchestrator/", "simulation/"}},
      {"tasks/numeric/", {"base/", "tasks/numeric/"}},
      {"tasks/table/", {"base/", "tasks/numeric/", "tasks/table/"}},
      {"tasks/artifacts/", {"base/", "tasks/table/", "tasks/artifacts/"}},
      {"tasks/ranks/", {"base/", "tasks/task.h", "tasks/ranks/"}},
      {"tasks/processing/processors.", {"base/", "tasks/"}},
      {"tasks/processing/", {MR_TASK_GROUND, "tasks/processing/", "tasks/evaluation/", "tasks/text/tfidf.h"}},
      {"tasks/evaluation/", {MR_TASK_GROUND, "tasks/evaluation/", "tasks/processing/", "tasks/training/"}},
      {"tasks/trees/", {MR_TASK_GROUND, "tasks/trees/"}},
      // The processor `series` stands there, too.
      {"tasks/forecasting/run_series.",
       {MR_TASK_GROUND, "tasks/forecasting/", "tasks/training/", "tasks/processing/"}},
      {"tasks/forecasting/", {MR_TASK_GROUND, "tasks/forecasting/", "tasks/training/", "tasks/trees/"}},
      {"tasks/text/", {MR_TASK_GROUND, "tasks/text/", "tasks/training/"}},
      {"tasks/recommend/", {MR_TASK_GROUND, "tasks/recommend/", "tasks/training/", "tasks/trees/team.h"}},
      // The table of all algorithms.
      {"tasks/training/estimators.cpp",
       {MR_TASK_GROUND, "tasks/training/", "tasks/forecasting/", "tasks/text/", "tasks/recommend/"}},
      {"tasks/training/",
       {MR_TASK_GROUND, "tasks/training/", "tasks/trees/", "tasks/processing/pipeline.h",
        "tasks/evaluation/metrics.h"}},
      {"tasks/tuning/",
       {MR_TASK_GROUND, "tasks/tuning/", "tasks/training/", "tasks/evaluation/svg_chart.h",
        "tasks/evaluation/svg_parts.h", "tasks/evaluation/svg_rows.h", "tasks/evaluation/html_report.h"}},
      {"tasks/runner.", {"base/", "tasks/", "orchestrator/dispatch/runner.h"}},
      {"tasks/", {"base/", "tasks/"}},
      {"triggers/", {"base/", "definitions/", "triggers/"}},
      {"service/",
       {"base/", "definitions/", "states/", "orchestrator/", "simulation/", "tasks/", "triggers/",
        "service/"}},
  };
#undef MR_TASK_GROUND
  return kDirections;
}

// Why a file may do what others may not.
struct Exception {
  std::string_view path;  // prefix
  std::string_view reason;
};

// Which text of a line a rule looks at.
enum class In {
  Code,  // without literals and comments
  Text,  // the line as it stands
};

// What a folder never contains, save for the files named.
struct Ban {
  std::string_view pattern;               // regular expression
  std::vector<std::string_view> folders;  // empty: all
  std::vector<Exception> except;
  std::string_view advice;
  In in = In::Code;
};

const std::vector<Ban>& bans() {
  static const std::vector<std::string_view> kPure = {"definitions/", "states/"};
  static const std::vector<std::string_view> kParts = {
      "base/", "definitions/", "states/", "orchestrator/", "simulation/", "tasks/", "triggers/", "service/"};
  static const std::vector<Ban> kBans = {
      {R"(\b(system_clock|steady_clock|high_resolution_clock)\b|\btime\s*\(\s*(NULL|nullptr|0)\s*\)|\bgettimeofday\b|\bclock_gettime\b)",
       kParts,
       {{"base/clock.", "the clock that is handed in everywhere else"},
        {"tasks/script/process.",
         "watches a process of the user's; its waits are of the machine, not of the engine"},
        {"base/metrics.", "measures for metrics, never for a decision"},
        {"service/cli/bench", "measures"}},
       "ask the Clock that was handed in (base/clock.h), in the core the Environment"},
      {R"(\brandom_device\b|\bs?rand\s*\(|\bmt19937)",
       kParts,
       {{"service/home.", "where real entropy enters"}},
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
      {R"(\bsqlite3_\w+\s*\()",
       kParts,
       {{"base/sqlite.", "the handles themselves"}},
       "use the handles of base/sqlite.h"},
      // A value in the text of a statement; constants (kColumns) and literals may be put together.
      {R"re("(SELECT|INSERT|UPDATE|DELETE|REPLACE)\b[^"]*"\s*\+\s*(?!k[A-Z])[a-z]|\+\s*"[^"]*\b(WHERE|VALUES|SET|FROM|AND)\b[^"]*[=(<>]\s*'?"\s*\+|\bsql\s*\+=\s*(?!k[A-Z])[a-z])re",
       kParts,
       {{"tasks/features/as_of_join.", "numbers of its own tables, in a sandbox"},
        {"tasks/processing/sql_expressions.", "puts the user's expressions together, in a sandbox"},
        {"tasks/processing/run_sql.", "names of tables and columns, quoted, in a sandbox"}},
       "bind the value (Statement::bind): a statement is a constant text with parameters",
       In::Text},
      {R"(\buv_spawn\b|\bsystem\s*\(|\bpopen\s*\(|\b[vf]?fork\s*\()",
       kParts,
       {},
       "programs are run by tasks/script/process.h, as a process group that can be stopped"},
      {R"(<regex>|std::w?regex\b)",
       kParts,
       {},
       "std::regex is slow, and recursion can end the process on long lines: read the text by hand, or take "
       "PCRE2"},
      {R"(std::c(out|err)\b|\bprintf\s*\(|\bputs\s*\()",
       kParts,
       {{"service/", "the command line"}},
       "say it in a Result, an event or the log (base/log.h): only the command line writes to the terminal"},
      {R"(\bgetenv\b)",
       kParts,
       {{"service/", "MILLRACE_HOME"},
        {"tasks/script/", "PATH for the user's program"},
        {"tasks/functions/worker.", "PATH for the user's function"}},
       "settings are handed in; the environment is read in service/"},
      // In pieces, so that this line is none.
      {R"(\b(TO)"
       R"(DO|FIX)"
       R"(ME|XX)"
       R"(X)\b)",
       {},
       {},
       "do it, or leave it out",
       In::Text},
      {R"([ \t\r]+$)", {}, {}, "remove the blanks at the end of the line", In::Text},
  };
  return kBans;
}

const std::vector<std::string_view> kHeavyHeaders = {"<nlohmann/json.hpp>",
                                                     "<Eigen/",
                                                     "<boost/",
                                                     "<spdlog/",
                                                     "<doctest/",
                                                     "<CLI/",
                                                     "<uv.h>",
                                                     "<regex>",
                                                     "<curl/"};

const std::vector<Exception> kHeavyAllowed = {
    {"tasks/training/model_artifact.h", "a member of type Json needs its whole definition"},
};

constexpr std::size_t kLinesMax = 800;
const std::vector<Exception> kLongAllowed = {};  // none at present

bool begins_with_any(std::string_view text, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view p) { return text.starts_with(p); });
}

bool excepted(std::string_view path, const std::vector<Exception>& exceptions) {
  return std::any_of(exceptions.begin(), exceptions.end(),
                     [&](const Exception& e) { return path.starts_with(e.path); });
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
  const bool header = path.ends_with(".h") && !excepted(path, kHeavyAllowed);
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

namespace {

Findings findings_of(const Ban& ban, std::string_view path, const std::vector<std::string>& lines) {
  Findings findings;
  const std::regex pattern{std::string(ban.pattern)};
  std::smatch match;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool whole = ban.in == In::Text || lines[i].starts_with("#include <");
    const std::string text = whole ? lines[i] : code_of(lines[i]);
    if (std::regex_search(text, match, pattern))
      findings.push_back(at(path, i) + match.str() + ": " + std::string(ban.advice));
  }
  return findings;
}

}  // namespace

Findings check_banned(std::string_view path, std::string_view text) {
  Findings findings;
  const auto lines = lines_of(text);
  for (const Ban& ban : bans()) {
    if (!ban.folders.empty() && !begins_with_any(path, ban.folders)) continue;
    if (excepted(path, ban.except)) continue;
    for (std::string& finding : findings_of(ban, path, lines)) findings.push_back(std::move(finding));
  }
  return findings;
}

Findings check_size(std::string_view path, std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  if (lines <= kLinesMax || excepted(path, kLongAllowed)) return {};
  return {at(path, kLinesMax) + std::to_string(lines) + " lines, " + std::to_string(kLinesMax) +
          " at most; look for the second thing in this file and give it a file of its own"};
}

namespace {

// A function at the left edge of an anonymous namespace: its name, and its parameters by kind of type.
struct Helper {
  std::string name;
  std::vector<std::string> parameters;
};

// What converts to one another has one kind: numbers, texts. Anything else is its own type's.
std::string kind_of(std::string parameter) {
  static const std::regex kDefault(R"(\s*=.*$)"), kName(R"(\s*\b\w+\s*$)"), kDecoration(R"(\bconst\b|&|\s)");
  static const std::regex kNumber(
      R"((std::)?(int|long|short|double|float|bool|char|unsigned|size_t|u?int\d+_t|uint64_t|Millis)+)");
  static const std::regex kText(R"((std::string(_view)?|char\*))");
  static const std::regex kAny(R"(auto.*|std::function.*|[A-Z])");
  std::string type = std::regex_replace(parameter, kDefault, "");
  type = std::regex_replace(type, kName, "");
  type = std::regex_replace(type, kDecoration, "");
  if (std::regex_match(type, kNumber)) return "number";
  if (std::regex_match(type, kText)) return "text";
  return std::regex_match(type, kAny) ? "any" : type;
}

// The helper that begins at the left edge of `text`; without a name: there is none.
Helper helper_at(std::string_view text) {
  static const std::regex kOther(R"(^(\s|$|#|\}|using\b|struct\b|class\b|enum\b|template\b|namespace\b))");
  if (std::regex_search(text.begin(),
                        text.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(text.size(), 10)),
                        kOther))
    return {};
  Helper helper;
  int angles = 0, round = 0;
  std::string parameter;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '<') ++angles;
    if (c == '>') --angles;
    if (helper.name.empty()) {
      if (angles > 0 || (c != '(' && c != '=' && c != '{' && c != ';')) continue;
      std::size_t begin = i;
      while (begin > 0 &&
             (std::isalnum(static_cast<unsigned char>(text[begin - 1])) || text[begin - 1] == '_'))
        --begin;
      // What has a scope in front is a member, what has no type in front a macro.
      if (c != '(' || begin == 0 || text[begin - 1] == ':') return {};
      helper.name = std::string(text.substr(begin, i - begin));
      round = 1;
      continue;
    }
    if (c == '(') ++round;
    if (c == ')' && --round == 0) break;
    if (c == ',' && angles == 0 && round == 1) {
      helper.parameters.push_back(kind_of(parameter));
      parameter.clear();
    } else {
      parameter += c == '\n' ? ' ' : c;
    }
  }
  if (!parameter.empty()) helper.parameters.push_back(kind_of(parameter));
  return helper;
}

// Whether a call meant for one could be taken for the other.
bool alike(const Helper& a, const Helper& b) {
  return std::equal(
      a.parameters.begin(), a.parameters.end(), b.parameters.begin(), b.parameters.end(),
      [](const std::string& x, const std::string& y) { return x == y || x == "any" || y == "any"; });
}

// Raw string literals as blanks: what stands in them is another language.
std::string without_raw_strings(std::string text) {
  for (std::size_t begin = text.find("R\""); begin != std::string::npos;
       begin = text.find("R\"", begin + 1)) {
    const std::size_t open = text.find('(', begin);
    if (open == std::string::npos) break;
    const std::size_t end = text.find(")" + text.substr(begin + 2, open - begin - 2) + "\"", open);
    for (std::size_t i = begin; i < std::min(end, text.size()); ++i) {
      if (text[i] != '\n') text[i] = ' ';
    }
  }
  return text;
}

// Helpers of a source with the places where they begin.
std::vector<std::pair<std::size_t, Helper>> helpers_of(const std::string& source) {
  std::vector<std::pair<std::size_t, Helper>> found;
  std::string text;
  for (const std::string& line : lines_of(without_raw_strings(source))) text += code_of(line) + "\n";
  bool inside = false;
  for (std::size_t begin = 0, number = 0; begin < text.size(); begin = text.find('\n', begin) + 1, ++number) {
    const std::string_view rest = std::string_view(text).substr(begin);
    if (rest.starts_with("namespace {")) inside = true;
    // The end of any namespace is a line that is a brace alone once its comment is gone; a function's, too.
    if (rest.starts_with("}  \n")) inside = false;
    if (!inside) continue;
    if (Helper helper = helper_at(rest); !helper.name.empty()) found.emplace_back(number, std::move(helper));
  }
  return found;
}

}  // namespace

Findings check_helper_names(const std::vector<Source>& sources) {
  struct Owner {
    std::string path;
    Helper helper;
  };
  Findings findings;
  std::multimap<std::string, Owner> owners;  // by part and name
  for (const Source& source : sources) {
    const std::string part = source.path.substr(0, source.path.find('/'));
    for (auto& [line, helper] : helpers_of(source.text)) {
      const std::string key = part + " " + helper.name;
      const auto [first, last] = owners.equal_range(key);
      const auto other = std::find_if(first, last, [&, &mine = helper](const auto& entry) {
        return entry.second.path != source.path && alike(entry.second.helper, mine);
      });
      if (other != last)
        findings.push_back(at(source.path, line) + helper.name + "() is also a helper in " +
                           other->second.path +
                           "; files of a part are compiled together, so one may be taken for the other: "
                           "rename it (docs/decisions/0019)");
      owners.emplace(key, Owner{source.path, std::move(helper)});
    }
  }
  return findings;
}

Findings unused_exceptions(const std::vector<Source>& sources) {
  Findings findings;
  const auto look = [&](const Exception& exception, auto breaks) {
    const bool used = std::any_of(sources.begin(), sources.end(), [&](const Source& source) {
      return source.path.starts_with(exception.path) && breaks(source);
    });
    if (!used)
      findings.push_back("tests/tidy/rules.cpp: nothing needs the exception for " +
                         std::string(exception.path) + " (" + std::string(exception.reason) + "); delete it");
  };
  for (const Ban& ban : bans()) {
    for (const Exception& exception : ban.except)
      look(exception, [&](const Source& s) { return !findings_of(ban, s.path, lines_of(s.text)).empty(); });
  }
  for (const Exception& exception : kHeavyAllowed) {
    look(exception, [](const Source& s) {
      return std::any_of(kHeavyHeaders.begin(), kHeavyHeaders.end(), [&](std::string_view heavy) {
        return s.text.find("#include " + std::string(heavy)) != std::string::npos;
      });
    });
  }
  for (const Exception& exception : kLongAllowed) {
    look(exception, [](const Source& s) {
      return static_cast<std::size_t>(std::count(s.text.begin(), s.text.end(), '\n')) > kLinesMax;
    });
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
