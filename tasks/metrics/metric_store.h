#pragma once
// MetricStore: the metrics and alarms of a home in HOME/metrics.db, with a thread of its own: what is asked
// is carried out in order, many pieces in one transaction, and answered when it is durable. Alarms are
// evaluated when they are due by the clock, which is for others to notice: watch() says when. Any thread.
// Source: Amazon CloudWatch API reference, 2010-08-01.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "tasks/integrations/service_call.h"
#include "tasks/metrics/alarm_notice.h"
#include "tasks/metrics/alarms.h"
#include "tasks/metrics/metric_id.h"
#include "tasks/metrics/statistics.h"

namespace millrace::tasks {

namespace cloudwatch {
class Batch;
}

// How much is kept, and for how long.
struct MetricStoreSettings {
  Millis seconds_kept{3 * 3'600'000};  // by the second, of high-resolution metrics
  Millis minutes_kept{15LL * 86'400'000};
  Millis five_minutes_kept{63LL * 86'400'000};
  Millis hours_kept{455LL * 86'400'000};
  std::size_t metrics_max = 100'000;
  std::size_t alarms_max = 10'000;
  std::int64_t history_days = 30;  // of alarms
  Millis evaluation_delay{2'000};  // behind the end of a period
  std::size_t cache_bytes_max = 32u << 20;
};

// Values of a metric that were added up already.
struct MetricBatch {
  MetricId id;
  std::string unit = "None";
  Instant time;
  Aggregate aggregate;
};

class MetricStore final : public AlarmStates, public MetricSink {
 public:
  // DataLoss for a damaged file. The clock is borrowed.
  static Result<std::unique_ptr<MetricStore>> open(const std::string& path, ServicePlace place,
                                                   MetricStoreSettings settings, const Clock& clock);
  ~MetricStore() override;  // carries out what was asked

  // The operations of CloudWatch's API; errors have the names of its shapes.
  static bool has(std::string_view operation);
  void call(ServiceCall call, ServiceReply reply);

  Result<AlarmStatus> state_of(std::string_view alarm) override;
  using MetricSink::put;
  Status put(std::vector<MetricValue> values) override;
  Status put_added_up(const std::vector<MetricBatch>& batches);

  // Tells on the store's thread, after what it is about is durable: when the next alarm is due, and changes
  // of state that are to be told to others (those of an earlier process first). An empty function: nobody.
  struct News {
    std::optional<Instant> due;
    std::vector<AlarmChange> changes;
  };
  void watch(std::function<void(News)> listener);
  // What is due by now; watch() is told afterwards. False: too much waits, ask again.
  bool evaluate();
  // A change was told: it is forgotten; `actions` go into the alarm's history. `done` on the store's thread.
  void told(std::int64_t number, const std::string& alarm, std::vector<std::string> actions);
  // Removes and adds up what is too old, some of it.
  void tidy();

 private:
  struct State;
  explicit MetricStore(std::unique_ptr<State> state);
  bool work(std::function<Status(Instant now)> piece);
  Status put_batch(std::shared_ptr<cloudwatch::Batch> batch);

  std::unique_ptr<State> state_;
};

}  // namespace millrace::tasks
