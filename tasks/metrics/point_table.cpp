#include "tasks/metrics/point_table.h"

#include <algorithm>

#include "base/random.h"

namespace millrace::tasks {
namespace {

// Resolutions in seconds; each value is in one of the last three, those of high resolution also in the first.
constexpr int kSecondTier = 1, kMinuteTier = 60, kFiveTier = 300, kHourTier = 3600;
constexpr int kSecondTiers[] = {kSecondTier};
constexpr int kLongTiers[] = {kMinuteTier, kFiveTier, kHourTier};
constexpr Millis kTouchPause{600'000};  // when a metric last had values is written no more often

// Towards the past, also before 1970.
Instant period_floor(Instant time, Millis period) {
  const std::int64_t t = to_millis(time), p = period.count();
  return from_millis(t - ((t % p) + p) % p);
}

std::size_t aggregate_bytes(const Aggregate& aggregate) {
  return sizeof(Aggregate) + aggregate.sketch.bytes() + 64;
}

Result<Aggregate> aggregate_in(const Statement& row, int column) {
  Aggregate aggregate;
  aggregate.count = row.real(column);
  aggregate.sum = row.real(column + 1);
  aggregate.min = row.real(column + 2);
  aggregate.max = row.real(column + 3);
  if (!PercentileSketch::unpack(row.blob(column + 4), aggregate.sketch))
    return fail(ErrorCode::DataLoss, "metrics.db: the percentiles of a data point can't be read");
  return aggregate;
}

}  // namespace

const char* const PointTable::kSchema =
    "CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL,"
    " dimensions TEXT NOT NULL, last INTEGER NOT NULL, UNIQUE(namespace, name, dimensions));"
    "CREATE TABLE IF NOT EXISTS points(tier INTEGER NOT NULL, series INTEGER NOT NULL, time INTEGER NOT NULL,"
    " unit INTEGER NOT NULL, count REAL NOT NULL, sum REAL NOT NULL, min REAL NOT NULL, max REAL NOT NULL,"
    " sketch BLOB NOT NULL, PRIMARY KEY(tier, series, time, unit)) WITHOUT ROWID;";

std::size_t PointTable::KeyHash::operator()(const Key& key) const {
  return mix(mix(as_unsigned(key.series), as_unsigned(key.time)),
             static_cast<std::uint64_t>(key.tier * 64 + key.unit));
}

Result<PointTable> PointTable::open(Database& database, Limits limits) {
  PointTable table;
  table.database_ = &database;
  table.limits_ = limits;
  const auto prepare = [&](Statement& statement, const char* sql) -> Status {
    MR_TRY(made, database.prepare(sql));
    statement = std::move(made);
    return {};
  };
  MR_DO(prepare(table.insert_series_,
                "INSERT INTO series(namespace, name, dimensions, last) VALUES(?, ?, ?, ?) RETURNING id"));
  MR_DO(prepare(table.touch_series_, "UPDATE series SET last = ? WHERE id = ?"));
  MR_DO(prepare(table.delete_series_, "DELETE FROM series WHERE id = ?"));
  MR_DO(prepare(table.put_,
                "INSERT OR REPLACE INTO points(tier, series, time, unit, count, sum, min, max, "
                "sketch) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  MR_DO(prepare(table.get_,
                "SELECT count, sum, min, max, sketch FROM points WHERE tier = ? AND series = ? AND "
                "time = ? AND unit = ?"));
  MR_DO(prepare(table.range_,
                "SELECT time, unit, count, sum, min, max, sketch FROM points WHERE tier = ? AND "
                "series = ? AND time >= ? AND time < ? ORDER BY time, unit"));
  MR_DO(prepare(table.delete_, "DELETE FROM points WHERE tier = ? AND series = ? AND time < ?"));
  MR_DO(prepare(table.any_,
                "SELECT EXISTS(SELECT 1 FROM points WHERE tier IN (1, 60, 300, 3600) AND series = ?)"));
  MR_DO(table.load());
  return table;
}

Status PointTable::load() {
  metrics_.clear();
  MR_TRY(all, database_->prepare("SELECT id, namespace, name, dimensions, last FROM series"));
  for (;;) {
    MR_TRY(row, all.step());
    if (!row) return {};
    MR_TRY(dimensions, read_dimensions(all.text(3)));
    MetricId id{std::string(all.text(1)), std::string(all.text(2)), std::move(dimensions)};
    metrics_[std::move(id)] = {all.integer(0), from_millis(all.integer(4))};
  }
}

Status PointTable::forget() {
  cache_.clear();
  cache_bytes_ = 0;
  tidied_.reset();
  return load();
}

std::optional<PointTable::Series> PointTable::find(const MetricId& id) const {
  const auto found = metrics_.find(id);
  if (found == metrics_.end()) return std::nullopt;
  return found->second.series;
}

Status PointTable::make_room(std::size_t metrics) const {
  if (metrics == 0 || metrics_.size() + metrics <= limits_.series_max) return {};
  return fail(ErrorCode::LimitExceeded,
              "there are " + std::to_string(metrics_.size()) + " metrics already, " +
                  std::to_string(metrics) + " more would be too many",
              "use fewer values of dimensions, or raise monitoring.metrics_max");
}

Result<PointTable::Series> PointTable::series_for(const MetricId& id, Instant time) {
  const auto found = metrics_.find(id);
  if (found != metrics_.end()) {
    Known& known = found->second;
    if (time - known.last < kTouchPause) return known.series;
    MR_DO(touch_series_.bind(1, to_millis(time)).bind(2, known.series).run());
    known.last = time;
    return known.series;
  }
  const std::string dimensions = dimensions_text(id.dimensions);
  insert_series_.bind(1, std::string_view(id.name_space)).bind(2, std::string_view(id.name));
  insert_series_.bind(3, std::string_view(dimensions)).bind(4, to_millis(time));
  MR_TRY(row, insert_series_.step());
  const Series series = row ? insert_series_.integer(0) : 0;
  insert_series_.reset();
  metrics_[id] = {series, time};
  return series;
}

Status PointTable::add(const MetricId& id, int unit, Instant time, bool seconds, const Aggregate& aggregate) {
  MR_TRY(series, series_for(id, time));
  const auto at = [&](int tier) {
    return Key{tier, series, to_millis(period_floor(time, std::chrono::seconds(tier))), unit};
  };
  if (seconds) MR_DO(merge_into(at(kSecondTier), aggregate, true));
  return merge_into(at(kMinuteTier), aggregate, true);
}

// `keep`: more may come soon.
Status PointTable::merge_into(const Key& key, const Aggregate& aggregate, bool keep) {
  auto found = cache_.find(key);
  Aggregate whole;
  if (found == cache_.end()) {
    get_.reset();
    get_.bind(1, std::int64_t{key.tier})
        .bind(2, key.series)
        .bind(3, key.time)
        .bind(4, std::int64_t{key.unit});
    MR_TRY(row, get_.step());
    if (row) {
      MR_TRY(stored, aggregate_in(get_, 0));
      whole = std::move(stored);
    }
    get_.reset();
    whole.merge(aggregate);
    if (!keep) return write(key, whole);
    if (cache_bytes_ > limits_.cache_bytes_max) {
      cache_.clear();
      cache_bytes_ = 0;
    }
    found = cache_.emplace(key, std::move(whole)).first;
  } else {
    cache_bytes_ -= aggregate_bytes(found->second);
    found->second.merge(aggregate);
  }
  cache_bytes_ += aggregate_bytes(found->second);
  return write(key, found->second);
}

Status PointTable::write(const Key& key, const Aggregate& aggregate) {
  const std::string sketch = aggregate.sketch.pack();
  put_.bind(1, std::int64_t{key.tier}).bind(2, key.series).bind(3, key.time).bind(4, std::int64_t{key.unit});
  put_.bind(5, aggregate.count).bind(6, aggregate.sum).bind(7, aggregate.min).bind(8, aggregate.max);
  put_.bind_blob(9, sketch);
  return put_.run();
}

Result<std::map<int, PointTable::Periods>> PointTable::read_tiers(std::span<const int> tiers, Series series,
                                                                  Instant from, Instant until,
                                                                  Millis period) {
  std::map<int, Periods> out;
  for (const int tier : tiers) {
    range_.reset();
    range_.bind(1, std::int64_t{tier}).bind(2, series).bind(3, to_millis(from)).bind(4, to_millis(until));
    for (;;) {
      MR_TRY(row, range_.step());
      if (!row) break;
      MR_TRY(aggregate, aggregate_in(range_, 2));
      out[static_cast<int>(range_.integer(1))][period_floor(from_millis(range_.integer(0)), period)].merge(
          aggregate);
    }
    range_.reset();
  }
  return out;
}

Result<std::map<int, PointTable::Periods>> PointTable::read_by_unit(Series series, Instant from,
                                                                    Instant until, Millis period) {
  const bool fine = period < std::chrono::seconds(kMinuteTier);
  return read_tiers(fine ? std::span<const int>(kSecondTiers) : std::span<const int>(kLongTiers), series,
                    period_floor(from, period), until, period);
}

Result<PointTable::Periods> PointTable::read(Series series, int unit, Instant from, Instant until,
                                             Millis period) {
  MR_TRY(by_unit, read_by_unit(series, from, until, period));
  if (unit >= 0) return std::move(by_unit[unit]);
  Periods all;
  for (auto& [number, periods] : by_unit)
    for (auto& [time, aggregate] : periods) all[time].merge(aggregate);
  return all;
}

// ---- What grows old

Result<bool> PointTable::add_up(Series series, int tier, int into, Instant before) {
  const Millis period = std::chrono::seconds(into);
  const Instant end = period_floor(before, period);
  const int tiers[] = {tier};
  MR_TRY(old, read_tiers(tiers, series, Instant{}, end, period));
  if (old.empty()) return false;
  for (const auto& [unit, periods] : old)
    for (const auto& [time, aggregate] : periods)
      MR_DO(merge_into({into, series, to_millis(time), unit}, aggregate, false));
  MR_DO(remove(series, tier, end));
  return true;
}

Status PointTable::remove(Series series, int tier, Instant before) {
  return delete_.bind(1, std::int64_t{tier}).bind(2, series).bind(3, to_millis(before)).run();
}

Result<bool> PointTable::tidy(Instant now, std::size_t metrics_at_once) {
  auto at = tidied_ ? metrics_.upper_bound(*tidied_) : metrics_.begin();
  bool changed = false;
  for (; at != metrics_.end() && metrics_at_once > 0; --metrics_at_once) {
    const auto [id, known] = *at;
    const Series series = known.series;
    const MetricRetention& retention = limits_.retention;
    MR_DO(remove(series, kSecondTier, now - retention.seconds));
    MR_TRY(fives, add_up(series, kMinuteTier, kFiveTier, now - retention.minutes));
    MR_TRY(hours, add_up(series, kFiveTier, kHourTier, now - retention.five_minutes));
    MR_DO(remove(series, kHourTier, now - retention.hours));
    changed = changed || fives || hours;
    tidied_ = id;
    ++at;
    if (known.last >= now - retention.hours) continue;
    any_.bind(1, series);
    MR_TRY(row, any_.step());
    const bool empty = !row || any_.integer(0) == 0;
    any_.reset();
    if (!empty) continue;
    MR_DO(delete_series_.bind(1, series).run());
    metrics_.erase(id);
  }
  if (changed) {  // what was added up may be in memory as it was
    cache_.clear();
    cache_bytes_ = 0;
  }
  if (at != metrics_.end()) return false;
  tidied_.reset();
  return true;
}

}  // namespace millrace::tasks
