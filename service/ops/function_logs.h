#pragma once
// FunctionLogs: the way of functions' output into the log groups /aws/lambda/NAME. It is there before the log
// writer and after it: what comes meanwhile goes into the files of HOME/logs only. Any thread.

#include <mutex>
#include <string>
#include <string_view>

#include "base/time.h"

namespace millrace::service {

class LogWriter;

class FunctionLogs {
 public:
  void connect(LogWriter* writer);  // null: to nobody; borrowed
  // Each line of `text` is an event of today's stream.
  void write(const std::string& function, Instant now, std::string_view text);

 private:
  std::mutex mutex_;
  LogWriter* writer_ = nullptr;  // guarded by mutex_
};

}  // namespace millrace::service
