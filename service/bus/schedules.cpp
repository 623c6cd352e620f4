#include "service/bus/schedules.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "orchestrator/queries.h"
#include "service/bus/operations.h"

namespace millrace::bus {
namespace {

constexpr std::size_t kCatchUpMax = 1'000;  // runs of one schedule at once
constexpr std::size_t kQueuedMax = 1'000;   // runs of one schedule that wait for the one before

}  // namespace

struct Schedules::Entry {
  Scheduled schedule;
  Instant until;                   // all up to here is launched or settled
  std::set<Instant> under_way;     // launched, not settled
  std::optional<Instant> ordered;  // its place in the order
  // Of those that may not overlap.
  std::size_t running = 0;  // executions
  std::deque<Instant> queued;
  std::optional<ExecutionId> execution;
  std::string execution_arn;
  bool removed = false;

  bool alone() const { return schedule.settings.overlap != Overlap::Allow; }
};

Schedules::Schedules(orchestrator::Loop& loop, orchestrator::Engine& engine, Dispatcher& dispatcher,
                     BusStore& store)
    : loop_(loop), engine_(engine), dispatcher_(dispatcher), store_(store) {}

Schedules::~Schedules() {
  loop_.cancel(timer_);
}

void Schedules::set(Scheduled schedule, const Json& fired) {
  const std::string key = schedule.key;
  const auto old = entries_.find(key);
  if (old != entries_.end() && old->second->schedule.active == schedule.active) {  // its times go on
    old->second->schedule = std::move(schedule);
    return order(old->second);
  }
  remove(key);
  auto entry = std::make_shared<Entry>();
  entry->until = schedule.active;
  if (fired.is_object())
    if (const auto until = millis_in(fired, "Until")) entry->until = std::max(*until, schedule.active);
  entry->schedule = std::move(schedule);
  entries_[key] = entry;
  const std::string running = fired.is_object() ? fired.value("Running", "") : "";
  if (entry->alone() && !running.empty()) look_after(entry, running);
  order(entry);
}

void Schedules::remove(const std::string& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const EntryPtr entry = found->second;
  entry->removed = true;
  if (entry->ordered) order_.erase({*entry->ordered, key});
  entries_.erase(found);
  arm();
}

void Schedules::forget(const std::string& key) {
  remove(key);
  store_.run([key](Records& records) { records.erase(kind::kFired, key); });
}

// The execution that an earlier process had started still counts.
void Schedules::look_after(const EntryPtr& entry, const std::string& execution) {
  entry->running = 1;
  const auto gone = [this, entry, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) over(entry);
  };
  engine_.queries().find(execution, [this, entry, execution, gone, alive = std::weak_ptr(alive_)](
                                        const Result<orchestrator::ExecutionRow>& row) {
    if (alive.expired()) return;
    if (!row || row->status != states::ExecutionStatus::Running) return gone();
    entry->execution = row->id;
    entry->execution_arn = execution;
    engine_.when_ended(row->id, [gone](const Result<orchestrator::Ended>&) { gone(); });
  });
}

void Schedules::order(const EntryPtr& entry) {
  const Scheduled& s = entry->schedule;
  if (entry->ordered) order_.erase({*entry->ordered, s.key});
  entry->ordered.reset();
  const auto due = s.expression.next(entry->until, *s.zone, s.anchor);
  if (due && !(s.end && due->time > *s.end)) {
    entry->ordered = begin_of(s, due->time);
    order_.insert({*entry->ordered, s.key});
  } else if (s.delete_after && entry->under_way.empty() && entry->queued.empty()) {
    store_.run([key = *s.delete_after, fired = s.key](Records& records) {
      if (!records.has(kind::kSchedule, key)) return;
      records.erase(kind::kSchedule, key);
      records.erase(kind::kFired, fired);
    });
  }
  arm();
}

void Schedules::arm() {
  const std::optional<Instant> first = order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
  if (first == armed_) return;
  loop_.cancel(timer_);
  timer_ = 0;
  armed_ = first;
  if (first) timer_ = loop_.at(*first, [this] { tick(); });
}

void Schedules::tick() {
  timer_ = 0;
  armed_.reset();
  const Instant now = loop_.clock().now();
  while (!order_.empty() && order_.begin()->first <= now) {
    const auto found = entries_.find(order_.begin()->second);
    order_.erase(order_.begin());
    if (found == entries_.end()) continue;
    found->second->ordered.reset();
    fire(found->second);
  }
  arm();
}

void Schedules::fire(const EntryPtr& entry) {
  const Instant now = loop_.clock().now();
  const std::vector<Instant> runs = due_runs(entry->schedule, entry->until, now, kCatchUpMax);
  const Instant before = entry->until;
  // Nothing up to now is due any more, but what a window still holds back.
  entry->until = std::max(before, now - entry->schedule.window - Millis(1));
  if (!runs.empty()) entry->until = std::max(entry->until, runs.back());
  for (const Instant due : runs) entry->under_way.insert(due);
  if (runs.empty()) keep(entry);
  for (const Instant due : runs) launch(entry, due);
  if (!entry->removed) order(entry);
}

void Schedules::launch(const EntryPtr& entry, Instant due) {
  if (!entry->alone() || entry->running == 0) return begin(entry, due);
  const Scheduled& s = entry->schedule;
  const auto drop = [&](Instant time, const char* why) {
    log::info("a run of a schedule was left out",
              {{"schedule", s.arn}, {"due", format_rfc3339(time)}, {"why", why}});
    settled(entry, time);
  };
  if (s.settings.overlap == Overlap::Skip) return drop(due, "the one before still runs (overlap=skip)");
  if (s.settings.overlap == Overlap::Queue) {
    if (entry->queued.size() >= kQueuedMax) return drop(due, "too many wait for the ones before");
    entry->queued.push_back(due);
    return;
  }
  for (const Instant older : std::exchange(entry->queued, {}))
    drop(older, "a later one is due (overlap=cancel)");
  entry->queued.push_back(due);
  if (entry->execution) stop_running(entry);
}

void Schedules::stop_running(const EntryPtr& entry) {
  engine_.stop_execution(*entry->execution,
                         {"Millrace.ScheduleOverlap",
                          "the schedule's next run is due at " + format_rfc3339(entry->queued.back())},
                         [](const Status&) {});
}

void Schedules::begin(const EntryPtr& entry, Instant due) {
  std::vector<Delivery> deliveries = entry->schedule.deliveries(due);
  if (deliveries.empty()) return settled(entry, due);
  const auto left = std::make_shared<std::size_t>(deliveries.size());
  for (Delivery& delivery : deliveries) {
    const auto started = std::make_shared<bool>(false);
    if (entry->alone()) {
      ++entry->running;
      delivery.started = [this, entry, started,
                          alive = std::weak_ptr(alive_)](const orchestrator::Started& what) {
        if (alive.expired()) return;
        *started = true;
        entry->execution = what.id;
        entry->execution_arn = what.arn;
        if (entry->schedule.settings.overlap == Overlap::Cancel && !entry->queued.empty())
          stop_running(entry);
      };
      delivery.ended = [this, entry, started, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        *started = true;
        over(entry);
      };
    }
    dispatcher_.deliver(std::move(delivery),
                        [this, entry, due, left, started, alive = std::weak_ptr(alive_)] {
                          if (alive.expired()) return;
                          if (entry->alone() && !*started)
                            over(entry);  // it did not begin; or it is no execution
                          if (--*left == 0) settled(entry, due);
                        });
  }
}

void Schedules::over(const EntryPtr& entry) {
  if (entry->running > 0) --entry->running;
  if (entry->running > 0) return;
  entry->execution.reset();
  entry->execution_arn.clear();
  if (entry->removed || entry->queued.empty()) return;
  const Instant next = entry->queued.front();
  entry->queued.pop_front();
  begin(entry, next);
}

void Schedules::settled(const EntryPtr& entry, Instant due) {
  entry->under_way.erase(due);
  if (entry->removed) return;
  keep(entry);
  if (!entry->ordered) order(entry);
}

void Schedules::keep(const EntryPtr& entry) {
  const Instant until = entry->under_way.empty() ? entry->until : *entry->under_way.begin() - Millis(1);
  Json record = {{"Until", to_millis(until)}};
  if (!entry->execution_arn.empty()) record["Running"] = entry->execution_arn;
  store_.run([key = entry->schedule.key, record](Records& records) {
    const std::string_view owner = std::string_view(key).substr(key.find('/') + 1);
    if (key.starts_with(kMonitoringKey) ||
        records.has(key.starts_with("rule/") ? kind::kRule : kind::kSchedule, owner))
      records.put(kind::kFired, key, record);
  });
}

}  // namespace millrace::bus
