#pragma once
// What the data services (tables, queues) have in common over their GroupStore: how a call becomes a piece of
// work whose answer is given when it is durable.

#include <functional>

#include "tasks/integrations/group_store.h"
#include "tasks/integrations/service_call.h"

namespace millrace::tasks {

struct CarriedOut {
  ServiceAnswer answer;
  bool waits = false;  // the answer comes later; what the turn was told by then holds
};

// Any thread. `run` is called on the store's thread, once a turn; what it fails with undoes the call alone,
// or the group where the database failed. `refused`: the answer when too many wait.
void submit_call(GroupStore& group, ServiceCall call, ServiceReply reply,
                 std::function<CarriedOut(const ServiceCall&, GroupStore::Turn&)> run,
                 const ServiceError& refused);

// A key for what was asked: the same for the same operation and input.
std::string request_digest(const ServiceCall& call);

}  // namespace millrace::tasks
