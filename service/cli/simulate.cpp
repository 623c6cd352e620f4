// `millrace simulate`: a workflow run many times under virtual time with a model of its tasks.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "definitions/compile.h"
#include "service/cli/command.h"
#include "service/cli/timeline.h"
#include "service/cli/times.h"
#include "simulation/forecast.h"
#include "triggers/schedule_expression.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;
using simulation::Forecast;
using simulation::Percentiles;

struct SimulateOptions {
  std::string definition, model, objects, input = "{}", start = "2026-01-01T00:00:00Z", until, every,
                                          zone = "UTC", svg;
  std::vector<std::string> starts;
  std::size_t runs = 0;
  std::uint64_t seed = 1;
  bool timeline = false;
};

Result<Instant> time_of(const std::string& text, std::string_view option) {
  const auto time = parse_rfc3339(text);
  if (!time) return invalid(std::string(option) + ": '" + text + "' is no time", "e.g. 2026-01-31T08:00:00Z");
  return *time;
}

// An instant, or so long after the start.
Result<Instant> end_of(const std::string& text, Instant start) {
  if (text.empty()) return Instant::max();
  if (const auto time = parse_rfc3339(text)) return *time;
  if (const auto duration = duration_of(text)) return start + *duration;
  return invalid("--until: '" + text + "' is neither a time nor a duration",
                 "e.g. 2026-01-31T08:00:00Z or '90 days'");
}

// The times of "rate(1 day)", "cron(30 2 * * ? *)" or "1 day", the first of a rate at the start.
Status add_times(const SimulateOptions& options, simulation::ForecastRequest& request) {
  constexpr std::size_t kMost = 1'000'000;
  MR_TRY(zone, triggers::TimeZone::load(options.zone));
  const bool expression = options.every.find('(') != std::string::npos;
  const auto parsed =
      triggers::ScheduleExpression::parse(expression ? options.every : "rate(" + options.every + ")");
  if (!parsed)
    return invalid("--every: " + parsed.error().message, "e.g. 'rate(1 day)' or 'cron(30 2 * * ? *)'");
  for (Instant after = request.start - Millis(1); request.starts.size() < kMost;) {
    const auto due = parsed->next(after, zone, request.start);
    if (!due || due->time > request.until) break;
    request.starts.push_back(after = due->time);
  }
  return {};
}

Status read_schedule(const SimulateOptions& options, simulation::ForecastRequest& request) {
  for (const std::string& given : options.starts) {
    MR_TRY(start, time_of(given, "--starts"));
    request.starts.push_back(start);
  }
  if (!options.every.empty()) {
    if (options.until.empty()) return invalid("--every needs an end", "--until '90 days', or a time");
    MR_DO(add_times(options, request));
  }
  std::sort(request.starts.begin(), request.starts.end());
  if (!request.starts.empty()) {
    if (options.runs > 0)
      return invalid("--runs are independent runs, --every and --starts a schedule: give one of them");
    request.start = std::min(request.start, request.starts.front());
  }
  return {};
}

// The files of a folder as objects in memory, FOLDER/bucket/key; hidden files are none.
Result<simulation::MemoryObjects::Contents> read_objects(const std::string& folder) {
  constexpr std::uintmax_t kBytesMax = std::uintmax_t{1} << 30;  // of all
  simulation::MemoryObjects::Contents contents;
  if (folder.empty()) return contents;
  std::error_code error;
  std::uintmax_t bytes = 0;
  auto walk = fs::recursive_directory_iterator(folder, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (walk->path().filename().string().starts_with('.')) {
      walk.disable_recursion_pending();
      continue;
    }
    if (!walk->is_regular_file(error) || error) continue;
    const std::string name = walk->path().lexically_relative(folder).generic_string();
    if (name.find('/') == std::string::npos)
      return invalid("--objects: " + walk->path().string() + " is in no bucket", "name it FOLDER/BUCKET/KEY");
    bytes += walk->file_size(error);
    if (bytes > kBytesMax)
      return invalid("--objects: the files of " + folder + " have more than 1 GiB together",
                     "simulate with a part of them");
    MR_TRY(text, read_input(walk->path().string()));
    contents.emplace(name, std::move(text));
  }
  if (error)
    return invalid("--objects: can't read " + folder + ": " + error.message(),
                   "a folder of FOLDER/BUCKET/KEY");
  return contents;
}

Result<simulation::ForecastRequest> read_request(const SimulateOptions& options) {
  simulation::ForecastRequest request;
  MR_TRY(definition, read_input(options.definition));
  const definitions::Compiled compiled = definitions::compile(definition);
  if (!compiled.program) {
    for (const definitions::Diagnostic& d : compiled.diagnostics)
      std::fputs(definitions::render(d, options.definition, definition).c_str(), stderr);
    return invalid(options.definition + " does not compile", "the messages above say where and what to do");
  }
  request.definition = std::move(definition);
  MR_TRY(input, read_json(options.input));
  request.input = std::move(input);
  MR_TRY(objects, read_objects(options.objects));
  request.objects = std::move(objects);
  if (options.model.empty()) {
    MR_TRY(model, simulation::read_model("{}", "--model", *compiled.program));
    request.model = std::move(model);
  } else {
    MR_TRY(text, read_input(options.model));
    MR_TRY(model, simulation::read_model(text, options.model, *compiled.program));
    request.model = std::move(model);
  }
  MR_TRY(start, time_of(options.start, "--start"));
  request.start = start;
  MR_TRY(until, end_of(options.until, start));
  request.until = until;
  request.seed = options.seed;
  MR_DO(read_schedule(options, request));
  request.runs = options.runs == 0 ? 1 : options.runs;
  return request;
}

// ---- what it says

std::string row(const std::vector<std::pair<std::string, int>>& cells) {
  std::string line;
  for (const auto& [text, width] : cells) {
    const auto wide = static_cast<std::size_t>(std::abs(width));
    const auto length = static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
    const std::string blanks(wide > length ? wide - length : 0, ' ');
    line += width < 0 ? blanks + text : text + blanks;
    line += "  ";
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

void print_durations(const Percentiles& d) {
  if (d.count == 0) return;
  print_line("duration: p50 " + format_duration(d.p50) + ", p95 " + format_duration(d.p95) + ", p99 " +
             format_duration(d.p99) + "; mean " + format_duration(d.mean) + ", from " +
             format_duration(d.least) + " to " + format_duration(d.most));
}

void print_states(const Forecast& made) {
  double all = 0;
  for (const auto& state : made.states) all += state.seconds_per_run;
  print_line(row({{"STATE", 30},
                  {"RUNS", -7},
                  {"VISITS", -8},
                  {"RETRIES", -8},
                  {"FAILED", -7},
                  {"TIME A RUN", -12},
                  {"SHARE", -6},
                  {"P50", -12},
                  {"P95", -12},
                  {"P99", -12}}));
  for (const auto& state : made.states) {
    char share[16];
    std::snprintf(share, sizeof share, "%.1f %%", all > 0 ? 100 * state.seconds_per_run / all : 0);
    print_line(row({{state.name, 30},
                    {std::to_string(state.runs), -7},
                    {std::to_string(state.visits), -8},
                    {std::to_string(state.retries), -8},
                    {std::to_string(state.failures), -7},
                    {format_duration(simulation::millis_of(state.seconds_per_run)), -12},
                    {share, -6},
                    {format_duration(state.visit.p50), -12},
                    {format_duration(state.visit.p95), -12},
                    {format_duration(state.visit.p99), -12}}));
  }
}

void print_overlap(const Forecast& made, bool scheduled) {
  if (!scheduled) return;
  const auto& overlap = made.overlap;
  if (overlap.began_while_another_ran == 0)
    print_line("overlap: none");
  else
    print_line("overlap: " + std::to_string(overlap.began_while_another_ran) + " of " +
               std::to_string(made.runs.size()) + " runs began while another ran; at most " +
               std::to_string(overlap.at_once_max) + " at once, first at " + format_rfc3339(overlap.when));
}

void print_text(const Forecast& made, const SimulateOptions& options, bool scheduled) {
  std::string ends;
  for (const auto& [status, count] : made.statuses)
    ends += (ends.empty() ? "" : ", ") + std::to_string(count) + " " + status;
  std::string errors;
  for (const auto& [error, count] : made.errors)
    errors += (errors.empty() ? " (" : ", ") + std::to_string(count) + " " +
              (error.empty() ? "without error" : error);
  print_line(std::to_string(made.runs.size()) + (made.runs.size() == 1 ? " run: " : " runs: ") + ends +
             errors + (errors.empty() ? "" : ")"));
  print_durations(made.duration);
  print_overlap(made, scheduled);
  print_states(made);
  if (!made.typical || !(options.timeline || made.runs.size() == 1)) return;
  print_line("run " + std::to_string(made.typical_run + 1) + ", " +
             std::string(name_of(made.typical->execution().status)) + ", " +
             format_duration(made.typical->duration()) + ":");
  std::fputs(timeline_text(*made.typical, 60, 60).c_str(), stdout);
}

Json percentiles_json(const Percentiles& d) {
  return {{"count", d.count},
          {"minMillis", d.least.count()},
          {"p50Millis", d.p50.count()},
          {"p95Millis", d.p95.count()},
          {"p99Millis", d.p99.count()},
          {"maxMillis", d.most.count()},
          {"meanMillis", d.mean.count()}};
}

Json forecast_json(const Forecast& made, bool scheduled) {
  Json json = {
      {"statuses", made.statuses}, {"errors", made.errors}, {"duration", percentiles_json(made.duration)}};
  if (scheduled) {
    json["overlap"] = {{"beganWhileAnotherRan", made.overlap.began_while_another_ran},
                       {"atOnceMax", made.overlap.at_once_max},
                       {"skippedStarts", made.overlap.skipped}};
    if (made.overlap.at_once_max > 0) json["overlap"]["firstAt"] = format_rfc3339(made.overlap.when);
  }
  json["states"] = Json::array();
  for (const auto& state : made.states) {
    json["states"].push_back({{"name", state.name},
                              {"runs", state.runs},
                              {"visits", state.visits},
                              {"attempts", state.attempts},
                              {"retries", state.retries},
                              {"failures", state.failures},
                              {"secondsPerRun", state.seconds_per_run},
                              {"visit", percentiles_json(state.visit)}});
  }
  json["runs"] = Json::array();
  for (const auto& run : made.runs) {
    Json one = {{"startDate", format_rfc3339(run.started)},
                {"status", run.status},
                {"durationMillis", run.duration.count()},
                {"tasks", run.tasks},
                {"retries", run.retries}};
    if (!run.error.empty()) one["error"] = run.error;
    json["runs"].push_back(std::move(one));
  }
  return json;
}

Status simulate(const SimulateOptions& options, const Shared& shared) {
  MR_TRY(request, read_request(options));
  MR_TRY(made, simulation::forecast(request));
  const bool scheduled = !request.starts.empty();
  if (shared.json)
    print_json(forecast_json(made, scheduled));
  else
    print_text(made, options, scheduled);
  if (options.svg.empty() || !made.typical) return {};
  const std::string title = options.definition + ": run " + std::to_string(made.typical_run + 1) + " of " +
                            std::to_string(made.runs.size()) + ", " +
                            format_duration(made.typical->duration());
  std::ofstream out(options.svg, std::ios::binary);
  if (!(out << timeline_svg(*made.typical, title)) || !out.flush())
    return invalid("can't write " + options.svg, "check the path and the disk");
  return {};
}

}  // namespace

void add_simulate(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "simulate", "Forecast durations, failures and overlaps: a model of the tasks, virtual time");
  command->fallthrough();
  auto options = std::make_shared<SimulateOptions>();
  command->add_option("DEFINITION", options->definition, "the definition")->required();
  command->add_option("--model", options->model,
                      "durations and failures of tasks, by state (docs/testing.md)");
  command->add_option("-i,--input", options->input, "the input of every run")->capture_default_str();
  command->add_option("--objects", options->objects,
                      "a folder whose files FOLDER/bucket/key are the objects that item readers read");
  command->add_option("--runs", options->runs, "independent runs; 1 by default")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--seed", options->seed, "the same seed forecasts the same")->capture_default_str();
  command->add_option("--start", options->start, "when the simulation begins")->capture_default_str();
  command->add_option("--until", options->until, "when it ends: a time, or a duration such as '90 days'");
  command->add_option("--every", options->every,
                      "a schedule: 'rate(1 day)' or 'cron(30 2 * * ? *)', from --start to --until");
  command->add_option("--timezone", options->zone, "of a cron expression: an IANA time zone")
      ->capture_default_str();
  command->add_option("--starts", options->starts, "a schedule: these times")->delimiter(',');
  command->add_flag("--timeline", options->timeline, "show the run whose duration is the median");
  command->add_option("--svg", options->svg, "write that timeline as a picture");
  command->footer(
      "Examples:\n"
      "  millrace simulate examples/retry-and-catch/definition.json --model "
      "examples/retry-and-catch/model.json --runs 1000\n"
      "  millrace simulate definition.json --model model.json --every 'rate(1 hour)' --until '30 days'");
  command->callback([options, &shared, &exit_code] {
    const auto done = simulate(*options, shared);
    if (!done) exit_code = report(done.error(), shared);
  });
}

}  // namespace millrace::cli
