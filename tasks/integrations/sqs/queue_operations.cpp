#include <algorithm>

#include "tasks/integrations/sqs/operations.h"

namespace millrace::tasks::sqs {
namespace {

constexpr std::int64_t kListMax = 1000;
constexpr std::size_t kTagsMax = 50;

constexpr OperationRow kOperations[] = {
    {"ChangeMessageVisibility", change_message_visibility, true},
    {"ChangeMessageVisibilityBatch", change_message_visibility_batch, true},
    {"CreateQueue", create_queue, true},
    {"DeleteMessage", delete_message, true},
    {"DeleteMessageBatch", delete_message_batch, true},
    {"DeleteQueue", delete_queue, true},
    {"GetQueueAttributes", get_queue_attributes},
    {"GetQueueUrl", get_queue_url},
    {"ListDeadLetterSourceQueues", list_dead_letter_source_queues},
    {"ListQueueTags", list_queue_tags},
    {"ListQueues", list_queues},
    {"PurgeQueue", purge_queue, true},
    {"ReceiveMessage", receive_message, true},
    {"SendMessage", send_message, true},
    {"SendMessageBatch", send_message_batch, true},
    {"SetQueueAttributes", set_queue_attributes, true},
    {"TagQueue", tag_queue, true},
    {"UntagQueue", untag_queue, true},
};

std::string url_of(const Session& session, const std::string& queue) {
  const std::string base =
      session.base_url.empty() ? "https://sqs." + session.place.region + ".amazonaws.com" : session.base_url;
  return base + "/" + session.place.account + "/" + queue;
}

Payload url_answer(const Session& session, const std::string& queue) {
  JsonWriter out;
  out.begin_object().key("QueueUrl").string(url_of(session, queue)).end_object();
  return out.finish();
}

Checked<Texts> texts_in(JsonView input, std::string_view name) {
  Texts out;
  const JsonView given = member(input, name);
  if (!given) return out;
  if (!given.is_object())
    return service_error("SerializationException", std::string(name) + " must be a map");
  for (const auto [key, value] : given.members()) {
    if (!value.is_string())
      return service_error("SerializationException", std::string(name) + ": values must be strings");
    out[key.string()] = value.string();
  }
  return out;
}

Checked<bool> check_dead_letters(Session& session, const Queue& queue) {
  const auto redrive = queue.redrive();
  if (!redrive) return true;
  MR_TRY(target, session.store.find(name_of_queue(redrive->dead_letter_arn)));
  const std::string prefix =
      "Value " + queue.attribute("RedrivePolicy") + " for parameter RedrivePolicy is invalid. Reason: ";
  if (!target) return wrong_value(prefix + "Dead letter target does not exist.");
  if (target->fifo() != queue.fifo())
    return wrong_value(prefix + "Dead-letter queue must be same type of queue as the source.");
  return true;
}

std::string seconds_text(Instant t) {
  return std::to_string(to_millis(t) / 1000);
}

// All attributes with what is counted now.
Checked<Texts> all_attributes(Session& session, const Queue& queue) {
  MR_TRY(counts, session.store.counts(queue, session.now()));
  Texts all = {{"QueueArn", arn_of(session, queue.name)},
               {"ApproximateNumberOfMessages", std::to_string(counts.visible)},
               {"ApproximateNumberOfMessagesNotVisible", std::to_string(counts.in_flight)},
               {"ApproximateNumberOfMessagesDelayed", std::to_string(counts.delayed)},
               {"CreatedTimestamp", seconds_text(queue.created)},
               {"LastModifiedTimestamp", seconds_text(queue.modified)}};
  for (const char* name :
       {"ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit",
        "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod",
        "Policy", "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy",
        "SqsManagedSseEnabled", "VisibilityTimeout"})
    if (std::string value = queue.attribute(name); !value.empty()) all[name] = std::move(value);
  return all;
}

// A page of names and how it goes on.
ServiceAnswer list_page(Session& session, JsonView input, std::string_view member_name,
                        const std::string& prefix, const std::function<bool(const Queue&)>& wanted) {
  std::int64_t max = kListMax;
  if (const JsonView given = member(input, "MaxResults")) {
    const auto n = given.is_number() ? given.integer() : std::nullopt;
    if (!n || *n < 1 || *n > kListMax)
      return wrong_value(
          "Value for parameter MaxResults is invalid. Reason: must be between 1 and 1000, if provided.");
    max = *n;
  }
  std::string after = text_of(input, "NextToken");
  std::vector<std::string> found;
  for (bool more = true; more && static_cast<std::int64_t>(found.size()) <= max;) {
    MR_TRY(names, session.store.names(prefix, after, max + 1));
    more = static_cast<std::int64_t>(names.size()) > max;
    for (std::string& name : names) {
      after = name;
      MR_TRY(queue, session.store.find(name));
      if (queue && wanted(*queue)) found.push_back(std::move(name));
    }
  }
  const bool cut = static_cast<std::int64_t>(found.size()) > max;
  found.resize(std::min(found.size(), static_cast<std::size_t>(max)));
  JsonWriter out;
  out.begin_object().key(member_name).begin_array();
  for (const std::string& name : found) out.string(url_of(session, name));
  out.end_array();
  if (cut) out.key("NextToken").string(found.back());
  out.end_object();
  return out.finish();
}

}  // namespace

const OperationRow* find_operation(std::string_view name) {
  for (const OperationRow& row : kOperations)
    if (row.name == name) return &row;
  return nullptr;
}

JsonView member(JsonView input, std::string_view name) {
  const JsonView found = input.find(name);
  return found && !found.is_null() ? found : JsonView();
}

std::string text_of(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  return found && found.is_string() ? found.string() : "";
}

Checked<QueuePtr> queue_of(Session& session, JsonView input) {
  const std::string url = text_of(input, "QueueUrl");
  if (url.empty())
    return service_error("MissingParameter", "The request must contain the parameter QueueUrl.");
  MR_TRY(queue, session.store.find(name_of_queue(url)));
  if (!queue) return no_such_queue();
  return queue;
}

std::string arn_of(const Session& session, const std::string& queue) {
  return "arn:aws:sqs:" + session.place.region + ":" + session.place.account + ":" + queue;
}

ServiceAnswer create_queue(Session& session, JsonView input) {
  Queue queue;
  queue.name = text_of(input, "QueueName");
  if (queue.name.empty())
    return service_error("MissingParameter", "The request must contain the parameter QueueName.");
  MR_TRY(attributes, texts_in(input, "Attributes"));
  MR_TRY(tags, texts_in(input, member(input, "tags") ? "tags" : "Tags"));
  const bool fifo = attributes.count("FifoQueue") && attributes.at("FifoQueue") == "true";
  MR_DO(check_name(queue.name, fifo));
  MR_DO(check_attributes(attributes, fifo));
  queue.attributes = std::move(attributes);
  queue.tags = std::move(tags);
  MR_TRY(there, session.store.find(queue.name));
  if (there) {
    for (const auto& [name, value] : queue.attributes)
      if (there->attribute(name) != value)
        return service_error(
            "QueueNameExists",
            "A queue already exists with the same name and a different value for attribute " + name);
    return url_answer(session, queue.name);
  }
  MR_DO(check_dead_letters(session, queue));
  queue.created = queue.modified = session.now();
  MR_DO(session.store.create(queue));
  return url_answer(session, queue.name);
}

ServiceAnswer delete_queue(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_DO(session.store.drop(*queue));
  session.turn.touch(queue->id);
  return Payload::empty_object();
}

ServiceAnswer purge_queue(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_DO(session.store.purge(*queue));
  return Payload::empty_object();
}

ServiceAnswer get_queue_url(Session& session, JsonView input) {
  const std::string name = text_of(input, "QueueName");
  if (name.empty())
    return service_error("MissingParameter", "The request must contain the parameter QueueName.");
  MR_TRY(queue, session.store.find(name));
  if (!queue) return no_such_queue();
  return url_answer(session, name);
}

ServiceAnswer list_queues(Session& session, JsonView input) {
  return list_page(session, input, "QueueUrls", text_of(input, "QueueNamePrefix"),
                   [](const Queue&) { return true; });
}

ServiceAnswer list_dead_letter_source_queues(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  const std::string name = queue->name;
  return list_page(session, input, "queueUrls", "", [&name](const Queue& one) {
    const auto redrive = one.redrive();
    return redrive && name_of_queue(redrive->dead_letter_arn) == name;
  });
}

ServiceAnswer get_queue_attributes(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_TRY(all, all_attributes(session, *queue));
  const JsonView names = member(input, "AttributeNames");
  JsonWriter out;
  out.begin_object();
  if (names && names.is_array() && names.size() > 0) {
    Texts wanted;
    for (const JsonView name : names.elements()) {
      const std::string text = name.is_string() ? name.string() : "";
      if (text == "All") {
        wanted = all;
        break;
      }
      if (const auto found = all.find(text); found != all.end()) {
        wanted.insert(*found);
        continue;
      }
      const auto settable = check_attributes({{text, ""}}, true);
      if (!settable && settable.error().code == "InvalidAttributeName")
        return service_error("InvalidAttributeName", "Unknown Attribute " + text + ".");
    }
    out.key("Attributes").begin_object();
    for (const auto& [name, value] : wanted) out.key(name).string(value);
    out.end_object();
  }
  out.end_object();
  return out.finish();
}

ServiceAnswer set_queue_attributes(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_TRY(attributes, texts_in(input, "Attributes"));
  MR_DO(check_attributes(attributes, queue->fifo()));
  Queue changed = *queue;
  for (auto& [name, value] : attributes) {
    if (name == "FifoQueue" && value != changed.attribute("FifoQueue"))
      return service_error(
          "InvalidAttributeValue",
          "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.");
    if (value.empty())
      changed.attributes.erase(name);
    else
      changed.attributes[name] = value;
  }
  MR_DO(check_dead_letters(session, changed));
  changed.modified = session.now();
  MR_DO(session.store.update(changed));
  return Payload::empty_object();
}

ServiceAnswer tag_queue(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_TRY(tags, texts_in(input, "Tags"));
  Queue changed = *queue;
  for (auto& [name, value] : tags) changed.tags[name] = value;
  if (changed.tags.size() > kTagsMax)
    return wrong_value("Too many tags added for queue " + queue->name + ".");
  MR_DO(session.store.update(changed));
  return Payload::empty_object();
}

ServiceAnswer untag_queue(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  Queue changed = *queue;
  if (const JsonView keys = member(input, "TagKeys"); keys && keys.is_array())
    for (const JsonView key : keys.elements())
      if (key.is_string()) changed.tags.erase(key.string());
  MR_DO(session.store.update(changed));
  return Payload::empty_object();
}

ServiceAnswer list_queue_tags(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  JsonWriter out;
  out.begin_object();
  if (!queue->tags.empty()) {
    out.key("Tags").begin_object();
    for (const auto& [name, value] : queue->tags) out.key(name).string(value);
    out.end_object();
  }
  out.end_object();
  return out.finish();
}

}  // namespace millrace::tasks::sqs
