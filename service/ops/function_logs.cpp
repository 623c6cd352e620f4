#include "service/ops/function_logs.h"

#include <algorithm>

#include "service/ops/log_writer.h"

namespace millrace::service {

void FunctionLogs::connect(LogWriter* writer) {
  const std::lock_guard lock(mutex_);
  writer_ = writer;
}

void FunctionLogs::write(const std::string& function, Instant now, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (!writer_) return;
  // "2026/11/21/[$LATEST]", as Lambda names its streams, without the part that tells processes apart.
  std::string day = format_rfc3339(now).substr(0, 10);
  std::replace(day.begin(), day.end(), '-', '/');
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty())
      writer_->write({"/aws/lambda/" + function, day + "/[$LATEST]", now, std::string(line)});
  }
}

void FunctionLogs::write_job(std::string_view kind, std::string_view name, std::int64_t created_ms,
                             std::string_view host, Instant now, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (!writer_) return;
  writer_->write({"/aws/sagemaker/" + std::string(kind) + "s",
                  std::string(name) + "/" + (host.empty() ? "algo-1" : std::string(host)) + "-" +
                      std::to_string(created_ms / 1000),
                  now, std::string(line)});
}

}  // namespace millrace::service
