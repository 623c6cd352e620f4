#pragma once
// AlarmWatch: has alarms evaluated when they are due, and tells others of their changes: an event on the
// default bus, and their actions. A change is durable before it is told, and forgotten when all have taken
// it; until then a restart tells it again, under the same names: the log of events takes a name once, topics,
// queues and executions likewise; functions are invoked at least once. Loop thread only.

#include <memory>
#include <set>
#include <string>

#include "orchestrator/loop/loop.h"
#include "service/bus/dispatcher.h"
#include "tasks/metrics/metric_store.h"

namespace millrace::bus {

class AlarmWatch {
 public:
  using Put = std::function<void(std::string name, std::string bus, Payload event,
                                 std::function<void(const Status&)> done)>;

  // All are borrowed.
  AlarmWatch(orchestrator::Loop& loop, tasks::MetricStore& metrics, Dispatcher& dispatcher, Put put);
  ~AlarmWatch();
  void start();

 private:
  void heard(const tasks::MetricStore::News& news);
  void arm(Instant due);
  void evaluate();
  void tidy();
  void tell(const std::shared_ptr<const tasks::AlarmChange>& change);
  void act(const tasks::AlarmChange& change, const Payload& event);
  void told(const tasks::AlarmChange& change);

  orchestrator::Loop& loop_;
  tasks::MetricStore& metrics_;
  Dispatcher& dispatcher_;
  const Put put_;
  orchestrator::TimerHandle timer_ = 0, tidying_ = 0;
  std::set<std::int64_t> under_way_;  // changes
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace millrace::bus
