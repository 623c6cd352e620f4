#pragma once
// OwnNetwork: a network namespace with nothing but a loopback, for processes of one job that may speak with
// each other and with nobody else (EnableNetworkIsolation with several hosts). Held by a process that sleeps
// in it. Any thread.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

class OwnNetwork {
 public:
  // Internal where bubblewrap or nsenter can't.
  static Result<OwnNetwork> make();
  OwnNetwork(OwnNetwork&& other) noexcept;
  ~OwnNetwork();

  // The words in front of a program that is to be in it.
  const std::vector<std::string>& entering() const { return entering_; }

 private:
  struct Holder;
  explicit OwnNetwork(std::unique_ptr<Holder> holder);
  std::unique_ptr<Holder> holder_;
  std::vector<std::string> entering_;
};

}  // namespace millrace::tasks
