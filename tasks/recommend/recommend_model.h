#pragma once
// A fitted recommender: items for a user, items like an item, and scores of pairs. Immutable; any thread.
//
//   request  {"userId": "7", "numResults": 10}             items for a user, those he knows left out
//            {"itemId": "a", "numResults": 10}             items like an item
//            {"userId": "7", "inputList": ["a", "b"]}      these items in the user's order
//            {"userId": "7", "eventList": [{"itemId": "a", "eventValue": 1}]}   what the user did since the
//            model was trained, in the form of Personalize's PutEvents; the user may be a new one "filter":
//            {"exclude": ["a"], "include": ["b"], "seen": true}: never these, only those, known ones too
//   answer   {"itemList": [{"itemId": "a", "score": 0.91}]}; of an inputList {"personalizedRanking": […]}
// In batches a line is such a request and is answered, as by Personalize, by
// {"input": …, "output": {"recommendedItems": […], "scores": […]}, "error": null}. CSV rows of users and
// items are answered by a score a line: of ratings the rating, else how well they fit. A user or item that is
// not known gets the items that most events have; its score is their share. Source: Amazon Personalize,
// GetRecommendations.

#include <string>
#include <vector>

#include "tasks/recommend/factors.h"
#include "tasks/recommend/interactions.h"
#include "tasks/recommend/ratings.h"
#include "tasks/recommend/similar.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

struct RecommendState {
  std::string algorithm;                  // "als", "item-similarity" or "popularity-count"
  std::vector<std::string> users, items;  // sorted
  PairMatrix seen;                        // by user: items and values
  std::vector<double> popularity;         // by item: share of the events
  Factors factors;                        // of als
  double alpha = -1, regularization = 0;  // of als, predictor implicit; below 0: not known, so no events
  bool ratings = false;                   // als, predictor explicit
  RatingEffects effects;                  // of ratings
  Neighbours neighbours;                  // of item-similarity
  InteractionColumns columns;
};

class RecommendModel final : public OwnFormModel {
 public:
  explicit RecommendModel(RecommendState state);

  std::string_view algorithm() const override { return state_.algorithm; }
  std::string save() const override;
  Result<OwnAnswer> answer(const OwnRequest& request) const override;

  // What a user did, by the item's place; each item once.
  using Events = std::vector<std::pair<std::uint32_t, double>>;
  // How much each item is for the user, by place; of a place that is none, and without events, the
  // popularity. `events` come on top of what the model knows of the user.
  std::vector<double> user_scores(std::int64_t user, const std::vector<std::string>& context = {},
                                  const Events& events = {}) const;
  // How near each item is to one.
  std::vector<double> item_scores(std::int64_t item) const;
  double pair_score(std::string_view user, std::string_view item,
                    const std::vector<std::string>& context) const;
  // The places of the highest scores; of equal ones the first.
  static std::vector<std::uint32_t> best_items(const std::vector<double>& scores,
                                               const std::vector<bool>& allowed, std::size_t count);
  std::vector<bool> unseen_items(std::int64_t user) const;

 private:
  struct Ranked;
  Result<Ranked> rank(const Json& request, const std::string& where) const;
  Result<Events> parse_events(const Json& list, const std::string& where) const;
  Events with_seen(std::int64_t user, const Events& events) const;
  Result<OwnAnswer> answer_rows(const OwnRequest& request) const;
  Json answer_object(const Ranked& ranked) const;

  const RecommendState state_;
  const std::vector<double> gram_;  // shared_gram of als, predictor implicit
};

}  // namespace millrace::tasks
