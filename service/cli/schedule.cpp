// `millrace schedule`: list, next, backfill, pause, resume.

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "service/api/call.h"
#include "service/bus/operations.h"
#include "service/bus/schedules.h"
#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/times.h"

namespace millrace::cli {
namespace {

using bus::joined_key;

constexpr std::size_t kBackfillMax = 100'000;  // runs
constexpr int kNextMax = 1'000;
constexpr Millis kBackfillPause{200};  // between two looks at what runs

struct ScheduleOptions {
  std::string name, expression, zone = "UTC", from, to;
  int count = 5, parallel = 4;
  bool dry_run = false;
};

// "NAME" or "GROUP/NAME".
Json schedule_named(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return {{"Name", text}, {"GroupName", bus::kDefaultGroup}};
  return {{"Name", text.substr(slash + 1)}, {"GroupName", text.substr(0, slash)}};
}

Result<Json> ask_scheduler(client::Access& access, std::string_view operation, const Json& input) {
  MR_TRY(answer, access.call(client::kScheduler, operation, to_payload(input)));
  return to_json(answer.view());
}

// ---- next

// "2026-03-29 02:30:00"
std::string shown_wall(triggers::LocalSeconds wall) {
  const std::string text = format_rfc3339(Instant(wall.time_since_epoch()));
  return text.substr(0, 10) + " " + text.substr(11, 8);
}

struct ShownDue {
  triggers::Due due;
  std::string wall, zone, note;
};

ShownDue shown_due(const triggers::Due& due, const triggers::TimeZone& zone) {
  const auto time = std::chrono::floor<std::chrono::seconds>(due.time);
  ShownDue shown{due, shown_wall(zone.local(time)), zone.abbreviation_at(time), ""};
  if (due.twice) shown.note = "comes twice as clocks go back: runs the first time only";
  const auto before = zone.offset_at(time - std::chrono::hours(24)), now = zone.offset_at(time);
  if (!due.twice && now > before) shown.note = "clocks went forward within the day before";
  if (!due.twice && now < before) shown.note = "clocks went back within the day before";
  return shown;
}

Result<int> show_next(const ScheduleOptions& options, const Shared& shared) {
  MR_TRY(expression, triggers::ScheduleExpression::parse(options.expression));
  MR_TRY(zone, triggers::TimeZone::load(options.zone));
  const SystemClock clock;
  Instant from = clock.now();
  if (!options.from.empty()) {
    MR_TRY(given, past_time(options.from, "--from", from));
    from = given;
  }
  Json times = Json::array();
  if (!shared.json) print_line(expression.text() + " in " + zone.name() + ": " + expression.words());
  std::vector<triggers::LocalSeconds> skipped;
  Instant after = from;
  for (int i = 0; i < options.count; ++i) {
    skipped.clear();
    const auto due = expression.next(after, zone, from, &skipped);
    for (const triggers::LocalSeconds wall : skipped) {
      if (!shared.json)
        print_line("  " + shown_wall(wall) + "        does not exist: clocks jump over it; skipped");
      times.push_back({{"wall", shown_wall(wall)}, {"skipped", true}});
    }
    if (!due) break;
    after = due->time;
    const ShownDue shown = shown_due(*due, zone);
    times.push_back({{"time", format_rfc3339(due->time)},
                     {"wall", shown.wall},
                     {"zone", shown.zone},
                     {"note", shown.note}});
    if (!shared.json)
      print_line("  " + shown.wall + " " + shown.zone + "  " + format_rfc3339(due->time).substr(0, 19) + "Z" +
                 (shown.note.empty() ? "" : "  " + shown.note));
  }
  if (shared.json)
    print_json({{"expression", expression.text()},
                {"timezone", zone.name()},
                {"words", expression.words()},
                {"times", times}});
  else if (times.empty())
    print_line("  never");
  return kSucceeded;
}

// ---- schedules of a server

// As the server carries it out.
Result<bus::Scheduled> scheduled_of(Json schedule) {
  const auto in_millis = [&](const char* from, const char* to) {
    if (const auto found = schedule.find(from); found != schedule.end() && found->is_number())
      schedule[to] = std::llround(found->get<double>() * 1000);
  };
  in_millis("CreationDate", "Created");
  in_millis("StartDate", "StartDate");
  in_millis("EndDate", "EndDate");
  schedule["State"] = "ENABLED";
  const std::string arn = schedule.value("Arn", "");
  const std::string region = arn.substr(std::min(arn.size(), std::size_t{18}));
  bus::BusPlace place;
  place.region = region.substr(0, region.find(':'));
  place.account = region.substr(region.find(':') + 1, 12);
  auto made = bus::compile_schedule(joined_key(schedule.value("GroupName", ""), schedule.value("Name", "")),
                                    schedule, place);
  if (!made)
    return invalid("the schedule " + arn + " can't be read here", "is the package tzdata installed?");
  return std::move(*made);
}

Result<int> list_schedules(const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  Json all = Json::array();
  std::string token;
  do {
    Json request = {{"MaxResults", 100}};
    if (!token.empty()) request["NextToken"] = token;
    MR_TRY(page, ask_scheduler(*access, "ListSchedules", request));
    for (const Json& found : page["Schedules"]) {
      MR_TRY(whole, ask_scheduler(*access, "GetSchedule",
                                  {{"Name", found["Name"]}, {"GroupName", found["GroupName"]}}));
      all.push_back(std::move(whole));
    }
    token = page.value("NextToken", "");
  } while (!token.empty());
  const Instant now = access->clock().now();
  if (!shared.json) std::printf("%-32s %-9s %-32s %-20s %s\n", "SCHEDULE", "STATE", "WHEN", "NEXT", "TARGET");
  for (Json& schedule : all) {
    std::string next = "-";
    const bool enabled = schedule.value("State", "") == "ENABLED";
    if (const auto made = scheduled_of(schedule); made && enabled) {
      const auto due = made->expression.next(std::max(now, made->active), *made->zone, made->anchor);
      if (due && !(made->end && due->time > *made->end)) next = format_rfc3339(due->time).substr(0, 19) + "Z";
    }
    schedule["NextTime"] = next;
    if (shared.json) continue;
    const std::string group = schedule.value("GroupName", "");
    const std::string name = (group == bus::kDefaultGroup ? "" : group + "/") + schedule.value("Name", "");
    const std::string zone = schedule.value("ScheduleExpressionTimezone", "UTC");
    const std::string when = schedule.value("ScheduleExpression", "") + (zone == "UTC" ? "" : " " + zone);
    std::printf("%-32s %-9s %-32s %-20s %s\n", name.c_str(), enabled ? "enabled" : "paused", when.c_str(),
                next.c_str(), schedule["Target"].value("Arn", "").c_str());
  }
  if (shared.json) print_json({{"schedules", all}});
  return kSucceeded;
}

Result<int> set_state(const ScheduleOptions& options, const char* state, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Run));
  MR_TRY(schedule, ask_scheduler(*access, "GetSchedule", schedule_named(options.name)));
  for (const char* shown : {"Arn", "CreationDate", "LastModificationDate"}) schedule.erase(shown);
  schedule["State"] = state;
  MR_TRY(done, ask_scheduler(*access, "UpdateSchedule", schedule));
  if (shared.json)
    print_json(done);
  else
    print_line(options.name +
               (std::string_view(state) == "ENABLED" ? " runs again, from its next time on" : " is paused"));
  return kSucceeded;
}

// One due time of a backfill.
struct BackfillRun {
  Instant due;
  std::string name, arn, status;
  Json request;
};

Result<std::vector<BackfillRun>> runs_of(const bus::Scheduled& schedule, Instant from, Instant to) {
  std::vector<BackfillRun> runs;
  for (auto due = schedule.expression.next(from - Millis(1), *schedule.zone, schedule.anchor);
       due && due->time < to; due = schedule.expression.next(due->time, *schedule.zone, schedule.anchor)) {
    if (runs.size() == kBackfillMax)
      return invalid("there are more than " + std::to_string(kBackfillMax) + " times between --from and --to",
                     "take a shorter span");
    const bus::Delivery delivery = schedule.deliveries(due->time).front();
    BackfillRun run{due->time, delivery.name, "", "", {}};
    if (delivery.target.find(":states:") == std::string::npos &&
        delivery.target.find(":sfn:startExecution") == std::string::npos)
      return invalid("the schedule's target is " + delivery.target + ": only executions can be filled in");
    run.request = {{"stateMachineArn", delivery.target}, {"name", delivery.name}, {"input", delivery.input}};
    if (delivery.target.find(":sfn:startExecution") != std::string::npos) {
      const Json given = Json::parse(delivery.input, nullptr, false);
      run.request["stateMachineArn"] = given.value("StateMachineArn", "");
      run.request["input"] = given.value("Input", "{}");
      run.request["name"] = run.name = given.value("Name", delivery.name);
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

void show_run(const BackfillRun& run, const Shared& shared) {
  if (!shared.json) print_line(format_rfc3339(run.due).substr(0, 19) + "Z  " + run.status + "  " + run.name);
}

// Starts one. What ran at its time already is left alone: the names are those of the schedule's own runs.
Status begin_run(client::Access& access, BackfillRun& run) {
  const auto started = access.call("StartExecution", to_payload(run.request));
  if (started) {
    run.arn = api::text_of(started->view(), "executionArn");
    run.status = "RUNNING";
    return {};
  }
  if (started.error().code != ErrorCode::AlreadyExists) return fail(started.error());
  run.status = "THERE";
  return {};
}

Result<int> backfill(const ScheduleOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Run));
  MR_TRY(found, ask_scheduler(*access, "GetSchedule", schedule_named(options.name)));
  MR_TRY(schedule, scheduled_of(found));
  const Instant now = access->clock().now();
  MR_TRY(from, past_time(options.from, "--from", now));
  MR_TRY(to, options.to.empty() ? Result<Instant>(now) : past_time(options.to, "--to", now));
  if (to <= from) return invalid("--from must be before --to");
  MR_TRY(runs, runs_of(schedule, from, to));
  std::size_t next = 0, running = 0, failed = 0, there = 0;
  if (options.dry_run) {
    for (BackfillRun& run : runs) {
      run.status = "WOULD RUN";
      show_run(run, shared);
    }
    next = runs.size();
  }
  while (next < runs.size() || running > 0) {
    while (next < runs.size() && running < static_cast<std::size_t>(options.parallel)) {
      BackfillRun& run = runs[next++];
      MR_DO(begin_run(*access, run));
      if (run.status == "RUNNING") ++running;
      if (run.status != "THERE") continue;
      ++there;
      show_run(run, shared);
    }
    if (running == 0) continue;
    access->pause(kBackfillPause);
    for (std::size_t i = 0; i < next; ++i) {
      BackfillRun& run = runs[i];
      if (run.status != "RUNNING") continue;
      MR_TRY(described, access->call("DescribeExecution", to_payload({{"executionArn", run.arn}})));
      run.status = api::text_of(described.view(), "status");
      if (run.status == "RUNNING") continue;
      --running;
      failed += run.status != "SUCCEEDED";
      show_run(run, shared);
    }
  }
  if (shared.json) {
    Json list = Json::array();
    for (const BackfillRun& run : runs)
      list.push_back({{"time", format_rfc3339(run.due)}, {"name", run.name}, {"status", run.status}});
    print_json({{"runs", list}, {"failed", failed}, {"there", there}});
  } else {
    std::fprintf(stderr, "%zu times: %zu ran before, %zu failed\n", runs.size(), there, failed);
  }
  return failed > 0 ? kWorkflowFailed : kSucceeded;
}

}  // namespace

void add_schedule(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("schedule", "Schedules: when they are due, filling in what was missed, pausing");
  command->fallthrough();
  command->require_subcommand(1);
  command->footer(
      "Schedules are made with AWS's clients (docs/events.md). All but `next` ask a server.\n"
      "Examples:\n"
      "  millrace schedule next 'cron(30 2 * * ? *)' --timezone Europe/Berlin --from 2026-10-24\n"
      "  millrace schedule backfill nightly --from 2026-11-01 --to 2026-11-15 --max-parallel 2");
  auto options = std::make_shared<ScheduleOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    return add_action(*command, name, what, shared, exit_code,
                      [options, &shared, run] { return run(*options, shared); });
  };
  add("list", "All schedules, with their next time",
      [](const ScheduleOptions&, const Shared& s) { return list_schedules(s); });
  CLI::App* next = add("next", "What an expression means, and when it is due", show_next);
  next->add_option("EXPRESSION", options->expression, "rate(…), cron(…) or at(…)")->required();
  next->add_option("--timezone", options->zone, "an IANA time zone; default UTC");
  next->add_option("--count", options->count, "how many times; default 5")->check(CLI::Range(1, kNextMax));
  next->add_option("--from", options->from, "a TIME to begin at; default now");
  CLI::App* fill = add("backfill", "Start the executions of times that have passed", backfill);
  fill->add_option("NAME", options->name, "the schedule: NAME or GROUP/NAME")->required();
  fill->add_option("--from", options->from, "a TIME: the first that is run, if it is due")->required();
  fill->add_option("--to", options->to, "a TIME: up to here, it itself not; default now");
  fill->add_option("--max-parallel", options->parallel, "executions at a time; default 4")
      ->check(CLI::Range(1, 1000));
  fill->add_flag("--dry-run", options->dry_run, "only show the times");
  for (const auto& [name, what, state] :
       {std::tuple("pause", "Let a schedule rest", "DISABLED"),
        std::tuple("resume", "Let a schedule run again, from its next time on", "ENABLED")}) {
    CLI::App* sub = add(
        name, what, [s = state](const ScheduleOptions& o, const Shared& sh) { return set_state(o, s, sh); });
    sub->add_option("NAME", options->name, "the schedule: NAME or GROUP/NAME")->required();
  }
}

}  // namespace millrace::cli
