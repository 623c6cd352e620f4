// Micro benchmark of what a state does with its data: microseconds per ResultPath, definite path, template
// and choice rule on a document of 1 KiB with 60 nodes, one JSON line each. Limits: put 0.4, find 0.2,
// template 2, choice 0.3.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "base/check.h"
#include "definitions/choice_rule.h"
#include "definitions/jsonpath/path.h"
#include "definitions/jsonpath/reference_path.h"
#include "definitions/payload_template.h"

namespace {

using namespace millrace;
using namespace millrace::definitions;

constexpr std::string_view kTemplate =
    R"j({"Name.$":"$.customer.name","Fixed":{"a":[1,2,3]},"Url.$":"States.Format('s3://{}/{}', $.status, $.field3)",
         "Tags":[{"Key":"city","Value.$":"$.customer.city"}]})j";
constexpr std::string_view kRule =
    R"j({"And":[{"Variable":"$.status","StringEquals":"OPEN"},{"Variable":"$.total","NumericGreaterThan":20},
         {"Variable":"$.customer.vip","BooleanEquals":true}]})j";

struct NoContext : Context {
  const Payload& object() const override { return Payload::empty_object(); }
};

// An order of 60 nodes (keys count) and about 1 KiB, as it comes to a workflow.
Payload order() {
  JsonWriter out;
  out.begin_object();
  for (int i = 0; i < 20; ++i)
    out.key("field" + std::to_string(i)).string("a value of some length, number " + std::to_string(i));
  out.key("customer").begin_object();
  for (const char* name : {"name", "street", "city", "country"}) out.key(name).string("Somewhere");
  out.key("age").number(std::int64_t{33}).key("vip").boolean(true);
  out.end_object();
  out.key("total").number(25.5);
  out.key("status").string("OPEN");
  out.end_object();
  return out.finish();
}

// Median of several rounds, so that one interruption does not count.
template <class Work>
void measure(const char* name, const Payload& document, Work work) {
  constexpr int kRounds = 9, kRepeats = 50'000;
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRepeats; ++i) work();
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    rounds.push_back(spent.count() / kRepeats);
  }
  std::sort(rounds.begin(), rounds.end());
  std::printf("{\"bench\":\"%s\",\"bytes\":%zu,\"nodes\":%zu,\"us\":%.3f}\n", name, document.size(),
              document.document()->nodes.size(), rounds[kRounds / 2]);
}

}  // namespace

int main() {
  const Payload document = order(), result = Payload::literal(R"({"id":"e-1","code":200})");
  const NoContext context;
  const VariableTable variables;
  const Limits limits;
  const Environment environment{from_millis(0), 1, &limits};
  const Scope scope{document, context, variables, environment};

  const auto added = ReferencePath::parse("$.result"), replaced = ReferencePath::parse("$.field10"),
             deep = ReferencePath::parse("$.customer.city");
  measure("put_added", document, [&] { MR_CHECK(added->put(document, result), "put"); });
  measure("put_replaced", document, [&] { MR_CHECK(replaced->put(document, result), "put"); });
  measure("put_deep", document, [&] { MR_CHECK(deep->put(document, result), "put"); });

  const auto path = Path::parse("$.customer.country");
  measure("find", document, [&] { MR_CHECK(path->find(document), "find"); });

  std::vector<Problem> problems;
  const auto made = PayloadTemplate::compile(Payload::literal(kTemplate).view(), problems);
  measure("template", document, [&] { MR_CHECK(made.evaluate(scope), "template"); });

  const auto rule = ChoiceRule::compile(Payload::literal(kRule).view(), problems);
  measure("choice", document, [&] { MR_CHECK(*rule.evaluate(scope), "choice"); });
  return problems.empty() ? 0 : 1;
}
