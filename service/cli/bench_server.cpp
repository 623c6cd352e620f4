#include "service/cli/bench_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace millrace::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

double ms_since(SteadyClock::time_point from) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - from).count();
}

std::string proc_text(pid_t pid, const char* file) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
  std::string text(4096, '\0');
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t size = fd < 0 ? 0 : ::read(fd, text.data(), text.size());
  if (fd >= 0) ::close(fd);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

class Socket {
 public:
  explicit Socket(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  bool connected() const { return connected_; }
  bool send(const std::string& bytes) const {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }
  // Some more of the answer; true when it is complete. `broken`: the connection went.
  bool read_more(bool& broken) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    broken = n <= 0;
    if (broken) return false;
    answer_.append(buffer.data(), static_cast<std::size_t>(n));
    const std::size_t head = answer_.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    static constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t at = answer_.find(kLength);
    std::size_t size = 0;
    if (at < head)
      std::from_chars(answer_.data() + at + kLength.size(), answer_.data() + answer_.size(), size);
    body_ = head + 4;
    return answer_.size() >= body_ + size;
  }
  bool ok() const { return answer_.compare(9, 3, "200") == 0; }
  std::string body() const { return answer_.substr(body_); }
  void forget_answer() { answer_.clear(); }

  SteadyClock::time_point asked;

 private:
  int fd_;
  bool connected_ = false;
  std::string answer_;
  std::size_t body_ = 0;
};

tl::unexpected<Error> gone() {
  return fail(ErrorCode::Unavailable, "the server closed the connection");
}
tl::unexpected<Error> refused(const Socket& socket) {
  return fail(ErrorCode::InvalidArgument, "the server refused: " + socket.body());
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::start(const std::string& home) {
  std::unique_ptr<ServerProcess> server(new ServerProcess);
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return fail(ErrorCode::Unavailable, "can't make a pipe");
  server->out_ = pipe[0];
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  const char* arguments[] = {"millrace", "serve",  "--listen",   "127.0.0.1:0",
                             "--json",   "--home", home.c_str(), nullptr};
  const auto begin = SteadyClock::now();
  const int failed = ::posix_spawn(&server->pid_, "/proc/self/exe", &actions, nullptr,
                                   const_cast<char* const*>(arguments), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  if (failed != 0) {
    server->pid_ = -1;
    return fail(ErrorCode::Unavailable, std::string("can't start a server: ") + std::strerror(failed));
  }
  std::string line;
  for (char c = 0; ::read(server->out_, &c, 1) == 1 && c != '\n';) line.push_back(c);
  server->ready_ms_ = ms_since(begin);
  const std::size_t colon = line.find("127.0.0.1:");
  if (colon == std::string::npos) return fail(ErrorCode::Unavailable, "the server ended before it was ready");
  std::from_chars(line.data() + colon + 10, line.data() + line.size(), server->port_);
  return server;
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
}

double ServerProcess::cpu_seconds() const {
  const std::string text = proc_text(pid_, "stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  unsigned long user = 0, system = 0;
  if (std::sscanf(text.c_str() + name_end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                  &system) != 2)
    return 0;
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::size_t ServerProcess::resident_bytes() const {
  unsigned long pages = 0;
  const std::string text = proc_text(pid_, "statm");
  if (std::sscanf(text.c_str(), "%*u %lu", &pages) != 1) return 0;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::string request_bytes(const std::string& operation, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: bench\r\nX-Amz-Target: AWSStepFunctions." + operation +
         "\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

Result<std::string> ask(int port, const std::string& request) {
  Socket socket(port);
  bool broken = !socket.connected() || !socket.send(request);
  while (!broken && !socket.read_more(broken)) {
  }
  if (broken) return gone();
  if (!socket.ok()) return refused(socket);
  return socket.body();
}

Result<Load> put_load(int port, const std::string& request, int connections, double seconds) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Socket>> sockets;
  Load load;
  const auto run = [&]() -> Status {
    for (int i = 0; i < connections; ++i) {
      auto& socket = sockets.emplace_back(std::make_unique<Socket>(port));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = socket.get();
      if (!socket->connected() || ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket->fd(), &event) != 0) return gone();
    }
    const auto begin = SteadyClock::now();
    for (const auto& socket : sockets) {
      socket->asked = SteadyClock::now();
      if (!socket->send(request)) return gone();
    }
    std::array<epoll_event, 256> events;
    while (ms_since(begin) < seconds * 1000) {
      const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 1000);
      for (int i = 0; i < ready; ++i) {
        Socket& socket = *static_cast<Socket*>(events[static_cast<std::size_t>(i)].data.ptr);
        bool broken = false;
        const bool complete = socket.read_more(broken);
        if (broken) return gone();
        if (!complete) continue;
        if (!socket.ok()) return refused(socket);
        load.latencies_ms.push_back(ms_since(socket.asked));
        socket.forget_answer();
        socket.asked = SteadyClock::now();
        if (!socket.send(request)) return gone();
      }
    }
    load.seconds = ms_since(begin) / 1000;
    return {};
  };
  const Status done = run();
  ::close(epoll);
  if (!done) return fail(done.error());
  load.requests = load.latencies_ms.size();
  std::sort(load.latencies_ms.begin(), load.latencies_ms.end());
  return load;
}

}  // namespace millrace::cli
