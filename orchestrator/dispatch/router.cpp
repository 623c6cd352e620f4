#include "orchestrator/dispatch/router.h"

#include <utility>

namespace millrace::orchestrator {
namespace {

states::TaskAttempt attempt_in(const TaskKey& key) {
  return {key.frame, key.visit, key.attempt};
}

}  // namespace

Router::Router(Loop& loop, TaskRunner& runner, Deliver deliver, OnProgress on_progress, Activities::Take take,
               const ActivitySettings& activities, TaskSeriesOf series)
    : loop_(loop),
      runner_(runner),
      deliver_(std::move(deliver)),
      on_progress_(std::move(on_progress)),
      series_of_(std::move(series)),
      activities_(
          loop,
          // The heartbeats of an activity are counted from when a worker has it.
          [this, take = std::move(take)](const ActivityTask& task, const std::string& worker,
                                         std::function<void(bool)> done) {
            take(task, worker, [alive = self_, key = task.key, done = std::move(done)](bool taken) {
              if (!*alive) return;
              const auto it = (*alive)->out_.find(key);
              if (taken && it != (*alive)->out_.end()) (*alive)->begin_heartbeat(key, it->second);
              done(taken);
            });
          },
          activities),
      self_(std::make_shared<Router*>(this)) {}

Router::~Router() {
  *self_ = nullptr;
  for (auto& [key, out] : out_) {
    if (out.timer != 0) loop_.cancel(out.timer);
  }
}

void Router::start(TaskRequest request, const Dispatch& how) {
  const TaskKey key = request.key;
  const auto [it, fresh] = out_.try_emplace(key);
  if (!fresh) return;
  it->second.state_name = request.state_name;
  it->second.heartbeat_seconds = how.heartbeat_seconds;
  it->second.by_token = how.by_token;
  it->second.activity = how.family == definitions::TaskFamily::Activity;
  if (series_of_) {
    it->second.series = series_of_(request.resource);
    it->second.started = loop_.clock().now();
    if (it->second.series) it->second.series->started->add();
  }
  if (!it->second.activity || how.under_way) begin_heartbeat(key, it->second);
  if (how.under_way) return;
  if (it->second.activity) return activities_.schedule(request.resource, {key, std::move(request.arguments)});
  if (!runner_.serves(request.resource)) {
    // The definition is right by the language, so this is the run's failure, and one that Catch can answer.
    Failure failure;
    failure.error = std::string(error_names::kTaskFailed);
    failure.cause = "No task runner here serves the resource '" + request.resource +
                    "'. Use a resource that this engine has, or map it to a program or a URL in "
                    "integrations.json of the home directory (docs/integrations.md).";
    loop_.post([alive = self_, key, failure = std::move(failure)] {
      if (*alive) (*alive)->on_report(key, Outcome(tl::unexpected<Failure>(failure)));
    });
    return;
  }
  runner_.start(std::move(request), [alive = self_](const TaskKey& about, TaskReport report) {
    if (*alive) (*alive)->on_report(about, std::move(report));
  });
}

void Router::cancel(const TaskKey& key) {
  const auto it = out_.find(key);
  if (it == out_.end()) return;
  if (it->second.timer != 0) loop_.cancel(it->second.timer);
  const bool activity = it->second.activity;
  out_.erase(it);
  if (activity) return activities_.cancel(key);
  runner_.cancel(key);
}

bool Router::heartbeat(const TaskKey& key) {
  const auto it = out_.find(key);
  if (it == out_.end()) return false;
  Out& out = it->second;
  if (out.heartbeat_seconds)
    out.heartbeat_due = loop_.clock().now() + std::chrono::seconds(*out.heartbeat_seconds);
  return true;
}

void Router::count_end(const Out& out, metrics::Counter* TaskSeries::*outcome) const {
  if (!out.series) return;
  (out.series->*outcome)->add();
  out.series->seconds->observe(loop_.clock().now() - out.started);
}

void Router::forget(const TaskKey& key, bool succeeded) {
  const auto it = out_.find(key);
  if (it == out_.end()) return;
  count_end(it->second, succeeded ? &TaskSeries::succeeded : &TaskSeries::failed);
  if (it->second.timer != 0) loop_.cancel(it->second.timer);
  out_.erase(it);
}

void Router::on_report(const TaskKey& key, TaskReport report) {
  const auto it = out_.find(key);
  if (it == out_.end()) return;
  Out& out = it->second;
  if (out.heartbeat_seconds)
    out.heartbeat_due = loop_.clock().now() + std::chrono::seconds(*out.heartbeat_seconds);
  if (const auto* heartbeat = std::get_if<Heartbeat>(&report)) {
    if (on_progress_) on_progress_(key, out.state_name, heartbeat->progress);
    return;
  }
  if (auto* submitted = std::get_if<Submitted>(&report)) {
    deliver_(key.execution, states::stimulus::TaskSubmitted{attempt_in(key), std::move(submitted->output)});
    return;
  }
  if (std::holds_alternative<Exchanged>(report)) return;  // no execution asks for it
  Outcome& outcome = std::get<Outcome>(report);
  if (out.by_token && outcome) {
    deliver_(key.execution, states::stimulus::TaskSubmitted{attempt_in(key), std::move(*outcome)});
    return;
  }
  if (out.timer != 0) loop_.cancel(out.timer);
  count_end(out, outcome ? &TaskSeries::succeeded : &TaskSeries::failed);
  out_.erase(it);
  deliver_(key.execution, states::stimulus::TaskReported{attempt_in(key), std::move(outcome)});
}

void Router::begin_heartbeat(const TaskKey& key, Out& out) {
  if (!out.heartbeat_seconds || out.timer != 0) return;
  out.heartbeat_due = loop_.clock().now() + std::chrono::seconds(*out.heartbeat_seconds);
  watch_heartbeat(key, out);
}

void Router::watch_heartbeat(const TaskKey& key, Out& out) {
  out.timer = loop_.at(out.heartbeat_due, [alive = self_, key] {
    if (!*alive) return;
    Router& router = **alive;
    const auto it = router.out_.find(key);
    if (it == router.out_.end()) return;
    it->second.timer = 0;
    if (router.loop_.clock().now() < it->second.heartbeat_due) {
      router.watch_heartbeat(key, it->second);
      return;
    }
    const bool activity = it->second.activity;
    router.count_end(it->second, &TaskSeries::heartbeat_timed_out);
    router.out_.erase(it);
    if (!activity) router.runner_.cancel(key);
    router.deliver_(key.execution, states::stimulus::HeartbeatMissed{attempt_in(key)});
  });
}

}  // namespace millrace::orchestrator
