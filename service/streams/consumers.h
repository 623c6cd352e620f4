#pragma once
// Consumers: all event source mappings, pipes and delivery streams of a home, as their records in bus.db have
// them. Loop thread only.

#include <atomic>
#include <map>
#include <memory>

#include "service/bus/bus.h"
#include "service/streams/queue_consumer.h"
#include "service/streams/stream_consumer.h"

namespace millrace::streams {

class Consumers {
 public:
  // All are borrowed; `metrics` may be null. Before the bus is started.
  static Result<std::unique_ptr<Consumers>> open(bus::Bus& bus, HandoverSurroundings around,
                                                 metrics::Registry* metrics);
  ~Consumers();
  // Once the bus is started.
  void start();

 private:
  // One of a plan: it reads a stream or a queue.
  struct Consumer {
    std::unique_ptr<StreamConsumer> stream;
    std::unique_ptr<QueueConsumer> queue;
    std::string source;
  };
  struct Wake;

  Consumers(bus::Bus& bus, HandoverSurroundings around, tasks::kinesis::Streams& streams,
            metrics::Registry* metrics);
  void changed(const bus::BusStore::Changes& changes);
  void set(std::string_view kind, const std::string& key, const std::optional<std::string>& text);
  std::map<std::int64_t, Place> places_of_plan(const ConsumerPlan& plan);
  void wake(const std::string& stream);

  bus::Bus& bus_;
  tasks::kinesis::Streams& streams_;
  metrics::Registry* metrics_;
  Handover handover_;
  bus::Records::Documents kept_[3];            // of the three kinds, until start()
  bus::Records::Documents places_;             // of consumers that are not running
  std::map<std::string, Consumer> consumers_;  // by kind and key
  std::shared_ptr<Wake> wake_;
};

}  // namespace millrace::streams
