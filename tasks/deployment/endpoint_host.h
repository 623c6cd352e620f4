#pragma once
// EndpointHost: the endpoints of a home as they answer requests: their models stay loaded, a variant is
// picked by weight, exchanges are captured, shadow variants get their share behind the answer. What is kept
// of an endpoint is immutable and replaced as a whole when its record changes, so a request meets the old or
// the new one, never a mixture, and none fails for it. Any thread; whether a request may be answered on a
// thread that must not wait is what quick() says, from what requests of its variant took so far. Source:
// SageMaker Runtime API reference, InvokeEndpoint.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/deployment/data_capture.h"
#include "tasks/deployment/invoke.h"
#include "tasks/jobs/jobs.h"
#include "tasks/metrics/invocation_tally.h"
#include "tasks/worker_pool.h"

namespace millrace::tasks {

struct ServedEndpoint;
struct ServedVariant;
struct VariantSeries;

// A request for scores. The texts are borrowed for the call.
struct InvokeRequest {
  std::string_view endpoint, content_type, accept, body;
  std::string_view target_variant = {};  // empty: picked by weight
  std::string_view inference_id = {}, custom_attributes = {};
  metrics::Stopwatch received = {};  // since it came
};

// Why there are no scores.
struct InvokeFailure {
  enum class Kind {
    NoEndpoint,
    NoVariant,
    Model,  // what the model, or the server around it, says of the rows
    Busy,   // too much waits
  } kind = Kind::NoEndpoint;
  int status = 400;  // of Model: what a container would have answered: 400, 415, 500
  std::string message;
  std::string variant = {};  // that was asked
};
using InvokeResult = tl::expected<InvokeAnswer, InvokeFailure>;

class EndpointHost {
 public:
  struct Settings {
    int threads = 2;  // that score what is not quick
    std::size_t waiting_max = 1000;
    std::int64_t quick_micros_max = 500;   // longer work is not done on the thread that asks
    std::string account = "123456789012";  // in messages
    DataCapture::Settings capture = {};
  };
  // Borrowed; the registry may be null.
  EndpointHost(const Jobs& jobs, const ObjectStore& objects, const Clock& clock, metrics::Registry* registry,
               Settings settings);
  ~EndpointHost();

  // An endpoint's record has changed, or is gone. Any thread.
  void changed(std::string_view endpoint, bool removed);
  // Begins to load every endpoint, on a thread of the host's, so that first requests find them.
  void load_all();

  // Whether invoke() of it would neither read files nor take long.
  bool quick(const InvokeRequest& request) const;
  InvokeResult invoke(const InvokeRequest& request);
  // The same on a thread of the host's, which calls `done`; Busy on the caller's thread when too much waits.
  void invoke_later(std::function<InvokeResult()> work, std::function<void(InvokeResult)> done);
  // What was counted of requests since the last time, for the home's metrics.
  std::vector<MetricBatch> take_values();

 private:
  using ServedPtr = std::shared_ptr<const ServedEndpoint>;
  ServedPtr find(std::string_view endpoint) const;  // null: not loaded, or not as its record is now
  Result<ServedPtr> load(const std::string& endpoint);
  InvokeResult score(const ServedVariant& variant, const InvokeRequest& request);
  void follow_up(const ServedPtr& served, std::uint64_t call, const InvokeRequest& request,
                 const InvokeAnswer& answer);
  std::shared_ptr<VariantSeries> series_of(const std::string& endpoint, const std::string& variant);
  InvokeFailure not_loaded(std::string_view endpoint, const Error& error) const;

  const Jobs& jobs_;
  const ObjectStore& objects_;
  const Clock& clock_;
  metrics::Registry* const registry_;
  const Settings settings_;
  std::atomic<std::uint64_t> version_{1};
  mutable std::mutex mutex_;  // over what follows
  std::map<std::string, ServedPtr, std::less<>> served_;
  std::map<std::string, std::shared_ptr<VariantSeries>> series_;  // by ENDPOINT/VARIANT
  std::mutex loading_;                                            // one record is read and loaded at a time
  DataCapture capture_;
  std::unique_ptr<WorkerPool> pool_;  // last: its work uses the rest
};

}  // namespace millrace::tasks
