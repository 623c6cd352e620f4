#include "tasks/integrations/sns/operations.h"

#include <nlohmann/json.hpp>

#include "tasks/approvals/approvals.h"
#include "tasks/integrations/integrations.h"
#include "tasks/integrations/sdk_form.h"

namespace millrace::tasks {
namespace {

tl::unexpected<Failure> sns_refused(const TaskCall& call, const Error& error) {
  const auto as = [&](std::string_view code, int status) {
    return sdk_failure(call, kSnsNames, code, status,
                       error.hint.empty() ? error.message : error.message + "; " + error.hint);
  };
  switch (error.code) {
    case ErrorCode::InvalidArgument:
      return as("InvalidParameterException", 400);
    case ErrorCode::NotFound:
      return as("NotFoundException", 404);
    case ErrorCode::LimitExceeded:
      return as("SubscriptionLimitExceededException", 403);
    default:
      return as("InternalErrorException", 500);
  }
}

template <class Work>
Outcome with_topics(TaskCall& call, Work work) {
  const auto topics = call.integrations->topics();
  if (!topics) return sns_refused(call, topics.error());
  const Result<Json> answer = work(**topics);
  if (!answer) return sns_refused(call, answer.error());
  return sdk_answer(call, *answer);
}

template <Result<Json> (Topics::*operation)(const Json&)>
Outcome plain(TaskCall& call) {
  return with_topics(call, [&](Topics& topics) { return (topics.*operation)(call.arguments); });
}

}  // namespace

Outcome sns_publish(TaskCall& call) {
  return with_topics(call, [&](Topics& topics) -> Result<Json> {
    const auto token = Approvals::token_in(call.arguments);
    if (!token || call.approvals == nullptr) return topics.publish(call.arguments, call.key);
    MR_TRY(asks, topics.has_attribute(call.arguments, kApprovalLinks, "true"));
    if (!asks) return topics.publish(call.arguments, call.key);
    MR_TRY(approval, call.approvals->ask(call.arguments, *token, call.execution_arn, call.caller));
    return topics.publish(Approvals::without_token(call.arguments), call.key, approval);
  });
}
Outcome sns_publish_batch(TaskCall& call) {
  return with_topics(call, [&](Topics& topics) { return topics.publish_batch(call.arguments, call.key); });
}
Outcome sns_create_topic(TaskCall& call) {
  return plain<&Topics::create_topic>(call);
}
Outcome sns_delete_topic(TaskCall& call) {
  return plain<&Topics::delete_topic>(call);
}
Outcome sns_get_topic_attributes(TaskCall& call) {
  return plain<&Topics::topic_attributes>(call);
}
Outcome sns_list_topics(TaskCall& call) {
  return plain<&Topics::list_topics>(call);
}
Outcome sns_subscribe(TaskCall& call) {
  return plain<&Topics::subscribe>(call);
}
Outcome sns_unsubscribe(TaskCall& call) {
  return plain<&Topics::unsubscribe>(call);
}
Outcome sns_list_subscriptions(TaskCall& call) {
  return with_topics(call, [&](Topics& topics) {
    Json request = call.arguments;
    request.erase("TopicArn");
    return topics.list_subscriptions(request);
  });
}
Outcome sns_list_subscriptions_by_topic(TaskCall& call) {
  return with_topics(call, [&](Topics& topics) {
    Json request = call.arguments;
    if (!request.contains("TopicArn")) request["TopicArn"] = "";
    return topics.list_subscriptions(request);
  });
}
Outcome sns_get_subscription_attributes(TaskCall& call) {
  return plain<&Topics::subscription_attributes>(call);
}
Outcome sns_set_subscription_attributes(TaskCall& call) {
  return plain<&Topics::set_subscription_attributes>(call);
}

}  // namespace millrace::tasks
