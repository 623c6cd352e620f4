#include "service/api/sns.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/api/form.h"
#include "service/api/library_call.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kSnsNamespace = "http://sns.amazonaws.com/doc/2010-03-31/";

struct SnsOperation {
  std::string_view name;
  bool result;  // answers with a …Result element
};
constexpr SnsOperation kSnsOperations[] = {
    {"CreateTopic", true},
    {"DeleteTopic", false},
    {"GetSubscriptionAttributes", true},
    {"GetTopicAttributes", true},
    {"ListSubscriptions", true},
    {"ListSubscriptionsByTopic", true},
    {"ListTopics", true},
    {"Publish", true},
    {"PublishBatch", true},
    {"SetSubscriptionAttributes", false},
    {"Subscribe", true},
    {"Unsubscribe", false},
};

const FormNode* either(const FormNode& node, std::string_view name, std::string_view other) {
  const FormNode* const found = node.child(name);
  return found ? found : node.child(other);
}

Json sns_document(const FormNode& node) {
  if (node.children.empty()) return node.value;
  if (const FormNode* members = node.child("member")) {
    Json list = Json::array();
    for (const auto& [number, one] : members->children) list.push_back(sns_document(one));
    return list;
  }
  Json object = Json::object();
  if (const FormNode* entries = node.child("entry")) {
    for (const auto& [number, entry] : entries->children) {
      const FormNode* key = either(entry, "key", "Name");
      const FormNode* value = either(entry, "value", "Value");
      if (key) object[key->value] = value ? sns_document(*value) : Json("");
    }
    return object;
  }
  for (const auto& [name, child] : node.children) object[name] = sns_document(child);
  return object;
}

std::string sns_content(std::string_view name, const Json& value) {
  if (value.is_string()) return escape_xml(value.get_ref<const std::string&>());
  std::string out;
  if (value.is_array()) {
    for (const Json& one : value) out += xml_element("member", sns_content("member", one));
  } else if (value.is_object() && name == "Attributes") {
    for (const auto& [key, one] : value.items())
      out += xml_element(
          "entry", xml_element("key", escape_xml(key)) + xml_element("value", sns_content("value", one)));
  } else if (value.is_object()) {
    out = query_xml(value);
  } else {
    out = value.dump();
  }
  return out;
}

http::Response xml(int status, std::string body, const std::string& id) {
  http::Response response;
  response.status = status;
  response.content_type = "text/xml";
  response.headers.push_back({"x-amzn-RequestId", id});
  response.body = std::move(body);
  return response;
}

http::Response sns_refused(const ApiError& error, const std::string& id) {
  // The Query protocol's codes are those of the SDKs' classes without the last word.
  std::string code = error.code;
  if (code.ends_with("Exception") && code != "ValidationException") code.resize(code.size() - 9);
  const std::string about = xml_element("Type", error.status < 500 ? "Sender" : "Receiver") +
                            xml_element("Code", escape_xml(code)) +
                            xml_element("Message", escape_xml(error.message));
  return xml(error.status,
             "<ErrorResponse xmlns=\"" + std::string(kSnsNamespace) + "\">" + xml_element("Error", about) +
                 xml_element("RequestId", id) + "</ErrorResponse>",
             id);
}

http::Response sns_answered(const SnsOperation& operation, const Payload& answer, const std::string& id) {
  const std::string name(operation.name);
  const std::string result =
      operation.result ? xml_element(name + "Result", query_xml(to_json(answer.view()))) : "";
  return xml(200,
             "<" + name + "Response xmlns=\"" + std::string(kSnsNamespace) + "\">" + result +
                 xml_element("ResponseMetadata", xml_element("RequestId", id)) + "</" + name + "Response>",
             id);
}

std::string_view sns_form(const http::Request& request) {
  return request.body.empty() ? std::string_view(request.query) : std::string_view(request.body);
}

}  // namespace

Result<Json> parse_query_form(std::string_view form) {
  MR_TRY(root, form_tree(parse_form(form)));
  Json document = Json::object();
  for (const auto& [name, child] : root.children) document[name] = sns_document(child);
  return document;
}

std::string query_xml(const Json& object) {
  std::string out;
  for (const auto& [name, value] : object.items())
    if (!value.is_null()) out += xml_element(name, sns_content(name, value));
  return out;
}

bool SnsApi::serves(const http::Request& request) {
  constexpr std::string_view kParameter = "Version=2010-03-31";
  const std::string_view form = sns_form(request);
  const std::size_t at = form.find(kParameter);
  return request.path == "/" && request.header("x-amz-target").empty() && at != std::string_view::npos &&
         (at == 0 || form[at - 1] == '&');
}

void SnsApi::handle(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  auto input = parse_query_form(sns_form(exchange->request()));
  if (!input) return exchange->respond(sns_refused({"ValidationError", input.error().message, 400}, id));
  const auto named = input->find("Action");
  const std::string action = named != input->end() && named->is_string() ? named->get<std::string>() : "";
  const auto operation = std::find_if(std::begin(kSnsOperations), std::end(kSnsOperations),
                                      [&](const SnsOperation& one) { return one.name == action; });
  if (operation == std::end(kSnsOperations))
    return exchange->respond(
        sns_refused({"InvalidAction", "SNS has no action '" + action + "' here", 400}, id));
  input->erase("Action");
  input->erase("Version");
  call_library(
      library_, "sns", library_operation(action), to_payload(*input), "the SNS API",
      [exchange, id, operation](const Answer& answer) {
        exchange->respond(answer ? sns_answered(*operation, *answer, id) : sns_refused(answer.error(), id));
      });
}

}  // namespace millrace::api
