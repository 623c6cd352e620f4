#include "tasks/metrics/metric_id.h"

#include <cmath>

#include "base/payload.h"

namespace millrace::tasks {
namespace {

// In the order of their numbers, which are kept: new ones go to the end.
constexpr std::string_view kUnits[] = {"None",
                                       "Seconds",
                                       "Microseconds",
                                       "Milliseconds",
                                       "Bytes",
                                       "Kilobytes",
                                       "Megabytes",
                                       "Gigabytes",
                                       "Terabytes",
                                       "Bits",
                                       "Kilobits",
                                       "Megabits",
                                       "Gigabits",
                                       "Terabits",
                                       "Percent",
                                       "Count",
                                       "Bytes/Second",
                                       "Kilobytes/Second",
                                       "Megabytes/Second",
                                       "Gigabytes/Second",
                                       "Terabytes/Second",
                                       "Bits/Second",
                                       "Kilobits/Second",
                                       "Megabits/Second",
                                       "Gigabits/Second",
                                       "Terabits/Second",
                                       "Count/Second"};

std::optional<std::string> refuse_length(std::string_view what, std::string_view value, std::size_t max) {
  if (!value.empty() && value.size() <= max) return std::nullopt;
  return "The parameter " + std::string(what) + " must be between 1 and " + std::to_string(max) +
         " characters long" + (value.empty() ? "." : ", it has " + std::to_string(value.size()) + ".");
}

}  // namespace

std::string dimensions_text(const MetricDimensions& dimensions) {
  JsonWriter out;
  out.begin_object();
  for (const auto& [name, value] : dimensions) out.key(name).string(value);
  out.end_object();
  return std::string(out.finish().text());
}

Result<MetricDimensions> read_dimensions(std::string_view text) {
  MR_TRY(document, Payload::parse(text));
  MetricDimensions dimensions;
  if (!document.view().is_object()) return invalid("dimensions are no object");
  for (const auto [name, value] : document.view().members())
    if (value.is_string()) dimensions[name.string()] = value.string();
  return dimensions;
}

std::optional<std::string> refuse_metric_id(const MetricId& id) {
  if (auto wrong = refuse_length("Namespace", id.name_space, kMetricNameMax)) return wrong;
  if (id.name_space[0] == ':')
    return "The value : for parameter Namespace is invalid: it begins with a colon.";
  if (auto wrong = refuse_length("MetricName", id.name, kMetricNameMax)) return wrong;
  if (id.dimensions.size() > kDimensionsMax)
    return "The collection Dimensions must not have a size greater than " + std::to_string(kDimensionsMax) +
           ".";
  for (const auto& [name, value] : id.dimensions) {
    if (auto wrong = refuse_length("Dimensions.Name", name, kMetricNameMax)) return wrong;
    if (auto wrong = refuse_length("Dimensions.Value", value, kDimensionValueMax)) return wrong;
  }
  return std::nullopt;
}

std::optional<int> unit_number(std::string_view name) {
  int number = 0;
  for (const std::string_view unit : kUnits) {
    if (unit == name) return number;
    ++number;
  }
  return std::nullopt;
}

std::string_view unit_name(int number) {
  return number >= 0 && number < static_cast<int>(std::size(kUnits)) ? kUnits[number] : kUnits[0];
}

bool is_metric_value(double value) {
  return std::isfinite(value) && std::fabs(value) <= 2.3485425827738332e108;
}

}  // namespace millrace::tasks
