#include "service/cli/deployment.h"

#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "definitions/compile.h"
#include "orchestrator/arns.h"

namespace millrace::cli {
namespace {

constexpr const char* kDefaultAccount = "123456789012";

// The state without the states inside it: those are compared by themselves.
Payload own_part(JsonView state) {
  JsonWriter out;
  out.begin_object();
  for (const auto& [key, value] : state.members()) {
    if (key.equals("Branches")) {
      out.key(key).number(static_cast<std::int64_t>(value.size()));
    } else if ((key.equals("ItemProcessor") || key.equals("Iterator")) && value.is_object()) {
      out.key(key).begin_object();
      for (const auto& [inner, setting] : value.members()) {
        if (!inner.equals("States")) out.key(inner).value(setting);
      }
      out.end_object();
    } else {
      out.key(key).value(value);
    }
  }
  out.end_object();
  return out.finish();
}

void collect_states(JsonView scope, std::map<std::string, Payload>& states, std::vector<std::string>& order) {
  const JsonView all = scope.is_object() ? scope.find("States") : JsonView();
  if (!all || !all.is_object()) return;
  for (const auto& [key, state] : all.members()) {
    if (!state.is_object()) continue;
    states.insert_or_assign(key.string(), own_part(state));
    order.push_back(key.string());
    if (const JsonView branches = state.find("Branches"); branches && branches.is_array()) {
      for (const JsonView branch : branches.elements()) collect_states(branch, states, order);
    }
    for (const char* inner : {"ItemProcessor", "Iterator"}) {
      if (const JsonView processor = state.find(inner)) collect_states(processor, states, order);
    }
  }
}

std::string joined(const std::vector<std::string>& names) {
  constexpr std::size_t kNamesShown = 8;
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) out += (i ? ", " : "") + names[i];
  if (names.size() > kNamesShown) out += " and " + std::to_string(names.size() - kNamesShown) + " more";
  return out;
}

// Routes of an alias as it is: version and weight.
std::vector<std::pair<int, int>> routes_of(const Json& alias) {
  std::vector<std::pair<int, int>> routes;
  for (const Json& route : alias.value("routingConfiguration", Json::array())) {
    const std::string arn = route.value("stateMachineVersionArn", "");
    routes.emplace_back(std::atoi(arn.substr(arn.rfind(':') + 1).c_str()), route.value("weight", 0));
  }
  std::sort(routes.begin(), routes.end());
  return routes;
}

// The alias as it is; nothing when there is none.
Result<std::optional<Json>> find_alias(client::Access& access, const std::string& machine_arn,
                                       const std::string& name) {
  auto found = ask(access, "DescribeStateMachineAlias", {{"stateMachineAliasArn", machine_arn + ":" + name}});
  if (found) return std::optional(*std::move(found));
  if (found.error().code == ErrorCode::NotFound) return std::optional<Json>();
  return fail(found.error());
}

// Whether the alias leads where it shall, while the definition stays as it is.
Result<bool> alias_fits(client::Access& access, const Json& machine, const AliasSpec& spec) {
  const std::string arn = machine.value("stateMachineArn", "");
  MR_TRY(alias, find_alias(access, arn, spec.name));
  if (!alias) return false;
  const auto routes = routes_of(*alias);
  if (!spec.routes.empty()) {
    auto wanted = spec.routes;
    std::sort(wanted.begin(), wanted.end());
    return routes == wanted;
  }
  if (routes.size() != 1) return false;
  MR_TRY(version, ask(access, "DescribeStateMachine",
                      {{"stateMachineArn", arn + ":" + std::to_string(routes[0].first)}}));
  return version.value("revisionId", "") == machine.value("revisionId", "");
}

std::string default_role(const std::vector<MachineName>& machines) {
  std::string account = kDefaultAccount;
  if (!machines.empty()) {
    if (const auto arn = orchestrator::parse_arn(machines[0].arn)) account = arn->account;
  }
  return "arn:aws:iam::" + account + ":role/millrace";
}

Result<std::string> set_alias(client::Access& access, const std::string& machine_arn, const AliasSpec& spec,
                              int newest_version) {
  auto routes = spec.routes;
  if (routes.empty()) routes = {{newest_version, 100}};
  Json routing = Json::array();
  std::string shown = spec.name + " → ";
  for (const auto& [version, weight] : routes) {
    routing.push_back(
        {{"stateMachineVersionArn", machine_arn + ":" + std::to_string(version)}, {"weight", weight}});
    shown += (routing.size() > 1 ? ", " : "") + std::to_string(version) +
             (weight == 100 ? "" : " (" + std::to_string(weight) + " %)");
  }
  MR_TRY(alias, find_alias(access, machine_arn, spec.name));
  if (alias && routes_of(*alias) == routes) return shown;
  if (alias) {
    MR_DO(ask(access, "UpdateStateMachineAlias",
              {{"stateMachineAliasArn", machine_arn + ":" + spec.name}, {"routingConfiguration", routing}}));
  } else {
    MR_DO(ask(access, "CreateStateMachineAlias", {{"name", spec.name}, {"routingConfiguration", routing}}));
  }
  return shown;
}

}  // namespace

std::string machine_name(const std::string& file) {
  const std::filesystem::path path(file);
  std::string stem = path.filename().string();
  stem = stem.substr(0, stem.find('.'));
  if (stem == "definition" && path.has_parent_path())
    stem = std::filesystem::absolute(path).parent_path().filename().string();
  std::string name;
  for (const char c : stem)
    name += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ? c : '-';
  return name.empty() ? "workflow" : name;
}

Status check_definition(const std::string& file, const std::string& text) {
  const definitions::Compiled compiled = definitions::compile(text);
  for (const definitions::Diagnostic& d : compiled.diagnostics)
    std::fputs(definitions::render(d, file, text).c_str(), stderr);
  if (!compiled.program)
    return invalid(file + " does not compile", "the messages above say where and what to do");
  return {};
}

std::string_view name_of(Action action) {
  switch (action) {
    case Action::Create:
      return "create";
    case Action::Update:
      return "update";
    case Action::Unchanged:
      return "unchanged";
    case Action::Delete:
      return "delete";
  }
  return "";
}

DefinitionChange compare(JsonView before, JsonView after) {
  std::map<std::string, Payload> old_states, new_states;
  std::vector<std::string> old_order, new_order;
  collect_states(before, old_states, old_order);
  collect_states(after, new_states, new_order);
  DefinitionChange change;
  for (const std::string& name : new_order) {
    const auto known = old_states.find(name);
    if (known == old_states.end())
      change.added.push_back(name);
    else if (!(known->second == new_states.at(name)))
      change.changed.push_back(name);
  }
  for (const std::string& name : old_order) {
    if (!new_states.contains(name)) change.removed.push_back(name);
  }
  if (!before.is_object() || !after.is_object()) return change;
  for (const auto& [key, value] : after.members()) {
    const JsonView known = before.find(key.string());
    if (!key.equals("States") && (!known || !equal(known, value))) change.settings.push_back(key.string());
  }
  for (const auto& [key, value] : before.members()) {
    if (!after.find(key.string())) change.settings.push_back(key.string());
  }
  // What lies between the states and is neither: then the whole is said to have changed.
  if (change.empty() && !equal(before, after)) change.settings.push_back("nested scopes");
  return change;
}

std::string describe(const DefinitionChange& change) {
  std::string out;
  const std::pair<const char*, const std::vector<std::string>*> parts[] = {{"changed ", &change.changed},
                                                                           {"added ", &change.added},
                                                                           {"removed ", &change.removed},
                                                                           {"setting ", &change.settings}};
  for (const auto& [what, names] : parts) {
    if (!names->empty()) out += (out.empty() ? "" : "; ") + std::string(what) + joined(*names);
  }
  return out;
}

Result<MachinePlan> plan_machine(client::Access& access, const MachineSpec& spec,
                                 const std::vector<MachineName>& machines) {
  MachinePlan plan;
  const auto known = std::find_if(machines.begin(), machines.end(),
                                  [&](const MachineName& m) { return m.name == spec.name; });
  if (known == machines.end()) {
    for (const AliasSpec& alias : spec.aliases) plan.aliases.push_back(alias.name);
    return plan;
  }
  plan.arn = known->arn;
  MR_TRY(machine, ask(access, "DescribeStateMachine", {{"stateMachineArn", plan.arn}}));
  const std::string type = machine.value("type", "");
  if (!spec.type.empty() && spec.type != type) {
    return invalid("state machine '" + spec.name + "' is " + type + " and can't become " + spec.type,
                   "deploy it under another name, or delete it first");
  }
  MR_TRY(after, Payload::parse(spec.definition));
  const auto before = Payload::parse(machine.value("definition", ""));
  const bool same = before && *before == after;
  plan.new_role = !spec.role.empty() && spec.role != machine.value("roleArn", "");
  plan.action = same && !plan.new_role ? Action::Unchanged : Action::Update;
  if (!same && before) plan.change = compare(before->view(), after.view());
  for (const AliasSpec& alias : spec.aliases) {
    const bool follows = alias.routes.empty();
    if (follows && plan.action == Action::Update) {
      plan.aliases.push_back(alias.name);
      continue;
    }
    MR_TRY(fits, alias_fits(access, machine, alias));
    if (!fits) plan.aliases.push_back(alias.name);
  }
  if (plan.action == Action::Unchanged && !plan.aliases.empty()) plan.action = Action::Update;
  return plan;
}

Result<MachineDone> carry_out(client::Access& access, const MachineSpec& spec, const MachinePlan& plan,
                              const std::vector<MachineName>& machines) {
  MachineDone done;
  done.arn = plan.arn;
  if (plan.action == Action::Create) {
    MR_TRY(made, ask(access, "CreateStateMachine",
                     {{"name", spec.name},
                      {"definition", spec.definition},
                      {"type", spec.type.empty() ? "STANDARD" : spec.type},
                      {"roleArn", spec.role.empty() ? default_role(machines) : spec.role}}));
    done.arn = made.value("stateMachineArn", "");
  } else if (!plan.change.empty() || plan.new_role) {
    Json input = {{"stateMachineArn", plan.arn}};
    if (!plan.change.empty()) input["definition"] = spec.definition;
    if (plan.new_role) input["roleArn"] = spec.role;
    MR_TRY(updated, ask(access, "UpdateStateMachine", input));
    done.revision = updated.value("revisionId", "");
  }
  int version = 0;
  const bool follows = std::any_of(spec.aliases.begin(), spec.aliases.end(),
                                   [](const AliasSpec& alias) { return alias.routes.empty(); });
  if (spec.publish || follows) {
    Json input = {{"stateMachineArn", done.arn}};
    if (!spec.description.empty()) input["description"] = spec.description;
    MR_TRY(published, ask(access, "PublishStateMachineVersion", input));
    done.version_arn = published.value("stateMachineVersionArn", "");
    version = std::atoi(done.version_arn.substr(done.version_arn.rfind(':') + 1).c_str());
  }
  for (const AliasSpec& alias : spec.aliases) {
    MR_TRY(shown, set_alias(access, done.arn, alias, version));
    done.aliases.push_back(std::move(shown));
  }
  if (done.revision.empty()) {
    MR_TRY(now, ask(access, "DescribeStateMachine",
                    {{"stateMachineArn", done.arn}, {"includedData", "METADATA_ONLY"}}));
    done.revision = now.value("revisionId", "");
  }
  return done;
}

}  // namespace millrace::cli
