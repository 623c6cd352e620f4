// StreamForest: finds what is planted, gives the same scores whenever it was saved, and follows a change.

#include <doctest/doctest.h>

#include <cmath>

#include "base/random.h"
#include "tasks/numeric/stream_forest.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

constexpr double kTurn = 6.283185307179586;

// Two sensors that swing together, with noise.
std::vector<double> usual_row(std::size_t i, Random& random) {
  const double phase = kTurn * static_cast<double>(i % 50) / 50;
  return {20 + 5 * std::sin(phase) + 0.3 * random.normal(),
          100 + 10 * std::cos(phase) + 0.6 * random.normal()};
}

ForestSettings two_sensors() {
  ForestSettings settings;
  settings.fields = 2;
  settings.trees = 50;
  settings.seed = 5;
  return settings;
}

}  // namespace

TEST_CASE("StreamForest: finds planted anomalies, says which field, and little else") {
  StreamForest forest(two_sensors());
  Random random(1);
  int found = 0, planted = 0, false_alarms = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    std::vector<double> row = usual_row(i, random);
    const bool odd = i > 1000 && i % 397 == 0;
    if (odd) row[i % 2] += 40;
    const PointScore score = forest.add(row);
    planted += odd;
    if (odd && score.anomaly) {
      ++found;
      REQUIRE(score.by_field.size() == 2);
      CHECK(score.by_field[i % 2] > 0.7);
      CHECK(std::abs(score.by_field[0] + score.by_field[1] - 1) < 1e-9);
    }
    false_alarms += !odd && score.anomaly;
  }
  CHECK(planted == 8);
  CHECK(found == planted);
  CHECK_MESSAGE(false_alarms <= 8, false_alarms);
}

TEST_CASE("StreamForest: a course that is unusual, of values that are not, needs a shingle") {
  ForestSettings settings;
  settings.trees = 50;
  settings.shingle = 10;
  settings.seed = 2;
  StreamForest forest(settings);
  Random random(4);
  double usual = 0, odd = 0;
  for (std::size_t i = 0; i < 3000; ++i) {
    // For half a turn it jumps to and fro: each value is one that it often has.
    const double wave = std::sin(kTurn * static_cast<double>(i % 50) / 50);
    const bool jumps = i >= 2900 && i < 2925;
    const double value = (jumps ? (i % 2 == 0 ? 0.9 : -0.9) : wave) + 0.02 * random.normal();
    const double score = forest.add(std::vector<double>{value}).score;
    if (i >= 2000 && i < 2900) usual = std::max(usual, score);
    if (i >= 2905 && i < 2925) odd = std::max(odd, score);
  }
  CHECK_MESSAGE(odd > 1.5 * usual, odd << " " << usual);
}

TEST_CASE("StreamForest: saved and loaded at any row, its scores are the same") {
  Random random(9);
  std::vector<std::vector<double>> rows;
  for (std::size_t i = 0; i < 1500; ++i) rows.push_back(usual_row(i, random));
  for (std::size_t i = 100; i < 400; ++i) rows[i] = rows[100];  // the same point often
  for (const bool normalize : {true, false}) {
    ForestSettings settings = two_sensors();
    settings.samples = 64, settings.time_decay = 500, settings.shingle = 3, settings.normalize = normalize;
    StreamForest whole(settings);
    std::vector<double> scores;
    for (const auto& row : rows) scores.push_back(whole.add(row).score);
    CHECK(std::count_if(scores.begin(), scores.end(), [](double s) { return s > 0; }) > 1400);

    StreamForest cut(settings);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i % 211 == 0) {
        auto loaded = StreamForest::load(settings, cut.save());
        REQUIRE(loaded);
        cut = std::move(*loaded);
      }
      REQUIRE(cut.add(rows[i]).score == scores[i]);
    }
  }
}

TEST_CASE("StreamForest: a narrow field is seen beside a wide one, and a constant one that moves") {
  ForestSettings settings = two_sensors();
  settings.fields = 3;
  StreamForest forest(settings);
  Random random(8);
  const auto row = [&] { return std::vector<double>{1e6 * random.normal(), 1e-3 * random.normal(), 7}; };
  for (int i = 0; i < 1000; ++i) forest.add(row());
  std::vector<double> narrow = row(), constant = row();
  narrow[1] = 0.02, constant[2] = 7.5;
  const PointScore by_narrow = forest.add(narrow), by_constant = forest.add(constant);
  REQUIRE(by_narrow.anomaly);
  CHECK(by_narrow.by_field[1] > 0.7);
  REQUIRE(by_constant.anomaly);
  CHECK(by_constant.by_field[2] > 0.7);
}

TEST_CASE("StreamForest: what is usual may change") {
  ForestSettings settings;
  settings.trees = 50, settings.samples = 128, settings.time_decay = 300;
  StreamForest forest(settings);
  Random random(6);
  for (int i = 0; i < 2000; ++i) forest.add(std::vector<double>{random.normal()});
  const double at_first = forest.add(std::vector<double>{50 + random.normal()}).score;
  double later = 0;  // the mean of the last hundred
  for (int i = 0; i < 2000; ++i)
    later += forest.add(std::vector<double>{50 + random.normal()}).score * (i < 1900 ? 0 : 0.01);
  CHECK(at_first > 2 * later);
}

TEST_CASE("StreamForest: what was not saved by it is refused") {
  const ForestSettings settings = two_sensors();
  StreamForest forest(settings);
  for (int i = 0; i < 300; ++i) forest.add(std::vector<double>{double(i), 1});
  const std::string bytes = forest.save();
  CHECK(StreamForest::load(settings, bytes));
  ForestSettings other = settings;
  other.samples = 100;
  CHECK(!StreamForest::load(other, bytes));
  CHECK(!StreamForest::load(settings, bytes.substr(0, bytes.size() - 1)));
  std::string changed = bytes;
  changed[changed.size() / 2] ^= 1;
  CHECK(!StreamForest::load(settings, changed));
  CHECK(!StreamForest::load(settings, ""));
}
