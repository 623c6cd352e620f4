#include "tasks/monitor/drift.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::tasks {
namespace {

double weight_sum(const WeightedValues& values) {
  double sum = 0;
  for (const auto& [value, weight] : values) sum += weight;
  return sum;
}

// Calls step(value, next value, F_b - F_c behind value) for every distinct value of both, ascending; the last
// has itself as the next.
template <class Step>
void walk_distributions(const WeightedValues& b, const WeightedValues& c, Step step) {
  const double nb = weight_sum(b), nc = weight_sum(c);
  double below_b = 0, below_c = 0;
  std::size_t i = 0, j = 0;
  while (i < b.size() || j < c.size()) {
    const double value =
        j == c.size() || (i < b.size() && b[i].first <= c[j].first) ? b[i].first : c[j].first;
    for (; i < b.size() && b[i].first == value; ++i) below_b += b[i].second;
    for (; j < c.size() && c[j].first == value; ++j) below_c += c[j].second;
    double next = value;
    if (i < b.size()) next = b[i].first;
    if (j < c.size() && (i == b.size() || c[j].first < next)) next = c[j].first;
    step(value, next, below_b / nb - below_c / nc);
  }
}

double total(const std::vector<double>& counts) {
  double sum = 0;
  for (const double count : counts) sum += count;
  return sum;
}

// Shares, with kEmptyShare in place of 0.
std::vector<double> floored_shares(const std::vector<double>& counts) {
  const double n = total(counts);
  std::vector<double> out;
  for (const double count : counts) out.push_back(std::max(n > 0 ? count / n : 0, kEmptyShare));
  return out;
}

// Q(a, x) by the series of P for x < a + 1, else by Lentz's continued fraction (Numerical Recipes, 6.2).
double gamma_tail(double a, double x) {
  const double front = std::exp(-x + a * std::log(x) - std::lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (double n = a + 1; term > sum * 1e-17; ++n) sum += term *= x / n;
    return std::max(0.0, 1 - front * sum);
  }
  constexpr double kTiny = 1e-300;
  double b = x + 1 - a, c = 1 / kTiny, d = 1 / b, h = d;
  for (int i = 1; i < 10'000; ++i) {
    const double an = -i * (i - a);
    b += 2;
    d = an * d + b;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + an / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-16) break;
  }
  return front * h;
}

}  // namespace

double ks_distance(const WeightedValues& baseline, const WeightedValues& current) {
  double most = 0;
  walk_distributions(baseline, current,
                     [&](double, double, double gap) { most = std::max(most, std::abs(gap)); });
  return most;
}

double wasserstein_distance(const WeightedValues& baseline, const WeightedValues& current) {
  double area = 0;
  walk_distributions(baseline, current,
                     [&](double value, double next, double gap) { area += std::abs(gap) * (next - value); });
  return area;
}

BinnedCounts decile_counts(const WeightedValues& baseline, const WeightedValues& current) {
  std::array<double, 9> edges{};
  for (std::size_t e = 0; e < edges.size(); ++e)
    edges[e] = weighted_quantile(baseline, static_cast<double>(e + 1) / 10);
  BinnedCounts out{std::vector<double>(10), std::vector<double>(10)};
  for (auto [values, counts] : {std::pair{&baseline, &out.baseline}, {&current, &out.current}}) {
    for (const auto& [value, weight] : *values) {
      const auto bin = std::upper_bound(edges.begin(), edges.end(), value) - edges.begin();
      (*counts)[static_cast<std::size_t>(bin)] += weight;
    }
  }
  return out;
}

double population_stability(const BinnedCounts& counts) {
  const std::vector<double> b = floored_shares(counts.baseline), c = floored_shares(counts.current);
  double sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i) sum += (c[i] - b[i]) * std::log(c[i] / b[i]);
  return sum;
}

double js_divergence(const BinnedCounts& counts) {
  const std::vector<double> b = floored_shares(counts.baseline), c = floored_shares(counts.current);
  double sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double middle = (b[i] + c[i]) / 2;
    sum += (b[i] * std::log(b[i] / middle) + c[i] * std::log(c[i] / middle)) / 2;
  }
  return sum;
}

double linf_distance(const BinnedCounts& counts) {
  const double nb = total(counts.baseline), nc = total(counts.current);
  if (nb == 0 || nc == 0) return nb == nc ? 0 : 1;
  double most = 0;
  for (std::size_t i = 0; i < counts.baseline.size(); ++i)
    most = std::max(most, std::abs(counts.baseline[i] / nb - counts.current[i] / nc));
  return most;
}

ChiSquare chi_square(const BinnedCounts& counts) {
  const double nb = total(counts.baseline), nc = total(counts.current), n = nb + nc;
  ChiSquare out;
  double kinds = 0;
  if (nb == 0 || nc == 0) return out;
  for (std::size_t i = 0; i < counts.baseline.size(); ++i) {
    const double both = counts.baseline[i] + counts.current[i];
    if (both == 0) continue;
    ++kinds;
    const double b = both * nb / n, c = both * nc / n;
    out.statistic += (counts.baseline[i] - b) * (counts.baseline[i] - b) / b +
                     (counts.current[i] - c) * (counts.current[i] - c) / c;
  }
  out.degrees = std::max(kinds - 1, 0.0);
  if (out.degrees > 0) out.p_value = chi_square_tail(out.statistic, out.degrees);
  return out;
}

double robust_distance(double distance, double n, double m) {
  return std::max(0.0, distance - 1.8 * std::sqrt((n + m) / (n * m)));
}

double chi_square_tail(double x, double degrees) {
  return x <= 0 ? 1 : gamma_tail(degrees / 2, x / 2);
}

}  // namespace millrace::tasks
