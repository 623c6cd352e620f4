#pragma once
// Factors of users and items by alternating least squares. Equal bytes for any number of threads: rows are
// solved each by itself, and what they share is summed in one order.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace millrace::tasks {

struct FitContext;  // tasks/training/estimator.h

// Values of pairs, by row.
struct PairMatrix {
  std::vector<std::size_t> begin;  // of each row, and the end
  std::vector<std::uint32_t> columns;
  std::vector<double> values;
  std::size_t rows() const { return begin.size() - 1; }
};
struct PairValue {
  std::uint32_t row = 0, column = 0;
  double value = 0;
};
// Sorted by row and column; values of the same pair are added up, or averaged.
PairMatrix pair_matrix(std::size_t rows, std::vector<PairValue> pairs, bool average = false);
PairMatrix transposed(const PairMatrix& matrix, std::size_t columns);

struct FactorSettings {
  std::size_t factors = 32;
  int iterations = 15;
  double regularization = 0.05;
  double alpha = 10;  // implicit: confidence of a pair is 1 + alpha * value; below 0: explicit values
  int threads = 1;
  std::function<bool()> cancelled;              // may be empty
  std::function<void(int iteration)> progress;  // may be empty
  const FitContext* checkpoints = nullptr;      // where they come from and go to; null: there are none
};
struct Factors {
  std::size_t count = 0;
  std::vector<float> users, items;  // (n, count)
};

// implicit (Hu, Koren and Volinsky 2008): minimises sum c (p - x y)^2 + regularization (|x|^2 + |y|^2) over
// all pairs, p = 1 where the pair is there. Explicit (Zhou et al. 2008): over the pairs that are there, with
// regularization times their number. Cost of an iteration: pairs * factors^2 + (users + items) * factors^3.
// Cancelled.
Result<Factors> alternate_least_squares(const PairMatrix& by_user, const PairMatrix& by_item,
                                        const FactorSettings& settings, Random random);

// The sum of y y' over the items' factors, with the regularization on its diagonal: (count, count).
std::vector<double> shared_gram(const Factors& factors, double regularization);
// Factors of a user who did things with items, when the items' stay as they are: one row of the above. `gram`
// is shared_gram's; `values` are items and how often or how much, each item once.
std::vector<float> fold_in(const Factors& factors, std::span<const double> gram, double alpha,
                           std::span<const std::pair<std::uint32_t, double>> values);

}  // namespace millrace::tasks
