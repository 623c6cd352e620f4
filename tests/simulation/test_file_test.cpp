// Test files of workflows: what is read, what is refused, what a case finds.

#include <doctest/doctest.h>

#include "simulation/test_file.h"

using namespace millrace;
using namespace millrace::simulation;

namespace {

const std::string kTask = R"("Type":"Task","Resource":"arn:aws:states:::lambda:invoke")";
// A task with a retrier and a catcher, then a Choice, then an item processor with a task of its own.
const std::string kAskTwice =
    R"({"StartAt":"Ask","States":{
  "Ask":{)" +
    kTask + R"(,"TimeoutSeconds":50,"Retry":[{"ErrorEquals":["Busy"],"IntervalSeconds":10,"MaxAttempts":2}],
    "Catch":[{"ErrorEquals":["Bad"],"ResultPath":"$.why","Next":"Mend"},{"ErrorEquals":["States.ALL"],"Next":"Mend"}],
    "ResultPath":"$.got","Next":"Big?"},
  "Big?":{"Type":"Choice","Choices":[{"Variable":"$.got.n","NumericGreaterThan":10,"Next":"Each"},
                                     {"Variable":"$.got.n","NumericLessThan":0,"Next":"Each"}],"Default":"Done"},
  "Each":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":1,"ItemProcessor":{"StartAt":"Look","States":{
    "Look":{)" +
    kTask + R"(,"End":true}}},"End":true},
  "Mend":{"Type":"Wait","Seconds":3600,"Next":"Done"},
  "Done":{"Type":"Succeed"}}})";

const LoadFile kNoFiles = [](const std::string& path) -> Result<std::string> {
  return invalid(path + ": no such file");
};

Result<TestSuite> read(const std::string& cases) {
  return read_test_suite("{\"definition\":" + kAskTwice + ",\"cases\":[" + cases + "]}", "t.json", kNoFiles);
}

CaseResult run_one(const std::string& members) {
  const auto suite = read("{\"name\":\"c\"," + members + "}");
  REQUIRE_MESSAGE(suite.has_value(), (suite ? "" : suite.error().message));
  return run_case(*suite, suite->cases[0]);
}

std::string problems(const std::string& members) {
  std::string all;
  for (const std::string& problem : run_one(members).problems) all += (all.empty() ? "" : "\n") + problem;
  return all;
}

std::string suite_refusal(const std::string& cases) {
  const auto suite = read(cases);
  return suite ? "" : suite.error().message + (suite.error().hint.empty() ? "" : "; " + suite.error().hint);
}

}  // namespace

TEST_CASE("a case that comes out as expected") {
  CHECK(problems(R"("input":{"a":1},"mocks":{"Ask":{"return":{"n":5}}},
    "expect":{"output":{"a":1,"got":{"n":5}},"path":["Ask","Big?","Done"],"visits":{"Ask":1,"Each":0},"calls":{"Ask":1},
              "duration":{"atMost":0}})") == "");
}

TEST_CASE("answers by invocation, and virtual time") {
  const CaseResult done =
      run_one(R"("mocks":{"Ask":[{"throw":{"error":"Busy","cause":"c"},"after":1.5,"times":2},
    {"return":{"n":1},"after":2}]},"expect":{"duration":{"atLeast":35,"atMost":35},"calls":{"Ask":3}})");
  CHECK(done.problems.empty());
  CHECK(done.duration == Millis(1500 + 10'000 + 1500 + 20'000 + 2000));
  CHECK(problems(R"("mocks":{"Ask":{"0":{"Throw":{"Error":"Busy","Cause":"c"}},"1-2":{"Return":{"n":1}}}},
    "expect":{"calls":{"Ask":2}})") == "");
}

TEST_CASE("a task that never answers times out; one without a timeout waits for good") {
  CHECK(
      problems(
          R"("mocks":{"Ask":{"never":true}},"expect":{"path":["Ask","Mend","Done"],"duration":{"atLeast":3650,"atMost":3650},
    "output":{"Error":"States.Timeout"}})") == "");
  CHECK(
      problems(
          R"("input":{"items":[1]},"mocks":{"Ask":{"return":{"n":11}},"Look":{"never":true}},"expect":{"status":"RUNNING"})") ==
      "");
  CHECK(problems(R"("input":{"items":[1]},"mocks":{"Ask":{"return":{"n":11}},"Look":{"never":true}})") ==
        "status: expected SUCCEEDED, got RUNNING");
}

TEST_CASE("iterations have answers and paths of their own") {
  CHECK(problems(R"("input":{"items":["a","b","c"]},"mocks":{"Ask":{"return":{"n":11}},
    "Look":[{"iteration":1,"return":"second","arguments":"b"},{"line":"Each[2]","return":"third"},{"return":"any","times":"always"}]},
    "expect":{"output":["any","second","third"],"lines":{"Each[0]":["Look"],"Each[2]":["Look"]},"visits":{"Look":3}})") ==
        "");
  CHECK(problems(R"("input":{"items":["a"]},"mocks":{"Ask":{"return":{"n":11}},"Look":{"return":1}},
    "expect":{"lines":{"Each[1]":["Look"]}})") == "path of Each[1]: there is no such branch or iteration");
}

TEST_CASE("what is not as expected is said with its place") {
  CHECK(problems(R"("mocks":{"Ask":{"return":{"m":1}}},"expect":{"status":"FAILED","error":"Other"})")
            .find("error: expected 'Other', got 'States.Runtime'") == 0);
  CHECK(
      problems(
          R"("mocks":{"Ask":{"return":{"n":1,"list":[1,{"x~/":2}]}}},"expect":{"output":{"got":{"n":1,"list":[1,{"x~/":3}]}}})") ==
      "output at /got/list/1/x~0~1: expected 3, got 2");
  CHECK(problems(R"("mocks":{"Ask":{"return":{"n":1}}},"expect":{"output":{"got":{}}})") ==
        "output at /got/n: expected nothing, got 1");
  CHECK(problems(R"("mocks":{"Ask":{"return":{"n":1,"m":2}}},"expect":{"outputContains":{"got":{"m":2}}})") ==
        "");
  CHECK(problems(R"("mocks":{"Ask":{"return":{"n":1}}},"expect":{"path":["Ask","Done"]})") ==
        "path: expected [Ask, Done]\n      got      [Ask, Big?, Done]\n      step 2: expected 'Done', got "
        "'Big?'");
  CHECK(problems(R"("mocks":{"Ask":{"return":{"n":1},"argumentsExactly":{"b":1}}},"input":{"a":1})") ==
        "arguments of 'Ask', invocation 0: at /b: expected 1, got nothing");
  CHECK(problems(R"("mocks":{"Ask":{"throw":{"error":"Bad","cause":"why"}}},"expect":{"status":"FAILED"})")
            .find("status: expected FAILED, got SUCCEEDED") == 0);
  CHECK(problems(R"("mocks":{"Ask":{"return":{"n":1},"after":9}},"expect":{"duration":{"atMost":5}})") ==
        "duration: expected at most 5.0 s, got 9.0 s");
}

TEST_CASE("a mock that is missing or used up is named") {
  CHECK(problems(R"("input":{"items":[7]},"mocks":{"Ask":{"return":{"n":11}}})")
            .find("state 'Look' (arn:aws:states:::lambda:invoke), invocation 0, has no mock: add \"mocks\": "
                  "{\"Look\"") == 0);
  CHECK(problems(R"("mocks":{"Ask":[{"throw":{"error":"Busy"}}]})").find("invocation 1, has no mock left") !=
        std::string::npos);
}

TEST_CASE("a test file that is wrong says where") {
  CHECK(suite_refusal(R"({"name":"a","mocks":{"Aks":{"return":1}}})") ==
        "t.json: /cases/0/mocks/Aks: the definition has no state of this name; did you mean 'Ask'?");
  CHECK(suite_refusal(R"({"name":"a","expects":{}})")
            .find("t.json: /cases/0: unknown member 'expects'; it may have: name,") == 0);
  CHECK(suite_refusal(R"({"name":"a","mocks":{"Ask":{"return":1,"throw":{"error":"E"}}}})")
            .find("/mocks/Ask: must have one of") != std::string::npos);
  CHECK(suite_refusal(R"({"name":"a","mocks":{"Ask":{"throw":{}}}})")
            .find("/mocks/Ask/throw: 'error' is missing") != std::string::npos);
  CHECK(suite_refusal(R"({"name":"a","mocks":{"Ask":[{"return":1,"times":"always"},{"return":2}]}})")
            .find("/mocks/Ask/1: ") != std::string::npos);
  CHECK(suite_refusal(R"({"name":"a","expect":{"status":"FINE"}})")
            .find("/expect/status: 'FINE' is no status") != std::string::npos);
  CHECK(suite_refusal(R"({"name":"a","expect":{"path":["Nowhere"]}})").find("no state 'Nowhere'") !=
        std::string::npos);
  CHECK(suite_refusal(R"({"name":"a","mocks":{"Ask":{"return":1,"after":-1}}})")
            .find("/mocks/Ask/after: must not be less than 0") != std::string::npos);
  CHECK(suite_refusal(R"({"input":{}})") == "t.json: /cases/0: 'name' is missing");
  CHECK(suite_refusal(R"({"name":"a","mockCase":"Happy"})").find("'mockCase' needs a 'mockConfig'") !=
        std::string::npos);
  CHECK(read_test_suite("{", "t.json", kNoFiles).error().message.find("t.json: ") == 0);
  CHECK(read_test_suite(R"({"definition":"gone.json","cases":[]})", "t.json", kNoFiles).error().message ==
        "gone.json: no such file");
  CHECK(read_test_suite(R"({"definition":{"StartAt":"A","States":{}},"cases":[]})", "t.json", kNoFiles)
            .error()
            .message.find("does not compile") != std::string::npos);
}

TEST_CASE("a MockConfigFile of Step Functions Local") {
  const std::string text =
      R"({"StateMachines":{"M":{"TestCases":{"Happy":{"Ask":"Third"},"Lost":{"Ask":"Nothing"}}}},
    "MockedResponses":{"Third":{"0":{"Throw":{"Error":"Busy","Cause":"c"}},"1":{"Throw":{"Error":"Busy","Cause":"c"}},
                                "2":{"Return":{"n":3}}}}})";
  const LoadFile load = [&](const std::string& path) -> Result<std::string> {
    return path == "mocks.json" ? Result<std::string>(text) : kNoFiles(path);
  };
  const auto suite = read_test_suite("{\"definition\":" + kAskTwice + R"(,"mockConfig":"mocks.json","cases":[
    {"name":"c","mockCase":"Happy","expect":{"outputContains":{"got":{"n":3}},"calls":{"Ask":3}}}]})",
                                     "t.json", load);
  REQUIRE_MESSAGE(suite.has_value(), (suite ? "" : suite.error().message));
  CHECK(run_case(*suite, suite->cases[0]).problems.empty());
  const auto config = read_mock_config(text, "mocks.json");
  REQUIRE(config.has_value());
  CHECK(config->machines() == std::vector<std::string>{"M"});
  CHECK(config->test_cases("M") == std::vector<std::string>{"Happy", "Lost"});
  CHECK(config->mocks("M", "Sad", *suite->program).error().message.find("there is no test case 'Sad'") !=
        std::string::npos);
  CHECK(config->mocks("M", "Lost", *suite->program)
            .error()
            .message.find("there is no mocked response 'Nothing'") != std::string::npos);
}

TEST_CASE("coverage counts what was reached and names what was not") {
  const auto suite =
      read(R"({"name":"a","mocks":{"Ask":[{"throw":{"error":"Busy"}},{"throw":{"error":"Other"}}]}},
                             {"name":"b","input":{"items":[1]},"mocks":{"Ask":{"return":{"n":-1}},"Look":{"return":1}}})");
  REQUIRE_MESSAGE(suite.has_value(), (suite ? "" : suite.error().message));
  Coverage coverage(*suite->program);
  CHECK(coverage.items(CoverageKind::States).size() == 6);
  for (const TestCase& test : suite->cases) coverage.add(*run_case(*suite, test).trace);
  const auto hits = [&](CoverageKind kind, const std::string& name) -> std::uint64_t {
    for (const Coverage::Item& item : coverage.items(kind)) {
      if (item.name.find(name) == 0) return item.hits;
    }
    FAIL("no item " << name);
    return 0;
  };
  CHECK(coverage.covered(CoverageKind::States) == 6);
  CHECK(hits(CoverageKind::Retriers, "Ask: Retry[0] Busy") == 1);
  CHECK(hits(CoverageKind::Catchers, "Ask: Catch[0] Bad") == 0);
  CHECK(hits(CoverageKind::Catchers, "Ask: Catch[1] States.ALL") == 1);
  CHECK(hits(CoverageKind::ChoiceRules, "Big?: Choices[0]") == 0);  // leads to the same state as the next one
  CHECK(hits(CoverageKind::ChoiceRules, "Big?: Choices[1]") == 1);
  CHECK(hits(CoverageKind::ChoiceRules, "Big?: Default") == 0);
  CHECK(hits(CoverageKind::Transitions, "Ask → Mend") == 1);
  CHECK(hits(CoverageKind::Transitions, "Look → (end)") == 1);
  CHECK(hits(CoverageKind::Transitions, "Each → (end)") == 1);
  CHECK(hits(CoverageKind::Transitions, "Big? → Done") == 0);
  CHECK(coverage.percent() < 100);
}

TEST_CASE("the same seed draws the same") {
  const auto suite = read_test_suite(
      R"j({"definition":{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":
    {"id.$":"States.UUID()","at.$":"$$.State.EnteredTime","name.$":"$$.Execution.Name"},"End":true}}},"cases":[
    {"name":"a","context":{"Execution":{"Name":"n","StartTime":"2026-03-01T08:00:00Z"}},
     "expect":{"outputContains":{"at":"2026-03-01T08:00:00.000Z","name":"n"}}},
    {"name":"b","seed":2,"context":{"Execution":{"Name":"n"}}}]})j",
      "t.json", kNoFiles);
  REQUIRE_MESSAGE(suite.has_value(), (suite ? "" : suite.error().message));
  const CaseResult first = run_case(*suite, suite->cases[0]), again = run_case(*suite, suite->cases[0]);
  CHECK(first.problems.empty());
  CHECK(first.output->text() == again.output->text());
  CHECK(first.output->text() != run_case(*suite, suite->cases[1]).output->text());
}

TEST_CASE("a distributed Map: its children are lines, its items come from an object") {
  const auto suite =
      read_test_suite(R"j({"definition":{"StartAt":"Each","States":{"Each":{"Type":"Map","MaxConcurrency":1,
    "ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Parameters":{"Bucket":"b","Key":"items.json"}},
    "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"Look","States":{
      "Look":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Next":"Good?"},
      "Good?":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":1,"Next":"Big"}],"Default":"Small"},
      "Big":{"Type":"Pass","End":true},"Small":{"Type":"Pass","End":true}}},"End":true}}},
    "objects":{"b/items.json":["a","b","c"]},"mocks":{"Look":[{"return":{"n":1}},{"return":{"n":2},"after":60},{"return":{"n":0}}]},"cases":[
    {"name":"all","expect":{"output":[{"n":1},{"n":2},{"n":0}],"path":["Each"],"visits":{"Look":3,"Big":1},"calls":{"Look":3},
      "lines":{"Each[0]":["Look","Good?","Small"],"Each[1]":["Look","Good?","Big"]},"duration":{"atLeast":60}}},
    {"name":"one","objects":{"b/items.json":["z"]},"mocks":{"Look":{"iteration":0,"arguments":"z","return":{"n":9}}},"expect":{"output":[{"n":9}]}},
    {"name":"none","objects":{"b/items.json":"no JSON"},"expect":{"error":"States.ItemReaderFailed"}}]})j",
                      "t.json", kNoFiles);
  REQUIRE_MESSAGE(suite.has_value(), (suite ? "" : suite.error().message));
  Coverage coverage(*suite->program);
  for (const TestCase& test : suite->cases) {
    const CaseResult done = run_case(*suite, test);
    for (const std::string& problem : done.problems) FAIL_CHECK(test.name << ": " << problem);
    for (const auto& child : done.children) coverage.add(*child);
  }
  CHECK(coverage.covered(CoverageKind::ChoiceRules) == 2);
}

TEST_CASE("callbacks, activities and nested executions are mocked like any task") {
  const auto suite = read_test_suite(R"j({"definition":{"StartAt":"Token","States":{
    "Token":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","HeartbeatSeconds":10,
      "Parameters":{"QueueUrl":"q","MessageBody":{"token.$":"$$.Task.Token"}},"ResultPath":"$.a","Next":"Worker"},
    "Worker":{"Type":"Task","Resource":"arn:aws:states:us-east-1:123456789012:activity:a","ResultPath":"$.b","Next":"Child"},
    "Child":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2","Parameters":{"StateMachineArn":"m"},"ResultPath":"$.c","End":true}}},
    "mocks":{"Token":{"return":1,"after":25,"heartbeat":5},"Worker":{"return":2,"after":5},"Child":{"return":{"Output":3}}},"cases":[
    {"name":"all","expect":{"output":{"a":1,"b":2,"c":{"Output":3}},"duration":{"atLeast":30,"atMost":30}}},
    {"name":"a token that nobody sends back","mocks":{"Token":{"never":true}},"expect":{"error":"States.HeartbeatTimeout","duration":{"atMost":10}}}]})j",
                                     "t.json", kNoFiles);
  REQUIRE_MESSAGE(suite.has_value(), (suite ? "" : suite.error().message));
  for (const TestCase& test : suite->cases) {
    for (const std::string& problem : run_case(*suite, test).problems)
      FAIL_CHECK(test.name << ": " << problem);
  }
}
