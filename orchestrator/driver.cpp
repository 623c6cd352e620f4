#include "orchestrator/driver.h"

#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"

namespace millrace::orchestrator {
namespace {

constexpr Millis kBetweenFailures{1000};  // in the log
// Executions that are read back at the same time after a restart.
constexpr std::size_t kTakeUpAtATime = 64;
// Steps of executions between two looks at the loop's other work.
constexpr int kStepsAtATime = 512;
// Ids of executions in memory: above all stored ones, and different in each process, because jobs remember
// the ids they were started for.
constexpr std::uint64_t kInMemoryIds = std::uint64_t{1} << 62;

states::TaskAttempt attempt_of(const TaskKey& key) {
  return {key.frame, key.visit, key.attempt};
}

tl::unexpected<Error> task_gone() {
  return fail(ErrorCode::NotFound, "Task Timed Out: 'Provided task does not exist anymore'",
              "the task was answered, has timed out, or its execution has ended");
}

bool has_tasks_out(const states::Execution& execution) {
  for (const auto& [id, frame] : execution.frames) {
    if (std::holds_alternative<states::waiting::ForTask>(frame.waiting) ||
        std::holds_alternative<states::waiting::ForMapRun>(frame.waiting))
      return true;
  }
  return false;
}

// One append may hold a task's start and what made it needless, such as a sibling branch that failed.
bool still_awaited(const states::Execution& execution, const states::TaskAttempt& task) {
  const auto found = execution.frames.find(task.frame);
  return found != execution.frames.end() && found->second.entered == task.visit &&
         found->second.attempt == task.attempt &&
         std::holds_alternative<states::waiting::ForTask>(found->second.waiting);
}

}  // namespace

Ended ended_of(ExecutionId id, const states::Execution& execution) {
  return {id, execution.status, execution.output, execution.failure};
}

namespace {
// "7" of "…:stateMachine:NAME:7".
std::string_view qualifier_of(std::string_view arn) {
  return arn.substr(std::min(arn.size(), arn.rfind(':') + 1));
}
}  // namespace

ExecutionRow row_of(ExecutionId id, const Machine& machine, const states::Execution& execution) {
  ExecutionRow row;
  row.id = id;
  row.machine = machine.row.id;
  row.name = execution.identity.name;
  row.status = execution.status;
  row.started = execution.started;
  row.stopped = execution.stopped;
  row.events = execution.events;
  row.redrives = execution.redrives;
  row.redriven = execution.redriven;
  const std::string_view version = qualifier_of(execution.identity.version_arn);
  std::from_chars(version.data(), version.data() + version.size(), row.version);
  row.alias = qualifier_of(execution.identity.alias_arn);
  if (!execution.ended()) {
    row.due = states::next_due(execution, *machine.program);
    row.tasks_out = has_tasks_out(execution);
  }
  return row;
}

// What a decision of one execution may ask.
class Driver::Outside final : public Surroundings {
 public:
  Outside(const Driver& driver, ExecutionId id) : driver_(driver), id_(id) {}
  std::string task_token(std::uint64_t frame, std::uint64_t visit, std::uint32_t attempt) const override {
    return driver_.tokens_.mint({id_, FrameId{frame}, visit, attempt});
  }
  bool activity_exists(std::string_view arn) const override {
    return !driver_.settings_.callbacks || !driver_.activity_exists_ || driver_.activity_exists_(arn);
  }

 private:
  const Driver& driver_;
  ExecutionId id_;
};

Driver::Driver(Loop& loop, Committer& committer, TaskRunner& runner, Machines& machines,
               const EngineSettings& settings)
    : loop_(loop),
      committer_(committer),
      machines_(machines),
      settings_(settings),
      tokens_(settings.token_secret),
      router_(
          loop, runner, [this](ExecutionId id, states::Stimulus s) { deliver(id, std::move(s)); },
          [this](const TaskKey& key, const std::string& state, const Payload& progress) {
            if (observer_) observer_->on_progress(key.execution, key.frame, state, progress);
          },
          [this](const ActivityTask& task, const std::string& worker, std::function<void(bool)> done) {
            answer(task.key, states::stimulus::TaskStarted{attempt_of(task.key), worker},
                   [done = std::move(done)](const Result<AppendResult>& result) {
                     done(result && *result == AppendResult::Ok);
                   });
          },
          settings.activities, settings.metrics.tasks),
      last_in_memory_(kInMemoryIds | (mix(settings.seed, kInMemoryIds) >> 34) << 32),
      self_(std::make_shared<Driver*>(this)) {}

Driver::~Driver() {
  *self_ = nullptr;
  if (timer_ != 0) loop_.cancel(timer_);
}

void Driver::start(ExecutionId id, MachinePtr machine, states::stimulus::Started started, Committed committed,
                   Origin origin) {
  auto live = std::make_unique<Live>();
  live->origin = std::move(origin);
  live->machine = std::move(machine);
  live->inbox.push_back({std::move(started), std::move(committed)});
  live_.emplace(id, std::move(live));
  make_ready(id);
}

void Driver::answer(const TaskKey& task, states::Stimulus stimulus, Committed committed) {
  enqueue(task.execution, {std::move(stimulus),
                           [committed = std::move(committed)](Result<AppendResult> result) {
                             // An execution that is not there is one that has ended and was not kept.
                             if (!result && result.error().code == ErrorCode::NotFound)
                               return committed(task_gone());
                             committed(std::move(result));
                           },
                           attempt_of(task)});
}

void Driver::enqueue(ExecutionId id, Item item) {
  auto it = live_.find(id);
  if (it == live_.end()) {
    it = live_.emplace(id, std::make_unique<Live>()).first;
    it->second->loading = true;
    it->second->inbox.push_back(std::move(item));
    load(id);
    return;
  }
  it->second->inbox.push_back(std::move(item));
  make_ready(id);
}

std::optional<Driver::Lent> Driver::lend(ExecutionId id) {
  const auto it = live_.find(id);
  if (it == live_.end() || it->second->loading) return std::nullopt;
  return Lent{it->second->machine, it->second->execution};
}

std::uint64_t Driver::when_ended(ExecutionId id, std::function<void(const Ended&)> call) {
  waiters_[id].push_back({++last_waiter_, std::move(call)});
  return last_waiter_;
}

bool Driver::no_longer(ExecutionId id, std::uint64_t call) {
  const auto found = waiters_.find(id);
  if (found == waiters_.end()) return false;
  const bool there = std::erase_if(found->second, [&](const Waiter& w) { return w.number == call; }) > 0;
  if (found->second.empty()) waiters_.erase(found);
  return there;
}

bool Driver::awaits(const TaskKey& task) const {
  const auto found = live_.find(task.execution);
  return found != live_.end() && still_awaited(found->second->execution, attempt_of(task));
}

void Driver::take_up(const ExecutionRow& row) {
  if (row.tasks_out || !row.due) {
    to_take_up_.push_back(row.id);
    take_up_some();
    return;
  }
  due_.push({*row.due, row.id});
  set_timer();
}

// A few at a time: what clients ask of the store meanwhile is not behind all of them.
void Driver::take_up_some() {
  while (taking_up_ < kTakeUpAtATime && !to_take_up_.empty()) {
    const ExecutionId id = to_take_up_.front();
    to_take_up_.pop_front();
    ++taking_up_;
    deliver(id, states::stimulus::TimeCame{}, [this](const Result<AppendResult>&) {
      --taking_up_;
      take_up_some();
    });
  }
}

// A runner may report from inside start(), and a caller that is answered may start the next execution: what
// comes while other work is being done waits its turn, so no function here is entered twice.
void Driver::make_ready(ExecutionId id) {
  ready_.push_back(id);
  if (!busy_) drain();
}

// Executions that need no disk could keep each other busy for ever: after a while the loop has its turn.
void Driver::drain() {
  busy_ = true;
  for (int steps = 0; !ready_.empty() && steps < kStepsAtATime; ++steps) {
    const ExecutionId id = ready_.front();
    ready_.pop_front();
    const auto it = live_.find(id);
    if (it != live_.end()) step(id, *it->second);
  }
  busy_ = false;
  if (ready_.empty() || resumes_) return;
  resumes_ = true;
  loop_.post([alive = self_] {
    if (!*alive) return;
    (*alive)->resumes_ = false;
    if (!(*alive)->busy_) (*alive)->drain();
  });
}

void Driver::step(ExecutionId id, Live& live) {
  if (live.committing || live.loading || live.inbox.empty()) return;
  Append append;
  append.expected = live.execution.events;
  std::vector<Committed> refused;
  while (!live.inbox.empty()) {
    Item item = std::move(live.inbox.front());
    live.inbox.pop_front();
    if (item.only_if_awaited && !still_awaited(live.execution, *item.only_if_awaited)) {
      refused.push_back(std::move(item.committed));
      continue;
    }
    const Outside outside(*this, id);
    Environment environment;
    environment.now = loop_.clock().now();
    environment.seed = mix(settings_.seed, mix(id.value, live.execution.events));
    environment.limits = &settings_.limits;
    environment.surroundings = &outside;
    states::Decision decision =
        states::decide(*live.machine->program, std::move(live.execution), item.stimulus, environment);
    live.execution = std::move(decision.next);
    if (append.events.empty()) {
      append.events = std::move(decision.events);
    } else {
      std::move(decision.events.begin(), decision.events.end(), std::back_inserter(append.events));
    }
    if (live.effects.empty()) {
      live.effects = std::move(decision.effects);
    } else {
      std::move(decision.effects.begin(), decision.effects.end(), std::back_inserter(live.effects));
    }
    if (item.committed) live.committed.push_back(std::move(item.committed));
  }
  for (Committed& caller : refused) caller(task_gone());
  if (append.events.empty()) {  // nothing came of it: late news, or an execution just folded from the store
    release(id, live);
    return;
  }
  if (observer_) live.tally = tally_of(append.events);
  if (live.origin.in_memory)
    return count(id, live, std::make_shared<const std::vector<states::Event>>(std::move(append.events)));
  append.row = row_of(id, *live.machine, live.execution);
  append.row.map_run = live.origin.map_run;
  append.row.map_items = live.origin.items;
  append.row.started_by = live.origin.started_by;
  if (observer_ && observer_->wants(observed(id, live)))
    live.shown = std::make_shared<const std::vector<states::Event>>(append.events);
  live.committing = true;
  committer_.submit(std::move(append), [alive = self_, id](Result<AppendResult> result) {
    if (*alive) (*alive)->on_committed(id, std::move(result));
  });
}

Observed Driver::observed(ExecutionId id, const Live& live) {
  return {id, *live.machine, live.execution, live.origin.in_memory, live.origin.map_run.value != 0};
}

// What was decided is so, and what waited for that is done.
void Driver::count(ExecutionId id, Live& live, KeptEvents events) {
  if (observer_) {
    Observed what = observed(id, live);
    const auto shown = events ? std::span<const states::Event>(*events) : std::span<const states::Event>();
    what.kept = std::move(events);
    observer_->on_step(what, live.tally, shown);
  }
  live.created = true;
  release(id, live);
}

void Driver::on_committed(ExecutionId id, Result<AppendResult> result) {
  const auto it = live_.find(id);
  MR_CHECK(it != live_.end() && it->second->committing, "an answer for an append that nobody submitted");
  Live& live = *it->second;
  live.committing = false;
  busy_ = true;
  if (!result || *result != AppendResult::Ok) {
    give_up(id, live, result);
  } else {
    count(id, live, std::exchange(live.shown, nullptr));
  }
  drain();
}

// What was decided is not durable: forget it and begin again from what is.
void Driver::give_up(ExecutionId id, Live& live, const Result<AppendResult>& result) {
  const bool created = live.created;
  std::vector<Committed> callers = std::move(live.committed);
  for (Item& item : live.inbox) {
    if (item.committed) callers.push_back(std::move(item.committed));
  }
  live_.erase(id);
  if (!result) {
    log_failed_commit(result.error());
    if (store_error_) store_error_(result.error());
  } else if (*result == AppendResult::Conflict) {
    log::error("append refused: the history has another length", {{"execution", std::to_string(id.value)}});
  }
  if (!created) waiters_.erase(id);
  for (Committed& caller : callers) caller(result);
  if (created) try_again(id);
}

// A full disk fails every commit: the log, which may lie on it, gets a line a second.
void Driver::log_failed_commit(const Error& error) {
  ++failed_commits_;
  const Millis now = loop_.clock().uptime();
  if (failure_logged_ && now - *failure_logged_ < kBetweenFailures) return;
  log::error("commit failed",
             {{"error", error.message}, {"failed", std::to_string(std::exchange(failed_commits_, 0))}});
  failure_logged_ = now;
}

void Driver::try_again(ExecutionId id) {
  due_.push({loop_.clock().now() + kRetryAfterStoreError, id});
  set_timer();
}

// The append is durable (or there was none): do what waited for that.
void Driver::release(ExecutionId id, Live& live) {
  std::vector<states::Effect> effects = std::exchange(live.effects, {});
  std::vector<Committed> callers = std::exchange(live.committed, {});
  for (states::Effect& effect : effects) perform(id, live, std::move(effect));
  for (Committed& caller : callers) caller(AppendResult::Ok);
  if (live.execution.ended()) {
    const Ended ended = ended_of(id, live.execution);
    const Origin origin = live.origin;
    // Stimuli that came meanwhile are too late; their callers learn that nothing more is to come, and who
    // answers a task that it is gone.
    std::deque<Item> late = std::move(live.inbox);
    live_.erase(id);
    for (Item& item : late) {
      if (!item.committed) continue;
      if (item.only_if_awaited)
        item.committed(task_gone());
      else
        item.committed(AppendResult::Ok);
    }
    if (origin.map_run.value != 0 && map_runs_) map_runs_->child_ended(origin.map_run, ended);
    if (auto waiting = waiters_.extract(id)) {
      for (const Waiter& waiter : waiting.mapped()) waiter.call(ended);
    }
    return;
  }
  if (!live.inbox.empty()) {
    make_ready(id);
    return;
  }
  const std::optional<Instant> due = states::next_due(live.execution, *live.machine->program);
  if (due) arm(id, *due, live.armed);
  const bool parks = due && !live.origin.in_memory && !has_tasks_out(live.execution) &&
                     *due - loop_.clock().now() > settings_.park_after;
  if (parks) live_.erase(id);
}

void Driver::perform(ExecutionId id, const Live& live, states::Effect effect) {
  if (auto* start = std::get_if<states::effect::StartTask>(&effect)) {
    if (still_awaited(live.execution, start->task)) start_task(id, live, std::move(*start));
  } else if (auto* cancel = std::get_if<states::effect::CancelTask>(&effect)) {
    const states::TaskAttempt& task = cancel->task;
    router_.cancel({id, task.frame, task.visit, task.attempt});
  } else if (!map_runs_) {
    return;
  } else if (auto* run = std::get_if<states::effect::StartMapRun>(&effect)) {
    map_runs_->start(id, std::move(*run));
  } else if (const auto* stop = std::get_if<states::effect::StopMapRun>(&effect)) {
    map_runs_->stop({id, stop->task.frame, stop->task.visit, stop->task.attempt});
  }
}

void Driver::start_task(ExecutionId id, const Live& live, states::effect::StartTask task) {
  TaskRequest request;
  request.key = {id, task.task.frame, task.task.visit, task.task.attempt};
  request.resource = task.resource->arn;
  request.arguments = std::move(task.arguments);
  request.execution_name = live.execution.identity.name;
  request.state_name = std::move(task.state_name);
  request.execution_arn = live.execution.identity.arn;
  Dispatch how;
  how.heartbeat_seconds = task.heartbeat_seconds;
  how.family = task.resource->family;
  how.by_token = task.resource->pattern == definitions::TaskPattern::WaitForTaskToken;
  if (!settings_.callbacks) {
    how.family = definitions::TaskFamily::Service;
    how.by_token = false;
  }
  if (how.by_token) request.task_token = tokens_.mint(request.key);
  how.under_way = task.under_way;
  router_.start(std::move(request), how);
}

void Driver::load(ExecutionId id) {
  struct Loaded {
    Result<ExecutionRow> row = fail(ErrorCode::Internal, "not read");
    Result<std::vector<states::Event>> events = fail(ErrorCode::Internal, "not read");
    std::string map_state;  // of a child of a map run: the Map it runs the processor of
  };
  auto loaded = std::make_shared<Loaded>();
  const auto refuse = [alive = self_, id](const Error& error) {
    if (!*alive) return;
    Driver& driver = **alive;
    const auto it = driver.live_.find(id);
    if (it == driver.live_.end()) return;
    std::deque<Item> inbox = std::move(it->second->inbox);
    driver.live_.erase(it);
    for (Item& item : inbox) {
      if (item.committed) item.committed(fail(error));
    }
    if (error.code == ErrorCode::NotFound) return;
    log::error("an execution can't be read back",
               {{"execution", std::to_string(id.value)}, {"error", error.message}});
    driver.try_again(id);
    if (driver.store_error_) driver.store_error_(error);
  };
  committer_.run(
      [loaded, id](Store& store) {
        loaded->row = store.execution(id);
        if (loaded->row) loaded->events = store.events(id, 0, ~std::size_t{0});
        if (!loaded->row || loaded->row->map_run.value == 0) return;
        const auto run = store.map_runs().get(loaded->row->map_run);
        if (run) {
          loaded->map_state = run->state;
        } else {
          loaded->events = fail(run.error());
        }
      },
      [alive = self_, id, loaded, refuse] {
        if (!*alive) return;
        if (!loaded->row) return refuse(loaded->row.error());
        if (!loaded->events) return refuse(loaded->events.error());
        (*alive)->machines_.load_revision(loaded->row->machine, [alive, id, loaded,
                                                                 refuse](Result<MachinePtr> machine) {
          if (!*alive) return;
          const Origin origin{loaded->row->map_run, loaded->row->map_items, false, loaded->row->started_by};
          if (machine && origin.map_run.value != 0)
            machine = (*alive)->machines_.processor(*machine, loaded->map_state);
          if (!machine) return refuse(machine.error());
          (*alive)->fold(id, *machine, origin, *loaded->events);
        });
      });
}

void Driver::fold(ExecutionId id, MachinePtr machine, Origin origin,
                  const std::vector<states::Event>& events) {
  const auto it = live_.find(id);
  if (it == live_.end() || !it->second->loading) return;
  Live& live = *it->second;
  live.machine = std::move(machine);
  live.origin = std::move(origin);
  live.created = true;
  for (const states::Event& event : events) states::evolve(live.execution, *live.machine->program, event);
  live.loading = false;
  if (!live.execution.ended()) {
    for (states::effect::StartTask& task : states::outstanding(live.execution, *live.machine->program)) {
      start_task(id, live, std::move(task));
    }
    if (map_runs_) {
      for (states::effect::StartMapRun& run : states::outstanding_map_runs(live.execution))
        map_runs_->start(id, std::move(run));
    }
  }
  if (map_runs_) map_runs_->taken_up(id);
  make_ready(id);
}

// Remembers that something falls due. `armed` keeps one execution from filling the heap with the same
// instant.
void Driver::arm(ExecutionId id, Instant due, Instant& armed) {
  if (armed <= due) return;  // an earlier look will arm again
  armed = due;
  due_.push({due, id});
  set_timer();
}

void Driver::set_timer() {
  if (due_.empty() || due_.top().when >= timer_at_) return;
  if (timer_ != 0) loop_.cancel(timer_);
  timer_at_ = due_.top().when;
  timer_ = loop_.at(timer_at_, [alive = self_] {
    if (*alive) (*alive)->on_timer();
  });
}

void Driver::on_timer() {
  timer_ = 0;
  timer_at_ = Instant::max();
  const Instant now = loop_.clock().now();
  while (!due_.empty() && due_.top().when <= now) {
    const ExecutionId id = due_.top().id;
    if (settings_.metrics.timer_lateness_seconds)
      settings_.metrics.timer_lateness_seconds->observe(now - due_.top().when);
    due_.pop();
    if (id.value > kInMemoryIds && !live_.contains(id))
      continue;  // it has ended, and nothing is stored of it
    if (const auto it = live_.find(id); it != live_.end()) it->second->armed = Instant::max();
    deliver(id, states::stimulus::TimeCame{});
  }
  set_timer();
}

}  // namespace millrace::orchestrator
