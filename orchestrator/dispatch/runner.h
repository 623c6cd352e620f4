#pragma once
// TaskRunner: who carries out Task states. The orchestrator knows a task by its key and its Resource, nothing
// more. Loop thread only; implementations hop to threads of their own and come back.

#include <functional>
#include <string>
#include <variant>

#include "base/failure.h"
#include "base/id.h"
#include "base/time.h"

namespace millrace::orchestrator {

// One attempt of one task: also the idempotency key of its effects. A re-dispatch after a crash has the same
// key.
struct TaskKey {
  ExecutionId execution;
  FrameId frame;
  std::uint64_t visit = 0;    // event number of the state's entry: a loop that comes back is another visit
  std::uint32_t attempt = 0;  // 0, 1, … as Retry counts within the visit
  auto operator<=>(const TaskKey&) const = default;
};

struct TaskRequest {
  TaskKey key;
  std::string resource;  // as the definition has it: arn:aws:states:::sagemaker:createTrainingJob.sync
  Payload arguments;
  std::string execution_name;  // for names and logs
  std::string state_name;
  std::string execution_arn = {};  // empty: of no execution
  std::string task_token = {};     // of .waitForTaskToken
  // What an HTTP task sends and gets is reported too (Exchanged), for who tests a state; Masked: without what
  // its connection keeps secret.
  enum class Exchange { Untold, Masked, Whole } exchange = Exchange::Untold;
};

struct Heartbeat {
  Payload progress;
};  // still alive; progress is for people: {"phase":…,"fraction":…,…}
struct Submitted {
  Payload output;
};  // the job behind a .sync task exists now
struct Exchanged {
  Payload exchange;  // {"request", "response"} as TestState shows them; before the Outcome
};
using TaskReport = std::variant<Heartbeat, Submitted, Exchanged, Outcome>;

class TaskRunner {
 public:
  using Report = std::function<void(const TaskKey&, TaskReport)>;
  virtual ~TaskRunner() = default;
  // Whether this runner serves the resource at all.
  virtual bool serves(const std::string& resource) const = 0;
  // Returns at once. Then any number of the other reports and at most one Outcome, all on the
  // loop thread. Starting a key that already runs re-attaches to it.
  virtual void start(TaskRequest request, Report report) = 0;
  virtual void cancel(const TaskKey& key) = 0;  // best effort; no report has to follow
};

}  // namespace millrace::orchestrator
