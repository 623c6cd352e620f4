// The model: answers, bytes, and the choice of weights.

#include <algorithm>
#include <cmath>
#include <limits>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/ensemble/ensemble.h"
#include "tasks/training/model_texts.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kEnsemble = "ensemble", kEnsembleMagic = "MREN";
constexpr std::uint8_t kEnsembleVersion = 1;
constexpr std::size_t kEnsembleModelClassesMax = 1'000'000;  // of a model that is read
constexpr double kSelectionEdge = 1e-7;  // shares are kept this far from 0 and 1 when members are chosen

Result<Matrix> fold_predictions(const EnsembleShape& shape, const EnsemblePart& part,
                                const EnsemblePart::Fold& fold, MatrixView X) {
  if (!fold.rows) {
    MR_TRY(answers, fold.model->predict(X));
    return adapt_answers(shape, part, std::move(answers));
  }
  const Matrix rows = fold.rows->apply(X);
  MR_TRY(answers, fold.model->predict(rows));
  return adapt_answers(shape, part, std::move(answers));
}

// What selection makes small: the mean loss of sums / count.
double selection_loss(const EnsembleShape& shape, const std::vector<double>& sums, double count,
                      std::span<const double> y) {
  const std::size_t k = shape.outputs(), n = y.size();
  double loss = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (shape.task == EnsembleTask::Regression) {
      const double error = std::clamp(sums[i] / count, shape.least, shape.most) - y[i];
      loss += error * error;
      continue;
    }
    const double share = shape.task == EnsembleTask::Classes
                             ? sums[i * k + static_cast<std::size_t>(y[i])] / count
                             : (y[i] > 0.5 ? sums[i] / count : 1 - sums[i] / count);
    loss -= std::log(std::clamp(share, kSelectionEdge, 1 - kSelectionEdge));
  }
  return loss / static_cast<double>(n);
}

bool is_usable(const EnsembleShape& shape, std::uint64_t task, std::size_t parts,
               const std::vector<double>& weights) {
  const auto positive = [](double w) { return std::isfinite(w) && w >= 0; };
  return task <= 2 && shape.features > 0 && shape.classes >= 2 && shape.classes <= kEnsembleModelClassesMax &&
         std::isfinite(shape.least) && std::isfinite(shape.most) && shape.least <= shape.most && parts > 0 &&
         parts == weights.size() && std::ranges::all_of(weights, positive);
}

// One member's folds. DataLoss.
Result<std::shared_ptr<const EnsemblePart>> read_part(ModelReader& in, const EnsembleShape& shape) {
  bool whole = true;
  const auto damaged = [] {
    return fail(ErrorCode::DataLoss, "not a usable ensemble model: a member is damaged");
  };
  auto part = std::make_shared<EnsemblePart>();
  const std::vector<std::string> names = read_texts(in, whole);
  if (!whole || names.size() != 1) return damaged();
  part->algorithm = names[0];
  part->centre = in.real(), part->scale = in.real();
  const EstimatorKind* kind = find_estimator(part->algorithm);
  if (kind == nullptr || kind->own_form != nullptr || part->algorithm == kEnsemble ||
      !std::isfinite(part->centre) || !std::isfinite(part->scale))
    return damaged();
  const std::uint64_t folds = in.u64();
  for (std::uint64_t f = 0; f < folds && in.whole(); ++f) {
    EnsemblePart::Fold fold;
    if (in.u64() != 0) fold.rows = DenseRows::load(in, whole);
    const std::vector<std::string> bytes = read_texts(in, whole);
    if (!whole || bytes.size() != 1) return damaged();
    MR_TRY(model, kind->load(bytes[0]));
    const std::size_t width = fold.rows ? fold.rows->outputs() : shape.features;
    if (model->n_features() != width || (fold.rows && fold.rows->inputs() != shape.features))
      return damaged();
    const auto columns = model->predict(MatrixView{nullptr, 0, width});
    if (!columns || (shape.task == EnsembleTask::Regression && columns->cols != 1)) return damaged();
    fold.model = std::move(model);
    part->folds.push_back(std::move(fold));
  }
  if (part->folds.empty()) return damaged();
  return std::shared_ptr<const EnsemblePart>(std::move(part));
}

}  // namespace

Matrix adapt_answers(const EnsembleShape& shape, const EnsemblePart& part, Matrix given) {
  const std::size_t k = shape.outputs();
  if (shape.task == EnsembleTask::Regression) {
    for (float& value : given.values)
      value = static_cast<float>(static_cast<double>(value) * part.scale + part.centre);
    return given;
  }
  if (given.cols == k) {
    if (shape.task == EnsembleTask::Binary)
      for (float& value : given.values) value = std::clamp(value, 0.0f, 1.0f);
    return given;
  }
  // A classifier with a column for each class that it saw.
  Matrix out(given.rows, k);
  const std::size_t first = shape.task == EnsembleTask::Binary ? 1 : 0;
  for (std::size_t i = 0; i < given.rows; ++i)
    for (std::size_t c = 0; c < k && c + first < given.cols; ++c) out.at(i, c) = given.at(i, c + first);
  return out;
}

EnsembleModel::EnsembleModel(EnsembleShape shape, std::vector<std::shared_ptr<const EnsemblePart>> parts,
                             std::vector<double> weights)
    : shape_(shape), parts_(std::move(parts)), weights_(std::move(weights)) {}

Result<Matrix> EnsembleModel::predict(MatrixView X) const {
  MR_DO(check_features(kEnsemble, X, shape_.features));
  std::vector<Matrix> predictions;
  for (const auto& part : parts_) {
    std::vector<Matrix> folds;
    for (const EnsemblePart::Fold& fold : part->folds) {
      MR_TRY(answers, fold_predictions(shape_, *part, fold, X));
      folds.push_back(std::move(answers));
    }
    const std::vector<double> equal(folds.size(), 1.0 / static_cast<double>(folds.size()));
    predictions.push_back(combine_predictions(shape_, folds, equal));
  }
  return combine_predictions(shape_, predictions, weights_);
}

std::string EnsembleModel::save() const {
  ModelWriter out(kEnsembleMagic, kEnsembleVersion);
  out.put(static_cast<std::uint64_t>(shape_.task)).put(std::uint64_t{shape_.features});
  out.put(std::uint64_t{shape_.classes}).put(shape_.least).put(shape_.most);
  out.put(std::span<const double>(weights_)).put(std::uint64_t{parts_.size()});
  for (const auto& part : parts_) {
    put_texts(out, std::span(&part->algorithm, 1));
    out.put(part->centre).put(part->scale).put(std::uint64_t{part->folds.size()});
    for (const EnsemblePart::Fold& fold : part->folds) {
      out.put(std::uint64_t{fold.rows ? 1u : 0u});
      if (fold.rows) fold.rows->save(out);
      const std::string bytes = fold.model->save();
      put_texts(out, std::span(&bytes, 1));
    }
  }
  return std::move(out).finish();
}

Result<std::unique_ptr<const Model>> load_ensemble(std::string_view bytes) {
  MR_TRY(in, ModelReader::open(kEnsemble, kEnsembleMagic, kEnsembleVersion, bytes));
  EnsembleShape shape;
  const std::uint64_t task = in.u64();
  shape.task = static_cast<EnsembleTask>(std::min<std::uint64_t>(task, 2));
  shape.features = in.u64(), shape.classes = in.u64();
  shape.least = in.real(), shape.most = in.real();
  std::vector<double> weights = in.reals();
  const std::uint64_t count = in.u64();
  std::vector<std::shared_ptr<const EnsemblePart>> parts;
  for (std::uint64_t i = 0; i < count && in.whole(); ++i) {
    MR_TRY(part, read_part(in, shape));
    parts.push_back(std::move(part));
  }
  MR_DO(in.finish(is_usable(shape, task, parts.size(), weights)));
  return std::make_unique<const EnsembleModel>(shape, std::move(parts), std::move(weights));
}

Result<Matrix> held_out_predictions(const EnsembleShape& shape, const EnsemblePart& part, MatrixView X,
                                    std::span<const std::uint32_t> fold_of) {
  Matrix out(X.rows, shape.outputs());
  for (std::size_t f = 0; f < part.folds.size(); ++f) {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < X.rows; ++i)
      if (fold_of[i] == f) rows.push_back(i);
    Matrix held(rows.size(), X.cols);
    for (std::size_t r = 0; r < rows.size(); ++r)
      std::copy_n(X.data + rows[r] * X.cols, X.cols, held.values.data() + r * X.cols);
    MR_TRY(answers, fold_predictions(shape, part, part.folds[f], held));
    for (std::size_t r = 0; r < rows.size(); ++r)
      std::copy_n(answers.values.data() + r * out.cols, out.cols, out.values.data() + rows[r] * out.cols);
  }
  return out;
}

std::vector<double> select_weights(const EnsembleShape& shape, std::span<const Matrix> predictions,
                                   std::span<const double> y, std::size_t steps) {
  std::vector<double> sums(predictions[0].values.size()), trial(sums.size());
  std::vector<std::size_t> picked;
  double best = std::numeric_limits<double>::infinity();
  std::size_t best_steps = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    double least = std::numeric_limits<double>::infinity();
    std::size_t choice = 0;
    for (std::size_t m = 0; m < predictions.size(); ++m) {
      for (std::size_t i = 0; i < sums.size(); ++i)
        trial[i] = sums[i] + static_cast<double>(predictions[m].values[i]);
      const double loss = selection_loss(shape, trial, static_cast<double>(step + 1), y);
      if (loss < least) least = loss, choice = m;
    }
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += static_cast<double>(predictions[choice].values[i]);
    picked.push_back(choice);
    if (least < best) best = least, best_steps = picked.size();
  }
  std::vector<double> weights(predictions.size());
  for (std::size_t s = 0; s < best_steps; ++s) weights[picked[s]] += 1;
  for (double& weight : weights) weight /= static_cast<double>(std::max<std::size_t>(1, best_steps));
  if (best_steps == 0) weights[0] = 1;  // no loss is a number
  return weights;
}

Matrix combine_predictions(const EnsembleShape& shape, std::span<const Matrix> predictions,
                           std::span<const double> weights) {
  Matrix out(predictions[0].rows, predictions[0].cols);
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    double sum = 0;
    for (std::size_t m = 0; m < predictions.size(); ++m)
      sum += weights[m] * static_cast<double>(predictions[m].values[i]);
    if (shape.task == EnsembleTask::Regression) sum = std::clamp(sum, shape.least, shape.most);
    out.values[i] = static_cast<float>(sum);
  }
  return out;
}

}  // namespace millrace::tasks
