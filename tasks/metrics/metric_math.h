#pragma once
// Metric math: expressions over time series, as GetMetricData and alarms have them: numbers, ids, METRICS(),
// + - * / ^, comparisons, AND, OR and the functions of kMathFunctions. What is not here is refused by name.
// Pure. Source: Amazon CloudWatch user guide, "Using math expressions with CloudWatch metrics".

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::tasks {

using MetricPoints = std::vector<std::pair<Instant, double>>;  // by time, each once
using MathValue = std::variant<double, MetricPoints, std::vector<MetricPoints>>;

// What an expression is evaluated over.
struct MathEnvironment {
  std::map<std::string, MathValue, std::less<>> values;  // of ids: metrics, and expressions that are ready
  std::vector<std::string> metrics;                      // ids of metrics, in the order of the request
  Millis period{60'000};                                 // of the result's points
  Instant start, end;                                    // the points' times are in [start, end)
};

struct MathNode;

class MetricMath {
 public:
  static constexpr std::size_t kTextMax = 2'048;
  static constexpr int kDepthMax = 64;

  // InvalidArgument with the place of what is wrong, or the name of what is not here.
  static Result<MetricMath> parse(std::string_view text);
  // The ids it refers to, each once; METRICS() is not among them.
  const std::vector<std::string>& ids() const { return ids_; }
  // InvalidArgument: an id that `environment` does not have, or operands that do not go together.
  Result<MathValue> evaluate(const MathEnvironment& environment) const;

 private:
  std::shared_ptr<const MathNode> root_;
  std::vector<std::string> ids_;
};

}  // namespace millrace::tasks
