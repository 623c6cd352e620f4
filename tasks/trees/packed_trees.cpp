#include "tasks/trees/packed_trees.h"

#include <algorithm>
#include <cmath>

#include "tasks/numeric/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kPackLanes = 16;         // trees side by side
constexpr std::size_t kPackGroups = 8;         // groups of them under way
constexpr std::uint32_t kNeverRight = 0xffff;  // a rank that no value has but a missing one that goes right
constexpr std::size_t kRanksMost = 0xfffe;
constexpr std::size_t kPackedBytesMost = std::size_t{64} << 20;
constexpr int kBlendedLevels = 5;
constexpr std::size_t kRegisterRanks = 32;  // two to a feature

// Of a tree's part in its group.
struct PackedGroups {
  const std::uint32_t* nodes;
  const float* leaves;
  std::uint32_t depth;
  std::size_t count;
};

MR_BODY void leaves_of_body(const PackedGroups& groups, const std::uint32_t* ranks, float* out) {
  const std::uint32_t leaves = std::uint32_t{1} << groups.depth;
  for (std::size_t g = 0; g < groups.count; ++g) {
    const std::uint32_t* nodes = groups.nodes + g * leaves * kPackLanes;
    const float* values = groups.leaves + g * leaves * kPackLanes;
    std::uint32_t at[kPackLanes];
    for (std::size_t l = 0; l < kPackLanes; ++l) at[l] = 1;
    for (std::uint32_t d = 0; d < groups.depth; ++d) {
      for (std::size_t l = 0; l < kPackLanes; ++l) {
        const std::uint32_t node = nodes[at[l] * kPackLanes + l];
        at[l] = 2 * at[l] + (ranks[node & 0xffff] >= node >> 16 ? 1 : 0);
      }
    }
    for (std::size_t l = 0; l < kPackLanes; ++l)
      out[g * kPackLanes + l] = values[(at[l] - leaves) * kPackLanes + l];
  }
}
MR_KERNEL(leaves_of, (const PackedGroups& groups, const std::uint32_t* ranks, float* out),
          (groups, ranks, out))

#if defined(__x86_64__)

// Of 2^kBits nodes side by side each tree's own, by where it went on the last kBits levels: loads and blends,
// which a gather of so few is slower than.
template <int kBits>
[[gnu::always_inline]] MR_AVX512 inline __m512i chosen_node(const std::uint32_t* nodes,
                                                            const __mmask16* went) {
  if constexpr (kBits == 0) {
    return _mm512_loadu_si512(nodes);
  } else {
    const __m512i left = chosen_node<kBits - 1>(nodes, went + 1);
    const __m512i right = chosen_node<kBits - 1>(nodes + (kPackLanes << (kBits - 1)), went + 1);
    return _mm512_mask_blend_epi32(went[0], left, right);
  }
}

// The levels from kLevel to the last of those by blends: where the trees of a group are then.
template <int kLevel>
[[gnu::always_inline]] MR_AVX512 inline __m512i walk_levels(const std::uint32_t* nodes, int depth,
                                                            __m512i low, __m512i high, __mmask16* went,
                                                            __m512i at) {
  if constexpr (kLevel == kBlendedLevels) {
    return at;
  } else {
    if (kLevel == depth) return at;
    const __m512i node = chosen_node<kLevel>(nodes + (kPackLanes << kLevel), went);
    const __m512i rank = _mm512_permutex2var_epi32(low, node, high);
    went[kLevel] = _mm512_cmpge_epu32_mask(rank, _mm512_srli_epi32(node, 16));
    at = _mm512_add_epi32(at, at);
    at = _mm512_mask_add_epi32(at, went[kLevel], at, _mm512_set1_epi32(1));
    return walk_levels<kLevel + 1>(nodes, depth, low, high, went, at);
  }
}

// The same with all ranks in two registers.
MR_AVX512 void leaves_in_registers(const PackedGroups& groups, const std::uint32_t* ranks, float* out) {
  const std::size_t size = (std::size_t{1} << groups.depth) * kPackLanes;
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i low = _mm512_loadu_si512(ranks), high = _mm512_loadu_si512(ranks + 16);
  const int depth = static_cast<int>(groups.depth);
  __m512i at[kPackGroups];
  for (std::size_t g = 0; g < groups.count; ++g) {
    __mmask16 went[kBlendedLevels];
    at[g] = walk_levels<0>(groups.nodes + g * size, depth, low, high, went, one);
  }
  for (int d = kBlendedLevels; d < depth; ++d) {
    for (std::size_t g = 0; g < groups.count; ++g) {
      const __m512i place = _mm512_add_epi32(_mm512_slli_epi32(at[g], 4), lane);
      const __m512i node = _mm512_i32gather_epi32(place, groups.nodes + g * size, 4);
      const __m512i rank = _mm512_permutex2var_epi32(low, node, high);
      const __mmask16 right = _mm512_cmpge_epu32_mask(rank, _mm512_srli_epi32(node, 16));
      at[g] = _mm512_add_epi32(at[g], at[g]);
      at[g] = _mm512_mask_add_epi32(at[g], right, at[g], one);
    }
  }
  const __m512i leaves = _mm512_set1_epi32(1 << depth);
  for (std::size_t g = 0; g < groups.count; ++g) {
    const __m512i place = _mm512_add_epi32(_mm512_slli_epi32(_mm512_sub_epi32(at[g], leaves), 4), lane);
    _mm512_storeu_ps(out + g * kPackLanes, _mm512_i32gather_ps(place, groups.leaves + g * size, 4));
  }
}

#endif

// How many of the ascending thresholds are at most x; count is at least 1.
std::uint32_t rank_among(const float* thresholds, std::uint32_t count, float x) {
  const float* from = thresholds;
  while (count > 1) {
    const std::uint32_t half = count / 2;
    from += from[half - 1] <= x ? half : 0;
    count -= half;
  }
  return static_cast<std::uint32_t>(from - thresholds) + (*from <= x ? 1 : 0);
}

std::uint32_t depth_of(const Tree& tree) {
  std::vector<std::uint32_t> depth(tree.nodes.size());
  std::uint32_t deepest = 0;
  std::vector<std::size_t> open{0};
  while (!open.empty()) {
    const std::size_t k = open.back();
    open.pop_back();
    deepest = std::max(deepest, depth[k]);
    if (tree.nodes[k].left < 0) continue;
    for (const std::int32_t child : {tree.nodes[k].left, tree.nodes[k].right}) {
      depth[static_cast<std::size_t>(child)] = depth[k] + 1;
      open.push_back(static_cast<std::size_t>(child));
    }
  }
  return deepest;
}

}  // namespace

PackedTrees::PackedTrees(const Ensemble& ensemble, std::size_t first, std::size_t last) {
  if (last - first < kTreesLeast) return;
  for (std::size_t t = first; t < last; ++t) depth_ = std::max(depth_, depth_of(ensemble.trees[t]));
  const std::size_t groups = (last - first + kPackLanes - 1) / kPackLanes;
  const std::size_t size = (groups << depth_) * kPackLanes;
  if (depth_ > kDepthMost || size * 8 > kPackedBytesMost) return;
  if (!number_thresholds(ensemble, first, last)) return;
  trees_ = last - first;
  nodes_.assign(size, kNeverRight << 16);
  leaves_.assign(size, 0);
  for (std::size_t t = first; t < last; ++t) {
    pack(ensemble.trees[t], ensemble.tree_weight.empty() ? 1 : ensemble.tree_weight[t], t - first);
    one_output_ = one_output_ && ensemble.tree_output[t] == ensemble.tree_output[first];
  }
}

bool PackedTrees::number_thresholds(const Ensemble& ensemble, std::size_t first, std::size_t last) {
  std::vector<std::vector<float>> found(ensemble.features);
  for (std::size_t t = first; t < last; ++t) {
    for (const Node& node : ensemble.trees[t].nodes) {
      if (node.left < 0) continue;
      if (std::isnan(node.condition)) return false;
      found[node.feature].push_back(node.condition);
    }
  }
  feature_of_.assign(ensemble.features, 0);
  for (std::size_t j = 0; j < found.size(); ++j) {
    if (found[j].empty()) continue;
    std::ranges::sort(found[j]);
    found[j].erase(std::unique(found[j].begin(), found[j].end()), found[j].end());
    if (found[j].size() > kRanksMost) return false;
    feature_of_[j] = static_cast<std::uint32_t>(features_.size());
    features_.push_back({static_cast<std::uint32_t>(j), static_cast<std::uint32_t>(thresholds_.size()),
                         static_cast<std::uint32_t>(found[j].size())});
    thresholds_.insert(thresholds_.end(), found[j].begin(), found[j].end());
  }
  return features_.size() <= kRanksMost / 2;
}

// A leaf above the lowest level goes left all the way down.
void PackedTrees::pack(const Tree& tree, float weight, std::size_t place) {
  const std::size_t leaves = std::size_t{1} << depth_;
  const std::size_t base = place / kPackLanes * leaves * kPackLanes + place % kPackLanes;
  std::vector<std::pair<std::size_t, std::size_t>> open{{0, 1}};  // node, its number from the root
  while (!open.empty()) {
    const auto [k, number] = open.back();
    open.pop_back();
    const Node& node = tree.nodes[k];
    if (node.left < 0) {
      std::size_t lowest = number;
      while (lowest < leaves) lowest *= 2;
      leaves_[base + (lowest - leaves) * kPackLanes] = node.condition * weight;
      continue;
    }
    const Feature& feature = features_[feature_of_[node.feature]];
    const std::uint32_t rank = rank_among(thresholds_.data() + feature.first, feature.count, node.condition);
    nodes_[base + number * kPackLanes] =
        rank << 16 | (feature_of_[node.feature] * 2 + (node.missing_left ? 0 : 1));
    open.emplace_back(static_cast<std::size_t>(node.left), 2 * number);
    open.emplace_back(static_cast<std::size_t>(node.right), 2 * number + 1);
  }
}

// Two numbers to a feature, which are the same unless the value is missing: what is met by splits that send
// it left, and right.
void PackedTrees::rank(const float* row, std::uint32_t* ranks) const {
  for (std::size_t f = 0; f < features_.size(); ++f) {
    const Feature& feature = features_[f];
    const float x = row[feature.column];
    const std::uint32_t found = rank_among(thresholds_.data() + feature.first, feature.count, x);
    ranks[2 * f] = found, ranks[2 * f + 1] = x == x ? found : kNeverRight;
  }
}

void PackedTrees::add(const float* row, std::span<const std::uint32_t> outputs, float* scores,
                      std::size_t step) const {
  std::uint32_t few[kRegisterRanks] = {};
  static thread_local std::vector<std::uint32_t> many;
  std::uint32_t* ranks = few;
  const bool in_registers = features_.size() * 2 <= kRegisterRanks;
  if (!in_registers) many.resize(features_.size() * 2), ranks = many.data();
  rank(row, ranks);
  const std::size_t size = (std::size_t{1} << depth_) * kPackLanes;
  float values[kPackGroups * kPackLanes];
  for (std::size_t t = 0; t < trees_; t += kPackGroups * kPackLanes) {
    const std::size_t trees = std::min(trees_ - t, kPackGroups * kPackLanes), from = t / kPackLanes * size;
    const PackedGroups groups{nodes_.data() + from, leaves_.data() + from, depth_,
                              (trees + kPackLanes - 1) / kPackLanes};
#if defined(__x86_64__)
    if (in_registers && isa() == Isa::Avx512)
      leaves_in_registers(groups, ranks, values);
    else
#endif
      leaves_of(groups, ranks, values);
    if (one_output_) {
      float sum = scores[outputs[t] * step];
      for (std::size_t q = 0; q < trees; ++q) sum += values[q];
      scores[outputs[t] * step] = sum;
    } else {
      for (std::size_t q = 0; q < trees; ++q) scores[outputs[t + q] * step] += values[q];
    }
  }
}

}  // namespace millrace::tasks::trees
