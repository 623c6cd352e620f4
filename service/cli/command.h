#pragma once
// What every command of the command line shares: its options, how it says what went wrong, how it ends.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace CLI {
class App;
}

namespace millrace::cli {

// How a command ends. The same for every command; printed by `millrace --help`.
enum ExitCode : int {
  kSucceeded = 0,
  kWorkflowFailed = 1,  // the execution failed, timed out or was aborted
  kBadInput = 2,        // usage, a definition that does not compile, an input that is no JSON
  kEnvironment = 3,     // the home is in use, the disk is full, a database is damaged
};

// Options that stand before or behind any command.
struct Shared {
  std::string home;      // as given; see service::home_path
  bool json = false;     // one JSON document on stdout instead of text
  std::string endpoint;  // of a server, as given; see connect.h
  std::string profile;   // of ~/.aws/credentials, that requests to a server are signed with
};

// One row of the table in commands.cpp: adds the subcommand, its options and its callback, which sets
// `exit_code`.
struct Command {
  std::string_view name;
  void (*add)(CLI::App& app, const Shared& shared, int& exit_code);
  bool asks_servers = false;  // takes --endpoint
};

// "millrace: <message>" and "  hint: <hint>" on stderr, with --json {"error":{"code","message","hint"}}; the
// exit code that fits the error.
int report(const Error& error, const Shared& shared);
// Adds a subcommand of a command: `run` gives its exit code, or the error that is reported.
CLI::App* add_action(CLI::App& command, const char* name, const char* what, const Shared& shared,
                     int& exit_code, std::function<Result<int>()> run);

// A file's bytes; "-" is standard input. InvalidArgument names the file and the system's reason.
Result<std::string> read_input(const std::string& path);
// A file, "-", or JSON in place ("{…}", "[…]"). InvalidArgument for what is no JSON, with place.
Result<Payload> read_json(const std::string& argument);

void print_json(const Json& json);       // one line on stdout
void print_line(std::string_view line);  // on stdout

}  // namespace millrace::cli
