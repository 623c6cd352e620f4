#include "tasks/script/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace millrace::tasks {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookEvery{500};  // at what a group uses

struct Descriptor {
  int value = -1;
  ~Descriptor() { close(); }
  void close() {
    if (value >= 0) ::close(value);
    value = -1;
  }
};

// posix_spawn's two settings objects, freed on the way out.
struct SpawnSettings {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
};

// posix_spawn can't set limits, so a shell does and gives way to the program. setpriv (util-linux) asks the
// kernel to end the program if this process dies without having had time to.
std::vector<std::string> wrapped(const ProcessSpec& spec) {
  std::vector<std::string> arguments;
  if (spec.memory_bytes_max > 0)
    arguments = {"/bin/sh", "-c",
                 "ulimit -v " + std::to_string(spec.memory_bytes_max / 1024) + " && exec \"$@\"", "sh"};
  if (::access("/usr/bin/setpriv", X_OK) == 0)
    arguments.insert(arguments.end(), {"/usr/bin/setpriv", "--pdeathsig", "KILL", "--"});
  arguments.insert(arguments.end(), spec.arguments.begin(), spec.arguments.end());
  return arguments;
}

// Starts the group with stdout and stderr on `output`; its process id.
Result<pid_t> spawn(const ProcessSpec& spec, int output) {
  SpawnSettings settings;
  ::posix_spawn_file_actions_addopen(
      &settings.actions, 0, spec.input_file.empty() ? "/dev/null" : spec.input_file.c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&settings.actions, output, 1);
  if (spec.error_file.empty())
    ::posix_spawn_file_actions_adddup2(&settings.actions, output, 2);
  else
    ::posix_spawn_file_actions_addopen(&settings.actions, 2, spec.error_file.c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!spec.directory.empty())
    ::posix_spawn_file_actions_addchdir_np(&settings.actions, spec.directory.c_str());
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&settings.attributes, &none);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
  ::posix_spawnattr_setpgroup(&settings.attributes, 0);
  ::posix_spawnattr_setflags(&settings.attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const std::vector<std::string> arguments = wrapped(spec);
  const std::vector<char*> argv = c_strings(arguments), envp = c_strings(spec.environment);
  pid_t pid = 0;
  const int error =
      ::posix_spawnp(&pid, argv[0], &settings.actions, &settings.attributes, argv.data(), envp.data());
  if (error != 0)
    return fail(ErrorCode::NotFound, "can't start " + spec.arguments[0] + ": " + std::strerror(error));
  return pid;
}

// Cuts output into lines.
class Lines {
 public:
  Lines(std::size_t bytes_max, const std::function<void(std::string_view)>& take)
      : bytes_max_(bytes_max), take_(take) {}
  void add(std::string_view bytes) {
    for (const char c : bytes) {
      if (c == '\n')
        flush();
      else if (pending_.push_back(c); pending_.size() >= bytes_max_)
        flush();
    }
  }
  void flush_rest() {
    if (!pending_.empty()) flush();
  }

 private:
  void flush() {
    if (!pending_.empty() && pending_.back() == '\r') pending_.pop_back();
    if (take_) take_(pending_);
    pending_.clear();
  }
  const std::size_t bytes_max_;
  const std::function<void(std::string_view)>& take_;
  std::string pending_;
};

// Reads what is there, waiting at most `wait` for it. False: the other end is closed.
bool read_some(int descriptor, Millis wait, Lines& lines) {
  pollfd polled{descriptor, POLLIN, 0};
  if (::poll(&polled, 1, static_cast<int>(wait.count())) <= 0) return true;
  char buffer[65536];
  const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
  if (got > 0) lines.add({buffer, static_cast<std::size_t>(got)});
  return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

// Ended, but not yet reaped: its number and its group stay ours until wait4.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

// The processes of a group, and what they hold of the memory. Looking costs a few milliseconds.
struct GroupUse {
  std::vector<std::string> processes;  // their numbers
  std::int64_t resident_bytes = 0;     // what they share counts for each
};

GroupUse look_at_group(pid_t group) {
  GroupUse use;
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  std::error_code code;
  for (std::filesystem::directory_iterator walk("/proc", code); !code && walk != std::filesystem::end(walk);
       walk.increment(code)) {
    const std::string name = walk->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file("/proc/" + name + "/stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    // pid (name, which may hold anything) state ppid pgrp …; rss is the 24th of all
    const std::size_t behind = line.rfind(')');
    if (behind == std::string::npos) continue;
    std::istringstream fields(line.substr(behind + 1));
    std::string field;
    long long value = 0;
    fields >> field >> value >> value;
    if (value != group || field == "Z") continue;
    use.processes.push_back(name);
    for (int i = 6; i <= 24 && fields >> value; ++i) {
    }
    use.resident_bytes += value * page;
  }
  return use;
}

// What is shared counted once. Costs more; of processes that can't be asked (they have just ended) nothing.
std::int64_t proportional_bytes(const GroupUse& use) {
  std::int64_t kilobytes = 0;
  for (const std::string& process : use.processes) {
    std::ifstream file("/proc/" + process + "/smaps_rollup");
    for (std::string line; std::getline(file, line);)
      if (line.rfind("Pss:", 0) == 0) kilobytes += std::atoll(line.c_str() + 4);
  }
  return kilobytes * 1024;
}

// Empty: within its limits.
std::string beyond_limits(const ProcessSpec& spec, const GroupUse& use) {
  const auto memory_max = static_cast<std::int64_t>(spec.memory_bytes_max);
  if (spec.processes_max > 0 && use.processes.size() > static_cast<std::size_t>(spec.processes_max))
    return "more than " + std::to_string(spec.processes_max) + " processes";
  if (memory_max > 0 && use.resident_bytes > memory_max && proportional_bytes(use) > memory_max)
    return "more than " + std::to_string(spec.memory_bytes_max / 1'000'000) + " MB of memory together";
  return {};
}

ProcessEnd reap(pid_t pid) {
  int status = 0;
  rusage usage{};
  while (::wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  ProcessEnd end;
  end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  end.memory_peak_bytes = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  return end;
}

}  // namespace

std::vector<char*> c_strings(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

Result<ProcessEnd> run_process(const ProcessSpec& spec, const ProcessWatch& watch) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::Unavailable, std::string("can't make a pipe: ") + std::strerror(errno));
  Descriptor reader{ends[0]}, writer{ends[1]};
  MR_TRY(pid, spawn(spec, writer.value));
  writer.close();
  Lines lines(spec.line_bytes_max, watch.line);
  std::optional<Steady::time_point> stop_at;
  bool killed = false, open = true;
  const bool limited = spec.processes_max > 0 || spec.memory_bytes_max > 0;
  auto looked = Steady::now();
  std::string limit;
  std::int64_t resident_peak = 0;
  while (!has_ended(pid)) {
    if (open)
      open = read_some(reader.value, Millis(100), lines);
    else
      ::poll(nullptr, 0, 20);
    if (limited && limit.empty() && Steady::now() - looked >= kLookEvery) {
      looked = Steady::now();
      const GroupUse use = look_at_group(pid);
      resident_peak = std::max(resident_peak, use.resident_bytes);
      limit = beyond_limits(spec, use);
      if (!limit.empty()) ::kill(-pid, SIGKILL);
    }
    if (!watch.cancelled || !watch.cancelled()) continue;
    if (!stop_at) {
      stop_at = Steady::now();
      ::kill(-pid, SIGTERM);
    }
    if (!killed && Steady::now() - *stop_at >= watch.grace()) {
      killed = true;
      ::kill(-pid, SIGKILL);
    }
  }
  ::kill(-pid, SIGKILL);  // what the program left behind
  // The pipe closes now, unless something has left the group; that is not waited for.
  const auto drain_until = Steady::now() + std::chrono::seconds(2);
  while (open && Steady::now() < drain_until) open = read_some(reader.value, Millis(50), lines);
  lines.flush_rest();
  ProcessEnd end = reap(pid);
  end.stopped = stop_at.has_value();
  end.limit = std::move(limit);
  end.memory_peak_bytes = std::max(end.memory_peak_bytes, resident_peak);
  return end;
}

}  // namespace millrace::tasks
