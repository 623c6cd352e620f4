#include "definitions/resource.h"

#include <doctest/doctest.h>

using namespace millrace;
using namespace millrace::definitions;

TEST_CASE("Resource: services and their patterns") {
  struct Row {
    std::string_view arn, type, resource, action;
    TaskPattern pattern;
    bool sync2;
  };
  const Row rows[] = {
      {"arn:aws:states:::lambda:invoke", "lambda", "invoke", "invoke", TaskPattern::RequestResponse, false},
      {"arn:aws:states:::sagemaker:createTrainingJob.sync", "sagemaker", "createTrainingJob.sync",
       "createTrainingJob", TaskPattern::Sync, false},
      {"arn:aws:states:::states:startExecution.sync:2", "states", "startExecution.sync:2", "startExecution",
       TaskPattern::Sync, true},
      {"arn:aws:states:::sqs:sendMessage.waitForTaskToken", "sqs", "sendMessage.waitForTaskToken",
       "sendMessage", TaskPattern::WaitForTaskToken, false},
      {"arn:aws:states:::aws-sdk:s3:getObject", "aws-sdk:s3", "getObject", "getObject",
       TaskPattern::RequestResponse, false},
      {"arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken", "aws-sdk:dynamodb",
       "putItem.waitForTaskToken", "putItem", TaskPattern::WaitForTaskToken, false},
      {"arn:aws-cn:states:::anything:action", "anything", "action", "action", TaskPattern::RequestResponse,
       false},
      {"arn:aws:states:us-east-1:123456789012:athena:getQueryResults", "athena", "getQueryResults",
       "getQueryResults", TaskPattern::RequestResponse, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.arn);
    const auto got = parse_resource(row.arn);
    REQUIRE(got.has_value());
    CHECK(got->arn == row.arn);
    CHECK(got->family == TaskFamily::Service);
    CHECK(got->resource_type == row.type);
    CHECK(got->resource == row.resource);
    CHECK(got->action == row.action);
    CHECK(got->pattern == row.pattern);
    CHECK(got->sync2 == row.sync2);
  }
}

TEST_CASE("Resource: functions and activities") {
  const auto function = parse_resource("arn:aws:lambda:eu-west-1:123456789012:function:score:PROD");
  REQUIRE(function.has_value());
  CHECK(function->family == TaskFamily::Lambda);
  CHECK(function->region == "eu-west-1");
  const auto activity = parse_resource("arn:aws:states:eu-west-1:123456789012:activity:label");
  REQUIRE(activity.has_value());
  CHECK(activity->family == TaskFamily::Activity);
  CHECK(activity->region == "eu-west-1");
}

TEST_CASE("Resource: what is refused") {
  for (const std::string_view arn :
       {"", "lambda", "arn:aws:states", "arn:aws:states:::", "arn:aws:states:::lambda",
        "arn:aws:states:::lambda:", "arn:aws:states:::aws-sdk:s3",
        "arn:aws:states:::sagemaker:createTrainingJob.synch", "arn:aws:states:::a:b:c",
        "arn:aws:states:::sqs:.sync", "arn:aws:s3:::bucket", "arn:aws:lambda:r:1:layer:x",
        "arn:aws:lambda:r:1:function:", "arn:aws:states:::dynamodb:query",
        "arn:aws:states:::lambda:create"}) {
    CAPTURE(arn);
    const auto got = parse_resource(arn);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == ErrorCode::InvalidArgument);
    CHECK_FALSE(got.error().message.empty());
  }
}
