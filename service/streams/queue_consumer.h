#pragma once
// QueueConsumer: receives messages of a queue and hands batches on; what was taken is deleted, what was not
// comes again after the queue's visibility timeout, and to its dead-letter queue when it came too often. Loop
// thread only.

#include <atomic>
#include <memory>

#include "service/streams/handover.h"
#include "tasks/integrations/data_services.h"

namespace millrace::streams {

class QueueConsumer {
 public:
  using PlanPtr = std::shared_ptr<const ConsumerPlan>;
  QueueConsumer(Handover& handover, PlanPtr plan);
  ~QueueConsumer();
  QueueConsumer(const QueueConsumer&) = delete;
  QueueConsumer& operator=(const QueueConsumer&) = delete;

 private:
  void receive();
  void take(const tasks::ServiceAnswer& answer);
  void hand_over();
  void remove(const std::vector<Item>& items);
  void call(std::string operation, Payload input, std::function<void(const tasks::ServiceAnswer&)> then);
  void later(Millis pause);

  Handover& handover_;
  const PlanPtr plan_;
  std::vector<Item> items_;  // received, not handed on
  Instant first_;            // when the first of them was received
  std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace millrace::streams
