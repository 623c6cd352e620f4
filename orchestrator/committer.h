#pragma once
// Committer: makes appends durable in groups. The loop thread submits; a store thread commits everything that
// gathered meanwhile in one transaction (one fsync), then the answers come back to the loop thread in order.
// Simulation has its own.

#include <functional>
#include <memory>

#include "orchestrator/engine_metrics.h"
#include "orchestrator/loop/loop.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {

class Committer {
 public:
  using Done = std::function<void(Result<AppendResult>)>;
  virtual ~Committer() = default;
  // Loop thread. `done` is called on the loop thread when the append is durable, refused, or failed.
  virtual void submit(Append append, Done done) = 0;
  // Runs `job` on the store thread between groups (reads, rare writes), then `done` on the loop thread.
  virtual void run(std::function<void(Store&)> job, std::function<void()> done) = 0;
};

// Asks the store for something and hands the answer over, on the loop thread.
template <class T>
void ask_store(Committer& committer, std::function<Result<T>(Store&)> question,
               std::function<void(Result<T>)> reply) {
  auto answer = std::make_shared<Result<T>>(fail(ErrorCode::Internal, "not read"));
  committer.run([answer, question = std::move(question)](Store& store) { *answer = question(store); },
                [answer, reply = std::move(reply)] { reply(std::move(*answer)); });
}

struct CommitterSettings {
  std::size_t group_appends_max = 2048;    // larger groups hurt the slowest answer
  std::size_t group_bytes_max = 8u << 20;  // of documents, roughly
  Millis slow_commit{1000};                // a group that takes longer is logged
  CommitMetrics metrics = {};              // what is counted; borrowed
};
// Owns the store and its thread. Destruction commits what was submitted, then joins.
std::unique_ptr<Committer> make_committer(std::unique_ptr<Store> store, Loop& loop,
                                          CommitterSettings settings = {});

}  // namespace millrace::orchestrator
