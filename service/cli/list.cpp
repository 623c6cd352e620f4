// `millrace list`: executions, and the other things a server or a home holds.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/names.h"
#include "service/cli/render_graph.h"
#include "service/cli/selection.h"
#include "service/cli/show.h"

namespace millrace::cli {
namespace {

struct ListOptions {
  std::string what, of;
  Selection selection;
  bool payloads = false, lines = false;
};

// An execution as a document: what lists have always told, and its payloads when they are asked for.
Payload execution_document(const Selected& one, bool payloads) {
  JsonWriter out;
  out.begin_object();
  out.key("stateMachine").string(one.machine).key("name").string(one.name).key("status").string(one.status);
  out.key("startDate").string(format_rfc3339(one.started));
  if (one.stopped) out.key("stopDate").string(format_rfc3339(*one.stopped));
  out.key("executionArn").string(one.arn);
  if (payloads) {
    const Payload all = judged(one);
    for (const char* name : {"input", "output", "error", "cause"}) {
      if (const JsonView value = all.view().find(name)) out.key(name).value(value);
    }
  }
  out.end_object();
  return out.finish();
}

// What a search left out, on stderr.
void say_rest(const Selection& selection, const SelectionSummary& summary) {
  if (summary.unjudged > 0) {
    std::fprintf(stderr, "--where failed on %zu of them: %s\n", summary.unjudged,
                 summary.why_unjudged.c_str());
  }
  if (!summary.more) return;
  const bool scanned = summary.looked >= selection.scan && summary.found < selection.limit;
  std::fprintf(
      stderr, "there are more: %s\n",
      scanned ? ("only the newest " + std::to_string(selection.scan) + " were looked at; see --scan").c_str()
              : ("the newest " + std::to_string(selection.limit) + " are shown; see --limit").c_str());
}

constexpr const char* kExecutionRow = "%-20s %-38s %-10s %-25s %s\n";

void print_row(const Selected& one) {
  const std::string took = one.stopped ? format_duration(*one.stopped - one.started) : "";
  std::printf(kExecutionRow, one.machine.c_str(), one.name.c_str(), one.status.c_str(),
              format_rfc3339(one.started).c_str(), took.c_str());
}

void print_payloads(const Selected& one) {
  const Payload all = judged(one);
  for (const char* name : {"input", "output", "error", "cause"}) {
    if (const JsonView value = all.view().find(name))
      std::printf("  %-7s %s\n", name, shorten(value.text(), 400).c_str());
  }
}

Status list_executions(client::Access& access, const ListOptions& options, const Shared& shared) {
  JsonWriter out;
  out.begin_object().key("executions").begin_array();
  bool first = true;
  std::optional<Error> error;
  const auto shown = [&](Selected one) {
    if (options.payloads && !one.described.is_object()) {
      auto described = ask(access, "DescribeExecution", {{"executionArn", one.arn}});
      if (!described && !error) error = described.error();
      if (described) one.described = *std::move(described);
    }
    if (options.lines) return print_line(execution_document(one, options.payloads).text());
    if (shared.json) return void(out.value(execution_document(one, options.payloads)));
    if (std::exchange(first, false))
      std::printf(kExecutionRow, "STATE MACHINE", "NAME", "STATUS", "STARTED", "TOOK");
    print_row(one);
    if (options.payloads) print_payloads(one);
  };
  MR_TRY(summary, select(access, options.selection, shown));
  if (error) return fail(*error);
  out.end_array();
  if (summary.more) out.key("more").boolean(true);
  out.end_object();
  if (shared.json && !options.lines) {
    print_line(out.finish().text());
  } else {
    if (summary.found == 0 && !options.lines) std::fputs("no executions\n", stderr);
    say_rest(options.selection, summary);
  }
  return {};
}

struct Column {
  const char* title;
  const char* member;
  int width;
  bool time = false;
};

// What else can be listed: one AWS operation each.
struct ListKind {
  std::string_view name, operation, member;
  std::string_view of;  // the input's member that says of what; empty: of nothing
  std::vector<Column> columns;
};

const std::vector<ListKind>& list_kinds() {
  static const std::vector<ListKind> kKinds = {
      {"machines",
       "ListStateMachines",
       "stateMachines",
       "",
       {{"NAME", "name", 30},
        {"TYPE", "type", 9},
        {"CREATED", "creationDate", 25, true},
        {"ARN", "stateMachineArn", 1}}},
      {"versions",
       "ListStateMachineVersions",
       "stateMachineVersions",
       "stateMachineArn",
       {{"CREATED", "creationDate", 25, true}, {"ARN", "stateMachineVersionArn", 1}}},
      {"aliases",
       "ListStateMachineAliases",
       "stateMachineAliases",
       "stateMachineArn",
       {{"CREATED", "creationDate", 25, true}, {"ARN", "stateMachineAliasArn", 1}}},
      {"activities",
       "ListActivities",
       "activities",
       "",
       {{"NAME", "name", 30}, {"CREATED", "creationDate", 25, true}, {"ARN", "activityArn", 1}}},
      {"map-runs",
       "ListMapRuns",
       "mapRuns",
       "executionArn",
       {{"STARTED", "startDate", 25, true}, {"STOPPED", "stopDate", 25, true}, {"ARN", "mapRunArn", 1}}},
  };
  return kKinds;
}

void print_table(const std::vector<Column>& columns, const std::vector<Json>& items) {
  const auto print_cells = [&](const auto& text_of) {
    std::string line;
    for (const Column& column : columns) {
      const std::string text = text_of(column);
      line += text;
      if (const auto wide = static_cast<std::size_t>(column.width); text.size() < wide)
        line.append(wide - text.size(), ' ');
      line += ' ';
    }
    while (line.ends_with(' ')) line.pop_back();
    print_line(line);
  };
  print_cells([](const Column& column) { return std::string(column.title); });
  for (const Json& item : items) {
    print_cells([&](const Column& column) {
      const auto found = item.find(column.member);
      if (found == item.end()) return std::string();
      return column.time ? time_text(*found) : found->get<std::string>();
    });
  }
}

Status list_kind(client::Access& access, const ListKind& kind, const std::string& of, const Shared& shared) {
  Json input = Json::object();
  if (!kind.of.empty()) {
    if (of.empty())
      return invalid("`millrace list " + std::string(kind.name) + "` of what?",
                     std::string("name ") + (kind.of == "executionArn" ? "an execution" : "a state machine") +
                         " behind it");
    if (kind.of == "executionArn") {
      MR_TRY(arn, find_execution(access, of));
      input[std::string(kind.of)] = arn;
    } else {
      MR_TRY(machine, find_machine(access, of));
      input[std::string(kind.of)] = machine.arn;
    }
  }
  MR_TRY(items, ask_all(access, kind.operation, input, kind.member));
  if (shared.json)
    print_json(Json{{std::string(kind.member), items}});
  else if (items.empty())
    std::fprintf(stderr, "no %s\n", std::string(kind.name).c_str());
  else
    print_table(kind.columns, items);
  return {};
}

Status list(ListOptions options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  for (const ListKind& kind : list_kinds()) {
    if (options.what == kind.name) return list_kind(*access, kind, options.of, shared);
  }
  // `list hello` is `list executions hello` is `list --machine hello`.
  const std::string machine = options.what == "executions" ? options.of : options.what;
  if (!machine.empty()) options.selection.machine = machine;
  return list_executions(*access, options, shared);
}

}  // namespace

void add_list(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("list", "List executions, newest first; machines, versions, map runs …");
  command->fallthrough();
  auto options = std::make_shared<ListOptions>();
  command->add_option(
      "WHAT", options->what,
      "executions (default), machines, activities, versions MACHINE, aliases MACHINE, map-runs "
      "EXECUTION; or a MACHINE for its executions");
  command->add_option("OF", options->of, "of which state machine or execution");
  add_selection(*command, options->selection);
  command->add_flag("--payloads", options->payloads, "with input, output, error and cause");
  command->add_flag("--lines", options->lines, "a JSON document for each execution, as they are found");
  command->footer(
      "Examples:\n"
      "  millrace list hello --status FAILED,TIMED_OUT --since 2h\n"
      "  millrace list --where 'input.customer = \"Ada\" and durationMillis > 1000' --payloads\n"
      "  millrace list --error 'States.*' --lines | jq -r .executionArn\n"
      "  millrace list machines --endpoint http://127.0.0.1:8083\n"
      "  millrace list map-runs nightly/2026-11-21");
  command->callback([options, &shared, &exit_code] {
    const auto listed = list(*options, shared);
    if (!listed) exit_code = report(listed.error(), shared);
  });
}

}  // namespace millrace::cli
