#pragma once
// Integrations: the services that reach out of the engine: HTTP tasks with their connections, the log of
// events, topics, resources that the home maps to commands and URLs. One per home; operations that answer at
// once are task kinds of the catalog and find their parts here. Any thread.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/failure.h"
#include "base/result.h"
#include "tasks/functions/lambda.h"
#include "tasks/functions/url_call.h"
#include "tasks/integrations/events/event_log.h"
#include "tasks/integrations/http/invoke.h"
#include "tasks/integrations/mapped/run_command.h"
#include "tasks/integrations/settings.h"
#include "tasks/integrations/sns/topics.h"
#include "tasks/worker_pool.h"

namespace millrace::tasks {

class Integrations {
 public:
  struct Settings {
    std::filesystem::path home;  // integrations.json, connections.json, events.db
    LambdaPlace place;
    std::size_t result_bytes_max = 262'144;
    std::uint64_t seed = 0;
    // How messages of topics are written for their subscribers (DeliverySettings::prepare); may be empty.
    std::function<Result<bool>(Json& message, const std::string& protocol, const std::string& endpoint)>
        prepare = {};
  };
  using Reply = std::function<void(Outcome)>;
  using Cancel = std::function<void()>;  // ends the work; no reply follows, unless one is on its way

  // InvalidArgument for a wrong integrations.json, DataLoss for damaged files.
  // The functions are borrowed; they end before this object does, and after shut_down().
  // `queues` may be empty: topics have no queues to deliver to.
  static Result<std::unique_ptr<Integrations>> open(Settings settings, FunctionHost& functions,
                                                    QueueSender queues, const Clock& clock);
  ~Integrations();
  // Breaks off requests, tells commands to stop and waits for them. Nothing is replied afterwards.
  void shut_down();

  // http:invoke, and what is mapped.
  bool serves(const std::string& resource);
  // What is wrong with integrations.json now, so that nothing is mapped.
  Status check_mappings();
  // Replies exactly once, at once or from another thread, unless it is cancelled. An empty function: nothing
  // here serves the resource, and no reply comes.
  Cancel start(MappedCall call, Reply reply);

  // A function at a URL.
  Cancel call_function(UrlCall call, Reply reply);

  Connections& connections() { return *connections_; }
  Result<EventLog*> events();  // opened when it is asked for first
  // The same; at once when the home has topics, so that what waits is delivered.
  Result<Topics*> topics();

 private:
  Integrations(Settings settings, IntegrationSettings read, FunctionHost& functions, QueueSender queues,
               const Clock& clock);
  Cancel start_command(const Mapping& mapping, MappedCall call, Reply reply);
  Cancel start_url(const Mapping& mapping, const MappedCall& call, Reply reply);

  const Settings settings_;
  FunctionHost& functions_;
  const QueueSender queues_;
  const Clock& clock_;
  std::atomic<bool> closing_{false};
  std::atomic<std::uint64_t> serial_{0};
  Mappings mappings_;
  std::unique_ptr<Connections> connections_;
  std::mutex mutex_;  // over the making of what is made when it is needed
  EventLog::Settings event_settings_;
  std::unique_ptr<EventLog> events_;
  DeliverySettings delivery_settings_;
  std::int64_t dead_letter_days_ = 0;
  std::unique_ptr<Topics> topics_;
  Transfers transfers_;
  OAuthTokens tokens_;
  std::unique_ptr<HttpInvoker> http_;
  const std::size_t commands_at_once_;
  std::unique_ptr<WorkerPool> commands_;
  std::unique_ptr<Deliverer> deliverer_;
};

}  // namespace millrace::tasks
