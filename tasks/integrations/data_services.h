#pragma once
// DataServices: the tables, queues and streams of one home, each opened when it is asked for first. Any
// thread.

#include <memory>
#include <mutex>
#include <string>

#include "tasks/integrations/dynamodb/tables.h"
#include "tasks/integrations/kinesis/streams.h"
#include "tasks/integrations/sqs/queues.h"

namespace millrace::tasks {

class DataServices {
 public:
  // HOME/tables.db, HOME/queues.db and HOME/streams.db. The clock is borrowed, so is `metrics`, which may be
  // null.
  DataServices(std::string home, ServicePlace place, const Clock& clock, std::uint64_t seed,
               metrics::Registry* metrics = nullptr)
      : home_(std::move(home)), place_(std::move(place)), clock_(clock), seed_(seed), metrics_(metrics) {}

  // Errors: those of opening the file (DataLoss when it is damaged), each time; Unavailable after
  // shut_down().
  Result<dynamodb::Tables*> tables();
  Result<sqs::Queues*> queues();
  Result<kinesis::Streams*> streams();
  const Clock& clock() const { return clock_; }
  const ServicePlace& place() const { return place_; }
  // Answers what was asked, ends long polls.
  void shut_down();

 private:
  const std::string home_;
  const ServicePlace place_;
  const Clock& clock_;
  const std::uint64_t seed_;
  metrics::Registry* const metrics_;
  std::mutex mutex_;  // over what follows
  bool closed_ = false;
  std::unique_ptr<dynamodb::Tables> tables_;
  std::unique_ptr<sqs::Queues> queues_;
  std::unique_ptr<kinesis::Streams> streams_;
};

}  // namespace millrace::tasks
