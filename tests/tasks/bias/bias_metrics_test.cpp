#include "tasks/bias/bias_metrics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "tasks/artifacts/files.h"
#include "tasks/table/csv.h"
#include "tests/support/paths.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Result<double> value_of(std::string_view name, const BiasRows& rows) {
  for (const BiasMetric& metric : bias_metrics()) {
    if (metric.name == name) return metric.value(rows, count_bias(rows));
  }
  FAIL("no metric " << name);
  return 0.0;
}

void check_value(std::string_view name, const BiasRows& rows, double expected, double tolerance) {
  CAPTURE(name);
  const auto value = value_of(name, rows);
  REQUIRE_MESSAGE(value.has_value(), value.error().message);
  CHECK(std::abs(*value - expected) <= tolerance);
}

}  // namespace

TEST_CASE("bias metrics: forty rows, worked out with numpy and scikit-learn's neighbours") {
  BiasRows rows;
  rows.facet = {0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0,
                1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1};
  rows.label = {0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1,
                1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
  rows.predicted = {0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0,
                    1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0};
  rows.group = {1, 0, 2, 2, 0, 1, 2, 2, 2, 1, 0, 2, 1, 0, 0, 1, 2, 1, 1, 2,
                2, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1, 2, 1, 1, 1, 2, 1, 1};
  const std::vector<float> x = {-0.68, 0.2,   -0.46, 0.13,  -1.19, -0.58, -0.2,  0.9,   1.15,  -1.32,
                                -0.79, 0.65,  -1.99, -0.46, -0.1,  1.26,  0.69,  -0.33, -0.37, -0.25,
                                1.52,  -0.43, -0.3,  0.35,  -0.12, -0.2,  -1.11, -0.01, -0.44, 1.17,
                                0.65,  -0.02, 0.67,  -0.34, 1.05,  -0.01, 0.58,  -1.29, 0.35,  -1.69};
  const std::vector<float> z = {-2.04, -0.3,  -0.9,  0.16,  2.24,  -0.83, -0.62, 0.21,  0.49,  -0.18,
                                -0.21, 0.7,   0.52,  -1.03, -0.08, 0.04,  -1.05, 0.26,  -0.86, 0.97,
                                0.19,  0.09,  -0.59, -0.12, -2.0,  -1.13, 0.36,  -2.13, 0.85,  -1.75,
                                0.76,  -0.85, 0.78,  0.13,  -1.54, 1.25,  1.44,  -0.07, -0.27, -0.16};
  rows.features = Matrix(x.size(), 2);
  for (std::size_t i = 0; i < x.size(); ++i) {
    rows.features.at(i, 0) = x[i];
    rows.features.at(i, 1) = z[i];
  }
  const std::pair<const char*, double> expected[] = {
      {"CI", 0.15},
      {"DPL", 0.227621483375959},
      {"KL", 0.1128712890558},
      {"JS", 0.02709607565642},
      {"LP", 0.321905388877763},
      {"TVD", 0.227621483375959},
      {"KS", 0.227621483375959},
      {"CDDL", 0.249761904761905},
      {"DPPL", 0.125319693094629},
      {"DI", 0.737967914438503},
      {"DCA", 0.257575757575757},
      {"DCR", 0.174242424242424},
      {"RD", -0.216666666666667},
      {"SD", 0.196969696969697},
      {"DAR", -0.0303030303030303},
      {"DRR", 0.325757575757576},
      {"AD", -0.214833759590793},
      {"CDDPL", 0.147579365079365},
      {"TE", -0.75},
      {"FT", -0.235294117647059},
      {"GE", 0.15},
  };
  CHECK(std::size(expected) == bias_metrics().size());
  for (const auto& [name, value] : expected) check_value(name, rows, value, 1e-12);
}

TEST_CASE("bias metrics: what is not defined says so, or is infinite") {
  BiasRows rows;
  rows.facet = {1, 1, 0, 0};
  rows.label = {1, 0, 1, 0};
  rows.predicted = {0, 0, 1, 1};
  rows.features = Matrix(4, 0);
  CHECK(value_of("CDDL", rows).error().message == "there is no group_variable");
  CHECK(value_of("FT", rows).error().message == "there are no columns of numbers besides facet and label");
  CHECK(*value_of("DI", rows) == 0);
  CHECK(*value_of("DCA", rows) == -INFINITY);  // the facet is never accepted
  CHECK(*value_of("TE", rows) == INFINITY);
  rows.label = {1, 1, 1, 1};
  rows.predicted = {0, 0, 0, 0};
  CHECK(value_of("GE", rows).error().message == "all predictions are false negatives");
  rows.label = {1, 1, 0, 0};
  CHECK(value_of("KL", rows).error().message == "no label occurs both inside and outside the facet");
  rows.features = Matrix(4, 1);
  rows.cancelled = [] { return true; };
  CHECK(value_of("FT", rows).error().code == ErrorCode::Cancelled);
}

TEST_CASE("bias metrics: the values of SageMaker Clarify's own package on adult") {
  const std::filesystem::path shared = source_path("/../shared");
  if (!std::filesystem::exists(shared / "data/adult/data.csv")) {
    MESSAGE("skipped: shared/data/adult is not there");
    return;
  }
  const Json golden = Json::parse(*read_file(shared / "peers/ml/golden/bias_adult.json"));
  auto data = parse_csv(*read_file(shared / "data/adult/data.csv"), "data.csv");
  auto parts = parse_csv(*read_file(shared / "data/adult/split.csv"), "split.csv");
  REQUIRE(data);
  REQUIRE(parts);
  BiasRows rows, first;  // FT is of the first 3000 rows, without fnlwgt
  std::vector<std::vector<float>> features;
  std::map<std::string, std::uint32_t> groups;
  for (std::size_t i = 0; i < data->rows; ++i) {
    if (parts->find("part")->texts[i] != "test") continue;
    rows.facet.push_back(data->find("sex")->texts[i] == "Female");
    rows.label.push_back(data->find("income")->texts[i] == ">50K");
    rows.predicted.push_back(data->find("education_num")->numbers[i] >= 13 ||
                             data->find("capital_gain")->numbers[i] > 5000);
    const auto next = static_cast<std::uint32_t>(groups.size());
    rows.group.push_back(groups.emplace(data->find("marital_status")->texts[i], next).first->second);
    if (features.size() == 3000) continue;
    features.emplace_back();
    for (const char* name : {"age", "education_num", "capital_gain", "capital_loss", "hours_per_week"})
      features.back().push_back(static_cast<float>(data->find(name)->numbers[i]));
  }
  first.facet.assign(rows.facet.begin(), rows.facet.begin() + 3000);
  first.label.assign(rows.label.begin(), rows.label.begin() + 3000);
  first.predicted.assign(rows.predicted.begin(), rows.predicted.begin() + 3000);
  first.features = Matrix(3000, 5);
  for (std::size_t i = 0; i < 3000; ++i)
    std::copy(features[i].begin(), features[i].end(),
              first.features.values.begin() + static_cast<long>(i * 5));
  for (const char* stage : {"pre_training", "post_training"}) {
    for (const auto& [name, entry] : golden[stage].items())
      check_value(name, name == "FT" ? first : rows, entry["value"].get<double>(), 1e-8);
  }
}
