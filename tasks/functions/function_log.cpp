#include "tasks/functions/function_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace millrace::tasks {

FunctionLog::~FunctionLog() {
  if (file_ >= 0) ::close(file_);
}

void FunctionLog::open(const std::string& day) {
  if (file_ >= 0) ::close(file_);
  day_ = day;
  std::error_code ignored;
  std::filesystem::create_directories(folder_, ignored);
  file_ = ::open((folder_ / (day + ".log")).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

void FunctionLog::write(Instant now, std::string_view text) {
  if (text.empty()) return;
  const std::string day = format_rfc3339(now).substr(0, 10);
  if (day != day_ || file_ < 0) open(day);
  if (file_ >= 0 && ::write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return;
  if (!complained_)
    log::error("a function's log can't be written",
               {{"folder", folder_.string()}, {"why", std::strerror(errno)}});
  complained_ = true;
}

}  // namespace millrace::tasks
