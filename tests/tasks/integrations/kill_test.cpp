// SIGKILL at random moments: a child process adds to a counter and sends messages, each under the key of an
// attempt, and tells what was acknowledged. It is killed and started again: it then dispatches the attempts
// again that were not acknowledged, as an engine does. In the end every attempt was applied exactly once.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <map>
#include <set>
#include <sstream>

#include "base/random.h"
#include "tasks/integrations/data_services.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

constexpr int kKillsOfData = 12;
constexpr int kUnderWay = 16;
constexpr char kDataFolder[] = "MILLRACE_DATA_KILL_FOLDER";
constexpr char kDataFrom[] = "MILLRACE_DATA_KILL_FROM";

template <class Service>
ServiceAnswer ask_and_wait(Service& service, ServiceCall call) {
  std::promise<ServiceAnswer> promise;
  service.call(std::move(call), [&promise](ServiceAnswer answer) { promise.set_value(std::move(answer)); });
  return promise.get_future().get();
}

ServiceCall addition(const std::string& key) {
  return {"UpdateItem",
          Payload::literal(R"({"TableName":"counters","Key":{"pk":{"S":"c"}},"UpdateExpression":"ADD n :n",
                               "ExpressionAttributeValues":{":n":{"N":"1"}},"ReturnValues":"UPDATED_NEW"})"),
          key};
}
ServiceCall message(int number) {
  JsonWriter out;
  out.begin_object()
      .key("QueueUrl")
      .string("q")
      .key("MessageBody")
      .string(std::to_string(number))
      .end_object();
  return {"SendMessage", out.finish(), "message " + std::to_string(number)};
}

void say_line(const std::string& line) {
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(3);
}

// Attempts from `from` on, several under way, each acknowledged by a line when its answer came.
void be_the_data_child(const std::string& folder, int from) {
  const SystemClock clock;
  DataServices services(folder, {}, clock, static_cast<std::uint64_t>(getpid()));
  auto tables = services.tables();
  auto queues = services.queues();
  if (!tables || !queues) _exit(4);
  for (int first = from;; first += kUnderWay) {
    std::vector<std::future<void>> answers;
    for (int i = first; i < first + kUnderWay; ++i) {
      auto both = std::make_shared<std::atomic<int>>(2);
      auto promise = std::make_shared<std::promise<void>>();
      answers.push_back(promise->get_future());
      const auto done = [both, promise, i](const ServiceAnswer& answer) {
        if (!answer) _exit(5);
        if (--*both > 0) return;
        say_line("done " + std::to_string(i) + "\n");
        promise->set_value();
      };
      (*tables)->call(addition("attempt " + std::to_string(i)), done);
      (*queues)->call(message(i), done);
    }
    for (auto& answer : answers) answer.get();
  }
}

// The numbers a child acknowledged before it was killed.
void run_data_child(const std::string& folder, int from, Millis life, std::set<int>& acknowledged) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    setenv(kDataFolder, folder.c_str(), 1);
    setenv(kDataFrom, std::to_string(from).c_str(), 1);
    execl("/proc/self/exe", "millrace_test_tasks", "-tc=Data kill: the child", "--no-version=1", nullptr);
    _exit(2);
  }
  close(ends[1]);
  const auto end = std::chrono::steady_clock::now() + life;
  std::string said;
  for (bool open = true; open;) {
    const auto left = std::chrono::duration_cast<Millis>(end - std::chrono::steady_clock::now());
    pollfd waiting{ends[0], POLLIN, 0};
    if (left <= Millis(0) || poll(&waiting, 1, static_cast<int>(left.count())) == 0) kill(pid, SIGKILL);
    char buffer[4096];
    const ssize_t n = read(ends[0], buffer, sizeof buffer);
    open = n > 0;
    if (open) said.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line) && !lines.eof();)
    if (line.starts_with("done ")) acknowledged.insert(std::stoi(line.substr(5)));
}

}  // namespace

TEST_CASE("Data kill: the child") {
  if (const char* folder = getenv(kDataFolder)) be_the_data_child(folder, std::atoi(getenv(kDataFrom)));
}

TEST_CASE("Data kill: an attempt that is dispatched again is applied once") {
  if (getenv(kDataFolder)) return;
  const TemporaryHome home;
  const SystemClock clock;
  {
    DataServices services(home.path(), {}, clock, 1);
    REQUIRE(ask_and_wait(**services.tables(), {"CreateTable", Payload::literal(R"({"TableName":"counters",
                             "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
                             "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]})")}));
    REQUIRE(ask_and_wait(**services.queues(), {"CreateQueue", Payload::literal(R"({"QueueName":"q"})")}));
  }
  Random random(static_cast<std::uint64_t>(getpid()));
  std::set<int> acknowledged;
  int next = 0;
  for (int i = 0; i < kKillsOfData; ++i) {
    run_data_child(home.path(), next, Millis(60 + random.below(200)), acknowledged);
    // The first that was not acknowledged, and all behind it, are dispatched again.
    while (acknowledged.contains(next)) ++next;
  }
  DataServices services(home.path(), {}, clock, 2);
  const int last = (acknowledged.empty() ? 0 : *acknowledged.rbegin()) + kUnderWay;
  for (int i = next; i <= last; ++i) {
    REQUIRE(ask_and_wait(**services.tables(), addition("attempt " + std::to_string(i))));
    REQUIRE(ask_and_wait(**services.queues(), message(i)));
  }
  MESSAGE(kKillsOfData << " kills, " << acknowledged.size() << " attempts acknowledged");
  CHECK(acknowledged.size() > 50);
  const auto counter =
      ask_and_wait(**services.tables(),
                   {"GetItem", Payload::literal(R"({"TableName":"counters","Key":{"pk":{"S":"c"}}})")});
  REQUIRE(counter);
  CHECK(counter->view().find("Item").find("n").find("N").string() == std::to_string(last + 1));
  std::map<std::string, int> received;
  for (;;) {
    const auto page =
        ask_and_wait(**services.queues(),
                     {"ReceiveMessage", Payload::literal(R"({"QueueUrl":"q","MaxNumberOfMessages":10})")});
    REQUIRE(page);
    const JsonView messages = page->view().find("Messages");
    if (!messages) break;
    for (const JsonView one : messages.elements()) ++received[one.find("Body").string()];
  }
  CHECK(received.size() == static_cast<std::size_t>(last + 1));
  for (const auto& [body, count] : received) CHECK_MESSAGE(count == 1, body);
}
