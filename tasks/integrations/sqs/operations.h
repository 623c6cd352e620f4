#pragma once
// The operations of SQS's API over the store: requests and answers as documents in the shapes of its JSON
// protocol. Within a transaction of the caller's; the store's thread alone. Source: Amazon SQS API reference.
// Not here: permissions, message move tasks.

#include <string_view>

#include "base/random.h"
#include "tasks/integrations/group_store.h"
#include "tasks/integrations/service_call.h"
#include "tasks/integrations/sqs/queue_store.h"

namespace millrace::tasks::sqs {

struct Session {
  QueueStore& store;
  GroupStore::Turn& turn;
  Random& random;
  const ServicePlace& place;
  const std::string& base_url;  // of queue URLs
  bool waits = false;           // set: there is no answer yet, the turn says what is waited for

  Instant now() const { return turn.now; }
};

struct OperationRow {
  std::string_view name;  // "SendMessage"
  ServiceAnswer (*run)(Session& session, JsonView input);
  bool writes = false;  // carried out once for a key
};
const OperationRow* find_operation(std::string_view name);  // null: there is none

// queue_operations.cpp
ServiceAnswer create_queue(Session& session, JsonView input);
ServiceAnswer delete_queue(Session& session, JsonView input);
ServiceAnswer get_queue_attributes(Session& session, JsonView input);
ServiceAnswer get_queue_url(Session& session, JsonView input);
ServiceAnswer list_dead_letter_source_queues(Session& session, JsonView input);
ServiceAnswer list_queue_tags(Session& session, JsonView input);
ServiceAnswer list_queues(Session& session, JsonView input);
ServiceAnswer purge_queue(Session& session, JsonView input);
ServiceAnswer set_queue_attributes(Session& session, JsonView input);
ServiceAnswer tag_queue(Session& session, JsonView input);
ServiceAnswer untag_queue(Session& session, JsonView input);
// message_operations.cpp
ServiceAnswer change_message_visibility(Session& session, JsonView input);
ServiceAnswer change_message_visibility_batch(Session& session, JsonView input);
ServiceAnswer delete_message(Session& session, JsonView input);
ServiceAnswer delete_message_batch(Session& session, JsonView input);
ServiceAnswer receive_message(Session& session, JsonView input);
ServiceAnswer send_message(Session& session, JsonView input);
ServiceAnswer send_message_batch(Session& session, JsonView input);

// What they share.
JsonView member(JsonView input, std::string_view name);
std::string text_of(JsonView input, std::string_view name);    // empty when it is no string
Checked<QueuePtr> queue_of(Session& session, JsonView input);  // by QueueUrl
std::string arn_of(const Session& session, const std::string& queue);
Checked<Sent> send(Session& session, const Queue& queue, const Message& message);

}  // namespace millrace::tasks::sqs
