#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/stream_passes.h"
#include "tasks/training/tensors.h"
#include "tasks/training/xgboost.h"
#include "tasks/training/xgboost_settings.h"
#include "tasks/trees/explain.h"
#include "tasks/trees/model_json.h"
#include "tasks/trees/ranked_bins.h"
#include "tasks/trees/ranking.h"

namespace millrace::tasks {

namespace {

// Attributes of a checkpoint, beside those that XGBoost's callbacks write.
constexpr std::string_view kBestRound = "best_iteration", kBestScore = "best_score", kAtBest = "at_best ",
                           kLinearRounds = "linear_rounds";  // of gblinear, whose model doesn't say it

std::string exact(double value) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

struct OwnedRows {
  std::vector<float> y, weights;
  std::vector<std::uint32_t> groups;  // where queries begin, and the end
  explicit OwnedRows(const Dataset& data)
      : y(data.y.begin(), data.y.end()), weights(data.weights.begin(), data.weights.end()) {
    for (std::size_t i = 0; i < data.groups.size(); ++i) {
      if (i == 0 || data.groups[i] != data.groups[i - 1]) groups.push_back(static_cast<std::uint32_t>(i));
    }
    if (!groups.empty()) groups.push_back(static_cast<std::uint32_t>(data.groups.size()));
  }
};

// Of ranking: every row has a query, and the rows of a query stand together.
Status check_queries(std::string_view channel, const Dataset& data) {
  const std::string at = std::string(channel) + ": ";
  if (!data.weights.empty())
    return invalid(at + "ranking takes no weights of rows", "leave the column of weights out");
  if (data.groups.empty())
    return invalid(at + "ranking needs the query of each row",
                   "name its column with the hyperparameter group, or give text/libsvm with qid");
  std::set<double> ended;
  for (std::size_t i = 0, begin = 0; i < data.groups.size(); ++i) {
    const double query = data.groups[i];
    const auto row = [&] { return at + row_place(data, i) + ": "; };
    if (!std::isfinite(query)) return invalid(row() + "the query is missing");
    if (i > 0 && query != data.groups[i - 1]) ended.insert(data.groups[i - 1]), begin = i;
    if (i == begin && ended.contains(query))
      return invalid(row() + "query " + exact(query) + " comes again",
                     "sort the rows so that those of a query stand together");
    if (i - begin >= trees::kQueryRowsMost)
      return fail(ErrorCode::LimitExceeded, row() + "query " + exact(query) + " has more than " +
                                                std::to_string(trees::kQueryRowsMost) + " rows");
  }
  return {};
}

// The scores of all ranks' rows, in their order, at rank 0, which knows their targets. One thread.
class GatheredRows {
 public:
  GatheredRows(const RankRows& ranks, const OwnedRows& own, std::size_t outputs)
      : ranks_(ranks), own_(own), outputs_(outputs) {}
  bool root() const { return ranks_.collective.rank() == 0; }

  Status meet() {
    std::vector<std::uint64_t> places;
    for (const RowStretch& s : ranks_.own) places.insert(places.end(), {s.count, s.number});
    MR_TRY(all, ranks_.collective.gather(bytes_of<std::uint64_t>(places)));
    for (const std::string& bytes : all) {
      std::vector<std::uint64_t>& of_rank = places_.emplace_back(bytes.size() / sizeof(std::uint64_t));
      std::ranges::copy(bytes, room_of<std::uint64_t>(of_rank).begin());
    }
    MR_DO(collect(own_.y, 1, known_.y));
    return own_.weights.empty() ? Status() : collect(own_.weights, 1, known_.weights);
  }
  // At rank 0 alone there is something in rows() and scores().
  Status take(std::span<const float> scores) { return collect(scores, outputs_, scores_); }
  const OwnedRows& rows() const { return known_; }
  std::span<const float> scores() const { return scores_; }

 private:
  // Planes of one number a row.
  Status collect(std::span<const float> own, std::size_t planes, std::vector<float>& out) {
    MR_TRY(all, ranks_.collective.gather(bytes_of<float>(own)));
    if (!root()) return {};
    out.resize(ranks_.all * planes);
    for (std::size_t r = 0; r < all.size(); ++r) {
      const std::size_t n = all[r].size() / sizeof(float) / planes;
      std::size_t local = 0;
      for (std::size_t s = 0; s < places_[r].size(); s += 2) {
        const std::size_t count = places_[r][s], number = places_[r][s + 1];
        if (local + count > n || number + count > ranks_.all)
          return fail(ErrorCode::Internal, "the ranks do not have the same rows");
        for (std::size_t p = 0; p < planes; ++p)
          std::memcpy(out.data() + p * ranks_.all + number, all[r].data() + (p * n + local) * sizeof(float),
                      count * sizeof(float));
        local += count;
      }
    }
    return {};
  }

  const RankRows& ranks_;
  const OwnedRows& own_;
  const std::size_t outputs_;
  OwnedRows known_{Dataset()};
  std::vector<std::vector<std::uint64_t>> places_;
  std::vector<float> scores_;
};

// What early stopping knows, and how far a linear model is.
struct Best {
  std::int64_t round = 0, linear_rounds = 0;
  std::optional<double> value;
  std::map<std::string, double> metrics;
};

constexpr std::int64_t kShownRounds = 10;  // between rounds that are shown unless more are asked for

void show_round(const TensorTap& tap, std::int64_t round, const trees::Booster& booster,
                const OwnedRows& rows, std::span<const float> planes) {
  const std::size_t n = rows.y.size(), k = booster.ensemble().outputs;
  std::vector<float> predictions(n * k);
  for (std::size_t i = 0; i < n; ++i) {
    float* const row = predictions.data() + i * k;
    for (std::size_t c = 0; c < k; ++c) row[c] = planes[c * n + i];
    booster.objective().transform(row, k);
  }
  std::vector<Tensor> tensors = {{"predictions", "predictions", predictions, k},
                                 {"labels", "labels", rows.y}};
  std::vector<std::vector<float>> importances;
  importances.reserve(2);
  for (const char* kind : {"total_gain", "weight"}) {
    const auto found = trees::feature_importance(booster.ensemble(), kind);
    if (!found) continue;
    importances.emplace_back(found->begin(), found->end());
    tensors.push_back({"feature_importance", std::string("feature_importance/") + kind, importances.back()});
  }
  tap.show(round, tensors);
}

class Xgboost final : public Estimator {
 public:
  explicit Xgboost(XgboostSettings settings) : settings_(std::move(settings)) {}
  Result<Fitted> fit(const Dataset& train, const Dataset* validation,
                     const FitContext& context) const override;
  Result<Fitted> fit_stream(RowStream& train, const Dataset* validation,
                            const FitContext& context) const override;

 private:
  // The settings and targets; `train` may be without its values.
  Status check_settings(const Dataset& train, const Dataset* validation, std::size_t rows) const;
  Result<Fitted> boost(const Dataset& train, const Dataset* validation, const FitContext& context,
                       trees::Team& team, std::unique_ptr<trees::Bins> bins) const;
  int threads_of(const FitContext& context) const {
    return settings_.threads > 0 ? settings_.threads : std::max(1, context.threads);
  }
  Status check(const Dataset& train, const Dataset* validation) const;
  Status check_targets(std::string_view channel, const Dataset& data) const;
  void evaluate(const trees::Booster& booster, const OwnedRows& train, std::span<const float> train_scores,
                const OwnedRows* validation, std::int64_t round, trees::Team& team,
                std::vector<MetricPoint>& points, std::string& decisive) const;
  XgboostSettings settings_;
};

// A point that is not finite is not reported, and then nothing decides.
void Xgboost::evaluate(const trees::Booster& booster, const OwnedRows& train,
                       std::span<const float> train_scores, const OwnedRows* validation, std::int64_t round,
                       trees::Team& team, std::vector<MetricPoint>& points, std::string& decisive) const {
  for (const OwnedRows* rows : {&train, validation}) {
    if (rows == nullptr) continue;
    const std::string channel = rows == &train ? "train:" : "validation:";
    trees::ScoredRows scored{rows == &train ? train_scores : booster.validation_scores(),
                             rows->y,
                             rows->weights,
                             settings_.boost.objective_settings.classes,
                             {}};
    if (settings_.ranking) scored.groups = rows->groups;
    for (const XgboostMetric& metric : settings_.metrics) {
      double value =
          trees::evaluate_metric(metric.metric, booster.objective(), settings_.boost.objective, scored, team);
      if (metric.derive) value = metric.derive(value);
      decisive = channel + metric.name;
      if (std::isfinite(value)) points.push_back({decisive, value, round});
    }
  }
}

Status Xgboost::check_targets(std::string_view channel, const Dataset& data) const {
  const std::string& objective = settings_.boost.objective;
  if (settings_.binary || settings_.multi) {
    const auto classes =
        settings_.binary ? 2 : static_cast<std::int64_t>(settings_.boost.objective_settings.classes);
    return check_classes(
        channel, data, classes,
        settings_.binary
            ? "objective " + objective + " needs targets 0 and 1; for more classes use multi:softprob"
            : "num_class is " + std::to_string(classes) + "; classes are numbered from 0");
  }
  const auto rules = trees::make_objective(objective, settings_.boost.objective_settings);
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const std::string_view wrong = rules->wrong_target(data.y[i]);
    if (!wrong.empty()) {
      return invalid(std::string(channel) + ": " + row_place(data, i) + ": the target is " +
                     exact(data.y[i]) + ": a target of objective " + objective + " " + std::string(wrong));
    }
  }
  return {};
}

Status Xgboost::check(const Dataset& train, const Dataset* validation) const {
  MR_DO(check_dataset("train", train, MissingValues::Allowed));
  if (validation) MR_DO(check_validation(train, *validation, MissingValues::Allowed));
  return check_settings(train, validation, train.X.rows);
}

Status Xgboost::check_settings(const Dataset& train, const Dataset* validation, std::size_t rows) const {
  const trees::GrowSettings& grow = settings_.boost.grow;
  if (!grow.monotone.empty() && grow.monotone.size() != train.X.cols) {
    return invalid("hyperparameter 'monotone_constraints' has " + std::to_string(grow.monotone.size()) +
                   " entries, but train has " + std::to_string(train.X.cols) + " features");
  }
  for (const auto& set : grow.interactions) {
    for (const std::uint32_t feature : set) {
      if (feature >= train.X.cols)
        return invalid("hyperparameter 'interaction_constraints' names feature " + std::to_string(feature) +
                       ", but train has " + std::to_string(train.X.cols) + " features, numbered from 0");
    }
  }
  constexpr std::size_t kRowsMost = std::size_t(1) << 30;
  if (rows >= kRowsMost)
    return invalid("train: " + std::to_string(rows) + " rows; xgboost takes fewer than " +
                   std::to_string(kRowsMost));
  if (settings_.ranking) {
    MR_DO(check_queries("train", train));
    if (validation) MR_DO(check_queries("validation", *validation));
  }
  MR_DO(check_targets("train", train));
  return validation ? check_targets("validation", *validation) : Status();
}

// The model so far with what early stopping knows.
std::string checkpoint_of(const trees::Ensemble& ensemble, const Best& best) {
  trees::Ensemble with = ensemble;
  if (best.value) {
    with.attributes[std::string(kBestRound)] = std::to_string(best.round);
    with.attributes[std::string(kBestScore)] = exact(*best.value);
    for (const auto& [name, value] : best.metrics)
      with.attributes[std::string(kAtBest) + name] = exact(value);
  }
  if (best.linear_rounds > 0)
    with.attributes[std::string(kLinearRounds)] = std::to_string(best.linear_rounds);
  return trees::write_model(with);
}

// Takes them out of the attributes again.
Best best_of(trees::Ensemble& ensemble) {
  Best best;
  std::map<std::string, std::string> rest;
  for (const auto& [name, value] : ensemble.attributes) {
    const double number = parse_real(value).value_or(0);
    if (name == kBestRound)
      best.round = static_cast<std::int64_t>(number);
    else if (name == kBestScore)
      best.value = number;
    else if (name == kLinearRounds)
      best.linear_rounds = static_cast<std::int64_t>(number);
    else if (name.starts_with(kAtBest))
      best.metrics[name.substr(kAtBest.size())] = number;
    else
      rest[name] = value;
  }
  ensemble.attributes = std::move(rest);
  return best;
}

Result<Fitted> Xgboost::fit(const Dataset& train, const Dataset* validation,
                            const FitContext& context) const {
  MR_DO(check(train, validation));
  trees::Team team(threads_of(context));
  if (context.ranks == nullptr) return boost(train, validation, context, team, nullptr);
  const std::vector<float> weights(train.weights.begin(), train.weights.end());
  MR_TRY(bins, trees::bins_of_ranks(train.X, weights, settings_.boost.max_bin, *context.ranks, team));
  return boost(train, validation, context, team, std::move(bins));
}

// Three passes: the number of rows, their targets and where values are missing; the sample that cuts are
// found in; the bins. Nothing else is kept of the rows, and the model is that of rows in memory.
Result<Fitted> Xgboost::fit_stream(RowStream& train, const Dataset* validation,
                                   const FitContext& context) const {
  if (settings_.boost.booster == trees::Ensemble::Booster::Linear)
    return invalid("booster gblinear does not train on a stream", "use the input mode File");
  StreamPasses passes(train, DataNeeds{.missing = true});
  Dataset known = train.head();
  known.X.cols = known.feature_names.size();
  std::vector<char> missing(known.X.cols);
  MR_DO(passes.each([&](const Dataset& rows) -> Status {
    known.y.insert(known.y.end(), rows.y.begin(), rows.y.end());
    known.weights.insert(known.weights.end(), rows.weights.begin(), rows.weights.end());
    known.groups.insert(known.groups.end(), rows.groups.begin(), rows.groups.end());
    for (std::size_t k = 0; k < rows.X.values.size(); ++k)
      missing[k % known.X.cols] |= static_cast<char>(rows.X.values[k] != rows.X.values[k]);
    return {};
  }));
  if (validation) {
    MR_DO(check_dataset("validation", *validation, MissingValues::Allowed));
    MR_DO(check_same_features("validation", known, *validation));
  }
  const auto n = static_cast<std::size_t>(passes.rows());
  MR_DO(check_settings(known, validation, n));

  const std::vector<std::size_t> numbers = trees::Bins::sampled_rows(n);
  Matrix sample(numbers.size(), known.X.cols);
  std::vector<float> sample_weights;
  std::size_t taken = 0;
  MR_DO(passes.each([&](const Dataset& rows) -> Status {
    const auto first = static_cast<std::size_t>(rows.first_row);
    for (; taken < numbers.size() && numbers[taken] < first + rows.X.rows; ++taken) {
      const std::size_t i = numbers[taken] - first;
      std::copy_n(rows.X.values.data() + i * sample.cols, sample.cols,
                  sample.values.data() + taken * sample.cols);
      if (!rows.weights.empty()) sample_weights.push_back(static_cast<float>(rows.weights[i]));
    }
    return {};
  }));
  trees::Team team(threads_of(context));
  auto bins =
      std::make_unique<trees::Bins>(n, sample, sample_weights, missing, settings_.boost.max_bin, team);
  sample = Matrix();
  MR_DO(passes.each([&](const Dataset& rows) -> Status {
    bins->fill_rows(static_cast<std::size_t>(rows.first_row), rows.X, team);
    return {};
  }));
  return boost(known, validation, context, team, std::move(bins));
}

// The first rank knows the metrics: it says which round is the best and whether to go on.
Status agree(const RankRows& ranks, std::int64_t& best_round, bool& stop) {
  std::int64_t said[] = {ranks.collective.rank() == 0 ? best_round : 0,
                         ranks.collective.rank() == 0 && stop ? 1 : 0};
  MR_DO(ranks.collective.sum(said));
  best_round = said[0], stop = said[1] != 0;
  return {};
}

Result<Fitted> Xgboost::boost(const Dataset& train, const Dataset* validation, const FitContext& context,
                              trees::Team& team, std::unique_ptr<trees::Bins> bins) const {
  const OwnedRows train_rows(train);
  std::optional<OwnedRows> validation_rows;
  if (validation) validation_rows.emplace(*validation);
  const trees::ChannelRows rows{train.X, train_rows.y, train_rows.weights, train_rows.groups};
  trees::ChannelRows other;
  if (validation)
    other = {validation->X, validation_rows->y, validation_rows->weights, validation_rows->groups};

  trees::BoostSettings settings = settings_.boost;
  if (!settings_.seed_given) settings.seed = context.seed % 2147483648u;
  std::optional<trees::Ensemble> start;
  Best best;
  std::int64_t first = 0;
  const bool linear = settings.booster == trees::Ensemble::Booster::Linear;
  std::string resume_from(context.resume_from), start_from(context.start_from);
  if (context.ranks) {
    MR_DO(context.ranks->collective.broadcast(resume_from));
    MR_DO(context.ranks->collective.broadcast(start_from));
  }
  if (!resume_from.empty() || !start_from.empty()) {
    MR_TRY(read, trees::read_model(resume_from.empty() ? start_from : resume_from));
    start = std::move(read);
    Best known = best_of(*start);
    if (!resume_from.empty())
      best = std::move(known),
      first = linear ? best.linear_rounds : static_cast<std::int64_t>(start->rounds());
  }
  const std::int64_t before = start && resume_from.empty() ? static_cast<std::int64_t>(start->rounds()) : 0;
  MR_TRY(booster,
         trees::Booster::make(settings, rows, validation ? &other : nullptr, start ? &*start : nullptr,
                              train.feature_names, team, std::move(bins), context.ranks));
  std::optional<GatheredRows> gathered;
  if (context.ranks) {
    gathered.emplace(*context.ranks, train_rows, settings.objective_settings.classes);
    MR_DO(gathered->meet());
  }
  const bool root = !gathered || gathered->root();
  // Metrics of what there is now; of ranks at the first alone.
  const auto judge = [&](std::int64_t round, std::vector<MetricPoint>& points,
                         std::string& decisive) -> Status {
    if (gathered) MR_DO(gathered->take(booster->train_scores()));
    if (root)
      evaluate(*booster, gathered ? gathered->rows() : train_rows,
               gathered ? gathered->scores() : booster->train_scores(),
               validation ? &*validation_rows : nullptr, round, team, points, decisive);
    return {};
  };

  std::int64_t done = first;
  std::vector<MetricPoint> latest;
  bool stop = settings_.patience > 0 && best.value && first - 1 - best.round >= settings_.patience;
  for (std::int64_t round = first; round < settings_.rounds && !stop; ++round) {
    if (context.cancelled && context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    MR_DO(booster->round(context.cancelled));
    done = round + 1;
    latest.clear();
    std::string decisive;
    MR_DO(judge(round, latest, decisive));
    Progress progress;
    progress.phase = "Training", progress.round = done, progress.rounds = settings_.rounds;
    bool improved = !best.value;
    for (const MetricPoint& point : latest) {
      if (context.metric) context.metric(point);
      if (context.stop_early && context.stop_early(point)) stop = true;
      if (point.name != decisive) continue;
      progress.metric = point.name, progress.value = point.value;
      if (best.value)
        improved = larger_is_better(point.name) ? point.value > *best.value : point.value < *best.value;
      if (improved) best.value = point.value;
    }
    const bool last = stop || done == settings_.rounds;
    if (context.tensors && context.tensors->wants(round, round % kShownRounds == 0 || last))
      show_round(*context.tensors, round, *booster, validation ? *validation_rows : train_rows,
                 validation ? booster->validation_scores() : booster->train_scores());
    if (context.progress) context.progress(progress);
    if (improved) {
      best.round = round, best.metrics.clear();
      for (const MetricPoint& point : latest) best.metrics[point.name] = point.value;
    }
    if (settings_.patience > 0 && round - best.round >= settings_.patience) stop = true;
    if (context.ranks) MR_DO(agree(*context.ranks, best.round, stop));
    if (linear) best.linear_rounds = done;
    if (root && checkpoint_due(context, done)) context.checkpoint(checkpoint_of(booster->ensemble(), best));
  }

  if (done == first && done > 0) {  // a checkpoint of the last round
    std::string decisive;
    MR_DO(judge(done - 1, latest, decisive));
  }
  Fitted fitted;
  fitted.rounds = settings_.patience > 0 ? best.round + 1 : done;
  if (settings_.patience > 0) fitted.metrics = std::move(best.metrics);
  for (const MetricPoint& point : latest) {
    if (settings_.patience == 0) fitted.metrics[point.name] = point.value;
  }
  fitted.model = xgboost_model(booster->take(static_cast<std::size_t>(before + fitted.rounds)));
  return fitted;
}

}  // namespace

RankUse xgboost_ranks(const HyperParameters& parameters) {
  const auto value = [&](const char* name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
  };
  const bool alone = value("objective").starts_with("rank:") || value("booster") == "gblinear";
  return alone ? RankUse::None : RankUse::Rows;
}

Result<std::unique_ptr<const Estimator>> make_xgboost(const HyperParameters& parameters) {
  MR_DO(check_against_rules("xgboost", xgboost_rules(), parameters));
  MR_TRY(settings, xgboost_settings(parameters));
  return std::unique_ptr<const Estimator>(new Xgboost(std::move(settings)));
}

}  // namespace millrace::tasks
