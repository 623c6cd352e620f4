// `millrace list`, `describe`, `history`: what a home holds; they read beside a process that has it open.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/render_graph.h"
#include "service/cli/show.h"
#include "service/cli/watch.h"
#include "service/home.h"
#include "states/history_json.h"

namespace millrace::cli {
namespace {

struct ListOptions {
  std::string machine, status, search;
  std::size_t limit = 50;
};

Result<std::optional<states::ExecutionStatus>> parse_status(const std::string& text) {
  if (text.empty()) return std::optional<states::ExecutionStatus>();
  for (const auto status :
       {states::ExecutionStatus::Running, states::ExecutionStatus::Succeeded, states::ExecutionStatus::Failed,
        states::ExecutionStatus::TimedOut, states::ExecutionStatus::Aborted}) {
    if (states::name_of(status) == text) return std::optional(status);
  }
  return invalid("'" + text + "' is no status", "use RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED");
}

Status list(const ListOptions& options, const Shared& shared) {
  MR_TRY(status, parse_status(options.status));
  MR_TRY(store, service::open_for_reading(service::home_path(shared.home)));
  orchestrator::ExecutionFilter filter;
  filter.machine_name = options.machine;
  filter.status = status;
  filter.name_contains = options.search;
  MR_TRY(rows, store->executions(filter, {}, options.limit));
  if (!shared.json && !rows.empty())
    std::printf("%-20s %-38s %-10s %-25s %s\n", "STATE MACHINE", "NAME", "STATUS", "STARTED", "TOOK");
  std::map<orchestrator::MachineId, std::string> names;
  Json executions = Json::array();
  for (const auto& row : rows) {
    if (!names.contains(row.machine)) {
      MR_TRY(machine, store->machine(row.machine));
      names[row.machine] = machine.name;
    }
    const std::string took = row.stopped ? format_duration(*row.stopped - row.started) : "";
    if (shared.json) {
      Json json = {{"stateMachine", names[row.machine]},
                   {"name", row.name},
                   {"status", std::string(states::name_of(row.status))},
                   {"startDate", format_rfc3339(row.started)}};
      if (row.stopped) json["stopDate"] = format_rfc3339(*row.stopped);
      executions.push_back(std::move(json));
    } else {
      std::printf("%-20s %-38s %-10s %s  %s\n", names[row.machine].c_str(), row.name.c_str(),
                  std::string(states::name_of(row.status)).c_str(), format_rfc3339(row.started).c_str(),
                  took.c_str());
    }
  }
  if (shared.json)
    print_json(Json{{"executions", std::move(executions)}});
  else if (rows.empty())
    std::fputs("no executions\n", stderr);
  return {};
}

Status describe_execution(const std::string& which, const Shared& shared) {
  MR_TRY(store, service::open_for_reading(service::home_path(shared.home)));
  MR_TRY(shown, find_execution(*store, which));
  const Json json = describe_json(shown);
  if (shared.json) {
    print_json(json);
    return {};
  }
  print_line(status_line(shown));
  for (const auto& [key, value] : json.items()) {
    if (key == "name" || key == "status") continue;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::printf(
        "  %-16s %s\n", key.c_str(),
        key == "startDate" || key == "stopDate"
            ? format_rfc3339(from_millis(static_cast<std::int64_t>(value.get<double>() * 1000 + 0.5))).c_str()
            : shorten(text, 2000).c_str());
  }
  StateTree tree(shown.program);
  for (const states::Event& event : shown.events) tree.apply(event);
  const Instant until = shown.execution.stopped.value_or(shown.events.back().time);
  print_line("  states");
  for (const StateRow* row : tree.shown()) print_line("    " + tree_line(*row, until, 156, false));
  return {};
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

Status history(const std::string& which, bool reverse, const Shared& shared) {
  MR_TRY(store, service::open_for_reading(service::home_path(shared.home)));
  MR_TRY(shown, find_execution(*store, which));
  std::vector<Json> events;
  for (const states::Event& event : shown.events) {
    if (!states::visible(event.type)) continue;
    JsonWriter out;
    states::write_event(out, event);
    events.push_back(to_json(out.finish().view()));
  }
  if (reverse) std::reverse(events.begin(), events.end());
  if (shared.json) {
    print_json(Json{{"events", events}});
    return {};
  }
  print_line(status_line(shown));
  for (const Json& event : events) {
    const std::string time =
        format_rfc3339(from_millis(static_cast<std::int64_t>(event["timestamp"].get<double>() * 1000 + 0.5)))
            .substr(11, 12);
    std::printf("%5s %5s  %s  %-24s %s\n", event["id"].dump().c_str(),
                event["previousEventId"].dump().c_str(), time.c_str(),
                event["type"].get<std::string>().c_str(), shorten(summary(event), 120).c_str());
  }
  return {};
}

}  // namespace

void add_list(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("list", "List executions, newest first");
  command->fallthrough();
  auto options = std::make_shared<ListOptions>();
  command->add_option("--machine", options->machine, "only of this state machine");
  command->add_option("--status", options->status, "only RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED");
  command->add_option("--search", options->search, "only names that contain this");
  command->add_option("--limit", options->limit, "at most so many")->capture_default_str();
  command->footer("Examples:\n  millrace list --status FAILED\n  millrace list --machine fraud --json");
  command->callback([options, &shared, &exit_code] {
    const auto listed = list(*options, shared);
    if (!listed) exit_code = report(listed.error(), shared);
  });
}

void add_describe(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("describe", "Show an execution: status, input, output, error");
  command->fallthrough();
  auto which = std::make_shared<std::string>();
  command->add_option("EXECUTION", *which, "ARN, name, MACHINE/NAME, or MACHINE for its newest")->required();
  command->footer("Examples:\n  millrace describe fraud\n  millrace describe fraud/nightly-1 --json");
  command->callback([which, &shared, &exit_code] {
    const auto done = describe_execution(*which, shared);
    if (!done) exit_code = report(done.error(), shared);
  });
}

void add_history(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("history", "Show an execution's history as AWS shows it");
  command->fallthrough();
  auto which = std::make_shared<std::string>();
  auto reverse = std::make_shared<bool>(false);
  command->add_option("EXECUTION", *which, "ARN, name, MACHINE/NAME, or MACHINE for its newest")->required();
  command->add_flag("--reverse", *reverse, "newest event first");
  command->footer("Example:\n  millrace history fraud --json | jq '.events[].type'");
  command->callback([which, reverse, &shared, &exit_code] {
    const auto done = history(*which, *reverse, shared);
    if (!done) exit_code = report(done.error(), shared);
  });
}

}  // namespace millrace::cli
