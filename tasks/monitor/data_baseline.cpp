#include "tasks/monitor/data_baseline.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kBuckets = 10;

bool counts_as_text(const ColumnProfile& column) {
  return column.inferred_type() == "String";
}

// A column whose values are a list worth keeping.
bool has_domain(const ColumnProfile& column) {
  return counts_as_text(column) && column.frequent().exact() &&
         column.distinct().estimate() <= static_cast<double>(kDomainValuesMax);
}

Json common_json(const ColumnProfile& column) {
  return {{"num_present", column.present()}, {"num_missing", column.missing()}};
}

Json numerical_json(const ColumnProfile& column) {
  Json out = {{"common", common_json(column)}, {"mean", column.mean()}, {"sum", column.sum()},
              {"std_dev", column.std_dev()},   {"min", column.min()},   {"max", column.max()}};
  Json buckets = Json::array();
  const auto histogram = column.histogram(kBuckets);
  for (std::size_t b = 0; b < histogram.counts.size(); ++b)
    buckets.push_back({{"lower_bound", histogram.edges[b]},
                       {"upper_bound", histogram.edges[b + 1]},
                       {"count", histogram.counts[b]}});
  out["distribution"]["kll"] = {
      {"buckets", std::move(buckets)},
      {"sketch",
       {{"parameters", {{"c", QuantileSketch::kShrink}, {"k", static_cast<double>(QuantileSketch::kSize)}}},
        {"data", column.quantiles().levels()}}}};
  return out;
}

Json string_json(const ColumnProfile& column) {
  Json out = {{"common", common_json(column)}, {"distinct_count", column.distinct().estimate()}};
  if (!has_domain(column)) return out;
  auto values = column.frequent().top(kDomainValuesMax);
  std::sort(values.begin(), values.end());
  Json buckets = Json::array();
  for (const auto& [value, count] : values) buckets.push_back({{"value", value}, {"count", count}});
  out["distribution"]["categorical"]["buckets"] = std::move(buckets);
  return out;
}

Result<bool> read_enabled(const Arguments& from, std::string_view key, bool otherwise) {
  MR_TRY(text, from.text_or(key, otherwise ? "Enabled" : "Disabled"));
  MR_DO(from.one_of(key, text, "Enabled|Disabled"));
  return text == "Enabled";
}

Result<double> read_share(const Arguments& from, std::string_view key, double otherwise) {
  MR_TRY(value, from.real_or(key, otherwise));
  if (!(value >= 0 && value <= 1)) return from.wrong(key, "must be between 0 and 1");
  return value;
}

Result<FeatureConstraint> read_feature(const Arguments& from, const MonitoringConfig& config) {
  FeatureConstraint out;
  MR_TRY(name, from.text("name"));
  out.name = std::move(name);
  MR_TRY(type, from.text_or("inferred_type", "Unknown"));
  MR_DO(from.one_of("inferred_type", type, "Integral|Fractional|String|Unknown"));
  out.inferred_type = std::move(type);
  MR_TRY(completeness, read_share(from, "completeness", 0));
  out.completeness = completeness;
  MR_TRY(numbers, from.object_or_empty("num_constraints"));
  MR_TRY(positive, numbers.boolean_or("is_non_negative", false));
  out.is_non_negative = positive;
  MR_TRY(strings, from.object_or_empty("string_constraints"));
  if (strings.has("domains")) {
    MR_TRY(domain, strings.texts("domains"));
    std::sort(domain.begin(), domain.end());
    out.domain = std::move(domain);
  }
  MR_TRY(over, from.object_or_empty("monitoringConfigOverrides"));
  MR_TRY(own, read_monitoring_config(over.json(), config));
  out.config = own;
  return out;
}

Status read_numerical(const Arguments& from, FeatureStatistics& out) {
  MR_TRY(common, from.object_or_empty("common"));
  MR_TRY(present, common.real_or("num_present", 0));
  MR_TRY(mean, from.real_or("mean", 0));
  MR_TRY(deviation, from.real_or("std_dev", 0));
  out.present = present;
  out.mean = mean;
  out.std_dev = deviation;
  out.has_moments = from.has("mean") && from.has("std_dev");
  MR_TRY(distribution, from.object_or_empty("distribution"));
  MR_TRY(kll, distribution.object_or_empty("kll"));
  MR_TRY(sketch, kll.object_or_empty("sketch"));
  if (!sketch.has("data")) return {};
  QuantileSketch restored;
  if (!QuantileSketch::restore(sketch.json()["data"].get<std::vector<std::vector<double>>>(), restored))
    return sketch.wrong("data", "is not the data of a sketch");
  out.numbers = restored.values();
  return {};
}

Status read_strings(const Arguments& from, FeatureStatistics& out) {
  MR_TRY(common, from.object_or_empty("common"));
  MR_TRY(present, common.real_or("num_present", 0));
  out.present = present;
  MR_TRY(distribution, from.object_or_empty("distribution"));
  MR_TRY(categorical, distribution.object_or_empty("categorical"));
  if (!categorical.has("buckets")) return {};
  MR_TRY(buckets, categorical.list("buckets"));
  out.categories.emplace();
  for (const Arguments& bucket : buckets) {
    MR_TRY(value, bucket.text_or("value", ""));
    MR_TRY(count, bucket.real_or("count", 0));
    out.categories->emplace_back(std::move(value), count);
  }
  return {};
}

}  // namespace

Json statistics_json(const std::vector<ColumnProfile>& columns, double rows) {
  Json features = Json::array();
  for (const ColumnProfile& column : columns) {
    Json entry = {{"name", column.name()}, {"inferred_type", column.inferred_type()}};
    if (counts_as_text(column) || column.present() == 0)
      entry["string_statistics"] = string_json(column);
    else
      entry["numerical_statistics"] = numerical_json(column);
    features.push_back(std::move(entry));
  }
  return {{"version", 0.0}, {"dataset", {{"item_count", rows}}}, {"features", std::move(features)}};
}

Json constraints_json(const std::vector<ColumnProfile>& columns) {
  Json features = Json::array();
  for (const ColumnProfile& column : columns) {
    Json entry = {{"name", column.name()},
                  {"inferred_type", column.inferred_type()},
                  {"completeness", column.completeness()}};
    if (column.inferred_type() == "Integral" || column.inferred_type() == "Fractional") {
      entry["num_constraints"] = {{"is_non_negative", column.min() >= 0}};
    } else if (has_domain(column)) {
      std::vector<std::string> domain;
      for (const auto& [value, count] : column.frequent().top(kDomainValuesMax)) domain.push_back(value);
      std::sort(domain.begin(), domain.end());
      entry["string_constraints"] = {{"domains", domain}};
    }
    features.push_back(std::move(entry));
  }
  const MonitoringConfig config;
  return {{"version", 0.0},
          {"features", std::move(features)},
          {"monitoring_config",
           {{"evaluate_constraints", "Enabled"},
            {"emit_metrics", "Enabled"},
            {"datatype_check_threshold", config.datatype_check_threshold},
            {"domain_content_threshold", config.domain_content_threshold},
            {"distribution_constraints",
             {{"perform_comparison", "Enabled"},
              {"comparison_threshold", config.comparison_threshold},
              {"comparison_method", "Robust"}}}}}};
}

Result<MonitoringConfig> read_monitoring_config(const Json& over, const MonitoringConfig& base) {
  const Arguments from(over, "monitoring_config");
  MonitoringConfig out = base;
  MR_TRY(evaluate, read_enabled(from, "evaluate_constraints", base.evaluate_constraints));
  MR_TRY(datatype, read_share(from, "datatype_check_threshold", base.datatype_check_threshold));
  MR_TRY(domain, read_share(from, "domain_content_threshold", base.domain_content_threshold));
  out.evaluate_constraints = evaluate;
  out.datatype_check_threshold = datatype;
  out.domain_content_threshold = domain;
  MR_TRY(distribution, from.object_or_empty("distribution_constraints"));
  MR_TRY(compare, read_enabled(distribution, "perform_comparison", base.perform_comparison));
  MR_TRY(threshold, read_share(distribution, "comparison_threshold", base.comparison_threshold));
  MR_TRY(method, distribution.text_or("comparison_method", base.robust ? "Robust" : "Simple"));
  MR_DO(distribution.one_of("comparison_method", method, "Robust|Simple"));
  out.perform_comparison = compare;
  out.comparison_threshold = threshold;
  out.robust = method == "Robust";
  return out;
}

Result<Constraints> read_constraints(const Json& json, const Json& settings) {
  if (!json.is_object() || !json.contains("features"))
    return invalid("the constraints are no constraints.json of Model Monitor: there are no \"features\"");
  Constraints out;
  const Arguments from(json);
  MR_TRY(given, from.object_or_empty("monitoring_config"));
  MR_TRY(base, read_monitoring_config(given.json(), {}));
  MR_TRY(config, read_monitoring_config(settings, base));
  out.config = config;
  MR_TRY(features, from.list("features"));
  for (const Arguments& entry : features) {
    MR_TRY(feature, read_feature(entry, config));
    out.features.push_back(std::move(feature));
  }
  return out;
}

Result<std::vector<FeatureStatistics>> read_statistics(const Json& json) {
  if (!json.is_object() || !json.contains("features"))
    return invalid("the statistics are no statistics.json of Model Monitor: there are no \"features\"");
  std::vector<FeatureStatistics> out;
  const Arguments from(json);
  MR_TRY(features, from.list("features"));
  for (const Arguments& entry : features) {
    FeatureStatistics feature;
    MR_TRY(name, entry.text("name"));
    feature.name = std::move(name);
    MR_TRY(numbers, entry.object_or_empty("numerical_statistics"));
    MR_TRY(strings, entry.object_or_empty("string_statistics"));
    try {
      if (entry.has("numerical_statistics")) MR_DO(read_numerical(numbers, feature));
      if (entry.has("string_statistics")) MR_DO(read_strings(strings, feature));
    } catch (const Json::exception& error) {
      return invalid("statistics of \"" + feature.name + "\": " + error.what());
    }
    out.push_back(std::move(feature));
  }
  return out;
}

}  // namespace millrace::tasks
