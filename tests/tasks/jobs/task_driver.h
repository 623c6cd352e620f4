#pragma once
// Drives a TaskLibraryRunner from a test: the test's thread is the loop.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tasks/runner.h"

// What is posted from other threads, run by the test's thread in run_until().
class TestLoop {
 public:
  void post(std::function<void()> f) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(f));
    changed_.notify_one();
  }
  // False: the condition did not come true within the time.
  bool run_until(const std::function<bool()>& condition,
                 std::chrono::seconds limit = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, end, [this] { return !queue_.empty(); })) return false;
      std::function<void()> f = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      f();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
};

struct TaskDriver {
  struct Seen {
    std::vector<std::string> heartbeats, submitted;
    std::optional<millrace::Outcome> outcome;
  };

  explicit TaskDriver(const std::string& home, int jobs_at_once = 2,
                      millrace::Millis stop_grace = millrace::Millis(30'000)) {
    millrace::tasks::TaskLibraryRunner::Settings settings;
    settings.home = home;
    settings.jobs_at_once = jobs_at_once;
    settings.stop_grace = stop_grace;
    settings.heartbeat_interval = millrace::Millis(20);
    auto opened = millrace::tasks::TaskLibraryRunner::open(
        settings, [loop = loop](std::function<void()> f) { loop->post(std::move(f)); }, clock);
    if (opened) runner = std::move(*opened);
  }

  static millrace::orchestrator::TaskKey key(std::uint64_t visit, std::uint32_t attempt = 0) {
    return {millrace::ExecutionId{1}, millrace::FrameId{1}, visit, attempt};
  }
  // `operation`: "sagemaker:createModel" or "aws-sdk:sagemaker:describeModel".
  void start(const millrace::orchestrator::TaskKey& k, const std::string& operation,
             const std::string& arguments) {
    millrace::orchestrator::TaskRequest request;
    request.key = k;
    request.resource = "arn:aws:states:::" + operation;
    request.arguments = millrace::Payload::literal(arguments);
    request.execution_name = "test";
    request.state_name = "State";
    runner->start(request, [this](const millrace::orchestrator::TaskKey& at,
                                  millrace::orchestrator::TaskReport report) {
      Seen& s = seen[at];
      if (auto* beat = std::get_if<millrace::orchestrator::Heartbeat>(&report))
        s.heartbeats.emplace_back(beat->progress.text());
      if (auto* made = std::get_if<millrace::orchestrator::Submitted>(&report))
        s.submitted.emplace_back(made->output.text());
      if (auto* outcome = std::get_if<millrace::Outcome>(&report)) s.outcome = *outcome;
    });
  }
  bool wait(const millrace::orchestrator::TaskKey& k) {
    return loop->run_until([&] { return seen[k].outcome.has_value(); });
  }
  // Starts under a key of its own and waits: the output's text, or "Error: cause".
  std::string run(const std::string& operation, const std::string& arguments) {
    const auto k = key(++visits + 1000);
    start(k, operation, arguments);
    return wait(k) ? text(*seen[k].outcome) : "no outcome";
  }
  static std::string text(const millrace::Outcome& outcome) {
    return outcome ? std::string(outcome->text()) : outcome.error().error + ": " + outcome.error().cause;
  }

  millrace::SystemClock clock;
  std::shared_ptr<TestLoop> loop = std::make_shared<TestLoop>();
  std::map<millrace::orchestrator::TaskKey, Seen> seen;
  std::uint64_t visits = 0;
  std::unique_ptr<millrace::tasks::TaskLibraryRunner> runner;
};
