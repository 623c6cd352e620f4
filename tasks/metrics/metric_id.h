#pragma once
// Names of metrics and units of their values. Values; pure. Source: Amazon CloudWatch API reference,
// MetricDatum.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/metrics/alarms.h"

namespace millrace::tasks {

struct MetricId {
  std::string name_space, name;
  MetricDimensions dimensions;
  auto operator<=>(const MetricId&) const = default;
};
inline constexpr std::size_t kMetricNameMax = 255, kDimensionsMax = 30, kDimensionValueMax = 1024;

// One text for equal ids; printable, and readable again.
std::string dimensions_text(const MetricDimensions& dimensions);
Result<MetricDimensions> read_dimensions(std::string_view text);

// Nothing: such a metric may have values. Else what is wrong.
std::optional<std::string> refuse_metric_id(const MetricId& id);
// "Milliseconds" to its number, 0 … ; nothing: no unit of CloudWatch's. 0 is None.
std::optional<int> unit_number(std::string_view name);
std::string_view unit_name(int number);

// Values CloudWatch takes: finite, not beyond ±2^360.
bool is_metric_value(double value);

}  // namespace millrace::tasks
