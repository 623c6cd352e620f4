#pragma once
// Task tokens: the key of a task attempt, signed. Nothing has to be stored or cleaned up: a token says itself
// what it is for, and only this home can have made it. Any thread.

#include <string>
#include <string_view>

#include "base/result.h"
#include "orchestrator/dispatch/runner.h"

namespace millrace::orchestrator {

class TaskTokens {
 public:
  // `secret`: at least 16 bytes; the home keeps it, so that tokens outlive a restart.
  explicit TaskTokens(std::string secret) : secret_(std::move(secret)) {}
  // 80 characters of Base64.
  std::string mint(const TaskKey& key) const;
  // InvalidArgument: Invalid Token: 'Invalid token'.
  Result<TaskKey> open(std::string_view token) const;

 private:
  std::string secret_;
};

}  // namespace millrace::orchestrator
