#pragma once
// Queues: SQS on one SQLite file: any thread asks, the queues' own thread answers when what was done is
// durable (group commit, see group_store.h). Long polls wait without a thread. An attempt's message is sent
// once, see attempts.h.

#include <memory>

#include "base/clock.h"
#include "tasks/integrations/service_call.h"
#include "tasks/integrations/sqs/message.h"

namespace millrace::tasks::sqs {

class Queues {
 public:
  // Makes the file when it is missing. The clock is borrowed.
  static Result<std::unique_ptr<Queues>> open(const std::string& path, ServicePlace place, const Clock& clock,
                                              std::uint64_t seed);
  ~Queues();  // ends long polls, answers what was asked
  static bool has(std::string_view operation);
  void call(ServiceCall call, ServiceReply reply);
  // For those who deliver to queues (topics, rules): `queue` is an ARN, a URL or a name; `key` as in
  // ServiceCall. `reply` comes once, on the queues' thread, when the message is durable: NotFound for a queue
  // that does not exist, InvalidArgument for a message it does not take.
  void send(const std::string& queue, Message message, std::function<void(Status)> reply,
            std::string key = {});

 private:
  struct State;
  explicit Queues(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::tasks::sqs
