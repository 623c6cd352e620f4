#include "tasks/training/linear_solver.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>

namespace millrace::tasks {

namespace {

using Block = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;
using ParameterMap = Eigen::Map<const Block>;

constexpr std::size_t kBlockRows = 512;  // rows at a time, normalised in a buffer that stays in the cache
constexpr std::size_t kHistory = 10;     // pairs that L-BFGS remembers
constexpr int kLineSearchSteps = 40;

Eigen::Map<Vector> as_vector(Parameters& p) {
  return {p.data(), static_cast<Eigen::Index>(p.size())};
}

// The normalised rows, with a column of ones (or zeros without a bias) behind them.
void fill(const LinearProblem& problem, const std::vector<std::uint32_t>* order, std::size_t begin,
          Block& rows) {
  const std::size_t d = problem.X.cols;
  for (Eigen::Index r = 0; r < rows.rows(); ++r) {
    const std::size_t position = begin + static_cast<std::size_t>(r);
    const float* x = problem.X.data + (order ? (*order)[position] : position) * d;
    double* out = rows.data() + static_cast<std::size_t>(r) * (d + 1);
    for (std::size_t j = 0; j < d; ++j)
      out[j] = (static_cast<double>(x[j]) - problem.mean[j]) * problem.inverse[j];
    out[d] = problem.use_bias ? 1 : 0;
  }
}

// L-BFGS; with an L1 penalty OWL-QN: directions stay in the orthant that the pseudo-gradient points into.
class Lbfgs final : public LinearSolver {
 public:
  explicit Lbfgs(const LinearProblem& problem) : problem_(problem) {}

  bool round(Parameters& parameters) override {
    if (gradient_.empty()) value_ = evaluate(parameters, gradient_);
    const Vector steepest = pseudo_gradient(parameters);
    if (steepest.cwiseAbs().maxCoeff() < 1e-9) return false;
    Vector direction = -two_loops(steepest);
    for (Eigen::Index i = 0; problem_.l1 > 0 && i < direction.size(); ++i) {
      if (direction[i] * -steepest[i] <= 0) direction[i] = 0;
    }
    if (direction.dot(steepest) >= 0) history_.clear(), direction = -steepest;
    return search(parameters, direction, steepest);
  }

  std::optional<double> loss() const override { return value_; }

  void fields(FitState& state) override {
    std::uint64_t pairs = history_.size();
    gradient_.resize(problem_.size());
    state.field(gradient_), state.field(value_), state.field(pairs);
    state.require(pairs <= kHistory);
    if (state.reading()) history_.resize(std::min<std::size_t>(pairs, kHistory));
    for (Pair& pair : history_) {
      for (Vector* vector : {&pair.s, &pair.y}) {
        Parameters values(problem_.size());
        if (!state.reading()) as_vector(values) = *vector;
        state.field(values);
        *vector = as_vector(values);
      }
      state.field(pair.rho);
    }
  }

 private:
  struct Pair {
    Vector s, y;
    double rho;
  };

  bool penalised(std::size_t i) const { return problem_.l1 > 0 && (i + 1) % problem_.stride() != 0; }

  double evaluate(const Parameters& parameters, Parameters& gradient) const {
    gradient.assign(parameters.size(), 0);
    const double loss = mean_loss(problem_, parameters, nullptr, 0, problem_.X.rows, &gradient);
    add_decay(problem_, parameters, gradient);
    return loss + penalty_of(problem_, parameters);
  }

  Vector pseudo_gradient(const Parameters& parameters) {
    Vector g = as_vector(gradient_);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      double& gi = g[static_cast<Eigen::Index>(i)];
      if (!penalised(i)) continue;
      if (parameters[i] != 0)
        gi += parameters[i] > 0 ? problem_.l1 : -problem_.l1;
      else if (gi + problem_.l1 < 0)
        gi += problem_.l1;
      else if (gi - problem_.l1 > 0)
        gi -= problem_.l1;
      else
        gi = 0;
    }
    return g;
  }

  Vector two_loops(Vector q) const {
    std::vector<double> alpha(history_.size());
    for (std::size_t i = history_.size(); i-- > 0;) {
      alpha[i] = history_[i].rho * history_[i].s.dot(q);
      q -= alpha[i] * history_[i].y;
    }
    if (!history_.empty()) q *= history_.back().s.dot(history_.back().y) / history_.back().y.squaredNorm();
    for (std::size_t i = 0; i < history_.size(); ++i) {
      const double beta = history_[i].rho * history_[i].y.dot(q);
      q += (alpha[i] - beta) * history_[i].s;
    }
    return q;
  }

  // Halves the step until the value falls enough (Armijo).
  bool search(Parameters& parameters, const Vector& direction, const Vector& steepest) {
    double step = history_.empty() ? std::min(1.0, 1 / direction.norm()) : 1.0;
    Parameters next(parameters.size()), gradient;
    for (int tries = 0; tries < kLineSearchSteps; ++tries, step *= 0.5) {
      double slope = 0;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        const auto k = static_cast<Eigen::Index>(i);
        next[i] = parameters[i] + step * direction[k];
        if (penalised(i)) {
          const double orthant = parameters[i] != 0 ? parameters[i] : -steepest[k];
          if (next[i] * orthant <= 0) next[i] = 0;
        }
        slope += steepest[k] * (next[i] - parameters[i]);
      }
      const double value = evaluate(next, gradient);
      if (!(value <= value_ + 1e-4 * slope)) continue;
      remember(parameters, next, gradient);
      const bool converged = value_ - value <= 1e-10 * std::max(1.0, std::abs(value_));
      parameters = next, gradient_ = gradient, value_ = value;
      return !converged;
    }
    return false;
  }

  void remember(Parameters& before, Parameters& after, Parameters& gradient) {
    Pair pair{as_vector(after) - as_vector(before), as_vector(gradient) - as_vector(gradient_), 0};
    const double curvature = pair.s.dot(pair.y);
    if (curvature <= 1e-12 * pair.y.squaredNorm()) return;
    pair.rho = 1 / curvature;
    history_.push_back(std::move(pair));
    if (history_.size() > kHistory) history_.pop_front();
  }

  const LinearProblem& problem_;
  Parameters gradient_;  // of the smooth part at the last parameters; empty before the first round
  double value_ = 0;
  std::deque<Pair> history_;
};

// Over shuffled mini-batches.
class Stepper final : public LinearSolver {
 public:
  Stepper(const LinearProblem& problem, const DescentSettings& settings, Random random)
      : problem_(problem),
        batch_(settings.batch),
        random_(random),
        steps_(problem, settings),
        order_(problem.X.rows) {
    std::iota(order_.begin(), order_.end(), 0u);
  }

  void fields(FitState& state) override {
    state.field(rounds_), steps_.fields(state);
    for (std::uint64_t round = 0; state.reading() && round < rounds_; ++round) shuffle(order_, random_);
  }

  bool round(Parameters& parameters) override {
    ++rounds_;
    shuffle(order_, random_);
    const std::size_t n = order_.size();
    Parameters gradient;
    for (std::size_t begin = 0; begin < n; begin += batch_) {
      gradient.assign(parameters.size(), 0);
      mean_loss(problem_, parameters, &order_, begin, std::min(n, begin + batch_), &gradient);
      add_decay(problem_, parameters, gradient);
      steps_.step(parameters, gradient);
    }
    return true;
  }

 private:
  const LinearProblem& problem_;
  const std::size_t batch_;
  Random random_;
  GradientSteps steps_;
  std::uint64_t rounds_ = 0;
  std::vector<std::uint32_t> order_;
};

}  // namespace

void add_decay(const LinearProblem& problem, const Parameters& parameters, Parameters& gradient) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    gradient[i] += ((i + 1) % problem.stride() == 0 ? problem.bias_wd : problem.wd) * parameters[i];
  }
}

double GradientSteps::rate() const {
  if (settings_.every == 0) return settings_.rate;
  const auto falls = static_cast<double>((steps_ - 1) / settings_.every);
  return std::max(settings_.least_rate, settings_.rate * std::pow(settings_.factor, falls));
}

void GradientSteps::fields(FitState& state) {
  state.field(steps_), state.field(settings_.every), state.field(first_), state.field(second_);
}

void GradientSteps::step(Parameters& parameters, const Parameters& gradient) {
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double rate_now = rate(), b1 = settings_.beta_1, b2 = settings_.beta_2;
  const double correction_1 = 1 - std::pow(b1, t), correction_2 = 1 - std::pow(b2, t);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const bool bias = (i + 1) % stride_ == 0;
    const double lr = bias ? rate_now * settings_.bias_rate : rate_now, g = gradient[i];
    switch (settings_.method) {
      case DescentSettings::Method::Adam:
        first_[i] = b1 * first_[i] + (1 - b1) * g, second_[i] = b2 * second_[i] + (1 - b2) * g * g;
        parameters[i] -= lr * (first_[i] / correction_1) / (std::sqrt(second_[i] / correction_2) + 1e-8);
        break;
      case DescentSettings::Method::Rmsprop:
        second_[i] = b2 * second_[i] + (1 - b2) * g * g;
        parameters[i] -= lr * g / (std::sqrt(second_[i]) + 1e-8);
        break;
      case DescentSettings::Method::Sgd:
        first_[i] = settings_.momentum * first_[i] + g;
        parameters[i] -= lr * first_[i];
        break;
    }
    if (l1_ > 0 && !bias) {
      const double shrunk = std::max(0.0, std::abs(parameters[i]) - lr * l1_);
      parameters[i] = parameters[i] < 0 ? -shrunk : shrunk;
    }
  }
}

namespace {

// Over the parts of all rows: each has the sum of its gradients and, behind them, of its losses.
double mean_loss_of_parts(const LinearProblem& problem, const Parameters& parameters, Parameters* gradient) {
  const auto stride = static_cast<Eigen::Index>(problem.stride()),
             k = static_cast<Eigen::Index>(problem.outputs);
  const ParameterMap weights(parameters.data(), k, stride);
  const std::size_t size = problem.size() + 1;
  std::vector<double> sums(problem.parts->parts() * size);
  const Status done = problem.parts->each({}, [&](std::size_t begin, std::size_t count, std::size_t part) {
    thread_local Block rows, scores;
    double* const own = sums.data() + part * size;
    rows.resize(static_cast<Eigen::Index>(count), stride);
    fill(problem, nullptr, begin, rows);
    scores.noalias() = rows * weights.transpose();
    for (std::size_t r = 0; r < count; ++r) {
      double* row = scores.data() + static_cast<Eigen::Index>(r) * k;
      own[size - 1] += problem.weight[begin + r] *
                       loss_and_derivative(problem.loss, row, problem.outputs, problem.target[begin + r]);
      for (Eigen::Index c = 0; c < k; ++c) row[c] *= problem.weight[begin + r];
    }
    if (gradient) Eigen::Map<Block>(own, k, stride).noalias() += scores.transpose() * rows;
  });
  if (!done || !problem.parts->total(sums, size)) return std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; gradient && i < gradient->size(); ++i)
    (*gradient)[i] += sums[i] / problem.weight_sum;
  return sums[size - 1] / problem.weight_sum;
}

}  // namespace

double mean_loss(const LinearProblem& problem, const Parameters& parameters,
                 const std::vector<std::uint32_t>* order, std::size_t begin, std::size_t end,
                 Parameters* gradient) {
  if (problem.parts && !order && begin == 0 && end == problem.X.rows)
    return mean_loss_of_parts(problem, parameters, gradient);
  const auto stride = static_cast<Eigen::Index>(problem.stride()),
             k = static_cast<Eigen::Index>(problem.outputs);
  const ParameterMap weights(parameters.data(), k, stride);
  // All rows weigh by the sum of all; a mini-batch by its share of it.
  const double scale =
      static_cast<double>(problem.X.rows) / (static_cast<double>(end - begin) * problem.weight_sum);
  Block rows, scores, sum = Block::Zero(k, stride);
  double total = 0;
  for (std::size_t at = begin; at < end; at += kBlockRows) {
    const auto count = static_cast<Eigen::Index>(std::min(kBlockRows, end - at));
    rows.resize(count, stride);
    fill(problem, order, at, rows);
    scores.noalias() = rows * weights.transpose();
    for (Eigen::Index r = 0; r < count; ++r) {
      const std::size_t position = at + static_cast<std::size_t>(r),
                        i = order ? (*order)[position] : position;
      double* row = scores.data() + r * k;
      total += problem.weight[i] * loss_and_derivative(problem.loss, row, problem.outputs, problem.target[i]);
      for (Eigen::Index c = 0; c < k; ++c) row[c] *= problem.weight[i];
    }
    if (gradient) sum.noalias() += scores.transpose() * rows;
  }
  if (gradient) {
    for (std::size_t i = 0; i < gradient->size(); ++i) (*gradient)[i] += scale * sum.data()[i];
  }
  return scale * total;
}

double penalty_of(const LinearProblem& problem, const Parameters& parameters) {
  double sum = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const bool bias = (i + 1) % problem.stride() == 0;
    const double square = parameters[i] * parameters[i];
    sum += bias ? 0.5 * problem.bias_wd * square
                : 0.5 * problem.wd * square + problem.l1 * std::abs(parameters[i]);
  }
  return sum;
}

std::unique_ptr<LinearSolver> make_lbfgs(const LinearProblem& problem) {
  return std::make_unique<Lbfgs>(problem);
}

std::unique_ptr<LinearSolver> make_stepper(const LinearProblem& problem, const DescentSettings& settings,
                                           Random random) {
  return std::make_unique<Stepper>(problem, settings, random);
}

}  // namespace millrace::tasks
