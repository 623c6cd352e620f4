#include "orchestrator/committer.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <variant>

#include "base/log.h"

namespace millrace::orchestrator {
namespace {

struct SubmittedAppend {
  Append append;
  Committer::Done done;
};
struct CommitterJob {
  std::function<void(Store&)> work;
  std::function<void()> done;
};
using Item = std::variant<SubmittedAppend, CommitterJob>;

// Bytes of an append's documents, each counted once when it comes again in the next event.
std::size_t document_bytes(const Append& append) {
  std::size_t bytes = 0;
  const JsonDocument* last = nullptr;
  const auto count = [&](const Payload& payload) {
    if (payload.document() != last) bytes += payload.size();
    last = payload.document();
  };
  for (const states::Event& event : append.events) {
    std::visit(
        [&](const auto& d) {
          if constexpr (requires { d.input; }) count(d.input);
          if constexpr (requires { d.parameters; }) count(d.parameters);
          if constexpr (requires { d.items; }) count(d.items);
          if constexpr (requires { d.output; }) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(d.output)>, Payload>) {
              count(d.output);
            } else if (d.output) {
              count(*d.output);
            }
          }
        },
        event.details);
  }
  return bytes;
}

class GroupCommitter final : public Committer {
 public:
  GroupCommitter(std::unique_ptr<Store> store, Loop& loop, CommitterSettings settings)
      : store_(std::move(store)), loop_(loop), settings_(settings), thread_([this] { work(); }) {}
  ~GroupCommitter() override {
    *alive_ = false;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void submit(Append append, Done done) override {
    if (settings_.metrics.submitted) settings_.metrics.submitted->add();
    put(SubmittedAppend{std::move(append), std::move(done)});
  }
  void run(std::function<void(Store&)> job, std::function<void()> done) override {
    put(CommitterJob{std::move(job), std::move(done)});
  }

 private:
  using Answers = std::vector<std::function<void()>>;

  void put(Item item) {
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      was_empty = waiting_.empty();
      waiting_.push_back(std::move(item));
    }
    if (was_empty) wake_.notify_one();
  }

  // The store thread: takes what gathered while it was busy, and goes on until it is told to stop and has
  // nothing left.
  void work() {
    std::vector<Item> taken;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return !waiting_.empty() || stopping_; });
        if (waiting_.empty()) return;
        taken.swap(waiting_);
      }
      for (std::size_t next = 0; next < taken.size();) next = carry_out(taken, next);
      taken.clear();
    }
  }

  // One group of appends, or one job; returns what comes after it.
  std::size_t carry_out(std::vector<Item>& items, std::size_t at) {
    if (auto* job = std::get_if<CommitterJob>(&items[at])) {
      job->work(*store_);
      if (job->done) answer([done = std::move(job->done)] { done(); });
      return at + 1;
    }
    std::size_t bytes = 0;
    std::vector<Append> group;
    std::vector<Done> dones;
    for (;
         at < items.size() && group.size() < settings_.group_appends_max && bytes < settings_.group_bytes_max;
         ++at) {
      auto* submitted = std::get_if<SubmittedAppend>(&items[at]);
      if (!submitted) break;
      bytes += document_bytes(submitted->append);
      group.push_back(std::move(submitted->append));
      dones.push_back(std::move(submitted->done));
    }
    auto results = commit(group);
    answer([results = std::move(results), dones = std::move(dones)] {
      for (std::size_t i = 0; i < dones.size(); ++i) {
        dones[i](results ? Result<AppendResult>((*results)[i]) : Result<AppendResult>(fail(results.error())));
      }
    });
    return at;
  }

  Result<std::vector<AppendResult>> commit(std::span<const Append> group) {
    const metrics::Stopwatch watch;
    auto results = store_->commit(group);
    const auto took = watch.elapsed();
    const CommitMetrics& metrics = settings_.metrics;
    if (metrics.seconds) {
      metrics.seconds->observe(took);
      metrics.sync_seconds->observe(store_->last_sync());
      metrics.group_appends->observe(static_cast<double>(group.size()));
      metrics.committed->add(group.size());
      if (!results) metrics.failed->add();
    }
    if (took > settings_.slow_commit) {
      log::warning("the store is slow",
                   {{"milliseconds", std::to_string(std::chrono::duration_cast<Millis>(took).count())},
                    {"sync_milliseconds",
                     std::to_string(std::chrono::duration_cast<Millis>(store_->last_sync()).count())},
                    {"appends", std::to_string(group.size())}});
    }
    return results;
  }

  // On the loop thread, unless the committer is gone by then.
  template <class F>
  void answer(F call) {
    loop_.post([alive = alive_, call = std::move(call)] {
      if (*alive) call();
    });
  }

  std::unique_ptr<Store> store_;
  Loop& loop_;
  const CommitterSettings settings_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // loop thread only
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Item> waiting_;  // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  std::jthread thread_;        // last: starts when the rest is there
};

}  // namespace

std::unique_ptr<Committer> make_committer(std::unique_ptr<Store> store, Loop& loop,
                                          CommitterSettings settings) {
  return std::make_unique<GroupCommitter>(std::move(store), loop, settings);
}

}  // namespace millrace::orchestrator
