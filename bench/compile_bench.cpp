// Micro benchmark: microseconds per compile() of a definition of 10 and of 200 states, one JSON line each.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "definitions/compile.h"

namespace {

using millrace::definitions::compile;

// A chain of tasks with parameters, retries and catchers, and a Choice every fifth state, as real definitions
// have them.
constexpr std::string_view kChoice =
    R"j({"Type":"Choice","Choices":[{"And":[{"Variable":"$.auc","NumericGreaterThan":0.8},{"Variable":"$.status","StringEquals":"OK"}],"Next":"NEXT"}],"Default":"Failed"},)j";
constexpr std::string_view kTask =
    R"j({"Type":"Task","Resource":"arn:aws:states:::sagemaker:createTrainingJob.sync",
"Parameters":{"TrainingJobName.$":"$.name","HyperParameters":{"eta":"0.1","depth.$":"$.depth"},
"OutputDataConfig":{"S3OutputPath.$":"States.Format('s3://{}/{}', $.bucket, $.key)"}},"ResultPath":"$.training",
"TimeoutSeconds":3600,"Retry":[{"ErrorEquals":["SageMaker.AmazonSageMakerException"],"IntervalSeconds":5,"MaxAttempts":3}],
"Catch":[{"ErrorEquals":["States.ALL"],"Next":"Failed","ResultPath":"$.error"}],"Next":"NEXT"},)j";

std::string definition_of(int states) {
  std::string text = R"({"Comment":"bench","StartAt":"S0","States":{)";
  for (int i = 0; i < states - 1; ++i) {
    std::string state(i % 5 == 4 ? kChoice : kTask);
    state.replace(state.find("NEXT"), 4,
                  i + 2 < states ? "S" + std::to_string(i + 1) : std::string("Failed"));
    text += "\"S" + std::to_string(i) + "\":" + state;
  }
  return text + R"("Failed":{"Type":"Fail","Error":"Failed"}}})";
}

// Median of several rounds, so that one interruption does not count.
double microseconds_per_compile(const std::string& text, int repeats) {
  constexpr int kRounds = 7;
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) MR_CHECK(compile(text).program, "the definition is good");
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    rounds.push_back(spent.count() / repeats);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[kRounds / 2];
}

}  // namespace

int main() {
  for (const auto& [states, repeats] : {std::pair(10, 400), std::pair(200, 20)}) {
    const std::string text = definition_of(states);
    std::printf("{\"bench\":\"compile\",\"states\":%d,\"bytes\":%zu,\"us_per_compile\":%.1f}\n", states,
                text.size(), microseconds_per_compile(text, repeats));
  }
  return 0;
}
