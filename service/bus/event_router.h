#pragma once
// EventRouter: reads the log of events in order and hands what rules make of them to the dispatcher. Its
// place in the log is kept a little behind what was settled: after a crash some events are routed again,
// under the same names. A thread of its own reads and matches; PutEvents wakes it, so that an event is on its
// way as soon as it is durable. Events of the home itself are put here, too, many in one transaction.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "orchestrator/loop/loop.h"
#include "service/bus/bus_store.h"
#include "service/bus/dispatcher.h"
#include "service/bus/rules.h"
#include "tasks/integrations/events/event_log.h"

namespace millrace::bus {

class EventRouter {
 public:
  using Put = std::function<void(const Status&)>;  // on the loop

  // All are borrowed.
  EventRouter(tasks::EventLog& log, orchestrator::Loop& loop, Dispatcher& dispatcher, BusStore& store);
  ~EventRouter();

  // Loop thread: begins behind event `after`.
  void start(std::int64_t after);
  void shut_down();  // nothing is routed or put afterwards
  // Any thread.
  void wake();
  void set_rules(std::shared_ptr<const RuleSet> rules);
  void put(tasks::EventLog::Named event, Put done);
  // Loop thread: events that are on their way.
  std::size_t under_way() const { return outstanding_.size(); }

 private:
  struct Batch {
    std::int64_t reached = 0;
    std::vector<std::pair<std::int64_t, std::vector<Delivery>>> events;
  };
  struct Waiting {
    tasks::EventLog::Named event;
    Put done;
  };
  void run();
  void put_waiting(std::vector<Waiting> waiting);
  void again(const std::vector<Waiting>& waiting);
  bool read();
  void take(Batch batch);
  void settled(std::int64_t number);
  std::int64_t place() const;
  void keep_place();

  tasks::EventLog& log_;
  orchestrator::Loop& loop_;
  Dispatcher& dispatcher_;
  BusStore& store_;
  std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  bool woken_ = false, closing_ = false;
  std::int64_t room_ = 0;  // deliveries that may still be begun; below 0 after a large batch
  std::shared_ptr<const RuleSet> rules_;
  std::vector<Waiting> puts_;
  // The thread's own.
  std::int64_t position_ = 0;
  std::vector<std::uint32_t> scratch_;
  std::thread thread_;
  // Of the loop thread.
  std::map<std::int64_t, std::size_t> outstanding_;  // deliveries by event
  std::int64_t reached_ = 0, kept_ = 0;
  bool keeping_ = false;
  orchestrator::TimerHandle timer_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace millrace::bus
