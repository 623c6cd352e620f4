#pragma once
// What a task kind is: a function from arguments to an outcome, run on a worker thread, knowing no workflow.
// catalog.cpp lists them all; a new kind is its file, its row there and its test.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/failure.h"
#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

class FeatureStore;
class ObjectStore;
class Jobs;

// What people see while work goes on. Fields that are not known stay at their defaults and are not shown.
struct Progress {
  std::string phase;       // "Downloading", "Training", …: SageMaker's secondary statuses where they exist
  double fraction = -1;    // 0..1 of the whole
  std::int64_t rows = -1;  // rows done so far
  double rows_per_s = -1;
  std::int64_t round = -1, rounds = -1;
  std::string metric;        // e.g. validation:auc
  double value = 0;          // of that metric; only when `metric` is set
  double eta_s = -1;         // seconds to go
  std::string message = {};  // the StatusMessage of a phase that begins
};

// What a running task may ask of its surroundings. Worker thread; outlives the call it is handed to.
class TaskContext {
 public:
  virtual ~TaskContext() = default;
  virtual bool cancelled() const = 0;                   // ask between units of work; stop within a second
  virtual void progress(const Progress& progress) = 0;  // cheap; may be dropped when it comes too often
  virtual void log(std::string_view line) = 0;          // a line of the job's log
  virtual ObjectStore& objects() = 0;                   // s3://bucket/key
  virtual Jobs& jobs() = 0;                             // job and entity records, see jobs/jobs.h
  virtual const Clock& clock() const = 0;
  virtual std::uint64_t seed() const = 0;  // the same for every attempt of one task
  virtual int threads() const = 0;         // how many it may use, >= 1
  // What the work is made of, for the card of a model: inputs with their hashes, code, versions; may be null.
  virtual const Json* provenance() const { return nullptr; }
  virtual Result<FeatureStore*> features();  // of the home; Unavailable where there is none
};

// A failure in the service's form: SageMaker.<code>, e.g. SageMaker.ValidationException.
tl::unexpected<Failure> sagemaker_failure(std::string_view code, std::string cause);

}  // namespace millrace::tasks
