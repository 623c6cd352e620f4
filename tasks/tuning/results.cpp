#include "tasks/tuning/results.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/svg_chart.h"
#include "tasks/table/csv.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/tuning/report.h"

namespace millrace::tasks {

namespace {

bool scored(const TrialRecord& record) {
  return record.outcome.status != TrialStatus::Failed;
}

double objective_of(const TuningSpec& spec, const TrialRecord& record) {
  return record.outcome.metrics.at(spec.metric);
}

bool better(const TuningSpec& spec, double a, double b) {
  return spec.maximize ? a > b : a < b;
}

Column text_column(std::string name) {
  Column column;
  column.name = std::move(name), column.type = Column::Type::Text;
  return column;
}

void add_text(Column& column, std::string text) {
  column.missing.push_back(text.empty());
  column.texts.push_back(std::move(text));
}

// Empty where the hyperparameter is not there.
std::string tuned_value(const TrialRecord& record, const ParameterRange& range) {
  const auto found = record.trial.parameters.find(range.name);
  return found == record.trial.parameters.end() ? "" : found->second;
}

std::string number_text(double value) {
  return Json(value).dump();
}

Table table_of(const TuningSpec& spec, std::span<const TrialRecord> trials) {
  const std::vector<std::size_t> order = leaderboard(spec, trials);
  std::vector<std::string> ranks(trials.size());
  for (std::size_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = std::to_string(rank + 1);
  Table table;
  table.rows = trials.size();
  for (const char* name : {"trial", "training_job", "status", "rank"})
    table.columns.push_back(text_column(name));
  table.columns.push_back(text_column(spec.metric));
  for (const ParameterRange& range : spec.space) table.columns.push_back(text_column(range.name));
  for (std::size_t i = 0; i < trials.size(); ++i) {
    add_text(table.columns[0], std::to_string(trials[i].trial.number));
    add_text(table.columns[1], trials[i].trial.job_name);
    add_text(table.columns[2], std::string(name_of(trials[i].outcome.status)));
    add_text(table.columns[3], ranks[i]);
    add_text(table.columns[4], scored(trials[i]) ? number_text(objective_of(spec, trials[i])) : "");
    for (std::size_t k = 0; k < spec.space.size(); ++k)
      add_text(table.columns[5 + k], tuned_value(trials[i], spec.space[k]));
  }
  return table;
}

Json json_of(const TuningSpec& spec, std::span<const TrialRecord> trials) {
  const auto entry = [&](const TrialRecord& record) {
    Json json;
    json["TrainingJobName"] = record.trial.job_name;
    json["Trial"] = record.trial.number;
    json["TrainingJobStatus"] = name_of(record.outcome.status);
    json["TunedHyperParameters"] = record.trial.parameters;
    if (scored(record))
      json["FinalHyperParameterTuningJobObjectiveMetric"] = {{"MetricName", spec.metric},
                                                             {"Value", objective_of(spec, record)}};
    if (!record.outcome.failure.empty()) json["FailureReason"] = record.outcome.failure;
    json["Metrics"] = record.outcome.metrics;
    json["Curve"] = record.curve;
    return json;
  };
  Json list = Json::array();
  for (const std::size_t i : leaderboard(spec, trials)) list.push_back(entry(trials[i]));
  for (const TrialRecord& record : trials) {
    if (!scored(record)) list.push_back(entry(record));
  }
  return list;
}

std::string draw_best_so_far(const TuningSpec& spec, std::span<const TrialRecord> trials) {
  Chart chart;
  chart.title = "Best " + spec.metric + " so far", chart.x_label = "trial", chart.y_label = spec.metric;
  Series all, best;
  all.name = "trial", all.style = Series::Style::Points;
  best.name = "best so far", best.style = Series::Style::Steps;
  for (const TrialRecord& record : trials) {
    if (!scored(record)) continue;
    const auto x = static_cast<double>(record.trial.number);
    const double y = objective_of(spec, record);
    all.points.emplace_back(x, y);
    const double before = best.points.empty() ? y : best.points.back().second;
    best.points.emplace_back(x, better(spec, y, before) ? y : before);
  }
  chart.series = {std::move(all), std::move(best)};
  return draw_chart(chart);
}

// Numbers by value; categories by their position, which the axis names.
std::string draw_parameter(const TuningSpec& spec, const ParameterRange& range,
                           std::span<const TrialRecord> trials) {
  Chart chart;
  chart.title = spec.metric + " by " + range.name, chart.x_label = range.name, chart.y_label = spec.metric;
  chart.x_log = range.scaling == ParameterRange::Scaling::Logarithmic;
  for (std::size_t i = 0; range.categorical() && i < range.values.size(); ++i) {
    chart.x_label += (i == 0 ? " (" : ", ") + std::to_string(i) + " = " + range.values[i] +
                     (i + 1 == range.values.size() ? ")" : "");
  }
  Series points;
  points.style = Series::Style::Points;
  for (const TrialRecord& record : trials) {
    if (!scored(record)) continue;
    const std::string text = tuned_value(record, range);
    if (text.empty()) continue;
    const double x =
        range.categorical() ? coordinate_of(range, text).value_or(0) : parse_real(text).value_or(0);
    points.points.emplace_back(x, objective_of(spec, record));
  }
  chart.series = {std::move(points)};
  return draw_chart(chart);
}

}  // namespace

std::string_view name_of(TrialStatus status) {
  switch (status) {
    case TrialStatus::Completed:
      return "Completed";
    case TrialStatus::Stopped:
      return "Stopped";
    case TrialStatus::Failed:
      return "Failed";
  }
  return "Failed";
}

std::vector<std::size_t> leaderboard(const TuningSpec& spec, std::span<const TrialRecord> trials) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (scored(trials[i])) order.push_back(i);
  }
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    const TrialStatus sa = trials[a].outcome.status, sb = trials[b].outcome.status;
    if (sa != sb) return sa == TrialStatus::Completed;
    return better(spec, objective_of(spec, trials[a]), objective_of(spec, trials[b]));
  });
  return order;
}

std::optional<std::size_t> best_of(const TuningSpec& spec, std::span<const TrialRecord> trials) {
  const std::vector<std::size_t> order = leaderboard(spec, trials);
  return order.empty() ? std::nullopt : std::optional(order.front());
}

std::string describe(const TuningSpec& spec, const TrialRecord& record) {
  std::string text(name_of(record.outcome.status));
  text += ": " + (scored(record) ? spec.metric + " " + number_text(objective_of(spec, record))
                                 : record.outcome.failure);
  const char* separator = " with ";
  for (const auto& [name, value] : record.trial.parameters) {
    text += separator + name + " " + value;
    separator = ", ";
  }
  return text;
}

Json trial_request(const TuningSpec& spec, const Trial& trial) {
  Json request = spec.definition;
  request.erase("StaticHyperParameters");
  request["TrainingJobName"] = trial.job_name;
  HyperParameters parameters = spec.static_parameters;
  parameters.insert(trial.parameters.begin(), trial.parameters.end());
  request["HyperParameters"] = parameters;
  return request;
}

Status write_results(const TuningSpec& spec, std::span<const TrialRecord> trials, const ObjectStore& objects,
                     std::string_view uri) {
  MR_DO(objects.write(join_uri(uri, "trials.csv"), format_csv(table_of(spec, trials))));
  MR_DO(objects.write(join_uri(uri, "trials.json"), json_of(spec, trials).dump(2) + "\n"));
  std::vector<std::string> charts = {draw_best_so_far(spec, trials), draw_parallel_trials(spec, trials)};
  MR_DO(objects.write(join_uri(uri, "best_so_far.svg"), charts[0]));
  MR_DO(objects.write(join_uri(uri, "parallel_coordinates.svg"), charts[1]));
  for (const ParameterRange& range : spec.space) {
    charts.push_back(draw_parameter(spec, range, trials));
    MR_DO(objects.write(join_uri(uri, range.name + ".svg"), charts.back()));
  }
  const Json data = search_charts(spec, trials);
  MR_DO(objects.write(join_uri(uri, "charts.json"), data.dump(2) + "\n"));
  return objects.write(join_uri(uri, "report.html"), search_page(spec, trials, data, charts));
}

}  // namespace millrace::tasks
