#pragma once
// An HTTP server for tests on a free port of this machine: a thread a connection, one request each, what came
// is kept.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct LocalRequest {
  std::string method, target, headers, body;
  // The value of a header; empty when it did not come.
  std::string header(const std::string& name) const {
    const std::string wanted = "\n" + name + ": ";
    const std::size_t at = headers.find(wanted);
    if (at == std::string::npos) return {};
    const std::size_t begin = at + wanted.size();
    return headers.substr(begin, headers.find('\r', begin) - begin);
  }
};

class LocalServer {
 public:
  // Answers the whole answer, with status line and headers; may sleep. Empty: the connection is closed at
  // once.
  using Handler = std::function<std::string(const LocalRequest&)>;

  explicit LocalServer(Handler handler) : handler_(std::move(handler)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    ::listen(socket_, 512);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~LocalServer() {
    stopping_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    for (std::thread& thread : connections_) thread.join();
    ::close(socket_);
  }
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int port() const { return port_; }
  bool stopping() const { return stopping_; }
  std::vector<LocalRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  static std::string answer(int status, const std::string& body, const std::string& more = "",
                            const std::string& type = "application/json") {
    return "HTTP/1.1 " + std::to_string(status) + " " + (status == 200 ? "OK" : "Reason") +
           "\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n" + more + "\r\n" + body;
  }

 private:
  void accept_all() {
    for (;;) {
      const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      connections_.emplace_back([this, client] { serve(client); });
    }
  }
  void serve(int client) {
    std::string bytes;
    char buffer[65536];
    std::size_t end = std::string::npos;
    std::size_t wanted = 0;
    for (;;) {
      if (end == std::string::npos && (end = bytes.find("\r\n\r\n")) != std::string::npos) {
        const std::size_t length = bytes.find("Content-Length: ");
        wanted = end + 4 + (length < end ? std::stoul(bytes.substr(length + 16)) : 0);
      }
      if (end != std::string::npos && bytes.size() >= wanted) break;
      const ssize_t got = ::recv(client, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      bytes.append(buffer, static_cast<std::size_t>(got));
    }
    if (end != std::string::npos) {
      LocalRequest request;
      const std::size_t line = bytes.find("\r\n"), space = bytes.find(' ');
      request.method = bytes.substr(0, space);
      request.target = bytes.substr(space + 1, bytes.find(' ', space + 1) - space - 1);
      request.headers = bytes.substr(line, end + 2 - line);
      request.body = bytes.substr(end + 4);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      std::string_view out;
      const std::string answer = handler_(request);
      out = answer;
      while (!out.empty()) {
        const ssize_t put = ::send(client, out.data(), out.size(), MSG_NOSIGNAL);
        if (put <= 0) break;
        out.remove_prefix(static_cast<std::size_t>(put));
      }
    }
    ::shutdown(client, SHUT_WR);
    ::close(client);
  }

  const Handler handler_;
  int socket_ = -1, port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  std::vector<std::thread> connections_;  // the accepting thread's until it has ended
  mutable std::mutex mutex_;
  std::vector<LocalRequest> requests_;
};
