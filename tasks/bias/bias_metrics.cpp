#include "tasks/bias/bias_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

namespace millrace::tasks {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr std::size_t kFlipNeighbours = 5, kFlipNeighboursFew = 1, kFlipFewRows = 10;

// 0/0 is 0 and x/0 infinite, as Clarify has it.
double bias_ratio(double a, double b) {
  if (b != 0) return a / b;
  return a == 0 ? 0 : a < 0 ? -kInfinite : kInfinite;
}
// a - b, where two infinities are equal.
double bias_difference(double a, double b) {
  return a == b ? 0 : a - b;
}

Result<double> class_imbalance(const BiasRows&, const BiasCounts& c) {
  return (c.rows(0) - c.rows(1)) / (c.rows(0) + c.rows(1));
}

Result<double> label_proportions(const BiasRows&, const BiasCounts& c) {
  return c.labels(0, 1) / c.rows(0) - c.labels(1, 1) / c.rows(1);
}

// Shares of the labels that occur in both groups: of the others first.
std::vector<std::array<double, 2>> label_shares(const BiasCounts& c) {
  std::vector<std::array<double, 2>> out;
  for (int label = 0; label < 2; ++label) {
    if (c.labels(0, label) == 0 || c.labels(1, label) == 0) continue;
    out.push_back({c.labels(0, label) / c.rows(0), c.labels(1, label) / c.rows(1)});
  }
  return out;
}

template <class Add>
Result<double> over_labels(const BiasCounts& c, Add add) {
  const auto shares = label_shares(c);
  if (shares.empty()) return invalid("no label occurs both inside and outside the facet");
  double out = 0;
  for (const auto& [a, d] : shares) out = add(out, a, d);
  return out;
}

Result<double> kullback_leibler(const BiasRows&, const BiasCounts& c) {
  return over_labels(c, [](double sum, double a, double d) { return sum + a * std::log(a / d); });
}
Result<double> jensen_shannon(const BiasRows&, const BiasCounts& c) {
  return over_labels(c, [](double sum, double a, double d) {
    const double middle = (a + d) / 2;
    return sum + (a * std::log(a / middle) + d * std::log(d / middle)) / 2;
  });
}
Result<double> norm_2(const BiasRows&, const BiasCounts& c) {
  MR_TRY(sum, over_labels(c, [](double s, double a, double d) { return s + (a - d) * (a - d); }));
  return std::sqrt(sum);
}
Result<double> total_variation(const BiasRows&, const BiasCounts& c) {
  return over_labels(c, [](double sum, double a, double d) { return sum + std::abs(a - d) / 2; });
}
Result<double> kolmogorov(const BiasRows&, const BiasCounts& c) {
  return over_labels(c, [](double most, double a, double d) { return std::max(most, std::abs(a - d)); });
}

// The facet's share of the rejected less its share of the accepted, in each group, weighted by its rows.
Result<double> demographic_disparity(const BiasRows& rows, const std::vector<std::uint8_t>& positive) {
  if (rows.group.empty()) return invalid("there is no group_variable");
  struct Group {
    double rows = 0, accepted = 0, rejected = 0, accepted_facet = 0, rejected_facet = 0;
  };
  std::map<std::uint32_t, Group> groups;
  double accepted = 0, rejected = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    Group& group = groups[rows.group[i]];
    group.rows += 1;
    (positive[i] != 0 ? accepted : rejected) += 1;
    (positive[i] != 0 ? group.accepted : group.rejected) += 1;
    if (rows.facet[i] != 0) (positive[i] != 0 ? group.accepted_facet : group.rejected_facet) += 1;
  }
  if (accepted == 0) return invalid("no row is positive");
  if (rejected == 0) return invalid("no row is negative");
  double sum = 0;
  for (const auto& [id, group] : groups) {
    const double of_accepted = group.accepted > 0 ? group.accepted_facet / group.accepted : 0;
    const double of_rejected = group.rejected > 0 ? group.rejected_facet / group.rejected : 0;
    sum += group.rows * (of_rejected - of_accepted);
  }
  return sum / static_cast<double>(rows.rows());
}
Result<double> disparity_of_labels(const BiasRows& rows, const BiasCounts&) {
  return demographic_disparity(rows, rows.label);
}
Result<double> disparity_of_predictions(const BiasRows& rows, const BiasCounts&) {
  return demographic_disparity(rows, rows.predicted);
}

Result<double> predicted_proportions(const BiasRows&, const BiasCounts& c) {
  return c.predictions(0, 1) / c.rows(0) - c.predictions(1, 1) / c.rows(1);
}
Result<double> disparate_impact(const BiasRows&, const BiasCounts& c) {
  return bias_ratio(c.predictions(1, 1) / c.rows(1), c.predictions(0, 1) / c.rows(0));
}
Result<double> conditional_acceptance(const BiasRows&, const BiasCounts& c) {
  return bias_difference(bias_ratio(c.labels(0, 1), c.predictions(0, 1)),
                         bias_ratio(c.labels(1, 1), c.predictions(1, 1)));
}
Result<double> conditional_rejection(const BiasRows&, const BiasCounts& c) {
  return bias_difference(bias_ratio(c.labels(1, 0), c.predictions(1, 0)),
                         bias_ratio(c.labels(0, 0), c.predictions(0, 0)));
}
Result<double> recall_difference(const BiasRows&, const BiasCounts& c) {
  return bias_ratio(c.n[0][1][1], c.labels(0, 1)) - bias_ratio(c.n[1][1][1], c.labels(1, 1));
}
Result<double> specificity_difference(const BiasRows&, const BiasCounts& c) {
  return bias_ratio(c.n[1][0][0], c.labels(1, 0)) - bias_ratio(c.n[0][0][0], c.labels(0, 0));
}
Result<double> acceptance_rates(const BiasRows&, const BiasCounts& c) {
  return bias_ratio(c.n[0][1][1], c.predictions(0, 1)) - bias_ratio(c.n[1][1][1], c.predictions(1, 1));
}
Result<double> rejection_rates(const BiasRows&, const BiasCounts& c) {
  return bias_ratio(c.n[1][0][0], c.predictions(1, 0)) - bias_ratio(c.n[0][0][0], c.predictions(0, 0));
}
Result<double> accuracy_difference(const BiasRows&, const BiasCounts& c) {
  return (c.n[0][1][1] + c.n[0][0][0]) / c.rows(0) - (c.n[1][1][1] + c.n[1][0][0]) / c.rows(1);
}
Result<double> treatment_equality(const BiasRows&, const BiasCounts& c) {
  return bias_difference(bias_ratio(c.n[1][1][0], c.n[1][0][1]), bias_ratio(c.n[0][1][0], c.n[0][0][1]));
}

// Half the squared coefficient of variation of the benefit, prediction - label + 1.
Result<double> generalized_entropy(const BiasRows& rows, const BiasCounts& c) {
  const double n = static_cast<double>(rows.rows());
  double at[3] = {};
  for (int facet = 0; facet < 2; ++facet) {
    at[0] += c.n[facet][1][0];
    at[1] += c.n[facet][0][0] + c.n[facet][1][1];
    at[2] += c.n[facet][0][1];
  }
  const double mean = (at[1] + 2 * at[2]) / n;
  if (mean == 0) return invalid("all predictions are false negatives");
  double sum = 0;
  for (int benefit = 0; benefit < 3; ++benefit) {
    const double r = benefit / mean;
    sum += at[benefit] * (r * r - 1);
  }
  return sum / (2 * n);
}

// Rows that FT looks at: those whose numbers are all there, evenly thinned beyond kFlipTestRowsMax.
std::vector<std::size_t> flip_rows(const BiasRows& rows) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto row = MatrixView(rows.features).row(i);
    if (std::all_of(row.begin(), row.end(), [](float x) { return std::isfinite(x); })) out.push_back(i);
  }
  if (out.size() <= kFlipTestRowsMax) return out;
  std::vector<std::size_t> fewer;
  for (std::size_t k = 0; k < kFlipTestRowsMax; ++k) fewer.push_back(out[k * out.size() / kFlipTestRowsMax]);
  return fewer;
}

// What most of the k nearest rows of `others` were predicted; of equally near ones the first.
bool vote(const BiasRows& rows, std::span<const std::size_t> others, std::size_t row, std::size_t k) {
  std::array<std::pair<double, std::size_t>, kFlipNeighbours> nearest;
  nearest.fill({kInfinite, 0});
  const auto x = MatrixView(rows.features).row(row);
  for (const std::size_t other : others) {
    const auto y = MatrixView(rows.features).row(other);
    double distance = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double step = static_cast<double>(x[j]) - static_cast<double>(y[j]);
      distance += step * step;
    }
    if (distance >= nearest[k - 1].first) continue;
    std::size_t place = k - 1;
    for (; place > 0 && nearest[place - 1].first > distance; --place) nearest[place] = nearest[place - 1];
    nearest[place] = {distance, other};
  }
  std::size_t positive = 0;
  for (std::size_t n = 0; n < k; ++n) positive += rows.predicted[nearest[n].second];
  return 2 * positive > k;
}

// The flip test of Black, Yeom and Fredrikson (2020), by nearest neighbours: rows of the facet whose
// prediction is positive where their neighbours' outside are not, less the opposite, by the facet's rows.
Result<double> flip_test(const BiasRows& rows, const BiasCounts&) {
  if (rows.features.cols == 0) return invalid("there are no columns of numbers besides facet and label");
  std::vector<std::size_t> facet, others;
  for (const std::size_t i : flip_rows(rows)) (rows.facet[i] != 0 ? facet : others).push_back(i);
  if (facet.empty() || others.empty())
    return invalid("no row with all its numbers is inside, or outside, the facet");
  const std::size_t k = others.size() > kFlipFewRows ? kFlipNeighbours : kFlipNeighboursFew;
  double positive = 0, negative = 0;
  for (std::size_t i = 0; i < facet.size(); ++i) {
    if (i % 64 == 0 && rows.cancelled && rows.cancelled())
      return fail(ErrorCode::Cancelled, "the job was cancelled");
    const bool other = vote(rows, others, facet[i], k), own = rows.predicted[facet[i]] != 0;
    positive += own && !other;
    negative += !own && other;
  }
  return (positive - negative) / static_cast<double>(facet.size());
}

}  // namespace

double BiasCounts::rows(int facet) const {
  return labels(facet, 0) + labels(facet, 1);
}
double BiasCounts::labels(int facet, int label) const {
  return n[facet][label][0] + n[facet][label][1];
}
double BiasCounts::predictions(int facet, int predicted) const {
  return n[facet][0][predicted] + n[facet][1][predicted];
}

std::span<const BiasMetric> bias_metrics() {
  using enum BiasStage;
  static constexpr BiasMetric kMetrics[] = {
      {"CDDL", "Conditional Demographic Disparity in Labels (CDDL)", PreTraining, disparity_of_labels},
      {"CI", "Class Imbalance (CI)", PreTraining, class_imbalance},
      {"DPL", "Difference in Positive Proportions in Labels (DPL)", PreTraining, label_proportions},
      {"JS", "Jensen-Shannon Divergence (JS)", PreTraining, jensen_shannon},
      {"KL", "Kullback-Liebler Divergence (KL)", PreTraining, kullback_leibler},
      {"KS", "Kolmogorov-Smirnov Distance (KS)", PreTraining, kolmogorov},
      {"LP", "L-p Norm (LP)", PreTraining, norm_2},
      {"TVD", "Total Variation Distance (TVD)", PreTraining, total_variation},
      {"AD", "Accuracy Difference (AD)", PostTraining, accuracy_difference},
      {"CDDPL", "Conditional Demographic Disparity in Predicted Labels (CDDPL)", PostTraining,
       disparity_of_predictions},
      {"DAR", "Difference in Acceptance Rates (DAR)", PostTraining, acceptance_rates},
      {"DCA", "Difference in Conditional Acceptance (DCA)", PostTraining, conditional_acceptance},
      {"DCR", "Difference in Conditional Rejection (DCR)", PostTraining, conditional_rejection},
      {"DI", "Disparate Impact (DI)", PostTraining, disparate_impact},
      {"DPPL", "Difference in Positive Proportions in Predicted Labels (DPPL)", PostTraining,
       predicted_proportions},
      {"DRR", "Difference in Rejection Rates (DRR)", PostTraining, rejection_rates},
      {"FT", "Flip Test (FT)", PostTraining, flip_test},
      {"GE", "Generalized Entropy (GE)", PostTraining, generalized_entropy},
      {"RD", "Recall Difference (RD)", PostTraining, recall_difference},
      {"SD", "Specificity Difference (SD)", PostTraining, specificity_difference},
      {"TE", "Treatment Equality (TE)", PostTraining, treatment_equality},
  };
  return kMetrics;
}

BiasCounts count_bias(const BiasRows& rows) {
  BiasCounts out;
  for (std::size_t i = 0; i < rows.rows(); ++i)
    out.n[rows.facet[i]][rows.label[i]][rows.predicted.empty() ? 0 : rows.predicted[i]] += 1;
  return out;
}

}  // namespace millrace::tasks
