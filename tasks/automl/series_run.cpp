// AutoML over series: a grid of times, candidates judged by the last steps of every series, the winner
// trained on all of them.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/channel_source.h"
#include "tasks/artifacts/read_table.h"
#include "tasks/automl/automl_book.h"
#include "tasks/automl/requests.h"
#include "tasks/automl/series_candidates.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/svg_chart.h"
#include "tasks/forecasting/run_series.h"
#include "tasks/jobs/job_kinds.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kSeriesShown = 50, kSeriesDrawn = 4;
constexpr std::size_t kHorizonsInSeries = 4;  // the longest series has so many at least

struct SeriesFigures {
  std::size_t steps = 0, missing = 0;
  double least = 0, mean = 0, most = 0;
};
SeriesFigures figures_of(const TimeSeries& series) {
  SeriesFigures out;
  out.steps = series.values.size();
  double sum = 0, count = 0;
  for (const double x : series.values) {
    if (std::isnan(x)) {
      ++out.missing;
      continue;
    }
    out.least = count > 0 ? std::min(out.least, x) : x, out.most = count > 0 ? std::max(out.most, x) : x;
    sum += x, ++count;
  }
  out.mean = count > 0 ? sum / count : std::nan("");
  return out;
}

std::string last_time(const TimeSeries& series, const Frequency& frequency) {
  return format_time_stamp(
      add_steps(series.start, static_cast<std::int64_t>(series.values.size()) - 1, frequency), frequency);
}

class SeriesRun {
 public:
  explicit SeriesRun(AutoMLBook& book) : book_(book), spec_(book.spec()), context_(book.context()) {}

  Result<Json> run() {
    MR_DO(explore());
    MR_DO(book_.begin("FeatureEngineering", 0.05));
    WinningJobs jobs;
    jobs.prepare = prepare_request();
    MR_DO(book_.run_processing(jobs.prepare));
    rules_.prepare_job = jobs.prepare["ProcessingJobName"];
    MR_DO(book_.train_all("TrainingModels", [&](std::size_t i) { return train_candidate(i); }));
    const Candidate& best = book_.candidates()[*winner_of(rules_, book_.candidates())];
    const std::string name = book_.child_name("final");
    jobs.train = request(name, best.members[0], true);
    MR_TRY(record, book_.run_child(kTrainingJobKind, name, jobs.train, false));
    if (text_in(record, "TrainingJobStatus") != "Completed")
      return invalid("the training job " + name + " did not complete: " + text_in(record, "FailureReason"));
    return book_.finish(jobs, name, text_at(record, {"ModelArtifacts", "S3ModelArtifacts"}));
  }

 private:
  Status explore() {
    MR_DO(book_.begin("AnalyzingData", 0));
    MR_TRY(inputs, read_processing_inputs(prepare_request(), context_.objects()));
    CsvOptions csv = grid_csv(spec_.forecast.grid);
    csv.cancelled = [this] { return book_.cancelled(); };
    MR_TRY(table, read_channel_table(context_.objects(), inputs.inputs[0].source, csv));
    MR_TRY(grid, make_series_grid(table, inputs.inputs[0].uri, spec_.forecast.grid));
    std::size_t longest = 0, short_ones = 0;
    for (const TimeSeries& series : grid.set.series) {
      longest = std::max(longest, series.values.size());
      short_ones += series.values.size() <= static_cast<std::size_t>(spec_.forecast.horizon);
    }
    if (longest < kHorizonsInSeries * static_cast<std::size_t>(spec_.forecast.horizon))
      return invalid("ForecastHorizon is " + std::to_string(spec_.forecast.horizon) +
                         ", but the longest series has " + std::to_string(longest) + " steps of " +
                         spec_.forecast.frequency,
                     "a horizon is at most a quarter of that: give more history, or ask for fewer steps");
    rules_.problem = Problem::Forecasting, rules_.image = "forecasting";
    MR_TRY(objective, objective_for(spec_.objective, rules_.problem));
    rules_.objective = objective;
    candidates_ = series_candidates(spec_.forecast.grid.frequency, spec_.algorithms);
    const std::vector<DataRemark> remarks = remarks_on(table, grid, short_ones);
    context_.log(std::to_string(grid.set.series.size()) + " series, " + std::to_string(longest) +
                 " steps in the longest");
    const auto wanted = static_cast<std::size_t>(spec_.candidates_max.value_or(kCandidatesMax));
    return book_.explored(remarks, page(grid, longest, remarks), std::min(wanted, candidates_.size()));
  }

  std::vector<DataRemark> remarks_on(const Table& table, const SeriesGrid& grid,
                                     std::size_t short_ones) const {
    std::vector<DataRemark> out;
    const auto add = [&](const char* severity, const std::string& column, std::string text) {
      out.push_back({severity, column, std::move(text)});
    };
    if (grid.aggregated > 0)
      add("note", spec_.target,
          std::to_string(grid.aggregated) + " rows share a step with others: the " +
              spec_.forecast.grid.aggregation + " of them counts");
    if (grid.moved)
      add("note", spec_.forecast.grid.columns.time, "times moved to the beginnings of their steps");
    if (grid.missing > 0)
      add(grid.missing * 2 > grid.rows ? "warning" : "note", spec_.target,
          std::to_string(grid.missing) + " steps between the first and the last of a series have no value; " +
              (grid.filled > 0 ? std::to_string(grid.filled) + " are filled as asked"
                               : "they are filled by the season before, or along a line"));
    if (short_ones > 0)
      add("warning", "",
          std::to_string(short_ones) +
              " series are not longer than the horizon: they are forecast, "
              "but candidates are not judged by them");
    const SeriesGridSettings& used = spec_.forecast.grid;
    for (const Column& column : table.columns) {
      const std::string& name = column.name;
      if (name == used.columns.item || name == used.columns.time || name == used.columns.target ||
          std::ranges::find(used.groups, name) != used.groups.end())
        continue;
      add("note", name, "left out: forecasts are made of the target's past alone");
    }
    return out;
  }

  std::string page(const SeriesGrid& grid, std::size_t longest,
                   const std::vector<DataRemark>& remarks) const {
    HtmlReport report("Series of " + spec_.job_name);
    const std::vector<TimeSeries>& all = grid.set.series;
    report.figures({{"rows", std::to_string(grid.rows)},
                    {"series", std::to_string(all.size())},
                    {"steps in the longest", std::to_string(longest)},
                    {"frequency", spec_.forecast.frequency},
                    {"horizon", std::to_string(spec_.forecast.horizon)},
                    {"target", spec_.target}});
    report.heading("Worth knowing");
    if (remarks.empty()) report.paragraph("Nothing stands out.");
    std::vector<HtmlReport::Row> rows;
    for (const DataRemark& remark : remarks)
      rows.push_back({{remark.severity, remark.column, remark.text}, remark.severity == "warning"});
    if (!rows.empty()) report.table({"", "column", ""}, rows);
    report.heading("Series");
    if (all.size() > kSeriesShown)
      report.paragraph("The first " + std::to_string(kSeriesShown) + " of " + std::to_string(all.size()) +
                       ".");
    rows.clear();
    const Frequency& frequency = grid.set.frequency;
    for (std::size_t i = 0; i < std::min(all.size(), kSeriesShown); ++i) {
      const SeriesFigures f = figures_of(all[i]);
      rows.push_back({{all[i].item_id, format_time_stamp(all[i].start, frequency),
                       last_time(all[i], frequency), std::to_string(f.steps), std::to_string(f.missing),
                       short_number(f.least), short_number(f.mean), short_number(f.most)},
                      false});
    }
    report.table({"series", "from", "to", "steps", "missing", "least", "mean", "most"}, rows);
    for (std::size_t i = 0; i < std::min(all.size(), kSeriesDrawn); ++i) {
      Chart chart;
      chart.title = all[i].item_id, chart.x_label = "step", chart.y_label = spec_.target;
      Series line;
      for (std::size_t t = 0; t < all[i].values.size(); ++t)
        line.points.emplace_back(static_cast<double>(t), all[i].values[t]);
      chart.series = {std::move(line)};
      report.chart(draw_chart(chart));
    }
    return report.finish();
  }

  Json prepare_request() const {
    const SeriesGridSettings& grid = spec_.forecast.grid;
    Json settings = {{"frequency", spec_.forecast.frequency}, {"target_column", grid.columns.target},
                     {"timestamp_column", grid.columns.time}, {"item_column", grid.columns.item},
                     {"aggregation", grid.aggregation},       {"horizon", spec_.forecast.horizon}};
    if (!grid.groups.empty()) settings["group_columns"] = grid.groups;
    if (!grid.filling.empty()) settings["filling"] = grid.filling;
    return builtin_processing(book_.child_name("prepare"), "series", settings,
                              Json::array({Json::array({"train", spec_.train_input})}),
                              join_uri(spec_.place(), "prepared"));
  }

  // `all_steps`: the last ones, too, so that there is nothing to judge by.
  Json request(const std::string& name, const EnsembleMember& member, bool all_steps) const {
    Json parameters = member.parameters;
    if (parameters.is_null()) parameters = Json::object();
    parameters["prediction_length"] = std::to_string(spec_.forecast.horizon);
    parameters["time_freq"] = spec_.forecast.frequency;
    parameters["test_quantiles"] = Json(spec_.forecast.levels).dump();
    parameters["seed"] = std::to_string(spec_.seed);
    const std::string prepared = join_uri(spec_.place(), "prepared");
    Json channels = Json::array();
    for (const auto& [channel, part] : {std::pair("train", all_steps ? "all" : "train"), {"test", "all"}}) {
      if (all_steps && std::string_view(channel) == "test") continue;
      channels.push_back({{"ChannelName", channel},
                          {"ContentType", "text/csv"},
                          {"DataSource", {{"S3DataSource", {{"S3Uri", join_uri(prepared, part)}}}}}});
    }
    Json job = {{"TrainingJobName", name},
                {"AlgorithmSpecification", {{"TrainingImage", "forecasting"}}},
                {"HyperParameters", parameters},
                {"InputDataConfig", channels},
                {"OutputDataConfig", {{"S3OutputPath", join_uri(spec_.place(), "models")}}}};
    if (spec_.training_seconds_max > 0 && !all_steps)
      job["StoppingCondition"]["MaxRuntimeInSeconds"] = spec_.training_seconds_max;
    return job;
  }

  Status train_candidate(std::size_t index) {
    const std::string name = book_.candidate_name(index);
    const EnsembleMember& member = candidates_[index];
    MR_TRY(record, book_.run_child(kTrainingJobKind, name, request(name, member, false), true));
    Candidate candidate;
    candidate.name = name, candidate.members = {member};
    AutoMLBook::take_record(record, candidate);
    for (const Json& metric : record.value("FinalMetricDataList", Json::array())) {
      const std::string metric_name = text_in(metric, "MetricName");
      if (metric_name.starts_with("test:")) candidate.metrics[metric_name] = metric.value("Value", 0.0);
    }
    return book_.add_candidate(std::move(candidate));
  }

  AutoMLBook& book_;
  const AutoMLSpec& spec_;
  JobContext& context_;
  BoardRules& rules_ = book_.rules();
  std::vector<EnsembleMember> candidates_;
};

}  // namespace

Result<Json> run_automl_series(AutoMLBook& book) {
  return SeriesRun(book).run();
}

}  // namespace millrace::tasks
