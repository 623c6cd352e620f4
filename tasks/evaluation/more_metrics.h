#pragma once
// Metrics of rankings and of clusters. Pure functions; names and values are scikit-learn's. Any thread.

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "tasks/numeric/matrix.h"

namespace millrace::tasks {

// How well scores rank rows by relevance, the mean over groups (queries).
struct RankingMetrics {
  double ndcg = 0, ndcg_at_k = 0;  // gains are the relevance itself, discounts log2; ties share their places
  double map = 0, map_at_k = 0;  // average precision of rows with relevance > 0; groups without are left out
  double reciprocal_rank = 0;
  std::size_t groups = 0;
};
// group (n,): rows of a query have one number. k >= 1.
RankingMetrics ranking_metrics(std::span<const double> relevance, std::span<const double> scores,
                               std::span<const std::uint32_t> group, std::size_t k);

// How well clusters (n,) numbered from 0 divide the rows of X, by Euclidean distance.
struct ClusterMetrics {
  double silhouette = 0;         // of at most kSilhouetteRowsMax rows, drawn by `random`
  double calinski_harabasz = 0;  // greater is better
  double davies_bouldin = 0;     // smaller is better
  std::vector<double> sizes;     // rows by cluster
};
inline constexpr std::size_t kSilhouetteRowsMax = 5'000;
// InvalidArgument: fewer than two clusters, or as many as rows; a number that is missing. Cancelled.
Result<ClusterMetrics> cluster_metrics(MatrixView X, std::span<const std::uint32_t> clusters, Random random,
                                       const std::function<bool()>& cancelled);

}  // namespace millrace::tasks
