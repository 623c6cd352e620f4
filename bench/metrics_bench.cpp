// How fast metrics become durable: PutMetricData of 1,000 values a request (one metric each, and one metric
// for all) from 1 and 8 callers that each wait for their answer; what a thousand alarms cost when they are
// due; the counting of a request of an endpoint. One JSON line each.
//   millrace_bench_metrics [seconds] [folder]

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "base/check.h"
#include "tasks/metrics/invocation_tally.h"
#include "tasks/metrics/metric_store.h"

using namespace millrace;
using namespace millrace::tasks;
using SteadyTime = std::chrono::steady_clock;

namespace {

constexpr int kMetrics = 1'000, kAlarms = 1'000;

double since(SteadyTime::time_point t) {
  return std::chrono::duration<double>(SteadyTime::now() - t).count();
}

class BenchClock final : public Clock {
 public:
  Instant now() const override { return from_millis(now_.load()); }
  Millis uptime() const override { return Millis(now_.load()); }
  void pass(std::int64_t ms) { now_ += ms; }

 private:
  std::atomic<std::int64_t> now_{1'795'246'620'000};
};

Payload put_request(bool one_metric) {
  JsonWriter out;
  out.begin_object().key("Namespace").string("bench").key("MetricData").begin_array();
  for (int i = 0; i < kMetrics; ++i) {
    out.begin_object().key("MetricName").string(one_metric ? "m" : "m" + std::to_string(i));
    out.key("Dimensions").begin_array().begin_object().key("Name").string("Host").key("Value").string("a");
    out.end_object().end_array().key("Value").number(i * 1.5).key("Unit").string("Count").end_object();
  }
  return out.end_array().end_object().finish();
}

void ask(MetricStore& store, const char* operation, const Payload& input) {
  std::promise<void> done;
  store.call({operation, input}, [&](const ServiceAnswer& answer) {
    MR_CHECK(answer.has_value(), "it is answered");
    done.set_value();
  });
  done.get_future().get();
}

void bench_put(MetricStore& store, bool one_metric, int callers, double seconds) {
  const Payload request = put_request(one_metric);
  std::atomic<std::int64_t> values{0};
  const auto begun = SteadyTime::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i)
    threads.emplace_back([&] {
      while (since(begun) < seconds) {
        ask(store, "PutMetricData", request);
        values += kMetrics;
      }
    });
  for (std::thread& thread : threads) thread.join();
  std::printf("{\"bench\":\"put\",\"metrics\":%d,\"callers\":%d,\"values_per_s\":%.0f}\n",
              one_metric ? 1 : kMetrics, callers, static_cast<double>(values) / since(begun));
}

void bench_alarms(MetricStore& store, BenchClock& clock) {
  for (int i = 0; i < kAlarms; ++i) {
    JsonWriter out;
    out.begin_object().key("AlarmName").string("a" + std::to_string(i)).key("Namespace").string("bench");
    out.key("MetricName").string("m" + std::to_string(i)).key("Dimensions").begin_array().begin_object();
    out.key("Name").string("Host").key("Value").string("a").end_object().end_array();
    out.key("Statistic").string("Sum").key("Period").number(std::int64_t{60}).key("Threshold").number(1e9);
    out.key("EvaluationPeriods")
        .number(std::int64_t{3})
        .key("ComparisonOperator")
        .string("GreaterThanThreshold");
    ask(store, "PutMetricAlarm", out.end_object().finish());
  }
  const auto settle = [&] {
    for (int i = 0; i < 3; ++i) MR_CHECK(store.evaluate(), "there is room");
    ask(store, "DescribeAlarms", Payload::empty_object());
  };
  settle();
  clock.pass(62'000);
  const auto begun = SteadyTime::now();
  settle();
  std::printf("{\"bench\":\"alarms\",\"alarms\":%d,\"ms_per_minute\":%.1f}\n", kAlarms, since(begun) * 1e3);
}

void bench_tally() {
  constexpr int kRequests = 5'000'000;
  InvocationTally tally;
  const auto begun = SteadyTime::now();
  for (int i = 0; i < kRequests; ++i)
    tally.add(std::chrono::nanoseconds(20'000 + i % 977), std::chrono::nanoseconds(31'000 + i % 1009));
  const double add = since(begun) / kRequests * 1e9;
  const auto taking = SteadyTime::now();
  const auto values = tally.take("e", "v", from_millis(0));
  std::printf("{\"bench\":\"tally\",\"add_ns\":%.1f,\"take_us\":%.1f,\"metrics\":%zu}\n", add,
              since(taking) * 1e6, values.size());
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 3;
  const std::filesystem::path folder =
      argc > 2 ? std::filesystem::path(argv[2]) : std::filesystem::temp_directory_path();
  const std::filesystem::path file = folder / "millrace-bench-metrics.db";
  std::filesystem::remove(file);
  {
    BenchClock clock;
    auto store = MetricStore::open(file.string(), {}, {}, clock);
    MR_CHECK(store.has_value(), "the store opens");
    for (const bool one_metric : {false, true})
      for (const int callers : {1, 8}) bench_put(**store, one_metric, callers, seconds);
    bench_alarms(**store, clock);
  }
  bench_tally();
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + end);
  return 0;
}
