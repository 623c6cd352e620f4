#include "orchestrator/dispatch/activities.h"

#include <algorithm>
#include <utility>

namespace millrace::orchestrator {

Activities::Activities(Loop& loop, Take take, const ActivitySettings& settings)
    : loop_(loop), take_(std::move(take)), settings_(settings), self_(std::make_shared<Activities*>(this)) {}

Activities::~Activities() {
  *self_ = nullptr;
  for (auto& [arn, queue] : queues_) {
    for (const Poller& poller : queue.pollers) loop_.cancel(poller.timer);
  }
}

void Activities::schedule(const std::string& arn, ActivityTask task) {
  queued_.emplace(task.key, arn);
  queues_[arn].tasks.push_back(std::move(task));
  match(arn);
}

void Activities::cancel(const TaskKey& key) {
  const auto it = queued_.find(key);
  if (it == queued_.end()) return;
  std::deque<ActivityTask>& tasks = queues_[it->second].tasks;
  queued_.erase(it);
  // Those at the front go at once, others when their turn comes: a cancellation costs no search.
  while (!tasks.empty() && !queued_.contains(tasks.front().key)) tasks.pop_front();
}

std::uint64_t Activities::poll(const std::string& arn, std::string worker, Reply reply) {
  Queue& queue = queues_[arn];
  if (queue.pollers.size() >= settings_.pollers_max) {
    reply(fail(ErrorCode::LimitExceeded,
               "Activity Worker Limit Exceeded: '" + arn + "' has " + std::to_string(settings_.pollers_max) +
                   " workers waiting",
               "let fewer workers poll, or raise pollers_max"));
    return 0;
  }
  const std::uint64_t id = ++pollers_;
  const Instant until = loop_.clock().now() + settings_.poll_time_max;
  const TimerHandle timer = loop_.at(until, [alive = self_, arn, id] {
    if (*alive) (*alive)->give_up(arn, id);
  });
  queue.pollers.push_back({id, std::move(worker), std::move(reply), until, timer});
  match(arn);
  return id;
}

void Activities::match(const std::string& arn) {
  Queue& queue = queues_[arn];
  while (!queue.tasks.empty() && !queue.pollers.empty()) {
    ActivityTask task = std::move(queue.tasks.front());
    queue.tasks.pop_front();
    if (queued_.erase(task.key) == 0) continue;
    Poller poller = std::move(queue.pollers.front());
    queue.pollers.pop_front();
    give(arn, std::move(task), std::move(poller));
  }
}

void Activities::give(const std::string& arn, ActivityTask task, Poller poller) {
  // By value: `task` moves into the answer.
  const ActivityTask asked = task;
  const std::string worker = poller.worker;
  auto waiting = std::make_shared<Poller>(std::move(poller));
  giving_.insert(waiting->id);
  take_(asked, worker, [alive = self_, arn, task = std::move(task), waiting](bool taken) mutable {
    if (!*alive) return;
    const bool waits = (*alive)->giving_.erase(waiting->id) > 0;
    if (taken || !waits) (*alive)->loop_.cancel(waiting->timer);
    if (taken) return waiting->reply(std::optional(std::move(task)));
    if (!waits || (*alive)->loop_.clock().now() >= waiting->until)
      return waiting->reply(std::optional<ActivityTask>());
    (*alive)->queues_[arn].pollers.push_front(std::move(*waiting));
    (*alive)->match(arn);
  });
}

std::optional<Activities::Poller> Activities::extract(const std::string& arn, std::uint64_t id) {
  std::deque<Poller>& pollers = queues_[arn].pollers;
  const auto it = std::find_if(pollers.begin(), pollers.end(), [&](const Poller& p) { return p.id == id; });
  if (it == pollers.end()) return std::nullopt;
  Poller poller = std::move(*it);
  pollers.erase(it);
  return poller;
}

void Activities::give_up(const std::string& arn, std::uint64_t id) {
  if (const auto poller = extract(arn, id)) poller->reply(std::optional<ActivityTask>());
}

void Activities::withdraw(const std::string& arn, std::uint64_t id) {
  const auto poller = extract(arn, id);
  if (!poller) {
    giving_.erase(id);
    return;
  }
  loop_.cancel(poller->timer);
  poller->reply(std::optional<ActivityTask>());
}

void Activities::end_polls() {
  for (auto& [arn, queue] : queues_) {
    for (Poller& poller : std::exchange(queue.pollers, {})) {
      loop_.cancel(poller.timer);
      poller.reply(std::optional<ActivityTask>());
    }
  }
}

}  // namespace millrace::orchestrator
