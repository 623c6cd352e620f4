#include "service/streams/consumers.h"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "base/log.h"

namespace millrace::streams {
namespace {

constexpr std::string_view kConsumerKinds[] = {kind::kMapping, kind::kPipe, kind::kDelivery};

}  // namespace

// Which streams were put into since the loop looked; one message to the loop however many puts there are.
struct Consumers::Wake {
  std::mutex mutex;
  std::set<std::string> streams;
};

Consumers::Consumers(bus::Bus& bus, HandoverSurroundings around, tasks::kinesis::Streams& streams,
                     metrics::Registry* metrics)
    : bus_(bus),
      streams_(streams),
      metrics_(metrics),
      handover_(std::move(around)),
      wake_(std::make_shared<Wake>()) {}

Result<std::unique_ptr<Consumers>> Consumers::open(bus::Bus& bus, HandoverSurroundings around,
                                                   metrics::Registry* metrics) {
  MR_TRY(streams, around.tasks.data().streams());
  std::unique_ptr<Consumers> made(new Consumers(bus, std::move(around), *streams, metrics));
  const bus::Records& records = bus.store().records();
  for (std::size_t i = 0; i < std::size(kConsumerKinds); ++i) made->kept_[i] = records.all(kConsumerKinds[i]);
  made->places_ = records.all(kind::kPlace);
  bus.follow([c = made.get()](const bus::BusStore::Changes& changes) { c->changed(changes); });
  return made;
}

Consumers::~Consumers() {
  bus_.follow({});
  streams_.on_put({});
}

void Consumers::start() {
  for (std::size_t i = 0; i < std::size(kConsumerKinds); ++i) {
    for (const auto& [key, text] : kept_[i]) set(kConsumerKinds[i], key, text);
    kept_[i].clear();
  }
  streams_.on_put([this, wake = std::weak_ptr(wake_), &loop = handover_.loop()](const std::string& stream) {
    const auto waiting = wake.lock();
    if (!waiting) return;
    {
      const std::lock_guard lock(waiting->mutex);
      const bool first = waiting->streams.empty();
      waiting->streams.insert(stream);
      if (!first) return;
    }
    loop.post([this, wake] {
      const auto here = wake.lock();
      if (!here) return;
      std::set<std::string> streams;
      {
        const std::lock_guard lock(here->mutex);
        streams.swap(here->streams);
      }
      for (const std::string& name : streams) this->wake(name);
    });
  });
}

void Consumers::wake(const std::string& stream) {
  for (const auto& [key, consumer] : consumers_)
    if (consumer.stream && consumer.source == stream) consumer.stream->wake();
}

void Consumers::changed(const bus::BusStore::Changes& changes) {
  for (const bus::Records::Change& change : changes)
    if (std::find(std::begin(kConsumerKinds), std::end(kConsumerKinds), change.kind) !=
        std::end(kConsumerKinds))
      set(change.kind, change.key, change.text);
}

std::map<std::int64_t, Place> Consumers::places_of_plan(const ConsumerPlan& plan) {
  std::map<std::int64_t, Place> places;
  const std::string prefix = bus::joined_key(plan.key, plan.generation + "/");
  for (auto it = places_.lower_bound(prefix); it != places_.end() && it->first.starts_with(prefix); ++it) {
    std::int64_t shard = 0;
    const std::string_view number = std::string_view(it->first).substr(prefix.size());
    std::from_chars(number.data(), number.data() + number.size(), shard);
    places[shard] = place_of(Json::parse(it->second, nullptr, false));
  }
  return places;
}

void Consumers::set(std::string_view kind, const std::string& key, const std::optional<std::string>& text) {
  const std::string name = std::string(kind) + "/" + key;
  if (const auto old = consumers_.find(name); old != consumers_.end()) {
    // Whoever takes over goes on from where this one is.
    if (const auto& stream = old->second.stream) {
      for (const auto& [shard, place] : stream->places())
        places_[place_key(stream->plan(), shard)] = to_record(place).dump();
    }
    consumers_.erase(old);
  }
  if (!text) return;
  const auto plan = compile_plan(kind, key, Json::parse(*text, nullptr, false), bus_.store().place());
  if (!plan) {
    log::error("a consumer can't run", {{"consumer", name}, {"why", plan.error().message}});
    return;
  }
  if (!plan->enabled) return;
  Consumer made;
  made.source = plan->source;
  auto shared = std::make_shared<const ConsumerPlan>(*plan);
  if (plan->queue)
    made.queue = std::make_unique<QueueConsumer>(handover_, shared);
  else
    made.stream = std::make_unique<StreamConsumer>(
        ConsumerSurroundings{handover_, bus_.store(), streams_, metrics_}, shared, places_of_plan(*plan));
  consumers_.emplace(name, std::move(made));
}

}  // namespace millrace::streams
