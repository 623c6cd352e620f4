#include "service/api/audit.h"

#include <doctest/doctest.h>

using namespace millrace::api;

TEST_CASE("audit: what changes something is known by its name") {
  for (const char* action : {"states:StartExecution", "states:CreateStateMachine", "sqs:ReceiveMessage",
                             "dynamodb:TransactWriteItems", "dynamodb:PutItem", "lambda:InvokeFunction",
                             "sns:Publish", "s3:DeleteObject", "states:*"})
    CHECK_MESSAGE(is_change(action), action);
  for (const char* action :
       {"states:DescribeExecution", "states:ListExecutions", "states:GetExecutionHistory",
        "dynamodb:BatchGetItem", "dynamodb:TransactGetItems", "dynamodb:Query", "dynamodb:Scan",
        "logs:FilterLogEvents", "s3:HeadObject", "sagemaker:InvokeEndpoint", "sagemaker:Search",
        "states:ValidateStateMachineDefinition", "millrace:StreamEvents", "millrace:GetMetrics"})
    CHECK_MESSAGE(!is_change(action), action);
}
