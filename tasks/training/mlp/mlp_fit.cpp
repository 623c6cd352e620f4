// The fit of mlp: normalisation, first weights, epochs of mini-batches, the best epoch's model. Several
// networks (num_models) go through the epochs side by side, each with its own weights and order of rows; the
// epoch is the best of all of them together.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <thread>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/linear_metrics.h"
#include "tasks/training/mlp/held_out.h"
#include "tasks/training/mlp/mlp.h"
#include "tasks/training/mlp/show.h"
#include "tasks/training/mlp/steps.h"
#include "tasks/training/row_parts.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kMlpAlgorithm = "mlp";
constexpr std::size_t kGradientRows = 64;  // of a block with gradients of its own
constexpr std::size_t kBlocksAtOnce = 16;
constexpr std::size_t kSumGrain = 16384, kStepGrain = 4096;        // parameters that a thread takes at a time
constexpr std::size_t kGradientNumbersMax = std::size_t{1} << 24;  // in the gradients of all blocks at once
constexpr std::size_t kMlpParametersMax = std::size_t{1} << 28;
constexpr std::size_t kLayersMax = 20;
// Of a mini-batch, rows times parameters; with fewer, threads wait for each other longer than they work.
constexpr std::size_t kSharedProducts = 8'000'000;
// num_models auto: what several networks say together is better than what any of them does, and small data is
// learnt fast enough for them.
constexpr std::size_t kModelsOfFewRows = 5, kFewRows = 8192;
constexpr double kHeldOutFraction = 0.1;  // of a single network
constexpr std::size_t kHeldOutMost = 20'000;
// epochs auto
constexpr std::int64_t kStepsWanted = 5000, kMlpEpochsLeast = 100, kMlpEpochsMost = 400;
// mini_batch_size auto: few rows are shared out to enough steps.
constexpr std::size_t kMlpBatchRows = 128, kMlpBatchRowsLeast = 16, kStepsOfFewRows = 16;

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
    const std::size_t n = train.X.rows;
    models_ = static_cast<std::size_t>(
        read.integer_or("num_models", n <= kFewRows ? std::int64_t{kModelsOfFewRows} : 1));
    batch_ = static_cast<std::size_t>(read.integer_or(
        "mini_batch_size",
        static_cast<std::int64_t>(std::clamp(n / kStepsOfFewRows, kMlpBatchRowsLeast, kMlpBatchRows))));
    if (validation) {
      validation_ = rows_of(*validation);
      return;
    }
    const double fraction = read.real_or("validation_fraction",
                                         models_ > 1 ? 1 / static_cast<double>(models_) : kHeldOutFraction);
    held_out_ = hold_out_rows(train, models_, fraction, kHeldOutMost, random_.derive("held out"));
    if (!held_out_.empty()) validation_ = rows_of(held_out_.rows);
  }

  std::size_t size() const { return parts_.shape.size(); }
  std::size_t models() const { return models_; }

  Result<Fitted> run() {
    if (validation_ && validation_->weights <= 0) return invalid("validation: all weights are 0");
    shared_ = models_ == 1 && batch_ * size() >= kSharedProducts;
    std::vector<OneNetwork> networks;
    for (std::size_t m = 0; m < models_; ++m) networks.push_back(first_network(m));
    const std::int64_t epochs = epochs_of(), patience = read_.integer("early_stopping_patience");
    const double tolerance = read_.real("early_stopping_tolerance");
    Fitted fitted;
    double best = std::numeric_limits<double>::infinity(), reference = best;
    std::int64_t stale = 0;
    bool stop = false;
    std::vector<float> kept;
    std::int64_t done = 0;
    const auto fields = [&](FitState& state) {
      state.field(done);
      for (OneNetwork& network : networks) state.field(network.parameters), network.steps.fields(state);
      state.field(best), state.field(reference), state.field(stale);
      state.field(kept), state.field(fitted.metrics);
      state.require(kept.size() == models_ * size());
    };
    MR_TRY(resumed, resume_fit(context_, kMlpAlgorithm, fields));
    for (std::int64_t epoch = 0; resumed && epoch < done; ++epoch) {
      for (OneNetwork& network : networks) shuffle_rows(epoch, network);
    }
    for (std::int64_t epoch = done; epoch < epochs && !stop; ++epoch) {
      for (OneNetwork& network : networks) network.steps.set_rate(rate_at(epoch, epochs));
      MR_TRY(train_loss, run_epoch(epoch, networks));
      if (!std::ranges::all_of(networks, [&](const OneNetwork& one) { return is_finite(train_loss, one); })) {
        const MetricPoint point{"train:objective_loss", train_loss, epoch};
        if (kept.empty() || !context_.stop_early || !context_.stop_early(point)) return diverged(epoch);
        break;  // somebody has seen it and takes the model so far
      }
      std::map<std::string, double> metrics{{"train:objective_loss", train_loss}};
      double objective = train_loss;
      if (validation_) {
        MR_TRY(loss, validate(networks, metrics));
        objective = loss;
        if (!std::isfinite(loss)) return diverged(epoch);
      }
      stop = report(epoch, epochs, metrics, objective);
      fitted.rounds = epoch + 1;
      if (objective < best || kept.empty())
        best = objective, kept = all_parameters(networks), fitted.metrics = metrics;
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
  struct GradientBlock {
    NetworkBuffers buffers;
    std::vector<float> y, weights, gradient;
    double loss = 0;
  };
  struct OneNetwork {
    std::vector<float> parameters;
    PackedNetwork packed;
    NetworkStepper steps;
    Random random;
    std::vector<std::uint32_t> order;                     // of the rows it learns from
    std::pair<std::size_t, std::size_t> judged = {0, 0};  // the rows of validation that it answers
    double weights = 0;                                   // of the rows it learns from
    bool shown = false;                                   // to whom asks for tensors
    std::vector<GradientBlock> blocks = {};
    std::vector<float> gradient = {};  // of a mini-batch, its sum
  };

  static std::vector<float> all_parameters(const std::vector<OneNetwork>& networks) {
    std::vector<float> out;
    for (const OneNetwork& network : networks)
      out.insert(out.end(), network.parameters.begin(), network.parameters.end());
    return out;
  }

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

  // Weights, and biases of hidden units, within Glorot's or He's limits, and the rows of network m.
  OneNetwork first_network(std::size_t m) const {
    OneNetwork network{std::vector<float>(size()),
                       PackedNetwork(parts_.shape),
                       NetworkStepper(step_settings(), parts_.shape),
                       m == 0 ? random_ : random_.derive("network", m),
                       {}};
    if (held_out_.empty()) {
      network.order.resize(train_.target.size());
      std::iota(network.order.begin(), network.order.end(), std::uint32_t{0});
      if (validation_) network.judged = {0, validation_->data->X.rows};
    } else {
      network.order = held_out_.learnt[m], network.judged = held_out_.of[m];
    }
    network.shown = m == 0;
    for (const std::uint32_t row : network.order) network.weights += weight_of(*train_.data, row);
    for (std::size_t l = 0; l < parts_.shape.layers(); ++l) {
      Random random = network.random.derive("init", l);
      const bool last = l + 1 == parts_.shape.layers();
      const double in = parts_.shape.widths[l], out = parts_.shape.widths[l + 1];
      // Of few features He's weights would be large, and what the first layer begins with it keeps.
      const bool he = parts_.shape.activation == Activation::Relu && l > 0 && !last;
      const double limit = std::sqrt(6 / (he ? in : in + out));
      float* weights = network.parameters.data() + parts_.shape.weights_at(l);
      const std::size_t drawn = parts_.shape.weights_of(l) + (last ? 0 : parts_.shape.widths[l + 1]);
      for (std::size_t w = 0; w < drawn; ++w) weights[w] = static_cast<float>(random.uniform(-limit, limit));
    }
    return network;
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

  std::int64_t epochs_of() const {
    const std::size_t steps = (train_.target.size() + batch_ - 1) / batch_;
    return read_.integer_or("epochs", std::clamp(kStepsWanted / static_cast<std::int64_t>(steps),
                                                 kMlpEpochsLeast, kMlpEpochsMost));
  }

  double rate_at(std::int64_t epoch, std::int64_t epochs) const {
    const std::string_view name = read_.text("optimizer");
    const double rate = read_.real_or("learning_rate", name == "adam"      ? models_ > 1 ? 0.001 : 0.002
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

  static void shuffle_rows(std::int64_t epoch, OneNetwork& network) {
    Random shuffling = network.random.derive("order", static_cast<std::uint64_t>(epoch));
    shuffle(network.order, shuffling);
  }

  // A loss can be finite with parameters that are not: it keeps chances away from 0, and relu makes 0 of NaN.
  static bool is_finite(double loss, const OneNetwork& network) {
    return std::isfinite(loss) &&
           std::ranges::all_of(network.parameters, [](float p) { return std::isfinite(p); });
  }

  // Of several networks the first is shown.
  bool shows(std::int64_t step, bool begins_epoch, const OneNetwork& network) const {
    return network.shown && context_.tensors && context_.tensors->wants(step, begins_epoch);
  }

  // `scale` makes the mean gradient of the sum.
  void show(std::int64_t step, const OneNetwork& network, float scale) {
    const std::size_t rows = std::min(kShownRows, train_.target.size());
    fill(
        train_, [](std::size_t i) { return i; }, rows, shown_.buffers, shown_.y, shown_.weights);
    std::vector<float> gradient(network.gradient);
    for (float& g : gradient) g *= scale;
    show_network(*context_.tensors, step, network.parameters, gradient, network.packed, shown_);
  }

  // The mean loss of the epoch as it went. Several networks go on side by side, a large
  // one is shared out to all threads.
  Result<double> run_epoch(std::int64_t epoch, std::vector<OneNetwork>& networks) {
    std::vector<double> losses(models_);
    if (models_ > 1)
      team_.each(models_, [&](std::size_t m, int) { losses[m] = run_network(epoch, networks[m]); });
    else
      losses[0] = run_network(epoch, networks[0]);
    if (stopped_) return fail(ErrorCode::Cancelled, "training was stopped");
    double mean = 0;
    for (const double loss : losses) mean += loss / static_cast<double>(models_);
    return mean;
  }

  template <class Work>
  void each_piece(std::size_t pieces, Work&& work) {
    if (shared_) return team_.each(pieces, [&](std::size_t piece, int member) { work(piece, member); });
    for (std::size_t piece = 0; piece < pieces; ++piece) work(piece, 0);
  }

  bool asked_to_stop() {
    if (!stopped_ && std::this_thread::get_id() == caller_ && context_.cancelled && context_.cancelled())
      stopped_ = true;
    return stopped_;
  }

  double run_network(std::int64_t epoch, OneNetwork& network) {
    const auto number = static_cast<std::uint64_t>(epoch);
    shuffle_rows(epoch, network);
    const std::vector<std::uint32_t>& order = network.order;
    double loss = 0;
    const auto steps_of_epoch = static_cast<std::int64_t>((order.size() + batch_ - 1) / batch_);
    std::int64_t step = epoch * steps_of_epoch;
    float scale = 0;
    for (std::size_t begin = 0; begin < order.size(); begin += batch_, ++step) {
      if (asked_to_stop()) return 0;
      const std::span<const std::uint32_t> rows =
          std::span(order).subspan(begin, std::min(batch_, order.size() - begin));
      network.packed.pack(network.parameters.data(), true);
      loss += batch_gradient(rows, network, network.random.derive("dropout", number).derive("batch", begin));
      double weights = static_cast<double>(rows.size());
      if (!train_.weight.empty()) {
        weights = 0;
        for (const std::uint32_t row : rows) weights += static_cast<double>(train_.weight[row]);
      }
      scale = weights > 0 ? static_cast<float>(1 / weights) : 0;
      if (shows(step, begin == 0, network)) show(step, network, scale);
      if (weights > 0) step_down(network, scale);
    }
    network.packed.pack(network.parameters.data(), false);
    loss /= network.weights;
    if (!is_finite(loss, network) && shows(step, true, network)) show(step, network, scale);
    return loss;
  }

  // Sums losses and gradients of the rows, block by block, in order.
  double batch_gradient(std::span<const std::uint32_t> rows, OneNetwork& network, const Random& random) {
    const std::size_t blocks = (rows.size() + kGradientRows - 1) / kGradientRows;
    const std::size_t at_once =
        std::clamp<std::size_t>(kGradientNumbersMax / models_ / size(), 1, kBlocksAtOnce);
    std::vector<GradientBlock>& room = network.blocks;
    if (room.size() < std::min(blocks, at_once)) room.resize(std::min(blocks, at_once));
    network.gradient.resize(size());
    const auto rate = static_cast<float>(read_.real("dropout"));
    double loss = 0;
    for (std::size_t first = 0; first < blocks; first += at_once) {
      const std::size_t here = std::min(at_once, blocks - first);
      each_piece(here, [&](std::size_t b, int) {
        GradientBlock& block = room[b];
        const std::size_t begin = (first + b) * kGradientRows;
        const std::size_t count = std::min(kGradientRows, rows.size() - begin);
        fill(
            train_, [&](std::size_t i) { return rows[begin + i]; }, count, block.buffers, block.y,
            block.weights);
        block.gradient.resize(size());
        Dropout dropout{rate, random.derive("block", first + b)};
        Dropout* drop = rate > 0 ? &dropout : nullptr;
        run_forward(network.packed, count, block.buffers, drop);
        block.loss = add_gradient(network.packed, count, block.y.data(),
                                  block.weights.empty() ? nullptr : block.weights.data(), block.buffers,
                                  block.gradient.data(), drop);
      });
      for (std::size_t b = 0; b < here; ++b) loss += room[b].loss;
      each_parameter(kSumGrain, [&](std::size_t begin, std::size_t end) {
        for (std::size_t b = 0; b < here; ++b) {
          const float* part = room[b].gradient.data();
          float* sum = network.gradient.data();
          if (first + b == 0)
            std::copy(part + begin, part + end, sum + begin);
          else
            for (std::size_t p = begin; p < end; ++p) sum[p] += part[p];
        }
      });
    }
    return loss;
  }

  template <class Work>
  void each_parameter(std::size_t grain, Work&& work) {
    each_piece((size() + grain - 1) / grain,
               [&](std::size_t piece, int) { work(piece * grain, std::min(size(), (piece + 1) * grain)); });
  }

  void step_down(OneNetwork& network, float scale) {
    network.steps.begin_step();
    each_parameter(kStepGrain, [&](std::size_t begin, std::size_t end) {
      network.steps.step_piece(network.parameters.data(), network.gradient.data(), scale, begin, end);
    });
  }

  // Adds a network's answers, times `share`, to those of its rows.
  Status add_answers(const OneNetwork& network, float share, Matrix& answers) {
    const std::size_t first = network.judged.first;
    RowParts parts(network.judged.second - first, 1, 1);
    NetworkBuffers buffers;
    std::vector<float> y, weights;
    return parts.each(context_.cancelled, [&](std::size_t begin, std::size_t count, std::size_t) {
      fill(
          *validation_, [&](std::size_t i) { return first + begin + i; }, count, buffers, y, weights);
      run_forward(network.packed, count, buffers);
      std::vector<float>& values = buffers.values.back();
      to_answers(parts_.shape.loss, values.data(), count, answers.cols);
      float* out = answers.values.data() + (first + begin) * answers.cols;
      for (std::size_t i = 0; i < values.size(); ++i) out[i] += share * values[i];
    });
  }

  // The mean loss on the validation channel, or on what was held out, and its metrics.
  Result<double> validate(const std::vector<OneNetwork>& networks, std::map<std::string, double>& metrics) {
    const Dataset& data = *validation_->data;
    Matrix answers(data.X.rows, parts_.shape.outputs());
    const float share = held_out_.empty() ? 1 / static_cast<float>(models_) : 1;
    for (const OneNetwork& network : networks) MR_DO(add_answers(network, share, answers));
    double loss = 0;
    for (std::size_t i = 0; i < answers.rows; ++i)
      loss += weight_of(data, i) *
              loss_of_answers(parts_.shape.loss, &answers.values[i * answers.cols], validation_->target[i]);
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
  HeldOutRows held_out_;  // empty with a channel validation
  std::size_t models_ = 1, batch_ = 1;
  bool shared_ = false;  // whether threads share out a mini-batch
  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<bool> stopped_ = false;
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
    if (fitting.size() > kMlpParametersMax / fitting.models())
      return invalid("the network has " + counted(fitting.size() * fitting.models(), "parameter") +
                         ", more than fit in memory",
                     "lower hidden_layers or num_models");
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
