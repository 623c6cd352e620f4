// `millrace start`: an execution of a deployed state machine, watched or waited for if that is wished.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/history_feed.h"
#include "service/cli/history_tree.h"
#include "service/cli/names.h"
#include "service/cli/show.h"
#include "service/cli/watch.h"
#include "service/home.h"

namespace millrace::cli {
namespace {

struct StartOptions {
  std::string which, input = "{}", name;
  bool wait = false, watch = false, quiet = false;
};

struct Begun {
  std::string arn;
  Json answer;
};

// Starts it. A name of our own lets a start be asked again when its answer was lost: then it is there
// already.
Result<Begun> begin(client::Access& access, const MachineName& machine, const StartOptions& options,
                    const Payload& input) {
  const bool own_name = options.name.empty();
  Random random(service::draw_seed());
  const std::string name = own_name ? uuid_v7(to_millis(access.clock().now()), random) : options.name;
  auto started =
      ask(access, "StartExecution",
          {{"stateMachineArn", machine.arn}, {"name", name}, {"input", std::string(input.text())}});
  if (started) return Begun{started->value("executionArn", ""), *std::move(started)};
  if (!own_name || started.error().code != ErrorCode::AlreadyExists) return fail(started.error());
  const ArnParts parts = parts_of(machine.arn);
  MR_TRY(arn, find_execution(access, parts.name + "/" + name));
  return Begun{arn, Json{{"executionArn", arn}}};
}

int code_of(const Json& execution) {
  return execution.value("status", "") == "SUCCEEDED" ? kSucceeded : kWorkflowFailed;
}

// Until it ends, with what happens shown as `run` shows it.
Result<int> wait_for(client::Access& access, const std::string& arn, const StartOptions& options,
                     const Shared& shared) {
  Display display(options.watch ? Display::style(true, options.quiet) : Display::Style::None, access.clock());
  std::unique_ptr<HistoryTree> tree;
  HistoryFeed feed(access, arn);
  const bool shows = display.style() != Display::Style::None;
  if (shows || shared.json) {
    MR_TRY(program, program_of(access, arn));
    tree = std::make_unique<HistoryTree>(program);
  }
  const auto take_in = [&]() -> Status {
    MR_TRY(events, feed.fresh());
    for (const Json& event : events) {
      const StateRow* row = tree->apply(event);
      if (row && (row->over() || event.value("type", "").ends_with("StateEntered"))) display.changed(*row);
    }
    display.draw(*tree, false);
    return {};
  };
  MR_TRY(end, wait_for_end(access, arn, shows ? std::function<Status()>(take_in) : nullptr));
  if (shared.json && !shows) MR_DO(take_in());
  if (tree) display.draw(*tree, true);
  print_end(end, shared.json ? tree.get() : nullptr, shared.json);
  return code_of(end);
}

// Express executions have no history: their end comes with the answer.
Result<int> run_express(client::Access& access, const MachineName& machine, const StartOptions& options,
                        const Payload& input, const Shared& shared) {
  Json request = {{"stateMachineArn", machine.arn}, {"input", std::string(input.text())}};
  if (!options.name.empty()) request["name"] = options.name;
  MR_TRY(end, ask(access, "StartSyncExecution", request));
  print_end(end, nullptr, shared.json);
  return code_of(end);
}

Result<int> start(const StartOptions& options, const Shared& shared) {
  MR_TRY(input, read_json(options.input));
  MR_TRY(access, connect(shared, client::Use::Run));
  MR_TRY(machine, find_machine(*access, options.which));
  const bool here = !access->outlives_us();
  const bool waits = options.wait || options.watch || here;
  if (here && !options.wait && !options.watch)
    std::fputs("no server has this home: the execution runs in this process until it ends\n", stderr);
  if (machine.express && waits) return run_express(*access, machine, options, input, shared);
  MR_TRY(begun, begin(*access, machine, options, input));
  if (!waits) {
    if (shared.json)
      print_json(begun.answer);
    else
      print_line(begun.arn);
    return kSucceeded;
  }
  if (!options.quiet) std::fprintf(stderr, "%s\n", begun.arn.c_str());
  return wait_for(*access, begun.arn, options, shared);
}

}  // namespace

void add_start(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("start", "Start an execution of a deployed state machine");
  command->fallthrough();
  auto options = std::make_shared<StartOptions>();
  command->add_option("MACHINE", options->which, "name, NAME:VERSION, NAME:ALIAS, or ARN")->required();
  command->add_option("-i,--input", options->input, "input: a file, '-', or JSON in quotes")
      ->capture_default_str();
  command->add_option("--name", options->name,
                      "the execution's name; the same name and input attach to a running one");
  command->add_flag("--wait", options->wait,
                    "until it ends; its output goes to stdout, the exit code says how");
  command->add_flag("-w,--watch", options->watch, "wait, and show states as they happen");
  command->add_flag("-q,--quiet", options->quiet, "nothing on stderr while it runs");
  command->footer(
      "Without --wait its ARN goes to stdout. Without a server it runs in this process and is waited for.\n"
      "Interrupting --wait leaves an execution of a server running: `millrace stop` ends it.\n"
      "Examples:\n"
      "  millrace start hello --input '{\"name\":\"Ada\",\"language\":\"de\"}' --watch\n"
      "  arn=$(millrace start fraud:PROD --input input.json --name nightly-2026-11-21)\n"
      "  generate | millrace start hello --input - --wait --json | jq .output");
  command->callback([options, &shared, &exit_code] {
    const auto code = start(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
