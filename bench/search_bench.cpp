// Search strategies on closed-form functions: the median of the best value after 25, 100 and 200 trials over
// 20 seeds, and what a suggestion costs. The functions and their ranges are those that published medians of
// other programs are for (docs/ml.md). Usage: millrace_bench_search [seeds] [gp]; with `gp` the Gaussian
// process too, at 25 and 100 trials over 5 seeds. Prints one JSON object.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>

#include "tasks/tuning/gaussian_process.h"
#include "tasks/tuning/tpe.h"
#include "tests/tasks/support/search_functions.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Best values so far.
std::vector<double> curve(int trials, const TestFunction& f, const Suggest& suggest, std::uint64_t seed) {
  std::vector<Observation> observations;
  std::vector<double> best;
  for (int t = 0; t < trials; ++t) {
    Random random = Random(seed).derive("trial", static_cast<std::uint64_t>(t));
    Point point = suggest(f.space, observations, random);
    const double value = f.value(f.space, point);
    observations.push_back({std::move(point), value});
    best.push_back(best.empty() ? value : std::min(best.back(), value));
  }
  return best;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

Json medians(const TestFunction& f, const Suggest& suggest, std::uint64_t seeds,
             const std::vector<int>& budgets) {
  std::vector<std::vector<double>> curves;
  for (std::uint64_t seed = 0; seed < seeds; ++seed)
    curves.push_back(curve(budgets.back(), f, suggest, seed));
  Json out;
  for (const int budget : budgets) {
    std::vector<double> at;
    for (const auto& one : curves) at.push_back(one[static_cast<std::size_t>(budget) - 1]);
    out[std::to_string(budget)] = median(at);
  }
  return out;
}

double milliseconds_a_suggestion(const TestFunction& f, const Suggest& suggest, int trials) {
  std::vector<Observation> observations;
  Random random(7);
  for (int t = 0; t < trials; ++t) {
    Point point = random_point(f.space, random);
    const double value = f.value(f.space, point);
    observations.push_back({std::move(point), value});
  }
  constexpr int kTimes = 20;
  const std::clock_t begun = std::clock();  // of the processor: other programs do not count
  for (int i = 0; i < kTimes; ++i) {
    Random one = Random(8).derive("trial", static_cast<std::uint64_t>(i));
    observations.push_back({suggest(f.space, observations, one), 0.0});
    observations.back().loss = f.value(f.space, observations.back().point);
  }
  return 1e3 * static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC / kTimes;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20;
  const bool with_process = argc > 2 && std::strcmp(argv[2], "gp") == 0;
  const std::vector<std::pair<std::string, Suggest>> strategies = {
      {"random", search_randomly()},
      {"tpe", search_tpe(TpeMode::Mixed)},
      {"tpe_univariate", search_tpe(TpeMode::Univariate)},
      {"tpe_multivariate", search_tpe(TpeMode::Multivariate)}};
  Json out;
  for (const TestFunction& f : test_functions()) {
    for (const auto& [name, suggest] : strategies)
      out["medians"][f.name][name] = medians(f, suggest, seeds, {25, 50, 100, 200});
    if (with_process)
      out["medians"][f.name]["gaussian_process"] =
          medians(f, suggest_gaussian_process, std::min<std::uint64_t>(seeds, 5), {25, 50, 100});
  }
  const TestFunction hartmann = test_functions()[1];
  for (const auto& [name, suggest] : strategies) {
    for (const int trials : {200, 1000})
      out["ms_a_suggestion"][name][std::to_string(trials)] =
          milliseconds_a_suggestion(hartmann, suggest, trials);
  }
  for (const int trials : {50, 200})
    out["ms_a_suggestion"]["gaussian_process"][std::to_string(trials)] =
        milliseconds_a_suggestion(hartmann, suggest_gaussian_process, trials);
  std::printf("%s\n", out.dump(2).c_str());
}
