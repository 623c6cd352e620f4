#include "tasks/trees/boost.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "tasks/trees/bin_predict.h"
#include "tasks/trees/math.h"
#include "tasks/trees/predict.h"

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kRowGrain = 16384;

// The middle of values with weights; of two middles their mean.
double weighted_middle(std::vector<std::pair<float, float>>& values) {
  std::ranges::sort(values);
  double total = 0;
  for (const auto& [value, weight] : values) total += double(weight);
  double below = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    below += double(values[k].second);
    if (below * 2 < total) continue;
    if (below * 2 > total || k + 1 == values.size()) return double(values[k].first);
    return (double(values[k].first) + double(values[k + 1].first)) / 2;
  }
  return 0;
}

std::string booster_name_of(Ensemble::Booster booster) {
  return booster == Ensemble::Booster::Trees  ? "gbtree"
         : booster == Ensemble::Booster::Dart ? "dart"
                                              : "gblinear";
}

}  // namespace

Booster::Booster(BoostSettings settings, const ChannelRows& train, const ChannelRows* validation, Team& team)
    : settings_(std::move(settings)), train_(train), has_validation_(validation != nullptr), team_(team) {
  if (validation) validation_ = *validation;
}

Booster::~Booster() = default;

Result<std::unique_ptr<Booster>> Booster::make(BoostSettings settings, const ChannelRows& train,
                                               const ChannelRows* validation, const Ensemble* start,
                                               std::vector<std::string> feature_names, Team& team,
                                               std::unique_ptr<Bins> bins, const RankRows* ranks) {
  std::unique_ptr<Booster> booster(new Booster(std::move(settings), train, validation, team));
  // With ranks the values are there as well.
  booster->binned_ = bins != nullptr && train.X.data == nullptr, booster->bins_ = std::move(bins);
  booster->ranks_ = ranks;
  MR_DO(booster->begin(start, std::move(feature_names)));
  return booster;
}

Status Booster::begin(const Ensemble* start, std::vector<std::string> feature_names) {
  objective_ = make_objective(settings_.objective, settings_.objective_settings);
  MR_CHECK(objective_, "the objective was checked");
  Ensemble& e = ensemble_;
  if (start) {
    e = *start;
    if (e.booster != settings_.booster)
      return invalid("the model to continue is a " + booster_name_of(e.booster) + " model, not " +
                     booster_name_of(settings_.booster));
    if (e.objective != settings_.objective)
      return invalid("the model to continue was trained with objective " + e.objective + ", not " +
                     settings_.objective);
    if (e.features != train_.X.cols || e.outputs != settings_.objective_settings.classes)
      return invalid("the model to continue has " + std::to_string(e.features) + " features and " +
                     std::to_string(e.outputs) + " outputs; these data have " +
                     std::to_string(train_.X.cols) + " and " +
                     std::to_string(settings_.objective_settings.classes));
    if (e.booster != Ensemble::Booster::Linear && e.parallel_trees != settings_.parallel_trees)
      return invalid("the model to continue has num_parallel_tree " + std::to_string(e.parallel_trees));
  } else {
    e.objective = settings_.objective;
    e.features = train_.X.cols, e.outputs = settings_.objective_settings.classes;
    e.booster = settings_.booster, e.parallel_trees = settings_.parallel_trees;
    e.base_score = static_cast<double>(static_cast<float>(settings_.base_score));
    if (settings_.median_base) {
      std::vector<std::uint32_t> all(train_.y.size());
      std::iota(all.begin(), all.end(), 0u);
      e.base_score = static_cast<double>(static_cast<float>(median_of(all, {})));
    }
    e.feature_names = std::move(feature_names);
    if (e.booster == Ensemble::Booster::Linear) e.linear.resize((e.features + 1) * e.outputs);
  }
  e.objective_parameters = objective_->parameters();
  if (settings_.booster != Ensemble::Booster::Linear) {
    if (!bins_) bins_ = std::make_unique<Bins>(train_.X, train_.weights, settings_.max_bin, team_);
    GrowSettings grow = settings_.grow;
    grow.learning_rate /= static_cast<double>(settings_.parallel_trees);
    grower_ = std::make_unique<Grower>(*bins_, grow, team_, ranks_);
  }
  objective_->set_groups(train_.groups, train_.y);
  pairs_.resize(train_.y.size());
  words_.resize(train_.y.size());
  MR_DO(rescore_train({}));
  if (has_validation_) rescore(validation_, validation_scores_, {});
  return rank_status();
}

Status Booster::rescore_train(const std::vector<char>& without) {
  if (!binned_) {
    rescore(train_, train_scores_, without);
    return {};
  }
  const std::size_t n = train_.y.size(), k = ensemble_.outputs;
  train_scores_.assign(n * k, static_cast<float>(objective_->base_margin(ensemble_.base_score)));
  for (std::size_t t = 0; t < ensemble_.trees.size(); ++t) {
    if (t < without.size() && without[t]) continue;
    const BinnedTree tree(ensemble_.trees[t], *bins_);
    if (!tree.fits())
      return invalid("the model to continue was trained on other rows: these are known by their bins alone");
    add_binned(tree, ensemble_.tree_weight.empty() ? 1 : ensemble_.tree_weight[t], {}, n,
               train_scores_.data() + ensemble_.tree_output[t] * n, team_);
  }
  return {};
}

// Scores from the beginning, without the trees marked.
void Booster::rescore(const ChannelRows& rows, std::vector<float>& scores,
                      const std::vector<char>& without) const {
  const std::size_t n = rows.y.size(), k = ensemble_.outputs;
  const double base = objective_->base_margin(ensemble_.base_score);
  scores.assign(n * k, static_cast<float>(base));
  if (ensemble_.booster == Ensemble::Booster::Linear) {
    const Predictor none;
    team_.blocks(n, kRowGrain, [&](std::size_t begin, std::size_t end, int) {
      std::vector<float> out((end - begin) * k);
      margins_of(ensemble_, none, base, rows.X.slice(begin, end - begin), out.data());
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t c = 0; c < k; ++c) scores[c * n + i] = out[(i - begin) * k + c];
      }
    });
    return;
  }
  for (std::size_t t = 0; t < ensemble_.trees.size();) {
    if (t < without.size() && without[t]) {
      ++t;
      continue;
    }
    std::size_t end = t + 1;
    while (end < ensemble_.trees.size() && !(end < without.size() && without[end])) ++end;
    const Predictor part(ensemble_, t, end);
    team_.blocks(n, kRowGrain, [&](std::size_t begin, std::size_t last, int) {
      part.add(rows.X.slice(begin, last - begin), scores.data() + begin, 1, n);
    });
    t = end;
  }
}

// The median of the targets, or of what is left of them, of some rows.
double Booster::median_of(std::span<const std::uint32_t> rows, std::span<const float> scores) const {
  std::vector<std::pair<float, float>> values;
  values.reserve(rows.size());
  for (const std::uint32_t i : rows) {
    values.emplace_back(scores.empty() ? train_.y[i] : train_.y[i] - scores[i],
                        train_.weights.empty() ? 1.0f : train_.weights[i]);
  }
  if (ranks_) {
    auto all = ranks_->collective.all_gather(bytes_of<std::pair<float, float>>(values));
    if (!all) return 0;  // which rank_status() says
    values.clear();
    for (const std::string& part : *all) {
      const std::size_t first = values.size();
      values.resize(first + part.size() / sizeof values[0]);
      std::ranges::copy(part, room_of<std::pair<float, float>>(std::span(values).subspan(first)).begin());
    }
  }
  return weighted_middle(values);
}

Status Booster::rank_status() const {
  return ranks_ ? ranks_->collective.status() : Status();
}

void Booster::gradients_of(std::size_t output) {
  team_.blocks(pairs_.size(), kRowGrain, [&](std::size_t begin, std::size_t end, int) {
    objective_->gradients(output, begin, end, train_scores_, train_.y, train_.weights, pairs_.data() + begin);
  });
}

// The rows of a tree: each by its number alone.
void Booster::draw_rows(std::uint64_t key) {
  const auto n = static_cast<std::uint32_t>(train_.y.size());
  rows_.clear(), others_.clear();
  if (settings_.subsample >= 1) {
    rows_.resize(n);
    std::iota(rows_.begin(), rows_.end(), 0u);
    return;
  }
  const auto salt = static_cast<std::uint32_t>(key);
  const auto below = static_cast<std::uint64_t>(settings_.subsample * 4294967296.0);
  const auto draw = [&](std::size_t first, std::size_t count, std::size_t number) {
    for (std::size_t i = 0; i < count; ++i) {
      const bool drawn = row_hash(static_cast<std::uint32_t>(number + i), salt) < below;
      (drawn ? rows_ : others_).push_back(static_cast<std::uint32_t>(first + i));
    }
  };
  if (ranks_)
    ranks_->each(0, n, draw);
  else
    draw(0, n, 0);
}

// Adds a new tree to the scores of those who were not there when it grew.
void Booster::add_tree(const Tree& tree, std::size_t output, bool all_train_rows) {
  const Predictor predictor(tree);
  if (!all_train_rows && binned_) {
    if (!others_.empty())
      add_binned(BinnedTree(tree, *bins_), 1, others_, 0, train_scores_.data() + output * train_.y.size(),
                 team_);
  } else if (!all_train_rows) {
    float* const plane = train_scores_.data() + output * train_.y.size();
    team_.blocks(others_.size(), kRowGrain, [&](std::size_t begin, std::size_t end, int) {
      predictor.add(train_.X, std::span(others_).subspan(begin, end - begin), plane, 1, 0);
    });
  }
  if (!has_validation_) return;
  float* const plane = validation_scores_.data() + output * validation_.y.size();
  team_.blocks(validation_.y.size(), kRowGrain, [&](std::size_t begin, std::size_t end, int) {
    predictor.add(validation_.X.slice(begin, end - begin), plane + begin, 1, 0);
  });
}

Status Booster::grow_round(const Grower::Cancelled& cancelled) {
  const std::size_t n = train_.y.size();
  const std::uint64_t key = mix(mix(settings_.seed, 0x7ee5), ensemble_.rounds());
  objective_->begin_round(train_scores_, n, team_);
  bool stopped = false;
  const Grower::Cancelled ask = [&] { return stopped = cancelled && cancelled(); };
  for (std::size_t k = 0; k < ensemble_.outputs; ++k) {
    gradients_of(k);
    const Units units = to_words(pairs_, words_, static_cast<std::uint32_t>(mix(key, 1 + k)), team_, ranks_);
    const std::span<float> plane(train_scores_.data() + k * n, n);
    const std::vector<float> before = objective_->median_leaves() && settings_.parallel_trees > 1
                                          ? std::vector<float>(plane.begin(), plane.end())
                                          : std::vector<float>();
    Grower::LeafValue leaf;
    if (objective_->median_leaves()) {
      leaf = [&](std::span<const std::uint32_t> rows) {
        return median_of(rows,
                         before.empty() ? std::span<const float>(plane) : std::span<const float>(before));
      };
    }
    for (std::size_t p = 0; p < settings_.parallel_trees; ++p) {
      const std::uint64_t tree_key = mix(mix(key, 1 + k), 1 + p);
      draw_rows(mix(tree_key, 0x5a));
      Tree tree =
          grower_->grow({words_, units.gradient, units.hessian}, rows_, tree_key, plane.data(), leaf, ask);
      if (stopped) return fail(ErrorCode::Cancelled, "training was stopped");
      MR_DO(rank_status());
      add_tree(tree, k, settings_.subsample >= 1);
      ensemble_.trees.push_back(std::move(tree));
      ensemble_.tree_output.push_back(static_cast<std::uint32_t>(k));
    }
  }
  return {};
}

std::vector<char> Booster::draw_dropped(Random& random) const {
  const DartSettings& dart = settings_.dart;
  const std::size_t count = ensemble_.trees.size();
  std::vector<char> dropped(count);
  if (count == 0 || random.uniform() < dart.skip_drop) return dropped;
  const double all = std::accumulate(ensemble_.tree_weight.begin(), ensemble_.tree_weight.end(), 0.0);
  bool any = false;
  for (std::size_t t = 0; t < count; ++t) {
    const double chance = dart.weighted
                              ? dart.rate_drop * double(count) * double(ensemble_.tree_weight[t]) / all
                              : dart.rate_drop;
    if (random.uniform() < chance) dropped[t] = 1, any = true;
  }
  if (!dart.one_drop || any) return dropped;
  double at = random.uniform() * (dart.weighted ? all : double(count));
  std::size_t chosen = 0;
  for (; chosen + 1 < count; ++chosen) {
    at -= dart.weighted ? double(ensemble_.tree_weight[chosen]) : 1;
    if (at < 0) break;
  }
  dropped[chosen] = 1;
  return dropped;
}

Status Booster::dart_round(const Grower::Cancelled& cancelled) {
  Random random(mix(mix(settings_.seed, 0xda27), ensemble_.rounds()));
  const std::vector<char> dropped = draw_dropped(random);
  const auto drops = static_cast<std::size_t>(std::ranges::count(dropped, 1));
  if (drops > 0) MR_DO(rescore_train(dropped));
  MR_DO(grow_round(cancelled));
  const double rate = settings_.grow.learning_rate / double(ensemble_.trees_per_round());
  double factor = 1, fresh = 1;
  if (drops > 0) {
    factor = settings_.dart.forest ? 1 / (1 + rate) : double(drops) / (double(drops) + rate);
    fresh = settings_.dart.forest ? factor : 1 / (double(drops) + rate);
  }
  for (std::size_t t = 0; t < dropped.size(); ++t) {
    if (dropped[t]) ensemble_.tree_weight[t] *= static_cast<float>(factor);
  }
  ensemble_.tree_weight.resize(ensemble_.trees.size(), static_cast<float>(fresh));
  if (drops == 0) return {};
  MR_DO(rescore_train({}));
  if (has_validation_) rescore(validation_, validation_scores_, {});
  return {};
}

Status Booster::round(const Grower::Cancelled& cancelled) {
  if (settings_.booster == Ensemble::Booster::Trees) return grow_round(cancelled);
  if (settings_.booster == Ensemble::Booster::Dart) return dart_round(cancelled);
  linear_round();
  return {};
}

Ensemble Booster::take(std::size_t rounds) {
  if (ensemble_.booster != Ensemble::Booster::Linear && rounds < ensemble_.rounds()) {
    const std::size_t trees = rounds * ensemble_.trees_per_round();
    ensemble_.trees.resize(trees), ensemble_.tree_output.resize(trees);
    if (!ensemble_.tree_weight.empty()) ensemble_.tree_weight.resize(trees);
  }
  return std::move(ensemble_);
}

}  // namespace millrace::tasks::trees
