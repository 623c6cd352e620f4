#include "tasks/functions/worker.h"

#include "tasks/script/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace millrace::tasks {
namespace {

constexpr std::size_t kOutputBytesMax = 1 << 20;  // read at once; more waits in the pipe

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

// Where a program is: as the shell would find it. Empty when nowhere.
std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0 ? program : "";
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string file = std::string(rest.substr(0, colon)) + "/" + program;
    if (::access(file.c_str(), X_OK) == 0) return file;
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return "";
}

// A function sees nothing of this process's environment but where programs are, and what Lambda would show
// it.
std::vector<std::string> environment_of(const Function& function, const std::string& stream) {
  std::vector<std::string> result;
  for (const char* name : {"PATH", "HOME", "LANG", "TZ", "TMPDIR"})
    if (const char* value = std::getenv(name)) result.push_back(std::string(name) + "=" + value);
  const std::string memory = std::to_string(function.memory_mb > 0 ? function.memory_mb : 10'240);
  const std::pair<const char*, std::string> given[] = {
      {"AWS_LAMBDA_FUNCTION_NAME", function.name},
      {"AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"},
      {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory},
      {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/" + function.name},
      {"AWS_LAMBDA_LOG_STREAM_NAME", stream},
      {"AWS_REGION", "us-east-1"},
      {"AWS_DEFAULT_REGION", "us-east-1"},
      {"LAMBDA_TASK_ROOT", function.directory.string()},
      {"_HANDLER", function.module.empty() ? "bootstrap" : function.module + "." + function.handler},
      {"PYTHONDONTWRITEBYTECODE", "1"},  // the folder is the user's
  };
  for (const auto& [name, value] : given)
    if (!function.environment.contains(name)) result.push_back(std::string(name) + "=" + value);
  for (const auto& [name, value] : function.environment) result.push_back(name + "=" + value);
  return result;
}

// posix_spawn can't set limits, so a shell does and gives way to the program; setpriv (util-linux) asks the
// kernel to end the program if this process dies without having had time to.
std::vector<std::string> wrapped(std::vector<std::string> program, std::uint64_t memory_mb) {
  std::vector<std::string> arguments;
  if (memory_mb > 0)
    arguments = {"/bin/sh", "-c", "ulimit -d " + std::to_string(memory_mb * 1024) + " && exec \"$@\"", "sh"};
  if (::access("/usr/bin/setpriv", X_OK) == 0)
    arguments.insert(arguments.end(), {"/usr/bin/setpriv", "--pdeathsig", "KILL", "--"});
  arguments.insert(arguments.end(), program.begin(), program.end());
  return arguments;
}

void set_attributes(posix_spawnattr_t& attributes) {
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

const char* package_of(const std::string& program) {
  if (program.starts_with("python")) return "install python3";
  if (program.starts_with("node")) return "install nodejs";
  return "check the name and PATH";
}

}  // namespace

void Descriptor::close() {
  if (value_ >= 0) ::close(value_);
  value_ = -1;
}

Worker::~Worker() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
}

Status Worker::start(const Function& function, const Start& start) {
  const std::string program = find_program(start.arguments[0]);
  if (program.empty())
    return fail(
        ErrorCode::NotFound,
        "the function " + function.name + " needs " + start.arguments[0] + ", which is not on this machine",
        package_of(start.arguments[0]));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::Unavailable, std::string("can't make a pipe: ") + std::strerror(errno));
  log_ = Descriptor(ends[0]);
  const Descriptor writer(ends[1]);
  ::fcntl(log_.get(), F_SETFL, O_NONBLOCK);
  SpawnSettings settings;
  if (start.input >= 0)
    ::posix_spawn_file_actions_adddup2(&settings.actions, start.input, 0);
  else
    ::posix_spawn_file_actions_addopen(&settings.actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&settings.actions, start.output >= 0 ? start.output : writer.get(), 1);
  ::posix_spawn_file_actions_adddup2(&settings.actions, writer.get(), 2);
  if (start.channel >= 0) ::posix_spawn_file_actions_adddup2(&settings.actions, start.channel, 3);
  ::posix_spawn_file_actions_addchdir_np(&settings.actions, function.directory.c_str());
  set_attributes(settings.attributes);
  std::vector<std::string> arguments = start.arguments, environment = environment_of(function, stream_);
  arguments[0] = program;
  arguments = wrapped(std::move(arguments), function.memory_mb);
  environment.insert(environment.end(), start.environment.begin(), start.environment.end());
  const std::vector<char*> argv = c_strings(arguments), envp = c_strings(environment);
  const int error =
      ::posix_spawn(&pid_, argv[0], &settings.actions, &settings.attributes, argv.data(), envp.data());
  if (error == 0) return {};
  pid_ = 0;
  return fail(ErrorCode::Unavailable, "can't start " + program + ": " + std::strerror(error));
}

std::string Worker::take_output() {
  std::string output;
  if (log_.get() >= 0 && !read_available(log_.get(), output, kOutputBytesMax)) log_.close();
  return output;
}

bool Worker::reap(Millis wait) {
  for (Millis waited{0};; waited += Millis(1)) {
    siginfo_t info{};
    // Ended, but not yet reaped: its number stays ours until its whole group has been killed.
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid_)
      return true;
    if (waited >= wait) return false;
    ::poll(nullptr, 0, 1);
  }
}

std::string Worker::how_it_ended() {
  if (pid_ > 0) {
    reap(Millis(200));
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
  }
  if (WIFSIGNALED(status_)) {
    const int signal = WTERMSIG(status_);
    if (signal == SIGKILL) return "signal: killed";
    if (signal == SIGSEGV) return "signal: segmentation fault";
    if (signal == SIGABRT) return "signal: aborted";
    return "signal: " + std::to_string(signal);
  }
  return "exit status " + std::to_string(WEXITSTATUS(status_));
}

Status make_socket_pair(Descriptor& ours, Descriptor& theirs) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(ErrorCode::Unavailable, std::string("can't make a socket pair: ") + std::strerror(errno));
  ours = Descriptor(ends[0]);
  theirs = Descriptor(ends[1]);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {};
}

bool read_available(int descriptor, std::string& into, std::size_t bytes_max) {
  char buffer[65536];
  std::size_t taken = 0;
  while (taken < bytes_max) {
    const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
    if (got > 0) {
      into.append(buffer, static_cast<std::size_t>(got));
      taken += static_cast<std::size_t>(got);
      if (static_cast<std::size_t>(got) < sizeof buffer) return true;
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
  return true;
}

bool write_available(int descriptor, std::string& pending) {
  std::size_t done = 0;
  while (done < pending.size()) {
    const ssize_t sent = ::send(descriptor, pending.data() + done, pending.size() - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      const bool later = errno == EAGAIN || errno == EWOULDBLOCK;
      pending.erase(0, done);
      return later;
    }
    done += static_cast<std::size_t>(sent);
  }
  pending.clear();
  return true;
}

Result<std::unique_ptr<Worker>> start_worker(const Function& function, const std::string& stream,
                                             const UrlCaller& caller, std::size_t response_bytes_max) {
  switch (function.kind) {
    case FunctionKind::Python:
    case FunctionKind::Node:
      return start_frame_worker(function, stream);
    case FunctionKind::Bootstrap:
      return start_runtime_api_worker(function, stream);
    case FunctionKind::Command:
      return start_command_worker(function, stream);
    case FunctionKind::Url:
      return start_url_worker(function, stream, caller, response_bytes_max);
  }
  return invalid("unknown kind of function");
}

}  // namespace millrace::tasks
