#include "tasks/forecasting/methods.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/random.h"
#include "tasks/forecasting/accuracy.h"
#include "tasks/forecasting/blend.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Values run_method(std::string_view name, const Values& history, int horizon, std::vector<int> seasons = {}) {
  for (const ForecastMethod& method : forecast_methods())
    if (method.name == name) return method.forecast({std::move(seasons), horizon, {}}, history);
  FAIL("there is no such method");
  return {};
}

void check_close(const Values& actual, const Values& expected, double tolerance = 1e-9) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(actual[i] - expected[i]) <= tolerance);
  }
}

}  // namespace

// The expected values were worked out by hand from the formulas; the arithmetic stands beside them.
TEST_CASE("forecasting methods: golden values") {
  check_close(run_method("naive", {3, 1, 4}, 2), {4, 4});
  check_close(run_method("seasonal-naive", {1, 2, 3, 4, 5}, 4, {3}), {3, 4, 5, 3});
  check_close(run_method("seasonal-naive-long", {1, 2, 3, 4, 5}, 5, {2, 4}), {2, 3, 4, 5, 2});
  check_close(run_method("drift", {1, 2, 4}, 2), {5.5, 7});  // 4 + h (4 - 1) / 2
  // Errors 2 and 2 - 2a: a = 1 has none, so the level is the last value.
  check_close(run_method("ses", {10, 12, 12}, 2), {12, 12});
  // Slope 1 from (5 - 1) / 4; no error with any parameters.
  check_close(run_method("holt", {1, 2, 3, 4, 5, 6}, 3), {7, 8, 9});
  // Slope 1, smoothing 1, level 3: 3 + 1/2 (h - 1 + 1).
  check_close(run_method("theta", {1, 2, 3}, 3), {3.5, 4, 4.5});
  // Logarithms rise by log 2 without an error.
  check_close(run_method("log-holt", {1, 2, 4, 8, 16}, 2), {32, 64});
  CHECK(run_method("log-holt", {1, 2, 0, 8, 16}, 2).empty());
  check_close(run_method("median", {0, 0, 9, 0, 1, 0}, 2), {0, 0});
  // Places 2 of the season: 1, 7, 3; places 1: 2, 2, 9.
  check_close(run_method("median", {5, 1, 2, 7, 2, 3, 9}, 3, {2}), {3, 2, 3});
  // (0.7 * 1 + 3) / 1.7 and (0.7 * 2 + 4) / 1.7
  check_close(run_method("season-mean", {1, 2, 3, 4}, 3, {2}), {3.7 / 1.7, 5.4 / 1.7, 3.7 / 1.7});
}

TEST_CASE("forecasting methods: a season without noise goes on as it is") {
  Values sums, products;
  for (int i = 0; i < 22; ++i) {
    sums.push_back(10 + std::array{-1.0, 0.0, 1.0, 0.0}[static_cast<std::size_t>(i % 4)]);
    products.push_back(10 * std::array{0.5, 1.0, 1.5, 1.0}[static_cast<std::size_t>(i % 4)]);
  }
  for (const std::string_view name :
       {"seasonal-naive", "seasonal-ses", "holt", "damped", "theta", "holt-winters", "season-mean",
        "theta-multiplicative", "holt-winters-multiplicative"}) {
    CAPTURE(name);
    if (name.find("multi") == std::string_view::npos)
      check_close(run_method(name, sums, 4, {4}), {11, 10, 9, 10}, 1e-9);
    else
      check_close(run_method(name, products, 4, {4}), {15, 10, 5, 10}, 1e-9);
  }
  check_close(run_method("long-profile", products, 4, {2, 4}), {15, 10, 5, 10}, 1e-9);
}

TEST_CASE("forecasting methods: an autoregression continues a wave, and features move it") {
  Values wave, feature;
  ForecastTask task{{12}, 12, {}};
  Random random(1);
  for (int i = 0; i < 252; ++i) {
    wave.push_back(std::sin(i * 2 * 3.14159265358979 / 12) + 3);
    feature.push_back(i < 240 ? static_cast<double>(random.below(2)) : i % 2);
  }
  const History past = History(wave).first(240);
  for (const auto forecast : {forecast_autoregression, forecast_log_autoregression})
    check_close(forecast(task, past), Values(wave.begin() + 240, wave.end()), 0.05);
  Values moved(past.begin(), past.end());
  for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += feature[i];
  const auto mean_error = [&] {
    const Values out = forecast_autoregression(task, moved);
    double sum = 0;
    for (std::size_t h = 0; h < 12; ++h) sum += std::abs(out[h] - wave[240 + h] - feature[240 + h]) / 12;
    return sum;
  };
  CHECK(mean_error() > 0.4);
  task.features = {feature};
  CHECK(mean_error() < 0.25);
}

TEST_CASE("forecasting methods: lags stand around the seasons") {
  CHECK(autoregression_lags({}) == std::vector{1, 2, 3, 4, 5, 6});
  CHECK(autoregression_lags({4}) == std::vector{1, 2, 3, 4, 5, 8, 12});
  CHECK(autoregression_lags({24, 168}) ==
        std::vector{1, 2, 3, 24, 25, 48, 72, 96, 120, 144, 167, 168, 169, 336});
}

TEST_CASE("forecasting methods: histories of any length and level give finite values or none") {
  for (const std::vector<int>& seasons : {std::vector<int>{}, {4}, {24, 168}}) {
    for (std::size_t n : {1u, 2u, 3u, 4u, 5u, 8u, 13u, 60u}) {
      for (const double level : {0.0, -5.0, 1e9, 1e-9}) {
        Values history(n, level);
        for (const ForecastMethod& method : forecast_methods()) {
          CAPTURE(method.name);
          CAPTURE(n);
          CAPTURE(level);
          const Values out = method.forecast({seasons, 7, {}}, history);
          if (out.empty()) continue;
          REQUIRE(out.size() == 7);
          for (const double x : out) CHECK(std::abs(x - level) <= 1e-6 * std::max(1.0, std::abs(level)));
        }
      }
    }
  }
}

TEST_CASE("blend: the weighted median, over the methods that apply") {
  const std::vector<Values> forecasts = {{1, 10}, {2, 20}, {}, {10, 0}};
  CHECK(blend_forecasts(forecasts, std::vector{0.4, 0.3, 0.9, 0.3}) == Values{2, 10});
  CHECK(blend_forecasts(forecasts, std::vector{0.6, 0.2, 0.9, 0.2}) == Values{1, 10});
}

TEST_CASE(
    "blend: weights are inverse fourth powers of errors, and other series stand in for windows not there") {
  const std::size_t methods = blend_members();
  SeriesStudy study;
  for (int w = 0; w < 3; ++w) {
    SeriesStudy::Window window;
    window.errors.assign(methods, std::nan(""));
    window.errors[0] = 1, window.errors[1] = w == 0 ? 5 : 0.5;
    study.windows.push_back(window);
  }
  // Mean errors 1 and 2; the others, unknown, count as the greater of the two, the median of what is known.
  auto weights = method_weights(study, {});
  CHECK(weights[0] / weights[1] == doctest::Approx(16).epsilon(1e-4));
  CHECK(weights[2] == weights[1]);
  weights = method_weights(study, {}, 0);  // without the first window 1 and 0.5
  CHECK(weights[1] / weights[0] == doctest::Approx(16).epsilon(1e-4));
  study.windows.resize(1);
  Pooled pooled;
  pooled.errors.assign(methods, 1.0);  // (5 + 1 + 1) / 3 against 1
  weights = method_weights(study, pooled);
  CHECK(weights[0] / weights[1] == doctest::Approx(std::pow(7.0 / 3, 4)).epsilon(1e-4));
}

TEST_CASE("blend: forecasts move with a shift and a scale of the series") {
  Values history;
  for (int i = 0; i < 90; ++i) history.push_back(std::sin(i * 0.7) * 5 + std::cos(i * i * 0.3) + 0.02 * i);
  const ForecastTask task{{4}, 6, {}};
  const auto forecast = [&](const Values& v) { return forecast_series(task, v, pool_errors({})).mean; };
  const Values base = forecast(history);
  Values scaled = history, shifted = history;
  for (double& x : scaled) x *= 8;
  for (double& x : shifted) x -= 3;
  const Values of_scaled = forecast(scaled), of_shifted = forecast(shifted);
  for (std::size_t h = 0; h < base.size(); ++h) {
    CHECK(of_scaled[h] == doctest::Approx(8 * base[h]).epsilon(1e-9));
    CHECK(of_shifted[h] == doctest::Approx(base[h] - 3).epsilon(1e-4));
  }
}

TEST_CASE("forecast accuracy: golden values") {
  ForecastAccuracy accuracy({0.5, 0.9});
  const Values actual = {2, 4}, mean = {1, 5};
  accuracy.add(actual, mean, 2, std::vector<Values>{{1, 5}, {3, 3}});
  const auto metrics = accuracy.metrics();
  CHECK(metrics.at("MASE") == doctest::Approx(0.5));
  CHECK(metrics.at("RMSE") == doctest::Approx(1));
  CHECK(metrics.at("WAPE") == doctest::Approx(2.0 / 6));
  CHECK(metrics.at("MAPE") == doctest::Approx(0.375));
  CHECK(metrics.at("sMAPE") == doctest::Approx((200.0 / 3 + 200.0 / 9) / 2));
  CHECK(metrics.at("wQL[0.5]") == doctest::Approx(2 * (0.5 + 0.5) / 6));
  CHECK(metrics.at("wQL[0.9]") == doctest::Approx(2 * (0.1 + 0.9) / 6));
  CHECK(metrics.at("mean_wQuantileLoss") == doctest::Approx(1.0 / 3));
  ForecastAccuracy none({0.5});
  none.add(Values{0, 0}, Values{0, 0}, 0, std::vector<Values>{{0, 0}});
  CHECK(none.metrics().count("WAPE") == 0);
  CHECK(none.metrics().count("MASE") == 0);
  CHECK(none.metrics().at("sMAPE") == 0);
}
