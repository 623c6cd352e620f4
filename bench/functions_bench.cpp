// Warm invocations of a Python function that returns its event: the time of one after the other, and how many
// a second with several under way. Usage: millrace_bench_functions [invocations]

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "tasks/functions/host.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

using Steady = std::chrono::steady_clock;

double micros(Steady::duration d) {
  return std::chrono::duration<double, std::micro>(d).count();
}

// Keeps `under_way` invocations going until `count` have been answered; the time of each in microseconds.
class Load {
 public:
  Load(FunctionHost& host, std::size_t count) : host_(host), count_(count) {}

  std::vector<double> run(std::size_t under_way) {
    for (std::size_t i = 0; i < under_way; ++i) next();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return times_.size() == count_; });
    return times_;
  }

 private:
  void next() {
    {
      const std::lock_guard lock(mutex_);
      if (started_ == count_) return;
      ++started_;
    }
    Invocation invocation;
    invocation.function = "echo";
    invocation.arn = "arn:aws:lambda:us-east-1:123456789012:function:echo";
    invocation.event = Payload::literal(R"({"order":17,"lines":[{"item":"apple","count":3}]})");
    host_.invoke(std::move(invocation), [this, began = Steady::now()](const InvocationAnswer& answer) {
      if (answer.kind != InvocationAnswer::Kind::Result) {
        std::fprintf(stderr, "an invocation failed: %s\n", answer.error.c_str());
        std::_Exit(1);
      }
      next();
      const std::lock_guard lock(mutex_);
      times_.push_back(micros(Steady::now() - began));
      if (times_.size() == count_) done_.notify_one();
    });
  }

  FunctionHost& host_;
  const std::size_t count_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t started_ = 0;
  std::vector<double> times_;
};

void measure(FunctionHost& host, std::size_t count, std::size_t under_way) {
  Load load(host, count);
  const auto began = Steady::now();
  std::vector<double> times = load.run(under_way);
  const double seconds = micros(Steady::now() - began) / 1e6;
  std::sort(times.begin(), times.end());
  std::printf("%2zu under way: %8.0f invocations/s, median %6.0f us, 99 %% within %6.0f us\n", under_way,
              static_cast<double>(count) / seconds, times[times.size() / 2], times[times.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? static_cast<std::size_t>(std::atoll(argv[1])) : 20'000;
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "millrace-bench-functions";
  std::filesystem::create_directories(folder / "functions" / "echo");
  std::ofstream(folder / "functions" / "echo" / "handler.py")
      << "def handler(event, context):\n    return event\n";
  {
    const SystemClock clock;
    FunctionHost::Settings settings;
    settings.functions = folder / "functions";
    settings.logs = folder / "logs";
    FunctionHost host(std::move(settings), clock);
    const auto began = Steady::now();
    Load(host, 1).run(1);
    std::printf("first invocation (starts python3): %.0f ms\n", micros(Steady::now() - began) / 1000);
    for (const std::size_t under_way : {1, 2, 8, 32}) measure(host, count, under_way);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
