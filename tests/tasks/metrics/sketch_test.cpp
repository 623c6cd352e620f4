#include "tasks/metrics/sketch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "tasks/metrics/invocation_tally.h"
#include "tasks/metrics/statistics.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

double exact_quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

// Latencies, amounts with both signs, counts.
std::vector<double> sample_values(int kind, std::size_t n) {
  Random random(7 + static_cast<std::uint64_t>(kind));
  std::vector<double> values;
  for (std::size_t i = 0; i < n; ++i) {
    if (kind == 0) values.push_back(std::exp(random.normal() * 2 + 3));
    if (kind == 1) values.push_back(random.normal() * 1000);
    if (kind == 2) values.push_back(static_cast<double>(random.below(7)));
  }
  return values;
}

}  // namespace

TEST_CASE("Sketch: percentiles are within one per cent of the exact ones") {
  for (int kind = 0; kind < 3; ++kind) {
    const auto values = sample_values(kind, 20'000);
    PercentileSketch sketch;
    for (const double value : values) sketch.add(value);
    for (const double q : {0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0}) {
      CAPTURE(kind);
      CAPTURE(q);
      const double exact = exact_quantile(values, q);
      CHECK(std::fabs(sketch.quantile(q) - exact) <= std::fabs(exact) * (PercentileSketch::kAccuracy + 1e-9));
    }
  }
}

TEST_CASE("Sketch: two of them add up to the one of all values, and come back as they were kept") {
  for (int kind = 0; kind < 3; ++kind) {
    const auto values = sample_values(kind, 5'000);
    PercentileSketch whole, left, right;
    for (std::size_t i = 0; i < values.size(); ++i) {
      whole.add(values[i]);
      (i % 3 == 0 ? left : right).add(values[i]);
    }
    left.merge(right);
    CHECK(left == whole);
    PercentileSketch back;
    REQUIRE(PercentileSketch::unpack(whole.pack(), back));
    CHECK(back == whole);
    CHECK(whole.pack().size() < 4 * whole.bytes() / 16);
  }
  PercentileSketch halves, back;
  halves.add(3, 0.5);
  halves.add(-2, 1.25);
  REQUIRE(PercentileSketch::unpack(halves.pack(), back));
  CHECK(back == halves);
}

TEST_CASE("Sketch: values of all sizes keep within its buckets, and the upper percentiles stay exact") {
  PercentileSketch sketch;
  std::vector<double> values;
  for (int i = -280; i <= 100; ++i)
    for (int k = 1; k < 10; ++k) values.push_back(k * std::pow(10.0, i));
  for (const double value : values) sketch.add(value);
  CHECK(sketch.bytes() / 16 <= PercentileSketch::kBucketsMax);
  CHECK(sketch.count() == static_cast<double>(values.size()));
  const double exact = exact_quantile(values, 0.99);
  CHECK(std::fabs(sketch.quantile(0.99) - exact) <= exact * 0.0101);
}

TEST_CASE("Sketch: bytes that are none are refused") {
  PercentileSketch out;
  CHECK(!PercentileSketch::unpack("\x80", out));
  CHECK(!PercentileSketch::unpack("\x05", out));
  CHECK(!PercentileSketch::unpack(std::string("\x05\x01\x00\x00\x00\x00\x00\x00\xf8\x7f", 10), out));  // NaN
  CHECK(!PercentileSketch::unpack(std::string("\x05\x02\x00\x02", 4), out));  // the same twice
  CHECK(PercentileSketch::unpack("", out));
}

TEST_CASE("Statistics: names, values, and percentiles of what is not known value by value") {
  CHECK(Statistic::parse("p99.9")->percent == 99.9);
  CHECK(Statistic::parse("p100"));
  for (const char* wrong : {"p101", "p", "p-1", "p1e1", "P99", "average", "tm90", "p99x", ""})
    CHECK_MESSAGE(!Statistic::parse(wrong), wrong);
  Aggregate aggregate;
  aggregate.add(1);
  aggregate.add(4, 3);
  CHECK(value_of(aggregate, {Statistic::Kind::SampleCount}) == 4);
  CHECK(value_of(aggregate, {Statistic::Kind::Sum}) == 13);
  CHECK(value_of(aggregate, {Statistic::Kind::Average}) == 3.25);
  CHECK(value_of(aggregate, {Statistic::Kind::Minimum}) == 1);
  CHECK(value_of(aggregate, {Statistic::Kind::Maximum}) == 4);
  CHECK(value_of(aggregate, {Statistic::Kind::Percentile, 100}) == 4);  // within minimum and maximum
  CHECK(value_of(aggregate, {Statistic::Kind::Percentile, 0}) == doctest::Approx(1).epsilon(0.01));
  Aggregate set = aggregate;
  set.add_set(1, 5, 5, 5);  // one value is known
  CHECK(value_of(set, {Statistic::Kind::Percentile, 50}));
  set.add_set(10, 60, 1, 9);
  CHECK(!value_of(set, {Statistic::Kind::Percentile, 50}));
  CHECK(value_of(set, {Statistic::Kind::Maximum}) == 9);
  CHECK(!value_of(Aggregate(), {Statistic::Kind::Average}));
}

TEST_CASE("Tally: what requests took comes out once, added up, percentiles within two per cent") {
  InvocationTally tally;
  std::vector<double> micros;
  Random random(3);
  for (int i = 0; i < 10'000; ++i) {
    const auto ns = static_cast<std::int64_t>(std::exp(random.normal() + 12));
    micros.push_back(static_cast<double>(ns) / 1e3);
    tally.add(std::chrono::nanoseconds(ns), std::chrono::nanoseconds(ns + 5'000));
    if (i % 100 == 0) tally.add_error(i % 200 == 0 ? 400 : 500);
  }
  const auto values = tally.take("e", "v", from_millis(60'000));
  REQUIRE(values.size() == 5);
  const Aggregate& model = values[3].aggregate;
  CHECK(values[3].id.name == "ModelLatency");
  CHECK(values[3].id.dimensions == MetricDimensions{{"EndpointName", "e"}, {"VariantName", "v"}});
  double sum = 0;
  for (const double m : micros) sum += m;
  CHECK(model.sum == doctest::Approx(sum));
  CHECK(model.count == 10'000);
  CHECK(model.max == *std::max_element(micros.begin(), micros.end()));
  for (const double p : {1.0, 50.0, 90.0, 99.0, 99.9}) {
    const double exact = exact_quantile(micros, p / 100);
    CHECK(*value_of(model, {Statistic::Kind::Percentile, p}) == doctest::Approx(exact).epsilon(0.02));
  }
  CHECK(values[0].aggregate.sum == 10'000);                                                    // Invocations
  CHECK(value_of(values[1].aggregate, {Statistic::Kind::Average}) == doctest::Approx(0.005));  // 4xx
  CHECK(values[2].aggregate.sum == 50);                                                        // 5xx
  CHECK(value_of(values[4].aggregate, {Statistic::Kind::Average}) == doctest::Approx(5));
  CHECK(tally.take("e", "v", from_millis(60'000)).empty());
}
