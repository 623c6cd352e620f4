// What calls of Step Functions need the right to.

#include "service/api/access.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "definitions/compile.h"
#include "service/api/operations.h"

using namespace millrace;
using namespace millrace::api;

namespace {

// "action resource", with " | other name of it", one a line.
std::string lines(const std::vector<auth::Demand>& demands) {
  std::string out;
  for (const auth::Demand& demand : demands) {
    std::string line =
        demand.action + " " + demand.resource + (demand.also.empty() ? "" : " | " + demand.also);
    // The long beginnings, short.
    for (const auto& [text, mark] :
         {std::pair<std::string, std::string>{"arn:aws:states:us-east-1:123456789012:", "S:"},
          {"arn:aws:lambda:us-east-1:123456789012:function:", "F:"},
          {"arn:aws:s3:::", "O:"}}) {
      for (std::size_t at = line.find(text); at != std::string::npos; at = line.find(text))
        line.replace(at, text.size(), mark);
    }
    out += (out.empty() ? "" : "; ") + line;
  }
  return out;
}

std::string call(std::string_view operation, std::string_view body) {
  return lines(states_demands(operation, body, {}));
}

std::string state(const std::string& text) {
  return lines(definition_demands(R"({"StartAt": "A", "States": {"A": )" + text + "}}", {}));
}

// An ARN of each kind, under the member's name.
std::string sample(std::string_view member) {
  const std::string prefix = "arn:aws:states:us-east-1:123456789012:";
  if (member == "executionArn") return prefix + "execution:m:e";
  if (member == "mapRunArn") return prefix + "mapRun:m/l:u";
  if (member == "activityArn") return prefix + "activity:a";
  if (member == "stateMachineAliasArn") return prefix + "stateMachine:m:LIVE";
  if (member == "stateMachineVersionArn") return prefix + "stateMachine:m:3";
  if (member == "name") return "new";
  return prefix + "stateMachine:m";
}

}  // namespace

TEST_CASE("access: every operation has its row, and every row its operation") {
  const auto rows = access_rows();
  REQUIRE(rows.size() == operations().size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(rows[i].operation);
    CHECK(rows[i].operation == operations()[i].name);
    // The members a row names are the operation's own, and an operation that takes an ARN is about one.
    const auto has = [&](std::string_view name) {
      return std::any_of(operations()[i].input.begin(), operations()[i].input.end(),
                         [&](const Member& member) { return member.name == name; });
    };
    if (!rows[i].member.empty()) CHECK(has(rows[i].member));
    if (!rows[i].otherwise.empty()) CHECK(has(rows[i].otherwise));
    if (!rows[i].definition.empty()) CHECK(has(rows[i].definition));
    for (const Member& member : operations()[i].input) {
      const bool names_resource = member.name.ends_with("Arn") && member.name != "roleArn";
      if (names_resource && member.required) CHECK(rows[i].member == member.name);
      if (member.name == "definition" && rows[i].operation != "TestState" &&
          rows[i].operation != "ValidateStateMachineDefinition")
        CHECK(rows[i].definition == "definition");
    }
  }
}

TEST_CASE("access: every operation demands itself, on the resource that its ARN names") {
  for (const AccessRow& row : access_rows()) {
    CAPTURE(row.operation);
    const std::string body = row.member.empty() || row.about == AccessRow::About::Versions
                                 ? "{}"
                                 : "{\"" + std::string(row.member) + "\": \"" + sample(row.member) + "\"}";
    const auto demands = states_demands(row.operation, body, {});
    REQUIRE(demands.size() == 1);
    CHECK(demands[0].action == "states:" + std::string(row.operation));
    const bool about_one =
        row.about != AccessRow::About::Everything && row.about != AccessRow::About::Versions;
    CHECK((demands[0].resource == "*") == !about_one);
    // What is no ARN could be anything.
    CHECK(states_demands(row.operation, "nonsense", {})[0].resource == "*");
  }
  CHECK(call("NoSuchOperation", "{}") == "states:NoSuchOperation *");
}

TEST_CASE("access: versions and aliases are their state machine, and themselves") {
  CHECK(call("StartExecution",
             R"({"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m:7"})") ==
        "states:StartExecution S:stateMachine:m | S:stateMachine:m:7");
  CHECK(call("DeleteStateMachineAlias",
             R"({"stateMachineAliasArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m:LIVE"})") ==
        "states:DeleteStateMachineAlias S:stateMachine:m | S:stateMachine:m:LIVE");
  CHECK(call("CreateStateMachineAlias", R"({"name": "LIVE", "routingConfiguration": [
               {"stateMachineVersionArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m:1", "weight": 50},
               {"stateMachineVersionArn": "arn:aws:states:us-east-1:123456789012:stateMachine:other:2", "weight": 50}]})") ==
        "states:CreateStateMachineAlias S:stateMachine:m | S:stateMachine:m:1; "
        "states:CreateStateMachineAlias S:stateMachine:other | S:stateMachine:other:2");
}

TEST_CASE("access: regions and accounts in an ARN do not make it another resource") {
  CHECK(call("StartExecution",
             R"({"stateMachineArn": "arn:aws-cn:states:eu-west-1:999999999999:stateMachine:m"})") ==
        "states:StartExecution S:stateMachine:m");
  CHECK(call("DescribeExecution", R"({"executionArn": "arn:aws:states:x:y:express:m:e:u"})") ==
        "states:DescribeExecution S:express:m:e:u");
  CHECK(call("StartExecution", R"({"stateMachineArn": "m"})") == "states:StartExecution *");
  CHECK(call("ListExecutions", R"({"mapRunArn": "arn:aws:states:us-east-1:123456789012:mapRun:m/l:u"})") ==
        "states:ListExecutions S:mapRun:m/l:u");
}

TEST_CASE("access: what is done along with an operation is demanded, too") {
  CHECK(call("CreateStateMachine", R"({"name": "n", "publish": true, "tags": [], "definition": "{}"})") ==
        "states:CreateStateMachine S:stateMachine:n; states:PublishStateMachineVersion S:stateMachine:n; "
        "states:TagResource S:stateMachine:n");
  CHECK(call("CreateActivity", R"({"name": "n", "tags": [{"key": "a", "value": "b"}]})") ==
        "states:CreateActivity S:activity:n; states:TagResource S:activity:n");
  CHECK(call("UpdateStateMachine",
             R"({"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m", "definition": )"
             R"("{\"StartAt\": \"A\", \"States\": {\"A\": {\"Type\": \"Task\", \"End\": true, )"
             R"(\"Resource\": \"arn:aws:lambda:us-east-1:123456789012:function:f\"}}}"})") ==
        "states:UpdateStateMachine S:stateMachine:m; lambda:InvokeFunction F:f");
}

TEST_CASE("access: the tasks of a definition, as they are written") {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"Type": "Pass", "Result": {"Resource": "arn:aws:lambda:r:a:function:f"}})", ""},
      {R"({"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:1:function:f:LIVE"})",
       "lambda:InvokeFunction F:f | F:f:LIVE"},
      {R"({"Type": "Task", "Resource": "arn:aws:states:us-east-1:1:activity:a"})", ""},
      {R"({"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}})",
       "lambda:InvokeFunction F:f"},
      {R"({"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": {"FunctionName.$": "$.f"}})",
       "lambda:InvokeFunction F:*"},
      {R"({"Resource": "arn:aws:states:::aws-sdk:lambda:invoke", "Arguments": {"FunctionName": "{% $f %}"}})",
       "lambda:InvokeFunction F:*"},
      {R"({"Resource": "arn:aws:states:::lambda:invoke", "Arguments": "{% $all %}"})",
       "lambda:InvokeFunction F:*"},
      {R"({"Resource": "arn:aws:states:::lambda:invoke"})", "lambda:InvokeFunction F:*"},
      {R"({"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "a", "FunctionName.$": "$"}})",
       "lambda:InvokeFunction F:*; lambda:InvokeFunction F:a"},
      {R"({"Resource": "arn:aws:states:::aws-sdk:Lambda:Invoke", "Parameters": {"FunctionName": "f"}})",
       "lambda:InvokeFunction F:f"},
      {R"({"Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters":
           {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:child:2"}})",
       "states:StartExecution S:stateMachine:child | S:stateMachine:child:2"},
      {R"({"Resource": "arn:aws:states:::aws-sdk:sfn:startExecution", "Parameters": {"StateMachineArn": "child"}})",
       "states:StartExecution S:stateMachine:child"},
      {R"({"Resource": "arn:aws:states:::aws-sdk:sfn:startSyncExecution", "Parameters": {"StateMachineArn.$": "$"}})",
       "states:StartSyncExecution S:stateMachine:*"},
      {R"({"Resource": "arn:aws:states:::aws-sdk:sfn:stopExecution", "Parameters": {"ExecutionArn": "e"}})",
       "states:StopExecution *"},
      {R"({"Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": {"TrainingJobName": "t"}})",
       "sagemaker:CreateTrainingJob *"},
      {R"({"Resource": "arn:aws:states:::http:invoke"})", "states:InvokeHTTPEndpoint *"},
      {R"({"Resource": "arn:aws:states:::events:putEvents"})", "events:PutEvents *"},
      {R"({"Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Parameters": {"Bucket": "b", "Key.$": "$.k"}})",
       "s3:GetObject O:b/*"},
      {R"({"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2",
           "Parameters": {"Bucket": "b", "Prefix": "p"}}, "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject",
           "Parameters": {"Bucket": "b", "Prefix": "out"}}, "ItemProcessor": {"StartAt": "B", "States": {"B":
           {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:inner"}}}})",
       "lambda:InvokeFunction F:inner; s3:ListBucket O:b; s3:PutObject O:b/out/*"},
      {R"({"Type": "Parallel", "Branches": [{"States": {"B": {"Resource": "arn:aws:lambda:us-east-1:1:function:x"}}},
           {"States": {"C": {"Type": "Map", "Iterator": {"States": {"D":
           {"Resource": "arn:aws:lambda:us-east-1:1:function:y"}}}}}}]})",
       "lambda:InvokeFunction F:x; lambda:InvokeFunction F:y"},
      {R"({"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "b"},
           "Arguments": {"FunctionName": "a"}})",
       "lambda:InvokeFunction F:a; lambda:InvokeFunction F:b"},
      // The last of two members of a name is the one that runs.
      {R"({"Resource": "arn:aws:lambda:us-east-1:1:function:x", "Resource": "arn:aws:lambda:us-east-1:1:function:y"})",
       "lambda:InvokeFunction F:y"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    CHECK(state(text) == expected);
  }
  CHECK(lines(definition_demands("no definition", {})) == "");
}

TEST_CASE("access: of a member that is there twice the compiler takes the same one") {
  const auto compiled = definitions::compile(
      R"({"StartAt": "A", "States": {"A": {"Type": "Task", "End": true, "Resource": "arn:aws:states:::sqs:sendMessage",
          "Resource": "arn:aws:lambda:us-east-1:123456789012:function:y"}}})");
  REQUIRE(compiled.program);
  CHECK(std::get<definitions::Task>(compiled.program->nodes[0].kind).resource.arn ==
        "arn:aws:lambda:us-east-1:123456789012:function:y");
}
