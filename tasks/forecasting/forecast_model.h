#pragma once
// A fitted forecaster: what all series showed together, and the trained series themselves, so that their
// items can be forecast by name. Immutable; any thread.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tasks/forecasting/blend.h"
#include "tasks/forecasting/series.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

// What is the same for every series.
struct ForecastSettings {
  Frequency frequency;
  int horizon = 1;
  std::vector<int> seasons;       // ascending
  std::size_t history_max = 1;    // steps at the end that the methods see
  std::size_t feature_count = 0;  // dynamic_feat
  std::uint64_t seed = 0;         // of samples
  std::vector<double> levels;     // of an answer that does not ask for others
  SeriesColumns columns;
  std::vector<std::string> methods = {};  // names of those that are blended; empty: all
};

// A series as the methods take it: gaps filled, not longer than history_max; the features of the same steps
// and the horizon. InvalidArgument when the features do not fit ('needs_future': they must reach over the
// horizon).
struct PreparedSeries {
  std::int64_t start = 0;  // of the first of `values`
  Values values;           // empty: the series has no value at all
  std::vector<Values> features;
};
Result<PreparedSeries> prepare_series(const TimeSeries& series, const ForecastSettings& settings,
                                      bool needs_future, const std::string& where);
ForecastTask task_of_series(const ForecastSettings& settings, const PreparedSeries& series);

class ForecastModel final : public OwnFormModel {
 public:
  using Items = std::map<std::string, PreparedSeries>;  // features are not kept
  ForecastModel(ForecastSettings settings, Pooled pooled, GlobalModel global, Items items)
      : settings_(std::move(settings)),
        pooled_(std::move(pooled)),
        global_(std::move(global)),
        items_(std::move(items)) {}

  std::string_view algorithm() const override { return "forecasting"; }
  std::string save() const override;
  Result<OwnAnswer> answer(const OwnRequest& request) const override;

 private:
  struct Configuration;
  struct Instance;
  struct Answered;
  static Result<Configuration> parse_configuration(const Json& json, std::vector<double> levels);
  Result<Configuration> batch_configuration(const OwnRequest& request) const;
  Result<Instance> make_instance(const TimeSeries& series, const std::string& where) const;
  Result<std::vector<Instance>> json_instances(const Json& body) const;
  Result<std::vector<Instance>> set_instances(const SeriesSet& set) const;
  Result<std::vector<Answered>> forecast(const std::vector<Instance>& instances,
                                         const OwnRequest& request) const;
  Json as_json(const Answered& answered, const Configuration& configuration) const;
  std::string as_csv(const std::vector<Answered>& answers, const std::vector<double>& levels) const;

  const ForecastSettings settings_;
  const Pooled pooled_;
  const GlobalModel global_;
  const Items items_;
};

}  // namespace millrace::tasks
