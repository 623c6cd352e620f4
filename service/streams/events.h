#pragma once
// Records of streams and messages of queues as consumers see them: the events that Lambda and Pipes hand to
// functions and state machines, and what filters look at. Pure. Source: Lambda developer guide, "Using Lambda
// with Kinesis"; EventBridge Pipes user guide, "Kinesis streams as a source".

#include <string>
#include <vector>

#include "service/streams/plan.h"
#include "tasks/integrations/kinesis/stream_store.h"

namespace millrace::streams {

struct Item {
  std::string id;     // sequence number, message id
  std::string group;  // partition key, message group: what keeps its order
  Payload event;      // as the target gets it
  Payload body;       // data or body as JSON; a text that is no JSON as a string
  std::string raw;    // the bytes themselves
  std::int64_t position = 0;
  Instant arrived;
  std::string receipt = {};  // of a message
};

Item item_of(const ConsumerPlan& plan, const tasks::kinesis::Shard& shard,
             const tasks::kinesis::StreamRecord& record, const std::string& region);
// `message`: an element of ReceiveMessage's Messages.
Item item_of_message(const ConsumerPlan& plan, JsonView message, const std::string& region);

// Whether it meets one of the plan's filters, or there are none.
bool is_wanted(const ConsumerPlan& plan, const Item& item);

// {"Records": […]} for mappings, […] for pipes.
Payload batch_of(const ConsumerPlan& plan, const std::vector<Item>& items);
// An event with its data or body in place of the text, as templates of pipes see it.
Payload open_event(const Item& item);

}  // namespace millrace::streams
