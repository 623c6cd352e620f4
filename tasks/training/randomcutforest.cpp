#include "tasks/training/randomcutforest.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/random.h"
#include "tasks/numeric/random_cut_tree.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/model_bytes.h"
#include "tasks/training/stream_passes.h"
#include "tasks/trees/team.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr std::string_view kRcf = "randomcutforest", kRcfMagic = "MRRC";
constexpr std::uint8_t kRcfVersion = 1;
constexpr std::size_t kTreesARound = 16;
constexpr std::size_t kCutoffRows = 4096;  // of train, evenly spread, give mean and deviation of scores
constexpr std::string_view kRcfTests = "accuracy|precision_recall_fscore";

constexpr HyperParameterRule kRcfRules[] = {
    {"feature_dim", Integer, "auto", 1, 10000, "auto", false, "features; checked against the data"},
    {"num_trees", Integer, "100", 50, 1000, "", false, "trees"},
    {"num_samples_per_tree", Integer, "256", 1, 2048, "", false, "rows in a tree"},
    {"eval_metrics", Text, R"(["accuracy","precision_recall_fscore"])", 0, 0, "", false,
     "of the channel test"},
    {"time_decay", Real, "0", 0, 1, "", false, "how fast older rows lose weight, a row"},
};
constexpr std::string_view kRcfMetrics[] = {"test:f1", "test:accuracy", "test:precision", "test:recall"};

struct SampledTree {
  Matrix points;
  RandomCutTree tree;
};

class RcfModel final : public Model {
 public:
  RcfModel(std::size_t d, std::vector<SampledTree> trees, double cutoff)
      : d_(d), trees_(std::move(trees)), cutoff_(cutoff) {}

  double cutoff() const { return cutoff_; }
  std::string_view algorithm() const override { return kRcf; }
  std::size_t n_features() const override { return d_; }
  AnswerForm answer_form() const override { return {"scores", {{"score", AnswerForm::Shape::Number}}}; }

  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_whole_rows(kRcf, X, d_));
    Matrix out(X.rows, 1);
    for (std::size_t i = 0; i < X.rows; ++i) {
      double sum = 0;
      for (const SampledTree& tree : trees_) sum += tree.tree.score(X.data + i * d_);
      out.at(i, 0) = static_cast<float>(sum / static_cast<double>(trees_.size()));
    }
    return out;
  }

  std::string save() const override {
    ModelWriter out(kRcfMagic, kRcfVersion);
    out.put(std::uint64_t{d_}).put(cutoff_).put(std::uint64_t{trees_.size()});
    for (const SampledTree& tree : trees_) {
      const RandomCuts& cuts = tree.tree.cuts();
      out.put(std::span<const float>(tree.points.values));
      out.put(std::span<const std::uint32_t>(cuts.feature)).put(std::span<const float>(cuts.value));
      out.put(std::span<const std::uint32_t>(cuts.right)).put(std::span<const std::uint32_t>(cuts.mass));
    }
    return std::move(out).finish();
  }

 private:
  const std::size_t d_;
  const std::vector<SampledTree> trees_;
  const double cutoff_;
};

// The rows that trees are made of, by number; not all of them need to be at hand.
struct RcfRows {
  std::size_t count = 0, cols = 0;
  std::function<const float*(std::size_t row)> row;
};

class Rcf final : public Estimator {
 public:
  explicit Rcf(HyperParameters parameters)
      : parameters_(std::move(parameters)), read_(kRcfRules, parameters_) {}

  Result<Fitted> fit(const Dataset& train, const Dataset*, const FitContext& context) const override {
    MR_DO(check_dataset("train", train, kRcfNeeds));
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(train.X.cols)), train));
    return fit_rows({train.X.rows, train.X.cols,
                     [&](std::size_t row) { return train.X.values.data() + row * train.X.cols; }},
                    context);
  }

  // The number of rows decides which of them are in the trees: a pass counts, another picks them. The same
  // model as that of rows in memory.
  Result<Fitted> fit_stream(RowStream& train, const Dataset*, const FitContext& context) const override {
    StreamPasses passes(train, kRcfNeeds);
    std::size_t cols = 0;
    MR_DO(passes.each([&](const Dataset& rows) -> Status {
      cols = rows.X.cols;
      return check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(cols)), rows);
    }));
    const auto n = static_cast<std::size_t>(passes.rows());
    std::vector<std::size_t> wanted;
    for (std::size_t t = 0; t < static_cast<std::size_t>(read_.integer("num_trees")); ++t) {
      if (context.cancelled && context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
      for (const std::size_t row : rows_of_tree(n, t, context)) wanted.push_back(row);
    }
    for (std::size_t k = 0; k < cutoff_rows(n); ++k) wanted.push_back(cutoff_row(k, n));
    std::ranges::sort(wanted);
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::vector<float> values;
    values.reserve(wanted.size() * cols);
    MR_DO(passes.each([&](const Dataset& rows) -> Status {
      const auto first = static_cast<std::size_t>(rows.first_row);
      while (values.size() < wanted.size() * cols && wanted[values.size() / cols] < first + rows.X.rows) {
        const float* row = rows.X.values.data() + (wanted[values.size() / cols] - first) * cols;
        values.insert(values.end(), row, row + cols);
      }
      return {};
    }));
    return fit_rows({n, cols,
                     [&](std::size_t row) {
                       const auto place = std::ranges::lower_bound(wanted, row) - wanted.begin();
                       return values.data() + static_cast<std::size_t>(place) * cols;
                     }},
                    context);
  }

 private:
  Result<Fitted> fit_rows(const RcfRows& rows, const FitContext& context) const {
    trees::Team team(context.threads);
    std::vector<SampledTree> trees;
    MR_TRY(rounds, grow(rows, context, team, trees));
    MR_TRY(cutoff, find_cutoff(rows, context, team, trees));
    Fitted fitted;
    fitted.rounds = rounds;
    fitted.model = std::make_unique<RcfModel>(rows.cols, std::move(trees), cutoff);
    return fitted;
  }

  Result<std::int64_t> grow(const RcfRows& train, const FitContext& context, trees::Team& team,
                            std::vector<SampledTree>& trees) const {
    const auto wanted = static_cast<std::size_t>(read_.integer("num_trees"));
    const auto rounds = static_cast<std::int64_t>((wanted + kTreesARound - 1) / kTreesARound);
    const Random random(context.seed);
    for (std::int64_t round = 0; round < rounds; ++round) {
      if (context.cancelled && context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
      const std::size_t first = trees.size(), count = std::min(kTreesARound, wanted - first);
      std::vector<std::optional<SampledTree>> grown(count);
      team.each(count, [&](std::size_t t, int) {
        const std::vector<std::size_t> picked = rows_of_tree(train.count, first + t, context);
        Matrix points(picked.size(), train.cols);
        for (std::size_t i = 0; i < picked.size(); ++i)
          std::copy_n(train.row(picked[i]), train.cols, points.values.data() + i * train.cols);
        RandomCuts cuts = grow_cuts(points, random.derive("cuts", first + t));
        RandomCutTree tree(points, std::move(cuts));
        grown[t] = SampledTree{std::move(points), std::move(tree)};
      });
      for (auto& tree : grown) trees.push_back(std::move(*tree));
      Progress progress;
      progress.phase = "Training", progress.round = round + 1, progress.rounds = rounds;
      if (context.progress) context.progress(progress);
    }
    return rounds;
  }

  // The rows with the smallest -log(u) / weight (Efraimidis and Spirakis), in their order.
  std::vector<std::size_t> rows_of_tree(std::size_t n, std::size_t tree, const FitContext& context) const {
    Random random = Random(context.seed).derive("sample", tree);
    const auto wanted = std::min(n, static_cast<std::size_t>(read_.integer("num_samples_per_tree")));
    const double decay = read_.real("time_decay");
    std::vector<std::size_t> picked;
    if (decay <= 0) {
      picked = without_replacement(n, wanted, random);
    } else {
      std::vector<std::pair<double, std::size_t>> keys;  // the smallest so far, the largest of them in front
      for (std::size_t i = 0; i < n; ++i) {
        const std::pair key(std::log(-std::log1p(-random.uniform())) - decay * static_cast<double>(i), i);
        if (keys.size() == wanted && !(key < keys.front())) continue;
        if (keys.size() == wanted) std::ranges::pop_heap(keys), keys.pop_back();
        keys.push_back(key), std::ranges::push_heap(keys);
      }
      for (const auto& key : keys) picked.push_back(key.second);
    }
    std::ranges::sort(picked);
    return picked;
  }

  static std::size_t cutoff_rows(std::size_t n) { return std::min(kCutoffRows, n); }
  static std::size_t cutoff_row(std::size_t k, std::size_t n) { return k * n / cutoff_rows(n); }

  // Floyd's algorithm: distinct numbers below n without a list of all of them.
  static std::vector<std::size_t> without_replacement(std::size_t n, std::size_t wanted, Random& random) {
    std::vector<std::size_t> picked;  // sorted
    for (std::size_t last = n - wanted; last < n; ++last) {
      std::size_t draw = random.below(last + 1);
      if (std::ranges::binary_search(picked, draw)) draw = last;
      picked.insert(std::ranges::upper_bound(picked, draw), draw);
    }
    return picked;
  }

  Result<double> find_cutoff(const RcfRows& train, const FitContext& context, trees::Team& team,
                             const std::vector<SampledTree>& trees) const {
    const std::size_t rows = cutoff_rows(train.count);
    std::vector<double> scores(rows);
    constexpr std::size_t kAtOnce = 1024;
    for (std::size_t begin = 0; begin < rows; begin += kAtOnce) {
      if (context.cancelled && context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
      team.each(std::min(kAtOnce, rows - begin), [&](std::size_t offset, int) {
        const float* row = train.row(cutoff_row(begin + offset, train.count));
        for (const SampledTree& tree : trees) scores[begin + offset] += tree.tree.score(row);
      });
    }
    double sum = 0, squares = 0;
    for (double& score : scores) score /= static_cast<double>(trees.size()), sum += score;
    const double mean = sum / static_cast<double>(rows);
    for (const double score : scores) squares += (score - mean) * (score - mean);
    return mean + 3 * std::sqrt(squares / static_cast<double>(rows));
  }

  const HyperParameters parameters_;
  const ParameterReader read_;
};

}  // namespace

std::span<const HyperParameterRule> randomcutforest_rules() {
  return kRcfRules;
}
std::span<const std::string_view> randomcutforest_metrics() {
  return kRcfMetrics;
}

Result<std::unique_ptr<const Estimator>> make_randomcutforest(const HyperParameters& parameters) {
  MR_DO(check_against_rules(kRcf, kRcfRules, parameters));
  MR_DO(parse_names("eval_metrics", ParameterReader(kRcfRules, parameters).text("eval_metrics"), kRcfTests));
  return std::unique_ptr<const Estimator>(new Rcf(parameters));
}

Result<std::unique_ptr<const Model>> load_randomcutforest(std::string_view bytes) {
  MR_TRY(in, ModelReader::open(kRcf, kRcfMagic, kRcfVersion, bytes));
  const std::uint64_t d = in.u64();
  const double cutoff = in.real();
  const std::uint64_t count = in.u64();
  std::vector<SampledTree> trees;
  bool good = d > 0 && count > 0 && std::isfinite(cutoff);
  while (good && in.whole() && trees.size() < count) {
    Matrix points;
    RandomCuts cuts;
    points.values = in.floats(), points.cols = d, points.rows = points.values.size() / d;
    cuts.feature = in.u32s(), cuts.value = in.floats(), cuts.right = in.u32s(), cuts.mass = in.u32s();
    good = points.rows > 0 && points.values.size() % d == 0 && is_tree(cuts, points.rows, d) &&
           std::ranges::all_of(points.values, [](float v) { return std::isfinite(v); });
    if (!good) break;
    RandomCutTree tree(points, std::move(cuts));
    trees.push_back({std::move(points), std::move(tree)});
  }
  MR_DO(in.finish(good));
  return std::make_unique<RcfModel>(d, std::move(trees), cutoff);
}

Result<std::map<std::string, double>> test_randomcutforest(const HyperParameters& parameters,
                                                           const Model& model, const Dataset& data) {
  if (data.y.empty())
    return invalid("test: the rows have no labels", "put them first, 1 for an anomaly, with label_size=1");
  MR_DO(check_classes("test", data, 2, "labels are 0, or 1 for an anomaly"));
  MR_TRY(scores, model.predict(data.X));
  const double cutoff = static_cast<const RcfModel&>(model).cutoff();
  double counts[2][2] = {};  // truth, guess
  for (std::size_t i = 0; i < scores.rows; ++i)
    counts[data.y[i] > 0.5][static_cast<double>(scores.at(i, 0)) > cutoff] += 1;
  const auto share = [](double part, double whole) { return whole > 0 ? part / whole : 0; };
  const double precision = share(counts[1][1], counts[0][1] + counts[1][1]);
  const double recall = share(counts[1][1], counts[1][0] + counts[1][1]);
  MR_TRY(names,
         parse_names("eval_metrics", ParameterReader(kRcfRules, parameters).text("eval_metrics"), kRcfTests));
  std::map<std::string, double> metrics;
  for (const std::string& name : names) {
    if (name == "accuracy") {
      metrics["accuracy"] = (counts[0][0] + counts[1][1]) / static_cast<double>(scores.rows);
    } else {
      metrics["precision"] = precision, metrics["recall"] = recall;
      metrics["f1"] = share(2 * precision * recall, precision + recall);
    }
  }
  return metrics;
}

}  // namespace millrace::tasks
