#pragma once
// ScriptWorker: one process of a ScriptModel, watched by a thread of its own until it has ended, and requests
// to the port it serves on; ScriptLog: what such processes print. Any thread.

#include <atomic>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "tasks/script/process.h"

namespace millrace::tasks {

struct ScriptRequest {
  std::string_view body, content_type, accept, custom_attributes, inference_id;
};
struct ScriptAnswer {
  int status = 200;
  std::string body, content_type;
};

// The last lines, and a file.
class ScriptLog {
 public:
  // An empty path: no file.
  explicit ScriptLog(std::filesystem::path path) : path_(std::move(path)) {}
  ~ScriptLog();
  ScriptLog(const ScriptLog&) = delete;
  ScriptLog& operator=(const ScriptLog&) = delete;

  void add(std::string_view line, Instant now);
  std::string last() const;  // some lines, at most a kilobyte

 private:
  const std::filesystem::path path_;
  mutable std::mutex mutex_;  // over what follows
  std::deque<std::string> lines_;
  std::FILE* file_ = nullptr;
};

class ScriptWorker {
 public:
  // Starts the process. Log and clock are borrowed.
  ScriptWorker(ProcessSpec spec, int port, ScriptLog& log, const Clock& clock);
  ~ScriptWorker();  // SIGTERM, a second later SIGKILL
  ScriptWorker(const ScriptWorker&) = delete;
  ScriptWorker& operator=(const ScriptWorker&) = delete;

  void stop() { stopping_.store(true, std::memory_order_relaxed); }
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  void wait_a_moment() const;  // until it has ended, at most a second
  std::string how() const;     // it ended: "exit status 1"

  struct Exchange {
    enum class End {
      Answered,
      NotReached,  // and it has seen nothing of the request
      TimedOut,
      TooLarge,  // the answer
      Broken,
    } end = End::Answered;
    ScriptAnswer answer;
    std::string problem;  // of Broken
  };
  Exchange ping(Millis time_max);
  Exchange invoke(const ScriptRequest& request, Millis time_max);

  int busy = 0;          // requests it works on; guarded by the model's mutex
  Millis idle_since{0};  // the same

 private:
  struct Connections;
  Exchange exchange(const char* path, const ScriptRequest* request, Millis time_max);

  const int port_;
  const std::unique_ptr<Connections> connections_;
  mutable std::mutex mutex_;
  std::string how_;  // guarded by mutex_
  std::atomic<bool> stopping_{false}, ended_{false};
  std::thread thread_;  // last: starts when the rest is there
};

inline constexpr std::size_t kScriptAnswerBytesMax = 32u << 20;

}  // namespace millrace::tasks
