#include "service/api/access.h"

#include <algorithm>

#include "orchestrator/arns.h"
#include "service/api/call.h"

namespace millrace::api {
namespace {

using About = AccessRow::About;
using auth::Demand;

std::string arn_of(const ArnPlace& place, std::string_view type, std::string_view name) {
  return "arn:aws:states:" + place.region + ":" + place.account + ":" + std::string(type) + ":" +
         std::string(name);
}

// The resource an ARN names, here; a state machine's is without its version or alias, which is `also`.
Demand resource_demand(std::string action, std::string_view text, const ArnPlace& place) {
  const auto arn = orchestrator::parse_arn(text);
  if (!arn) return {std::move(action), "*"};
  std::string plain = arn_of(place, arn->type, arn->name), whole = plain;
  if (!arn->qualifier.empty()) whole += ":" + arn->qualifier;
  if (!arn->id.empty()) whole += ":" + arn->id;
  if (arn->type != "stateMachine") return {std::move(action), std::move(whole)};
  return {std::move(action), std::move(plain), arn->qualifier.empty() ? std::string() : std::move(whole)};
}

std::string string_member(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  return found && found.is_string() ? found.string() : std::string();
}

void add_versions(std::vector<Demand>& demands, const std::string& action, JsonView routes,
                  const ArnPlace& place) {
  if (!routes || !routes.is_array()) return;
  for (const JsonView route : routes.elements()) {
    if (route.is_object())
      demands.push_back(resource_demand(action, string_member(route, "stateMachineVersionArn"), place));
  }
}

bool is_true(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  return found && found.boolean();
}

}  // namespace

std::span<const AccessRow> access_rows() {
  static constexpr AccessRow kRows[] = {
      {"CreateActivity", About::NewActivity, "name"},
      {"CreateStateMachine", About::NewMachine, "name", {}, "definition"},
      {"CreateStateMachineAlias", About::Versions, "routingConfiguration"},
      {"DeleteActivity", About::Resource, "activityArn"},
      {"DeleteStateMachine", About::Resource, "stateMachineArn"},
      {"DeleteStateMachineAlias", About::Resource, "stateMachineAliasArn"},
      {"DeleteStateMachineVersion", About::Resource, "stateMachineVersionArn"},
      {"DescribeActivity", About::Resource, "activityArn"},
      {"DescribeExecution", About::Resource, "executionArn"},
      {"DescribeMapRun", About::Resource, "mapRunArn"},
      {"DescribeStateMachine", About::Resource, "stateMachineArn"},
      {"DescribeStateMachineAlias", About::Resource, "stateMachineAliasArn"},
      {"DescribeStateMachineForExecution", About::Resource, "executionArn"},
      {"GetActivityTask", About::Resource, "activityArn"},
      {"GetExecutionHistory", About::Resource, "executionArn"},
      {"ListActivities"},
      {"ListExecutions", About::Resource, "stateMachineArn", "mapRunArn"},
      {"ListMapRuns", About::Resource, "executionArn"},
      {"ListStateMachineAliases", About::Resource, "stateMachineArn"},
      {"ListStateMachineVersions", About::Resource, "stateMachineArn"},
      {"ListStateMachines"},
      {"ListTagsForResource", About::Resource, "resourceArn"},
      {"PublishStateMachineVersion", About::Resource, "stateMachineArn"},
      {"RedriveExecution", About::Resource, "executionArn"},
      // A token is signed and says itself which task it is for: to hold it is the right to answer that task.
      {"SendTaskFailure"},
      {"SendTaskHeartbeat"},
      {"SendTaskSuccess"},
      {"StartExecution", About::Resource, "stateMachineArn"},
      {"StartSyncExecution", About::Resource, "stateMachineArn"},
      {"StopExecution", About::Resource, "executionArn"},
      {"TagResource", About::Resource, "resourceArn"},
      // What its task does is demanded where it is known: when the state has been entered.
      {"TestState"},
      {"UntagResource", About::Resource, "resourceArn"},
      {"UpdateMapRun", About::Resource, "mapRunArn"},
      {"UpdateStateMachine", About::Resource, "stateMachineArn", {}, "definition"},
      {"UpdateStateMachineAlias", About::Resource, "stateMachineAliasArn"},
      {"ValidateStateMachineDefinition"},
  };
  return kRows;
}

std::vector<Demand> states_demands(std::string_view operation, std::string_view body, const ArnPlace& place) {
  const std::string action = "states:" + std::string(operation);
  const auto rows = access_rows();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const AccessRow& candidate) { return candidate.operation == operation; });
  const auto document = Payload::parse(body);
  if (row == rows.end() || row->about == About::Everything || !document || !document->view().is_object())
    return {{action, "*"}};
  const JsonView input = document->view();
  std::vector<Demand> demands;
  switch (row->about) {
    case About::Everything:
      break;
    case About::Resource: {
      const std::string first = string_member(input, row->member);
      demands.push_back(
          resource_demand(action, first.empty() ? string_member(input, row->otherwise) : first, place));
      break;
    }
    case About::NewMachine:
      demands.push_back({action, arn_of(place, "stateMachine", string_member(input, row->member))});
      break;
    case About::NewActivity:
      demands.push_back({action, arn_of(place, "activity", string_member(input, row->member))});
      break;
    case About::Versions:
      add_versions(demands, action, member(input, row->member), place);
      break;
  }
  if (demands.empty()) demands.push_back({action, "*"});
  const std::string resource = demands.front().resource;
  // Done together with the operation, and rights of their own.
  if (is_true(input, "publish")) demands.push_back({"states:PublishStateMachineVersion", resource});
  if (operation.starts_with("Create") && member(input, "tags"))
    demands.push_back({"states:TagResource", resource});
  if (operation == "UpdateStateMachineAlias")
    add_versions(demands, action, member(input, "routingConfiguration"), place);
  if (!row->definition.empty()) {
    for (Demand& demand : definition_demands(string_member(input, row->definition), place))
      demands.push_back(std::move(demand));
  }
  return demands;
}

}  // namespace millrace::api
