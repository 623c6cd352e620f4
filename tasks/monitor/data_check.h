#pragma once
// Data against a baseline: violations in the shape of Model Monitor's constraint_violations.json, and the
// distances of every feature. Pure functions over what a stream left behind. Any thread.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tasks/monitor/data_baseline.h"
#include "tasks/monitor/drift.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

// The current data, one look at each cell.
class CurrentData {
 public:
  explicit CurrentData(const Constraints& constraints);
  void add(const Table& piece);

  double rows() const { return rows_; }
  const std::vector<ColumnProfile>& columns() const { return columns_; }
  const ColumnProfile* find(std::string_view name) const;
  // Cells of a column with a domain that are not in it, and one of them.
  struct Outside {
    double count = 0;
    std::string example;
  };
  const Outside* outside(std::string_view name) const;

 private:
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> domains_;
  std::map<std::string, Outside, std::less<>> outside_;
  std::vector<ColumnProfile> columns_;
  double rows_ = 0;
};

struct Violation {
  std::string feature, check, description;
};

// How far a feature moved. What does not apply to its type is absent from the JSON.
struct FeatureDrift {
  std::string name;
  bool numeric = false;
  double distance = 0;  // what comparison_threshold is about: Simple or Robust
  double ks = 0, psi = 0, js = 0, linf = 0, wasserstein = 0, mean_shift = 0;
  ChiSquare chi2 = {};
  WeightedValues baseline = {}, current = {};  // numeric
  std::vector<std::string> categories = {};    // else
  BinnedCounts counts = {};                    // of categories, few values or the baseline's deciles
};
Json to_json(const FeatureDrift& drift);

// Every feature that both have a distribution of. `config` by feature decides the method.
std::vector<FeatureDrift> measure_drift(const Constraints& constraints,
                                        const std::vector<FeatureStatistics>& baseline,
                                        const CurrentData& current);
// In the order of the constraints' features, columns that are too many last.
std::vector<Violation> find_violations(const Constraints& constraints, const std::vector<FeatureDrift>& drift,
                                       const CurrentData& current);
Json violations_json(const std::vector<Violation>& violations);

}  // namespace millrace::tasks
