#include <algorithm>
#include <cmath>
#include <numeric>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/linear_estimator.h"
#include "tasks/training/row_stream.h"

namespace millrace::tasks {

namespace {

// The next rows as a data set; false at the end of the pass.
Result<bool> next_rows(RowStream& stream, RowBlock& block, Dataset& rows) {
  MR_TRY(any, stream.next(block));
  if (!any) return false;
  std::swap(rows.X, block.X);
  std::swap(rows.y, block.y);
  std::swap(rows.weights, block.weights);
  rows.first_row = block.first_row;
  std::swap(rows.sources, block.sources);
  return true;
}

// Reads what is left of a pass: the stream knows the number and the hash of its rows by then.
Status read_to_end(RowStream& train, RowBlock& block) {
  for (bool more = true; more;) {
    MR_TRY(next, train.next(block));
    more = next;
  }
  return {};
}

// The first rows of another pass.
Status begin_pass(RowStream& train, RowBlock& block, Dataset& rows) {
  MR_DO(train.rewind());
  MR_TRY(again, next_rows(train, block, rows));
  if (!again) return invalid("train: the rows of the first pass are gone");
  return {};
}

}  // namespace

// What normalises is learnt from the first block of the first pass; a column that is constant there may vary
// later.
LinearProblem LinearLearner::make_stream_problem(const Dataset& sample, double rows_expected,
                                                 Normalisation& normal) const {
  auto made = make_problem(sample, normal);  // which can't fail without ranks
  LinearProblem problem = made ? std::move(*made) : LinearProblem();
  for (std::size_t j = 0; j < problem.inverse.size(); ++j) {
    if (problem.inverse[j] == 0) problem.inverse[j] = 1 / std::max(1.0, std::abs(problem.mean[j]));
  }
  problem.wd = read_.real_or("wd", 1 / rows_expected);
  problem.bias_wd = problem.wd * read_.real_or("bias_wd_mult", 0);
  return problem;
}

Status LinearLearner::check_stream() const {
  const std::string remedy = "use the input mode File, or give the weights in the data";
  if (binary() && read_.text("positive_example_weight_mult") == "balanced")
    return invalid("positive_example_weight_mult: balanced needs all rows at once, which Pipe mode never has",
                   remedy);
  if (multiclass() && read_.boolean("balance_multiclass_weights"))
    return invalid("balance_multiclass_weights needs all rows at once, which Pipe mode never has", remedy);
  return {};
}

Result<Fitted> LinearLearner::fit_stream(RowStream& train, const Dataset* validation,
                                         const FitContext& context) const {
  MR_DO(check_stream());
  if (!threshold_criteria().empty() && !validation)
    return invalid(
        "binary_classifier_model_selection_criteria chooses a threshold on rows that Pipe mode does not keep",
        "give a channel validation, or take input mode File");
  RowBlock block;
  Dataset rows = train.head();
  MR_TRY(any, next_rows(train, block, rows));
  if (!any) return invalid("train: there are no rows");
  MR_DO(check(rows, validation));
  Normalisation normal;
  LinearProblem problem = make_stream_problem(rows, train.rows_expected(), normal);
  LinearProblem held_out;
  if (validation) MR_DO(hold_out(problem, normal, *validation, held_out));
  const Random random(context.seed);
  Parameters parameters = first_parameters(problem, random.derive("init")), gradient;
  DescentSettings settings = step_settings(rows.X.rows);
  const bool falls_by_epoch = settings.every != 0 && !read_.given("lr_scheduler_step");
  if (falls_by_epoch) settings.every = 0;  // known after the first
  GradientSteps steps(problem, settings);
  const std::int64_t rounds = read_.integer("epochs");
  RoundKeeper keeper(context, rounds, read_.integer("early_stopping_patience"),
                     read_.real("early_stopping_tolerance"), validation != nullptr);
  std::vector<std::uint32_t> order;
  std::int64_t done = 0;
  const auto fields = [&](FitState& state) {
    state.field(done), state.field(parameters), steps.fields(state), keeper.fields(state);
  };
  MR_TRY(resumed, resume_fit(context, kLinearAlgorithm, fields));
  if (resumed) {
    MR_DO(read_to_end(train, block));
    MR_DO(begin_pass(train, block, rows));
  }
  for (std::int64_t round = done; round < rounds; ++round) {
    Random order_random = random.derive("order", static_cast<std::uint64_t>(round));
    double loss_sum = 0, count = 0;
    for (bool more = true; more;) {
      MR_DO(set_rows(problem, normal, rows));
      order.resize(rows.X.rows);
      std::iota(order.begin(), order.end(), 0u);
      shuffle(order, order_random);
      for (std::size_t begin = 0; problem.weight_sum > 0 && begin < order.size(); begin += settings.batch) {
        const std::size_t end = std::min(order.size(), begin + settings.batch);
        gradient.assign(parameters.size(), 0);
        loss_sum +=
            static_cast<double>(end - begin) * mean_loss(problem, parameters, &order, begin, end, &gradient);
        count += static_cast<double>(end - begin);
        add_decay(problem, parameters, gradient);
        steps.step(parameters, gradient);
      }
      MR_TRY(next, next_rows(train, block, rows));
      more = next;
      if (more) MR_DO(check(rows, nullptr));
    }
    if (falls_by_epoch && round == 0) steps.fall_every(std::max<std::uint64_t>(1, steps.steps()));
    const double loss = loss_sum / std::max(1.0, count) + penalty_of(problem, parameters);
    MR_DO(check_loss(loss, round));
    // Of the steps of the round, each before it was made: another pass would cost as much as the round.
    std::map<std::string, double> metrics{{"train:objective_loss", loss}};
    auto model =
        make_linear_model(output(), rows.feature_names.size(), denormalised(problem, normal, parameters));
    if (validation) add_validation(held_out, parameters, *model, *validation, metrics);
    if (!keeper.take(round, std::move(model), std::move(metrics)) || round + 1 == rounds) break;
    done = round + 1;
    keep_checkpoint(context, kLinearAlgorithm, done, fields);
    MR_DO(begin_pass(train, block, rows));
  }
  if (validation) choose_threshold(keeper.result, *validation, true);
  return std::move(keeper.result);
}

}  // namespace millrace::tasks
