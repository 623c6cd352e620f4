#include "service/cli/bench_http.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "orchestrator/machines.h"
#include "orchestrator/resources.h"
#include "service/cli/bench_home.h"
#include "service/cli/bench_server.h"

namespace millrace::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;
using orchestrator::Engine;

constexpr const char* kRole = "arn:aws:iam::123456789012:role/bench";
constexpr const char* kOnePass = R"({"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}})";
constexpr int kStartsAtATime = 512;

// The logging of a state machine that logs all there is.
constexpr const char* kEverything = R"({"level": "ALL", "includeExecutionData": true, "destinations": [
    {"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:123456789012:log-group:/bench:*"}}]})";

Result<std::string> member_of(const Result<std::string>& answer, const char* name) {
  if (!answer) return fail(answer.error());
  MR_TRY(document, Payload::parse(*answer));
  const JsonView found = document.view().find(name);
  if (!found) return fail(ErrorCode::Internal, "the answer has no " + std::string(name) + ": " + *answer);
  return found.string();
}

std::string body_of(const Json& document) {
  return document.dump();
}

Result<Json> measure_operation(const ServerProcess& server, const std::string& operation, const Json& body,
                               int connections, double seconds) {
  const double before = server.cpu_seconds();
  MR_TRY(load, put_load(server.port(), request_bytes(operation, body_of(body)), connections, seconds));
  const double cpu = server.cpu_seconds() - before;
  const auto requests = static_cast<double>(std::max<std::size_t>(load.requests, 1));
  return Json{{"operation", operation},
              {"connections", connections},
              {"requests_per_s", std::round(requests / load.seconds)},
              {"p50_ms", percentile(load.latencies_ms, 0.5)},
              {"p99_ms", percentile(load.latencies_ms, 0.99)},
              {"server_cpu_us_per_request", std::round(cpu / requests * 1e7) / 10}};
}

// Starts executions of one machine in this process until there are so many.
class Filler {
 public:
  Filler(service::Home& home, int executions, Payload input)
      : home_(home), left_(executions), input_(std::move(input)) {}

  Status run(const std::string& definition, std::function<void(const orchestrator::Ended&)> ended = {}) {
    ended_ = std::move(ended);
    home_.loop().post([&] {
      home_.engine().create_machine("bench", definition, [&](Result<orchestrator::MachineRow> row) {
        if (!row) return stop(row.error());
        for (int i = 0; i < kStartsAtATime; ++i) start_one();
      });
    });
    home_.loop().run();
    if (error_) return fail(*error_);
    return {};
  }

 private:
  void stop(const Error& error) {
    if (!error_) error_ = error;
    home_.loop().stop();
  }
  void start_one() {
    if (left_ == 0) return;
    --left_;
    ++under_way_;
    home_.engine().start_execution(
        {"bench", {}, input_},
        [this](Result<orchestrator::Started> started) {
          if (!started) return stop(started.error());
          --under_way_;
          if (left_ == 0 && under_way_ == 0 && !ended_) return home_.loop().stop();
          start_one();
        },
        ended_);
  }

  service::Home& home_;
  int left_, under_way_ = 0;
  Payload input_;
  std::function<void(const orchestrator::Ended&)> ended_;
  std::optional<Error> error_;
};

Result<std::string> make_activity(service::Home& home) {
  const std::string arn = orchestrator::activity_arn(home.engine().settings(), "bench");
  Result<orchestrator::ActivityRow> made = fail(ErrorCode::Internal, "not made");
  home.loop().post([&] {
    home.engine().resources().create_activity({arn, "bench", home.loop().clock().now()}, {},
                                              [&](Result<orchestrator::ActivityRow> row) {
                                                made = std::move(row);
                                                home.loop().stop();
                                              });
  });
  home.loop().run();
  if (!made) return fail(made.error());
  return arn;
}

}  // namespace

Result<Json> measure_http(const HttpBenchOptions& options) {
  MR_TRY(directory, TemporaryHome::make(options.directory));
  MR_TRY(server, ServerProcess::start(directory->path()));
  Json line = {{"bench", "http"},
               {"ready_ms", std::round(server->ready_ms())},
               {"idle_resident_bytes", server->resident_bytes()}};
  const auto call = [&](const char* operation, const Json& body) {
    return ask(server->port(), request_bytes(operation, body_of(body)));
  };
  MR_TRY(machine, member_of(call("CreateStateMachine",
                                 {{"name", "bench"}, {"roleArn", kRole}, {"definition", kOnePass}}),
                            "stateMachineArn"));
  const Json start = {{"stateMachineArn", machine}, {"input", R"({"order":1})"}};
  MR_TRY(execution, member_of(call("StartExecution", start), "executionArn"));
  const Json of_execution = {{"executionArn", execution}};
  const std::pair<const char*, Json> operations[] = {
      {"StartExecution", start},
      {"DescribeExecution", of_execution},
      {"GetExecutionHistory", of_execution},
      {"ListExecutions", {{"stateMachineArn", machine}, {"maxResults", 10}}}};
  line["operations"] = Json::array();
  for (const auto& [operation, body] : operations) {
    MR_TRY(measured, measure_operation(*server, operation, body, options.connections, options.seconds));
    line["operations"].push_back(measured);
  }
  MR_TRY(alone, measure_operation(*server, "StartExecution", start, 1, options.seconds));
  line["operations"].push_back(alone);
  MR_TRY(logged, member_of(call("CreateStateMachine", {{"name", "logged"},
                                                       {"roleArn", kRole},
                                                       {"definition", kOnePass},
                                                       {"loggingConfiguration", Json::parse(kEverything)}}),
                           "stateMachineArn"));
  const Json start_logged = {{"stateMachineArn", logged}, {"input", R"({"order":1})"}};
  MR_TRY(with_log,
         measure_operation(*server, "StartExecution", start_logged, options.connections, options.seconds));
  with_log["operation"] = "StartExecution, all logged";
  line["operations"].push_back(with_log);
  line["resident_bytes"] = server->resident_bytes();
  return line;
}

Result<Json> measure_restart(const RestartBenchOptions& options) {
  MR_TRY(directory, TemporaryHome::make(options.directory));
  {
    MR_TRY(home, directory->open());
    std::string definition = R"({"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":86400,"End":true}}})";
    if (options.tasks) {
      MR_TRY(activity, make_activity(*home));
      definition = body_of(
          {{"StartAt", "W"}, {"States", {{"W", {{"Type", "Task"}, {"Resource", activity}, {"End", true}}}}}});
    }
    Filler filler(*home, options.executions, Payload::literal(R"({"order":1})"));
    MR_DO(filler.run(definition));
  }
  const auto begin = SteadyClock::now();
  MR_TRY(server, ServerProcess::start(directory->path()));
  const double ready = server->ready_ms();
  MR_DO(ask(server->port(), request_bytes("ListStateMachines", "{}")));
  const double answer = std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
  return Json{{"bench", "restart"},
              {"executions", options.executions},
              {"waiting_for", options.tasks ? "tasks" : "time"},
              {"ready_ms", std::round(ready)},
              {"first_answer_ms", std::round(answer)},
              {"resident_bytes", server->resident_bytes()}};
}

Result<Json> measure_timers(const TimersBenchOptions& options) {
  MR_TRY(directory, TemporaryHome::make(options.directory));
  MR_TRY(home, directory->open());
  // Each waits until a time of its own; all are started before the first falls due.
  const Instant now = home->loop().clock().now();
  const auto ahead = Millis(2000 + options.executions / 5);
  std::vector<double> late;
  std::optional<Error> error;
  int asked = 0;
  std::function<void()> start_one = [&] {
    if (asked == options.executions) return;
    const double share = static_cast<double>(asked++) / options.executions;
    const Instant due = now + ahead + Millis(static_cast<std::int64_t>(share * options.seconds * 1000));
    JsonWriter input;
    input.begin_object().key("at").string(format_rfc3339(due)).end_object();
    home->engine().start_execution(
        {"bench", {}, input.finish()},
        [&](Result<orchestrator::Started> started) {
          if (started) return start_one();
          error = started.error();
          home->loop().stop();
        },
        [&, due](const orchestrator::Ended&) {
          late.push_back(static_cast<double>((home->loop().clock().now() - due).count()));
          if (late.size() == static_cast<std::size_t>(options.executions)) home->loop().stop();
        });
  };
  home->loop().post([&] {
    home->engine().create_machine(
        "bench", R"({"StartAt":"W","States":{"W":{"Type":"Wait","TimestampPath":"$.at","End":true}}})",
        [&](Result<orchestrator::MachineRow> row) {
          if (row) {
            for (int i = 0; i < std::min(kStartsAtATime, options.executions); ++i) start_one();
            return;
          }
          error = row.error();
          home->loop().stop();
        });
  });
  home->loop().run();
  if (error) return fail(*error);
  std::sort(late.begin(), late.end());
  return Json{{"bench", "timers"},
              {"executions", options.executions},
              {"seconds", options.seconds},
              {"early", std::count_if(late.begin(), late.end(), [](double ms) { return ms < 0; })},
              {"lateness_p50_ms", percentile(late, 0.5)},
              {"lateness_p99_ms", percentile(late, 0.99)},
              {"lateness_max_ms", late.back()}};
}

}  // namespace millrace::cli
