// Functions at a URL: the event is posted, what is answered is the result or an error as Lambda has it.

#include <doctest/doctest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tasks/functions/function.h"
#include "tests/tasks/integrations/local_server.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kUrlArn = "arn:aws:lambda:us-east-1:123456789012:function:";

struct UrlFunctions {
  TemporaryHome home;
  TaskDriver driver{home.path()};
  std::uint64_t visits = 0;

  void at(const std::string& name, const std::string& url, Json more = Json::object()) {
    more["url"] = url;
    home.write("functions/" + name + "/function.json", more.dump());
  }
  orchestrator::TaskKey start(const std::string& resource, const std::string& arguments) {
    const auto key = TaskDriver::key(++visits);
    orchestrator::TaskRequest request;
    request.key = key;
    request.resource = resource;
    request.arguments = Payload::literal(arguments);
    driver.runner->start(request, [this](const orchestrator::TaskKey& at, orchestrator::TaskReport report) {
      if (auto* outcome = std::get_if<Outcome>(&report)) driver.seen[at].outcome = *outcome;
    });
    return key;
  }
  // The result's text, or "Error: cause".
  std::string call(const std::string& function, const std::string& event) {
    const auto key = start(kUrlArn + function, event);
    REQUIRE(driver.wait(key));
    return TaskDriver::text(*driver.seen[key].outcome);
  }
};

LocalServer::Handler answers() {
  return [](const LocalRequest& request) {
    if (request.target == "/error")
      return LocalServer::answer(500, R"({"errorType":"StockError","errorMessage":"none left"})");
    if (request.target == "/marked")
      return LocalServer::answer(200, R"({"errorType":"Unhandled","errorMessage":"as Lambda"})",
                                 "X-Amz-Function-Error: Unhandled\r\n");
    if (request.target == "/busy") return LocalServer::answer(503, "come back", "", "text/plain");
    if (request.target == "/moved") return LocalServer::answer(302, "", "Location: http://10.0.0.1/\r\n");
    if (request.target == "/empty") return LocalServer::answer(204, "");
    if (request.target == "/words") return LocalServer::answer(200, "fine", "", "text/plain");
    if (request.target == "/large")
      return LocalServer::answer(200, "\"" + std::string(6'400'000, 'x') + "\"");
    if (request.target == "/slow") std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    return LocalServer::answer(200, "{\"got\":" + request.body + "}");
  };
}

}  // namespace

TEST_CASE("Functions at a URL: the event is posted, the answer is the payload") {
  LocalServer server(answers());
  UrlFunctions f;
  f.at("price", server.url("/price"), {{"headers", {{"X-App", "shop"}}}});
  CHECK(f.call("price", R"({"item":"pear","n":1.0})") == R"({"got":{"item":"pear","n":1.0}})");
  CHECK(f.call("price", "\"a\\nb\"") == R"({"got":"a\nb"})");
  const LocalRequest request = server.requests().at(0);
  CHECK(request.method == "POST");
  CHECK(request.target == "/price");
  CHECK(request.header("Content-Type") == "application/json");
  CHECK(request.header("X-App") == "shop");
  CHECK(request.header("Lambda-Runtime-Aws-Request-Id").size() == 36);
  CHECK(request.header("Lambda-Runtime-Invoked-Function-Arn") == kUrlArn + "price");
  CHECK(request.header("Lambda-Runtime-Deadline-Ms").size() == 13);
  f.at("empty", server.url("/empty"));
  CHECK(f.call("empty", "{}") == "null");
  const auto invoked = f.start("arn:aws:states:::lambda:invoke", R"({"FunctionName":"price","Payload":[1]})");
  REQUIRE(f.driver.wait(invoked));
  const Json answer = Json::parse(TaskDriver::text(*f.driver.seen[invoked].outcome));
  CHECK(answer["Payload"] == Json{{"got", {1}}});
  CHECK(answer["StatusCode"] == 200);
}

TEST_CASE("Functions at a URL: what fails does so as Lambda has it") {
  LocalServer server(answers());
  UrlFunctions f;
  for (const char* name : {"error", "marked", "busy", "moved", "words", "large"})
    f.at(name, server.url(std::string("/") + name));
  f.at("slow", server.url("/slow"), {{"timeout", 0.2}});
  f.at("nobody", "http://127.0.0.1:1/");
  f.at("metadata", "http://169.254.169.254/latest/");
  const auto begins = [&](const std::string& name, const std::string& beginning) {
    const std::string text = f.call(name, "{}");
    CHECK_MESSAGE(text.starts_with(beginning), text);
  };
  begins("error", R"(StockError: {"errorType":"StockError","errorMessage":"none left"})");
  begins("marked", R"(Unhandled: {"errorType":"Unhandled","errorMessage":"as Lambda"})");
  begins("busy", R"(Http.StatusCode.503: {"errorType":"Http.StatusCode.503","errorMessage":"come back"})");
  begins("moved", "Http.StatusCode.302: ");
  begins("words", R"(Runtime.MarshalError: {"errorType":"Runtime.MarshalError")");
  begins("large", "Function.ResponseSizeTooLarge: ");
  begins("slow", R"(Sandbox.Timedout: {"errorType":"Sandbox.Timedout")");
  begins("nobody", "Http.Socket: ");
  begins("metadata", "Http.Forbidden: ");
}

TEST_CASE("Functions at a URL: concurrency holds, and a cancelled one takes its request with it") {
  std::atomic<int> now{0}, most{0};
  LocalServer server([&](const LocalRequest&) {
    const int here = ++now;
    for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    --now;
    return LocalServer::answer(200, "1");
  });
  UrlFunctions f;
  f.at("two", server.url(), {{"concurrency", 2}});
  std::vector<orchestrator::TaskKey> keys;
  for (int i = 0; i < 6; ++i) keys.push_back(f.start(kUrlArn + "two", "{}"));
  const auto cancelled = f.start(kUrlArn + "two", "{}");
  f.driver.runner->cancel(cancelled);
  for (const auto& key : keys) {
    REQUIRE(f.driver.wait(key));
    CHECK(TaskDriver::text(*f.driver.seen[key].outcome) == "1");
  }
  CHECK(most == 2);
  CHECK_FALSE(f.driver.seen[cancelled].outcome);
  CHECK(server.requests().size() == 6);
}

TEST_CASE("Functions at a URL: function.json is checked") {
  const TemporaryHome home;
  const auto why = [&](const char* settings) {
    home.write("functions/f/function.json", settings);
    const auto loaded = load_function(home.path("functions"), "f");
    return loaded ? loaded->runtime + " " + loaded->url : loaded.error().message;
  };
  CHECK(
      why(R"({"url":"https://x.example/f","connection":"c","headers":{"A":"b"},"timeout":3,"concurrency":2})") ==
      "url https://x.example/f");
  CHECK(why(R"({"url":"ftp://x.example/"})").find("function.json.url: ") != std::string::npos);
  CHECK(why(R"({"url":"https://x.example/","command":["cat"]})")
            .find("command: a function at a URL has none") != std::string::npos);
  CHECK(why(R"({"command":["cat"],"headers":{}})").find("headers: is for a function at a URL") !=
        std::string::npos);
}
