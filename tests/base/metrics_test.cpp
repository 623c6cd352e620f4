#include "base/metrics.h"

#include <doctest/doctest.h>

#include <thread>

using namespace millrace;
using namespace millrace::metrics;

TEST_CASE("metrics: the text has families in order, HELP, TYPE, escaped labels") {
  Registry registry;
  registry.counter("b_total", "Second").add(3);
  registry.gauge("a_bytes", "First\nof\\two", {{"path", "C:\\\"x\"\n"}, {"kind", "é"}}).set(1.5);
  CHECK(registry.text() ==
        "# HELP a_bytes First\\nof\\\\two\n"
        "# TYPE a_bytes gauge\n"
        "a_bytes{path=\"C:\\\\\\\"x\\\"\\n\",kind=\"é\"} 1.5\n"
        "# HELP b_total Second\n"
        "# TYPE b_total counter\n"
        "b_total 3\n");
}

TEST_CASE("metrics: buckets are cumulative, bounds belong to their bucket, what is above all is in +Inf") {
  Registry registry;
  constexpr double kBounds[] = {0.1, 1};
  Histogram& histogram = registry.histogram("t_seconds", "Times", kBounds, {{"who", "x"}});
  for (const double value : {0.05, 0.1, 0.5, 1.0, 7.0}) histogram.observe(value);
  CHECK(histogram.count() == 5);
  CHECK(registry.text() ==
        "# HELP t_seconds Times\n"
        "# TYPE t_seconds histogram\n"
        "t_seconds_bucket{who=\"x\",le=\"0.1\"} 2\n"
        "t_seconds_bucket{who=\"x\",le=\"1\"} 4\n"
        "t_seconds_bucket{who=\"x\",le=\"+Inf\"} 5\n"
        "t_seconds_sum{who=\"x\"} 8.65\n"
        "t_seconds_count{who=\"x\"} 5\n");
}

TEST_CASE("metrics: the same name and labels are the same series; nothing counted at once is lost") {
  Registry registry;
  Counter& counter = registry.counter("n_total", "N", {{"a", "1"}});
  CHECK(&counter == &registry.counter("n_total", "N", {{"a", "1"}}));
  CHECK(&counter != &registry.counter("n_total", "N", {{"a", "2"}}));
  Histogram& histogram = registry.histogram("h", "H", kShortTimes);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) {
          counter.add();
          histogram.observe(std::chrono::milliseconds(500));
        }
      });
    }
  }
  CHECK(counter.value() == 40'000);
  CHECK(histogram.count() == 40'000);
  CHECK(histogram.sum() == 20'000.0);
}

TEST_CASE("metrics: gauges that are looked up are set before each text") {
  Registry registry;
  double level = 1;
  Gauge& gauge = registry.gauge("level", "Level");
  registry.before_text([&] { gauge.set(level); });
  CHECK(registry.text().ends_with("level 1\n"));
  level = 2;
  CHECK(registry.text().ends_with("level 2\n"));
}
