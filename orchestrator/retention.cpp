#include "orchestrator/retention.h"

#include "base/log.h"

namespace millrace::orchestrator {

Retention::Retention(Loop& loop, Committer& committer, RetentionSettings settings,
                     std::function<void(std::size_t)> removed)
    : loop_(loop),
      committer_(committer),
      settings_(settings),
      removed_(std::move(removed)),
      self_(std::make_shared<Retention*>(this)) {}

Retention::~Retention() {
  *self_ = nullptr;
  if (timer_ != 0) loop_.cancel(timer_);
}

void Retention::start() {
  if (settings_.days > 0) step({});
}

void Retention::step(ExecutionId after) {
  RemoveEnded request;
  request.before = loop_.clock().now() - std::chrono::days(settings_.days);
  request.after = after;
  request.limit = settings_.batch;
  const auto remove = [request, pages = settings_.vacuum_pages](Store& store) -> Result<RemovedEnded> {
    MR_TRY(removed, store.remove_ended(request));
    if (removed.executions > 0 && pages > 0) MR_DO(store.vacuum(pages));
    return removed;
  };
  ask_store<RemovedEnded>(committer_, remove, [alive = self_](Result<RemovedEnded> removed) {
    if (!*alive) return;
    Retention& self = **alive;
    if (!removed) {
      log::warning("old executions can't be removed", {{"error", removed.error().message}});
      return self.again_in(self.settings_.interval, {});
    }
    if (removed->executions > 0) {
      if (self.removed_) self.removed_(removed->executions);
      log::debug("old executions removed", {{"executions", std::to_string(removed->executions)}});
    }
    if (removed->done) return self.again_in(self.settings_.interval, {});
    self.again_in(self.settings_.pause, removed->next);
  });
}

void Retention::again_in(Millis time, ExecutionId after) {
  timer_ = loop_.at(loop_.clock().now() + time, [this, after] {
    timer_ = 0;
    step(after);
  });
}

}  // namespace millrace::orchestrator
