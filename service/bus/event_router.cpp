#include "service/bus/event_router.h"

#include <nlohmann/json.hpp>

#include "base/log.h"

namespace millrace::bus {
namespace {

constexpr std::size_t kRouterBatch = 256;     // events read at a time
constexpr std::int64_t kUnderWayMax = 2'000;  // deliveries; then reading rests
constexpr std::size_t kPutsAtOnce = 256;      // events of our own in one transaction
constexpr std::size_t kPutsMax = 100'000;     // that wait; more are lost, and made up for at the next start
constexpr Millis kKeepPause{100};             // between two writings of the place
constexpr std::chrono::milliseconds kAgain{1000};  // after a failure of the log

}  // namespace

EventRouter::EventRouter(tasks::EventLog& log, orchestrator::Loop& loop, Dispatcher& dispatcher,
                         BusStore& store)
    : log_(log), loop_(loop), dispatcher_(dispatcher), store_(store), rules_(std::make_shared<RuleSet>()) {}

EventRouter::~EventRouter() {
  shut_down();
}

void EventRouter::start(std::int64_t after) {
  position_ = reached_ = kept_ = after;
  room_ = kUnderWayMax;
  woken_ = true;
  thread_ = std::thread([this] { run(); });
  log_.on_put([this] { wake(); });
}

void EventRouter::shut_down() {
  if (!thread_.joinable()) return;
  log_.on_put({});
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
  thread_.join();
  alive_.reset();
  loop_.cancel(timer_);
  const std::int64_t place = this->place();
  if (place > kept_) store_.run([place](Records& records) { records.put(kind::kCursor, "events", place); });
}

void EventRouter::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void EventRouter::set_rules(std::shared_ptr<const RuleSet> rules) {
  const std::lock_guard lock(mutex_);
  rules_ = std::move(rules);
}

void EventRouter::put(tasks::EventLog::Named event, Put done) {
  {
    const std::lock_guard lock(mutex_);
    puts_.push_back({std::move(event), std::move(done)});
  }
  changed_.notify_one();
}

void EventRouter::run() {
  for (;;) {
    std::vector<Waiting> puts;
    bool may_read = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return closing_ || !puts_.empty() || (woken_ && room_ > 0); });
      if (closing_) return;
      const std::size_t count = std::min(puts_.size(), kPutsAtOnce);
      puts.assign(std::make_move_iterator(puts_.begin()),
                  std::make_move_iterator(puts_.begin() + static_cast<std::ptrdiff_t>(count)));
      puts_.erase(puts_.begin(), puts_.begin() + static_cast<std::ptrdiff_t>(count));
      may_read = room_ > 0;
      if (may_read) woken_ = false;
    }
    if (!puts.empty()) put_waiting(std::move(puts));
    if (may_read && read()) wake();
  }
}

void EventRouter::put_waiting(std::vector<Waiting> waiting) {
  std::vector<tasks::EventLog::Named> events;
  for (const Waiting& w : waiting) events.push_back(w.event);
  const Status put = log_.put_named(events);
  if (!put) {
    log::error("events could not be put on the bus; it is tried again", {{"why", put.error().message}});
    again(waiting);
  }
  const auto all = std::make_shared<std::vector<Waiting>>(std::move(waiting));
  loop_.post([all, put, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    for (const Waiting& w : *all)
      if (w.done) w.done(put);
  });
}

// Those that nobody hears of are put later.
void EventRouter::again(const std::vector<Waiting>& waiting) {
  std::unique_lock lock(mutex_);
  for (const Waiting& w : waiting)
    if (!w.done && puts_.size() < kPutsMax) puts_.push_back(w);
  changed_.wait_for(lock, kAgain, [this] { return closing_; });
}

// True: there may be more.
bool EventRouter::read() {
  const auto rows = log_.rows(position_, kRouterBatch);
  if (!rows) {
    log::error("the log of events can't be read", {{"why", rows.error().message}});
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kAgain, [this] { return closing_; });
    return true;
  }
  if (rows->empty()) return false;
  // After the events, so that a rule that was there before an event is there for it.
  std::shared_ptr<const RuleSet> rules;
  {
    const std::lock_guard lock(mutex_);
    rules = rules_;
  }
  const auto batch = std::make_shared<Batch>();
  std::int64_t deliveries = 0;
  for (const tasks::EventLog::Row& row : *rows) {
    auto made = deliveries_of(*rules, {row.number, row.accepted, row.bus, row.document}, scratch_);
    deliveries += static_cast<std::int64_t>(made.size());
    if (!made.empty()) batch->events.emplace_back(row.number, std::move(made));
    position_ = batch->reached = row.number;
    if (deliveries >= kUnderWayMax) break;
  }
  {
    const std::lock_guard lock(mutex_);
    room_ -= deliveries;
  }
  loop_.post([this, batch, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) take(std::move(*batch));
  });
  return true;
}

void EventRouter::take(Batch batch) {
  reached_ = batch.reached;
  for (const auto& [number, deliveries] : batch.events) outstanding_[number] = deliveries.size();
  for (auto& [number, deliveries] : batch.events)
    for (Delivery& delivery : deliveries)
      dispatcher_.deliver(std::move(delivery), [this, event = number, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) settled(event);
      });
  keep_place();
}

void EventRouter::settled(std::int64_t number) {
  const auto found = outstanding_.find(number);
  if (found == outstanding_.end()) return;
  if (--found->second == 0) outstanding_.erase(found);
  bool rested = false;
  {
    const std::lock_guard lock(mutex_);
    rested = room_++ == 0;
  }
  if (rested) wake();
  keep_place();
}

// All up to here is settled.
std::int64_t EventRouter::place() const {
  return outstanding_.empty() ? reached_ : outstanding_.begin()->first - 1;
}

// Written now and then: it is only where the next process begins.
void EventRouter::keep_place() {
  if (place() <= kept_ || keeping_ || timer_ != 0) return;
  timer_ = loop_.at(loop_.clock().now() + kKeepPause, [this] {
    timer_ = 0;
    keeping_ = true;
    const std::int64_t now = place();
    store_.run([now](Records& records) { records.put(kind::kCursor, "events", now); },
               [this, now, &loop = loop_, alive = std::weak_ptr(alive_)](const Status& written) {
                 loop.post([this, now, ok = written.has_value(), alive] {
                   if (alive.expired()) return;
                   keeping_ = false;
                   if (ok) kept_ = now;
                   keep_place();
                 });
               });
  });
}

}  // namespace millrace::bus
