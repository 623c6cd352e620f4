#pragma once
// Objectives of ranking: rank:pairwise, rank:ndcg and rank:map by XGBoost's names. Rows belong to queries;
// the loss of a query is that of its pairs of rows with different targets, ln(1 + exp(-(s_better -
// s_worse))), times what the swap of the two would change of NDCG or MAP (pairwise: times one). XGBoost 1.7
// draws one partner for each row at random; here a pair counts as much as it would on average, so that
// nothing is random. Cost of a round: the pairs of all queries.
//
// Sources: Burges, "From RankNet to LambdaRank to LambdaMART" (2010); XGBoost 1.7, its parameters.

#include <memory>
#include <string_view>

#include "tasks/trees/objective.h"

namespace millrace::tasks::trees {

// Rows of one query: its pairs are their square.
inline constexpr std::size_t kQueryRowsMost = 20'000;

// Null when the name is none of the three. The objective needs set_groups before its first round.
std::unique_ptr<Objective> make_ranking(std::string_view name);

}  // namespace millrace::tasks::trees
