#pragma once
// Ratings as a mean and effects: of the user, of the item, of each column of the surroundings and of each
// together with the item, every one shrunk towards 0 by the number of its ratings and fitted to what the
// others leave (ridge regression by backfitting). Source: Koren, Bell and Volinsky 2009 (biases); Gelman and
// Hill 2007 (shrinkage). Pure.

#include <span>
#include <string>
#include <vector>

#include "tasks/recommend/interactions.h"

namespace millrace::tasks {

struct RatingEffect {
  int context = -1;                 // column of the surroundings; -1: none
  bool user = false;                // together with the user
  bool item = false;                // together with the item
  std::vector<std::string> levels;  // sorted; "item\x1f value" where both count
  std::vector<double> values;       // of the levels
};

struct RatingEffects {
  double mean = 0, low = 0, high = 0;  // of the ratings
  std::vector<RatingEffect> effects;
};

// `regularization` multiplies the usual shrinkage: 14 ratings of a user, 6 of an item, 1 of a context column,
// 15 of an item in a surrounding count as one half. At least one event.
// `left`: what the effects leave of each event.
RatingEffects fit_rating_effects(const Interactions& data, double regularization,
                                 std::vector<double>* left = nullptr);
// Mean and effects, not clipped; what is not known has none.
double rating_of(const RatingEffects& effects, std::string_view user, std::string_view item,
                 std::span<const std::string> context);

}  // namespace millrace::tasks
