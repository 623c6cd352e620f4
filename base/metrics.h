#pragma once
// Metrics: counters, gauges and histograms of a process, and their text for Prometheus. A series is made
// once, by name and labels, and then counted with relaxed atomics: no lock where things happen. Any thread;
// only making a series and writing the text take a lock. Names and units follow Prometheus: base units,
// counters end in _total. Source: prometheus.io, "Exposition formats", text version 0.0.4.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::metrics {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Cumulative buckets are made when the text is; observing touches one bucket and the sum.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);
  void observe(double value);
  void observe(std::chrono::nanoseconds time) { observe(std::chrono::duration<double>(time).count()); }
  std::uint64_t count() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  std::span<const double> bounds() const { return bounds_; }
  std::uint64_t in_bucket(std::size_t bucket) const {  // the last is that above all bounds
    return buckets_[bucket].load(std::memory_order_relaxed);
  }

 private:
  const std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
  std::atomic<double> sum_{0};
};

// Upper bounds in seconds: of what takes microseconds to seconds, and of what takes milliseconds to hours.
inline constexpr double kShortTimes[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
inline constexpr double kLongTimes[] = {0.001, 0.005, 0.025, 0.1, 0.5,  1,     5,
                                        15,    60,    300,   900, 3600, 14400, 86400};

// (name, value), in the order of the text.
using Labels = std::vector<std::pair<std::string, std::string>>;

class Registry {
 public:
  // The series of that name and those labels, made when it is new. The reference stays. All series of a name
  // have one kind, one help text and, of histograms, the same bounds (checked).
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                       const Labels& labels = {});
  // Called before each text, to set gauges that are looked up rather than counted.
  void before_text(std::function<void()> call);
  // text/plain; version=0.0.4: families by name, series by labels.
  std::string text();

 private:
  enum class Kind { Counter, Gauge, Histogram };
  struct Series {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
  };
  struct Family {
    Kind kind;
    std::string help;
    std::map<std::string, Series> series;  // by label text
  };
  Series& series(std::string_view name, Kind kind, std::string_view help, const Labels& labels);

  std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
  std::vector<std::function<void()>> before_;
};

// A time that is measured for a metric: never for a decision.
class Stopwatch {
 public:
  std::chrono::nanoseconds elapsed() const { return std::chrono::steady_clock::now() - begun_; }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace millrace::metrics
