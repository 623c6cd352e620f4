#pragma once
// FunctionHost: runs the functions of a home in warm worker processes: each function has up to its
// `concurrency` of them, started when they are needed, kept for the next invocation, ended when they are
// idle, too old for the files they came from, over time or dead. One thread of its own watches them all; it
// starts with the first invocation. Any thread; replies come on the host's thread and must not block.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/payload.h"
#include "base/result.h"
#include "tasks/functions/function.h"
#include "tasks/functions/url_call.h"

namespace millrace::tasks {

struct Invocation {
  std::string function;  // its name
  std::string arn;       // as the handler's context shows it
  std::string version = "$LATEST";
  Payload event;
  std::string client_context;  // JSON text; may be empty
  bool tail = false;           // the end of the log is wanted
};

struct InvocationAnswer {
  enum class Kind {
    Result,     // payload
    Error,      // the function failed: `error` is its error object as JSON text
    NotFound,   // there is no such function
    Refused,    // too many are waiting
    CannotRun,  // the function's folder, its settings or this machine are wrong: `error` says how
  };
  Kind kind = Kind::Result;
  Payload payload;
  std::string error;
  std::string request_id;
  std::string log_tail;  // its last 4 KB
};

class FunctionHost {
 public:
  struct Settings {
    std::filesystem::path functions, logs;       // HOME/functions, HOME/logs/functions
    Millis idle_max{300'000};                    // an idle process is ended after that time
    int workers_max = 64;                        // processes of all functions together
    std::size_t waiting_max = 100'000;           // invocations of all functions together
    std::uint64_t seed = 0;                      // of the ids of requests
    std::size_t response_bytes_max = 6'291'556;  // as Lambda has it
    // Told what goes into a function's log, on the host's thread; must not block. May be empty.
    std::function<void(const std::string& function, Instant now, std::string_view text)> also_log = {};
    UrlCaller call_url = {};  // of functions at a URL; empty: there are none
  };
  using Reply = std::function<void(InvocationAnswer)>;

  FunctionHost(Settings settings, const Clock& clock);
  // Kills all processes. Nothing is replied afterwards.
  ~FunctionHost();

  // What the destructor does; what is invoked afterwards is refused.
  void shut_down();

  // Its number, for cancel(). Replies exactly once, unless it is cancelled or the host goes down.
  std::uint64_t invoke(Invocation invocation, Reply reply);
  // Kills the process that runs it, or takes it from the queue. No reply follows one that has not begun to be
  // made.
  void cancel(std::uint64_t invocation);

  const Settings& settings() const { return settings_; }
  const Clock& clock() const;

 private:
  struct State;
  const Settings settings_;
  std::unique_ptr<State> state_;
};

// {"errorType": …, "errorMessage": …}: the error object of what no handler said itself.
std::string function_error(std::string_view type, std::string_view message);

}  // namespace millrace::tasks
