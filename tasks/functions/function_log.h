#pragma once
// FunctionLog: where the output of a function goes: HOME/logs/functions/NAME/2026-11-21.log, a file a day,
// with the START, END and REPORT lines of Lambda. One thread.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/time.h"

namespace millrace::tasks {

class FunctionLog {
 public:
  explicit FunctionLog(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~FunctionLog();
  FunctionLog(const FunctionLog&) = delete;
  FunctionLog& operator=(const FunctionLog&) = delete;

  // Appends to today's file; what can't be written is lost, which the engine's log says once.
  void write(Instant now, std::string_view text);

 private:
  void open(const std::string& day);

  const std::filesystem::path folder_;
  std::string day_;
  int file_ = -1;
  bool complained_ = false;
};

}  // namespace millrace::tasks
