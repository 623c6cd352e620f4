#pragma once
// LogWriter: the thread of HOME/logs.db. Lines of the engine and of functions are handed over from any
// thread, or what makes them, wait in a bounded queue and are written a quarter of a second's worth at a
// time; what does not fit is dropped and counted, so that logging never holds up what is logged. Calls of the
// API run between, and see every line that was handed over before them.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "service/ops/log_store.h"
#include "service/ops/settings.h"

namespace millrace::service {

// Lines that are still to be made, on the writer's thread, of what `make` keeps.
struct LaterLines {
  std::size_t count = 0;                            // of lines
  std::size_t bytes = 0;                            // of memory that they keep until then, about
  std::function<void(std::vector<LogLine>&)> make;  // appends them
};

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
  // The same for lines that take time to make.
  void write_later(LaterLines lines);
  // Any thread: `job` on this object's thread.
  void run(std::function<void(LogStore&)> job);

 private:
  using Waiting = std::variant<LogLine, LaterLines>;

  void enqueue(Waiting waiting, std::size_t count, std::size_t bytes);
  void work();
  void write_all(std::vector<Waiting>& waiting);
  void write_out(std::vector<LogLine>& lines);
  void tidy_up();

  std::unique_ptr<LogStore> store_;
  const Clock& clock_;
  const LogStoreSettings settings_;
  metrics::Counter &written_, &dropped_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiting> waiting_;  // guarded by mutex_, as what follows
  std::size_t bytes_ = 0;         // of waiting_
  std::vector<std::function<void(LogStore&)>> jobs_;
  bool stopping_ = false, complained_ = false;
  Millis tidied_{-1'000'000'000};  // uptime; own thread, as the next
  bool more_expired_ = false;
  std::jthread thread_;  // last: starts when the rest is there
};

}  // namespace millrace::service
