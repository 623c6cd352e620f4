// `millrace apply`: makes a server, or a home, hold what a folder says. Everything is checked and planned
// before anything is changed.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/manifest.h"

namespace millrace::cli {
namespace {

struct ApplyOptions {
  std::vector<std::string> paths;
  bool prune = false, dry_run = false, yes = false;
};

// One thing that shall be, or shall no more be.
struct Step {
  Action action = Action::Unchanged;
  std::string kind, name, arn;
  std::string note;                              // what changes, for people
  DefinitionChange change;                       // of a state machine
  std::function<Result<std::string>()> perform;  // its ARN
};
using Steps = std::vector<Step>;

// A kind of things: what a manifest says of it against what there is. The order of the table is the order of
// creation; what is pruned goes in the opposite one.
struct ApplyKind {
  std::string_view name;
  Result<Steps> (*plan)(client::Access& access, const Manifest& manifest, bool prune);
};

Step removal(client::Access& access, std::string kind, std::string name, const std::string& arn,
             const char* operation, const char* member) {
  Step step{Action::Delete, std::move(kind), std::move(name), arn, {}, {}, {}};
  step.perform = [&access, arn, operation, member]() -> Result<std::string> {
    MR_DO(ask(access, operation, {{member, arn}}));
    return arn;
  };
  return step;
}

Result<Steps> plan_activities(client::Access& access, const Manifest& manifest, bool prune) {
  if (manifest.activities.empty() && !prune) return Steps();
  MR_TRY(present, ask_all(access, "ListActivities", {}, "activities"));
  Steps steps;
  for (const std::string& name : manifest.activities) {
    Step step{Action::Create, "activity", name, {}, {}, {}, {}};
    for (const Json& known : present) {
      if (known.value("name", "") != name) continue;
      step.action = Action::Unchanged;
      step.arn = known.value("activityArn", "");
    }
    step.perform = [&access, name]() -> Result<std::string> {
      MR_TRY(made, ask(access, "CreateActivity", {{"name", name}}));
      return made.value("activityArn", "");
    };
    steps.push_back(std::move(step));
  }
  for (const Json& known : present) {
    const std::string name = known.value("name", "");
    const auto& wanted = manifest.activities;
    if (prune && std::find(wanted.begin(), wanted.end(), name) == wanted.end())
      steps.push_back(
          removal(access, "activity", name, known.value("activityArn", ""), "DeleteActivity", "activityArn"));
  }
  return steps;
}

std::string note_of(const MachineSpec& spec, const MachinePlan& plan) {
  std::string note =
      plan.action == Action::Create ? (spec.type.empty() ? "STANDARD" : spec.type) : describe(plan.change);
  if (plan.new_role) note += (note.empty() ? "" : "; ") + std::string("role ") + spec.role;
  for (const std::string& alias : plan.aliases) note += (note.empty() ? "alias " : ", alias ") + alias;
  return note;
}

Result<Steps> plan_machines(client::Access& access, const Manifest& manifest, bool prune) {
  MR_TRY(machines, all_machines(access));
  Steps steps;
  for (const MachineSpec& spec : manifest.machines) {
    MR_TRY(plan, plan_machine(access, spec, machines));
    Step step{plan.action, "state machine", spec.name, plan.arn, note_of(spec, plan), plan.change, {}};
    step.perform = [&access, spec, plan, machines]() -> Result<std::string> {
      MR_TRY(done, carry_out(access, spec, plan, machines));
      return done.arn;
    };
    steps.push_back(std::move(step));
  }
  for (const MachineName& known : machines) {
    const bool wanted = std::any_of(manifest.machines.begin(), manifest.machines.end(),
                                    [&](const MachineSpec& spec) { return spec.name == known.name; });
    if (prune && !wanted)
      steps.push_back(
          removal(access, "state machine", known.name, known.arn, "DeleteStateMachine", "stateMachineArn"));
  }
  return steps;
}

constexpr ApplyKind kApplyKinds[] = {{"activities", plan_activities}, {"state machines", plan_machines}};

// What is made comes first, in the order of the kinds; what goes, last and in the opposite order.
Result<Steps> plan_all(client::Access& access, const Manifest& manifest, bool prune) {
  Steps steps, removals;
  for (const ApplyKind& kind : kApplyKinds) {
    MR_TRY(planned, kind.plan(access, manifest, prune));
    for (Step& step : planned) (step.action == Action::Delete ? removals : steps).push_back(std::move(step));
  }
  std::move(removals.rbegin(), removals.rend(), std::back_inserter(steps));
  return steps;
}

constexpr const char kSigns[] = {'+', '~', '=', '-'};
constexpr const char* kPast[] = {"created", "updated", "unchanged", "deleted"};

std::size_t count(const Steps& steps, Action action) {
  return static_cast<std::size_t>(
      std::count_if(steps.begin(), steps.end(), [&](const Step& step) { return step.action == action; }));
}

void print_plan(const Steps& steps) {
  for (const Step& step : steps) {
    std::string line =
        std::string(1, kSigns[static_cast<int>(step.action)]) + " " + step.kind + " " + step.name;
    if (!step.note.empty()) line += ": " + step.note;
    print_line(line);
  }
}

void print_summary(const Steps& steps, bool done) {
  std::fprintf(stderr,
               done ? "%zu created, %zu updated, %zu unchanged, %zu deleted\n"
                    : "%zu to create, %zu to update, %zu unchanged, %zu to delete\n",
               count(steps, Action::Create), count(steps, Action::Update), count(steps, Action::Unchanged),
               count(steps, Action::Delete));
}

void print_document(const Steps& steps, bool applied) {
  Json all = Json::array();
  for (const Step& step : steps) {
    Json row = {{"kind", step.kind}, {"name", step.name}, {"action", std::string(name_of(step.action))}};
    if (!step.arn.empty()) row["arn"] = step.arn;
    if (!step.note.empty()) row["note"] = step.note;
    if (!step.change.empty())
      row["states"] = {
          {"changed", step.change.changed}, {"added", step.change.added}, {"removed", step.change.removed}};
    all.push_back(std::move(row));
  }
  print_json(Json{{"applied", applied}, {"steps", std::move(all)}});
}

Status confirm_removals(const Steps& steps, const ApplyOptions& options) {
  const std::size_t removals = count(steps, Action::Delete);
  if (removals == 0 || options.yes) return {};
  if (!isatty(STDIN_FILENO))
    return invalid("nothing was done: deleting has to be confirmed",
                   "add --yes, or look first with --dry-run");
  std::fprintf(stderr, "delete %zu, and stop what runs of them? [y/N] ", removals);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return invalid("nothing was done");
}

Status perform_all(Steps& steps, const Shared& shared) {
  std::size_t done = 0;
  for (Step& step : steps) {
    if (step.action == Action::Unchanged) continue;
    auto arn = step.perform();
    if (!arn) {
      Error error = arn.error();
      error.message = step.kind + " " + step.name + ": " + error.message;
      if (done > 0)
        error.hint =
            std::to_string(done) + " before it are done; `millrace apply` again does the rest. " + error.hint;
      return fail(std::move(error));
    }
    ++done;
    step.arn = *arn;
    if (!shared.json)
      std::fprintf(stderr, "%s %s %s\n", kPast[static_cast<int>(step.action)], step.name.c_str(),
                   arn->c_str());
  }
  return {};
}

Result<int> apply(const ApplyOptions& options, const Shared& shared) {
  Manifest manifest;
  std::vector<Error> mistakes;
  for (const std::string& path : options.paths) read_manifest(path, manifest, mistakes);
  check_manifest(manifest, mistakes);
  if (!mistakes.empty()) {
    for (std::size_t i = 0; i + 1 < mistakes.size(); ++i) report(mistakes[i], shared);
    if (!shared.json) std::fputs("nothing was changed:\n", stderr);
    return fail(mistakes.back());
  }
  MR_TRY(access, connect(shared, options.dry_run ? client::Use::Look : client::Use::Change));
  MR_TRY(steps, plan_all(*access, manifest, options.prune));
  if (!shared.json) print_plan(steps);
  if (options.dry_run) {
    if (shared.json)
      print_document(steps, false);
    else
      print_summary(steps, false);
    return kSucceeded;
  }
  MR_DO(confirm_removals(steps, options));
  MR_DO(perform_all(steps, shared));
  if (shared.json)
    print_document(steps, true);
  else
    print_summary(steps, true);
  return kSucceeded;
}

}  // namespace

void add_apply(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("apply", "Make a server hold what a folder says: the declarative deploy");
  command->fallthrough();
  auto options = std::make_shared<ApplyOptions>();
  command->add_option("PATH", options->paths, "folders, manifests (millrace.json), definitions")->required();
  command->add_flag("--prune", options->prune,
                    "delete the state machines and activities that are not named there");
  command->add_flag("--dry-run", options->dry_run, "only show what would change");
  command->add_flag("-y,--yes", options->yes, "do not ask before something is deleted");
  command->footer(
      "A folder's millrace.json names what there shall be; without one every *.asl.json and definition.json "
      "below\n"
      "the folder is a state machine of the file's or folder's name. Doing it again changes nothing.\n"
      "  {\"stateMachines\": [{\"name\": \"fraud\", \"definition\": \"fraud.asl.json\", \"aliases\": "
      "{\"PROD\": \"latest\"}}],\n"
      "   \"activities\": [{\"name\": \"ask-a-person\"}]}\n"
      "Examples:\n"
      "  millrace apply workflows/ --dry-run\n"
      "  millrace apply workflows/ --prune --yes --endpoint http://127.0.0.1:8083");
  command->callback([options, &shared, &exit_code] {
    const auto code = apply(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
