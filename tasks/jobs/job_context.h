#pragma once
// JobContext: the surroundings of one job: log lines go to its file, progress and secondary statuses to its
// record, and it is cancelled by its task, by a stop of the job, or by its StoppingCondition. One worker
// thread (cancelled(), log() and progress() also from threads the job starts).

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/json.h"
#include "base/random.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

class JobContext final : public TaskContext {
 public:
  JobContext(TaskCall& call, const Jobs::Claim& claim, std::string kind, std::string name, Millis runtime_max,
             std::int64_t created_ms);
  ~JobContext() override;

  bool cancelled() const override;
  void progress(const Progress& progress) override;
  void log(std::string_view line) override;
  // A line of one host of several ("algo-2"), which has a stream of its own; of none: log().
  void log_of(std::string_view host, std::string_view line);
  ObjectStore& objects() override { return outer_.objects(); }
  Jobs& jobs() override { return outer_.jobs(); }
  const Clock& clock() const override { return outer_.clock(); }
  std::uint64_t seed() const override { return hash64(name_); }
  int threads() const override { return outer_.threads(); }
  const Json* provenance() const override;
  Result<FeatureStore*> features() override { return outer_.features(); }

  bool timed_out() const;  // longer than StoppingCondition.MaxRuntimeInSeconds allows
  bool suspended() const { return call_.suspended && call_.suspended(); }  // see TaskCall
  // How long a program has between SIGTERM and SIGKILL: short when the engine goes down, since it runs again
  // later.
  Millis stop_grace() const {
    return suspended() ? std::min(Millis(1000), call_.stop_grace) : call_.stop_grace;
  }
  const std::string& name() const { return name_; }
  std::filesystem::path scratch() { return jobs().scratch_path(kind_, name_); }
  TaskCall& call() { return call_; }        // for jobs that have jobs of their own
  void set_provenance(const Json& record);  // before the work begins
  // What a program used, and what this process holds now; any thread.
  void used(double cpu_seconds, std::int64_t memory_bytes);
  void holds(std::int64_t memory_bytes);
  double program_cpu_seconds() const;
  std::int64_t memory_peak_bytes()
      const;  // of the program; of a job without one: of this process while it ran

 private:
  void write_record(const Progress& progress, bool new_phase);

  TaskCall& call_;
  TaskContext& outer_;
  const Jobs::Claim& claim_;
  const std::string kind_, name_;
  const Millis begun_, runtime_max_;  // 0: no limit
  const std::int64_t created_ms_;
  mutable std::mutex
      mutex_;  // over what follows: log lines come from the thread that reads a script's output
  std::FILE* log_ = nullptr;
  std::string phase_;
  Millis written_{-1'000'000}, sampled_{-1'000'000};
  double cpu_seconds_ = 0;
  std::int64_t memory_peak_ = 0, program_memory_peak_ = 0;
  std::unique_ptr<const Json> provenance_;  // constant while the work runs
};

// The members of a progress report that are known: {"phase":…,"fraction":…,"rows":…,"rowsPerSecond":…,…}.
Json to_json(const Progress& progress);
// "round 124 of 200, validation:auc 0.9312, about 2 s left": the StatusMessage of a secondary status while it
// lasts. Empty when there is nothing to say.
std::string progress_words(const Progress& progress);
// Ends the last secondary status and begins another, in a record with SecondaryStatusTransitions.
void begin_secondary_status(Json& record, const std::string& status, const std::string& message,
                            std::int64_t now_ms);

}  // namespace millrace::tasks
