#include "tasks/metrics/metric_query.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace millrace::tasks {
namespace {

using namespace cloudwatch;

bool good_query_id(const std::string& id) {
  return !id.empty() && id.size() <= 255 && std::islower(static_cast<unsigned char>(id[0])) &&
         std::all_of(id.begin(), id.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; });
}

Checked<MetricStat> stat_in(JsonView view) {
  const JsonView metric = member(view, "Metric");
  if (!metric) return missing_parameter("MetricStat.Metric");
  MetricStat stat;
  MR_TRY(id, metric_in(metric));
  MR_TRY(period, period_in(view, "Period"));
  MR_TRY(name, required_text(view, "Stat"));
  MR_TRY(statistic, statistic_named(name));
  MR_TRY(unit, unit_in(view, -1));
  return MetricStat{std::move(id), period, std::move(name), statistic, unit};
}

Checked<MetricQuery> query_in(JsonView view) {
  MetricQuery query;
  MR_TRY(id, required_text(view, "Id"));
  MR_TRY(label, text_in(view, "Label"));
  MR_TRY(return_data, flag_in(view, "ReturnData", true));
  MR_TRY(expression, text_in(view, "Expression", MetricMath::kTextMax));
  if (!good_query_id(id))
    return validation("The value " + id +
                      " for parameter Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.");
  const JsonView stat = member(view, "MetricStat");
  if (static_cast<bool>(stat) == !expression.empty())
    return validation("The query " + id + " must have either a MetricStat or an Expression.");
  if (stat) {
    MR_TRY(read, stat_in(stat));
    query.period = read.period;
    query.stat = std::move(read);
  } else {
    auto math = MetricMath::parse(expression);
    if (!math)
      return validation("Error in expression '" + id + "': " + math.error().message +
                        (math.error().hint.empty() ? "" : "; " + math.error().hint));
    query.math = *std::move(math);
    query.period = Millis(0);
    if (member(view, "Period")) {
      MR_TRY(period, period_in(view, "Period"));
      query.period = period;
    }
  }
  query.id = std::move(id);
  query.label = std::move(label);
  query.expression = std::move(expression);
  query.return_data = return_data;
  return query;
}

// Metrics first, then expressions as what they refer to is there.
Checked<std::vector<MetricQuery>> queries_in_order(std::vector<MetricQuery> given) {
  std::vector<MetricQuery> ordered;
  std::set<std::string> ready, all;
  for (const MetricQuery& query : given)
    if (!all.insert(query.id).second) return validation("The id " + query.id + " is there twice.");
  for (const MetricQuery& query : given)
    for (const std::string& id : query.math.ids())
      if (all.count(id) == 0)
        return validation("Error in expression '" + query.id + "': there is no metric or expression '" + id +
                          "'");
  // METRICS() stands for all of them, by no id.
  std::stable_partition(given.begin(), given.end(),
                        [](const MetricQuery& query) { return query.stat.has_value(); });
  for (std::size_t before = given.size() + 1; !given.empty() && given.size() < before;) {
    before = given.size();
    std::vector<MetricQuery> later;
    for (MetricQuery& query : given) {
      const auto& ids = query.math.ids();
      const bool can =
          std::all_of(ids.begin(), ids.end(), [&](const std::string& id) { return ready.count(id) > 0; });
      if (!can) {
        later.push_back(std::move(query));
        continue;
      }
      ready.insert(query.id);
      ordered.push_back(std::move(query));
    }
    given = std::move(later);
  }
  if (!given.empty())
    return validation("The expression '" + given.front().id + "' refers to itself, directly or in a circle.");
  // An expression without a period of its own has the longest of the metrics'.
  Millis longest{0};
  for (const MetricQuery& query : ordered)
    if (query.stat) longest = std::max(longest, query.stat->period);
  for (MetricQuery& query : ordered)
    if (query.period == Millis(0)) query.period = longest > Millis(0) ? longest : Millis(60'000);
  return ordered;
}

QueryResult read_stat(const MetricStat& stat, PointTable::Periods periods) {
  QueryResult result;
  for (const auto& [time, aggregate] : periods) {
    result.samples[time] = aggregate.count;
    if (const auto value = value_of(aggregate, stat.statistic)) result.points.emplace_back(time, *value);
  }
  return result;
}

Result<std::vector<QueryResult>> run_expression(const MetricQuery& query, MathEnvironment& environment) {
  auto value = query.math.evaluate(environment);
  if (!value) return invalid("Error in expression '" + query.id + "': " + value.error().message);
  environment.values[query.id] = *value;
  std::vector<QueryResult> results;
  const std::string label = query.label.empty() ? query.id : query.label;
  if (auto* points = std::get_if<MetricPoints>(&*value)) {
    results.push_back({label, std::move(*points), {}});
  } else if (auto* list = std::get_if<std::vector<MetricPoints>>(&*value)) {
    for (MetricPoints& one : *list) results.push_back({label, std::move(one), {}});
  } else if (query.return_data) {
    return invalid("Error in expression '" + query.id +
                   "': its result is a number, not a time series; TIME_SERIES(…) makes one of it");
  }
  return results;
}

}  // namespace

Checked<std::vector<MetricQuery>> queries_in(JsonView input, std::string_view name) {
  MR_TRY(list, objects_in(input, name, kQueriesMax));
  std::vector<MetricQuery> queries;
  for (const JsonView one : list) {
    MR_TRY(query, query_in(one));
    query.place = queries.size();
    queries.push_back(std::move(query));
  }
  return queries_in_order(std::move(queries));
}

Result<std::map<std::string, std::vector<QueryResult>>> run_queries(PointTable& points,
                                                                    const std::vector<MetricQuery>& queries,
                                                                    Instant from, Instant until) {
  std::map<std::string, std::vector<QueryResult>> results;
  MathEnvironment environment;
  environment.start = from;
  environment.end = until;
  for (const MetricQuery& query : queries) {
    environment.period = query.period;
    if (!query.stat) {
      MR_TRY(made, run_expression(query, environment));
      results[query.id] = std::move(made);
      continue;
    }
    const MetricStat& stat = *query.stat;
    PointTable::Periods periods;
    if (const auto series = points.find(stat.metric)) {
      MR_TRY(read, points.read(*series, stat.unit, from, until, stat.period));
      periods = std::move(read);
    }
    QueryResult result = read_stat(stat, std::move(periods));
    result.label = query.label.empty() ? stat.metric.name : query.label;
    environment.values[query.id] = result.points;
    environment.metrics.push_back(query.id);
    results[query.id].push_back(std::move(result));
  }
  return results;
}

}  // namespace millrace::tasks
