#include "tasks/training/factorization_machines.h"

#include <algorithm>
#include <cmath>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/model_bytes.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr std::string_view kFm = "factorization-machines", kFmMagic = "MRFM";
constexpr std::uint8_t kFmVersion = 1;
constexpr double kNoEnd = 1e18;

constexpr HyperParameterRule kFmRules[] = {
    {"num_factors", Integer, "", 1, 1000, "", true, "numbers in a feature's vector"},
    {"predictor_type", Choice, "", 0, 0, "binary_classifier|regressor", true, "what is predicted"},
    {"feature_dim", Integer, "auto", 1, 1e7, "auto", false, "columns; checked against the data"},
    {"categorical_features", Text, "", 0, 0, "", false, "columns of categories: all, or names or places"},
    {"epochs", Integer, "1", 1, 1e6, "", false, "passes over the rows"},
    {"mini_batch_size", Integer, "1000", 1, 1e7, "", false, "rows of a step"},
    {"bias_lr", Real, "0.1", 1e-8, 512, "", false, "learning rate of the bias"},
    {"linear_lr", Real, "0.001", 1e-8, 512, "", false, "of the linear terms"},
    {"factors_lr", Real, "0.0001", 1e-8, 512, "", false, "of the factors"},
    {"bias_wd", Real, "0.01", 0, 512, "", false, "L2 penalty of the bias"},
    {"linear_wd", Real, "0.001", 0, 512, "", false, "of the linear terms"},
    {"factors_wd", Real, "0.00001", 0, 512, "", false, "of the factors"},
    {"clip_gradient", Real, "", 0, kNoEnd, "", false, "largest part of a gradient; none"},
    {"eps", Real, "1e-8", 0, 1, "", false, "against division by 0"},
    {"rescale_grad", Real, "", 0, kNoEnd, "", false, "of a batch's sum; one over its weights"},
    {"bias_init_method", Choice, "normal", 0, 0, "normal|uniform|constant", false, "first values"},
    {"bias_init_sigma", Real, "0.01", 0, 512, "", false, "normal: the deviation"},
    {"bias_init_scale", Real, "0.01", 0, 512, "", false, "uniform: in [-scale, scale]"},
    {"bias_init_value", Real, "0", -kNoEnd, kNoEnd, "", false, "constant"},
    {"linear_init_method", Choice, "normal", 0, 0, "normal|uniform|constant", false, "first values"},
    {"linear_init_sigma", Real, "0.01", 0, 512, "", false, "normal: the deviation"},
    {"linear_init_scale", Real, "0.01", 0, 512, "", false, "uniform: in [-scale, scale]"},
    {"linear_init_value", Real, "0", -kNoEnd, kNoEnd, "", false, "constant"},
    {"factors_init_method", Choice, "normal", 0, 0, "normal|uniform|constant", false, "first values"},
    {"factors_init_sigma", Real, "0.001", 0, 512, "", false, "normal: the deviation"},
    {"factors_init_scale", Real, "0.001", 0, 512, "", false, "uniform: in [-scale, scale]"},
    {"factors_init_value", Real, "0", -kNoEnd, kNoEnd, "", false, "constant"},
};
constexpr std::string_view kFmMetrics[] = {"test:rmse",
                                           "test:binary_classification_accuracy",
                                           "test:binary_classification_cross_entropy",
                                           "test:binary_f_beta",
                                           "train:rmse",
                                           "train:binary_classification_cross_entropy"};

class FmModel final : public Model {
 public:
  explicit FmModel(FmParameters parameters) : parameters_(std::move(parameters)) {}

  std::string_view algorithm() const override { return kFm; }
  std::size_t n_features() const override { return parameters_.columns.columns.size(); }
  AnswerForm answer_form() const override {
    if (!parameters_.binary) return {};
    return {"predictions",
            {{"score", AnswerForm::Shape::Number}, {"predicted_label", AnswerForm::Shape::Number}}};
  }
  Matrix answer(Matrix predictions) const override {
    if (!parameters_.binary) return predictions;
    Matrix out(predictions.rows, 2);
    for (std::size_t i = 0; i < out.rows; ++i) {
      out.at(i, 0) = predictions.at(i, 0);
      out.at(i, 1) = predictions.at(i, 0) > 0.5f ? 1 : 0;
    }
    return out;
  }

  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_whole_rows(kFm, X, n_features()));
    Matrix out(X.rows, 1);
    std::vector<std::pair<std::uint32_t, double>> row;
    std::vector<double> sums(parameters_.factors);
    for (std::size_t i = 0; i < X.rows; ++i) {
      row.clear();
      parameters_.columns.expand(X.data + i * X.cols, row);
      const double score = parameters_.score(row, sums);
      out.at(i, 0) = static_cast<float>(parameters_.binary ? 1 / (1 + std::exp(-score)) : score);
    }
    return out;
  }

  std::string save() const override {
    ModelWriter out(kFmMagic, kFmVersion);
    out.put(std::uint64_t{parameters_.binary}).put(std::uint64_t{parameters_.factors});
    out.put(std::uint64_t{n_features()});
    for (const FmColumns::Column& column : parameters_.columns.columns)
      out.put(std::span<const float>(column.categories));
    out.put(parameters_.bias).put(std::span<const double>(parameters_.linear));
    out.put(std::span<const double>(parameters_.pairs));
    return std::move(out).finish();
  }

 private:
  const FmParameters parameters_;
};

bool is_sorted_finite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); }) &&
         std::ranges::adjacent_find(values, std::greater_equal<>()) == values.end();
}

bool all_numbers(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

}  // namespace

std::span<const HyperParameterRule> factorization_machines_rules() {
  return kFmRules;
}
std::span<const std::string_view> factorization_machines_metrics() {
  return kFmMetrics;
}

void FmColumns::expand(const float* row, std::vector<std::pair<std::uint32_t, double>>& out) const {
  for (std::size_t j = 0; j < columns.size(); ++j) {
    const Column& column = columns[j];
    if (column.categories.empty()) {
      if (row[j] != 0) out.emplace_back(column.first, row[j]);
      continue;
    }
    const auto found = std::ranges::lower_bound(column.categories, row[j]);
    if (found == column.categories.end() || *found != row[j]) continue;
    out.emplace_back(column.first + static_cast<std::uint32_t>(found - column.categories.begin()), 1);
  }
}

double FmParameters::score(std::span<const std::pair<std::uint32_t, double>> row,
                           std::span<double> sums) const {
  double score = bias, squares = 0;
  std::ranges::fill(sums, 0);
  for (const auto& [feature, x] : row) {
    score += linear[feature] * x;
    const double* v = pairs.data() + feature * factors;
    for (std::size_t f = 0; f < factors; ++f) {
      const double term = v[f] * x;
      sums[f] += term;
      squares += term * term;
    }
  }
  double products = 0;
  for (const double sum : sums) products += sum * sum;
  return score + (products - squares) / 2;
}

std::unique_ptr<const Model> make_fm_model(FmParameters parameters) {
  return std::make_unique<FmModel>(std::move(parameters));
}

Result<std::unique_ptr<const Model>> load_factorization_machines(std::string_view bytes) {
  MR_TRY(in, ModelReader::open(kFm, kFmMagic, kFmVersion, bytes));
  FmParameters read;
  const std::uint64_t binary = in.u64();
  read.binary = binary == 1, read.factors = in.u64();
  const std::uint64_t columns = in.u64();
  bool good = binary <= 1 && columns > 0 && read.factors > 0 && read.factors <= 1000;
  while (good && in.whole() && read.columns.columns.size() < columns) {
    FmColumns::Column column{static_cast<std::uint32_t>(read.columns.features), in.floats()};
    good = is_sorted_finite(column.categories);
    read.columns.features += std::max<std::size_t>(1, column.categories.size());
    read.columns.columns.push_back(std::move(column));
  }
  read.bias = in.real(), read.linear = in.reals(), read.pairs = in.reals();
  MR_DO(in.finish(good && read.linear.size() == read.columns.features &&
                  read.pairs.size() == read.columns.features * read.factors && std::isfinite(read.bias) &&
                  all_numbers(read.linear) && all_numbers(read.pairs)));
  return make_fm_model(std::move(read));
}

Result<std::map<std::string, double>> test_factorization_machines(const HyperParameters& parameters,
                                                                  const Model& model, const Dataset& data) {
  const bool binary = ParameterReader(kFmRules, parameters).text("predictor_type") == "binary_classifier";
  if (binary) MR_DO(check_classes("test", data, 2, "a binary_classifier needs targets 0 and 1"));
  MR_TRY(scores, model.predict(data.X));
  double weights = 0, squares = 0, entropy = 0, counts[2][2] = {};  // truth, guess
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const double weight = data.weights.empty() ? 1 : data.weights[i], p = scores.at(i, 0), y = data.y[i];
    weights += weight, squares += weight * (p - y) * (p - y);
    if (!binary) continue;
    entropy -= weight * std::log(std::max(1e-15, y > 0.5 ? p : 1 - p));
    counts[y > 0.5][p > 0.5] += weight;
  }
  if (!binary) return std::map<std::string, double>{{"rmse", std::sqrt(squares / weights)}};
  const double marked = 2 * counts[1][1] + counts[0][1] + counts[1][0];
  return std::map<std::string, double>{
      {"binary_classification_accuracy", (counts[0][0] + counts[1][1]) / weights},
      {"binary_classification_cross_entropy", entropy / weights},
      {"binary_f_beta", marked > 0 ? 2 * counts[1][1] / marked : 0}};
}

}  // namespace millrace::tasks
