#include "tasks/trees/ranking.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "base/random.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/metric.h"
#include "tests/support/libxgboost.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Queries of `per_query` rows: grades 0 to 3 from a noisy score that differs from query to query.
Dataset query_data(std::size_t queries, std::size_t per_query, std::uint64_t seed) {
  Random random(seed);
  Dataset data;
  data.X = Matrix(queries * per_query, 4);
  for (std::size_t q = 0; q < queries; ++q) {
    const double level = 3 * random.normal();  // of the query: says nothing within it
    for (std::size_t r = 0; r < per_query; ++r) {
      const std::size_t i = q * per_query + r;
      for (std::size_t j = 0; j < 3; ++j) data.X.at(i, j) = static_cast<float>(random.normal());
      data.X.at(i, 3) = static_cast<float>(level);
      const double worth = data.X.at(i, 0) + 0.7 * data.X.at(i, 1) * data.X.at(i, 1) + 0.4 * random.normal();
      data.y.push_back(std::clamp(std::floor(worth + 0.5 * level / 3), 0.0, 3.0));
      data.groups.push_back(static_cast<double>(100 + q));
    }
  }
  data.feature_names = {"a", "b", "c", "level"}, data.target_name = "grade";
  return data;
}

// Of one list in the order of the scores.
double measure_of(const std::string& name, std::vector<float> grades_in_order) {
  std::vector<float> scores(grades_in_order.size());
  for (std::size_t k = 0; k < scores.size(); ++k) scores[k] = -static_cast<float>(k);
  trees::Team alone(1);
  const auto metric = trees::parse_metric(name, "rank:" + name, {});
  REQUIRE(metric.has_value());
  return trees::evaluate_metric(*metric, *trees::make_ranking("rank:ndcg"), "rank:ndcg",
                                {scores, grades_in_order, {}}, alone);
}

std::vector<trees::GradientPair> gradients_of(std::string_view name, const std::vector<float>& grades,
                                              const std::vector<float>& scores,
                                              const std::vector<std::uint32_t>& groups) {
  const auto objective = trees::make_ranking(name);
  trees::Team team(2);
  objective->set_groups(groups, grades);
  objective->begin_round(scores, grades.size(), team);
  std::vector<trees::GradientPair> out(grades.size());
  objective->gradients(0, 0, grades.size(), scores, grades, {}, out.data());
  return out;
}

Result<Fitted> rank(const Dataset& train, const Dataset* validation, const std::string& objective,
                    HyperParameters parameters = {{"num_round", "30"}, {"eta", "0.2"}}) {
  parameters["objective"] = objective;
  MR_TRY(estimator, make_xgboost(parameters));
  return estimator->fit(train, validation, {});
}

}  // namespace

TEST_CASE("ranking: gradients are those of the pairs within a query, weighed by what a swap changes") {
  const std::vector<float> grades = {0, 2, 1, 1, 0, 3, 0},
                           scores = {2.0f, 1.5f, 1.0f, 0.5f, 0.0f, 1.0f, -1.0f};
  const std::vector<std::uint32_t> groups = {0, 5, 7};
  for (const std::string name : {"pairwise", "ndcg", "map"}) {
    CAPTURE(name);
    const auto found = gradients_of("rank:" + name, grades, scores, groups);
    std::vector<double> gradient(7), hessian(7);
    for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>(0, 5), {5, 7}}) {
      // These queries stand in the order of their scores.
      const std::vector<float> list(grades.begin() + std::ptrdiff_t(begin),
                                    grades.begin() + std::ptrdiff_t(end));
      const auto others = [&](std::size_t i) {
        return static_cast<double>(std::ranges::count_if(list, [&](float g) { return g != grades[i]; }));
      };
      for (std::size_t a = begin; a < end; ++a) {
        for (std::size_t b = begin; b < end; ++b) {
          if (!(grades[a] > grades[b])) continue;
          std::vector<float> swapped = list;
          std::swap(swapped[a - begin], swapped[b - begin]);
          const double change =
              name == "pairwise" ? 1 : std::abs(measure_of(name, list) - measure_of(name, swapped));
          const double weight = change * (1 / others(a) + 1 / others(b));
          const double p = 1 / (1 + std::exp(-(double(scores[a]) - double(scores[b]))));
          gradient[a] -= (1 - p) * weight, gradient[b] += (1 - p) * weight;
          hessian[a] += 2 * weight * p * (1 - p), hessian[b] += 2 * weight * p * (1 - p);
        }
      }
    }
    for (std::size_t i = 0; i < 7; ++i) {
      CAPTURE(i);
      CHECK(found[i].gradient == doctest::Approx(gradient[i]).epsilon(1e-4));
      CHECK(found[i].hessian == doctest::Approx(hessian[i]).epsilon(1e-4));
    }
  }
}

TEST_CASE("ranking: metrics are means over the queries") {
  const std::vector<float> grades = {1, 0, 0, 1}, scores = {1, 2, 2, 1};
  const std::vector<std::uint32_t> groups = {0, 2, 4};
  trees::Team alone(1);
  const auto objective = trees::make_ranking("rank:map");
  const auto value = [&](const char* name) {
    return trees::evaluate_metric(*trees::parse_metric(name, "rank:map", {}), *objective, "rank:map",
                                  {scores, grades, {}, 1, groups}, alone);
  };
  CHECK(value("map") == doctest::Approx(0.5));  // second of two in both
  CHECK(value("ndcg") == doctest::Approx(1 / std::log2(3)));
  CHECK(value("pre@1") == 0);
}

TEST_CASE("ranking: trees learn the order within queries; the bytes are the same every time") {
  const Dataset train = query_data(200, 20, 1), test = query_data(60, 20, 2);
  for (const std::string objective : {"rank:pairwise", "rank:ndcg", "rank:map"}) {
    CAPTURE(objective);
    HyperParameters parameters{{"num_round", "30"}, {"eta", "0.2"}, {"eval_metric", "map,ndcg@10"}};
    const auto fitted = rank(train, &test, objective, parameters);
    REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
    CHECK(fitted->metrics.at("validation:ndcg@10") > 0.87);  // MAP knows no grades
    CHECK(fitted->metrics.at("validation:map") > 0.85);
    parameters["nthread"] = "3";
    CHECK(rank(train, &test, objective, parameters)->model->save() == fitted->model->save());
#ifdef MILLRACE_HAS_XGBOOST
    ReferenceXgboost reference;
    reference.load(fitted->model->save());
    const std::vector<float> theirs = reference.predict(test.X);
    const Matrix ours = *fitted->model->predict(test.X);
    for (std::size_t i = 0; i < theirs.size(); ++i)
      CHECK(ours.values[i] == doctest::Approx(theirs[i]).epsilon(1e-4));
#endif
  }
}

TEST_CASE("ranking: what is wrong with queries is named") {
  const auto message = [](const Dataset& data, const std::string& objective = "rank:ndcg") {
    const auto fitted = rank(data, nullptr, objective);
    return fitted ? std::string("fitted") : fitted.error().message;
  };
  const Dataset good = query_data(3, 4, 3);
  CHECK(message(good) == "fitted");
  Dataset bad = good;
  bad.groups.clear();
  CHECK(message(bad) == "train: ranking needs the query of each row");
  bad = good, bad.groups[11] = 100;
  CHECK(message(bad) == "train: row 12: query 100 comes again");
  bad = good, bad.groups[5] = std::nan("");
  CHECK(message(bad) == "train: row 6: the query is missing");
  bad = good, bad.groups.pop_back();
  CHECK(message(bad) == "train: 12 rows, but 11 query numbers");
  bad = good, bad.weights.assign(12, 1);
  CHECK(message(bad) == "train: ranking takes no weights of rows");
  bad = good, bad.y[2] = 0.5;
  CHECK(message(bad).starts_with(
      "train: row 3: the target is 0.5: a target of objective rank:ndcg is a whole"));
  CHECK(message(bad, "rank:pairwise") == "fitted");
}
