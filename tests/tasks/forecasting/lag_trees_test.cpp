#include "tasks/forecasting/lag_trees.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/random.h"
#include "tasks/forecasting/blend.h"
#include "tasks/forecasting/lag_rows.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Days from 2024-01-01: a level of their own, and a third more on the first three days of a month.
constexpr std::int64_t kMonday = 1'704'067'200;  // 2024-01-01, in seconds since 1970
constexpr Frequency kDaily{TimeUnit::Day, 1};

double pay_day(std::size_t day) {
  return calendar_place(add_steps(kMonday, static_cast<std::int64_t>(day), kDaily), kDaily).day_of_month <= 3
             ? 1.3
             : 1.0;
}

std::vector<Values> pay_day_series(std::size_t count, std::size_t days) {
  Random random(5);
  std::vector<Values> out;
  for (std::size_t k = 0; k < count; ++k) {
    const double level = 10 + static_cast<double>(random.below(1000));
    Values values;
    for (std::size_t i = 0; i < days; ++i) values.push_back(level * (pay_day(i) + 0.02 * random.normal()));
    out.push_back(std::move(values));
  }
  return out;
}

ForecastTask daily_task(int horizon) {
  return {{7}, horizon, {}, {}, kDaily, kMonday, calendar_position(kMonday, kDaily)};
}

LagTrees fit_on(const std::vector<Values>& values, std::size_t days, int threads) {
  std::vector<LagSeries> series;
  for (const Values& one : values) series.push_back({daily_task(14), History(one).first(days)});
  trees::Team team(threads);
  auto fitted = LagTrees::fit(series, 1, team, {});
  REQUIRE(fitted.has_value());
  return std::move(*fitted);
}

std::string saved(const LagTrees& model) {
  ModelWriter writer("TEST", 1);
  model.save(writer);
  return std::move(writer).finish();
}

}  // namespace

TEST_CASE("lag rows: features stand around the last cycle, in units of the scale") {
  const Values v = {1, 3, 2, 4, 3, 5};
  const ForecastTask task{{2}, 3, {}};
  CHECK(LagRows::least_history(task) == 4);
  const LagRows rows(task, v, 2);
  CHECK(rows.centre(6) == 4);  // of 3 and 5
  std::vector<float> row(LagRows::width(task));
  rows.fill(6, 2, row.data());
  CHECK(row[0] == 2);                      // the step
  CHECK(row[1] == doctest::Approx(0.5));   // (5 - 4) / 2
  CHECK(row[2] == doctest::Approx(-0.5));  // (3 - 4) / 2
  CHECK(row[3] == doctest::Approx(0.0));   // (4 - 4) / 2
  CHECK(row[4] == doctest::Approx(0.5));   // 4 less the mean of 2 and 4, halved
  CHECK(row[5] == doctest::Approx(-0.5));  // the mean of all is 3
  CHECK(row[6] == doctest::Approx(0.75));  // steps of 1 and 2, on the mean, halved
  CHECK(row[8] == 0);                      // zeros
  CHECK(row[9] == doctest::Approx(0.5));   // the second place of the last cycle is 1 above its mean
  CHECK(row[10] == doctest::Approx(0.5));  // as in all three
  CHECK(row[12] == 1);                     // the 8th value: place 1 of 2
  CHECK(std::isnan(row[13]));              // steps have no weekday
  std::vector<double> linear(LagRows::linear_width(task));
  rows.fill_linear(row.data(), 2, linear.data());
  CHECK(linear.front() == doctest::Approx(0.5));
  CHECK(linear[5] == doctest::Approx(0.25));  // the first again, by the step
  CHECK(linear.back() == 1);
}

TEST_CASE("lag trees: learn what series share, for any level and the same for any number of threads") {
  const std::vector<Values> values = pay_day_series(30, 159);
  const LagTrees model = fit_on(values, 145, 1);
  REQUIRE(!model.empty());
  CHECK(saved(model) == saved(fit_on(values, 145, 2)));
  double error = 0, seasonal = 0;
  for (const Values& one : values) {
    const Values forecast = model.forecast(daily_task(14), History(one).first(145));
    REQUIRE(forecast.size() == 14);
    for (std::size_t h = 0; h < 14; ++h) {
      error += std::abs(one[145 + h] - forecast[h]) / one[0];
      seasonal += std::abs(one[145 + h] - one[138 + h % 7]) / one[0];
    }
  }
  CHECK(error < 0.5 * seasonal);  // from 2024-05-25 on, over the beginning of a month
}

TEST_CASE("lag trees: too few values are no model, and what was saved is read again or refused") {
  const std::vector<Values> values = pay_day_series(30, 60);
  CHECK(fit_on({values[0]}, 60, 1).empty());
  CHECK(LagTrees().forecast(daily_task(14), values[0]).empty());
  const LagTrees model = fit_on(values, 60, 1);
  REQUIRE(!model.empty());
  CHECK(model.forecast(daily_task(14), History(values[0]).first(13)).empty());
  const std::string bytes = saved(model);
  bool good = true;
  auto reader = ModelReader::open("test", "TEST", 1, bytes);
  REQUIRE(reader.has_value());
  const LagTrees again = LagTrees::load(*reader, daily_task(14), good);
  CHECK((good && reader->finish(good).has_value()));
  CHECK(again.forecast(daily_task(14), values[1]) == model.forecast(daily_task(14), values[1]));
  auto other = ModelReader::open("test", "TEST", 1, bytes);
  LagTrees::load(*other, ForecastTask{{7, 365}, 14, {}}, good);  // rows of another width
  CHECK(!good);
  // A node whose two children are the same one would be walked for ever.
  ModelWriter broken("TEST", 1);
  const std::vector<double> linear(LagRows::linear_width(daily_task(14)), 0.0);
  const std::vector<std::uint32_t> links = {1, 1, 0, 0, 0, 0};
  const std::vector<float> conditions = {0, 1};
  broken.put(std::span<const double>(linear)).put(0.0).put(std::uint64_t{1});
  broken.put(std::span<const std::uint32_t>(links)).put(std::span<const float>(conditions));
  const std::string broken_bytes = std::move(broken).finish();
  auto third = ModelReader::open("test", "TEST", 1, broken_bytes);
  good = true;
  LagTrees::load(*third, daily_task(14), good);
  CHECK(!good);
}

TEST_CASE("blend: short series have windows that overlap, very short ones shorter ones") {
  const auto origins = [](std::size_t n, const ForecastTask& task) {
    std::vector<std::size_t> out;
    const Values values(n, 1.0);
    for (const SeriesStudy::Window& window : study_series(task, values).windows) out.push_back(window.origin);
    return out;
  };
  const ForecastTask task{{}, 6, {}};
  CHECK(origins(100, task) == std::vector<std::size_t>{94, 88, 82});
  CHECK(origins(20, task) == std::vector<std::size_t>{14, 12, 10});  // 9 values before the first, at least
  CHECK(origins(9, task) == std::vector<std::size_t>{3});
  CHECK(origins(8, task) == std::vector<std::size_t>{6, 4});
  CHECK(origins(3, task).empty());
  CHECK(first_window(100, task) == 82);
  CHECK(!first_window(3, task).has_value());
}

TEST_CASE("calendar: places and positions") {
  const auto place = calendar_place(kMonday + 3 * 86'400, kDaily);
  CHECK(place.weekday == 3);
  CHECK(place.day_of_month == 4);
  CHECK(calendar_place(kMonday, {TimeUnit::Month, 1}).day_of_month == -1);
  CHECK(calendar_place(kMonday, {TimeUnit::Week, 1}).weekday == -1);
  CHECK(calendar_position(kMonday, kDaily) % 7 == 0);
  CHECK(calendar_position(kMonday, {TimeUnit::Hour, 1}) % 24 == 0);
  CHECK(calendar_position(kMonday, {TimeUnit::Month, 1}) % 12 == 0);
  CHECK(calendar_position(kMonday, {TimeUnit::BusinessDay, 1}) % 5 == 0);
  CHECK(calendar_position(17, {TimeUnit::Step, 1}) == 17);
}
