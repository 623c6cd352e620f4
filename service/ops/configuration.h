#pragma once
// Configuration: every option of `millrace serve` in one table: name, default, unit, range, help. The command
// line, MILLRACE_… of the environment, HOME/millrace.json and docs/operations.md all come from it. Pure but
// for load(), which reads the file. The table is in configuration_table.cpp; one row an option.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/payload.h"
#include "base/result.h"
#include "orchestrator/committer.h"
#include "orchestrator/engine.h"
#include "orchestrator/retention.h"
#include "service/api/audit.h"
#include "service/auth/gate.h"
#include "service/http/server.h"
#include "service/ops/settings.h"
#include "tasks/runner.h"

namespace millrace::service {

// What a server is started with. Members that are not options (seeds, paths, borrowed objects) are filled in
// by those who compose it.
struct Configuration {
  std::string listen = "127.0.0.1:8083";
  std::string functions;  // the folder of functions; empty: HOME/functions
  orchestrator::EngineSettings engine;
  orchestrator::CommitterSettings store;
  orchestrator::RetentionSettings retention;
  http::ServerSettings http;
  std::string tls_certificate, tls_key;  // files; empty: plain HTTP
  auth::GateSettings gate;
  api::AuditLevel audit = api::AuditLevel::Off;
  tasks::TaskLibraryRunner::Settings tasks;
  log::Settings log = {.level = log::Level::Info, .format = log::Format::Auto};
  MetricSettings metrics;
  EngineValueSettings monitoring;
  EventSettings events;
  LogStoreSettings logs;
  ObjectSettings objects;
};

enum class OptionKind {
  Integer,
  Bytes,     // a number, or text with KiB, MiB, GiB
  Duration,  // milliseconds, or text with ms, s, min, h, d
  Text,
  Flag,    // true, false
  Choice,  // one of `choices`
};

// A value on its way between texts and fields: `number` of numbers and flags, `text` of the others.
struct OptionValue {
  std::int64_t number = 0;
  std::string text = {};
  bool operator==(const OptionValue&) const = default;
};

struct Option {
  std::string_view name;  // "http.connections_max": section and key of the file
  OptionKind kind;
  std::int64_t min, max;     // of numbers, in the unit of the kind
  std::string_view unit;     // of Integer: "events", "connections", …
  std::string_view choices;  // of Choice: "auto|text|json"
  std::string_view help;     // one sentence or two, without a full stop at the end
  OptionValue (*get)(const Configuration&);
  void (*set)(Configuration&, const OptionValue&);
  std::string_view flag = {};  // its own option of the command line, without dashes; empty: --set NAME=VALUE
};

std::span<const Option> options();                   // in the order of the documentation, sections together
const Option* find_option(std::string_view name);    // null: there is none
std::string environment_name(const Option& option);  // "MILLRACE_HTTP_CONNECTIONS_MAX"
std::string_view section_of(const Option& option);   // "http"
// The value as people read it: "64 KiB", "30 s", "4096".
std::string show_value(const Option& option, const OptionValue& value);
std::string show_range(const Option& option);  // "1 … 65536 connections"; empty for texts
// The value that `text` is for this option. InvalidArgument with the range or the choices.
Result<OptionValue> read_value(const Option& option, std::string_view text);

// Where a value came from, for `millrace config show`.
struct Loaded {
  Configuration configuration;
  std::string file;                                         // that was read; empty: none
  std::map<std::string, std::string, std::less<>> origins;  // by name; missing: the default
  std::vector<Error> problems;  // all that is wrong; each names file, line and column
};
struct Sources {
  std::string home;
  std::string file;                                        // --config; empty: HOME/millrace.json if there
  std::vector<std::pair<std::string, std::string>> flags;  // option name and text; over everything else
  std::vector<std::pair<std::string, std::string>> environment;  // name and value, as the process has it
};
Loaded load(const Sources& sources);
// The configuration, or the first problem and how many more there are.
Result<Configuration> load_checked(const Sources& sources);
std::vector<std::pair<std::string, std::string>> process_environment();

// JSON with // and /* */ comments and commas before a closing bracket as JSON of the same length: what is
// blanked out leaves all places where they were.
std::string without_comments(std::string_view text);

// The options as the table of docs/operations.md (Markdown).
std::string options_as_markdown();

}  // namespace millrace::service
