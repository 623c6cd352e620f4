#include "tasks/integrations/data_services.h"

#include "base/random.h"

namespace millrace::tasks {
namespace {

tl::unexpected<Error> closed_error() {
  return fail(ErrorCode::Unavailable, "the engine is going down");
}

}  // namespace

Result<dynamodb::Tables*> DataServices::tables() {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (!tables_) {
    MR_TRY(opened, dynamodb::Tables::open(home_ + "/tables.db", place_, clock_, mix(seed_, 1)));
    tables_ = std::move(opened);
  }
  return tables_.get();
}

Result<sqs::Queues*> DataServices::queues() {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (!queues_) {
    MR_TRY(opened, sqs::Queues::open(home_ + "/queues.db", place_, clock_, mix(seed_, 2)));
    queues_ = std::move(opened);
  }
  return queues_.get();
}

Result<kinesis::Streams*> DataServices::streams() {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (!streams_) {
    MR_TRY(opened, kinesis::Streams::open(home_ + "/streams.db", place_, clock_, mix(seed_, 3), metrics_));
    streams_ = std::move(opened);
  }
  return streams_.get();
}

void DataServices::shut_down() {
  std::unique_ptr<dynamodb::Tables> tables;
  std::unique_ptr<sqs::Queues> queues;
  std::unique_ptr<kinesis::Streams> streams;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    tables = std::move(tables_);
    queues = std::move(queues_);
    streams = std::move(streams_);
  }
}

}  // namespace millrace::tasks
