#include "tasks/trees/split.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::tasks::trees {

namespace {

constexpr double kLeastGain = 1e-6;

double shrink(double gradient, double alpha) {
  if (gradient > alpha) return gradient - alpha;
  if (gradient < -alpha) return gradient + alpha;
  return 0;
}

struct Sides {
  double left_gradient, left_hessian, right_gradient, right_hessian;
};

// Gain of the two sides, or a negative number when the split is not allowed.
template <bool kPlain>
[[gnu::always_inline]] inline double sides_gain(const GrowSettings& s, const Sides& sides,
                                                const Bounds& bounds, int monotone) {
  if constexpr (kPlain) {
    return sides.left_gradient * sides.left_gradient / (sides.left_hessian + s.lambda) +
           sides.right_gradient * sides.right_gradient / (sides.right_hessian + s.lambda);
  } else {
    if (monotone != 0) {
      const double left = node_weight(s, sides.left_gradient, sides.left_hessian, bounds);
      const double right = node_weight(s, sides.right_gradient, sides.right_hessian, bounds);
      if (monotone > 0 ? left > right : left < right) return -1;
    }
    return node_gain(s, sides.left_gradient, sides.left_hessian, bounds) +
           node_gain(s, sides.right_gradient, sides.right_hessian, bounds);
  }
}

struct Scan {
  const GrowSettings& settings;
  const NodeSums& node;
  double total_gradient, total_hessian, parent_gain;
  int monotone;
};

// Splits behind each of the first `count` bins; `start` is on the left from the beginning.
template <bool kPlain>
void scan_bins(const Scan& scan, const Sum* bins, std::uint32_t count, Sum start, bool missing_left,
               Split& best) {
  Sum left = start;
  const double unit_gradient = scan.node.unit_gradient, unit_hessian = scan.node.unit_hessian;
  // A side without any hessian answers nothing.
  const double least_weight = std::max(scan.settings.min_child_weight, std::numeric_limits<double>::min());
  for (std::uint32_t b = 0; b < count; ++b) {
    if (bins[b] == 0) continue;
    left += bins[b];
    Sides sides;
    sides.left_hessian = hessian_of(left) * unit_hessian;
    sides.right_hessian = scan.total_hessian - sides.left_hessian;
    if (sides.left_hessian < least_weight || sides.right_hessian < least_weight) continue;
    if (left == scan.node.total) continue;
    sides.left_gradient = gradient_of(left) * unit_gradient;
    sides.right_gradient = scan.total_gradient - sides.left_gradient;
    const double gain =
        sides_gain<kPlain>(scan.settings, sides, scan.node.bounds, scan.monotone) - scan.parent_gain;
    if (gain > best.gain) best.gain = gain, best.last = b, best.missing_left = missing_left, best.left = left;
  }
}

template <bool kPlain>
Split scan_feature(const Scan& scan, const Feature& feature, std::uint32_t number, const Sum* bins,
                   double least) {
  Split best;
  best.feature = number;
  best.gain = least;
  const Sum missing = feature.missing ? bins[feature.values] : 0;
  if (missing == 0) {
    scan_bins<kPlain>(scan, bins, feature.values - 1, 0, false, best);
    // None is missing here: later ones go with the majority.
    if (best.gain > least) best.missing_left = hessian_of(best.left) * 2.0 > hessian_of(scan.node.total);
  } else {
    scan_bins<kPlain>(scan, bins, feature.values, 0, false, best);  // the last: all values against missing
    scan_bins<kPlain>(scan, bins, feature.values - 1, missing, true, best);
  }
  if (!(best.gain > least)) best.gain = 0;
  std::uint32_t next = best.last + 1;
  while (next < feature.values && bins[next] == 0) ++next;
  if (best.gain > 0 && next < feature.values) best.last = middle_of_gap(feature, best.last, next);
  return best;
}

}  // namespace

std::uint32_t middle_of_gap(const Feature& feature, std::uint32_t last, std::uint32_t next) {
  if (next - last < 2) return last;
  const auto begin = feature.cuts.begin() + last, end = feature.cuts.begin() + next;
  const float middle = *begin / 2 + *(end - 1) / 2;
  auto cut = std::lower_bound(begin, end - 1, middle);
  if (cut != begin && middle - *(cut - 1) <= *cut - middle) --cut;
  return static_cast<std::uint32_t>(cut - feature.cuts.begin());
}

double node_weight(const GrowSettings& s, double gradient, double hessian, const Bounds& bounds) {
  if (hessian <= 0 || hessian < s.min_child_weight) return 0;
  double weight = -shrink(gradient, s.alpha) / (hessian + s.lambda);
  if (s.max_delta_step > 0) weight = std::clamp(weight, -s.max_delta_step, s.max_delta_step);
  return std::clamp(weight, bounds.low, bounds.high);
}

double node_gain(const GrowSettings& s, double gradient, double hessian, const Bounds& bounds) {
  if (hessian <= 0 || hessian < s.min_child_weight) return 0;
  if (s.max_delta_step == 0 && s.monotone.empty()) {
    const double g = shrink(gradient, s.alpha);
    return g * g / (hessian + s.lambda);
  }
  const double w = node_weight(s, gradient, hessian, bounds);
  return -(2 * gradient * w + (hessian + s.lambda) * w * w + 2 * s.alpha * std::abs(w));
}

Split best_split_of(const GrowSettings& settings, const Bins& bins, std::uint32_t number,
                    const Sum* histogram, const NodeSums& node, double least) {
  const Feature& feature = bins.features()[number];
  const Column& column = bins.columns()[feature.column];
  const Sum* own = histogram + column.offset;
  Sum apart[kColumnBins];
  if (!feature.digit.empty()) {
    std::fill_n(apart, feature.bins, Sum(0));
    for (std::uint32_t b = 0; b < column.bins; ++b) apart[feature.digit[b]] += own[b];
    own = apart;
  }
  Scan scan{settings,
            node,
            gradient_of(node.total) * node.unit_gradient,
            hessian_of(node.total) * node.unit_hessian,
            0,
            0};
  scan.parent_gain = node_gain(settings, scan.total_gradient, scan.total_hessian, node.bounds);
  if (number < settings.monotone.size()) scan.monotone = settings.monotone[number];
  const bool plain = settings.alpha == 0 && settings.max_delta_step == 0 && settings.monotone.empty();
  least = std::max(least, std::max(kLeastGain, settings.gamma));
  return plain ? scan_feature<true>(scan, feature, number, own, least)
               : scan_feature<false>(scan, feature, number, own, least);
}

const Split& better(const Split& a, const Split& b) {
  if (a.gain != b.gain) return a.gain > b.gain ? a : b;
  return a.feature <= b.feature ? a : b;
}

Route route_of(const Bins& bins, const Split& split) {
  const Feature& feature = bins.features()[split.feature];
  Route route;
  route.column = feature.column;
  route.last = split.last;
  route.missing = feature.missing ? feature.values : UINT32_MAX;
  route.missing_left = split.missing_left;
  for (std::uint32_t b = 0; b < kColumnBins && !bins.wide(); ++b) {
    const std::uint32_t own = feature.digit.empty() ? b : feature.digit[b];
    route.left[b] = own == route.missing ? split.missing_left : own <= split.last;
  }
  return route;
}

float condition_of(const Bins& bins, const Split& split) {
  const Feature& feature = bins.features()[split.feature];
  // Behind the last bin: every value, and not the missing ones.
  return split.last < feature.cuts.size() ? feature.cuts[split.last] : std::numeric_limits<float>::max();
}

}  // namespace millrace::tasks::trees
