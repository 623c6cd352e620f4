#pragma once
// StreamForest: how unusual each point of a stream is, one after another, by random cut trees that take the
// point in and let an old one go. A point is `shingle` rows of `fields` numbers put end to end, so that what
// is unusual may be a course, too. Each tree keeps a sample in which a point of n rows ago has the weight
// exp(-n / time_decay). With `normalize` each field is measured in its own running deviations from its
// running mean (over time_decay rows), so that a wide field does not hide a narrow one. An anomaly scores
// above `factor` times the `quantile` of the scores before it.
//
// The same rows give the same scores, whenever it was saved and loaded in between: what is drawn follows from
// the seed and the row's number alone. One thread at a time. Names of settings: Kinesis Data Analytics SQL
// reference, RANDOM_CUT_FOREST. Source: Guha, Mishra, Roy, Schrijvers, Robust random cut forest based anomaly
// detection on streams (2016); sampling with decay: Efraimidis and Spirakis (2006).

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace {
class Random;
}
namespace millrace::tasks {

struct ForestSettings {
  std::size_t fields = 1, trees = 100, samples = 256, shingle = 1;
  double time_decay = 100'000;       // rows
  std::size_t score_window = 1'000;  // scores that the quantile is taken of
  double quantile = 0.99, factor = 1.5;
  bool normalize = true;
  std::uint64_t seed = 0;
  bool operator==(const ForestSettings&) const = default;
};

struct PointScore {
  double score = 0;      // 0 for the first points; about 1 is usual
  double threshold = 0;  // at this point; 0: none yet
  bool anomaly = false;
  std::vector<double> by_field;  // shares of the score, one a field; only of anomalies
};

class StreamForest {
 public:
  explicit StreamForest(const ForestSettings& settings);
  // `row`: `fields` finite numbers. O(trees * depth * fields * shingle).
  PointScore add(std::span<const double> row);
  std::uint64_t rows() const { return rows_; }

  std::string save() const;
  // DataLoss: it is not what save() made for these settings.
  static Result<StreamForest> load(const ForestSettings& settings, std::string_view bytes);

 private:
  struct Node {
    std::int32_t parent = -1, left = -1, right = -1;  // left < 0: a leaf
    std::uint32_t feature = 0, mass = 0;              // mass: points below, the same point counted often
    float cut = 0;                                    // of an inner node: at most this goes left
    std::uint32_t slot = 0;                           // of a leaf: its point
  };
  struct Sample {
    double key = 0;  // log-scaled: the largest goes first
    std::int32_t leaf = -1;
  };
  struct Tree {
    std::int32_t root = -1;
    std::vector<Node> nodes;
    std::vector<float> boxes;  // of each node: lowest, highest
    std::vector<std::int32_t> free;
    std::vector<Sample> samples;
  };

  double score(const Tree& tree, const float* point, std::vector<double>* by_feature) const;
  void take_in(Tree& tree, std::size_t number, const float* point);
  std::int32_t insert(Tree& tree, const float* point, Random& random);
  void remove(Tree& tree, std::int32_t leaf);
  std::int32_t new_node(Tree& tree);
  float* low(Tree& tree, std::int32_t node) const { return tree.boxes.data() + node * 2 * std::int64_t(d_); }
  const float* low(const Tree& tree, std::int32_t node) const {
    return tree.boxes.data() + node * 2 * std::int64_t(d_);
  }
  void fit_box(Tree& tree, std::int32_t node);
  // The row as the trees see it; false: too few came before it to say.
  bool scale(std::span<const double> row, std::vector<float>& scaled);
  std::vector<double> shares_of_fields() const;
  double quantile_of_scores() const;
  void remember(double score);

  ForestSettings settings_;
  std::size_t d_;
  std::uint64_t rows_ = 0;
  std::vector<double> means_, variances_;  // of each field, running
  std::vector<float> shingle_;             // the last rows, oldest first
  std::vector<Tree> trees_;
  std::deque<double> recent_;   // scores in their order
  std::vector<double> sorted_;  // the same, ascending
};

}  // namespace millrace::tasks
