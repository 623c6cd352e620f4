#include "tasks/approvals/approvals.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct SetClock final : Clock {
  Instant time = *parse_rfc3339("2026-11-21T10:00:00Z");
  Instant now() const override { return time; }
  Millis uptime() const override { return time.time_since_epoch(); }
};

struct Asked {
  TemporaryHome home;
  SetClock clock;
  std::unique_ptr<Jobs> jobs = *Jobs::open(home.path("tasks.db"));
  Approvals approvals{*jobs, clock, {"secret", "https://m.example.com/", Millis(3'600'000)}};

  std::string ask(const char* message = R"({"TaskToken": "T-1", "Text": "well?", "auc": 0.9})") {
    const Json publish = {{"TopicArn", "arn:x"}, {"Subject", "Deploy?"}, {"Message", Json::parse(message)}};
    const auto id =
        approvals.ask(publish, *Approvals::token_in(publish), "arn:execution", "execution e, state S");
    REQUIRE(id);
    return *id;
  }
  Json sent(const std::string& id, const char* protocol, const char* endpoint) {
    Json message = {{"MessageId", "1"}, {"Message", "…"}, {kApprovalOfMessage, id}};
    REQUIRE(approvals.prepare(message, protocol, endpoint));
    return message;
  }
};

}  // namespace

TEST_CASE("Approvals: where a message carries its token, and what is left without it") {
  struct Row {
    const char *publish, *token, *left;
  };
  const Row kRows[] = {
      {R"({"Message": {"TaskToken": "t", "a": 1}})", "t", R"({"Message": "{\"a\":1}"})"},
      {R"({"Message": {"token": "t"}})", "t", R"({"Message": "-"})"},
      {R"({"Message": "{\"taskToken\": \"t\", \"a\": 1}"})", "t", R"({"Message": "{\"a\":1}"})"},
      {R"({"Message": "hello", "MessageAttributes": {"TaskToken": {"DataType": "String", "StringValue": "t"}, "k": {}}})",
       "t", R"({"Message": "hello", "MessageAttributes": {"k": {}}})"},
      {R"({"Message": "hello"})", nullptr, R"({"Message": "hello"})"},
      {R"({"Message": {"TaskToken": ""}})", nullptr, R"({"Message": "-"})"},
      {R"({"Message": {"TaskToken": 7}})", nullptr, R"({"Message": "-"})"}};
  for (const Row& row : kRows) {
    CAPTURE(row.publish);
    const Json publish = Json::parse(row.publish);
    CHECK(Approvals::token_in(publish).value_or("none") == (row.token ? row.token : "none"));
    CHECK(Approvals::without_token(publish) == Json::parse(row.left));
  }
}

TEST_CASE("Approvals: a link says who it is for and until when, and nothing of it can be changed") {
  Asked asked;
  const std::string id = asked.ask();
  const Instant end = asked.clock.time + Millis(60'000);
  const std::string token = asked.approvals.sign(id, {"ada@example.com", end});
  const auto link = asked.approvals.verify(id, token);
  REQUIRE(link);
  CHECK(link->recipient == "ada@example.com");
  CHECK(link->expires == end);
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == '1' ? '2' : '1';
    CAPTURE(i);
    CHECK(!asked.approvals.verify(id, changed));
    CHECK(!asked.approvals.verify(id, token.substr(0, i)));
  }
  CHECK(!asked.approvals.verify(id, token + "0"));
  CHECK(!asked.approvals.verify("0123", token));
  const Approvals other(*asked.jobs, asked.clock, {"another secret", "", {}});
  CHECK(!other.verify(id, token));
  asked.clock.time = end - Millis(1);
  CHECK(asked.approvals.verify(id, token));
  asked.clock.time = end;
  CHECK(asked.approvals.verify(id, token).error().message == "this link has expired");
}

TEST_CASE("Approvals: the same token asks once; one answer counts; what was told is not told again") {
  Asked asked;
  const std::string id = asked.ask();
  CHECK(asked.ask() == id);
  CHECK(asked.ask(R"({"TaskToken": "T-2"})") != id);
  CHECK(asked.approvals.list("Pending")->size() == 2);
  const Json shown = *asked.approvals.describe(id);
  CHECK(shown["Details"] == Json{{"auc", 0.9}});
  CHECK(shown["Text"] == "well?");
  CHECK(shown.dump().find("T-1") == std::string::npos);
  CHECK(!asked.approvals.decide(id, {true, "ada", "mail", std::string(kApprovalReasonMax + 1, 'x')}));
  CHECK(asked.approvals.decide(id, {true, "ada", "mail", "why not"}) == "T-1");
  const auto second = asked.approvals.decide(id, {false, "eve", "mail", ""});
  REQUIRE(!second);
  CHECK(second.error().code == ErrorCode::Conflict);
  CHECK(second.error().message == "this is decided already: Approved by ada at 2026-11-21T10:00:00Z");
  REQUIRE(asked.approvals.untold()->size() == 1);
  CHECK(asked.approvals.untold()->at(0).token == "T-1");
  CHECK(Approvals::outcome_of(asked.approvals.untold()->at(0).approval) ==
        Json{{"ApprovalId", id},
             {"Status", "Approved"},
             {"DecidedBy", "ada"},
             {"DecidedVia", "mail"},
             {"DecidedAt", "2026-11-21T10:00:00.000Z"},
             {"Reason", "why not"}});
  REQUIRE(asked.approvals.told(id, ""));
  CHECK(asked.approvals.untold()->empty());
  // What is void takes no answer, and what is decided does not become void.
  REQUIRE(asked.approvals.void_it(id, "gone"));
  CHECK((*asked.approvals.describe(id))["Status"] == "Approved");
  const std::string other = asked.ask(R"({"TaskToken": "T-2"})");
  REQUIRE(asked.approvals.void_it(other, "gone"));
  CHECK(asked.approvals.decide(other, {true, "ada", "mail", ""}).error().message ==
        "nobody waits for this any more: gone");
  CHECK(asked.approvals.decide("ffff", {}).error().code == ErrorCode::NotFound);
}

TEST_CASE("Approvals: what subscribers get") {
  Asked asked;
  const std::string id = asked.ask(R"({"TaskToken": "T-1", "Text": "1 < 2 & 3", "Report": "s3://b/r"})");
  const std::string mail = asked.sent(id, "email", "ada@example.com")["Message"];
  CHECK(mail.starts_with("1 < 2 & 3\n\nReport: s3://b/r\n\nApprove:\nhttps://m.example.com/v1/approvals/" +
                         id + "?token="));
  CHECK(mail.find("\n\nReject:\nhttps://m.example.com/v1/approvals/") != std::string::npos);
  CHECK(mail.find("2026-11-21 11:00 UTC") != std::string::npos);
  const Json hook = Json::parse(
      asked.sent(id, "https", "https://hooks.example.com/services/secret")["Message"].get<std::string>());
  CHECK(hook["text"].get<std::string>().starts_with(
      "*Deploy?*\n1 &lt; 2 &amp; 3\nReport: s3://b/r\n<https://"));
  const std::string url = hook["approval"]["approve_url"];
  const std::string token =
      url.substr(url.find("token=") + 6, url.find("&decision") - url.find("token=") - 6);
  CHECK(asked.approvals.verify(id, token)->recipient == "webhook hooks.example.com");
  CHECK(!Approvals::names_person("webhook hooks.example.com"));
  CHECK(Approvals::names_person("ada@example.com"));
  Json plain = {{"Message", "hello"}};
  CHECK(asked.approvals.prepare(plain, "email", "ada@example.com") == false);
  CHECK(plain == Json{{"Message", "hello"}});
  // Before a server is there links would lead nowhere.
  Approvals homeless(*asked.jobs, asked.clock, {"secret", "", Millis(1)});
  Json message = {{kApprovalOfMessage, id}};
  CHECK(homeless.prepare(message, "email", "a@b").error().code == ErrorCode::Unavailable);
  homeless.serve_at("http://127.0.0.1:1");
  CHECK(homeless.prepare(message, "email", "a@b"));
  CHECK(message["Message"].get<std::string>().find("http://127.0.0.1:1/v1/approvals/") != std::string::npos);
}

TEST_CASE("Approvals: a model package gets the answer in its history, once") {
  Asked asked;
  REQUIRE(
      asked.jobs->create("ModelPackage", "churn/3", Json{{"ModelApprovalStatus", "PendingManualApproval"}}));
  const std::string id = asked.ask(
      R"({"TaskToken": "T", "ModelPackageArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/churn/3"})");
  REQUIRE(asked.approvals.decide(id, {false, "ada", "mail", "AUC fell"}));
  for (int i = 0; i < 2; ++i) REQUIRE(asked.approvals.carry_to_package(*asked.approvals.describe(id)));
  const Json package = *asked.jobs->find("ModelPackage", "churn/3");
  CHECK(package["ModelApprovalStatus"] == "Rejected");
  REQUIRE(package["ApprovalHistory"].size() == 1);
  CHECK(package["ApprovalHistory"][0]["By"] == "ada");
  CHECK(package["ApprovalHistory"][0]["Description"] == "AUC fell");
  const std::string gone = asked.ask(R"({"TaskToken": "U", "ModelPackageName": "churn/9"})");
  REQUIRE(asked.approvals.decide(gone, {true, "ada", "mail", ""}));
  CHECK(!asked.approvals.carry_to_package(*asked.approvals.describe(gone)));
}
