#pragma once
// Summaries of a stream in bounded memory: quantiles (KLL), how many values are distinct (exact, then
// HyperLogLog), the most frequent values (exact, then Misra and Gries). Deterministic. One thread each.
//
// Sources: Karnin, Lang and Liberty, "Optimal quantile approximation in streams" (2016); Flajolet et al.,
// "HyperLogLog" (2007); Misra and Gries, "Finding repeated elements" (1982).

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"

namespace millrace::tasks {

// Values with how many rows each stands for, ascending: exact ones count 1.
using WeightedValues = std::vector<std::pair<double, double>>;

// Keeps every value up to some 2,000; beyond that ranks are within about 0.1 % of the rows.
class QuantileSketch {
 public:
  static constexpr std::size_t kSize = 2048;  // k, as SageMaker Model Monitor's sketches
  static constexpr double kShrink = 0.64;     // c

  void add(double value);
  double count() const { return count_; }
  bool exact() const { return levels_.size() <= 1; }
  WeightedValues values() const;
  // By level: a value of level h stands for 2^h rows.
  const std::vector<std::vector<double>>& levels() const { return levels_; }
  // From levels as above. False when they hold what is no number.
  static bool restore(std::vector<std::vector<double>> levels, QuantileSketch& out);

 private:
  std::size_t capacity(std::size_t level) const;
  void compact();

  std::vector<std::vector<double>> levels_{1};
  double count_ = 0;
  Random random_{0x6d696c6c};
};

// Quantile q in [0, 1] of ascending weighted values; linear between neighbours where all weights are 1 (as
// statistics.h). `values` may not be empty.
double weighted_quantile(const WeightedValues& values, double q);

// Exact up to kExact values, then within about 1 %.
class DistinctCount {
 public:
  static constexpr std::size_t kExact = 4096;

  void add(std::string_view value) { add_hash(hash64(value)); }
  bool exact() const { return registers_.empty(); }
  double estimate() const;

 private:
  void add_hash(std::uint64_t hash);
  void to_register(std::uint64_t hash);

  std::set<std::uint64_t> hashes_;
  std::vector<std::uint8_t> registers_;
};

// Exact while no more than kKept values are distinct; then counts are at most error() too low and rarer
// values are missing. Values longer than kValueBytesMax count by their beginning.
class FrequentValues {
 public:
  static constexpr std::size_t kKept = 5000;
  static constexpr std::size_t kValueBytesMax = 256;

  void add(std::string_view value);
  bool exact() const { return error_ == 0; }
  double error() const { return error_; }
  // The most frequent first, equals by their text.
  std::vector<std::pair<std::string, double>> top(std::size_t count) const;

 private:
  std::map<std::string, double, std::less<>> counts_;
  double error_ = 0;
};

}  // namespace millrace::tasks
