#pragma once
// StateChanges: what happens to jobs, endpoints and model packages as events on the home's bus, in
// EventBridge's shape: source aws.sagemaker, the Describe… document as detail. A change is kept in the
// transaction that makes it, put on the bus under a name of its own (a second put of that name puts nothing),
// then forgotten: each is one event, however often the process dies. What jobs mean for experiments is kept
// up to date on the same way. A thread of its own. Source: EventBridge user guide, "Events from Amazon
// SageMaker".

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "tasks/jobs/jobs.h"

namespace millrace::tasks {

class Integrations;

// What of a record is a change of state when it differs; empty for kinds without events. Pure.
std::string state_of_record(std::string_view kind, const Json& document);

class StateChanges {
 public:
  // Both are borrowed.
  StateChanges(Jobs& jobs, Integrations& integrations) : jobs_(jobs), integrations_(integrations) {}
  ~StateChanges();  // what is not told yet is told by the next
  StateChanges(const StateChanges&) = delete;
  StateChanges& operator=(const StateChanges&) = delete;

  void begin();  // with what an earlier process kept and did not tell; once
  void wake();   // there may be changes; any thread

 private:
  void work();
  bool stopping();
  bool tell_all();  // false: one could not be told now
  bool failed_to_tell(const std::string& what, const Error& error);
  Status tell(const Jobs::Change& change);

  Jobs& jobs_;
  Integrations& integrations_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = true, stopping_ = false;  // guarded by mutex_
  bool complained_ = false;               // own thread
  std::jthread thread_;                   // last: it uses the rest
};

}  // namespace millrace::tasks
