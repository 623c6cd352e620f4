#pragma once
// The minimisation behind linear-learner: weights of normalised data, round by round; the same for any number
// of threads.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "tasks/numeric/matrix.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/linear_loss.h"
#include "tasks/training/row_parts.h"

namespace millrace::tasks {

// Parameters are k rows of d weights and a bias: row c is [w_c0, …, w_c(d-1), b_c].
using Parameters = std::vector<double>;

struct LinearProblem {
  MatrixView X;                       // (n, d)
  std::vector<double> mean, inverse;  // (d,): features are taken as (x - mean) * inverse
  std::vector<double> target;         // (n,)
  std::vector<double> weight;         // (n,), mean over rows is taken by their sum
  double weight_sum = 0;
  int outputs = 1;  // k
  Loss loss;
  double wd = 0, l1 = 0, bias_wd = 0;
  bool use_bias = true;
  // Of a fit that looks at all rows at once: how they are shared out to threads and ranks. weight_sum is then
  // that of all ranks.
  RowParts* parts = nullptr;

  std::size_t stride() const { return X.cols + 1; }
  std::size_t size() const { return stride() * static_cast<std::size_t>(outputs); }
};

// The mean loss of rows[begin, end) of `order` (all rows in their order when null), without penalties; adds
// its gradient to `gradient` when given. Cost O(rows d k). Of all rows of a problem with parts: over all
// ranks, whose error stands in the collective.
double mean_loss(const LinearProblem& problem, const Parameters& parameters,
                 const std::vector<std::uint32_t>* order, std::size_t begin, std::size_t end,
                 Parameters* gradient);

// What wd and l1 add to the loss.
double penalty_of(const LinearProblem& problem, const Parameters& parameters);

struct DescentSettings {
  enum class Method { Adam, Sgd, Rmsprop };
  Method method = Method::Adam;
  std::size_t batch = 1000;
  double rate = 0.01, beta_1 = 0.9, beta_2 = 0.999, momentum = 0.9, bias_rate = 1;
  double factor = 1, least_rate = 0;  // the rate is multiplied by factor every `every` steps; 0: never
  std::uint64_t every = 0;
};

// Adam, SGD with momentum or RMSProp: parameters after parameters, a mini-batch's gradient at a time; the L1
// penalty is a shrinkage after each step.
class GradientSteps {
 public:
  GradientSteps(const LinearProblem& problem, const DescentSettings& settings)
      : settings_(settings),
        l1_(problem.l1),
        stride_(problem.stride()),
        first_(problem.size()),
        second_(problem.size()) {}

  // The gradient of a mini-batch's mean loss and of the penalties.
  void step(Parameters& parameters, const Parameters& gradient);
  // From now on the rate falls every so many steps.
  void fall_every(std::uint64_t steps) { settings_.every = steps; }
  std::uint64_t steps() const { return steps_; }
  void fields(FitState& state);

 private:
  double rate() const;

  DescentSettings settings_;
  const double l1_;
  const std::size_t stride_;
  Parameters first_, second_;  // moments
  std::uint64_t steps_ = 0;
};
// Adds wd w to a gradient.
void add_decay(const LinearProblem& problem, const Parameters& parameters, Parameters& gradient);

// One round improves `parameters` and returns false when nothing more is to be gained.
class LinearSolver {
 public:
  virtual ~LinearSolver() = default;
  virtual bool round(Parameters& parameters) = 0;
  // The mean loss with penalties at the parameters of the last round, of a solver that knows it.
  virtual std::optional<double> loss() const { return std::nullopt; }
  virtual void fields(FitState& state) = 0;  // of a checkpoint; reading, before the first round
};
std::unique_ptr<LinearSolver> make_lbfgs(const LinearProblem& problem);
std::unique_ptr<LinearSolver> make_stepper(const LinearProblem& problem, const DescentSettings& settings,
                                           Random random);

}  // namespace millrace::tasks
