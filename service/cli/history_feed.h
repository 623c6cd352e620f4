#pragma once
// HistoryFeed: an execution's history as it grows, by asking again. One thread, blocking.

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "service/cli/state_tree.h"
#include "service/client/access.h"

namespace millrace::cli {

class HistoryFeed {
 public:
  HistoryFeed(client::Access& access, std::string execution_arn)
      : access_(access), arn_(std::move(execution_arn)) {}
  // The events that were not handed out yet, in order: the first time all, then what has come since.
  Result<std::vector<Json>> fresh();

 private:
  Result<std::vector<Json>> from_the_beginning();

  client::Access& access_;
  std::string arn_;
  std::int64_t last_ = 0;  // id of the newest event handed out
};

// The program of the revision that an execution runs, for its tree. DataLoss when the
// definition does not compile.
Result<std::shared_ptr<const definitions::Program>> program_of(client::Access& access,
                                                               const std::string& execution_arn);

// Waits until the execution has ended; its last DescribeExecution. `between` is called after each look.
Result<Json> wait_for_end(client::Access& access, const std::string& execution_arn,
                          const std::function<Status()>& between = {});

}  // namespace millrace::cli
