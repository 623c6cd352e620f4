// `millrace alarms`: list, show, set; by CloudWatch's API of a server.

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/connect.h"

namespace millrace::cli {
namespace {

struct AlarmOptions {
  std::string name, state, reason = "set by hand";
};

constexpr int kShownHistory = 20;

Result<Json> ask_alarms(client::Access& access, std::string_view operation, const Json& input) {
  MR_TRY(answer, access.call(client::kMonitoring, operation, to_payload(input)));
  return to_json(answer.view());
}

std::string shown_time(const Json& seconds) {
  return format_rfc3339(from_millis(std::llround(seconds.get<double>() * 1000))).substr(0, 19) + "Z";
}

std::string shown_threshold(const Json& value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.6g", value.get<double>());
  return text;
}

// "Sum(AWS/States ExecutionsFailed) > 0 in 2 of 3 × 60 s"
std::string condition_of(const Json& alarm) {
  if (alarm.contains("AlarmRule")) return alarm.value("AlarmRule", "");
  constexpr std::pair<std::string_view, std::string_view> kSigns[] = {{"GreaterThanThreshold", ">"},
                                                                      {"GreaterThanOrEqualToThreshold", "≥"},
                                                                      {"LessThanThreshold", "<"},
                                                                      {"LessThanOrEqualToThreshold", "≤"}};
  std::string_view sign;
  for (const auto& [name, shown] : kSigns)
    if (alarm.value("ComparisonOperator", "") == name) sign = shown;
  std::string what = alarm.value("Statistic", alarm.value("ExtendedStatistic", "")) + "(" +
                     alarm.value("Namespace", "") + " " + alarm.value("MetricName", "") + ")";
  std::string each = " × " + std::to_string(alarm.value("Period", 0)) + " s";
  if (alarm.contains("Metrics")) {
    each.clear();
    for (const Json& query : alarm["Metrics"])
      if (query.value("ReturnData", true))
        what = query.contains("Expression") ? query.value("Expression", "") : query.value("Id", "");
  }
  const int periods = alarm.value("EvaluationPeriods", 1);
  const int needed = alarm.value("DatapointsToAlarm", periods);
  return what + " " + std::string(sign) + " " + shown_threshold(alarm["Threshold"]) + " in " +
         std::to_string(needed) + " of " + std::to_string(periods) + each;
}

Result<Json> all_alarms(client::Access& access, const Json& filter) {
  Json request = filter, all = Json::array();
  request["AlarmTypes"] = {"MetricAlarm", "CompositeAlarm"};
  for (;;) {
    MR_TRY(page, ask_alarms(access, "DescribeAlarms", request));
    for (const char* kind : {"MetricAlarms", "CompositeAlarms"})
      for (Json& alarm : page[kind]) all.push_back(std::move(alarm));
    const std::string token = page.value("NextToken", "");
    if (token.empty()) return all;
    request["NextToken"] = token;
  }
}

Result<int> list_alarms(const AlarmOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  Json filter = Json::object();
  if (!options.state.empty()) filter["StateValue"] = options.state;
  if (!options.name.empty()) filter["AlarmNamePrefix"] = options.name;
  MR_TRY(all, all_alarms(*access, filter));
  if (shared.json) {
    print_json({{"alarms", all}});
    return kSucceeded;
  }
  if (all.empty()) {
    std::fprintf(stderr, "there are no alarms%s\n", filter.empty() ? "" : " like that");
    return kSucceeded;
  }
  std::printf("%-28s %-17s %-20s %s\n", "ALARM", "STATE", "SINCE", "WHEN");
  for (const Json& alarm : all)
    std::printf("%-28s %-17s %-20s %s\n", alarm.value("AlarmName", "").c_str(),
                alarm.value("StateValue", "").c_str(),
                shown_time(alarm["StateTransitionedTimestamp"]).c_str(), condition_of(alarm).c_str());
  return kSucceeded;
}

Result<int> show_alarm(const AlarmOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  MR_TRY(found, all_alarms(*access, {{"AlarmNames", {options.name}}}));
  if (found.empty())
    return fail(ErrorCode::NotFound, "there is no alarm '" + options.name + "'",
                "see `millrace alarms list`");
  MR_TRY(history, ask_alarms(*access, "DescribeAlarmHistory",
                             {{"AlarmName", options.name}, {"MaxRecords", kShownHistory}}));
  const Json& alarm = found[0];
  if (shared.json) {
    print_json({{"alarm", alarm}, {"history", history["AlarmHistoryItems"]}});
    return kSucceeded;
  }
  print_line(options.name + " " + alarm.value("StateValue", "") + " since " +
             shown_time(alarm["StateTransitionedTimestamp"]));
  print_line("  when    " + condition_of(alarm));
  if (const std::string text = alarm.value("AlarmDescription", ""); !text.empty())
    print_line("  about   " + text);
  print_line("  reason  " + alarm.value("StateReason", ""));
  for (const auto& [list, word] : {std::pair("AlarmActions", "ALARM"),
                                   {"OKActions", "OK"},
                                   {"InsufficientDataActions", "INSUFFICIENT_DATA"}})
    for (const Json& arn : alarm.value(list, Json::array()))
      print_line("  tells   " + arn.get<std::string>() + " of " + word +
                 (alarm.value("ActionsEnabled", true) ? "" : " (disabled)"));
  for (const Json& item : history["AlarmHistoryItems"])
    print_line("  " + shown_time(item["Timestamp"]) + "  " + item.value("HistorySummary", ""));
  return kSucceeded;
}

Result<int> set_alarm(const AlarmOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Run));
  MR_TRY(done,
         ask_alarms(
             *access, "SetAlarmState",
             {{"AlarmName", options.name}, {"StateValue", options.state}, {"StateReason", options.reason}}));
  if (shared.json)
    print_json(done);
  else
    print_line(options.name + " is " + options.state + " until it is evaluated again");
  return kSucceeded;
}

}  // namespace

void add_alarms(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("alarms", "Alarms: how they stand, what became of them");
  command->fallthrough();
  command->require_subcommand(1);
  command->footer(
      "Alarms are made with AWS's clients (docs/metrics.md). Asks a server.\n"
      "Examples:\n"
      "  millrace alarms list --state ALARM\n"
      "  millrace alarms show orders-failing");
  auto options = std::make_shared<AlarmOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    return add_action(*command, name, what, shared, exit_code,
                      [options, &shared, run] { return run(*options, shared); });
  };
  const auto states = CLI::IsMember({"OK", "ALARM", "INSUFFICIENT_DATA"});
  CLI::App* list = add("list", "All alarms", list_alarms);
  list->add_option("PREFIX", options->name, "only those whose names begin so");
  list->add_option("--state", options->state, "only those that are OK, ALARM or INSUFFICIENT_DATA")
      ->check(states);
  CLI::App* show = add("show", "One alarm, with its latest history", show_alarm);
  show->add_option("NAME", options->name, "the alarm")->required();
  CLI::App* set = add("set", "Put an alarm into a state, to try what it tells", set_alarm);
  set->add_option("NAME", options->name, "the alarm")->required();
  set->add_option("STATE", options->state, "OK, ALARM or INSUFFICIENT_DATA")->required()->check(states);
  set->add_option("--reason", options->reason, "for people");
}

}  // namespace millrace::cli
