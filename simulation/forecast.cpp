#include "simulation/forecast.h"

#include <algorithm>
#include <set>
#include <utility>

#include "definitions/compile.h"

namespace millrace::simulation {
namespace {

constexpr const char* kMachine = "simulated";

// What is gathered from traces as the runs go by.
class Gather {
 public:
  explicit Gather(const definitions::Program& program) { list(program); }

  // `children`: executions of its Map runs.
  void add(const Trace& trace, const std::vector<const Trace*>& children) {
    RunSummary run;
    const states::Execution& execution = trace.execution();
    run.started = execution.started;
    run.duration = trace.duration();
    run.status = std::string(name_of(execution.status));
    if (execution.failure) run.error = execution.failure->error;
    std::set<std::string> seen;
    add_visits(trace, run, seen);
    for (const Trace* child : children) add_visits(*child, run, seen);
    runs_.push_back(std::move(run));
  }

  Forecast finish() {
    Forecast made;
    std::vector<Millis> ended;
    for (const RunSummary& run : runs_) {
      ++made.statuses[run.status];
      if (run.status != "SUCCEEDED" && run.status != "RUNNING") ++made.errors[run.error];
      if (run.status != "RUNNING") ended.push_back(run.duration);
    }
    made.duration = percentiles(std::move(ended));
    for (std::size_t i = 0; i < states_.size(); ++i) {
      Millis all{0};
      for (const Millis time : times_[i]) all += time;
      states_[i].seconds_per_run = static_cast<double>(all.count()) / 1000 /
                                   static_cast<double>(std::max<std::size_t>(runs_.size(), 1));
      states_[i].visit = percentiles(std::move(times_[i]));
    }
    made.states = std::move(states_);
    made.runs = std::move(runs_);
    return made;
  }

 private:
  void add_visits(const Trace& trace, RunSummary& run, std::set<std::string>& seen) {
    for (const Visit& visit : trace.visits()) {
      const auto found = of_.find(visit.state);
      if (found == of_.end()) continue;
      StateSummary& state = states_[found->second];
      ++state.visits;
      state.attempts += visit.attempts;
      state.retries += visit.retries;
      state.failures += visit.failed;
      run.tasks += visit.attempts;
      run.retries += visit.retries;
      if (seen.insert(visit.state).second) ++state.runs;
      if (visit.left) times_[found->second].push_back(*visit.left - visit.entered);
    }
  }
  void list(const definitions::Program& program) {
    for (const definitions::Node& node : program.nodes) {
      of_.emplace(node.name, states_.size());
      states_.push_back({});
      states_.back().name = node.name;
      times_.emplace_back();
      if (const auto* map = std::get_if<definitions::Map>(&node.kind)) list(*map->processor);
      if (const auto* parallel = std::get_if<definitions::Parallel>(&node.kind)) {
        for (const auto& branch : parallel->branches) list(*branch);
      }
    }
  }

  std::map<std::string, std::size_t> of_;
  std::vector<StateSummary> states_;
  std::vector<std::vector<Millis>> times_;
  std::vector<RunSummary> runs_;
};

// The number of the run whose duration is the median of those that ended; the first when none did.
std::size_t typical_of(const std::vector<RunSummary>& runs) {
  std::vector<std::size_t> ended;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].status != "RUNNING") ended.push_back(i);
  }
  if (ended.empty()) return 0;
  std::stable_sort(ended.begin(), ended.end(),
                   [&](std::size_t a, std::size_t b) { return runs[a].duration < runs[b].duration; });
  return ended[(ended.size() - 1) / 2];
}

Overlap overlap_of(const std::vector<RunSummary>& runs) {
  Overlap found;
  // An end at an instant comes before a beginning at the same one.
  std::vector<std::pair<Instant, int>> changes;
  for (const RunSummary& run : runs) {
    changes.emplace_back(run.started, 1);
    changes.emplace_back(run.status == "RUNNING" ? Instant::max() : run.started + run.duration, -1);
  }
  std::sort(changes.begin(), changes.end());
  std::size_t now = 0;
  for (const auto& [when, change] : changes) {
    if (change < 0) {
      now -= now > 0;
      continue;
    }
    found.began_while_another_ran += now > 0;
    if (++now > found.at_once_max) {
      found.at_once_max = now;
      found.when = when;
    }
  }
  return found;
}

tl::unexpected<Error> endless() {
  return fail(ErrorCode::LimitExceeded, "the workflow goes on and on: more than five million things happened",
              "give its loops an end, or an end to the simulation with --until");
}

// One run from `start` in a world of its own; `gather` may be null.
Result<std::shared_ptr<const Trace>> run_alone(const ForecastRequest& request, std::size_t number,
                                               Gather* gather) {
  const std::uint64_t seed = mix(request.seed, number);
  Scheduler scheduler(seed, Ties::InOrder, request.start);
  ModelRunner runner(scheduler, request.model, seed);
  orchestrator::EngineSettings settings;
  settings.callbacks = false;
  settings.nested_executions = false;  // a task like the others: the model knows how long it takes
  settings.seed = seed;
  MemoryObjects objects(request.objects, request.start);
  World world(scheduler, runner, settings, &objects);
  MR_DO(world.create_machine(kMachine, request.definition));
  MR_TRY(id, world.start(kMachine, "run-" + std::to_string(number + 1), request.input));
  if (!world.run(request.until, [&] { return world.trace(id)->execution().ended(); })) return endless();
  std::vector<const Trace*> children;
  for (const auto& [other, trace] : world.traces()) {
    if (other != id) children.push_back(trace.get());
  }
  if (gather) gather->add(*world.trace(id), children);
  return std::make_shared<const Trace>(*world.trace(id));
}

Result<Forecast> run_schedule(const ForecastRequest& request, Gather& gather) {
  Scheduler scheduler(request.seed, Ties::InOrder, request.start);
  ModelRunner runner(scheduler, request.model, request.seed);
  orchestrator::EngineSettings settings;
  settings.callbacks = false;
  settings.nested_executions = false;  // a task like the others: the model knows how long it takes
  settings.seed = request.seed;
  MemoryObjects objects(request.objects, request.start);
  World world(scheduler, runner, settings, &objects);
  MR_DO(world.create_machine(kMachine, request.definition));
  std::vector<ExecutionId> ids;
  std::size_t skipped = 0;
  for (const Instant start : request.starts) {
    if (start > request.until) {
      ++skipped;
      continue;
    }
    bool now = false;
    scheduler.at(start, [&] { now = true; });
    if (!world.run(start, [&] { return now; })) return endless();
    MR_TRY(id, world.start(kMachine, "run-" + std::to_string(ids.size() + 1), request.input));
    ids.push_back(id);
  }
  if (!world.run(request.until, [&] { return world.running() == 0; })) return endless();
  // Whose children they are is not told; they count with the first run.
  std::vector<const Trace*> children;
  for (const auto& [id, trace] : world.traces()) {
    if (trace->is_child()) children.push_back(trace.get());
  }
  for (const ExecutionId id : ids) gather.add(*world.trace(id), std::exchange(children, {}));
  Forecast made = gather.finish();
  made.overlap = overlap_of(made.runs);
  made.overlap.skipped = skipped;
  if (ids.empty()) return made;
  made.typical_run = typical_of(made.runs);
  made.typical = std::make_shared<const Trace>(*world.trace(ids[made.typical_run]));
  return made;
}

}  // namespace

Percentiles percentiles(std::vector<Millis> durations) {
  Percentiles found;
  found.count = durations.size();
  if (durations.empty()) return found;
  std::sort(durations.begin(), durations.end());
  const auto rank = [&](std::size_t percent) {
    return durations[std::max<std::size_t>((durations.size() * percent + 99) / 100, 1) - 1];
  };
  double sum = 0;
  for (const Millis duration : durations) sum += static_cast<double>(duration.count());
  found.least = durations.front();
  found.p50 = rank(50);
  found.p95 = rank(95);
  found.p99 = rank(99);
  found.most = durations.back();
  found.mean = Millis(static_cast<std::int64_t>(sum / static_cast<double>(durations.size())));
  return found;
}

Result<Forecast> forecast(const ForecastRequest& request) {
  const auto program = definitions::compile(request.definition).program;
  if (!program) return invalid("the definition does not compile");
  Gather gather(*program);
  if (!request.starts.empty()) return run_schedule(request, gather);
  for (std::size_t i = 0; i < request.runs; ++i) {
    MR_DO(run_alone(request, i, &gather));
  }
  Forecast made = gather.finish();
  made.typical_run = typical_of(made.runs);
  MR_TRY(typical, run_alone(request, made.typical_run, nullptr));  // once more, rather than keep them all
  made.typical = std::move(typical);
  return made;
}

}  // namespace millrace::simulation
