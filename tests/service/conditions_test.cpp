#include "service/auth/conditions.h"

#include <doctest/doctest.h>

#include "service/auth/policy.h"

using namespace millrace;
using namespace millrace::auth;

namespace {

Circumstances call_from(std::string address) {
  return {std::move(address), "arn:aws:iam::123456789012:user/ada", "ada", false,
          from_millis(1'767'225'600'000)};
}

// Of the value of Condition: "yes", "no", or what is wrong with it.
std::string answer(const std::string& condition, const Circumstances& circumstances) {
  const auto document = Payload::parse(condition);
  REQUIRE(document);
  const auto conditions = Conditions::parse(document->view(), "Statement 1");
  if (!conditions) return conditions.error().message;
  return conditions->hold(circumstances) ? "yes" : "no";
}

}  // namespace

TEST_CASE("conditions: addresses") {
  const std::pair<const char*, const char*> rows[] = {
      {"203.0.113.7", "203.0.113.7"},       {"203.0.113.0/24", "203.0.113.255"},
      {"10.0.0.0/8", "10.255.0.1"},         {"0.0.0.0/0", "8.8.8.8"},
      {"2001:db8::/32", "2001:db8:1::1"},   {"::/0", "2001:db8::1"},
      {"203.0.113.128/25", "203.0.113.129"}};
  for (const auto& [network, address] : rows) {
    CAPTURE(network);
    const std::string text = R"({"IpAddress": {"aws:SourceIp": ")" + std::string(network) + "\"}}";
    CHECK(answer(text, call_from(address)) == "yes");
    CHECK(answer(R"({"Not)" + text.substr(2), call_from(address)) == "no");
  }
  const std::string office = R"({"IpAddress": {"AWS:sourceip": ["203.0.113.0/25", "2001:db8::/33"]}})";
  CHECK(answer(office, call_from("203.0.113.128")) == "no");
  CHECK(answer(office, call_from("203.0.113.127")) == "yes");
  CHECK(answer(office, call_from("2001:db8:8000::1")) == "no");
  CHECK(answer(office, call_from("2001:db8:7fff::1")) == "yes");
  CHECK(answer(office, call_from("")) == "no");
  CHECK(answer(R"({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})", call_from("2001:db8::1")) == "no");
  CHECK(answer(R"({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})", call_from("")) == "yes");
}

TEST_CASE("conditions: texts, truth and time; all must hold, of values one") {
  const Circumstances call = call_from("203.0.113.7");
  CHECK(answer("{}", call) == "yes");
  CHECK(answer(R"({"StringEquals": {"aws:username": ["ben", "ada"]}})", call) == "yes");
  CHECK(answer(R"({"StringEquals": {"aws:username": "Ada"}})", call) == "no");
  CHECK(answer(R"({"StringEqualsIgnoreCase": {"aws:username": "Ada"}})", call) == "yes");
  CHECK(answer(R"({"StringNotEquals": {"aws:username": ["ben", "ada"]}})", call) == "no");
  CHECK(answer(R"({"StringLike": {"aws:SourceIp": "203.0.*"}})", call) == "yes");
  CHECK(answer(R"({"StringNotLike": {"aws:SourceIp": "203.0.*"}})", call) == "no");
  CHECK(answer(R"({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/a?a"}})", call) == "yes");
  CHECK(answer(R"({"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/ada"}})", call) ==
        "no");
  CHECK(answer(R"({"Bool": {"aws:SecureTransport": false}})", call) == "yes");
  CHECK(answer(R"({"Bool": {"aws:SecureTransport": "true"}})", call) == "no");
  CHECK(answer(R"({"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}})", call) == "no");
  CHECK(answer(R"({"DateLessThanEquals": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}})", call) == "yes");
  CHECK(answer(R"({"DateGreaterThan": {"aws:CurrentTime": "2025-12-31T23:59:59Z"}})", call) == "yes");
  CHECK(answer(R"({"DateGreaterThanEquals": {"aws:CurrentTime": "2026-01-01T00:00:01Z"}})", call) == "no");
  CHECK(answer(R"({"StringEquals": {"aws:username": "ada"}, "Bool": {"aws:SecureTransport": "true"}})",
               call) == "no");
  CHECK(answer(R"({"StringLike": {"aws:username": "a*", "aws:PrincipalArn": "*:user/b*"}})", call) == "no");
}

TEST_CASE("conditions: what is not evaluated is refused, with its place") {
  const std::pair<const char*, const char*> rows[] = {
      {"[]", "Statement 1: Condition is no object"},
      {R"({"NumericEquals": {}})",
       "Condition.NumericEquals is not evaluated here; operators are StringEquals, "},
      {R"({"StringEqualsIfExists": {}})", "StringEqualsIfExists is not evaluated"},
      {R"({"ForAnyValue:StringLike": {}})", "is not evaluated"},
      {R"({"Bool": []})", "Condition.Bool is no object"},
      {R"({"StringEquals": {"aws:RequestTag/a": "b"}})",
       "aws:RequestTag/a is not known here; keys are aws:SourceIp, "},
      {R"({"IpAddress": {"aws:username": "203.0.113.7"}})", "IpAddress does not go with aws:username"},
      {R"({"IpAddress": {"aws:SourceIp": "203.0.113.0/33"}})",
       "aws:SourceIp: \"203.0.113.0/33\" is no address"},
      {R"({"IpAddress": {"aws:SourceIp": "203.0.113"}})", "is no address"},
      {R"({"IpAddress": {"aws:SourceIp": "2001:db8::/129"}})", "is no address"},
      {R"({"IpAddress": {"aws:SourceIp": []}})", "must not be empty"},
      {R"({"Bool": {"aws:SecureTransport": "yes"}})", "is neither true nor false"},
      {R"({"DateLessThan": {"aws:CurrentTime": "tomorrow"}})", "is no time"},
      {R"({"StringLike": {"aws:PrincipalArn": "*/${aws:username}"}})", "policy variable"},
      {R"({"StringLike": {"aws:PrincipalArn": 1}})", "1 is no text"}};
  for (const auto& [condition, wanted] : rows) {
    const std::string found = answer(condition, call_from(""));
    CHECK(found.starts_with("MalformedPolicyDocument: "));
    CHECK_MESSAGE(found.find(wanted) != std::string::npos, found);
  }
}

TEST_CASE("conditions: a statement whose condition does not hold says nothing") {
  const auto policy = Policy::parse(R"({"Statement": [
      {"Effect": "Allow", "Action": "*", "Resource": "*"},
      {"Effect": "Deny", "Action": "s3:*", "Resource": "*",
       "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}]})");
  REQUIRE(policy);
  CHECK(policy->decide({"s3:GetObject", "arn:aws:s3:::b/k"}, call_from("203.0.113.7")) == Verdict::Allowed);
  CHECK(policy->decide({"s3:GetObject", "arn:aws:s3:::b/k"}, call_from("198.51.100.1")) == Verdict::Denied);
  CHECK(policy->decide({"sqs:SendMessage", "*"}, call_from("198.51.100.1")) == Verdict::Allowed);
}
