#include "tasks/recommend/ratings.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace millrace::tasks {
namespace {

constexpr int kBackfittingRounds = 10;
constexpr double kUserShrinkage = 14, kItemShrinkage = 6, kContextShrinkage = 1, kBothShrinkage = 15;
constexpr char kLevelSeparator = '\x1f';

std::string level_of(const RatingEffect& effect, std::string_view user, std::string_view item,
                     std::string_view context) {
  std::string level(effect.user ? user : effect.item ? item : std::string_view());
  if (effect.context < 0) return level;
  if (effect.item) level += kLevelSeparator;
  return level.append(context);
}

double shrinkage_of(const RatingEffect& effect) {
  if (effect.context >= 0) return effect.item ? kBothShrinkage : kContextShrinkage;
  return effect.user ? kUserShrinkage : kItemShrinkage;
}

}  // namespace

RatingEffects fit_rating_effects(const Interactions& data, double regularization,
                                 std::vector<double>* left_out) {
  RatingEffects out;
  const std::size_t n = data.events.size();
  out.low = out.high = data.events.front().value;
  for (const Interaction& event : data.events) {
    out.mean += event.value / static_cast<double>(n);
    out.low = std::min(out.low, event.value), out.high = std::max(out.high, event.value);
  }
  out.effects.push_back({.context = -1, .user = true, .item = false, .levels = {}, .values = {}});
  out.effects.push_back({.context = -1, .user = false, .item = true, .levels = {}, .values = {}});
  for (const bool with_item : {false, true})
    for (int c = 0; c < static_cast<int>(data.context.size()); ++c)
      out.effects.push_back({.context = c, .user = false, .item = with_item, .levels = {}, .values = {}});

  std::vector<std::vector<std::uint32_t>> places;  // by effect, of each event's level
  std::vector<std::vector<double>> counts;
  for (RatingEffect& effect : out.effects) {
    // Levels are numbered as they come, and then by their order.
    std::unordered_map<std::string, std::uint32_t> numbers;  // only looked up
    std::vector<std::uint32_t> place;
    for (std::size_t i = 0; i < n; ++i) {
      const Interaction& event = data.events[i];
      std::string level =
          level_of(effect, data.users[event.user], data.items[event.item],
                   effect.context < 0 ? "" : data.context[static_cast<std::size_t>(effect.context)][i]);
      const auto [found, added] =
          numbers.emplace(std::move(level), static_cast<std::uint32_t>(effect.levels.size()));
      if (added) effect.levels.push_back(found->first);
      place.push_back(found->second);
    }
    std::vector<std::uint32_t> order(effect.levels.size()), rank(effect.levels.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::sort(order, {}, [&](std::uint32_t k) -> const std::string& { return effect.levels[k]; });
    for (std::uint32_t k = 0; k < order.size(); ++k) rank[order[k]] = k;
    std::ranges::sort(effect.levels);
    effect.values.assign(effect.levels.size(), 0.0);
    std::vector<double> count(effect.levels.size(), 0.0);
    for (std::uint32_t& k : place) ++count[k = rank[k]];
    places.push_back(std::move(place)), counts.push_back(std::move(count));
  }
  std::vector<double> own;
  std::vector<double>& left = left_out == nullptr ? own : *left_out;
  left.resize(n);
  for (std::size_t i = 0; i < n; ++i) left[i] = data.events[i].value - out.mean;
  for (int round = 0; round < kBackfittingRounds; ++round) {
    for (std::size_t e = 0; e < out.effects.size(); ++e) {
      RatingEffect& effect = out.effects[e];
      std::vector<double> sums(effect.values.size(), 0.0);
      for (std::size_t i = 0; i < n; ++i) sums[places[e][i]] += left[i] + effect.values[places[e][i]];
      const double shrinkage = regularization * shrinkage_of(effect);
      for (std::size_t level = 0; level < sums.size(); ++level) sums[level] /= counts[e][level] + shrinkage;
      for (std::size_t i = 0; i < n; ++i) left[i] += effect.values[places[e][i]] - sums[places[e][i]];
      effect.values = std::move(sums);
    }
  }
  return out;
}

double rating_of(const RatingEffects& effects, std::string_view user, std::string_view item,
                 std::span<const std::string> context) {
  double rating = effects.mean;
  for (const RatingEffect& effect : effects.effects) {
    const std::size_t column = static_cast<std::size_t>(std::max(effect.context, 0));
    if (effect.context >= 0 && column >= context.size()) continue;
    const std::int64_t place =
        place_of(effect.levels, level_of(effect, user, item, effect.context < 0 ? "" : context[column]));
    if (place >= 0) rating += effect.values[static_cast<std::size_t>(place)];
  }
  return rating;
}

}  // namespace millrace::tasks
