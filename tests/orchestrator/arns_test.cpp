#include "orchestrator/arns.h"

#include <doctest/doctest.h>

using namespace millrace;
using namespace millrace::orchestrator;

TEST_CASE("arns: taken apart") {
  const StatesArn version = parse_arn("arn:aws:states:eu-west-1:123456789012:stateMachine:orders:7").value();
  CHECK(version.region == "eu-west-1");
  CHECK(version.account == "123456789012");
  CHECK(version.type == "stateMachine");
  CHECK(version.name == "orders");
  CHECK(version.is_version());
  CHECK(version.unqualified() == "arn:aws:states:eu-west-1:123456789012:stateMachine:orders");
  CHECK_FALSE(parse_arn("arn:aws:states:r:a:stateMachine:orders:v7")->is_version());
  CHECK_FALSE(parse_arn("arn:aws:states:r:a:stateMachine:orders")->is_version());
  const StatesArn express = parse_arn("arn:aws:states:r:a:express:orders:name:id").value();
  CHECK(express.qualifier == "name");
  CHECK(express.id == "id");
  CHECK(parse_arn("arn:aws:states:r:a:execution:orders/Map:child")->name == "orders/Map");
  CHECK(parse_arn("arn:aws:states:r:a:mapRun:orders/Map:id")->qualifier == "id");
  CHECK(parse_arn("arn:aws:states:r:a:activity:by-hand", "activity")->name == "by-hand");
}

TEST_CASE("arns: refused in AWS's words") {
  const auto message = [](std::string_view text, std::string_view type) {
    const auto parsed = parse_arn(text, type);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ErrorCode::InvalidArgument);
    return parsed.error().message;
  };
  CHECK(message("orders", "execution") == "Invalid Arn: 'Invalid ARN prefix: orders'");
  CHECK(message("", "execution") == "Invalid Arn: 'Invalid ARN prefix: '");
  CHECK(message("arn:aws:states:r:a:express:orders:name:id", "execution") ==
        "Invalid Arn: 'Resource type not valid in this context: express'");
  CHECK(message("arn:aws:states:r:a:nothing:x", "execution") ==
        "Invalid Arn: 'Resource type not valid in this context: nothing'");
  for (const char* wrong : {"arn:", "arn:aws:s3:::bucket", "arn:aws:states:r:a:execution",
                            "arn:aws:states:r:a:execution:", "arn:aws:states:r:a:execution:m:n:too:many",
                            "arn:aws:states:r:a:activity:a:b"})
    CHECK_FALSE(parse_arn(wrong));
}
