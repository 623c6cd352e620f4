// `millrace metrics`: list, get, put; by CloudWatch's API of a server.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/times.h"

namespace millrace::cli {
namespace {

struct MetricOptions {
  std::string name_space, name, statistic = "Average", since = "1h", period, unit, value;
  std::vector<std::string> dimensions;
};

constexpr std::size_t kSparkWidth = 60;  // points of a line
constexpr std::size_t kTableRows = 20;   // points of a table

Result<Json> ask_monitoring(client::Access& access, std::string_view operation, const Json& input) {
  MR_TRY(answer, access.call(client::kMonitoring, operation, to_payload(input)));
  return to_json(answer.view());
}

Result<Json> dimensions_given(const std::vector<std::string>& texts) {
  Json dimensions = Json::array();
  for (const std::string& text : texts) {
    const std::size_t at = text.find('=');
    if (at == std::string::npos || at == 0)
      return invalid("a dimension is NAME=VALUE, not '" + text + "'",
                     "e.g. --dimension EndpointName=fraud-live");
    dimensions.push_back({{"Name", text.substr(0, at)}, {"Value", text.substr(at + 1)}});
  }
  return dimensions;
}

std::string dimensions_shown(const Json& dimensions) {
  std::string out;
  for (const Json& one : dimensions)
    out += (out.empty() ? "" : " ") + one.value("Name", "") + "=" + one.value("Value", "");
  return out;
}

Result<int> list_all_metrics(const MetricOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  Json request = Json::object();
  if (!options.name_space.empty()) request["Namespace"] = options.name_space;
  if (!options.name.empty()) request["MetricName"] = options.name;
  MR_TRY(dimensions, dimensions_given(options.dimensions));
  if (!dimensions.empty()) request["Dimensions"] = dimensions;
  Json all = Json::array();
  for (;;) {
    MR_TRY(page, ask_monitoring(*access, "ListMetrics", request));
    for (Json& metric : page["Metrics"]) all.push_back(std::move(metric));
    const std::string token = page.value("NextToken", "");
    if (token.empty()) break;
    request["NextToken"] = token;
  }
  if (shared.json) {
    print_json({{"metrics", all}});
    return kSucceeded;
  }
  if (all.empty()) {
    std::fprintf(stderr, "there are no metrics with values of the last two weeks\n");
    return kSucceeded;
  }
  std::printf("%-22s %-24s %s\n", "NAMESPACE", "METRIC", "DIMENSIONS");
  for (const Json& metric : all)
    std::printf("%-22s %-24s %s\n", metric.value("Namespace", "").c_str(),
                metric.value("MetricName", "").c_str(), dimensions_shown(metric["Dimensions"]).c_str());
  return kSucceeded;
}

// ---- get

struct MetricPeriod {
  Instant from, until;
  std::int64_t seconds = 60;
};

// About as many points as a line has.
Result<MetricPeriod> period_given(const MetricOptions& options, Instant now) {
  MetricPeriod period;
  MR_TRY(from, past_time(options.since, "--since", now));
  period.from = from;
  period.until = now + Millis(1);
  if (!options.period.empty()) {
    const auto given = duration_of(options.period);
    if (!given || given->count() < 1000)
      return invalid("--period is a time like 10s, 1min, 1h, not '" + options.period + "'");
    period.seconds = given->count() / 1000;
    return period;
  }
  constexpr std::int64_t kSteps[] = {60, 300, 900, 3600, 21'600, 86'400};
  const std::int64_t whole = (period.until - period.from).count() / 1000;
  period.seconds = kSteps[std::size(kSteps) - 1];
  for (const std::int64_t step : kSteps)
    if (whole / step <= static_cast<std::int64_t>(kSparkWidth)) {
      period.seconds = step;
      break;
    }
  return period;
}

std::string shown_number(double value) {
  char text[64];
  if (value == std::floor(value) && std::fabs(value) < 1e15)
    std::snprintf(text, sizeof text, "%.0f", value);
  else
    std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// "1 min", "6 h"; "90 s" where no larger unit divides.
std::string shown_period(std::int64_t seconds) {
  constexpr std::pair<std::int64_t, const char*> kPeriodUnits[] = {
      {86'400, " d"}, {3600, " h"}, {60, " min"}};
  for (const auto& [unit, name] : kPeriodUnits)
    if (seconds % unit == 0) return std::to_string(seconds / unit) + name;
  return std::to_string(seconds) + " s";
}

// One character a period; '·' where there is none.
std::string spark_line(const std::vector<std::optional<double>>& values) {
  constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  double least = INFINITY, most = -INFINITY;
  for (const auto& value : values) {
    if (!value) continue;
    least = std::min(least, *value);
    most = std::max(most, *value);
  }
  std::string out;
  for (const auto& value : values) {
    if (!value) {
      out += "·";
      continue;
    }
    const double share = most > least ? (*value - least) / (most - least) : 0.5;
    out += kBars[std::min<std::size_t>(7, static_cast<std::size_t>(share * 8))];
  }
  return out;
}

void show_series(const MetricOptions& options, const MetricPeriod& period, const Json& result) {
  std::map<std::int64_t, double> points;
  for (std::size_t i = 0; i < result["Values"].size(); ++i)
    points[std::llround(result["Timestamps"][i].get<double>())] = result["Values"][i].get<double>();
  const std::string what = options.name_space + " " + options.name + " " + options.statistic + " by " +
                           shown_period(period.seconds);
  if (points.empty()) {
    print_line(what + ": no values since " + format_rfc3339(period.from).substr(0, 19) + "Z");
    return;
  }
  const std::int64_t last = points.rbegin()->first;
  std::vector<std::optional<double>> line;
  for (std::int64_t t = std::max(points.begin()->first,
                                 last - static_cast<std::int64_t>(kSparkWidth - 1) * period.seconds);
       t <= last; t += period.seconds) {
    const auto found = points.find(t);
    line.push_back(found == points.end() ? std::nullopt : std::optional(found->second));
  }
  const auto by_value = [](const auto& a, const auto& b) { return a.second < b.second; };
  const double least = std::min_element(points.begin(), points.end(), by_value)->second;
  const double most = std::max_element(points.begin(), points.end(), by_value)->second;
  print_line(what + ": " + std::to_string(points.size()) + (points.size() == 1 ? " point" : " points") +
             ", " + shown_number(least) + " … " + shown_number(most));
  print_line("  " + spark_line(line));
  std::size_t skipped = points.size() > kTableRows ? points.size() - kTableRows : 0;
  if (skipped > 0) print_line("  … " + std::to_string(skipped) + " before");
  for (const auto& [time, value] : points) {
    if (skipped > 0) {
      --skipped;
      continue;
    }
    print_line("  " + format_rfc3339(from_millis(time * 1000)).substr(0, 19) + "Z  " + shown_number(value));
  }
}

Result<int> get_metric(const MetricOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  MR_TRY(dimensions, dimensions_given(options.dimensions));
  MR_TRY(period, period_given(options, access->clock().now()));
  Json stat = {
      {"Metric",
       {{"Namespace", options.name_space}, {"MetricName", options.name}, {"Dimensions", dimensions}}},
      {"Period", period.seconds},
      {"Stat", options.statistic}};
  if (!options.unit.empty()) stat["Unit"] = options.unit;
  const Json request = {{"MetricDataQueries", Json::array({{{"Id", "m"}, {"MetricStat", stat}}})},
                        {"StartTime", static_cast<double>(to_millis(period.from)) / 1000},
                        {"EndTime", static_cast<double>(to_millis(period.until)) / 1000},
                        {"ScanBy", "TimestampAscending"}};
  MR_TRY(answer, ask_monitoring(*access, "GetMetricData", request));
  const Json& result = answer["MetricDataResults"][0];
  if (shared.json) {
    Json points = Json::array();
    for (std::size_t i = 0; i < result["Values"].size(); ++i)
      points.push_back(
          {{"time", format_rfc3339(from_millis(std::llround(result["Timestamps"][i].get<double>() * 1000)))},
           {"value", result["Values"][i]}});
    print_json({{"namespace", options.name_space},
                {"metric", options.name},
                {"dimensions", dimensions},
                {"statistic", options.statistic},
                {"period", period.seconds},
                {"points", points}});
  } else {
    show_series(options, period, result);
  }
  return kSucceeded;
}

// ---- put

Result<int> put_metric(const MetricOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Run));
  MR_TRY(dimensions, dimensions_given(options.dimensions));
  double value = 0;
  const char* const last = options.value.data() + options.value.size();
  const auto [end, error] = std::from_chars(options.value.data(), last, value);
  if (error != std::errc() || end != last) return invalid("'" + options.value + "' is no number");
  Json datum = {{"MetricName", options.name}, {"Dimensions", dimensions}, {"Value", value}};
  if (!options.unit.empty()) datum["Unit"] = options.unit;
  const Json request = {{"Namespace", options.name_space}, {"MetricData", Json::array({datum})}};
  MR_DO(ask_monitoring(*access, "PutMetricData", request));
  if (shared.json) print_json(Json::object());
  return kSucceeded;
}

}  // namespace

void add_metrics(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("metrics", "Metrics: which there are, their values, one more value");
  command->fallthrough();
  command->require_subcommand(1);
  command->footer(
      "Asks a server (docs/metrics.md).\n"
      "Examples:\n"
      "  millrace metrics list AWS/States\n"
      "  millrace metrics get AWS/SageMaker ModelLatency -d EndpointName=fraud-live -d "
      "VariantName=AllTraffic -s p99\n"
      "  millrace metrics put shop OrderValue 17.5 -d Shop=north");
  auto options = std::make_shared<MetricOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    CLI::App* sub = add_action(*command, name, what, shared, exit_code,
                               [options, &shared, run] { return run(*options, shared); });
    sub->add_option("-d,--dimension", options->dimensions, "NAME=VALUE; as often as there are dimensions")
        ->allow_extra_args(false);
    return sub;
  };
  CLI::App* list = add("list", "Metrics with values of the last two weeks", list_all_metrics);
  list->add_option("NAMESPACE", options->name_space, "only its metrics");
  list->add_option("METRIC", options->name, "only metrics of that name");
  CLI::App* get = add("get", "Values of a metric over time", get_metric);
  CLI::App* put = add("put", "Add a value to a metric, now", put_metric);
  for (CLI::App* sub : {get, put}) {
    sub->add_option("NAMESPACE", options->name_space, "the metric's namespace")->required();
    sub->add_option("METRIC", options->name, "the metric's name")->required();
    sub->add_option("--unit", options->unit, "Count, Milliseconds, Percent, …");
  }
  get->add_option("-s,--statistic", options->statistic,
                  "Average (default), Sum, Minimum, Maximum, SampleCount, p99");
  get->add_option("--since", options->since, "a TIME to begin at; default 1h");
  get->add_option("--period", options->period, "of one point: 10s, 1min, 1h; default: as fits a line");
  put->add_option("VALUE", options->value, "a number")->required();
}

}  // namespace millrace::cli
