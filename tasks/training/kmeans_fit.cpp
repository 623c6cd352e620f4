// The fit of kmeans: starts, Lloyd's rounds, the best start to its end.

#include <algorithm>
#include <cmath>
#include <compare>
#include <limits>

#include "base/random.h"
#include "tasks/numeric/nearest_centre.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/kmeans.h"
#include "tasks/training/kmeans_stream.h"
#include "tasks/training/ranked_values.h"
#include "tasks/training/row_parts.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kKmeansAlgorithm = "kmeans";
constexpr double kOperationsOfTrials = 2e9;      // n k d of all starts that "auto" allows
constexpr double kOperationsMax = 1.5e10;        // n k d of all rounds, after which no centre is moved
constexpr int kMovesInVain = 12;                 // one after another, then the search ends
constexpr std::size_t kStartRows = 10'000;       // k-means++ looks at so many rows, or 10 a centre
constexpr std::size_t kGreedyCentresMax = 1000;  // with more of them each is the first drawn

// Rows assigned to centres, and what follows from it.
struct Assignment {
  std::vector<std::uint32_t> nearest;  // (n,)
  std::vector<float> distance;         // (n,), squared
  double loss = 0;                     // weighted sum of them
  std::size_t changed = 0;             // rows that went to another centre than before
  std::vector<double> sums;            // (k, d + 1): of each centre's rows, and of their weights
};

// Assigning rows to centres, and centres to the middle of their rows.
class LloydRows {
 public:
  LloydRows(const Dataset& data, std::size_t k, const FitContext& context)
      : data_(data),
        k_(k),
        d_(data.X.cols),
        cancelled_(context.cancelled),
        ranks_(context.ranks),
        parts_(data.X.rows, k * (data.X.cols + 1), context.threads, context.ranks) {}

  // The sum of weights. Before anything else.
  Status begin() {
    return fold_in_order(ranks_, {&weights_, 1}, [&](std::span<double> sum) {
      for (std::size_t i = 0; i < rows(); ++i) sum[0] += weight(i);
    });
  }
  std::size_t rows() const { return data_.X.rows; }                       // here
  std::size_t all_rows() const { return ranks_ ? ranks_->all : rows(); }  // of all ranks
  // A row's number among those of all ranks.
  std::size_t number(std::size_t i) const {
    std::size_t found = i;
    if (ranks_) ranks_->each(i, i + 1, [&](std::size_t, std::size_t, std::size_t at) { found = at; });
    return found;
  }
  Result<Matrix> rows_of(std::span<const std::size_t> numbers) const {
    return rows_of_numbers(data_.X, numbers, ranks_);
  }
  double weight(std::size_t i) const { return data_.weights.empty() ? 1 : data_.weights[i]; }
  double weights() const { return weights_; }
  const float* row(std::size_t i) const { return data_.X.values.data() + i * d_; }

  Status assign(const Matrix& centres, Assignment& out);
  // The mean of each centre's rows; a centre without any takes the row that is farthest from its own.
  Result<Matrix> means(const Matrix& centres, const Assignment& assignment) const;
  // By how much the loss would grow without each of the centres (the others staying where they are).
  Result<std::vector<double>> needed(const Matrix& centres);

 private:
  Status fill_empty(const std::vector<std::size_t>& empty, const Assignment& assignment,
                    Matrix& centres) const;

  const Dataset& data_;
  const std::size_t k_, d_;
  const std::function<bool()>& cancelled_;
  const RankRows* const ranks_;
  RowParts parts_;
  double weights_ = 0;
};

Status LloydRows::assign(const Matrix& centres, Assignment& out) {
  const NearestCentre nearest(centres);
  const bool first = out.nearest.empty();
  if (first) out.nearest.resize(rows()), out.distance.resize(rows());
  const std::size_t stride = d_ + 1, size = k_ * stride;
  std::vector<double> losses(parts_.parts()), sums(parts_.parts() * size);
  std::vector<std::size_t> changes(parts_.parts());
  MR_DO(parts_.each(cancelled_, [&](std::size_t begin, std::size_t count, std::size_t part) {
    std::uint32_t found[RowParts::kBlockRows];
    nearest.find(MatrixView(data_.X).slice(begin, count), found, out.distance.data() + begin);
    for (std::size_t i = 0; i < count; ++i) {
      const double w = weight(begin + i);
      changes[part] += first || out.nearest[begin + i] != found[i];
      out.nearest[begin + i] = found[i];
      losses[part] += w * static_cast<double>(out.distance[begin + i]);
      double* sum = sums.data() + part * size + found[i] * stride;
      const float* x = row(begin + i);
      for (std::size_t j = 0; j < d_; ++j) sum[j] += w * static_cast<double>(x[j]);
      sum[d_] += w;
    }
  }));
  MR_DO(parts_.total(losses, 1));
  MR_DO(parts_.total(sums, size));
  std::int64_t changed = 0;
  for (const std::size_t change : changes) changed += static_cast<std::int64_t>(change);
  if (ranks_) MR_DO(ranks_->collective.sum({&changed, 1}));
  out.loss = losses[0], out.changed = static_cast<std::size_t>(changed);
  out.sums = std::move(sums);
  return {};
}

Result<Matrix> LloydRows::means(const Matrix& centres, const Assignment& assignment) const {
  Matrix out = centres;
  std::vector<std::size_t> empty;
  for (std::size_t c = 0; c < k_; ++c) {
    const double* sum = assignment.sums.data() + c * (d_ + 1);
    if (sum[d_] <= 0) empty.push_back(c);
    for (std::size_t j = 0; sum[d_] > 0 && j < d_; ++j) out.at(c, j) = static_cast<float>(sum[j] / sum[d_]);
  }
  if (!empty.empty()) MR_DO(fill_empty(empty, assignment, out));
  return out;
}

Result<std::vector<double>> LloydRows::needed(const Matrix& centres) {
  const NearestCentre nearest(centres);
  std::vector<double> sums(parts_.parts() * k_);
  MR_DO(parts_.each(cancelled_, [&](std::size_t begin, std::size_t count, std::size_t part) {
    std::uint32_t found[RowParts::kBlockRows];
    float distances[RowParts::kBlockRows], seconds[RowParts::kBlockRows];
    nearest.find(MatrixView(data_.X).slice(begin, count), found, distances, seconds);
    for (std::size_t i = 0; i < count; ++i)
      sums[part * k_ + found[i]] += weight(begin + i) * static_cast<double>(seconds[i] - distances[i]);
  }));
  MR_DO(parts_.total(sums, k_));
  return sums;
}

// The farthest rows of each rank, of which the farthest are taken; the first of equals.
Status LloydRows::fill_empty(const std::vector<std::size_t>& empty, const Assignment& assignment,
                             Matrix& centres) const {
  struct Far {
    double distance;
    std::uint64_t before;  // ~number
    auto operator<=>(const Far&) const = default;
  };
  const auto keep_farthest = [&](std::vector<Far>& rows) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(empty.size(), rows.size()));
    std::ranges::partial_sort(rows, rows.begin() + count, std::greater<>());
    rows.resize(static_cast<std::size_t>(count));
  };
  std::vector<Far> far;
  for (std::size_t i = 0; i < rows(); ++i) {
    if (weight(i) > 0 && assignment.distance[i] > 0)
      far.push_back({static_cast<double>(assignment.distance[i]), ~static_cast<std::uint64_t>(number(i))});
  }
  keep_farthest(far);
  if (ranks_) {
    MR_TRY(all, ranks_->collective.all_gather(bytes_of<Far>(far)));
    far.clear();
    for (const std::string& bytes : all) {
      const std::size_t first = far.size();
      far.resize(first + bytes.size() / sizeof(Far));
      std::ranges::copy(bytes, room_of<Far>(std::span(far).subspan(first)).begin());
    }
    keep_farthest(far);
  }
  std::vector<std::size_t> numbers;
  for (const Far& row : far) numbers.push_back(static_cast<std::size_t>(~row.before));
  MR_TRY(found, rows_of(numbers));
  for (std::size_t e = 0; e < found.rows; ++e)
    std::copy_n(found.values.data() + e * d_, d_, centres.values.data() + empty[e] * d_);
  return {};
}

// Squared distances of rows to a few of them: (rows, candidates) into `out`.
void distances_to(const Matrix& rows, const std::vector<float>& norms,
                  const std::vector<std::size_t>& candidates, std::vector<float>& out) {
  const std::size_t d = rows.cols, t = candidates.size();
  Matrix picked(t, d);
  for (std::size_t c = 0; c < t; ++c)
    std::copy_n(rows.values.data() + candidates[c] * d, d, picked.values.data() + c * d);
  const PackedMatrix<float> packed(transposed(picked.values.data(), d), d, t);
  out.resize(rows.rows * t);
  multiply(row_major(rows.values.data(), d), rows.rows, packed, out.data(), t);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    for (std::size_t c = 0; c < t; ++c) {
      float& value = out[i * t + c];
      value = i == candidates[c] ? 0 : std::max(0.0f, norms[i] + norms[candidates[c]] - 2 * value);
    }
  }
}

// Chooses first centres. Rows of weight 0 are never chosen while there are others.
class Starts {
 public:
  // `weights`: of all ranks' rows, or empty.
  Starts(const LloydRows& data, std::vector<double> weights, std::size_t k,
         const std::function<bool()>& cancelled)
      : data_(data), weights_(std::move(weights)), k_(k), cancelled_(cancelled) {}

  Result<Matrix> choose(bool plus_plus, Random random) const {
    const std::vector<std::size_t> sample = sampled_rows(random);
    if (plus_plus) return greedy(sample, random);
    return data_.rows_of(std::span(sample).first(k_));
  }

 private:
  // Distinct rows in random order, those of weight 0 last.
  std::vector<std::size_t> sampled_rows(Random& random) const {
    const std::size_t n = data_.all_rows(), wanted = std::min(n, std::max(kStartRows, 10 * k_));
    std::vector<std::size_t> rows(n);
    for (std::size_t i = 0; i < n; ++i) rows[i] = i;
    if (!weights_.empty())
      std::ranges::stable_partition(rows, [&](std::size_t i) { return weights_[i] > 0; });
    const auto weighing = static_cast<std::size_t>(
        weights_.empty() ? static_cast<std::ptrdiff_t>(n)
                         : std::ranges::count_if(weights_, [](double w) { return w > 0; }));
    for (std::size_t i = 0; i < std::min(wanted, weighing); ++i)
      std::swap(rows[i], rows[i + random.below(weighing - i)]);
    rows.resize(wanted);
    return rows;
  }

  // Each next centre is the best of 2 + log k rows drawn by weight times squared distance to those chosen.
  Result<Matrix> greedy(const std::vector<std::size_t>& sample, Random& random) const {
    MR_TRY(rows, data_.rows_of(sample));
    move_to_middle(rows);
    const std::size_t m = rows.rows, d = rows.cols;
    std::vector<double> weight(m);
    std::vector<float> norms(m), distances;
    for (std::size_t i = 0; i < m; ++i) {
      weight[i] = weights_.empty() ? 1 : weights_[sample[i]];
      for (std::size_t j = 0; j < d; ++j) norms[i] += rows.at(i, j) * rows.at(i, j);
    }
    const std::size_t tries =
        k_ > kGreedyCentresMax ? 1 : 2 + static_cast<std::size_t>(std::log(static_cast<double>(k_)));
    std::vector<std::size_t> chosen{draw(weight, {}, random)};
    std::vector<float> closest;
    distances_to(rows, norms, chosen, closest);
    while (chosen.size() < k_) {
      if (chosen.size() % 16 == 0 && cancelled_ && cancelled_())
        return fail(ErrorCode::Cancelled, "training was stopped");
      std::vector<std::size_t> candidates;
      for (std::size_t t = 0; t < tries; ++t) candidates.push_back(draw(weight, closest, random));
      distances_to(rows, norms, candidates, distances);
      std::size_t best = 0;
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t t = 0; t < tries; ++t) {
        double sum = 0;
        for (std::size_t i = 0; i < m; ++i)
          sum += weight[i] * static_cast<double>(std::min(closest[i], distances[i * tries + t]));
        if (sum < least) least = sum, best = t;
      }
      chosen.push_back(candidates[best]);
      for (std::size_t i = 0; i < m; ++i) closest[i] = std::min(closest[i], distances[i * tries + best]);
    }
    for (std::size_t& i : chosen) i = sample[i];
    return data_.rows_of(chosen);
  }

  static void move_to_middle(Matrix& rows) {
    for (std::size_t j = 0; j < rows.cols; ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < rows.rows; ++i) sum += static_cast<double>(rows.at(i, j));
      const auto mean = static_cast<float>(sum / static_cast<double>(rows.rows));
      for (std::size_t i = 0; i < rows.rows; ++i) rows.at(i, j) -= mean;
    }
  }

  // A row by weight, times its distance where there are distances.
  static std::size_t draw(const std::vector<double>& weight, const std::vector<float>& distance,
                          Random& random) {
    const auto share = [&](std::size_t i) {
      return weight[i] * (distance.empty() ? 1 : static_cast<double>(distance[i]));
    };
    double sum = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) sum += share(i);
    if (!(sum > 0)) return random.below(weight.size());  // all rows are centres already
    double point = random.uniform() * sum;
    std::size_t last = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      if (share(i) <= 0) continue;
      last = i;
      point -= share(i);
      if (point < 0) break;
    }
    return last;
  }

  const LloydRows& data_;
  const std::vector<double> weights_;
  const std::size_t k_;
  const std::function<bool()>& cancelled_;
};

struct LloydRun {
  Matrix centres;
  Assignment assignment;
  std::int64_t rounds = 0;
};

// Where a fit is: which of its runs, and the best before it. Assignments follow from centres.
struct KmeansPlace {
  enum Stage : std::int64_t { Trials, Moves, Final };
  std::int64_t stage = Trials;
  std::int64_t number = 0;   // of the trial or move
  std::int64_t in_vain = 0;  // moves
  std::vector<float> best;   // centres; empty: none yet
  std::int64_t best_rounds = 0;
};

class KmeansFit {
 public:
  KmeansFit(const ParameterReader& read, const Dataset& train, const FitContext& context)
      : read_(read),
        train_(train),
        context_(context),
        k_(static_cast<std::size_t>(read.integer("k"))),
        rows_(train, k_, context) {}

  Result<Fitted> run() {
    MR_DO(rows_.begin());
    MR_TRY(weights, values_of_all(train_.weights, train_.weights.empty() ? nullptr : context_.ranks));
    const Starts starts(rows_, std::move(weights), k_, context_.cancelled);
    const bool plus_plus = read_.text("local_lloyd_init_method") == "kmeans++";
    const Random random(context_.seed);
    const std::int64_t trials = read_.integer_or("local_lloyd_num_trials", automatic_trials());
    std::optional<LloydRun> best;
    MR_DO(resume(best));
    for (; place_.stage == KmeansPlace::Trials && place_.number < trials && !stopped_; ++place_.number) {
      LloydRun trial;
      if (!take_resumed(trial)) {
        MR_TRY(start,
               starts.choose(plus_plus, random.derive("start", static_cast<std::uint64_t>(place_.number))));
        trial.centres = std::move(start);
      }
      MR_DO(lloyd(trial, read_.real("local_lloyd_tol")));
      if (!best || trial.assignment.loss < best->assignment.loss) best = std::move(trial);
      keep(*best);
    }
    if (place_.stage == KmeansPlace::Trials) place_.stage = KmeansPlace::Moves, place_.number = 0;
    if (place_.stage == KmeansPlace::Moves && read_.is_auto("local_lloyd_num_trials"))
      MR_DO(move_centres(*best, random));
    if (!stopped_) {
      place_.stage = KmeansPlace::Final;
      take_resumed(*best);
      MR_DO(lloyd(*best, 0));
    }
    centres_ = best->centres;
    return finished(*best);
  }
  const Matrix& centres() const { return centres_; }  // when it has run

 private:
  // Of a checkpoint: where it was, and the run under way.
  void fields(FitState& state, LloydRun& run) {
    state.field(place_.stage), state.field(place_.number), state.field(place_.in_vain);
    state.field(place_.best), state.field(place_.best_rounds), state.field(rounds_), state.field(run.rounds),
        state.field(run.centres.values);
    const std::size_t size = k_ * train_.X.cols;
    state.require(run.centres.values.size() == size);
    state.require(place_.best.size() == size || (place_.best.empty() && place_.stage == KmeansPlace::Trials));
  }

  Status resume(std::optional<LloydRun>& best) {
    LloydRun run;
    run.centres = Matrix(k_, train_.X.cols);
    MR_TRY(resumed, resume_fit(context_, kKmeansAlgorithm, [&](FitState& state) { fields(state, run); }));
    if (!resumed) return {};
    MR_DO(rows_.assign(run.centres, run.assignment));
    resumed_ = std::move(run);
    if (place_.best.empty()) return {};
    best.emplace();
    best->centres = Matrix(k_, train_.X.cols);
    best->centres.values = place_.best, best->rounds = place_.best_rounds;
    return rows_.assign(best->centres, best->assignment);
  }

  void keep(const LloydRun& best) { place_.best = best.centres.values, place_.best_rounds = best.rounds; }

  // The run that a checkpoint was taken in, once.
  bool take_resumed(LloydRun& run) {
    if (!resumed_) return false;
    run = std::move(*resumed_);
    resumed_.reset();
    return true;
  }

  std::int64_t automatic_trials() const {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(kOperationsOfTrials / operations()), 1, 10);
  }

  double operations() const {
    return static_cast<double>(rows_.all_rows()) * static_cast<double>(k_ * train_.X.cols);
  }

  // Lloyd's rounds end where no centre can move a little; here the centre that is needed least (after a move
  // in vain the next one) takes a row drawn by its distance, and what is better after some rounds is kept.
  Status move_centres(LloydRun& best, const Random& random) {
    for (; k_ > 1 && !stopped_ && place_.in_vain < kMovesInVain && best.assignment.loss > 0 &&
           (resumed_ || static_cast<double>(rounds_) * operations() < kOperationsMax);
         ++place_.number) {
      LloydRun moved;
      if (!take_resumed(moved)) {
        MR_TRY(centres, with_move(best, random.derive("move", static_cast<std::uint64_t>(place_.number))));
        moved.centres = std::move(centres);
      }
      MR_DO(lloyd(moved, read_.real("local_lloyd_tol")));
      if (moved.assignment.loss < best.assignment.loss * (1 - 1e-6)) {
        best = std::move(moved), place_.in_vain = 0;
        keep(best);
      } else {
        ++place_.in_vain;
      }
    }
    return {};
  }

  Result<Matrix> with_move(const LloydRun& best, Random random) {
    MR_TRY(needed, rows_.needed(best.centres));
    std::vector<std::size_t> order(k_);
    for (std::size_t c = 0; c < k_; ++c) order[c] = c;
    std::ranges::stable_sort(order, {}, [&](std::size_t c) { return needed[c]; });
    Matrix moved = best.centres;
    const std::size_t centre = order[static_cast<std::size_t>(place_.in_vain) / 2 % k_];
    MR_TRY(row, far_row(best.assignment, random));
    MR_TRY(found, rows_.rows_of({&row, 1}));
    std::copy_n(found.values.data(), train_.X.cols, moved.values.data() + centre * train_.X.cols);
    return moved;
  }

  // The number of a row by its weight times its squared distance: the ranks go on where those before them
  // ended.
  Result<std::size_t> far_row(const Assignment& assignment, Random random) const {
    const double begin = random.uniform() * assignment.loss;
    double walk[] = {0, 0, 0};  // how far it went, the last row, whether it is the one
    MR_DO(fold_in_order(context_.ranks, walk, [&](std::span<double> at) {
      for (std::size_t i = 0; i < rows_.rows() && at[2] == 0; ++i) {
        const double share = rows_.weight(i) * static_cast<double>(assignment.distance[i]);
        if (share <= 0) continue;
        at[1] = static_cast<double>(rows_.number(i));
        at[0] += share;
        if (begin < at[0]) at[2] = 1;
      }
    }));
    return static_cast<std::size_t>(walk[1]);
  }

  // Rounds until the loss falls by at most `tolerance` of itself; with 0 until no row moves. No more than
  // local_lloyd_max_iter, with those that the run has behind it.
  Status lloyd(LloydRun& run, double tolerance) {
    const std::int64_t limit = read_.integer("local_lloyd_max_iter");
    double before = run.rounds > 0 ? run.assignment.loss : std::numeric_limits<double>::infinity();
    while (run.rounds < limit && !stopped_) {
      if (!run.assignment.nearest.empty()) {
        MR_TRY(means, rows_.means(run.centres, run.assignment));
        run.centres = std::move(means);
      }
      MR_DO(rows_.assign(run.centres, run.assignment));
      ++run.rounds, ++rounds_;
      MR_DO(report(run.assignment.loss));
      const double loss = run.assignment.loss;
      if (run.assignment.changed == 0 || (tolerance > 0 && before - loss <= tolerance * loss)) break;
      before = loss;
      if (run.rounds < limit && !stopped_)
        keep_checkpoint(context_, kKmeansAlgorithm, rounds_, [&](FitState& state) { fields(state, run); });
    }
    return {};
  }

  Status report(double loss) {
    const std::int64_t round = rounds_ - 1;
    for (const MetricPoint& point :
         {MetricPoint{"train:msd", loss / rows_.weights(), round}, MetricPoint{"train:ssd", loss, round}}) {
      if (context_.metric) context_.metric(point);
      if (context_.stop_early && context_.stop_early(point)) stopped_ = true;
    }
    Progress progress;
    progress.phase = "Training", progress.round = rounds_;
    progress.metric = "train:msd", progress.value = loss / rows_.weights();
    if (context_.progress) context_.progress(progress);
    if (context_.ranks == nullptr) return {};
    std::int64_t stopped = stopped_ ? 1 : 0;  // the first rank is asked
    MR_DO(context_.ranks->collective.sum({&stopped, 1}));
    stopped_ = stopped != 0;
    return {};
  }

  // The exact loss of the centres as they are saved.
  Result<Fitted> finished(const LloydRun& run) {
    Assignment last;
    MR_DO(rows_.assign(run.centres, last));
    double loss = 0;
    MR_DO(fold_in_order(context_.ranks, {&loss, 1}, [&](std::span<double> sum) {
      for (std::size_t i = 0; i < rows_.rows(); ++i) {
        const float* centre = run.centres.values.data() + last.nearest[i] * run.centres.cols;
        sum[0] += rows_.weight(i) * squared_distance(rows_.row(i), centre, run.centres.cols);
      }
    }));
    Fitted fitted;
    fitted.rounds = rounds_;
    fitted.metrics = {{"train:msd", loss / rows_.weights()}, {"train:ssd", loss}};
    fitted.model = make_kmeans_model(run.centres);
    return fitted;
  }

  const ParameterReader& read_;
  const Dataset& train_;
  const FitContext& context_;
  const std::size_t k_;
  LloydRows rows_;
  std::int64_t rounds_ = 0;
  bool stopped_ = false;
  KmeansPlace place_;
  std::optional<LloydRun> resumed_;  // of a checkpoint, until it is taken up
  Matrix centres_;
};

class Kmeans final : public Estimator {
 public:
  explicit Kmeans(HyperParameters parameters)
      : parameters_(std::move(parameters)), read_(kmeans_rules(), parameters_) {}

  Result<Fitted> fit(const Dataset& train, const Dataset*, const FitContext& context) const override {
    MR_DO(check_dataset("train", train, kKmeansNeeds));
    MR_DO(check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(train.X.cols)), train));
    const std::int64_t k = read_.integer("k");
    const std::size_t rows = context.ranks ? context.ranks->all : train.X.rows;
    if (k > static_cast<std::int64_t>(rows))
      return invalid("hyperparameter 'k' is " + std::to_string(k) + ", but train has only " +
                     counted(rows, "row"));
    return KmeansFit(read_, train, context).run();
  }

  Result<Fitted> fit_stream(RowStream& train, const Dataset*, const FitContext& context) const override {
    return fit_kmeans_stream(read_, train, context);
  }

 private:
  const HyperParameters parameters_;
  const ParameterReader read_;
};

}  // namespace

Result<Matrix> find_kmeans_centres(const ParameterReader& read, const Dataset& rows,
                                   const FitContext& context) {
  KmeansFit search(read, rows, context);
  MR_DO(search.run());
  return search.centres();
}

Result<std::unique_ptr<const Estimator>> make_kmeans(const HyperParameters& parameters) {
  MR_DO(check_against_rules("kmeans", kmeans_rules(), parameters));
  const ParameterReader read(kmeans_rules(), parameters);
  MR_DO(parse_names("eval_metrics", read.text("eval_metrics"), "msd|ssd"));
  return std::unique_ptr<const Estimator>(new Kmeans(parameters));
}

}  // namespace millrace::tasks
