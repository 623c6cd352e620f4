#pragma once
// AsyncInvocations: InvokeEndpointAsync: the request's body lies in an object, the answer becomes one, and
// topics are told. What was accepted is a record (kind AsyncInvocation) until its answer is written: a
// process that dies answers it after its next start. An answer that is written twice is the same object; its
// notice is published once. Threads of its own. Source: SageMaker developer guide, "Asynchronous inference";
// Runtime API reference, InvokeEndpointAsync.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/jobs/jobs.h"
#include "tasks/worker_pool.h"

namespace millrace::tasks {

class EndpointHost;

// AsyncInferenceConfig of an endpoint configuration: InvalidArgument, or what is wrong with it.
Status check_async_config(const Json& config);

class AsyncInvocations {
 public:
  struct Settings {
    int threads = 4;                   // requests that are answered at a time
    std::size_t waiting_max = 10'000;  // that are accepted and not answered
    std::string region, account;       // in notices
    std::uint64_t seed = 0;            // of ids
  };
  struct Request {
    std::string endpoint, input, content_type, accept, custom_attributes, inference_id;
  };
  struct Accepted {
    std::string id, inference_id, output, failure;
  };
  // Publishes a message to a topic, once by name.
  using Publish = std::function<Status(const Json& request, const std::string& name)>;

  // Borrowed but for `publish`.
  AsyncInvocations(Jobs& jobs, EndpointHost& host, const ObjectStore& objects, const Clock& clock,
                   Publish publish, Settings settings);
  ~AsyncInvocations();  // what is not answered is answered by the next
  AsyncInvocations(const AsyncInvocations&) = delete;
  AsyncInvocations& operator=(const AsyncInvocations&) = delete;

  void begin();  // with what an earlier process accepted; once
  // Durable on return. InvalidArgument for an endpoint that does not exist or takes none; Unavailable when
  // too many wait.
  Result<Accepted> accept(const Request& request);

 private:
  void work();
  void look();
  void answer(const std::string& id);
  Status finish(const std::string& id, const Json& record);

  Jobs& jobs_;
  EndpointHost& host_;
  const ObjectStore& objects_;
  const Clock& clock_;
  const Publish publish_;
  const Settings settings_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::set<std::string> busy_;  // guarded by mutex_, as what follows
  Random random_;
  std::atomic<std::size_t> waiting_{0};
  bool woken_ = true, stopping_ = false, failed_ = false;
  std::unique_ptr<WorkerPool> pool_;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace millrace::tasks
