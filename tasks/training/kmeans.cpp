#include "tasks/training/kmeans.h"

#include <algorithm>
#include <cmath>

#include "tasks/numeric/gemm.h"
#include "tasks/numeric/nearest_centre.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/model_bytes.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr std::string_view kKmeans = "kmeans", kKmeansMagic = "MRKM";
constexpr std::uint8_t kKmeansVersion = 1;

constexpr HyperParameterRule kKmeansRules[] = {
    {"k", Integer, "", 1, 1e6, "", true, "clusters"},
    {"feature_dim", Integer, "auto", 1, 1e7, "auto", false, "features; checked against the data"},
    {"local_lloyd_num_trials", Integer, "auto", 1, 1e4, "auto", false,
     "starts; auto: 10, fewer on large data"},
    {"local_lloyd_init_method", Choice, "kmeans++", 0, 0, "kmeans++|random", false, "how a start is chosen"},
    {"local_lloyd_max_iter", Integer, "300", 1, 1e6, "", false, "rounds of a start at most"},
    {"local_lloyd_tol", Real, "0.0001", 0, 1, "", false,
     "a start ends when the loss falls by less, relative"},
    {"eval_metrics", Text, R"(["msd","ssd"])", 0, 0, "", false, "of the channel test"},
    {"init_method", Choice, "random", 0, 0, "random|kmeans++", false, "of streaming: no effect"},
    {"epochs", Integer, "1", 1, 1e6, "", false, "of streaming: no effect"},
    {"mini_batch_size", Integer, "5000", 1, 1e9, "", false, "of streaming: no effect"},
    {"extra_center_factor", Integer, "auto", 1, 1e4, "auto", false, "of streaming: no effect"},
    {"half_life_time_size", Integer, "0", 0, 1e15, "", false, "of streaming: no effect"},
};
constexpr std::string_view kKmeansMetrics[] = {"test:msd", "test:ssd", "train:msd", "train:ssd"};

class KmeansModel final : public Model {
 public:
  explicit KmeansModel(Matrix centres) : nearest_(std::move(centres)) {}

  std::string_view algorithm() const override { return kKmeans; }
  std::size_t n_features() const override { return nearest_.centres().cols; }
  AnswerForm answer_form() const override {
    return {
        "predictions",
        {{"closest_cluster", AnswerForm::Shape::Number}, {"distance_to_cluster", AnswerForm::Shape::Number}}};
  }

  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_whole_rows(kKmeans, X, n_features()));
    Matrix out(X.rows, 2);
    std::vector<std::uint32_t> closest(kNearestRows);
    for (std::size_t begin = 0; begin < X.rows; begin += kNearestRows) {
      const std::size_t rows = std::min(kNearestRows, X.rows - begin);
      nearest_.find(X.slice(begin, rows), closest.data());
      for (std::size_t i = 0; i < rows; ++i) {
        const float* centre = nearest_.centres().values.data() + closest[i] * X.cols;
        out.at(begin + i, 0) = static_cast<float>(closest[i]);
        out.at(begin + i, 1) =
            static_cast<float>(std::sqrt(squared_distance(X.data + (begin + i) * X.cols, centre, X.cols)));
      }
    }
    return out;
  }

  std::string save() const override {
    ModelWriter out(kKmeansMagic, kKmeansVersion);
    const Matrix& centres = nearest_.centres();
    out.put(std::uint64_t{centres.rows}).put(std::uint64_t{centres.cols}).put(std::span(centres.values));
    return std::move(out).finish();
  }

 private:
  const NearestCentre nearest_;
};

}  // namespace

std::span<const HyperParameterRule> kmeans_rules() {
  return kKmeansRules;
}
std::span<const std::string_view> kmeans_metrics() {
  return kKmeansMetrics;
}

std::unique_ptr<const Model> make_kmeans_model(Matrix centres) {
  return std::make_unique<KmeansModel>(std::move(centres));
}

Result<std::unique_ptr<const Model>> load_kmeans(std::string_view bytes) {
  MR_TRY(in, ModelReader::open(kKmeans, kKmeansMagic, kKmeansVersion, bytes));
  Matrix centres;
  centres.rows = in.u64(), centres.cols = in.u64(), centres.values = in.floats();
  const std::size_t size = centres.values.size();
  MR_DO(in.finish(size > 0 && centres.cols > 0 && size % centres.cols == 0 &&
                  size / centres.cols == centres.rows &&
                  std::ranges::all_of(centres.values, [](float v) { return std::isfinite(v); })));
  return make_kmeans_model(std::move(centres));
}

Result<std::map<std::string, double>> test_kmeans(const HyperParameters& parameters, const Model& model,
                                                  const Dataset& data) {
  const ParameterReader read(kKmeansRules, parameters);
  MR_TRY(names, parse_names("eval_metrics", read.text("eval_metrics"), "msd|ssd"));
  MR_TRY(nearest, model.predict(data.X));
  double sum = 0, weights = 0;
  for (std::size_t i = 0; i < nearest.rows; ++i) {
    const double weight = data.weights.empty() ? 1 : data.weights[i], distance = nearest.at(i, 1);
    sum += weight * distance * distance, weights += weight;
  }
  std::map<std::string, double> metrics;
  for (const std::string& name : names) metrics[name] = name == "msd" ? sum / weights : sum;
  return metrics;
}

}  // namespace millrace::tasks
