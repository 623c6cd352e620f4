#pragma once
// Message: what is sent to a queue, checked as SQS does, and the digests its clients check. Pure.
// Source: Amazon SQS developer guide, "Calculating the MD5 message digest for message attributes".

#include <string>

#include "tasks/integrations/service_answer.h"

namespace millrace::tasks::sqs {

struct Message {
  std::string body;
  Payload attributes = Payload::empty_object();  // {"name": {"DataType": "String", "StringValue": "…"}}
  Payload system = Payload::empty_object();      // AWSTraceHeader, in the same form
  std::string group_id, deduplication_id;        // of FIFO queues
  std::int64_t delay_seconds = -1;               // < 0: the queue's
};

// A SendMessage request or an entry of a batch.
Checked<Message> parse_message(JsonView input);
// Empty when there are no attributes.
std::string md5_of_attributes(JsonView attributes);
std::size_t size_of(const Message& message);  // body and attributes, as it counts for the limit

}  // namespace millrace::tasks::sqs
