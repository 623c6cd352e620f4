// Requests per second of a running `millrace serve`: one thread a connection, each asks again when it was
// answered (keep-alive). One JSON line an operation: requests/s, and the median and 99th percentile in
// microseconds.
//
//   millrace serve --listen 127.0.0.1:18083 & millrace_bench_serve 18083 [connections] [seconds]

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) give_up("connect");
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The body of the answer.
  std::string call(const std::string& operation, const std::string& body) {
    const std::string request =
        "POST / HTTP/1.1\r\nHost: bench\r\nX-Amz-Target: AWSStepFunctions." + operation +
        "\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      give_up("send");
    std::string answer;
    for (;;) {
      const std::size_t head = answer.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t length = answer.find("Content-Length: ");
        const std::size_t size = std::strtoul(answer.c_str() + length + 16, nullptr, 10);
        if (answer.size() >= head + 4 + size) {
          if (answer.compare(9, 3, "200") != 0) {
            std::fprintf(stderr, "%s\n", answer.c_str());
            std::exit(1);
          }
          return answer.substr(head + 4, size);
        }
      }
      char buffer[65536];
      const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
      if (n <= 0) give_up("recv");
      answer.append(buffer, static_cast<std::size_t>(n));
    }
  }

 private:
  int socket_;
};

std::string text_member(const std::string& json, const std::string& name) {
  const std::size_t at = json.find("\"" + name + "\":\"") + name.size() + 4;
  return json.substr(at, json.find('"', at) - at);
}

void measure(int port, int connections, int seconds, const char* operation, const std::string& body) {
  std::vector<std::vector<double>> taken(static_cast<std::size_t>(connections));
  const auto until = Clock::now() + std::chrono::seconds(seconds);
  std::vector<std::thread> threads;
  for (auto& mine : taken) {
    threads.emplace_back([&mine, port, until, operation, &body] {
      Client client(port);
      for (auto before = Clock::now(); before < until;) {
        client.call(operation, body);
        const auto after = Clock::now();
        mine.push_back(std::chrono::duration<double, std::micro>(after - before).count());
        before = after;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<double> all;
  for (const auto& mine : taken) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  std::printf(R"({"operation":"%s","connections":%d,"requests_per_s":%.0f,"p50_us":%.0f,"p99_us":%.0f})"
              "\n",
              operation, connections, static_cast<double>(all.size()) / seconds, all[all.size() / 2],
              all[all.size() * 99 / 100]);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: millrace_bench_serve PORT [connections] [seconds]\n");
    return 2;
  }
  const int port = std::atoi(argv[1]);
  const int connections = argc > 2 ? std::atoi(argv[2]) : 16;
  const int seconds = argc > 3 ? std::atoi(argv[3]) : 3;
  Client client(port);
  const std::string machine = text_member(
      client.call(
          "CreateStateMachine",
          R"({"name":"bench","roleArn":"r","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"End\":true}}}"})"),
      "stateMachineArn");
  const std::string start = R"({"stateMachineArn":")" + machine + R"(","input":"{\"order\":1}"})";
  const std::string execution = text_member(client.call("StartExecution", start), "executionArn");
  const std::string of_execution = R"({"executionArn":")" + execution + "\"}";
  measure(port, connections, seconds, "StartExecution", start);
  measure(port, connections, seconds, "DescribeExecution", of_execution);
  measure(port, connections, seconds, "GetExecutionHistory", of_execution);
  measure(port, connections, seconds, "ListExecutions",
          R"({"stateMachineArn":")" + machine + R"(","maxResults":10})");
  measure(port, connections, seconds, "ListActivities", "{}");
}
