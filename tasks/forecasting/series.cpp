#include "tasks/forecasting/series.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/table/csv.h"

namespace millrace::tasks {
namespace {

constexpr double kMissingValue = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kShownMax = 60;  // characters of a value in a message

std::string shown_value(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, kShownMax);
}

// A number, null or "NaN".
Result<double> series_value(const Json& value, const std::string& where) {
  if (value.is_null() || value == "NaN") return kMissingValue;
  if (value.is_number()) {
    const double number = value.get<double>();
    if (std::isfinite(number)) return number;
  }
  return invalid(where + ": " + shown_value(value) + " is not a number",
                 "write null or \"NaN\" for a missing value");
}

Result<std::vector<double>> series_values(const Json& list, const std::string& where) {
  if (!list.is_array()) return invalid(where + ": expected a list of numbers, got " + shown_value(list));
  if (list.size() > kSeriesStepsMax)
    return fail(ErrorCode::LimitExceeded,
                where + ": more than " + std::to_string(kSeriesStepsMax) + " values");
  std::vector<double> values;
  values.reserve(list.size());
  for (const Json& value : list) {
    MR_TRY(number, series_value(value, where + "[" + std::to_string(values.size()) + "]"));
    values.push_back(number);
  }
  return values;
}

Result<std::vector<std::vector<double>>> series_features(const Json& lists, const std::string& where) {
  if (!lists.is_array()) return invalid(where + ": expected a list of lists, got " + shown_value(lists));
  if (lists.size() > kSeriesFeaturesMax)
    return fail(ErrorCode::LimitExceeded,
                where + ": more than " + std::to_string(kSeriesFeaturesMax) + " features");
  std::vector<std::vector<double>> features;
  for (const Json& list : lists) {
    const std::string at = where + "[" + std::to_string(features.size()) + "]";
    MR_TRY(values, series_values(list, at));
    const auto missing = std::ranges::find_if(values, [](double x) { return std::isnan(x); });
    if (missing != values.end())
      return invalid(
          at + "[" + std::to_string(missing - values.begin()) + "]: a feature has no missing values",
          "fill it in");
    features.push_back(std::move(values));
  }
  return features;
}

// The three columns of the long form.
struct LongRows {
  const Column* item = nullptr;  // null: one series
  const Column* time = nullptr;
  const Column* target = nullptr;
};

Result<LongRows> long_rows(const Table& table, std::string_view name, const SeriesColumns& columns) {
  LongRows rows{table.find(columns.item), table.find(columns.time), table.find(columns.target)};
  if (rows.time == nullptr && columns.time == SeriesColumns().time) rows.time = table.find("step");
  for (const auto& [column, wanted] : {std::pair(rows.time, &columns.time), {rows.target, &columns.target}}) {
    if (column != nullptr) continue;
    std::string known;
    for (const std::string& other : table.names()) known += (known.empty() ? "" : ", ") + other;
    return invalid(
        std::string(name) + ": there is no column '" + *wanted + "'",
        "the columns are " + known.substr(0, 400) + "; item_column, timestamp_column and target name others");
  }
  if (rows.item == nullptr && columns.item != SeriesColumns().item)
    return invalid(std::string(name) + ": there is no column '" + columns.item + "'");
  return rows;
}

bool first_line_has(std::string_view text, const SeriesColumns& columns) {
  const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
  return line.find(columns.time) != std::string_view::npos ||
         line.find(columns.target) != std::string_view::npos;
}

struct SeriesPoint {
  TimeStamp time;
  double value = 0;
};
using PointsByItem =
    std::vector<std::pair<std::string, std::vector<SeriesPoint>>>;  // in the order of the rows

Result<PointsByItem> collect_points(const LongRows& rows, std::size_t count, std::string_view name) {
  PointsByItem items;
  std::map<std::string, std::size_t> places;
  bool steps = false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string item = rows.item == nullptr ? "" : rows.item->texts[i];
    const std::string where = std::string(name) + ": row " + std::to_string(i + 1) + ", column '";
    const auto time = parse_time_stamp(rows.time->texts[i]);
    if (!time)
      return invalid(
          where + rows.time->name + "': '" + rows.time->texts[i].substr(0, kShownMax) + "' is not a time",
          "write 2009-11-01, 2009-11-01 00:00:00 or a whole number");
    if (i == 0) steps = time->step;
    if (time->step != steps) return invalid(where + rows.time->name + "': numbers and dates are mixed");
    const auto [place, added] = places.emplace(item, items.size());
    if (added) {
      if (items.size() == kSeriesMax)
        return fail(ErrorCode::LimitExceeded,
                    std::string(name) + ": more than " + std::to_string(kSeriesMax) + " items");
      items.emplace_back(item, std::vector<SeriesPoint>());
    }
    const double value = rows.target->numbers[i];
    if (std::isinf(value)) return invalid(where + rows.target->name + "': the value is infinite");
    items[place->second].second.push_back({*time, value});
  }
  return items;
}

Result<Frequency> frequency_of(const PointsByItem& items, const std::optional<Frequency>& given,
                               std::string_view name) {
  if (items.front().second.front().time.step) return Frequency{};
  if (given) return *given;
  const auto longest =
      std::ranges::max_element(items, {}, [](const auto& item) { return item.second.size(); });
  std::vector<std::int64_t> times;
  for (const SeriesPoint& point : longest->second) times.push_back(point.time.value);
  std::ranges::sort(times);
  times.erase(std::ranges::unique(times).begin(), times.end());
  if (const auto inferred = infer_frequency(times); inferred && times.size() > 1) return *inferred;
  return invalid(std::string(name) + ": the times show no frequency", "set the hyperparameter time_freq");
}

Result<TimeSeries> place_points(const std::string& item, std::vector<SeriesPoint> points,
                                const Frequency& frequency, std::string_view name) {
  std::ranges::stable_sort(points, {}, [](const SeriesPoint& p) { return p.time.value; });
  TimeSeries series;
  series.item_id = item, series.start = points.front().time.value;
  const auto where = [&](const SeriesPoint& point) {
    return std::string(name) + ": item '" + item.substr(0, kShownMax) + "', time " +
           format_time_stamp(point.time.value, frequency) + ": ";
  };
  for (const SeriesPoint& point : points) {
    const auto at = steps_between(series.start, point.time.value, frequency);
    if (!at)
      return invalid(where(point) + "is no whole number of steps (" + format_frequency(frequency) +
                         ") behind " + format_time_stamp(series.start, frequency),
                     "set time_freq, or aggregate the values first");
    if (*at >= static_cast<std::int64_t>(kSeriesStepsMax))
      return fail(ErrorCode::LimitExceeded,
                  where(point) + "the series is longer than " + std::to_string(kSeriesStepsMax) + " steps");
    const std::size_t place = static_cast<std::size_t>(*at);
    if (&point != points.data() && place + 1 == series.values.size())
      return invalid(where(point) + "there are two values of this step", "aggregate them first");
    series.values.resize(place + 1, kMissingValue);
    series.values[place] = point.value;
  }
  return series;
}

bool looks_like_json(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && text[at] == '{';
}

}  // namespace

Result<SeriesSet> parse_series_csv(std::string_view text, std::string_view name, const SeriesColumns& columns,
                                   const std::optional<Frequency>& frequency) {
  CsvOptions options;
  options.header = first_line_has(text, columns);
  if (!options.header) options.column_names = {columns.item, columns.time, columns.target};
  options.types = {{columns.item, Column::Type::Text},
                   {columns.time, Column::Type::Text},
                   {"step", Column::Type::Text},
                   {columns.target, Column::Type::Number}};
  MR_TRY(table, parse_csv(text, name, options));
  if (table.rows == 0) return invalid(std::string(name) + ": there are no rows");
  MR_TRY(rows, long_rows(table, name, columns));
  MR_TRY(items, collect_points(rows, table.rows, name));
  SeriesSet set;
  MR_TRY(found, frequency_of(items, frequency, name));
  set.frequency = found;
  for (auto& [item, points] : items) {
    MR_TRY(series, place_points(item, std::move(points), set.frequency, name));
    set.series.push_back(std::move(series));
  }
  return set;
}

Result<TimeSeries> parse_series_object(const Json& object, const std::string& where, std::string item) {
  if (!object.is_object()) return invalid(where + "expected an object, got " + shown_value(object));
  TimeSeries series;
  series.item_id = std::move(item);
  for (const auto& [key, value] : object.items()) {
    if (key == "item_id") {
      if (!value.is_string()) return invalid(where + "item_id: expected a text, got " + shown_value(value));
      series.item_id = value.get<std::string>();
    } else if (key == "start") {
      const auto time = value.is_string() ? parse_time_stamp(value.get<std::string>()) : std::nullopt;
      if (!time || time->step)
        return invalid(where + "start: " + shown_value(value) + " is not a time",
                       "write \"2009-11-01 00:00:00\"");
      series.start = time->value;
    } else if (key == "target") {
      MR_TRY(values, series_values(value, where + "target"));
      series.values = std::move(values);
    } else if (key == "dynamic_feat") {
      MR_TRY(features, series_features(value, where + "dynamic_feat"));
      series.features = std::move(features);
    } else if (key == "cat") {
      const bool numbers = value.is_array() && std::ranges::all_of(value, [](const Json& cat) {
                             return cat.is_number_integer() && cat.get<double>() >= 0;
                           });
      if (!numbers && !value.is_number_integer())
        return invalid(where + "cat: expected a list of integers from 0, got " + shown_value(value));
    } else {
      return invalid(where + "there is no field '" + key.substr(0, kShownMax) + "'",
                     "an object has start, target, cat, dynamic_feat and item_id");
    }
  }
  series.has_target = object.contains("target");
  if (series.has_target && !object.contains("start"))
    return invalid(where + "start is missing", "write \"start\": \"2009-11-01 00:00:00\"");
  return series;
}

Result<SeriesSet> parse_series_json_lines(std::string_view text, std::string_view name,
                                          const std::optional<Frequency>& frequency) {
  if (!frequency)
    return invalid(std::string(name) + ": series in JSON lines do not show their frequency",
                   "set the hyperparameter time_freq");
  SeriesSet set;
  set.frequency = *frequency;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = std::string(name) + ":" + std::to_string(line_number) + ": ";
    const Json object = Json::parse(line, nullptr, false);
    if (object.is_discarded()) return invalid(where + "the line is not JSON");
    if (set.series.size() == kSeriesMax)
      return fail(ErrorCode::LimitExceeded, where + "more than " + std::to_string(kSeriesMax) + " series");
    MR_TRY(series, parse_series_object(object, where, std::to_string(set.series.size())));
    set.series.push_back(std::move(series));
  }
  if (set.series.empty()) return invalid(std::string(name) + ": there are no series");
  return set;
}

Result<SeriesSet> read_series(const ObjectChannel& channel, const SeriesColumns& columns,
                              const std::optional<Frequency>& frequency) {
  SeriesSet set;
  std::string csv;  // rows of one item may lie in several objects
  for (const ObjectChannel::Object& object : channel.objects) {
    const bool json =
        channel.content_type.empty() ? looks_like_json(object.bytes) : channel.content_type != "text/csv";
    if (!json) {
      std::string_view rows = object.bytes;
      if (!csv.empty() && first_line_has(rows, columns))
        rows.remove_prefix(std::min(rows.find('\n'), rows.size() - 1) + 1);
      csv += rows;
      if (!csv.ends_with('\n')) csv += '\n';
      continue;
    }
    MR_TRY(more, parse_series_json_lines(object.bytes, object.name, frequency));
    set.frequency = more.frequency;
    std::ranges::move(more.series, std::back_inserter(set.series));
  }
  if (!csv.empty()) {
    if (!set.series.empty())
      return invalid(channel.name + ": some objects are JSON lines, others CSV", "use one form");
    const std::string name = channel.objects.size() == 1 ? channel.objects.front().name : channel.name;
    return parse_series_csv(csv, name, columns, frequency);
  }
  if (set.series.empty()) return invalid(channel.name + ": there are no series");
  return set;
}

FilledSeries fill_gaps(const std::vector<double>& values, int season) {
  FilledSeries out;
  while (out.dropped < values.size() && std::isnan(values[out.dropped])) ++out.dropped;
  out.values.assign(values.begin() + static_cast<std::ptrdiff_t>(out.dropped), values.end());
  std::vector<double>& v = out.values;
  const std::size_t s = static_cast<std::size_t>(std::max(season, 1));
  for (std::size_t i = 1; i < v.size(); ++i) {
    if (!std::isnan(v[i])) continue;
    if (s > 1 && i >= s) {
      v[i] = v[i - s];
      continue;
    }
    std::size_t next = i;
    while (next < v.size() && std::isnan(v[next])) ++next;
    const double step = next == v.size() ? 0 : (v[next] - v[i - 1]) / static_cast<double>(next - i + 1);
    v[i] = v[i - 1] + step;
  }
  return out;
}

}  // namespace millrace::tasks
