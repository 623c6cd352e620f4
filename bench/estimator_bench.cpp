// One estimator on tables of numbers: fitting, scoring, one row, memory, same bytes for another number of
// threads. Usage: millrace_bench_estimator ALGORITHM TRAIN.csv TEST.csv|- [--threads N] [--no-target]
// [--fits N] [--scores FILE] [--model FILE] [name=value]... The files have no header, and their target first
// unless --no-target. The median of the fits is told. --scores writes what the model answers for TEST as
// float32, row by row, --model its bytes. Prints one JSON object.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/encoding.h"
#include "bench/support.h"
#include "tasks/training/estimator.h"

using namespace millrace;
using namespace millrace::tasks;
using namespace millrace::bench;

namespace {

struct Arguments {
  std::string algorithm, train, test, scores, model;
  int threads = 2;
  int fits = 1;
  bool target = true;
  HyperParameters parameters;
};

Arguments arguments_of(int argc, char** argv) {
  Arguments out;
  std::vector<std::string> places;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto next = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    const std::size_t equals = word.find('=');
    if (word == "--threads")
      out.threads = std::atoi(next().c_str());
    else if (word == "--fits")
      out.fits = std::max(1, std::atoi(next().c_str()));
    else if (word == "--no-target")
      out.target = false;
    else if (word == "--scores")
      out.scores = next();
    else if (word == "--model")
      out.model = next();
    else if (equals != std::string::npos)
      out.parameters[word.substr(0, equals)] = word.substr(equals + 1);
    else
      places.push_back(word);
  }
  if (places.size() != 3) {
    std::fprintf(stderr, "usage: %s ALGORITHM TRAIN.csv TEST.csv|- [options] [name=value]...\n", argv[0]);
    std::exit(2);
  }
  out.algorithm = places[0], out.train = places[1], out.test = places[2];
  return out;
}

template <class Value>
Value must(Result<Value> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(2);
}

Json scoring(const Model& model, const Dataset& test, int threads) {
  const std::size_t n = test.X.rows;
  (void)must(model.predict(test.X));
  Json out;
  for (const int team : {1, threads}) {
    std::vector<double> rates;
    const Used begun = used();
    do {
      const double from = used().wall_s;
      std::vector<std::thread> others;
      for (int t = 0; t < team; ++t) {
        const std::size_t first = n * static_cast<std::size_t>(t) / static_cast<std::size_t>(team);
        const std::size_t last = n * static_cast<std::size_t>(t + 1) / static_cast<std::size_t>(team);
        others.emplace_back(
            [&, first, last] { (void)must(model.predict(MatrixView(test.X).slice(first, last - first))); });
      }
      for (std::thread& other : others) other.join();
      rates.push_back(static_cast<double>(n) / (used().wall_s - from));
    } while (used().wall_s - begun.wall_s < 0.5);
    const double cpu_s = used().cpu_s - begun.cpu_s;
    Json& json = out[std::to_string(team)];
    json["rows_per_s"] = *std::ranges::max_element(rates);
    json["rows_per_cpu_s"] = static_cast<double>(n * rates.size()) / cpu_s;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments a = arguments_of(argc, argv);
  const Dataset train = read_numbers(a.train, a.target);
  const EstimatorKind* kind = find_estimator(a.algorithm);
  if (kind == nullptr || kind->make == nullptr) {
    std::fprintf(stderr, "no algorithm %s for tables\n", a.algorithm.c_str());
    return 2;
  }
  FitContext context;
  context.threads = a.threads;
  HyperParameters parameters = a.parameters;
  const bool nthread =
      std::ranges::any_of(kind->rules, [](const auto& rule) { return rule.name == "nthread"; });
  if (nthread) parameters["nthread"] = std::to_string(a.threads);
  Json report{{"algorithm", a.algorithm}, {"rows", train.X.rows}, {"features", train.X.cols}};
  forget_peak_memory();
  const double before_mb = memory_mb();
  std::vector<double> walls, cpus;
  Fitted fitted;
  for (int i = 0; i < a.fits; ++i) {
    const auto estimator = must(kind->make(parameters));
    const Used begun = used();
    fitted = must(estimator->fit(train, nullptr, context));
    walls.push_back(used().wall_s - begun.wall_s), cpus.push_back(used().cpu_s - begun.cpu_s);
  }
  report["fit"] = {{"wall_s", median_of(walls)}, {"cpu_s", median_of(cpus)}, {"rounds", fitted.rounds}};
  report["memory"] = {{"before_mb", before_mb}, {"peak_mb", peak_memory_mb()}};
  report["metrics"] = fitted.metrics;
  const std::string bytes = fitted.model->save();
  report["model_bytes"] = bytes.size();
  report["model_sha256"] = digest_hex(Digest::Sha256, bytes);
  if (!a.model.empty()) std::ofstream(a.model, std::ios::binary) << bytes;
  context.threads = a.threads == 1 ? 2 : 1;
  if (nthread) parameters["nthread"] = std::to_string(context.threads);
  const Fitted again = must(must(kind->make(parameters))->fit(train, nullptr, context));
  report["same_bytes_with_" + std::to_string(context.threads) + "_threads"] = again.model->save() == bytes;
  if (a.test != "-") {
    const Dataset test = read_numbers(a.test, a.target);
    const Matrix answers = must(fitted.model->predict(test.X));
    report["outputs"] = answers.cols;
    if (!a.scores.empty()) {
      std::ofstream file(a.scores, std::ios::binary);
      file.write(reinterpret_cast<const char*>(answers.values.data()),
                 static_cast<std::streamsize>(answers.values.size() * sizeof(float)));
    }
    report["scoring"] = scoring(*fitted.model, test, a.threads);
    const Latency latency = one_row(*fitted.model, test.X);
    report["one_row"] = {
        {"mean_us", latency.mean_us}, {"p50_us", latency.p50_us}, {"p99_us", latency.p99_us}};
  }
  std::printf("%s\n", report.dump(2).c_str());
  return 0;
}
