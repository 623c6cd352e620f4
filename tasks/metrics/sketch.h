#pragma once
// PercentileSketch: how values are spread, in buckets whose width grows with the value (DDSketch): any
// percentile of what was added is known to within kAccuracy of its value, and two sketches add up to the one
// of all their values. Beyond kBucketsMax buckets the smallest magnitudes share one, so that the upper
// percentiles stay as exact. Values; one thread at a time. Source: Masson, Rim, Lee, "DDSketch: A Fast and
// Fully-Mergeable Quantile Sketch with Relative-Error Guarantees" (VLDB 2019).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::tasks {

class PercentileSketch {
 public:
  static constexpr double kAccuracy = 0.01;  // relative
  static constexpr std::size_t kBucketsMax = 1024;

  // `count` times; a count need not be whole (PutMetricData's are not).
  void add(double value, double count = 1);
  void merge(const PercentileSketch& other);
  double count() const { return count_; }
  // Of the values in their order the one at `q` (0 … 1) of the way from the first to the last. Only when
  // count() > 0.
  double quantile(double q) const;
  std::size_t bytes() const { return buckets_.size() * sizeof(Bucket); }  // of memory

  // As it is kept; about three bytes a bucket.
  std::string pack() const;
  // False: these are no sketch's bytes.
  static bool unpack(std::string_view bytes, PercentileSketch& out);
  bool operator==(const PercentileSketch&) const = default;

 private:
  struct Bucket {
    std::int32_t key = 0;  // in the order of the values; 0: of zero
    double count = 0;
    bool operator==(const Bucket&) const = default;
  };
  void collapse();

  std::vector<Bucket> buckets_;  // by key
  double count_ = 0;
};

}  // namespace millrace::tasks
