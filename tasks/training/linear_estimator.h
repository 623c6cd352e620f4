#pragma once
// The estimator behind linear_learner.h, in two files: on rows in memory (linear_learner.cpp) and on a stream
// of them (linear_stream.cpp).

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "tasks/training/estimator.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/linear_learner.h"
#include "tasks/training/linear_model.h"
#include "tasks/training/linear_solver.h"

namespace millrace::tasks {

inline constexpr std::string_view kLinearAlgorithm = "linear-learner";

// Training on normalised features and targets; the answer is for data as given.
struct Normalisation {
  std::vector<double> mean, inverse;  // features
  double target_mean = 0, target_scale = 1;
};

// Weights and biases for data as given, from those for normalised data.
Parameters denormalised(const LinearProblem& problem, const Normalisation& normal,
                        const Parameters& parameters);

// Reports the rounds of a fit, keeps the best and says when to stop.
class RoundKeeper {
 public:
  RoundKeeper(const FitContext& context, std::int64_t rounds, std::int64_t patience, double tolerance,
              bool validation)
      : context_(context),
        rounds_(rounds),
        patience_(patience),
        tolerance_(tolerance),
        validation_(validation) {}

  // `metrics` has train:objective_loss, and validation:objective_loss when there is such a channel. False:
  // stop.
  bool take(std::int64_t round, std::unique_ptr<const Model> model, std::map<std::string, double> metrics);
  void fields(FitState& state);  // of a checkpoint

  Fitted result;

 private:
  const FitContext& context_;
  const std::int64_t rounds_, patience_;
  const double tolerance_;
  const bool validation_;
  double best_ = std::numeric_limits<double>::infinity(), reference_ = best_;
  std::int64_t stale_ = 0;
};

class LinearLearner final : public Estimator {
 public:
  LinearLearner(HyperParameters parameters, Loss loss)
      : parameters_(std::move(parameters)), read_(linear_learner_rules(), parameters_), loss_(loss) {}
  Result<Fitted> fit(const Dataset& train, const Dataset* validation,
                     const FitContext& context) const override;
  // linear_stream.cpp
  Result<Fitted> fit_stream(RowStream& train, const Dataset* validation,
                            const FitContext& context) const override;

 private:
  bool binary() const { return read_.text("predictor_type") == "binary_classifier"; }
  bool multiclass() const { return read_.text("predictor_type") == "multiclass_classifier"; }
  bool regressor() const { return !binary() && !multiclass(); }
  bool full_batch() const { return read_.is_auto("optimizer") && loss_.smooth(); }
  LinearOutput output() const {
    return binary()       ? LinearOutput::Probability
           : multiclass() ? LinearOutput::Probabilities
                          : LinearOutput::Value;
  }

  Status check_stream() const;
  LinearProblem make_stream_problem(const Dataset& sample, double rows_expected, Normalisation& normal) const;
  // The same problem over other rows: weight_sum may be 0.
  Status set_rows(LinearProblem& problem, const Normalisation& normal, const Dataset& rows) const;
  Status hold_out(const LinearProblem& problem, const Normalisation& normal, const Dataset& validation,
                  LinearProblem& out) const;
  Status check_loss(double loss, std::int64_t round) const;
  void add_validation(const LinearProblem& held_out, const Parameters& parameters, const Model& model,
                      const Dataset& validation, std::map<std::string, double>& metrics) const;
  Status check(const Dataset& train, const Dataset* validation) const;
  Result<std::vector<double>> row_weights(const Dataset& data, const RankRows* ranks = nullptr) const;
  Result<LinearProblem> make_problem(const Dataset& train, Normalisation& normal,
                                     const RankRows* ranks = nullptr) const;
  std::vector<double> targets(const Dataset& data, const Normalisation& normal) const;
  DescentSettings step_settings(std::size_t rows) const;
  Parameters first_parameters(const LinearProblem& problem, Random random) const;
  std::map<std::string, double> metrics_of(const Model& model, const Dataset& data) const;
  // How a binary classifier's threshold is chosen; empty: it is a half.
  std::string_view threshold_criteria() const;
  // Gives the model the threshold that is best on these rows, and its metrics of validation are those at it.
  void choose_threshold(Fitted& fitted, const Dataset& rows, bool validation) const;

  const HyperParameters parameters_;
  const ParameterReader read_;
  const Loss loss_;
};

}  // namespace millrace::tasks
