#include "service/api/sns.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/api/library_call.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

constexpr std::string_view kSnsNamespace = "http://sns.amazonaws.com/doc/2010-03-31/";
constexpr int kSnsDepthMax = 8;

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

std::string sns_text(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced);
}

// A form's names, cut at their dots, as a tree.
struct SnsNode {
  std::string value;
  std::map<std::string, SnsNode, std::less<>> children;
};

Json sns_document(const SnsNode& node);

// Children "1", "2", … in the order of their numbers.
std::vector<const SnsNode*> sns_numbered(const SnsNode& node) {
  std::map<int, const SnsNode*> sorted;
  for (const auto& [name, child] : node.children) {
    int number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    sorted[number] = &child;
  }
  std::vector<const SnsNode*> list;
  for (const auto& [number, child] : sorted) list.push_back(child);
  return list;
}

const SnsNode* sns_child(const SnsNode& node, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const auto found = node.children.find(name); found != node.children.end()) return &found->second;
  return nullptr;
}

Json sns_document(const SnsNode& node) {
  if (node.children.empty()) return node.value;
  if (const SnsNode* members = sns_child(node, {"member"})) {
    Json list = Json::array();
    for (const SnsNode* one : sns_numbered(*members)) list.push_back(sns_document(*one));
    return list;
  }
  Json object = Json::object();
  if (const SnsNode* entries = sns_child(node, {"entry"})) {
    for (const SnsNode* entry : sns_numbered(*entries)) {
      const SnsNode* key = sns_child(*entry, {"key", "Name"});
      const SnsNode* value = sns_child(*entry, {"value", "Value"});
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
  SnsNode root;
  while (!form.empty()) {
    const std::size_t end = form.find('&');
    const std::string_view pair = form.substr(0, end);
    form = end == std::string_view::npos ? std::string_view() : form.substr(end + 1);
    const std::size_t equals = pair.find('=');
    const std::string name = sns_text(pair.substr(0, equals));
    if (name.empty()) continue;
    SnsNode* node = &root;
    std::string_view rest = name;
    for (int depth = 0; !rest.empty(); ++depth) {
      if (depth > kSnsDepthMax) return invalid("the parameter " + name + " is nested too deeply");
      const std::size_t dot = rest.find('.');
      node = &node->children[std::string(rest.substr(0, dot))];
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    }
    if (equals != std::string_view::npos) node->value = sns_text(pair.substr(equals + 1));
  }
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
