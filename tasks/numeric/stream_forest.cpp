#include "tasks/numeric/stream_forest.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/encoding.h"
#include "base/random.h"
#include "tasks/numeric/isa.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kForestMagic = "MRSF1";
constexpr std::size_t kForestDigestBytes = 32;
constexpr double kDeviationsMax = 100;  // further is not told apart

// Bytes one after another; a reader that runs out says so once, at the end.
struct ForestSink {
  std::string bytes;
  template <class T>
  void put(const T& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class T>
  void put_all(const std::vector<T>& values) {
    put(std::uint64_t{values.size()});
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
};
struct ForestSource {
  std::string_view rest;
  bool whole = true;
  template <class T>
  void take(T& value) {
    whole = whole && rest.size() >= sizeof value;
    if (!whole) return;
    std::memcpy(&value, rest.data(), sizeof value);
    rest.remove_prefix(sizeof value);
  }
  template <class T>
  void take_all(std::vector<T>& values) {
    std::uint64_t count = 0;
    take(count);
    whole = whole && count <= rest.size() / sizeof(T);
    if (!whole) return;
    values.resize(count);
    std::memcpy(values.data(), rest.data(), count * sizeof(T));
    rest.remove_prefix(count * sizeof(T));
  }
};

// How far a point is outside of a box, and how wide the box is, summed over the features. `box` has d lows,
// then d highs. Sums stand side by side and are added in one order: the same bits on every processor.
struct BoxReach {
  double outside = 0, width = 0;
};
constexpr std::size_t kSumsSideBySide = 8;

MR_BODY void reach_of_box_body(const float* box, const float* point, std::size_t d, BoxReach& reach) {
  double outside[kSumsSideBySide] = {}, width[kSumsSideBySide] = {};
  const auto add = [&](std::size_t j, std::size_t k) {
    const double low = box[j], high = box[d + j], x = point[j];
    outside[k] += std::max(0.0, x - high) + std::max(0.0, low - x);
    width[k] += high - low;
  };
  std::size_t j = 0;
  for (; j + kSumsSideBySide <= d; j += kSumsSideBySide)
    for (std::size_t k = 0; k < kSumsSideBySide; ++k) add(j + k, k);
  for (std::size_t k = 0; j < d; ++j, ++k) add(j, k);
  reach = {};
  for (std::size_t k = 0; k < kSumsSideBySide; ++k) reach.outside += outside[k], reach.width += width[k];
}
MR_KERNEL(reach_of_box, (const float* box, const float* point, std::size_t d, BoxReach& reach),
          (box, point, d, reach))

}  // namespace

StreamForest::StreamForest(const ForestSettings& settings)
    : settings_(settings),
      d_(settings.fields * settings.shingle),
      means_(settings.fields),
      variances_(settings.fields),
      trees_(settings.trees) {}

std::int32_t StreamForest::new_node(Tree& tree) {
  if (!tree.free.empty()) {
    const std::int32_t node = tree.free.back();
    tree.free.pop_back();
    tree.nodes[static_cast<std::size_t>(node)] = Node{};
    return node;
  }
  tree.nodes.emplace_back();
  tree.boxes.resize(tree.nodes.size() * 2 * d_);
  return static_cast<std::int32_t>(tree.nodes.size() - 1);
}

void StreamForest::fit_box(Tree& tree, std::int32_t node) {
  const Node& n = tree.nodes[static_cast<std::size_t>(node)];
  const float *a = low(tree, n.left), *b = low(tree, n.right);
  float* box = low(tree, node);
  for (std::size_t j = 0; j < d_; ++j) {
    box[j] = std::min(a[j], b[j]);
    box[d_ + j] = std::max(a[d_ + j], b[d_ + j]);
  }
}

// Down from the root: at each box a cut is drawn of the box with the point in it; where it sets the point
// apart, the point becomes a leaf beside the node, else its own cut says where it goes on. So the tree is
// one that might have been grown of all its points at once.
std::int32_t StreamForest::insert(Tree& tree, const float* point, Random& random) {
  const auto make_leaf = [&] {
    const std::int32_t leaf = new_node(tree);
    tree.nodes[static_cast<std::size_t>(leaf)].mass = 1;
    std::copy_n(point, d_, low(tree, leaf));
    std::copy_n(point, d_, low(tree, leaf) + d_);
    return leaf;
  };
  if (tree.root < 0) return tree.root = make_leaf();
  std::int32_t at = tree.root;
  for (;;) {
    const float* box = low(tree, at);
    BoxReach reach;
    reach_of_box(box, point, d_, reach);
    const double width = reach.width + reach.outside;
    const bool leaf = tree.nodes[static_cast<std::size_t>(at)].left < 0;
    if (leaf && width <= 0) {  // the same point once more
      for (std::int32_t up = at; up >= 0; up = tree.nodes[static_cast<std::size_t>(up)].parent)
        ++tree.nodes[static_cast<std::size_t>(up)].mass;
      return at;
    }
    double drawn = random.uniform() * width;
    std::size_t feature = 0;
    float cut = 0;
    for (std::size_t j = 0; j < d_; ++j) {
      const double from = std::min(box[j], point[j]);
      const double wide = double{std::max(box[d_ + j], point[j])} - from;
      if (wide <= 0) continue;
      feature = j;
      cut = static_cast<float>(from + std::min(drawn, wide));
      if (drawn < wide) break;
      drawn -= wide;
    }
    // Below the highest of both: rounding must not leave one side empty.
    const float highest = std::max(box[d_ + feature], point[feature]);
    if (cut >= highest) cut = std::nextafter(highest, -std::numeric_limits<float>::infinity());
    const bool left = point[feature] <= cut && cut < box[feature];
    const bool right = point[feature] > cut && cut >= box[d_ + feature];
    if (!left && !right && !leaf) {
      const Node& node = tree.nodes[static_cast<std::size_t>(at)];
      at = point[node.feature] <= node.cut ? node.left : node.right;
      continue;
    }
    if (!left && !right) cut = std::min(point[feature], box[feature]);  // of two points that rounding joined
    const std::int32_t made = make_leaf(), inner = new_node(tree);
    Node& node = tree.nodes[static_cast<std::size_t>(inner)];
    Node& old = tree.nodes[static_cast<std::size_t>(at)];
    node.parent = old.parent;
    node.feature = static_cast<std::uint32_t>(feature);
    node.cut = cut;
    node.mass = old.mass;
    const bool goes_left = point[feature] <= cut;
    node.left = goes_left ? made : at;
    node.right = goes_left ? at : made;
    if (node.parent < 0)
      tree.root = inner;
    else if (Node& parent = tree.nodes[static_cast<std::size_t>(node.parent)]; parent.left == at)
      parent.left = inner;
    else
      parent.right = inner;
    old.parent = inner;
    tree.nodes[static_cast<std::size_t>(made)].parent = inner;
    for (std::int32_t up = inner; up >= 0; up = tree.nodes[static_cast<std::size_t>(up)].parent) {
      ++tree.nodes[static_cast<std::size_t>(up)].mass;
      fit_box(tree, up);
    }
    return made;
  }
}

void StreamForest::remove(Tree& tree, std::int32_t leaf) {
  Node& gone = tree.nodes[static_cast<std::size_t>(leaf)];
  if (gone.mass > 1) {
    for (std::int32_t up = leaf; up >= 0; up = tree.nodes[static_cast<std::size_t>(up)].parent)
      --tree.nodes[static_cast<std::size_t>(up)].mass;
    return;
  }
  const std::int32_t parent = gone.parent;
  tree.free.push_back(leaf);
  if (parent < 0) {
    tree.root = -1;
    return;
  }
  const Node inner = tree.nodes[static_cast<std::size_t>(parent)];
  const std::int32_t sibling = inner.left == leaf ? inner.right : inner.left;
  tree.nodes[static_cast<std::size_t>(sibling)].parent = inner.parent;
  if (inner.parent < 0)
    tree.root = sibling;
  else if (Node& above = tree.nodes[static_cast<std::size_t>(inner.parent)]; above.left == parent)
    above.left = sibling;
  else
    above.right = sibling;
  tree.free.push_back(parent);
  for (std::int32_t up = inner.parent; up >= 0; up = tree.nodes[static_cast<std::size_t>(up)].parent) {
    --tree.nodes[static_cast<std::size_t>(up)].mass;
    fit_box(tree, up);
  }
}

// As tasks/numeric/random_cut_tree.h: the chance to be set apart at a depth counts with one over the depth.
double StreamForest::score(const Tree& tree, const float* point, std::vector<double>* by_feature) const {
  if (tree.root < 0) return 0;
  const double scale =
      std::log2(static_cast<double>(tree.nodes[static_cast<std::size_t>(tree.root)].mass) + 1);
  double sum = 0, left = 1;
  std::int32_t at = tree.root;
  for (int depth = 0; left > 1e-9; ++depth) {
    const Node& node = tree.nodes[static_cast<std::size_t>(at)];
    const float* box = low(tree, at);
    BoxReach reach;
    reach_of_box(box, point, d_, reach);
    const auto [outside, width] = reach;
    if (outside > 0) {
      const double part = left * outside / (outside + width) / (depth + 1) * scale;
      sum += part;
      if (by_feature)
        for (std::size_t j = 0; j < d_; ++j)
          (*by_feature)[j] += part / outside *
                              (std::max(0.0, double{point[j]} - double{box[d_ + j]}) +
                               std::max(0.0, double{box[j]} - double{point[j]}));
      left *= width / (outside + width);
    }
    if (node.left < 0) {
      if (outside <= 0) {
        const double mass = node.mass, total = tree.nodes[static_cast<std::size_t>(tree.root)].mass;
        sum += left / (depth + std::log2(mass + 1)) * (1 - mass / (total + 1)) * scale;
      }
      break;
    }
    at = point[node.feature] <= node.cut ? node.left : node.right;
  }
  return sum;
}

// Weighted sampling: each point draws a key once, the smallest stay. Weights grow with the row's number, so
// that old points give way without being looked at again.
void StreamForest::take_in(Tree& tree, std::size_t number, const float* point) {
  Random random(mix(mix(settings_.seed, number + 1), rows_));
  const double key =
      std::log(-std::log1p(-random.uniform())) - static_cast<double>(rows_) / settings_.time_decay;
  const auto less = [](const Sample& a, const Sample& b) { return a.key < b.key; };
  if (tree.samples.size() >= settings_.samples) {
    if (key >= tree.samples.front().key) return;
    std::pop_heap(tree.samples.begin(), tree.samples.end(), less);
    remove(tree, tree.samples.back().leaf);
    tree.samples.pop_back();
  }
  tree.samples.push_back({key, insert(tree, point, random)});
  std::push_heap(tree.samples.begin(), tree.samples.end(), less);
}

double StreamForest::quantile_of_scores() const {
  const auto at = static_cast<std::size_t>(settings_.quantile * static_cast<double>(sorted_.size() - 1));
  return sorted_[at];
}

void StreamForest::remember(double score) {
  recent_.push_back(score);
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), score), score);
  if (recent_.size() <= settings_.score_window) return;
  sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), recent_.front()));
  recent_.pop_front();
}

bool StreamForest::scale(std::span<const double> row, std::vector<float>& scaled) {
  const double weight = std::max(1 / static_cast<double>(rows_), 1 / settings_.time_decay);
  for (std::size_t j = 0; j < row.size(); ++j) {
    if (!settings_.normalize) {
      scaled.push_back(static_cast<float>(row[j]));
      continue;
    }
    const double off = row[j] - means_[j];
    const double deviation = std::max(std::sqrt(variances_[j]), 1e-9 * (1 + std::abs(means_[j])));
    scaled.push_back(static_cast<float>(std::clamp(off / deviation, -kDeviationsMax, kDeviationsMax)));
    means_[j] += weight * off;
    variances_[j] = (1 - weight) * (variances_[j] + weight * off * off);
  }
  return !settings_.normalize || rows_ > settings_.samples / 4;
}

PointScore StreamForest::add(std::span<const double> row) {
  MR_CHECK(row.size() == settings_.fields, "a row has as many numbers as the forest has fields");
  ++rows_;
  PointScore result;
  std::vector<float> scaled;
  if (!scale(row, scaled)) return result;
  shingle_.insert(shingle_.end(), scaled.begin(), scaled.end());
  if (shingle_.size() > d_)
    shingle_.erase(shingle_.begin(), shingle_.begin() + static_cast<std::ptrdiff_t>(settings_.fields));
  if (shingle_.size() < d_) return result;
  // Three quarters of a sample are seen before scores mean something, and as many scores as a sample has
  // points before there is a threshold.
  if (rows_ > settings_.samples * 3 / 4) {
    for (const Tree& tree : trees_) result.score += score(tree, shingle_.data(), nullptr);
    result.score /= static_cast<double>(trees_.size());
    if (recent_.size() >= std::min<std::size_t>(settings_.score_window, settings_.samples)) {
      result.threshold = settings_.factor * quantile_of_scores();
      result.anomaly = result.score > result.threshold;
    }
    if (result.anomaly) result.by_field = shares_of_fields();
    remember(result.score);
  }
  for (std::size_t t = 0; t < trees_.size(); ++t) take_in(trees_[t], t, shingle_.data());
  return result;
}

std::vector<double> StreamForest::shares_of_fields() const {
  std::vector<double> by_feature(d_, 0.0), shares(settings_.fields, 0.0);
  for (const Tree& tree : trees_) score(tree, shingle_.data(), &by_feature);
  double sum = 0;
  for (std::size_t j = 0; j < d_; ++j) shares[j % settings_.fields] += by_feature[j], sum += by_feature[j];
  for (double& share : shares) share = sum > 0 ? share / sum : 0;
  return shares;
}

std::string StreamForest::save() const {
  ForestSink out{std::string(kForestMagic)};
  out.put(settings_.fields), out.put(settings_.trees), out.put(settings_.samples), out.put(settings_.shingle);
  out.put(settings_.time_decay), out.put(settings_.normalize), out.put(settings_.seed), out.put(rows_);
  out.put_all(means_), out.put_all(variances_);
  out.put_all(shingle_);
  out.put_all(std::vector<double>(recent_.begin(), recent_.end()));
  for (const Tree& tree : trees_) {
    out.put(tree.root);
    out.put_all(tree.nodes), out.put_all(tree.boxes), out.put_all(tree.free), out.put_all(tree.samples);
  }
  return out.bytes + digest(Digest::Sha256, out.bytes);
}

Result<StreamForest> StreamForest::load(const ForestSettings& settings, std::string_view bytes) {
  const auto damaged = [] { return fail(ErrorCode::DataLoss, "the saved state of a forest can't be used"); };
  if (bytes.size() < kForestDigestBytes || !bytes.starts_with(kForestMagic)) return damaged();
  const std::string_view body = bytes.substr(0, bytes.size() - kForestDigestBytes);
  if (digest(Digest::Sha256, body) != bytes.substr(body.size())) return damaged();
  ForestSource in{body.substr(kForestMagic.size())};
  ForestSettings saved = settings;
  in.take(saved.fields), in.take(saved.trees), in.take(saved.samples), in.take(saved.shingle);
  in.take(saved.time_decay), in.take(saved.normalize), in.take(saved.seed);
  if (!in.whole || !(saved == settings)) return damaged();
  StreamForest forest(settings);
  in.take(forest.rows_);
  in.take_all(forest.means_), in.take_all(forest.variances_);
  in.take_all(forest.shingle_);
  std::vector<double> recent;
  in.take_all(recent);
  forest.recent_.assign(recent.begin(), recent.end());
  forest.sorted_ = recent;
  std::sort(forest.sorted_.begin(), forest.sorted_.end());
  for (Tree& tree : forest.trees_) {
    in.take(tree.root);
    in.take_all(tree.nodes), in.take_all(tree.boxes), in.take_all(tree.free), in.take_all(tree.samples);
  }
  if (!in.whole || !in.rest.empty()) return damaged();
  return forest;
}

}  // namespace millrace::tasks
