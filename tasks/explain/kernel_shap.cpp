#include "tasks/explain/kernel_shap.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace millrace::tasks {
namespace {

constexpr std::size_t kRowsAsked = 65'536;  // put together for one call of the model, at most
constexpr std::size_t kCellsAsked = std::size_t{4} << 20;
constexpr double kProbabilityFloor = 1e-7;

double choose(std::size_t n, std::size_t k) {
  double out = 1;
  for (std::size_t i = 1; i <= k; ++i) out = out * static_cast<double>(n - k + i) / static_cast<double>(i);
  return out;
}

// The next subset of the same size in lexical order; false after the last.
bool next_subset(std::vector<std::size_t>& subset, std::size_t n) {
  const std::size_t k = subset.size();
  for (std::size_t i = k; i-- > 0;) {
    if (subset[i] == n - k + i) continue;
    ++subset[i];
    for (std::size_t j = i + 1; j < k; ++j) subset[j] = subset[j - 1] + 1;
    return true;
  }
  return false;
}

using Mask = std::vector<std::uint8_t>;

Mask mask_of(const std::vector<std::size_t>& subset, std::size_t n) {
  Mask mask(n);
  for (const std::size_t j : subset) mask[j] = 1;
  return mask;
}
Mask opposite(Mask mask) {
  for (std::uint8_t& bit : mask) bit = 1 - bit;
  return mask;
}

// What a subset size and the opposite size weigh together: the Shapley kernel times their subsets.
std::vector<double> size_weights(std::size_t n) {
  std::vector<double> out;
  for (std::size_t s = 1; 2 * s <= n; ++s) {
    const double weight = static_cast<double>(n - 1) / static_cast<double>(s * (n - s));
    out.push_back(2 * s == n ? weight : 2 * weight);
  }
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& weight : out) weight /= sum;
  return out;
}

}  // namespace

// The projection of answers on features: the same for every row. The last feature takes what is left.
struct KernelShap::Solver {
  Eigen::MatrixXd projection;  // (features - 1, mixtures)
};

KernelShap::KernelShap() = default;
KernelShap::~KernelShap() = default;
KernelShap::KernelShap(KernelShap&&) noexcept = default;

void KernelShap::choose_mixtures(std::size_t n, const KernelShapSettings& settings) {
  const std::size_t samples = settings.samples != 0 ? settings.samples : 2 * n + 2048;
  std::vector<double> weights = size_weights(n);
  double budget = static_cast<double>(samples), weight_left = 1;
  std::size_t size = 1;
  for (; size <= weights.size(); ++size) {
    const double subsets = choose(n, size) * (2 * size == n ? 1 : 2), weight = weights[size - 1];
    if (subsets > budget * weight / std::max(weight_left, 1e-300) + 1e-9) break;
    std::vector<std::size_t> subset(size);
    std::iota(subset.begin(), subset.end(), std::size_t{0});
    do {
      const Mask mask = mask_of(subset, n);
      masks_.push_back(mask);
      mask_weights_.push_back(weight / subsets);
      if (2 * size == n) continue;
      masks_.push_back(opposite(mask));
      mask_weights_.push_back(weight / subsets);
    } while (next_subset(subset, n));
    budget -= subsets;
    weight_left -= weight;
  }
  exact_ = size > weights.size();
  if (exact_) return;
  Random random = Random(settings.seed).derive("kernel-shap");
  std::map<Mask, double> drawn;
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  double draws = 0;
  for (double left = budget; left >= 2; left -= 2) {
    double at = random.uniform() * weight_left;
    std::size_t chosen = size;
    while (chosen < weights.size() && at >= weights[chosen - 1]) at -= weights[chosen++ - 1];
    for (std::size_t i = 0; i < chosen; ++i) std::swap(order[i], order[i + random.below(n - i)]);
    const Mask mask = mask_of({order.begin(), order.begin() + static_cast<std::ptrdiff_t>(chosen)}, n);
    drawn[mask] += 1;
    drawn[opposite(mask)] += 1;
    draws += 2;
  }
  for (const auto& [mask, count] : drawn) {
    masks_.push_back(mask);
    mask_weights_.push_back(weight_left * count / draws);
  }
}

Result<KernelShap> KernelShap::make(PredictTable predict, Baseline baseline,
                                    const KernelShapSettings& settings) {
  KernelShap out;
  out.predict_ = std::move(predict);
  out.baseline_ = std::move(baseline);
  out.use_logit_ = settings.use_logit;
  const std::size_t n = out.baseline_.rows.columns.size();
  MR_TRY(answers, out.predict_(out.baseline_.rows));
  out.expected_.resize(answers.cols);
  for (std::size_t k = 0; k < answers.cols; ++k) {
    double sum = 0;
    for (std::size_t i = 0; i < answers.rows; ++i)
      sum += out.baseline_.weights[i] * static_cast<double>(answers.at(i, k));
    out.expected_[k] = sum;
  }
  if (out.use_logit_) {
    for (double& p : out.expected_) {
      p = std::clamp(p, kProbabilityFloor, 1 - kProbabilityFloor);
      p = std::log(p / (1 - p));
    }
  }
  if (n < 2) {
    out.exact_ = true;
    return out;
  }
  out.choose_mixtures(n, settings);
  const auto rows = static_cast<Eigen::Index>(out.masks_.size()), cols = static_cast<Eigen::Index>(n - 1);
  Eigen::MatrixXd a(rows, cols);
  Eigen::VectorXd w(rows);
  for (Eigen::Index i = 0; i < rows; ++i) {
    const auto& mask = out.masks_[static_cast<std::size_t>(i)];
    w[i] = out.mask_weights_[static_cast<std::size_t>(i)];
    for (Eigen::Index j = 0; j < cols; ++j)
      a(i, j) = static_cast<double>(mask[static_cast<std::size_t>(j)]) - static_cast<double>(mask[n - 1]);
  }
  const Eigen::MatrixXd weighted = a.transpose() * w.asDiagonal();
  out.solver_ = std::make_unique<Solver>();
  // Few samples of many features may leave some undetermined: the shortest solution is then taken.
  out.solver_->projection = (weighted * a).completeOrthogonalDecomposition().solve(weighted);
  return out;
}

// Answers for mixtures [first, first + count), averaged over the baseline: (count, outputs).
Result<std::vector<double>> KernelShap::averages(const Table& rows, std::size_t row, std::size_t first,
                                                 std::size_t count) const {
  const std::size_t b = baseline_.rows.rows, n = baseline_.rows.columns.size();
  Table mixed;
  mixed.rows = count * b;
  for (std::size_t j = 0; j < n; ++j) {
    Column column = empty_like(rows.columns[j]);
    for (std::size_t m = first; m < first + count; ++m) {
      const bool own = masks_[m][j] != 0;
      for (std::size_t i = 0; i < b; ++i)
        append_cell(column, own ? rows.columns[j] : baseline_.rows.columns[j], own ? row : i);
    }
    mixed.columns.push_back(std::move(column));
  }
  MR_TRY(answers, predict_(mixed));
  std::vector<double> out(count * answers.cols);
  for (std::size_t m = 0; m < count; ++m) {
    for (std::size_t i = 0; i < b; ++i) {
      for (std::size_t k = 0; k < answers.cols; ++k)
        out[m * answers.cols + k] += baseline_.weights[i] * static_cast<double>(answers.at(m * b + i, k));
    }
  }
  if (use_logit_) {
    for (double& p : out) {
      p = std::clamp(p, kProbabilityFloor, 1 - kProbabilityFloor);
      p = std::log(p / (1 - p));
    }
  }
  return out;
}

Result<std::vector<double>> KernelShap::explain(const Table& rows, std::size_t row) const {
  const std::size_t n = baseline_.rows.columns.size(), outputs = expected_.size();
  const std::uint32_t only[] = {static_cast<std::uint32_t>(row)};
  MR_TRY(answer, predict_(select_rows(rows, only)));
  std::vector<double> delta(outputs);
  for (std::size_t k = 0; k < outputs; ++k) {
    double value = answer.at(0, k);
    if (use_logit_) {
      value = std::clamp(value, kProbabilityFloor, 1 - kProbabilityFloor);
      value = std::log(value / (1 - value));
    }
    delta[k] = value - expected_[k];
  }
  std::vector<double> out(outputs * n);
  if (n < 2) {
    for (std::size_t k = 0; k < outputs && n == 1; ++k) out[k] = delta[k];
    return out;
  }
  const std::size_t step =
      std::max<std::size_t>(1, std::min(kRowsAsked, kCellsAsked / n) / baseline_.rows.rows);
  Eigen::MatrixXd y(static_cast<Eigen::Index>(masks_.size()), static_cast<Eigen::Index>(outputs));
  for (std::size_t first = 0; first < masks_.size(); first += step) {
    const std::size_t count = std::min(step, masks_.size() - first);
    MR_TRY(values, averages(rows, row, first, count));
    for (std::size_t m = 0; m < count; ++m) {
      const double last = masks_[first + m][n - 1];
      for (std::size_t k = 0; k < outputs; ++k)
        y(static_cast<Eigen::Index>(first + m), static_cast<Eigen::Index>(k)) =
            values[m * outputs + k] - expected_[k] - last * delta[k];
    }
  }
  const Eigen::MatrixXd phi = solver_->projection * y;
  for (std::size_t k = 0; k < outputs; ++k) {
    double rest = delta[k];
    for (std::size_t j = 0; j + 1 < n; ++j) {
      out[k * n + j] = phi(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(k));
      rest -= out[k * n + j];
    }
    out[k * n + n - 1] = rest;
  }
  return out;
}

}  // namespace millrace::tasks
