#include <doctest/doctest.h>

#include "service/cli/deployment.h"
#include "service/cli/selection.h"
#include "service/cli/times.h"
#include "service/client/access.h"
#include "service/client/sigv4.h"

using namespace millrace;
using namespace millrace::cli;

namespace {
constexpr std::string_view kMapDefinition =
    R"({"StartAt":"M","TimeoutSeconds":5,"States":{"M":{"Type":"Map","End":true,
  "ItemProcessor":{"StartAt":"In","States":{"In":{"Type":"Pass","Result":1,"End":true}}}},"P":{"Type":"Parallel","End":true,
  "Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}]}}})";

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}
}  // namespace

TEST_CASE("signature: AWS's own example requests") {
  // Published test suite of Signature Version 4: post-vanilla and post-x-www-form-urlencoded.
  const client::Credentials credentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
  const Instant now = *parse_rfc3339("2015-08-30T12:36:00Z");
  const auto signed_as = [&](const client::Headers& headers, std::string_view body) {
    const client::Headers added = client::sign_post(credentials, {"us-east-1", "service"},
                                                    "example.amazonaws.com", "/", headers, body, now);
    REQUIRE(added.size() == 2);
    CHECK(added[0] == std::pair<std::string, std::string>("x-amz-date", "20150830T123600Z"));
    return added[1].second;
  };
  CHECK(signed_as({}, "") ==
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  CHECK(signed_as({{"content-type", "application/x-www-form-urlencoded"}}, "Param1=value1") ==
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

TEST_CASE("profiles: sections and settings, whatever blanks and comments") {
  const auto profiles = client::parse_profiles(
      "lost = 1\n# comment\n[default]\r\naws_access_key_id = A\naws_secret_access_key=b=c\n\n; other\n[ "
      "profile ci ]\nregion= x\nnothing");
  REQUIRE(profiles.size() == 2);
  CHECK(profiles[0].setting("aws_access_key_id") == "A");
  CHECK(profiles[0].setting("aws_secret_access_key") == "b=c");
  CHECK(profiles[0].setting("lost") == "");
  CHECK(profiles[1].name == "ci");
  CHECK(profiles[1].settings.size() == 1);
}

TEST_CASE("errors of AWS: their meaning by name, whatever service they come from") {
  const Error gone = client::error_of_aws("ActivityDoesNotExist", "no such thing", 400);
  CHECK(gone.code == ErrorCode::NotFound);
  CHECK(gone.message == "no such thing (ActivityDoesNotExist)");
  CHECK(client::is_aws_error(gone, "ActivityDoesNotExist"));
  CHECK(!client::is_aws_error(gone, "DoesNotExist"));
  CHECK(client::error_of_aws("ExecutionLimitExceeded", "m", 400).code == ErrorCode::LimitExceeded);
  CHECK(client::error_of_aws("Unheard", "m", 400).code == ErrorCode::InvalidArgument);
  CHECK(client::error_of_aws("InternalFailure", "m", 500).code == ErrorCode::Unavailable);
  CHECK(client::error_of_aws("", "", 403).message == "refused by the server");
}

TEST_CASE("definitions compared: states by name, wherever they are nested") {
  const std::string before(kMapDefinition);
  const auto difference = [&](const std::string& after) {
    return describe(compare(Payload::literal(before).view(), Payload::literal(after).view()));
  };
  CHECK(difference(before) == "");
  CHECK(difference(changed(before, R"("Result":1)", R"("Result":2)")) == "changed In");
  CHECK(difference(changed(before, R"("StartAt":"In","States":{)",
                           R"("StartAt":"In","States":{"More":{"Type":"Succeed"},)")) == "added More");
  CHECK(difference(changed(before, R"("TimeoutSeconds":5,)", "")) == "setting TimeoutSeconds");
  CHECK(difference(changed(before, R"("B":{"Type":"Pass","End":true})",
                           R"("C":{"Type":"Pass","End":true})")) == "added C; removed B");
  CHECK(difference(changed(before, R"("Branches":[)",
                           R"("Branches":[{"StartAt":"D","States":{"D":{"Type":"Succeed"}}},)")) ==
        "changed P; added D");
}

TEST_CASE("machine names follow their files") {
  CHECK(machine_name("examples/fraud/fraud.asl.json") == "fraud");
  CHECK(machine_name("examples/hello/definition.json") == "hello");
  CHECK(machine_name("a b.json") == "a-b");
}

TEST_CASE("patterns of errors") {
  CHECK(matches_pattern("States.*", "States.Timeout"));
  CHECK(matches_pattern("*Time*t", "States.Timeout"));
  CHECK(matches_pattern("*", ""));
  CHECK(matches_pattern("a?c", "abc"));
  CHECK(!matches_pattern("States.*", "Lambda.States.x"));
  CHECK(!matches_pattern("a?", "a"));
  CHECK(!matches_pattern("", "a"));
  CHECK(matches_pattern("a*b*c", "axxbyybzzc"));
  CHECK(matches_pattern("*?*", "*"));
}

TEST_CASE("times as people write them") {
  const Instant now = *parse_rfc3339("2026-11-21T12:00:00Z");
  CHECK(*past_time("2h", "--since", now) == now - std::chrono::hours(2));
  CHECK(*past_time("1 day", "--since", now) == now - std::chrono::hours(24));
  CHECK(*past_time("2026-11-20", "--since", now) == *parse_rfc3339("2026-11-20T00:00:00Z"));
  CHECK(*past_time("2026-11-20T01:02:03+01:00", "--since", now) == *parse_rfc3339("2026-11-20T00:02:03Z"));
  for (const char* wrong : {"", "soon", "2h ago", "-2h", "2026-13-01"}) {
    const auto time = past_time(wrong, "--since", now);
    REQUIRE(!time);
    CHECK(time.error().message.starts_with("--since: "));
  }
}

TEST_CASE("what --where sees: payloads as documents, numbers as they are") {
  Selected one{"arn", "m", "n", "FAILED", from_millis(1000), from_millis(3500), {}, {}};
  one.row = to_json(Payload::literal(R"({"redriveCount":2})").view());
  one.described = to_json(Payload::literal(R"({"input":"{\"a\":1.10}","error":"E"})").view());
  CHECK(
      judged(one).text() ==
      R"({"executionArn":"arn","name":"n","machine":"m","status":"FAILED","startDate":"1970-01-01T00:00:01.000Z",)"
      R"("stopDate":"1970-01-01T00:00:03.500Z","durationMillis":2500,"redriveCount":2,"input":{"a":1.10},"error":"E"})");
}
