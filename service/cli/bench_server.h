#pragma once
// `millrace serve` as a process of its own under measurement, and the load that is put on it: many
// connections in one thread, each asks again when it was answered, so that the client costs a fraction of
// what the server does.

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace millrace::cli {

class ServerProcess {
 public:
  // Starts this program's `serve` over `home` on a free port, and waits until it says that it is ready.
  // Unavailable when it ends before.
  static Result<std::unique_ptr<ServerProcess>> start(const std::string& home);
  ~ServerProcess();  // as a crash ends it

  int port() const { return port_; }
  double ready_ms() const { return ready_ms_; }  // from its start until it said so
  double cpu_seconds() const;                    // of all its threads
  std::size_t resident_bytes() const;

 private:
  ServerProcess() = default;
  pid_t pid_ = -1;
  int out_ = -1, port_ = 0;
  double ready_ms_ = 0;
};

// The bytes of a request of the API.
std::string request_bytes(const std::string& operation, const std::string& body);

// One request over a connection of its own; the body of the answer. InvalidArgument with the answer when it
// is not 200.
Result<std::string> ask(int port, const std::string& request);

struct Load {
  std::size_t requests = 0;
  double seconds = 0;
  std::vector<double> latencies_ms;  // sorted
};
// `connections` ask the same again and again for `seconds`. An answer that is not 200 ends it with an error.
Result<Load> put_load(int port, const std::string& request, int connections, double seconds);

}  // namespace millrace::cli
