#pragma once
// PointTable: the values of a home's metrics in a database: an aggregate for each metric, unit and minute (of
// high-resolution metrics also each second). What grows old is added up to five minutes, then to hours, then
// goes, as the retention says; each value is in one of the three. What was written last is kept in memory, so
// that putting does not read. The store's thread alone; what is written is part of its transaction.

#include <map>
#include <optional>
#include <span>
#include <unordered_map>

#include "base/sqlite.h"
#include "tasks/metrics/metric_id.h"
#include "tasks/metrics/statistics.h"

namespace millrace::tasks {

// As long values are found, by the resolution they have then; as CloudWatch has it.
struct MetricRetention {
  Millis seconds{3 * 3'600'000};
  Millis minutes{15LL * 86'400'000};
  Millis five_minutes{63LL * 86'400'000};
  Millis hours{455LL * 86'400'000};
};

class PointTable {
 public:
  struct Limits {
    MetricRetention retention;
    std::size_t series_max = 100'000;         // metrics: names with their dimensions
    std::size_t cache_bytes_max = 32u << 20;  // of aggregates in memory
  };
  static const char* const kSchema;

  static Result<PointTable> open(Database& database, Limits limits);

  // LimitExceeded: so many more metrics would be too many.
  Status make_room(std::size_t metrics) const;
  // Adds to the aggregate of `time` (its minute; with `seconds` also its second).
  Status add(const MetricId& id, int unit, Instant time, bool seconds, const Aggregate& aggregate);

  using Series = std::int64_t;
  std::optional<Series> find(const MetricId& id) const;
  // By the beginning of each period that has values, of [from, until). `unit`: -1 is any.
  // `period` is whole seconds; below a minute only values of high resolution are found. The first period
  // begins at or before `from`: at a multiple of the period since 1970.
  using Periods = std::map<Instant, Aggregate>;
  Result<Periods> read(Series series, int unit, Instant from, Instant until, Millis period);
  Result<std::map<int, Periods>> read_by_unit(Series series, Instant from, Instant until, Millis period);

  struct Known {
    Series series = 0;
    Instant last;  // of its values, about
  };
  const std::map<MetricId, Known>& metrics() const { return metrics_; }

  // Adds up and removes what is too old, of the next metrics; true: it has been once around.
  Result<bool> tidy(Instant now, std::size_t metrics_at_once);
  // A group was undone: what memory holds may not be on disk.
  Status forget();

 private:
  struct Key {
    int tier;
    Series series;
    std::int64_t time;
    int unit;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  Status load();
  Result<Series> series_for(const MetricId& id, Instant time);
  Status merge_into(const Key& key, const Aggregate& aggregate, bool keep);
  Status write(const Key& key, const Aggregate& aggregate);
  Result<std::map<int, Periods>> read_tiers(std::span<const int> tiers, Series series, Instant from,
                                            Instant until, Millis period);
  Result<bool> add_up(Series series, int tier, int into, Instant before);
  Status remove(Series series, int tier, Instant before);

  Database* database_ = nullptr;
  Limits limits_;
  std::map<MetricId, Known> metrics_;
  std::unordered_map<Key, Aggregate, KeyHash> cache_;
  std::size_t cache_bytes_ = 0;
  std::optional<MetricId> tidied_;  // up to here
  Statement insert_series_, touch_series_, delete_series_, put_, get_, range_, delete_, any_;
};

}  // namespace millrace::tasks
