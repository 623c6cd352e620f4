#pragma once
// SNS's operations as task kinds: Publish in both forms, topics and subscriptions. Worker thread.

#include "tasks/task_kind.h"

namespace millrace::tasks {

Outcome sns_publish(TaskCall& call);
Outcome sns_publish_batch(TaskCall& call);
Outcome sns_create_topic(TaskCall& call);
Outcome sns_delete_topic(TaskCall& call);
Outcome sns_get_topic_attributes(TaskCall& call);
Outcome sns_list_topics(TaskCall& call);
Outcome sns_subscribe(TaskCall& call);
Outcome sns_unsubscribe(TaskCall& call);
Outcome sns_list_subscriptions(TaskCall& call);
Outcome sns_list_subscriptions_by_topic(TaskCall& call);
Outcome sns_get_subscription_attributes(TaskCall& call);
Outcome sns_set_subscription_attributes(TaskCall& call);

}  // namespace millrace::tasks
