#include "tasks/training/mlp/mlp.h"
#include "tasks/training/supervised_metrics.h"

#include <algorithm>
#include <cmath>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/linear_metrics.h"
#include "tasks/training/model_bytes.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr std::string_view kMlp = "mlp", kMlpMagic = "MRNN";
constexpr std::uint8_t kMlpVersion = 1;
constexpr std::size_t kScoredRows = 256;   // at a time
constexpr std::size_t kNetworksMax = 100;  // num_models

constexpr HyperParameterRule kMlpRules[] = {
    {"predictor_type", Choice, "", 0, 0, "binary_classifier|multiclass_classifier|regressor", true,
     "what is predicted"},
    {"num_classes", Integer, "", 3, 1e5, "", false, "classes of a multiclass_classifier"},
    {"feature_dim", Integer, "auto", 1, 1e7, "auto", false, "features; checked against the data"},
    {"hidden_layers", Text, "128,64", 0, 0, "", false, "units of each hidden layer; none: no hidden layer"},
    {"activation", Choice, "relu", 0, 0, "relu|tanh|logistic", false, "of hidden units"},
    {"epochs", Integer, "auto", 1, 1e6, "auto", false,
     "passes over the rows; auto: 100, of few rows up to 400 for some 5000 steps"},
    {"mini_batch_size", Integer, "auto", 1, 1e6, "auto", false,
     "rows of a step; auto: 128, of less than 2048 rows a sixteenth, at least 16"},
    {"optimizer", Choice, "adam", 0, 0, "adam|sgd|momentum|adagrad|rmsprop", false, "how steps are made"},
    {"learning_rate", Real, "auto", 1e-12, 1e3, "auto", false,
     "auto: 0.002 of adam, 0.001 of rmsprop and of adam with several networks, 0.05 of the others"},
    {"lr_schedule", Choice, "cosine", 0, 0, "cosine|constant", false, "how the rate falls over the epochs"},
    {"momentum", Real, "0.9", 0, 0.999999, "", false, "of momentum"},
    {"beta_1", Real, "0.9", 0, 0.999999, "", false, "of adam"},
    {"beta_2", Real, "auto", 0, 0.999999, "auto", false, "of adam and rmsprop; auto: 0.999 and 0.9"},
    {"wd", Real, "0.0001", 0, 1e6, "", false, "L2 penalty of the weights"},
    {"dropout", Real, "0", 0, 0.95, "", false, "chance that a hidden unit is left out"},
    {"num_models", Integer, "auto", 1, 100, "auto", false,
     "networks whose answers are averaged; auto: 5 of up to 8192 rows, else 1"},
    {"validation_fraction", Real, "auto", 0, 0.9, "auto", false,
     "rows of train that a network is judged by, without a channel validation; auto: one over num_models, a "
     "tenth with one; 0: none"},
    {"early_stopping_patience", Integer, "20", 1, 1e6, "", false, "epochs without improvement"},
    {"early_stopping_tolerance", Real, "0.0001", 0, 1, "", false, "what counts as one, relative"},
    {"normalize_data", Boolean, "true", 0, 0, "", false, "features to mean 0 and deviation 1"},
    {"normalize_label", Boolean, "true", 0, 0, "", false, "the same for a regressor's target"},
    {"clip_predictions", Boolean, "true", 0, 0, "", false, "a regressor answers within train's targets"},
    {"f_beta", Real, "1.0", 0, 1000, "", false, "beta of binary_f_beta and macro_f_beta"},
    {"accuracy_top_k", Integer, "3", 1, 1e6, "", false, "k of multiclass_top_k_accuracy"},
};
constexpr auto kMlpMetrics = metrics_with("train:objective_loss");

class MlpModel final : public Model {
 public:
  explicit MlpModel(MlpParts parts) : parts_(std::move(parts)) {
    const std::size_t size = parts_.shape.size();
    for (std::size_t at = 0; at < parts_.parameters.size(); at += size) {
      networks_.emplace_back(parts_.shape);
      networks_.back().pack(parts_.parameters.data() + at, false);
    }
  }

  std::string_view algorithm() const override { return kMlp; }
  std::size_t n_features() const override { return parts_.shape.inputs(); }

  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_whole_rows(kMlp, X, n_features()));
    const std::size_t d = X.cols, k = parts_.shape.outputs();
    Matrix out(X.rows, k);
    NetworkBuffers buffers;
    buffers.values.resize(parts_.shape.layers() + 1);
    for (std::size_t begin = 0; begin < X.rows; begin += kScoredRows) {
      const std::size_t rows = std::min(kScoredRows, X.rows - begin);
      std::vector<float>& values = buffers.values[0];
      values.resize(rows * d);
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < d; ++j)
          values[i * d + j] = (X.data[(begin + i) * d + j] - parts_.mean[j]) * parts_.inverse[j];
      }
      float* answers = out.values.data() + begin * k;
      const float share = 1 / static_cast<float>(networks_.size());
      for (const PackedNetwork& network : networks_) {
        run_forward(network, rows, buffers);
        std::vector<float>& scores = buffers.values.back();
        to_answers(parts_.shape.loss, scores.data(), rows, k);
        for (std::size_t i = 0; i < rows * k; ++i) answers[i] += share * scores[i];
      }
      if (parts_.shape.loss == NetworkLoss::Squared) to_targets(answers, rows);
    }
    return out;
  }

  std::string save() const override {
    ModelWriter out(kMlpMagic, kMlpVersion);
    out.put(static_cast<std::uint64_t>(parts_.shape.activation));
    out.put(static_cast<std::uint64_t>(parts_.shape.loss));
    out.put(std::span<const std::uint32_t>(parts_.shape.widths));
    out.put(parts_.target_mean).put(parts_.target_scale).put(parts_.least).put(parts_.most);
    out.put(std::span<const float>(parts_.mean)).put(std::span<const float>(parts_.inverse));
    out.put(std::span<const float>(parts_.parameters));
    return std::move(out).finish();
  }

 private:
  void to_targets(float* answers, std::size_t rows) const {
    for (std::size_t i = 0; i < rows; ++i) {
      double y = static_cast<double>(answers[i]) * parts_.target_scale + parts_.target_mean;
      if (parts_.least < parts_.most) y = std::clamp(y, parts_.least, parts_.most);
      answers[i] = static_cast<float>(y);
    }
  }

  const MlpParts parts_;
  std::vector<PackedNetwork> networks_;  // borrow from parts_
};

bool is_usable(const MlpParts& parts, std::uint64_t activation, std::uint64_t loss) {
  const std::vector<std::uint32_t>& widths = parts.shape.widths;
  constexpr std::uint32_t kWidthMax = 100'000'000;
  if (activation > 2 || loss > 2 || widths.size() < 2 || widths.size() > 100) return false;
  std::size_t size = 0;
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    if (widths[l] == 0 || widths[l] > kWidthMax || widths[l + 1] == 0 || widths[l + 1] > kWidthMax)
      return false;
    size += (std::size_t{widths[l]} + 1) * widths[l + 1];
    if (size > parts.parameters.size()) return false;
  }
  const auto finite = [](float v) { return std::isfinite(v); };
  return parts.parameters.size() % size == 0 && parts.parameters.size() / size <= kNetworksMax &&
         parts.mean.size() == widths[0] && parts.inverse.size() == widths[0] &&
         std::isfinite(parts.target_mean) && std::isfinite(parts.target_scale) &&
         std::isfinite(parts.least) && std::isfinite(parts.most) &&
         (loss == 2 ? widths.back() > 1 : widths.back() == 1) && std::ranges::all_of(parts.mean, finite) &&
         std::ranges::all_of(parts.inverse, finite) && std::ranges::all_of(parts.parameters, finite);
}

}  // namespace

std::span<const HyperParameterRule> mlp_rules() {
  return kMlpRules;
}
std::span<const std::string_view> mlp_metrics() {
  return kMlpMetrics;
}

std::unique_ptr<const Model> make_mlp_model(MlpParts parts) {
  return std::make_unique<MlpModel>(std::move(parts));
}

Result<std::unique_ptr<const Model>> load_mlp(std::string_view bytes) {
  MR_TRY(in, ModelReader::open(kMlp, kMlpMagic, kMlpVersion, bytes));
  MlpParts parts;
  const std::uint64_t activation = in.u64(), loss = in.u64();
  parts.shape.activation = static_cast<Activation>(std::min<std::uint64_t>(activation, 2));
  parts.shape.loss = static_cast<NetworkLoss>(std::min<std::uint64_t>(loss, 2));
  parts.shape.widths = in.u32s();
  parts.target_mean = in.real(), parts.target_scale = in.real();
  parts.least = in.real(), parts.most = in.real();
  parts.mean = in.floats(), parts.inverse = in.floats(), parts.parameters = in.floats();
  MR_DO(in.finish(is_usable(parts, activation, loss)));
  return make_mlp_model(std::move(parts));
}

Result<std::map<std::string, double>> test_mlp(const HyperParameters& parameters, const Model& model,
                                               const Dataset& data) {
  const ParameterReader read(kMlpRules, parameters);
  const LinearMetricSettings settings{read.real("f_beta"),
                                      static_cast<std::size_t>(read.integer("accuracy_top_k"))};
  const std::string_view predictor = read.text("predictor_type");
  MR_TRY(predictions, model.predict(data.X));
  if (predictor == "regressor") return regression_metrics(predictions, data);
  const bool binary = predictor == "binary_classifier";
  MR_DO(check_classes("test", data, binary ? 2 : read.integer("num_classes"), "see predictor_type"));
  return binary ? binary_metrics(predictions, data, settings)
                : multiclass_metrics(predictions, data, settings);
}

}  // namespace millrace::tasks
