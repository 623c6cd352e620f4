#include "service/api/sns.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/api/library_call.h"

namespace millrace::api {
namespace {

constexpr std::string_view kNamespace = "http://sns.amazonaws.com/doc/2010-03-31/";
constexpr int kDepthMax = 8;

struct SnsOperation {
  std::string_view name;
  bool result;  // answers with a …Result element
};
constexpr SnsOperation kOperations[] = {
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

std::string form_text(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced);
}

// A form's names, cut at their dots, as a tree.
struct FormNode {
  std::string value;
  std::map<std::string, FormNode, std::less<>> children;
};

Json document_of(const FormNode& node);

// Children "1", "2", … in the order of their numbers.
std::vector<const FormNode*> numbered(const FormNode& node) {
  std::map<int, const FormNode*> sorted;
  for (const auto& [name, child] : node.children) {
    int number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    sorted[number] = &child;
  }
  std::vector<const FormNode*> list;
  for (const auto& [number, child] : sorted) list.push_back(child);
  return list;
}

const FormNode* child_of(const FormNode& node, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const auto found = node.children.find(name); found != node.children.end()) return &found->second;
  return nullptr;
}

Json document_of(const FormNode& node) {
  if (node.children.empty()) return node.value;
  if (const FormNode* members = child_of(node, {"member"})) {
    Json list = Json::array();
    for (const FormNode* one : numbered(*members)) list.push_back(document_of(*one));
    return list;
  }
  Json object = Json::object();
  if (const FormNode* entries = child_of(node, {"entry"})) {
    for (const FormNode* entry : numbered(*entries)) {
      const FormNode* key = child_of(*entry, {"key", "Name"});
      const FormNode* value = child_of(*entry, {"value", "Value"});
      if (key) object[key->value] = value ? document_of(*value) : Json("");
    }
    return object;
  }
  for (const auto& [name, child] : node.children) object[name] = document_of(child);
  return object;
}

std::string element(std::string_view name, std::string_view content) {
  return "<" + std::string(name) + ">" + std::string(content) + "</" + std::string(name) + ">";
}

std::string content_of(std::string_view name, const Json& value) {
  if (value.is_string()) return escape_xml(value.get_ref<const std::string&>());
  std::string out;
  if (value.is_array()) {
    for (const Json& one : value) out += element("member", content_of("member", one));
  } else if (value.is_object() && name == "Attributes") {
    for (const auto& [key, one] : value.items())
      out += element("entry", element("key", escape_xml(key)) + element("value", content_of("value", one)));
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

http::Response refused(const ApiError& error, const std::string& id) {
  // The Query protocol's codes are those of the SDKs' classes without the last word.
  std::string code = error.code;
  if (code.ends_with("Exception") && code != "ValidationException") code.resize(code.size() - 9);
  const std::string about = element("Type", error.status < 500 ? "Sender" : "Receiver") +
                            element("Code", escape_xml(code)) + element("Message", escape_xml(error.message));
  return xml(error.status,
             "<ErrorResponse xmlns=\"" + std::string(kNamespace) + "\">" + element("Error", about) +
                 element("RequestId", id) + "</ErrorResponse>",
             id);
}

http::Response answered(const SnsOperation& operation, const Payload& answer, const std::string& id) {
  const std::string name(operation.name);
  const std::string result =
      operation.result ? element(name + "Result", query_xml(to_json(answer.view()))) : "";
  return xml(200,
             "<" + name + "Response xmlns=\"" + std::string(kNamespace) + "\">" + result +
                 element("ResponseMetadata", element("RequestId", id)) + "</" + name + "Response>",
             id);
}

std::string_view form_of(const http::Request& request) {
  return request.body.empty() ? std::string_view(request.query) : std::string_view(request.body);
}

}  // namespace

Result<Json> parse_query_form(std::string_view form) {
  FormNode root;
  while (!form.empty()) {
    const std::size_t end = form.find('&');
    const std::string_view pair = form.substr(0, end);
    form = end == std::string_view::npos ? std::string_view() : form.substr(end + 1);
    const std::size_t equals = pair.find('=');
    const std::string name = form_text(pair.substr(0, equals));
    if (name.empty()) continue;
    FormNode* node = &root;
    std::string_view rest = name;
    for (int depth = 0; !rest.empty(); ++depth) {
      if (depth > kDepthMax) return invalid("the parameter " + name + " is nested too deeply");
      const std::size_t dot = rest.find('.');
      node = &node->children[std::string(rest.substr(0, dot))];
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    }
    if (equals != std::string_view::npos) node->value = form_text(pair.substr(equals + 1));
  }
  Json document = Json::object();
  for (const auto& [name, child] : root.children) document[name] = document_of(child);
  return document;
}

std::string query_xml(const Json& object) {
  std::string out;
  for (const auto& [name, value] : object.items())
    if (!value.is_null()) out += element(name, content_of(name, value));
  return out;
}

bool SnsApi::serves(const http::Request& request) {
  constexpr std::string_view kParameter = "Version=2010-03-31";
  const std::string_view form = form_of(request);
  const std::size_t at = form.find(kParameter);
  return request.path == "/" && request.header("x-amz-target").empty() && at != std::string_view::npos &&
         (at == 0 || form[at - 1] == '&');
}

void SnsApi::handle(http::ExchangePtr exchange) {
  const std::string id = uuid_v4(random_);
  auto input = parse_query_form(form_of(exchange->request()));
  if (!input) return exchange->respond(refused({"ValidationError", input.error().message, 400}, id));
  const auto named = input->find("Action");
  const std::string action = named != input->end() && named->is_string() ? named->get<std::string>() : "";
  const auto operation = std::find_if(std::begin(kOperations), std::end(kOperations),
                                      [&](const SnsOperation& one) { return one.name == action; });
  if (operation == std::end(kOperations))
    return exchange->respond(refused({"InvalidAction", "SNS has no action '" + action + "' here", 400}, id));
  input->erase("Action");
  input->erase("Version");
  call_library(library_, "sns", library_operation(action), to_payload(*input), "the SNS API",
               [exchange, id, operation](const Answer& answer) {
                 exchange->respond(answer ? answered(*operation, *answer, id) : refused(answer.error(), id));
               });
}

}  // namespace millrace::api
