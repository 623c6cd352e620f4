#include "service/bus/alarm_watch.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace millrace::bus {
namespace {

constexpr Millis kSoonest{200};     // between two evaluations
constexpr Millis kPutAgain{1'000};  // after the log of events took nothing
constexpr Millis kMetricTidying{60'000};
constexpr std::string_view kAlarmBus = "default";

std::string change_name(const tasks::AlarmChange& change) {
  return "alarm/" + change.alarm + "/" + std::to_string(to_millis(change.time)) + "/" +
         std::to_string(change.number);
}

Payload with_id(const Payload& event, const std::string& name) {
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : event.view().members()) {
    out.key(key).value(value);
    if (key.equals("version")) out.key("id").string(uuid_named(name));
  }
  return out.end_object().finish();
}

bool takes_event(std::string_view arn) {
  return !arn.starts_with("arn:aws:sns:") && !arn.starts_with("arn:aws:lambda:");
}

}  // namespace

AlarmWatch::AlarmWatch(orchestrator::Loop& loop, tasks::MetricStore& metrics, Dispatcher& dispatcher, Put put)
    : loop_(loop), metrics_(metrics), dispatcher_(dispatcher), put_(std::move(put)) {}

AlarmWatch::~AlarmWatch() {
  loop_.cancel(timer_);
  loop_.cancel(tidying_);
  metrics_.watch({});
}

void AlarmWatch::start() {
  metrics_.watch([this, &loop = loop_, alive = std::weak_ptr(alive_)](tasks::MetricStore::News news) {
    loop.post([this, alive, news = std::move(news)] {
      if (!alive.expired()) heard(news);
    });
  });
  tidy();
}

void AlarmWatch::heard(const tasks::MetricStore::News& news) {
  for (const tasks::AlarmChange& change : news.changes)
    if (under_way_.insert(change.number).second) tell(std::make_shared<tasks::AlarmChange>(change));
  loop_.cancel(timer_);
  timer_ = 0;
  if (news.due) arm(*news.due);
}

void AlarmWatch::arm(Instant due) {
  const Instant soonest = loop_.clock().now() + kSoonest;
  timer_ = loop_.at(std::max(due, soonest), [this] { evaluate(); });
}

void AlarmWatch::evaluate() {
  timer_ = 0;
  if (!metrics_.evaluate()) arm(loop_.clock().now() + kPutAgain);
}

void AlarmWatch::tidy() {
  metrics_.tidy();
  tidying_ = loop_.at(loop_.clock().now() + kMetricTidying, [this] { tidy(); });
}

void AlarmWatch::tell(const std::shared_ptr<const tasks::AlarmChange>& change) {
  const std::string name = change_name(*change);
  const Payload event = with_id(change->event, name);
  put_(name, std::string(kAlarmBus), event,
       [this, change, event, alive = std::weak_ptr(alive_)](const Status& put) {
         if (alive.expired()) return;
         if (put) return act(*change, event);
         loop_.at(loop_.clock().now() + kPutAgain, [this, change, alive] {
           if (!alive.expired()) tell(change);
         });
       });
}

void AlarmWatch::act(const tasks::AlarmChange& change, const Payload& event) {
  if (change.actions.empty()) return told(change);
  const auto left = std::make_shared<std::size_t>(change.actions.size());
  const auto whole = std::make_shared<tasks::AlarmChange>(change);
  const JsonView arns = change.event.view().find("resources");
  for (std::size_t i = 0; i < change.actions.size(); ++i) {
    const tasks::AlarmChange::Action& action = change.actions[i];
    Delivery delivery;
    delivery.key = change_name(change) + "/" + std::to_string(i);
    delivery.name = execution_name(change.alarm, delivery.key);
    delivery.origin = arns && arns.is_array() && arns.size() > 0 ? arns.at(0).string() : change.alarm;
    delivery.target = action.arn;
    delivery.input = takes_event(action.arn) ? std::string(event.text()) : action.input;
    delivery.since = change.time;
    if (!action.subject.empty())
      delivery.parameters = to_payload({{"SnsParameters", {{"Subject", action.subject}}}});
    dispatcher_.deliver(std::move(delivery), [this, left, whole, alive = std::weak_ptr(alive_)] {
      if (!alive.expired() && --*left == 0) told(*whole);
    });
  }
}

void AlarmWatch::told(const tasks::AlarmChange& change) {
  std::vector<std::string> actions;
  for (const tasks::AlarmChange::Action& action : change.actions) actions.push_back(action.arn);
  metrics_.told(change.number, change.alarm, std::move(actions));
  under_way_.erase(change.number);
}

}  // namespace millrace::bus
