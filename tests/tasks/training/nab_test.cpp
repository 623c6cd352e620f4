// randomcutforest on six streams of the Numenta Anomaly Benchmark, scored by its standard profile with one
// threshold for all. The forest is fitted anew every 500 points on all that came before.

#include <algorithm>
#include <cmath>

#include "tests/support/paths.h"
#include "tests/tasks/training/public_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct Stream {
  std::vector<double> value;
  std::vector<std::pair<std::size_t, std::size_t>> windows;  // first and last row
  std::size_t probation = 0;
  std::vector<double> score;
};

Stream read_stream(const std::filesystem::path& path) {
  const Table table = *parse_csv(read_text(path), path.filename().string());
  Stream out;
  out.value = table.find("value")->numbers;
  const std::vector<double>& label = table.find("label")->numbers;
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (label[i] < 0.5) continue;
    if (i > 0 && label[i - 1] > 0.5)
      out.windows.back().second = i;
    else
      out.windows.emplace_back(i, i);
  }
  out.probation = std::min<std::size_t>(label.size() * 15 / 100, 750);
  return out;
}

// Windows of `shingle` values, in deviations of the probation.
void score_stream(Stream& stream, std::size_t shingle, std::size_t every) {
  double mean = 0, square = 0;
  const auto n = static_cast<double>(stream.probation);
  for (std::size_t i = 0; i < stream.probation; ++i) mean += stream.value[i] / n;
  for (std::size_t i = 0; i < stream.probation; ++i) square += std::pow(stream.value[i] - mean, 2) / n;
  const double deviation = square > 0 ? std::sqrt(square) : 1;
  Dataset data;
  data.X = Matrix(stream.value.size(), shingle);
  for (std::size_t i = 0; i < data.X.rows; ++i) {
    for (std::size_t s = 0; s < shingle; ++s) {
      const std::size_t back = shingle - 1 - s;
      data.X.at(i, s) = static_cast<float>((stream.value[i < back ? 0 : i - back] - mean) / deviation);
    }
  }
  const auto estimator =
      find_estimator("randomcutforest")->make({{"num_trees", "50"}, {"time_decay", "0.0004"}});
  stream.score.assign(data.X.rows, 0);
  for (std::size_t begin = stream.probation; begin < data.X.rows; begin += every) {
    Dataset past;
    past.X = Matrix(begin, shingle);
    std::copy_n(data.X.values.begin(), past.X.values.size(), past.X.values.begin());
    const auto fitted = (*estimator)->fit(past, nullptr, {});
    REQUIRE(fitted.has_value());
    const std::size_t count = std::min(every, data.X.rows - begin);
    const auto scores = fitted->model->predict(MatrixView(data.X).slice(begin, count));
    for (std::size_t i = 0; i < count; ++i) stream.score[begin + i] = static_cast<double>(scores->at(i, 0));
  }
  const auto [least, most] = std::minmax_element(
      stream.score.begin() + static_cast<std::ptrdiff_t>(stream.probation), stream.score.end());
  const double low = *least, width = *most > low ? *most - low : 1;
  for (double& score : stream.score) score = (score - low) / width;
}

double nab_weight(double place) {
  return 2 / (1 + std::exp(5 * place)) - 1;
}

// The standard profile's points of one stream: detections early in a window count most; false ones cost 0.11.
double nab_points(const Stream& stream, double threshold) {
  double points = 0;
  std::vector<double> caught(stream.windows.size(), -1);
  for (std::size_t row = stream.probation; row < stream.score.size(); ++row) {
    if (stream.score[row] < threshold) continue;
    int inside = -1, before = -1;
    for (std::size_t w = 0; w < stream.windows.size(); ++w) {
      const auto [first, last] = stream.windows[w];
      if (row >= first && row <= last) inside = static_cast<int>(w);
      if (last < row) before = static_cast<int>(w);
    }
    if (inside >= 0) {
      const auto [first, last] = stream.windows[static_cast<std::size_t>(inside)];
      const double place = -static_cast<double>(last - row + 1) / static_cast<double>(last - first + 1);
      double& best = caught[static_cast<std::size_t>(inside)];
      best = std::max(best, nab_weight(place));
    } else if (before < 0) {
      points -= 0.11;
    } else {
      const auto [first, last] = stream.windows[static_cast<std::size_t>(before)];
      const double past =
          static_cast<double>(row - last) / static_cast<double>(std::max<std::size_t>(1, last - first));
      points += 0.11 * (past <= 3 ? nab_weight(past) : -1);
    }
  }
  for (const double best : caught) points += best > -1 ? best / nab_weight(-1) : -1;
  return points;
}

double nab_score(const std::vector<Stream>& streams) {
  std::vector<double> all;
  double windows = 0, best = -1e9;
  for (const Stream& stream : streams) {
    all.insert(all.end(), stream.score.begin(), stream.score.end());
    windows += static_cast<double>(stream.windows.size());
  }
  std::ranges::sort(all);
  for (double q = 0.9; q < 0.99995; q += 0.0005) {
    const double threshold = all[static_cast<std::size_t>(q * static_cast<double>(all.size() - 1))];
    double points = 0;
    for (const Stream& stream : streams) points += nab_points(stream, threshold);
    best = std::max(best, points);
  }
  return 100 * (best + windows) / (2 * windows);
}

}  // namespace

TEST_CASE("published accuracy: randomcutforest on streams of the Numenta benchmark") {
  const std::filesystem::path folder = source_path("/../shared/data/nab");
  if (!std::filesystem::exists(folder)) {
    MESSAGE("skipped: ../shared/data/nab is not there");
    return;
  }
  std::vector<Stream> streams;
  for (const char* name : {"nyc_taxi", "ambient_temperature_system_failure", "ec2_cpu_utilization_825cc2",
                           "rds_cpu_utilization_e47b3b", "art_daily_flatmiddle", "speed_7578"}) {
    streams.push_back(read_stream(folder / (std::string(name) + ".csv")));
    score_stream(streams.back(), 1, 500);
  }
  const double score = nab_score(streams);
  MESSAGE("NAB " << score << " (published of the whole benchmark: RCF 51.7, Twitter 47.1)");
  CHECK(score > 55);
}
