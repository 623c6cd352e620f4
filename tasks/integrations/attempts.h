#pragma once
// Attempts: what was answered to attempts that wrote, kept in the same transaction as what they wrote: a task
// that is dispatched again after a crash (the same key) gets the same answer and nothing is applied twice.
// Rows are pruned when they are older than any engine takes to say that it has the answer. The store's thread
// alone.

#include <optional>
#include <string>
#include <string_view>

#include "base/sqlite.h"
#include "base/time.h"

namespace millrace::tasks {

extern const char* const kAttemptsSchema;
constexpr Millis kAttemptsKept{3'600'000};

class Attempts {
 public:
  static Result<Attempts> open(Database& database, Instant now);
  struct Known {
    std::string request, answer;  // digest of the request; the answer's text
    Instant at;
  };
  Result<std::optional<Known>> find(std::string_view key);
  // Notes the answer and drops a few rows that are too old.
  Status add(std::string_view key, std::string_view request, std::string_view answer, Instant now);

 private:
  Instant opened_;
  Statement find_, add_, prune_;
};

}  // namespace millrace::tasks
