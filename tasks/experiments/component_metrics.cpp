// BatchPutMetrics and BatchGetMetrics: the curves that scripts log; see experiments.h.

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/experiments/experiments.h"
#include "tasks/experiments/job_components.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kMetricsAtOnce = 10, kQueriesAtOnce = 100, kMetricNameMax = 255;

Result<Jobs::MetricValue> metric_value(const Arguments& entry, std::int64_t now_ms) {
  Jobs::MetricValue value;
  MR_TRY(name, entry.text("MetricName"));
  if (name.size() > kMetricNameMax) return entry.wrong("MetricName", "has more than 255 characters");
  value.metric = std::move(name);
  MR_TRY(time, time_argument(entry, "Timestamp"));
  value.time_ms = time.value_or(now_ms);
  if (entry.has("Step")) {
    MR_TRY(step, entry.integer_or("Step", 0));
    if (step < 0) return entry.wrong("Step", "must not be negative");
    value.step = step;
  }
  MR_TRY(number, entry.real_or("Value", std::nan("")));
  if (!std::isfinite(number)) return entry.wrong("Value", "a finite number is required");
  value.value = number;
  return value;
}

Result<Json> put_values(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("TrialComponentName"));
  MR_TRY(entries, arguments.list("MetricData"));
  if (entries.empty() || entries.size() > kMetricsAtOnce)
    return arguments.wrong("MetricData", "needs 1 to 10 values, has " + std::to_string(entries.size()));
  MR_DO(call.context.jobs().find(kTrialComponent.kind, name));
  const std::int64_t now = to_millis(call.context.clock().now());
  std::vector<Jobs::MetricValue> values;
  Json errors = Json::array();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    auto value = metric_value(entries[i], now);
    if (value)
      values.push_back(*std::move(value));
    else
      errors.push_back(
          {{"Code", "VALIDATION_ERROR"}, {"MetricIndex", i}, {"Message", value.error().message}});
  }
  MR_DO(call.context.jobs().add_metrics(name, values));
  return Json{{"Errors", std::move(errors)}};
}

// Values that stand at the same place of the x axis.
struct MetricBucket {
  double sum = 0, squares = 0, least = 0, most = 0, last = 0;
  std::int64_t count = 0;
  void add(double value) {
    least = count ? std::min(least, value) : value;
    most = count ? std::max(most, value) : value;
    sum += value, squares += value * value, last = value, ++count;
  }
  double statistic(const std::string& name) const {
    const double n = static_cast<double>(count), mean = sum / n;
    if (name == "Min") return least;
    if (name == "Max") return most;
    if (name == "Count") return n;
    if (name == "Last") return last;
    if (name == "StdDev") return std::sqrt(std::max(0.0, squares / n - mean * mean));
    return mean;
  }
};

std::int64_t period_ms(const std::string& period) {
  if (period == "OneHour") return 3'600'000;
  return period == "FiveMinute" ? 300'000 : 60'000;
}

// What the job behind the component reported by round; its last value has a time of its own.
std::vector<Jobs::MetricValue> reported_by_job(const Jobs& jobs, const Json& component,
                                               const std::string& metric, bool by_step) {
  std::vector<Jobs::MetricValue> values;
  const auto add = [&](const Json& value, std::optional<std::int64_t> step, std::int64_t time_ms) {
    if (value.is_number()) values.push_back({metric, time_ms, step, value.get<double>()});
  };
  if (by_step) {
    const Json course = job_course(jobs, component).value(metric, Json::object());
    const auto stride = course.value("Stride", std::int64_t{1});
    std::int64_t step = 0;
    for (const Json& value : course.value("Values", Json::array())) add(value, step++ * stride, 0);
    return values;
  }
  const Json notes = component.value(kNotes, Json::object());
  for (const Json& one : notes.value("FinalMetrics", Json::array()))
    if (text_in(one, "MetricName") == metric && one.contains("Value"))
      add(one["Value"], std::nullopt, one.value("Timestamp", std::int64_t{0}));
  return values;
}

Result<Json> queried(const Jobs& jobs, const Arguments& query) {
  MR_TRY(metric, query.text("MetricName"));
  MR_TRY(arn, query.text("ResourceArn"));
  MR_TRY(statistic, query.text_or("MetricStat", "Last"));
  MR_DO(query.one_of("MetricStat", statistic, "Min|Max|Avg|Count|StdDev|Last"));
  MR_TRY(period, query.text_or("Period", "IterationNumber"));
  MR_DO(query.one_of("Period", period, "OneMinute|FiveMinute|OneHour|IterationNumber"));
  MR_TRY(axis, query.text_or("XAxisType", "IterationNumber"));
  MR_DO(query.one_of("XAxisType", axis, "IterationNumber|Timestamp"));
  MR_TRY(from, query.integer_or("Start", -1));
  MR_TRY(until, query.integer_or("End", -1));
  std::string name = name_of(kTrialComponent, arn);
  if (const EntityKind* job = entity_of_arn(arn); job && job->kind != kTrialComponent.kind)
    name = name_of(*job, arn) + "-aws-" + std::string(job->arn_type);
  MR_TRY(component, jobs.find(kTrialComponent.kind, name));
  MR_TRY(values, jobs.metrics(name, metric));
  const bool by_step = axis == "IterationNumber";
  if (values.empty()) values = reported_by_job(jobs, component, metric, by_step);
  std::map<std::int64_t, MetricBucket> buckets;
  std::int64_t next_step = 0;
  for (const Jobs::MetricValue& value : values) {
    const std::int64_t step = value.step.value_or(next_step);
    next_step = step + 1;
    const std::int64_t seconds = value.time_ms / 1000;
    const std::int64_t at = by_step ? step : seconds;
    if ((from >= 0 && at < from) || (until >= 0 && at > until)) continue;
    const bool each = by_step || period == "IterationNumber";
    buckets[each ? at : value.time_ms / period_ms(period) * period_ms(period) / 1000].add(value.value);
  }
  Json x = Json::array(), y = Json::array();
  for (const auto& [at, bucket] : buckets) x.push_back(at), y.push_back(bucket.statistic(statistic));
  return Json{{"Status", "Complete"}, {"XAxisValues", std::move(x)}, {"MetricValues", std::move(y)}};
}

}  // namespace

Outcome batch_put_metrics(TaskCall& call) {
  const auto answer = put_values(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

Outcome batch_get_metrics(TaskCall& call) {
  const auto queries = Arguments(call.arguments).list("MetricQueries");
  if (!queries) return sagemaker_failure(queries.error());
  if (queries->empty() || queries->size() > kQueriesAtOnce)
    return sagemaker_failure("ValidationException", "MetricQueries needs 1 to 100 queries");
  Json results = Json::array();
  for (const Arguments& query : *queries) {
    const auto result = queried(call.context.jobs(), query);
    if (result)
      results.push_back(*result);
    else
      results.push_back({{"Status", "ValidationError"},
                         {"Message", result.error().message},
                         {"XAxisValues", Json::array()},
                         {"MetricValues", Json::array()}});
  }
  return to_payload(Json{{"MetricQueryResults", std::move(results)}});
}

}  // namespace millrace::tasks
