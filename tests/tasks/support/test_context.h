#pragma once
// A TaskContext over a temporary store; remembers what was reported. For processors and other work that needs
// no jobs.

#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "tasks/task.h"
#include "tests/tasks/support/temporary_store.h"

namespace millrace::tasks {

class TestContext final : public TaskContext {
 public:
  bool cancelled() const override { return cancel; }
  void progress(const Progress& progress) override { reports.push_back(progress); }
  void log(std::string_view line) override { lines.emplace_back(line); }
  ObjectStore& objects() override { return store.objects; }
  Jobs& jobs() override { check_failed("jobs()", "this context has no job records", __FILE__, __LINE__); }
  const Clock& clock() const override { return system_clock; }
  std::uint64_t seed() const override { return seed_value; }
  int threads() const override { return 1; }

  TemporaryStore store;
  SystemClock system_clock;
  bool cancel = false;
  std::uint64_t seed_value = 1;
  std::vector<Progress> reports;
  std::vector<std::string> lines;
};

}  // namespace millrace::tasks
