// `millrace describe` and `history`: one thing, and what happened in an execution.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "definitions/compile.h"
#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/history_feed.h"
#include "service/cli/history_tree.h"
#include "service/cli/names.h"
#include "service/cli/render_graph.h"
#include "service/cli/show.h"
#include "service/cli/watch.h"

namespace millrace::cli {
namespace {

struct DescribeOptions {
  std::string which;
  bool machine = false, definition = false;
};

// "  key   value" for each member; times as times, what was said already left out.
void print_members(const Json& document, std::initializer_list<std::string_view> left_out) {
  for (const auto& [key, value] : document.items()) {
    if (std::find(left_out.begin(), left_out.end(), key) != left_out.end() || key.ends_with("Details"))
      continue;
    const bool time = key.ends_with("Date") && value.is_number();
    const std::string text = time                ? time_text(value)
                             : value.is_string() ? value.get<std::string>()
                                                 : value.dump();
    std::printf("  %-24s %s\n", key.c_str(), shorten(text, 2000).c_str());
  }
}

Status describe_execution(client::Access& access, const std::string& arn, const Shared& shared) {
  MR_TRY(execution, ask(access, "DescribeExecution", {{"executionArn", arn}}));
  if (shared.json) {
    print_json(execution);
    return {};
  }
  print_line(status_line(execution));
  print_members(execution, {"name", "status"});
  MR_TRY(program, program_of(access, arn));
  HistoryTree tree(program);
  MR_TRY(events, HistoryFeed(access, arn).fresh());
  for (const Json& event : events) tree.apply(event);
  const Instant until =
      execution.contains("stopDate") ? time_of(execution["stopDate"]) : access.clock().now();
  print_line("  states");
  for (const StateRow* row : tree.shown()) print_line("    " + tree_line(*row, until, 156, false));
  return {};
}

// "PROD → hello:3 (90 %), hello:2 (10 %)"
std::string alias_line(const Json& alias) {
  std::string line = alias.value("name", "") + " →";
  for (const Json& route : alias.value("routingConfiguration", Json::array())) {
    const std::string arn = route.value("stateMachineVersionArn", "");
    line += (line.ends_with("→") ? " " : ", ") + arn.substr(arn.rfind(':') + 1) + " (" +
            std::to_string(route.value("weight", 0)) + " %)";
  }
  return line;
}

Status describe_machine(client::Access& access, const std::string& arn, const DescribeOptions& options,
                        const Shared& shared) {
  const std::string qualifier = parts_of(arn).qualifier;
  const bool alias = !qualifier.empty() && qualifier.find_first_not_of("0123456789") != std::string::npos;
  if (alias && !options.definition) {
    MR_TRY(found, ask(access, "DescribeStateMachineAlias", {{"stateMachineAliasArn", arn}}));
    if (shared.json)
      print_json(found);
    else
      print_line(alias_line(found)), print_members(found, {"name", "routingConfiguration"});
    return {};
  }
  MR_TRY(machine, ask(access, "DescribeStateMachine", {{"stateMachineArn", arn}}));
  if (options.definition) {
    print_line(machine.value("definition", ""));
    return {};
  }
  if (shared.json) {
    print_json(machine);
    return {};
  }
  print_line(machine.value("name", "") + " " + machine.value("type", "") + " " + machine.value("status", ""));
  print_members(machine, {"name", "type", "status", "definition", "loggingConfiguration",
                          "tracingConfiguration", "variableReferences"});
  const definitions::Compiled compiled = definitions::compile(machine.value("definition", ""));
  if (compiled.program)
    std::printf("  %-24s %zu, from %s\n", "states", compiled.program->nodes.size(),
                compiled.program->node(compiled.program->start).name.c_str());
  if (!qualifier.empty()) return {};
  MR_TRY(versions,
         ask_all(access, "ListStateMachineVersions", {{"stateMachineArn", arn}}, "stateMachineVersions"));
  for (const Json& version : versions) {
    const std::string version_arn = version.value("stateMachineVersionArn", "");
    std::printf("  %-24s %s  %s\n", "version", version_arn.substr(version_arn.rfind(':') + 1).c_str(),
                time_text(version["creationDate"]).c_str());
  }
  MR_TRY(aliases,
         ask_all(access, "ListStateMachineAliases", {{"stateMachineArn", arn}}, "stateMachineAliases"));
  for (const Json& row : aliases) {
    MR_TRY(found, ask(access, "DescribeStateMachineAlias",
                      {{"stateMachineAliasArn", row.value("stateMachineAliasArn", "")}}));
    std::printf("  %-24s %s\n", "alias", alias_line(found).c_str());
  }
  return {};
}

Status describe_map_run(client::Access& access, const std::string& arn, const Shared& shared) {
  MR_TRY(run, ask(access, "DescribeMapRun", {{"mapRunArn", arn}}));
  if (shared.json) {
    print_json(run);
    return {};
  }
  print_line(short_name(arn) + " " + run.value("status", ""));
  print_members(run, {"status", "itemCounts", "executionCounts"});
  for (const char* counts : {"itemCounts", "executionCounts"}) {
    std::string line;
    const Json all = run.value(counts, Json::object());
    for (const auto& [key, value] : all.items()) {
      if (value != 0 || key == "total") line += (line.empty() ? "" : ", ") + key + " " + value.dump();
    }
    std::printf("  %-24s %s\n", counts, line.c_str());
  }
  return {};
}

Status describe_activity(client::Access& access, const std::string& arn, const Shared& shared) {
  MR_TRY(activity, ask(access, "DescribeActivity", {{"activityArn", arn}}));
  if (shared.json)
    print_json(activity);
  else
    print_line(activity.value("name", "")), print_members(activity, {"name"});
  return {};
}

Status describe_any(const DescribeOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  const ArnParts parts = parts_of(options.which);
  if (parts.type == "mapRun") return describe_map_run(*access, options.which, shared);
  if (parts.type == "activity") return describe_activity(*access, options.which, shared);
  if (parts.type == "stateMachine") return describe_machine(*access, options.which, options, shared);
  const bool of_machine =
      options.machine || options.definition || options.which.find(':') != std::string::npos;
  if (parts.type.empty() && of_machine && !options.which.starts_with("arn:")) {
    MR_TRY(machine, find_machine(*access, options.which));
    return describe_machine(*access, machine.arn, options, shared);
  }
  const auto arn = find_execution(*access, options.which);
  if (arn) return describe_execution(*access, *arn, shared);
  if (arn.error().code != ErrorCode::NotFound) return fail(arn.error());
  // A state machine that has not run yet.
  const auto machine = find_machine(*access, options.which);
  return machine ? describe_machine(*access, machine->arn, options, shared) : fail(arn.error());
}

// What one line of the table says about an event besides its type.
std::string summary(const Json& event) {
  for (const auto& [key, value] : event.items()) {
    if (!key.ends_with("EventDetails")) continue;
    std::string out = value.value("name", "");
    if (value.contains("resource") && out.empty())
      out = value.value("resourceType", "") + (value.contains("resourceType") ? ":" : "") +
            value["resource"].get<std::string>();
    if (value.contains("index")) out += " [" + value["index"].dump() + "]";
    const std::string failure = for_people(value.value("error", ""), value.value("cause", ""));
    if (!failure.empty())
      out += (out.empty() ? "" : "  ") + failure;
    else if (value.contains("output"))
      out += "  → " + value["output"].get<std::string>();
    return out;
  }
  return {};
}

void print_event(const Json& event) {
  const std::string time = time_text(event["timestamp"]).substr(11, 12);
  std::printf("%5s %5s  %s  %-24s %s\n", event["id"].dump().c_str(), event["previousEventId"].dump().c_str(),
              time.c_str(), event.value("type", "").c_str(), shorten(summary(event), 120).c_str());
}

struct HistoryOptions {
  std::string which, state;
  bool reverse = false, follow = false;
};

// Which events are wanted: all, or those of one state; for that the tree is needed.
class EventFilter {
 public:
  static Result<EventFilter> make(client::Access& access, const std::string& arn, const std::string& state) {
    EventFilter filter;
    if (state.empty()) return filter;
    MR_TRY(program, program_of(access, arn));
    filter.state_ = state;
    filter.tree_ = std::make_unique<HistoryTree>(program);
    return filter;
  }
  std::vector<Json> of(std::vector<Json> events) {
    if (!tree_) return events;
    std::vector<Json> wanted;
    for (Json& event : events) {
      tree_->apply(event);
      if (tree_->state_of(event.value("id", std::int64_t{0})) == state_) wanted.push_back(std::move(event));
    }
    return wanted;
  }

 private:
  std::string state_;
  std::unique_ptr<HistoryTree> tree_;
};

// Events as they happen, until the end; how it ended is the command's exit code.
Result<int> follow(client::Access& access, const std::string& arn, EventFilter filter, const Shared& shared) {
  HistoryFeed feed(access, arn);
  MR_TRY(end, wait_for_end(access, arn, [&]() -> Status {
           MR_TRY(events, feed.fresh());
           for (const Json& event : filter.of(std::move(events))) {
             if (shared.json)
               print_json(event);
             else
               print_event(event);
           }
           std::fflush(stdout);
           return {};
         }));
  if (!shared.json) std::fprintf(stderr, "%s\n", status_line(end).c_str());
  return end.value("status", "") == "SUCCEEDED" ? kSucceeded : kWorkflowFailed;
}

Result<int> history(const HistoryOptions& options, const Shared& shared) {
  if (options.follow && options.reverse)
    return invalid("--follow and --reverse together make no order", "leave one of them out");
  MR_TRY(access, connect(shared, client::Use::Look));
  MR_TRY(arn, find_execution(*access, options.which));
  MR_TRY(filter, EventFilter::make(*access, arn, options.state));
  if (options.follow) return follow(*access, arn, std::move(filter), shared);
  MR_TRY(execution,
         ask(*access, "DescribeExecution", {{"executionArn", arn}, {"includedData", "METADATA_ONLY"}}));
  MR_TRY(all, HistoryFeed(*access, arn).fresh());
  std::vector<Json> events = filter.of(std::move(all));
  if (options.reverse) std::reverse(events.begin(), events.end());
  if (shared.json) {
    print_json(Json{{"events", std::move(events)}});
    return kSucceeded;
  }
  print_line(status_line(execution));
  for (const Json& event : events) print_event(event);
  if (events.empty() && !options.state.empty())
    std::fprintf(stderr, "nothing happened in a state '%s'\n", options.state.c_str());
  return kSucceeded;
}

constexpr const char* kExecutionHelp =
    "ARN, name or its unique beginning, MACHINE/NAME, or MACHINE for its newest";

}  // namespace

void add_describe(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("describe", "Show an execution, state machine, map run, alias or activity");
  command->fallthrough();
  auto options = std::make_shared<DescribeOptions>();
  command
      ->add_option(
          "WHICH", options->which,
          std::string("an execution: ") + kExecutionHelp + "; NAME:VERSION, NAME:ALIAS, or any other ARN")
      ->required();
  command->add_flag("--machine", options->machine, "the name is a state machine's");
  command->add_flag("--definition", options->definition,
                    "only the definition of the state machine, as it was deployed");
  command->footer(
      "Examples:\n"
      "  millrace describe fraud\n"
      "  millrace describe fraud/nightly-1 --json\n"
      "  millrace describe fraud --machine; millrace describe fraud:PROD\n"
      "  millrace describe fraud:3 --definition | diff - fraud.asl.json");
  command->callback([options, &shared, &exit_code] {
    const auto done = describe_any(*options, shared);
    if (!done) exit_code = report(done.error(), shared);
  });
}

void add_history(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("history", "Show an execution's history as AWS shows it");
  command->fallthrough();
  auto options = std::make_shared<HistoryOptions>();
  command->add_option("EXECUTION", options->which, kExecutionHelp)->required();
  command->add_flag("-f,--follow", options->follow,
                    "go on until the execution ends (exit code: how); with --json a line for each event");
  command->add_option("--state", options->state, "only events of this state");
  command->add_flag("--reverse", options->reverse, "newest event first");
  command->footer(
      "Examples:\n"
      "  millrace history fraud --json | jq '.events[].type'\n"
      "  millrace history fraud/nightly-1 --follow\n"
      "  millrace history fraud --state Train");
  command->callback([options, &shared, &exit_code] {
    const auto done = history(*options, shared);
    exit_code = done ? *done : report(done.error(), shared);
  });
}

}  // namespace millrace::cli
