#pragma once
// Schedules: what is due by the clock: schedules of the Scheduler, and rules with a ScheduleExpression. All
// stand in one order by the time they are due next, and one timer waits for the first: ten thousand that rest
// cost nothing. Up to which time a schedule's runs are settled is kept in the records; what was due since
// then is run by the next process under the same names, so each due time starts its execution once. Loop
// thread only.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "orchestrator/loop/loop.h"
#include "service/bus/bus_store.h"
#include "service/bus/dispatcher.h"
#include "service/bus/rules.h"
#include "service/bus/schedule_settings.h"
#include "triggers/schedule_expression.h"

namespace millrace::bus {

// One schedule as it is carried out.
struct Scheduled {
  std::string key;  // of its record of what has fired
  std::string arn, name;
  triggers::ScheduleExpression expression;
  std::shared_ptr<const triggers::TimeZone> zone;
  Instant anchor;  // a rate counts from here
  Instant active;  // its times count behind here
  std::optional<Instant> end;
  Millis window{0};            // a run begins at a random moment within it
  Millis age_max{86'400'000};  // what was missed before is not run
  ScheduleSettings settings;
  std::optional<std::string> delete_after;  // the record's key, when it goes with its last run
  // What a due time hands over.
  std::function<std::vector<Delivery>(Instant due)> deliveries;
};

// Of their records. Nothing, with a line in the log, for what is paused or can't be read (a time zone that is
// gone).
std::optional<Scheduled> compile_schedule(const std::string& key, const Json& record, const BusPlace& place);
std::optional<Scheduled> compile_scheduled_rule(const std::string& key, const Json& record,
                                                const BusPlace& place);

// Of the record of a monitoring schedule of the task library, which is told by name here; its runs call
// runMonitoringExecution. Nothing for what is stopped.
std::optional<Scheduled> compile_monitoring_schedule(const Json& record);
inline constexpr std::string_view kMonitoringKey = "monitoring/";
std::string monitoring_key(const std::string& name);  // of its record of what has fired

// When the run of a due time begins: the same after a restart.
Instant begin_of(const Scheduled& schedule, Instant due);
// What is to be run at `now` of what was due after `until`: all of the last minute, and of what was missed
// before what the settings say; in order. `limit`: of what is caught up, the newest.
std::vector<Instant> due_runs(const Scheduled& schedule, Instant until, Instant now, std::size_t limit);

class Schedules {
 public:
  // All are borrowed.
  Schedules(orchestrator::Loop& loop, orchestrator::Engine& engine, Dispatcher& dispatcher, BusStore& store);
  ~Schedules();

  // `fired`: the record of what has fired, when there is one.
  void set(Scheduled schedule, const Json& fired);
  void remove(const std::string& key);
  // The same, and what was kept of its runs goes too: for schedules whose records are elsewhere.
  void forget(const std::string& key);
  std::size_t count() const { return entries_.size(); }

 private:
  struct Entry;
  using EntryPtr = std::shared_ptr<Entry>;
  void order(const EntryPtr& entry);
  void arm();
  void tick();
  void fire(const EntryPtr& entry);
  void launch(const EntryPtr& entry, Instant due);
  void begin(const EntryPtr& entry, Instant due);
  void over(const EntryPtr& entry);
  void stop_running(const EntryPtr& entry);
  void settled(const EntryPtr& entry, Instant due);
  void keep(const EntryPtr& entry);
  void look_after(const EntryPtr& entry, const std::string& execution);

  orchestrator::Loop& loop_;
  orchestrator::Engine& engine_;
  Dispatcher& dispatcher_;
  BusStore& store_;
  std::map<std::string, EntryPtr> entries_;          // by key
  std::set<std::pair<Instant, std::string>> order_;  // (next begin, key)
  orchestrator::TimerHandle timer_ = 0;
  std::optional<Instant> armed_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace millrace::bus
