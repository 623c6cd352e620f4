#include "service/bus/bus.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "service/bus/operations.h"
#include "tasks/integrations/data_services.h"
#include "tasks/integrations/integrations.h"
#include "tasks/jobs/entities.h"

namespace millrace::bus {
namespace {

constexpr std::size_t kMonitoringSchedulesMax = 100'000;
constexpr std::size_t kReplayBatch = 100;  // events put at a time
constexpr Millis kReplayPause{1'000};      // after a failure
constexpr Millis kTidying{3'600'000};      // archives lose what is too old this often
constexpr Millis kLookBack{60'000};        // changes are put in order within this

// What is not only kept for the next process.
bool shapes_the_bus(std::string_view kind) {
  return kind != kind::kFired && kind != kind::kDelivery && kind != kind::kCursor && kind != kind::kTags &&
         kind != kind::kPlace;
}

}  // namespace

Result<std::unique_ptr<Bus>> Bus::open(service::Home& home, Settings settings) {
  std::unique_ptr<Bus> bus(new Bus(home, std::move(settings)));
  MR_TRY(log, home.tasks()->events());
  bus->log_ = log;
  orchestrator::Loop& loop = home.loop();
  BusStore::Settings store;
  store.path = home.path() + "/bus.db";
  store.place = bus->settings_.place;
  store.seed = mix(bus->settings_.seed, 1);
  store.last_event = [log] { return log->last().value_or(0); };
  auto changed = [b = bus.get(), &loop,
                  alive = std::weak_ptr(bus->alive_)](const BusStore::Changes& changes) {
    BusStore::Changes told;
    for (const Records::Change& change : changes)
      if (shapes_the_bus(change.kind)) told.push_back(change);
    if (told.empty()) return;
    loop.post([b, alive, told = std::move(told)] {
      if (!alive.expired()) b->changed(told);
    });
  };
  MR_TRY(opened, BusStore::open(std::move(store), loop.clock(), std::move(changed)));
  bus->store_ = std::move(opened);
  DispatchSurroundings around{loop, home.engine(),      *home.tasks(),         *bus->store_,
                              {},   bus->settings_.log, bus->settings_.metrics};
  around.put = [b = bus.get()](std::string name, std::string on, Payload event,
                               std::function<void(const Status&)> done) {
    b->router_->put({std::move(name), std::move(on), std::move(event)}, std::move(done));
  };
  bus->status_ = std::make_unique<StatusEvents>(home.engine(), bus->settings_.place, around.put);
  const AlarmWatch::Put put = around.put;
  bus->dispatcher_ = std::make_unique<Dispatcher>(std::move(around), mix(bus->settings_.seed, 2));
  bus->router_ = std::make_unique<EventRouter>(*log, loop, *bus->dispatcher_, *bus->store_);
  bus->schedules_ = std::make_unique<Schedules>(loop, home.engine(), *bus->dispatcher_, *bus->store_);
  MR_TRY(metrics, home.tasks()->data().metrics());
  bus->alarms_ = std::make_unique<AlarmWatch>(loop, *metrics, *bus->dispatcher_, put);
  return bus;
}

Bus::~Bus() {
  home_.tasks()->follow_monitoring_schedules({});
  home_.loop().cancel(tidying_);
  alarms_.reset();
  if (router_) router_->shut_down();
  store_->shut_down();  // before those who wait for its answers
}

void Bus::start() {
  const Records& records = store_->records();
  for (const std::string_view kind : {kind::kRule, kind::kArchive, kind::kReplay, kind::kDestination})
    for (const auto& [key, text] : records.all(kind)) apply({std::string(kind), key, text});
  for (const std::string_view kind : {kind::kRule, kind::kSchedule}) {
    for (const auto& [key, text] : records.all(kind))
      set_schedule(kind, key, text,
                   records.find(kind::kFired, (kind == kind::kRule ? "rule/" : "schedule/") + key));
  }
  take_up_monitoring(records);
  set_rules();
  const Json place = records.find(kind::kCursor, "events");
  dispatcher_->take_up(records.all(kind::kDelivery));
  // From here on the records are the store's thread's. A home whose bus is new has nothing to make up for.
  const std::int64_t after = place.is_number() ? place.get<std::int64_t>() : log_->last().value_or(0);
  if (!place.is_number()) store_->run([after](Records& r) { r.put(kind::kCursor, "events", after); });
  started_ = true;
  make_up_status_events();
  router_->start(after);
  for (const auto& [name, replay] : replays_) this->replay(name);
  tidy_archives();
  alarms_->start();
}

bool Bus::call(std::span<const BusOperation> table, std::string_view name, Payload input,
               std::function<void(api::Answer)> reply) {
  const BusOperation* operation = find_operation(table, name);
  if (!operation) return false;
  if (!started_) {
    reply(api::refuse("ServiceUnavailable", "the server is starting; try again in a moment", 503));
    return true;
  }
  if (auto wrong = api::check_input(input.view(), operation->input)) {
    reply(tl::unexpected<api::ApiError>(*std::move(wrong)));
    return true;
  }
  store_->call(*operation, std::move(input),
               [reply = std::move(reply), &loop = home_.loop()](const api::Answer& answer) {
                 loop.post([reply, answer] { reply(answer); });
               });
  return true;
}

// What is durable now, in order.
void Bus::changed(const BusStore::Changes& changes) {
  for (const Records::Change& change : changes) {
    apply(change);
    if (change.kind == kind::kRule || change.kind == kind::kSchedule)
      set_schedule(change.kind, change.key, change.text, Json());
    if (change.kind == kind::kReplay && change.text) replay(change.key);
  }
  if (rules_stale_) set_rules();
  if (follower_) follower_(changes);
}

void Bus::apply(const Records::Change& change) {
  const Json record = change.text ? Json::parse(*change.text, nullptr, false) : Json();
  const auto keep = [&](std::map<std::string, RulePtr>& list, RulePtr rule) {
    if (rule)
      list[change.key] = std::move(rule);
    else
      list.erase(change.key);
    rules_stale_ = true;
  };
  if (change.kind == kind::kRule) {
    keep(rules_, record.is_object() ? compile_rule(change.key, record) : nullptr);
  } else if (change.kind == kind::kArchive) {
    keep(archives_, record.is_object() ? compile_archive(change.key, record) : nullptr);
  } else if (change.kind == kind::kDestination) {
    dispatcher_->set_destination(change.key, change.text);
  } else if (change.kind == kind::kReplay) {
    rules_stale_ = true;
    if (!record.is_object()) {
      replays_.erase(change.key);
      return;
    }
    Replay& replay = replays_[change.key];
    replay.bus = record.value("Bus", "");
    replay.rules.clear();
    const Json destination = record.value("Destination", Json::object());
    for (const Json& arn : destination.value("FilterArns", Json::array()))
      replay.rules.insert(arn.get<std::string>());
  }
}

void Bus::set_rules() {
  rules_stale_ = false;
  auto set = std::make_shared<RuleSet>();
  std::optional<Instant> wanted;
  for (const auto* list : {&rules_, &archives_}) {
    for (const auto& [key, rule] : *list) {
      if (!rule->pattern) continue;
      set->buses[rule->bus].rules.push_back(rule);
      if (rule->bus == kDefaultBus && may_want(*rule, StatusEvents::kSource, StatusEvents::kDetailType))
        wanted = std::min(wanted.value_or(Instant::max()), rule->enabled);
    }
  }
  for (auto& [name, bus] : set->buses) {
    std::vector<const triggers::Pattern*> patterns;
    for (const RulePtr& rule : bus.rules) patterns.push_back(&*rule->pattern);
    bus.index = triggers::RuleIndex(patterns);
  }
  set->replays.insert(replays_.begin(), replays_.end());
  status_->want(wanted);
  router_->set_rules(std::move(set));
}

void Bus::set_schedule(std::string_view kind, const std::string& key, const std::optional<std::string>& text,
                       const Json& fired) {
  const bool of_rule = kind == kind::kRule;
  std::optional<Scheduled> made;
  if (text) {
    const Json record = Json::parse(*text, nullptr, false);
    made = of_rule ? compile_scheduled_rule(key, record, settings_.place)
                   : compile_schedule(key, record, settings_.place);
  }
  // A rule that had no targets until now has missed nothing.
  Json since = fired;
  if (of_rule && started_) since = {{"Until", to_millis(home_.loop().clock().now())}};
  if (made)
    schedules_->set(std::move(*made), since);
  else
    schedules_->remove((of_rule ? "rule/" : "schedule/") + key);
}

// Monitoring schedules are records of the task library: those that are there, and what becomes of them.
void Bus::take_up_monitoring(const Records& records) {
  tasks::TaskLibraryRunner& library = *home_.tasks();
  library.follow_monitoring_schedules([this, alive = std::weak_ptr(alive_)](const std::string& name, bool) {
    if (!alive.expired()) set_monitoring(name, Json());
  });
  const auto schedules = library.jobs().list(tasks::kMonitoringSchedule.kind, {}, kMonitoringSchedulesMax);
  if (!schedules) {
    log::error("monitoring schedules can't be read", {{"why", schedules.error().message}});
    return;
  }
  std::set<std::string> keys;
  for (const Json& schedule : *schedules) {
    const std::string name = schedule.value("MonitoringScheduleName", "");
    keys.insert(monitoring_key(name));
    set_monitoring(name, records.find(kind::kFired, monitoring_key(name)));
  }
  for (const auto& [key, text] : records.all(kind::kFired))
    if (key.starts_with(kMonitoringKey) && !keys.contains(key)) schedules_->forget(key);
}

void Bus::set_monitoring(const std::string& name, const Json& fired) {
  const auto record = home_.tasks()->jobs().find(tasks::kMonitoringSchedule.kind, name);
  if (!record) {
    if (record.error().code == ErrorCode::NotFound) return schedules_->forget(monitoring_key(name));
    log::error("a monitoring schedule can't be read", {{"schedule", name}, {"why", record.error().message}});
    return;
  }
  if (auto made = compile_monitoring_schedule(*record))
    schedules_->set(std::move(*made), fired);
  else
    schedules_->remove(monitoring_key(name));
}

// The last process may have ended between a change and its event.
void Bus::make_up_status_events() {
  std::optional<Instant> wanted;
  for (const auto* list : {&rules_, &archives_})
    for (const auto& [key, rule] : *list)
      if (rule->bus == kDefaultBus && may_want(*rule, StatusEvents::kSource, StatusEvents::kDetailType))
        wanted = std::min(wanted.value_or(Instant::max()), rule->enabled);
  if (!wanted) return;
  const auto newest = log_->newest_named(std::string(StatusEvents::kNames));
  const std::optional<Instant> last = newest ? *newest : std::nullopt;
  status_->make_up(last ? std::max(*wanted, *last - kLookBack) : *wanted);
}

// ---- Replays: archived events are put on their bus again, under names of the replay, a batch at a time.

void Bus::replay(const std::string& name) {
  if (started_ && replaying_.insert(name).second) replay_batch(name);
}

void Bus::replay_batch(const std::string& name) {
  struct Found {
    std::vector<Records::Archived> events;
    std::string bus;
    bool runs = false;
  };
  const auto found = std::make_shared<Found>();
  const auto later = [this, name, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    home_.loop().at(home_.loop().clock().now() + kReplayPause, [this, name, alive] {
      if (!alive.expired()) replay_batch(name);
    });
  };
  // Ends the replay, or notes how far it is; then goes on.
  const auto note = [this, name, later,
                     alive = std::weak_ptr(alive_)](std::optional<Records::Archived> last) {
    const Instant now = home_.loop().clock().now();
    store_->run(
        [name, last, now](Records& records) {
          Json record = records.find(kind::kReplay, name);
          if (!record.is_object() || record["State"] == "CANCELLED") return;
          record["State"] = last ? "RUNNING" : "COMPLETED";
          if (last) {
            record["After"] = last->number;
            record["EventLastReplayedTime"] = to_millis(last->time);
          } else {
            record["ReplayEndTime"] = to_millis(now);
          }
          records.put(kind::kReplay, name, record);
        },
        [this, name, last, later, alive](const Status& kept) {
          home_.loop().post([this, name, last, later, alive, ok = kept.has_value()] {
            if (alive.expired()) return;
            if (!ok) return later();
            if (last)
              replay_batch(name);
            else
              replaying_.erase(name);
          });
        });
  };
  store_->run(
      [name, found](Records& records) {
        const Json record = records.find(kind::kReplay, name);
        if (!record.is_object()) return;
        found->runs = record["State"] == "STARTING" || record["State"] == "RUNNING";
        if (!found->runs) return;
        found->bus = record.value("Bus", "");
        auto events = records.archived(record.value("Archive", ""), record.value("After", std::int64_t{0}),
                                       *millis_in(record, "EventStartTime"),
                                       *millis_in(record, "EventEndTime"), kReplayBatch);
        if (events) found->events = std::move(*events);
      },
      [this, name, found, note, later, alive = std::weak_ptr(alive_)](const Status& read) {
        home_.loop().post([this, name, found, note, later, alive, ok = read.has_value()] {
          if (alive.expired()) return;
          if (!ok) return later();
          if (!found->runs) {
            replaying_.erase(name);
            return;
          }
          if (found->events.empty()) return note(std::nullopt);
          const auto left = std::make_shared<std::size_t>(found->events.size());
          const auto failed = std::make_shared<bool>(false);
          for (const Records::Archived& event : found->events) {
            const auto document = Payload::parse(event.document);
            JsonWriter out;
            out.begin_object();
            if (document && document->view().is_object())
              for (const auto [key, value] : document->view().members()) out.key(key).value(value);
            out.key("replay-name").string(name).end_object();
            router_->put({"replay/" + name + "/" + event.id, found->bus, out.finish()},
                         [left, failed, found, note, later](const Status& put) {
                           if (!put) *failed = true;
                           if (--*left > 0) return;
                           if (*failed) return later();
                           note(found->events.back());
                         });
          }
        });
      });
}

void Bus::tidy_archives() {
  const Instant now = home_.loop().clock().now();
  store_->run([now](Records& records) {
    for (const auto& [name, text] : records.all(kind::kArchive)) {
      const std::int64_t days = Json::parse(text, nullptr, false).value("RetentionDays", std::int64_t{0});
      if (days <= 0) continue;
      if (const Status gone = records.forget_archived(name, now - Millis(days * 86'400'000)); !gone)
        log::error("an archive can't be tidied up", {{"archive", name}, {"why", gone.error().message}});
    }
  });
  tidying_ = home_.loop().at(now + kTidying, [this] { tidy_archives(); });
}

}  // namespace millrace::bus
