#include "service/api/cloudwatch_query.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "base/utf8.h"
#include "service/api/form.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kCloudWatchNamespace = "http://monitoring.amazonaws.com/doc/2010-08-01/";

constexpr std::string_view kCloudWatchNumbers[] = {
    "Counts", "DatapointsToAlarm", "EvaluationPeriods", "MaxDatapoints", "MaxRecords", "Maximum", "Minimum",
    "Period", "SampleCount",       "StorageResolution", "Sum",           "Threshold",  "Values"};
constexpr std::string_view kCloudWatchFlags[] = {"ActionsEnabled", "IncludeLinkedAccounts", "ReturnData",
                                                 "StrictEntityValidation"};

template <std::size_t N>
bool is_among(std::string_view name, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// A dimension's and a tag's Value is a text, a datum's is a number.
bool is_form_number(std::string_view name, std::string_view list) {
  return name == "Value" ? list == "MetricData" : is_among(name, kCloudWatchNumbers);
}

Status write_form_text(JsonWriter& out, std::string_view name, std::string_view list,
                       const std::string& text) {
  if (is_form_number(name, list)) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto parsed = Payload::parse(text);
    if (error != std::errc() || end != text.data() + text.size() || !parsed || !parsed->view().is_number())
      return invalid("The value " + text + " for parameter " + std::string(name) + " is no number.");
    out.value(*parsed);
  } else if (is_among(name, kCloudWatchFlags)) {
    if (text != "true" && text != "false")
      return invalid("The value " + text + " for parameter " + std::string(name) + " is not true or false.");
    out.boolean(text == "true");
  } else {
    out.string(text);
  }
  return {};
}

// `list`: the list whose element this is a member of.
Status write_form_node(JsonWriter& out, const FormNode& node, std::string_view name, std::string_view list) {
  if (node.children.empty()) return write_form_text(out, name, list, node.value);
  if (const FormNode* members = node.child("member")) {
    out.begin_array();
    for (const auto& [number, one] : members->children) MR_DO(write_form_node(out, one, name, name));
    out.end_array();
    return {};
  }
  out.begin_object();
  for (const auto& [member, child] : node.children) {
    out.key(member);
    MR_DO(write_form_node(out, child, member, list));
  }
  out.end_object();
  return {};
}

std::string xml_content(std::string_view name, JsonView value) {
  if (value.is_string()) return escape_xml(value.string());
  if (value.is_number() && is_cloudwatch_time(name))
    return format_rfc3339(from_millis(static_cast<std::int64_t>(value.number() * 1000 + 0.5)));
  std::string out;
  if (value.is_array()) {
    for (const JsonView one : value.elements()) out += xml_element("member", xml_content(name, one));
  } else if (value.is_object()) {
    for (const auto [key, one] : value.members()) {
      const std::string member = key.string();
      const std::string inside = xml_content(member, one);
      out += name == "ExtendedStatistics"
                 ? xml_element("entry", xml_element("key", escape_xml(member)) + xml_element("value", inside))
                 : xml_element(member, inside);
    }
  } else {
    out = value.text();
  }
  return out;
}

}  // namespace

bool is_cloudwatch_time(std::string_view name) {
  return name.ends_with("Timestamp") || name == "Timestamps";
}

std::string cloudwatch_action(std::string_view form) {
  return parameter(form, "Action");
}

Result<Payload> cloudwatch_input_of_form(std::string_view form) {
  auto parameters = parse_form(form);
  parameters.erase("Action");
  parameters.erase("Version");
  for (const auto& [name, value] : parameters)
    if (!valid_utf8(name) || !valid_utf8(value)) return invalid("the form holds a text that is no UTF-8");
  MR_TRY(root, form_tree(parameters));
  JsonWriter out;
  out.begin_object();
  for (const auto& [name, child] : root.children) {
    out.key(name);
    // An empty list is sent as "Dimensions=".
    if (child.children.empty() && child.value.empty())
      out.null();
    else
      MR_DO(write_form_node(out, child, name, ""));
  }
  out.end_object();
  return out.finish();
}

std::string cloudwatch_answer_xml(std::string_view operation, JsonView answer, std::string_view request_id) {
  const std::string name(operation);
  const bool tags = operation == "TagResource" || operation == "UntagResource";
  const std::string result =
      answer.size() > 0 || tags ? xml_element(name + "Result", xml_content("", answer)) : "";
  return "<" + name + "Response xmlns=\"" + std::string(kCloudWatchNamespace) + "\">" + result +
         xml_element("ResponseMetadata", xml_element("RequestId", request_id)) + "</" + name + "Response>";
}

std::string cloudwatch_error_xml(std::string_view code, std::string_view message, bool senders,
                                 std::string_view request_id) {
  return "<ErrorResponse xmlns=\"" + std::string(kCloudWatchNamespace) + "\">" +
         xml_element("Error", xml_element("Type", senders ? "Sender" : "Receiver") +
                                  xml_element("Code", escape_xml(code)) +
                                  xml_element("Message", escape_xml(message))) +
         xml_element("RequestId", request_id) + "</ErrorResponse>";
}

std::string_view cloudwatch_query_code(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kCodes[] = {
      {"InternalServerError", "InternalServiceError"},
      {"InternalServiceFault", "InternalServiceError"},
      {"InvalidFormatFault", "InvalidFormat"},
      {"InvalidParameterCombinationException", "InvalidParameterCombination"},
      {"InvalidParameterValueException", "InvalidParameterValue"},
      {"LimitExceededFault", "LimitExceeded"},
      {"MissingRequiredParameterException", "MissingParameter"},
      {"ThrottlingException", "Throttling"},
      {"UnknownOperationException", "InvalidAction"},
  };
  for (const auto& [from, to] : kCodes)
    if (from == name) return to;
  return name;
}

}  // namespace millrace::api
