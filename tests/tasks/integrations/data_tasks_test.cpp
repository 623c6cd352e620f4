#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const char* const kMakeTable = R"({"TableName":"items","BillingMode":"PAY_PER_REQUEST",
  "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]})";

// The request id is another each time.
std::string without_ids(std::string text) {
  const std::size_t at = text.find("Request ID: ");
  if (at != std::string::npos) text.replace(at + 12, 36, "ID");
  return text;
}

}  // namespace

TEST_CASE("Data tasks: what the catalog serves") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const auto serves = [&](const char* resource) {
    return driver.runner->serves(std::string("arn:aws:states:::") + resource);
  };
  CHECK(serves("dynamodb:updateItem"));
  CHECK(!serves("dynamodb:query"));
  CHECK(!serves("dynamodb:updateItem.waitForTaskToken"));
  CHECK(serves("aws-sdk:dynamodb:query"));
  CHECK(serves("aws-sdk:dynamodb:putItem.waitForTaskToken"));
  CHECK(serves("sqs:sendMessage"));
  CHECK(serves("sqs:sendMessage.waitForTaskToken"));
  CHECK(!serves("sqs:receiveMessage"));
  CHECK(serves("aws-sdk:sqs:receiveMessage"));
  // Nothing is made before it is asked for.
  CHECK(!std::filesystem::exists(home.path("tables.db")));
}

TEST_CASE("Data tasks: the optimized form has the answer's metadata, the SDK's has not") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const Json made = Json::parse(driver.run("aws-sdk:dynamodb:createTable", kMakeTable));
  CHECK(made["TableDescription"]["TableStatus"] == "ACTIVE");
  CHECK(made["TableDescription"]["CreationDateTime"].get<std::string>().back() == 'Z');
  const Json put =
      Json::parse(driver.run("dynamodb:putItem", R"({"TableName":"items","Item":{"pk":{"S":"a"}}})"));
  CHECK(put["SdkHttpMetadata"]["HttpStatusCode"] == 200);
  CHECK(put["SdkResponseMetadata"]["RequestId"] == put["SdkHttpMetadata"]["HttpHeaders"]["x-amzn-RequestId"]);
  CHECK(driver.run("aws-sdk:dynamodb:getItem", R"({"TableName":"items","Key":{"pk":{"S":"a"}}})") ==
        R"({"Item":{"pk":{"S":"a"}}})");
  const Json got =
      Json::parse(driver.run("dynamodb:getItem", R"({"TableName":"items","Key":{"pk":{"S":"a"}}})"));
  CHECK(got["Item"]["pk"]["S"] == "a");
  driver.run("aws-sdk:sqs:createQueue", R"({"QueueName":"q"})");
  const Json sent =
      Json::parse(driver.run("sqs:sendMessage", R"({"QueueUrl":"q","MessageBody":{"n":[1,2]}})"));
  CHECK(sent["MD5OfMessageBody"] == "c917ac81cc021ef5af73a4bfc8b7eee5");
  const Json received = Json::parse(driver.run("aws-sdk:sqs:receiveMessage", R"({"QueueUrl":"q"})"));
  CHECK(received["Messages"][0]["Body"] == R"({"n":[1,2]})");
  CHECK(received["Messages"][0]["Md5OfBody"] == "c917ac81cc021ef5af73a4bfc8b7eee5");
}

TEST_CASE("Data tasks: errors are named and worded as Step Functions has them") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  driver.run("aws-sdk:dynamodb:createTable", kMakeTable);
  const std::string guarded =
      R"j({"TableName":"items","Item":{"pk":{"S":"a"}},"ConditionExpression":"attribute_exists(pk)"})j";
  CHECK(without_ids(driver.run("dynamodb:putItem", guarded)) ==
        "DynamoDB.ConditionalCheckFailedException: The conditional request failed (Service: "
        "AmazonDynamoDBv2; Status "
        "Code: 400; Error Code: ConditionalCheckFailedException; Request ID: ID; Proxy: null)");
  CHECK(without_ids(driver.run("aws-sdk:dynamodb:putItem", guarded)) ==
        "DynamoDb.ConditionalCheckFailedException: The conditional request failed (Service: DynamoDb, Status "
        "Code: 400, "
        "Request ID: ID)");
  CHECK(without_ids(driver.run("dynamodb:getItem", R"({"TableName":"items","Key":{}})")) ==
        "DynamoDB.AmazonDynamoDBException: The provided key element does not match the schema (Service: "
        "AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; Request ID: ID; Proxy: null)");
  CHECK(driver.run("aws-sdk:dynamodb:getItem", R"({"TableName":"items","Key":{}})")
            .starts_with("DynamoDb.DynamoDbException: "));
  CHECK(driver.run("dynamodb:getItem", R"({"TableName":"none","Key":{"pk":{"S":"a"}}})")
            .starts_with("DynamoDB.ResourceNotFoundException: Requested resource not found (Service"));
  CHECK(driver.run("dynamodb:getItem", "[]")
            .starts_with("DynamoDB.AmazonDynamoDBException: the arguments must be an object"));
  CHECK(without_ids(driver.run("sqs:sendMessage", R"({"QueueUrl":"none","MessageBody":"x"})")) ==
        "SQS.QueueDoesNotExistException: The specified queue does not exist. (Service: AmazonSQS; Status "
        "Code: 400; Error "
        "Code: QueueDoesNotExist; Request ID: ID; Proxy: null)");
  CHECK(driver.run("aws-sdk:sqs:receiveMessage", R"({"QueueUrl":"none"})")
            .starts_with("Sqs.QueueDoesNotExistException: "));
  CHECK(driver.run("aws-sdk:sqs:sendMessage", R"({"QueueUrl":"none"})")
            .starts_with("Sqs.QueueDoesNotExistException: "));
}

TEST_CASE("Data tasks: an attempt that is dispatched to the next process is answered as before") {
  const TemporaryHome home;
  const std::string add = R"({"TableName":"items","Key":{"pk":{"S":"a"}},"UpdateExpression":"ADD n :n",
    "ExpressionAttributeValues":{":n":{"N":"1"}},"ReturnValues":"UPDATED_NEW"})";
  for (int process = 0; process < 3; ++process) {
    TaskDriver driver(home.path());
    if (process == 0) driver.run("aws-sdk:dynamodb:createTable", kMakeTable);
    const auto key = TaskDriver::key(1);
    driver.start(key, "aws-sdk:dynamodb:updateItem", add);
    REQUIRE(driver.wait(key));
    CHECK(TaskDriver::text(*driver.seen[key].outcome) == R"({"Attributes":{"n":{"N":"1"}}})");
  }
}

TEST_CASE(
    "Data tasks: many tasks wait at once without holding the pool, and a cancelled one takes no message") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  driver.run("aws-sdk:sqs:createQueue", R"({"QueueName":"q"})");
  const std::string poll = R"({"QueueUrl":"q","WaitTimeSeconds":20})";
  for (int i = 0; i < 50; ++i)
    driver.start(TaskDriver::key(100 + static_cast<std::uint64_t>(i)), "aws-sdk:sqs:receiveMessage", poll);
  CHECK(driver.run("aws-sdk:sqs:listQueues", "{}").find("/q") != std::string::npos);
  for (int i = 0; i < 49; ++i) driver.runner->cancel(TaskDriver::key(100 + static_cast<std::uint64_t>(i)));
  driver.run("sqs:sendMessage", R"({"QueueUrl":"q","MessageBody":"x"})");
  REQUIRE(driver.wait(TaskDriver::key(149)));
  CHECK(Json::parse(TaskDriver::text(*driver.seen[TaskDriver::key(149)].outcome))["Messages"][0]["Body"] ==
        "x");
}
