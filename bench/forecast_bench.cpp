// Forecasts of series from a CSV file against their own ends: item_id,timestamp,target_value. The last
// `horizon` values of each series are held back at every origin, an origin lies half a horizon before the
// last one. Usage: millrace_bench_forecast FILE HORIZON [ORIGINS [SERIES [HYPERPARAMETER=VALUE …]]]; with
// SERIES only so many series count (all are trained on). Prints one line: MASE, sMAPE, mean quantile loss,
// the share of values inside the 80 % interval, CPU seconds; then, on stderr, the MASE of each method by
// itself.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tasks/forecasting/accuracy.h"
#include "tasks/forecasting/forecasting.h"
#include "tasks/forecasting/methods.h"
#include "tasks/forecasting/series.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::vector<double> kBenchLevels = {0.1, 0.5, 0.9};

struct Measured {
  ForecastAccuracy accuracy{kBenchLevels};
  double inside = 0, steps = 0;
  std::map<std::string, std::pair<double, double>> methods;  // sum of MASE, series
};

std::string train_csv(const SeriesSet& set, std::size_t cut) {
  std::string text = "item_id,timestamp,target_value\n";
  for (const TimeSeries& series : set.series) {
    for (std::size_t i = 0; i + cut < series.values.size(); ++i) {
      char value[40] = "";
      if (!std::isnan(series.values[i])) std::snprintf(value, sizeof value, "%.17g", series.values[i]);
      text += series.item_id + "," +
              format_time_stamp(add_steps(series.start, static_cast<std::int64_t>(i), set.frequency),
                                set.frequency) +
              "," + value + "\n";
    }
  }
  return text;
}

void measure_methods(const Values& history, std::span<const double> actual, const std::vector<int>& seasons,
                     double scale, Measured& out) {
  for (const ForecastMethod& method : forecast_methods()) {
    const Values forecast = method.forecast({seasons, static_cast<int>(actual.size()), {}}, history);
    if (forecast.empty() || !(scale > 0)) continue;
    double sum = 0;
    for (std::size_t h = 0; h < actual.size(); ++h)
      sum += std::isnan(actual[h]) ? 0 : std::abs(actual[h] - forecast[h]);
    auto& [total, count] = out.methods[std::string(method.name)];
    total += sum / static_cast<double>(actual.size()) / scale, ++count;
  }
}

bool measure_origin(const SeriesSet& set, std::size_t cut, HyperParameters parameters, std::size_t horizon,
                    std::size_t counted, Measured& out) {
  ObjectChannels channels;
  channels.train = {"train", "text/csv", {{"train.csv", train_csv(set, cut)}}};
  if (set.frequency.unit != TimeUnit::Step) parameters.emplace("time_freq", format_frequency(set.frequency));
  FitContext context;
  context.threads = 1;
  auto fitted = forecasting_form().fit(parameters, channels, context);
  if (!fitted) {
    std::fprintf(stderr, "%s\n", fitted.error().message.c_str());
    return false;
  }
  for (const auto& [name, value] : fitted->metrics)
    if (name.find("w") != std::string::npos && std::getenv("FORECAST_METRICS"))
      std::fprintf(stderr, "  %s %.4f\n", name.c_str(), value);
  const auto* model = fitted->model->own_form();
  std::vector<int> seasons = seasons_of(set.frequency);
  const int season = seasons.empty() ? 1 : seasons.front();
  for (std::size_t i = 0; i < std::min(counted, set.series.size()); ++i) {
    const TimeSeries& series = set.series[i];
    if (series.values.size() < cut + 3) continue;
    const nlohmann::json body = {
        {"instances", {{{"item_id", series.item_id}}}},
        {"configuration", {{"output_types", {"mean", "quantiles"}}, {"quantiles", {"0.1", "0.5", "0.9"}}}}};
    const std::string text = body.dump();
    OwnRequest request;
    request.body = text, request.content_type = "application/json";
    const auto answer = model->answer(request);
    if (!answer) return std::fprintf(stderr, "%s\n", answer.error().message.c_str()), false;
    const auto json = nlohmann::json::parse(answer->body)["predictions"][0];
    const Values mean = json["mean"].get<Values>();
    const std::vector<Values> quantiles = {json["quantiles"]["0.1"], json["quantiles"]["0.5"],
                                           json["quantiles"]["0.9"]};
    const std::size_t n = series.values.size() - cut;
    const std::span<const double> actual = std::span(series.values).subspan(n, horizon);
    const Values history =
        fill_gaps({series.values.begin(), series.values.begin() + static_cast<std::ptrdiff_t>(n)}, season)
            .values;
    const double scale = seasonal_difference(history, season);
    out.accuracy.add(actual, mean, scale, quantiles);
    for (std::size_t h = 0; h < horizon; ++h) {
      if (std::isnan(actual[h])) continue;
      ++out.steps;
      out.inside += actual[h] >= quantiles[0][h] && actual[h] <= quantiles[2][h];
    }
    measure_methods(history, actual, seasons, scale, out);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3)
    return std::fprintf(stderr, "usage: %s FILE HORIZON [ORIGINS [SERIES [NAME=VALUE …]]]\n", argv[0]), 2;
  std::ifstream file(argv[1], std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  const std::size_t horizon = std::strtoul(argv[2], nullptr, 10);
  const std::size_t origins = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1;
  const std::size_t counted = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : kSeriesMax;
  HyperParameters parameters = {{"prediction_length", argv[2]}};
  for (int i = 5; i < argc; ++i) {
    const std::string pair = argv[i];
    parameters[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
  }
  const auto set = parse_series_csv(text.str(), argv[1], {}, std::nullopt);
  if (!set) return std::fprintf(stderr, "%s\n", set.error().message.c_str()), 2;
  Measured measured;
  const std::clock_t begun = std::clock();
  for (std::size_t o = 0; o < origins; ++o)
    if (!measure_origin(*set, horizon + o * std::max<std::size_t>(1, horizon / 2), parameters, horizon,
                        counted, measured))
      return 1;
  const double seconds = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  auto metrics = measured.accuracy.metrics();
  std::printf("%s\tmillrace\tMASE %.4f\tsMAPE %.3f\twQL %.4f\tinside %.3f\tCPU %.2f\n", argv[1],
              metrics["MASE"], metrics["sMAPE"], metrics["mean_wQuantileLoss"],
              measured.inside / std::max(measured.steps, 1.0), seconds);
  for (const auto& [name, sums] : measured.methods)
    std::fprintf(stderr, "  %-28s %.4f  (%g)\n", name.c_str(), sums.first / sums.second, sums.second);
}
