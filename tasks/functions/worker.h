#pragma once
// Worker: one process that runs a user's function, in a process group of its own, with its output collected
// and its memory limited; it dies with this process. How events reach it differs: frames (frame_worker),
// standard input and output (command_worker), the Lambda Runtime API (runtime_api_worker). Never blocks but
// in its destructor, which kills the group. A function at a URL has no process (url_worker). One thread.

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "tasks/functions/function.h"
#include "tasks/functions/url_call.h"

namespace millrace::tasks {

// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(other.value_) { other.value_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() { close(); }
  int get() const { return value_; }
  void close();

 private:
  int value_ = -1;
};

// What is to be run once.
struct WorkerRequest {
  std::string id, arn, version;
  std::string_view event;   // JSON text
  std::string_view client;  // JSON text of ClientContext; may be empty
  Millis timeout{0};
  Instant deadline{};  // in wall clock time, as the Runtime API says it
};

struct WorkerMessage {
  enum class Kind {
    Ready,      // it waits for its first event
    Result,     // body: JSON
    Error,      // body: the error object, JSON
    InitError,  // the same, and the worker ends
    Closed,     // it has ended or closed its side
  };
  Kind kind;
  std::string body = {};
};

class Worker {
 public:
  virtual ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Adds what it waits for.
  virtual void waits_for(std::vector<pollfd>& polled) const = 0;
  virtual void send(const WorkerRequest& request) = 0;
  // Reads and writes what is possible without waiting.
  virtual std::vector<WorkerMessage> pump() = 0;
  virtual bool reusable() const { return true; }  // false: for one invocation only

  // What it has printed since the last call.
  std::string take_output();
  const std::string& stream_name() const { return stream_; }
  // How it ended, in AWS's words: "exit status 1", "signal: killed"; waits a moment for it.
  std::string how_it_ended();

 protected:
  struct Start {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  // besides what every function gets
    int input = -1, output = -1;           // descriptors 0 and 1; -1: /dev/null and the log
    int channel = -1;                      // descriptor 3
  };
  explicit Worker(std::string stream) : stream_(std::move(stream)) {}
  Status start(const Function& function, const Start& start);
  int output_descriptor() const { return log_.get(); }

 private:
  bool reap(Millis wait);

  const std::string stream_;
  pid_t pid_ = 0;
  int status_ = 0;
  Descriptor log_;
};

// NotFound with a remedy when the program is not on this machine.
// `caller` and the limit are for functions at a URL.
Result<std::unique_ptr<Worker>> start_worker(const Function& function, const std::string& stream,
                                             const UrlCaller& caller, std::size_t response_bytes_max);

// The kinds behind it.
Result<std::unique_ptr<Worker>> start_frame_worker(const Function& function, const std::string& stream);
Result<std::unique_ptr<Worker>> start_command_worker(const Function& function, const std::string& stream);
Result<std::unique_ptr<Worker>> start_runtime_api_worker(const Function& function, const std::string& stream);
Result<std::unique_ptr<Worker>> start_url_worker(const Function& function, const std::string& stream,
                                                 const UrlCaller& caller, std::size_t response_bytes_max);

// What a worker may hold unread of one answer.
inline constexpr std::size_t kReadBytes = 64 << 20;

// Helpers of the kinds.
Status make_socket_pair(Descriptor& ours, Descriptor& theirs);
// Appends what can be read now; false when the other end is closed.
bool read_available(int descriptor, std::string& into, std::size_t bytes_max);
// Writes from the front of `pending`; false when the other end is closed.
bool write_available(int descriptor, std::string& pending);

}  // namespace millrace::tasks
