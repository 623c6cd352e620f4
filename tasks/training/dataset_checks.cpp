#include "tasks/training/dataset_checks.h"

#include <algorithm>
#include <cmath>

namespace millrace::tasks {

namespace {

std::string column_name(const Dataset& data, std::size_t j) {
  return data.feature_names.empty() ? std::to_string(j) : "'" + data.feature_names[j] + "'";
}

Status check_shapes(const std::string& at, const Dataset& data, const DataNeeds& needs) {
  const std::size_t n = data.X.rows, d = data.X.cols;
  if (n == 0) return invalid(at + "there are no rows");
  if (d == 0)
    return invalid(at + "there are no feature columns",
                   needs.target == TargetUse::Required
                       ? "the data needs a target and at least one more column"
                       : "the data needs at least one column besides targets and weights");
  if (data.X.values.size() != n * d) return invalid(at + "the matrix does not hold rows x columns values");
  const bool no_target = data.y.empty() && needs.target != TargetUse::Required;
  if (data.y.size() != n && !no_target)
    return invalid(at + counted(n, "row") + ", but " + counted(data.y.size(), "target"));
  if (!data.weights.empty() && !needs.weights) {
    return invalid(at + "the algorithm takes no weights", "leave the column of weights out");
  }
  if (!data.weights.empty() && data.weights.size() != n) {
    return invalid(at + counted(n, "row") + ", but " + counted(data.weights.size(), "weight"));
  }
  if (!data.groups.empty() && data.groups.size() != n)
    return invalid(at + counted(n, "row") + ", but " + counted(data.groups.size(), "query number"));
  if (!data.feature_names.empty() && data.feature_names.size() != d) {
    return invalid(at + counted(d, "column") + ", but " + counted(data.feature_names.size(), "feature name"));
  }
  return {};
}

Status check_targets(const std::string& at, const Dataset& data) {
  const std::string target = data.target_name.empty() ? "the target" : "target '" + data.target_name + "'";
  double total = 0;
  for (std::size_t i = 0; i < data.X.rows; ++i) {
    if (!data.y.empty() && !std::isfinite(data.y[i])) {
      return invalid(at + row_place(data, i) + ": " + target + " is missing or not finite",
                     "drop rows without a target");
    }
    if (data.weights.empty()) continue;
    if (!std::isfinite(data.weights[i]) || data.weights[i] < 0) {
      return invalid(at + row_place(data, i) + ": the weight is not a finite number of at least 0");
    }
    total += data.weights[i];
  }
  if (!data.weights.empty() && total <= 0) return invalid(at + "all weights are 0");
  return {};
}

}  // namespace

std::string row_place(const Dataset& data, std::size_t i) {
  const std::int64_t row = data.first_row + static_cast<std::int64_t>(i);
  const auto behind = std::ranges::upper_bound(data.sources, row, {}, &Dataset::Source::first_row);
  if (behind == data.sources.begin()) return "row " + std::to_string(row + 1);
  const Dataset::Source& source = *std::prev(behind);
  return source.name + ": row " + std::to_string(row - source.first_row + 1);
}

std::string counted(std::size_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

Status check_dataset(std::string_view channel, const Dataset& data, MissingValues missing) {
  return check_dataset(channel, data, DataNeeds{.missing = missing == MissingValues::Allowed});
}

Status check_dataset(std::string_view channel, const Dataset& data, const DataNeeds& needs) {
  const std::string at = std::string(channel) + ": ";
  MR_DO(check_shapes(at, data, needs));
  MR_DO(check_targets(at, data));
  for (std::size_t k = 0; k < data.X.values.size(); ++k) {
    const float value = data.X.values[k];
    if (std::isfinite(value) || (std::isnan(value) && needs.missing)) continue;
    const std::string where =
        at + row_place(data, k / data.X.cols) + ", column " + column_name(data, k % data.X.cols);
    if (std::isnan(value)) {
      return invalid(where + ": the value is missing",
                     "fill missing values first, e.g. with an impute step of `prepare`");
    }
    return invalid(where + ": the value is infinite or too large for a float", "clip or drop it first");
  }
  return {};
}

Status check_validation(const Dataset& train, const Dataset& validation, MissingValues missing) {
  MR_DO(check_dataset("validation", validation, missing));
  return check_same_features("validation", train, validation);
}

Status check_same_features(std::string_view channel, const Dataset& train, const Dataset& other) {
  const std::string at = std::string(channel) + ": ";
  if (other.X.cols != train.X.cols) {
    return invalid(at + counted(other.X.cols, "feature column") + ", but train has " +
                   std::to_string(train.X.cols));
  }
  for (std::size_t j = 0; j < std::min(train.feature_names.size(), other.feature_names.size()); ++j) {
    if (train.feature_names[j] == other.feature_names[j]) continue;
    return invalid(at + "feature " + std::to_string(j) + " is '" + other.feature_names[j] + "', but '" +
                   train.feature_names[j] + "' in train");
  }
  return {};
}

Status check_classes(std::string_view channel, const Dataset& data, std::int64_t classes,
                     std::string_view remedy) {
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const double y = data.y[i];
    if (y >= 0 && y < static_cast<double>(classes) && y == std::floor(y)) continue;
    std::string text = std::to_string(y);
    while (text.ends_with('0')) text.pop_back();
    if (text.ends_with('.')) text.pop_back();
    return invalid(std::string(channel) + ": " + row_place(data, i) + ": the target is " + text +
                       ", expected a class from 0 to " + std::to_string(classes - 1),
                   std::string(remedy));
  }
  return {};
}

Status check_feature_dim(std::int64_t feature_dim, const Dataset& train) {
  if (feature_dim == static_cast<std::int64_t>(train.X.cols)) return {};
  return invalid("hyperparameter 'feature_dim' is " + std::to_string(feature_dim) + ", but train has " +
                 counted(train.X.cols, "feature"));
}

Status check_features(std::string_view algorithm, MatrixView X, std::size_t d) {
  if (X.cols == d) return {};
  return invalid("the rows have " + counted(X.cols, "feature") + ", but the " + std::string(algorithm) +
                 " model expects " + std::to_string(d));
}

Status check_whole_rows(std::string_view algorithm, MatrixView X, std::size_t d) {
  MR_DO(check_features(algorithm, X, d));
  for (std::size_t i = 0; i < X.rows * d; ++i) {
    if (std::isfinite(X.data[i])) continue;
    return invalid("row " + std::to_string(i / d + 1) + ", feature " + std::to_string(i % d) +
                       ": the value is missing or infinite",
                   std::string(algorithm) + " needs every value: fill missing ones first");
  }
  return {};
}

}  // namespace millrace::tasks
