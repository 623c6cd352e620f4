#include "orchestrator/engine.h"

#include <array>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "base/utf8.h"
#include "orchestrator/driver.h"
#include "orchestrator/machines.h"
#include "orchestrator/maps/map_runs.h"
#include "orchestrator/nested_runner.h"
#include "orchestrator/queries.h"
#include "orchestrator/resources.h"

namespace millrace::orchestrator {

namespace {

// What RedriveExecution remembers of its client tokens. Source: RedriveExecution in the API reference.
constexpr std::size_t kRedriveTokensKept = 10;
constexpr Millis kRedriveTokenTime = std::chrono::minutes(15);

// When the token redrove the execution, if that is remembered.
Result<std::optional<Instant>> redriven_by(Store& store, ExecutionId id, const std::string& token,
                                           Instant now) {
  MR_TRY(events, store.events(id, 0, ~std::size_t{0}));
  std::size_t seen = 0;
  for (auto event = events.rbegin(); event != events.rend() && seen < kRedriveTokensKept; ++event) {
    const auto* redriven = std::get_if<states::detail::ExecutionRedriven>(&event->details);
    if (!redriven || redriven->client_token.empty()) continue;
    if (now - event->time > kRedriveTokenTime) break;
    if (redriven->client_token == token) return std::optional(event->time);
    ++seen;
  }
  return std::optional<Instant>();
}

constexpr const char* kOtherProcess = "another process writes to the same home directory";

}  // namespace

// Source: StartExecution and CreateStateMachine in the API reference.
Status check_name(std::string_view name, const Limits& limits) {
  static constexpr std::string_view kForbidden = "<>{}[]?*\"#%\\^|~`$&,;:/";
  const auto wrong = [&] {
    return invalid("Invalid Name: '" + std::string(name) + "'",
                   "a name has 1 to " + std::to_string(limits.name_characters_max) +
                       " characters, without blanks, control characters and any of " +
                       std::string(kForbidden));
  };
  if (name.empty() || !valid_utf8(name) || count_code_points(name) > limits.name_characters_max)
    return wrong();
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if (byte <= 0x20 || byte == 0x7F || kForbidden.find(name[i]) != std::string_view::npos) return wrong();
    // U+0080 to U+009F are control characters, too.
    if (byte == 0xC2 && static_cast<unsigned char>(name[i + 1]) < 0xA0) return wrong();
  }
  return {};
}

std::string activity_arn(const EngineSettings& settings, std::string_view name) {
  std::string arn = "arn:aws:states:" + settings.region + ":" + settings.account + ":activity:";
  return arn.append(name);
}

std::string execution_arn(const EngineSettings& settings, std::string_view machine_name,
                          std::string_view name) {
  std::string arn = "arn:aws:states:" + settings.region + ":" + settings.account + ":execution:";
  arn.append(machine_name).append(":").append(name);
  return arn;
}

std::string machine_arn(const EngineSettings& settings, std::string_view name) {
  std::string arn = "arn:aws:states:" + settings.region + ":" + settings.account + ":stateMachine:";
  return arn.append(name);
}

namespace {
constexpr std::string_view kWaits = " waits";
}  // namespace

StepTally tally_of(std::span<const states::Event> events) {
  using states::EventType;
  StepTally tally;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const states::EventDetails& details = events[i].details;
    if (std::holds_alternative<states::detail::StateEntered>(details)) {
      ++tally.transitions;
    } else if (std::holds_alternative<states::detail::RetryScheduled>(details)) {
      ++tally.retries;
    } else if (std::holds_alternative<states::detail::TaskFailed>(details)) {
      const bool again = i + 1 < events.size() &&
                         std::holds_alternative<states::detail::RetryScheduled>(events[i + 1].details);
      tally.failures += !again;
    } else if (std::holds_alternative<states::detail::ExecutionStarted>(details)) {
      tally.started = true;
    } else if (std::holds_alternative<states::detail::ExecutionRedriven>(details)) {
      tally.redriven = true;
    }
    // The only events of the execution itself that end it.
    const EventType type = events[i].type;
    if (type >= EventType::ExecutionSucceeded && type <= EventType::ExecutionTimedOut) tally.ended = true;
    if (type == EventType::ExecutionRedriven) tally.ended = false;
  }
  return tally;
}

std::string parent_text(const Parent& parent) {
  std::string text = std::to_string(parent.task.execution.value);
  for (const std::uint64_t part :
       {parent.task.frame.value, parent.task.visit, static_cast<std::uint64_t>(parent.task.attempt)})
    text.append("/").append(std::to_string(part));
  return parent.waits ? text.append(kWaits) : text;
}

namespace {
// The task in parent_text().
std::optional<TaskKey> parent_task(std::string_view text) {
  std::array<std::uint64_t, 4> parts{};
  for (std::uint64_t& part : parts) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with('/')) text.remove_prefix(1);
  }
  return TaskKey{ExecutionId{parts[0]}, FrameId{parts[1]}, parts[2], static_cast<std::uint32_t>(parts[3])};
}
}  // namespace

class Engine::Impl {
 public:
  Impl(Engine& engine, Loop& loop, Committer& committer, TaskRunner& runner, EngineSettings settings,
       ExecutionId last)
      : settings_(std::move(settings)),
        loop_(loop),
        committer_(committer),
        machines_(committer, settings_.limits, mix(settings_.seed, 1)),
        queries_(committer),
        resources_(committer),
        nested_(engine, loop, runner),
        driver_(loop, committer, nested_, machines_, settings_),
        random_(settings_.seed),
        own_background_(settings_.maps.background ? nullptr : make_background_on_loop(loop)),
        map_runs_(loop, committer, driver_, machines_, settings_, settings_.maps.objects,
                  settings_.maps.background ? *settings_.maps.background : *own_background_,
                  [this] { return ExecutionId{++last_.value}; }),
        last_(last) {}

  void create_machine(std::string name, std::string definition, Reply<MachineRow> reply) {
    if (auto ok = check_name(name, settings_.limits); !ok) return reply(fail(ok.error()));
    MachineRow row;
    row.arn = machine_arn(settings_, name);
    row.name = std::move(name);
    row.role_arn = settings_.role_arn;
    row.definition = std::move(definition);
    row.created = loop_.clock().now();
    machines_.put(std::move(row), [reply = std::move(reply)](Result<MachinePtr> machine) {
      if (!machine) return reply(fail(machine.error()));
      reply((*machine)->row);
    });
  }

  void start_execution(StartRequest request, Reply<Started> reply, std::function<void(const Ended&)> ended) {
    if (auto ok = check_start(request); !ok) return reply(fail(ok.error()));
    const std::string arn = arn_of(request);
    machines_.resolve(arn, [this, request = std::move(request), reply = std::move(reply),
                            ended = std::move(ended)](Result<StartTarget> target) mutable {
      if (!target) return reply(fail(target.error()));
      if (request.only && *request.only != target->machine->row.type)
        return reply(wrong_type(*request.only == MachineType::Express
                                    ? "only Express state machines run synchronously"
                                    : "only a Standard execution can be waited for (.sync); an Express one "
                                      "is run by aws-sdk:sfn:startSyncExecution"));
      if (target->machine->row.type == MachineType::Express)
        return begin_express(*target, std::move(request), std::move(reply), std::move(ended));
      begin(*std::move(target), std::move(request), std::move(reply), std::move(ended));
    });
  }

  void start_sync_execution(StartRequest request, Reply<SyncResult> reply) {
    if (auto ok = check_start(request); !ok) return reply(fail(ok.error()));
    const std::string arn = arn_of(request);
    machines_.resolve(arn, [this, request = std::move(request),
                            reply = std::move(reply)](Result<StartTarget> target) mutable {
      if (!target) return reply(fail(target.error()));
      if (target->machine->row.type != MachineType::Express)
        return reply(wrong_type("only Express state machines run synchronously"));
      run_sync(*target, std::move(request), std::move(reply));
    });
  }

 private:
  static tl::unexpected<Error> wrong_type(const char* remedy) {
    return invalid("This operation is not supported by this type of state machine", remedy);
  }

  std::string arn_of(const StartRequest& request) const {
    return request.machine.starts_with("arn:") ? request.machine : machine_arn(settings_, request.machine);
  }

  Status check_start(const StartRequest& request) const {
    if (!request.name.empty()) MR_DO(check_name(request.name, settings_.limits));
    if (request.input.size() > settings_.limits.payload_bytes_max) {
      return invalid(
          "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have "
          "length "
          "less than or equal to " +
              std::to_string(settings_.limits.payload_bytes_max),
          "put large data into an object (s3://bucket/key) and pass its name, or raise payload_bytes_max");
    }
    if (driver_.live() >= settings_.live_executions_max) {
      return fail(ErrorCode::LimitExceeded,
                  "ExecutionLimitExceeded: " + std::to_string(driver_.live()) + " executions are running",
                  "try again later, or raise live_executions_max");
    }
    return {};
  }

 public:
  void stop_execution(ExecutionId id, Failure reason, Reply<void> reply) {
    // Whether it has ended can only be known from its events; a stop that comes too late leads to none.
    driver_.deliver(id, states::stimulus::StopRequested{std::move(reason)},
                    [id, reply = std::move(reply)](Result<AppendResult> result) {
                      if (!result && result.error().code == ErrorCode::NotFound) {
                        return reply(fail(ErrorCode::NotFound,
                                          "Execution Does Not Exist: '" + std::to_string(id.value) + "'"));
                      }
                      if (!result) return reply(fail(result.error()));
                      reply(Status{});
                    });
  }

  void redrive_execution(const std::string& arn, std::string token, Reply<Instant> reply) {
    queries_.describe(
        arn, [this, token = std::move(token), reply = std::move(reply)](Result<ExecutionView> view) mutable {
          if (!view) return reply(fail(view.error()));
          const Instant now = loop_.clock().now();
          if (token.empty() || !view->row.redriven || now - *view->row.redriven > kRedriveTokenTime)
            return redrive(*view, std::move(token), std::move(reply));
          queries_.ask<std::optional<Instant>>(
              [id = view->row.id, token, now](Store& store) { return redriven_by(store, id, token, now); },
              [this, view = *std::move(view), token,
               reply = std::move(reply)](Result<std::optional<Instant>> earlier) mutable {
                if (!earlier) return reply(fail(earlier.error()));
                if (*earlier) return reply(**earlier);
                redrive(view, std::move(token), std::move(reply));
              });
        });
  }

 private:
  void redrive(const ExecutionView& view, std::string token, Reply<Instant> reply) {
    const std::string_view why_not = not_redrivable(view, loop_.clock().now(), settings_.limits);
    if (!why_not.empty()) return reply(invalid(std::string(why_not)));
    const ExecutionId id = view.row.id;
    const auto answer = [this, id, reply = std::move(reply)](Result<AppendResult> done) {
      if (!done) return reply(fail(done.error()));
      queries_.ask<Instant>(
          [id](Store& store) -> Result<Instant> {
            MR_TRY(row, store.execution(id));
            if (row.redriven) return *row.redriven;
            return fail(ErrorCode::Conflict, "the execution was changed by another call", "try again");
          },
          reply);
    };
    driver_.deliver(id, states::stimulus::RedriveRequested{std::move(token)}, answer);
  }

 public:
  // It may end between the look at the store and the answer: the ear is there first.
  void when_ended(ExecutionId id, Reply<Ended> reply) {
    const std::uint64_t ear = driver_.when_ended(id, [reply](const Ended& ended) { reply(ended); });
    if (driver_.is_live(id)) return;
    auto row = std::make_shared<Result<ExecutionRow>>(fail(ErrorCode::Internal, "not read"));
    auto ended = std::make_shared<Result<Ended>>(fail(ErrorCode::Internal, "not read"));
    committer_.run(
        [id, row, ended](Store& store) {
          *row = store.execution(id);
          if (*row && (*row)->status != states::ExecutionStatus::Running) *ended = read_end(store, **row);
        },
        [this, id, ear, row, ended, reply = std::move(reply)] {
          if (*row && (*row)->status == states::ExecutionStatus::Running) return;
          if (!driver_.no_longer(id, ear)) return;  // it was told meanwhile
          if (!*row) return reply(fail((*row).error()));
          reply(std::move(*ended));
        });
  }

  void recover(Reply<RecoverySummary> reply) {
    map_runs_.recover([this, reply = std::move(reply)](Status found) mutable {
      if (!found) return reply(fail(found.error()));
      recover_executions(std::move(reply));
    });
  }
  void recover_executions(Reply<RecoverySummary> reply) {
    recover_page({}, {}, [this, reply = std::move(reply)](Result<RecoverySummary> summary) {
      if (!summary) return reply(std::move(summary));
      ask_store<std::vector<Removal>>(committer_, unfinished_removals,
                                      [this, summary, reply](Result<std::vector<Removal>> removals) {
                                        if (!removals) return reply(fail(removals.error()));
                                        for (const Removal& removal : *removals) end_removal(removal);
                                        learn_activities(*summary, reply);
                                      });
    });
  }

  // What the holder of a token says.
  void answer_task(const std::string& token, Outcome outcome, Reply<void> reply) {
    const Result<TaskKey> key = driver_.tokens().open(token);
    if (!key) return reply(fail(key.error()));
    const bool succeeded = outcome.has_value();
    driver_.answer(*key,
                   states::stimulus::TaskReported{{key->frame, key->visit, key->attempt}, std::move(outcome)},
                   [this, key = *key, succeeded, reply = std::move(reply)](Result<AppendResult> result) {
                     if (!result) return reply(fail(result.error()));
                     if (*result != AppendResult::Ok) return reply(fail(ErrorCode::Conflict, kOtherProcess));
                     driver_.router().forget(key, succeeded);
                     reply(Status{});
                   });
  }

  void heartbeat(const std::string& token, Reply<void> reply) {
    const Result<TaskKey> key = driver_.tokens().open(token);
    if (!key) return reply(fail(key.error()));
    const auto gone = [] {
      return fail(ErrorCode::NotFound, "Task Timed Out: 'Provided task does not exist anymore'",
                  "the task was answered, has timed out, or its execution has ended");
    };
    if (driver_.router().heartbeat(*key)) return reply(Status{});
    if (driver_.lend(key->execution)) return reply(gone());
    // It has ended, or was not yet taken up after a restart: then the task is known when it has been.
    driver_.deliver(key->execution, states::stimulus::TimeCame{},
                    [this, key = *key, gone, reply = std::move(reply)](const Result<AppendResult>& taken_up) {
                      if (!taken_up || !driver_.router().heartbeat(key)) return reply(gone());
                      reply(Status{});
                    });
  }

  void get_activity_task(const std::string& activity, std::string worker,
                         Reply<std::optional<WorkerTask>> reply,
                         const std::function<void(std::function<void()>)>& on_gone) {
    const std::uint64_t poll = driver_.router().activities().poll(
        activity, std::move(worker),
        [this, reply = std::move(reply)](Result<std::optional<ActivityTask>> task) {
          if (!task) return reply(fail(task.error()));
          if (!*task) return reply(std::optional<WorkerTask>());
          reply(std::optional(WorkerTask{driver_.tokens().mint((*task)->key), (*task)->input}));
        });
    if (on_gone) on_gone([this, activity, poll] { driver_.router().activities().withdraw(activity, poll); });
  }

  Driver& driver() { return driver_; }
  Queries& queries() { return queries_; }
  Machines& machines() { return machines_; }
  Resources& resources() { return resources_; }

  void delete_machine(const std::string& arn, Reply<void> reply) {
    machines_.change<Removal>(
        arn, [arn](Store& store) { return remove_machine(store, arn); },
        [this, reply = std::move(reply)](Result<Removal> removal) {
          if (!removal && removal.error().code != ErrorCode::NotFound) return reply(fail(removal.error()));
          reply(Status{});
          if (removal) end_removal(*removal);
        });
  }
  MapRuns& map_runs() { return map_runs_; }
  const EngineSettings& settings() const { return settings_; }

 private:
  static constexpr std::size_t kRecoveryPage = 1000;

  void learn_activities(const RecoverySummary& summary, Reply<RecoverySummary> reply) {
    resources_.learn_activities([this, summary, reply = std::move(reply)](Status learnt) {
      if (!learnt) return reply(fail(learnt.error()));
      driver_.activities_known([this](std::string_view arn) { return resources_.has_activity(arn); });
      reply(summary);
    });
  }

  states::stimulus::Started started_of(const StartTarget& target, StartRequest request, Instant now) {
    const MachineRow& machine = target.machine->row;
    states::stimulus::Started started;
    // A generated name sorts by time: the index of names then grows at its end.
    started.identity.name = request.name.empty() ? uuid_v7(to_millis(now), random_) : std::move(request.name);
    if (machine.type == MachineType::Express) {
      started.identity.arn = "arn:aws:states:" + settings_.region + ":" + settings_.account +
                             ":express:" + machine.name + ":" + started.identity.name + ":" +
                             uuid_v7(to_millis(now), random_);
      started.identity.seconds_max = settings_.limits.express_seconds_max;
    } else {
      started.identity.arn = execution_arn(settings_, machine.name, started.identity.name);
    }
    started.identity.machine_arn = machine.arn;
    started.identity.machine_name = machine.name;
    started.identity.role_arn = machine.role_arn;
    if (target.version != 0)
      started.identity.version_arn = machine.arn + ":" + std::to_string(target.version);
    if (!target.alias.empty()) started.identity.alias_arn = machine.arn + ":" + target.alias;
    started.input = std::move(request.input);
    return started;
  }

  void begin_express(const StartTarget& target, StartRequest request, Reply<Started> reply,
                     std::function<void(const Ended&)> ended) {
    const ExecutionId id = driver_.new_in_memory_id();
    const Instant now = loop_.clock().now();
    states::stimulus::Started started = started_of(target, std::move(request), now);
    if (ended) driver_.when_ended(id, std::move(ended));
    Started answer{id, started.identity.arn, started.identity.name, now, false};
    driver_.start(
        id, target.machine, std::move(started),
        [answer = std::move(answer), reply = std::move(reply)](const Result<AppendResult>&) mutable {
          reply(std::move(answer));
        },
        Origin{.in_memory = true});
  }

  void run_sync(const StartTarget& target, StartRequest request, Reply<SyncResult> reply) {
    const ExecutionId id = driver_.new_in_memory_id();
    const Instant now = loop_.clock().now();
    states::stimulus::Started started = started_of(target, std::move(request), now);
    SyncResult result{started.identity.arn, started.identity.name, target.machine->row.arn, now, now,
                      started.input};
    driver_.when_ended(
        id, [this, result = std::move(result), reply = std::move(reply)](const Ended& ended) mutable {
          result.stopped = loop_.clock().now();
          result.status = ended.status;
          result.output = ended.output;
          result.failure = ended.failure;
          reply(std::move(result));
        });
    driver_.start(id, target.machine, std::move(started), {}, Origin{.in_memory = true});
  }

  void begin(StartTarget target, StartRequest request, Reply<Started> reply,
             std::function<void(const Ended&)> ended) {
    const MachinePtr& machine = target.machine;
    const ExecutionId id{++last_.value};
    const Instant now = loop_.clock().now();
    Origin origin;
    if (request.parent) origin.started_by = parent_text(*request.parent);
    states::stimulus::Started started = started_of(target, std::move(request), now);
    if (ended) driver_.when_ended(id, ended);
    Started answer{id, started.identity.arn, started.identity.name, now, false};
    Payload input = started.input;
    driver_.start(
        id, machine, std::move(started),
        [this, machine, answer = std::move(answer), input = std::move(input), parent = origin.started_by,
         reply = std::move(reply), ended = std::move(ended)](Result<AppendResult> result) mutable {
          if (!result) return reply(fail(result.error()));
          if (*result == AppendResult::Ok) return reply(std::move(answer));
          if (*result == AppendResult::NameTaken) {
            return name_taken(std::move(machine), std::move(answer), std::move(input), std::move(parent),
                              std::move(reply), std::move(ended));
          }
          reply(fail(ErrorCode::Conflict, kOtherProcess, "stop it; a home directory belongs to one engine"));
        },
        origin);
  }

  // StartExecution is idempotent for the same name and input while the first one runs, and for the same task
  // whatever has become of its child.
  void name_taken(MachinePtr machine, Started answer, Payload input, std::string parent, Reply<Started> reply,
                  std::function<void(const Ended&)> ended) {
    struct Found {
      Result<ExecutionRow> row = fail(ErrorCode::Internal, "not read");
      bool same_input = false;
    };
    auto found = std::make_shared<Found>();
    // Before `answer` moves into the second function: arguments are evaluated in any order.
    std::string name = answer.name;
    committer_.run(
        [found, machine, input, name = std::move(name)](Store& store) {
          found->row = store.execution_named(machine->row.id, name);
          if (!found->row) return;
          const auto events = store.events(found->row->id, 0, 1);
          if (!events || events->empty()) return;
          const auto* first = std::get_if<states::detail::ExecutionStarted>(&events->front().details);
          found->same_input = first && first->input.text() == input.text();
        },
        [this, found, answer = std::move(answer), parent = std::move(parent), reply = std::move(reply),
         ended = std::move(ended)]() mutable {
          if (!found->row) return reply(fail(found->row.error()));
          const bool running = found->row->status == states::ExecutionStatus::Running;
          const bool own_child = !parent.empty() && found->row->started_by == parent;
          if (!own_child && !(found->same_input && running)) {
            return reply(fail(ErrorCode::AlreadyExists, "Execution Already Exists: '" + answer.arn + "'",
                              "choose another name; names of one state machine are used once"));
          }
          answer.id = found->row->id;
          answer.started = found->row->started;
          answer.existed = true;
          if (ended)
            when_ended(answer.id, [ended = std::move(ended)](Result<Ended> e) {
              if (e) ended(*e);
            });
          reply(std::move(answer));
        });
  }

  static Result<Ended> read_end(Store& store, const ExecutionRow& row) {
    MR_TRY(events, store.events(row.id, row.events > 0 ? row.events - 1 : 0, ~std::size_t{0}));
    if (events.empty())
      return fail(ErrorCode::DataLoss,
                  "the history of execution '" + row.name + "' is shorter than its row says");
    Ended ended{row.id, row.status, {}, {}};
    const states::EventDetails& last = events.back().details;
    if (const auto* succeeded = std::get_if<states::detail::ExecutionSucceeded>(&last))
      ended.output = succeeded->output;
    if (const auto* failed = std::get_if<states::detail::Failed>(&last)) ended.failure = failed->failure;
    return ended;
  }

  // Stops what still runs of a state machine that is being deleted; when all have ended, it is gone.
  void end_removal(const Removal& removal) {
    if (removal.running.empty()) {
      committer_.run(
          [family = removal.family](Store& store) {
            if (const Status done = finish_removal(store, family); !done)
              log::error("a state machine can't be deleted", {{"error", done.error().message}});
          },
          {});
      return;
    }
    const auto left = std::make_shared<std::size_t>(removal.running.size());
    for (const ExecutionId id : removal.running) {
      stop_execution(id, {{}, {}, false, false}, [this, left, family = removal.family](Status) {
        if (--*left == 0) end_removal({family, {}});
      });
    }
  }

  // That a parent ended, or went on without its child, is durable before the child is told to stop: after a
  // crash it is told again.
  void stop_orphans() {
    struct Child {
      ExecutionId id;
      TaskKey task;  // of the parent
      bool orphan = false;
    };
    auto children = std::make_shared<std::vector<Child>>();
    for (const auto& [child, parent] : std::exchange(waited_for_, {})) {
      if (const auto task = parent_task(parent)) children->push_back({child, *task});
    }
    const auto stop = [this](ExecutionId id) {
      stop_execution(id, {{}, {}, false, false}, [](const Status&) {});
    };
    committer_.run(
        [children](Store& store) {
          for (Child& child : *children) {
            const auto row = store.execution(child.task.execution);
            child.orphan = row && row->status != states::ExecutionStatus::Running;
          }
        },
        [this, children, stop] {
          for (const Child& child : *children) {
            if (child.orphan) {
              stop(child.id);
              continue;
            }
            // Once the parent is folded it can tell; a look at the time changes nothing.
            driver_.deliver(child.task.execution, states::stimulus::TimeCame{},
                            [this, child, stop](const Result<AppendResult>& looked) {
                              if (looked && !driver_.awaits(child.task)) stop(child.id);
                            });
          }
        });
  }

  void recover_page(ExecutionId after, RecoverySummary so_far, Reply<RecoverySummary> reply) {
    auto rows = std::make_shared<Result<std::vector<ExecutionRow>>>(fail(ErrorCode::Internal, "not read"));
    committer_.run([rows, after](Store& store) { *rows = store.unfinished(after, kRecoveryPage); },
                   [this, rows, so_far, reply = std::move(reply)]() mutable {
                     if (!*rows) return reply(fail((*rows).error()));
                     for (const ExecutionRow& row : **rows) {
                       if (row.started_by.ends_with(kWaits)) waited_for_.emplace_back(row.id, row.started_by);
                       ++so_far.executions;
                       so_far.tasks += row.tasks_out;
                       driver_.take_up(row);
                     }
                     if ((*rows)->size() < kRecoveryPage) {
                       stop_orphans();
                       return reply(so_far);
                     }
                     recover_page((*rows)->back().id, so_far, std::move(reply));
                   });
  }

  EngineSettings settings_;
  Loop& loop_;
  Committer& committer_;
  Machines machines_;
  Queries queries_;
  Resources resources_;
  NestedRunner nested_;
  Driver driver_;
  Random random_;
  std::vector<std::pair<ExecutionId, std::string>> waited_for_;  // during recovery: children, and their tasks
  std::unique_ptr<Background> own_background_;
  MapRuns map_runs_;  // after the driver, whose ear it has
  ExecutionId last_;
};

Engine::Engine(Loop& loop, Committer& committer, TaskRunner& runner, EngineSettings settings,
               ExecutionId last)
    : impl_(std::make_unique<Impl>(*this, loop, committer, runner, std::move(settings), last)) {}
Engine::~Engine() = default;

void Engine::create_machine(std::string name, std::string definition, Reply<MachineRow> reply) {
  impl_->create_machine(std::move(name), std::move(definition), std::move(reply));
}
void Engine::start_execution(StartRequest request, Reply<Started> reply,
                             std::function<void(const Ended&)> ended) {
  impl_->start_execution(std::move(request), std::move(reply), std::move(ended));
}
void Engine::start_sync_execution(StartRequest request, Reply<SyncResult> reply) {
  impl_->start_sync_execution(std::move(request), std::move(reply));
}
void Engine::stop_execution(ExecutionId id, Failure reason, Reply<void> reply) {
  impl_->stop_execution(id, std::move(reason), std::move(reply));
}
void Engine::redrive_execution(const std::string& arn, std::string client_token, Reply<Instant> reply) {
  impl_->redrive_execution(arn, std::move(client_token), std::move(reply));
}
void Engine::send_task_success(const std::string& token, Payload output, Reply<void> reply) {
  impl_->answer_task(token, std::move(output), std::move(reply));
}
void Engine::send_task_failure(const std::string& token, Failure failure, Reply<void> reply) {
  impl_->answer_task(token, tl::unexpected<Failure>(std::move(failure)), std::move(reply));
}
void Engine::send_task_heartbeat(const std::string& token, Reply<void> reply) {
  impl_->heartbeat(token, std::move(reply));
}
void Engine::get_activity_task(const std::string& activity, std::string worker,
                               Reply<std::optional<WorkerTask>> reply,
                               const std::function<void(std::function<void()>)>& on_gone) {
  impl_->get_activity_task(activity, std::move(worker), std::move(reply), on_gone);
}
void Engine::end_polls() {
  impl_->driver().router().activities().end_polls();
}
void Engine::when_ended(ExecutionId id, Reply<Ended> reply) {
  impl_->when_ended(id, std::move(reply));
}
void Engine::recover(Reply<RecoverySummary> reply) {
  impl_->recover(std::move(reply));
}
void Engine::on_store_error(std::function<void(const Error&)> handler) {
  impl_->driver().on_store_error(std::move(handler));
}
void Engine::observe(Observer* observer) {
  impl_->driver().observe(observer);
}
void Engine::delete_machine(const std::string& arn, Reply<void> reply) {
  impl_->delete_machine(arn, std::move(reply));
}
Machines& Engine::machines() {
  return impl_->machines();
}
Resources& Engine::resources() {
  return impl_->resources();
}
Queries& Engine::queries() {
  return impl_->queries();
}
MapRuns& Engine::map_runs() {
  return impl_->map_runs();
}
const EngineSettings& Engine::settings() const {
  return impl_->settings();
}
std::size_t Engine::live() const {
  return impl_->driver().live();
}
EngineGauges Engine::gauges() const {
  Driver& driver = impl_->driver();
  return {driver.live(), driver.router().tasks_out(), driver.router().activities().waiting(),
          driver.timers()};
}

}  // namespace millrace::orchestrator
