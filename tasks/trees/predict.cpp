#include "tasks/trees/predict.h"

#include <algorithm>
#include <limits>

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kLanes = 16;      // trees or rows under way
constexpr std::size_t kBlockRows = 64;  // rows that go through all trees together
constexpr std::uint32_t kDeep = 12;     // beyond, it is worth looking whether all have arrived

bool has_missing(const float* row, std::size_t cols) {
  bool missing = false;
  for (std::size_t j = 0; j < cols; ++j) missing |= row[j] != row[j];
  return missing;
}

}  // namespace

Predictor::Predictor(const Ensemble& ensemble, std::size_t first, std::size_t last) {
  for (std::size_t t = first; t < last; ++t)
    append(ensemble.trees[t], ensemble.tree_output[t],
           ensemble.tree_weight.empty() ? 1 : ensemble.tree_weight[t]);
  if (sets_.empty()) packed_ = PackedTrees(ensemble, first, last);
}

Predictor::Predictor(const Tree& tree) {
  append(tree, 0, 1);
}

void Predictor::append(const Tree& tree, std::uint32_t output, float weight) {
  const auto base = static_cast<std::uint32_t>(steps_.size());
  roots_.push_back(base), outputs_.push_back(output);
  std::vector<std::uint32_t> order{0}, depth{0};  // nodes level by level
  std::uint32_t deepest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const Node& node = tree.nodes[order[k]];
    const auto self = base + static_cast<std::uint32_t>(k);
    if (node.left < 0) {
      steps_.push_back({std::numeric_limits<float>::quiet_NaN(), 0, self, node.condition * weight});
    } else {
      steps_.push_back({node.condition, node.feature * 2 + (node.missing_left ? 0 : 1),
                        base + static_cast<std::uint32_t>(order.size()), 0});
      order.push_back(static_cast<std::uint32_t>(node.left)),
          order.push_back(static_cast<std::uint32_t>(node.right));
      depth.push_back(depth[k] + 1), depth.push_back(depth[k] + 1);
    }
    deepest = std::max(deepest, depth[k]);
    if (node.left < 0 || node.categories < 0) continue;
    set_of_.resize(steps_.size(), -1);
    set_of_.back() = static_cast<std::int32_t>(sets_.size());
    sets_.push_back(tree.category_sets[static_cast<std::size_t>(node.categories)]);
  }
  if (!sets_.empty()) set_of_.resize(steps_.size(), -1);
  numbers_.insert(numbers_.end(), order.begin(), order.end());
  depths_.push_back(deepest);
}

std::uint32_t Predictor::walk_one(const float* row, std::size_t tree) const {
  std::uint32_t at = roots_[tree];
  while (steps_[at].left != at) {
    const Step& step = steps_[at];
    const float x = row[step.feature >> 1];
    const std::int32_t set = set_of_[at];
    const bool right = x != x    ? (step.feature & 1) != 0
                       : set < 0 ? x >= step.threshold
                                 : is_among(sets_[static_cast<std::size_t>(set)], x);
    at = step.left + (right ? 1 : 0);
  }
  return at;
}

template <bool kMissing>
void Predictor::walk_trees(const float* row, std::size_t first, std::size_t count, std::uint32_t* at) const {
  std::uint32_t depth = 0;
  for (std::size_t q = 0; q < count; ++q)
    at[q] = roots_[first + q], depth = std::max(depth, depths_[first + q]);
  for (std::size_t q = count; q < kLanes; ++q) at[q] = at[0];
  for (std::uint32_t d = 0; d < depth; ++d) {
    std::uint32_t moved = 0;
    for (std::size_t q = 0; q < kLanes; ++q) {
      const Step& step = steps_[at[q]];
      const float x = row[step.feature >> 1];
      bool right = x >= step.threshold;
      if (kMissing) right = right || (x != x && (step.feature & 1) != 0);
      const std::uint32_t next = step.left + (right ? 1 : 0);
      moved |= next ^ at[q], at[q] = next;
    }
    if (d >= kDeep && moved == 0) break;
  }
}

template <bool kMissing>
void Predictor::walk_rows(const float* const* rows, std::size_t count, std::size_t tree,
                          std::uint32_t* at) const {
  const Step* const steps = steps_.data();
  for (std::size_t first = 0; first < count; first += kLanes) {
    std::uint32_t* const k = at + first;
    const float* const* const x_of = rows + first;
    for (std::size_t q = 0; q < kLanes; ++q) k[q] = roots_[tree];
    for (std::uint32_t d = 0; d < depths_[tree]; ++d) {
      std::uint32_t moved = 0;
      for (std::size_t q = 0; q < kLanes; ++q) {
        const Step& step = steps[k[q]];
        const float x = x_of[q][step.feature >> 1];
        bool right = x >= step.threshold;
        if (kMissing) right = right || (x != x && (step.feature & 1) != 0);
        const std::uint32_t next = step.left + (right ? 1 : 0);
        moved |= next ^ k[q], k[q] = next;
      }
      if (d >= kDeep && moved == 0) break;
    }
  }
}

// `rows` has kBlockRows entries, the last repeated, unless it is a single one.
void Predictor::add_block(const float* const* rows, float* const* scores, std::size_t count, std::size_t cols,
                          std::size_t output_step) const {
  for (std::size_t r = 0; r < count && !sets_.empty(); ++r) {
    for (std::size_t t = 0; t < roots_.size(); ++t)
      scores[r][outputs_[t] * output_step] += steps_[walk_one(rows[r], t)].value;
  }
  if (!sets_.empty()) return;
  bool missing = false;
  for (std::size_t r = 0; r < count; ++r) missing |= has_missing(rows[r], cols);
  if (packed_.usable()) {
    for (std::size_t r = 0; r < count; ++r) packed_.add(rows[r], outputs_, scores[r], output_step);
    return;
  }
  std::uint32_t at[kBlockRows];
  if (count == 1) {
    for (std::size_t t = 0; t < roots_.size(); t += kLanes) {
      const std::size_t trees = std::min(kLanes, roots_.size() - t);
      missing ? walk_trees<true>(rows[0], t, trees, at) : walk_trees<false>(rows[0], t, trees, at);
      for (std::size_t q = 0; q < trees; ++q) scores[0][outputs_[t + q] * output_step] += steps_[at[q]].value;
    }
    return;
  }
  for (std::size_t t = 0; t < roots_.size(); ++t) {
    missing ? walk_rows<true>(rows, count, t, at) : walk_rows<false>(rows, count, t, at);
    for (std::size_t r = 0; r < count; ++r) scores[r][outputs_[t] * output_step] += steps_[at[r]].value;
  }
}

void Predictor::add(MatrixView X, float* scores, std::size_t row_step, std::size_t output_step) const {
  const float* rows[kBlockRows];
  float* out[kBlockRows];
  for (std::size_t i = 0; i < X.rows; i += kBlockRows) {
    const std::size_t count = std::min(kBlockRows, X.rows - i);
    for (std::size_t r = 0; r < (count == 1 ? 1 : kBlockRows); ++r) {
      const std::size_t row = i + std::min(r, count - 1);
      rows[r] = X.data + row * X.cols, out[r] = scores + row * row_step;
    }
    add_block(rows, out, count, X.cols, output_step);
  }
}

void Predictor::add(MatrixView X, std::span<const std::uint32_t> list, float* scores, std::size_t row_step,
                    std::size_t output_step) const {
  const float* rows[kBlockRows];
  float* out[kBlockRows];
  for (std::size_t i = 0; i < list.size(); i += kBlockRows) {
    const std::size_t count = std::min(kBlockRows, list.size() - i);
    for (std::size_t r = 0; r < kBlockRows; ++r) {
      const std::size_t row = list[i + std::min(r, count - 1)];
      rows[r] = X.data + row * X.cols, out[r] = scores + row * row_step;
    }
    add_block(rows, out, count, X.cols, output_step);
  }
}

void Predictor::leaves(MatrixView X, std::uint32_t* out) const {
  std::uint32_t at[kLanes];
  for (std::size_t i = 0; i < X.rows; ++i) {
    for (std::size_t t = 0; t < roots_.size() && !sets_.empty(); ++t)
      out[i * roots_.size() + t] = numbers_[walk_one(X.data + i * X.cols, t)];
    for (std::size_t t = 0; t < roots_.size() && sets_.empty(); t += kLanes) {
      const std::size_t trees = std::min(kLanes, roots_.size() - t);
      walk_trees<true>(X.data + i * X.cols, t, trees, at);
      for (std::size_t q = 0; q < trees; ++q) out[i * roots_.size() + t + q] = numbers_[at[q]];
    }
  }
}

void margins_of(const Ensemble& ensemble, const Predictor& predictor, double base_margin, MatrixView X,
                float* out) {
  const std::size_t k = ensemble.outputs;
  std::fill_n(out, X.rows * k, static_cast<float>(base_margin));
  if (ensemble.booster != Ensemble::Booster::Linear) return predictor.add(X, out, k, 1);
  const float* bias = ensemble.linear.data() + ensemble.features * k;
  for (std::size_t i = 0; i < X.rows; ++i) {
    for (std::size_t c = 0; c < k; ++c) out[i * k + c] += bias[c];
    for (std::size_t j = 0; j < X.cols; ++j) {
      const float x = X.data[i * X.cols + j];
      for (std::size_t c = 0; c < k && x == x; ++c) out[i * k + c] += x * ensemble.linear[j * k + c];
    }
  }
}

}  // namespace millrace::tasks::trees
