#include "service/cli/main.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "service/cli/commands.h"
#include "service/version.h"

namespace millrace::cli {

namespace {

// A server can't be asked for what runs in this process.
void check_endpoint(const CLI::App& app, const Shared& shared) {
  if (shared.endpoint.empty() || app.get_subcommands().empty()) return;
  const std::string name = app.get_subcommands().front()->get_name();
  std::string others;
  for (const Command& command : commands()) {
    if (command.asks_servers) others += (others.empty() ? "" : ", ") + std::string(command.name);
    if (command.asks_servers && command.name == name) return;
  }
  throw CLI::ValidationError("--endpoint",
                             "`" + name + "` works in this process; servers are asked by " + others);
}

}  // namespace

int run_main(int argc, char** argv) {
  CLI::App app(
      "Millrace runs workflows written in the Amazon States Language, with machine-learning jobs built in.",
      "millrace");
  app.footer(
      "Examples:\n"
      "  millrace validate examples/hello/definition.json\n"
      "  millrace run examples/hello/definition.json --input examples/hello/input.json --watch\n"
      "  millrace list; millrace describe hello; millrace history hello\n"
      "  millrace serve & millrace deploy examples/hello/definition.json; millrace start hello --watch\n"
      "  millrace graph examples/fraud/definition.json -o fraud.svg\n"
      "  `millrace COMMAND --help` explains each command.\n\n"
      "Exit codes: 0 succeeded; 1 the execution failed, timed out or was aborted; 2 usage or bad input;\n"
      "3 the environment (home in use, no server, disk full, damaged database).\n"
      "State lives in one directory: --home DIR, else $MILLRACE_HOME, else ./.millrace");
  app.set_version_flag("--version", std::string("millrace ") + service::version());
  app.require_subcommand(1);
  app.fallthrough();
  Shared shared;
  int exit_code = kSucceeded;
  app.add_option("--home", shared.home, "the one directory of state")->type_name("DIR");
  app.add_option("--endpoint", shared.endpoint, "ask this server instead of the home")->type_name("URL");
  app.add_option("--profile", shared.profile, "whose keys of ~/.aws/credentials sign requests to a server");
  app.add_flag("--json", shared.json, "one JSON document on stdout, for scripts");
  bool verbose = false;
  app.add_flag("-v,--verbose", verbose, "log what the engine does to stderr");
  app.parse_complete_callback([&] {
    log::set_level(verbose ? log::Level::Info : log::Level::Warning);
    check_endpoint(app, shared);
  });
  for (const Command& command : commands()) command.add(app, shared, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kSucceeded : kBadInput;
  } catch (const std::exception& error) {
    return report({ErrorCode::Internal, error.what(), {}}, shared);
  }
  // What was printed may still fail to reach its file.
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    return report({ErrorCode::OutOfSpace, std::string("can't write the output: ") + std::strerror(errno),
                   "what ran is kept in the home: `millrace describe` shows it again"},
                  shared);
  }
  return exit_code;
}

}  // namespace millrace::cli
