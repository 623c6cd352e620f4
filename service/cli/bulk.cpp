// `millrace stop` and `millrace redrive`: one execution, several, or all of a selection.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/history_feed.h"
#include "service/cli/names.h"
#include "service/cli/selection.h"
#include "service/cli/show.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kBulkLimit = 1000;  // of one command, unless --limit says otherwise
constexpr std::size_t kPreviewShown = 10;

struct BulkOptions {
  std::vector<std::string> which;
  Selection selection;
  bool yes = false, dry_run = false, wait = false;
  std::string error, cause;  // of a stop
};

// What a command does to each execution.
struct Verb {
  const char* name;                   // "redrive"
  const char* done;                   // "redriven"
  std::vector<std::string> statuses;  // that a selection takes when it names none
  Result<std::string> (*act)(client::Access& access, const std::string& arn, const BulkOptions& options);
};

// What was done, in a word where it is not the usual.
Result<std::string> stop_one(client::Access& access, const std::string& arn, const BulkOptions& options) {
  MR_TRY(now, ask(access, "DescribeExecution", {{"executionArn", arn}, {"includedData", "METADATA_ONLY"}}));
  if (now.value("status", "") != "RUNNING") return "had ended: " + now.value("status", "");
  Json input = {{"executionArn", arn}};
  if (!options.error.empty()) input["error"] = options.error;
  if (!options.cause.empty()) input["cause"] = options.cause;
  MR_DO(ask(access, "StopExecution", input));
  return std::string();
}

Result<std::string> redrive_one(client::Access& access, const std::string& arn, const BulkOptions&) {
  MR_DO(ask(access, "RedriveExecution", {{"executionArn", arn}}));
  return std::string();
}

std::string count_of(std::size_t count, bool more) {
  return std::to_string(count) + (more ? " (and there are more, see --limit and --scan)" : "") +
         (count == 1 && !more ? " execution" : " executions");
}

Status print_preview(client::Access& access, const Verb& verb, std::vector<Selected>& chosen, bool more) {
  std::fprintf(stderr, "to %s: %s\n", verb.name, count_of(chosen.size(), more).c_str());
  for (std::size_t i = 0; i < chosen.size() && i < kPreviewShown; ++i) {
    Selected& one = chosen[i];
    if (!one.described.is_object()) {
      MR_TRY(described, ask(access, "DescribeExecution", {{"executionArn", one.arn}}));
      one.described = std::move(described);
    }
    const std::string error = one.described.value("error", "");
    std::fprintf(stderr, "  %s/%s  %s  %s%s%s\n", one.machine.c_str(), one.name.c_str(), one.status.c_str(),
                 format_rfc3339(one.started).c_str(), error.empty() ? "" : "  ", error.c_str());
  }
  if (chosen.size() > kPreviewShown)
    std::fprintf(stderr, "  … and %zu more\n", chosen.size() - kPreviewShown);
  return {};
}

// Asks on a terminal; elsewhere only --yes will do.
Status confirm(const Verb& verb, std::size_t count, const BulkOptions& options) {
  if (options.yes) return {};
  if (!isatty(STDIN_FILENO)) {
    return invalid("nothing was done: " + std::string(verb.name) + " of a selection has to be confirmed",
                   "add --yes, or look first with --dry-run");
  }
  std::fprintf(stderr, "%s %zu executions? [y/N] ", verb.name, count);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return fail(ErrorCode::InvalidArgument, "nothing was done");
}

// The ARNs to work on; nothing when a preview was all that was wished, or nothing is selected.
Result<std::vector<std::string>> chosen_arns(client::Access& access, const Verb& verb, BulkOptions options,
                                             const Shared& shared) {
  std::vector<std::string> arns;
  if (!options.which.empty()) {
    for (const std::string& which : options.which) {
      MR_TRY(arn, find_execution(access, which));
      arns.push_back(std::move(arn));
    }
    if (options.dry_run) {
      for (const std::string& arn : arns) print_line(arn);
      arns.clear();
    }
    return arns;
  }
  if (options.selection.statuses.empty()) options.selection.statuses = verb.statuses;
  std::vector<Selected> chosen;
  MR_TRY(summary, select(access, options.selection, [&](const Selected& one) { chosen.push_back(one); }));
  if (summary.unjudged > 0)
    std::fprintf(stderr, "--where failed on %zu of them: %s\n", summary.unjudged,
                 summary.why_unjudged.c_str());
  if (options.dry_run && shared.json) {
    Json preview = Json::array();
    for (const Selected& one : chosen) preview.push_back(one.arn);
    print_json(Json{{"selected", std::move(preview)}, {"more", summary.more}});
    return arns;
  }
  MR_DO(print_preview(access, verb, chosen, summary.more));
  if (options.dry_run || chosen.empty()) return arns;
  MR_DO(confirm(verb, chosen.size(), options));
  for (const Selected& one : chosen) arns.push_back(one.arn);
  return arns;
}

struct Outcomes {
  Json executions = Json::array();
  std::size_t done = 0, refused = 0;
  std::vector<std::string> to_wait_for;
};

// Each by itself: one that is refused does not stop the others. An error of the surroundings ends all.
Result<Outcomes> act_on_all(client::Access& access, const Verb& verb, const std::vector<std::string>& arns,
                            const BulkOptions& options, const Shared& shared) {
  Outcomes outcomes;
  for (const std::string& arn : arns) {
    const auto said = verb.act(access, arn, options);
    Json row = {{"executionArn", arn}};
    if (said) {
      ++outcomes.done;
      outcomes.to_wait_for.push_back(arn);
      row["result"] = said->empty() ? verb.done : *said;
      if (!shared.json) print_line("✓ " + short_name(arn) + " " + row["result"].get<std::string>());
    } else if (said.error().code == ErrorCode::Unavailable &&
               !client::is_aws_error(said.error(), "ThrottlingException")) {
      if (outcomes.done > 0) std::fprintf(stderr, "%zu were %s before this:\n", outcomes.done, verb.done);
      return fail(said.error());
    } else {
      ++outcomes.refused;
      row["error"] = said.error().message;
      if (!shared.json) print_line("✗ " + short_name(arn) + ": " + said.error().message);
    }
    outcomes.executions.push_back(std::move(row));
  }
  return outcomes;
}

// The ends of what goes on; how many did not succeed.
Result<std::size_t> wait_for_all(client::Access& access, Outcomes& outcomes, const Shared& shared) {
  std::size_t failed = 0;
  for (const std::string& arn : outcomes.to_wait_for) {
    MR_TRY(end, wait_for_end(access, arn));
    const std::string status = end.value("status", "");
    failed += status != "SUCCEEDED";
    for (Json& row : outcomes.executions) {
      if (row["executionArn"] == arn) row["status"] = status;
    }
    if (!shared.json) std::fprintf(stderr, "%s\n", status_line(end).c_str());
  }
  return failed;
}

Result<int> bulk(const Verb& verb, const BulkOptions& options, const Shared& shared) {
  if (options.which.empty() && !options.selection.any()) {
    return invalid("which executions?", "name them, or select them: millrace " + std::string(verb.name) +
                                            " --machine NAME --since 2h");
  }
  if (!options.which.empty() && options.selection.any())
    return invalid("executions are named or selected, not both", "leave the names or the selection out");
  MR_TRY(access, connect(shared, options.dry_run ? client::Use::Look : client::Use::Run));
  MR_TRY(arns, chosen_arns(*access, verb, options, shared));
  if (arns.empty()) return kSucceeded;
  MR_TRY(outcomes, act_on_all(*access, verb, arns, options, shared));
  // Without a server nobody else would go on with them.
  const bool redriven = std::string_view(verb.name) == "redrive";
  std::size_t failed = 0;
  if (redriven && outcomes.done > 0 && (options.wait || !access->outlives_us())) {
    if (!options.wait)
      std::fputs("no server has this home: they run in this process until they end\n", stderr);
    MR_TRY(not_succeeded, wait_for_all(*access, outcomes, shared));
    failed = not_succeeded;
  }
  if (shared.json)
    print_json(Json{{verb.done, outcomes.done},
                    {"refused", outcomes.refused},
                    {"executions", std::move(outcomes.executions)}});
  else if (arns.size() > 1)
    std::fprintf(stderr, "%zu %s, %zu refused\n", outcomes.done, verb.done, outcomes.refused);
  return outcomes.refused > 0 ? kBadInput : failed > 0 ? kWorkflowFailed : kSucceeded;
}

CLI::App* add_bulk(CLI::App& app, const char* name, const char* what, bool of_ended, BulkOptions& options) {
  CLI::App* command = app.add_subcommand(name, what);
  command->fallthrough();
  command->add_option("EXECUTION", options.which,
                      "ARNs, names or their unique beginnings, MACHINE/NAME, or MACHINE for its newest");
  options.selection.limit = kBulkLimit;
  add_selection(*command, options.selection, of_ended);
  command->add_flag("-y,--yes", options.yes, "do not ask before a selection is worked on");
  command->add_flag("--dry-run", options.dry_run, "only show which they are");
  return command;
}

}  // namespace

void add_stop(CLI::App& app, const Shared& shared, int& exit_code) {
  static const Verb kStop = {"stop", "stopped", {"RUNNING"}, stop_one};
  auto options = std::make_shared<BulkOptions>();
  CLI::App* command = add_bulk(app, "stop", "Stop executions: ABORTED, with their jobs", false, *options);
  command->add_option("--error", options->error, "the error they end with");
  command->add_option("--cause", options->cause, "why, in words");
  command->footer(
      "A selection takes what is RUNNING. Exit code 2 when one was refused.\n"
      "Examples:\n"
      "  millrace stop fraud/nightly-1 --cause 'wrong input'\n"
      "  millrace stop --machine fraud --since 2h --where 'input.dry = true' --dry-run");
  command->callback([options, &shared, &exit_code] {
    const auto code = bulk(kStop, *options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

void add_redrive(CLI::App& app, const Shared& shared, int& exit_code) {
  static const Verb kRedrive = {"redrive", "redriven", {"FAILED", "TIMED_OUT", "ABORTED"}, redrive_one};
  auto options = std::make_shared<BulkOptions>();
  CLI::App* command = add_bulk(app, "redrive", "Let executions go on from where they failed", true, *options);
  command->add_flag("--wait", options->wait, "until all have ended; exit code 1 when one fails again");
  command->footer(
      "States that succeeded are not run again; the failed one starts again with its input, in the revision "
      "the\n"
      "execution started with. A selection takes what is FAILED, TIMED_OUT or ABORTED. Without a server they "
      "run\n"
      "in this process and are waited for. Exit code 2 when one was refused.\n"
      "Examples:\n"
      "  millrace redrive fraud/nightly-1 --wait\n"
      "  millrace redrive --machine fraud --since 2h --error 'States.*' --dry-run\n"
      "  millrace redrive --machine fraud --where 'input.region = \"eu\"' --yes");
  command->callback([options, &shared, &exit_code] {
    const auto code = bulk(kRedrive, *options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
