#pragma once
// Topics: topics, their subscriptions, the messages published to them and what is still to be delivered, in
// one database of the home. Published means: the message and one delivery for each subscription that wants it
// are durable. What can't be delivered for good becomes a dead letter. Any thread. Source: Amazon SNS API
// reference.

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "tasks/functions/lambda.h"

namespace millrace::tasks {

struct Delivery {
  std::int64_t number = 0;
  std::string subscription;  // its ARN
  std::string protocol, endpoint;
  bool raw = false;   // RawMessageDelivery
  bool json = false;  // the message is JSON, made for a webhook
  int attempts = 0;   // that have failed
  Json message;
};

class Topics {
 public:
  struct Settings {
    LambdaPlace place;
    std::uint64_t seed = 0;
    std::int64_t dead_letter_days = 30;
    // Why nothing could be delivered to such an endpoint; empty: it could.
    std::function<std::string(const std::string& protocol, const std::string& endpoint)> refuse = {};
    std::function<void()> published = {};  // there is something to deliver
  };
  static constexpr std::int64_t kTopicsMax = 100'000, kSubscriptionsMax = 10'000;  // of one topic

  static Result<std::unique_ptr<Topics>> open(const std::string& path, Settings settings, const Clock& clock);

  // The operations of SNS's API on JSON requests, durable on return. InvalidArgument, NotFound,
  // LimitExceeded.
  Result<Json> create_topic(const Json& request);
  Result<Json> delete_topic(const Json& request);
  Result<Json> list_topics(const Json& request);
  Result<Json> topic_attributes(const Json& request);
  Result<Json> subscribe(const Json& request);
  Result<Json> unsubscribe(const Json& request);
  Result<Json> list_subscriptions(const Json& request);  // of TopicArn, or all
  Result<Json> subscription_attributes(const Json& request);
  Result<Json> set_subscription_attributes(const Json& request);
  // `task`: when it is not empty, a second call of that name publishes nothing and answers what the first
  // did.
  // `approval`: the name of the question that the message is (tasks/approvals), or empty.
  Result<Json> publish(const Json& request, const std::string& task, const std::string& approval = {});
  // Whether a Publish request's topic has an attribute with this value. NotFound, InvalidArgument.
  Result<bool> has_attribute(const Json& request, std::string_view name, std::string_view value);
  Result<Json> publish_batch(const Json& request, const std::string& task);

  // What is due and not among `under_way`, earliest first.
  Result<std::vector<Delivery>> due(const std::set<std::int64_t>& under_way, std::size_t limit);
  Status delivered(std::int64_t delivery);
  Status postpone(std::int64_t delivery, Instant due);
  Status give_up(std::int64_t delivery, const std::string& why);  // a dead letter
  // Newest first; `topic`: a name, or empty for all. Opens the file for reading only: works beside a process
  // that has it open. None when there is no file.
  static Result<std::vector<Json>> dead_letters(const std::string& path, const std::string& topic,
                                                std::size_t limit);
  Result<std::int64_t> waiting();  // deliveries that are not done

 private:
  struct Target;
  Topics(Settings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {}
  std::string arn_of(const std::string& topic) const;
  Result<std::string> topic_of(const Json& request, std::string_view member);
  Result<Json> subscription_record(const std::string& arn);
  Result<std::string> put_message(const std::string& topic, Json message);
  Result<Json> once(const std::string& task, const std::function<Result<Json>()>& work);
  Status forget(std::int64_t delivery);
  Status remove_old();
  std::string next_id();

  const Settings settings_;
  const Clock& clock_;
  std::mutex mutex_;  // over what follows
  Database database_;
  std::uint64_t ids_ = 0;
  Millis cleaned_{-3'600'000};  // uptime
};

}  // namespace millrace::tasks
