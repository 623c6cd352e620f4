// The fit of random-forest and extra-trees: settings, trees in groups of one for each thread, what is
// reported of each.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <limits>
#include <thread>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/forest.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/linear_metrics.h"
#include "tasks/training/supervised_metrics.h"

namespace millrace::tasks {

namespace {

using enum HyperParameterRule::Type;
constexpr std::size_t kForestGrain = 4096;
constexpr std::size_t kFineRows = 2048;  // with more, two bytes a value cost more than they bring
constexpr std::int64_t kFineBins = 1024;
constexpr double kLeastShare = 1e-15;  // of a class, in the logarithmic loss

// The rows of both tables; they differ in one default.
template <bool kBootstrap>
constexpr HyperParameterRule kForestRules[] = {
    {"predictor_type", Choice, "", 0, 0, "binary_classifier|multiclass_classifier|regressor", true,
     "what is predicted"},
    {"num_classes", Integer, "", 3, 1e5, "", false, "classes of a multiclass_classifier"},
    {"feature_dim", Integer, "auto", 1, 1e7, "auto", false, "features; checked against the data"},
    {"n_estimators", Integer, "100", 1, 1e6, "", false, "trees"},
    {"max_depth", Integer, "none", 1, 1e6, "none", false, "depth of a tree"},
    {"max_features", Text, "auto", 0, 0, "", false,
     "features looked at for a split: sqrt, log2, all, a number (5) or a share (0.5); auto: sqrt of a "
     "classifier, all of a regressor"},
    {"min_samples_split", Integer, "2", 2, 1e9, "", false, "rows of a node that is split"},
    {"min_samples_leaf", Integer, "1", 1, 1e9, "", false, "rows of a leaf"},
    {"min_impurity_decrease", Real, "0", 0, 1e18, "", false, "least decrease of impurity by a split"},
    {"bootstrap", Boolean, kBootstrap ? "true" : "false", 0, 0, "", false,
     "each tree has rows of its own, drawn with replacement"},
    {"max_samples", Real, "1", 1e-9, 1, "", false, "rows drawn for a tree, as a share of all"},
    {"oob_score", Boolean, "false", 0, 0, "", false, "judge rows by the trees that did not draw them"},
    {"class_weight", Choice, "none", 0, 0, "none|balanced", false, "balanced: classes weigh the same"},
    {"max_bin", Integer, "auto", 2, 65536, "auto", false,
     "bins of a feature; auto: 256, of up to 2048 rows 1024"},
    {"f_beta", Real, "1.0", 0, 1000, "", false, "beta of binary_f_beta and macro_f_beta"},
    {"accuracy_top_k", Integer, "3", 1, 1e6, "", false, "k of multiclass_top_k_accuracy"},
};

constexpr auto kForestMetrics = metrics_with("train:oob_score");

std::span<const HyperParameterRule> rules_of(std::string_view algorithm) {
  return algorithm == kExtraTrees ? extra_trees_rules() : random_forest_rules();
}

std::size_t forest_classes(const ParameterReader& read) {
  const std::string_view predictor = read.text("predictor_type");
  return predictor == "regressor"           ? 0
         : predictor == "binary_classifier" ? 2
                                            : static_cast<std::size_t>(read.integer("num_classes"));
}

// max_features of d features; nothing when the text means none.
std::optional<std::size_t> features_looked_at(const ParameterReader& read, std::size_t d) {
  const std::string_view text = read.text("max_features");
  const auto all = static_cast<double>(d);
  double count = 0;
  if (text == "sqrt" || (text == "auto" && read.text("predictor_type") != "regressor"))
    count = std::sqrt(all);
  else if (text == "log2")
    count = std::log2(all);
  else if (text == "all" || text == "auto" || text == "none")
    count = all;
  else if (const auto number = parse_real(text); number && *number > 0) {
    const bool share = text.find('.') != std::string_view::npos;
    if (share ? *number > 1 : *number != std::floor(*number)) return std::nullopt;
    count = share ? *number * all : *number;
  } else {
    return std::nullopt;
  }
  return std::clamp<std::size_t>(static_cast<std::size_t>(count), 1, d);
}

std::map<std::string, double> forest_metrics_of(const ParameterReader& read, const Matrix& predictions,
                                                const Dataset& data) {
  const LinearMetricSettings settings{read.real("f_beta"),
                                      static_cast<std::size_t>(read.integer("accuracy_top_k"))};
  const std::size_t classes = forest_classes(read);
  return classes == 0   ? regression_metrics(predictions, data)
         : classes == 2 ? binary_metrics(predictions, data, settings)
                        : multiclass_metrics(predictions, data, settings);
}

// The mean squared error, or logarithmic loss.
double forest_objective(const Matrix& predictions, const Dataset& data, std::size_t classes) {
  double sum = 0, total = 0;
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const double weight = data.weights.empty() ? 1 : data.weights[i], y = data.y[i];
    double share = static_cast<double>(predictions.at(i, classes > 2 ? static_cast<std::size_t>(y) : 0));
    if (classes == 2 && y < 0.5) share = 1 - share;
    sum += weight * (classes == 0 ? (share - y) * (share - y) : -std::log(std::max(kLeastShare, share)));
    total += weight;
  }
  return sum / total;
}

// Sums of trees' answers for the rows of a channel, by row and output.
struct AnswerSums {
  std::vector<double> sums;
  std::vector<std::uint32_t> trees;  // by row: how many answered
};

class ForestFit {
 public:
  ForestFit(std::string_view algorithm, const ParameterReader& read, const Dataset& train,
            const Dataset* validation, const FitContext& context)
      : read_(read),
        train_(train),
        validation_(validation),
        context_(context),
        team_(std::max(1, context.threads)),
        wanted_(read.integer("n_estimators")),
        root_(context.ranks == nullptr || context.ranks->collective.rank() == 0),
        oob_wanted_(root_ && read.boolean("oob_score")) {
    parts_.algorithm = algorithm;
    parts_.features = train.X.cols, parts_.classes = forest_classes(read);
    outputs_ = parts_.classes > 2 ? parts_.classes : 1;
  }

  Result<Fitted> run() {
    make_targets();
    const std::vector<float> row_weights(train_.weights.begin(), train_.weights.end());
    const auto most =
        read_.integer_or("max_bin", train_.X.rows <= kFineRows ? kFineBins : trees::kColumnBins);
    const trees::Bins bins(train_.X, row_weights, static_cast<std::uint32_t>(most), team_);
    const trees::ForestGrower grower(bins, settings(), y_, weights_);
    if (validation_) begin_sums(*validation_, validation_sums_);
    if (oob_wanted_) begin_sums(train_, oob_);
    MR_DO(resume(grower));
    std::vector<trees::ForestGrower::Room> rooms(static_cast<std::size_t>(team_.size()));
    bool stop = false;
    while (done() < wanted_ && !stop) {
      if (context_.cancelled && context_.cancelled())
        return fail(ErrorCode::Cancelled, "training was stopped");
      MR_TRY(went_on, context_.ranks ? ranked_group(grower, rooms) : group_alone(grower, rooms));
      stop = !went_on;
    }
    Fitted fitted;
    fitted.rounds = done();
    fitted.metrics = std::move(metrics_);
    if (oob_wanted_) add_oob_score(fitted.metrics);
    fitted.model = make_forest_model(std::move(parts_));
    return fitted;
  }

 private:
  std::int64_t done() const { return static_cast<std::int64_t>(parts_.trees.size()); }

  // The next trees; false: enough.
  Result<bool> group_alone(const trees::ForestGrower& grower, std::vector<trees::ForestGrower::Room>& rooms) {
    const auto group = std::min<std::size_t>(rooms.size(), static_cast<std::size_t>(wanted_ - done()));
    MR_TRY(grown, grow(grower, rooms, done(), group));
    for (std::size_t k = 0; k < group; ++k) {
      if (!take(std::move(grown[k]), rooms[k].drawn)) return false;
    }
    return true;
  }

  bool take(trees::ForestTree tree, const std::vector<std::uint16_t>& drawn) {
    add(std::move(tree), drawn);
    const bool stop = report();
    if (!stop && done() < wanted_)
      keep_checkpoint(context_, parts_.algorithm, done(), [&](FitState& state) { fields(state); });
    return !stop;
  }

  // Of ranks: each grows as many as it has threads, all get all of them, and the first judges.
  Result<bool> ranked_group(const trees::ForestGrower& grower,
                            std::vector<trees::ForestGrower::Room>& rooms) {
    Collective& ranks = context_.ranks->collective;
    const std::int64_t each = static_cast<std::int64_t>(rooms.size());
    const std::int64_t first = std::min(wanted_, done() + ranks.rank() * each);
    const auto group = static_cast<std::size_t>(std::min(wanted_ - first, each));
    MR_TRY(grown, grow(grower, rooms, first, group));
    MR_TRY(packed, ranks.all_gather(pack_trees(grown)));
    std::vector<trees::ForestTree> trees;
    for (const std::string& bytes : packed) {
      std::vector<trees::ForestTree> some;
      if (!unpack_trees(bytes, parts_.features, parts_.classes, some))
        return fail(ErrorCode::Internal, "a rank's trees can't be read");
      std::ranges::move(some, std::back_inserter(trees));
    }
    const std::int64_t before = done();
    std::int64_t said[] = {0, 0};  // trees that were taken, and whether there are enough
    std::vector<std::uint16_t> drawn;
    for (std::size_t k = 0; root_ && k < trees.size() && said[1] == 0; ++k, ++said[0]) {
      if (oob_wanted_) grower.draw(static_cast<std::uint64_t>(done()), drawn);
      said[1] = take(trees[k], drawn) ? 0 : 1;
    }
    MR_DO(ranks.sum(said));
    for (std::size_t k = 0; !root_ && done() < before + said[0]; ++k) add(std::move(trees[k]), drawn);
    return said[1] == 0;
  }

  // Targets that trees learn (numbers with mean 0 and deviation 1), and rows' weights times their classes'.
  void make_targets() {
    y_.assign(train_.y.begin(), train_.y.end());
    weights_.assign(train_.weights.begin(), train_.weights.end());
    const auto weight = [&](std::size_t i) { return weights_.empty() ? 1.0 : double(weights_[i]); };
    if (parts_.classes == 0) {
      double sum = 0, squares = 0, total = 0;
      for (std::size_t i = 0; i < y_.size(); ++i) sum += weight(i) * train_.y[i], total += weight(i);
      mean_ = sum / total;
      for (std::size_t i = 0; i < y_.size(); ++i) squares += weight(i) * std::pow(train_.y[i] - mean_, 2);
      const double deviation = std::sqrt(squares / total);
      if (deviation > 1e-12 * std::abs(mean_) && deviation > 1e-200) scale_ = deviation;
      for (std::size_t i = 0; i < y_.size(); ++i) y_[i] = static_cast<float>((train_.y[i] - mean_) / scale_);
    } else if (read_.text("class_weight") == "balanced") {
      std::vector<double> of_class(std::max<std::size_t>(2, parts_.classes));
      double total = 0, present = 0;
      for (std::size_t i = 0; i < y_.size(); ++i)
        of_class[static_cast<std::size_t>(y_[i])] += weight(i), total += weight(i);
      for (const double w : of_class) present += w > 0;
      std::vector<float> balanced;
      for (std::size_t i = 0; i < y_.size(); ++i) {
        const double own = of_class[static_cast<std::size_t>(y_[i])];
        balanced.push_back(own > 0 ? static_cast<float>(weight(i) * total / (present * own)) : 0.0f);
      }
      weights_ = std::move(balanced);
    }
    // To a mean near 1, exactly: what gains count as none does not depend on the weights' unit.
    double total = 0;
    for (const float w : weights_) total += double(w);
    if (weights_.empty() || !(total > 0)) return;
    const auto unit = static_cast<float>(std::exp2(-std::floor(std::log2(total / double(weights_.size())))));
    for (float& w : weights_) w *= unit;
  }

  trees::ForestSettings settings() const {
    trees::ForestSettings out;
    out.classes = parts_.classes;
    out.max_depth = static_cast<int>(read_.integer_or("max_depth", 0));
    out.min_split = read_.real("min_samples_split"), out.min_leaf = read_.real("min_samples_leaf");
    out.least_weight = weights_.empty() ? 1 : std::numeric_limits<double>::infinity();
    for (const float weight : weights_) {
      if (weight > 0) out.least_weight = std::min(out.least_weight, double(weight));
    }
    out.least_decrease = read_.real("min_impurity_decrease") / (scale_ * scale_);
    out.features = *features_looked_at(read_, train_.X.cols);
    out.random_thresholds = parts_.algorithm == kExtraTrees;
    out.bootstrap = read_.boolean("bootstrap"), out.samples = read_.real("max_samples");
    out.seed = context_.seed;
    return out;
  }

  void begin_sums(const Dataset& data, AnswerSums& sums) const {
    sums.sums.assign(data.X.rows * outputs_, 0.0);
    sums.trees.assign(data.X.rows, 0);
  }

  // Trees of the numbers from `first` on, one for each room.
  Result<std::vector<trees::ForestTree>> grow(const trees::ForestGrower& grower,
                                              std::vector<trees::ForestGrower::Room>& rooms,
                                              std::int64_t first_tree, std::size_t group) {
    std::vector<trees::ForestTree> grown(group);
    std::atomic<bool> stop{false};
    const auto caller = std::this_thread::get_id();
    const std::function<bool()> ask = [&] {
      if (std::this_thread::get_id() == caller && context_.cancelled && context_.cancelled()) stop = true;
      return stop.load();
    };
    const auto first = static_cast<std::uint64_t>(first_tree);
    team_.each(group, [&](std::size_t k, int) { grown[k] = grower.grow(first + k, rooms[k], ask); });
    if (stop) return fail(ErrorCode::Cancelled, "training was stopped");
    return grown;
  }

  void add(trees::ForestTree tree, const std::vector<std::uint16_t>& drawn) {
    if (parts_.classes == 0) {
      for (trees::Node& node : tree.tree.nodes) {
        if (node.left < 0) node.condition = static_cast<float>(double(node.condition) * scale_ + mean_);
      }
    }
    parts_.trees.push_back(std::move(tree));
    add_answers(parts_.trees.back(), drawn);
  }

  void add_answers(const trees::ForestTree& tree, const std::vector<std::uint16_t>& drawn) {
    if (validation_) add_to(tree, *validation_, {}, validation_sums_);
    if (oob_wanted_) add_to(tree, train_, drawn, oob_);
  }

  // Of the rows that were not drawn; of all when nothing was.
  void add_to(const trees::ForestTree& tree, const Dataset& data, const std::vector<std::uint16_t>& drawn,
              AnswerSums& out) {
    team_.blocks(data.X.rows, kForestGrain, [&](std::size_t begin, std::size_t end, int) {
      for (std::size_t i = begin; i < end; ++i) {
        if (!drawn.empty() && drawn[i] > 0) continue;
        const trees::Node& leaf = trees::leaf_of(tree.tree, data.X.values.data() + i * data.X.cols);
        ++out.trees[i];
        if (outputs_ == 1) {
          out.sums[i] += double(leaf.condition);
          continue;
        }
        const float* shares = tree.shares.data() + leaf.feature * outputs_;
        for (std::size_t c = 0; c < outputs_; ++c) out.sums[i * outputs_ + c] += double(shares[c]);
      }
    });
  }

  Matrix means_of(const AnswerSums& sums) const {
    Matrix out(sums.trees.size(), outputs_);
    for (std::size_t i = 0; i < out.rows; ++i) {
      for (std::size_t c = 0; c < outputs_; ++c)
        out.at(i, c) = static_cast<float>(sums.sums[i * outputs_ + c] / std::max(1u, sums.trees[i]));
    }
    return out;
  }

  bool report() {
    Progress progress;
    progress.phase = "Training", progress.round = done(), progress.rounds = wanted_;
    bool stop = false;
    if (validation_) {
      const Matrix predictions = means_of(validation_sums_);
      metrics_ = {};
      for (const auto& [name, value] : forest_metrics_of(read_, predictions, *validation_))
        metrics_["validation:" + name] = value;
      progress.metric = "validation:objective_loss";
      progress.value = metrics_[progress.metric] =
          forest_objective(predictions, *validation_, parts_.classes);
      for (const auto& [name, value] : metrics_) {
        const MetricPoint point{name, value, done() - 1};
        if (context_.metric) context_.metric(point);
        if (context_.stop_early && context_.stop_early(point)) stop = true;
      }
    }
    if (context_.progress) context_.progress(progress);
    return stop;
  }

  // Of the rows that some tree did not draw.
  void add_oob_score(std::map<std::string, double>& metrics) const {
    Dataset judged;
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < oob_.trees.size(); ++i) {
      if (oob_.trees[i] > 0) rows.push_back(i);
    }
    if (rows.empty()) return;
    const Matrix means = means_of(oob_);
    Matrix predictions(rows.size(), outputs_);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      for (std::size_t c = 0; c < outputs_; ++c) predictions.at(k, c) = means.at(rows[k], c);
      judged.y.push_back(train_.y[rows[k]]);
      if (!train_.weights.empty()) judged.weights.push_back(train_.weights[rows[k]]);
    }
    const auto all = forest_metrics_of(read_, predictions, judged);
    const auto found = all.find(parts_.classes == 0   ? "r2"
                                : parts_.classes == 2 ? "binary_classification_accuracy"
                                                      : "multiclass_accuracy");
    if (found != all.end()) metrics["train:oob_score"] = found->second;
  }

  void fields(FitState& state) {
    std::string packed = state.reading() ? std::string() : pack_trees(parts_.trees);
    state.field(packed);
    if (!state.reading()) return;
    state.require(unpack_trees(packed, parts_.features, parts_.classes, parts_.trees));
    state.require(done() < wanted_);
  }

  Status resume(const trees::ForestGrower& grower) {
    MR_DO(resume_fit(context_, parts_.algorithm, [&](FitState& state) { fields(state); }));
    std::vector<std::uint16_t> drawn;
    for (std::size_t t = 0; t < parts_.trees.size(); ++t) {
      if (oob_wanted_) grower.draw(t, drawn);
      add_answers(parts_.trees[t], drawn);
    }
    return {};
  }

  const ParameterReader& read_;
  const Dataset& train_;
  const Dataset* const validation_;
  const FitContext& context_;
  trees::Team team_;
  const std::int64_t wanted_;
  const bool root_;  // of ranks the first, which judges
  const bool oob_wanted_;
  ForestParts parts_;
  std::size_t outputs_ = 1;
  std::vector<float> y_, weights_;
  double mean_ = 0, scale_ = 1;  // of a regressor's target
  AnswerSums validation_sums_, oob_;
  std::map<std::string, double> metrics_;
};

class Forest final : public Estimator {
 public:
  Forest(std::string_view algorithm, HyperParameters parameters)
      : algorithm_(algorithm), parameters_(std::move(parameters)), read_(rules_of(algorithm), parameters_) {}

  Result<Fitted> fit(const Dataset& train, const Dataset* validation,
                     const FitContext& context) const override {
    MR_DO(check_dataset("train", train, kForestNeeds));
    if (validation) MR_DO(check_validation(train, *validation, MissingValues::Allowed));
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(train.X.cols)), train));
    if (const auto classes = static_cast<std::int64_t>(forest_classes(read_)); classes > 0) {
      const std::string remedy = classes == 2 ? "a binary_classifier needs targets 0 and 1"
                                              : "num_classes is " + std::to_string(classes);
      MR_DO(check_classes("train", train, classes, remedy));
      if (validation) MR_DO(check_classes("validation", *validation, classes, remedy));
    }
    return ForestFit(algorithm_, read_, train, validation, context).run();
  }

 private:
  const std::string_view algorithm_;
  const HyperParameters parameters_;
  const ParameterReader read_;
};

Result<std::unique_ptr<const Estimator>> make_forest(std::string_view algorithm,
                                                     const HyperParameters& parameters) {
  MR_DO(check_against_rules(algorithm, rules_of(algorithm), parameters));
  const ParameterReader read(rules_of(algorithm), parameters);
  const std::string_view predictor = read.text("predictor_type");
  if (predictor == "multiclass_classifier" && !read.given("num_classes"))
    return invalid("hyperparameter 'num_classes' is required for a multiclass_classifier");
  if (!features_looked_at(read, 1))
    return invalid("hyperparameter 'max_features' is '" + std::string(read.text("max_features")) +
                   "': expected sqrt, log2, all, auto, a whole number, or a share with a point like 0.5");
  if (read.boolean("oob_score") && !read.boolean("bootstrap"))
    return invalid("hyperparameter 'oob_score' needs bootstrap: true, as every tree has all rows without it");
  if (predictor == "regressor" && read.text("class_weight") != "none")
    return invalid("hyperparameter 'class_weight' is for classifiers");
  return std::unique_ptr<const Estimator>(new Forest(algorithm, parameters));
}

}  // namespace

std::span<const HyperParameterRule> random_forest_rules() {
  return kForestRules<true>;
}
std::span<const HyperParameterRule> extra_trees_rules() {
  return kForestRules<false>;
}
std::span<const std::string_view> forest_metrics() {
  return kForestMetrics;
}

Result<std::unique_ptr<const Estimator>> make_random_forest(const HyperParameters& parameters) {
  return make_forest(kRandomForest, parameters);
}
Result<std::unique_ptr<const Estimator>> make_extra_trees(const HyperParameters& parameters) {
  return make_forest(kExtraTrees, parameters);
}

Result<std::map<std::string, double>> test_forest(const HyperParameters& parameters, const Model& model,
                                                  const Dataset& data) {
  const ParameterReader read(rules_of(model.algorithm()), parameters);
  MR_TRY(predictions, model.predict(data.X));
  if (const auto classes = static_cast<std::int64_t>(forest_classes(read)); classes > 0)
    MR_DO(check_classes("test", data, classes, "see predictor_type"));
  return forest_metrics_of(read, predictions, data);
}

}  // namespace millrace::tasks
