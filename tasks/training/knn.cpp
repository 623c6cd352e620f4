#include "tasks/training/knn.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/random.h"
#include "tasks/numeric/neighbour_index.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/model_bytes.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr std::string_view kKnn = "knn", kKnnMagic = "MRKN";
constexpr std::uint8_t kKnnVersion = 1;
constexpr std::int64_t kKnnClassesMax = 10'000;
constexpr std::size_t kKnnRowsAtOnce = 64;

constexpr HyperParameterRule kKnnRules[] = {
    {"k", Integer, "", 1, 1024, "", true, "neighbours"},
    {"predictor_type", Choice, "", 0, 0, "classifier|regressor", true, "what is predicted"},
    {"sample_size", Integer, "", 1, 1e9, "", true, "rows of the index at most"},
    {"feature_dim", Integer, "auto", 1, 1e7, "auto", false, "features; checked against the data"},
    {"dimension_reduction_type", Choice, "", 0, 0, "sign|fjlt", false, "projection before the search; none"},
    {"dimension_reduction_target", Integer, "", 1, 1e7, "", false, "numbers a row after it"},
    {"index_type", Choice, "faiss.Flat", 0, 0, "faiss.Flat", false, "exact"},
    {"index_metric", Choice, "L2", 0, 0, "L2|INNER_PRODUCT|COSINE", false, "what near means"},
    {"mini_batch_size", Integer, "5000", 1, 1e9, "", false, "no effect"},
};
constexpr std::string_view kKnnMetrics[] = {"test:accuracy", "test:mse"};

struct KnnParts {
  std::uint64_t d = 0, k = 0, classes = 0;  // classes: 0 for a regressor
  NearMetric metric = NearMetric::Squared;
  std::vector<float> projection;  // (d, reduced) or empty
  Matrix rows;                    // of the index, projected
  std::vector<double> targets;    // of its rows
};

class KnnModel final : public Model {
 public:
  explicit KnnModel(KnnParts parts) : parts_(std::move(parts)), index_(parts_.rows, parts_.metric) {
    if (!parts_.projection.empty())
      projection_.pack(row_major(parts_.projection.data(), parts_.rows.cols), parts_.d, parts_.rows.cols);
  }

  std::string_view algorithm() const override { return kKnn; }
  std::size_t n_features() const override { return parts_.d; }
  AnswerForm answer_form() const override {
    return {"predictions", {{"predicted_label", AnswerForm::Shape::Number}}};
  }
  Matrix answer(Matrix predictions) const override {
    if (parts_.classes == 0) return predictions;
    Matrix labels(predictions.rows, 1);
    for (std::size_t i = 0; i < predictions.rows; ++i) {
      const auto shares = MatrixView(predictions).row(i);
      labels.at(i, 0) = static_cast<float>(std::ranges::max_element(shares) - shares.begin());
    }
    return labels;
  }

  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_whole_rows(kKnn, X, parts_.d));
    const std::size_t width = parts_.rows.cols;
    Matrix out(X.rows, std::max<std::size_t>(1, parts_.classes));
    std::vector<float> projected(kKnnRowsAtOnce * width);
    std::vector<std::uint32_t> nearest(kKnnRowsAtOnce * parts_.k);
    for (std::size_t begin = 0; begin < X.rows; begin += kKnnRowsAtOnce) {
      const std::size_t count = std::min(kKnnRowsAtOnce, X.rows - begin);
      MatrixView rows = X.slice(begin, count);
      if (!parts_.projection.empty()) {
        multiply(row_major(rows.data, parts_.d), count, projection_, projected.data(), width);
        rows = {projected.data(), count, width};
      }
      index_.find(rows, parts_.k, nearest.data());
      for (std::size_t i = 0; i < count; ++i) judge(nearest.data() + i * parts_.k, begin + i, out);
    }
    return out;
  }

  std::string save() const override {
    ModelWriter out(kKnnMagic, kKnnVersion);
    out.put(parts_.d).put(parts_.k).put(parts_.classes).put(static_cast<std::uint64_t>(parts_.metric));
    out.put(std::span<const float>(parts_.projection)).put(std::uint64_t{parts_.rows.cols});
    out.put(std::span<const float>(parts_.rows.values)).put(std::span<const double>(parts_.targets));
    return std::move(out).finish();
  }

 private:
  void judge(const std::uint32_t* nearest, std::size_t row, Matrix& out) const {
    const auto k = static_cast<double>(parts_.k);
    double sum = 0;
    for (std::size_t n = 0; n < parts_.k; ++n) {
      const double target = parts_.targets[nearest[n]];
      sum += target;
      if (parts_.classes > 0) out.at(row, static_cast<std::size_t>(target)) += 1;
    }
    if (parts_.classes == 0) out.at(row, 0) = static_cast<float>(sum / k);
    for (std::size_t c = 0; c < parts_.classes; ++c)
      out.at(row, c) = static_cast<float>(static_cast<double>(out.at(row, c)) / k);
  }

  const KnnParts parts_;
  const NeighbourIndex index_;
  PackedMatrix<float> projection_;
};

bool is_usable(const KnnParts& parts) {
  const std::size_t n = parts.targets.size(), width = parts.rows.cols;
  const auto finite = [](auto v) { return std::isfinite(v); };
  const auto label = [&](double y) {
    return std::isfinite(y) &&
           (parts.classes == 0 || (y >= 0 && y < static_cast<double>(parts.classes) && y == std::floor(y)));
  };
  const bool projected = !parts.projection.empty();
  return parts.d > 0 && width > 0 && parts.k > 0 && parts.k <= n && parts.classes != 1 &&
         parts.classes <= static_cast<std::uint64_t>(kKnnClassesMax) && parts.metric <= NearMetric::Cosine &&
         parts.rows.values.size() / width == n && parts.rows.values.size() % width == 0 &&
         (projected ? parts.projection.size() / width == parts.d && parts.projection.size() % width == 0
                    : parts.d == width) &&
         std::ranges::all_of(parts.rows.values, finite) && std::ranges::all_of(parts.projection, finite) &&
         std::ranges::all_of(parts.targets, label);
}

class Knn final : public Estimator {
 public:
  explicit Knn(HyperParameters parameters)
      : parameters_(std::move(parameters)), read_(kKnnRules, parameters_) {}

  Result<Fitted> fit(const Dataset& train, const Dataset*, const FitContext& context) const override {
    MR_DO(check(train));
    if (context.cancelled && context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    KnnParts parts;
    parts.d = train.X.cols, parts.k = static_cast<std::uint64_t>(read_.integer("k"));
    const std::string_view metric = read_.text("index_metric");
    parts.metric = metric == "L2"       ? NearMetric::Squared
                   : metric == "COSINE" ? NearMetric::Cosine
                                        : NearMetric::Product;
    const Random random(context.seed);
    const std::vector<std::size_t> sample = sampled(train.X.rows, random.derive("sample"));
    for (const std::size_t i : sample) parts.targets.push_back(train.y[i]);
    if (classifier())
      parts.classes =
          std::max<std::uint64_t>(2, 1 + static_cast<std::uint64_t>(*std::ranges::max_element(train.y)));
    parts.rows = index_rows(train, sample, random.derive("projection"), parts.projection);
    if (!std::ranges::all_of(parts.rows.values, [](float v) { return std::isfinite(v); }))
      return invalid("train: values too large to be projected", "scale the features first");
    Fitted fitted;
    fitted.rounds = 1;
    Progress progress;
    progress.phase = "Training", progress.round = 1, progress.rounds = 1;
    if (context.progress) context.progress(progress);
    fitted.model = std::make_unique<KnnModel>(std::move(parts));
    return fitted;
  }

 private:
  bool classifier() const { return read_.text("predictor_type") == "classifier"; }

  Status check(const Dataset& train) const {
    MR_DO(check_dataset("train", train, kKnnNeeds));
    const auto d = static_cast<std::int64_t>(train.X.cols);
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", d), train));
    if (classifier())
      MR_DO(
          check_classes("train", train, kKnnClassesMax, "a classifier needs classes 0, 1, 2, … as targets"));
    const std::int64_t k = read_.integer("k");
    const auto rows = std::min(static_cast<std::int64_t>(train.X.rows), read_.integer("sample_size"));
    if (k > rows)
      return invalid("hyperparameter 'k' is " + std::to_string(k) + ", but the index has only " +
                         counted(static_cast<std::size_t>(rows), "row"),
                     "the index has the rows of train, at most sample_size");
    const std::int64_t target = read_.integer_or("dimension_reduction_target", 0);
    if (target >= d)
      return invalid("hyperparameter 'dimension_reduction_target' is " + std::to_string(target) +
                     ": expected less than the " + counted(train.X.cols, "feature") + " of train");
    return {};
  }

  std::vector<std::size_t> sampled(std::size_t n, Random random) const {
    std::vector<std::size_t> rows(n);
    for (std::size_t i = 0; i < n; ++i) rows[i] = i;
    const auto wanted = static_cast<std::size_t>(read_.integer("sample_size"));
    if (wanted >= n) return rows;
    for (std::size_t i = 0; i < wanted; ++i) std::swap(rows[i], rows[i + random.below(n - i)]);
    rows.resize(wanted);
    std::ranges::sort(rows);
    return rows;
  }

  // The sample's rows, projected when asked for; `projection` becomes the matrix (d, reduced).
  Matrix index_rows(const Dataset& train, const std::vector<std::size_t>& sample, Random random,
                    std::vector<float>& projection) const {
    const std::size_t d = train.X.cols;
    Matrix rows(sample.size(), d);
    for (std::size_t i = 0; i < sample.size(); ++i)
      std::copy_n(train.X.values.data() + sample[i] * d, d, rows.values.data() + i * d);
    if (!read_.given("dimension_reduction_type")) return rows;
    const auto reduced = static_cast<std::size_t>(read_.integer("dimension_reduction_target"));
    projection = read_.text("dimension_reduction_type") == "sign" ? sign_projection(d, reduced, random)
                                                                  : hadamard_projection(d, reduced, random);
    Matrix out(rows.rows, reduced);
    multiply(row_major(rows.values.data(), d), rows.rows,
             PackedMatrix<float>(row_major(projection.data(), reduced), d, reduced), out.values.data(),
             reduced);
    return out;
  }

  static std::vector<float> sign_projection(std::size_t d, std::size_t reduced, Random random) {
    const auto unit = static_cast<float>(1 / std::sqrt(static_cast<double>(reduced)));
    std::vector<float> out(d * reduced);
    for (float& value : out) value = random.next() >> 63 ? unit : -unit;
    return out;
  }

  // Signs for the features, then `reduced` distinct rows of the Hadamard matrix over d, filled up to a power
  // of two.
  static std::vector<float> hadamard_projection(std::size_t d, std::size_t reduced, Random random) {
    const auto unit = static_cast<float>(1 / std::sqrt(static_cast<double>(reduced)));
    std::vector<std::size_t> picked(std::bit_ceil(d));
    for (std::size_t i = 0; i < picked.size(); ++i) picked[i] = i;
    shuffle(picked, random);
    std::vector<float> out(d * reduced);
    for (std::size_t j = 0; j < d; ++j) {
      const bool sign = random.next() >> 63;
      for (std::size_t t = 0; t < reduced; ++t)
        out[j * reduced + t] = (std::popcount(j & picked[t]) % 2 == 1) != sign ? -unit : unit;
    }
    return out;
  }

  const HyperParameters parameters_;
  const ParameterReader read_;
};

}  // namespace

std::span<const HyperParameterRule> knn_rules() {
  return kKnnRules;
}
std::span<const std::string_view> knn_metrics() {
  return kKnnMetrics;
}

Result<std::unique_ptr<const Estimator>> make_knn(const HyperParameters& parameters) {
  MR_DO(check_against_rules(kKnn, kKnnRules, parameters));
  if (parameters.contains("dimension_reduction_type") != parameters.contains("dimension_reduction_target"))
    return invalid(
        "hyperparameters 'dimension_reduction_type' and 'dimension_reduction_target' go together: one is "
        "missing");
  return std::unique_ptr<const Estimator>(new Knn(parameters));
}

Result<std::unique_ptr<const Model>> load_knn(std::string_view bytes) {
  MR_TRY(in, ModelReader::open(kKnn, kKnnMagic, kKnnVersion, bytes));
  KnnParts parts;
  parts.d = in.u64(), parts.k = in.u64(), parts.classes = in.u64();
  parts.metric = static_cast<NearMetric>(std::min<std::uint64_t>(in.u64(), 255));
  parts.projection = in.floats(), parts.rows.cols = in.u64(), parts.rows.values = in.floats();
  parts.targets = in.reals(), parts.rows.rows = parts.targets.size();
  MR_DO(in.finish(is_usable(parts)));
  return std::make_unique<KnnModel>(std::move(parts));
}

Result<std::map<std::string, double>> test_knn(const HyperParameters& parameters, const Model& model,
                                               const Dataset& data) {
  MR_TRY(predictions, model.predict(data.X));
  const Matrix answers = model.answer(std::move(predictions));
  double right = 0, squares = 0;
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const double difference = static_cast<double>(answers.at(i, 0)) - data.y[i];
    right += difference == 0, squares += difference * difference;
  }
  const auto n = static_cast<double>(data.y.size());
  const bool classifier = ParameterReader(kKnnRules, parameters).text("predictor_type") == "classifier";
  return std::map<std::string, double>{classifier ? std::pair("accuracy", right / n)
                                                  : std::pair("mse", squares / n)};
}

}  // namespace millrace::tasks
