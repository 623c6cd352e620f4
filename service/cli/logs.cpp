// `millrace logs`: the log lines of a state machine, an execution, a function or a log group, by CloudWatch
// Logs' FilterLogEvents.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "orchestrator/arns.h"
#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/names.h"
#include "service/cli/show.h"
#include "service/cli/times.h"

namespace millrace::cli {
namespace {

constexpr Millis kLogLook{1'000};  // between two looks of --follow
constexpr int kLogPage = 1000;     // events of one answer

struct LogOptions {
  std::string which, since, filter;
  bool follow = false;
  std::size_t limit = 10'000;
};

// Where log lines come from: a group, of it some streams or some lines, some time.
struct LogSource {
  std::string group, stream_prefix = {}, pattern = {};
  std::int64_t from = 0;
  std::optional<std::int64_t> until = {};
  bool named = false;               // by the user: it has to be there
  std::set<std::string> seen = {};  // by eventId, those at `from`
};

struct LogLine {
  std::int64_t time = 0;
  std::string group, stream, message;
};

Result<Json> ask_logs(client::Access& access, std::string_view operation, const Json& input) {
  MR_TRY(answer, access.call(client::kLogs, operation, to_payload(input)));
  return to_json(answer.view());
}

// "price" of "arn:aws:lambda:us-east-1:123456789012:function:price:PROD"; a plain name is itself.
std::string function_name(const std::string& text) {
  const std::size_t at = text.find(":function:");
  const std::string name = at == std::string::npos ? text : text.substr(at + 10);
  return name.substr(0, name.find(':'));
}

// The functions that the states of a definition call by name.
void collect_functions(JsonView value, std::set<std::string>& names) {
  if (value.is_array()) {
    for (const JsonView element : value.elements()) collect_functions(element, names);
  }
  if (!value.is_object()) return;
  const JsonView resource = value.find("Resource");
  const std::string of = resource && resource.is_string() ? resource.string() : "";
  if (of.starts_with("arn:aws:lambda:")) names.insert(function_name(of));
  if (of.starts_with("arn:aws:states:::lambda:invoke")) {
    for (const char* arguments : {"Parameters", "Arguments"}) {
      const JsonView given = value.find(arguments);
      const JsonView name = given && given.is_object() ? given.find("FunctionName") : JsonView();
      if (name && name.is_string() && !name.string().starts_with("{%"))
        names.insert(function_name(name.string()));
    }
  }
  for (const auto& [key, inner] : value.members()) collect_functions(inner, names);
}

// "name" of "arn:aws:logs:us-east-1:123456789012:log-group:name:*".
std::string group_name(const std::string& arn) {
  const std::size_t at = arn.find(":log-group:");
  std::string name = at == std::string::npos ? arn : arn.substr(at + 11);
  if (name.ends_with(":*")) name.resize(name.size() - 2);
  return name;
}

// A state machine's own group, where its loggingConfiguration names one, and those of the functions it calls.
void add_machine(const Json& machine, const std::string& execution_arn, std::vector<LogSource>& sources) {
  const Json configuration = machine.value("loggingConfiguration", Json::object());
  for (const Json& destination : configuration.value("destinations", Json::array())) {
    const std::string arn =
        destination.value("cloudWatchLogsLogGroup", Json::object()).value("logGroupArn", "");
    if (arn.empty()) continue;
    sources.push_back(
        {.group = group_name(arn),
         .stream_prefix = execution_arn.empty() ? "states/" + machine.value("name", "") + "/" : "",
         .pattern = execution_arn.empty() ? "" : "\"" + execution_arn + "\""});
  }
  std::set<std::string> functions;
  if (const auto definition = Payload::parse(machine.value("definition", "")))
    collect_functions(definition->view(), functions);
  for (const std::string& name : functions) sources.push_back({.group = "/aws/lambda/" + name});
}

Status add_execution(client::Access& access, const std::string& arn, std::vector<LogSource>& sources) {
  MR_TRY(execution,
         ask(access, "DescribeExecution", {{"executionArn", arn}, {"includedData", "METADATA_ONLY"}}));
  MR_TRY(machine, ask(access, "DescribeStateMachineForExecution", {{"executionArn", arn}}));
  add_machine(machine, arn, sources);
  for (LogSource& source : sources) {
    source.from = to_millis(time_of(execution.value("startDate", Json())));
    if (execution.contains("stopDate")) source.until = to_millis(time_of(execution["stopDate"])) + 1000;
  }
  return {};
}

Result<std::vector<LogSource>> sources_of(client::Access& access, const std::string& which) {
  std::vector<LogSource> sources;
  if (which.starts_with("/")) return std::vector<LogSource>{{.group = which, .named = true}};
  if (which.find(":log-group:") != std::string::npos)
    return std::vector<LogSource>{{.group = group_name(which), .named = true}};
  if (which.starts_with("arn:aws:lambda:"))
    return std::vector<LogSource>{{.group = "/aws/lambda/" + function_name(which)}};
  if (which.find('/') != std::string::npos || parts_of(which).type == "execution") {
    MR_TRY(arn, find_execution(access, which));
    MR_DO(add_execution(access, arn, sources));
    return sources;
  }
  const auto machine = find_machine(access, which);
  if (machine) {
    MR_TRY(arn, orchestrator::parse_arn(machine->arn));
    MR_TRY(described, ask(access, "DescribeStateMachine", {{"stateMachineArn", arn.unqualified()}}));
    add_machine(described, {}, sources);
    return sources;
  }
  if (machine.error().code != ErrorCode::NotFound) return fail(machine.error());
  const std::string group = "/aws/lambda/" + which;
  MR_TRY(groups, ask_logs(access, "DescribeLogGroups", {{"logGroupNamePrefix", group}}));
  for (const Json& known : groups.value("logGroups", Json::array())) {
    if (known.value("logGroupName", "") == group) return std::vector<LogSource>{{.group = group}};
  }
  const auto execution = find_execution(access, which);
  if (!execution)
    return fail(ErrorCode::NotFound, "'" + which + "' is no state machine, execution, function or log group",
                execution.error().hint);
  MR_DO(add_execution(access, *execution, sources));
  return sources;
}

// Lines of the source that were not handed out yet.
Status read_lines(client::Access& access, LogSource& source, const LogOptions& options,
                  std::vector<LogLine>& lines) {
  Json input = {{"logGroupName", source.group}, {"startTime", source.from}, {"limit", kLogPage}};
  if (source.until && !options.follow) input["endTime"] = *source.until;
  if (!source.stream_prefix.empty()) input["logStreamNamePrefix"] = source.stream_prefix;
  const std::string pattern =
      source.pattern + (source.pattern.empty() || options.filter.empty() ? "" : " ") + options.filter;
  if (!pattern.empty()) input["filterPattern"] = pattern;
  for (;;) {
    const auto page = ask_logs(access, "FilterLogEvents", input);
    if (!page && page.error().code == ErrorCode::NotFound && !source.named)
      return {};  // nothing was logged there yet
    if (!page) return fail(page.error());
    for (const Json& event : page->value("events", Json::array())) {
      const std::int64_t time = event.value("timestamp", std::int64_t{0});
      if (time > source.from) {  // events come in the order of time: who is behind this will not come again
        source.from = time;
        source.seen.clear();
      }
      if (!source.seen.insert(event.value("eventId", "")).second) continue;
      lines.push_back({time, source.group, event.value("logStreamName", ""), event.value("message", "")});
    }
    const std::string token = page->value("nextToken", "");
    if (token.empty() || lines.size() >= options.limit) return {};
    input["nextToken"] = token;
  }
}

void print_lines(std::vector<LogLine>& lines, bool several, const Shared& shared) {
  std::stable_sort(lines.begin(), lines.end(),
                   [](const LogLine& a, const LogLine& b) { return a.time < b.time; });
  for (const LogLine& line : lines) {
    if (shared.json) {
      print_json(Json{{"timestamp", line.time},
                      {"logGroupName", line.group},
                      {"logStreamName", line.stream},
                      {"message", line.message}});
      continue;
    }
    std::string message = line.message;
    while (message.ends_with('\n')) message.pop_back();
    const std::string from = several ? line.group.substr(line.group.rfind('/') + 1) + "  " : "";
    print_line(format_rfc3339(from_millis(line.time)) + "  " + from + message);
  }
  std::fflush(stdout);
}

Status logs(const LogOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  MR_TRY(sources, sources_of(*access, options.which));
  if (sources.empty()) {
    return fail(ErrorCode::NotFound,
                "'" + options.which + "' logs nothing: it calls no functions and has no loggingConfiguration",
                "`millrace history` shows what happened in it");
  }
  const Instant now = access->clock().now();
  for (LogSource& source : sources) {
    if (!options.since.empty()) {
      MR_TRY(since, past_time(options.since, "--since", now));
      source.from = to_millis(since);
    } else if (source.from == 0) {
      source.from = to_millis(now - std::chrono::hours(1));
    }
  }
  for (bool first = true;; first = false) {
    std::vector<LogLine> lines;
    for (LogSource& source : sources) MR_DO(read_lines(*access, source, options, lines));
    print_lines(lines, sources.size() > 1, shared);
    if (first && lines.empty() && !options.follow)
      std::fputs("no log lines; --since looks further back\n", stderr);
    if (lines.size() >= options.limit && !options.follow)
      std::fprintf(stderr, "there may be more than %zu lines: see --limit, --since and --filter\n",
                   options.limit);
    if (!options.follow) return {};
    access->pause(kLogLook);
  }
}

}  // namespace

void add_logs(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("logs", "Show log lines of a state machine, execution, function or log group");
  command->fallthrough();
  auto options = std::make_shared<LogOptions>();
  command
      ->add_option("WHICH", options->which,
                   "state machine, execution (MACHINE/NAME, ARN), function, or log group (/aws/lambda/NAME)")
      ->required();
  command->add_flag("-f,--follow", options->follow, "go on with what comes, until interrupted");
  command->add_option("--since", options->since,
                      "2h (ago), 2026-11-21, …; default 1h, of an execution its start");
  command->add_option("--filter", options->filter,
                      "a filter pattern of CloudWatch Logs: ERROR, \"some phrase\", -not");
  command->add_option("--limit", options->limit, "at most so many lines")->capture_default_str();
  command->footer(
      "Of a state machine: the group of its loggingConfiguration and those of the functions it calls; of an\n"
      "execution: its own lines there, and the functions' lines while it ran. With --json a document a "
      "line.\n"
      "Examples:\n"
      "  millrace logs price --follow\n"
      "  millrace logs nightly/2026-11-21 --filter ERROR\n"
      "  millrace logs /aws/lambda/price --since 2h --json | jq -r .message");
  command->callback([options, &shared, &exit_code] {
    const auto done = logs(*options, shared);
    if (!done) exit_code = report(done.error(), shared);
  });
}

}  // namespace millrace::cli
