#pragma once
// A task's surroundings for tests: a temporary object store, what was reported, a switch to cancel.

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "base/check.h"
#include "tasks/task.h"
#include "tests/tasks/support/temporary_store.h"

namespace millrace::tasks {

class FakeContext final : public TaskContext {
 public:
  bool cancelled() const override { return cancel; }
  void progress(const Progress& p) override {
    const std::lock_guard lock(mutex_);
    reports.push_back(p);
  }
  void log(std::string_view line) override {
    const std::lock_guard lock(mutex_);
    lines.emplace_back(line);
  }
  ObjectStore& objects() override { return store.objects; }
  Jobs& jobs() override {
    MR_CHECK(false, "this test has no job records");
    std::abort();
  }
  const Clock& clock() const override { return clock_; }
  std::uint64_t seed() const override { return 1; }
  int threads() const override { return 1; }

  TemporaryStore store;
  std::atomic<bool> cancel = false;
  std::vector<Progress> reports;
  std::vector<std::string> lines;

 private:
  struct StillClock final : Clock {
    Instant now() const override { return from_millis(0); }
    Millis uptime() const override { return Millis(0); }
  };
  std::mutex mutex_;
  StillClock clock_;
};

}  // namespace millrace::tasks
