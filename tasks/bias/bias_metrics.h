#pragma once
// Metrics of bias between a group of rows (the facet at risk, "d") and all others ("a"): before training they
// look at the labels, after it at predictions beside labels. Pure functions. Names, formulas and descriptions
// are those of SageMaker Clarify; sources: Das et al., "Fairness measures for machine learning in finance"
// (2021); Hardt et al., "Amazon SageMaker Clarify" (2021). Any thread.

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/numeric/matrix.h"

namespace millrace::tasks {

enum class BiasStage { PreTraining, PostTraining };

// One entry a row; 1 means: in the facet at risk, positive label, positive prediction.
struct BiasRows {
  std::vector<std::uint8_t> facet, label;
  std::vector<std::uint8_t> predicted;  // empty before training
  std::vector<std::uint32_t> group;     // of the group variable; empty when there is none
  Matrix features;                      // numbers for FT, rows as above; without columns: none
  std::function<bool()> cancelled = {};

  std::size_t rows() const { return facet.size(); }
};

struct BiasCounts {
  double n[2][2][2] = {};  // [facet][label][predicted]; without predictions the last is 0

  double rows(int facet) const;
  double labels(int facet, int label) const;
  double predictions(int facet, int predicted) const;
};

struct BiasMetric {
  std::string_view name, description;
  BiasStage stage = BiasStage::PreTraining;
  // May be infinite, as Clarify's are where a count of 0 divides. InvalidArgument: the metric is not defined
  // on these rows, in words. Cancelled (FT).
  Result<double> (*value)(const BiasRows& rows, const BiasCounts& counts) = nullptr;
};
// All, by stage and name.
std::span<const BiasMetric> bias_metrics();

BiasCounts count_bias(const BiasRows& rows);

inline constexpr std::size_t kFlipTestRowsMax = 20'000;  // of both groups; evenly chosen when there are more

}  // namespace millrace::tasks
