// Tables and queues: operations a second, each durable before its answer, with 1, 16 and 256 under way. One
// line an operation and number.
//
//   millrace_bench_data [operations] [folder]      20,000 in a folder of its own below the working directory

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "tasks/integrations/data_services.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

using Steady = std::chrono::steady_clock;
using Ask = std::function<void(int number, ServiceReply reply)>;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

// Seconds for `count` operations, at most `under_way` of them at once.
double measure(const Ask& ask, int count, int under_way) {
  std::mutex mutex;
  std::condition_variable changed;
  int busy = 0;
  const auto begin = Steady::now();
  for (int i = 0; i < count; ++i) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return busy < under_way; });
    ++busy;
    lock.unlock();
    ask(i + under_way * 1'000'000, [&](const ServiceAnswer& answer) {
      if (!answer) give_up(answer.error().message);
      const std::lock_guard done(mutex);
      --busy;
      changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return busy == 0; });
  return std::chrono::duration<double>(Steady::now() - begin).count();
}

Payload keyed(int number, const char* rest) {
  return Payload::literal(
      "{\"TableName\":\"items\"," + std::string(rest) + "{\"pk\":{\"S\":\"" + std::to_string(number % 5000) +
      "\"}" +
      (std::string_view(rest).find("Item") != std::string_view::npos
           ? ",\"n\":{\"N\":\"1\"},\"text\":{\"S\":\"some hundred bytes of what people keep in their tables, "
             "which is not much more than this\"}}}"
           : "}}"));
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 20'000;
  const std::string folder = argc > 2 ? argv[2] : "bench-data";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const SystemClock clock;
  DataServices services(folder, {}, clock, 1);
  auto tables = services.tables();
  auto queues = services.queues();
  if (!tables || !queues) give_up("can't open the databases");
  const auto once = [&](ServiceCall call, auto& service) {
    measure([&](int, ServiceReply reply) { service.call(call, std::move(reply)); }, 1, 1);
  };
  once({"CreateTable",
        Payload::literal(
            R"({"TableName":"items","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
                                            "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]})")},
       **tables);
  once({"CreateQueue", Payload::literal(R"({"QueueName":"q"})")}, **queues);
  const std::string run = std::to_string(to_millis(clock.now()));
  const std::pair<const char*, Ask> kOperations[] = {
      {"PutItem",
       [&](int i, ServiceReply reply) {
         (*tables)->call({"PutItem", keyed(i, "\"Item\":"), run + "p" + std::to_string(i)}, std::move(reply));
       }},
      {"GetItem",
       [&](int i, ServiceReply reply) {
         (*tables)->call({"GetItem", keyed(i, "\"Key\":")}, std::move(reply));
       }},
      {"UpdateItem",
       [&](int i, ServiceReply reply) {
         (*tables)->call(
             {"UpdateItem",
              keyed(i,
                    R"("UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"1"}},"Key":)"),
              run + "u" + std::to_string(i)},
             std::move(reply));
       }},
      {"SendMessage",
       [&](int i, ServiceReply reply) {
         (*queues)->call(
             {"SendMessage",
              Payload::literal(R"({"QueueUrl":"q","MessageBody":"{\"order\":12345,\"state\":\"paid\"}"})"),
              run + "s" + std::to_string(i)},
             std::move(reply));
       }},
      {"ReceiveMessage",
       [&](int, ServiceReply reply) {
         (*queues)->call({"ReceiveMessage", Payload::literal(R"({"QueueUrl":"q"})")}, std::move(reply));
       }},
  };
  for (const auto& [name, ask] : kOperations) {
    for (const int under_way : {1, 16, 256}) {
      const int operations = under_way == 1 ? count / 20 : count;
      const double seconds = measure(ask, operations, under_way);
      std::printf("%-14s %3d under way  %8.0f a second\n", name, under_way, operations / seconds);
    }
  }
  std::filesystem::remove_all(folder);
  return 0;
}
