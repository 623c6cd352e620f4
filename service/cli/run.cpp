// `millrace run` and `millrace resume`: an engine in this process, watched until what was asked for has
// ended.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "definitions/compile.h"
#include "service/cli/command.h"
#include "service/cli/deployment.h"
#include "service/cli/print.h"
#include "service/cli/show.h"
#include "service/cli/watch.h"
#include "service/home.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::cli {
namespace {

constexpr Millis kTick{250};
constexpr const char* kCacheHelp =
    "jobs take over the result of an equal one that ended at most so long ago: P30D, PT12H, on";

struct RunOptions {
  std::string file, input = "{}", name, machine, functions, cache = "off";
  std::vector<std::string> put;
  bool watch = false, quiet = false;
  std::size_t payload_bytes_max = Limits{}.payload_bytes_max;
  std::uint64_t history_events_max = Limits{}.history_events_max;
};

Result<definitions::Compiled> compile_file(const std::string& file, const std::string& text) {
  definitions::Compiled compiled = definitions::compile(text);
  for (const definitions::Diagnostic& d : compiled.diagnostics) {
    if (!compiled.program || d.severity == definitions::Severity::Error)
      std::fputs(definitions::render(d, file, text).c_str(), stderr);
  }
  if (!compiled.program)
    return invalid(file + " does not compile", "the messages above say where and what to do");
  return compiled;
}

// s3://bucket/key=FILE
Status put_objects(const tasks::ObjectStore& objects, const std::vector<std::string>& put) {
  for (const std::string& item : put) {
    const std::size_t equals = item.find('=');
    if (!item.starts_with("s3://") || equals == std::string::npos) {
      return invalid("'" + item + "' is not an object and a file", "write --put s3://bucket/key=FILE");
    }
    MR_TRY(bytes, read_input(item.substr(equals + 1)));
    MR_DO(objects.write(item.substr(0, equals), bytes));
  }
  return {};
}

// What `run` does on the loop: stop on a signal, tick, and remember how it ended.
class Session {
 public:
  Session(service::Home& home, Watch& watch) : home_(home), watch_(watch) {
    home_.engine().observe(&watch_);
    home_.engine().on_store_error([this](const Error& error) { fail_with(error); });
    for (const int signal : {SIGINT, SIGTERM}) home_.loop().on_signal(signal, [this] { interrupted(); });
    tick();
  }

  void fail_with(const Error& error) {
    if (!error_) error_ = error;
    home_.loop().stop();
  }
  // The answer to the start and the end may come in either order.
  void ended(const orchestrator::Ended& ended) {
    ended_ = ended;
    if (started_) home_.loop().stop();
  }
  void started(const orchestrator::Started& started) {
    started_ = started;
    watch_.follow(started.id);
    if (ended_)
      home_.loop().stop();
    else if (stop_wanted_)
      stop();
  }
  void done() { home_.loop().stop(); }

  const std::optional<Error>& error() const { return error_; }
  const std::optional<orchestrator::Ended>& how() const { return ended_; }
  const std::optional<orchestrator::Started>& start() const { return started_; }

 private:
  void tick() {
    watch_.tick();
    home_.loop().at(home_.loop().clock().now() + kTick, [this] { tick(); });
  }
  void interrupted() {
    if (stop_wanted_) std::_Exit(130);
    stop_wanted_ = true;
    std::fputs("\nmillrace: stopping (once more to quit at once; `millrace resume` goes on then)\n", stderr);
    if (started_)
      stop();
    else
      home_.loop().stop();
  }
  void stop() {
    home_.engine().stop_execution(started_->id, Failure{"Interrupted", "stopped from the command line"},
                                  [this](Status stopped) {
                                    if (!stopped) fail_with(stopped.error());
                                  });
  }

  service::Home& home_;
  Watch& watch_;
  bool stop_wanted_ = false;
  std::optional<Error> error_;
  std::optional<orchestrator::Ended> ended_;
  std::optional<orchestrator::Started> started_;
};

void print_json_end(const orchestrator::Started& started, const orchestrator::Ended& ended,
                    const StateTree& tree) {
  const states::Execution& e = tree.execution();
  JsonWriter out;
  out.begin_object();
  out.key("executionArn").string(started.arn);
  out.key("name").string(started.name);
  out.key("status").string(states::name_of(ended.status));
  out.key("startDate").string(format_rfc3339(started.started));
  if (e.stopped) {
    out.key("stopDate").string(format_rfc3339(*e.stopped));
    out.key("durationMillis").number(std::int64_t{(*e.stopped - started.started).count()});
  }
  if (ended.output) out.key("output").value(*ended.output);
  if (ended.failure && ended.failure->has_error) out.key("error").string(ended.failure->error);
  if (ended.failure && ended.failure->has_cause) out.key("cause").string(ended.failure->cause);
  if (e.stopped) write_states(out, tree);
  out.end_object();
  print_line(out.finish().text());
}

void print_text_end(const orchestrator::Started& started, const orchestrator::Ended& ended, Millis took) {
  if (ended.output) print_line(pretty(ended.output->view()));
  std::fprintf(stderr, "%s %s in %s\n", started.name.c_str(),
               std::string(states::name_of(ended.status)).c_str(), format_duration(took).c_str());
  if (ended.failure)
    std::fprintf(stderr, "  %s\n", for_people(ended.failure->error, ended.failure->cause).c_str());
}

Result<int> run(const RunOptions& options, const Shared& shared) {
  MR_TRY(text, read_input(options.file));
  MR_TRY(compiled, compile_file(options.file, text));
  MR_TRY(input, read_json(options.input));
  service::HomeOptions home_options;
  home_options.path = service::home_path(shared.home);
  home_options.tasks.functions = options.functions;
  home_options.tasks.cache = options.cache;
  home_options.engine.limits.payload_bytes_max = options.payload_bytes_max;
  home_options.engine.limits.history_events_max = options.history_events_max;
  MR_TRY(home, service::Home::open(std::move(home_options)));
  MR_DO(put_objects(home->tasks()->objects(), options.put));
  Watch watch(Display::style(options.watch, options.quiet), compiled.program, home->loop().clock());
  Session session(*home, watch);
  const Instant began = home->loop().clock().now();
  const auto start = [&](const orchestrator::MachineRow& row) {
    orchestrator::StartRequest request;
    request.machine = row.arn;
    request.name = options.name;
    request.input = input;
    home->engine().start_execution(
        std::move(request),
        [&](Result<orchestrator::Started> started) {
          if (!started) return session.fail_with(started.error());
          session.started(*started);
        },
        [&](const orchestrator::Ended& ended) { session.ended(ended); });
  };
  home->loop().post([&] {
    home->engine().recover([&](Result<orchestrator::RecoverySummary> summary) {
      if (!summary) return session.fail_with(summary.error());
      if (summary->executions > 0)
        std::fprintf(stderr, "taking up %zu unfinished executions of this home\n", summary->executions);
      const std::string machine = options.machine.empty() ? machine_name(options.file) : options.machine;
      home->engine().create_machine(machine, text, [&](Result<orchestrator::MachineRow> row) {
        if (!row) return session.fail_with(row.error());
        start(*row);
      });
    });
  });
  home->loop().run();
  std::signal(SIGINT, SIG_DFL);  // while tasks are being stopped, once more quits at once
  watch.finish();
  if (session.error()) return fail(*session.error());
  if (!session.how()) return 130;
  if (shared.json)
    print_json_end(*session.start(), *session.how(), watch.tree());
  else
    print_text_end(*session.start(), *session.how(), home->loop().clock().now() - began);
  if (const std::size_t others = home->engine().live(); others > 0)
    std::fprintf(stderr,
                 "%zu other executions of this home are unfinished: `millrace resume` goes on with them\n",
                 others);
  return session.how()->status == states::ExecutionStatus::Succeeded ? kSucceeded : kWorkflowFailed;
}

// Waits for every unfinished execution of the home.
Result<int> resume(const std::string& cache, const Shared& shared) {
  MR_TRY(reading, service::open_for_reading(service::home_path(shared.home)));
  MR_TRY(rows, reading->unfinished({}, 100'000));
  reading.reset();
  if (rows.empty()) {
    if (shared.json)
      print_json(Json{{"resumed", 0}});
    else
      std::fputs("nothing is unfinished\n", stderr);
    return kSucceeded;
  }
  service::HomeOptions home_options;
  home_options.path = service::home_path(shared.home);
  home_options.tasks.cache = cache;
  MR_TRY(home, service::Home::open(std::move(home_options)));
  Watch watch(Watch::Style::None, nullptr, home->loop().clock());
  Session session(*home, watch);
  std::size_t open = rows.size(), failed = 0;
  home->loop().post([&] {
    home->engine().recover([&](Result<orchestrator::RecoverySummary> summary) {
      if (!summary) return session.fail_with(summary.error());
      for (const auto& row : rows) {
        home->engine().when_ended(row.id, [&, name = row.name](Result<orchestrator::Ended> ended) {
          if (!ended) return session.fail_with(ended.error());
          failed += ended->status != states::ExecutionStatus::Succeeded;
          std::fprintf(stderr, "%s %s\n", name.c_str(), std::string(states::name_of(ended->status)).c_str());
          if (--open == 0) session.done();
        });
      }
    });
  });
  home->loop().run();
  if (session.error()) return fail(*session.error());
  if (shared.json) print_json(Json{{"resumed", rows.size()}, {"unfinished", open}, {"failed", failed}});
  return open > 0 ? 130 : failed > 0 ? kWorkflowFailed : kSucceeded;
}

}  // namespace

void add_run(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("run", "Run a workflow to its end in this process");
  command->fallthrough();
  auto options = std::make_shared<RunOptions>();
  command->add_option("FILE", options->file, "the definition, Amazon States Language as JSON")->required();
  command->add_option("-i,--input", options->input, "input: a file, '-', or JSON in quotes")
      ->capture_default_str();
  command->add_option("--name", options->name,
                      "the execution's name; the same name and input attach to a running one");
  command->add_option("--machine", options->machine, "the state machine's name; default: from the file");
  command->add_option("--put", options->put, "before the start: an object and the file it is made of")
      ->type_name("s3://BUCKET/KEY=FILE");
  command->add_option("--functions", options->functions, "the folder of functions instead of HOME/functions");
  command
      ->add_option(
          "--cache", options->cache,
          "jobs take over the result of an equal one that ended at most so long ago: P30D, PT12H, on")
      ->capture_default_str();
  command->add_flag("-w,--watch", options->watch, "show states as they happen also when this is no terminal");
  command->add_flag("-q,--quiet", options->quiet, "show nothing while it runs");
  command
      ->add_option("--payload-bytes-max", options->payload_bytes_max,
                   "limit of one document; AWS's by default")
      ->capture_default_str();
  command
      ->add_option("--history-events-max", options->history_events_max,
                   "limit of one history; AWS's by default")
      ->capture_default_str();
  command->footer(
      "The output is on stdout, everything else on stderr. After a crash, `millrace resume` or the next "
      "`run` goes on.\n"
      "Examples:\n"
      "  millrace run hello.json --input '{\"name\":\"Ada\"}'\n"
      "  millrace run fraud.json --input input.json --put s3://fraud/raw/transactions.csv=transactions.csv "
      "--watch");
  command->callback([options, &shared, &exit_code] {
    auto code = run(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

void add_resume(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("resume", "Take up every unfinished execution of the home and wait for the ends");
  command->fallthrough();
  auto cache = std::make_shared<std::string>("off");
  command->add_option("--cache", *cache, kCacheHelp)->capture_default_str();
  command->callback([cache, &shared, &exit_code] {
    auto code = resume(*cache, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
