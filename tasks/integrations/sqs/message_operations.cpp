#include <algorithm>
#include <charconv>
#include <set>

#include "base/encoding.h"
#include "tasks/integrations/sqs/operations.h"

namespace millrace::tasks::sqs {
namespace {

constexpr std::int64_t kReceiveMax = 10, kWaitSecondsMax = 20, kVisibilityMax = 43'200;
constexpr std::size_t kBatchMax = 10, kBatchBytesMax = 1'048'576;

tl::unexpected<ServiceError> missing(std::string_view name) {
  return service_error("MissingParameter",
                       "The request must contain the parameter " + std::string(name) + ".");
}

Checked<std::int64_t> bounded(JsonView input, std::string_view name, std::int64_t otherwise, std::int64_t min,
                              std::int64_t max) {
  const JsonView given = member(input, name);
  if (!given) return otherwise;
  const auto value = given.is_number() ? given.integer() : std::nullopt;
  if (value && *value >= min && *value <= max) return *value;
  return wrong_value("Value " + std::string(given.text()) + " for parameter " + std::string(name) +
                     " is invalid. Reason: Must be >= " + std::to_string(min) +
                     " and <= " + std::to_string(max) + ", if provided.");
}

// 20 digits, as consumers expect them.
std::string sequence_text(std::int64_t sequence) {
  const std::string digits = std::to_string(sequence);
  return "1" + std::string(19 - std::min<std::size_t>(19, digits.size()), '0') + digits;
}

// What a receipt says: the message, and which of its receptions it is of.
struct Receipt {
  std::int64_t sequence = 0, receives = 0;
};
std::string receipt_text(const Queue& queue, std::int64_t sequence, std::int64_t receives) {
  return base64_encode("mr1/" + std::to_string(queue.id) + "/" + std::to_string(sequence) + "/" +
                       std::to_string(receives));
}
std::optional<Receipt> parse_receipt(const Queue& queue, const std::string& text) {
  const auto plain = base64_decode(text);
  const std::string prefix = "mr1/" + std::to_string(queue.id) + "/";
  if (!plain || !plain->starts_with(prefix)) return std::nullopt;
  Receipt receipt;
  const char* at = plain->data() + prefix.size();
  const char* const end = plain->data() + plain->size();
  const auto first = std::from_chars(at, end, receipt.sequence);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '/') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, receipt.receives);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return receipt;
}

Checked<Receipt> receipt_of(const Queue& queue, JsonView input) {
  const std::string handle = text_of(input, "ReceiptHandle");
  if (handle.empty()) return missing("ReceiptHandle");
  const auto receipt = parse_receipt(queue, handle);
  if (!receipt) return service_error("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", 404);
  return *receipt;
}

void write_sent(JsonWriter& out, const Queue& queue, const Message& message, const Sent& sent) {
  out.key("MD5OfMessageBody").string(digest_hex(Digest::Md5, message.body));
  if (const std::string md5 = md5_of_attributes(message.attributes.view()); !md5.empty())
    out.key("MD5OfMessageAttributes").string(md5);
  if (const std::string md5 = md5_of_attributes(message.system.view()); !md5.empty())
    out.key("MD5OfMessageSystemAttributes").string(md5);
  out.key("MessageId").string(sent.id);
  if (queue.fifo()) out.key("SequenceNumber").string(sequence_text(sent.sequence));
}

// Runs `one` for each entry of a batch: what it writes goes into the entry's result.
ServiceAnswer run_batch(JsonView input,
                        const std::function<Checked<bool>(JsonView entry, JsonWriter& out)>& one) {
  const JsonView entries = member(input, "Entries");
  if (!entries || !entries.is_array() || entries.size() == 0)
    return service_error("EmptyBatchRequest", "There should be at least one entry in the request.");
  if (entries.size() > kBatchMax)
    return service_error("TooManyEntriesInBatchRequest",
                         "Maximum number of entries per request are 10. You have sent " +
                             std::to_string(entries.size()) + ".");
  std::set<std::string> ids;
  std::size_t bytes = 0;
  for (const JsonView entry : entries.elements()) {
    if (!entry.is_object()) return service_error("SerializationException", "Entries must be objects");
    const std::string id = text_of(entry, "Id");
    const bool good = !id.empty() && id.size() <= 80 && std::all_of(id.begin(), id.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    });
    if (!good)
      return service_error("InvalidBatchEntryId",
                           "A batch entry id can only contain alphanumeric characters, hyphens and "
                           "underscores. It can be at most 80 letters long.");
    if (!ids.insert(id).second) return service_error("BatchEntryIdsNotDistinct", "Id " + id + " repeated.");
    bytes += text_of(entry, "MessageBody").size();
  }
  if (bytes > kBatchBytesMax)
    return service_error("BatchRequestTooLong",
                         "Batch requests cannot be longer than " + std::to_string(kBatchBytesMax) +
                             " bytes. You have sent " + std::to_string(bytes) + " bytes.");
  JsonWriter good, bad;
  good.begin_array();
  bad.begin_array();
  std::size_t failures = 0;
  for (const JsonView entry : entries.elements()) {
    const std::string id = text_of(entry, "Id");
    JsonWriter out;
    out.begin_object().key("Id").string(id);
    const auto done = one(entry, out);
    out.end_object();
    if (!done && done.error().of_store) return tl::unexpected<ServiceError>(done.error());
    const Payload result = out.finish();
    if (done) {
      good.value(result);
      continue;
    }
    ++failures;
    bad.begin_object().key("Id").string(id).key("SenderFault").boolean(true);
    bad.key("Code").string(done.error().code).key("Message").string(done.error().message).end_object();
  }
  JsonWriter out;
  out.begin_object().key("Successful").value(good.end_array().finish());
  bad.end_array();
  const Payload failed = bad.finish();
  if (failures > 0) out.key("Failed").value(failed);
  out.end_object();
  return out.finish();
}

// Which attributes a receiver asked for.
class Wanted {
 public:
  explicit Wanted(JsonView names) {
    if (!names || !names.is_array()) return;
    for (const JsonView name : names.elements())
      if (name.is_string()) add(name.string());
  }
  bool operator()(const std::string& name) const {
    if (all_ || names_.count(name)) return true;
    return std::any_of(prefixes_.begin(), prefixes_.end(),
                       [&](const std::string& p) { return name.starts_with(p); });
  }

 private:
  void add(std::string name) {
    if (name == "All" || name == ".*")
      all_ = true;
    else if (name.ends_with(".*"))
      prefixes_.push_back(name.substr(0, name.size() - 1));
    else
      names_.insert(std::move(name));
  }
  bool all_ = false;
  std::set<std::string> names_;
  std::vector<std::string> prefixes_;
};

void write_system_attributes(JsonWriter& out, const Session& session, const Queue& queue,
                             const Stored& message, Instant first, JsonView input) {
  const Wanted wanted(member(input, "MessageSystemAttributeNames")), older(member(input, "AttributeNames"));
  Texts all = {{"ApproximateReceiveCount", std::to_string(message.receives + 1)},
               {"ApproximateFirstReceiveTimestamp", std::to_string(to_millis(first))},
               {"SenderId", session.place.account},
               {"SentTimestamp", std::to_string(to_millis(message.sent))}};
  if (queue.fifo()) {
    all["MessageDeduplicationId"] = message.deduplication_id;
    all["SequenceNumber"] = sequence_text(message.sequence);
  }
  if (!message.group_id.empty()) all["MessageGroupId"] = message.group_id;
  if (!message.source.empty()) all["DeadLetterQueueSourceArn"] = message.source;
  if (const auto system = Payload::parse(message.system); system && system->view().is_object())
    if (const JsonView trace = system->view().find("AWSTraceHeader"); trace && trace.is_object())
      all["AWSTraceHeader"] = text_of(trace, "StringValue");
  std::erase_if(all, [&](const auto& entry) { return !wanted(entry.first) && !older(entry.first); });
  if (all.empty()) return;
  out.key("Attributes").begin_object();
  for (const auto& [name, value] : all) out.key(name).string(value);
  out.end_object();
}

void write_message(JsonWriter& out, const Session& session, const Queue& queue, const Stored& message,
                   JsonView input) {
  const Instant first = message.receives == 0 ? session.now() : message.first_received;
  out.begin_object().key("MessageId").string(message.id);
  out.key("ReceiptHandle").string(receipt_text(queue, message.sequence, message.receives + 1));
  out.key("MD5OfBody").string(digest_hex(Digest::Md5, message.body)).key("Body").string(message.body);
  write_system_attributes(out, session, queue, message, first, input);
  const Wanted wanted(member(input, "MessageAttributeNames"));
  const auto attributes = Payload::parse(message.attributes);
  if (attributes && attributes->view().is_object()) {
    JsonWriter some;
    some.begin_object();
    for (const auto [key, value] : attributes->view().members())
      if (wanted(key.string())) some.key(key).value(value);
    some.end_object();
    const Payload shown = some.finish();
    if (shown.view().size() > 0) {
      out.key("MD5OfMessageAttributes").string(md5_of_attributes(shown.view()));
      out.key("MessageAttributes").value(shown);
    }
  }
  out.end_object();
}

// Takes up to `max` messages; those received too often go to the dead-letter queue instead.
Checked<std::vector<Stored>> take_messages(Session& session, const Queue& queue, std::int64_t max,
                                           Instant hidden_until) {
  const auto redrive = queue.redrive();
  QueuePtr dead_letters;
  if (redrive) {
    MR_TRY(found, session.store.find(name_of_queue(redrive->dead_letter_arn)));
    dead_letters = std::move(found);
  }
  std::vector<Stored> taken;
  for (bool moved = true; moved && static_cast<std::int64_t>(taken.size()) < max;) {
    moved = false;
    MR_TRY(visible,
           session.store.visible(queue, session.now(), max - static_cast<std::int64_t>(taken.size())));
    for (Stored& message : visible) {
      if (dead_letters && message.receives >= redrive->receives_max) {
        MR_DO(session.store.move(message, *dead_letters, arn_of(session, queue.name), session.now()));
        session.turn.touch(dead_letters->id);
        moved = true;
        continue;
      }
      MR_DO(session.store.receive(message, session.now(), hidden_until));
      taken.push_back(std::move(message));
    }
  }
  return taken;
}

Checked<bool> change_one(Session& session, const Queue& queue, JsonView input) {
  MR_TRY(receipt, receipt_of(queue, input));
  if (!member(input, "VisibilityTimeout")) return missing("VisibilityTimeout");
  MR_TRY(seconds, bounded(input, "VisibilityTimeout", 0, 0, kVisibilityMax));
  MR_TRY(hidden_until, session.store.visible_at(queue, receipt.sequence, receipt.receives));
  if (!hidden_until)
    return wrong_value("Value " + text_of(input, "ReceiptHandle") +
                       " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
                       "available for visibility timeout change.");
  if (*hidden_until <= session.now())
    return service_error("MessageNotInflight", "The specified message isn't in flight.");
  MR_DO(session.store.hide(receipt.sequence, session.now() + std::chrono::seconds(seconds)));
  session.turn.touch(queue.id);
  return true;
}

Checked<bool> delete_one(Session& session, const Queue& queue, JsonView input) {
  MR_TRY(receipt, receipt_of(queue, input));
  MR_TRY(hidden_until, session.store.visible_at(queue, receipt.sequence, receipt.receives));
  // Of a message that was received again meanwhile, or deleted: it is said to be done, and nothing happens.
  if (!hidden_until) return true;
  if (queue.fifo() && *hidden_until <= session.now())
    return wrong_value("Value " + text_of(input, "ReceiptHandle") +
                       " for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.");
  MR_DO(session.store.erase(receipt.sequence));
  session.turn.touch(queue.id);  // its group may go on
  return true;
}

}  // namespace

Checked<Sent> send(Session& session, const Queue& queue, const Message& message) {
  const std::int64_t bytes_max = queue.number("MaximumMessageSize");
  if (static_cast<std::int64_t>(size_of(message)) > bytes_max)
    return wrong_value("One or more parameters are invalid. Reason: Message must be shorter than " +
                       std::to_string(bytes_max) + " bytes.");
  std::string deduplication, scope;
  if (queue.fifo()) {
    if (message.group_id.empty()) return missing("MessageGroupId");
    if (message.delay_seconds > 0)
      return wrong_value("Value " + std::to_string(message.delay_seconds) +
                         " for parameter DelaySeconds is invalid. Reason: The request include parameter that "
                         "is not valid for this queue type.");
    deduplication = message.deduplication_id;
    if (deduplication.empty() && queue.flag("ContentBasedDeduplication"))
      deduplication = digest_hex(Digest::Sha256, message.body);
    if (deduplication.empty())
      return wrong_value(
          "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
          "explicitly");
    if (queue.attribute("DeduplicationScope") == "messageGroup") scope = message.group_id;
    MR_TRY(known, session.store.duplicate_of(queue, scope, deduplication, session.now()));
    if (known) return *known;
  } else if (!message.deduplication_id.empty()) {
    return wrong_value("Value " + message.deduplication_id +
                       " for parameter MessageDeduplicationId is invalid. Reason: The request includes a "
                       "parameter that is not valid for this queue type.");
  }
  const std::int64_t delay =
      message.delay_seconds >= 0 ? message.delay_seconds : queue.number("DelaySeconds");
  MR_TRY(sent, session.store.add(queue, message, uuid_v4(session.random), scope, deduplication, session.now(),
                                 session.now() + std::chrono::seconds(delay)));
  session.turn.touch(queue.id);
  return sent;
}

ServiceAnswer send_message(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_TRY(message, parse_message(input));
  MR_TRY(sent, send(session, *queue, message));
  JsonWriter out;
  out.begin_object();
  write_sent(out, *queue, message, sent);
  out.end_object();
  return out.finish();
}

ServiceAnswer send_message_batch(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  return run_batch(input, [&](JsonView entry, JsonWriter& out) -> Checked<bool> {
    MR_TRY(message, parse_message(entry));
    MR_TRY(sent, send(session, *queue, message));
    write_sent(out, *queue, message, sent);
    return true;
  });
}

ServiceAnswer receive_message(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_TRY(max, bounded(input, "MaxNumberOfMessages", 1, 1, kReceiveMax));
  MR_TRY(wait, bounded(input, "WaitTimeSeconds", queue->number("ReceiveMessageWaitTimeSeconds"), 0,
                       kWaitSecondsMax));
  MR_TRY(hidden, bounded(input, "VisibilityTimeout", queue->number("VisibilityTimeout"), 0, kVisibilityMax));
  MR_TRY(taken, take_messages(session, *queue, max, session.now() + std::chrono::seconds(hidden)));
  GroupStore::Turn& turn = session.turn;
  if (taken.empty() && wait > 0 && !turn.last) {
    if (!turn.deadline) turn.deadline = turn.now + std::chrono::seconds(wait);
    MR_TRY(next, session.store.next_visible(*queue, turn.now));
    turn.retry_at = next ? std::min(*next, *turn.deadline) : *turn.deadline;
    turn.channel = queue->id;
    session.waits = *turn.deadline > turn.now;
    if (session.waits) return Payload::empty_object();
  }
  JsonWriter out;
  out.begin_object();
  if (!taken.empty()) {
    out.key("Messages").begin_array();
    for (const Stored& message : taken) write_message(out, session, *queue, message, input);
    out.end_array();
  }
  out.end_object();
  return out.finish();
}

ServiceAnswer delete_message(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_DO(delete_one(session, *queue, input));
  return Payload::empty_object();
}

ServiceAnswer delete_message_batch(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  return run_batch(input, [&](JsonView entry, JsonWriter&) { return delete_one(session, *queue, entry); });
}

ServiceAnswer change_message_visibility(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  MR_DO(change_one(session, *queue, input));
  return Payload::empty_object();
}

ServiceAnswer change_message_visibility_batch(Session& session, JsonView input) {
  MR_TRY(queue, queue_of(session, input));
  return run_batch(input, [&](JsonView entry, JsonWriter&) { return change_one(session, *queue, entry); });
}

}  // namespace millrace::tasks::sqs
