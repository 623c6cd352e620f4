// `millrace deploy`: one definition becomes a state machine, or its next revision.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/deployment.h"

namespace millrace::cli {
namespace {

struct DeployOptions {
  MachineSpec spec;
  std::vector<std::string> aliases;
};

Json document_of(const MachineSpec& spec, const MachinePlan& plan, const MachineDone& done) {
  static constexpr const char* kDone[] = {"created", "updated", "unchanged", "deleted"};
  const bool same = plan.action == Action::Update && plan.change.empty() && !plan.new_role;  // an alias moves
  Json json = {{"name", spec.name},
               {"action", kDone[static_cast<int>(same ? Action::Unchanged : plan.action)]},
               {"stateMachineArn", done.arn}};
  if (!done.revision.empty()) json["revisionId"] = done.revision;
  if (!done.version_arn.empty()) json["stateMachineVersionArn"] = done.version_arn;
  if (!done.aliases.empty()) json["aliases"] = done.aliases;
  if (!plan.change.empty())
    json["states"] = {
        {"changed", plan.change.changed}, {"added", plan.change.added}, {"removed", plan.change.removed}};
  return json;
}

Status deploy(DeployOptions options, const Shared& shared) {
  MachineSpec& spec = options.spec;
  if (spec.file == "-" && spec.name.empty())
    return invalid("standard input has no name", "give one with --name");
  MR_TRY(text, read_input(spec.file));
  MR_DO(check_definition(spec.file, text));
  spec.definition = std::move(text);
  if (spec.name.empty()) spec.name = machine_name(spec.file);
  for (const std::string& alias : options.aliases) spec.aliases.push_back({alias, {}});
  MR_TRY(access, connect(shared, client::Use::Change));
  MR_TRY(machines, all_machines(*access));
  MR_TRY(plan, plan_machine(*access, spec, machines));
  MR_TRY(done, carry_out(*access, spec, plan, machines));
  const Json document = document_of(spec, plan, done);
  if (shared.json) {
    print_json(document);
    return {};
  }
  std::string line = spec.name + " " + document.value("action", "");
  if (!done.revision.empty()) line += ", revision " + done.revision;
  if (!plan.change.empty()) line += ": " + describe(plan.change);
  std::fprintf(stderr, "%s\n", line.c_str());
  if (!done.version_arn.empty())
    std::fprintf(stderr, "  version %s\n", done.version_arn.substr(done.version_arn.rfind(':') + 1).c_str());
  for (const std::string& alias : done.aliases) std::fprintf(stderr, "  alias   %s\n", alias.c_str());
  print_line(done.arn);
  return {};
}

}  // namespace

void add_deploy(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("deploy", "Make a definition a state machine, or its next revision");
  command->fallthrough();
  auto options = std::make_shared<DeployOptions>();
  command->add_option("FILE", options->spec.file, "the definition; '-' is standard input")->required();
  command->add_option("--name", options->spec.name, "the state machine's name; default: from the file");
  command->add_option("--type", options->spec.type, "STANDARD (default) or EXPRESS; can't be changed later")
      ->check(CLI::IsMember({"STANDARD", "EXPRESS"}));
  command->add_option("--role", options->spec.role, "its role; kept and shown")->type_name("ARN");
  command->add_flag("--publish", options->spec.publish, "publish the revision as a version");
  command->add_option("--description", options->spec.description, "of the version");
  command->add_option("--alias", options->aliases, "publish, and let this alias lead to the version");
  command->footer(
      "The ARN goes to stdout, what was done to stderr. An equal definition changes nothing.\n"
      "Examples:\n"
      "  millrace deploy examples/hello/definition.json\n"
      "  millrace deploy fraud.asl.json --alias PROD --description 'with the new features'\n"
      "  arn=$(millrace deploy flow.json --name nightly --endpoint http://127.0.0.1:8083)");
  command->callback([options, &shared, &exit_code] {
    const auto done = deploy(*options, shared);
    if (!done) exit_code = report(done.error(), shared);
  });
}

}  // namespace millrace::cli
