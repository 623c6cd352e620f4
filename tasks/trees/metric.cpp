#include "tasks/trees/metric.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tasks/numeric/isa.h"
#include "tasks/trees/math.h"

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kMetricGrain = 16384;
constexpr std::size_t kSortedRows = 1024;  // fewer are sorted by comparing
constexpr double kLeastShare = 1e-16;

// Kinds, and whether they are for one output, for classes, or both.
struct MetricRow {
  std::string_view kind;
  bool single, classes, parameter;
};
constexpr MetricRow kMetricRows[] = {
    {"rmse", true, false, false},
    {"rmsle", true, false, false},
    {"mae", true, false, false},
    {"mape", true, false, false},
    {"mphe", true, false, false},
    {"logloss", true, false, false},
    {"error", true, false, true},
    {"auc", true, true, false},
    {"aucpr", true, true, false},
    {"mlogloss", false, true, false},
    {"merror", false, true, false},
    {"poisson-nloglik", true, false, false},
    {"gamma-nloglik", true, false, false},
    {"gamma-deviance", true, false, false},
    {"tweedie-nloglik", true, false, true},
    {"ndcg", true, false, true},
    {"map", true, false, true},
    {"pre", true, false, true},
    {"f1", true, true, false},
};

double weight_of(const ScoredRows& rows, std::size_t i) {
  return rows.weights.empty() ? 1.0 : double(rows.weights[i]);
}

struct WeightedSum {
  double sum = 0, weight = 0;
};

// Sum of loss(i) * weight(i), block by block.
template <class Loss>
WeightedSum sum_rows(const ScoredRows& rows, Team& team, Loss loss) {
  const std::size_t n = rows.y.size();
  std::vector<WeightedSum> blocks((n + kMetricGrain - 1) / kMetricGrain);
  team.blocks(n, kMetricGrain, [&](std::size_t begin, std::size_t end, int) {
    WeightedSum own;
    for (std::size_t i = begin; i < end; ++i) {
      const double w = weight_of(rows, i);
      own.sum += loss(i) * w, own.weight += w;
    }
    blocks[begin / kMetricGrain] = own;
  });
  WeightedSum all;
  for (const WeightedSum& block : blocks) all.sum += block.sum, all.weight += block.weight;
  return all;
}

// Log loss of rows by their scores: softplus(s) - y * s.
MR_BODY void logloss_block_body(const float* s, const float* y, const float* w, std::size_t count,
                                double* sum, double* weight) {
  constexpr std::size_t kRows = 128;
  double parts[kRows] = {}, weights[kRows] = {};
  for (std::size_t first = 0; first < count; first += kRows) {
    const std::size_t n = count - first < kRows ? count - first : kRows;
    float score[kRows] = {}, target[kRows] = {}, row[kRows] = {};
    for (std::size_t i = 0; i < n; ++i) score[i] = s[first + i], target[i] = y[first + i];
    for (std::size_t i = 0; i < n; ++i) row[i] = w ? w[first + i] : 1.0f;
    float loss[kRows];
    for (std::size_t i = 0; i < kRows; ++i) {
      // Without conditions, of which the compiler would make branches instead of vectors; both are exact.
      const float size = std::bit_cast<float>(std::bit_cast<std::uint32_t>(score[i]) & 0x7fffffffu);
      const float positive = 0.5f * (score[i] + size);
      loss[i] = (positive + log_bits(1.0f + exp_bits(-size)) - target[i] * score[i]) * row[i];
    }
    for (std::size_t i = 0; i < kRows; ++i)
      parts[i] += static_cast<double>(loss[i]), weights[i] += static_cast<double>(row[i]);
  }
  for (std::size_t k = 0; k < kRows; ++k) *sum += parts[k], *weight += weights[k];
}
MR_KERNEL(logloss_block,
          (const float* s, const float* y, const float* w, std::size_t count, double* sum, double* weight),
          (s, y, w, count, sum, weight))

WeightedSum logloss_of_scores(const ScoredRows& rows, Team& team) {
  const std::size_t n = rows.y.size();
  std::vector<WeightedSum> blocks((n + kMetricGrain - 1) / kMetricGrain);
  team.blocks(n, kMetricGrain, [&](std::size_t begin, std::size_t end, int) {
    WeightedSum& own = blocks[begin / kMetricGrain];
    logloss_block(rows.scores.data() + begin, rows.y.data() + begin,
                  rows.weights.empty() ? nullptr : rows.weights.data() + begin, end - begin, &own.sum,
                  &own.weight);
  });
  WeightedSum all;
  for (const WeightedSum& block : blocks) all.sum += block.sum, all.weight += block.weight;
  return all;
}

// Row numbers by falling score, earlier rows first among equals.
std::vector<std::uint32_t> by_score(std::span<const float> scores) {
  const std::size_t n = scores.size();
  if (n < kSortedRows) {
    std::vector<std::uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, std::greater<>(), [&](std::uint32_t i) { return scores[i]; });
    return order;
  }
  std::vector<std::uint64_t> keys(n), other(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(scores[i] + 0.0f);
    const std::uint32_t rising = bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
    keys[i] = std::uint64_t(~rising) << 32 | static_cast<std::uint32_t>(i);
  }
  for (const int shift : {32, 43, 54}) {
    std::vector<std::size_t> counts(2049);
    for (const std::uint64_t key : keys) ++counts[((key >> shift) & 2047) + 1];
    std::partial_sum(counts.begin(), counts.end(), counts.begin());
    for (const std::uint64_t key : keys) other[counts[(key >> shift) & 2047]++] = key;
    keys.swap(other);
  }
  std::vector<std::uint32_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(keys[i]);
  return order;
}

struct Area {
  double value, positives;
};

// Walks the groups of equal scores from the highest: step(true and false positives before and after).
template <class Step>
Area walk_area(std::span<const float> scores, const ScoredRows& rows, std::ptrdiff_t positive, Step step) {
  const std::vector<std::uint32_t> order = by_score(scores);
  double tp = 0, fp = 0, area = 0;
  for (std::size_t k = 0; k < order.size();) {
    const double tp0 = tp, fp0 = fp;
    const float same = scores[order[k]];
    for (; k < order.size() && scores[order[k]] == same; ++k) {
      const std::size_t i = order[k];
      const double share = positive < 0 ? double(rows.y[i]) : double(rows.y[i] == float(positive));
      tp += share * weight_of(rows, i), fp += (1 - share) * weight_of(rows, i);
    }
    area += step(tp0, fp0, tp, fp);
  }
  if (tp <= 0 || fp <= 0) return {std::numeric_limits<double>::quiet_NaN(), tp};
  return {area, tp};
}

Area roc_area(std::span<const float> scores, const ScoredRows& rows, std::ptrdiff_t positive) {
  double all_tp = 0, all_fp = 0;
  Area area = walk_area(scores, rows, positive, [&](double tp0, double fp0, double tp, double fp) {
    all_tp = tp, all_fp = fp;
    return (fp - fp0) * (tp0 + tp) / 2;
  });
  area.value /= all_tp * all_fp;
  return area;
}

// Davis and Goadrich's interpolation between points of the precision-recall curve.
Area precision_recall_area(std::span<const float> scores, const ScoredRows& rows, std::ptrdiff_t positive) {
  double total = 0;
  for (std::size_t i = 0; i < rows.y.size(); ++i)
    total += (positive < 0 ? double(rows.y[i]) : double(rows.y[i] == float(positive))) * weight_of(rows, i);
  return walk_area(scores, rows, positive, [&](double tp0, double fp0, double tp, double fp) {
    if (tp == tp0) return 0.0;
    const double h = (fp - fp0) / (tp - tp0), a = h + 1, b = (fp0 - h * tp0) / total;
    const double from = tp0 / total, to = tp / total;
    if (b == 0) return (to - from) / a;
    return (to - from - b / a * (std::log(a * to + b) - std::log(a * from + b))) / a;
  });
}

double area_of(const Metric& metric, const ScoredRows& rows) {
  const auto one = [&](std::span<const float> scores, std::ptrdiff_t positive) {
    return metric.kind == "auc" ? roc_area(scores, rows, positive)
                                : precision_recall_area(scores, rows, positive);
  };
  if (rows.outputs == 1) return one(rows.scores, -1).value;
  // One class against the rest, weighted by the classes' shares; by probabilities, as scores are not
  // comparable between rows.
  const std::size_t n = rows.y.size(), k = rows.outputs;
  std::vector<float> shares(n * k);
  for (std::size_t i = 0; i < n; ++i) {
    float largest = rows.scores[i], sum = 0;
    for (std::size_t c = 1; c < k; ++c) largest = std::max(largest, rows.scores[c * n + i]);
    for (std::size_t c = 0; c < k; ++c) sum += shares[c * n + i] = exp_bits(rows.scores[c * n + i] - largest);
    for (std::size_t c = 0; c < k; ++c) shares[c * n + i] /= sum;
  }
  double sum = 0, positives = 0;
  for (std::size_t c = 0; c < k; ++c) {
    const Area area = one({shares.data() + c * n, n}, static_cast<std::ptrdiff_t>(c));
    sum += area.value * area.positives, positives += area.positives;
  }
  return sum / positives;
}

// ndcg, map and pre of one list.
double list_metric(const Metric& metric, const ScoredRows& rows) {
  const std::vector<std::uint32_t> order = by_score(rows.scores);
  const std::size_t most = metric.has_parameter
                               ? std::min(order.size(), static_cast<std::size_t>(metric.parameter))
                               : order.size();
  double hits = 0, sum = 0;
  if (metric.kind == "ndcg") {
    std::vector<float> best(rows.y.begin(), rows.y.end());
    std::ranges::sort(best, std::greater<>());
    double ideal = 0;
    for (std::size_t k = 0; k < most; ++k) {
      const double discount = std::log2(double(k) + 2);
      sum += (std::exp2(double(rows.y[order[k]])) - 1) / discount,
          ideal += (std::exp2(double(best[k])) - 1) / discount;
    }
    return ideal == 0 ? (metric.empty_is_zero ? 0 : 1) : sum / ideal;
  }
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (rows.y[order[k]] == 0) continue;
    ++hits;
    if (k < most) sum += metric.kind == "map" ? hits / (double(k) + 1) : 1;
  }
  if (metric.kind == "pre") return most == 0 ? 0 : sum / double(most);
  return hits == 0 ? (metric.empty_is_zero ? 0 : 1) : sum / hits;
}

// The mean over the queries; without any, all rows are one list.
double mean_of_lists(const Metric& metric, const ScoredRows& rows, Team& team) {
  if (rows.groups.empty()) return list_metric(metric, rows);
  const std::size_t lists = rows.groups.size() - 1;
  std::vector<double> values(lists);
  team.each(lists, [&](std::size_t g, int) {
    const std::size_t begin = rows.groups[g], count = rows.groups[g + 1] - begin;
    values[g] = list_metric(metric, {rows.scores.subspan(begin, count), rows.y.subspan(begin, count), {}});
  });
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(lists);
}

// F1 of class 1, or the mean of the classes' F1.
double f1_of(const Objective& objective, const ScoredRows& rows) {
  const std::size_t n = rows.y.size(), k = rows.outputs, classes = std::max<std::size_t>(2, k);
  std::vector<double> hits(classes), actual(classes), predicted(classes);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t guess = 0;
    if (k == 1) {
      float p = rows.scores[i];
      objective.transform(&p, 1);
      guess = p > 0.5f;
    }
    for (std::size_t c = 1; c < k; ++c) {
      if (rows.scores[c * n + i] > rows.scores[guess * n + i]) guess = c;
    }
    const auto truth = static_cast<std::size_t>(rows.y[i]);
    const double w = weight_of(rows, i);
    actual[truth] += w, predicted[guess] += w;
    if (guess == truth) hits[truth] += w;
  }
  double sum = 0;
  for (std::size_t c = k == 1 ? 1 : 0; c < classes; ++c) {
    if (actual[c] + predicted[c] > 0) sum += 2 * hits[c] / (actual[c] + predicted[c]);
  }
  return k == 1 ? sum : sum / static_cast<double>(classes);
}

double class_metric(const Metric& metric, const ScoredRows& rows, Team& team) {
  const std::size_t n = rows.y.size(), k = rows.outputs;
  const auto sums = sum_rows(rows, team, [&](std::size_t i) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < k; ++c) {
      if (rows.scores[c * n + i] > rows.scores[best * n + i]) best = c;
    }
    const auto truth = static_cast<std::size_t>(rows.y[i]);
    if (metric.kind == "merror") return best == truth ? 0.0 : 1.0;
    const float largest = rows.scores[best * n + i];
    float sum = 0;
    for (std::size_t c = 0; c < k; ++c) sum += exp_bits(rows.scores[c * n + i] - largest);
    return double(log_bits(sum) - (rows.scores[truth * n + i] - largest));
  });
  return sums.sum / sums.weight;
}

// Loss of a prediction p for y.
double row_loss(const Metric& metric, double p, double y) {
  const std::string_view kind = metric.kind;
  const double z = p - y;
  if (kind == "rmse") return z * z;
  if (kind == "mae") return std::abs(z);
  if (kind == "mape") return std::abs(z / y);
  if (kind == "rmsle") {
    const double d = std::log1p(std::max(p, -1 + 1e-6)) - std::log1p(y);
    return d * d;
  }
  if (kind == "mphe") {
    const double slope = metric.parameter;
    return slope * slope * (std::sqrt(1 + z / slope * (z / slope)) - 1);
  }
  if (kind == "logloss") {
    const double a = std::max(p, kLeastShare), b = std::max(1 - p, kLeastShare);
    return (y > 0 ? -y * std::log(a) : 0) + (y < 1 ? -(1 - y) * std::log(b) : 0);
  }
  if (kind == "error") return p > metric.parameter ? 1 - y : y;
  if (kind == "poisson-nloglik") {
    const double q = std::max(p, kLeastShare);
    return std::lgamma(y + 1) + q - std::log(q) * y;
  }
  if (kind == "gamma-nloglik") {
    const double q = std::max(p, 1e-6);
    return y / q + std::log(q);
  }
  if (kind == "gamma-deviance") {
    const double q = p + 1e-6, t = y + 1e-6;
    return 2 * (std::log(q / t) + t / q - 1);
  }
  const double power = metric.parameter, q = std::max(p, kLeastShare);  // tweedie-nloglik
  return -y * std::exp(std::log(q) * (1 - power)) / (1 - power) +
         std::exp(std::log(q) * (2 - power)) / (2 - power);
}

double single_metric(const Metric& metric, const Objective& objective, bool raw, const ScoredRows& rows,
                     Team& team) {
  WeightedSum sums;
  const bool logistic =
      objective.base_margin(0.5) == 0 && objective.good_base(0.5) && !objective.good_base(1);
  if (metric.kind == "logloss" && logistic) {
    sums = logloss_of_scores(rows, team);
  } else {
    sums = sum_rows(rows, team, [&](std::size_t i) {
      float p = rows.scores[i];
      if (raw)
        p = sigmoid_bits(p);
      else
        objective.transform(&p, 1);
      return row_loss(metric, double(p), double(rows.y[i]));
    });
  }
  const double mean = sums.sum / sums.weight;
  return metric.kind == "rmse" || metric.kind == "rmsle" ? std::sqrt(mean) : mean;
}

}  // namespace

Result<Metric> parse_metric(std::string_view name, std::string_view objective,
                            const ObjectiveSettings& settings) {
  Metric metric;
  metric.name = name;
  metric.kind = name.substr(0, name.find('@'));
  const auto row = std::ranges::find(kMetricRows, std::string_view(metric.kind), &MetricRow::kind);
  if (row == std::end(kMetricRows)) {
    std::string known;
    for (const MetricRow& r : kMetricRows) known += (known.empty() ? "" : ", ") + std::string(r.kind);
    return invalid("eval_metric '" + metric.name + "' is not one of xgboost's", "it has " + known);
  }
  const bool classes = objective.starts_with("multi:");
  if (classes ? !row->classes : !row->single) {
    return invalid("eval_metric " + metric.kind + " is for " + (classes ? "one output" : "multi:softprob") +
                   ", not for " + std::string(objective));
  }
  if (metric.kind == "f1" && !classes && !objective.starts_with("binary:"))
    return invalid("eval_metric f1 is for classes, not for " + std::string(objective));
  if (metric.kind == "error") metric.parameter = 0.5;
  if (metric.kind == "tweedie-nloglik") metric.parameter = settings.tweedie_variance_power;
  if (metric.kind == "mphe") metric.parameter = settings.huber_slope;
  const std::size_t at = name.find('@');
  if (at == std::string_view::npos) return metric;
  std::string text(name.substr(at + 1));
  const bool list = metric.kind == "ndcg" || metric.kind == "map" || metric.kind == "pre";
  if (list && text.ends_with('-')) metric.empty_is_zero = true, text.pop_back();
  char* end = nullptr;
  metric.parameter = std::strtod(text.c_str(), &end);
  metric.has_parameter = true;
  const bool number = !text.empty() && *end == 0 && std::isfinite(metric.parameter);
  if (!row->parameter || !number || (list && !(metric.parameter >= 1)))
    return invalid("eval_metric '" + metric.name + "': what stands behind @ is no number that " +
                   metric.kind + " takes");
  if (metric.kind == "tweedie-nloglik" && !(metric.parameter >= 1 && metric.parameter < 2))
    return invalid("eval_metric '" + metric.name + "': the variance power must be from 1 to below 2");
  return metric;
}

double evaluate_metric(const Metric& metric, const Objective& objective, std::string_view objective_name,
                       const ScoredRows& rows, Team& team) {
  if (metric.kind == "auc" || metric.kind == "aucpr") return area_of(metric, rows);
  if (metric.kind == "ndcg" || metric.kind == "map" || metric.kind == "pre")
    return mean_of_lists(metric, rows, team);
  if (metric.kind == "f1") return f1_of(objective, rows);
  if (rows.outputs > 1) return class_metric(metric, rows, team);
  return single_metric(metric, objective, objective_name == "binary:logitraw", rows, team);
}

}  // namespace millrace::tasks::trees
