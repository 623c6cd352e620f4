#include "tasks/tuning/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/svg_parts.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/tuning/importance.h"
#include "tasks/tuning/results.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kLeaderboardRows = 100, kParallelLinesMax = 500, kParallelAxesMax = 12;
constexpr double kAxisGap = 130, kParallelTop = 64, kParallelHeight = 320, kParallelLeft = 70;

// A trial with an objective, as a point of the space.
struct PlacedTrial {
  std::int64_t number = 0;
  Point point;
  double value = 0;
};

std::vector<PlacedTrial> placed_trials(const TuningSpec& spec, std::span<const TrialRecord> trials) {
  std::vector<PlacedTrial> out;
  for (const TrialRecord& record : trials) {
    if (record.outcome.status == TrialStatus::Failed) continue;
    const auto value = record.outcome.metrics.find(spec.metric);
    auto point = point_of(spec.space, record.trial.parameters);
    if (value == record.outcome.metrics.end() || !point) continue;
    out.push_back({record.trial.number, std::move(*point), value->second});
  }
  return out;
}

// Where a line meets the axis of a hyperparameter; less than 0: nowhere.
double place_on_axis(const ParameterRange& range, double coordinate) {
  if (coordinate == kAbsent || !range.categorical()) return coordinate;
  const auto steps = static_cast<double>(range.values.size() - 1);
  return steps > 0 ? coordinate / steps : 0.5;
}

std::vector<std::pair<std::string, double>> importance_of(const TuningSpec& spec,
                                                          const std::vector<PlacedTrial>& trials) {
  std::vector<Observation> observations;
  for (const PlacedTrial& trial : trials)
    observations.push_back({trial.point, spec.maximize ? -trial.value : trial.value});
  const std::vector<double> shares = parameter_importance(spec.space, observations, spec.seed);
  std::vector<std::pair<std::string, double>> out;
  for (std::size_t i = 0; i < shares.size(); ++i) out.emplace_back(spec.space[i].name, shares[i]);
  std::ranges::stable_sort(out, std::greater<>(), [](const auto& entry) { return entry.second; });
  return out;
}

Json scatter_of(const ParameterRange& range, std::size_t index, const std::vector<PlacedTrial>& trials) {
  const bool logarithmic = range.scaling == ParameterRange::Scaling::Logarithmic;
  Json points = Json::array();
  for (const PlacedTrial& trial : trials) {
    if (trial.point[index] == kAbsent) continue;
    const std::string text = value_text(range, trial.point[index]);
    const Json x = range.categorical() ? Json(text) : Json(parse_real(text).value_or(0));
    points.push_back({{"trial", trial.number}, {"x", x}, {"value", trial.value}});
  }
  return {{"name", range.name},
          {"scale", range.categorical() ? "category"
                    : logarithmic       ? "logarithmic"
                                        : "linear"},
          {"points", points}};
}

// What stands at a place of the axis.
std::string end_text(const ParameterRange& range, double coordinate) {
  const std::string text = value_text(range, coordinate);
  const auto number = range.categorical() ? std::nullopt : parse_real(text);
  return number ? svg::number_label(*number) : text;  // 0.5, not 0.49999999999999994
}

Json axis_of(const ParameterRange& range) {
  if (range.categorical()) return {{"name", range.name}, {"kind", "category"}, {"values", range.values}};
  const bool integer = range.kind == ParameterRange::Kind::Integer;
  return {{"name", range.name},
          {"kind", integer ? "integer" : "continuous"},
          {"low", range.low},
          {"high", range.high}};
}

// Their places among all, 0 for the best.
std::vector<std::size_t> ranks_of(const TuningSpec& spec, const std::vector<PlacedTrial>& trials) {
  std::vector<std::size_t> order(trials.size()), ranks(trials.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return spec.maximize ? trials[a].value > trials[b].value : trials[a].value < trials[b].value;
  });
  for (std::size_t k = 0; k < order.size(); ++k) ranks[order[k]] = k;
  return ranks;
}

std::string axis_lines(const std::vector<std::string>& names,
                       const std::vector<std::pair<std::string, std::string>>& ends) {
  std::string out;
  for (std::size_t a = 0; a < names.size(); ++a) {
    const double x = kParallelLeft + kAxisGap * static_cast<double>(a);
    out += svg::line(x, kParallelTop, x, kParallelTop + kParallelHeight, "mr-axis");
    out += svg::text(x, kParallelTop - 8, svg::shortened(ends[a].second, 16), "mr-tick");
    out += svg::text(x, kParallelTop + kParallelHeight + 18, svg::shortened(ends[a].first, 16), "mr-tick");
    out += svg::text(x, kParallelTop + kParallelHeight + 38, svg::shortened(names[a], 17), "");
  }
  return out;
}

// The stretches of a trial's line; where a hyperparameter is not there it is interrupted.
std::string trial_line(const std::vector<double>& places, bool front) {
  std::string out, path;
  const auto close = [&] {
    if (path.find(' ') != path.npos)
      out += "<polyline points=\"" + path + "\" class=\"mr-line " +
             (front ? "mr-s1\" stroke-opacity=\".85\"/>\n" : "mr-s0\" stroke-opacity=\".22\"/>\n");
    path.clear();
  };
  for (std::size_t a = 0; a < places.size(); ++a) {
    if (places[a] < 0) {
      close();
      continue;
    }
    if (!path.empty()) path += ' ';
    path += svg::px(kParallelLeft + kAxisGap * static_cast<double>(a)) + "," +
            svg::px(kParallelTop + kParallelHeight * (1 - places[a]));
  }
  close();
  return out;
}

}  // namespace

Json search_charts(const TuningSpec& spec, std::span<const TrialRecord> records) {
  const std::vector<PlacedTrial> trials = placed_trials(spec, records);
  Json charts;
  charts["objective"] = {{"name", spec.metric}, {"type", spec.maximize ? "Maximize" : "Minimize"}};
  charts["best_so_far"] = Json::array();
  double best = 0;
  for (const PlacedTrial& trial : trials) {
    const bool first = charts["best_so_far"].empty();
    best = first ? trial.value : spec.maximize ? std::max(best, trial.value) : std::min(best, trial.value);
    charts["best_so_far"].push_back({{"trial", trial.number}, {"value", best}});
  }
  charts["importance"] = Json::array();
  for (const auto& [name, share] : importance_of(spec, trials))
    charts["importance"].push_back({{"name", name}, {"share", share}});
  charts["scatter"] = Json::array();
  Json axes = Json::array(), lines = Json::array();
  for (std::size_t i = 0; i < spec.space.size(); ++i) {
    charts["scatter"].push_back(scatter_of(spec.space[i], i, trials));
    axes.push_back(axis_of(spec.space[i]));
  }
  for (const PlacedTrial& trial : trials) {
    Json places = Json::array();
    for (std::size_t i = 0; i < spec.space.size(); ++i) {
      const double place = place_on_axis(spec.space[i], trial.point[i]);
      places.push_back(place < 0 ? Json() : Json(place));
    }
    lines.push_back({{"trial", trial.number}, {"value", trial.value}, {"places", places}});
  }
  charts["parallel"] = {{"axes", axes}, {"lines", lines}};
  return charts;
}

std::string draw_parallel_trials(const TuningSpec& spec, std::span<const TrialRecord> records) {
  const std::vector<PlacedTrial> trials = placed_trials(spec, records);
  const std::vector<std::size_t> ranks = ranks_of(spec, trials);
  const std::size_t shown = std::min(spec.space.size(), kParallelAxesMax);
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::string>> ends;
  for (std::size_t i = 0; i < shown; ++i) {
    const ParameterRange& range = spec.space[i];
    names.push_back(range.name);
    ends.emplace_back(end_text(range, 0),
                      end_text(range, range.categorical() ? double(range.values.size() - 1) : 1));
  }
  // The objective's axis goes by rank: values of bad trials would press the others together.
  names.push_back(spec.metric);
  ends.emplace_back("worst", "best");
  const double width = 2 * kParallelLeft + kAxisGap * static_cast<double>(shown);
  std::string title = "All trials";
  if (shown < spec.space.size()) title += " (the first " + std::to_string(shown) + " hyperparameters)";
  std::string out = svg::page(width, kParallelTop + kParallelHeight + 60, title);
  const std::size_t front = (trials.size() + 9) / 10;
  for (const bool front_pass : {false, true}) {
    for (std::size_t t = 0; t < trials.size(); ++t) {
      if ((ranks[t] < front) != front_pass || ranks[t] >= kParallelLinesMax) continue;
      std::vector<double> places;
      for (std::size_t i = 0; i < shown; ++i)
        places.push_back(place_on_axis(spec.space[i], trials[t].point[i]));
      const auto last = static_cast<double>(std::max<std::size_t>(1, trials.size() - 1));
      places.push_back(1 - static_cast<double>(ranks[t]) / last);
      out += trial_line(places, front_pass);
    }
  }
  return out + axis_lines(names, ends) + "</svg>\n";
}

std::string search_page(const TuningSpec& spec, std::span<const TrialRecord> trials, const Json& data,
                        const std::vector<std::string>& charts) {
  const std::vector<std::size_t> order = leaderboard(spec, trials);
  HtmlReport page("Tuning job " + spec.job_name);
  std::vector<std::pair<std::string, std::string>> figures = {{"trials", std::to_string(trials.size())}};
  if (!order.empty())
    figures.emplace_back("best " + spec.metric,
                         short_number(trials[order[0]].outcome.metrics.at(spec.metric)));
  page.figures(figures);

  page.heading("Leaderboard");
  std::vector<std::string> head = {"rank", "trial", spec.metric, "status"};
  for (const ParameterRange& range : spec.space) head.push_back(range.name);
  std::vector<HtmlReport::Row> rows;
  for (const std::size_t i : order) {
    if (rows.size() == kLeaderboardRows) break;
    const TrialRecord& record = trials[i];
    HtmlReport::Row row{
        {std::to_string(rows.size() + 1), std::to_string(record.trial.number),
         short_number(record.outcome.metrics.at(spec.metric)), std::string(name_of(record.outcome.status))},
        rows.empty()};
    for (const ParameterRange& range : spec.space) {
      const auto value = record.trial.parameters.find(range.name);
      const auto number = value == record.trial.parameters.end() ? std::nullopt : parse_real(value->second);
      row.cells.push_back(number                                   ? short_number(*number)
                          : value == record.trial.parameters.end() ? ""
                                                                   : value->second);
    }
    rows.push_back(std::move(row));
  }
  page.table(head, rows);
  if (order.size() > kLeaderboardRows)
    page.paragraph(std::to_string(order.size() - kLeaderboardRows) + " more are in trials.csv.");

  if (!data["importance"].empty()) {
    std::vector<std::pair<std::string, double>> bars;
    double alone = 0;
    for (const Json& entry : data["importance"]) {
      bars.emplace_back(entry["name"], entry["share"].get<double>());
      alone += bars.back().second;
    }
    page.heading("What mattered");
    page.paragraph(
        "The share of the differences between trials that each hyperparameter explains by itself. " +
        percent(std::max(0.0, 1 - alone)) + " belong to several of them together, and to chance.");
    page.chart(draw_bars("Importance", "share of the variance", bars));
  }
  page.heading("Charts");
  for (const std::string& chart : charts) page.chart(chart);
  return page.finish();
}

}  // namespace millrace::tasks
