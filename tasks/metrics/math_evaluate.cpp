#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "tasks/metrics/math_node.h"

namespace millrace::tasks {
namespace {

using SeriesList = std::vector<MetricPoints>;
constexpr std::size_t kArrayMax = 500;

double apply_op(MathOp op, double a, double b) {
  switch (op) {
    case MathOp::Add:
      return a + b;
    case MathOp::Subtract:
      return a - b;
    case MathOp::Multiply:
      return a * b;
    case MathOp::Divide:
      return a / b;
    case MathOp::Power:
      return std::pow(a, b);
    case MathOp::Less:
      return a < b;
    case MathOp::LessEqual:
      return a <= b;
    case MathOp::Greater:
      return a > b;
    case MathOp::GreaterEqual:
      return a >= b;
    case MathOp::Equal:
      return a == b;
    case MathOp::NotEqual:
      return a != b;
    case MathOp::And:
      return a != 0 && b != 0;
    case MathOp::Or:
      return a != 0 || b != 0;
  }
  return 0;
}

// What is no number (1/0) is no point.
void add_point(MetricPoints& points, Instant time, double value) {
  if (std::isfinite(value)) points.emplace_back(time, value);
}

// Points of both at the same time.
MetricPoints apply_series(MathOp op, const MetricPoints& a, const MetricPoints& b) {
  MetricPoints out;
  auto i = a.begin();
  auto j = b.begin();
  while (i != a.end() && j != b.end()) {
    if (i->first < j->first) {
      ++i;
    } else if (j->first < i->first) {
      ++j;
    } else {
      add_point(out, i->first, apply_op(op, i->second, j->second));
      ++i, ++j;
    }
  }
  return out;
}

template <class Change>
MetricPoints each_point(const MetricPoints& points, const Change& change) {
  MetricPoints out;
  for (const auto& [time, value] : points) add_point(out, time, change(value));
  return out;
}

// The same with every number and series of a value.
template <class Change>
MathValue each_value(const MathValue& value, const Change& change) {
  if (const auto* number = std::get_if<double>(&value)) return change(*number);
  if (const auto* points = std::get_if<MetricPoints>(&value)) return each_point(*points, change);
  SeriesList out;
  for (const MetricPoints& points : std::get<SeriesList>(value)) out.push_back(each_point(points, change));
  return out;
}

Result<MetricPoints> series_argument(const MathValue& value, std::string_view function) {
  if (const auto* points = std::get_if<MetricPoints>(&value)) return *points;
  return invalid("the function " + std::string(function) + " takes one time series");
}

// ---- SUM, AVG, MIN, MAX, STDDEV: of a series a number, of several a series

double reduce_sum(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum;
}
double reduce_avg(const std::vector<double>& v) {
  return reduce_sum(v) / static_cast<double>(v.size());
}
double reduce_min(const std::vector<double>& v) {
  return *std::min_element(v.begin(), v.end());
}
double reduce_max(const std::vector<double>& v) {
  return *std::max_element(v.begin(), v.end());
}
double reduce_stddev(const std::vector<double>& v) {
  const double mean = reduce_avg(v);
  double squares = 0;
  for (const double x : v) squares += (x - mean) * (x - mean);
  return std::sqrt(squares / static_cast<double>(v.size()));
}

template <double (*Reduce)(const std::vector<double>&)>
Result<MathValue> reduce(const std::vector<MathValue>& arguments, const MathEnvironment&) {
  const MathValue& value = arguments[0];
  if (std::holds_alternative<double>(value)) return value;
  if (const auto* points = std::get_if<MetricPoints>(&value)) {
    std::vector<double> numbers;
    for (const auto& [time, number] : *points) numbers.push_back(number);
    if (numbers.empty()) return MathValue(MetricPoints());
    return MathValue(Reduce(numbers));
  }
  std::map<Instant, std::vector<double>> by_time;
  for (const MetricPoints& points : std::get<SeriesList>(value))
    for (const auto& [time, number] : points) by_time[time].push_back(number);
  MetricPoints out;
  for (const auto& [time, numbers] : by_time) add_point(out, time, Reduce(numbers));
  return MathValue(std::move(out));
}

template <double (*Change)(double)>
Result<MathValue> change_each(const std::vector<MathValue>& arguments, const MathEnvironment&) {
  return each_value(arguments[0], [](double v) { return Change(v); });
}

// ---- Of one point and the one before

enum class Step { Diff, DiffTime, Rate, RunningSum };
template <Step Kind>
Result<MathValue> step_function(const std::vector<MathValue>& arguments, const MathEnvironment&) {
  MR_TRY(points, series_argument(arguments[0], "DIFF, DIFF_TIME, RATE or RUNNING_SUM"));
  MetricPoints out;
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    sum += points[i].second;
    if (Kind == Step::RunningSum) add_point(out, points[i].first, sum);
    if (Kind == Step::RunningSum || i == 0) continue;
    const double by = points[i].second - points[i - 1].second;
    const double seconds = static_cast<double>((points[i].first - points[i - 1].first).count()) / 1000.0;
    add_point(out, points[i].first,
              Kind == Step::Diff       ? by
              : Kind == Step::DiffTime ? seconds
                                       : by / seconds);
  }
  return MathValue(std::move(out));
}

Result<MathValue> metric_count(const std::vector<MathValue>& arguments, const MathEnvironment&) {
  if (const auto* list = std::get_if<SeriesList>(&arguments[0]))
    return MathValue(static_cast<double>(list->size()));
  return MathValue(1.0);
}

template <bool First>
Result<MathValue> one_of_array(const std::vector<MathValue>& arguments, const MathEnvironment&) {
  const auto* list = std::get_if<SeriesList>(&arguments[0]);
  if (!list || list->empty()) return invalid("the functions FIRST and LAST take an array of time series");
  return MathValue(First ? list->front() : list->back());
}

Result<MathValue> period_of(const std::vector<MathValue>&, const MathEnvironment& environment) {
  return MathValue(static_cast<double>(environment.period.count()) / 1000.0);
}

// The beginnings of all periods of the request.
std::vector<Instant> grid_of(const MathEnvironment& environment) {
  constexpr std::size_t kGridMax = 200'000;
  std::vector<Instant> times;
  const std::int64_t period = std::max<std::int64_t>(1, environment.period.count());
  const std::int64_t start = to_millis(environment.start);
  for (std::int64_t t = start - start % period; t < to_millis(environment.end) && times.size() < kGridMax;
       t += period)
    times.push_back(from_millis(t));
  return times;
}

MetricPoints constant_series(double value, const MathEnvironment& environment) {
  MetricPoints out;
  for (const Instant time : grid_of(environment)) add_point(out, time, value);
  return out;
}

Result<MathValue> time_series(const std::vector<MathValue>& arguments, const MathEnvironment& environment) {
  const auto* number = std::get_if<double>(&arguments[0]);
  if (!number) return invalid("the function TIME_SERIES takes a number");
  return MathValue(constant_series(*number, environment));
}

std::optional<double> value_at(const MathValue& value, Instant time) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  const auto* points = std::get_if<MetricPoints>(&value);
  if (!points) return std::nullopt;
  const auto found = std::lower_bound(points->begin(), points->end(), time,
                                      [](const auto& point, Instant t) { return point.first < t; });
  if (found == points->end() || found->first != time) return std::nullopt;
  return found->second;
}

// IF(condition, then[, otherwise]): at each time of the condition, or of the others where it is a number.
Result<MathValue> if_function(const std::vector<MathValue>& arguments, const MathEnvironment&) {
  for (const MathValue& argument : arguments)
    if (std::holds_alternative<SeriesList>(argument))
      return invalid("the function IF takes numbers and time series, no arrays");
  if (const auto* number = std::get_if<double>(&arguments[0])) {
    if (*number != 0) return arguments[1];
    return arguments.size() > 2 ? arguments[2] : MathValue(MetricPoints());
  }
  MetricPoints out;
  for (const auto& [time, condition] : std::get<MetricPoints>(arguments[0])) {
    if (condition == 0 && arguments.size() < 3) continue;
    if (const auto value = value_at(arguments[condition != 0 ? 1 : 2], time)) add_point(out, time, *value);
  }
  return MathValue(std::move(out));
}

Result<MathValue> not_alone(const std::vector<MathValue>&, const MathEnvironment&) {
  return invalid("FILL and METRICS are evaluated with their words");
}

constexpr MathFunction kMathFunctions[] = {
    {"ABS", 1, 1, change_each<std::fabs>},
    {"AVG", 1, 1, reduce<reduce_avg>},
    {"CEIL", 1, 1, change_each<std::ceil>},
    {"DIFF", 1, 1, step_function<Step::Diff>},
    {"DIFF_TIME", 1, 1, step_function<Step::DiffTime>},
    {"FILL", 2, 2, not_alone},
    {"FIRST", 1, 1, one_of_array<true>},
    {"FLOOR", 1, 1, change_each<std::floor>},
    {"IF", 2, 3, if_function},
    {"LAST", 1, 1, one_of_array<false>},
    {"LOG", 1, 1, change_each<std::log>},
    {"LOG10", 1, 1, change_each<std::log10>},
    {"MAX", 1, 1, reduce<reduce_max>},
    {"METRICS", 0, 1, not_alone},
    {"METRIC_COUNT", 1, 1, metric_count},
    {"MIN", 1, 1, reduce<reduce_min>},
    {"PERIOD", 1, 1, period_of},
    {"RATE", 1, 1, step_function<Step::Rate>},
    {"RUNNING_SUM", 1, 1, step_function<Step::RunningSum>},
    {"STDDEV", 1, 1, reduce<reduce_stddev>},
    {"SUM", 1, 1, reduce<reduce_sum>},
    {"TIME_SERIES", 1, 1, time_series},
};

// ---- FILL(series, number or series or REPEAT or LINEAR), METRICS("part of an id")

MetricPoints fill_series(const MetricPoints& points, const MathEnvironment& environment,
                         const std::function<std::optional<double>(Instant, std::size_t next)>& missing) {
  MetricPoints out;
  std::size_t next = 0;
  for (const Instant time : grid_of(environment)) {
    while (next < points.size() && points[next].first < time) out.push_back(points[next++]);
    if (next < points.size() && points[next].first == time) {
      out.push_back(points[next++]);
    } else if (const auto value = missing(time, next)) {
      add_point(out, time, *value);
    }
  }
  for (; next < points.size(); ++next) out.push_back(points[next]);
  return out;
}

Result<MetricPoints> fill_one(const MetricPoints& points, const MathNode& how,
                              const MathEnvironment& environment) {
  if (how.kind == MathNode::Kind::Text && how.text == "REPEAT")
    return fill_series(points, environment, [&](Instant, std::size_t next) -> std::optional<double> {
      if (next == 0) return std::nullopt;
      return points[next - 1].second;
    });
  if (how.kind == MathNode::Kind::Text && how.text == "LINEAR")
    return fill_series(points, environment, [&](Instant time, std::size_t next) -> std::optional<double> {
      if (next == 0 || next == points.size()) return std::nullopt;
      const auto& [t0, v0] = points[next - 1];
      const auto& [t1, v1] = points[next];
      return v0 +
             (v1 - v0) * static_cast<double>((time - t0).count()) / static_cast<double>((t1 - t0).count());
    });
  if (how.kind == MathNode::Kind::Text)
    return invalid("FILL takes a number, a time series, REPEAT or LINEAR");
  MR_TRY(other, evaluate_node(how, environment));
  return fill_series(points, environment, [&](Instant time, std::size_t) { return value_at(other, time); });
}

Result<MathValue> fill_values(const MathNode& node, const MathEnvironment& environment) {
  MR_TRY(value, evaluate_node(*node.inner[0], environment));
  if (std::holds_alternative<double>(value)) return invalid("FILL takes time series");
  if (const auto* points = std::get_if<MetricPoints>(&value)) {
    MR_TRY(filled, fill_one(*points, *node.inner[1], environment));
    return MathValue(std::move(filled));
  }
  SeriesList out;
  for (const MetricPoints& points : std::get<SeriesList>(value)) {
    MR_TRY(filled, fill_one(points, *node.inner[1], environment));
    out.push_back(std::move(filled));
  }
  return MathValue(std::move(out));
}

Result<MathValue> all_metrics(const MathNode& node, const MathEnvironment& environment) {
  if (!node.inner.empty() && node.inner[0]->kind != MathNode::Kind::Text)
    return invalid("METRICS takes a text in quotes: a part of ids");
  const std::string part = node.inner.empty() ? "" : node.inner[0]->text;
  SeriesList out;
  for (const std::string& id : environment.metrics) {
    if (id.find(part) == std::string::npos) continue;
    const auto found = environment.values.find(id);
    if (found == environment.values.end()) continue;
    if (const auto* points = std::get_if<MetricPoints>(&found->second)) out.push_back(*points);
  }
  return MathValue(std::move(out));
}

Result<MathValue> array_of(const MathNode& node, const MathEnvironment& environment) {
  SeriesList out;
  for (const MathNodePtr& inner : node.inner) {
    MR_TRY(value, evaluate_node(*inner, environment));
    if (const auto* points = std::get_if<MetricPoints>(&value))
      out.push_back(*points);
    else if (const auto* list = std::get_if<SeriesList>(&value))
      out.insert(out.end(), list->begin(), list->end());
    else
      out.push_back(constant_series(std::get<double>(value), environment));
    if (out.size() > kArrayMax)
      return invalid("an array has more than " + std::to_string(kArrayMax) + " time series");
  }
  return MathValue(std::move(out));
}

}  // namespace

const MathFunction* find_math_function(std::string_view name) {
  const auto found = std::find_if(std::begin(kMathFunctions), std::end(kMathFunctions),
                                  [&](const MathFunction& one) { return one.name == name; });
  return found == std::end(kMathFunctions) ? nullptr : found;
}

std::string math_function_names() {
  std::string names;
  for (const MathFunction& one : kMathFunctions) names += (names.empty() ? "" : ", ") + std::string(one.name);
  return names;
}

Result<MathValue> apply(MathOp op, const MathValue& left, const MathValue& right) {
  const auto* a = std::get_if<double>(&left);
  const auto* b = std::get_if<double>(&right);
  if (a && b) return MathValue(apply_op(op, *a, *b));
  if (a) return each_value(right, [&](double v) { return apply_op(op, *a, v); });
  if (b) return each_value(left, [&](double v) { return apply_op(op, v, *b); });
  const auto* first = std::get_if<MetricPoints>(&left);
  const auto* second = std::get_if<MetricPoints>(&right);
  if (first && second) return MathValue(apply_series(op, *first, *second));
  if (!first && !second) return invalid("two arrays of time series can't be combined by an operator");
  SeriesList out;
  if (first) {
    for (const MetricPoints& points : std::get<SeriesList>(right))
      out.push_back(apply_series(op, *first, points));
  } else {
    for (const MetricPoints& points : std::get<SeriesList>(left))
      out.push_back(apply_series(op, points, *second));
  }
  return MathValue(std::move(out));
}

Result<MathValue> evaluate_node(const MathNode& node, const MathEnvironment& environment) {
  using Kind = MathNode::Kind;
  switch (node.kind) {
    case Kind::Number:
      return MathValue(node.number);
    case Kind::Id: {
      const auto found = environment.values.find(node.text);
      if (found == environment.values.end())
        return invalid("there is no metric or expression '" + node.text + "'");
      return found->second;
    }
    case Kind::Text:
      return invalid("'" + node.text + "' is no value");
    case Kind::Array:
      return array_of(node, environment);
    case Kind::Negate:
    case Kind::Not: {
      MR_TRY(value, evaluate_node(*node.inner[0], environment));
      const bool negate = node.kind == Kind::Negate;
      return each_value(value, [negate](double v) { return negate ? -v : (v == 0 ? 1.0 : 0.0); });
    }
    case Kind::Binary: {
      MR_TRY(left, evaluate_node(*node.inner[0], environment));
      MR_TRY(right, evaluate_node(*node.inner[1], environment));
      return apply(node.op, left, right);
    }
    case Kind::Call:
      break;
  }
  if (node.function->name == "FILL") return fill_values(node, environment);
  if (node.function->name == "METRICS") return all_metrics(node, environment);
  std::vector<MathValue> arguments;
  for (const MathNodePtr& inner : node.inner) {
    MR_TRY(value, evaluate_node(*inner, environment));
    arguments.push_back(std::move(value));
  }
  return node.function->run(arguments, environment);
}

}  // namespace millrace::tasks
