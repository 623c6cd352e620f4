#include "tasks/training/pca.h"

#include <algorithm>
#include <cmath>

#include "tasks/numeric/gemm.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/model_bytes.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr std::string_view kPca = "pca", kPcaMagic = "MRPC";
constexpr std::uint8_t kPcaVersion = 1;
constexpr std::size_t kProjectedRows = 256;  // at a time

constexpr HyperParameterRule kPcaRules[] = {
    {"num_components", Integer, "", 1, 1e6, "", true, "directions to keep"},
    {"feature_dim", Integer, "auto", 1, 1e7, "auto", false, "features; checked against the data"},
    {"algorithm_mode", Choice, "regular", 0, 0, "regular|randomized", false, "exact, or for many features"},
    {"extra_components", Integer, "-1", -1, 1e6, "", false, "of randomized; -1: as many again, at least 10"},
    {"subtract_mean", Boolean, "true", 0, 0, "", false, "whether features are centred first"},
    {"mini_batch_size", Integer, "1000", 1, 1e9, "", false, "no effect"},
};
constexpr std::string_view kPcaMetrics[] = {"test:explained_variance_ratio", "test:mse",
                                            "train:explained_variance_ratio"};

class PcaModel final : public Model {
 public:
  explicit PcaModel(PcaComponents components) : components_(std::move(components)) {
    directions_.pack(transposed(components_.directions.data(), components_.d), components_.d, outputs());
  }

  const PcaComponents& components() const { return components_; }
  std::string_view algorithm() const override { return kPca; }
  std::size_t n_features() const override { return components_.d; }
  AnswerForm answer_form() const override {
    return {"projections", {{"projection", AnswerForm::Shape::List}}};
  }

  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_whole_rows(kPca, X, components_.d));
    const std::size_t d = components_.d, c = outputs();
    Matrix out(X.rows, c);
    std::vector<double> rows(kProjectedRows * d), projected(kProjectedRows * c);
    for (std::size_t begin = 0; begin < X.rows; begin += kProjectedRows) {
      const std::size_t count = std::min(kProjectedRows, X.rows - begin);
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < d; ++j)
          rows[i * d + j] = static_cast<double>(X.data[(begin + i) * d + j]) - components_.mean[j];
      }
      multiply(row_major(rows.data(), d), count, directions_, projected.data(), c);
      for (std::size_t p = 0; p < count * c; ++p)
        out.values[begin * c + p] = static_cast<float>(projected[p]);
    }
    return out;
  }

  std::string save() const override {
    ModelWriter out(kPcaMagic, kPcaVersion);
    out.put(std::uint64_t{components_.d}).put(std::span<const double>(components_.mean));
    out.put(std::span<const double>(components_.directions))
        .put(std::span<const double>(components_.variances));
    return std::move(out).finish();
  }

 private:
  std::size_t outputs() const { return components_.variances.size(); }

  const PcaComponents components_;
  PackedMatrix<double> directions_;
};

bool all_finite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

}  // namespace

std::span<const HyperParameterRule> pca_rules() {
  return kPcaRules;
}
std::span<const std::string_view> pca_metrics() {
  return kPcaMetrics;
}

std::unique_ptr<const Model> make_pca_model(PcaComponents components) {
  return std::make_unique<PcaModel>(std::move(components));
}

Result<std::unique_ptr<const Model>> load_pca(std::string_view bytes) {
  MR_TRY(in, ModelReader::open(kPca, kPcaMagic, kPcaVersion, bytes));
  PcaComponents read;
  read.d = in.u64(), read.mean = in.reals(), read.directions = in.reals(), read.variances = in.reals();
  const std::size_t c = read.variances.size();
  MR_DO(in.finish(read.d > 0 && c > 0 && c <= read.d && read.mean.size() == read.d &&
                  read.directions.size() / read.d == c && read.directions.size() % read.d == 0 &&
                  all_finite(read.mean) && all_finite(read.directions) && all_finite(read.variances)));
  return make_pca_model(std::move(read));
}

Result<std::map<std::string, double>> test_pca(const HyperParameters&, const Model& model,
                                               const Dataset& data) {
  MR_TRY(projected, model.predict(data.X));
  const PcaComponents& pca = static_cast<const PcaModel&>(model).components();
  double total = 0, lost = 0, weights = 0;
  for (std::size_t i = 0; i < data.X.rows; ++i) {
    const double weight = data.weights.empty() ? 1 : data.weights[i];
    weights += weight;
    for (std::size_t j = 0; j < pca.d; ++j) {
      const double value = static_cast<double>(data.X.at(i, j)) - pca.mean[j];
      double restored = 0;
      for (std::size_t c = 0; c < projected.cols; ++c)
        restored += static_cast<double>(projected.at(i, c)) * pca.directions[c * pca.d + j];
      total += weight * value * value, lost += weight * (value - restored) * (value - restored);
    }
  }
  std::map<std::string, double> metrics{{"mse", lost / (weights * static_cast<double>(pca.d))}};
  if (total > 0) metrics["explained_variance_ratio"] = 1 - lost / total;
  return metrics;
}

}  // namespace millrace::tasks
