#include "tasks/automl/series_candidates.h"

#include <doctest/doctest.h>

#include <set>

#include "tasks/forecasting/forecasting.h"
#include "tasks/training/estimator.h"

using namespace millrace;
using namespace millrace::tasks;

TEST_CASE(
    "AutoML of series, candidates: all are valid, differ, and keep the season that MASE is measured by") {
  for (const char* step : {"15min", "H", "D", "W", "M", "Y"}) {
    CAPTURE(step);
    const Frequency frequency = *parse_frequency(step);
    const std::vector<int> seasons = seasons_of(frequency);
    std::set<HyperParameters> seen;
    for (const EnsembleMember& member : series_candidates(frequency, {})) {
      HyperParameters parameters = member.parameters;
      CHECK(seen.insert(parameters).second);
      const auto own = parameters.find("seasonality");
      if (own != parameters.end()) CHECK(own->second == std::to_string(seasons.front()));
      parameters["prediction_length"] = "3";
      const Status checked = check_hyperparameters(*find_estimator(member.algorithm), parameters);
      CHECK_MESSAGE(checked.has_value(), (checked ? "" : checked.error().message));
    }
    CHECK(seen.size() >= 7);
  }
  const Frequency daily = *parse_frequency("D");
  CHECK(series_candidates(daily, {"ets", "profiles"}).size() == 2);
  CHECK(series_candidates(daily, {"autoregression"})[0].parameters.at("methods") ==
        "autoregression,log-autoregression");
}
