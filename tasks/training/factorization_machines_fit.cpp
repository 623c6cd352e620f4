// The fit of factorization-machines: columns to features, then Adam over mini-batches.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/factorization_machines.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/stream_passes.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kFmAlgorithm = "factorization-machines";
constexpr std::string_view kFmClasses = "a binary_classifier needs targets 0 and 1";
constexpr std::size_t kFmNumbersMax = std::size_t{1} << 27;  // of all factors: a gigabyte
using SparseRow = std::span<const std::pair<std::uint32_t, double>>;

// All rows as what is not 0 in them.
struct SparseRows {
  std::vector<std::pair<std::uint32_t, double>> entries;
  std::vector<std::size_t> begin;  // (n + 1,)
  SparseRow row(std::size_t i) const { return SparseRow(entries).subspan(begin[i], begin[i + 1] - begin[i]); }
};

Result<std::size_t> column_of(std::string_view text, const Dataset& data) {
  const auto found = std::ranges::find(data.feature_names, text);
  if (found != data.feature_names.end()) return static_cast<std::size_t>(found - data.feature_names.begin());
  std::size_t place = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), place);
  if (error == std::errc() && end == text.data() + text.size() && place < data.X.cols) return place;
  return invalid("hyperparameter 'categorical_features': train has no feature '" + std::string(text) + "'",
                 "name features, or their places from 0 to " + std::to_string(data.X.cols - 1) + ", or all");
}

// Which columns hold categories.
Result<std::vector<bool>> categorical_columns(std::string_view text, const Dataset& data) {
  std::vector<bool> out(data.X.cols, text == "all");
  if (text.empty() || text == "all") return out;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view name = text.substr(0, comma);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    MR_TRY(column, column_of(name, data));
    out[column] = true;
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

FmColumns make_columns(const Dataset& data, const std::vector<bool>& categorical) {
  FmColumns out;
  for (std::size_t j = 0; j < data.X.cols; ++j) {
    FmColumns::Column column{static_cast<std::uint32_t>(out.features), {}};
    if (categorical[j]) {
      for (std::size_t i = 0; i < data.X.rows; ++i) column.categories.push_back(data.X.at(i, j));
      std::ranges::sort(column.categories);
      column.categories.erase(std::unique(column.categories.begin(), column.categories.end()),
                              column.categories.end());
    }
    out.features += std::max<std::size_t>(1, column.categories.size());
    out.columns.push_back(std::move(column));
  }
  return out;
}

// What Adam needs of one group of parameters.
struct AdamGroup {
  double rate = 0, decay = 0;
  std::vector<double> gradient, mean, square;  // as many as parameters
  AdamGroup(double learning_rate, double wd, std::size_t size)
      : rate(learning_rate), decay(wd), gradient(size), mean(size), square(size) {}
};

class FmFit {
 public:
  FmFit(const ParameterReader& read, const Dataset& train, FmColumns columns, const FitContext& context)
      : read_(read),
        data_(&train),
        context_(context),
        random_(context.seed),
        bias_(read.real("bias_lr"), read.real("bias_wd"), 1),
        linear_(read.real("linear_lr"), read.real("linear_wd"), columns.features),
        pairs_(read.real("factors_lr"), read.real("factors_wd"),
               columns.features * static_cast<std::size_t>(read.integer("num_factors"))) {
    model_.binary = read.text("predictor_type") == "binary_classifier";
    model_.factors = static_cast<std::size_t>(read.integer("num_factors"));
    model_.columns = std::move(columns);
    clip_ = read.real_or("clip_gradient", std::numeric_limits<double>::infinity());
    eps_ = read.real("eps");
  }

  // `stream` null: the rows are those of `train`.
  Result<Fitted> run(StreamPasses* stream) {
    begin_parameters();
    touched_at_.assign(model_.columns.features, 0);
    std::vector<std::uint32_t> order;
    if (stream == nullptr) take_rows(*data_, order);
    Fitted fitted;
    const std::int64_t epochs = read_.integer("epochs");
    bool stop = false;
    std::int64_t done = 0;
    const auto fields = [&](FitState& state) {
      state.field(done), state.field(steps_), state.field(model_.bias);
      state.field(model_.linear), state.field(model_.pairs);
      state.field(target_mean_), state.field(target_scale_);
      for (AdamGroup* group : {&bias_, &linear_, &pairs_})
        state.field(group->mean), state.field(group->square);
    };
    MR_TRY(resumed, resume_fit(context_, kFmAlgorithm, fields));
    const auto shuffle_rows = [&](std::int64_t epoch) {
      Random shuffling = random_.derive("order", static_cast<std::uint64_t>(epoch));
      shuffle(order, shuffling);
    };
    for (std::int64_t epoch = 0; resumed && stream == nullptr && epoch < done; ++epoch) shuffle_rows(epoch);
    for (std::int64_t epoch = done; epoch < epochs && !stop; ++epoch) {
      loss_ = 0, weights_ = 0;
      rate_share_ = rate_share_at(epoch, epochs);
      if (stream == nullptr) {
        shuffle_rows(epoch);
        MR_DO(run_batches(order));
      } else {
        MR_DO(stream->each([&](const Dataset& rows) { return run_block(rows, epoch, order); }));
      }
      if (!std::isfinite(loss_) || !std::isfinite(model_.bias))
        return invalid("training diverged in epoch " + std::to_string(epoch + 1) + ": the loss is not finite",
                       "scale the features, or lower linear_lr and factors_lr, or set clip_gradient");
      stop = report(epoch, epochs, fitted);
      done = epoch + 1;
      if (!stop && done < epochs) keep_checkpoint(context_, kFmAlgorithm, done, fields);
    }
    to_target_units();
    if (!finite_parameters())
      return invalid("training diverged: a parameter is not finite",
                     "scale the features, or lower linear_lr and factors_lr, or set clip_gradient");
    fitted.model = make_fm_model(std::move(model_));
    return fitted;
  }

 private:
  // The last half of the epochs go ever slower, so that the last mini-batches don't decide.
  static double rate_share_at(std::int64_t epoch, std::int64_t epochs) {
    return std::min(1.0, 2 * (1 - static_cast<double>(epoch) / static_cast<double>(epochs)));
  }

  // A regressor is fitted to targets of mean 0 and deviation 1, or rates that suit one target would suit no
  // other. Of a stream, the first rows have to tell.
  void learn_target(const Dataset& data) {
    double weights = 0, sum = 0, squares = 0;
    const auto weight = [&](std::size_t i) { return data.weights.empty() ? 1 : data.weights[i]; };
    for (std::size_t i = 0; i < data.y.size(); ++i) weights += weight(i), sum += weight(i) * data.y[i];
    if (weights <= 0) return;
    target_mean_ = sum / weights;
    for (std::size_t i = 0; i < data.y.size(); ++i)
      squares += weight(i) * (data.y[i] - target_mean_) * (data.y[i] - target_mean_);
    const double deviation = std::sqrt(squares / weights);
    target_scale_ = deviation > 1e-9 * std::abs(target_mean_) ? deviation : 1;
    if (read_.text("bias_init_method") == "constant")
      model_.bias = (model_.bias - target_mean_) / target_scale_;
  }

  void to_target_units() {
    if (target_scale_ <= 0) return;  // of a classifier
    model_.bias = model_.bias * target_scale_ + target_mean_;
    for (double& weight : model_.linear) weight *= target_scale_;
    const double root = std::sqrt(target_scale_);  // pairs are products of two
    for (double& factor : model_.pairs) factor *= root;
  }

  void take_rows(const Dataset& data, std::vector<std::uint32_t>& order) {
    data_ = &data;
    if (!model_.binary && target_scale_ <= 0) learn_target(data);
    rows_.entries.clear(), rows_.begin.assign(1, 0);
    for (std::size_t i = 0; i < data.X.rows; ++i) {
      model_.columns.expand(data.X.values.data() + i * data.X.cols, rows_.entries);
      rows_.begin.push_back(rows_.entries.size());
    }
    order.resize(data.X.rows);
    std::iota(order.begin(), order.end(), std::uint32_t{0});
  }

  // Of a stream: shuffled by themselves.
  Status run_block(const Dataset& rows, std::int64_t epoch, std::vector<std::uint32_t>& order) {
    if (model_.binary) MR_DO(check_classes("train", rows, 2, kFmClasses));
    take_rows(rows, order);
    Random shuffling = random_.derive("order", static_cast<std::uint64_t>(epoch))
                           .derive("rows", static_cast<std::uint64_t>(rows.first_row));
    shuffle(order, shuffling);
    return run_batches(order);
  }

  Status run_batches(std::span<const std::uint32_t> order) {
    const auto batch = static_cast<std::size_t>(read_.integer("mini_batch_size"));
    for (std::size_t begin = 0; begin < order.size(); begin += batch) {
      if (context_.cancelled && context_.cancelled())
        return fail(ErrorCode::Cancelled, "training was stopped");
      step(order.subspan(begin, std::min(batch, order.size() - begin)));
    }
    return {};
  }

  void begin_parameters() {
    std::vector<double> bias(1);
    model_.linear.resize(model_.columns.features);
    model_.pairs.resize(model_.columns.features * model_.factors);
    fill("bias", bias), fill("linear", model_.linear), fill("factors", model_.pairs);
    model_.bias = bias[0];
  }

  void fill(const std::string& name, std::vector<double>& values) {
    Random random = random_.derive(name);
    const std::string_view method = read_.text(name + "_init_method");
    const double sigma = read_.real(name + "_init_sigma"), scale = read_.real(name + "_init_scale");
    for (double& value : values)
      value = method == "normal"    ? sigma * random.normal()
              : method == "uniform" ? random.uniform(-scale, scale)
                                    : read_.real(name + "_init_value");
  }

  // One mini-batch: gradients of what its rows touch, then Adam on that.
  void step(std::span<const std::uint32_t> batch) {
    ++steps_;
    touched_.clear();
    double batch_weights = 0;
    sums_.resize(model_.factors);
    for (const std::uint32_t i : batch) {
      const double weight = data_->weights.empty() ? 1 : data_->weights[i];
      batch_weights += weight;
      if (weight <= 0) continue;
      const SparseRow row = rows_.row(i);
      add_row(row, weight * error_of(model_.score(row, sums_), data_->y[i], weight));
    }
    weights_ += batch_weights;
    const double scale = read_.given("rescale_grad") ? read_.real("rescale_grad")
                         : batch_weights > 0         ? 1 / batch_weights
                                                     : 0;
    correction_ = std::sqrt(1 - std::pow(0.999, steps_)) / (1 - std::pow(0.9, steps_));
    adam(bias_, &model_.bias, 0, 1, scale);
    for (const std::uint32_t feature : touched_) {
      adam(linear_, model_.linear.data(), feature, 1, scale);
      adam(pairs_, model_.pairs.data(), feature * model_.factors, model_.factors, scale);
    }
  }

  // The loss's derivative by the score; adds the loss.
  double error_of(double score, double y, double weight) {
    if (!model_.binary) {
      const double error = score - (y - target_mean_) / target_scale_;
      loss_ += weight * error * error;
      return error;
    }
    const double margin = y > 0.5 ? score : -score;
    loss_ += weight * (margin > 0 ? std::log1p(std::exp(-margin)) : std::log1p(std::exp(margin)) - margin);
    return 1 / (1 + std::exp(-score)) - y;
  }

  void add_row(SparseRow row, double error) {
    bias_.gradient[0] += error;
    for (const auto& [feature, x] : row) {
      if (touched_at_[feature] != steps_) touched_at_[feature] = steps_, touched_.push_back(feature);
      linear_.gradient[feature] += error * x;
      const double* v = model_.pairs.data() + feature * model_.factors;
      double* gradient = pairs_.gradient.data() + feature * model_.factors;
      const double scaled = error * x;
      for (std::size_t f = 0; f < model_.factors; ++f) gradient[f] += scaled * (sums_[f] - v[f] * x);
    }
  }

  void adam(AdamGroup& group, double* values, std::size_t begin, std::size_t count, double scale) const {
    for (std::size_t p = begin; p < begin + count; ++p) {
      const double gradient = std::clamp(group.gradient[p] * scale, -clip_, clip_) + group.decay * values[p];
      group.gradient[p] = 0;
      group.mean[p] = 0.9 * group.mean[p] + 0.1 * gradient;
      group.square[p] = 0.999 * group.square[p] + 0.001 * gradient * gradient;
      values[p] -=
          group.rate * rate_share_ * correction_ * group.mean[p] / (std::sqrt(group.square[p]) + eps_);
    }
  }

  bool report(std::int64_t epoch, std::int64_t epochs, Fitted& fitted) const {
    const double mean = loss_ / weights_;
    const MetricPoint point = model_.binary
                                  ? MetricPoint{"train:binary_classification_cross_entropy", mean, epoch}
                                  : MetricPoint{"train:rmse", std::sqrt(mean) * target_scale_, epoch};
    fitted.metrics[point.name] = point.value, fitted.rounds = epoch + 1;
    if (context_.metric) context_.metric(point);
    Progress progress;
    progress.phase = "Training", progress.round = epoch + 1, progress.rounds = epochs;
    progress.metric = point.name, progress.value = point.value;
    if (context_.progress) context_.progress(progress);
    return context_.stop_early && context_.stop_early(point);
  }

  bool finite_parameters() const {
    const auto finite = [](double v) { return std::isfinite(v); };
    return std::ranges::all_of(model_.linear, finite) && std::ranges::all_of(model_.pairs, finite);
  }

  const ParameterReader& read_;
  const Dataset* data_;  // whose rows are in rows_
  const FitContext& context_;
  const Random random_;
  FmParameters model_;
  AdamGroup bias_, linear_, pairs_;
  SparseRows rows_;
  std::vector<double> sums_;
  std::vector<std::int64_t> touched_at_;  // the step that a feature was last in
  std::vector<std::uint32_t> touched_;    // features of this step, in the order of its rows
  double clip_ = 0, eps_ = 0, correction_ = 1, rate_share_ = 1, loss_ = 0, weights_ = 0;
  double target_mean_ = 0, target_scale_ = 0;  // of a regressor; 0: not known yet
  std::int64_t steps_ = 0;
};

class FactorizationMachines final : public Estimator {
 public:
  explicit FactorizationMachines(HyperParameters parameters)
      : parameters_(std::move(parameters)), read_(factorization_machines_rules(), parameters_) {}

  Result<Fitted> fit(const Dataset& train, const Dataset*, const FitContext& context) const override {
    MR_DO(check_dataset("train", train, kFmNeeds));
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(train.X.cols)), train));
    if (read_.text("predictor_type") == "binary_classifier")
      MR_DO(check_classes("train", train, 2, kFmClasses));
    return fit_rows(train, nullptr, context);
  }

  // Mini-batches of rows shuffled within their blocks; an epoch is a pass.
  Result<Fitted> fit_stream(RowStream& train, const Dataset*, const FitContext& context) const override {
    if (!read_.text("categorical_features").empty())
      return invalid("categorical_features need all rows at once, which Pipe mode never has",
                     "use the input mode File, or columns of 0 and 1");
    Dataset shape = train.head();
    shape.X.cols = shape.feature_names.size();
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(shape.X.cols)), shape));
    StreamPasses passes(train, kFmNeeds);
    return fit_rows(shape, &passes, context);
  }

 private:
  Result<Fitted> fit_rows(const Dataset& train, StreamPasses* stream, const FitContext& context) const {
    MR_TRY(categorical, categorical_columns(read_.text("categorical_features"), train));
    FmColumns columns = make_columns(train, categorical);
    if (columns.features * static_cast<std::size_t>(read_.integer("num_factors")) > kFmNumbersMax)
      return invalid("train has " + counted(columns.features, "feature") + " of " +
                         std::to_string(read_.integer("num_factors")) + " factors, more than fit in memory",
                     "lower num_factors, or take columns out of categorical_features");
    return FmFit(read_, train, std::move(columns), context).run(stream);
  }

  const HyperParameters parameters_;
  const ParameterReader read_;
};

}  // namespace

Result<std::unique_ptr<const Estimator>> make_factorization_machines(const HyperParameters& parameters) {
  MR_DO(check_against_rules("factorization-machines", factorization_machines_rules(), parameters));
  return std::unique_ptr<const Estimator>(new FactorizationMachines(parameters));
}

}  // namespace millrace::tasks
