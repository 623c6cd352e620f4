#include "tasks/explain/shap_collector.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/processing/statistics.h"

namespace millrace::tasks {

void ShapCollector::add(std::uint32_t row, std::span<const double> values) {
  rows_.push_back(row);
  for (const double value : values) values_.push_back(static_cast<float>(value));
}

std::vector<double> ShapCollector::global(std::size_t output, std::string_view method) const {
  std::vector<double> out(features_.size());
  for (std::size_t f = 0; f < features_.size() && !rows_.empty(); ++f) {
    std::vector<double> values;
    double sum = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const double value = std::abs(at(i, output, f));
      sum += method == "mean_sq" ? value * value : value;
      if (method == "median") values.push_back(value);
    }
    if (method == "median") {
      std::sort(values.begin(), values.end());
      out[f] = quantile(values, 0.5);
    } else {
      out[f] = sum / static_cast<double>(rows_.size());
    }
  }
  return out;
}

std::vector<std::pair<std::string, double>> ShapCollector::ranking(std::string_view method) const {
  std::vector<std::pair<std::string, double>> out;
  for (const std::string& name : features_) out.emplace_back(name, 0);
  for (std::size_t k = 0; k < labels_.size(); ++k) {
    const std::vector<double> values = global(k, method);
    for (std::size_t f = 0; f < values.size(); ++f) out[f].second += values[f];
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

Json ShapCollector::to_json(std::string_view method, std::span<const double> expected) const {
  Json out = Json::object();
  for (std::size_t k = 0; k < labels_.size(); ++k) {
    const std::vector<double> values = global(k, method);
    Json& entry = out[labels_[k]];
    for (std::size_t f = 0; f < values.size(); ++f) entry["global_shap_values"][features_[f]] = values[f];
    entry["expected_value"] = expected[k];
  }
  return out;
}

std::string ShapCollector::csv() const {
  Table header;
  for (const std::string& label : labels_) {
    for (const std::string& feature : features_)
      header.columns.push_back(number_column(feature + "_" + label, {}));
  }
  std::string out;
  for (const Column& column : header.columns) {
    std::string name = column.name;
    if (name.find_first_of(",\"\r\n") != std::string::npos) {
      std::string quoted = "\"";
      for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
      name = quoted + "\"";
    }
    out += (out.empty() ? "" : ",") + name;
  }
  out += '\n';
  const std::size_t width = labels_.size() * features_.size();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (std::size_t j = 0; j < width; ++j) {
      if (j > 0) out += ',';
      append_number(out, values_[i * width + j]);
    }
    out += '\n';
  }
  return out;
}

std::vector<Swarm> ShapCollector::swarms(std::size_t output, std::string_view method,
                                         const Table& data) const {
  std::map<std::string, std::size_t> places;
  for (std::size_t f = 0; f < features_.size(); ++f) places[features_[f]] = f;
  std::vector<Swarm> out;
  for (const auto& [name, ignored] : ranking(method)) {
    if (out.size() == kChartRowsMax) break;
    const Column* column = data.find(name);
    const bool numbers = column != nullptr && column->type == Column::Type::Number;
    double low = 0, high = 0;
    if (numbers) {
      const std::vector<double> sorted = sorted_values(column->numbers);
      if (!sorted.empty()) low = quantile(sorted, 0.05), high = quantile(sorted, 0.95);
    }
    Swarm swarm{name, {}};
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      double share = std::numeric_limits<double>::quiet_NaN();
      if (numbers) share = high > low ? (column->numbers[rows_[i]] - low) / (high - low) : 0.5;
      swarm.points.emplace_back(at(i, output, places[name]), share);
    }
    out.push_back(std::move(swarm));
  }
  return out;
}

}  // namespace millrace::tasks
