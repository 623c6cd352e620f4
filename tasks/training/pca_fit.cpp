// The fit of pca: mean, then the covariance's eigenvectors or subspace iteration.

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "tasks/numeric/gemm.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/pca.h"
#include "tasks/training/row_parts.h"
#include "tasks/training/stream_passes.h"

namespace millrace::tasks {

namespace {

constexpr int kSubspacePasses = 8;
constexpr std::size_t kCovarianceFeaturesMax = 8192;  // beyond, the covariance alone takes half a gigabyte

using DenseRows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class PcaFit {
 public:
  // `stream` null: the rows are those of `train`; else train is a block of them.
  PcaFit(const ParameterReader& read, const Dataset& train, StreamPasses* stream, const FitContext& context)
      : train_(train),
        stream_(stream),
        context_(context),
        d_(train.X.cols),
        components_(size_of(read, "num_components")) {
    const std::int64_t extra = read.integer("extra_components");
    const std::size_t more =
        extra < 0 ? std::max<std::size_t>(10, components_) : static_cast<std::size_t>(extra);
    directions_ = std::min(d_, components_ + more);
    centred_ = read.boolean("subtract_mean");
    randomized_ = read.text("algorithm_mode") == "randomized";
  }

  Result<Fitted> run() {
    MR_DO(find_mean());
    if (randomized_) {
      MR_DO(iterate());
    } else {
      MR_DO(decompose());
    }
    PcaComponents out;
    out.d = d_, out.mean = mean_;
    for (std::size_t c = 0; c < components_; ++c) {
      const auto direction = found_.row(static_cast<Eigen::Index>(c));
      Eigen::Index at = 0;
      direction.cwiseAbs().maxCoeff(&at);
      const double sign = direction[at] < 0 ? -1 : 1;
      for (Eigen::Index j = 0; j < direction.size(); ++j) out.directions.push_back(sign * direction[j]);
      out.variances.push_back(std::max(0.0, variances_[c]));
    }
    return finished(std::move(out));
  }

 private:
  static std::size_t size_of(const ParameterReader& read, std::string_view name) {
    return static_cast<std::size_t>(read.integer(name));
  }
  static double weight_of(const Dataset& data, std::size_t i) {
    return data.weights.empty() ? 1 : data.weights[i];
  }

  // `size` sums over all rows: work(data, first row, rows, sums), which adds to them; parts in order.
  template <class Work>
  Result<std::vector<double>> sum_rows(std::size_t size, Work&& work) {
    if (stream_ != nullptr) {
      std::vector<double> sums(size);
      MR_DO(stream_->each([&](const Dataset& data) -> Status {
        for (std::size_t begin = 0; begin < data.X.rows; begin += RowParts::kBlockRows)
          work(data, begin, std::min(RowParts::kBlockRows, data.X.rows - begin), sums.data());
        return {};
      }));
      return sums;
    }
    RowParts parts(train_.X.rows, size, context_.threads, context_.ranks);
    std::vector<double> sums(parts.parts() * size);
    MR_DO(parts.each(context_.cancelled, [&](std::size_t begin, std::size_t count, std::size_t part) {
      work(train_, begin, count, sums.data() + part * size);
    }));
    MR_DO(parts.total(sums, size));
    return sums;
  }

  // Mean, the sum of weights, and the total variance.
  Status find_mean() {
    MR_TRY(sums,
           sum_rows(d_ + 1, [&](const Dataset& data, std::size_t begin, std::size_t count, double* sum) {
             for (std::size_t i = begin; i < begin + count; ++i) {
               const float* x = data.X.values.data() + i * d_;
               const double weight = weight_of(data, i);
               for (std::size_t j = 0; j < d_; ++j) sum[j] += weight * static_cast<double>(x[j]);
               sum[d_] += weight;
             }
           }));
    weights_ = sums[d_];
    mean_.assign(d_, 0);
    for (std::size_t j = 0; centred_ && j < d_; ++j) mean_[j] = sums[j] / weights_;
    MR_TRY(squares, sum_rows(1, [&](const Dataset& data, std::size_t begin, std::size_t count, double* sum) {
             for (std::size_t i = begin; i < begin + count; ++i) {
               const float* x = data.X.values.data() + i * d_;
               double square = 0;
               for (std::size_t j = 0; j < d_; ++j) {
                 const double value = static_cast<double>(x[j]) - mean_[j];
                 square += value * value;
               }
               *sum += weight_of(data, i) * square;
             }
           }));
    total_ = squares[0];
    return {};
  }

  // Rows of a block, moved by the mean and scaled by the root of their weights.
  void fill(const Dataset& data, std::size_t begin, std::size_t count, std::vector<double>& rows) const {
    rows.resize(count * d_);
    for (std::size_t i = 0; i < count; ++i) {
      const float* x = data.X.values.data() + (begin + i) * d_;
      const double root = data.weights.empty() ? 1 : std::sqrt(weight_of(data, begin + i));
      for (std::size_t j = 0; j < d_; ++j) rows[i * d_ + j] = root * (static_cast<double>(x[j]) - mean_[j]);
    }
  }

  // Sum over blocks of work's products, (rows, cols).
  template <class Work>  // work(block of rows, count, sums of the part)
  Status sum_blocks(DenseRows& out, Work&& work) {
    const auto size = static_cast<std::size_t>(out.size());
    MR_TRY(sums, sum_rows(size, [&](const Dataset& data, std::size_t begin, std::size_t count, double* part) {
             static thread_local std::vector<double> rows;
             fill(data, begin, count, rows);
             work(rows, count, part);
           }));
    std::copy_n(sums.data(), size, out.data());
    return {};
  }

  Status decompose() {
    const auto d = static_cast<Eigen::Index>(d_);
    DenseRows covariance(d, d);
    MR_DO(sum_blocks(covariance, [&](const std::vector<double>& rows, std::size_t count, double* sums) {
      static thread_local PackedMatrix<double> packed;
      packed.pack(row_major(rows.data(), d_), count, d_);
      multiply(transposed(rows.data(), d_), d_, packed, sums, d_, true);
    }));
    if (context_.cancelled && context_.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    take_largest(covariance, DenseRows::Identity(d, d));
    return {};
  }

  // basis (l, d) with orthonormal rows; `small` (l, l) the second moments in it.
  void take_largest(const DenseRows& small, const DenseRows& basis) {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(small);
    const Eigen::Index l = small.rows(), c = static_cast<Eigen::Index>(components_);
    found_.resize(c, basis.cols());
    for (Eigen::Index k = 0; k < c; ++k) {  // eigenvalues come from the smallest up
      found_.row(k) = solver.eigenvectors().col(l - 1 - k).transpose() * basis;
      variances_.push_back(solver.eigenvalues()[l - 1 - k]);
    }
  }

  // basis times the second moments, (l, d).
  Result<DenseRows> apply_moments(const DenseRows& basis) {
    const auto l = static_cast<std::size_t>(basis.rows());
    const PackedMatrix<double> packed(transposed(basis.data(), d_), d_, l);
    DenseRows out(basis.rows(), basis.cols());
    MR_DO(sum_blocks(out, [&](const std::vector<double>& rows, std::size_t count, double* sums) {
      static thread_local std::vector<double> projected;
      static thread_local PackedMatrix<double> block;
      projected.resize(count * l);
      multiply(row_major(rows.data(), d_), count, packed, projected.data(), l);
      block.pack(row_major(rows.data(), d_), count, d_);
      multiply(transposed(projected.data(), l), l, block, sums, d_, true);
    }));
    return out;
  }

  static DenseRows orthonormal_rows(const DenseRows& basis) {
    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(basis.transpose());
    const Eigen::MatrixXd q = qr.householderQ() * Eigen::MatrixXd::Identity(basis.cols(), basis.rows());
    return q.transpose();
  }

  Status iterate() {
    Random random = Random(context_.seed).derive("directions");
    DenseRows basis(static_cast<Eigen::Index>(directions_), static_cast<Eigen::Index>(d_));
    for (Eigen::Index i = 0; i < basis.size(); ++i) basis.data()[i] = random.normal();
    basis = orthonormal_rows(basis);
    for (int pass = 0; pass < kSubspacePasses; ++pass) {
      MR_TRY(next, apply_moments(basis));
      if (pass + 1 == kSubspacePasses) {
        const DenseRows small = next * basis.transpose();
        take_largest((small + small.transpose()) / 2, basis);
      } else {
        basis = orthonormal_rows(next);
      }
    }
    return {};
  }

  Fitted finished(PcaComponents out) const {
    double kept = 0;
    for (const double variance : out.variances) kept += variance;
    for (double& variance : out.variances) variance /= weights_;
    Fitted fitted;
    fitted.rounds = 1;
    if (total_ > 0) {
      const MetricPoint point{"train:explained_variance_ratio", kept / total_, 0};
      fitted.metrics[point.name] = point.value;
      if (context_.metric) context_.metric(point);
    }
    Progress progress;
    progress.phase = "Training", progress.round = 1, progress.rounds = 1;
    if (context_.progress) context_.progress(progress);
    fitted.model = make_pca_model(std::move(out));
    return fitted;
  }

  const Dataset& train_;
  StreamPasses* const stream_;
  const FitContext& context_;
  const std::size_t d_, components_;
  std::size_t directions_ = 0;
  bool centred_ = true, randomized_ = false;
  double weights_ = 0, total_ = 0;
  std::vector<double> mean_, variances_;
  DenseRows found_;  // (components, d)
};

class Pca final : public Estimator {
 public:
  explicit Pca(HyperParameters parameters)
      : parameters_(std::move(parameters)), read_(pca_rules(), parameters_) {}

  Result<Fitted> fit(const Dataset& train, const Dataset*, const FitContext& context) const override {
    MR_DO(check_dataset("train", train, kPcaNeeds));
    MR_DO(check_settings(train));
    return PcaFit(read_, train, nullptr, context).run();
  }

  // The sums of rows in memory, block after block: a pass for the mean, one for the variance, and one for the
  // covariance or each of the subspace's steps.
  Result<Fitted> fit_stream(RowStream& train, const Dataset*, const FitContext& context) const override {
    Dataset shape = train.head();
    shape.X.cols = shape.feature_names.size();
    MR_DO(check_settings(shape));
    StreamPasses passes(train, kPcaNeeds);
    return PcaFit(read_, shape, &passes, context).run();
  }

 private:
  Status check_settings(const Dataset& train) const {
    const auto d = static_cast<std::int64_t>(train.X.cols);
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", d), train));
    if (const std::int64_t components = read_.integer("num_components"); components > d)
      return invalid("hyperparameter 'num_components' is " + std::to_string(components) +
                     ", but train has only " + counted(train.X.cols, "feature"));
    if (train.X.cols > kCovarianceFeaturesMax && read_.text("algorithm_mode") == "regular")
      return invalid("hyperparameter 'algorithm_mode' is regular, which is for at most " +
                         std::to_string(kCovarianceFeaturesMax) + " features: train has " +
                         std::to_string(train.X.cols),
                     "set algorithm_mode to randomized");
    return {};
  }

  const HyperParameters parameters_;
  const ParameterReader read_;
};

}  // namespace

Result<std::unique_ptr<const Estimator>> make_pca(const HyperParameters& parameters) {
  MR_DO(check_against_rules("pca", pca_rules(), parameters));
  return std::unique_ptr<const Estimator>(new Pca(parameters));
}

}  // namespace millrace::tasks
