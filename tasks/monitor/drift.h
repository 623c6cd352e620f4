#pragma once
// How far a column's values have moved from a baseline: distances between two samples of numbers or two
// tables of counts. Pure functions. Any thread.
//
// Sources: Kolmogorov and Smirnov; Lin, "Divergence measures based on the Shannon entropy" (1991); Pearson's
// chi-square; the population stability index of credit scoring; the distance of SageMaker Model Monitor
// (Deequ), Simple and Robust.

#include <string>
#include <vector>

#include "tasks/processing/sketches.h"

namespace millrace::tasks {

// Two-sample Kolmogorov-Smirnov statistic: the largest distance of the distribution functions. Neither may be
// empty.
double ks_distance(const WeightedValues& baseline, const WeightedValues& current);
// First Wasserstein distance: the area between the distribution functions, in units of the column.
double wasserstein_distance(const WeightedValues& baseline, const WeightedValues& current);

// Counts by bin or category, in the same order.
struct BinnedCounts {
  std::vector<double> baseline = {}, current = {};
};
// Ten bins at the deciles of the baseline, closed below; equal deciles leave bins empty.
BinnedCounts decile_counts(const WeightedValues& baseline, const WeightedValues& current);

// sum (c - b) ln(c / b) over shares; an empty bin counts as kEmptyShare.
double population_stability(const BinnedCounts& counts);
double js_divergence(const BinnedCounts& counts);  // natural logarithm
double linf_distance(const BinnedCounts& counts);  // of shares
struct ChiSquare {
  double statistic = 0, p_value = 1, degrees = 0;
};
// Of the 2 x k table; categories that occur in neither are left out.
ChiSquare chi_square(const BinnedCounts& counts);

inline constexpr double kEmptyShare = 1e-6;

// Model Monitor's Robust: less what two samples of that size differ by anyway.
double robust_distance(double distance, double baseline_rows, double current_rows);

// Upper tail of the chi-square distribution: the regularised incomplete gamma function Q(degrees/2, x/2).
double chi_square_tail(double x, double degrees);

}  // namespace millrace::tasks
