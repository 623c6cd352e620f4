#include "tasks/recommend/recommend.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "tasks/recommend/recommend_model.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {
namespace {

using enum HyperParameterRule::Type;

constexpr std::size_t kAsked = 25;            // items that each test user is recommended
constexpr std::size_t kCuts[] = {5, 10, 25};  // of the metrics
constexpr std::uint64_t kTestUsersOf = 10;    // one user of so many
constexpr std::size_t kTestUsersMax = 20'000;
constexpr std::int64_t kFactorsImplicit = 32, kFactorsExplicit = 4;
constexpr double kRegularizationImplicit = 1, kRegularizationExplicit = 1;
// Of events with regularization auto: tried from the middle one on upwards, else downwards, as long as what
// was held back is found better.
constexpr double kRegularizations[] = {0.1, 1, 5, 20, 60, 180, 600};
constexpr std::size_t kRegularizationMiddle = 3;
constexpr int kChoosingIterations = 8;
constexpr std::size_t kChoosingUsers = 500;       // at least so many are asked about, of those there are
constexpr double kExplicitFactorShrinkage = 0.3;  // regularization of factors of ratings

constexpr HyperParameterRule kAlsRules[] = {
    {"predictor", Choice, "implicit", 0, 0, "implicit|explicit", false,
     "implicit: events; explicit: EVENT_VALUE is a rating"},
    {"factors", Integer, "auto", 0, 1000, "auto", false,
     "numbers of a user and an item; auto: 32, explicit 4"},
    {"iterations", Integer, "15", 1, 1000, "", false, "of alternating least squares"},
    {"regularization", Real, "auto", 0, 1e6, "auto", false,
     "auto: by events held back, from 0.1 to 600; explicit 1, times the usual shrinkage"},
    {"alpha", Real, "10", 0, 1e6, "", false, "implicit: confidence of a pair is 1 + alpha * value"},
    {"context_columns", Text, "", 0, 0, "", false,
     "explicit: columns of the surroundings, with commas between"},
    {"event_value_threshold", Real, "-1e300", -1e300, 1e300, "", false,
     "implicit: events of less do not count"},
    {"evaluate", Boolean, "true", 0, 0, "", false,
     "hold events back for metrics when there is no channel test"},
    {"user_column", Text, "USER_ID", 0, 0, "", false, "column of users"},
    {"item_column", Text, "ITEM_ID", 0, 0, "", false, "column of items"},
    {"timestamp_column", Text, "TIMESTAMP", 0, 0, "", false, "column of times, if there is one"},
    {"value_column", Text, "EVENT_VALUE", 0, 0, "", false,
     "column of values, if there is one; `target` names it, too"},
};

constexpr HyperParameterRule kSimilarityRules[] = {
    {"similarity", Choice, "cosine", 0, 0, "cosine|co-occurrence", false, "how items are compared"},
    {"neighbours", Integer, "100", 1, 10'000, "", false, "similar items that are kept of each"},
    {"shrinkage", Real, "10", 0, 1e6, "", false, "cosine: users in common that make half of it"},
    {"event_value_threshold", Real, "-1e300", -1e300, 1e300, "", false, "events of less do not count"},
    {"evaluate", Boolean, "true", 0, 0, "", false,
     "hold events back for metrics when there is no channel test"},
    {"user_column", Text, "USER_ID", 0, 0, "", false, "column of users"},
    {"item_column", Text, "ITEM_ID", 0, 0, "", false, "column of items"},
    {"timestamp_column", Text, "TIMESTAMP", 0, 0, "", false, "column of times, if there is one"},
    {"value_column", Text, "EVENT_VALUE", 0, 0, "", false,
     "column of values, if there is one; `target` names it, too"},
};

constexpr HyperParameterRule kPopularityRules[] = {
    {"event_value_threshold", Real, "-1e300", -1e300, 1e300, "", false, "events of less do not count"},
    {"evaluate", Boolean, "true", 0, 0, "", false,
     "hold events back for metrics when there is no channel test"},
    {"user_column", Text, "USER_ID", 0, 0, "", false, "column of users"},
    {"item_column", Text, "ITEM_ID", 0, 0, "", false, "column of items"},
    {"timestamp_column", Text, "TIMESTAMP", 0, 0, "", false, "column of times, if there is one"},
    {"value_column", Text, "EVENT_VALUE", 0, 0, "", false,
     "column of values, if there is one; `target` names it, too"},
};

#define MR_RANKING_METRICS(part)                                                                            \
  part ":normalized_discounted_cumulative_gain_at_25", part ":normalized_discounted_cumulative_gain_at_10", \
      part ":normalized_discounted_cumulative_gain_at_5", part ":mean_reciprocal_rank_at_25",               \
      part ":precision_at_25", part ":precision_at_10", part ":precision_at_5", part ":coverage"
constexpr std::string_view kAlsMetrics[] = {MR_RANKING_METRICS("validation"), MR_RANKING_METRICS("test"),
                                            "test:rmse", "test:mae", "train:rmse"};
constexpr std::string_view kSimilarityMetrics[] = {MR_RANKING_METRICS("validation"),
                                                   MR_RANKING_METRICS("test")};
#undef MR_RANKING_METRICS

// What each test user should have been recommended.
struct Truth {
  std::vector<std::pair<std::uint32_t, std::set<std::uint32_t>>> users;
};

class RecommendFit {
 public:
  RecommendFit(std::string algorithm, std::span<const HyperParameterRule> rules,
               const HyperParameters& parameters, const ObjectChannels& data, const FitContext& context)
      : algorithm_(std::move(algorithm)), read_(rules, parameters), data_(data), context_(context) {}
  Result<Fitted> run();

 private:
  bool als() const { return algorithm_ == "als"; }
  bool ratings() const { return als() && read_.text("predictor") == "explicit"; }
  Status read_columns();
  Status check_values(const Interactions& interactions, const std::string& channel) const;
  Result<std::unique_ptr<const RecommendModel>> fit(const Interactions& interactions, bool report_progress);
  Status fit_ratings(const Interactions& interactions, RecommendState& state, bool report_progress);
  FactorSettings factor_settings(bool report_progress);
  std::pair<Interactions, Truth> hold_back(const Interactions& interactions, std::uint64_t one_of) const;
  Status choose_regularization(const Interactions& interactions);
  Result<std::map<std::string, double>> ranking_metrics(const RecommendModel& model,
                                                        const Truth& truth) const;
  Truth truth_of(const Interactions& test, const Interactions& train) const;
  Status evaluate(const RecommendModel& model, const Truth& truth, const std::string& part);
  Status test(const RecommendModel& model, const Interactions& train);
  void report(const std::string& name, double value) {
    metrics_[name] = value;
    if (context_.metric) context_.metric({name, value, 0});
  }
  bool cancelled() const { return context_.cancelled && context_.cancelled(); }

  const std::string algorithm_;
  const ParameterReader read_;
  const ObjectChannels& data_;
  const FitContext& context_;
  InteractionColumns columns_;
  std::map<std::string, double> metrics_;
  double regularization_ = kRegularizationImplicit;  // of events; chosen unless it is given
  bool choosing_ = false;
};

Status RecommendFit::read_columns() {
  columns_.user = read_.text("user_column"), columns_.item = read_.text("item_column");
  columns_.time = read_.text("timestamp_column");
  columns_.value = data_.target.empty() ? std::string(read_.text("value_column")) : data_.target;
  columns_.value_required = ratings();
  if (!als()) return {};
  std::string_view rest = read_.text("context_columns");
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    std::string_view name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty()) columns_.context.emplace_back(name);
  }
  return {};
}

Status RecommendFit::check_values(const Interactions& interactions, const std::string& channel) const {
  if (ratings()) return {};
  for (std::size_t i = 0; i < interactions.events.size(); ++i)
    if (interactions.events[i].value < 0)
      return invalid(channel + ": row " + std::to_string(i + 1) + ", column '" + columns_.value +
                         "': the value of an event is negative",
                     als() ? "ratings are learnt with predictor explicit"
                           : "leave the column out, or give values of at least 0");
  return {};
}

FactorSettings RecommendFit::factor_settings(bool report_progress) {
  FactorSettings settings;
  const bool explicit_values = ratings();
  settings.factors = static_cast<std::size_t>(
      read_.integer_or("factors", explicit_values ? kFactorsExplicit : kFactorsImplicit));
  settings.iterations = static_cast<int>(read_.integer("iterations"));
  settings.regularization =
      read_.real_or("regularization", explicit_values ? kRegularizationExplicit : regularization_);
  if (choosing_) settings.iterations = std::min(settings.iterations, kChoosingIterations);
  if (explicit_values) settings.regularization *= kExplicitFactorShrinkage;
  settings.alpha = explicit_values ? -1 : read_.real("alpha");
  settings.threads = context_.threads;
  settings.cancelled = context_.cancelled;
  if (report_progress) settings.checkpoints = &context_;  // of the model that is kept
  if (report_progress && context_.progress)
    settings.progress = [this, iterations = settings.iterations](int iteration) {
      Progress progress;
      progress.phase = "Training", progress.round = iteration + 1, progress.rounds = iterations;
      context_.progress(progress);
    };
  return settings;
}

Status RecommendFit::fit_ratings(const Interactions& interactions, RecommendState& state,
                                 bool report_progress) {
  state.ratings = true;
  std::vector<double> rest;
  state.effects =
      fit_rating_effects(interactions, read_.real_or("regularization", kRegularizationExplicit), &rest);
  std::vector<PairValue> left;
  double squares = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    left.push_back({interactions.events[i].user, interactions.events[i].item, rest[i]});
    squares += rest[i] * rest[i];
  }
  report("train:rmse", std::sqrt(squares / static_cast<double>(left.size())));
  const FactorSettings settings = factor_settings(report_progress);
  if (settings.factors == 0) return {};
  const PairMatrix by_user = pair_matrix(state.users.size(), std::move(left), true);
  MR_TRY(factors, alternate_least_squares(by_user, transposed(by_user, state.items.size()), settings,
                                          Random(context_.seed).derive("factors")));
  state.factors = std::move(factors);
  return {};
}

Result<std::unique_ptr<const RecommendModel>> RecommendFit::fit(const Interactions& interactions,
                                                                bool report_progress) {
  RecommendState state;
  state.algorithm = algorithm_, state.columns = columns_;
  state.users = interactions.users, state.items = interactions.items;
  std::vector<PairValue> pairs;
  state.popularity.assign(state.items.size(), 0.0);
  const double threshold = ratings() ? -1e300 : read_.real("event_value_threshold");
  for (const Interaction& event : interactions.events) {
    if (event.value < threshold) continue;
    pairs.push_back({event.user, event.item, event.value});
    state.popularity[event.item] += 1;
  }
  if (pairs.empty()) return invalid("train: no event has a value of event_value_threshold or more");
  for (double& share : state.popularity) share /= static_cast<double>(pairs.size());
  PairMatrix by_user = pair_matrix(state.users.size(), std::move(pairs));
  if (ratings()) {
    MR_DO(fit_ratings(interactions, state, report_progress));
  } else if (als()) {
    const FactorSettings settings = factor_settings(report_progress);
    MR_TRY(factors, alternate_least_squares(by_user, transposed(by_user, state.items.size()), settings,
                                            Random(context_.seed).derive("factors")));
    state.factors = std::move(factors);
    state.alpha = settings.alpha, state.regularization = settings.regularization;
  } else if (algorithm_ == "item-similarity") {
    const Similarity kind =
        read_.text("similarity") == "cosine" ? Similarity::Cosine : Similarity::CoOccurrence;
    MR_TRY(neighbours,
           similar_items(by_user, transposed(by_user, state.items.size()), kind, read_.real("shrinkage"),
                         static_cast<std::size_t>(read_.integer("neighbours")), context_.threads,
                         context_.cancelled));
    state.neighbours = std::move(neighbours);
  }
  state.seen = std::move(by_user);
  return std::make_unique<const RecommendModel>(std::move(state));
}

// One of so many of the users with two events or more loses the last tenth of them, at least one.
std::pair<Interactions, Truth> RecommendFit::hold_back(const Interactions& interactions,
                                                       std::uint64_t one_of) const {
  std::vector<std::vector<std::size_t>> of_user(interactions.users.size());
  for (std::size_t i = 0; i < interactions.events.size(); ++i)
    of_user[interactions.events[i].user].push_back(i);
  std::vector<bool> held(interactions.events.size(), false);
  Truth truth;
  for (std::uint32_t user = 0; user < of_user.size() && truth.users.size() < kTestUsersMax; ++user) {
    std::vector<std::size_t>& events = of_user[user];
    if (events.size() < 2 || hash64(interactions.users[user], context_.seed) % one_of != 0) continue;
    std::ranges::stable_sort(events, {}, [&](std::size_t i) { return interactions.events[i].time; });
    const std::size_t count = std::max<std::size_t>(1, events.size() / 10);
    std::set<std::uint32_t> items, before;
    for (std::size_t i = 0; i + count < events.size(); ++i)
      before.insert(interactions.events[events[i]].item);
    for (std::size_t i = events.size() - count; i < events.size(); ++i) {
      held[events[i]] = true;
      const std::uint32_t item = interactions.events[events[i]].item;
      if (!before.contains(item)) items.insert(item);  // what he knows is not recommended
    }
    if (!items.empty()) truth.users.emplace_back(user, std::move(items));
  }
  Interactions rest = interactions;
  rest.events.clear();
  for (std::size_t i = 0; i < held.size(); ++i)
    if (!held[i]) rest.events.push_back(interactions.events[i]);
  return {std::move(rest), std::move(truth)};
}

Truth RecommendFit::truth_of(const Interactions& test, const Interactions& train) const {
  std::map<std::uint32_t, std::set<std::uint32_t>> by_user, seen;
  for (const Interaction& event : train.events) seen[event.user].insert(event.item);
  for (const Interaction& event : test.events) {
    const std::int64_t user = place_of(train.users, test.users[event.user]),
                       item = place_of(train.items, test.items[event.item]);
    if (user < 0 || item < 0 ||
        seen[static_cast<std::uint32_t>(user)].contains(static_cast<std::uint32_t>(item)))
      continue;
    by_user[static_cast<std::uint32_t>(user)].insert(static_cast<std::uint32_t>(item));
  }
  Truth truth;
  for (auto& entry : by_user)
    if (truth.users.size() < kTestUsersMax) truth.users.emplace_back(entry.first, std::move(entry.second));
  return truth;
}

Result<std::map<std::string, double>> RecommendFit::ranking_metrics(const RecommendModel& model,
                                                                    const Truth& truth) const {
  double precision[std::size(kCuts)] = {}, gain[std::size(kCuts)] = {}, reciprocal = 0;
  std::set<std::uint32_t> recommended;
  std::size_t items = 0;
  for (const auto& [user, wanted] : truth.users) {
    if (cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    const std::vector<bool> allowed = model.unseen_items(user);
    items = allowed.size();
    const std::vector<std::uint32_t> asked =
        RecommendModel::best_items(model.user_scores(user), allowed, kAsked);
    recommended.insert(asked.begin(), asked.end());
    bool found = false;
    for (std::size_t c = 0; c < std::size(kCuts); ++c) {
      double hits = 0, discounted = 0, ideal = 0;
      for (std::size_t rank = 0; rank < kCuts[c]; ++rank) {
        const double discount = 1 / std::log2(static_cast<double>(rank) + 2);
        if (rank < wanted.size()) ideal += discount;
        if (rank >= asked.size() || !wanted.contains(asked[rank])) continue;
        ++hits, discounted += discount;
        if (!found && kCuts[c] == kAsked) reciprocal += 1 / static_cast<double>(rank + 1), found = true;
      }
      precision[c] += hits / static_cast<double>(kCuts[c]), gain[c] += discounted / ideal;
    }
  }
  std::map<std::string, double> out;
  if (truth.users.empty()) return out;
  const double users = static_cast<double>(truth.users.size());
  for (std::size_t c = 0; c < std::size(kCuts); ++c) {
    const std::string cut = std::to_string(kCuts[c]);
    out["precision_at_" + cut] = precision[c] / users;
    out["normalized_discounted_cumulative_gain_at_" + cut] = gain[c] / users;
  }
  out["mean_reciprocal_rank_at_25"] = reciprocal / users;
  out["coverage"] = static_cast<double>(recommended.size()) / static_cast<double>(items);
  return out;
}

Status RecommendFit::evaluate(const RecommendModel& model, const Truth& truth, const std::string& part) {
  MR_TRY(metrics, ranking_metrics(model, truth));
  for (const auto& [name, value] : metrics) report(part + ":" + name, value);
  return {};
}

// How much the factors are held back decides between what all have in common and what only few show; by the
// gain on the last events of users, it depends on the data by factors of a thousand.
Status RecommendFit::choose_regularization(const Interactions& interactions) {
  const auto [rest, truth] = hold_back(
      interactions, std::clamp<std::uint64_t>(interactions.users.size() / kChoosingUsers, 1, kTestUsersOf));
  if (truth.users.empty() || rest.events.empty()) return {};
  choosing_ = true;
  double best = -1;
  const auto is_better = [&](std::size_t place) -> Result<bool> {
    const double before = std::exchange(regularization_, kRegularizations[place]);
    MR_TRY(model, fit(rest, false));
    MR_TRY(metrics, ranking_metrics(*model, truth));
    const double gain = metrics["normalized_discounted_cumulative_gain_at_25"];
    if (!(gain > best)) {
      regularization_ = before;
      return false;
    }
    best = gain;
    return true;
  };
  MR_DO(is_better(kRegularizationMiddle));
  bool upwards = false;
  for (std::size_t place = kRegularizationMiddle + 1; place < std::size(kRegularizations); ++place) {
    MR_TRY(better, is_better(place));
    if (!better) break;
    upwards = true;
  }
  for (std::size_t place = kRegularizationMiddle; !upwards && place-- > 0;) {
    MR_TRY(better, is_better(place));
    if (!better && best > 0) break;
  }
  choosing_ = false;
  return {};
}

Status RecommendFit::test(const RecommendModel& model, const Interactions& train) {
  MR_TRY(test, read_interactions(*data_.other, columns_));
  MR_DO(check_values(test, "test"));
  if (!ratings()) return evaluate(model, truth_of(test, train), "test");
  double squares = 0, absolute = 0;
  std::vector<std::string> context(columns_.context.size());
  for (std::size_t i = 0; i < test.events.size(); ++i) {
    if (i % 4096 == 0 && cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    const Interaction& event = test.events[i];
    for (std::size_t c = 0; c < context.size(); ++c) context[c] = test.context[c][i];
    const double error =
        event.value - model.pair_score(test.users[event.user], test.items[event.item], context);
    squares += error * error, absolute += std::abs(error);
  }
  const double n = static_cast<double>(test.events.size());
  report("test:rmse", std::sqrt(squares / n)), report("test:mae", absolute / n);
  return {};
}

Result<Fitted> RecommendFit::run() {
  MR_DO(read_columns());
  MR_TRY(interactions, read_interactions(data_.train, columns_));
  MR_DO(check_values(interactions, "train"));
  if (als() && !ratings() && read_.is_auto("regularization")) MR_DO(choose_regularization(interactions));
  if (!data_.other && !ratings() && read_.boolean("evaluate")) {
    const auto [rest, truth] = hold_back(interactions, kTestUsersOf);
    if (!truth.users.empty() && !rest.events.empty()) {
      MR_TRY(model, fit(rest, false));
      MR_DO(evaluate(*model, truth, "validation"));
    }
  }
  MR_TRY(model, fit(interactions, true));
  if (data_.other) MR_DO(test(*model, interactions));
  Fitted fitted;
  fitted.rounds = als() ? read_.integer("iterations") : 1;
  fitted.metrics = std::move(metrics_);
  fitted.model = std::move(model);
  return fitted;
}

Status check_als(const HyperParameters& parameters) {
  const ParameterReader read(kAlsRules, parameters);
  const bool ratings = read.text("predictor") == "explicit";
  if (!ratings && !read.is_auto("factors") && read.integer("factors") == 0)
    return invalid("hyperparameter 'factors' is 0: expected at least 1 unless predictor is explicit");
  if (!ratings && read.given("context_columns"))
    return invalid("hyperparameter 'context_columns' is for predictor explicit");
  return {};
}

Status check_similarity(const HyperParameters&) {
  return {};
}

Result<Fitted> fit_als(const HyperParameters& parameters, const ObjectChannels& data,
                       const FitContext& context) {
  return RecommendFit("als", kAlsRules, parameters, data, context).run();
}
Result<Fitted> fit_similarity(const HyperParameters& parameters, const ObjectChannels& data,
                              const FitContext& context) {
  return RecommendFit("item-similarity", kSimilarityRules, parameters, data, context).run();
}

Result<Fitted> fit_popularity(const HyperParameters& parameters, const ObjectChannels& data,
                              const FitContext& context) {
  return RecommendFit("popularity-count", kPopularityRules, parameters, data, context).run();
}

constexpr OwnForm kAlsForm{check_als, fit_als, "text/csv", "test"};
constexpr OwnForm kSimilarityForm{check_similarity, fit_similarity, "text/csv", "test"};
constexpr OwnForm kPopularityForm{check_similarity, fit_popularity, "text/csv", "test"};

}  // namespace

std::span<const HyperParameterRule> als_rules() {
  return kAlsRules;
}
std::span<const std::string_view> als_metrics() {
  return kAlsMetrics;
}
const OwnForm& als_form() {
  return kAlsForm;
}
std::span<const HyperParameterRule> item_similarity_rules() {
  return kSimilarityRules;
}
std::span<const std::string_view> item_similarity_metrics() {
  return kSimilarityMetrics;
}
const OwnForm& item_similarity_form() {
  return kSimilarityForm;
}

std::span<const HyperParameterRule> popularity_count_rules() {
  return kPopularityRules;
}
const OwnForm& popularity_count_form() {
  return kPopularityForm;
}

}  // namespace millrace::tasks
