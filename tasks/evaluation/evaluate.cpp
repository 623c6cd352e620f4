#include "tasks/evaluation/evaluate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/svg_chart.h"
#include "tasks/processing/statistics.h"
#include "tasks/table/table.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kErrorBins = 40;

using Metrics = std::function<MetricValues(std::span<const double> weights)>;

std::vector<double> column_of(MatrixView m) {
  return {m.data, m.data + m.rows * m.cols};
}

Status check_shapes(std::span<const double> labels, MatrixView predictions,
                    const EvaluationSettings& settings) {
  if (labels.empty()) return invalid("there are no rows to evaluate on");
  if (labels.size() != predictions.rows) return invalid("labels and predictions differ in number");
  const bool many = settings.task == "multiclass";
  if (many ? predictions.cols < 2 : predictions.cols != 1) {
    return invalid("the model gives " + std::to_string(predictions.cols) + " numbers a row, which is no " +
                   settings.task + " model");
  }
  const double classes = many ? static_cast<double>(predictions.cols) : 2;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double y = labels[i];
    const bool good =
        settings.task == "regression" ? std::isfinite(y) : y >= 0 && y < classes && y == std::trunc(y);
    if (!good)
      return invalid("row " + std::to_string(i + 1) + ": the target " + format_number(y) + " is no " +
                     settings.task + " target");
    for (const float p : predictions.row(i)) {
      if (!std::isfinite(p))
        return invalid("row " + std::to_string(i + 1) + ": the model's prediction is not a finite number");
    }
  }
  return {};
}

// The metrics of the task as a function of weights; scores are sorted once.
Metrics metrics_for(std::span<const double> labels, MatrixView predictions,
                    const EvaluationSettings& settings) {
  if (settings.task == "binary") {
    return [scores = BinaryScores(labels, column_of(predictions)), threshold = settings.threshold](auto w) {
      return scores.metrics(threshold, w);
    };
  }
  if (settings.task == "multiclass")
    return [labels, predictions](auto w) { return class_metrics(labels, predictions, w); };
  return [scores = RegressionScores(labels, column_of(predictions), settings.quantile)](auto w) {
    return scores.metrics(w);
  };
}

// Values of each metric over the bootstrap samples; `difference` is subtracted when given.
Result<std::vector<std::vector<double>>> resample(std::size_t rows, const Metrics& metrics,
                                                  const Metrics* difference,
                                                  const EvaluationSettings& settings) {
  std::vector<std::vector<double>> out(metrics({}).size());
  for (std::uint64_t sample = 0; sample < settings.samples; ++sample) {
    if (settings.cancelled && settings.cancelled())
      return fail(ErrorCode::Cancelled, "evaluate was cancelled");
    const std::vector<double> weights = bootstrap_weights(rows, settings.seed, sample);
    const MetricValues values = metrics(weights);
    const MetricValues others = difference != nullptr ? (*difference)(weights) : MetricValues();
    for (std::size_t m = 0; m < values.size(); ++m) {
      out[m].push_back(values[m].second - (others.empty() ? 0 : others[m].second));
    }
  }
  return out;
}

std::string class_name(const EvaluationSettings& settings, std::size_t c) {
  return c < settings.classes.size() ? settings.classes[c] : std::to_string(c);
}

// {"no": {"no": 90, "yes": 10}, "yes": …}: truth, then prediction.
Json confusion_json(const EvaluationSettings& settings, const std::vector<double>& counts, std::size_t k) {
  Json out = Json::object();
  for (std::size_t t = 0; t < k; ++t) {
    for (std::size_t p = 0; p < k; ++p)
      out[class_name(settings, t)][class_name(settings, p)] = counts[t * k + p];
  }
  return out;
}

std::string confusion_plot(const EvaluationSettings& settings, const std::vector<double>& counts,
                           std::size_t k) {
  std::vector<std::string> names;
  for (std::size_t c = 0; c < k; ++c) names.push_back(class_name(settings, c));
  return draw_matrix("Confusion matrix", "truth", "prediction", names, counts);
}

// Mean score against the share of positives, rows in ten groups of equal width of score.
std::string calibration_plot(std::span<const double> labels, MatrixView scores) {
  std::vector<double> count(10), truth(10), mean(10);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double score = scores.row(i)[0];
    const auto bin = static_cast<std::size_t>(std::clamp(score * 10, 0.0, 9.0));
    count[bin] += 1, truth[bin] += labels[i], mean[bin] += score;
  }
  Chart chart{"Calibration", "mean predicted probability", "share of positive rows", {}, {{0, 1}}, {{0, 1}}};
  chart.series.push_back({"perfectly calibrated", {{0, 0}, {1, 1}}, Series::Style::Line, true});
  Series line{"model", {}, Series::Style::Line, false};
  for (std::size_t b = 0; b < 10; ++b) {
    if (count[b] > 0) line.points.emplace_back(mean[b] / count[b], truth[b] / count[b]);
  }
  chart.series.push_back(std::move(line));
  return draw_chart(chart);
}

// How many of the positives are among the rows of the highest scores (gain), and how many times more than
// among any rows (lift).
void add_gain(const BinaryScores& scores, Evaluation& out) {
  const double positives = scores.positives(), rows = static_cast<double>(scores.size());
  if (positives == 0) return;
  Series gain{"model", {{0, 0}}, Series::Style::Line, false}, lift{"model", {}, Series::Style::Line, false};
  for (const BinaryScores::Point& point : scores.points()) {
    const double share = (point.true_positives + point.false_positives) / rows;
    gain.points.emplace_back(share, point.true_positives / positives);
    lift.points.emplace_back(share, point.true_positives / positives / share);
  }
  out.plots["gain.svg"] =
      draw_chart({"Gain",
                  "share of the rows, highest scores first",
                  "share of the positives among them",
                  {std::move(gain), {"by chance", {{0, 0}, {1, 1}}, Series::Style::Line, true}},
                  {{0, 1}},
                  {{0, 1}}});
  out.plots["lift.svg"] =
      draw_chart({"Lift",
                  "share of the rows, highest scores first",
                  "positives, times the average",
                  {std::move(lift), {"by chance", {{0, 1}, {1, 1}}, Series::Style::Line, true}},
                  {{0, 1}}});
}

struct BinaryCurves {
  Series roc, precision_recall;
};

BinaryCurves curves_of(const BinaryScores& scores, const std::string& name) {
  const double positives = scores.positives(), negatives = static_cast<double>(scores.size()) - positives;
  BinaryCurves out{{name, {{0, 0}}, Series::Style::Line, false}, {name, {}, Series::Style::Line, false}};
  for (const BinaryScores::Point& point : scores.points()) {
    if (positives > 0 && negatives > 0)
      out.roc.points.emplace_back(point.false_positives / negatives, point.true_positives / positives);
    if (positives > 0)
      out.precision_recall.points.emplace_back(
          point.true_positives / positives,
          point.true_positives / (point.true_positives + point.false_positives));
  }
  return out;
}

void draw_curves(std::vector<BinaryCurves> models, double positive_share, Evaluation& out) {
  Chart roc{"ROC curve", "false positive rate", "true positive rate", {}, {{0, 1}}, {{0, 1}}};
  Chart precision{"Precision and recall", "recall", "precision", {}, {{0, 1}}, {{0, 1}}};
  for (BinaryCurves& model : models) {
    roc.series.push_back(std::move(model.roc));
    precision.series.push_back(std::move(model.precision_recall));
  }
  roc.series.push_back({"by chance", {{0, 0}, {1, 1}}, Series::Style::Line, true});
  precision.series.push_back(
      {"by chance", {{0, positive_share}, {1, positive_share}}, Series::Style::Line, true});
  out.plots["roc.svg"] = draw_chart(roc);
  out.plots["precision_recall.svg"] = draw_chart(precision);
}

void add_binary(std::span<const double> labels, MatrixView predictions, const EvaluationSettings& settings,
                Json& group, Evaluation& out) {
  const BinaryScores scores(labels, column_of(predictions));
  const double positives = scores.positives(), negatives = static_cast<double>(labels.size()) - positives;
  double tp = 0, fp = 0;
  for (const BinaryScores::Point& point : scores.points()) {
    if (point.threshold >= settings.threshold) tp = point.true_positives, fp = point.false_positives;
  }
  const std::vector<double> counts = {negatives - fp, fp, positives - tp, tp};
  group["confusion_matrix"] = confusion_json(settings, counts, 2);
  const auto [threshold, f1] = scores.best_f1();
  group["threshold"] = settings.threshold;
  group["best_f1"] = {{"threshold", threshold}, {"value", f1}};
  out.plots["confusion.svg"] = confusion_plot(settings, counts, 2);
  draw_curves({curves_of(scores, "model")}, positives / static_cast<double>(labels.size()), out);
  out.plots["calibration.svg"] = calibration_plot(labels, predictions);
  add_gain(scores, out);
}

void add_regression(std::span<const double> labels, MatrixView predictions, Evaluation& out) {
  Series truth{"", {}, Series::Style::Points, false};
  std::vector<double> errors;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    truth.points.emplace_back(predictions.row(i)[0], labels[i]);
    errors.push_back(labels[i] - static_cast<double>(predictions.row(i)[0]));
  }
  const auto [low, high] = std::minmax_element(labels.begin(), labels.end());
  out.plots["prediction.svg"] =
      draw_chart({"Truth and prediction",
                  "prediction",
                  "truth",
                  {std::move(truth), {"equal", {{*low, *low}, {*high, *high}}, Series::Style::Line, true}}});
  std::sort(errors.begin(), errors.end());
  const double first = quantile(errors, 0.005), width = (quantile(errors, 0.995) - first) / kErrorBins;
  Series bars{"", {}, Series::Style::Bars, false};
  std::vector<double> counts(kErrorBins);
  for (const double error : errors) {
    const double place = width > 0 ? std::floor((error - first) / width) : 0;
    if (place >= 0 && place < kErrorBins) counts[static_cast<std::size_t>(place)] += 1;
  }
  for (std::size_t b = 0; b < counts.size(); ++b)
    bars.points.emplace_back(first + (static_cast<double>(b) + 0.5) * width, counts[b]);
  out.plots["errors.svg"] =
      draw_chart({"Errors (99 % of them)", "truth - prediction", "rows", {std::move(bars)}});
  Series points{"", {}, Series::Style::Points, false};
  for (std::size_t i = 0; i < labels.size(); ++i)
    points.points.emplace_back(predictions.row(i)[0], labels[i] - predictions.row(i)[0]);
  out.plots["residuals.svg"] =
      draw_chart({"Residuals", "prediction", "truth - prediction", {std::move(points)}});
}

}  // namespace

MetricValues task_metrics(std::span<const double> labels, MatrixView predictions,
                          const EvaluationSettings& settings) {
  return metrics_for(labels, predictions, settings)({});
}

Result<Evaluation> evaluate(std::span<const double> labels, MatrixView predictions,
                            const EvaluationSettings& settings) {
  MR_DO(check_shapes(labels, predictions, settings));
  const Metrics metrics = metrics_for(labels, predictions, settings);
  MR_TRY(samples, resample(labels.size(), metrics, nullptr, settings));
  Evaluation out;
  Json group = Json::object();
  const MetricValues values = metrics({});
  for (std::size_t m = 0; m < values.size(); ++m) {
    group[std::string(values[m].first)] = {{"value", values[m].second}};
    if (!samples[m].empty())
      group[std::string(values[m].first)]["standard_deviation"] = std::sqrt(moments(samples[m]).variance);
  }
  std::string name = "regression_metrics";
  if (settings.task == "binary") {
    name = "binary_classification_metrics";
    add_binary(labels, predictions, settings, group, out);
  } else if (settings.task == "multiclass") {
    name = "multiclass_classification_metrics";
    const std::vector<double> counts = confusion_matrix(labels, predictions);
    group["confusion_matrix"] = confusion_json(settings, counts, predictions.cols);
    out.plots["confusion.svg"] = confusion_plot(settings, counts, predictions.cols);
  } else {
    add_regression(labels, predictions, out);
  }
  out.report = {{name, std::move(group)}, {"rows", labels.size()}};
  return out;
}

void draw_beside_champion(std::span<const double> labels, MatrixView challenger, MatrixView champion,
                          Evaluation& out) {
  const BinaryScores model(labels, column_of(challenger)), other(labels, column_of(champion));
  draw_curves({curves_of(model, "model"), curves_of(other, "champion")},
              model.positives() / static_cast<double>(labels.size()), out);
}

Result<Json> compare(std::span<const double> labels, MatrixView challenger, MatrixView champion,
                     const EvaluationSettings& settings) {
  MR_DO(check_shapes(labels, challenger, settings));
  MR_DO(check_shapes(labels, champion, settings));
  if (challenger.cols != champion.cols)
    return invalid("champion and challenger have different numbers of classes");
  const Metrics mine = metrics_for(labels, challenger, settings),
                other = metrics_for(labels, champion, settings);
  MR_TRY(samples, resample(labels.size(), mine, &other, settings));
  const MetricValues a = mine({}), b = other({});
  Json out = Json::object();
  for (std::size_t m = 0; m < a.size(); ++m) {
    Json entry = {
        {"challenger", a[m].second}, {"champion", b[m].second}, {"difference", a[m].second - b[m].second}};
    const std::vector<double> sorted = sorted_values(samples[m]);
    if (!sorted.empty()) entry["interval_95"] = {quantile(sorted, 0.025), quantile(sorted, 0.975)};
    out[std::string(a[m].first)] = std::move(entry);
  }
  return out;
}

}  // namespace millrace::tasks
