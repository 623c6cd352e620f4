#include "tasks/integrations/sns/message.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/utf8.h"
#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kMessageBytesMax = 262'144, kSubjectMax = 100, kAttributesMax = 100;
constexpr std::size_t kMailLineMax = 76, kPlainLineMax = 900;

bool is_plain_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7F; });
}

// The document's text where there is no string.
std::string message_text(const Json& request) {
  const auto found = request.find("Message");
  if (found == request.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : std::string(to_payload(*found).text());
}

Status check_structure(const std::string& text) {
  const Json entries = Json::parse(text, nullptr, false);
  if (!entries.is_object())
    return invalid("Invalid parameter: Message Structure - JSON message body failed to parse");
  if (!entries.contains("default") || !entries["default"].is_string())
    return invalid("Invalid parameter: Message Structure - No default entry in JSON message body");
  return {};
}

Status check_attributes(const Arguments& in) {
  MR_TRY(attributes, in.object_or_empty("MessageAttributes"));
  if (attributes.json().size() > kAttributesMax)
    return invalid("Invalid parameter: MessageAttributes Reason: more than " +
                   std::to_string(kAttributesMax));
  for (const auto& [name, value] : attributes.json().items()) {
    MR_TRY(attribute, attributes.object(name));
    MR_TRY(type, attribute.text("DataType"));
    const std::string base = type.substr(0, type.find('.'));
    if (base != "String" && base != "Number" && base != "Binary")
      return invalid(
          "Invalid parameter: MessageAttributes Reason: The message attribute '" + name +
          "' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, "
          "and String.");
    MR_TRY(text, attribute.text(base == "Binary" ? "BinaryValue" : "StringValue"));
    const bool number = base == "Number" && Payload::parse(text) && Payload::parse(text)->view().is_number();
    if (base == "Number" && !number)
      return invalid("Invalid parameter: MessageAttributes Reason: The value of '" + name + "' is no number");
  }
  return {};
}

// {"name": {"Type": "String", "Value": "v"}}
Json shown_attributes(const Json& message) {
  Json out = Json::object();
  const auto found = message.find("MessageAttributes");
  if (found == message.end()) return out;
  for (const auto& [name, value] : found->items()) {
    const bool binary = value.contains("BinaryValue");
    out[name] = {{"Type", text_at(value, {"DataType"})},
                 {"Value", text_at(value, {binary ? "BinaryValue" : "StringValue"})}};
  }
  return out;
}

// "Sat, 21 Nov 2026 11:09:01 +0000"
std::string mail_date(Instant now) {
  std::string date = format_http_date(now);
  return date.replace(date.size() - 3, 3, "+0000");
}

std::string encoded_subject(const std::string& subject) {
  return is_plain_text(subject) ? subject : "=?UTF-8?B?" + base64_encode(subject) + "?=";
}

// The body with its header about how it is encoded: as it stands when it is short ASCII lines, else Base64.
std::string mail_body(const std::string& text) {
  std::string plain;
  std::size_t line = 0, longest = 0;
  bool ascii = true;
  for (const char c : text) {
    if (c == '\r') continue;
    line = c == '\n' ? 0 : line + 1;
    longest = std::max(longest, line);
    ascii = ascii && (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7F));
    plain += c == '\n' ? "\r\n" : std::string(1, c);
  }
  if (ascii && longest <= kPlainLineMax) return "Content-Transfer-Encoding: 7bit\r\n\r\n" + plain + "\r\n";
  const std::string base64 = base64_encode(text);
  std::string out = "Content-Transfer-Encoding: base64\r\n\r\n";
  for (std::size_t at = 0; at < base64.size(); at += kMailLineMax)
    out += base64.substr(at, kMailLineMax) + "\r\n";
  return out;
}

}  // namespace

Result<Json> read_message(const Json& request) {
  const Arguments in(request);
  const std::string text = message_text(request);
  if (text.empty()) return invalid("Invalid parameter: Empty message");
  if (text.size() > kMessageBytesMax) return invalid("Invalid parameter: Message too long");
  Json message = Json::object();
  MR_TRY(subject, in.text_or("Subject", ""));
  if (count_code_points(subject) > kSubjectMax ||
      std::any_of(subject.begin(), subject.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
    return invalid("Invalid parameter: Subject");
  MR_TRY(structure, in.text_or("MessageStructure", ""));
  if (!structure.empty() && structure != "json") return invalid("Invalid parameter: MessageStructure");
  if (!structure.empty()) MR_DO(check_structure(text));
  MR_DO(check_attributes(in));
  if (!subject.empty()) message["Subject"] = subject;
  message["Message"] = text;
  if (!structure.empty()) message["MessageStructure"] = structure;
  if (in.has("MessageAttributes")) message["MessageAttributes"] = request["MessageAttributes"];
  return message;
}

std::string text_for(const Json& message, const std::string& protocol) {
  const std::string text = text_at(message, {"Message"});
  if (!message.contains("MessageStructure")) return text;
  const Json entries = Json::parse(text, nullptr, false);
  const std::string own = text_at(entries, {protocol});
  return own.empty() ? text_at(entries, {"default"}) : own;
}

Json notification(const Json& message, const std::string& protocol) {
  Json out = {{"Type", "Notification"},
              {"MessageId", text_at(message, {"MessageId"})},
              {"TopicArn", text_at(message, {"TopicArn"})}};
  if (message.contains("Subject")) out["Subject"] = message["Subject"];
  out["Message"] = text_for(message, protocol);
  out["Timestamp"] = text_at(message, {"Timestamp"});
  if (const Json attributes = shown_attributes(message); !attributes.empty())
    out["MessageAttributes"] = attributes;
  return out;
}

Json function_event(const Json& message, const std::string& subscription_arn) {
  Json sns = notification(message, "lambda");
  if (!sns.contains("Subject")) sns["Subject"] = nullptr;
  if (!sns.contains("MessageAttributes")) sns["MessageAttributes"] = Json::object();
  return {{"Records", Json::array({{{"EventSource", "aws:sns"},
                                    {"EventVersion", "1.0"},
                                    {"EventSubscriptionArn", subscription_arn},
                                    {"Sns", std::move(sns)}}})}};
}

std::string mail_text(const Json& message, const std::string& protocol, const std::string& from,
                      const std::string& to, Instant now) {
  const bool whole = protocol == "email-json";
  const std::string text =
      whole ? std::string(to_payload(notification(message, "email")).text()) : text_for(message, "email");
  const std::string subject = message.contains("Subject") ? text_at(message, {"Subject"}) : "Notification";
  return "From: " + from + "\r\nTo: " + to + "\r\nSubject: " + encoded_subject(subject) +
         "\r\nDate: " + mail_date(now) + "\r\nMessage-ID: <" + text_at(message, {"MessageId"}) + "@" +
         from.substr(from.find('@') + 1) +
         ">\r\nMIME-Version: 1.0\r\nContent-Type: " + (whole ? "application/json" : "text/plain") +
         "; charset=UTF-8\r\n" + mail_body(text);
}

bool is_mail_address(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
         text.find('@', at + 1) == text.npos && std::none_of(text.begin(), text.end(), [](unsigned char c) {
           return c <= 0x20 || c >= 0x7F ||
                  std::string_view("<>()[],;:\\\"").find(static_cast<char>(c)) != std::string_view::npos;
         });
}

}  // namespace millrace::tasks
