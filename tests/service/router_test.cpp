#include "service/api/router.h"

#include <doctest/doctest.h>

#include "service/api/service.h"
#include "service/api/sts.h"

using namespace millrace;
using namespace millrace::api;

namespace {

// Keeps the answer.
class Asked final : public http::Exchange {
 public:
  Asked(http::Request request, http::Response& answer) : request_(std::move(request)), answer_(answer) {}
  const http::Request& request() const override { return request_; }
  void read_body(std::function<void(std::string, bool)>) override {}
  void respond(http::Response response) override { answer_ = std::move(response); }
  http::BodyStreamPtr stream(http::Response) override { return nullptr; }
  void on_gone(std::function<void()>) override {}

 private:
  http::Request request_;
  http::Response& answer_;
};

http::Request request(std::string method, std::string path, std::vector<http::Header> headers = {},
                      std::string query = "", std::string body = "") {
  return {std::move(method), std::move(path), std::move(query), std::move(headers), std::move(body)};
}

http::Header signed_for(const std::string& service) {
  return {"authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/" + service +
                               "/aws4_request, SignedHeaders=host, Signature=00"};
}

// Of a home without keys.
auth::Gate& gate() {
  static const SystemClock kClock;
  static auth::LiveKeys keys("/nonexistent");
  static auth::Gate one(keys, kClock, {});
  return one;
}

// A router whose rows answer with their own name.
Router example() {
  Router router(gate(), 1);
  const auto says = [](std::string name) {
    return [name](http::ExchangePtr exchange, const auth::Caller&) {
      exchange->respond({200, "text/plain", {}, name});
    };
  };
  router.add({"states", Protocol::AwsJson10, "AWSStepFunctions.", nullptr, says("states")});
  router.add({"sagemaker", Protocol::AwsJson11, "SageMaker.", nullptr, says("sagemaker")});
  router.add({"sagemaker", Protocol::RestJson, "",
              [](const http::Request& r) { return r.path.starts_with("/endpoints/"); }, says("runtime")});
  router.add({"scheduler", Protocol::RestJson, "",
              [](const http::Request& r) { return r.path.starts_with("/schedules"); }, says("scheduler")});
  router.add({"sts", Protocol::Query, "", StsApi::serves, says("sts")});
  router.add(
      {"s3", Protocol::RestXml, "", [](const http::Request& r) { return r.path != "/healthz"; }, says("s3")});
  return router;
}

http::Response ask(Router& router, http::Request asked) {
  http::Response answer;
  answer.status = 0;
  router.handle(std::make_shared<Asked>(std::move(asked), answer));
  return answer;
}
std::string where(http::Request asked) {
  Router router = example();
  return ask(router, std::move(asked)).body;
}

}  // namespace

TEST_CASE("router: the target decides, whatever the signature and the path say") {
  CHECK(where(request("POST", "/", {{"x-amz-target", "AWSStepFunctions.ListActivities"}})) == "states");
  CHECK(where(request("POST", "/schedules", {{"x-amz-target", "SageMaker.ListModels"}, signed_for("s3")})) ==
        "sagemaker");
}

TEST_CASE("router: without a target the scope of the credential decides, then its paths") {
  CHECK(where(request("GET", "/schedules", {signed_for("s3")})) == "s3");
  CHECK(where(request("GET", "/schedules", {signed_for("scheduler")})) == "scheduler");
  CHECK(where(request("POST", "/endpoints/live/invocations", {signed_for("sagemaker")})) == "runtime");
  CHECK(where(request("POST", "/", {signed_for("sagemaker")})) == "sagemaker");
  CHECK(where(request("GET", "/healthz", {signed_for("s3")})) == "s3");
  CHECK(where(request("GET", "/schedules", {},
                      "X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request")) == "s3");
}

TEST_CASE("router: without either the paths decide, in the order of the table") {
  CHECK(where(request("GET", "/schedules/nightly")) == "scheduler");
  CHECK(where(request("GET", "/bucket/key")) == "s3");
  CHECK(where(request("GET", "/", {}, "Action=GetCallerIdentity&Version=2011-06-15")) == "sts");
  CHECK(where(request("POST", "/", {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}}, "",
                      "Action=GetCallerIdentity&Version=2011-06-15")) == "sts");
  CHECK(where(request("GET", "/healthz")) == R"({"status":"ok"})");
}

TEST_CASE("router: what nobody serves is told in the shape of its protocol, never as HTML") {
  Router router(gate(), 1);
  http::Response answer = ask(router, request("POST", "/", {{"x-amz-target", "AWSEvents.PutEvents"}}));
  CHECK(answer.status == 400);
  CHECK(answer.content_type == "application/x-amz-json-1.0");
  CHECK(
      answer.body ==
      R"({"__type":"UnknownOperationException","message":"no service here has the operation 'AWSEvents.PutEvents'"})");
  answer = ask(router, request("GET", "/bucket/<key>", {signed_for("s3")}));
  CHECK(answer.status == 404);
  CHECK(answer.content_type == "application/xml");
  CHECK(answer.body.find("<Error><Code>UnknownOperationException</Code>") != std::string::npos);
  CHECK(answer.body.find("/bucket/&lt;key&gt;") != std::string::npos);
  answer = ask(router,
               request("POST", "/", {{"content-type", "application/x-www-form-urlencoded"}}, "", "Action=A"));
  CHECK(answer.status == 404);
  CHECK(answer.body.starts_with(
      "<ErrorResponse><Error><Type>Sender</Type><Code>UnknownOperationException</Code>"));
  CHECK(ask(router, request("GET", "/")).status == 404);
  CHECK(ask(router, request("POST", "/healthz")).status == 404);
}

TEST_CASE("router: scopes of credentials that are none") {
  const auto scope = [](std::string credential) {
    return scope_service(
        request("GET", "/", {{"authorization", "AWS4-HMAC-SHA256 Credential=" + credential}}));
  };
  CHECK(scope("AKID/20260101/us-east-1/states/aws4_request, SignedHeaders=host") == "states");
  CHECK(scope("AKID/20260101/us-east-1/states/aws4_request,SignedHeaders=host") == "states");
  for (const std::string text : {"", "/", "//", "AKID", "/aws4_request", "a/b"}) CHECK(scope(text) == "");
  CHECK(scope_service(request("GET", "/", {{"authorization", "Bearer abc"}})) == "");
}

TEST_CASE("sts: who calls") {
  StsApi sts(1);
  const auto identity = [&](const auth::Caller& caller, std::string query) {
    http::Response answer;
    sts.handle(std::make_shared<Asked>(request("GET", "/", {}, std::move(query)), answer), caller);
    return answer;
  };
  http::Response answer = identity({"123456789012"}, "Action=GetCallerIdentity&Version=2011-06-15");
  CHECK(answer.content_type == "text/xml");
  CHECK(answer.body.find(
            "<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId>"
            "<Account>123456789012</Account></GetCallerIdentityResult>") != std::string::npos);
  answer = identity({"123456789012", "ada", "AKIDADA"}, "Action=GetCallerIdentity&Version=2011-06-15");
  CHECK(answer.body.find("<Arn>arn:aws:iam::123456789012:user/ada</Arn><UserId>AKIDADA</UserId>") !=
        std::string::npos);
  answer = identity({"123456789012"}, "Action=AssumeRole&Version=2011-06-15");
  CHECK(answer.status == 400);
  CHECK(answer.body.find("<Code>InvalidAction</Code>") != std::string::npos);
}
