#include "tasks/script/own_network.h"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "tasks/script/process.h"

namespace millrace::tasks {
namespace {

constexpr std::chrono::seconds kHolderBegins{10};  // it says its number by then

}  // namespace

struct OwnNetwork::Holder {
  std::atomic<bool> stop{false};
  std::mutex mutex;  // over what follows
  std::condition_variable changed;
  std::string number;  // of the process
  std::string last;
  bool ended = false;
  std::jthread thread;  // last: starts when the rest is there

  void hold() {
    ProcessSpec spec;
    spec.arguments = {"bwrap",         "--dev-bind", "/",       "/",  "--die-with-parent",
                      "--unshare-net", "--",         "/bin/sh", "-c", "echo in $$; exec sleep infinity"};
    const char* path = std::getenv("PATH");
    spec.environment = {std::string("PATH=") + (path ? path : "/usr/bin:/bin")};
    ProcessWatch watch;
    watch.line = [this](std::string_view line) {
      const std::lock_guard lock(mutex);
      if (line.rfind("in ", 0) == 0)
        number = line.substr(3);
      else
        last = line;
      changed.notify_all();
    };
    watch.cancelled = [this] { return stop.load(); };
    watch.grace = [] { return Millis(0); };
    const auto end = run_process(spec, watch);
    const std::lock_guard lock(mutex);
    if (!end) last = end.error().message;
    ended = true;
    changed.notify_all();
  }
};

OwnNetwork::OwnNetwork(std::unique_ptr<Holder> holder) : holder_(std::move(holder)) {}
OwnNetwork::OwnNetwork(OwnNetwork&& other) noexcept = default;

OwnNetwork::~OwnNetwork() {
  if (holder_) holder_->stop = true;
}

Result<OwnNetwork> OwnNetwork::make() {
  OwnNetwork network(std::make_unique<Holder>());
  Holder& holder = *network.holder_;
  holder.thread = std::jthread([&holder] { holder.hold(); });
  std::unique_lock lock(holder.mutex);
  holder.changed.wait_for(lock, kHolderBegins, [&] { return holder.ended || !holder.number.empty(); });
  if (holder.number.empty())
    return fail(ErrorCode::Internal,
                "EnableNetworkIsolation of several hosts: this machine can't make a network of their own: " +
                    holder.last,
                "install bubblewrap, and allow user namespaces");
  network.entering_ = {"nsenter", "--target", holder.number};
  // Who is not root has that network in a user namespace, too.
  if (::getuid() != 0)
    network.entering_.insert(network.entering_.end(), {"--user", "--preserve-credentials"});
  network.entering_.insert(network.entering_.end(), {"--net", "--"});
  return network;
}

}  // namespace millrace::tasks
