#pragma once
// DataServices: the tables, queues, streams and metrics of one home, each opened when it is asked for first.
// Any thread.

#include <memory>
#include <mutex>
#include <string>

#include "tasks/integrations/dynamodb/tables.h"
#include "tasks/integrations/kinesis/streams.h"
#include "tasks/integrations/sqs/queues.h"
#include "tasks/metrics/metric_store.h"

namespace millrace::tasks {

class DataServices {
 public:
  // HOME/tables.db, HOME/queues.db, HOME/streams.db, HOME/metrics.db. The clock is borrowed, so is
  // `registry`, which may be null.
  DataServices(std::string home, ServicePlace place, const Clock& clock, std::uint64_t seed,
               MetricStoreSettings metrics = {}, metrics::Registry* registry = nullptr)
      : home_(std::move(home)),
        place_(std::move(place)),
        clock_(clock),
        seed_(seed),
        metric_settings_(metrics),
        registry_(registry) {}

  // Errors: those of opening the file (DataLoss when it is damaged), each time; Unavailable after
  // shut_down().
  Result<dynamodb::Tables*> tables();
  Result<sqs::Queues*> queues();
  Result<MetricStore*> metrics();
  // The same for threads that may still run when the rest goes down: Unavailable then.
  AlarmStates& alarms() { return shared_metrics_; }
  MetricSink& metric_sink() { return shared_metrics_; }
  Result<kinesis::Streams*> streams();
  const Clock& clock() const { return clock_; }
  const ServicePlace& place() const { return place_; }
  // Answers what was asked, ends long polls.
  void shut_down();

 private:
  class SharedMetrics final : public AlarmStates, public MetricSink {
   public:
    explicit SharedMetrics(DataServices& services) : services_(services) {}
    Result<AlarmStatus> state_of(std::string_view alarm) override;
    Status put(std::vector<MetricValue> values) override;

   private:
    DataServices& services_;
  };
  Result<MetricStore*> open_metrics();  // under the lock

  const std::string home_;
  const ServicePlace place_;
  const Clock& clock_;
  const std::uint64_t seed_;
  const MetricStoreSettings metric_settings_;
  SharedMetrics shared_metrics_{*this};
  metrics::Registry* const registry_;
  std::mutex mutex_;  // over what follows
  bool closed_ = false;
  std::unique_ptr<dynamodb::Tables> tables_;
  std::unique_ptr<sqs::Queues> queues_;
  std::unique_ptr<MetricStore> metrics_;
  std::unique_ptr<kinesis::Streams> streams_;
};

}  // namespace millrace::tasks
