#pragma once
// A program of the user's, run as a process group of its own and watched until it ends. Worker threads.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::tasks {

struct ProcessSpec {
  std::vector<std::string> arguments;    // the program first; looked up in PATH
  std::vector<std::string> environment;  // NAME=value; nothing is inherited
  std::string directory;                 // where it starts
  std::string input_file;                // its stdin; empty: nothing to read
  std::string error_file;                // its stderr, made anew; empty: together with stdout
  std::uint64_t memory_bytes_max = 0;  // address space of a process, and what all hold together; 0: no limit
  int processes_max = 0;               // of its group, looked at twice a second; 0: no limit
  std::size_t line_bytes_max = 64 * 1024;  // longer lines of output come in pieces
};

struct ProcessEnd {
  int exit_code = 0;     // when signal == 0
  int signal = 0;        // the signal that killed it
  bool stopped = false;  // it was told to stop
  std::string limit;     // it was killed for: "more than 64 processes"
  double cpu_seconds = 0;
  // Of its largest process; of all together where that was seen to be more (shared pages count for each).
  std::int64_t memory_peak_bytes = 0;
};

struct ProcessWatch {
  std::function<void(std::string_view line)> line;  // one line of what is watched, without its newline
  // Asked ten times a second. When true the group gets SIGTERM, and SIGKILL after the grace that is then
  // asked for.
  std::function<bool()> cancelled;
  std::function<Millis()> grace;
};

// Blocks until the program has ended and nothing of its group is left. NotFound when it can't be started.
Result<ProcessEnd> run_process(const ProcessSpec& spec, const ProcessWatch& watch);

// What exec and posix_spawn take: null at the end. Borrows the texts.
std::vector<char*> c_strings(const std::vector<std::string>& texts);

}  // namespace millrace::tasks
