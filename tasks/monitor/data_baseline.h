#pragma once
// What a data set looked like once (statistics.json) and what it has to look like from then on
// (constraints.json), in SageMaker Model Monitor's file formats: written from profiles, and read again to
// check other data against. Source: SageMaker developer guide, "Schema for Statistics", "Schema for
// Constraints".

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/processing/column_profile.h"

namespace millrace::tasks {

inline constexpr std::size_t kDomainValuesMax = 100;  // text with more values gets no domain

Json statistics_json(const std::vector<ColumnProfile>& columns, double rows);
Json constraints_json(const std::vector<ColumnProfile>& columns);

// How checks are made: monitoring_config, or a feature's monitoringConfigOverrides over it.
struct MonitoringConfig {
  bool evaluate_constraints = true, perform_comparison = true, robust = true;
  double datatype_check_threshold = 1, domain_content_threshold = 1, comparison_threshold = 0.1;
};
// `over` (may lack any member) over `base`. InvalidArgument names the member.
Result<MonitoringConfig> read_monitoring_config(const Json& over, const MonitoringConfig& base);

struct FeatureConstraint {
  std::string name, inferred_type;
  double completeness = 0;
  bool is_non_negative = false;
  std::optional<std::vector<std::string>> domain;  // sorted
  MonitoringConfig config;
};
struct Constraints {
  MonitoringConfig config;
  std::vector<FeatureConstraint> features;
  std::set<std::string, std::less<>> left_out = {};  // columns of the data that nobody looks at
};
// `settings` may have members of monitoring_config, which win. InvalidArgument: what is wrong with the file.
Result<Constraints> read_constraints(const Json& json, const Json& settings);

// A column's distribution at the time of the baseline.
struct FeatureStatistics {
  std::string name;
  double present = 0, mean = 0, std_dev = 0;
  bool has_moments = false;
  WeightedValues numbers;                                                 // empty: none known
  std::optional<std::vector<std::pair<std::string, double>>> categories;  // value and count
};
Result<std::vector<FeatureStatistics>> read_statistics(const Json& json);

}  // namespace millrace::tasks
