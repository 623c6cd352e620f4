#include "tasks/recommend/factors.h"

#include <Eigen/Cholesky>
#include <algorithm>

#include "tasks/training/fit_state.h"
#include "tasks/trees/team.h"

namespace millrace::tasks {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::string_view kAlsAlgorithm = "als";
constexpr std::size_t kRowsOfPiece = 64, kPiecesBetweenChecks = 64;
constexpr double kExplicitPrior = 2;  // added to the number of a row's pairs

Eigen::Index index_of(std::size_t i) {
  return static_cast<Eigen::Index>(i);
}

// Solves every row of `out` against `fixed`.
Status solve_rows(const PairMatrix& matrix, const RowMatrix& fixed, RowMatrix& out,
                  const FactorSettings& settings, trees::Team& team) {
  const Eigen::Index k = index_of(settings.factors);
  const bool implicit = settings.alpha >= 0;
  Eigen::MatrixXd shared = Eigen::MatrixXd::Zero(k, k);
  if (implicit) {
    shared = fixed.transpose() * fixed;
    shared.diagonal().array() += settings.regularization;
  }
  const auto solve_row = [&](std::size_t row) {
    const std::size_t begin = matrix.begin[row], end = matrix.begin[row + 1];
    if (begin == end) {
      out.row(index_of(row)).setZero();
      return;
    }
    Eigen::MatrixXd gram = shared;
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(k);
    for (std::size_t at = begin; at < end; ++at) {
      const Eigen::VectorXd y = fixed.row(index_of(matrix.columns[at])).transpose();
      const double more = implicit ? settings.alpha * matrix.values[at] : 1;
      gram.selfadjointView<Eigen::Lower>().rankUpdate(y, more);
      sum += (implicit ? 1 + more : matrix.values[at]) * y;
    }
    if (!implicit)
      gram.diagonal().array() +=
          settings.regularization * (static_cast<double>(end - begin) + kExplicitPrior);
    out.row(index_of(row)) = gram.selfadjointView<Eigen::Lower>().ldlt().solve(sum).transpose();
  };
  const std::size_t pieces = (matrix.rows() + kRowsOfPiece - 1) / kRowsOfPiece;
  for (std::size_t first = 0; first < pieces; first += kPiecesBetweenChecks) {
    if (settings.cancelled && settings.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    team.each(std::min(kPiecesBetweenChecks, pieces - first), [&](std::size_t piece, int) {
      const std::size_t begin = (first + piece) * kRowsOfPiece;
      for (std::size_t row = begin; row < std::min(begin + kRowsOfPiece, matrix.rows()); ++row)
        solve_row(row);
    });
  }
  return {};
}

std::vector<float> as_floats(const RowMatrix& matrix) {
  std::vector<float> out(static_cast<std::size_t>(matrix.size()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(matrix.data()[i]);
  return out;
}

}  // namespace

PairMatrix pair_matrix(std::size_t rows, std::vector<PairValue> pairs, bool average) {
  const auto place = [](const PairValue& p) { return std::pair(p.row, p.column); };
  std::ranges::stable_sort(pairs, {}, place);
  PairMatrix out;
  out.begin.assign(rows + 1, 0);
  for (std::size_t i = 0; i < pairs.size();) {
    double sum = 0, count = 0;
    const PairValue& first = pairs[i];
    for (; i < pairs.size() && place(pairs[i]) == place(first); ++i) sum += pairs[i].value, ++count;
    ++out.begin[first.row + 1];
    out.columns.push_back(first.column), out.values.push_back(average ? sum / count : sum);
  }
  for (std::size_t r = 0; r < rows; ++r) out.begin[r + 1] += out.begin[r];
  return out;
}

PairMatrix transposed(const PairMatrix& matrix, std::size_t columns) {
  PairMatrix out;
  out.begin.assign(columns + 1, 0);
  for (const std::uint32_t column : matrix.columns) ++out.begin[column + 1];
  for (std::size_t c = 0; c < columns; ++c) out.begin[c + 1] += out.begin[c];
  out.columns.resize(matrix.columns.size()), out.values.resize(matrix.values.size());
  std::vector<std::size_t> next = out.begin;
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t at = matrix.begin[row]; at < matrix.begin[row + 1]; ++at) {
      const std::size_t to = next[matrix.columns[at]]++;
      out.columns[to] = static_cast<std::uint32_t>(row), out.values[to] = matrix.values[at];
    }
  }
  return out;
}

Result<Factors> alternate_least_squares(const PairMatrix& by_user, const PairMatrix& by_item,
                                        const FactorSettings& settings, Random random) {
  RowMatrix users = RowMatrix::Zero(index_of(by_user.rows()), index_of(settings.factors));
  RowMatrix items(index_of(by_item.rows()), index_of(settings.factors));
  for (Eigen::Index i = 0; i < items.size(); ++i) items.data()[i] = 0.1 * random.normal();
  trees::Team team(std::max(1, settings.threads));
  std::int64_t done = 0;
  const auto fields = [&](FitState& state) {  // the users' factors follow from the items'
    std::vector<double> values(items.data(), items.data() + items.size());
    state.field(done), state.field(values);
    std::ranges::copy(values, items.data());
  };
  if (settings.checkpoints) MR_DO(resume_fit(*settings.checkpoints, kAlsAlgorithm, fields));
  for (int iteration = static_cast<int>(done); iteration < settings.iterations; ++iteration) {
    MR_DO(solve_rows(by_user, items, users, settings, team));
    MR_DO(solve_rows(by_item, users, items, settings, team));
    if (settings.progress) settings.progress(iteration);
    done = iteration + 1;
    if (settings.checkpoints && done < settings.iterations)
      keep_checkpoint(*settings.checkpoints, kAlsAlgorithm, done, fields);
  }
  return Factors{settings.factors, as_floats(users), as_floats(items)};
}

std::vector<double> shared_gram(const Factors& factors, double regularization) {
  const Eigen::Index k = index_of(factors.count);
  const Eigen::Index items = k == 0 ? 0 : static_cast<Eigen::Index>(factors.items.size()) / k;
  const RowMatrix y = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
                          factors.items.data(), items, k)
                          .cast<double>();
  RowMatrix gram = y.transpose() * y;
  gram.diagonal().array() += regularization;
  return {gram.data(), gram.data() + gram.size()};
}

std::vector<float> fold_in(const Factors& factors, std::span<const double> gram, double alpha,
                           std::span<const std::pair<std::uint32_t, double>> values) {
  const Eigen::Index k = index_of(factors.count);
  Eigen::MatrixXd own = Eigen::Map<const RowMatrix>(gram.data(), k, k);
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(k);
  for (const auto& [item, value] : values) {
    const Eigen::VectorXd y =
        Eigen::Map<const Eigen::VectorXf>(factors.items.data() + item * factors.count, k).cast<double>();
    own.selfadjointView<Eigen::Lower>().rankUpdate(y, alpha * value);
    sum += (1 + alpha * value) * y;
  }
  const Eigen::VectorXf x = own.selfadjointView<Eigen::Lower>().ldlt().solve(sum).cast<float>();
  return {x.data(), x.data() + x.size()};
}

}  // namespace millrace::tasks
