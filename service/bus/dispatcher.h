#pragma once
// Dispatcher: hands events to targets: starts executions, invokes functions, sends to topics, queues,
// addresses, log groups and buses. What fails and may pass is tried again, later and later, as its policy
// says; from its first failure on it stands in the records, so that a restart goes on with it. What fails for
// good goes to its dead-letter queue. Everything is named after the delivery's key: an execution is started
// once, however often it is asked for. Loop thread only.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/random.h"
#include "orchestrator/loop/loop.h"
#include "service/bus/bus_store.h"
#include "service/bus/delivery.h"
#include "tasks/runner.h"

namespace millrace::bus {

struct DispatchSurroundings {
  orchestrator::Loop& loop;
  orchestrator::Engine& engine;
  tasks::TaskLibraryRunner& tasks;
  BusStore& store;
  // Puts an event on a bus under a name, once; `done` on the loop.
  std::function<void(std::string name, std::string bus, Payload event,
                     std::function<void(const Status&)> done)>
      put;
  // Writes a line to a log group; false: there are no logs here.
  std::function<bool(const std::string& group, const std::string& stream, Instant time, std::string line)>
      log;
  metrics::Registry* metrics = nullptr;  // may be null
};

class Dispatcher {
 public:
  // `seed`: of the pauses between attempts.
  Dispatcher(DispatchSurroundings around, std::uint64_t seed);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // `settled` is called once, on the loop: it was handed over, or is kept to be tried again, or was given up.
  void deliver(Delivery delivery, std::function<void()> settled);
  // What an earlier process had not handed over.
  void take_up(const Records::Documents& deliveries);
  // API destinations, as the records have them now.
  void set_destination(const std::string& name, const std::optional<std::string>& record);

  std::size_t waiting() const { return waiting_.size(); }  // for their next attempt

 private:
  enum class End { Done, Again, Never };
  using Ended = std::function<void(End, std::string code, std::string why)>;
  struct Running;
  using RunningPtr = std::shared_ptr<Running>;

  void attempt(const RunningPtr& running);
  void ended(const RunningPtr& running, End end, std::string code, std::string why);
  void again(const RunningPtr& running);
  void give_up(const RunningPtr& running, const char* exhausted);
  void forget(const RunningPtr& running);
  void settle(const RunningPtr& running);

  void start_execution(const Delivery& delivery, Ended ended);
  void start_named(orchestrator::StartRequest request, const Delivery& delivery, Ended ended);
  void invoke(const Delivery& delivery, Ended ended);
  void publish(const Delivery& delivery, Ended ended);
  void enqueue(const Delivery& delivery, Ended ended);
  void write_log(const Delivery& delivery, Ended ended);
  void forward(const Delivery& delivery, Ended ended);
  void request(const Delivery& delivery, Ended ended);
  void send_request(const Delivery& delivery, const Json& destination, Ended ended);
  void archive(const Delivery& delivery, Ended ended);
  void call_universal(const Delivery& delivery, Ended ended);
  void send_to_queue(const std::string& queue, std::string body, Payload attributes, const std::string& group,
                     const std::string& key, Ended ended);

  DispatchSurroundings around_;
  Random random_;
  metrics::Counter *delivered_ = nullptr, *failed_ = nullptr, *dropped_ = nullptr;
  std::map<std::string, RunningPtr> waiting_;             // by key
  std::map<std::string, Json> destinations_;              // by ARN
  std::map<std::string, std::string> destination_arns_;   // by name
  std::map<std::string, Instant> next_request_;           // of destinations, by ARN
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // what comes back later looks whether it still is
};

}  // namespace millrace::bus
