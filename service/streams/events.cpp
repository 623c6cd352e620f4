#include "service/streams/events.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/utf8.h"

namespace millrace::streams {
namespace {

Payload body_of(std::string_view bytes) {
  if (auto parsed = Payload::parse(bytes)) return *std::move(parsed);
  return Payload::string(bytes);
}

void write_record_part(JsonWriter& out, const tasks::kinesis::StreamRecord& record,
                       const std::string& sequence) {
  out.key("kinesisSchemaVersion").string("1.0").key("partitionKey").string(record.partition_key);
  out.key("sequenceNumber").string(sequence).key("data").string(base64_encode(record.data));
  out.key("approximateArrivalTimestamp").number(static_cast<double>(to_millis(record.arrived)) / 1000);
}

}  // namespace

Item item_of(const ConsumerPlan& plan, const tasks::kinesis::Shard& shard,
             const tasks::kinesis::StreamRecord& record, const std::string& region) {
  Item item;
  item.id = tasks::kinesis::text_of(shard.sequence(record.position, record.arrived));
  item.group = record.partition_key;
  item.position = record.position;
  item.arrived = record.arrived;
  item.raw = record.data;
  if (plan.objects) return item;
  item.body = body_of(record.data);
  JsonWriter out;
  out.begin_object();
  if (!plan.pipe) {
    out.key("kinesis").begin_object();
    write_record_part(out, record, item.id);
    out.end_object();
  } else {
    write_record_part(out, record, item.id);
  }
  out.key("eventSource").string("aws:kinesis").key("eventVersion").string("1.0");
  out.key("eventID").string(tasks::kinesis::shard_name(shard.number) + ":" + item.id);
  out.key("eventName").string("aws:kinesis:record");
  out.key("invokeIdentityArn").string("arn:aws:iam::123456789012:role/millrace");
  out.key("awsRegion").string(region).key("eventSourceARN").string(plan.source_arn).end_object();
  item.event = out.finish();
  return item;
}

Item item_of_message(const ConsumerPlan& plan, JsonView message, const std::string& region) {
  const auto text = [&](std::string_view name) { return api::text_of(message, name); };
  Item item;
  item.id = text("MessageId");
  item.raw = text("Body");
  item.body = body_of(item.raw);
  item.receipt = text("ReceiptHandle");
  const JsonView attributes = api::member(message, "Attributes");
  if (attributes) item.group = api::text_of(attributes, "MessageGroupId");
  JsonWriter out;
  out.begin_object().key("messageId").string(item.id).key("receiptHandle").string(item.receipt);
  out.key("body").string(item.raw).key("attributes");
  if (attributes)
    out.value(attributes);
  else
    out.begin_object().end_object();
  out.key("messageAttributes");
  if (const JsonView given = api::member(message, "MessageAttributes")) {
    out.begin_object();
    for (const auto [name, one] : given.members()) {
      out.key(name).begin_object();
      for (const auto& [from, to] :
           {std::pair("StringValue", "stringValue"), std::pair("BinaryValue", "binaryValue"),
            std::pair("DataType", "dataType")})
        if (const JsonView value = api::member(one, from)) out.key(to).value(value);
      out.end_object();
    }
    out.end_object();
  } else {
    out.begin_object().end_object();
  }
  out.key("md5OfBody").string(text("MD5OfBody")).key("eventSource").string("aws:sqs");
  out.key("eventSourceARN").string(plan.source_arn).key("awsRegion").string(region).end_object();
  item.event = out.finish();
  return item;
}

Payload open_event(const Item& item) {
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : item.event.view().members()) {
    out.key(key);
    if (key.equals("data") || key.equals("body"))
      out.value(item.body);
    else
      out.value(value);
  }
  out.end_object();
  return out.finish();
}

bool is_wanted(const ConsumerPlan& plan, const Item& item) {
  if (plan.filters.empty()) return true;
  Payload shown = open_event(item);
  if (!plan.pipe && !plan.queue) {  // filters of mappings look at the record's parts without their wrapping
    JsonWriter out;
    out.begin_object();
    for (const auto [key, value] : item.event.view().members()) out.key(key).value(value);
    out.key("partitionKey").string(item.group).key("data").value(item.body).end_object();
    shown = out.finish();
  }
  return std::any_of(plan.filters.begin(), plan.filters.end(), [&](const triggers::Pattern& pattern) {
    return triggers::matches(pattern, shown.view());
  });
}

Payload batch_of(const ConsumerPlan& plan, const std::vector<Item>& items) {
  JsonWriter out;
  if (!plan.pipe) out.begin_object().key("Records");
  out.begin_array();
  for (const Item& item : items) out.value(item.event);
  out.end_array();
  if (!plan.pipe) out.end_object();
  return out.finish();
}

}  // namespace millrace::streams
