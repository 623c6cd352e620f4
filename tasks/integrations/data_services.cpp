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

void DataServices::shut_down() {
  std::unique_ptr<dynamodb::Tables> tables;
  std::unique_ptr<sqs::Queues> queues;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    tables = std::move(tables_);
    queues = std::move(queues_);
  }
}

}  // namespace millrace::tasks
