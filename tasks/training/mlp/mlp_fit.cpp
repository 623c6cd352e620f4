// The fit of mlp: normalisation, first weights, epochs of mini-batches, the best epoch's model.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/linear_metrics.h"
#include "tasks/training/mlp/mlp.h"
#include "tasks/training/mlp/show.h"
#include "tasks/training/mlp/steps.h"
#include "tasks/training/row_parts.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kMlpAlgorithm = "mlp";
constexpr std::size_t kGradientRows = 64;  // of a block with gradients of its own
constexpr std::size_t kBlocksAtOnce = 16;
constexpr std::size_t kGradientNumbersMax = std::size_t{1} << 24;  // in the gradients of all blocks at once
constexpr std::size_t kMlpParametersMax = std::size_t{1} << 28;
constexpr std::size_t kLayersMax = 20;

Result<std::vector<std::uint32_t>> parse_layers(std::string_view text) {
  const auto wrong = [&] {
    return invalid("hyperparameter 'hidden_layers' is '" + std::string(text) +
                   "': expected numbers of units from 1 to 65536, like 128,64, at most " +
                   std::to_string(kLayersMax) + " of them, or none");
  };
  std::vector<std::uint32_t> widths;
  if (text == "none") return widths;
  for (const char *at = text.data(), *end = at + text.size(); true; ++at) {
    while (at < end && *at == ' ') ++at;
    std::uint32_t width = 0;
    const auto [next, error] = std::from_chars(at, end, width);
    if (error != std::errc() || width < 1 || width > 65536 || widths.size() == kLayersMax) return wrong();
    widths.push_back(width);
    at = next;
    while (at < end && *at == ' ') ++at;
    if (at == end) return widths;
    if (*at != ',') return wrong();
  }
}

// One channel as the network reads it.
struct NetworkRows {
  const Dataset* data = nullptr;
  std::vector<float> target, weight;  // weight: empty when all are 1
  double weights = 0;
};

class MlpFit {
 public:
  MlpFit(const ParameterReader& read, std::vector<std::uint32_t> hidden, const Dataset& train,
         const Dataset* validation, const FitContext& context)
      : read_(read), context_(context), random_(context.seed), team_(context.threads) {
    const std::string_view predictor = read.text("predictor_type");
    parts_.shape.loss = predictor == "regressor"           ? NetworkLoss::Squared
                        : predictor == "binary_classifier" ? NetworkLoss::Logistic
                                                           : NetworkLoss::Softmax;
    const std::string_view activation = read.text("activation");
    parts_.shape.activation = activation == "relu"   ? Activation::Relu
                              : activation == "tanh" ? Activation::Tanh
                                                     : Activation::Logistic;
    parts_.shape.widths = {static_cast<std::uint32_t>(train.X.cols)};
    parts_.shape.widths.insert(parts_.shape.widths.end(), hidden.begin(), hidden.end());
    parts_.shape.widths.push_back(parts_.shape.loss == NetworkLoss::Softmax
                                      ? static_cast<std::uint32_t>(read.integer("num_classes"))
                                      : 1);
    normalise(train);
    train_ = rows_of(train);
    if (validation) validation_ = rows_of(*validation);
  }

  std::size_t size() const { return parts_.shape.size(); }

  Result<Fitted> run() {
    if (validation_ && validation_->weights <= 0) return invalid("validation: all weights are 0");
    first_parameters();
    PackedNetwork network(parts_.shape);
    NetworkStepper steps(step_settings(), parts_.shape);
    const std::int64_t epochs = read_.integer("epochs"), patience = read_.integer("early_stopping_patience");
    const double tolerance = read_.real("early_stopping_tolerance");
    Fitted fitted;
    double best = std::numeric_limits<double>::infinity(), reference = best;
    std::int64_t stale = 0;
    bool stop = false;
    std::vector<float> kept;
    std::int64_t done = 0;
    const auto fields = [&](FitState& state) {
      state.field(done), state.field(parts_.parameters), steps.fields(state);
      state.field(best), state.field(reference), state.field(stale);
      state.field(kept), state.field(fitted.metrics);
      state.require(kept.size() == size());
    };
    MR_TRY(resumed, resume_fit(context_, kMlpAlgorithm, fields));
    for (std::int64_t epoch = 0; resumed && epoch < done; ++epoch) shuffle_rows(epoch);
    for (std::int64_t epoch = done; epoch < epochs && !stop; ++epoch) {
      steps.set_rate(rate_at(epoch, epochs));
      MR_TRY(train_loss, run_epoch(epoch, network, steps));
      if (!is_finite(train_loss)) {
        const MetricPoint point{"train:objective_loss", train_loss, epoch};
        if (kept.empty() || !context_.stop_early || !context_.stop_early(point)) return diverged(epoch);
        break;  // somebody has seen it and takes the model so far
      }
      std::map<std::string, double> metrics{{"train:objective_loss", train_loss}};
      double objective = train_loss;
      if (validation_) {
        MR_TRY(loss, validate(network, metrics));
        objective = loss;
        if (!std::isfinite(loss)) return diverged(epoch);
      }
      stop = report(epoch, epochs, metrics, objective);
      fitted.rounds = epoch + 1;
      if (objective < best || kept.empty())
        best = objective, kept = parts_.parameters, fitted.metrics = metrics;
      const bool improved =
          objective < reference - tolerance * std::abs(reference) || !std::isfinite(reference);
      if (improved) reference = objective;
      stale = improved ? 0 : stale + 1;
      if (stale >= patience) stop = true;
      done = epoch + 1;
      if (!stop && done < epochs) keep_checkpoint(context_, kMlpAlgorithm, done, fields);
    }
    parts_.parameters = std::move(kept);
    fitted.model = make_mlp_model(std::move(parts_));
    return fitted;
  }

 private:
  static double weight_of(const Dataset& data, std::size_t i) {
    return data.weights.empty() ? 1 : data.weights[i];
  }

  void normalise(const Dataset& train) {
    const std::size_t n = train.X.rows, d = train.X.cols;
    parts_.mean.assign(d, 0), parts_.inverse.assign(d, 1);
    double weights = 0;
    for (std::size_t i = 0; i < n; ++i) weights += weight_of(train, i);
    const auto moments = [&](const auto& value, double& mean, double& deviation) {
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i < n; ++i) sum += weight_of(train, i) * value(i);
      mean = sum / weights;
      for (std::size_t i = 0; i < n; ++i)
        squares += weight_of(train, i) * (value(i) - mean) * (value(i) - mean);
      deviation = std::sqrt(squares / weights);
    };
    double mean = 0, deviation = 0;
    for (std::size_t j = 0; read_.boolean("normalize_data") && j < d; ++j) {
      moments([&](std::size_t i) { return static_cast<double>(train.X.at(i, j)); }, mean, deviation);
      parts_.mean[j] = static_cast<float>(mean);
      // A column that is constant but for rounding carries nothing.
      const bool varies = deviation > 1e-6 * std::abs(mean) && deviation > 1e-30;
      parts_.inverse[j] = varies ? static_cast<float>(1 / deviation) : 0;
    }
    if (parts_.shape.loss != NetworkLoss::Squared) return;
    if (read_.boolean("normalize_label")) {
      moments([&](std::size_t i) { return train.y[i]; }, parts_.target_mean, deviation);
      if (deviation > 1e-9 * std::abs(parts_.target_mean)) parts_.target_scale = deviation;
    }
    if (read_.boolean("clip_predictions")) {
      const auto [least, most] = std::ranges::minmax_element(train.y);
      parts_.least = *least, parts_.most = *most;
    }
  }

  NetworkRows rows_of(const Dataset& data) const {
    NetworkRows out;
    out.data = &data;
    for (const double y : data.y)
      out.target.push_back(static_cast<float>((y - parts_.target_mean) / parts_.target_scale));
    for (const double weight : data.weights) out.weight.push_back(static_cast<float>(weight));
    for (std::size_t i = 0; i < data.X.rows; ++i) out.weights += weight_of(data, i);
    return out;
  }

  // He's and Glorot's deviations; biases are 0.
  void first_parameters() {
    parts_.parameters.assign(size(), 0);
    for (std::size_t l = 0; l < parts_.shape.layers(); ++l) {
      Random random = random_.derive("init", l);
      const double in = parts_.shape.widths[l], out = parts_.shape.widths[l + 1];
      const bool he = parts_.shape.activation == Activation::Relu && l + 1 < parts_.shape.layers();
      const double limit = std::sqrt(6 / (he ? in : in + out));
      float* weights = parts_.parameters.data() + parts_.shape.weights_at(l);
      for (std::size_t w = 0; w < parts_.shape.weights_of(l); ++w)
        weights[w] = static_cast<float>(random.uniform(-limit, limit));
    }
  }

  NetworkStepSettings step_settings() const {
    NetworkStepSettings settings;
    const std::string_view name = read_.text("optimizer");
    settings.optimizer = name == "adam"       ? NetworkOptimizer::Adam
                         : name == "rmsprop"  ? NetworkOptimizer::Rmsprop
                         : name == "adagrad"  ? NetworkOptimizer::Adagrad
                         : name == "momentum" ? NetworkOptimizer::Momentum
                                              : NetworkOptimizer::Sgd;
    settings.momentum = read_.real("momentum"), settings.beta_1 = read_.real("beta_1");
    settings.beta_2 = read_.real_or("beta_2", settings.optimizer == NetworkOptimizer::Adam ? 0.999 : 0.9);
    settings.decay = read_.real("wd");
    return settings;
  }

  double rate_at(std::int64_t epoch, std::int64_t epochs) const {
    const std::string_view name = read_.text("optimizer");
    const double rate = read_.real_or("learning_rate", name == "adam"      ? 0.002
                                                       : name == "rmsprop" ? 0.001
                                                                           : 0.05);
    if (read_.text("lr_schedule") == "constant") return rate;
    const double done = static_cast<double>(epoch) / static_cast<double>(epochs);
    return rate * std::max(0.01, (1 + std::cos(std::numbers::pi * done)) / 2);
  }

  // Normalised rows into the buffers, by their numbers.
  template <class Index>
  void fill(const NetworkRows& rows, Index&& index, std::size_t count, NetworkBuffers& buffers,
            std::vector<float>& y, std::vector<float>& weights) const {
    const std::size_t d = parts_.shape.inputs();
    buffers.values.resize(parts_.shape.layers() + 1);
    buffers.values[0].resize(count * d), y.resize(count), weights.resize(rows.weight.empty() ? 0 : count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t row = index(i);
      const float* x = rows.data->X.values.data() + row * d;
      float* out = buffers.values[0].data() + i * d;
      for (std::size_t j = 0; j < d; ++j) out[j] = (x[j] - parts_.mean[j]) * parts_.inverse[j];
      y[i] = rows.target[row];
      if (!rows.weight.empty()) weights[i] = rows.weight[row];
    }
  }

  struct GradientBlock {
    NetworkBuffers buffers;
    std::vector<float> y, weights, gradient;
    double loss = 0;
  };

  void shuffle_rows(std::int64_t epoch) {
    if (order_.empty()) {
      order_.resize(train_.target.size());
      std::iota(order_.begin(), order_.end(), std::uint32_t{0});
    }
    Random shuffling = random_.derive("order", static_cast<std::uint64_t>(epoch));
    shuffle(order_, shuffling);
  }

  // A loss can be finite with parameters that are not: it keeps chances away from 0, and relu makes 0 of NaN.
  bool is_finite(double loss) const {
    return std::isfinite(loss) &&
           std::ranges::all_of(parts_.parameters, [](float p) { return std::isfinite(p); });
  }

  bool shows(std::int64_t step, bool begins_epoch) const {
    return context_.tensors && context_.tensors->wants(step, begins_epoch);
  }

  // `scale` makes the mean gradient of the sum.
  void show(std::int64_t step, const PackedNetwork& network, float scale) {
    const std::size_t rows = std::min(kShownRows, train_.target.size());
    fill(
        train_, [](std::size_t i) { return i; }, rows, shown_.buffers, shown_.y, shown_.weights);
    std::vector<float> gradient(gradient_);
    for (float& g : gradient) g *= scale;
    show_network(*context_.tensors, step, parts_.parameters, gradient, network, shown_);
  }

  // The mean loss of the epoch as it went.
  Result<double> run_epoch(std::int64_t epoch, PackedNetwork& network, NetworkStepper& steps) {
    const auto number = static_cast<std::uint64_t>(epoch);
    shuffle_rows(epoch);
    const auto batch = static_cast<std::size_t>(read_.integer("mini_batch_size"));
    double loss = 0;
    const auto steps_of_epoch = static_cast<std::int64_t>((order_.size() + batch - 1) / batch);
    std::int64_t step = epoch * steps_of_epoch;
    float scale = 0;
    for (std::size_t begin = 0; begin < order_.size(); begin += batch, ++step) {
      if (context_.cancelled && context_.cancelled())
        return fail(ErrorCode::Cancelled, "training was stopped");
      const std::span<const std::uint32_t> rows =
          std::span(order_).subspan(begin, std::min(batch, order_.size() - begin));
      network.pack(parts_.parameters, true);
      loss += batch_gradient(rows, network, random_.derive("dropout", number).derive("batch", begin));
      double weights = static_cast<double>(rows.size());
      if (!train_.weight.empty()) {
        weights = 0;
        for (const std::uint32_t row : rows) weights += static_cast<double>(train_.weight[row]);
      }
      scale = weights > 0 ? static_cast<float>(1 / weights) : 0;
      if (shows(step, begin == 0)) show(step, network, scale);
      if (weights > 0) steps.step(parts_.parameters, gradient_, scale);
    }
    network.pack(parts_.parameters, false);
    loss /= train_.weights;
    if (!is_finite(loss) && shows(step, true)) show(step, network, scale);
    return loss;
  }

  // Sums losses and gradients of the rows, block by block, in order.
  double batch_gradient(std::span<const std::uint32_t> rows, const PackedNetwork& network,
                        const Random& random) {
    const std::size_t blocks = (rows.size() + kGradientRows - 1) / kGradientRows;
    const std::size_t at_once = std::clamp<std::size_t>(kGradientNumbersMax / size(), 1, kBlocksAtOnce);
    if (blocks_.size() < std::min(blocks, at_once)) blocks_.resize(std::min(blocks, at_once));
    gradient_.assign(size(), 0);
    const auto rate = static_cast<float>(read_.real("dropout"));
    double loss = 0;
    for (std::size_t first = 0; first < blocks; first += at_once) {
      const std::size_t here = std::min(at_once, blocks - first);
      team_.each(here, [&](std::size_t b, int) {
        GradientBlock& block = blocks_[b];
        const std::size_t begin = (first + b) * kGradientRows;
        const std::size_t count = std::min(kGradientRows, rows.size() - begin);
        fill(
            train_, [&](std::size_t i) { return rows[begin + i]; }, count, block.buffers, block.y,
            block.weights);
        block.gradient.resize(size());
        Dropout dropout{rate, random.derive("block", first + b)};
        Dropout* drop = rate > 0 ? &dropout : nullptr;
        run_forward(network, count, block.buffers, drop);
        block.loss = add_gradient(network, count, block.y.data(),
                                  block.weights.empty() ? nullptr : block.weights.data(), block.buffers,
                                  block.gradient.data(), drop);
      });
      for (std::size_t b = 0; b < here; ++b) {
        loss += blocks_[b].loss;
        const float* gradient = blocks_[b].gradient.data();
        for (std::size_t p = 0; p < gradient_.size(); ++p) gradient_[p] += gradient[p];
      }
    }
    return loss;
  }

  // The mean loss on the validation channel, and its metrics.
  Result<double> validate(const PackedNetwork& network, std::map<std::string, double>& metrics) {
    const Dataset& data = *validation_->data;
    Matrix answers(data.X.rows, parts_.shape.outputs());
    RowParts parts(data.X.rows, 1, 1);
    double loss = 0;
    NetworkBuffers buffers;
    std::vector<float> y, weights;
    MR_DO(parts.each(context_.cancelled, [&](std::size_t begin, std::size_t count, std::size_t) {
      fill(
          *validation_, [&](std::size_t i) { return begin + i; }, count, buffers, y, weights);
      run_forward(network, count, buffers);
      loss += sum_losses(network, count, y.data(), weights.empty() ? nullptr : weights.data(), buffers);
      std::ranges::copy(buffers.values.back(),
                        answers.values.begin() + static_cast<std::ptrdiff_t>(begin * answers.cols));
    }));
    loss /= validation_->weights;
    for (const auto& [name, value] : metrics_of(answers, data)) metrics["validation:" + name] = value;
    metrics["validation:objective_loss"] = loss;
    return loss;
  }

  std::map<std::string, double> metrics_of(Matrix& answers, const Dataset& data) const {
    const LinearMetricSettings settings{read_.real("f_beta"),
                                        static_cast<std::size_t>(read_.integer("accuracy_top_k"))};
    if (parts_.shape.loss == NetworkLoss::Softmax) return multiclass_metrics(answers, data, settings);
    if (parts_.shape.loss == NetworkLoss::Logistic) return binary_metrics(answers, data, settings);
    for (float& value : answers.values) {
      double y = static_cast<double>(value) * parts_.target_scale + parts_.target_mean;
      if (parts_.least < parts_.most) y = std::clamp(y, parts_.least, parts_.most);
      value = static_cast<float>(y);
    }
    return regression_metrics(answers, data);
  }

  bool report(std::int64_t epoch, std::int64_t epochs, const std::map<std::string, double>& metrics,
              double objective) const {
    bool stop = false;
    for (const auto& [name, value] : metrics) {
      const MetricPoint point{name, value, epoch};
      if (context_.metric) context_.metric(point);
      if (context_.stop_early && context_.stop_early(point)) stop = true;
    }
    Progress progress;
    progress.phase = "Training", progress.round = epoch + 1, progress.rounds = epochs;
    progress.metric = validation_ ? "validation:objective_loss" : "train:objective_loss";
    progress.value = objective;
    if (context_.progress) context_.progress(progress);
    return stop;
  }

  static tl::unexpected<Error> diverged(std::int64_t epoch) {
    return invalid("training diverged in epoch " + std::to_string(epoch + 1) + ": the loss is not finite",
                   "lower learning_rate");
  }

  const ParameterReader& read_;
  const FitContext& context_;
  const Random random_;
  trees::Team team_;
  MlpParts parts_;
  NetworkRows train_;
  std::optional<NetworkRows> validation_;
  std::vector<std::uint32_t> order_;
  std::vector<GradientBlock> blocks_;
  std::vector<float> gradient_;
  ShownSample shown_;
};

class Mlp final : public Estimator {
 public:
  explicit Mlp(HyperParameters parameters)
      : parameters_(std::move(parameters)), read_(mlp_rules(), parameters_) {}

  Result<Fitted> fit(const Dataset& train, const Dataset* validation,
                     const FitContext& context) const override {
    MR_DO(check(train, validation));
    MR_TRY(hidden, parse_layers(read_.text("hidden_layers")));
    MlpFit fitting(read_, std::move(hidden), train, validation, context);
    if (fitting.size() > kMlpParametersMax)
      return invalid("the network has " + counted(fitting.size(), "parameter") + ", more than fit in memory",
                     "lower hidden_layers");
    return fitting.run();
  }

 private:
  Status check(const Dataset& train, const Dataset* validation) const {
    MR_DO(check_dataset("train", train, kMlpNeeds));
    if (validation) MR_DO(check_validation(train, *validation, MissingValues::Refused));
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(train.X.cols)), train));
    const std::string_view predictor = read_.text("predictor_type");
    if (predictor == "regressor") return {};
    const bool binary = predictor == "binary_classifier";
    const std::int64_t classes = binary ? 2 : read_.integer("num_classes");
    const std::string remedy =
        binary ? "a binary_classifier needs targets 0 and 1" : "num_classes is " + std::to_string(classes);
    MR_DO(check_classes("train", train, classes, remedy));
    if (validation) MR_DO(check_classes("validation", *validation, classes, remedy));
    return {};
  }

  const HyperParameters parameters_;
  const ParameterReader read_;
};

}  // namespace

Result<std::unique_ptr<const Estimator>> make_mlp(const HyperParameters& parameters) {
  MR_DO(check_against_rules("mlp", mlp_rules(), parameters));
  const ParameterReader read(mlp_rules(), parameters);
  MR_DO(parse_layers(read.text("hidden_layers")));
  if (read.text("predictor_type") == "multiclass_classifier" && !read.given("num_classes"))
    return invalid("hyperparameter 'num_classes' is required for a multiclass_classifier");
  return std::unique_ptr<const Estimator>(new Mlp(parameters));
}

}  // namespace millrace::tasks
