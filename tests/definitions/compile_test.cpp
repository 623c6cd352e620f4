#include "definitions/compile.h"
#include "tests/support/paths.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace millrace;
using namespace millrace::definitions;

namespace {

using Json = nlohmann::ordered_json;

Json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  REQUIRE_MESSAGE(in.good(), path.string());
  return Json::parse(in);
}

std::string text_of(const Json& c) {
  if (c.contains("definition")) return c["definition"].dump();
  std::string text;
  for (const auto& line : c["lines"]) text += (text.empty() ? "" : "\n") + line.get<std::string>();
  return text;
}

std::string shown(const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  for (const Diagnostic& d : diagnostics) out += render(d, "case", "");
  return out;
}

void check_one(const Json& expected, const Diagnostic& got) {
  if (expected.contains("code")) CHECK(got.code == expected["code"].get<std::string>());
  if (expected.contains("pointer")) CHECK(got.pointer == expected["pointer"].get<std::string>());
  if (expected.contains("line")) CHECK(got.position.line == expected["line"].get<std::uint32_t>());
  if (expected.contains("column")) CHECK(got.position.column == expected["column"].get<std::uint32_t>());
  const bool warning = expected.value("severity", "error") == "warning";
  CHECK((got.severity == Severity::Warning) == warning);
  for (const auto& [field, text] : {std::pair("message", got.message), std::pair("hint", got.hint)}) {
    if (!expected.contains(field)) continue;
    CHECK_MESSAGE(text.find(expected[field].get<std::string>()) != std::string::npos, "got: ", text);
  }
}

const Node& only(const Compiled& compiled, std::string_view name) {
  REQUIRE_MESSAGE(compiled.program, shown(compiled.diagnostics));
  const Node* node = compiled.program->find(name);
  REQUIRE(node);
  return *node;
}

std::string machine(const std::string& states, const std::string& start = "A") {
  return R"({"StartAt":")" + start + R"(","States":{)" + states + "}}";
}

}  // namespace

TEST_CASE("Compile: every case of tests/cases/compile gives its diagnostics and no others") {
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(source_path("/tests/cases/compile"))) {
    const Json document = read_json(file.path());
    for (const Json& c : document["cases"]) {
      const std::string name = file.path().filename().string() + ": " + c["name"].get<std::string>();
      CAPTURE(name);
      const Compiled got = compile(text_of(c));
      const Json& expected = c["diagnostics"];
      CHECK_MESSAGE(got.diagnostics.size() == expected.size(), shown(got.diagnostics));
      bool refused = false;
      for (std::size_t i = 0; i < std::min(expected.size(), got.diagnostics.size()); ++i) {
        check_one(expected[i], got.diagnostics[i]);
        refused = refused || expected[i].value("severity", "error") == "error";
      }
      CHECK((got.program == nullptr) == refused);
      ++count;
    }
  }
  CHECK(count > 70);
}

TEST_CASE("Compile: a program keeps its text, hash, comment and timeout") {
  const std::string text =
      R"({"Comment":"c","Version":"1.0","TimeoutSeconds":60,"StartAt":"B","States":{"A":{"Type":"Succeed"},"B":{"Type":"Pass","Next":"A"}}})";
  const Compiled got = compile(text);
  REQUIRE(got.program);
  CHECK(got.diagnostics.empty());
  CHECK(got.program->text == text);
  CHECK(got.program->hash.size() == 64);
  CHECK(got.program->comment == "c");
  CHECK(got.program->timeout_seconds == 60);
  CHECK(got.program->start == 1);
  CHECK(got.program->nodes[1].next == 0);
  CHECK(got.program->nodes[0].type() == StateType::Succeed);
}

TEST_CASE("Compile: positions of states are those of their names") {
  const Compiled got = compile(
      "{\"StartAt\":\"A\",\n \"States\":{\n\t\"A\": {\"Type\":\"Pass\",\"Next\":\"é\"}, "
      "\"é\":{\"Type\":\"Succeed\"}}}");
  REQUIRE(got.program);
  CHECK(got.program->nodes[0].position == JsonPosition{3, 2});
  CHECK(got.program->nodes[1].position == JsonPosition{3, 35});
}

TEST_CASE("Compile: data flow fields are absent, null or paths") {
  const Compiled got = compile(machine(
      R"("A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","InputPath":null,"OutputPath":"$.a","ResultPath":null,
            "Parameters":{"x.$":"$.y"},"ResultSelector":{"z":1},"TimeoutSecondsPath":"$.t","HeartbeatSeconds":7,"Next":"B"},
         "B":{"Type":"Pass","InputPath":"$","ResultPath":"$.r","Result":{"k":[1.10]},"End":true})"));
  const Node& a = only(got, "A");
  CHECK(a.flow.input_path.kind == PathField::Kind::Null);
  REQUIRE(a.flow.output_path.kind == PathField::Kind::Path);
  CHECK(a.flow.output_path.path->source() == "$.a");
  CHECK(a.flow.result_path.kind == ResultPathField::Kind::Discard);
  CHECK(a.flow.parameters.has_value());
  CHECK(a.flow.result_selector.has_value());
  const auto& task = std::get<Task>(a.kind);
  CHECK(task.timeout_seconds.path->source() == "$.t");
  CHECK(task.heartbeat_seconds.value == 7);
  CHECK(task.resource.action == "invoke");
  const Node& b = only(got, "B");
  CHECK(b.flow.input_path.kind == PathField::Kind::Whole);
  CHECK(b.flow.result_path.path->source() == "$.r");
  CHECK(std::get<Pass>(b.kind).result->text() == R"({"k":[1.10]})");
  CHECK(b.next == kEnd);
}

TEST_CASE("Compile: Retry and Catch have the language's defaults") {
  const Compiled got = compile(machine(
      R"("A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke",
            "Retry":[{"ErrorEquals":["E","F"]},{"ErrorEquals":["States.ALL"],"IntervalSeconds":3,"MaxAttempts":0,"BackoffRate":1.5,"MaxDelaySeconds":9,"JitterStrategy":"FULL"}],
            "Catch":[{"ErrorEquals":["G"],"Next":"B","ResultPath":"$.e"}],"Next":"B"},"B":{"Type":"Succeed"})"));
  const ErrorPolicy& errors = only(got, "A").errors;
  REQUIRE(errors.retriers.size() == 2);
  CHECK(errors.retriers[0].error_equals == std::vector<std::string>{"E", "F"});
  CHECK(errors.retriers[0].interval_seconds == 1);
  CHECK(errors.retriers[0].max_attempts == 3);
  CHECK(errors.retriers[0].backoff_rate == 2.0);
  CHECK_FALSE(errors.retriers[0].max_delay_seconds.has_value());
  CHECK(errors.retriers[0].jitter == JitterStrategy::None);
  CHECK(errors.retriers[1].interval_seconds == 3);
  CHECK(errors.retriers[1].max_attempts == 0);
  CHECK(errors.retriers[1].backoff_rate == 1.5);
  CHECK(errors.retriers[1].max_delay_seconds == 9);
  CHECK(errors.retriers[1].jitter == JitterStrategy::Full);
  REQUIRE(errors.catchers.size() == 1);
  CHECK(errors.catchers[0].next == 1);
  CHECK(errors.catchers[0].result_path.path->source() == "$.e");
}

TEST_CASE("Compile: Choice, Wait and Fail") {
  const Compiled got = compile(machine(
      R"j("A":{"Type":"Choice","Choices":[{"And":[{"Variable":"$.auc","NumericGreaterThanEquals":0.8},{"Not":{"Variable":"$.x","IsPresent":true}}],"Next":"W"},
                                        {"Variable":"$.s","StringEquals":"no","Next":"F"}],"Default":"W"},
         "W":{"Type":"Wait","Timestamp":"2026-11-21T08:00:00+01:00","Next":"F"},
         "F":{"Type":"Fail","ErrorPath":"$.e","CausePath":"States.Format('{}', $.c)"})j"));
  const auto& choice = std::get<Choice>(only(got, "A").kind);
  REQUIRE(choice.branches.size() == 2);
  CHECK(choice.branches[0].next == 1);
  CHECK(choice.branches[1].next == 2);
  CHECK(choice.default_next == NodeIndex{1});
  CHECK(choice.branches[0].label == "$.auc ≥ 0.8 and not ($.x IsPresent)");
  CHECK(choice.branches[1].label == "$.s = no");
  const auto& wait = std::get<Wait>(only(got, "W").kind);
  REQUIRE(wait.timestamp.has_value());
  CHECK(format_rfc3339(*wait.timestamp) == "2026-11-21T07:00:00.000Z");
  const auto& fail = std::get<Fail>(only(got, "F").kind);
  CHECK(std::get<Path>(fail.error.value).source() == "$.e");
  CHECK(std::get<IntrinsicCall>(fail.cause.value).source() == "States.Format('{}', $.c)");
}

TEST_CASE("Compile: branches and processors are programs of their own") {
  const Compiled got = compile(machine(
      R"("A":{"Type":"Parallel","Branches":[{"StartAt":"B1","States":{"B1":{"Type":"Pass","End":true}}},{"Comment":"two","StartAt":"B2","States":{"X":{"Type":"Succeed"},"B2":{"Type":"Pass","Next":"X"}}}],"Next":"M"},
         "M":{"Type":"Map","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}},
              "Label":"L","MaxConcurrency":5,"ToleratedFailurePercentage":2.5,"ItemsPath":"$.items","ItemSelector":{"a":1},"End":true})"));
  const auto& parallel = std::get<Parallel>(only(got, "A").kind);
  REQUIRE(parallel.branches.size() == 2);
  CHECK(parallel.branches[1]->start == 1);
  CHECK(parallel.branches[1]->comment == "two");
  CHECK(parallel.branches[1]->nodes[1].next == 0);
  CHECK(parallel.branches[0]->text.empty());
  const auto& map = std::get<Map>(only(got, "M").kind);
  CHECK(map.processor->nodes[0].name == "I");
  CHECK(map.distributed);
  CHECK(map.express);
  CHECK(map.label == "L");
  CHECK(map.max_concurrency.value == 5);
  CHECK(map.tolerated_failure_percentage.value == 2.5);
  CHECK(map.items_path.path->source() == "$.items");
  CHECK(map.item_selector.has_value());
}

TEST_CASE("Compile: nesting and size have limits") {
  std::string text = R"("StartAt":"s0","States":{"s0":{"Type":"Pass","End":true}})";
  for (int i = 1; i <= 65; ++i) {
    const std::string name = "s" + std::to_string(i);
    text = "\"StartAt\":\"" + name + "\",\"States\":{\"" + name +
           R"(":{"Type":"Parallel","End":true,"Branches":[{)" + text + "}]}}";
    if (i == 64) CHECK(compile("{" + text + "}").program);
  }
  const Compiled deep = compile("{" + text + "}");
  REQUIRE(deep.diagnostics.size() == 1);
  CHECK(deep.diagnostics[0].code == "TOO_DEEPLY_NESTED");
  const Compiled large = compile(std::string(1'048'577, ' '));
  REQUIRE(large.diagnostics.size() == 1);
  CHECK(large.diagnostics[0].code == "TOO_LARGE");
}

TEST_CASE("Compile: a slip in a name, as the command line shows it") {
  const std::string text =
      "{\n  \"StartAt\": \"A\",\n  \"States\": {\n    \"A\": {\"Type\": \"Pass\", \"Next\": \"Trian\"},\n"
      "    \"Train\": {\"Type\": \"Succeed\"}\n  }\n}";
  const Compiled got = compile(text);
  REQUIRE(got.diagnostics.size() == 1);
  CHECK(render(got.diagnostics[0], "fraud.json", text) ==
        "fraud.json:4:35: error: MISSING_TRANSITION_TARGET: Missing 'Next' target: Trian at /States/A/Next\n"
        "      \"A\": {\"Type\": \"Pass\", \"Next\": \"Trian\"},\n"
        "                                    ^\n"
        "  hint: did you mean 'Train'?\n");
}
