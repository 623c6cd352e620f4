#include "service/api/sqs_query.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/encoding.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kSqsNamespace = "http://queue.amazonaws.com/doc/2012-11-05/";
constexpr int kSqsDepthMax = 8;

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

// A name's parts as a tree; numbered children in the order of their numbers.
struct ByNumber {
  bool operator()(const std::string& a, const std::string& b) const {
    return a.size() != b.size() && std::isdigit(static_cast<unsigned char>(a[0])) &&
                   std::isdigit(static_cast<unsigned char>(b[0]))
               ? a.size() < b.size()
               : a < b;
  }
};
struct FormNode {
  std::string value;
  std::map<std::string, FormNode, ByNumber> children;
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
  const auto text_at = [](const FormNode& of, const char* name) {
    const auto found = of.children.find(name);
    return found == of.children.end() ? std::string() : found->second.value;
  };
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
  for (const auto& [number, child] : node.children) named[text_at(child, name)] = &child;
  out.begin_object();
  for (const auto& [key, child] : named) {
    out.key(key);
    const auto value = child->children.find("Value");
    if (value != child->children.end() && !value->second.children.empty())
      write_object(out, value->second);
    else
      out.string(text_at(*child, "Value"));
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

std::map<std::string, std::string> parse_form(std::string_view text) {
  std::map<std::string, std::string> form;
  const auto decode = [](std::string_view part) {
    std::string plain(part);
    std::replace(plain.begin(), plain.end(), '+', ' ');
    return percent_decode(plain);
  };
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (!pair.empty())
      form[decode(pair.substr(0, equals))] =
          equals == std::string_view::npos ? "" : decode(pair.substr(equals + 1));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return form;
}

Payload sqs_input_of_form(const std::map<std::string, std::string>& form) {
  FormNode root;
  for (const auto& [name, value] : form) {
    if (std::find(std::begin(kNoMembers), std::end(kNoMembers), name) != std::end(kNoMembers)) continue;
    FormNode* at = &root;
    std::string_view rest = name;
    for (int depth = 0; depth < kSqsDepthMax && !rest.empty(); ++depth) {
      const std::size_t dot = rest.find('.');
      if (dot != 0) at = &at->children[std::string(rest.substr(0, dot))];
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    }
    at->value = value;
  }
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
