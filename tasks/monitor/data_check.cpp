#include "tasks/monitor/data_check.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/html_report.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kFewNumbersMax = 10;

const FeatureConstraint* constraint_of(const Constraints& constraints, std::string_view name) {
  for (const FeatureConstraint& feature : constraints.features) {
    if (feature.name == name) return &feature;
  }
  return nullptr;
}

// Cells that are of the type the baseline had: whole numbers are fractional too, and anything is text.
double matching_cells(const ColumnProfile& column, std::string_view type) {
  if (type == "Integral") return column.integral();
  if (type == "Fractional") return column.integral() + column.fractional();
  return column.present();
}

std::string exact_percent(double share) {
  return format_number(share * 100) + " %";
}

// Counts by value where there are only a few, such as 0 and 1, which deciles can't tell apart; else by
// decile.
BinnedCounts number_counts(const WeightedValues& baseline, const WeightedValues& current) {
  std::map<double, std::pair<double, double>> values;
  for (const auto& [value, weight] : baseline) values[value].first += weight;
  for (const auto& [value, weight] : current) values[value].second += weight;
  if (values.size() > kFewNumbersMax) return decile_counts(baseline, current);
  BinnedCounts out;
  for (const auto& [value, counts] : values) {
    out.baseline.push_back(counts.first);
    out.current.push_back(counts.second);
  }
  return out;
}

FeatureDrift numeric_drift(const FeatureStatistics& before, const ColumnProfile& now) {
  FeatureDrift out{before.name, true};
  out.baseline = before.numbers;
  out.current = now.quantiles().values();
  out.ks = ks_distance(out.baseline, out.current);
  out.wasserstein = wasserstein_distance(out.baseline, out.current);
  out.counts = number_counts(out.baseline, out.current);
  out.psi = population_stability(out.counts);
  out.js = js_divergence(out.counts);
  out.linf = linf_distance(out.counts);
  if (before.has_moments && before.std_dev > 0) out.mean_shift = (now.mean() - before.mean) / before.std_dev;
  out.distance = out.ks;
  return out;
}

// Values that only one side has are categories too.
FeatureDrift categorical_drift(const FeatureStatistics& before, const ColumnProfile& now) {
  FeatureDrift out{before.name, false};
  std::map<std::string, std::pair<double, double>> counts;
  for (const auto& [value, count] : *before.categories) counts[value].first += count;
  for (const auto& [value, count] : now.frequent().top(FrequentValues::kKept)) counts[value].second += count;
  for (const auto& [value, pair] : counts) {
    out.categories.push_back(value);
    out.counts.baseline.push_back(pair.first);
    out.counts.current.push_back(pair.second);
  }
  out.psi = population_stability(out.counts);
  out.js = js_divergence(out.counts);
  out.linf = linf_distance(out.counts);
  out.chi2 = chi_square(out.counts);
  out.distance = out.linf;
  return out;
}

void check_feature(const FeatureConstraint& feature, const ColumnProfile& column, const FeatureDrift* drift,
                   const CurrentData& current, std::vector<Violation>& out) {
  const MonitoringConfig& config = feature.config;
  if (!config.evaluate_constraints) return;
  const auto add = [&](std::string check, std::string description) {
    out.push_back({feature.name, std::move(check), std::move(description)});
  };
  const double present = column.present();
  if (feature.inferred_type != "Unknown" && present > 0) {
    const double match = matching_cells(column, feature.inferred_type) / present;
    if (match < config.datatype_check_threshold)
      add("data_type_check", "expected " + feature.inferred_type + " in at least " +
                                 exact_percent(config.datatype_check_threshold) +
                                 " of the cells, found it in " + exact_percent(match));
  }
  if (column.completeness() < feature.completeness)
    add("completeness_check", "expected a value in at least " + exact_percent(feature.completeness) +
                                  " of the rows, found one in " + exact_percent(column.completeness()));
  if (feature.is_non_negative && column.integral() + column.fractional() > 0 && column.min() < 0)
    add("non_negative_check", "expected no negative number, found " + format_number(column.min()));
  if (const CurrentData::Outside* outside = current.outside(feature.name);
      outside != nullptr && present > 0) {
    const double inside = 1 - outside->count / present;
    if (inside < config.domain_content_threshold)
      add("categorical_values_check", "expected values of the domain in at least " +
                                          exact_percent(config.domain_content_threshold) +
                                          " of the cells, found them in " + exact_percent(inside) +
                                          "; not in it is for instance \"" + outside->example + "\"");
  }
  if (drift != nullptr && config.perform_comparison && drift->distance > config.comparison_threshold)
    add("baseline_drift_check", std::string(config.robust ? "Robust" : "Simple") +
                                    " distance to the baseline is " + short_number(drift->distance) +
                                    ", above the threshold " + short_number(config.comparison_threshold));
}

}  // namespace

CurrentData::CurrentData(const Constraints& constraints) {
  for (const FeatureConstraint& feature : constraints.features) {
    if (!feature.domain) continue;
    domains_[feature.name] = {feature.domain->begin(), feature.domain->end()};
    outside_[feature.name];
  }
}

void CurrentData::add(const Table& piece) {
  if (columns_.empty()) {
    for (const Column& column : piece.columns) columns_.emplace_back(column.name);
  }
  rows_ += static_cast<double>(piece.rows);
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    columns_[c].add(piece.columns[c]);
    const auto domain = domains_.find(columns_[c].name());
    if (domain == domains_.end()) continue;
    const Column texts = as_texts(piece.columns[c]);
    Outside& outside = outside_[columns_[c].name()];
    for (std::size_t i = 0; i < piece.rows; ++i) {
      if (texts.missing[i] != 0 || domain->second.contains(texts.texts[i])) continue;
      if (outside.count == 0) outside.example = texts.texts[i].substr(0, 60);
      ++outside.count;
    }
  }
}

const ColumnProfile* CurrentData::find(std::string_view name) const {
  for (const ColumnProfile& column : columns_) {
    if (column.name() == name) return &column;
  }
  return nullptr;
}

const CurrentData::Outside* CurrentData::outside(std::string_view name) const {
  const auto at = outside_.find(name);
  return at == outside_.end() ? nullptr : &at->second;
}

std::vector<FeatureDrift> measure_drift(const Constraints& constraints,
                                        const std::vector<FeatureStatistics>& baseline,
                                        const CurrentData& current) {
  std::vector<FeatureDrift> out;
  for (const FeatureStatistics& before : baseline) {
    const ColumnProfile* now = current.find(before.name);
    if (now == nullptr || now->present() == 0) continue;
    const bool numbers =
        !before.numbers.empty() && now->inferred_type() != "String" && now->quantiles().count() > 0;
    if (numbers) {
      out.push_back(numeric_drift(before, *now));
    } else if (before.categories && now->frequent().exact()) {
      out.push_back(categorical_drift(before, *now));
    } else {
      continue;
    }
    const FeatureConstraint* feature = constraint_of(constraints, before.name);
    const bool robust = feature != nullptr ? feature->config.robust : constraints.config.robust;
    if (robust && before.present > 0)
      out.back().distance = robust_distance(out.back().distance, before.present, now->present());
  }
  return out;
}

std::vector<Violation> find_violations(const Constraints& constraints, const std::vector<FeatureDrift>& drift,
                                       const CurrentData& current) {
  std::vector<Violation> out;
  if (!constraints.config.evaluate_constraints) return out;
  for (const FeatureConstraint& feature : constraints.features) {
    const ColumnProfile* column = current.find(feature.name);
    if (column == nullptr) {
      out.push_back({feature.name, "missing_column_check", "the baseline has this column, the data has not"});
      continue;
    }
    const auto at = std::find_if(drift.begin(), drift.end(),
                                 [&](const FeatureDrift& entry) { return entry.name == feature.name; });
    check_feature(feature, *column, at == drift.end() ? nullptr : &*at, current, out);
  }
  for (const ColumnProfile& column : current.columns()) {
    if (constraint_of(constraints, column.name()) == nullptr && !constraints.left_out.contains(column.name()))
      out.push_back({column.name(), "extra_column_check", "the data has this column, the baseline has not"});
  }
  return out;
}

Json to_json(const FeatureDrift& drift) {
  Json out = {{"distance", drift.distance}, {"psi", drift.psi}, {"js", drift.js}, {"linf", drift.linf}};
  if (drift.numeric) {
    out["ks"] = drift.ks;
    out["wasserstein"] = drift.wasserstein;
    out["mean_shift"] = drift.mean_shift;
  } else {
    out["chi2"] = drift.chi2.statistic;
    out["chi2_p"] = drift.chi2.p_value;
  }
  return out;
}

Json violations_json(const std::vector<Violation>& violations) {
  Json list = Json::array();
  for (const Violation& violation : violations)
    list.push_back({{"feature_name", violation.feature},
                    {"constraint_check_type", violation.check},
                    {"description", violation.description}});
  return {{"violations", std::move(list)}};
}

}  // namespace millrace::tasks
