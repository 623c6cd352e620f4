#include "tasks/automl/series_candidates.h"

#include <algorithm>

namespace millrace::tasks {
namespace {

struct SeriesFamily {
  std::string_view name;  // as AutoMLSpec has it
  const char* methods;    // the hyperparameter
};
constexpr SeriesFamily kSeriesFamilies[] = {
    {"ets", "ses,seasonal-ses,holt,damped,holt-winters,holt-winters-multiplicative"},
    {"autoregression", "autoregression,log-autoregression"},
    {"profiles", "seasonal-naive,seasonal-naive-long,season-mean,long-profile,naive"},
    {"theta", "theta,theta-multiplicative,theta-long,drift"},
    {"trees", "lag-trees,autoregression,seasonal-naive"},
};

EnsembleMember forecaster(HyperParameters parameters) {
  return {"forecasting", std::move(parameters), std::nullopt};
}

}  // namespace

std::vector<EnsembleMember> series_candidates(const Frequency& frequency,
                                              const std::vector<std::string>& families) {
  std::vector<EnsembleMember> out;
  if (families.empty()) out.push_back(forecaster({}));
  for (const SeriesFamily& family : kSeriesFamilies)
    if (families.empty() || std::ranges::find(families, family.name) != families.end())
      out.push_back(forecaster({{"methods", family.methods}}));
  if (!families.empty()) return out;
  out.push_back(
      forecaster({{"methods", std::string(kSeriesFamilies[0].methods) + "," + kSeriesFamilies[3].methods}}));
  const std::vector<int> seasons = seasons_of(frequency);
  // The shortest season stays the same for all: it is what MASE is measured by.
  if (seasons.size() > 1) out.push_back(forecaster({{"seasonality", std::to_string(seasons.front())}}));
  return out;
}

}  // namespace millrace::tasks
