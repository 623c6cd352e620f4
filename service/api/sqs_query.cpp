#include "service/api/sqs_query.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kSqsNamespace = "http://queue.amazonaws.com/doc/2012-11-05/";

enum class Form { List, Objects, NameValue, KeyValue };
struct FormMember {
  std::string_view form;    // "Attribute" of Attribute.1.Name
  std::string_view member;  // "Attributes"
  Form kind;
};
constexpr FormMember kFormMembers[] = {
    {"Attribute", "Attributes", Form::NameValue},
    {"AttributeName", "AttributeNames", Form::List},
    {"ChangeMessageVisibilityBatchRequestEntry", "Entries", Form::Objects},
    {"DeleteMessageBatchRequestEntry", "Entries", Form::Objects},
    {"MessageAttribute", "MessageAttributes", Form::NameValue},
    {"MessageAttributeName", "MessageAttributeNames", Form::List},
    {"MessageSystemAttribute", "MessageSystemAttributes", Form::NameValue},
    {"MessageSystemAttributeName", "MessageSystemAttributeNames", Form::List},
    {"SendMessageBatchRequestEntry", "Entries", Form::Objects},
    {"Tag", "Tags", Form::KeyValue},
    {"TagKey", "TagKeys", Form::List},
};
constexpr std::string_view kNumbers[] = {"DelaySeconds", "MaxNumberOfMessages", "MaxResults",
                                         "VisibilityTimeout", "WaitTimeSeconds"};
constexpr std::string_view kNoMembers[] = {"Action", "Version"};

struct XmlMember {
  std::string_view member, element;
  Form kind;
};
constexpr XmlMember kXmlMembers[] = {
    {"Attributes", "Attribute", Form::NameValue},
    {"Failed", "BatchResultErrorEntry", Form::Objects},
    {"MessageAttributes", "MessageAttribute", Form::NameValue},
    {"Messages", "Message", Form::Objects},
    {"QueueUrls", "QueueUrl", Form::Objects},
    {"Successful", "", Form::Objects},  // OPERATIONResultEntry
    {"Tags", "Tag", Form::KeyValue},
    {"queueUrls", "QueueUrl", Form::Objects},
};

constexpr std::pair<std::string_view, std::string_view> kCodes[] = {
    {"BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"},
    {"BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"},
    {"EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"},
    {"InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"},
    {"MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"},
    {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
    {"QueueNameExists", "QueueAlreadyExists"},
    {"TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"},
    {"UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"},
};

void write_object(JsonWriter& out, const FormNode& node);

void write_text(JsonWriter& out, std::string_view name, const std::string& value) {
  const bool number = std::find(std::begin(kNumbers), std::end(kNumbers), name) != std::end(kNumbers);
  std::int64_t whole = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), whole);
  if (number && error == std::errc() && end == value.data() + value.size())
    out.number(whole);
  else
    out.string(value);
}

void write_member(JsonWriter& out, const FormMember& row, const FormNode& node) {
  out.key(row.member);
  if (row.kind == Form::List || row.kind == Form::Objects) {
    out.begin_array();
    for (const auto& [number, child] : node.children) {
      if (row.kind == Form::List)
        out.string(child.value);
      else
        write_object(out, child);
    }
    out.end_array();
    return;
  }
  const char* name = row.kind == Form::KeyValue ? "Key" : "Name";
  std::map<std::string, const FormNode*> named;  // each name once
  for (const auto& [number, child] : node.children) named[child.text_at(name)] = &child;
  out.begin_object();
  for (const auto& [key, child] : named) {
    out.key(key);
    const FormNode* const value = child->child("Value");
    if (value && !value->children.empty())
      write_object(out, *value);
    else
      out.string(child->text_at("Value"));
  }
  out.end_object();
}

void write_object(JsonWriter& out, const FormNode& node) {
  out.begin_object();
  for (const auto& [name, child] : node.children) {
    const auto* row =
        std::find_if(std::begin(kFormMembers), std::end(kFormMembers),
                     [&, n = std::string_view(name)](const FormMember& m) { return m.form == n; });
    if (row != std::end(kFormMembers) && !child.children.empty()) {
      write_member(out, *row, child);
    } else if (child.children.empty()) {
      out.key(name);
      write_text(out, name, child.value);
    }
  }
  out.end_object();
}

std::string xml_of(JsonView value, std::string_view operation);

std::string xml_member(std::string_view name, JsonView value, std::string_view operation) {
  const auto* row = std::find_if(std::begin(kXmlMembers), std::end(kXmlMembers),
                                 [&](const XmlMember& m) { return m.member == name; });
  if (row == std::end(kXmlMembers)) return xml_element(name, xml_of(value, operation));
  std::string out;
  if (row->kind == Form::Objects) {
    const std::string inner =
        row->element.empty() ? std::string(operation) + "ResultEntry" : std::string(row->element);
    for (const JsonView one : value.elements()) out += xml_element(inner, xml_of(one, operation));
    return out;
  }
  const char* key_name = row->kind == Form::KeyValue ? "Key" : "Name";
  for (const auto [key, one] : value.members())
    out += xml_element(row->element, xml_element(key_name, escape_xml(key.string())) +
                                         xml_element("Value", xml_of(one, operation)));
  return out;
}

std::string xml_of(JsonView value, std::string_view operation) {
  if (value.is_string()) return escape_xml(value.string());
  if (!value.is_object()) return std::string(value.text());
  std::string out;
  for (const auto [key, one] : value.members()) out += xml_member(key.string(), one, operation);
  return out;
}

}  // namespace

Result<Payload> sqs_input_of_form(std::map<std::string, std::string> form) {
  for (const std::string_view name : kNoMembers) form.erase(std::string(name));
  MR_TRY(root, form_tree(form));
  JsonWriter out;
  write_object(out, root);
  return out.finish();
}

std::string sqs_answer_xml(std::string_view operation, const Payload& answer, std::string_view request_id) {
  const std::string name(operation);
  std::string out =
      "<?xml version=\"1.0\"?><" + name + "Response xmlns=\"" + std::string(kSqsNamespace) + "\">";
  if (answer.view().size() > 0) out += xml_element(name + "Result", xml_of(answer.view(), operation));
  out += xml_element("ResponseMetadata", xml_element("RequestId", request_id));
  return out + "</" + name + "Response>";
}

std::string sqs_error_xml(std::string_view code, std::string_view message, bool sender,
                          std::string_view request_id) {
  return "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"" + std::string(kSqsNamespace) + "\">" +
         xml_element("Error", xml_element("Type", sender ? "Sender" : "Receiver") +
                                  xml_element("Code", sqs_query_code(code)) +
                                  xml_element("Message", escape_xml(message)) + "<Detail/>") +
         xml_element("RequestId", request_id) + "</ErrorResponse>";
}

std::string sqs_query_code(std::string_view code) {
  for (const auto& [json, query] : kCodes)
    if (json == code) return std::string(query);
  return std::string(code);
}

}  // namespace millrace::api
