// Boosted trees against libxgboost, both in one run: training, prediction, explanation; and forests of 20
// trees of depth 12.
// Usage: millrace_bench_trees [rows] [rounds] [threads] [generated|FILE.csv TEST.csv]. A file has its target
// first and no header. Prints one JSON object. Start it with OMP_WAIT_POLICY=passive, which only libxgboost
// needs.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/encoding.h"
#include "base/random.h"
#include "bench/support.h"
#include "tasks/numeric/isa.h"
#include "tasks/training/estimator.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/explain.h"
#include "tasks/trees/objective.h"
#include "tasks/trees/predict.h"
#include "tests/support/libxgboost.h"

using namespace millrace;
using namespace millrace::tasks;
using namespace millrace::bench;

namespace {

template <class Work>
Json timed(Work work) {
  const Used begun = used();
  work();
  const Used ended = used();
  return {{"wall_s", ended.wall_s - begun.wall_s}, {"cpu_s", ended.cpu_s - begun.cpu_s}};
}

// Ten columns: half of them fine, the others of few values, as tables have them.
Dataset generate(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  Dataset data;
  data.X = Matrix(n, 10);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < 10; ++j) {
      const double few[] = {24, 7, 5, 12, 2};
      data.X.at(i, j) = j < 5 ? static_cast<float>(random.normal())
                              : static_cast<float>(random.below(static_cast<std::uint64_t>(few[j - 5])));
    }
    const double score = data.X.at(i, 0) + 0.5 * data.X.at(i, 1) * data.X.at(i, 2) -
                         std::abs(data.X.at(i, 3)) + (data.X.at(i, 5) > 20 ? 1 : 0) -
                         0.3 * data.X.at(i, 9) * data.X.at(i, 4);
    data.y.push_back(random.uniform() < 1 / (1 + std::exp(-score)) ? 1 : 0);
  }
  return data;
}

Json as_json(const Latency& latency) {
  return {{"mean_us", latency.mean_us}, {"p50_us", latency.p50_us}, {"p99_us", latency.p99_us}};
}

// Rows a second and a second of processor, in turns of half a second of work at most.
template <class Predict>
Json batches(std::size_t rows, Predict predict) {
  predict();
  const Used begun = used();
  double best_s = 1e9, times = 0;
  do {
    const double from = used().wall_s;
    predict();
    best_s = std::min(best_s, used().wall_s - from), times += 1;
  } while (used().wall_s - begun.wall_s < 0.5);
  const auto n = static_cast<double>(rows);
  return {{"rows_per_s", n / best_s}, {"rows_per_cpu_s", n * times / (used().cpu_s - begun.cpu_s)}};
}

// The rows shared out to threads, as a batch transform does.
void predict_in_parts(const Model& model, MatrixView X, int threads) {
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t) {
    const std::size_t first = X.rows * static_cast<std::size_t>(t) / static_cast<std::size_t>(threads);
    const std::size_t last = X.rows * static_cast<std::size_t>(t + 1) / static_cast<std::size_t>(threads);
    team.emplace_back([&model, part = X.slice(first, last - first)] {
      if (!model.predict(part)) std::exit(2);
    });
  }
  for (std::thread& one : team) one.join();
}

// One row on what this processor has, and on what every processor has.
Json latencies(const Model& model, MatrixView X) {
  Json json = as_json(one_row(model, X));
  limit_isa(Isa::Baseline);
  json["portable"] = as_json(one_row(model, X));
  limit_isa(Isa::Avx512);
  return json;
}

// Whether scores, of rows together and alone, are the bits that a walk from node to node gives.
bool same_as_a_walk(const trees::Ensemble& ensemble, MatrixView X) {
  const trees::Predictor predictor(ensemble);
  std::vector<float> together(X.rows), alone(X.rows), walked(X.rows);
  for (std::size_t i = 0; i < X.rows; ++i) {
    const float* x = X.data + i * X.cols;
    for (const trees::Tree& tree : ensemble.trees) {
      std::size_t at = 0;
      while (tree.nodes[at].left >= 0) {
        const trees::Node& node = tree.nodes[at];
        const bool left =
            x[node.feature] != x[node.feature] ? node.missing_left : x[node.feature] < node.condition;
        at = static_cast<std::size_t>(left ? node.left : node.right);
      }
      walked[i] += tree.nodes[at].condition;
    }
  }
  bool same = true;
  for (const Isa most : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
    limit_isa(most);
    std::ranges::fill(together, 0.0f), std::ranges::fill(alone, 0.0f);
    predictor.add(X, together.data(), 1, 1);
    for (std::size_t i = 0; i < X.rows; ++i) predictor.add(X.slice(i, 1), &alone[i], 1, 1);
    same = same && together == walked && alone == walked;
  }
  return same;
}

std::vector<float> explain(const Model& model, MatrixView X, int threads, Json& json) {
  const trees::Ensemble& ensemble = *ensemble_of(model);
  const double base = trees::make_objective(ensemble.objective, {})->base_margin(ensemble.base_score);
  std::unique_ptr<trees::Explainer> explainer;
  json["tables"] = timed([&] { explainer = std::make_unique<trees::Explainer>(ensemble, base); });
  std::vector<float> out(X.rows * (X.cols + 1));
  trees::Team team(threads);
  json["batch"] = batches(X.rows, [&] { explainer->contributions(X, team, out.data()); });
  return out;
}

#ifdef MILLRACE_HAS_XGBOOST
Latency one_row_of(ReferenceXgboost& reference, MatrixView rows) {
  reference.set("nthread", "1");
  std::vector<double> us;
  for (std::size_t k = 0; k < 5000; ++k) {
    const auto begun = std::chrono::steady_clock::now();
    (void)reference.predict_in_place(rows.slice(k * 7919 % rows.rows, 1));
    us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun).count());
  }
  std::ranges::sort(us);
  double sum = 0;
  for (const double value : us) sum += value;
  return {sum / static_cast<double>(us.size()), us[us.size() / 2], us[us.size() * 99 / 100]};
}

// The library's own training, scoring and explanations; then the largest difference of its explanations of
// our model from ours.
Json measure_libxgboost(const HyperParameters& parameters, const Dataset& train, const Dataset& test,
                        int threads) {
  Json json;
  ReferenceXgboost reference;
  forget_peak_memory();
  const double before_mb = memory_mb();
  json["train"] = timed([&] { reference.fit(parameters, train); });
  json["peak_mb"] = peak_memory_mb(), json["before_mb"] = before_mb;
  Matrix p(test.X.rows, 1);
  json["predict"] = batches(test.X.rows, [&] { p.values = reference.predict_in_place(test.X); });
  json["auc"] = area_under_curve(p, test.y);
  json["one_row"] = as_json(one_row_of(reference, test.X));
  reference.set("nthread", std::to_string(threads));
  const std::size_t n = std::min<std::size_t>(test.X.rows, 2000);
  json["shap"]["batch"] = batches(n, [&] { (void)reference.predict(MatrixView(test.X).slice(0, n), 2); });
  return json;
}

double difference_of_explanations(const Model& model, MatrixView X, const std::vector<float>& ours) {
  ReferenceXgboost reference;
  reference.load(model.save());
  const std::vector<float> theirs = reference.predict(X, 2);
  double largest = 0;
  for (std::size_t i = 0; i < theirs.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i])));
  return largest;
}
#endif

}  // namespace

int main(int argc, char** argv) {
  const std::size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const std::string rounds = argc > 2 ? argv[2] : "100";
  const int threads = argc > 3 ? std::atoi(argv[3]) : 2;
  const bool files = argc > 5;
  const Dataset train = files ? read_numbers(argv[4]) : generate(rows, 7);
  const HyperParameters parameters{{"num_round", rounds},   {"objective", "binary:logistic"},
                                   {"eta", "0.1"},          {"max_depth", "6"},
                                   {"tree_method", "hist"}, {"nthread", std::to_string(threads)}};
  Json report{{"rows", train.X.rows}, {"features", train.X.cols}, {"rounds", rounds}, {"threads", threads}};
  Json& ours = report["millrace"];
  const auto estimator = find_estimator("xgboost")->make(parameters);
  Result<Fitted> fitted = fail(ErrorCode::Internal, "not run");
  forget_peak_memory();
  ours["before_mb"] = memory_mb();
  ours["train"] = timed([&] { fitted = (*estimator)->fit(train, nullptr, {}); });
  if (!fitted) {
    std::fprintf(stderr, "%s\n", fitted.error().message.c_str());
    return 2;
  }
  ours["peak_mb"] = peak_memory_mb();
  const Dataset test = files ? read_numbers(argv[5]) : generate(100000, 8);
  const std::string bytes = fitted->model->save();
  ours["model_sha256"] = digest_hex(Digest::Sha256, bytes);
  ours["predict"] = batches(test.X.rows, [&] { predict_in_parts(*fitted->model, test.X, threads); });
  Matrix p = *fitted->model->predict(test.X);
  ours["auc"] = area_under_curve(p, test.y);
  ours["one_row"] = latencies(*fitted->model, test.X);
  ours["same_bits_as_a_walk"] = same_as_a_walk(*ensemble_of(*fitted->model), test.X);
  const MatrixView explained = MatrixView(test.X).slice(0, std::min<std::size_t>(test.X.rows, 20000));
  const std::vector<float> contributions = explain(*fitted->model, explained, threads, ours["shap"]);
  HyperParameters one = parameters;
  one["nthread"] = threads == 1 ? "2" : "1";
  const auto again = (*find_estimator("xgboost")->make(one))->fit(train, nullptr, {});
  ours["same_bytes_with_" + one["nthread"] + "_threads"] = again && again->model->save() == bytes;
  const HyperParameters forest{
      {"predictor_type", "binary_classifier"}, {"n_estimators", "20"}, {"max_depth", "12"}};
  for (const char* name : {"random-forest", "extra-trees"}) {
    Json& json = report[name];
    FitContext context;
    context.threads = threads;
    Result<Fitted> grown = fail(ErrorCode::Internal, "not run");
    json["train"] =
        timed([&] { grown = (*find_estimator(name)->make(forest))->fit(train, nullptr, context); });
    if (!grown) return 2;
    json["predict"] = timed([&] { p = *grown->model->predict(test.X); });
    json["auc"] = area_under_curve(p, test.y);
  }
#ifdef MILLRACE_HAS_XGBOOST
  const MatrixView few = explained.slice(0, std::min<std::size_t>(explained.rows, 2000));
  ours["shap"]["largest_difference"] = difference_of_explanations(*fitted->model, few, contributions);
  report["libxgboost"] = measure_libxgboost(parameters, train, test, threads);
#endif
  std::printf("%s\n", report.dump(2).c_str());
  return 0;
}
