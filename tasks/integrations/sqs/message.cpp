#include "tasks/integrations/sqs/message.h"

#include <map>

#include "base/encoding.h"
#include "base/text.h"
#include "tasks/integrations/sqs/queue.h"

namespace millrace::tasks::sqs {
namespace {

constexpr std::size_t kAttributesMax = 10;

Checked<bool> check_message_attributes(JsonView attributes) {
  if (!attributes.is_object())
    return service_error("SerializationException", "MessageAttributes must be a map");
  if (attributes.size() > kAttributesMax)
    return wrong_value("Number of message attributes [" + std::to_string(attributes.size()) +
                       "] exceeds the allowed maximum [10].");
  for (const auto [key, value] : attributes.members()) {
    const std::string name = key.string();
    const std::string type = value.is_object() ? text_member(value, "DataType") : "";
    const bool binary = type.starts_with("Binary");
    if (type.empty() || !(binary || type.starts_with("String") || type.starts_with("Number")))
      return wrong_value("The message attribute '" + name +
                         "' has an invalid message attribute type, the set of supported "
                         "type prefixes is Binary, Number, and String.");
    const JsonView content = value.find(binary ? "BinaryValue" : "StringValue");
    if (!content || !content.is_string() || content.string().empty())
      return wrong_value("The message attribute '" + name +
                         "' must contain a non-empty message attribute value for message "
                         "attribute type '" +
                         type + "'.");
    if (binary && !base64_decode(content.string()))
      return wrong_value("The message attribute '" + name + "' has a BinaryValue that is not Base64.");
  }
  return true;
}

bool has_bad_characters(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') return true;
  }
  return false;
}

void add_counted(std::string& out, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((size >> shift) & 0xFF);
  out += bytes;
}

}  // namespace

Checked<Message> parse_message(JsonView input) {
  Message message;
  const JsonView body = input.find("MessageBody");
  if (!body || body.is_null() || (body.is_string() && body.string().empty()))
    return service_error("MissingParameter", "The request must contain the parameter MessageBody.");
  if (!body.is_string()) return service_error("SerializationException", "MessageBody must be a string");
  message.body = body.string();
  if (has_bad_characters(message.body))
    return service_error("InvalidMessageContents",
                         "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | "
                         "#x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF");
  if (const JsonView given = input.find("MessageAttributes"); given && !given.is_null()) {
    MR_DO(check_message_attributes(given));
    message.attributes = Payload::of(given);
  }
  if (const JsonView given = input.find("MessageSystemAttributes"); given && given.is_object())
    message.system = Payload::of(given);
  message.group_id = text_member(input, "MessageGroupId");
  message.deduplication_id = text_member(input, "MessageDeduplicationId");
  if (const JsonView delay = input.find("DelaySeconds"); delay && !delay.is_null()) {
    const auto seconds = delay.is_number() ? delay.integer() : std::nullopt;
    if (!seconds || *seconds < 0 || *seconds > 900)
      return wrong_value(
          "Value " + std::string(delay.text()) +
          " for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.");
    message.delay_seconds = *seconds;
  }
  return message;
}

std::string md5_of_attributes(JsonView attributes) {
  if (!attributes || !attributes.is_object() || attributes.size() == 0) return "";
  std::map<std::string, JsonView> sorted;
  for (const auto [key, value] : attributes.members()) sorted[key.string()] = value;
  std::string bytes;
  for (const auto& [name, value] : sorted) {
    const std::string type = text_member(value, "DataType");
    const bool binary = type.starts_with("Binary");
    add_counted(bytes, name);
    add_counted(bytes, type);
    bytes += binary ? '\x02' : '\x01';
    add_counted(bytes, binary ? base64_decode(text_member(value, "BinaryValue")).value_or("")
                              : text_member(value, "StringValue"));
  }
  return digest_hex(Digest::Md5, bytes);
}

std::size_t size_of(const Message& message) {
  std::size_t size = message.body.size();
  for (const auto [key, value] : message.attributes.view().members()) {
    size += key.string().size() + text_member(value, "DataType").size() +
            text_member(value, "StringValue").size();
    size += text_member(value, "BinaryValue").size() / 4 * 3;
  }
  return size;
}

}  // namespace millrace::tasks::sqs
