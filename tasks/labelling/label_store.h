#pragma once
// LabelStore: objects that people are to label, and what they said, in HOME/labels.db: durable before the
// answer. A labelling job's record is one of jobs.h; when all of its objects are labelled its output manifest
// is written, it is Completed, and who waits for it is answered. Waiting holds no thread, and no time runs
// out. Any thread. What runs on the store's thread: everything.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/failure.h"
#include "tasks/integrations/service_call.h"

namespace millrace::tasks {

class Jobs;
class ObjectStore;

class LabelStore {
 public:
  // All but the path is borrowed.
  static Result<std::unique_ptr<LabelStore>> open(const std::string& path, Jobs& jobs,
                                                  const ObjectStore& objects, const Clock& clock);
  ~LabelStore();

  using Reply = std::function<void(Outcome)>;  // once, on the store's thread
  struct Create {
    Payload request;
    std::string key;    // of the attempt: dispatched again it finds its job
    bool sync = false;  // the reply comes when the job has ended
    std::shared_ptr<const std::atomic<bool>> cancelled = {};  // true: nobody waits; the job is stopped
  };
  void create(Create create, Reply reply);
  void stop(Payload request, Reply reply);

  // ListLabelTasks {}; GetLabelItems {Task, Worker, Limit, After: behind that object, Id: that one, Reserve:
  // true, one that nobody else looks at}; PutLabels {Task, Worker, Labels: [{Id, Label}]}.
  static bool has(std::string_view operation);
  void call(ServiceCall call, ServiceReply reply);

 private:
  struct State;
  explicit LabelStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::tasks
