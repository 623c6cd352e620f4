// Values that scikit-learn 1.x gives for these rows; its functions are named beside each metric where the
// names differ.

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/metrics.h"
#include "tasks/evaluation/more_metrics.h"
#include "tasks/evaluation/slices.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

using Expected = std::vector<std::pair<std::string_view, double>>;

void check_values(const MetricValues& values, const Expected& expected, double tolerance) {
  for (const auto& [name, number] : expected) {
    CAPTURE(name);
    bool there = false;
    for (const auto& [own, value] : values) {
      if (own != name) continue;
      there = true;
      CHECK(value == doctest::Approx(number).epsilon(tolerance));
    }
    CHECK(there);
  }
}

// Weights are counts: what they give is what repeated rows give.
void check_counts(const MetricValues& weighted, const MetricValues& repeated) {
  REQUIRE(weighted.size() == repeated.size());
  for (std::size_t m = 0; m < weighted.size(); ++m) {
    CAPTURE(weighted[m].first);
    CHECK(weighted[m].second == doctest::Approx(repeated[m].second));
  }
}

}  // namespace

TEST_CASE("scikit-learn's values: two classes (fbeta_score, matthews_corrcoef, recall of class 0)") {
  const std::vector<double> y = {0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1,
                                 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0};
  const std::vector<double> s = {0.51, 0.44, 0.68, 0.53, 0.71, 0.99, 0.48, 0.36, 0.31, 0.23,
                                 0.38, 0.5,  0.87, 0.56, 0.43, 0.3,  0.53, 0.4,  0.93, 0.63,
                                 0.45, 0.44, 0.13, 0.94, 0.14, 0.37, 0.48, 0.22, 0.65, 0.59};
  const BinaryScores scores(y, s);
  check_values(scores.metrics(0.5),
               {
                   {"accuracy", 0.666666666666667},
                   {"precision", 0.714285714285714},
                   {"recall", 0.625},
                   {"f1", 0.666666666666667},
                   {"f0_5", 0.694444444444444},
                   {"f2", 0.641025641025641},
                   {"balanced_accuracy", 0.669642857142857},
                   {"mcc", 0.339285714285714},
                   {"cohen_kappa", 0.336283185840708},
                   {"specificity", 0.714285714285714},
                   {"auc", 0.832589285714286},
                   {"aucpr", 0.864933092802338},
                   {"logloss", 0.501542499449711},
                   {"brier", 0.168506666666667},
               },
               1e-12);
}

TEST_CASE("scikit-learn's values: seven classes, one of which never occurs in the truth") {
  const std::vector<double> y = {3, 4, 4, 2, 5, 0, 1, 0, 0, 5, 0, 2, 4, 4, 5,
                                 0, 2, 0, 1, 5, 0, 3, 0, 1, 5, 1, 1, 0, 4, 1};
  Matrix p(30, 7);
  p.values = {0.0120120132f,  0.190190211f,   0.133133143f,   0.309309334f,   0.270270318f,    0.0200200211f,
              0.065065071f,   0.116999999f,   0.219999999f,   0.0109999999f,  0.370999992f,    0.272000015f,
              0.00100000005f, 0.00800000038f, 0.0129740527f,  0.129740521f,   0.0918163732f,   0.408183664f,
              0.221556902f,   0.029940119f,   0.105788425f,   0.0839999989f,  0.140000001f,    0.232999995f,
              0.0939999968f,  0.0209999997f,  0.416999996f,   0.0109999999f,  0.017017018f,    0.113113113f,
              0.0090090083f,  0.172172174f,   0.113113113f,   0.441441447f,   0.134134129f,    0.298999995f,
              0.0370000005f,  0.256000012f,   0.0520000011f,  0.108999997f,   0.0370000005f,   0.209999993f,
              0.0690000057f,  0.343000025f,   0.251000017f,   0.00600000052f, 0.126000017f,    0.0600000024f,
              0.145000011f,   0.312000006f,   0.0419999994f,  0.0109999999f,  0.305999994f,    0.064000003f,
              0.0399999991f,  0.224999994f,   0.229000002f,   0.236000001f,   0.0970000029f,   0.0109999999f,
              0.0120000001f,  0.300000012f,   0.115000002f,   0.0330000035f,  0.113000005f,    0.0190000013f,
              0.0360000022f,  0.0230000019f,  0.622000039f,   0.154000014f,   0.209999993f,    0.0130000003f,
              0.0209999997f,  0.340999991f,   0.287999988f,   0.114f,         0.0130000003f,   0.0420420393f,
              0.0980980918f,  0.23623623f,    0.0360360332f,  0.0090090083f,  0.379379392f,    0.1991992f,
              0.273726285f,   0.0439560451f,  0.0429570489f,  0.257742256f,   0.251748264f,    0.0249750279f,
              0.104895107f,   0.0169830173f,  0.0749250725f,  0.29970029f,    0.1068931f,      0.216783196f,
              0.226773217f,   0.0579420552f,  0.230000004f,   0.0410000011f,  0.123000003f,    0.191f,
              0.152999997f,   0.234999999f,   0.0270000007f,  0.244244277f,   0.391391426f,    0.0100100106f,
              0.0530530587f,  0.229229257f,   0.00600600662f, 0.0660660714f,  0.0379999988f,   0.0560000017f,
              0.300000012f,   0.0390000008f,  0.310000002f,   0.0820000023f,  0.174999997f,    0.214785203f,
              0.283716291f,   0.0629370585f,  0.00499500474f, 0.176823169f,   0.136863127f,    0.11988011f,
              0.0860860869f,  0.470470458f,   0.133133128f,   0.156156152f,   0.011011011f,    0.070070073f,
              0.0730730742f,  0.137137145f,   0.260260254f,   0.117117122f,   0.113113113f,    0.0590590611f,
              0.242242247f,   0.0710710734f,  0.204999998f,   0.0450000018f,  0.115000002f,    0.0710000023f,
              0.377000004f,   0.0260000005f,  0.160999998f,   0.111111112f,   0.136136144f,    0.0720720664f,
              0.234234229f,   0.141141146f,   0.208208203f,   0.0970970988f,  0.206793219f,    0.0159840174f,
              0.142857164f,   0.227772251f,   0.00899100956f, 0.185814202f,   0.211788222f,    0.0290290304f,
              0.387387395f,   0.0980980992f,  0.158158168f,   0.289289296f,   0.0220220238f,   0.0160160176f,
              0.148000002f,   0.0179999992f,  0.0450000018f,  0.184f,         0.0719999969f,   0.528999984f,
              0.00400000019f, 0.0299700275f,  0.335664302f,   0.341658324f,   0.0269730259f,   0.00999000948f,
              0.11388611f,    0.141858146f,   0.322677374f,   0.259740263f,   0.000999001088f, 0.0229770243f,
              0.0539460592f,  0.159840167f,   0.179820195f,   0.379999995f,   0.0850000009f,   0.367000014f,
              0.0329999998f,  0.0170000009f,  0.0769999996f,  0.0410000011f,  0.200000003f,    0.0109999999f,
              0.0989999995f,  0.328000009f,   0.27700001f,    0.057f,         0.0280000009f,   0.229000002f,
              0.25999999f,    0.181999996f,   0.159999996f,   0.148000002f,   0.00800000038f,  0.0130000003f};
  check_values(class_metrics(y, p),
               {
                   {"accuracy", 0.433333333333333},
                   {"macro_f1", 0.359177859177859},
                   {"mlogloss", 1.25222230388381},
                   {"balanced_accuracy", 0.466666666666667},
                   {"macro_precision", 0.338095238095238},
                   {"macro_recall", 0.466666666666667},
                   {"weighted_precision", 0.408571428571429},
                   {"weighted_recall", 0.433333333333333},
                   {"weighted_f1", 0.392389092389092},
                   {"mcc", 0.330555555555556},
                   {"cohen_kappa", 0.318181818181818},
                   {"top_3_accuracy", 1},
                   {"top_5_accuracy", 1},
               },
               1e-7);
  std::vector<double> weights, y2;
  Matrix p2(0, 7);
  for (std::size_t i = 0; i < y.size(); ++i) {
    weights.push_back(static_cast<double>(i % 3));
    for (std::size_t r = 0; r < i % 3; ++r) {
      y2.push_back(y[i]);
      const auto row = MatrixView(p).row(i);
      p2.values.insert(p2.values.end(), row.begin(), row.end());
      ++p2.rows;
    }
  }
  check_counts(class_metrics(y, p, weights), class_metrics(y2, p2));
}

TEST_CASE("top-k accuracy counts the places of the label") {
  Matrix p(2, 6);
  p.values = {0.4f, 0.3f, 0.15f, 0.08f, 0.05f, 0.02f, 0.4f, 0.3f, 0.15f, 0.08f, 0.05f, 0.02f};
  const std::vector<double> y = {2, 5};
  check_values(class_metrics(y, p), {{"top_3_accuracy", 0.5}, {"top_5_accuracy", 0.5}}, 1e-12);
}

TEST_CASE("scikit-learn's values: numbers (mean_pinball_loss at 0.8, root of mean_squared_log_error)") {
  const std::vector<double> y = {3.12, 1.55,  4.94, 11.37, 1.71, 3.51, 2.78, 7.89,  5.18, 4.23,
                                 5.6,  7.4,   2.73, 6.41,  6.44, 6.16, 6.15, 12.13, 1.04, 3.7,
                                 1.75, 36.26, 6.43, 5.78,  1.74, 4.85, 2.92, 5.71,  2.58, 4.87};
  const std::vector<double> p = {3.96, 1.68,  4.18, 11.58, 4.35, 4.78, 0.05, 7.75,  4.3,  4.85,
                                 5.43, 9.33,  3.66, 7.3,   6.63, 6.12, 6.49, 13.43, 1.57, 3.35,
                                 3.03, 36.45, 6.35, 4.99,  1.17, 4.21, 0.13, 6.73,  3.15, 4.66};
  const RegressionScores scores(y, p, 0.8);
  check_values(scores.metrics(),
               {
                   {"rmse", 1.13208509691925},
                   {"mae", 0.834333333333333},
                   {"r2", 0.966761953839523},
                   {"mape", 0.268804988619176},
                   {"smape", 0.293281220796735},
                   {"median_ae", 0.629999999999999},
                   {"explained_variance", 0.967406653011094},
                   {"max_error", 2.79},
                   {"rmsle", 0.376562761661326},
                   {"quantile_loss", 0.369866666666667},
               },
               1e-12);
  std::vector<double> weights, y2, p2;
  for (std::size_t i = 0; i < y.size(); ++i) {
    weights.push_back(static_cast<double>(i % 4));
    for (std::size_t r = 0; r < i % 4; ++r) y2.push_back(y[i]), p2.push_back(p[i]);
  }
  check_counts(scores.metrics(weights), RegressionScores(y2, p2, 0.8).metrics());
  // Negative numbers have no logarithms, and without a level there is no quantile.
  for (const auto& [name, value] :
       regression_metrics(std::vector<double>{-1, 2}, std::vector<double>{1, 2})) {
    CHECK(name != "rmsle");
    CHECK(name != "quantile_loss");
  }
}

TEST_CASE("scikit-learn's values: rankings of three queries, one without anything relevant") {
  const std::vector<double> relevance = {3, 2, 3, 0, 1, 2, 0, 1, 0, 2, 0, 0, 0, 0, 0};
  const std::vector<double> scores = {.9, .8, .3, .5, .5, .2, .1, .4, .4, .2, .9, .1, .2, .3, .4};
  const std::vector<std::uint32_t> group = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2};
  const RankingMetrics found = ranking_metrics(relevance, scores, group, 3);
  CHECK(found.ndcg == doctest::Approx(0.733294719430562).epsilon(1e-12));
  CHECK(found.ndcg_at_k == doctest::Approx(0.490293690468196).epsilon(1e-12));
  CHECK(found.map == doctest::Approx(0.646666666666667).epsilon(1e-12));
  CHECK(found.reciprocal_rank == (1.0 + 0.5) / 2);
  CHECK(found.groups == 3);
}

TEST_CASE("scikit-learn's values: clusters (silhouette, Calinski-Harabasz, Davies-Bouldin)") {
  Matrix X(28, 2);
  X.values = {
      1.04999995f,   0.439999998f, 0.370000005f,    -2.47000003f, -0.230000004f, 0.529999971f,  1.61000001f,
      1.84000003f,   1.42999995f,  -1.15999997f,    -2.20000005f, 0.569999993f,  0.0299999993f, 0.959999979f,
      -0.129999995f, 0.219999999f, -1.5f,           0.449999988f, -0.439999998f, 0.349999994f,  0.460000008f,
      -0.119999997f, 0.319999993f, -0.00999999978f, 4.76000023f,  4.5f,          3.45000005f,   3.41000009f,
      5.73999977f,   3.9000001f,   4.98999977f,     4.38999987f,  3.44000006f,   3.25f,         4.11999989f,
      4.26000023f,   4.61000013f,  2.73000002f,     3.41000009f,  3.91000009f,   5.5999999f,    1.63999999f,
      0.439999998f,  4.46000004f,  0.430000007f,    4.51000023f,  0.360000014f,  6.55999994f,   0.349999994f,
      5.42999983f,   0.370000005f, 4.25f,           0.540000021f, 4.78999996f,   -0.810000002f, 4.96000004f};
  const std::vector<std::uint32_t> clusters = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1,
                                               1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2};
  const auto found = cluster_metrics(X, clusters, Random(1), {});
  REQUIRE(found);
  CHECK(found->silhouette == doctest::Approx(0.54764147674999).epsilon(1e-12));
  CHECK(found->calinski_harabasz == doctest::Approx(32.2508783007071).epsilon(1e-12));
  CHECK(found->davies_bouldin == doctest::Approx(0.754236356223772).epsilon(1e-12));
  CHECK(found->sizes == std::vector<double>{11, 9, 8});
  const std::vector<std::uint32_t> one(28, 0);
  CHECK(!cluster_metrics(X, one, Random(1), {}));
  X.values[5] = NAN;
  CHECK(cluster_metrics(X, clusters, Random(1), {}).error().message.find("row 3 has a number") == 0);
}

TEST_CASE("thresholds: by F1, cost, precision and recall") {
  const std::vector<double> y = {1, 1, 0, 1, 0, 0, 1, 0}, s = {.9, .8, .7, .6, .5, .4, .3, .2};
  const BinaryScores scores(y, s);
  using By = BinaryScores::ThresholdRule::By;
  CHECK(*scores.choose_threshold({By::F1}) == std::pair{0.6, 0.75});
  CHECK(scores.choose_threshold({By::Cost, 1, 1})->first == 0.8);
  CHECK(scores.choose_threshold({By::Cost, 1, 10})->first == 0.3);
  CHECK(scores.choose_threshold({By::Cost, 1, 10})->second == 3.0 / 8);
  CHECK(*scores.choose_threshold({By::Precision, 1, 1, 0.75}) == std::pair{0.6, 0.75});
  CHECK(*scores.choose_threshold({By::Recall, 1, 1, 0.5}) == std::pair{0.8, 1.0});
  CHECK(!BinaryScores(std::vector<double>{0, 1}, std::vector<double>{.9, .1})
             .choose_threshold({By::Precision, 1, 1, 0.9}));
}

TEST_CASE("slices: categories, quarters of numbers, missing cells; each with its own metrics") {
  Column city = text_column("city", {"a", "b", "a", "", "b", "a"});
  city.missing[3] = 1;
  const auto slices = slices_of(city);
  REQUIRE(slices.size() == 3);
  CHECK(slices[0].name == "(missing)");
  CHECK(slices[1].rows == std::vector<std::uint32_t>{0, 2, 5});
  std::vector<double> ages;
  for (int i = 0; i < 100; ++i) ages.push_back(i);
  ages.push_back(NAN);
  const auto quarters = slices_of(number_column("age", ages));
  REQUIRE(quarters.size() == 5);
  CHECK(quarters[0].name == "[0, 24.75)");
  CHECK(quarters[0].rows.size() == 25);
  CHECK(quarters[3].name == "[74.25, 99]");
  CHECK(quarters[4].name == "(missing)");
  EvaluationSettings settings;
  settings.task = "binary";
  Matrix p(6, 1);
  p.values = {0.9f, 0.1f, 0.2f, 0.5f, 0.8f, 0.7f};
  const std::vector<double> y = {1, 1, 0, 0, 0, 1};
  const Json metrics = slice_metrics(slices, y, p, settings);
  CHECK(metrics["a"]["rows"] == 3);
  CHECK(metrics["a"]["accuracy"] == 1);
  CHECK(metrics["b"]["accuracy"] == 0);
}
