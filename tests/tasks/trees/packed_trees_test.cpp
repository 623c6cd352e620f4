// Packed trees beside a plain walk: the same bits on each kind of processor, for missing values, values on a
// threshold and beyond all, one output and several, few features and many, shallow and deep.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "tasks/numeric/isa.h"
#include "tasks/trees/predict.h"

using namespace millrace;
using namespace millrace::tasks;
using namespace millrace::tasks::trees;

namespace {

// Splits at random down to `depth`; some branches end early.
void grow_packed(Tree& tree, std::size_t at, std::uint32_t depth, std::size_t features, Random& random) {
  Node& node = tree.nodes[at];
  if (depth == 0 || (at > 0 && random.below(6) == 0)) {
    node.condition = static_cast<float>(random.normal());
    return;
  }
  node.feature = static_cast<std::uint32_t>(random.below(features));
  const float few[] = {-0.0f, 0.0f, 0.5f, -1, std::numeric_limits<float>::infinity()};
  const std::uint64_t kind = random.below(10);
  node.condition = kind < 5 ? few[kind] : static_cast<float>(random.normal());
  node.missing_left = random.below(2) == 0;
  const auto left = static_cast<std::int32_t>(tree.nodes.size());
  node.left = left, node.right = left + 1;
  tree.nodes.resize(tree.nodes.size() + 2);
  for (const std::int32_t child : {left, left + 1}) {
    tree.nodes[static_cast<std::size_t>(child)].parent = static_cast<std::int32_t>(at);
    grow_packed(tree, static_cast<std::size_t>(child), depth - 1, features, random);
  }
}

Ensemble packed_ensemble(std::size_t trees, std::uint32_t depth, std::size_t features, std::size_t outputs,
                         bool weighted, Random& random) {
  Ensemble out;
  out.features = features, out.outputs = outputs;
  for (std::size_t t = 0; t < trees; ++t) {
    out.trees.emplace_back().nodes.resize(1);
    grow_packed(out.trees.back(), 0, depth, features, random);
    out.tree_output.push_back(static_cast<std::uint32_t>(t % outputs));
    if (weighted) out.tree_weight.push_back(static_cast<float>(random.uniform()));
  }
  return out;
}

void add_plainly(const Ensemble& ensemble, const float* row, float* scores) {
  for (std::size_t t = 0; t < ensemble.trees.size(); ++t) {
    const std::vector<Node>& nodes = ensemble.trees[t].nodes;
    std::size_t at = 0;
    while (nodes[at].left >= 0) {
      const float x = row[nodes[at].feature];
      const bool left = std::isnan(x) ? nodes[at].missing_left : x < nodes[at].condition;
      at = static_cast<std::size_t>(left ? nodes[at].left : nodes[at].right);
    }
    const float weight = ensemble.tree_weight.empty() ? 1 : ensemble.tree_weight[t];
    scores[ensemble.tree_output[t]] += nodes[at].condition * weight;
  }
}

Matrix packed_rows(std::size_t n, std::size_t features, bool missing, Random& random) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float few[] = {0.0f, -0.0f, 0.5f, -1, infinity, -infinity, std::nanf("")};
  Matrix out(n, features);
  for (float& value : out.values) {
    const std::uint64_t kind = random.below(missing ? 14 : 12);
    value = kind < 6 ? few[kind] : kind > 11 ? few[6] : static_cast<float>(random.normal());
  }
  return out;
}

}  // namespace

TEST_CASE("packed trees: the bits of a plain walk") {
  struct Case {
    std::size_t trees;
    std::uint32_t depth;
    std::size_t features, outputs;
    bool weighted, packed;
  };
  const Case cases[] = {
      {16, 1, 1, 1, false, true},    {15, 6, 4, 1, false, false},  {100, 6, 10, 1, false, true},
      {100, 6, 16, 1, true, true},   {100, 6, 17, 1, false, true}, {301, 8, 40, 3, true, true},
      {150, 3, 700, 7, false, true}, {40, 9, 5, 1, false, false},  {20, 0, 3, 1, false, true},
  };
  Random random(11);
  for (const Case& c : cases) {
    CAPTURE(c.trees);
    CAPTURE(c.depth);
    CAPTURE(c.features);
    const Ensemble ensemble = packed_ensemble(c.trees, c.depth, c.features, c.outputs, c.weighted, random);
    CHECK(PackedTrees(ensemble, 0, c.trees).usable() == c.packed);
    const Predictor all(ensemble);
    for (const bool missing : {false, true}) {
      const Matrix X = packed_rows(130, c.features, missing, random);
      std::vector<float> expected(X.rows * c.outputs, 0.25f);
      for (std::size_t i = 0; i < X.rows; ++i)
        add_plainly(ensemble, X.values.data() + i * X.cols, expected.data() + i * c.outputs);
      for (const Isa most : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
        limit_isa(most);
        std::vector<float> together(expected.size(), 0.25f), alone(expected.size(), 0.25f);
        all.add(X, together.data(), c.outputs, 1);
        for (std::size_t i = 0; i < X.rows; ++i)
          all.add(MatrixView(X).slice(i, 1), alone.data() + i * c.outputs, c.outputs, 1);
        CHECK(together == expected);
        CHECK(alone == expected);
      }
      limit_isa(Isa::Avx512);
    }
  }
}

TEST_CASE("packed trees: a threshold that is no number is left to the other way") {
  Random random(3);
  Ensemble ensemble = packed_ensemble(16, 2, 2, 1, false, random);
  ensemble.trees[5].nodes[0].condition = std::nanf("");
  CHECK_FALSE(PackedTrees(ensemble, 0, 16).usable());
}

TEST_CASE("packed trees: a part of an ensemble") {
  Random random(5);
  const Ensemble ensemble = packed_ensemble(60, 4, 3, 2, false, random);
  const Matrix X = packed_rows(9, 3, true, random);
  std::vector<float> whole(18), parts(18);
  Predictor(ensemble).add(X, whole.data(), 2, 1);
  Predictor(ensemble, 0, 25).add(X, parts.data(), 2, 1);
  Predictor(ensemble, 25, 60).add(X, parts.data(), 2, 1);
  CHECK(whole == parts);
}
