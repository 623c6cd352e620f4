#include "tasks/script/sandbox.h"

#include <cstdlib>

#include "tasks/script/process.h"

namespace millrace::tasks {
namespace {

// May be missing, or not allowed: only trying tells.
bool can_be_run(std::vector<std::string> words) {
  ProcessSpec spec;
  spec.arguments = std::move(words);
  spec.arguments.push_back("true");
  const char* path = std::getenv("PATH");
  spec.environment = {std::string("PATH=") + (path ? path : "/usr/bin:/bin")};
  const auto end = run_process(spec, {});
  return end && end->signal == 0 && end->exit_code == 0;
}

}  // namespace

Result<std::vector<std::string>> without_network() {
  static const std::vector<std::vector<std::string>> kWays = {
      {"/usr/bin/env", "--ignore-signal=TERM", "bwrap", "--dev-bind", "/", "/", "--die-with-parent",
       "--unshare-net", "--", "/usr/bin/env", "--default-signal=TERM"},
      {"unshare", "--net", "--"},
      {"unshare", "--user", "--map-current-user", "--net", "--"}};
  for (const auto& way : kWays)
    if (can_be_run(way)) return way;
  return fail(ErrorCode::Internal,
              "EnableNetworkIsolation: this machine can't cut a program off from the network",
              "install bubblewrap, and allow user namespaces");
}

void add_own_processes(std::vector<std::string>& words, bool own) {
  if (!own) return words.push_back("--");
  // The subshell, and no stderr for the shell: else it says "Killed" of a program that was.
  words.insert(words.end(), {"--unshare-pid", "--proc", "/proc", "--as-pid-1", "--", "/bin/sh", "-c",
                             "exec 3>&2 2>/dev/null; ( exec \"$@\" 2>&3 3>&- ); exit \"$?\"", "sh"});
}

std::vector<std::string> ending_together() {
  std::vector<std::string> words = {
      "/usr/bin/env", "--ignore-signal=TERM", "bwrap", "--dev-bind", "/", "/", "--die-with-parent"};
  add_own_processes(words, true);
  words.insert(words.end(), {"/usr/bin/env", "--default-signal=TERM"});
  return can_be_run(words) ? words : std::vector<std::string>();
}

}  // namespace millrace::tasks
