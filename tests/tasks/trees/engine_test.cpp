#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tasks/numeric/isa.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/bins.h"
#include "tasks/trees/boost.h"
#include "tasks/trees/explain.h"
#include "tasks/trees/math.h"
#include "tasks/trees/model_json.h"
#include "tasks/trees/split.h"
#include "tests/tasks/trees/tree_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Fitted train_trees(HyperParameters parameters, const Dataset& data, const FitContext& context = {},
                   const Dataset* validation = nullptr) {
  const auto estimator = make_xgboost(parameters);
  REQUIRE_MESSAGE(estimator.has_value(), (estimator ? "" : estimator.error().message));
  auto fitted = (*estimator)->fit(data, validation, context);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

float answer(const Model& model, std::vector<float> row) {
  const auto p = model.predict({row.data(), 1, row.size()});
  REQUIRE(p.has_value());
  return p->values[0];
}

std::vector<trees::Tree> trees_of(const Fitted& fitted) {
  return ensemble_of(*fitted.model)->trees;
}

// Score of a row of which only some features are known: the others go both ways, by their covers.
double expected_score(const trees::Tree& tree, std::int32_t at, const float* row, unsigned known) {
  const trees::Node& node = tree.nodes[std::size_t(at)];
  if (node.left < 0) return double(node.condition);
  const float x = row[node.feature];
  const bool left = x == x ? x < node.condition : node.missing_left;
  if (known >> node.feature & 1) return expected_score(tree, left ? node.left : node.right, row, known);
  const double a = double(tree.nodes[std::size_t(node.left)].cover),
               b = double(tree.nodes[std::size_t(node.right)].cover);
  return (a * expected_score(tree, node.left, row, known) +
          b * expected_score(tree, node.right, row, known)) /
         (a + b);
}

}  // namespace

TEST_CASE("trees: the same bytes for any number of threads and any processor") {
  const std::vector<HyperParameters> settings{
      {{"objective", "binary:logistic"}, {"max_depth", "8"}},
      {{"objective", "binary:logistic"},
       {"subsample", "0.6"},
       {"colsample_bynode", "0.5"},
       {"max_depth", "7"}},
      {{"objective", "binary:logistic"},
       {"grow_policy", "lossguide"},
       {"max_leaves", "60"},
       {"max_depth", "0"}},
      {{"objective", "binary:logistic"}, {"max_bin", "1000"}},
      {{"objective", "multi:softprob"}, {"num_class", "2"}, {"num_parallel_tree", "2"}, {"subsample", "0.5"}},
      {{"objective", "reg:absoluteerror"}, {"monotone_constraints", "(1,0,0,0,0,0,0,0)"}},
      {{"objective", "count:poisson"}},
      {{"objective", "reg:tweedie"}},
  };
  const Dataset data = tree_data(60000, 5, 2, true);
  for (HyperParameters parameters : settings) {
    parameters["num_round"] = "3";
    CAPTURE(parameters["objective"]);
    parameters["nthread"] = "1";
    const std::string bytes = train_trees(parameters, data).model->save();
    for (const char* threads : {"2", "3", "8"}) {
      parameters["nthread"] = threads;
      CHECK(bytes == train_trees(parameters, data).model->save());
    }
    parameters["nthread"] = "2";
    for (const Isa level : {Isa::Baseline, Isa::Avx2}) {
      limit_isa(level);
      const Fitted fitted = train_trees(parameters, data);
      CHECK(bytes == fitted.model->save());
      const auto plain = fitted.model->predict(MatrixView(data.X).slice(0, 500));
      limit_isa(Isa::Avx512);
      CHECK(plain->values == fitted.model->predict(MatrixView(data.X).slice(0, 500))->values);
    }
  }
}

TEST_CASE("trees: one row, many rows and the scores of training are the same bits") {
  const Dataset data = tree_data(3000, 6, 2), other = tree_data(500, 7, 2);
  double loss = 0;
  FitContext context;
  context.metric = [&](const MetricPoint& point) {
    loss = point.name == "validation:logloss" ? point.value : loss;
  };
  const Fitted fitted =
      train_trees({{"num_round", "30"}, {"objective", "binary:logistic"}}, data, context, &other);
  const Matrix all = *fitted.model->predict(other.X);
  double sum = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    const auto one = fitted.model->predict(MatrixView(other.X).slice(i, 1));
    CHECK(one->values[0] == all.values[i]);
    sum -= std::log(other.y[i] > 0.5 ? double(all.values[i]) : 1 - double(all.values[i]));
  }
  CHECK(loss == doctest::Approx(sum / 500).epsilon(1e-4));
}

TEST_CASE("trees: resuming a checkpoint gives the bytes of never having stopped") {
  const Dataset data = tree_data(2000, 8, 2), other = tree_data(500, 9, 2);
  for (const char* booster : {"gbtree", "dart"}) {
    CAPTURE(booster);
    HyperParameters parameters{{"num_round", "60"},
                               {"objective", "binary:logistic"},
                               {"subsample", "0.8"},
                               {"colsample_bytree", "0.7"},
                               {"eta", "0.5"},
                               {"booster", booster},
                               {"early_stopping_rounds", "4"},
                               {"rate_drop", "0.1"}};
    std::vector<std::string> checkpoints;
    FitContext context;
    context.seed = 11, context.checkpoint_rounds = 5;
    context.checkpoint = [&](std::string_view bytes) { checkpoints.emplace_back(bytes); };
    const Fitted whole = train_trees(parameters, data, context, &other);
    REQUIRE(checkpoints.size() >= 1);
    FitContext resumed;
    resumed.seed = 11;
    for (const std::string& checkpoint : checkpoints) {
      resumed.resume_from = checkpoint;
      const Fitted rest = train_trees(parameters, data, resumed, &other);
      CHECK(rest.rounds == whole.rounds);
      CHECK(rest.metrics == whole.metrics);
      CHECK(rest.model->save() == whole.model->save());
    }
  }
}

TEST_CASE("trees: training goes on from a given model, of the same kind only") {
  const Dataset data = tree_data(2000, 10), other = tree_data(500, 11);
  const Fitted first = train_trees({{"num_round", "5"}}, data);
  const std::string bytes = first.model->save();
  FitContext context;
  context.start_from = bytes;
  const Fitted more = train_trees({{"num_round", "7"}}, data, context);
  CHECK(trees_of(more).size() == 12);
  CHECK(more.rounds == 7);
  CHECK(more.model->save() == train_trees({{"num_round", "12"}}, data).model->save());
  const auto refused = (*make_xgboost({{"num_round", "1"}, {"objective", "reg:gamma"}, {"base_score", "1"}}))
                           ->fit(
                               [] {
                                 Dataset positive = tree_data(100, 12);
                                 for (double& y : positive.y) y = std::exp(y);
                                 return positive;
                               }(),
                               nullptr, context);
  REQUIRE(!refused);
  CHECK(refused.error().message ==
        "the model to continue was trained with objective reg:squarederror, not reg:gamma");
}

TEST_CASE("trees: missing values go where they fit, by hand") {
  Dataset data;
  data.X = Matrix(6, 1);
  const float none = std::numeric_limits<float>::quiet_NaN();
  data.X.values = {1, 2, 3, 4, none, none};
  data.y = {0, 0, 10, 10, 10, 10};
  HyperParameters parameters{
      {"num_round", "1"}, {"max_depth", "1"}, {"eta", "1"}, {"lambda", "0"}, {"base_score", "0"}};
  Fitted fitted = train_trees(parameters, data);
  CHECK(fitted.model->predict(data.X)->values == std::vector<float>{0, 0, 10, 10, 10, 10});
  CHECK(trees_of(fitted)[0].nodes[0].condition == 2.5f);
  CHECK(!trees_of(fitted)[0].nodes[0].missing_left);
  data.y = {0, 0, 0, 0, 10, 10};  // only whether it is missing
  fitted = train_trees(parameters, data);
  CHECK(fitted.model->predict(data.X)->values == std::vector<float>{0, 0, 0, 0, 10, 10});
  CHECK(answer(*fitted.model, {1e9f}) == 0);
  data.X.values = {1, 2, 3, 4, 5, 6}, data.y = {0, 0, 0, 0, 10, 10};  // none missing: with the majority
  fitted = train_trees(parameters, data);
  CHECK(answer(*fitted.model, {none}) == 0);
}

TEST_CASE("trees: limits of depth, leaves, weight and gain hold") {
  const Dataset data = tree_data(5000, 13);
  const auto leaves = [](const trees::Tree& tree) {
    return std::ranges::count_if(tree.nodes, [](const trees::Node& n) { return n.left < 0; });
  };
  for (const trees::Tree& tree :
       trees_of(train_trees({{"num_round", "4"}, {"max_leaves", "13"}, {"max_depth", "0"}}, data)))
    CHECK(leaves(tree) == 13);
  for (const trees::Tree& tree : trees_of(train_trees({{"num_round", "4"}, {"max_depth", "3"}}, data)))
    CHECK((leaves(tree) <= 8 && leaves(tree) > 4));
  for (const trees::Tree& tree :
       trees_of(train_trees({{"num_round", "4"}, {"min_child_weight", "50"}}, data))) {
    for (const trees::Node& node : tree.nodes) CHECK(node.cover >= 50);
  }
  for (const trees::Tree& tree : trees_of(train_trees({{"num_round", "4"}, {"gamma", "30"}}, data))) {
    for (const trees::Node& node : tree.nodes) CHECK((node.left < 0 || node.gain >= 30));
  }
  // Without a limit of depth every row finds its own leaf.
  const Fitted deep = train_trees({{"num_round", "1"},
                                   {"max_depth", "0"},
                                   {"lambda", "0"},
                                   {"eta", "1"},
                                   {"max_bin", "5000"},
                                   {"min_child_weight", "0"}},
                                  tree_data(300, 14));
  const Dataset same = tree_data(300, 14);
  const Matrix p = *deep.model->predict(same.X);
  for (std::size_t i = 0; i < 300; ++i)
    CHECK(double(p.values[i]) == doctest::Approx(same.y[i]).epsilon(1e-3));
}

TEST_CASE("trees: monotone and interaction constraints hold everywhere") {
  const Dataset data = tree_data(4000, 15);
  const Fitted fitted =
      train_trees({{"num_round", "30"}, {"monotone_constraints", "(-1,0,1,0,0,0,0,0)"}}, data);
  for (std::size_t i = 0; i < 50; ++i) {
    std::vector<float> row(data.X.values.begin() + std::ptrdiff_t(i * 8),
                           data.X.values.begin() + std::ptrdiff_t(i * 8 + 8));
    float before_down = std::numeric_limits<float>::infinity(), before_up = -before_down;
    const float old = row[0];
    for (float x = -3; x <= 3; x += 0.1f) {
      row[0] = x;
      CHECK(answer(*fitted.model, row) <= before_down);
      before_down = answer(*fitted.model, row);
    }
    row[0] = old;
    for (float x = -3; x <= 3; x += 0.1f) {
      row[2] = x;
      CHECK(answer(*fitted.model, row) >= before_up);
      before_up = answer(*fitted.model, row);
    }
  }
  const Fitted apart =
      train_trees({{"num_round", "20"}, {"interaction_constraints", "[[0,1],[2,3,4]]"}}, data);
  for (const trees::Tree& tree : trees_of(apart)) {
    for (const trees::Node& leaf : tree.nodes) {
      std::set<std::uint32_t> path;
      for (std::int32_t at = leaf.parent; at >= 0; at = tree.nodes[std::size_t(at)].parent)
        path.insert(tree.nodes[std::size_t(at)].feature);
      const auto within = [&](std::set<std::uint32_t> set) { return std::ranges::includes(set, path); };
      CHECK((within({0, 1}) || within({2, 3, 4}) || path.size() <= 1));
    }
  }
}

TEST_CASE("trees: contributions are Shapley's values of the expected score, by all subsets") {
  for (const std::size_t d :
       {8u, 12u}) {  // leaves of up to 8 features have tables, the others are worked out
    Dataset data = tree_data(1500, 16);
    if (d > 8) {
      Random random(4);
      data.X = Matrix(1500, d);
      data.feature_names.clear();
      for (float& x : data.X.values)
        x = random.uniform() < 0.05 ? std::nanf("") : static_cast<float>(random.normal());
    }
    const Fitted fitted = train_trees({{"num_round", "3"}, {"max_depth", d > 8 ? "14" : "5"}}, data);
    const trees::Ensemble& e = *ensemble_of(*fitted.model);
    const trees::Explainer explainer(e, e.base_score);
    trees::Team team(2);
    const std::size_t n = 6, width = d + 1;
    std::vector<float> out(n * width), pairs(n * width * width);
    explainer.contributions(MatrixView(data.X).slice(0, n), team, out.data());
    explainer.interactions(MatrixView(data.X).slice(0, n), team, pairs.data());
    std::vector<double> factorial{1};
    for (std::size_t k = 1; k <= d; ++k) factorial.push_back(factorial.back() * double(k));
    const unsigned sets = 1u << d;
    for (std::size_t i = 0; i < n; ++i) {
      const float* row = data.X.values.data() + i * d;
      std::vector<double> value(sets);
      for (unsigned known = 0; known < sets; ++known) {
        value[known] = e.base_score;
        for (const trees::Tree& tree : e.trees) value[known] += expected_score(tree, 0, row, known);
      }
      CHECK(double(out[i * width + d]) == doctest::Approx(value[0]).epsilon(1e-4));
      double total = 0;
      for (std::size_t j = 0; j < width; ++j) total += double(out[i * width + j]);
      CHECK(total == doctest::Approx(double(answer(*fitted.model, {row, row + d}))).epsilon(1e-4));
      for (unsigned j = 0; j < d; ++j) {
        double phi = 0, with_first = 0;
        for (unsigned set = 0; set < sets; ++set) {
          if (set >> j & 1) continue;
          const auto s = static_cast<std::size_t>(__builtin_popcount(set));
          phi += factorial[s] * factorial[d - 1 - s] / factorial[d] * (value[set | 1u << j] - value[set]);
          if (j == 0 || set & 1) continue;
          const double both = value[set | 1u << j | 1] - value[set | 1u << j] - value[set | 1] + value[set];
          with_first += factorial[s] * factorial[d - 2 - s] / factorial[d - 1] * both / 2;
        }
        CHECK(double(out[i * width + j]) == doctest::Approx(phi).epsilon(1e-3));
        if (j > 0) CHECK(double(pairs[i * width * width + j]) == doctest::Approx(with_first).epsilon(1e-3));
      }
    }
  }
}

TEST_CASE("trees: importances by hand") {
  Dataset data;
  data.X = Matrix(4, 2);
  data.X.values = {1, 0, 2, 0, 3, 0, 4, 0};
  data.y = {0, 0, 10, 10};
  const Fitted fitted = train_trees(
      {{"num_round", "2"}, {"max_depth", "1"}, {"eta", "0.5"}, {"lambda", "0"}, {"base_score", "0"}}, data);
  const trees::Ensemble& e = *ensemble_of(*fitted.model);
  CHECK(*trees::feature_importance(e, "weight") == std::vector<double>{2, 0});
  CHECK(*trees::feature_importance(e, "cover") == std::vector<double>{4, 0});
  CHECK(*trees::feature_importance(e, "total_cover") == std::vector<double>{8, 0});
  // 20² / 2 - 20² / 4 = 100, then of halves 25
  CHECK(*trees::feature_importance(e, "total_gain") == std::vector<double>{125, 0});
  CHECK(*trees::feature_importance(e, "gain") == std::vector<double>{62.5, 0});
  CHECK(!trees::feature_importance(e, "luck"));
}

TEST_CASE("trees: a threshold lies in the middle between a node's rows, not at the edge of one side") {
  trees::Feature feature;
  feature.cuts = {1, 2, 3, 4, 10};
  CHECK(trees::middle_of_gap(feature, 1, 2) == 1);
  CHECK(trees::middle_of_gap(feature, 0, 4) == 1);  // 1 to 4: 2 and 3 are as near
  CHECK(trees::middle_of_gap(feature, 0, 5) == 3);  // 1 to 10: 4 is nearest to 5.5
  // Beside a column that parts most rows, the second level has nothing between 0 and 9 of the other.
  Dataset data;
  for (int i = 0; i < 400; ++i) {
    const bool upper = i % 2 == 1;
    const int x = upper ? i / 2 % 2 * 9 : i / 2 % 10;
    data.X.values.insert(data.X.values.end(), {upper ? 1.0f : 0.0f, static_cast<float>(x)});
    data.y.push_back(upper ? 100 + (x > 0 ? 5 : -5) : 0);
  }
  data.X.rows = 400, data.X.cols = 2;
  const Fitted fitted = train_trees({{"num_round", "1"}, {"max_depth", "2"}, {"eta", "1"}}, data);
  CHECK(answer(*fitted.model, {1, 4}) == answer(*fitted.model, {1, 0}));
  CHECK(answer(*fitted.model, {1, 5}) == answer(*fitted.model, {1, 9}));
}

TEST_CASE("trees: cuts lie between values, heavy values get bins of their own") {
  CHECK(trees::find_cuts_of({3, 1, 2, 1}, {}, 256) == std::vector<float>{1.5f, 2.5f});
  CHECK(trees::find_cuts_of({5, 5, 5}, {}, 256).empty());
  CHECK(trees::find_cuts_of({-0.0f, 0.0f}, {}, 256).empty());
  const float one = 1, next = std::nextafter(1.0f, 2.0f);
  CHECK(trees::find_cuts_of({one, next}, {}, 256) == std::vector<float>{next});
  std::vector<float> sample(1000, 7);
  for (int i = 0; i < 1000; ++i) sample.push_back(float(i % 500) * 0.01f);
  const std::vector<float> cuts = trees::find_cuts_of(sample, {}, 16);
  CHECK(cuts.size() <= 15);
  CHECK(cuts.size() >= 8);
  CHECK(std::ranges::is_sorted(cuts));
  CHECK(std::ranges::count_if(cuts, [](float c) { return c > 4.99f && c <= 7; }) == 1);
  const std::vector<float> weights{1, 1, 100};
  CHECK(trees::find_cuts_of({1, 2, 3}, weights, 2) == std::vector<float>{2.5f});
}

TEST_CASE("trees: bins hold every value's place, small features share a column") {
  const Dataset data = tree_data(3000, 17);
  trees::Team team(2);
  for (const std::uint32_t max_bin : {16u, 256u, 2000u}) {
    const trees::Bins bins(data.X, {}, max_bin, team);
    CHECK(bins.wide() == (max_bin > 256));
    if (!bins.wide()) CHECK(bins.columns().size() < 7);
    for (std::size_t i = 0; i < 3000; ++i) {
      for (std::size_t j = 0; j < 8; ++j) {
        const trees::Feature& feature = bins.features()[j];
        if (feature.bins == 1) continue;
        const std::size_t at = i * bins.stride() + feature.column;
        const std::uint32_t stored = bins.wide() ? bins.words()[at] : bins.bytes()[at];
        const std::uint32_t bin = stored / feature.multiplier % feature.bins;
        const float x = data.X.at(i, j);
        const auto below = std::ranges::count_if(feature.cuts, [&](float cut) { return cut <= x; });
        REQUIRE(bin == (x == x ? static_cast<std::uint32_t>(below) : feature.values));
      }
    }
  }
}

TEST_CASE("trees: exp and log are right to a few units of the last place") {
  for (float x = -80; x < 80; x += 0.37f)
    CHECK(double(trees::exp_bits(x)) == doctest::Approx(std::exp(double(x))).epsilon(5e-7));
  for (float x = 1e-30f; x < 1e30f; x *= 1.7f)
    CHECK(std::abs(double(trees::log_bits(x)) - std::log(double(x))) <
          3e-7 * (1 + std::abs(std::log(double(x)))));
}

TEST_CASE("trees: gradients become whole numbers whose sums are right") {
  trees::Team team(2);
  std::vector<trees::GradientPair> pairs(50000);
  Random random(3);
  double gradient = 0, hessian = 0;
  for (auto& pair : pairs) {
    pair = {float(random.normal()), float(random.uniform())};
    gradient += double(pair.gradient), hessian += double(pair.hessian);
  }
  std::vector<std::int64_t> words(pairs.size());
  const trees::Units units = trees::to_words(pairs, words, 5, team);
  const std::int64_t sum = std::accumulate(words.begin(), words.end(), std::int64_t(0));
  CHECK(trees::gradient_of(sum) * units.gradient == doctest::Approx(gradient).epsilon(1e-3));
  CHECK(trees::hessian_of(sum) * units.hessian == doctest::Approx(hessian).epsilon(1e-5));
  for (std::size_t i = 0; i < 100; ++i)
    CHECK(std::abs(trees::gradient_of(words[i]) * units.gradient - double(pairs[i].gradient)) <=
          units.gradient);
}
