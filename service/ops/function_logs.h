#pragma once
// FunctionLogs: the way of functions' output into the log groups /aws/lambda/NAME, and of jobs' into
// /aws/sagemaker/TrainingJobs and the like. It is there before the log
// writer and after it: what comes meanwhile goes into the files of HOME/logs only. Any thread.

#include <cstdint>
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
  // A line of a job that was created at `created_ms`: stream NAME/algo-1-SECONDS, the same after a restart.
  // `host`: which of several ("algo-2"); empty: the first.
  void write_job(std::string_view kind, std::string_view name, std::int64_t created_ms, std::string_view host,
                 Instant now, std::string_view line);

 private:
  std::mutex mutex_;
  LogWriter* writer_ = nullptr;  // guarded by mutex_
};

}  // namespace millrace::service
