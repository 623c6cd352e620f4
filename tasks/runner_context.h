#pragma once
// RunnerContext: the surroundings of one call of a task kind: its progress goes to whoever listens, not too
// often. One worker thread and the threads the task starts.

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/features/feature_service.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task.h"

namespace millrace::tasks {

class RunnerContext final : public TaskContext {
 public:
  struct Surroundings {
    ObjectStore& objects;
    Jobs& jobs;
    const Clock& clock;
    int threads;
    Millis heartbeat_interval;
    const std::atomic<bool>& suspended;  // the engine goes down
    const std::atomic<bool>* cancelled;  // this call alone; may be null
    FeatureService* features;            // null: there is none
  };
  using Beat = std::function<void(Payload progress)>;

  // `name` is for log lines and the seed; `beat` may be empty.
  RunnerContext(Surroundings surroundings, std::string name, Beat beat);

  bool cancelled() const override;
  void progress(const Progress& progress) override;
  void log(std::string_view line) override;
  ObjectStore& objects() override { return around_.objects; }
  Jobs& jobs() override { return around_.jobs; }
  const Clock& clock() const override { return around_.clock; }
  std::uint64_t seed() const override;
  int threads() const override { return around_.threads; }
  Result<FeatureStore*> features() override {
    return around_.features != nullptr ? around_.features->store() : TaskContext::features();
  }

 private:
  bool due(Millis interval) const;

  const Surroundings around_;
  const std::string name_;
  const Beat beat_;
  mutable std::mutex mutex_;  // over what follows
  mutable Millis beaten_{-1'000'000};
  Payload last_ = Payload::empty_object();
};

}  // namespace millrace::tasks
