// ListMetrics, GetMetricStatistics, GetMetricData.

#include <algorithm>
#include <charconv>

#include "tasks/metrics/operations.h"

namespace millrace::tasks::cloudwatch {
namespace {

constexpr std::size_t kListedMetrics = 500;  // of a page
constexpr Millis kListedFor{14LL * 86'400'000}, kRecent{3 * 3'600'000};
constexpr std::int64_t kStatisticsPointsMax = 1'440;  // of GetMetricStatistics
constexpr std::int64_t kDataPointsMax = 100'800;      // of a page of GetMetricData

// ---- ListMetrics

struct DimensionFilter {
  std::string name;
  std::optional<std::string> value;
};

Checked<std::vector<DimensionFilter>> dimension_filters_in(JsonView input) {
  MR_TRY(list, objects_in(input, "Dimensions", 10));
  std::vector<DimensionFilter> filters;
  for (const JsonView one : list) {
    MR_TRY(name, required_text(one, "Name"));
    MR_TRY(value, text_in(one, "Value"));
    filters.push_back({std::move(name), value.empty() ? std::nullopt : std::optional(std::move(value))});
  }
  return filters;
}

bool dimensions_pass(const MetricDimensions& dimensions, const std::vector<DimensionFilter>& filters) {
  return std::all_of(filters.begin(), filters.end(), [&](const DimensionFilter& filter) {
    const auto found = dimensions.find(filter.name);
    return found != dimensions.end() && (!filter.value || *filter.value == found->second);
  });
}

void write_metric(JsonWriter& out, const MetricId& id) {
  out.begin_object().key("Namespace").string(id.name_space).key("MetricName").string(id.name);
  out.key("Dimensions").begin_array();
  for (const auto& [name, value] : id.dimensions)
    out.begin_object().key("Name").string(name).key("Value").string(value).end_object();
  out.end_array().end_object();
}

std::string place_of_metric(const MetricId& id) {
  JsonWriter out;
  out.begin_array().string(id.name_space).string(id.name).string(dimensions_text(id.dimensions)).end_array();
  return std::string(out.finish().text());
}

Checked<MetricId> metric_of_place(const std::string& place) {
  const auto parsed = Payload::parse(place);
  const bool good = parsed && parsed->view().is_array() && parsed->view().size() == 3;
  MetricId id;
  std::string* parts[] = {&id.name_space, &id.name, nullptr};
  std::string dimensions;
  parts[2] = &dimensions;
  std::size_t i = 0;
  if (good)
    for (const JsonView one : parsed->view().elements())
      if (one.is_string()) *parts[i++] = one.string();
  auto read = i == 3 ? read_dimensions(dimensions) : Result<MetricDimensions>(invalid(""));
  if (!read) return service_error("InvalidNextToken", "The next token is invalid.");
  id.dimensions = *std::move(read);
  return id;
}

// ---- GetMetricStatistics

std::string shown_count(std::int64_t n) {  // 1,440
  const std::string digits = std::to_string(n);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

struct AskedStatistics {
  std::vector<std::pair<std::string, Statistic>> plain, extended;
};

Checked<AskedStatistics> statistics_in(JsonView input) {
  AskedStatistics asked;
  MR_TRY(plain, texts_in(input, "Statistics", 5));
  MR_TRY(extended, texts_in(input, "ExtendedStatistics", 10));
  for (const auto& [names, list, of_percentiles] :
       {std::tuple(&plain, &asked.plain, false), std::tuple(&extended, &asked.extended, true)}) {
    for (const std::string& name : *names) {
      MR_TRY(statistic, statistic_named(name));
      if ((statistic.kind == Statistic::Kind::Percentile) != of_percentiles)
        return invalid_value("The value " + name + " for parameter " +
                             (of_percentiles ? "ExtendedStatistics" : "Statistics") + " is invalid.");
      list->emplace_back(name, statistic);
    }
  }
  if (asked.plain.empty() && asked.extended.empty())
    return invalid_combination(
        "At least one of the parameters Statistics and ExtendedStatistics must be specified.");
  return asked;
}

bool write_datapoint(JsonWriter& out, Instant time, int unit, const Aggregate& aggregate,
                     const AskedStatistics& asked) {
  out.begin_object().key("Timestamp").number(epoch_seconds(time));
  for (const auto& [name, statistic] : asked.plain)
    if (const auto value = value_of(aggregate, statistic)) out.key(name).number(*value);
  out.key("Unit").string(unit_name(unit));
  if (!asked.extended.empty()) {
    out.key("ExtendedStatistics").begin_object();
    for (const auto& [name, statistic] : asked.extended)
      if (const auto value = value_of(aggregate, statistic)) out.key(name).number(*value);
    out.end_object();
  }
  out.end_object();
  return true;
}

// ---- GetMetricData

// Where a page begins: the number of points before it, over all results in their order.
Checked<std::size_t> points_before(JsonView input) {
  MR_TRY(place, place_of_token(input));
  std::size_t before = 0;
  if (place.empty()) return before;
  const auto [end, error] = std::from_chars(place.data(), place.data() + place.size(), before);
  if (error != std::errc() || end != place.data() + place.size())
    return service_error("InvalidNextToken", "The next token is invalid.");
  return before;
}

Checked<bool> check_work(const std::vector<MetricQuery>& queries, Instant from, Instant until) {
  std::int64_t points = 0;
  for (const MetricQuery& query : queries)
    if (query.stat) points += (until - from) / query.period + 1;
  if (points > kQueryPointsMax)
    return validation(
        "You have requested up to " + shown_count(points) + " datapoints, which exceeds the limit of " +
        shown_count(kQueryPointsMax) +
        ". You may reduce the datapoints requested by increasing Period, or decreasing the time range.");
  return true;
}

struct DataPage {
  std::size_t skip = 0, room = 0;
  bool more = false;
};

// Of the points those that belong to the page.
MetricPoints page_part_of(MetricPoints points, bool descending, DataPage& page) {
  if (descending) std::reverse(points.begin(), points.end());
  const std::size_t skipped = std::min(page.skip, points.size());
  page.skip -= skipped;
  const std::size_t taken = std::min(page.room, points.size() - skipped);
  page.room -= taken;
  if (skipped + taken < points.size()) page.more = true;
  return {points.begin() + static_cast<std::ptrdiff_t>(skipped),
          points.begin() + static_cast<std::ptrdiff_t>(skipped + taken)};
}

void write_result(JsonWriter& out, const std::string& id, const std::string& label,
                  const MetricPoints& points, bool partial) {
  out.begin_object().key("Id").string(id).key("Label").string(label).key("Timestamps").begin_array();
  for (const auto& [time, value] : points) out.number(epoch_seconds(time));
  out.end_array().key("Values").begin_array();
  for (const auto& [time, value] : points) out.number(value);
  out.end_array().key("StatusCode").string(partial ? "PartialData" : "Complete").end_object();
}

}  // namespace

ServiceAnswer list_metrics(MetricSession& session, JsonView input) {
  MR_TRY(name_space, text_in(input, "Namespace"));
  MR_TRY(name, text_in(input, "MetricName"));
  MR_TRY(filters, dimension_filters_in(input));
  MR_TRY(recent, text_in(input, "RecentlyActive"));
  if (!recent.empty() && recent != "PT3H")
    return invalid_value("The value " + recent + " for parameter RecentlyActive is invalid; it is PT3H.");
  MR_TRY(place, place_of_token(input));
  const auto& all = session.points.metrics();
  auto at = all.begin();
  if (!place.empty()) {
    MR_TRY(last, metric_of_place(place));
    at = all.upper_bound(last);
  } else if (!name_space.empty()) {
    at = all.lower_bound(MetricId{name_space, "", {}});
  }
  const Instant since = session.now - (recent.empty() ? kListedFor : kRecent);
  JsonWriter out;
  out.begin_object().key("Metrics").begin_array();
  const MetricId* last = nullptr;
  std::size_t listed = 0;
  for (; at != all.end(); ++at) {
    const auto& [id, known] = *at;
    if (!name_space.empty() && id.name_space != name_space) break;
    if ((!name.empty() && id.name != name) || known.last < since || !dimensions_pass(id.dimensions, filters))
      continue;
    if (listed == kListedMetrics) break;
    write_metric(out, id);
    last = &id;
    ++listed;
  }
  out.end_array();
  const bool more = listed == kListedMetrics && at != all.end() &&
                    (name_space.empty() || at->first.name_space == name_space);
  if (more) out.key("NextToken").string(page_token(place_of_metric(*last)));
  return out.end_object().finish();
}

ServiceAnswer get_metric_statistics(MetricSession& session, JsonView input) {
  MR_TRY(id, metric_in(input));
  MR_TRY(from, required_time(input, "StartTime"));
  MR_TRY(until, required_time(input, "EndTime"));
  MR_TRY(period, period_in(input, "Period"));
  MR_TRY(asked, statistics_in(input));
  MR_TRY(unit, unit_in(input, -1));
  if (from >= until) return invalid_value("The parameter StartTime must be less than the parameter EndTime.");
  const std::int64_t count = (until - from) / period;
  if (count > kStatisticsPointsMax)
    return invalid_combination(
        "You have requested up to " + shown_count(count) + " datapoints, which exceeds the limit of " +
        shown_count(kStatisticsPointsMax) +
        ". You may reduce the datapoints requested by increasing Period, or decreasing the "
        "time range.");
  JsonWriter out;
  out.begin_object().key("Label").string(id.name).key("Datapoints").begin_array();
  if (const auto series = session.points.find(id)) {
    auto by_unit = session.points.read_by_unit(*series, from, until, period);
    if (!by_unit) return refused(by_unit.error());
    for (const auto& [number, periods] : *by_unit) {
      if (unit >= 0 && number != unit) continue;
      for (const auto& [time, aggregate] : periods) write_datapoint(out, time, number, aggregate, asked);
    }
  }
  return out.end_array().end_object().finish();
}

ServiceAnswer get_metric_data(MetricSession& session, JsonView input) {
  MR_TRY(queries, queries_in(input, "MetricDataQueries"));
  if (queries.empty()) return missing_parameter("MetricDataQueries");
  MR_TRY(from, required_time(input, "StartTime"));
  MR_TRY(until, required_time(input, "EndTime"));
  if (from >= until) return validation("The parameter StartTime must be less than the parameter EndTime.");
  MR_TRY(order, text_in(input, "ScanBy"));
  if (!order.empty() && order != "TimestampDescending" && order != "TimestampAscending")
    return validation("The value " + order + " for parameter ScanBy is invalid.");
  MR_TRY(room, whole_in(input, "MaxDatapoints", 1, kDataPointsMax));
  MR_TRY(before, points_before(input));
  MR_DO(check_work(queries, from, until));
  auto results = run_queries(session.points, queries, from, until);
  if (!results) return refused(results.error());
  std::sort(queries.begin(), queries.end(),
            [](const MetricQuery& a, const MetricQuery& b) { return a.place < b.place; });
  DataPage page{before, static_cast<std::size_t>(room.value_or(kDataPointsMax))};
  JsonWriter out;
  out.begin_object().key("MetricDataResults").begin_array();
  for (const MetricQuery& query : queries) {
    if (!query.return_data) continue;
    for (QueryResult& result : (*results)[query.id]) {
      const bool was_more = page.more;
      page.more = false;
      const MetricPoints part = page_part_of(std::move(result.points), order != "TimestampAscending", page);
      write_result(out, query.id, result.label, part, page.more);
      page.more = page.more || was_more;
    }
  }
  out.end_array();
  if (page.more)
    out.key("NextToken")
        .string(page_token(std::to_string(before + static_cast<std::size_t>(room.value_or(kDataPointsMax)))));
  out.key("Messages").begin_array().end_array();
  return out.end_object().finish();
}

}  // namespace millrace::tasks::cloudwatch
