#include "tasks/forecasting/forecasting.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "tasks/forecasting/accuracy.h"
#include "tasks/forecasting/forecast_model.h"
#include "tasks/forecasting/study_state.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/trees/team.h"

namespace millrace::tasks {
namespace {

using enum HyperParameterRule::Type;

constexpr std::size_t kHistoryAuto = 1500;    // steps that the methods see at least, when there are so many
constexpr std::size_t kSeasonsInHistory = 4;  // and so many of the longest season
constexpr std::size_t kHistoryMax = 50'000;
constexpr double kGlobalHelps = 0.998;  // of the blend's error without the model over all series
constexpr int kSeasonMax = 100'000;
constexpr std::size_t kSeriesAtOnce = 64;           // between reports, and a round of checkpoints
constexpr std::size_t kItemValuesMax = 20'000'000;  // numbers of items that a model keeps
constexpr std::string_view kNoEffect = "of DeepAR's network; without effect here";

constexpr HyperParameterRule kForecastingRules[] = {
    {"prediction_length", Integer, "", 1, 10'000, "", true, "steps to forecast"},
    {"time_freq", Text, "", 0, 0, "", false, "step of the series: min, H, D, B, W, M, Q or Y, as in 30min"},
    {"context_length", Integer, "auto", 1, 50'000, "auto", false,
     "steps that the methods see at least; they look at 1500 and four seasons anyway"},
    {"seasonality", Text, "auto", 0, 0, "auto", false,
     "lengths of seasons in steps: 24,168; auto: by time_freq"},
    {"test_quantiles", Text, "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9]", 0, 0, "", false,
     "levels of quantile losses"},
    {"methods", Text, "auto", 0, 0, "auto", false,
     "those that are blended, with commas between: theta,holt-winters; auto: all"},
    {"item_column", Text, "item_id", 0, 0, "", false, "of CSV: the column that names the series"},
    {"timestamp_column", Text, "timestamp", 0, 0, "", false, "of CSV: the column of times or step numbers"},
    {"epochs", Integer, "100", 1, 100'000, "", false, kNoEffect},
    {"num_cells", Integer, "40", 1, 1000, "", false, kNoEffect},
    {"num_layers", Integer, "2", 1, 100, "", false, kNoEffect},
    {"likelihood", Choice, "student-T", 0, 0, "gaussian|beta|negative-binomial|student-T|deterministic-L1",
     false, kNoEffect},
    {"learning_rate", Real, "0.001", 0, 1, "", false, kNoEffect},
    {"dropout_rate", Real, "0.1", 0, 1, "", false, kNoEffect},
    {"mini_batch_size", Integer, "128", 1, 1e6, "", false, kNoEffect},
    {"embedding_dimension", Integer, "10", 1, 1000, "", false, kNoEffect},
    {"early_stopping_patience", Integer, "10", 1, 1e6, "", false, kNoEffect},
    {"cardinality", Text, "auto", 0, 0, "auto", false, kNoEffect},
    {"num_dynamic_feat", Text, "auto", 0, 0, "auto", false, "features; checked against the data"},
    {"num_eval_samples", Integer, "100", 1, 1e6, "", false, kNoEffect},
};

constexpr std::string_view kForecastingMetrics[] = {
    "validation:mean_wQuantileLoss",
    "validation:MASE",
    "validation:sMAPE",
    "validation:WAPE",
    "validation:MAPE",
    "validation:RMSE",
    "validation:wQL[0.1]",
    "validation:wQL[0.5]",
    "validation:wQL[0.9]",
    "test:mean_wQuantileLoss",
    "test:MASE",
    "test:sMAPE",
    "test:WAPE",
    "test:MAPE",
    "test:RMSE",
    "test:wQL[0.1]",
    "test:wQL[0.5]",
    "test:wQL[0.9]",
};

// "0.1,0.9" or "[0.1, 0.9]" as numbers from `low` to `high`.
Result<std::vector<double>> parse_number_list(std::string_view name, std::string_view text, double low,
                                              double high) {
  std::vector<double> out;
  std::string_view rest = text;
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    const auto value = parse_real(part);
    if (!value || *value < low || *value > high)
      return invalid("hyperparameter '" + std::string(name) + "' is '" + std::string(text) +
                     "': expected numbers from " + std::to_string(low).substr(0, 5) + " to " +
                     std::to_string(high).substr(0, 6) + " with commas between");
    out.push_back(*value);
  }
  return out;
}

struct ParsedSettings {
  std::optional<Frequency> frequency;
  std::optional<std::vector<int>> seasons;
  std::vector<double> levels;
  std::vector<std::string> methods;
};

Result<std::vector<std::string>> parse_methods(std::string_view text) {
  std::vector<std::string> out;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string name(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!is_forecast_method(name)) {
      std::string known;
      for (const ForecastMethod& method : forecast_methods()) known += std::string(method.name) + ", ";
      return invalid("hyperparameter 'methods': there is no '" + name + "'",
                     "there are " + known + std::string(kLagTreesMethod));
    }
    out.push_back(name);
  }
  return out;
}

Result<ParsedSettings> parse_settings(const HyperParameters& parameters) {
  const ParameterReader read(kForecastingRules, parameters);
  ParsedSettings out;
  if (read.given("time_freq")) {
    const auto frequency = parse_frequency(read.text("time_freq"));
    if (!frequency)
      return invalid("hyperparameter 'time_freq': " + frequency.error().message, frequency.error().hint);
    out.frequency = *frequency;
  }
  if (!read.is_auto("seasonality")) {
    MR_TRY(lengths, parse_number_list("seasonality", read.text("seasonality"), 1, kSeasonMax));
    out.seasons.emplace();
    for (const double length : lengths) {
      if (length != std::floor(length))
        return invalid("hyperparameter 'seasonality' is '" + std::string(read.text("seasonality")) +
                       "': expected whole numbers");
      if (length > 1) out.seasons->push_back(static_cast<int>(length));
    }
    std::ranges::sort(*out.seasons);
    out.seasons->erase(std::ranges::unique(*out.seasons).begin(), out.seasons->end());
  }
  MR_TRY(levels, parse_number_list("test_quantiles", read.text("test_quantiles"), 0.001, 0.999));
  out.levels = std::move(levels);
  if (!read.is_auto("methods")) {
    MR_TRY(methods, parse_methods(read.text("methods")));
    out.methods = std::move(methods);
  }
  if (!read.is_auto("num_dynamic_feat") && read.text("num_dynamic_feat") != "ignore" &&
      !parse_real(read.text("num_dynamic_feat")))
    return invalid("hyperparameter 'num_dynamic_feat' is '" + std::string(read.text("num_dynamic_feat")) +
                   "': expected auto or a number");
  return out;
}

tl::unexpected<Error> forecast_cancelled() {
  return fail(ErrorCode::Cancelled, "training was stopped");
}

// One fit from channels to model.
class ForecastFit {
 public:
  ForecastFit(const HyperParameters& parameters, const ObjectChannels& data, const FitContext& context)
      : read_(kForecastingRules, parameters),
        data_(data),
        context_(context),
        team_(std::max(1, context.threads)) {}

  Result<Fitted> run(const ParsedSettings& parsed) {
    MR_DO(read_train(parsed));
    MR_DO(study());
    MR_DO(fit_global());
    validate();
    report("validation");
    if (data_.other) MR_DO(test(parsed));
    Fitted fitted;
    fitted.metrics = std::move(metrics_);
    fitted.rounds = 1;
    fitted.model =
        std::make_unique<ForecastModel>(settings_, std::move(pooled_), std::move(global_), kept_items());
    return fitted;
  }

 private:
  Status read_train(const ParsedSettings& parsed);
  Status study();
  Status fit_global();
  Result<LagTrees> fit_trees(bool before_windows);
  double blend_error();
  void validate();
  Status test(const ParsedSettings& parsed);
  ForecastModel::Items kept_items();

  bool cancelled() const { return context_.cancelled && context_.cancelled(); }
  void progress(std::size_t done, std::size_t of) {
    if (!context_.progress) return;
    Progress progress;
    progress.phase = "Training", progress.rows = static_cast<std::int64_t>(done);
    progress.round = static_cast<std::int64_t>(done), progress.rounds = static_cast<std::int64_t>(of);
    context_.progress(progress);
  }
  void report(const std::string& part) {
    for (const auto& [name, value] : accuracy_.metrics()) {
      if (!std::isfinite(value)) continue;
      metrics_[part + ":" + name] = value;
      if (context_.metric) context_.metric({part + ":" + name, value, 0});
    }
    accuracy_ = ForecastAccuracy(settings_.levels);
  }
  int short_season() const { return settings_.seasons.empty() ? 1 : settings_.seasons.front(); }
  std::vector<Values> quantiles(const BlendedForecast& forecast) const {
    std::vector<Values> out;
    for (const double level : settings_.levels) out.push_back(forecast.quantile(pooled_, level));
    return out;
  }

  const ParameterReader read_;
  const ObjectChannels& data_;
  const FitContext& context_;
  trees::Team team_;
  ForecastSettings settings_;
  std::vector<std::string> names_;      // of series_
  std::vector<PreparedSeries> series_;  // with at least one value
  std::vector<SeriesStudy> studies_;
  Pooled pooled_;
  GlobalModel global_;
  ForecastAccuracy accuracy_{{}};
  std::map<std::string, double> metrics_;
};

Status ForecastFit::read_train(const ParsedSettings& parsed) {
  settings_.columns = {std::string(read_.text("item_column")), std::string(read_.text("timestamp_column")),
                       data_.target.empty() ? SeriesColumns().target : data_.target};
  MR_TRY(set, read_series(data_.train, settings_.columns, parsed.frequency));
  settings_.frequency = set.frequency;
  settings_.seasons = parsed.seasons.value_or(seasons_of(parsed.frequency.value_or(set.frequency)));
  settings_.horizon = static_cast<int>(read_.integer("prediction_length"));
  settings_.levels = parsed.levels;
  settings_.methods = parsed.methods;
  settings_.seed = context_.seed;
  settings_.feature_count = set.series.front().features.size();
  const std::size_t longest =
      settings_.seasons.empty() ? 1 : static_cast<std::size_t>(settings_.seasons.back());
  settings_.history_max =
      std::min(kHistoryMax, std::max({kHistoryAuto, kSeasonsInHistory * longest,
                                      static_cast<std::size_t>(read_.integer_or("context_length", 1)),
                                      kSeasonsInHistory * static_cast<std::size_t>(settings_.horizon)}));
  if (const auto wanted = parse_real(read_.text("num_dynamic_feat"));
      wanted && *wanted != static_cast<double>(settings_.feature_count))
    return invalid("hyperparameter 'num_dynamic_feat' is " + std::string(read_.text("num_dynamic_feat")) +
                   ", but the data has " + std::to_string(settings_.feature_count) + " features");
  accuracy_ = ForecastAccuracy(settings_.levels);
  for (const TimeSeries& series : set.series) {
    if (cancelled()) return forecast_cancelled();
    MR_TRY(prepared,
           prepare_series(series, settings_, false, "train: item '" + series.item_id.substr(0, 60) + "': "));
    if (prepared.values.empty()) continue;  // only missing values: it shows nothing
    names_.push_back(series.item_id);
    series_.push_back(std::move(prepared));
  }
  if (series_.empty()) return invalid("train: no series has a value");
  return {};
}

// On all values, or on those before a series' windows of validation.
Result<LagTrees> ForecastFit::fit_trees(bool before_windows) {
  std::vector<LagSeries> parts;
  for (const PreparedSeries& series : series_) {
    LagSeries part{task_of_series(settings_, series), series.values};
    if (before_windows)
      part.values = part.values.first(first_window(series.values.size(), part.task).value_or(0));
    if (!part.values.empty()) parts.push_back(std::move(part));
  }
  const bool used = settings_.methods.empty() ||
                    std::ranges::find(settings_.methods, kLagTreesMethod) != settings_.methods.end();
  if (parts.empty() || !used) return LagTrees();
  return LagTrees::fit(parts, context_.seed, team_, context_.cancelled);
}

// A checkpoint is written when it says a quarter more than the last one, or when that is long ago: what is
// written in all stays in proportion to the data.
Status ForecastFit::study() {
  MR_TRY(before, fit_trees(true));
  global_.before = std::move(before);
  studies_.resize(series_.size());
  StudyState kept;
  const auto fields = [&](FitState& state) { kept.fields(state); };
  MR_TRY(resumed, resume_fit(context_, "forecasting", fields));
  std::size_t first = 0, written = 0;
  if (resumed) {
    MR_DO(kept.unpack(studies_));
    first = written = kept.studied();
  }
  for (std::size_t begin = first; begin < series_.size(); begin += kSeriesAtOnce) {
    const std::size_t count = std::min(kSeriesAtOnce, series_.size() - begin);
    team_.each(count, [&](std::size_t piece, int) {
      if (cancelled()) return;
      const PreparedSeries& series = series_[begin + piece];
      studies_[begin + piece] =
          study_series(task_of_series(settings_, series), series.values, global_.before);
    });
    if (cancelled()) return forecast_cancelled();
    const std::size_t done = begin + count;
    progress(done, series_.size());
    const bool overdue = context_.checkpoint_overdue && context_.checkpoint_overdue();
    if (!context_.checkpoint || done == series_.size()) continue;
    if (done < written + (written + 3) / 4 && !overdue) continue;
    kept.pack(std::span(studies_).first(done));
    if (kept.studied() <= written) continue;  // no more of them fit into a checkpoint
    keep_checkpoint(context_, "forecasting", static_cast<std::int64_t>(done / kSeriesAtOnce),
                    [&](FitState& state) {
                      kept.fields(state);
                      written = kept.studied();
                    });
  }
  return {};
}

// What the blend misses in validation with the members that the studies have.
double ForecastFit::blend_error() {
  pooled_ = pool_errors(studies_);
  std::vector<std::vector<WindowResult>> results;
  std::vector<double> scales;
  for (std::size_t i = 0; i < series_.size(); ++i) {
    results.push_back(validate_blend(studies_[i], pooled_, series_[i].values));
    scales.push_back(studies_[i].scale);
  }
  return mean_scaled_miss(results, scales);
}

// The model over all series stays where it made validation better.
Status ForecastFit::fit_global() {
  const double with = blend_error();
  if (global_.before.empty()) return {};
  std::vector<std::pair<Values, double>> taken;
  for (SeriesStudy& study : studies_)
    for (SeriesStudy::Window& window : study.windows) {
      taken.emplace_back(std::exchange(window.forecasts.back(), {}),
                         std::exchange(window.errors.back(), std::nan("")));
    }
  const double without = blend_error();
  if (with > kGlobalHelps * without) {
    global_ = {};
    return {};
  }
  auto next = taken.begin();
  for (SeriesStudy& study : studies_)
    for (SeriesStudy::Window& window : study.windows) {
      window.forecasts.back() = std::move(next->first), window.errors.back() = next->second;
      ++next;
    }
  pooled_ = pool_errors(studies_);
  MR_TRY(after, fit_trees(false));
  global_.after = std::move(after);
  return {};
}

void ForecastFit::validate() {
  std::vector<std::vector<WindowResult>> results(series_.size());
  std::vector<double> scales;
  for (std::size_t i = 0; i < series_.size(); ++i) {
    results[i] = validate_blend(studies_[i], pooled_, series_[i].values);
    scales.push_back(studies_[i].scale);
  }
  pool_misses(pooled_, results, scales, settings_.horizon);
  for (std::size_t i = 0; i < series_.size(); ++i) {
    const History history = series_[i].values;
    const double spread = blend_spread(results[i], scales[i], pooled_);
    for (const WindowResult& result : results[i]) {
      BlendedForecast forecast;
      forecast.mean = result.forecast, forecast.spread = spread;
      accuracy_.add(history.subspan(result.origin, result.forecast.size()), forecast.mean,
                    seasonal_difference(history.first(result.origin), short_season()), quantiles(forecast));
    }
  }
}

// The last horizon of each series of the channel, forecast from what is before.
Status ForecastFit::test(const ParsedSettings& parsed) {
  MR_TRY(set, read_series(*data_.other, settings_.columns, parsed.frequency));
  if (set.frequency != settings_.frequency)
    return invalid("test: the step is " + format_frequency(set.frequency) + ", but " +
                   format_frequency(settings_.frequency) + " in train");
  const std::size_t horizon = static_cast<std::size_t>(settings_.horizon);
  std::vector<PreparedSeries> histories;
  std::vector<Values> actual;
  for (TimeSeries& series : set.series) {
    if (series.values.size() <= horizon) continue;  // nothing to forecast from
    const auto from = series.values.end() - static_cast<std::ptrdiff_t>(horizon);
    actual.emplace_back(from, series.values.end());
    series.values.erase(from, series.values.end());
    MR_TRY(history,
           prepare_series(series, settings_, true, "test: item '" + series.item_id.substr(0, 60) + "': "));
    if (history.values.empty())
      actual.pop_back();
    else
      histories.push_back(std::move(history));
  }
  if (histories.empty())
    return invalid("test: no series is longer than prediction_length (" + std::to_string(horizon) + ")",
                   "a test series has the history and the prediction_length steps behind it");
  std::vector<BlendedForecast> forecasts(histories.size());
  for (std::size_t begin = 0; begin < histories.size(); begin += kSeriesAtOnce) {
    team_.each(std::min(kSeriesAtOnce, histories.size() - begin), [&](std::size_t piece, int) {
      if (cancelled()) return;
      const PreparedSeries& series = histories[begin + piece];
      forecasts[begin + piece] =
          forecast_series(task_of_series(settings_, series), series.values, pooled_, global_);
    });
    if (cancelled()) return forecast_cancelled();
  }
  for (std::size_t i = 0; i < histories.size(); ++i)
    accuracy_.add(actual[i], forecasts[i].mean, seasonal_difference(histories[i].values, short_season()),
                  quantiles(forecasts[i]));
  report("test");
  progress(series_.size(), series_.size());
  return {};
}

// As many items as fit, in the order of the data.
ForecastModel::Items ForecastFit::kept_items() {
  ForecastModel::Items items;
  std::size_t values = 0;
  for (std::size_t i = 0; i < series_.size(); ++i) {
    if ((values += series_[i].values.size()) > kItemValuesMax) break;
    series_[i].features.clear();
    items.emplace(names_[i], std::move(series_[i]));
  }
  return items;
}

Status check_forecasting(const HyperParameters& parameters) {
  MR_DO(parse_settings(parameters));
  return {};
}

Result<Fitted> fit_forecasting(const HyperParameters& parameters, const ObjectChannels& data,
                               const FitContext& context) {
  MR_TRY(parsed, parse_settings(parameters));
  return ForecastFit(parameters, data, context).run(parsed);
}

constexpr OwnForm kForecastingForm{check_forecasting, fit_forecasting,
                                   "text/csv|application/jsonlines|application/json", "test"};

}  // namespace

std::span<const HyperParameterRule> forecasting_rules() {
  return kForecastingRules;
}
std::span<const std::string_view> forecasting_metrics() {
  return kForecastingMetrics;
}
const OwnForm& forecasting_form() {
  return kForecastingForm;
}

}  // namespace millrace::tasks
