#include "service/cli/main.h"

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "service/cli/commands.h"

namespace millrace::cli {

int run_main(int argc, char** argv) {
  CLI::App app(
      "Millrace runs workflows written in the Amazon States Language, with machine-learning jobs built in.",
      "millrace");
  app.footer(
      "Examples:\n"
      "  millrace validate fraud.json\n"
      "  millrace run fraud.json --input input.json --watch\n"
      "  millrace history fraud nightly-1\n"
      "  millrace invoke fraud-live --body '42.5,3,0,web,120,1'\n\n"
      "Exit codes: 0 succeeded; 1 the execution failed, timed out or was aborted; 2 usage or bad input;\n"
      "3 the environment (home in use, disk full, damaged database).\n"
      "State lives in one directory: --home DIR, else $MILLRACE_HOME, else ./.millrace");
  app.set_version_flag("--version", std::string("millrace 0.1.0"));
  app.require_subcommand(1);
  app.fallthrough();
  Shared shared;
  int exit_code = kSucceeded;
  app.add_option("--home", shared.home, "the one directory of state")->type_name("DIR");
  app.add_flag("--json", shared.json, "one JSON document on stdout, for scripts");
  bool verbose = false;
  app.add_flag("-v,--verbose", verbose, "log what the engine does to stderr");
  app.parse_complete_callback([&] { log::set_level(verbose ? log::Level::Info : log::Level::Warning); });
  for (const Command& command : commands()) command.add(app, shared, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kSucceeded : kBadInput;
  } catch (const std::exception& error) {
    return report({ErrorCode::Internal, error.what(), {}});
  }
  return exit_code;
}

}  // namespace millrace::cli
