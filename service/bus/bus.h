#pragma once
// Bus: rules, targets, archives, schedules over an open home, put together: the records and their thread, the
// router of events, the dispatcher, what is due by the clock, alarms, and the engine's own events. Loop
// thread only.

#include <functional>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "service/bus/alarm_watch.h"
#include "service/bus/dispatcher.h"
#include "service/bus/event_router.h"
#include "service/bus/schedules.h"
#include "service/bus/status_events.h"
#include "service/home.h"

namespace millrace::bus {

class Bus {
 public:
  struct Settings {
    BusPlace place;
    std::uint64_t seed = 0;
    std::function<bool(const std::string& group, const std::string& stream, Instant time, std::string line)>
        log;
    metrics::Registry* metrics = nullptr;  // may be null
  };
  // HOME/bus.db; made when it is missing. The home must have the task library. DataLoss for a damaged file.
  static Result<std::unique_ptr<Bus>> open(service::Home& home, Settings settings);
  ~Bus();

  // Once the engine has taken up its executions: what waited goes on.
  void start();
  // An operation of EventBridge or its Scheduler; the reply comes on the loop. False: there is no such
  // operation.
  bool call(std::span<const BusOperation> table, std::string_view operation, Payload input,
            std::function<void(api::Answer)> reply);
  orchestrator::Observer& observer() { return *status_; }

  // For parts that keep records of their own beside the bus's, and hand events on as it does.
  BusStore& store() { return *store_; }
  Dispatcher& dispatcher() { return *dispatcher_; }
  // Told, on the loop, of each change of records that is durable; empty: nobody.
  void follow(std::function<void(const BusStore::Changes&)> follower) { follower_ = std::move(follower); }

 private:
  Bus(service::Home& home, Settings settings) : home_(home), settings_(std::move(settings)) {}
  void changed(const BusStore::Changes& changes);
  void apply(const Records::Change& change);
  void set_rules();
  void set_schedule(std::string_view kind, const std::string& key, const std::optional<std::string>& text,
                    const Json& fired);
  void take_up_monitoring(const Records& records);
  void set_monitoring(const std::string& name, const Json& fired);
  void make_up_status_events();
  void replay(const std::string& name);
  void replay_batch(const std::string& name);
  void tidy_archives();

  service::Home& home_;
  const Settings settings_;
  tasks::EventLog* log_ = nullptr;
  std::unique_ptr<BusStore> store_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<EventRouter> router_;
  std::unique_ptr<Schedules> schedules_;
  std::unique_ptr<StatusEvents> status_;
  std::unique_ptr<AlarmWatch> alarms_;
  std::map<std::string, RulePtr> rules_;     // by the key of their records
  std::map<std::string, RulePtr> archives_;  // by name
  std::map<std::string, Replay> replays_;    // by name
  std::set<std::string> replaying_;
  std::function<void(const BusStore::Changes&)> follower_;
  bool started_ = false, rules_stale_ = false;
  orchestrator::TimerHandle tidying_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace millrace::bus
