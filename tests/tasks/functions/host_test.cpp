// Functions in real processes: Python from the machine, /bin/sh, and Node where it is installed.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

bool has(const char* program) {
  if (std::system((std::string("command -v ") + program + " >/dev/null 2>&1").c_str()) == 0) return true;
  MESSAGE("skipped: " << program << " is not there");
  return false;
}

const std::string kArn = "arn:aws:lambda:us-east-1:123456789012:function:";

struct Functions {
  TemporaryHome home;
  TaskDriver driver{home.path()};
  std::uint64_t visits = 0;

  void python(const std::string& name, const std::string& source, const std::string& settings = "{}") {
    home.write("functions/" + name + "/handler.py", source);
    home.write("functions/" + name + "/function.json", settings);
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
  Outcome end(const orchestrator::TaskKey& key) {
    REQUIRE(driver.wait(key));
    return *driver.seen[key].outcome;
  }
  // The result's text, or "Error: cause".
  std::string call(const std::string& function, const std::string& event) {
    return TaskDriver::text(end(start(kArn + function, event)));
  }
  Json invoke(const std::string& arguments, const std::string& form = "lambda:invoke") {
    const Outcome outcome = end(start("arn:aws:states:::" + form, arguments));
    if (!outcome) return Json{{"error", outcome.error().error}, {"cause", outcome.error().cause}};
    return Json::parse(outcome->text());
  }
};

Json object_of(const std::string& failure) {
  const std::size_t colon = failure.find(": ");
  return colon == std::string::npos ? Json() : Json::parse(failure.substr(colon + 2), nullptr, false);
}

bool within(std::chrono::seconds limit, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace

TEST_CASE("Functions: Python handlers get the event and answer, by both kinds of Resource") {
  if (!has("python3")) return;
  Functions f;
  f.python("echo", "def handler(event, context):\n    return event\n");
  f.python("about",
           "import os\n"
           "def handler(event, context):\n"
           "    left = context.get_remaining_time_in_millis()\n"
           "    return [context.function_name, context.invoked_function_arn, context.memory_limit_in_mb,\n"
           "            len(context.aws_request_id), 0 < left <= 7000, os.environ['MODE'], 'MILLRACE_HOME' "
           "in os.environ,\n"
           "            context.client_context.custom['k'] if context.client_context else None]\n",
           R"({"timeout":7,"memory_size":256,"environment":{"MODE":"fast"}})");
  ::setenv("MILLRACE_HOME", "/nowhere", 1);
  CHECK(f.call("echo", R"({"a":[1,2.50,"é",null,true]})") == R"({"a":[1,2.5,"é",null,true]})");
  CHECK(f.call("echo:live", "0.0") == "0.0");
  CHECK(f.call("echo", "\"HelloWorld\"") == "\"HelloWorld\"");
  const Json answer = f.invoke(R"({"FunctionName":"echo","Payload":{"x":1}})");
  CHECK(answer["ExecutedVersion"] == "$LATEST");
  CHECK(answer["Payload"] == Json{{"x", 1}});
  CHECK(answer["StatusCode"] == 200);
  CHECK(answer["SdkHttpMetadata"]["HttpStatusCode"] == 200);
  CHECK(answer["SdkHttpMetadata"]["HttpHeaders"]["Content-Type"] == "application/json");
  CHECK(answer["SdkResponseMetadata"]["RequestId"].get<std::string>().size() == 36);
  CHECK(f.invoke(R"({"FunctionName":"echo","Payload":null})")["Payload"] == Json::object());
  CHECK(f.invoke(R"({"FunctionName":"echo"})")["Payload"] == Json::object());
  // A string is the body of the request: JSON in a text.
  CHECK(f.invoke(R"({"FunctionName":"echo","Payload":"{\"x\":0.0}"})")["Payload"] == Json{{"x", 0.0}});
  CHECK(f.invoke(R"({"FunctionName":"echo","Payload":"\"Hello\""})")["Payload"] == "Hello");
  CHECK(f.invoke(R"({"FunctionName":"echo","Payload":"Hello"})")["error"] ==
        "Lambda.InvalidRequestContentException");
  CHECK(f.invoke(R"({"FunctionName":"123456789012:function:echo:7"})")["ExecutedVersion"] == "7");
  const std::string client = base64_encode(R"({"custom":{"k":"v"}})");
  CHECK(f.invoke(R"({"FunctionName":"about","ClientContext":")" + client + "\"}")["Payload"] ==
        Json::array({"about", kArn + "about", 256, 36, true, "fast", false, "v"}));
  ::unsetenv("MILLRACE_HOME");
}

TEST_CASE("Functions: the SDK's form gives texts, and a failed function is a result") {
  if (!has("python3")) return;
  Functions f;
  f.python("echo", "def handler(event, context):\n    return event\n");
  f.python("bad", "def handler(event, context):\n    raise KeyError('k')\n");
  const std::string sdk = "aws-sdk:lambda:invoke";
  const Json fine = f.invoke(R"({"FunctionName":"echo","Payload":{"x":1}})", sdk);
  CHECK(fine == Json{{"ExecutedVersion", "$LATEST"}, {"Payload", R"({"x":1})"}, {"StatusCode", 200}});
  const Json bad = f.invoke(R"({"FunctionName":"bad"})", sdk);
  CHECK(bad["FunctionError"] == "Unhandled");
  CHECK(Json::parse(bad["Payload"].get<std::string>())["errorType"] == "KeyError");
  const Json missing = f.invoke(R"({"FunctionName":"nobody"})", sdk);
  CHECK(missing["error"] == "Lambda.ResourceNotFoundException");
  CHECK(missing["cause"].get<std::string>().starts_with(
      "Function not found: " + kArn + "nobody:$LATEST (Service: Lambda, Status Code: 404, Request ID: "));
  const Json about = f.invoke(R"({"FunctionName":"echo"})", "aws-sdk:lambda:getFunction");
  CHECK(about["Configuration"]["FunctionArn"] == kArn + "echo");
  CHECK(about["Configuration"]["Handler"] == "handler.handler");
}

TEST_CASE("Functions: an exception is the task's error, with AWS's error object as its cause") {
  if (!has("python3")) return;
  Functions f;
  f.python("raise",
           "class CustomException(Exception):\n    pass\n\n\ndef handler(event, context):\n"
           "    raise CustomException(event)\n");
  f.python("set", "def handler(event, context):\n    return {1, 2}\n");
  f.python("nan", "def handler(event, context):\n    return float('nan')\n");
  f.python("syntax", "def handler(event, context)\n    return 1\n");
  f.python("import", "import nothing_of_that_name\n");
  f.python("missing", "def other(event, context):\n    return 1\n");
  const std::string failed = f.call("raise", "\"why\"");
  CHECK(failed.starts_with("CustomException: "));
  const Json object = object_of(failed);
  CHECK(object["errorMessage"] == "why");
  CHECK(object["errorType"] == "CustomException");
  CHECK(object["requestId"].get<std::string>().size() == 36);
  REQUIRE(object["stackTrace"].size() == 1);
  CHECK(object["stackTrace"][0].get<std::string>().find("handler.py\", line 6, in handler") !=
        std::string::npos);
  CHECK(f.invoke(R"({"FunctionName":"raise","Payload":{}})")["error"] == "CustomException");
  CHECK(f.call("set", "{}").starts_with("Runtime.MarshalError: "));
  CHECK(f.call("nan", "{}").starts_with("Runtime.MarshalError: "));
  CHECK(f.call("syntax", "{}").starts_with("Runtime.UserCodeSyntaxError: "));
  const Json unknown = object_of(f.call("import", "{}"));
  CHECK(unknown["errorType"] == "Runtime.ImportModuleError");
  CHECK(unknown["errorMessage"] ==
        "Unable to import module 'handler': No module named 'nothing_of_that_name'");
  CHECK(object_of(f.call("missing", "{}"))["errorMessage"] ==
        "Handler 'handler' missing on module 'handler'");
}

TEST_CASE("Functions: one that is not there, and requests Lambda would refuse") {
  Functions f;
  const std::string missing = f.call("no_such", "{}");
  CHECK(missing.starts_with("Lambda.ResourceNotFoundException: Function not found: " + kArn +
                            "no_such:$LATEST (Service: AWSLambda; Status Code: 404; Error Code: "
                            "ResourceNotFoundException; Request ID: "));
  CHECK(missing.ends_with("; Proxy: null)"));
  CHECK(f.invoke(R"({"FunctionName":"no_such"})")["error"] == "Lambda.ResourceNotFoundException");
  CHECK(f.invoke(R"({"FunctionName":"no_such","InvocationType":"Event"})")["error"] ==
        "Lambda.ResourceNotFoundException");
  CHECK(f.invoke(R"({"FunctionName":"a/b"})")["error"] == "Lambda.AWSLambdaException");
  CHECK(f.invoke(R"({})")["error"] == "Lambda.AWSLambdaException");
  CHECK(f.invoke(R"({"FunctionName":"f","InvocationType":"Later"})")["error"] == "Lambda.AWSLambdaException");
  f.home.write("functions/broken/handler.py", "");
  f.home.write("functions/broken/function.json", R"({"timeout":-1})");
  const Json broken = f.invoke(R"({"FunctionName":"broken"})");
  CHECK(broken["error"] == "Lambda.InvalidRuntimeException");
  CHECK(broken["cause"].get<std::string>().find("function.json.timeout") != std::string::npos);
  f.home.write("functions/alien/function.json", R"({"command":["no-such-program-here"]})");
  CHECK(f.call("alien", "{}").find("needs no-such-program-here, which is not on this machine") !=
        std::string::npos);
}

TEST_CASE("Functions: over time, killed, leaving, and out of memory; the next invocation works again") {
  if (!has("python3")) return;
  Functions f;
  f.python("slow", "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'done'\n",
           R"({"timeout":0.5})");
  f.python("leave",
           "import os, sys\ndef handler(event, context):\n"
           "    print('last words')\n"
           "    if event == 'exit': sys.exit(3)\n"
           "    if event == 'quiet': os._exit(0)\n"
           "    if event == 'kill': os.kill(os.getpid(), 9)\n"
           "    return 'stayed'\n");
  f.python("eat", "def handler(event, context):\n    return len('x' * (event * 1024 * 1024))\n",
           R"({"memory_size":128})");
  const Json late = object_of(f.call("slow", "30"));
  CHECK(late["errorType"] == "Sandbox.Timedout");
  CHECK(late["errorMessage"].get<std::string>().find(" Error: Task timed out after 0.50 seconds") !=
        std::string::npos);
  CHECK(f.call("slow", "0") == "\"done\"");
  const Json gone = object_of(f.call("leave", "\"exit\""));
  CHECK(gone["errorType"] == "Runtime.ExitError");
  CHECK(gone["errorMessage"].get<std::string>().ends_with("Error: Runtime exited with error: exit status 3"));
  CHECK(f.call("leave", "\"quiet\"").find("Runtime exited without providing a reason") != std::string::npos);
  CHECK(f.call("leave", "\"kill\"").find("Runtime exited with error: signal: killed") != std::string::npos);
  CHECK(f.call("leave", "\"stay\"") == "\"stayed\"");
  CHECK(f.call("eat", "1") == "1048576");
  CHECK(f.call("eat", "4000").starts_with("MemoryError: "));
}

TEST_CASE("Functions: processes stay warm, follow their files, and run at once up to the limit") {
  if (!has("python3")) return;
  Functions f;
  f.python("pid", "import os\ndef handler(event, context):\n    return os.getpid()\n");
  const std::string pid = f.call("pid", "{}");
  for (int i = 0; i < 20; ++i) CHECK(f.call("pid", "{}") == pid);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  f.python("pid", "def handler(event, context):\n    return 'other'\n");
  CHECK(f.call("pid", "{}") == "\"other\"");

  f.python("wait",
           "import os, time\ndef handler(event, context):\n    time.sleep(0.2)\n    return os.getpid()\n",
           R"({"concurrency":3})");
  std::vector<orchestrator::TaskKey> keys;
  for (int i = 0; i < 12; ++i) keys.push_back(f.start(kArn + "wait", "{}"));
  std::set<std::string> pids;
  for (const auto& key : keys) pids.insert(TaskDriver::text(f.end(key)));
  CHECK(pids.size() == 3);
}

TEST_CASE("Functions: what is cancelled is killed, with all it started; what goes down leaves nothing") {
  if (!has("python3")) return;
  Functions f;
  f.python("hang",
           "import os, subprocess, time\ndef handler(event, context):\n"
           "    child = subprocess.Popen(['sleep', '600'])\n"
           "    open(event, 'w').write('%d %d' % (os.getpid(), child.pid))\n"
           "    time.sleep(600)\n");
  const auto alive = [](int pid) { return ::kill(pid, 0) == 0; };
  const auto pids = [&](const char* file) {
    int a = 0, b = 0;
    REQUIRE(within(std::chrono::seconds(20), [&] {
      return std::sscanf(f.home.read(std::string("functions/hang/") + file).c_str(), "%d %d", &a, &b) == 2;
    }));
    return std::pair(a, b);
  };
  const auto key = f.start(kArn + "hang", "\"one.txt\"");
  const auto [a, b] = pids("one.txt");
  f.driver.runner->cancel(key);
  CHECK(within(std::chrono::seconds(10), [&, pid = a] { return !alive(pid); }));
  CHECK(within(std::chrono::seconds(10), [&, pid = b] { return !alive(pid); }));
  CHECK(!f.driver.seen[key].outcome);

  f.start(kArn + "hang", "\"two.txt\"");
  const auto [c, d] = pids("two.txt");
  f.driver.runner.reset();
  CHECK(within(std::chrono::seconds(10), [&, pid = c] { return !alive(pid); }));
  CHECK(within(std::chrono::seconds(10), [&, pid = d] { return !alive(pid); }));
}

TEST_CASE("Functions: what they print is in the log, and at the end of the answer when asked for") {
  if (!has("python3")) return;
  Functions f;
  f.python("talk",
           "import sys\ndef handler(event, context):\n    print('to stdout')\n"
           "    print('x' * event)\n    print('to stderr', file=sys.stderr)\n    return 1\n");
  const Json answer = f.invoke(R"({"FunctionName":"talk","Payload":10,"LogType":"Tail"})");
  const std::string tail = base64_decode(answer["LogResult"].get<std::string>()).value_or("");
  CHECK(tail.starts_with("START RequestId: "));
  CHECK(tail.find("to stdout\nxxxxxxxxxx\nto stderr\n") != std::string::npos);
  CHECK(tail.find("REPORT RequestId: ") != std::string::npos);
  f.invoke(R"({"FunctionName":"talk","Payload":300000})");
  std::string log;
  for (const auto& entry : std::filesystem::directory_iterator(f.home.path("logs/functions/talk")))
    log += f.home.read("logs/functions/talk/" + entry.path().filename().string());
  CHECK(log.find("to stdout\nxxxxxxxxxx\nto stderr\n") != std::string::npos);
  CHECK(log.find(std::string(300'000, 'x')) != std::string::npos);
}

TEST_CASE("Functions: a large event and a large result pass; too large a result is Lambda's error") {
  if (!has("python3")) return;
  Functions f;
  f.python("echo", "def handler(event, context):\n    return event\n");
  f.python("grow", "def handler(event, context):\n    return 'a' * event\n");
  const std::string large = "\"" + std::string(3'000'000, 'b') + "\"";
  CHECK(f.call("echo", large) == large);
  CHECK(f.call("grow", "70000000").starts_with("Function.ResponseSizeTooLarge: "));
  CHECK(f.call("grow", "3") == "\"aaa\"");
  CHECK(f.call("grow", "7000000") ==
        "Function.ResponseSizeTooLarge: "
        "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response "
        "payload size exceeded maximum allowed payload size (6291556 bytes).\"}");
}

TEST_CASE("Functions: a command's standard input and output; a bootstrap that speaks the Runtime API") {
  Functions f;
  f.home.write("functions/cat/function.json", R"({"command":["cat"]})");
  f.home.write("functions/fail/function.json", R"({"command":["sh","-c","echo sorry >&2; exit 4"]})");
  f.home.write("functions/say/function.json",
               R"({"command":["sh","-c","echo '{\"errorType\":\"Mine\",\"errorMessage\":\"m\"}'; exit 1"]})");
  f.home.write("functions/text/function.json", R"({"command":["echo","no JSON"]})");
  CHECK(f.call("cat", R"({"a":1})") == R"({"a":1})");
  CHECK(f.call("fail", "{}").find("Runtime exited with error: exit status 4") != std::string::npos);
  CHECK(f.call("say", "{}") == R"(Mine: {"errorType":"Mine","errorMessage":"m"})");
  CHECK(f.call("text", "{}").starts_with("Runtime.MarshalError: "));
  if (!has("python3")) return;
  f.home.write("functions/boot/bootstrap",
               "#!/usr/bin/env python3\n"
               "import json, os, urllib.request\n"
               "base = 'http://%s/2018-06-01/runtime/' % os.environ['AWS_LAMBDA_RUNTIME_API']\n"
               "while True:\n"
               "    with urllib.request.urlopen(base + 'invocation/next') as r:\n"
               "        id, event = r.headers['Lambda-Runtime-Aws-Request-Id'], json.load(r)\n"
               "        assert int(r.headers['Lambda-Runtime-Deadline-Ms']) > 1e12\n"
               "    if event == 'fail':\n"
               "        path, body = 'error', {'errorMessage': 'm', 'errorType': 'Mine', 'stackTrace': []}\n"
               "    else:\n"
               "        path, body = 'response', {'pid': os.getpid(), 'event': event}\n"
               "    data = json.dumps(body).encode()\n"
               "    urllib.request.urlopen(urllib.request.Request(base + 'invocation/%s/%s' % (id, path), "
               "data)).read()\n");
  ::chmod(f.home.path("functions/boot/bootstrap").c_str(), 0755);
  const Json first = Json::parse(f.call("boot", R"({"n":1})")), second = Json::parse(f.call("boot", "2"));
  CHECK(first["event"] == Json{{"n", 1}});
  CHECK(second["event"] == 2);
  CHECK(second["pid"] == first["pid"]);
  CHECK(f.call("boot", "\"fail\"").starts_with("Mine: "));
}

TEST_CASE("Functions: Node handlers, async and with a callback") {
  if (!has("node")) return;
  Functions f;
  f.home.write("functions/js/index.js",
               "exports.handler = async (event, context) => {\n"
               "  console.log('seen', event.n);\n"
               "  if (event.n < 0) throw new RangeError('negative');\n"
               "  return { twice: event.n * 2, name: context.functionName };\n};\n");
  f.home.write("functions/back/index.mjs",
               "export const handler = (event, context, callback) => {\n"
               "  setTimeout(() => callback(null, event), 5);\n};\n");
  CHECK(f.call("js", R"({"n":4})") == R"({"twice":8,"name":"js"})");
  const Json failed = object_of(f.call("js", R"({"n":-1})"));
  CHECK(failed["errorType"] == "RangeError");
  CHECK(failed["errorMessage"] == "negative");
  CHECK(failed["trace"].is_array());
  CHECK(f.call("back", "[1]") == "[1]");
}
