// Models of random-forest and extra-trees.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/forest.h"
#include "tasks/training/model_bytes.h"
#include "tasks/trees/predict.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kForestMagic = "MRRF";
constexpr std::uint8_t kForestVersion = 1;
constexpr std::size_t kForestRows = 256;  // scored at a time
constexpr std::size_t kNodesMax = std::size_t{1} << 31;

// A node as it is stored; the right child stands behind the left one.
struct StoredNode {
  std::uint32_t left;     // 0: a leaf
  std::uint32_t feature;  // times two, plus one when a missing value goes left; of a leaf its row of shares
  float condition, gain, cover;
};
static_assert(sizeof(StoredNode) == 20);

template <class T>
void append_bytes(std::string& out, const T* values, std::size_t count) {
  if (count > 0) out.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

template <class T>
bool take_bytes(std::string_view& bytes, T* values, std::size_t count) {
  if (bytes.size() / sizeof(T) < count) return false;
  if (count > 0) std::memcpy(values, bytes.data(), count * sizeof(T));
  bytes.remove_prefix(count * sizeof(T));
  return true;
}

bool unpack_tree(std::string_view& bytes, std::size_t features, std::size_t classes, trees::ForestTree& out) {
  std::uint64_t sizes[2];
  if (!take_bytes(bytes, sizes, 2) || sizes[0] == 0 || sizes[0] >= kNodesMax) return false;
  if (sizes[0] > bytes.size() / sizeof(StoredNode) || sizes[1] > bytes.size() / sizeof(float)) return false;
  std::vector<StoredNode> nodes(sizes[0]);
  out.shares.resize(sizes[1]);
  if (!take_bytes(bytes, nodes.data(), nodes.size())) return false;
  if (!take_bytes(bytes, out.shares.data(), out.shares.size())) return false;
  const std::size_t rows = classes > 2 ? out.shares.size() / classes : 0;
  if (out.shares.size() != rows * (classes > 2 ? classes : 0)) return false;
  if (!std::ranges::all_of(out.shares, [](float v) { return v >= 0 && v <= 1; })) return false;
  out.tree.nodes.resize(nodes.size());
  std::size_t next = 1;  // children that are somebody's
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    const StoredNode& stored = nodes[k];
    trees::Node& node = out.tree.nodes[k];
    node.condition = stored.condition, node.gain = stored.gain, node.cover = stored.cover;
    if (!(stored.cover >= 0) || std::isnan(stored.condition)) return false;
    if (stored.left == 0) {
      node.feature = stored.feature;
      if (classes > 2 ? stored.feature >= rows : !std::isfinite(stored.condition)) return false;
      continue;
    }
    if (stored.left <= k || std::size_t{stored.left} + 1 >= nodes.size()) return false;
    node.left = static_cast<std::int32_t>(stored.left), node.right = node.left + 1;
    node.feature = stored.feature / 2, node.missing_left = stored.feature % 2 == 1;
    if (node.feature >= features) return false;
    for (const std::int32_t child : {node.left, node.right}) {
      std::int32_t& parent = out.tree.nodes[static_cast<std::size_t>(child)].parent;
      if (parent >= 0) return false;
      parent = static_cast<std::int32_t>(k);
    }
    next += 2;
  }
  return next == nodes.size();
}

class ForestModel final : public Model {
 public:
  explicit ForestModel(ForestParts parts) : parts_(std::move(parts)) {
    trees::Ensemble& e = ensemble_;
    e.base_score = 0, e.features = parts_.features, e.parallel_trees = parts_.trees.size();
    for (const trees::ForestTree& tree : parts_.trees) {
      e.trees.push_back(tree.tree), e.tree_output.push_back(0);
      for (trees::Node& node : e.trees.back().nodes) {
        if (node.left < 0) node.condition /= static_cast<float>(parts_.trees.size());
      }
    }
    predictor_ = trees::Predictor(e);
    if (parts_.classes > 2) ensemble_ = {};  // its leaves are rows of shares
  }

  std::string_view algorithm() const override { return parts_.algorithm; }
  std::size_t n_features() const override { return parts_.features; }
  std::string save() const override {
    ModelWriter out(kForestMagic, kForestVersion);
    out.put(parts_.algorithm).put(std::uint64_t{parts_.features}).put(std::uint64_t{parts_.classes});
    out.put(std::string_view(pack_trees(parts_.trees)));
    return std::move(out).finish();
  }
  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_features(parts_.algorithm, X, parts_.features));
    if (parts_.classes > 2) return shares_of(X);
    Matrix out(X.rows, 1);
    predictor_.add(X, out.values.data(), 1, 0);
    if (parts_.classes == 2) {
      for (float& p : out.values) p = std::clamp(p, 0.0f, 1.0f);  // a sum of rounded parts
    }
    return out;
  }
  const trees::Ensemble* ensemble() const { return parts_.classes > 2 ? nullptr : &ensemble_; }

 private:
  Matrix shares_of(MatrixView X) const {
    const std::size_t count = parts_.trees.size(), classes = parts_.classes;
    Matrix out(X.rows, classes);
    std::vector<std::uint32_t> leaves(kForestRows * count);
    for (std::size_t begin = 0; begin < X.rows; begin += kForestRows) {
      const std::size_t rows = std::min(kForestRows, X.rows - begin);
      predictor_.leaves(X.slice(begin, rows), leaves.data());
      for (std::size_t i = 0; i < rows; ++i) {
        float* row = out.values.data() + (begin + i) * classes;
        for (std::size_t t = 0; t < count; ++t) {
          const trees::ForestTree& tree = parts_.trees[t];
          const float* shares = tree.shares.data() + tree.tree.nodes[leaves[i * count + t]].feature * classes;
          for (std::size_t c = 0; c < classes; ++c) row[c] += shares[c];
        }
        for (std::size_t c = 0; c < classes; ++c) row[c] /= static_cast<float>(count);
      }
    }
    return out;
  }

  const ForestParts parts_;
  trees::Ensemble ensemble_;  // its leaves are parts of the mean; of a number or two classes
  trees::Predictor predictor_;
};

Result<std::unique_ptr<const Model>> load_forest(std::string_view algorithm, std::string_view bytes) {
  MR_TRY(in, ModelReader::open(algorithm, kForestMagic, kForestVersion, bytes));
  ForestParts parts;
  parts.algorithm = algorithm;
  const std::string name = in.text();
  parts.features = in.u64(), parts.classes = in.u64();
  const std::string packed = in.text();
  const bool usable = name == algorithm && parts.features > 0 && parts.classes != 1 &&
                      unpack_trees(packed, parts.features, parts.classes, parts.trees) &&
                      !parts.trees.empty();
  MR_DO(in.finish(usable));
  return make_forest_model(std::move(parts));
}

}  // namespace

std::string pack_trees(const std::vector<trees::ForestTree>& trees) {
  std::string out;
  const std::uint64_t count = trees.size();
  append_bytes(out, &count, 1);
  for (const trees::ForestTree& tree : trees) {
    const std::uint64_t sizes[2] = {tree.tree.nodes.size(), tree.shares.size()};
    append_bytes(out, sizes, 2);
    for (const trees::Node& node : tree.tree.nodes) {
      const bool leaf = node.left < 0;
      const StoredNode stored{leaf ? 0 : static_cast<std::uint32_t>(node.left),
                              leaf ? node.feature : node.feature * 2 + (node.missing_left ? 1 : 0),
                              node.condition, node.gain, node.cover};
      append_bytes(out, &stored, 1);
    }
    append_bytes(out, tree.shares.data(), tree.shares.size());
  }
  return out;
}

bool unpack_trees(std::string_view bytes, std::size_t features, std::size_t classes,
                  std::vector<trees::ForestTree>& trees) {
  std::uint64_t count = 0;
  if (!take_bytes(bytes, &count, 1) || count > bytes.size() / sizeof(StoredNode)) return false;
  trees.assign(count, {});
  for (trees::ForestTree& tree : trees) {
    if (!unpack_tree(bytes, features, classes, tree)) return false;
  }
  return bytes.empty();
}

std::unique_ptr<const Model> make_forest_model(ForestParts parts) {
  return std::make_unique<ForestModel>(std::move(parts));
}

Result<std::unique_ptr<const Model>> load_random_forest(std::string_view bytes) {
  return load_forest(kRandomForest, bytes);
}
Result<std::unique_ptr<const Model>> load_extra_trees(std::string_view bytes) {
  return load_forest(kExtraTrees, bytes);
}

const trees::Ensemble* forest_ensemble_of(const Model& model) {
  const auto* own = dynamic_cast<const ForestModel*>(&model);
  return own ? own->ensemble() : nullptr;
}

}  // namespace millrace::tasks
