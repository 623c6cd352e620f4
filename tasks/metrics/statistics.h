#pragma once
// What is kept of a metric's values of one period, and the statistics that are read from it. Values; pure.
// Source: Amazon CloudWatch user guide, "Metrics concepts" and "CloudWatch statistics definitions".

#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "tasks/metrics/sketch.h"

namespace millrace::tasks {

struct Aggregate {
  double count = 0, sum = 0;
  double min = std::numeric_limits<double>::infinity(), max = -std::numeric_limits<double>::infinity();
  PercentileSketch sketch;  // of all values, unless statistic sets of several came in between

  void add(double value, double times = 1);
  // A statistic set: its values are not known, but where there is only one.
  void add_set(double samples, double total, double least, double most);
  void merge(const Aggregate& other);
  bool operator==(const Aggregate&) const = default;
};

struct Statistic {
  enum class Kind { SampleCount, Average, Sum, Minimum, Maximum, Percentile } kind = Kind::Average;
  double percent = 0;  // of Percentile: 0 … 100

  // "Average", "p99.9"; nothing: it is neither.
  static std::optional<Statistic> parse(std::string_view name);
  bool operator==(const Statistic&) const = default;
};

// Nothing: there are no values; or, of a percentile, not all of them are known.
std::optional<double> value_of(const Aggregate& aggregate, const Statistic& statistic);

}  // namespace millrace::tasks
