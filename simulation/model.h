#pragma once
// Model: how long tasks take, how often they fail and what they give, by state; and the task runner that
// draws from it under virtual time. The same seed draws the same. One thread. Format: docs/testing.md.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "definitions/program.h"
#include "orchestrator/dispatch/runner.h"
#include "simulation/reading.h"
#include "simulation/scheduler.h"

namespace millrace::simulation {

// A distribution of durations, in seconds.
struct Duration {
  enum class Kind { Constant, Uniform, Exponential, LogNormal, Samples } kind = Kind::Constant;
  double a = 0,
         b = 0;  // constant: a; uniform: from a to b; exponential: mean a; lognormal: median a, sigma b
  std::vector<double> samples;  // one of them
  Millis draw(Random& random) const;
};
// 90, {"constant": 90}, {"uniform": [60, 120]}, {"exponential": {"mean": 90}}, {"lognormal": {"median": 60,
// "p95": 300}},
// {"samples": [61, 75, 240]}
Result<Duration> read_duration(const Member& duration);

struct TaskModel {
  struct Branch {
    double probability = 0;
    Outcome outcome;
    std::optional<Duration> duration;  // else the task's
  };
  Duration duration;
  Outcome otherwise = Payload::empty_object();  // `return`
  std::vector<Branch> outcomes;                 // instead of that, each with its probability
};

struct Model {
  std::map<std::string, TaskModel> tasks;  // by state name
  std::optional<TaskModel> fallback;       // `default`: of states that are not named
};
// InvalidArgument: unknown members, probabilities beyond 1, states the program does not have, and Task states
// that the model does not cover.
Result<Model> read_model(const std::string& text, const std::string& file,
                         const definitions::Program& program);

class ModelRunner final : public orchestrator::TaskRunner {
 public:
  ModelRunner(Scheduler& scheduler, const Model& model, std::uint64_t seed)
      : scheduler_(scheduler), model_(model), seed_(seed) {}

  bool serves(const std::string&) const override { return true; }
  void start(orchestrator::TaskRequest request, Report report) override;
  void cancel(const orchestrator::TaskKey& key) override { out_.erase(key); }

 private:
  Scheduler& scheduler_;
  const Model& model_;
  const std::uint64_t seed_;
  std::set<orchestrator::TaskKey> out_;
};

}  // namespace millrace::simulation
