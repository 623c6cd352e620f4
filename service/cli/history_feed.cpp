#include "service/cli/history_feed.h"

#include <nlohmann/json.hpp>

#include "definitions/compile.h"
#include "service/cli/names.h"

namespace millrace::cli {
namespace {

constexpr int kNewestPage = 100;
constexpr Millis kLookFirst{20}, kLookMost{500};  // between two looks; longer the longer nothing happens

}  // namespace

Result<std::vector<Json>> HistoryFeed::from_the_beginning() {
  MR_TRY(events, ask_all(access_, "GetExecutionHistory", {{"executionArn", arn_}}, "events"));
  if (!events.empty()) last_ = events.back().value("id", std::int64_t{0});
  return events;
}

Result<std::vector<Json>> HistoryFeed::fresh() {
  if (last_ == 0) return from_the_beginning();
  // Newest first until one is known: a long history is not read again.
  std::vector<Json> newest;
  Json input = {{"executionArn", arn_}, {"reverseOrder", true}, {"maxResults", kNewestPage}};
  for (;;) {
    MR_TRY(page, ask(access_, "GetExecutionHistory", input));
    const std::string token = page.value("nextToken", "");
    bool known = token.empty();
    for (Json& event : page["events"]) {
      if (event.value("id", std::int64_t{0}) <= last_) {
        known = true;
        break;
      }
      newest.push_back(std::move(event));
    }
    if (known) break;
    input["nextToken"] = token;
  }
  std::reverse(newest.begin(), newest.end());
  if (!newest.empty()) last_ = newest.back().value("id", std::int64_t{0});
  return newest;
}

Result<std::shared_ptr<const definitions::Program>> program_of(client::Access& access,
                                                               const std::string& execution_arn) {
  MR_TRY(machine, ask(access, "DescribeStateMachineForExecution", {{"executionArn", execution_arn}}));
  definitions::Compiled compiled = definitions::compile(machine.value("definition", ""));
  if (!compiled.program)
    return fail(ErrorCode::DataLoss,
                "the definition of '" + machine.value("name", "") + "' does not compile");
  return std::shared_ptr<const definitions::Program>(std::move(compiled.program));
}

Result<Json> wait_for_end(client::Access& access, const std::string& execution_arn,
                          const std::function<Status()>& between) {
  for (Millis pause = kLookFirst;; pause = std::min(kLookMost, pause + pause / 4)) {
    MR_TRY(row, ask(access, "DescribeExecution",
                    {{"executionArn", execution_arn}, {"includedData", "METADATA_ONLY"}}));
    if (between) MR_DO(between());
    if (row.value("status", "") != "RUNNING")
      return ask(access, "DescribeExecution", {{"executionArn", execution_arn}});
    access.pause(pause);
  }
}

}  // namespace millrace::cli
