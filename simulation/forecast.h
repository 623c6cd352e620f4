#pragma once
// Forecast: a workflow run many times under virtual time with a model of its tasks: how long it takes, how it
// ends, where the time goes, and whether scheduled runs overlap. The same seed forecasts the same. One
// thread.

#include <map>
#include <string>
#include <vector>

#include "simulation/model.h"
#include "simulation/objects.h"
#include "simulation/world.h"

namespace millrace::simulation {

struct ForecastRequest {
  std::string definition;  // compiles
  Payload input = Payload::empty_object();
  Model model;
  MemoryObjects::Contents objects;  // each run, or the schedule, begins with these
  std::uint64_t seed = 1;
  Instant start = kDefaultStart;
  std::size_t runs = 1;            // independent ones, each from `start`
  std::vector<Instant> starts;     // given: these runs, in one world, instead
  Instant until = Instant::max();  // runs that have not ended by then are RUNNING
};

// Of durations; nearest rank. All 0 when there are none.
struct Percentiles {
  std::size_t count = 0;
  Millis least{0}, p50{0}, p95{0}, p99{0}, most{0}, mean{0};
};
Percentiles percentiles(std::vector<Millis> durations);

struct RunSummary {
  Instant started;
  Millis duration{0};
  std::string status, error;
  std::uint64_t tasks = 0, retries = 0;
};

struct StateSummary {
  std::string name;
  std::size_t runs = 0;  // that visited it
  std::uint64_t visits = 0, attempts = 0, retries = 0, failures = 0;
  Percentiles visit;           // how long a visit takes, retries and pauses included
  double seconds_per_run = 0;  // of all runs
};

struct Overlap {
  std::size_t at_once_max = 0;
  Instant when;  // the first time that so many ran
  std::size_t began_while_another_ran = 0;
  std::size_t skipped = 0;  // starts after `until`
};

struct Forecast {
  std::vector<RunSummary> runs;                 // in the order started
  std::map<std::string, std::size_t> statuses;  // SUCCEEDED, …
  std::map<std::string, std::size_t> errors;    // of runs that failed
  Percentiles duration;                         // of runs that ended
  std::vector<StateSummary> states;             // in the order of the definition
  Overlap overlap;
  std::shared_ptr<const Trace> typical;  // the run whose duration is the median
  std::size_t typical_run = 0;           // its number, from 0
};

// InvalidArgument: it could not be started (a name or an input that the engine refuses); LimitExceeded: a run
// that goes on and on without time passing.
Result<Forecast> forecast(const ForecastRequest& request);

}  // namespace millrace::simulation
