// Resources that integrations.json maps to commands and URLs.

#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tasks/integrations/mapped/mappings.h"
#include "tasks/integrations/settings.h"
#include "tests/tasks/integrations/local_server.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kArn = "arn:aws:states:us-east-1:123456789012:execution:m:e";

struct Mapped {
  TemporaryHome home;
  std::optional<TaskDriver> driver;
  std::uint64_t visits = 0;

  void map(const Json& document) {
    home.write("integrations.json", document.dump());
    if (!driver) driver.emplace(home.path());
  }
  void script(const std::string& name, const std::string& text) {
    home.write(name, "#!/bin/sh\n" + text);
    std::filesystem::permissions(home.path(name), std::filesystem::perms::owner_all);
  }
  orchestrator::TaskKey start(const std::string& resource, const std::string& arguments,
                              const std::string& token) {
    orchestrator::TaskRequest request;
    request.key = TaskDriver::key(++visits);
    request.resource = resource;
    request.arguments = Payload::literal(arguments);
    request.execution_arn = kArn;
    request.execution_name = "e";
    request.state_name = "S";
    request.task_token = token;
    driver->runner->start(request, [this](const orchestrator::TaskKey& at, orchestrator::TaskReport report) {
      if (auto* outcome = std::get_if<Outcome>(&report)) driver->seen[at].outcome = *outcome;
    });
    return request.key;
  }
  std::string run(const std::string& resource, const std::string& arguments = "{}",
                  const std::string& token = "") {
    const auto key = start(resource, arguments, token);
    return driver->wait(key) ? TaskDriver::text(*driver->seen[key].outcome) : "no outcome";
  }
};

const std::string kGlue = "arn:aws:states:::glue:startJobRun";

}  // namespace

TEST_CASE("Mappings: the longest pattern wins, whatever region and account say") {
  CHECK(mapped_part("arn:aws:states:us-east-1:1:glue:startJobRun.sync") == "glue:startJobRun.sync");
  CHECK(mapped_part("arn:aws:lambda:us-east-1:1:function:f") == "arn:aws:lambda:us-east-1:1:function:f");
  CHECK(matches_pattern("glue:*", "glue:startJobRun.sync"));
  CHECK(matches_pattern("*:start*Run*", "glue:startJobRun"));
  CHECK_FALSE(matches_pattern("glue:startJobRun", "glue:startJobRun.sync"));
  CHECK_FALSE(matches_pattern("glue:*x", "glue:startJobRun"));
  CHECK(matches_pattern("*", ""));
  TemporaryHome home;
  Mappings mappings(home.path("integrations.json"));
  CHECK_FALSE(*mappings.find(kGlue));
  home.write("integrations.json", R"({"arn:aws:states:::glue:*": {"command": ["a"]},
      "arn:aws:states:::glue:startJobRun*": {"command": ["b", "c"]}, "http": {}})");
  CHECK((*mappings.find("arn:aws:states:us-east-1:1:glue:startJobRun.sync"))->command ==
        std::vector<std::string>{"b", "c"});
  CHECK((*mappings.find("arn:aws:states:::glue:getJobRun"))->command == std::vector<std::string>{"a"});
  CHECK_FALSE(*mappings.find("arn:aws:states:::athena:getQueryResults"));
}

TEST_CASE("Mappings: what is wrong in the file is said with its place") {
  const std::pair<const char*, const char*> kCases[] = {
      {"{\"a\": 1,}", "is no JSON"},
      {"[]", "must be a JSON object"},
      {R"({"arn:x": 1})", "arn:x.command: expected {\"command\": […]} or {\"url\": \"…\"}"},
      {R"({"arn:x": {}})", "arn:x.command: exactly one of command and url is wanted"},
      {R"({"arn:x": {"command": ["a"], "url": "http://x"}})", "exactly one"},
      {R"({"arn:x": {"command": "a b"}})", "arn:x.command: expected an array"},
      {R"({"arn:x": {"url": "ftp://x"}})", "arn:x.url: \"ftp://x\" is neither an http nor an https URL"},
      {R"({"arn:x": {"comand": ["a"]}})", "arn:x.comand: is no setting of a mapping"},
      {R"({"arn:x": {"command": ["a"], "timeout_seconds": -1}})", "arn:x.timeout_seconds: must be between"},
      {R"({"htp": {}})", "htp: is neither a section nor a resource"},
      {R"({"http": {"alow": []}})", "alow: is no setting"},
      {R"({"http": {"allow": ["everything"]}})", "\"everything\" is no class of addresses"},
      {R"({"http": {"at_once_max": 0}})", "at_once_max: must be between 1 and 10000"},
      {R"({"events": {"retention_days": "x"}})", "retention_days: expected"},
  };
  for (const auto& [text, expected] : kCases) {
    CAPTURE(text);
    TemporaryHome home;
    home.write("integrations.json", text);
    const auto settings = read_integration_settings(home.path("integrations.json"));
    REQUIRE_FALSE(settings);
    CAPTURE(settings.error().message);
    CHECK(settings.error().message.find(expected) != std::string::npos);
    CHECK(settings.error().message.find("integrations.json") != std::string::npos);
  }
}

TEST_CASE("Mapped commands: arguments on stdin, the result from stdout, the call in the environment") {
  Mapped m;
  m.script("echo.sh", "cat\n");
  m.script(
      "about.sh",
      "echo 'to the log' >&2\n"
      "printf '[\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\"]' \"$MILLRACE_RESOURCE\" "
      "\"$MILLRACE_EXECUTION_ARN\" \"$MILLRACE_STATE_NAME\" \"$MILLRACE_TASK_KEY\" \"$MILLRACE_TASK_TOKEN\" "
      "\"$MODE$KEPT$DROPPED\" \"$1\"\n");
  ::setenv("KEPT", "k", 1);
  ::setenv("DROPPED", "d", 1);
  m.map({{kGlue + "*", {{"command", {"./echo.sh"}}}},
         {"arn:aws:states:::x:about*",
          {{"command", {"./about.sh", "one two"}},
           {"environment", {{"MODE", "fast"}}},
           {"pass_environment", {"KEPT"}}}},
         {"arn:aws:states:::x:silent", {{"command", {"true"}}}}});
  CHECK(m.run(kGlue, R"({"JobName":"j","n":1.50,"text":"a\nb é"})") ==
        R"({"JobName":"j","n":1.50,"text":"a\nb é"})");
  const std::string large = "{\"x\":\"" + std::string(200'000, 'y') + "\"}";
  CHECK(m.run(kGlue + ".sync", large) == large);
  CHECK(m.run("arn:aws:states:::x:about.waitForTaskToken", "{}", "tok") ==
        R"(["arn:aws:states:::x:about.waitForTaskToken",")" + kArn +
            R"(","S","1/1/3/0","tok","fastk","one two"])");
  CHECK(m.run("arn:aws:states:::x:silent") == "{}");
  CHECK(m.home.read("logs/commands/about.sh.log") == "to the log\n");
  CHECK(std::filesystem::is_empty(m.home.path("scratch/commands")));
}

TEST_CASE("Mapped commands: failures say what happened") {
  Mapped m;
  m.script("own.sh",
           "echo '{\"Error\":\"Glue.ConcurrentRunsExceeded\",\"Cause\":\"two at once\"}'; exit 3\n");
  m.script("status.sh", "echo 'cannot reach the cluster' >&2; exit 7\n");
  m.script("words.sh", "echo done\n");
  m.script("killed.sh", "kill -9 $$\n");
  m.script("slow.sh", "sleep 30\n");
  m.script("endless.sh",
           "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n");
  Json document;
  for (const char* name : {"own", "status", "words", "killed", "slow", "endless"})
    document[std::string("arn:aws:states:::x:") + name] = {{"command", {std::string("./") + name + ".sh"}}};
  document["arn:aws:states:::x:slow"]["timeout_seconds"] = 0.3;
  document["arn:aws:states:::x:absent"] = {{"command", {"./no-such-program"}}};
  m.map(document);
  const auto run = [&](const std::string& name) { return m.run("arn:aws:states:::x:" + name); };
  CHECK(run("own") == "Glue.ConcurrentRunsExceeded: two at once");
  CHECK(run("status") ==
        "States.TaskFailed: the command status.sh exited with status 7: cannot reach the cluster");
  CHECK(run("words").starts_with(
      "States.TaskFailed: the command words.sh must write one JSON document to its stdout"));
  CHECK(run("killed") == "States.TaskFailed: the command killed.sh was killed by signal 9");
  CHECK(run("slow") == "States.Timeout: the command slow.sh took longer than its timeout_seconds");
  CHECK(run("endless").starts_with(
      "States.DataLimitExceeded: the command endless.sh wrote more than 262144 bytes"));
  CHECK(run("absent").find("no-such-program") != std::string::npos);
}

TEST_CASE("Mapped commands: a cancelled task's command ends, with what it started") {
  Mapped m;
  m.script("long.sh", "echo $$ > pid; sleep 60 & sleep 60\n");
  m.map({{"arn:aws:states:::x:long", {{"command", {"./long.sh"}}}}});
  const auto key = m.start("arn:aws:states:::x:long", "{}", "");
  while (m.home.read("pid").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const pid_t pid = std::stoi(m.home.read("pid"));
  m.driver->runner->cancel(key);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (::kill(pid, 0) == 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("Mapped URLs: the arguments are posted, the answer is the result") {
  LocalServer server([](const LocalRequest& request) {
    if (request.target == "/fail")
      return LocalServer::answer(409, R"({"Error":"Slack.RateLimited","Cause":{"retry":3}})");
    if (request.target == "/status") return LocalServer::answer(500, "broken", "", "text/plain");
    if (request.target == "/empty") return LocalServer::answer(204, "");
    if (request.target == "/words") return LocalServer::answer(200, "fine", "", "text/plain");
    return LocalServer::answer(200, "{\"got\":" + request.body + "}");
  });
  Mapped m;
  Json document;
  for (const char* name : {"post", "fail", "status", "empty", "words"})
    document[std::string("arn:aws:states:::slack:") + name + "*"] = {
        {"url", server.url(std::string("/") + name)}, {"headers", {{"X-App", "shop"}}}};
  m.map(document);
  const auto run = [&](const std::string& name) {
    return m.run("arn:aws:states:::slack:" + name, R"({"a":1.0})", "tok");
  };
  CHECK(run("post.waitForTaskToken") == R"({"got":{"a":1.0}})");
  const LocalRequest request = server.requests().at(0);
  CHECK(request.method == "POST");
  CHECK(request.header("X-App") == "shop");
  CHECK(request.header("Idempotency-Key") == "1/1/1/0");
  CHECK(request.header("X-Millrace-Task-Token") == "tok");
  CHECK(request.header("X-Millrace-Execution-Arn") == kArn);
  CHECK(request.header("X-Millrace-Resource") == "arn:aws:states:::slack:post.waitForTaskToken");
  CHECK(run("fail") == "Slack.RateLimited: {\"retry\":3}");
  CHECK(run("status") == "States.Http.StatusCode.500: broken");
  CHECK(run("empty") == "{}");
  CHECK(run("words").starts_with("States.TaskFailed: the URL must answer with one JSON document"));
}

TEST_CASE("Mappings: may be added and broken while the home is open; what is built in goes on") {
  Mapped m;
  m.map(Json::object());
  CHECK_FALSE(m.driver->runner->serves(kGlue));
  m.map({{kGlue, {{"command", {"echo", "1"}}}},
         {"arn:aws:states:::aws-sdk:s3:listBuckets", {{"command", {"echo", "2"}}}}});
  CHECK(m.driver->runner->serves(kGlue));
  CHECK(m.run(kGlue) == "1");
  CHECK(m.run("arn:aws:states:::aws-sdk:s3:listBuckets") == "2");
  m.home.write("integrations.json", "{\"arn:aws:states:::glue:startJobRun\": {\"comand\": []}}");
  CHECK(m.run(kGlue).starts_with("States.TaskFailed: "));
  CHECK(m.run(kGlue).find("comand: is no setting of a mapping; the settings are command|url") !=
        std::string::npos);
  CHECK(m.run("arn:aws:states:::aws-sdk:s3:listBuckets") == R"({"Buckets":[]})");
}
