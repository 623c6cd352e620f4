#include "tasks/forecasting/series_grid.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

#include "tasks/table/csv.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kAggregations[] = {"sum", "avg", "first", "min", "max"};
constexpr std::string_view kFillings[] = {"zero", "value", "median", "mean", "min", "max"};
constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kGridDay = 86'400;
constexpr std::size_t kGridStepsMax = 50'000'000;  // of all series together

std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
  const std::int64_t rest = value % unit;
  return value - (rest < 0 ? rest + unit : rest);
}

std::int64_t grid_seconds(const std::chrono::year_month_day& day) {
  return std::chrono::sys_days(day).time_since_epoch().count() * kGridDay;
}

bool is_grid_word(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// What rows of one step come to.
class StepValue {
 public:
  void add(double value) {
    if (std::isnan(value)) return;
    if (count_ == 0) first_ = low_ = high_ = value;
    sum_ += value, ++count_;
    low_ = std::min(low_, value), high_ = std::max(high_, value);
  }
  double value(std::string_view how) const {
    if (count_ == 0) return kNoValue;
    if (how == "avg") return sum_ / count_;
    if (how == "first") return first_;
    return how == "min" ? low_ : how == "max" ? high_ : sum_;
  }

 private:
  double sum_ = 0, count_ = 0, first_ = 0, low_ = 0, high_ = 0;
};

struct GridPoint {
  std::int64_t time;
  double value;
};
using GridItems = std::map<std::string, std::vector<GridPoint>>;

Result<const Column*> grid_column(const Table& table, const std::string& wanted, std::string_view name) {
  if (const Column* column = table.find(wanted)) return column;
  const std::vector<std::string> names = table.names();
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = nearest_name(wanted, views);
  return invalid(std::string(name) + ": there is no column '" + wanted + "'",
                 near.empty() ? "" : "did you mean '" + std::string(near) + "'?");
}

Result<GridItems> read_grid_items(const Table& table, std::string_view name,
                                  const SeriesGridSettings& settings) {
  MR_TRY(time, grid_column(table, settings.columns.time, name));
  MR_TRY(target, grid_column(table, settings.columns.target, name));
  std::vector<const Column*> parts;
  MR_TRY(item, grid_column(table, settings.columns.item, name));
  parts.push_back(item);
  for (const std::string& group : settings.groups) {
    MR_TRY(column, grid_column(table, group, name));
    parts.push_back(column);
  }
  std::vector<Column> texts;
  for (const Column* part : parts) texts.push_back(as_texts(*part));
  const Column times = as_texts(*time);
  GridItems items;
  for (std::size_t i = 0; i < table.rows; ++i) {
    const auto stamp = parse_time_stamp(times.texts[i]);
    if (!stamp || stamp->step)
      return invalid(std::string(name) + ": row " + std::to_string(i + 1) + ", column '" + time->name +
                         "': '" + times.texts[i].substr(0, 60) + "' is not a time",
                     "write 2009-11-01 or 2009-11-01 00:00:00");
    std::string key;
    for (const Column& part : texts) key += (&part == texts.data() ? "" : "|") + part.texts[i];
    if (std::isinf(target->numbers[i]))
      return invalid(std::string(name) + ": row " + std::to_string(i + 1) + ", column '" + target->name +
                     "': the value is infinite");
    items[key].push_back({stamp->value, target->numbers[i]});
    if (items.size() > kSeriesMax)
      return fail(ErrorCode::LimitExceeded,
                  std::string(name) + ": more than " + std::to_string(kSeriesMax) + " series");
  }
  if (items.empty()) return invalid(std::string(name) + ": there are no rows");
  for (auto& [key, points] : items) std::ranges::stable_sort(points, {}, &GridPoint::time);
  return items;
}

// Whether the rows are whole steps apart, one a step.
bool on_grid(const GridItems& items, const Frequency& frequency) {
  for (const auto& [key, points] : items) {
    for (std::size_t i = 1; i < points.size(); ++i) {
      const auto steps = steps_between(points[0].time, points[i].time, frequency);
      if (!steps || points[i].time == points[i - 1].time) return false;
    }
  }
  return true;
}

double chosen_filling(const std::string& how, const std::map<std::string, std::string>& filling,
                      const std::string& name, const std::vector<double>& values) {
  if (how == "zero") return 0;
  if (how == "value") return parse_real(filling.at(name + "_value")).value_or(0);
  std::vector<double> known;
  for (const double x : values)
    if (!std::isnan(x)) known.push_back(x);
  if (known.empty()) return kNoValue;
  std::ranges::sort(known);
  if (how == "min") return known.front();
  if (how == "max") return known.back();
  if (how == "median") return (known[known.size() / 2] + known[(known.size() - 1) / 2]) / 2;
  double sum = 0;
  for (const double x : known) sum += x;
  return sum / static_cast<double>(known.size());
}

// `last`: the last step that any series has.
void fill_grid_series(TimeSeries& series, std::int64_t last, const SeriesGridSettings& settings,
                      SeriesGrid& grid) {
  std::vector<double>& values = series.values;
  while (!values.empty() && std::isnan(values.back())) values.pop_back();
  const auto rule = [&](const char* name) {
    const auto found = settings.filling.find(name);
    return found == settings.filling.end() ? std::string() : found->second;
  };
  const std::vector<double> known = values;
  bool begun = false;
  for (double& value : values) {
    begun = begun || !std::isnan(value);
    if (!begun || !std::isnan(value)) continue;
    ++grid.missing;
    if (rule("middlefill").empty()) continue;
    value = chosen_filling(rule("middlefill"), settings.filling, "middlefill", known);
    ++grid.filled;
  }
  if (rule("backfill").empty() || values.empty()) return;
  const double back = chosen_filling(rule("backfill"), settings.filling, "backfill", known);
  while (add_steps(series.start, static_cast<std::int64_t>(values.size()), settings.frequency) <= last) {
    values.push_back(back);
    ++grid.filled;
  }
}

}  // namespace

std::int64_t step_begin(std::int64_t time, const Frequency& frequency) {
  using namespace std::chrono;
  const std::int64_t count = frequency.count;
  switch (frequency.unit) {
    case TimeUnit::Minute:
      return floor_to(time, 60 * count);
    case TimeUnit::Hour:
      return floor_to(time, 3600 * count);
    case TimeUnit::Day:
    case TimeUnit::BusinessDay:
      return floor_to(time, kGridDay * count);
    case TimeUnit::Week: {
      constexpr std::int64_t kFirstMonday = 4 * kGridDay;
      return floor_to(time - kFirstMonday, 7 * kGridDay * count) + kFirstMonday;
    }
    case TimeUnit::Month:
    case TimeUnit::Quarter:
    case TimeUnit::Year: {
      const std::int64_t months = count * (frequency.unit == TimeUnit::Month     ? 1
                                           : frequency.unit == TimeUnit::Quarter ? 3
                                                                                 : 12);
      const year_month_day day{sys_days{days{floor_to(time, kGridDay) / kGridDay}}};
      const std::int64_t since = (static_cast<int>(day.year()) - 1970) * 12LL +
                                 static_cast<int>(static_cast<unsigned>(day.month())) - 1;
      const std::int64_t begin = floor_to(since, months), in_year = floor_to(begin, 12);
      return grid_seconds(year_month_day{year{static_cast<int>(1970 + in_year / 12)},
                                         month{static_cast<unsigned>(begin - in_year + 1)},
                                         std::chrono::day{1}});
    }
    case TimeUnit::Step:
      break;
  }
  return time;
}

Status check_grid_settings(const SeriesGridSettings& settings) {
  if (!is_grid_word(settings.aggregation, kAggregations))
    return invalid("Aggregation: '" + settings.aggregation + "' is none", "use sum, avg, first, min or max");
  for (const auto& [name, how] : settings.filling) {
    if (name == "frontfill") {
      if (how != "none")
        return invalid("Filling: frontfill is '" + how + "'",
                       "what is before a series' first value stays out: none");
      continue;
    }
    if (name == "futurefill" || name == "futurefill_value")
      return invalid("Filling: " + name + " is for columns that are known of the future",
                     "forecasts are made of the target's past alone");
    const bool value = name == "middlefill_value" || name == "backfill_value";
    if (value && !parse_real(how))
      return invalid("Filling: " + name + " is '" + how + "': expected a number");
    if (value) continue;
    if (name != "middlefill" && name != "backfill")
      return invalid("Filling: there is no '" + name + "'", "use frontfill, middlefill and backfill");
    if (!is_grid_word(how, kFillings))
      return invalid("Filling: " + name + " is '" + how + "'", "use zero, value, median, mean, min or max");
    if (how == "value" && !settings.filling.contains(name + "_value"))
      return invalid("Filling: " + name + " is value, but there is no " + name + "_value");
  }
  return {};
}

Result<SeriesGrid> make_series_grid(const Table& table, std::string_view name,
                                    const SeriesGridSettings& settings) {
  MR_DO(check_grid_settings(settings));
  MR_TRY(items, read_grid_items(table, name, settings));
  SeriesGrid grid;
  grid.rows = table.rows;
  grid.set.frequency = settings.frequency;
  grid.moved = !on_grid(items, settings.frequency);
  std::int64_t last = std::numeric_limits<std::int64_t>::min();
  std::size_t steps = 0;
  for (auto& [key, points] : items) {
    if (grid.moved)
      for (GridPoint& point : points) point.time = step_begin(point.time, settings.frequency);
    TimeSeries series;
    series.item_id = key, series.start = points.front().time;
    std::optional<std::int64_t> open;
    StepValue value;
    const auto close = [&] {
      series.values.resize(static_cast<std::size_t>(*open) + 1, kNoValue);
      series.values.back() = value.value(settings.aggregation);
      value = {};
    };
    for (const GridPoint& point : points) {
      const std::int64_t at = steps_between(series.start, point.time, settings.frequency).value_or(0);
      if (static_cast<std::size_t>(at) >= kSeriesStepsMax || (steps += open == at ? 0 : 1) > kGridStepsMax)
        return fail(ErrorCode::LimitExceeded, std::string(name) + ": series '" + key.substr(0, 60) +
                                                  "' is longer than " + std::to_string(kSeriesStepsMax) +
                                                  " steps");
      if (open == at) ++grid.aggregated;
      if (open && *open != at) close();
      open = at;
      value.add(point.value);
    }
    close();
    last = std::max(last, points.back().time);
    grid.set.series.push_back(std::move(series));
  }
  for (TimeSeries& series : grid.set.series) fill_grid_series(series, last, settings, grid);
  return grid;
}

std::string series_rows(const SeriesSet& set, std::size_t skip_end) {
  const SeriesColumns names;
  Column item = text_column(names.item, {}), time = text_column(names.time, {});
  Column target = number_column(names.target, {});
  Table table;
  for (const TimeSeries& series : set.series) {
    const std::size_t kept = series.values.size() - std::min(skip_end, series.values.size());
    for (std::size_t i = 0; i < kept; ++i) {
      item.texts.push_back(series.item_id), item.missing.push_back(0);
      time.texts.push_back(format_time_stamp(
          add_steps(series.start, static_cast<std::int64_t>(i), set.frequency), set.frequency));
      time.missing.push_back(0);
      target.numbers.push_back(series.values[i]);
      ++table.rows;
    }
  }
  table.columns = {std::move(item), std::move(time), std::move(target)};
  return format_csv(table);
}

}  // namespace millrace::tasks
