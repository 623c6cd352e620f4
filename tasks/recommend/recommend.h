#pragma once
// als, item-similarity and popularity-count: recommendations from what users did with items (interactions.h).
//
// als, predictor implicit: factors of users and items (factors.h) from events, each event or its EVENT_VALUE
// making a pair surer; predictor explicit: EVENT_VALUE is a rating, predicted by effects (ratings.h) and
// factors of what they leave. item-similarity: items go together that the same users have (similar.h).
// popularity-count: what most events are of, a baseline (its metrics are item-similarity's).
//
// Metrics are Personalize's. Without a channel `test` a tenth of the users, drawn by the seed, is held back
// with the last tenth of their events, the model is fitted without these and asked for 25 items, and then
// fitted again on all events; with one, its events are what the users of the train channel should be
// recommended: validation:… or test:…. Explicit ratings report test:rmse and test:mae. Source: Amazon
// Personalize developer guide, metrics.

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

std::span<const HyperParameterRule> als_rules();
std::span<const std::string_view> als_metrics();
const OwnForm& als_form();
std::span<const HyperParameterRule> item_similarity_rules();
std::span<const std::string_view> item_similarity_metrics();
const OwnForm& item_similarity_form();
std::span<const HyperParameterRule> popularity_count_rules();
const OwnForm& popularity_count_form();
// The model of any of them.
Result<std::unique_ptr<const Model>> load_recommender(std::string_view bytes);

}  // namespace millrace::tasks
