#include "tasks/trees/explain.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "tasks/numeric/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kTableIntervals = 8;
constexpr std::size_t kLanes = 64;  // rows at a time

// Weights of sets of s out of m others when one more joins: s! (m - s)! / (m + 1)!.
std::vector<double> set_weights(std::size_t others) {
  std::vector<double> weights(others + 1);
  weights[0] = 1 / double(others + 1);
  for (std::size_t s = 1; s <= others; ++s) weights[s] = weights[s - 1] * double(s) / double(others + 1 - s);
  return weights;
}

// Multiplies (share + known * t) into the `size` coefficients of a polynomial: how much weight the sets of
// each size have. There is one coefficient more afterwards.
void multiply_in(double* polynomial, std::size_t size, double share, bool known) {
  polynomial[size] = 0;
  for (std::size_t k = size + 1; k-- > 0;)
    polynomial[k] = polynomial[k] * share + (known && k > 0 ? polynomial[k - 1] : 0);
}

// The same product without one factor, of `size` coefficients, times the weights. The share is not 0 when it
// is not known. `rest` (may be null) takes the coefficients.
double weigh_without(const double* polynomial, std::size_t size, double share, bool known,
                     const double* weights, double* rest) {
  double sum = 0, above = 0;
  for (std::size_t k = size; k-- > 0;) {
    above = known ? polynomial[k + 1] - share * above : polynomial[k] / share;
    if (rest) rest[k] = above;
    if (weights) sum += above * weights[k];
  }
  return sum;
}

// Contributions of a leaf of value 1 to its features, for one pattern of satisfied intervals. `polynomial` is
// room for count + 1 numbers.
void leaf_contributions(const float* shares, std::size_t step, std::size_t count, const char* known,
                        const double* weights, double* polynomial, double* out) {
  polynomial[0] = 1;
  for (std::size_t i = 0; i < count; ++i)
    multiply_in(polynomial, i + 1, double(shares[i * step]), known[i] != 0);
  for (std::size_t i = 0; i < count; ++i) {
    const double share = double(shares[i * step]), own = (known[i] ? 1 : 0) - share;
    out[i] = own == 0 ? 0 : own * weigh_without(polynomial, count, share, known[i] != 0, weights, nullptr);
  }
}

// Values of one interval in a leaf's table: by pattern, and at least as many as fit a register.
constexpr std::size_t table_step(std::size_t count) {
  return std::max(std::size_t(16), std::size_t(1) << count);
}

// One leaf for kLanes rows that lie column by column: sums[feature] += table[interval][pattern].
template <class Interval>
MR_BODY void look_up_body(const Interval* intervals, std::size_t count, const float* __restrict table,
                          const float* __restrict columns, float* __restrict sums) {
  std::int32_t at[kLanes] = {};
  for (std::size_t i = 0; i < count; ++i) {
    const float* x = columns + intervals[i].feature * kLanes;
    const float low = intervals[i].low, high = intervals[i].high;
    const bool missing = intervals[i].missing != 0;
    const std::int32_t bit = 1 << i;
    for (std::size_t q = 0; q < kLanes; ++q) {
      const bool inside = (x[q] >= low) & (x[q] < high), none = (x[q] != x[q]) & missing;
      at[q] += inside | none ? bit : 0;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    float* sum = sums + intervals[i].feature * kLanes;
    const float* own = table + i * table_step(count);
    for (std::size_t q = 0; q < kLanes; ++q) sum[q] += own[at[q]];
  }
}
#if defined(__x86_64__)
// Sixteen values of a table by their places: the table stands in kWords registers, which is several times
// faster than to gather from memory.
template <std::size_t kWords>
MR_AVX512 [[gnu::always_inline]] inline __m512 pick_values(const float* table, __m512i at) {
  if constexpr (kWords == 1) {
    return _mm512_permutexvar_ps(at, _mm512_loadu_ps(table));
  } else if constexpr (kWords == 2) {
    return _mm512_permutex2var_ps(_mm512_loadu_ps(table), at, _mm512_loadu_ps(table + 16));
  } else {
    constexpr std::size_t kHalf = kWords / 2 * 16;
    const __m512 low = pick_values<kWords / 2>(table, at), high = pick_values<kWords / 2>(table + kHalf, at);
    return _mm512_mask_blend_ps(_mm512_test_epi32_mask(at, _mm512_set1_epi32(int(kHalf))), low, high);
  }
}

template <std::size_t kWords, class Interval>
MR_AVX512 void add_values(const Interval* intervals, std::size_t count, const float* __restrict table,
                          const __m512i* at, float* __restrict sums) {
  for (std::size_t i = 0; i < count; ++i) {
    float* const sum = sums + intervals[i].feature * kLanes;
    const float* const own = table + i * kWords * 16;
    for (std::size_t v = 0; v < kLanes / 16; ++v)
      _mm512_storeu_ps(sum + v * 16,
                       _mm512_add_ps(_mm512_loadu_ps(sum + v * 16), pick_values<kWords>(own, at[v])));
  }
}

template <class Interval>
MR_AVX512 void look_up_avx512(const Interval* intervals, std::size_t count, const float* __restrict table,
                              const float* __restrict columns, float* __restrict sums) {
  __m512i at[kLanes / 16] = {};
  for (std::size_t i = 0; i < count; ++i) {
    const float* const x = columns + intervals[i].feature * kLanes;
    const __m512 low = _mm512_set1_ps(intervals[i].low), high = _mm512_set1_ps(intervals[i].high);
    const __m512i bit = _mm512_set1_epi32(1 << i);
    const auto missing = static_cast<__mmask16>(intervals[i].missing != 0 ? 0xffff : 0);
    for (std::size_t v = 0; v < kLanes / 16; ++v) {
      const __m512 value = _mm512_loadu_ps(x + v * 16);
      const __mmask16 above = _mm512_cmp_ps_mask(value, low, _CMP_GE_OQ);
      const __mmask16 inside = _mm512_mask_cmp_ps_mask(above, value, high, _CMP_LT_OQ);
      const __mmask16 none = _mm512_mask_cmp_ps_mask(missing, value, value, _CMP_UNORD_Q);
      at[v] = _mm512_mask_or_epi32(at[v], static_cast<__mmask16>(inside | none), at[v], bit);
    }
  }
  if (count <= 4) return add_values<1>(intervals, count, table, at, sums);
  if (count == 5) return add_values<2>(intervals, count, table, at, sums);
  if (count == 6) return add_values<4>(intervals, count, table, at, sums);
  if (count == 7) return add_values<8>(intervals, count, table, at, sums);
  add_values<16>(intervals, count, table, at, sums);
}
template <class Interval>
MR_AVX2 void look_up_avx2(const Interval* intervals, std::size_t count, const float* table,
                          const float* columns, float* sums) {
  look_up_body(intervals, count, table, columns, sums);
}
#endif
template <class Interval>
void look_up(Isa level, const Interval* intervals, std::size_t count, const float* table,
             const float* columns, float* sums) {
#if defined(__x86_64__)
  if (level == Isa::Avx512) return look_up_avx512(intervals, count, table, columns, sums);
  if (level == Isa::Avx2) return look_up_avx2(intervals, count, table, columns, sums);
#endif
  look_up_body(intervals, count, table, columns, sums);
}

}  // namespace

Explainer::Explainer(const Ensemble& ensemble, double base_margin)
    : features_(ensemble.features), base_(ensemble.outputs, base_margin) {
  for (std::size_t t = 0; t < ensemble.trees.size(); ++t)
    add_leaves(ensemble.trees[t], ensemble.tree_output[t],
               ensemble.tree_weight.empty() ? 1 : ensemble.tree_weight[t]);
}

void Explainer::add_leaves(const Tree& tree, std::uint32_t output, float weight) {
  struct Open {
    std::int32_t node;
    std::vector<Interval> path;
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<Open> open{{0, {}}};
  while (!open.empty()) {
    Open top = std::move(open.back());
    open.pop_back();
    const Node& node = tree.nodes[static_cast<std::size_t>(top.node)];
    if (node.left < 0) {
      Leaf leaf{static_cast<std::uint32_t>(intervals_.size()),
                static_cast<std::uint32_t>(top.path.size()),
                output,
                0,
                0,
                node.condition * weight};
      double expected = double(leaf.value);
      for (const Interval& interval : top.path) expected *= double(interval.share);
      base_[output] += expected;
      intervals_.insert(intervals_.end(), top.path.begin(), top.path.end());
      if (leaf.count == 0) continue;
      make_table(leaf);
      leaves_.push_back(leaf);
      continue;
    }
    if (node.categories >= 0) sets_.push_back(tree.category_sets[static_cast<std::size_t>(node.categories)]);
    const float covers[2] = {tree.nodes[static_cast<std::size_t>(node.left)].cover,
                             tree.nodes[static_cast<std::size_t>(node.right)].cover};
    const float both = covers[0] + covers[1];
    for (const int side : {1, 0}) {
      Open child{side == 0 ? node.left : node.right, top.path};
      auto interval = std::ranges::find(child.path, node.feature, &Interval::feature);
      if (interval == child.path.end())
        interval = child.path.insert(interval, {node.feature, -kInfinity, kInfinity, 1, 1, -1});
      narrow(*interval, node, side == 1);
      if (node.missing_left != (side == 0)) interval->missing = 0;
      interval->share *= both > 0 ? covers[side] / both : 0.5f;
      open.push_back(std::move(child));
    }
  }
}

void Explainer::narrow(Interval& interval, const Node& node, bool right) {
  if (node.categories >= 0) {
    std::vector<Demand> demands;
    if (interval.categories >= 0) demands = demands_[static_cast<std::size_t>(interval.categories)];
    demands.push_back({static_cast<std::uint32_t>(sets_.size() - 1), right});
    interval.categories = static_cast<std::int32_t>(demands_.size());
    demands_.push_back(std::move(demands));
  } else if (right) {
    interval.low = std::max(interval.low, node.condition);
  } else {
    interval.high = std::min(interval.high, node.condition);
  }
}

bool Explainer::satisfied(const Interval& interval, float x) const {
  if (x != x) return interval.missing != 0;
  if (x < interval.low || x >= interval.high) return false;
  if (interval.categories < 0) return true;
  const std::vector<Demand>& demands = demands_[static_cast<std::size_t>(interval.categories)];
  return std::ranges::all_of(demands, [&](const Demand& d) { return is_among(sets_[d.set], x) == d.within; });
}

void Explainer::make_table(Leaf& leaf) {
  for (std::size_t i = leaf.first; i < leaf.first + leaf.count; ++i) {
    if (intervals_[i].categories >= 0) return;  // looked up by bounds alone
  }
  const std::size_t count = leaf.count, patterns = std::size_t(1) << std::min<std::size_t>(count, 16);
  if (count > kTableIntervals) return;
  const std::size_t step = table_step(count);
  if ((tables_.size() + step * count) * sizeof(float) > kTableBytes) return;
  leaf.has_table = 1, leaf.table = tables_.size();
  tables_.resize(tables_.size() + step * count);
  const std::vector<double> weights = set_weights(count - 1);
  std::array<char, kTableIntervals> known;
  std::array<double, kTableIntervals> out;
  std::array<double, kTableIntervals + 1> polynomial;
  for (std::size_t pattern = 0; pattern < patterns; ++pattern) {
    for (std::size_t i = 0; i < count; ++i) known[i] = (pattern >> i & 1) != 0;
    leaf_contributions(&intervals_[leaf.first].share, sizeof(Interval) / sizeof(float), count, known.data(),
                       weights.data(), polynomial.data(), out.data());
    for (std::size_t i = 0; i < count; ++i)
      tables_[leaf.table + i * step + pattern] = static_cast<float>(out[i] * double(leaf.value));
  }
}

void Explainer::add_lookups(const Leaf& leaf, const float* columns, float* sums) const {
  look_up(isa(), &intervals_[leaf.first], leaf.count, &tables_[leaf.table], columns, sums);
}

void Explainer::add_worked_out(const Leaf& leaf, const float* columns, float* sums) const {
  const Interval* own = &intervals_[leaf.first];
  const std::vector<double> weights = set_weights(leaf.count - 1);
  std::vector<char> known(leaf.count);
  std::vector<double> out(leaf.count), polynomial(leaf.count + 1);
  for (std::size_t q = 0; q < kLanes; ++q) {
    for (std::size_t i = 0; i < leaf.count; ++i)
      known[i] = satisfied(own[i], columns[own[i].feature * kLanes + q]);
    leaf_contributions(&own->share, sizeof(Interval) / sizeof(float), leaf.count, known.data(),
                       weights.data(), polynomial.data(), out.data());
    for (std::size_t i = 0; i < leaf.count; ++i)
      sums[own[i].feature * kLanes + q] += static_cast<float>(out[i] * double(leaf.value));
  }
}

void Explainer::contributions(MatrixView X, Team& team, float* out) const {
  const std::size_t width = features_ + 1, outputs = base_.size();
  team.blocks(X.rows, kLanes * 4, [&](std::size_t begin, std::size_t end, int) {
    std::vector<float> columns(features_ * kLanes), sums(outputs * features_ * kLanes);
    for (std::size_t i = begin; i < end; i += kLanes) {
      const std::size_t count = std::min(kLanes, end - i);
      for (std::size_t q = 0; q < kLanes; ++q) {
        const float* row = X.data + (i + std::min(q, count - 1)) * X.cols;
        for (std::size_t j = 0; j < features_; ++j) columns[j * kLanes + q] = row[j];
      }
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (const Leaf& leaf : leaves_) {
        float* plane = sums.data() + leaf.output * features_ * kLanes;
        leaf.has_table ? add_lookups(leaf, columns.data(), plane)
                       : add_worked_out(leaf, columns.data(), plane);
      }
      for (std::size_t q = 0; q < count; ++q) {
        for (std::size_t k = 0; k < outputs; ++k) {
          float* to = out + ((i + q) * outputs + k) * width;
          for (std::size_t j = 0; j < features_; ++j) to[j] = sums[(k * features_ + j) * kLanes + q];
          to[features_] = static_cast<float>(base_[k]);
        }
      }
    }
  });
}

void Explainer::add_pairs(const Leaf& leaf, const float* row, float* square) const {
  const Interval* own = &intervals_[leaf.first];
  const std::size_t count = leaf.count, width = features_ + 1;
  if (count < 2) return;
  std::vector<char> known(count);
  std::vector<double> polynomial(count + 1), without(count);
  polynomial[0] = 1;
  for (std::size_t i = 0; i < count; ++i) {
    known[i] = satisfied(own[i], row[own[i].feature]);
    multiply_in(polynomial.data(), i + 1, double(own[i].share), known[i] != 0);
  }
  const std::vector<double> weights = set_weights(count - 2);
  for (std::size_t i = 0; i < count; ++i) {
    const double share = double(own[i].share), one = (known[i] ? 1 : 0) - share;
    if (one == 0) continue;
    weigh_without(polynomial.data(), count, share, known[i] != 0, nullptr, without.data());
    for (std::size_t j = i + 1; j < count; ++j) {
      const double other = double(own[j].share), two = (known[j] ? 1 : 0) - other;
      if (two == 0) continue;
      const double both =
          one * two * weigh_without(without.data(), count - 1, other, known[j] != 0, weights.data(), nullptr);
      const auto half = static_cast<float>(both * double(leaf.value) / 2);
      square[own[i].feature * width + own[j].feature] += half;
      square[own[j].feature * width + own[i].feature] += half;
    }
  }
}

void Explainer::interactions(MatrixView X, Team& team, float* out) const {
  const std::size_t width = features_ + 1, outputs = base_.size(), size = width * width;
  std::vector<float> sums(X.rows * outputs * width);
  contributions(X, team, sums.data());
  std::fill_n(out, X.rows * outputs * size, 0.0f);
  team.blocks(X.rows, 8, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t i = begin; i < end; ++i) {
      for (const Leaf& leaf : leaves_)
        add_pairs(leaf, X.data + i * X.cols, out + (i * outputs + leaf.output) * size);
      for (std::size_t k = 0; k < outputs; ++k) {
        float* square = out + (i * outputs + k) * size;
        for (std::size_t j = 0; j < width; ++j) {
          float rest = sums[(i * outputs + k) * width + j];
          for (std::size_t other = 0; other < features_ && j < features_; ++other)
            rest -= square[j * width + other];
          square[j * width + j] = rest;
        }
      }
    }
  });
}

Result<std::vector<double>> feature_importance(const Ensemble& ensemble, std::string_view type) {
  const bool gain = type.ends_with("gain"), mean = !type.starts_with("total_");
  if (type != "weight" && type != "gain" && type != "cover" && type != "total_gain" &&
      type != "total_cover") {
    return invalid("importance type '" + std::string(type) +
                   "' is not one of weight, gain, cover, total_gain, total_cover");
  }
  std::vector<double> sums(ensemble.features), splits(ensemble.features);
  for (const Tree& tree : ensemble.trees) {
    std::vector<std::int32_t> open{0};  // what is reached: models from elsewhere may hold dead nodes
    while (!open.empty()) {
      const Node& node = tree.nodes[static_cast<std::size_t>(open.back())];
      open.pop_back();
      if (node.left < 0) continue;
      sums[node.feature] += double(gain ? node.gain : node.cover), ++splits[node.feature];
      open.push_back(node.left), open.push_back(node.right);
    }
  }
  if (type == "weight") return splits;
  for (std::size_t j = 0; j < sums.size() && mean; ++j) sums[j] = splits[j] > 0 ? sums[j] / splits[j] : 0;
  return sums;
}

}  // namespace millrace::tasks::trees
