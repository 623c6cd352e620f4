#include "tasks/trees/bin_predict.h"

#include <algorithm>
#include <limits>

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kBinnedGrain = 16384;

}  // namespace

BinnedTree::BinnedTree(const Tree& tree, const Bins& bins) : bins_(bins) {
  for (const Node& node : tree.nodes) {
    Step step{node.feature, 0, node.left, node.right, node.missing_left, node.condition};
    fits_ &= node.left < 0 || node.categories < 0;
    if (node.left >= 0) {
      const Feature& feature = bins.features()[node.feature];
      const auto cut = std::ranges::lower_bound(feature.cuts, node.condition);
      step.last = static_cast<std::uint32_t>(cut - feature.cuts.begin());
      // Behind the last bin: values against missing ones.
      fits_ &= cut != feature.cuts.end() ? *cut == node.condition
                                         : node.condition == std::numeric_limits<float>::max();
    }
    steps_.push_back(step);
  }
}

float BinnedTree::value(std::size_t row) const {
  const Step* step = steps_.data();
  while (step->left >= 0) {
    const Feature& feature = bins_.features()[step->feature];
    // A feature that does not vary has no column: all its values are in bin 0.
    const std::uint32_t bin = feature.bins > 1 ? bins_.bin(feature, row) : 0;
    const bool missing = feature.missing && bin == feature.values;
    const bool left = missing ? step->missing_left : bin <= step->last;
    step = steps_.data() + (left ? step->left : step->right);
  }
  return step->value;
}

void add_binned(const BinnedTree& tree, float weight, std::span<const std::uint32_t> rows, std::size_t all,
                float* scores, Team& team) {
  team.blocks(rows.empty() ? all : rows.size(), kBinnedGrain, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t k = begin; k < end; ++k) {
      const std::size_t row = rows.empty() ? k : rows[k];
      scores[row] += tree.value(row) * weight;
    }
  });
}

}  // namespace millrace::tasks::trees
