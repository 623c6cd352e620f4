#pragma once
// LogWriter: the thread of HOME/logs.db. Lines of the engine and of functions are handed over from any
// thread, wait in a bounded queue and are written a quarter of a second's worth at a time; what does not fit
// is dropped and counted, so that logging never holds up what is logged. Calls of the API run between, and
// see every line that was handed over before them.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "service/ops/log_store.h"
#include "service/ops/settings.h"

namespace millrace::service {

class LogWriter {
 public:
  // The clock is borrowed.
  LogWriter(std::unique_ptr<LogStore> store, const Clock& clock, LogStoreSettings settings,
            metrics::Registry& registry);
  // Writes what was handed over.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Any thread. Messages are cut to the settings' limit.
  void write(LogLine line);
  // Any thread: `job` on this object's thread.
  void run(std::function<void(LogStore&)> job);

 private:
  void work();
  void write_out(std::vector<LogLine>& lines);
  void tidy_up();

  std::unique_ptr<LogStore> store_;
  const Clock& clock_;
  const LogStoreSettings settings_;
  metrics::Counter &written_, &dropped_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<LogLine> lines_;  // guarded by mutex_, as what follows
  std::size_t bytes_ = 0;       // of lines_
  std::vector<std::function<void(LogStore&)>> jobs_;
  bool stopping_ = false, complained_ = false;
  Millis tidied_{-1'000'000'000};  // uptime; own thread, as the next
  bool more_expired_ = false;
  std::jthread thread_;  // last: starts when the rest is there
};

}  // namespace millrace::service
