#include "simulation/model.h"

#include <cmath>

#include "base/random.h"
#include "definitions/diagnostics.h"
#include "simulation/mocks.h"

namespace millrace::simulation {
namespace {

constexpr double kZ95 = 1.6448536269514722;  // the 95th percentile of a standard normal

Result<double> positive(const Member& object, std::string_view name) {
  MR_TRY(value, object.number(name));
  if (!value) return object.wrong("'" + std::string(name) + "' is missing");
  return *value;
}

Result<Duration> read_uniform(const Member& range) {
  const bool pair = range.view().is_array() && range.view().size() == 2 && range.view().at(0).is_number() &&
                    range.view().at(1).is_number();
  if (!pair) return range.wrong("must be two numbers of seconds, e.g. [60, 120]");
  const double low = range.view().at(0).number(), high = range.view().at(1).number();
  if (low < 0 || high < low) return range.wrong("must be two numbers, the second not below the first");
  return Duration{Duration::Kind::Uniform, low, high, {}};
}

Result<Duration> read_lognormal(const Member& given) {
  MR_DO(given.members({"median", "p95", "sigma"}));
  MR_TRY(median, positive(given, "median"));
  MR_TRY(p95, given.number("p95"));
  MR_TRY(sigma, given.number("sigma"));
  if (p95.has_value() == sigma.has_value())
    return given.wrong("must have 'median' and one of 'p95' and 'sigma'",
                       R"(e.g. {"median": 60, "p95": 300})");
  if (!(median > 0) || (p95 && *p95 < median))
    return given.wrong("'median' must be above 0, and 'p95' not below it");
  return Duration{Duration::Kind::LogNormal, median, sigma ? *sigma : std::log(*p95 / median) / kZ95, {}};
}

Result<Duration> read_samples(const Member& given) {
  Duration read{Duration::Kind::Samples, 0, 0, {}};
  if (!given.view().is_array() || given.view().size() == 0) return given.wrong("must be an array of seconds");
  for (const JsonView sample : given.view().elements()) {
    if (!sample.is_number() || !(sample.number() >= 0)) return given.wrong("must be an array of seconds");
    read.samples.push_back(sample.number());
  }
  return read;
}

Result<Outcome> read_outcome(const Member& given) {
  const Member returned = given.find("return"), thrown = given.find("throw");
  if (returned && thrown) return given.wrong("has 'return' and 'throw': give one of them");
  if (!thrown) return returned ? Outcome(Payload::of(returned.view())) : Outcome(Payload::empty_object());
  MR_DO(thrown.members({"error", "cause"}));
  MR_TRY(error, thrown.text("error"));
  MR_TRY(cause, thrown.text("cause"));
  if (!error) return thrown.wrong("'error' is missing");
  return Outcome(tl::unexpected<Failure>(Failure{*error, cause.value_or(""), true, cause.has_value()}));
}

Result<TaskModel> read_task(const Member& given) {
  MR_DO(given.members({"duration", "return", "outcomes"}));
  TaskModel read;
  if (const Member duration = given.find("duration")) {
    MR_TRY(drawn, read_duration(duration));
    read.duration = std::move(drawn);
  }
  MR_TRY(otherwise, read_outcome(given));
  read.otherwise = std::move(otherwise);
  const Member outcomes = given.find("outcomes");
  if (!outcomes) return read;
  if (!outcomes.view().is_array()) return outcomes.wrong("must be an array");
  double sum = 0;
  for (std::uint32_t i = 0; i < outcomes.view().size(); ++i) {
    const Member one = outcomes.at(i);
    MR_DO(one.members({"probability", "return", "throw", "duration"}));
    TaskModel::Branch branch;
    MR_TRY(probability, positive(one, "probability"));
    branch.probability = probability;
    sum += probability;
    MR_TRY(outcome, read_outcome(one));
    branch.outcome = std::move(outcome);
    if (const Member duration = one.find("duration")) {
      MR_TRY(drawn, read_duration(duration));
      branch.duration = std::move(drawn);
    }
    read.outcomes.push_back(std::move(branch));
  }
  if (sum > 1 + 1e-9)
    return outcomes.wrong("the probabilities sum to more than 1", "what is left of 1 is for 'return'");
  return read;
}

void task_states(const definitions::Program& program, std::set<std::string>& names) {
  for (const definitions::Node& node : program.nodes) {
    if (node.type() == definitions::StateType::Task) names.insert(node.name);
    if (const auto* map = std::get_if<definitions::Map>(&node.kind)) task_states(*map->processor, names);
    if (const auto* parallel = std::get_if<definitions::Parallel>(&node.kind)) {
      for (const auto& branch : parallel->branches) task_states(*branch, names);
    }
  }
}

}  // namespace

Result<Duration> read_duration(const Member& duration) {
  if (duration.view().is_number()) {
    if (duration.view().number() < 0) return duration.wrong("must not be less than 0");
    return Duration{Duration::Kind::Constant, duration.view().number(), 0, {}};
  }
  MR_DO(duration.members({"constant", "uniform", "exponential", "lognormal", "samples"}));
  if (duration.view().size() != 1)
    return duration.wrong("must name one distribution", R"(e.g. {"lognormal": {"median": 60, "p95": 300}})");
  if (duration.find("constant")) {
    MR_TRY(value, positive(duration, "constant"));
    return Duration{Duration::Kind::Constant, value, 0, {}};
  }
  if (const Member range = duration.find("uniform")) return read_uniform(range);
  if (const Member given = duration.find("lognormal")) return read_lognormal(given);
  if (const Member given = duration.find("samples")) return read_samples(given);
  const Member exponential = duration.find("exponential");
  MR_DO(exponential.members({"mean"}));
  MR_TRY(mean, positive(exponential, "mean"));
  return Duration{Duration::Kind::Exponential, mean, 0, {}};
}

Millis Duration::draw(Random& random) const {
  switch (kind) {
    case Kind::Constant:
      return millis_of(a);
    case Kind::Uniform:
      return millis_of(random.uniform(a, b));
    case Kind::Exponential:
      return millis_of(-a * std::log1p(-random.uniform()));
    case Kind::LogNormal:
      return millis_of(a * std::exp(b * random.normal()));
    case Kind::Samples:
      return millis_of(samples[random.below(samples.size())]);
  }
  return Millis(0);
}

Result<Model> read_model(const std::string& text, const std::string& file,
                         const definitions::Program& program) {
  MR_TRY(document, parse_file(text, file));
  const Member root(document.view(), file);
  MR_DO(root.members({"comment", "tasks", "default"}));
  Model read;
  if (const Member fallback = root.find("default")) {
    MR_TRY(task, read_task(fallback));
    read.fallback = std::move(task);
  }
  std::set<std::string> names;
  task_states(program, names);
  const Member tasks = root.find("tasks");
  if (tasks && !tasks.view().is_object()) return tasks.wrong("must be an object of states");
  if (tasks) {
    for (const auto [key, value] : tasks.view().members()) {
      const std::string state = key.string();
      if (!names.contains(state)) {
        const std::string near =
            definitions::nearest(state, std::vector<std::string_view>(names.begin(), names.end()));
        return tasks.wrong("the definition has no Task state '" + state + "'",
                           near.empty() ? "" : "did you mean '" + near + "'?");
      }
      MR_TRY(task, read_task(Member(value, tasks.below(state))));
      read.tasks.emplace(state, std::move(task));
      names.erase(state);
    }
  }
  if (read.fallback || names.empty()) return read;
  std::string missing;
  for (const std::string& name : names) missing += (missing.empty() ? "'" : ", '") + name + "'";
  return root.wrong("the model says nothing of " + missing, "add them to 'tasks', or a 'default'");
}

void ModelRunner::start(orchestrator::TaskRequest request, Report report) {
  const orchestrator::TaskKey key = request.key;
  if (!out_.insert(key).second) return;
  const auto named = model_.tasks.find(request.state_name);
  const TaskModel& task = named == model_.tasks.end() ? *model_.fallback : named->second;
  Random random(mix(mix(seed_, key.execution.value), mix(mix(key.frame.value, key.visit), key.attempt)));
  double left = random.uniform();
  const TaskModel::Branch* chosen = nullptr;
  for (const TaskModel::Branch& branch : task.outcomes) {
    if (left < branch.probability) {
      chosen = &branch;
      break;
    }
    left -= branch.probability;
  }
  const Duration& duration = chosen && chosen->duration ? *chosen->duration : task.duration;
  const Outcome& outcome = chosen ? chosen->outcome : task.otherwise;
  scheduler_.after(duration.draw(random), [this, key, outcome, report = std::move(report)] {
    if (out_.erase(key) > 0) report(key, outcome);
  });
}

}  // namespace millrace::simulation
