// The rights that the states of a definition need. Of a member that is there twice the last counts, here as
// where it is compiled: that is how documents are read.

#include <algorithm>
#include <cctype>
#include <set>

#include "definitions/resource.h"
#include "orchestrator/arns.h"
#include "service/api/access.h"
#include "tasks/functions/lambda.h"

namespace millrace::api {
namespace {

using auth::Demand;
using Texts = std::vector<std::string>;

// What stands for a value that is known only when the workflow runs.
const std::string kAnything = "*";

// All that the member may be: its values as written, "*" for paths and expressions, nothing when it is
// absent.
Texts values_of(JsonView arguments, std::string_view name) {
  if (!arguments) return {};
  if (!arguments.is_object()) return {kAnything};  // {% … %}: the arguments as a whole
  Texts values;
  for (const auto& [key, value] : arguments.members()) {
    const std::string given = key.string();
    if (given == std::string(name) + ".$") values.push_back(kAnything);
    if (given != name) continue;
    const std::string text = value.is_string() ? value.string() : kAnything;
    values.push_back(text.starts_with("{%") ? kAnything : text);
  }
  return values;
}

Demand function_demand(const std::string& text, const ArnPlace& place) {
  const auto function = tasks::parse_function_name(text, {place.region, place.account});
  const std::string prefix = "arn:aws:lambda:" + place.region + ":" + place.account + ":function:";
  if (!function) return {"lambda:InvokeFunction", prefix + "*"};
  const std::string plain = prefix + function->name;
  return {"lambda:InvokeFunction", plain,
          function->qualifier.empty() ? "" : plain + ":" + function->qualifier};
}

Demand machine_demand(const std::string& action, const std::string& text, const ArnPlace& place) {
  const std::string prefix = "arn:aws:states:" + place.region + ":" + place.account + ":stateMachine:";
  const auto arn = orchestrator::parse_arn(text, "stateMachine");
  // Such tasks take a name, too.
  if (!arn) return {action, prefix + (text.find(':') == std::string::npos ? text : kAnything)};
  return {action, prefix + arn->name,
          arn->qualifier.empty() ? "" : prefix + arn->name + ":" + arn->qualifier};
}

// IAM's name of a service where Step Functions has another.
std::string iam_service(std::string_view service) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"sfn", "states"}, {"eventbridge", "events"}, {"cloudwatchlogs", "logs"}};
  if (service.starts_with("aws-sdk:")) service.remove_prefix(8);
  for (const auto& [step_functions, iam] : kNames) {
    if (service == step_functions) return std::string(iam);
  }
  return std::string(service);
}

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string upper_first(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

// s3:getObject by Bucket and Key, s3:listObjectsV2 and the writing of results by Bucket and Prefix.
void add_object_demands(std::vector<Demand>& demands, const std::string& action, JsonView arguments) {
  const auto given = [&](std::string_view name) {
    Texts values = values_of(arguments, name);
    return values.empty() ? Texts{kAnything} : values;
  };
  const bool list = same_word(action, "listObjectsV2") || same_word(action, "listObjects");
  const bool write = same_word(action, "putObject");
  const std::string right = list ? "s3:ListBucket" : "s3:" + upper_first(action);
  for (const std::string& bucket : given("Bucket")) {
    if (list) {
      demands.push_back({right, "arn:aws:s3:::" + bucket});
      continue;
    }
    const bool by_prefix = write && values_of(arguments, "Key").empty();
    for (const std::string& key : given(by_prefix ? "Prefix" : "Key"))
      demands.push_back({right, "arn:aws:s3:::" + bucket + "/" + key + (by_prefix ? "/*" : "")});
  }
}

void walk_machine(std::vector<Demand>& demands, JsonView machine, const ArnPlace& place);

// A Task, or the reader or writer of a Map.
void walk_resource(std::vector<Demand>& demands, JsonView state, const ArnPlace& place) {
  const JsonView resource = state.find("Resource");
  if (!resource || !resource.is_string()) return;
  // A state has one of them, as its query language has it; what has both is asked for both.
  const JsonView parameters = state.find("Parameters"), arguments = state.find("Arguments");
  for (const JsonView given : {parameters, arguments}) {
    if (!given && (parameters || arguments)) continue;
    for (Demand& demand : task_demands(resource.string(), given, place)) demands.push_back(std::move(demand));
  }
}

void walk_state(std::vector<Demand>& demands, JsonView state, const ArnPlace& place) {
  if (!state.is_object()) return;
  walk_resource(demands, state, place);
  for (const auto& [key, value] : state.members()) {
    if (key.equals("Iterator") || key.equals("ItemProcessor")) walk_machine(demands, value, place);
    if ((key.equals("ItemReader") || key.equals("ResultWriter")) && value.is_object())
      walk_resource(demands, value, place);
    if (!key.equals("Branches") || !value.is_array()) continue;
    for (const JsonView branch : value.elements()) walk_machine(demands, branch, place);
  }
}

void walk_machine(std::vector<Demand>& demands, JsonView machine, const ArnPlace& place) {
  const JsonView states = machine.is_object() ? machine.find("States") : JsonView();
  if (!states || !states.is_object()) return;
  for (const auto& [name, state] : states.members()) walk_state(demands, state, place);
}

}  // namespace

std::vector<Demand> task_demands(std::string_view resource, JsonView arguments, const ArnPlace& place) {
  const auto parsed = definitions::parse_resource(resource);
  if (!parsed) return {};  // no definition has it: it does not compile
  using definitions::TaskFamily;
  if (parsed->family == TaskFamily::Activity) return {};  // a worker has to ask for it, with a key of his own
  if (parsed->family == TaskFamily::Lambda) return {function_demand(parsed->arn, place)};
  const std::string service = iam_service(parsed->resource_type);
  std::vector<Demand> demands;
  if (same_word(service, "lambda") && same_word(parsed->action, "invoke")) {
    for (const std::string& name : values_of(arguments, "FunctionName"))
      demands.push_back(function_demand(name, place));
    if (demands.empty()) demands.push_back(function_demand(kAnything, place));
  } else if (same_word(service, "states") && (same_word(parsed->action, "startExecution") ||
                                              same_word(parsed->action, "startSyncExecution"))) {
    const std::string action = "states:" + upper_first(parsed->action);
    for (const std::string& arn : values_of(arguments, "StateMachineArn"))
      demands.push_back(machine_demand(action, arn, place));
    if (demands.empty()) demands.push_back(machine_demand(action, kAnything, place));
  } else if (same_word(service, "s3")) {
    add_object_demands(demands, parsed->action, arguments);
  } else if (same_word(service, "http")) {
    demands.push_back({"states:InvokeHTTPEndpoint", kAnything});
  } else {
    demands.push_back({service + ":" + upper_first(parsed->action), kAnything});
  }
  return demands;
}

std::vector<Demand> definition_demands(std::string_view definition, const ArnPlace& place) {
  std::vector<Demand> demands;
  const auto document = Payload::parse(definition);
  if (document) walk_machine(demands, document->view(), place);
  // A thousand states that call one function ask once.
  const std::set<Demand> once(demands.begin(), demands.end());
  return {once.begin(), once.end()};
}

}  // namespace millrace::api
