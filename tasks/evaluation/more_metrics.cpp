#include "tasks/evaluation/more_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace millrace::tasks {
namespace {

struct RankedRow {
  double score, relevance;
};

double discount(std::size_t place) {
  return 1 / std::log2(static_cast<double>(place) + 2);
}

// Rows from the best score; those of equal score share the mean of their gains (McSherry and Najork, 2008).
double gain_of(const std::vector<RankedRow>& rows, std::size_t k) {
  double out = 0;
  for (std::size_t first = 0; first < rows.size();) {
    std::size_t last = first;
    double gain = 0, weight = 0;
    for (; last < rows.size() && rows[last].score == rows[first].score; ++last) {
      gain += rows[last].relevance;
      if (last < k) weight += discount(last);
    }
    out += gain / static_cast<double>(last - first) * weight;
    first = last;
  }
  return out;
}

// Average precision over distinct scores, of the first k places.
double average_precision(const std::vector<RankedRow>& rows, std::size_t k) {
  double relevant = 0, hits = 0, sum = 0;
  for (const RankedRow& row : rows) relevant += row.relevance > 0;
  for (std::size_t i = 0; i < rows.size() && i < k;) {
    std::size_t last = i;
    double own = 0;
    for (; last < rows.size() && rows[last].score == rows[i].score; ++last) own += rows[last].relevance > 0;
    hits += own;
    sum += own * hits / static_cast<double>(last);
    i = last;
  }
  return relevant > 0 ? sum / std::min(relevant, static_cast<double>(k)) : 0;
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    const double step = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += step * step;
  }
  return sum;
}

double distance_to(std::span<const float> row, const double* centre) {
  double sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j)
    sum += (static_cast<double>(row[j]) - centre[j]) * (static_cast<double>(row[j]) - centre[j]);
  return sum;
}

// Rousseeuw (1987) over the rows chosen; a row alone in its cluster counts 0.
Result<double> silhouette(MatrixView X, std::span<const std::uint32_t> clusters,
                          const std::vector<std::uint32_t>& rows, std::size_t k,
                          const std::function<bool()>& cancelled) {
  std::vector<double> sizes(k), sums(k);
  for (const std::uint32_t row : rows) sizes[clusters[row]] += 1;
  double total = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % 256 == 0 && cancelled && cancelled()) return fail(ErrorCode::Cancelled, "evaluate was cancelled");
    const std::uint32_t own = clusters[rows[i]];
    if (sizes[own] < 2) continue;
    std::fill(sums.begin(), sums.end(), 0.0);
    for (const std::uint32_t other : rows)
      sums[clusters[other]] += std::sqrt(squared_distance(X.row(rows[i]), X.row(other)));
    const double inside = sums[own] / (sizes[own] - 1);
    double outside = std::numeric_limits<double>::infinity();
    for (std::size_t c = 0; c < k; ++c) {
      if (c != own && sizes[c] > 0) outside = std::min(outside, sums[c] / sizes[c]);
    }
    const double most = std::max(inside, outside);
    if (std::isfinite(outside) && most > 0) total += (outside - inside) / most;
  }
  return total / static_cast<double>(rows.size());
}

}  // namespace

RankingMetrics ranking_metrics(std::span<const double> relevance, std::span<const double> scores,
                               std::span<const std::uint32_t> group, std::size_t k) {
  std::map<std::uint32_t, std::vector<RankedRow>> groups;
  for (std::size_t i = 0; i < relevance.size(); ++i) groups[group[i]].push_back({scores[i], relevance[i]});
  RankingMetrics out;
  double with_gain = 0, with_relevant = 0;
  for (auto& [id, rows] : groups) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const RankedRow& a, const RankedRow& b) { return a.score > b.score; });
    std::vector<RankedRow> best;
    for (const RankedRow& row : rows) best.push_back({row.relevance, row.relevance});
    std::stable_sort(best.begin(), best.end(),
                     [](const RankedRow& a, const RankedRow& b) { return a.score > b.score; });
    if (const double ideal = gain_of(best, best.size()); ideal > 0) {
      ++with_gain;
      out.ndcg += gain_of(rows, rows.size()) / ideal;
      out.ndcg_at_k += gain_of(rows, k) / gain_of(best, k);
    }
    const auto first =
        std::find_if(rows.begin(), rows.end(), [](const RankedRow& r) { return r.relevance > 0; });
    if (first == rows.end()) continue;
    ++with_relevant;
    out.map += average_precision(rows, rows.size());
    out.map_at_k += average_precision(rows, k);
    out.reciprocal_rank += 1 / static_cast<double>(first - rows.begin() + 1);
  }
  for (double* value : {&out.ndcg, &out.ndcg_at_k}) *value /= std::max(with_gain, 1.0);
  for (double* value : {&out.map, &out.map_at_k, &out.reciprocal_rank})
    *value /= std::max(with_relevant, 1.0);
  out.groups = groups.size();
  return out;
}

Result<ClusterMetrics> cluster_metrics(MatrixView X, std::span<const std::uint32_t> clusters, Random random,
                                       const std::function<bool()>& cancelled) {
  for (std::size_t i = 0; i < X.rows; ++i) {
    for (const float x : X.row(i)) {
      if (!std::isfinite(x))
        return invalid("row " + std::to_string(i + 1) + " has a number that is missing or infinite",
                       "impute it first");
    }
  }
  const std::size_t k = clusters.empty() ? 0 : *std::max_element(clusters.begin(), clusters.end()) + 1;
  ClusterMetrics out;
  out.sizes.resize(k);
  for (const std::uint32_t c : clusters) out.sizes[c] += 1;
  const auto used = static_cast<std::size_t>(
      std::count_if(out.sizes.begin(), out.sizes.end(), [](double n) { return n > 0; }));
  if (used < 2 || used >= X.rows)
    return invalid("there are " + std::to_string(used) + " clusters of " + std::to_string(X.rows) +
                   " rows: expected at least 2, and fewer than rows");
  std::vector<double> centres(k * X.cols), middle(X.cols), scatter(k);
  for (std::size_t i = 0; i < X.rows; ++i) {
    for (std::size_t j = 0; j < X.cols; ++j) {
      centres[clusters[i] * X.cols + j] += static_cast<double>(X.row(i)[j]) / out.sizes[clusters[i]];
      middle[j] += static_cast<double>(X.row(i)[j]) / static_cast<double>(X.rows);
    }
  }
  double within = 0, between = 0;
  for (std::size_t i = 0; i < X.rows; ++i) {
    const double square = distance_to(X.row(i), &centres[clusters[i] * X.cols]);
    within += square;
    scatter[clusters[i]] += std::sqrt(square) / out.sizes[clusters[i]];
  }
  const auto centre_gap = [&](const double* a, const double* b) {
    double sum = 0;
    for (std::size_t j = 0; j < X.cols; ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
  };
  const auto n = static_cast<double>(X.rows), groups = static_cast<double>(used);
  for (std::size_t c = 0; c < k; ++c) {
    if (out.sizes[c] == 0) continue;
    between += out.sizes[c] * centre_gap(&centres[c * X.cols], middle.data());
    double worst = 0;
    for (std::size_t d = 0; d < k; ++d) {
      if (d == c || out.sizes[d] == 0) continue;
      const double gap = std::sqrt(centre_gap(&centres[c * X.cols], &centres[d * X.cols]));
      if (gap > 0) worst = std::max(worst, (scatter[c] + scatter[d]) / gap);
    }
    out.davies_bouldin += worst / groups;
  }
  out.calinski_harabasz = within > 0 ? between * (n - groups) / (within * (groups - 1)) : 1;
  std::vector<std::uint32_t> rows(X.rows);
  std::iota(rows.begin(), rows.end(), 0u);
  if (rows.size() > kSilhouetteRowsMax) {
    shuffle(rows, random);
    rows.resize(kSilhouetteRowsMax);
  }
  MR_TRY(width, silhouette(X, clusters, rows, k, cancelled));
  out.silhouette = width;
  return out;
}

}  // namespace millrace::tasks
