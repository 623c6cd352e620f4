#include "tasks/integrations/data_services.h"

#include "base/random.h"

namespace millrace::tasks {
namespace {

tl::unexpected<Error> closed_error() {
  return fail(ErrorCode::Unavailable, "the engine is going down");
}

}  // namespace

Result<dynamodb::Tables*> DataServices::tables() {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (!tables_) {
    MR_TRY(opened, dynamodb::Tables::open(home_ + "/tables.db", place_, clock_, mix(seed_, 1)));
    tables_ = std::move(opened);
  }
  return tables_.get();
}

Result<sqs::Queues*> DataServices::queues() {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (!queues_) {
    MR_TRY(opened, sqs::Queues::open(home_ + "/queues.db", place_, clock_, mix(seed_, 2)));
    queues_ = std::move(opened);
  }
  return queues_.get();
}

Result<MetricStore*> DataServices::metrics() {
  const std::lock_guard lock(mutex_);
  return open_metrics();
}

Result<MetricStore*> DataServices::open_metrics() {
  if (closed_) return closed_error();
  if (!metrics_) {
    MR_TRY(opened, MetricStore::open(home_ + "/metrics.db", place_, metric_settings_, clock_));
    metrics_ = std::move(opened);
  }
  return metrics_.get();
}

// The store is asked under the lock, which shut_down() takes before it ends it; neither call waits.
Result<AlarmStatus> DataServices::SharedMetrics::state_of(std::string_view alarm) {
  const std::lock_guard lock(services_.mutex_);
  MR_TRY(store, services_.open_metrics());
  return store->state_of(alarm);
}

Status DataServices::SharedMetrics::put(std::vector<MetricValue> values) {
  const std::lock_guard lock(services_.mutex_);
  MR_TRY(store, services_.open_metrics());
  return store->put(std::move(values));
}

Result<kinesis::Streams*> DataServices::streams() {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (!streams_) {
    MR_TRY(opened, kinesis::Streams::open(home_ + "/streams.db", place_, clock_, mix(seed_, 3), registry_));
    streams_ = std::move(opened);
  }
  return streams_.get();
}

void DataServices::shut_down() {
  std::unique_ptr<dynamodb::Tables> tables;
  std::unique_ptr<sqs::Queues> queues;
  std::unique_ptr<MetricStore> metrics;
  std::unique_ptr<kinesis::Streams> streams;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    tables = std::move(tables_);
    queues = std::move(queues_);
    metrics = std::move(metrics_);
    streams = std::move(streams_);
  }
}

}  // namespace millrace::tasks
