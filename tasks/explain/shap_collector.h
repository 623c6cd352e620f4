#pragma once
// ShapCollector: contributions of features to the answers for many rows, and what they say together: the
// global values of SageMaker Clarify's analysis.json, one line a row as CSV, swarms for a chart. One thread.

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

inline constexpr std::size_t kShapValuesMax = 40'000'000;  // rows * outputs * features that are kept

class ShapCollector {
 public:
  // `labels` name the outputs.
  ShapCollector(std::vector<std::string> features, std::vector<std::string> labels)
      : features_(std::move(features)), labels_(std::move(labels)) {}

  // (outputs, features) of row number `row` of the data.
  void add(std::uint32_t row, std::span<const double> values);

  std::size_t rows() const { return rows_.size(); }
  // By feature: mean_abs, median (of absolute values) or mean_sq.
  std::vector<double> global(std::size_t output, std::string_view method) const;
  // Sums over the outputs, the greatest first.
  std::vector<std::pair<std::string, double>> ranking(std::string_view method) const;
  // {"label0": {"global_shap_values": {feature: value}, "expected_value": …}}
  Json to_json(std::string_view method, std::span<const double> expected) const;
  // feature_label columns, one line a row, after a header.
  std::string csv() const;
  // The features of `ranking`, best first; colours follow the cells of `data` where they are numbers.
  std::vector<Swarm> swarms(std::size_t output, std::string_view method, const Table& data) const;
  const std::vector<std::string>& labels() const { return labels_; }

 private:
  double at(std::size_t i, std::size_t output, std::size_t feature) const {
    return values_[(i * labels_.size() + output) * features_.size() + feature];
  }

  std::vector<std::string> features_, labels_;
  std::vector<std::uint32_t> rows_;
  std::vector<float> values_;
};

}  // namespace millrace::tasks
