#include "service/streams/queue_consumer.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::streams {
namespace {

constexpr std::size_t kReceiveMax = 10;
constexpr std::int64_t kPollSeconds = 20;
constexpr Millis kPauseAfterError{2'000};

}  // namespace

QueueConsumer::QueueConsumer(Handover& handover, PlanPtr plan) : handover_(handover), plan_(std::move(plan)) {
  receive();
}

QueueConsumer::~QueueConsumer() {
  gone_->store(true, std::memory_order_relaxed);
}

void QueueConsumer::call(std::string operation, Payload input,
                         std::function<void(const tasks::ServiceAnswer&)> then) {
  const auto queues = handover_.tasks().data().queues();
  if (!queues) return then(tl::unexpected<tasks::ServiceError>(queues.error()));
  tasks::ServiceCall asked{std::move(operation), std::move(input)};
  asked.gone = gone_;
  (*queues)->call(std::move(asked), [then = std::move(then), &loop = handover_.loop(),
                                     alive = std::weak_ptr(alive_)](const tasks::ServiceAnswer& answer) {
    loop.post([then, answer, alive] {
      if (!alive.expired()) then(answer);
    });
  });
}

void QueueConsumer::later(Millis pause) {
  handover_.loop().at(handover_.loop().clock().now() + pause, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) receive();
  });
}

void QueueConsumer::receive() {
  const Instant now = handover_.loop().clock().now();
  std::int64_t wait = kPollSeconds;
  if (!items_.empty()) {
    const Millis left = first_ + plan_->window - now;
    if (items_.size() >= plan_->batch_records || left <= Millis(0)) return hand_over();
    wait = std::min<std::int64_t>(kPollSeconds, left.count() / 1000 + 1);
  }
  const std::size_t most = std::min(kReceiveMax, plan_->batch_records - items_.size());
  JsonWriter out;
  out.begin_object().key("QueueUrl").string(plan_->source_arn);
  out.key("MaxNumberOfMessages").number(static_cast<std::int64_t>(most)).key("WaitTimeSeconds").number(wait);
  for (const char* name : {"AttributeNames", "MessageAttributeNames"})
    out.key(name).begin_array().string("All").end_array();
  out.end_object();
  call("ReceiveMessage", out.finish(), [this](const tasks::ServiceAnswer& answer) { take(answer); });
}

void QueueConsumer::take(const tasks::ServiceAnswer& answer) {
  if (!answer) {
    log::warning("a queue can't be read; it is tried again",
                 {{"consumer", plan_->arn}, {"why", answer.error().message}});
    return later(kPauseAfterError);
  }
  const JsonView messages = api::member(answer->view(), "Messages");
  if (messages && messages.is_array()) {
    std::vector<Item> unwanted;
    for (const JsonView message : messages.elements()) {
      Item item = item_of_message(*plan_, message, handover_.place().region);
      if (items_.empty()) first_ = handover_.loop().clock().now();
      if (is_wanted(*plan_, item))
        items_.push_back(std::move(item));
      else
        unwanted.push_back(std::move(item));
    }
    if (!unwanted.empty()) remove(unwanted);
  }
  if (!items_.empty() && plan_->window == Millis(0)) return hand_over();
  receive();
}

void QueueConsumer::hand_over() {
  const auto items = std::make_shared<std::vector<Item>>(std::exchange(items_, {}));
  const std::string key = plan_->key + "/" + plan_->generation + "/" + items->front().id;
  handover_.hand_over(
      plan_, key, *items,
      [this, items, alive = std::weak_ptr(alive_)](const Handed& handed) {
        if (alive.expired()) return;
        if (handed.done) {
          remove(*items);
          return receive();
        }
        log::warning("messages were not taken; they come again",
                     {{"consumer", plan_->arn}, {"target", plan_->target}, {"why", handed.why}});
        // Those before the first that failed are done.
        const auto failed = std::find_if(items->begin(), items->end(),
                                         [&](const Item& item) { return item.id == handed.failed_id; });
        if (failed != items->end() && failed != items->begin()) remove({items->begin(), failed});
        later(failed == items->end() ? kPauseAfterError : Millis(0));
      },
      "");
}

void QueueConsumer::remove(const std::vector<Item>& items) {
  for (std::size_t begin = 0; begin < items.size(); begin += kReceiveMax) {
    JsonWriter out;
    out.begin_object().key("QueueUrl").string(plan_->source_arn).key("Entries").begin_array();
    for (std::size_t i = begin; i < std::min(items.size(), begin + kReceiveMax); ++i)
      out.begin_object()
          .key("Id")
          .string(std::to_string(i))
          .key("ReceiptHandle")
          .string(items[i].receipt)
          .end_object();
    out.end_array().end_object();
    call("DeleteMessageBatch", out.finish(), [](const tasks::ServiceAnswer&) {});
  }
}

}  // namespace millrace::streams
