#pragma once
// What GetMetricData and alarms ask: metrics with a statistic, and expressions over them. Store thread.
// Source: Amazon CloudWatch API reference, MetricDataQuery.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tasks/metrics/metric_math.h"
#include "tasks/metrics/point_table.h"
#include "tasks/metrics/request.h"

namespace millrace::tasks {

struct MetricStat {
  MetricId metric;
  Millis period{60'000};
  std::string name;  // of the statistic, as it was asked for
  Statistic statistic;
  int unit = -1;  // any
};

struct MetricQuery {
  std::string id, label;
  std::optional<MetricStat> stat;  // or
  std::string expression;
  MetricMath math;
  bool return_data = true;
  std::size_t place = 0;  // in the request
  Millis period{60'000};
};

constexpr std::size_t kQueriesMax = 500;
constexpr std::int64_t kQueryPointsMax = 1'000'000;  // that one request may look at

// Of MetricDataQueries (or an alarm's Metrics), in an order in which each refers to earlier ones only.
// ValidationError: ids that are missing, double or go round in a circle.
Checked<std::vector<MetricQuery>> queries_in(JsonView input, std::string_view name);

struct QueryResult {
  std::string label;
  MetricPoints points;
  std::map<Instant, double> samples;  // of a metric: how many values each point has
};
// The results of all queries, by their ids: of an expression that gives several series several.
// InvalidArgument: an expression's operands do not go together, or its result is a number.
Result<std::map<std::string, std::vector<QueryResult>>> run_queries(PointTable& points,
                                                                    const std::vector<MetricQuery>& queries,
                                                                    Instant from, Instant until);

}  // namespace millrace::tasks
