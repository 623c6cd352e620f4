#include "tasks/functions/host.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/payload.h"
#include "tasks/functions/function_pool.h"

namespace millrace::tasks {
namespace {
constexpr Millis kAskAgain{100};
}

struct FunctionHost::State {
  State(const FunctionHost::Settings& s, const Clock& c)
      : settings(s), clock(c), wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), ids(s.seed) {
    MR_CHECK(wake.get() >= 0, "no descriptors are left");
  }

  void signal() const {
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
  }
  void run();
  bool take_commands();
  void dispatch();
  int wait_millis();

  const FunctionHost::Settings& settings;
  const Clock& clock;
  const Descriptor wake;
  RequestIds ids;

  std::mutex mutex;  // over what follows, up to `thread`
  std::uint64_t last_id = 0;
  std::vector<FunctionJob> incoming;
  std::vector<std::uint64_t> cancelled;
  bool closing = false;
  std::thread thread;

  std::map<std::string, FunctionPool> pools = {};  // the host's thread only
};

std::string function_error(std::string_view type, std::string_view message) {
  JsonWriter out;
  out.begin_object();
  out.key("errorType").string(type).key("errorMessage").string(message);
  out.end_object();
  return std::string(out.finish().text());
}

FunctionHost::FunctionHost(Settings settings, const Clock& clock)
    : settings_(std::move(settings)), state_(std::make_unique<State>(settings_, clock)) {}

FunctionHost::~FunctionHost() {
  shut_down();
}

const Clock& FunctionHost::clock() const {
  return state_->clock;
}

void FunctionHost::shut_down() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
  }
  state_->signal();
  if (state_->thread.joinable()) state_->thread.join();
}

std::uint64_t FunctionHost::invoke(Invocation invocation, Reply reply) {
  State& state = *state_;
  FunctionJob job;
  job.invocation = std::move(invocation);
  {
    const std::lock_guard lock(state.mutex);
    job.id = ++state.last_id;
    if (!state.closing && state.incoming.size() < settings_.waiting_max) {
      const std::uint64_t id = job.id;
      job.reply = std::move(reply);
      state.incoming.push_back(std::move(job));
      if (!state.thread.joinable()) state.thread = std::thread([&state] { state.run(); });
      state.signal();
      return id;
    }
  }
  InvocationAnswer refused;
  refused.kind = InvocationAnswer::Kind::Refused;
  reply(std::move(refused));
  return job.id;
}

void FunctionHost::cancel(std::uint64_t invocation) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->cancelled.push_back(invocation);
  }
  state_->signal();
}

// False: the host goes down.
bool FunctionHost::State::take_commands() {
  std::vector<FunctionJob> jobs;
  std::vector<std::uint64_t> cancels;
  {
    const std::lock_guard lock(mutex);
    if (closing) return false;
    jobs.swap(incoming);
    cancels.swap(cancelled);
  }
  for (FunctionJob& job : jobs) {
    const std::string name = job.invocation.function;
    std::size_t waiting = 0;
    for (const auto& [other, pool] : pools) waiting += pool.waiting();
    if (waiting >= settings.waiting_max) {
      InvocationAnswer refused;
      refused.kind = InvocationAnswer::Kind::Refused;
      job.reply(std::move(refused));
      continue;
    }
    pools.try_emplace(name, settings, clock, ids, name).first->second.add(std::move(job));
  }
  for (const std::uint64_t id : cancels)
    std::any_of(pools.begin(), pools.end(), [id](auto& entry) { return entry.second.cancel(id); });
  return true;
}

void FunctionHost::State::dispatch() {
  std::size_t workers = 0;
  for (const auto& [name, pool] : pools) workers += pool.workers();
  for (auto& [name, pool] : pools) {
    if (pool.waiting() == 0) continue;
    const std::size_t all = static_cast<std::size_t>(settings.workers_max);
    if (workers >= all) {
      // Room is made by an idle process of another function.
      for (auto& [other_name, other] : pools) {
        if (&other == &pool || !other.drop_idle_worker()) continue;
        --workers;
        break;
      }
    }
    workers += static_cast<std::size_t>(pool.dispatch(workers < all ? static_cast<int>(all - workers) : 0));
  }
  for (auto entry = pools.begin(); entry != pools.end();)
    entry =
        entry->second.waiting() == 0 && entry->second.workers() == 0 ? pools.erase(entry) : std::next(entry);
}

int FunctionHost::State::wait_millis() {
  const Millis now = clock.uptime();
  std::optional<Millis> next;
  for (auto& [name, pool] : pools) {
    const auto at = pool.expire(now);
    if (at && (!next || *at < *next)) next = at;
  }
  // Who waits for a place is asked about again soon.
  const bool waiting =
      std::any_of(pools.begin(), pools.end(), [](const auto& p) { return p.second.waiting() > 0; });
  if (waiting && (!next || *next - now > kAskAgain)) next = now + kAskAgain;
  return next ? static_cast<int>(std::clamp<std::int64_t>((*next - now).count(), 0, 60'000)) : -1;
}

void FunctionHost::State::run() {
  std::vector<pollfd> polled;
  while (take_commands()) {
    dispatch();
    const int wait = wait_millis();
    polled.assign(1, pollfd{wake.get(), POLLIN, 0});
    for (const auto& [name, pool] : pools) pool.waits_for(polled);
    if (::poll(polled.data(), polled.size(), wait) < 0) continue;
    if (polled[0].revents != 0) {
      std::uint64_t count = 0;
      (void)!::read(wake.get(), &count, sizeof count);
    }
    const bool news =
        std::any_of(polled.begin() + 1, polled.end(), [](const pollfd& p) { return p.revents != 0; });
    if (!news) continue;
    for (auto& [name, pool] : pools) pool.pump();
  }
  pools.clear();
}

}  // namespace millrace::tasks
