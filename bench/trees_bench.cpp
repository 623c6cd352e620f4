// Boosted trees against libxgboost, both in one run: training, prediction, explanation; and forests of 20
// trees of depth 12.
// Usage: millrace_bench_trees [rows] [rounds] [threads] [generated|FILE.csv TEST.csv]. A file has its target
// first and no header. Prints one JSON object. Start it with OMP_WAIT_POLICY=passive, which only libxgboost
// needs.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/encoding.h"
#include "base/random.h"
#include "tasks/table/csv.h"
#include "tasks/training/estimator.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/explain.h"
#include "tasks/trees/objective.h"
#include "tests/support/libxgboost.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct Clock2 {
  double wall = 0, cpu = 0;
};
Clock2 now() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) { return double(t.tv_sec) + 1e-6 * double(t.tv_usec); };
  return {std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          seconds(use.ru_utime) + seconds(use.ru_stime)};
}
template <class Work>
Json timed(Work work) {
  const Clock2 begun = now();
  work();
  const Clock2 ended = now();
  return {{"wall_s", ended.wall - begun.wall}, {"cpu_s", ended.cpu - begun.cpu}};
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

Dataset read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  CsvOptions options;
  options.header = false;
  const auto table = parse_csv(text.str(), path, options);
  if (!table) {
    std::fprintf(stderr, "%s\n", table.error().message.c_str());
    std::exit(2);
  }
  Dataset data;
  data.X = Matrix(table->rows, table->columns.size() - 1);
  data.y = table->columns[0].numbers;
  for (std::size_t j = 1; j < table->columns.size(); ++j) {
    for (std::size_t i = 0; i < table->rows; ++i)
      data.X.at(i, j - 1) = static_cast<float>(table->columns[j].numbers[i]);
  }
  return data;
}

double area(const std::vector<float>& p, const std::vector<double>& y) {
  std::vector<std::pair<float, double>> rows;
  for (std::size_t i = 0; i < y.size(); ++i) rows.emplace_back(p[i], y[i]);
  std::ranges::sort(rows);
  double below = 0, pairs = 0, positives = 0;
  for (std::size_t at = 0; at < rows.size();) {
    double tied[2] = {0, 0};
    const float same = rows[at].first;
    for (; at < rows.size() && rows[at].first == same; ++at) ++tied[rows[at].second > 0.5];
    pairs += tied[1] * (below + tied[0] / 2), below += tied[0], positives += tied[1];
  }
  return pairs / (below * positives);
}

Json latency(const Model& model, const Dataset& test) {
  std::vector<double> ns;
  for (std::size_t k = 0; k < 20000; ++k) {
    const MatrixView row = MatrixView(test.X).slice(k * 7919 % test.X.rows, 1);
    const auto begun = std::chrono::steady_clock::now();
    const auto p = model.predict(row);
    const auto ended = std::chrono::steady_clock::now();
    if (!p) std::exit(2);
    ns.push_back(std::chrono::duration<double, std::nano>(ended - begun).count());
  }
  std::ranges::sort(ns);
  return {{"p50_us", ns[ns.size() / 2] / 1e3}, {"p99_us", ns[ns.size() * 99 / 100] / 1e3}};
}

Json explained(const Model& model, const Dataset& test, int threads) {
  const trees::Ensemble& ensemble = *ensemble_of(model);
  Json json;
  const double base = trees::make_objective(ensemble.objective, {})->base_margin(ensemble.base_score);
  std::unique_ptr<trees::Explainer> explainer;
  json["tables"] = timed([&] { explainer = std::make_unique<trees::Explainer>(ensemble, base); });
  const std::size_t n = std::min<std::size_t>(test.X.rows, 20000);
  std::vector<float> out(n * (test.X.cols + 1));
  trees::Team team(threads);
  const Json time =
      timed([&] { explainer->contributions(MatrixView(test.X).slice(0, n), team, out.data()); });
  json["rows_per_s"] = double(n) / time["wall_s"].get<double>();
  return json;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const std::string rounds = argc > 2 ? argv[2] : "100";
  const int threads = argc > 3 ? std::atoi(argv[3]) : 2;
  const bool files = argc > 5;
  const Dataset train = files ? read(argv[4]) : generate(rows, 7),
                test = files ? read(argv[5]) : generate(100000, 8);
  const HyperParameters parameters{{"num_round", rounds},   {"objective", "binary:logistic"},
                                   {"eta", "0.1"},          {"max_depth", "6"},
                                   {"tree_method", "hist"}, {"nthread", std::to_string(threads)}};
  Json report{{"rows", train.X.rows}, {"features", train.X.cols}, {"rounds", rounds}, {"threads", threads}};
  Json& ours = report["millrace"];
  const auto estimator = find_estimator("xgboost")->make(parameters);
  Result<Fitted> fitted = fail(ErrorCode::Internal, "not run");
  ours["train"] = timed([&] { fitted = (*estimator)->fit(train, nullptr, {}); });
  if (!fitted) {
    std::fprintf(stderr, "%s\n", fitted.error().message.c_str());
    return 2;
  }
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  ours["peak_mb"] = double(use.ru_maxrss) / 1024;
  const std::string bytes = fitted->model->save();
  ours["model_sha256"] = digest_hex(Digest::Sha256, bytes);
  Matrix p;
  ours["predict"] = timed([&] { p = *fitted->model->predict(test.X); });
  ours["predict"]["rows_per_s"] = double(test.X.rows) / ours["predict"]["wall_s"].get<double>();
  ours["auc"] = area(p.values, test.y);
  ours["one_row"] = latency(*fitted->model, test);
  ours["shap"] = explained(*fitted->model, test, threads);
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
    json["auc"] = area(p.values, test.y);
  }
#ifdef MILLRACE_HAS_XGBOOST
  Json& theirs = report["libxgboost"];
  ReferenceXgboost reference;
  theirs["train"] = timed([&] { reference.fit(parameters, train); });
  getrusage(RUSAGE_SELF, &use);
  theirs["peak_mb"] = double(use.ru_maxrss) / 1024;
  std::vector<float> q;
  theirs["predict"] = timed([&] { q = reference.predict(test.X); });
  theirs["predict"]["rows_per_s"] = double(test.X.rows) / theirs["predict"]["wall_s"].get<double>();
  theirs["auc"] = area(q, test.y);
  const std::size_t n = std::min<std::size_t>(test.X.rows, 2000);
  const Json time = timed([&] { (void)reference.predict(MatrixView(test.X).slice(0, n), 2); });
  theirs["shap"]["rows_per_s"] = double(n) / time["wall_s"].get<double>();
#endif
  std::printf("%s\n", report.dump(2).c_str());
  return 0;
}
