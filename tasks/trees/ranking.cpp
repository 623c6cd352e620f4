#include "tasks/trees/ranking.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tasks/trees/math.h"

namespace millrace::tasks::trees {

namespace {

constexpr float kLeastPairHessian = 1e-16f;
constexpr double kLargestGrade = 31;  // gains are powers of two

enum class RankMeasure { Pairs, Ndcg, Map };

// 1 / log2(place + 2), the same on every machine.
float discount_at(std::size_t place) {
  return 0.693147181f / log_bits(static_cast<float>(place) + 2.0f);
}

float grade_gain(float grade) {
  return static_cast<float>((std::uint64_t{1} << static_cast<std::uint32_t>(grade)) - 1);
}

// One query while its gradients are worked out; used again for the next.
struct Query {
  std::vector<std::uint32_t> order;      // rows by falling score
  std::vector<float> grade, score;       // in that order
  std::vector<float> gradient, hessian;  // the same
  std::vector<float> partner;            // one over the rows of other grades
  std::vector<float> gain, discount;     // of Ndcg
  std::vector<float> hits, sum, less,
      more;  // of Map: hits so far; sums of precisions, with a hit less or more
};

// What swapping two places (a before b) changes of the measure.
float ndcg_change(const Query& q, std::size_t a, std::size_t b) {
  const float change = (q.gain[a] - q.gain[b]) * (q.discount[a] - q.discount[b]);
  return change < 0 ? -change : change;
}

float map_change(const Query& q, std::size_t a, std::size_t b) {
  const bool first = q.grade[a] > 0, second = q.grade[b] > 0;
  if (first == second) return 0;
  const float before = q.sum[b] - (a > 0 ? q.sum[a - 1] : 0.0f);
  const float after = first ? q.less[b - 1] - q.less[a] + q.hits[b] / static_cast<float>(b + 1)
                            : q.more[b - 1] - q.more[a] + (q.hits[a] + 1) / static_cast<float>(a + 1);
  const float change = after - before;
  return change < 0 ? -change : change;
}

class RankObjective final : public Objective {
 public:
  explicit RankObjective(RankMeasure measure) : measure_(measure) {}

  std::string_view default_metric() const override { return measure_ == RankMeasure::Ndcg ? "ndcg" : "map"; }
  void set_groups(std::span<const std::uint32_t> groups, std::span<const float> y) override {
    groups_ = groups, y_ = y;
    pairs_.assign(y.size(), {0, 0});
  }
  void begin_round(std::span<const float> scores, std::size_t, Team& team) override {
    std::vector<Query> rooms(static_cast<std::size_t>(team.size()));
    team.each(groups_.empty() ? 0 : groups_.size() - 1, [&](std::size_t g, int member) {
      add_query(groups_[g], groups_[g + 1], scores, rooms[static_cast<std::size_t>(member)]);
    });
  }
  void gradients(std::size_t, std::size_t begin, std::size_t end, std::span<const float>,
                 std::span<const float>, std::span<const float>, GradientPair* out) const override {
    std::copy(pairs_.begin() + static_cast<std::ptrdiff_t>(begin),
              pairs_.begin() + static_cast<std::ptrdiff_t>(end), out);
  }
  std::string_view wrong_target(double y) const override {
    if (measure_ == RankMeasure::Pairs) return {};
    return y >= 0 && y <= kLargestGrade && y == std::floor(y)
               ? std::string_view()
               : std::string_view("is a whole number from 0 to 31");
  }
  std::string_view parameter_object() const override { return "lambda_rank_param"; }
  std::map<std::string, std::string> parameters() const override {
    return {{"fix_list_weight", "0"}, {"num_pairsample", "1"}};
  }

 private:
  void add_query(std::size_t begin, std::size_t end, std::span<const float> scores, Query& q) {
    const std::size_t n = end - begin;
    q.order.resize(n);
    std::iota(q.order.begin(), q.order.end(), static_cast<std::uint32_t>(begin));
    std::ranges::stable_sort(q.order, std::greater<>(), [&](std::uint32_t i) { return scores[i]; });
    q.grade.resize(n), q.score.resize(n), q.partner.resize(n);
    q.gradient.assign(n, 0), q.hessian.assign(n, 0);
    for (std::size_t k = 0; k < n; ++k) q.grade[k] = y_[q.order[k]], q.score[k] = scores[q.order[k]];
    const float scale = prepare(q);
    for (std::size_t a = 0; a < n && scale > 0; ++a) {
      for (std::size_t b = a + 1; b < n; ++b) {
        if (q.grade[a] != q.grade[b]) add_pair(q, a, b, scale);
      }
    }
    for (std::size_t k = 0; k < n; ++k) pairs_[q.order[k]] = {q.gradient[k], q.hessian[k]};
  }

  // What the measure needs of the query; its scale, 0 when no order is better than another.
  float prepare(Query& q) const {
    const std::size_t n = q.order.size();
    std::vector<float> grades = q.grade;
    std::ranges::sort(grades, std::greater<>());
    if (n < 2 || grades.front() == grades.back()) return 0;
    for (std::size_t k = 0; k < n; ++k) {
      const auto [first, last] = std::equal_range(grades.begin(), grades.end(), q.grade[k], std::greater<>());
      q.partner[k] = 1.0f / static_cast<float>(n - static_cast<std::size_t>(last - first));
    }
    if (measure_ == RankMeasure::Ndcg) {
      q.gain.resize(n), q.discount.resize(n);
      float ideal = 0;
      for (std::size_t k = 0; k < n; ++k) {
        q.gain[k] = grade_gain(q.grade[k]), q.discount[k] = discount_at(k);
        ideal += grade_gain(grades[k]) * q.discount[k];
      }
      return ideal > 0 ? 1 / ideal : 0;
    }
    if (measure_ == RankMeasure::Pairs) return 1;
    q.hits.resize(n), q.sum.resize(n), q.less.resize(n), q.more.resize(n);
    float hits = 0, sum = 0, less = 0, more = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (q.grade[k] > 0) {
        const auto place = static_cast<float>(k + 1);
        ++hits, sum += hits / place, less += (hits - 1) / place, more += (hits + 1) / place;
      }
      q.hits[k] = hits, q.sum[k] = sum, q.less[k] = less, q.more[k] = more;
    }
    return hits > 0 ? 1 / hits : 0;
  }

  void add_pair(Query& q, std::size_t a, std::size_t b, float scale) const {
    float weight = (q.partner[a] + q.partner[b]) * scale;
    if (measure_ == RankMeasure::Ndcg) weight *= ndcg_change(q, a, b);
    if (measure_ == RankMeasure::Map) weight *= map_change(q, a, b);
    const bool first = q.grade[a] > q.grade[b];
    const std::size_t better = first ? a : b, worse = first ? b : a;
    const float p = sigmoid_bits(q.score[better] - q.score[worse]);
    const float gradient = (p - 1.0f) * weight;
    const float hessian = 2.0f * weight * std::max(p * (1.0f - p), kLeastPairHessian);
    q.gradient[better] += gradient, q.gradient[worse] -= gradient;
    q.hessian[better] += hessian, q.hessian[worse] += hessian;
  }

  const RankMeasure measure_;
  std::span<const std::uint32_t> groups_;
  std::span<const float> y_;
  std::vector<GradientPair> pairs_;  // of this round
};

}  // namespace

std::unique_ptr<Objective> make_ranking(std::string_view name) {
  if (name == "rank:pairwise") return std::make_unique<RankObjective>(RankMeasure::Pairs);
  if (name == "rank:ndcg") return std::make_unique<RankObjective>(RankMeasure::Ndcg);
  if (name == "rank:map") return std::make_unique<RankObjective>(RankMeasure::Map);
  return nullptr;
}

}  // namespace millrace::tasks::trees
