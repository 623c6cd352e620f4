#pragma once
// Tree and Ensemble: what training makes and prediction reads. Plain values, immutable once made.
// The meaning of every field is that of XGBoost's JSON model (model_json.h).

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace::tasks::trees {

struct Node {
  std::int32_t parent = -1, left = -1, right = -1;  // left -1: a leaf
  std::uint32_t feature = 0;
  float condition = 0;           // left when x < condition; of a leaf, its value
  bool missing_left = false;     // where a missing x goes
  float gain = 0;                // loss reduction of the split
  float cover = 0;               // sum of hessians
  float weight = 0;              // what the node would answer as a leaf, before the learning rate
  std::int32_t categories = -1;  // of a split by categories its place in Tree::category_sets, else -1
};

// Node 0 is the root; children stand behind their parent, level by level, when we grew the tree.
struct Tree {
  std::vector<Node> nodes;
  // Ascending. A row whose category is among them goes right, any other and no category at all to the left;
  // models of elsewhere have such splits, our own training makes none.
  std::vector<std::vector<std::uint32_t>> category_sets;
};

inline constexpr std::uint32_t kCategoriesMost = 1u << 24;  // whole numbers that a float tells apart

// Whether x, which is not missing, is one of the categories.
inline bool is_among(const std::vector<std::uint32_t>& categories, float x) {
  return x >= 0 && x < static_cast<float>(kCategoriesMost) &&
         std::binary_search(categories.begin(), categories.end(), static_cast<std::uint32_t>(x));
}

struct Ensemble {
  enum class Booster { Trees, Dart, Linear };

  std::string objective = "reg:squarederror";
  std::map<std::string, std::string> objective_parameters;  // "scale_pos_weight", …
  double base_score = 0.5;                                  // before the link: 0.5 of binary:logistic is 0
  std::size_t features = 0;
  std::size_t outputs = 1;  // scores of a row: the classes, or 1
  Booster booster = Booster::Trees;
  std::vector<Tree> trees;
  std::vector<std::uint32_t> tree_output;  // by tree: the score it adds to
  std::vector<float> tree_weight;          // Dart: by tree; empty otherwise
  std::size_t parallel_trees = 1;          // trees of an output and round
  std::vector<float> linear;               // Linear: (features + 1, outputs), the biases last
  std::vector<std::string> feature_names;  // may be empty
  std::vector<std::string> feature_types;  // XGBoost's, "c" of categories; may be empty
  std::map<std::string, std::string> attributes;

  std::size_t trees_per_round() const { return parallel_trees * outputs; }
  std::size_t rounds() const { return trees.size() / trees_per_round(); }
};

}  // namespace millrace::tasks::trees
