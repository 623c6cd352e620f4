// Steps for columns of numbers (and impute, for any column). Missing cells stay missing except in impute.

#include <algorithm>
#include <cmath>
#include <map>

#include "tasks/processing/statistics.h"
#include "tasks/processing/steps.h"

namespace millrace::tasks {
namespace {

using Type = SettingRule::Type;

tl::unexpected<Error> no_values(const Column& column) {
  return invalid("column \"" + column.name + "\" has no values in the training data",
                 "drop it, or impute it with strategy constant");
}

// ---- impute
// ---------------------------------------------------------------------------------------------------------

constexpr SettingRule kImputeRules[] = {
    {"strategy", Type::Text, "auto", "auto|mean|median|most_frequent|constant", 0, 0,
     "auto: median of numbers, most frequent text"},
    {"value", Type::Text, "", "", 0, 0, "what strategy constant puts in"},
    {"indicator", Type::Flag, "false", "", 0, 0, "adds a column name_missing of 0 and 1"},
};

// Most frequent; of equals the smallest.
template <class T>
T most_frequent(const std::map<T, std::size_t>& counts) {
  auto best = counts.begin();
  for (auto at = counts.begin(); at != counts.end(); ++at) {
    if (at->second > best->second) best = at;
  }
  return best->first;
}

Result<FittedColumn> fit_impute(const Column& column, const StepSettings& settings, FitInput&) {
  const std::string& strategy = settings.text("strategy");
  FittedColumn out{column.name, {}, {}};
  if (column.type == Column::Type::Text) {
    if (strategy == "mean" || strategy == "median") {
      return invalid("column \"" + column.name + "\" is text, which has no " + strategy +
                         (column.first_text.empty() ? "" : " (" + column.first_text + ")"),
                     "use strategy most_frequent or constant");
    }
    if (strategy == "constant") {
      out.texts = {settings.text("value")};
      return out;
    }
    std::map<std::string, std::size_t> counts;
    for (std::size_t i = 0; i < column.texts.size(); ++i) {
      if (!column.missing[i]) ++counts[column.texts[i]];
    }
    if (counts.empty()) return no_values(column);
    out.texts = {most_frequent(counts)};
    return out;
  }
  if (strategy == "constant") {
    double value = 0;
    if (!parse_number(settings.text("value"), value)) {
      return invalid("column \"" + column.name + "\" has numbers; the value \"" + settings.text("value") +
                     "\" is none");
    }
    out.numbers = {value};
    return out;
  }
  const std::vector<double> values = sorted_values(column.numbers);
  if (values.empty()) return no_values(column);
  if (strategy == "mean") {
    out.numbers = {moments(column.numbers).mean};
  } else if (strategy == "most_frequent") {
    std::map<double, std::size_t> counts;
    for (const double x : values) ++counts[x];
    out.numbers = {most_frequent(counts)};
  } else {
    out.numbers = {quantile(values, 0.5)};
  }
  return out;
}

Status apply_impute(const FittedColumn& fitted, const StepSettings& settings, Column column,
                    StepKind::Columns& out) {
  const bool text = column.type == Column::Type::Text;
  if (text ? fitted.texts.empty() : fitted.numbers.empty())
    return invalid("column \"" + column.name + "\" has another type now");
  const std::size_t rows = text ? column.texts.size() : column.numbers.size();
  std::vector<double> indicator(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (!is_missing(column, i)) continue;
    indicator[i] = 1;
    if (text) {
      column.texts[i] = fitted.texts[0];
      column.missing[i] = fitted.texts[0].empty();
    } else {
      column.numbers[i] = fitted.numbers[0];
    }
  }
  const std::string name = column.name + "_missing";
  if (!text) column.texts.clear(), column.missing.clear();  // no spelling of what was put in
  out.push_back(std::move(column));
  if (settings.number("indicator") != 0) out.push_back(number_column(name, std::move(indicator)));
  return {};
}

// ---- scale
// ----------------------------------------------------------------------------------------------------------

constexpr SettingRule kScaleRules[] = {
    {"method", Type::Text, "standard", "standard|min_max|robust", 0, 0,
     "mean and standard deviation; range to 0..1; median and interquartile range"},
};

Result<FittedColumn> fit_scale(const Column& column, const StepSettings& settings, FitInput&) {
  const std::vector<double> values = sorted_values(column.numbers);
  if (values.empty()) return no_values(column);
  double centre = 0, size = 0;
  if (settings.text("method") == "standard") {
    const Moments m = moments(column.numbers);
    centre = m.mean;
    size = std::sqrt(m.variance);
  } else if (settings.text("method") == "min_max") {
    centre = values.front();
    size = values.back() - values.front();
  } else {
    centre = quantile(values, 0.5);
    size = quantile(values, 0.75) - quantile(values, 0.25);
  }
  return FittedColumn{column.name, {centre, size == 0 ? 1.0 : size}, {}};  // a constant column becomes 0
}

Status apply_scale(const FittedColumn& fitted, const StepSettings&, Column column, StepKind::Columns& out) {
  for (double& x : column.numbers) x = (x - fitted.numbers[0]) / fitted.numbers[1];
  out.push_back(number_column(std::move(column.name), std::move(column.numbers)));
  return {};
}

// ---- bin
// ------------------------------------------------------------------------------------------------------------

constexpr SettingRule kBinRules[] = {
    {"method", Type::Text, "quantile", "quantile|uniform", 0, 0, "bins of equal counts, or of equal width"},
    {"bins", Type::Number, "10", "", 2, 1000, "how many"},
};

Result<FittedColumn> fit_bin(const Column& column, const StepSettings& settings, FitInput&) {
  const std::vector<double> values = sorted_values(column.numbers);
  if (values.empty()) return no_values(column);
  FittedColumn out{column.name, {}, {}};
  const bool uniform = settings.text("method") == "uniform";
  const double bins = settings.number("bins");
  for (double i = 1; i < bins; ++i) {
    const double edge =
        uniform ? values.front() + (values.back() - values.front()) * i / bins : quantile(values, i / bins);
    const double last = out.numbers.empty() ? values.front() : out.numbers.back();
    if (edge > last) out.numbers.push_back(edge);  // equal quantiles make one bin
  }
  return out;
}

// The number of edges at or below the value: bins are closed below, as scikit-learn's KBinsDiscretizer.
Status apply_bin(const FittedColumn& fitted, const StepSettings&, Column column, StepKind::Columns& out) {
  for (double& x : column.numbers) {
    if (std::isnan(x)) continue;
    x = static_cast<double>(std::upper_bound(fitted.numbers.begin(), fitted.numbers.end(), x) -
                            fitted.numbers.begin());
  }
  out.push_back(number_column(std::move(column.name), std::move(column.numbers)));
  return {};
}

// ---- power
// ----------------------------------------------------------------------------------------------------------

constexpr SettingRule kPowerRules[] = {
    {"method", Type::Text, "yeo_johnson", "log|log1p|sqrt|square|yeo_johnson", 0, 0,
     "yeo_johnson finds the power that makes the column most like a normal distribution"},
};

// Yeo and Johnson, A new family of power transformations (2000).
double yeo_johnson(double x, double lambda) {
  if (x >= 0) return std::abs(lambda) < 1e-12 ? std::log1p(x) : std::expm1(lambda * std::log1p(x)) / lambda;
  const double other = 2 - lambda;
  return std::abs(other) < 1e-12 ? -std::log1p(-x) : -std::expm1(other * std::log1p(-x)) / other;
}

// Log-likelihood of lambda, up to a constant: -n/2 ln var(y) + (lambda - 1) sum sign(x) ln(1 + |x|).
double likelihood(const std::vector<double>& values, double lambda, std::vector<double>& scratch) {
  double jacobian = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    scratch[i] = yeo_johnson(values[i], lambda);
    jacobian += std::copysign(std::log1p(std::abs(values[i])), values[i]);
  }
  const double variance = moments(scratch).variance;
  if (!(variance > 0) || std::isinf(variance)) return -INFINITY;
  return -0.5 * static_cast<double>(values.size()) * std::log(variance) + (lambda - 1) * jacobian;
}

// Golden-section search; the likelihood has one maximum.
double best_lambda(const std::vector<double>& values) {
  std::vector<double> scratch(values.size());
  constexpr double kGolden = 0.6180339887498949;
  double low = -4, high = 6;
  double a = high - kGolden * (high - low), b = low + kGolden * (high - low);
  double at_a = likelihood(values, a, scratch), at_b = likelihood(values, b, scratch);
  while (high - low > 1e-8) {
    if (at_a > at_b) {
      high = b, b = a, at_b = at_a, a = high - kGolden * (high - low), at_a = likelihood(values, a, scratch);
    } else {
      low = a, a = b, at_a = at_b, b = low + kGolden * (high - low), at_b = likelihood(values, b, scratch);
    }
  }
  return (low + high) / 2;
}

Result<FittedColumn> fit_power(const Column& column, const StepSettings& settings, FitInput&) {
  const std::string& method = settings.text("method");
  const std::vector<double> values = sorted_values(column.numbers);
  if (values.empty()) return no_values(column);
  const double lowest = values.front();
  const bool outside = (method == "log" && lowest <= 0) || (method == "log1p" && lowest <= -1) ||
                       (method == "sqrt" && lowest < 0);
  if (outside) {
    return invalid("column \"" + column.name + "\" goes down to " + format_number(lowest) + ", where " +
                       method + " is not defined",
                   "use yeo_johnson, or clip it first");
  }
  const bool constant = values.front() == values.back();
  return FittedColumn{column.name, {method == "yeo_johnson" && !constant ? best_lambda(values) : 1.0}, {}};
}

// Values outside the domain that training data did not have become missing.
Status apply_power(const FittedColumn& fitted, const StepSettings& settings, Column column,
                   StepKind::Columns& out) {
  const std::string& method = settings.text("method");
  for (double& x : column.numbers) {
    if (method == "log")
      x = std::log(x);
    else if (method == "log1p")
      x = std::log1p(x);
    else if (method == "sqrt")
      x = std::sqrt(x);
    else if (method == "square")
      x = x * x;
    else
      x = yeo_johnson(x, fitted.numbers[0]);
    if (std::isinf(x)) x = std::nan("");
  }
  out.push_back(number_column(std::move(column.name), std::move(column.numbers)));
  return {};
}

// ---- clip
// -----------------------------------------------------------------------------------------------------------

constexpr SettingRule kClipRules[] = {
    {"method", Type::Text, "quantile", "quantile|iqr|value", 0, 0,
     "low and high are quantiles; quartiles -/+ factor times their distance; low and high are values"},
    {"low", Type::Number, "0.01", "", 0, 0, ""},
    {"high", Type::Number, "0.99", "", 0, 0, ""},
    {"factor", Type::Number, "1.5", "", 0, 1e9, "of method iqr"},
};

Result<FittedColumn> fit_clip(const Column& column, const StepSettings& settings, FitInput&) {
  double low = settings.number("low"), high = settings.number("high");
  if (low > high) return invalid("low is above high");
  if (settings.text("method") == "value") return FittedColumn{column.name, {low, high}, {}};
  const std::vector<double> values = sorted_values(column.numbers);
  if (values.empty()) return no_values(column);
  if (settings.text("method") == "iqr") {
    const double lower = quantile(values, 0.25), upper = quantile(values, 0.75),
                 room = settings.number("factor") * (upper - lower);
    return FittedColumn{column.name, {lower - room, upper + room}, {}};
  }
  if (low < 0 || high > 1) return invalid("low and high are quantiles, from 0 to 1", "or use method value");
  return FittedColumn{column.name, {quantile(values, low), quantile(values, high)}, {}};
}

Status apply_clip(const FittedColumn& fitted, const StepSettings&, Column column, StepKind::Columns& out) {
  for (double& x : column.numbers) {
    if (!std::isnan(x)) x = std::min(std::max(x, fitted.numbers[0]), fitted.numbers[1]);
  }
  out.push_back(number_column(std::move(column.name), std::move(column.numbers)));
  return {};
}

}  // namespace

std::span<const StepKind> number_step_kinds() {
  using Needs = StepKind::Needs;
  static constexpr StepKind kKinds[] = {
      {.name = "impute",
       .summary = "fills missing cells",
       .needs = Needs::Any,
       .rules = kImputeRules,
       .fit = fit_impute,
       .apply = apply_impute},
      {.name = "scale",
       .summary = "shifts and stretches to a common range",
       .needs = Needs::Number,
       .rules = kScaleRules,
       .fit = fit_scale,
       .apply = apply_scale,
       .numbers_min = 2},
      {.name = "bin",
       .summary = "numbers to the number of their bin",
       .needs = Needs::Number,
       .rules = kBinRules,
       .fit = fit_bin,
       .apply = apply_bin},
      {.name = "power",
       .summary = "logarithms and powers",
       .needs = Needs::Number,
       .rules = kPowerRules,
       .fit = fit_power,
       .apply = apply_power,
       .numbers_min = 1},
      {.name = "clip",
       .summary = "moves outliers to the edge of the usual",
       .needs = Needs::Number,
       .rules = kClipRules,
       .fit = fit_clip,
       .apply = apply_clip,
       .numbers_min = 2},
  };
  return kKinds;
}

}  // namespace millrace::tasks
