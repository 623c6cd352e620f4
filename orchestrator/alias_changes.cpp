// The rules of aliases: machine_changes.h.

#include <charconv>
#include <set>

#include "orchestrator/arns.h"
#include "orchestrator/machine_changes.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kNoResource = "Request references a resource that does not exist.";

// "[a, b]"
std::string list_of(const std::vector<std::pair<std::string, int>>& routes, bool weights) {
  std::string out;
  for (const auto& [arn, weight] : routes)
    out.append(out.empty() ? "[" : ", ").append(weights ? std::to_string(weight) : arn);
  return out + "]";
}

// What can be said of routes without a store.
Status check_routes(const std::vector<std::pair<std::string, int>>& routes) {
  std::set<std::string> distinct, machines;
  int sum = 0;
  for (const auto& [text, weight] : routes) {
    MR_TRY(arn, parse_arn(text, "stateMachine"));
    if (!arn.is_version())
      return invalid("Routing configuration must contain state machine version ARNs. Received: " +
                     list_of(routes, false));
    distinct.insert(text);
    machines.insert(arn.unqualified());
    sum += weight;
  }
  if (distinct.size() != routes.size())
    return invalid("Routing configuration must contain distinct state machine version ARNs. Received: " +
                   list_of(routes, false));
  if (machines.size() > 1)
    return invalid("Routing configuration must contain versions of one state machine. Received: " +
                   list_of(routes, false));
  if (sum != 100)
    return invalid("Sum of routing configuration weights must equal 100. Received: " + list_of(routes, true));
  return {};
}

// The routes as version numbers, all of which are there.
Result<std::vector<AliasRoute>> routes_of(Store& store, MachineId family,
                                          const std::vector<std::pair<std::string, int>>& routes) {
  std::vector<AliasRoute> out;
  for (const auto& [text, weight] : routes) {
    MR_TRY(arn, parse_arn(text));
    std::uint32_t number = 0;
    std::from_chars(arn.qualifier.data(), arn.qualifier.data() + arn.qualifier.size(), number);
    const auto version = store.catalog().version(family, number);
    if (!version) {
      if (version.error().code != ErrorCode::NotFound) return fail(version.error());
      return fail(ErrorCode::NotFound, std::string(kNoResource), "publish version " + text + " first");
    }
    out.push_back({number, weight});
  }
  return out;
}

struct Found {
  MachineRow machine;
  AliasRow alias;
};
Result<Found> find(Store& store, const std::string& text) {
  MR_TRY(arn, parse_arn(text, "stateMachine"));
  if (arn.qualifier.empty() || arn.is_version())
    return invalid("Invalid Arn: 'The ARN is not a state machine alias ARN: " + text + "'");
  const auto machine = store.newest_machine(arn.unqualified());
  if (!machine) {
    if (machine.error().code != ErrorCode::NotFound) return fail(machine.error());
    return fail(ErrorCode::NotFound, std::string(kNoResource));
  }
  auto alias = store.catalog().alias(machine->family, arn.qualifier);
  if (!alias) {
    if (alias.error().code != ErrorCode::NotFound) return fail(alias.error());
    return fail(ErrorCode::NotFound, std::string(kNoResource));
  }
  return Found{*machine, *std::move(alias)};
}

}  // namespace

Result<AliasRow> create_alias(Store& store, const AliasEdit& request, Instant now) {
  MR_DO(check_routes(request.routes));
  MR_TRY(machine, store.newest_machine(request.arn));
  if (machine.status != MachineStatus::Active)
    return fail(ErrorCode::Unavailable, "State Machine is being deleted: '" + request.arn + "'");
  MR_TRY(routes, routes_of(store, machine.family, request.routes));
  AliasRow row{machine.family, request.name, request.description.value_or(""), std::move(routes), now, now};
  const auto there = store.catalog().alias(machine.family, request.name);
  if (there) {
    if (there->description == row.description && there->routes == row.routes) return *there;
    return fail(ErrorCode::Conflict,
                "Failed to create alias because an alias with the same name and a different routing "
                "configuration already exists.");
  }
  if (there.error().code != ErrorCode::NotFound) return fail(there.error());
  MR_DO(store.catalog().put_alias(row));
  return row;
}

Result<AliasRow> update_alias(Store& store, const AliasEdit& edit, Instant now) {
  if (!edit.routes.empty()) MR_DO(check_routes(edit.routes));
  MR_TRY(found, find(store, edit.arn + ":" + edit.name));
  if (!edit.routes.empty()) {
    MR_TRY(routes, routes_of(store, found.machine.family, edit.routes));
    found.alias.routes = std::move(routes);
  }
  if (edit.description) found.alias.description = *edit.description;
  found.alias.updated = now;
  MR_DO(store.catalog().put_alias(found.alias));
  return found.alias;
}

Result<AliasRow> find_alias(Store& store, const std::string& alias_arn) {
  MR_TRY(found, find(store, alias_arn));
  return found.alias;
}

Status remove_alias(Store& store, const std::string& alias_arn) {
  MR_TRY(found, find(store, alias_arn));
  return store.catalog().remove_alias(found.alias.family, found.alias.name);
}

Result<std::vector<AliasRow>> list_aliases(Store& store, const std::string& text, const std::string& after,
                                           std::size_t limit) {
  MR_TRY(arn, parse_arn(text, "stateMachine"));
  MR_TRY(machine, store.newest_machine(arn.unqualified()));
  if (arn.qualifier.empty()) return store.catalog().aliases(machine.family, after, limit);
  std::vector<AliasRow> out;
  MR_TRY(all, store.catalog().aliases(machine.family, after, ~std::size_t{0}));
  for (AliasRow& alias : all) {
    const bool leads = std::any_of(alias.routes.begin(), alias.routes.end(), [&](const AliasRoute& route) {
      return std::to_string(route.version) == arn.qualifier;
    });
    if (leads && out.size() < limit) out.push_back(std::move(alias));
  }
  return out;
}

}  // namespace millrace::orchestrator
