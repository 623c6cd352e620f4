#pragma once
// One tree of a random cut forest: the points of a sample, cut apart at random: a feature by the width of the
// points' box in it, a place in that width evenly. Immutable once grown; any thread.
// A point is scored on its way down: at a box that it lies outside of, the chance that a random cut would
// have set it apart there counts with 1/(depth + 1); what is left goes on, and where it ends among the m
// points of a leaf counts with 1/(depth + log2(m + 1)), less the more points of the tree lie there. The sum
// times log2(points + 1), so 1 is about usual and far outside is several. Sources: Guha, Mishra, Roy,
// Schrijvers, Robust random cut forest based anomaly detection on streams (2016); the scoring functions are
// those that AWS's implementation documents.

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "tasks/numeric/matrix.h"

namespace millrace::tasks {

// As it is saved: nodes from the root, a left child right behind its parent.
struct RandomCuts {
  static constexpr std::uint32_t kLeaf = 0xffffffff;
  std::vector<std::uint32_t> feature;  // of a cut; kLeaf
  std::vector<float> value;            // points with at most this go left
  std::vector<std::uint32_t> right;    // the right child; of a leaf one of its points
  std::vector<std::uint32_t> mass;     // points below
};

// points (n, d): finite, n >= 1.
RandomCuts grow_cuts(const Matrix& points, Random random);

class RandomCutTree {
 public:
  // Cuts of these points; what is_tree says of them must hold.
  RandomCutTree(const Matrix& points, RandomCuts cuts);
  double score(const float* point) const;  // (d,), finite; at least 0
  const RandomCuts& cuts() const { return cuts_; }

 private:
  std::size_t d_;
  RandomCuts cuts_;
  std::vector<float> boxes_;    // of each node: lowest (d,), highest (d,)
  std::vector<double> widths_;  // of the boxes, summed over the features
};

// Whether they are a tree over `points` points of d features: each node but the root is one's child, masses
// add up, leaves name points. For bytes from outside.
bool is_tree(const RandomCuts& cuts, std::size_t points, std::size_t d);

}  // namespace millrace::tasks
