#include "tasks/training/linear_learner.h"
#include "tasks/training/tensors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/linear_estimator.h"
#include "tasks/training/linear_metrics.h"
#include "tasks/training/linear_model.h"
#include "tasks/training/linear_solver.h"
#include "tasks/training/ranked_values.h"

namespace millrace::tasks {

namespace {

constexpr std::int64_t kIterationsMax = 300;
constexpr double kExactTolerance = 1e-5;  // L-BFGS makes small steps before large ones
constexpr std::int64_t kExactPatience = 10;

struct LossRow {
  std::string_view name;
  LossKind kind;
  std::string_view predictor;  // who may use it
  std::string_view parameter;  // the hyperparameter it reads
};
constexpr LossRow kLosses[] = {
    {"logistic", LossKind::Logistic, "binary_classifier", ""},
    {"hinge_loss", LossKind::Hinge, "binary_classifier", ""},
    {"softmax_loss", LossKind::Softmax, "multiclass_classifier", ""},
    {"squared_loss", LossKind::Squared, "regressor", ""},
    {"absolute_loss", LossKind::Absolute, "regressor", ""},
    {"huber_loss", LossKind::Huber, "regressor", "huber_delta"},
    {"quantile_loss", LossKind::Quantile, "regressor", "quantile"},
    {"eps_insensitive_squared_loss", LossKind::EpsSquared, "regressor", "loss_insensitivity"},
    {"eps_insensitive_absolute_loss", LossKind::EpsAbsolute, "regressor", "loss_insensitivity"},
};

Result<Loss> choose_loss(const ParameterReader& read) {
  const std::string_view predictor = read.text("predictor_type"), name = read.text("loss");
  for (const LossRow& row : kLosses) {
    if (name != "auto" && name != row.name) continue;
    if (row.predictor == predictor)
      return Loss{row.kind, row.parameter.empty() ? 0 : read.real(row.parameter)};  // auto: the first
    if (name != "auto")
      return invalid("loss " + std::string(name) + " is not for a " + std::string(predictor));
  }
  return fail(ErrorCode::Internal, "no loss for " + std::string(predictor));
}

// Means and deviations of `columns` numbers of each row, over all ranks.
Status weighted_moments(const LinearProblem& problem, std::size_t n, std::size_t columns, const auto& value,
                        const RankRows* ranks, std::vector<double>& means, std::vector<double>& deviations) {
  means.resize(columns), deviations.resize(columns);
  MR_DO(fold_in_order(ranks, means, [&](std::span<double> sums) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < columns; ++j) sums[j] += problem.weight[i] * value(i, j);
    }
  }));
  for (double& mean : means) mean /= problem.weight_sum;
  MR_DO(fold_in_order(ranks, deviations, [&](std::span<double> sums) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < columns; ++j)
        sums[j] += problem.weight[i] * (value(i, j) - means[j]) * (value(i, j) - means[j]);
    }
  }));
  for (double& deviation : deviations) deviation = std::sqrt(deviation / problem.weight_sum);
  return {};
}

}  // namespace

// Weights and biases for data as given, from those for normalised data.
Parameters denormalised(const LinearProblem& problem, const Normalisation& normal,
                        const Parameters& parameters) {
  Parameters out = parameters;
  const std::size_t d = problem.X.cols;
  for (std::size_t c = 0; c < static_cast<std::size_t>(problem.outputs); ++c) {
    double* w = out.data() + c * (d + 1);
    double bias = problem.use_bias ? w[d] : 0;
    for (std::size_t j = 0; j < d; ++j) {
      w[j] *= problem.inverse[j];
      bias -= w[j] * problem.mean[j];
      w[j] *= normal.target_scale;
    }
    w[d] = bias * normal.target_scale + normal.target_mean;
  }
  return out;
}

Status LinearLearner::check(const Dataset& train, const Dataset* validation) const {
  MR_DO(check_dataset("train", train, MissingValues::Refused));
  if (validation) MR_DO(check_validation(train, *validation, MissingValues::Refused));
  const std::int64_t dimensions = read_.integer_or("feature_dim", static_cast<std::int64_t>(train.X.cols));
  if (dimensions != static_cast<std::int64_t>(train.X.cols)) {
    return invalid("hyperparameter 'feature_dim' is " + std::to_string(dimensions) + ", but train has " +
                   std::to_string(train.X.cols) + " features");
  }
  if (regressor()) return {};
  const std::int64_t classes = binary() ? 2 : read_.integer("num_classes");
  const std::string remedy =
      binary() ? "a binary_classifier needs targets 0 and 1" : "num_classes is " + std::to_string(classes);
  MR_DO(check_classes("train", train, classes, remedy));
  if (validation) MR_DO(check_classes("validation", *validation, classes, remedy));
  return {};
}

// The rows' weights times those of their classes, which are those of all ranks' rows.
Result<std::vector<double>> LinearLearner::row_weights(const Dataset& data, const RankRows* ranks) const {
  std::vector<double> weights = data.weights.empty() ? std::vector<double>(data.y.size(), 1.0) : data.weights;
  if (regressor()) return weights;
  std::vector<double> by_class(binary() ? 2 : static_cast<std::size_t>(read_.integer("num_classes")));
  const auto class_of = [most = by_class.size() - 1](double y) {  // which was checked to be one
    return std::min(most, y > 0 ? static_cast<std::size_t>(y) : 0);
  };
  MR_DO(fold_in_order(ranks, by_class, [&](std::span<double> sums) {
    for (std::size_t i = 0; i < weights.size(); ++i) sums[class_of(data.y[i])] += weights[i];
  }));
  if (binary()) {
    double multiplier = read_.real_or("positive_example_weight_mult", 1);
    if (read_.text("positive_example_weight_mult") == "balanced")
      multiplier = by_class[1] > 0 ? by_class[0] / by_class[1] : 1;
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] *= data.y[i] > 0.5 ? multiplier : 1;
  } else if (read_.boolean("balance_multiclass_weights")) {
    std::vector<double> rows(by_class.size());  // of each class
    MR_DO(fold_in_order(ranks, rows, [&](std::span<double> sums) {
      for (const double y : data.y) ++sums[class_of(y)];
    }));
    const auto classes = static_cast<double>(std::ranges::count_if(rows, [](double n) { return n > 0; }));
    const double all = std::accumulate(rows.begin(), rows.end(), 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double own = by_class[class_of(data.y[i])];
      if (own > 0) weights[i] *= all / (classes * own);
    }
  }
  return weights;
}

std::vector<double> LinearLearner::targets(const Dataset& data, const Normalisation& normal) const {
  std::vector<double> out = data.y;
  for (double& y : out) y = (y - normal.target_mean) / normal.target_scale;
  return out;
}

Result<LinearProblem> LinearLearner::make_problem(const Dataset& train, Normalisation& normal,
                                                  const RankRows* ranks) const {
  LinearProblem problem;
  const std::size_t rows = train.X.rows, d = train.X.cols, n = ranks ? ranks->all : rows;
  problem.X = train.X;
  MR_TRY(weights, row_weights(train, ranks));
  problem.weight = std::move(weights);
  MR_DO(fold_in_order(ranks, {&problem.weight_sum, 1}, [&](std::span<double> sum) {
    for (const double weight : problem.weight) sum[0] += weight;
  }));
  if (problem.weight_sum <= 0)
    problem.weight.assign(rows, 1), problem.weight_sum = static_cast<double>(n);  // a multiplier of 0
  problem.use_bias = read_.boolean("use_bias");
  problem.mean.assign(d, 0), problem.inverse.assign(d, 1);
  std::vector<double> means, deviations;
  if (read_.boolean("normalize_data")) {
    const auto value = [&](std::size_t i, std::size_t j) { return static_cast<double>(train.X.at(i, j)); };
    MR_DO(weighted_moments(problem, rows, d, value, ranks, means, deviations));
    for (std::size_t j = 0; j < d; ++j) {
      if (problem.use_bias) problem.mean[j] = means[j];  // without a bias nothing can take up the shift
      // A column that is constant but for rounding carries nothing.
      problem.inverse[j] = deviations[j] > 1e-9 * std::max(1e-30, std::abs(means[j])) ? 1 / deviations[j] : 0;
    }
  }
  if (regressor() && read_.boolean("normalize_label")) {
    const auto value = [&](std::size_t i, std::size_t) { return train.y[i]; };
    MR_DO(weighted_moments(problem, rows, 1, value, ranks, means, deviations));
    if (problem.use_bias) normal.target_mean = means[0];
    if (deviations[0] > 1e-9 * std::abs(means[0])) normal.target_scale = deviations[0];
  }
  problem.target = targets(train, normal);
  problem.outputs = multiclass() ? static_cast<int>(read_.integer("num_classes")) : 1;
  problem.loss = loss_;
  problem.wd = read_.real_or("wd", 1.0 / static_cast<double>(n));
  problem.l1 = read_.real_or("l1", 0);
  problem.bias_wd = problem.wd * read_.real_or("bias_wd_mult", 0);
  return problem;
}

DescentSettings LinearLearner::step_settings(std::size_t rows) const {
  DescentSettings settings;
  const std::string_view name = read_.text("optimizer");
  settings.method = name == "sgd"       ? DescentSettings::Method::Sgd
                    : name == "rmsprop" ? DescentSettings::Method::Rmsprop
                                        : DescentSettings::Method::Adam;
  settings.batch = static_cast<std::size_t>(read_.integer("mini_batch_size"));
  settings.rate =
      read_.real_or("learning_rate", settings.method == DescentSettings::Method::Sgd ? 0.1 : 0.01);
  settings.momentum = read_.real_or("momentum", 0.9);
  settings.beta_1 = read_.real_or("beta_1", 0.9), settings.beta_2 = read_.real_or("beta_2", 0.999);
  settings.bias_rate = read_.real_or("bias_lr_mult", 1);
  if (!read_.boolean("use_lr_scheduler")) return settings;
  const std::size_t steps_per_epoch = (rows + settings.batch - 1) / settings.batch;
  settings.every = static_cast<std::uint64_t>(
      read_.integer_or("lr_scheduler_step", static_cast<std::int64_t>(steps_per_epoch)));
  settings.factor =
      read_.real_or("lr_scheduler_factor", std::pow(0.1, 1.0 / static_cast<double>(read_.integer("epochs"))));
  settings.least_rate = std::min(settings.rate, read_.real_or("lr_scheduler_minimum_lr", 1e-6));
  return settings;
}

Parameters LinearLearner::first_parameters(const LinearProblem& problem, Random random) const {
  Parameters parameters(problem.size());
  const double scale = read_.real("init_scale"), sigma = read_.real("init_sigma");
  const bool normal = read_.text("init_method") == "normal";
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const bool bias = (i + 1) % problem.stride() == 0;
    const double draw = normal ? sigma * random.normal() : random.uniform(-scale, scale);
    parameters[i] = bias ? read_.real("init_bias") : draw;
  }
  return parameters;
}

std::map<std::string, double> LinearLearner::metrics_of(const Model& model, const Dataset& data) const {
  const LinearMetricSettings settings{read_.real("f_beta"),
                                      static_cast<std::size_t>(read_.integer("accuracy_top_k")),
                                      model.answer_form().threshold};
  const auto predictions = model.predict(data.X);
  if (!predictions) return {};  // weights that overflowed: no metric is defined
  if (binary()) return binary_metrics(*predictions, data, settings);
  if (multiclass()) return multiclass_metrics(*predictions, data, settings);
  return regression_metrics(*predictions, data);
}

std::string_view LinearLearner::threshold_criteria() const {
  const std::string_view criteria = read_.text("binary_classifier_model_selection_criteria");
  return binary() && criteria != "loss_function" ? criteria : std::string_view();
}

void LinearLearner::choose_threshold(Fitted& fitted, const Dataset& rows, bool validation) const {
  const std::string_view criteria = threshold_criteria();
  if (criteria.empty() || !fitted.model) return;
  const auto predictions = fitted.model->predict(rows.X);
  if (!predictions) return;
  const double target =
      read_.real(criteria == "precision_at_target_recall" ? "target_recall" : "target_precision");
  fitted.model = with_threshold(*fitted.model,
                                best_threshold(*predictions, rows, criteria, target, read_.real("f_beta")));
  if (!validation) return;
  for (const auto& [name, value] : metrics_of(*fitted.model, rows))
    fitted.metrics["validation:" + name] = value;
}

Status LinearLearner::hold_out(const LinearProblem& problem, const Normalisation& normal,
                               const Dataset& validation, LinearProblem& out) const {
  out = problem;
  out.parts = nullptr;
  MR_DO(set_rows(out, normal, validation));
  if (out.weight_sum <= 0) return invalid("validation: all weights are 0");
  return {};
}

Status LinearLearner::set_rows(LinearProblem& problem, const Normalisation& normal,
                               const Dataset& rows) const {
  problem.X = rows.X;
  problem.target = targets(rows, normal);
  MR_TRY(weights, row_weights(rows));
  problem.weight = std::move(weights);
  problem.weight_sum = 0;
  for (const double weight : problem.weight) problem.weight_sum += weight;
  return {};
}

// Of ranks the first has the validation channel: the others take its loss.
static Status share_objective(const RankRows* ranks, bool validation,
                              std::map<std::string, double>& metrics) {
  if (!ranks || !validation) return {};
  double loss = 0;
  const auto own = metrics.find("validation:objective_loss");
  if (ranks->collective.rank() == 0 && own != metrics.end()) loss = own->second;
  MR_DO(ranks->collective.sum_in_order({&loss, 1}));
  metrics["validation:objective_loss"] = loss;
  return {};
}

// Whether one of the ranks says so.
static Result<bool> any_rank(const RankRows* ranks, bool mine) {
  std::int64_t said = mine ? 1 : 0;
  if (ranks) MR_DO(ranks->collective.sum({&said, 1}));
  return said != 0;
}

namespace {

// Weights and biases as the solver has them: of normalised data.
void show_parameters(const TensorTap& tap, std::int64_t round, const LinearProblem& problem,
                     const Parameters& parameters, double loss) {
  std::vector<float> weights, biases;
  for (std::size_t k = 0; k < parameters.size(); ++k)
    ((k + 1) % problem.stride() == 0 ? biases : weights).push_back(static_cast<float>(parameters[k]));
  const auto shown_loss = static_cast<float>(loss);
  const Tensor tensors[] = {{"weights", "weight", weights, problem.X.cols},
                            {"biases", "bias", biases, 1},
                            {"losses", "loss", {&shown_loss, 1}, 1}};
  tap.show(round, tensors);
}

}  // namespace

Result<Fitted> LinearLearner::fit(const Dataset& train, const Dataset* validation,
                                  const FitContext& context) const {
  MR_DO(check(train, validation));
  Normalisation normal;
  MR_TRY(problem, make_problem(train, normal, context.ranks));
  RowParts parts(train.X.rows, problem.size() + 1, context.threads, context.ranks);
  if (full_batch()) problem.parts = &parts;
  MR_TRY(validated, any_rank(context.ranks, validation != nullptr));
  LinearProblem held_out;
  if (validation) MR_DO(hold_out(problem, normal, *validation, held_out));
  const Random random(context.seed);
  Parameters parameters = first_parameters(problem, random.derive("init"));
  const auto solver = full_batch()
                          ? make_lbfgs(problem)
                          : make_stepper(problem, step_settings(train.X.rows), random.derive("order"));
  const std::int64_t rounds =
      full_batch() && !read_.given("epochs") ? kIterationsMax : read_.integer("epochs");
  const std::int64_t patience = full_batch() && !read_.given("early_stopping_patience")
                                    ? kExactPatience
                                    : read_.integer("early_stopping_patience");
  const double tolerance = full_batch() && !read_.given("early_stopping_tolerance")
                               ? kExactTolerance
                               : read_.real("early_stopping_tolerance");

  RoundKeeper keeper(context, rounds, patience, tolerance, validated);
  std::int64_t done = 0;
  const auto fields = [&](FitState& state) {
    state.field(done), state.field(parameters), solver->fields(state), keeper.fields(state);
  };
  MR_DO(resume_fit(context, kLinearAlgorithm, fields));
  bool stop = false;
  while (done < rounds && !stop) {
    const std::int64_t round = done++;
    if (context.cancelled && context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    stop = !solver->round(parameters);
    const std::optional<double> known = solver->loss();
    const double loss = known ? *known
                              : mean_loss(problem, parameters, nullptr, 0, problem.X.rows, nullptr) +
                                    penalty_of(problem, parameters);
    if (context.ranks) MR_DO(context.ranks->collective.status());
    if (context.tensors && context.tensors->wants(round, true))
      show_parameters(*context.tensors, round, problem, parameters, loss);
    if (const Status finite = check_loss(loss, round); !finite) {
      const MetricPoint point{"train:objective_loss", loss, round};
      if (context.ranks || !keeper.result.model || !context.stop_early || !context.stop_early(point))
        return fail(finite.error());
      break;  // somebody has seen it and takes the model so far
    }
    std::map<std::string, double> metrics{{"train:objective_loss", loss}};
    auto model = make_linear_model(output(), train.X.cols, denormalised(problem, normal, parameters));
    if (validation) add_validation(held_out, parameters, *model, *validation, metrics);
    MR_DO(share_objective(context.ranks, validated, metrics));
    stop |= !keeper.take(round, std::move(model), std::move(metrics));
    MR_TRY(enough, any_rank(context.ranks, stop));
    stop = enough;
    if (!stop && done < rounds) keep_checkpoint(context, kLinearAlgorithm, done, fields);
  }
  choose_threshold(keeper.result, validation ? *validation : train, validation != nullptr);
  return std::move(keeper.result);
}

Status LinearLearner::check_loss(double loss, std::int64_t round) const {
  if (std::isfinite(loss)) return {};
  return invalid("the loss is not finite any more after round " + std::to_string(round),
                 "use a smaller learning_rate");
}

void LinearLearner::add_validation(const LinearProblem& held_out, const Parameters& parameters,
                                   const Model& model, const Dataset& validation,
                                   std::map<std::string, double>& metrics) const {
  metrics["validation:objective_loss"] =
      mean_loss(held_out, parameters, nullptr, 0, held_out.X.rows, nullptr);
  for (const auto& [name, value] : metrics_of(model, validation)) metrics["validation:" + name] = value;
}

void RoundKeeper::fields(FitState& state) {
  std::string best = result.model ? result.model->save() : std::string();
  state.field(best), state.field(best_), state.field(reference_), state.field(stale_);
  state.field(result.metrics), state.field(result.rounds);
  if (!state.reading()) return;
  auto model = load_linear_learner(best);
  state.require(model.has_value());
  if (model) result.model = std::move(*model);
}

bool RoundKeeper::take(std::int64_t round, std::unique_ptr<const Model> model,
                       std::map<std::string, double> metrics) {
  bool stop = false;
  Progress progress;
  progress.phase = "Training", progress.round = round + 1, progress.rounds = rounds_;
  progress.metric = validation_ ? "validation:objective_loss" : "train:objective_loss";
  const double objective = progress.value = metrics.at(progress.metric);
  for (const auto& [name, value] : metrics) {
    const MetricPoint point{name, value, round};
    if (context_.metric) context_.metric(point);
    if (context_.stop_early && context_.stop_early(point)) stop = true;
  }
  if (context_.progress) context_.progress(progress);
  if (!result.model || objective < best_) {
    best_ = objective;
    result.model = std::move(model), result.metrics = std::move(metrics), result.rounds = round + 1;
  }
  const bool improved =
      objective < reference_ - tolerance_ * std::abs(reference_) || !std::isfinite(reference_);
  if (improved) reference_ = objective;
  stale_ = improved ? 0 : stale_ + 1;
  return !stop && stale_ < patience_;
}

RankUse linear_learner_ranks(const HyperParameters& parameters) {
  const ParameterReader read(linear_learner_rules(), parameters);
  const auto loss = choose_loss(read);
  // A threshold is chosen on all rows at once.
  const bool threshold = read.text("binary_classifier_model_selection_criteria") != "loss_function";
  return loss && loss->smooth() && read.is_auto("optimizer") && !threshold ? RankUse::Rows : RankUse::None;
}

Result<std::unique_ptr<const Estimator>> make_linear_learner(const HyperParameters& parameters) {
  MR_DO(check_against_rules("linear-learner", linear_learner_rules(), parameters));
  const ParameterReader read(linear_learner_rules(), parameters);
  if (read.text("predictor_type") == "multiclass_classifier" && !read.given("num_classes")) {
    return invalid("hyperparameter 'num_classes' is required for a multiclass_classifier");
  }
  MR_TRY(loss, choose_loss(read));
  return std::unique_ptr<const Estimator>(new LinearLearner(parameters, loss));
}

}  // namespace millrace::tasks
