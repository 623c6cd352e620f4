#pragma once
// Deliverer: carries what was published to its subscribers: webhooks, mail, functions, queues, files. Each
// delivery is tried again, later and later, up to a number of times, and is then a dead letter; what an
// earlier process had not delivered goes on with this one. At least once, in no particular order. A thread of
// its own keeps the book; the work is the transfers' and the functions'. Any thread.

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/clock.h"
#include "tasks/functions/host.h"
#include "tasks/integrations/http/transfers.h"
#include "tasks/integrations/sns/topics.h"

namespace millrace::tasks {

struct MailSettings {
  std::string host;  // empty: there is no mail
  int port = 587;
  std::string user, password, from;
  std::string tls = "required";  // "required" (STARTTLS), "implicit" (smtps), "none"
};

struct DeliverySettings {
  int attempts_max = 20;
  Millis first_delay{1'000}, delay_max{600'000};
  std::size_t at_once_max = 32;
  Millis time_max{15'000};  // of one attempt
  MailSettings mail;
  std::filesystem::path files;  // HOME/notifications: where endpoints of the protocol file are
  LambdaPlace place;
  // A message as this subscriber gets it; true: its text alone, as JSON; an error: not yet. May be empty.
  std::function<Result<bool>(Json& message, const std::string& protocol, const std::string& endpoint)>
      prepare = {};
};

// Hands a message to a queue, by its ARN; `done` is called once, from any thread, with what is wrong or with
// "".
using QueueSender =
    std::function<void(const std::string& queue_arn, const std::string& body, const Json& attributes,
                       std::function<void(const std::string& why)> done)>;

class Deliverer {
 public:
  // All are borrowed; the transfers and the functions end before this object does. `queues` may be empty.
  Deliverer(Topics& topics, Transfers& transfers, FunctionHost& functions, QueueSender queues,
            DeliverySettings settings, const Clock& clock);
  ~Deliverer();
  void shut_down();  // keeps what has ended; nothing is begun or written afterwards
  void wake();       // there may be something to deliver

 private:
  enum class End { Done, Again, Never };
  struct Finished {
    Delivery delivery;
    End end;
    std::string why;
  };
  void run();
  void begin(const Delivery& delivery);
  void finish(const Delivery& delivery, End end, std::string why);
  void book(const Finished& finished);
  void post(const Delivery& delivery);
  void mail(const Delivery& delivery);
  void invoke(const Delivery& delivery);
  void enqueue(const Delivery& delivery);
  void append(const Delivery& delivery);

  Topics& topics_;
  Transfers& transfers_;
  FunctionHost& functions_;
  const QueueSender queues_;
  const DeliverySettings settings_;
  const Clock& clock_;
  std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  std::deque<Finished> finished_;
  bool woken_ = true, closing_ = false;
  // The thread's own.
  std::set<std::int64_t> under_way_;
  Millis rest_until_{0};  // uptime: the book can't be written, so nothing is begun
  std::thread thread_;
};

// Why nothing can be delivered to such an endpoint; empty: it can.
std::string refuse_endpoint(const DeliverySettings& settings, bool has_queues, const std::string& protocol,
                            const std::string& endpoint);

}  // namespace millrace::tasks
