// `millrace bench`: the durable engine measured as a user would meet it: SQLite, synchronous FULL, complete
// history, every execution acknowledged only when it is durable. One line of JSON a run.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "orchestrator/machines.h"
#include "service/cli/bench_home.h"
#include "service/cli/bench_http.h"
#include "service/cli/bench_map.h"
#include "service/cli/command.h"
#include "service/home.h"

namespace millrace::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct BenchOptions {
  int length = 10, concurrency = 512;
  double seconds = 5;
  bool express = false;
  std::string directory = ".";
};

// A document of about `bytes` bytes, like the ones workflows pass around: an order with its items.
Payload document(std::size_t bytes) {
  Json doc = {{"order", "o-1"},
              {"customer", {{"id", 7}, {"email", "someone@example.com"}}},
              {"items", Json::array()}};
  for (int i = 0; doc.dump().size() < bytes - 90; ++i) {
    doc["items"].push_back({{"sku", "sku-" + std::to_string(i)},
                            {"qty", i},
                            {"price", i * 1.25},
                            {"note", "a short text field"}});
  }
  doc["padding"] = std::string(bytes - std::min(bytes, doc.dump().size() + 13), 'x');
  return to_payload(doc);
}

// A chain of states that each add a field.
std::string chain(int length, bool tasks) {
  Json states = Json::object();
  for (int i = 0; i < length; ++i) {
    Json state = {{"Type", tasks ? "Task" : "Pass"}, {"ResultPath", "$.step" + std::to_string(i)}};
    if (tasks) {
      state["Resource"] = kEchoResource;
      state["Parameters"] = {{"step", i}};
    } else {
      state["Result"] = i;
    }
    if (i + 1 < length)
      state["Next"] = "S" + std::to_string(i + 1);
    else
      state["End"] = true;
    states["S" + std::to_string(i)] = state;
  }
  return Json{{"StartAt", "S0"}, {"States", states}}.dump();
}

// Keeps `concurrency` executions going until the time is over, then lets them end.
class ClosedLoop {
 public:
  ClosedLoop(service::Home& home, const BenchOptions& options, Payload input)
      : home_(home), options_(options), input_(std::move(input)) {}

  Result<Json> run(const std::string& definition, const char* what) {
    home_.loop().post([&] {
      orchestrator::NewMachine machine;
      machine.arn = orchestrator::machine_arn(home_.engine().settings(), "bench");
      machine.name = "bench";
      machine.definition = definition;
      machine.type =
          options_.express ? orchestrator::MachineType::Express : orchestrator::MachineType::Standard;
      const Instant now = home_.loop().clock().now();
      home_.engine().machines().create(machine, now, [&](Result<orchestrator::MachineChange> made) {
        if (!made) return stop(made.error());
        cpu_before_ = cpu_seconds();
        begin_ = SteadyClock::now();
        for (int i = 0; i < options_.concurrency; ++i) start_one();
      });
    });
    home_.loop().run();
    if (error_) return fail(*error_);
    const double wall = std::chrono::duration<double>(SteadyClock::now() - begin_).count();
    const double cpu = cpu_seconds() - cpu_before_;
    std::sort(latencies_ms_.begin(), latencies_ms_.end());
    const auto executions = static_cast<double>(latencies_ms_.size());
    const double steps = executions * options_.length;
    const bool tasks = std::string_view(what) == "tasks";
    Json line = {{"bench", what},
                 {"type", options_.express ? "EXPRESS" : "STANDARD"},
                 {"length", options_.length},
                 {"concurrency", options_.concurrency},
                 {"executions", latencies_ms_.size()}};
    line[tasks ? "task_steps_per_s" : "transitions_per_s"] = std::round(steps / wall);
    line["executions_per_s"] = std::round(executions / wall);
    line[tasks ? "cpu_us_per_task_step" : "cpu_us_per_transition"] = std::round(cpu / steps * 1e8) / 100;
    line["p50_ms"] = percentile(latencies_ms_, 0.50);
    line["p99_ms"] = percentile(latencies_ms_, 0.99);
    line["document_bytes"] = input_.size();
    return line;
  }

 private:
  void stop(const Error& error) {
    if (!error_) error_ = error;
    home_.loop().stop();
  }

  void start_one() {
    ++running_;
    const auto from = SteadyClock::now();
    orchestrator::StartRequest request;
    request.machine = "bench";
    request.input = input_;
    home_.engine().start_execution(
        std::move(request),
        [this](Result<orchestrator::Started> started) {
          if (!started) stop(started.error());
        },
        [this, from](const orchestrator::Ended& ended) {
          if (ended.status != states::ExecutionStatus::Succeeded) {
            return stop({ErrorCode::Internal,
                         "an execution failed: " + (ended.failure ? ended.failure->cause : ""),
                         {}});
          }
          const auto now = SteadyClock::now();
          latencies_ms_.push_back(std::chrono::duration<double, std::milli>(now - from).count());
          --running_;
          if (std::chrono::duration<double>(now - begin_).count() < options_.seconds)
            start_one();
          else if (running_ == 0)
            home_.loop().stop();
        });
  }

  service::Home& home_;
  const BenchOptions& options_;
  Payload input_;
  std::vector<double> latencies_ms_;
  SteadyClock::time_point begin_;
  double cpu_before_ = 0;
  int running_ = 0;
  std::optional<Error> error_;
};

Result<Json> measure(const BenchOptions& options, bool tasks) {
  MR_TRY(directory, TemporaryHome::make(options.directory));
  Json line;
  {
    MR_TRY(home, directory->open());
    ClosedLoop loop(*home, options, document(1000));
    MR_TRY(measured, loop.run(chain(options.length, tasks), tasks ? "tasks" : "chain"));
    line = std::move(measured);
  }
  line["bytes_per_execution"] =
      directory->bytes() / std::max<std::size_t>(1, line["executions"].get<std::size_t>());
  return line;
}

std::size_t resident_bytes() {
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<std::size_t>(pages) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

struct WaitingOptions {
  int executions = 100'000;
  std::string directory = ".";
};

// Starts executions that wait for a day, and weighs them when all are durable.
Result<Json> measure_waiting(const WaitingOptions& options) {
  static constexpr int kAtATime = 512;
  MR_TRY(directory, TemporaryHome::make(options.directory));
  Json line = {{"bench", "waiting"}, {"executions", options.executions}};
  {
    MR_TRY(home, directory->open());
    const Payload input = document(1000);
    std::optional<Error> error;
    int asked = 0, started = 0;
    std::function<void()> start_one = [&] {
      ++asked;
      home->engine().start_execution({"bench", {}, input}, [&](Result<orchestrator::Started> answer) {
        if (!answer) {
          error = answer.error();
          return home->loop().stop();
        }
        if (++started == options.executions) return home->loop().stop();
        if (asked < options.executions) start_one();
      });
    };
    const std::size_t before = resident_bytes();
    const auto begin = SteadyClock::now();
    home->loop().post([&] {
      home->engine().create_machine(
          "bench", R"({"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":86400,"End":true}}})",
          [&](Result<orchestrator::MachineRow> row) {
            if (!row) {
              error = row.error();
              return home->loop().stop();
            }
            for (int i = 0; i < std::min(kAtATime, options.executions); ++i) start_one();
          });
    });
    home->loop().run();
    if (error) return fail(*error);
    const double wall = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    const std::size_t after = resident_bytes();
    const auto count = static_cast<std::size_t>(options.executions);
    line["starts_per_s"] = std::round(options.executions / wall);
    line["in_memory"] = home->engine().live();
    line["resident_bytes_per_execution"] = (after > before ? after - before : 0) / count;
  }
  line["disk_bytes_per_execution"] = directory->bytes() / static_cast<std::size_t>(options.executions);
  line["document_bytes"] = 1000;
  return line;
}

// Runs a measurement and shows its line.
template <class Measure>
void show(const Measure& measure_it, const Shared& shared, int& exit_code) {
  const Result<Json> line = measure_it();
  if (!line) {
    exit_code = report(line.error(), shared);
    return;
  }
  if (shared.json) return print_json(*line);
  for (const auto& [key, value] : line->items()) std::printf("%-28s %s\n", key.c_str(), value.dump().c_str());
}

CLI::App* add_measure(CLI::App* bench, const char* name, const char* what) {
  CLI::App* command = bench->add_subcommand(name, what);
  command->fallthrough();
  return command;
}
void add_directory(CLI::App* command, std::string& directory) {
  command
      ->add_option("--dir", directory, "where the database is made (and removed): the disk that is measured")
      ->capture_default_str();
}

void add_served(CLI::App* bench, const Shared& shared, int& exit_code) {
  CLI::App* http = add_measure(bench, "http", "Requests per second of a `millrace serve` of its own");
  auto load = std::make_shared<HttpBenchOptions>();
  http->add_option("--connections", load->connections, "clients at a time")
      ->check(CLI::Range(1, 4000))
      ->capture_default_str();
  http->add_option("--seconds", load->seconds, "for each operation")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  add_directory(http, load->directory);
  http->callback(
      [load, &shared, &exit_code] { show([&] { return measure_http(*load); }, shared, exit_code); });
  CLI::App* restart = add_measure(bench, "restart", "From a server's start to its first answer");
  auto again = std::make_shared<RestartBenchOptions>();
  restart->add_option("--executions", again->executions, "how many are unfinished")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  restart->add_flag("--tasks", again->tasks, "they wait for an activity instead of time");
  add_directory(restart, again->directory);
  restart->callback(
      [again, &shared, &exit_code] { show([&] { return measure_restart(*again); }, shared, exit_code); });
  CLI::App* timers = add_measure(bench, "timers", "How late waits are over");
  auto late = std::make_shared<TimersBenchOptions>();
  timers->add_option("--executions", late->executions, "how many wait")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  timers->add_option("--seconds", late->seconds, "over which they fall due")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  add_directory(timers, late->directory);
  timers->callback(
      [late, &shared, &exit_code] { show([&] { return measure_timers(*late); }, shared, exit_code); });
}

}  // namespace

void add_bench(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* bench = app.add_subcommand("bench", "Measure the durable engine on this machine and disk");
  bench->require_subcommand(1);
  bench->footer("Example:\n  millrace bench chain --length 10 --concurrency 512 --json");
  for (const bool tasks : {false, true}) {
    CLI::App* command = bench->add_subcommand(tasks ? "tasks" : "chain",
                                              tasks ? "Chains of Task states with a trivial in-process worker"
                                                    : "Chains of Pass states over 1 KB documents");
    command->fallthrough();
    auto options = std::make_shared<BenchOptions>();
    command->add_option("--length", options->length, "states in a chain")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    command->add_option("--concurrency", options->concurrency, "executions at a time")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    command->add_flag("--express", options->express, "as Express executions, in memory, without a history");
    command->add_option("--seconds", options->seconds, "how long to start new ones")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    command
        ->add_option("--dir", options->directory,
                     "where the database is made (and removed): the disk that is measured")
        ->capture_default_str();
    command->callback([options, tasks, &shared, &exit_code] {
      show([&] { return measure(*options, tasks); }, shared, exit_code);
    });
  }
  CLI::App* waiting =
      bench->add_subcommand("waiting", "Memory and disk of executions that wait, with 1 KB documents");
  waiting->fallthrough();
  auto options = std::make_shared<WaitingOptions>();
  waiting->add_option("--executions", options->executions, "how many")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  waiting->add_option("--dir", options->directory, "where the database is made (and removed)")
      ->capture_default_str();
  waiting->callback(
      [options, &shared, &exit_code] { show([&] { return measure_waiting(*options); }, shared, exit_code); });
  CLI::App* map =
      bench->add_subcommand("map", "Items of an inline Map of Pass states, or of a distributed one");
  map->fallthrough();
  auto maps = std::make_shared<MapBenchOptions>();
  map->add_option("--items", maps->items, "items of one Map")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  map->add_option("--distributed", maps->distributed, "a child execution an item: standard or express")
      ->check(CLI::IsMember({"standard", "express"}));
  map->add_option("--max-concurrency", maps->concurrency,
                  "children at a time; 0: as many as the engine allows")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  map->add_option("--seconds", maps->seconds, "how long to start new executions of an inline Map")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  map->add_option("--dir", maps->directory, "where the database is made (and removed)")
      ->capture_default_str();
  add_served(bench, shared, exit_code);
  map->callback([maps, &shared, &exit_code] { show([&] { return measure_map(*maps); }, shared, exit_code); });
}

}  // namespace millrace::cli
