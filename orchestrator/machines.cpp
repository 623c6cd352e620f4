#include "orchestrator/machines.h"

#include <charconv>
#include <utility>

#include "orchestrator/arns.h"

namespace millrace::orchestrator {

Error first_error(const definitions::Compiled& compiled) {
  std::string hint;
  for (const definitions::Diagnostic& d : compiled.diagnostics) {
    if (d.severity == definitions::Severity::Error && hint.empty()) hint = d.hint;
  }
  return {ErrorCode::InvalidArgument,
          "Invalid State Machine Definition: '" + definitions::list_errors(compiled.diagnostics) + "'", hint};
}

namespace {

// The distributed Map of that name, in the program or anything inside it: names of states are unique.
const definitions::Map* find_map(const definitions::Program& program, const std::string& state) {
  for (const definitions::Node& node : program.nodes) {
    if (const auto* map = std::get_if<definitions::Map>(&node.kind)) {
      if (node.name == state) return map->distributed ? map : nullptr;
      if (map->processor) {
        if (const auto* inside = find_map(*map->processor, state)) return inside;
      }
    } else if (const auto* parallel = std::get_if<definitions::Parallel>(&node.kind)) {
      for (const auto& branch : parallel->branches) {
        if (const auto* inside = find_map(*branch, state)) return inside;
      }
    }
  }
  return nullptr;
}

}  // namespace

Result<MachinePtr> Machines::processor(const MachinePtr& machine, const std::string& state) {
  const std::pair key(machine->row.id, state);
  if (const auto known = processors_.find(key); known != processors_.end()) return known->second;
  const MachinePtr whole = revision(machine->row.id);  // a child's own machine is a part of it
  const definitions::Map* map = find_map(*(whole ? whole : machine)->program, state);
  if (!map) {
    return fail(ErrorCode::NotFound,
                "the definition of '" + machine->row.name + "' has no distributed Map named '" + state + "'");
  }
  auto part = std::make_shared<Machine>(*(whole ? whole : machine));
  part->program = map->processor;
  if (map->express) {
    auto limited = std::make_shared<definitions::Program>(*map->processor);
    limited->timeout_seconds = limits_.express_seconds_max;
    part->program = std::move(limited);
  }
  part->row.name += "/" + map->label;
  part->row.arn += "/" + map->label;
  return processors_.emplace(key, std::move(part)).first->second;
}

namespace {

definitions::MachineKind kind_of(MachineType type) {
  return type == MachineType::Express ? definitions::MachineKind::Express
                                      : definitions::MachineKind::Standard;
}

}  // namespace

Result<MachinePtr> Machines::keep(MachineRow row, bool is_newest) {
  MachinePtr& known = revisions_[row.id];
  if (!known) {
    definitions::Compiled compiled = definitions::compile(row.definition, limits_, kind_of(row.type));
    if (!compiled.program) {
      revisions_.erase(row.id);
      return fail(first_error(compiled));
    }
    known = std::make_shared<const Machine>(Machine{std::move(row), std::move(compiled.program)});
  } else if (known->row != row) {  // its state machine's status has changed
    known = std::make_shared<const Machine>(Machine{std::move(row), known->program});
  }
  if (is_newest) newest_.insert_or_assign(known->row.arn, known);
  return known;
}

void Machines::forget(const std::string& arn) {
  const auto newest = newest_.find(arn);
  if (newest != newest_.end()) newest_.erase(newest);
  const std::string qualified = arn + ":";
  for (auto it = routes_.lower_bound(qualified); it != routes_.end() && it->first.starts_with(qualified);)
    it = routes_.erase(it);
}

void Machines::put(MachineRow row, Reply reply) {
  const definitions::Compiled compiled = definitions::compile(row.definition, limits_);
  if (!compiled.program) return reply(fail(first_error(compiled)));
  row.hash = compiled.program->hash;
  row.revision = uuid_v4(random_);
  read([row = std::move(row)](Store& store) { return store.put_machine(row); }, true, std::move(reply));
}

void Machines::create(NewMachine request, Instant now, ReplyOf<MachineChange> reply) {
  const definitions::Compiled compiled =
      definitions::compile(request.definition, limits_, kind_of(request.type));
  if (!compiled.program) return reply(fail(first_error(compiled)));
  request.hash = compiled.program->hash;
  const std::string arn = request.arn;
  change<MachineChange>(
      arn, [request = std::move(request), now](Store& store) { return create_machine(store, request, now); },
      std::move(reply));
}

void Machines::update(MachineEdit edit, Instant now, ReplyOf<MachineChange> reply) {
  if (!edit.definition) return store_update(std::move(edit), now, std::move(reply));
  const std::string arn = edit.arn;
  // What the definition may hold depends on the state machine's type.
  load_newest(arn, [this, edit = std::move(edit), now, reply = std::move(reply)](Result<MachinePtr> machine) {
    if (!machine) return reply(fail(machine.error()));
    const definitions::Compiled compiled =
        definitions::compile(*edit.definition, limits_, kind_of((*machine)->row.type));
    if (!compiled.program) return reply(fail(first_error(compiled)));
    MachineEdit checked = edit;
    checked.hash = compiled.program->hash;
    store_update(std::move(checked), now, reply);
  });
}

void Machines::store_update(MachineEdit edit, Instant now, ReplyOf<MachineChange> reply) {
  const std::string arn = edit.arn;
  change<MachineChange>(
      arn,
      [edit = std::move(edit), revision = uuid_v4(random_), now](Store& store) {
        return update_machine(store, edit, revision, now);
      },
      std::move(reply));
}

MachinePtr Machines::newest(const std::string& arn) const {
  const auto it = newest_.find(arn);
  return it == newest_.end() ? nullptr : it->second;
}

MachinePtr Machines::revision(MachineId id) const {
  const auto it = revisions_.find(id);
  return it == revisions_.end() ? nullptr : it->second;
}

void Machines::read(std::function<Result<MachineRow>(Store&)> from_store, bool is_newest, Reply reply) {
  ask_store<MachineRow>(committer_, std::move(from_store),
                        [this, is_newest, reply = std::move(reply)](Result<MachineRow> row) {
                          if (!row) return reply(fail(row.error()));
                          reply(keep(*std::move(row), is_newest));
                        });
}

void Machines::load_newest(const std::string& arn, Reply reply) {
  if (MachinePtr known = newest(arn)) return reply(known);
  read([arn](Store& store) { return store.newest_machine(arn); }, true, std::move(reply));
}

void Machines::load_revision(MachineId id, Reply reply) {
  if (MachinePtr known = revision(id)) return reply(known);
  read([id](Store& store) { return store.machine(id); }, false, std::move(reply));
}

void Machines::resolve(const std::string& text, ReplyOf<StartTarget> reply) {
  const auto arn = parse_arn(text, "stateMachine");
  if (!arn) return reply(fail(arn.error()));
  if (arn->qualifier.empty()) {
    return load_newest(text, [text, reply = std::move(reply)](Result<MachinePtr> machine) {
      if (!machine) return reply(fail(machine.error()));
      if ((*machine)->row.status != MachineStatus::Active)
        return reply(fail(ErrorCode::Unavailable, "State Machine is being deleted: '" + text + "'"));
      reply(StartTarget{*std::move(machine), 0, {}});
    });
  }
  const auto known = routes_.find(text);
  if (known != routes_.end()) return follow(known->second, std::move(reply));
  ask_store<Routes>(
      committer_, [text](Store& store) { return read_routes(store, text); },
      [this, text, reply = std::move(reply)](Result<Routes> routes) {
        if (!routes) return reply(fail(routes.error()));
        follow(routes_.insert_or_assign(text, *std::move(routes)).first->second, reply);
      });
}

Result<Machines::Routes> Machines::read_routes(Store& store, const std::string& text) {
  const auto none = [&] { return fail(ErrorCode::NotFound, "State Machine Does Not Exist: '" + text + "'"); };
  MR_TRY(arn, parse_arn(text, "stateMachine"));
  const auto machine = store.newest_machine(arn.unqualified());
  if (!machine) return machine.error().code == ErrorCode::NotFound ? none() : fail(machine.error());
  if (machine->status != MachineStatus::Active)
    return fail(ErrorCode::Unavailable, "State Machine is being deleted: '" + arn.unqualified() + "'");
  Routes out;
  if (arn.is_version()) {
    Route route;
    std::from_chars(arn.qualifier.data(), arn.qualifier.data() + arn.qualifier.size(), route.version);
    out.routes.push_back(route);
  } else {
    const auto alias = store.catalog().alias(machine->family, arn.qualifier);
    if (!alias) return alias.error().code == ErrorCode::NotFound ? none() : fail(alias.error());
    out.alias = alias->name;
    for (const AliasRoute& route : alias->routes) out.routes.push_back({route.version, route.weight, {}});
  }
  for (Route& route : out.routes) {
    const auto version = store.catalog().version(machine->family, route.version);
    if (!version) return version.error().code == ErrorCode::NotFound ? none() : fail(version.error());
    route.machine = version->machine;
  }
  return out;
}

void Machines::follow(const Routes& routes, ReplyOf<StartTarget> reply) {
  std::int64_t left = static_cast<std::int64_t>(random_.below(100));
  const Route* taken = &routes.routes.back();
  for (const Route& route : routes.routes) {
    left -= route.weight;
    if (left >= 0) continue;
    taken = &route;
    break;
  }
  load_revision(taken->machine, [version = taken->version, alias = routes.alias,
                                 reply = std::move(reply)](Result<MachinePtr> machine) {
    if (!machine) return reply(fail(machine.error()));
    reply(StartTarget{*std::move(machine), version, alias});
  });
}

}  // namespace millrace::orchestrator
