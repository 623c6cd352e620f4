#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/svg_chart.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/monitor/data_check.h"
#include "tasks/monitor/monitor.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/stream_channel.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kDriftChartBins = 25, kDriftChartsMax = 100;
constexpr std::size_t kHistoryFeatures = 8;  // lines in the chart of distances over time

// Both distributions as shares over the same bins.
std::string drift_chart(const FeatureDrift& drift) {
  if (!drift.numeric) {
    double before = 0, now = 0;
    for (std::size_t i = 0; i < drift.categories.size(); ++i)
      before += drift.counts.baseline[i], now += drift.counts.current[i];
    std::vector<std::pair<std::string, double>> bars;
    for (std::size_t i = 0; i < drift.categories.size(); ++i)
      bars.emplace_back(drift.categories[i], drift.counts.current[i] / std::max(now, 1.0) -
                                                 drift.counts.baseline[i] / std::max(before, 1.0));
    std::stable_sort(bars.begin(), bars.end(),
                     [](const auto& a, const auto& b) { return std::abs(a.second) > std::abs(b.second); });
    return draw_bars(drift.name, "share now - share in the baseline", bars);
  }
  const double low = std::min(drift.baseline.front().first, drift.current.front().first);
  const double high = std::max(drift.baseline.back().first, drift.current.back().first);
  const auto shares = [&](const WeightedValues& values, const char* name, Series::Style style) {
    std::vector<double> counts(kDriftChartBins);
    double total = 0;
    for (const auto& [value, weight] : values) {
      const double place = high > low ? (value - low) / (high - low) * kDriftChartBins : 0;
      counts[static_cast<std::size_t>(std::clamp(place, 0.0, kDriftChartBins - 1.0))] += weight;
      total += weight;
    }
    Series out{name, {}, style, style == Series::Style::Steps};
    const double width = (high - low) / kDriftChartBins;
    // A bar stands around the middle of its bin, a step begins at its left edge.
    const double offset = style == Series::Style::Steps ? 0 : 0.5;
    for (std::size_t b = 0; b < kDriftChartBins; ++b)
      out.points.emplace_back(low + width * (static_cast<double>(b) + offset), counts[b] / total);
    if (style == Series::Style::Steps) out.points.emplace_back(high, out.points.back().second);
    return out;
  };
  return draw_chart({drift.name,
                     "value",
                     "share of the rows",
                     {shares(drift.current, "now", Series::Style::Bars),
                      shares(drift.baseline, "baseline", Series::Style::Steps)}});
}

// The distances of those features that were ever the furthest away, over the checks so far; time in the
// largest unit that the checks are apart.
std::string history_chart(const Json& history, const std::vector<FeatureDrift>& drift, double threshold) {
  const auto last = parse_rfc3339(text_at(history.back(), {"time"}));
  std::vector<std::pair<double, std::string>> furthest;
  for (const FeatureDrift& feature : drift) {
    double most = feature.distance;
    for (const Json& check : history) most = std::max(most, check["distances"].value(feature.name, 0.0));
    furthest.emplace_back(-most, feature.name);
  }
  std::sort(furthest.begin(), furthest.end());
  if (furthest.size() > kHistoryFeatures) furthest.resize(kHistoryFeatures);
  const auto first = parse_rfc3339(text_at(history.front(), {"time"}));
  const double span = last && first ? static_cast<double>((*last - *first).count()) : 0;
  const std::pair<double, const char*> kUnits[] = {
      {86'400'000, "days"}, {3'600'000, "hours"}, {60'000, "minutes"}, {1'000, "seconds"}};
  const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits) - 1,
                                  [&](const auto& u) { return span >= 2 * u.first; });
  Chart chart{"Distance to the baseline", std::string(unit->second) + " before this check", "distance", {}};
  for (const auto& [most, name] : furthest) {
    Series line{name, {}, Series::Style::Line};
    for (const Json& check : history) {
      const auto time = parse_rfc3339(text_at(check, {"time"}));
      if (!time || !last || !check["distances"].contains(name)) continue;
      line.points.emplace_back(-static_cast<double>((*last - *time).count()) / unit->first,
                               check["distances"][name].get<double>());
    }
    chart.series.push_back(std::move(line));
  }
  Series limit{"threshold", {}, Series::Style::Line, true};
  limit.points = {{-span / unit->first, threshold}, {0, threshold}};
  chart.series.push_back(std::move(limit));
  return draw_chart(chart);
}

std::string check_page(const Constraints& constraints, const CurrentData& current,
                       const std::vector<Violation>& violations, const std::vector<FeatureDrift>& drift,
                       const Json& history) {
  HtmlReport page("Data against its baseline");
  page.figures({{"rows", format_number(current.rows())},
                {"columns", std::to_string(current.columns().size())},
                {"violations", std::to_string(violations.size())}});
  page.heading("Violations");
  if (violations.empty()) page.paragraph("None.");
  std::vector<HtmlReport::Row> rows;
  for (const Violation& entry : violations)
    rows.push_back({{entry.feature, entry.check, entry.description}, true});
  if (!rows.empty()) page.table({"feature", "check", "what"}, rows);
  page.heading("Distances");
  page.paragraph(std::string("Method ") + (constraints.config.robust ? "Robust" : "Simple") + ", threshold " +
                 short_number(constraints.config.comparison_threshold) +
                 ". PSI below 0.1 is usually called stable, above 0.25 a shift.");
  rows.clear();
  for (const FeatureDrift& entry : drift) {
    const auto number = [](bool there, double value) { return there ? short_number(value) : std::string(); };
    const bool marked = std::any_of(violations.begin(), violations.end(), [&](const Violation& violation) {
      return violation.feature == entry.name && violation.check == "baseline_drift_check";
    });
    rows.push_back(
        {{entry.name, short_number(entry.distance), short_number(entry.psi), short_number(entry.js),
          short_number(entry.linf), number(entry.numeric, entry.ks), number(entry.numeric, entry.wasserstein),
          number(entry.numeric, entry.mean_shift), number(!entry.numeric, entry.chi2.statistic),
          number(!entry.numeric, entry.chi2.p_value)},
         marked});
  }
  page.table({"feature", "distance", "PSI", "JS", "L∞", "KS", "Wasserstein", "mean shift", "χ²", "p"}, rows);
  if (history.size() > 1 && !drift.empty()) {
    page.heading("Over time");
    page.paragraph("Checks: " + std::to_string(history.size()) + ", this one last.");
    page.chart(history_chart(history, drift, constraints.config.comparison_threshold));
  }
  page.heading("Distributions");
  for (std::size_t i = 0; i < std::min(drift.size(), kDriftChartsMax); ++i) page.chart(drift_chart(drift[i]));
  return page.finish();
}

std::string baseline_page(const std::vector<ColumnProfile>& columns, const Json& constraints, double rows) {
  HtmlReport page("Baseline");
  page.figures({{"rows", format_number(rows)}, {"columns", std::to_string(columns.size())}});
  page.heading("Constraints");
  std::vector<HtmlReport::Row> table;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const Json& entry = constraints["features"][c];
    std::string rule;
    if (entry.contains("num_constraints") && entry["num_constraints"]["is_non_negative"] == true)
      rule = "not negative";
    if (entry.contains("string_constraints"))
      rule = std::to_string(entry["string_constraints"]["domains"].size()) + " values";
    table.push_back({{columns[c].name(), std::string(columns[c].inferred_type()),
                      percent(columns[c].completeness()), rule},
                     false});
  }
  page.table({"feature", "type", "completeness", "rule"}, table);
  return page.finish();
}

Json drift_json(const std::vector<FeatureDrift>& drift) {
  Json out = {{"features", Json::object()}};
  for (const FeatureDrift& entry : drift) out["features"][entry.name] = to_json(entry);
  return out;
}

Status stream_into(const NamedUri& dataset, const Json& settings, TaskContext& context, CurrentData& data) {
  MR_TRY(options, dataset_options(settings));
  return stream_channel(dataset, context, 0.9, options, [&](const Table& piece) -> Status {
    data.add(piece);
    return {};
  });
}

Result<Json> run_baseline(const ProcessingInputs& inputs, const NamedUri& dataset, TaskContext& context) {
  CurrentData data{Constraints()};
  MR_DO(stream_into(dataset, inputs.settings, context, data));
  const Json statistics = statistics_json(data.columns(), data.rows());
  Json constraints = constraints_json(data.columns());
  const auto given = inputs.settings.find("monitoring_config");
  if (given != inputs.settings.end()) constraints["monitoring_config"].merge_patch(*given);
  const std::string& uri = inputs.outputs[0].uri;
  const std::string page = baseline_page(data.columns(), constraints, data.rows());
  MR_DO(context.objects().write(join_uri(uri, "report.html"), page));
  MR_DO(context.objects().write(join_uri(uri, "statistics.json"), statistics.dump(2) + "\n"));
  MR_DO(context.objects().write(join_uri(uri, "constraints.json"), constraints.dump(2) + "\n"));
  return Json{{"rows", data.rows()}, {"features", data.columns().size()}};
}

// Earlier checks, and this one; empty without a history.
Json with_this_check(const ProcessingInputs& inputs, const Json& distances, Instant now) {
  Json history = inputs.settings.value("history", Json::array());
  if (!history.empty()) history.push_back({{"time", format_rfc3339(now)}, {"distances", distances}});
  return history;
}

// Features that are not to be looked at, neither in the baseline nor in the data.
Status leave_out(const Json& settings, Constraints& constraints, std::vector<FeatureStatistics>& before) {
  MR_TRY(names, Arguments(settings).texts("exclude_features"));
  const auto left_out = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::erase_if(constraints.features, [&](const FeatureConstraint& f) { return left_out(f.name); });
  std::erase_if(before, [&](const FeatureStatistics& f) { return left_out(f.name); });
  constraints.left_out.insert(names.begin(), names.end());
  return {};
}

Result<Json> run_check(const ProcessingInputs& inputs, const NamedUri& dataset, const Json& given,
                       TaskContext& context) {
  const Json config = inputs.settings.value("monitoring_config", Json::object());
  MR_TRY(constraints, read_constraints(given, config));
  MR_TRY(statistics, baseline_file(inputs, "statistics", "statistics.json", context.objects()));
  std::vector<FeatureStatistics> before;
  if (!statistics.is_null()) {
    MR_TRY(read, read_statistics(statistics));
    before = std::move(read);
  }
  MR_DO(leave_out(inputs.settings, constraints, before));
  CurrentData data(constraints);
  MR_DO(stream_into(dataset, inputs.settings, context, data));
  const std::vector<FeatureDrift> drift = measure_drift(constraints, before, data);
  const std::vector<Violation> violations = find_violations(constraints, drift, data);
  for (const Violation& entry : violations)
    context.log(entry.feature + ": " + entry.check + ": " + entry.description);
  const std::string& uri = inputs.outputs[0].uri;
  const Json now = statistics_json(data.columns(), data.rows()), found = violations_json(violations);
  Json distances = Json::object();
  for (const FeatureDrift& entry : drift) distances[entry.name] = entry.distance;
  MR_DO(context.objects().write(join_uri(uri, "report.html"),
                                check_page(constraints, data, violations, drift,
                                           with_this_check(inputs, distances, context.clock().now()))));
  MR_DO(context.objects().write(join_uri(uri, "statistics.json"), now.dump(2) + "\n"));
  MR_DO(context.objects().write(join_uri(uri, "drift.json"), drift_json(drift).dump(2) + "\n"));
  MR_DO(context.objects().write(join_uri(uri, "constraint_violations.json"), found.dump(2) + "\n"));
  Json summary = {{"rows", data.rows()}, {"violation_count", violations.size()}};
  summary.update(found);
  summary["distances"] = std::move(distances);
  return bounded_summary(std::move(summary), join_uri(uri, "constraint_violations.json"),
                         {"rows", "violation_count"});
}

// [{"time": "2026-…", "distances": {"age": 0.1}}]
bool is_history(const Json& history) {
  if (!history.is_array()) return false;
  for (const Json& check : history) {
    if (!parse_rfc3339(text_at(check, {"time"})) || !check.value("distances", Json()).is_object())
      return false;
    for (const auto& [name, distance] : check["distances"].items())
      if (!distance.is_number()) return false;
  }
  return true;
}

}  // namespace

Result<Json> baseline_file(const ProcessingInputs& inputs, std::string_view input, std::string_view file,
                           const ObjectStore& objects) {
  std::string uri;
  if (const NamedUri* own = inputs.input(input))
    uri = own->uri.ends_with(".json") ? own->uri : join_uri(own->uri, file);
  else if (const NamedUri* baseline = inputs.input("baseline"))
    uri = join_uri(baseline->uri, file);
  else
    return Json();
  MR_TRY(text, objects.read(uri));
  auto parsed = Payload::parse(text);
  if (!parsed) return invalid(uri + ": " + parsed.error().message);
  return to_json(parsed->view());
}

Status check_monitor(const ProcessingInputs& inputs) {
  const Json& settings = inputs.settings;
  MR_DO(check_setting_names(
      settings,
      {"monitoring_config", "headers", "dataset_type", "problem_type", "exclude_features", "history",
       "ground_truth_attribute", "inference_attribute", "probability_attribute",
       "probability_threshold_attribute", "positive_label", "bootstrap", "seed"},
      "monitor"));
  MR_DO(dataset_options(settings));
  for (const NamedUri& input : inputs.inputs) {
    const std::initializer_list<std::string_view> names = {"dataset",    "data",        "test", "baseline",
                                                           "statistics", "constraints", "model"};
    if (std::find(names.begin(), names.end(), input.name) != names.end()) continue;
    const std::string_view nearest = nearest_name(input.name, names);
    return invalid("ProcessingInputs: monitor has no input \"" + input.name + "\"" +
                       (nearest.empty() ? "" : "; did you mean \"" + std::string(nearest) + "\"?"),
                   "inputs: dataset, baseline, constraints, statistics, model");
  }
  if (inputs.input("dataset") == nullptr && inputs.input("data") == nullptr &&
      inputs.input("test") == nullptr)
    return invalid("ProcessingInputs: monitor needs an input named \"dataset\"");
  if (settings.contains("monitoring_config")) {
    if (!settings["monitoring_config"].is_object())
      return invalid("monitoring_config: expected an object, got " + settings["monitoring_config"].dump());
    MR_DO(read_monitoring_config(settings["monitoring_config"], {}));
  }
  if (settings.contains("problem_type")) MR_DO(task_of_problem(settings));
  MR_DO(Arguments(settings).texts("exclude_features"));
  if (settings.contains("history") && !is_history(settings["history"]))
    return invalid(R"(history: expected [{"time": …, "distances": {feature: number}}])");
  if (inputs.outputs.size() != 1) return invalid("ProcessingOutputConfig.Outputs: monitor needs one output");
  return {};
}

Result<Json> run_monitor(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_monitor(inputs));
  if (inputs.settings.contains("problem_type")) return run_quality_monitor(inputs, context);
  MR_TRY(dataset, dataset_input(inputs, "monitor"));
  MR_TRY(constraints, baseline_file(inputs, "constraints", "constraints.json", context.objects()));
  if (constraints.is_null()) return run_baseline(inputs, *dataset, context);
  return run_check(inputs, *dataset, constraints, context);
}

}  // namespace millrace::tasks
