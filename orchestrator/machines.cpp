#include "orchestrator/machines.h"

#include <utility>

namespace millrace::orchestrator {
namespace {

// The first error of a definition that does not compile, as one line.
Error first_error(const definitions::Compiled& compiled) {
  for (const definitions::Diagnostic& d : compiled.diagnostics) {
    if (d.severity != definitions::Severity::Error) continue;
    return {ErrorCode::InvalidArgument,
            "Invalid State Machine Definition: '" + d.code + ": " + d.message + " at " + d.pointer + "'",
            d.hint};
  }
  return {ErrorCode::InvalidArgument, "Invalid State Machine Definition", {}};
}

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
  part->row.name += "/" + map->label;
  part->row.arn += "/" + map->label;
  return processors_.emplace(key, std::move(part)).first->second;
}

Result<MachinePtr> Machines::keep(MachineRow row, bool is_newest) {
  definitions::Compiled compiled = definitions::compile(row.definition, limits_);
  if (!compiled.program) return fail(first_error(compiled));
  auto machine = std::make_shared<const Machine>(Machine{std::move(row), std::move(compiled.program)});
  const auto [it, fresh] = revisions_.emplace(machine->row.id, machine);
  if (is_newest) newest_.insert_or_assign(it->second->row.arn, it->second);
  return it->second;
}

void Machines::put(MachineRow row, Reply reply) {
  const definitions::Compiled compiled = definitions::compile(row.definition, limits_);
  if (!compiled.program) {
    reply(fail(first_error(compiled)));
    return;
  }
  row.hash = compiled.program->hash;
  read([row = std::move(row)](Store& store) { return store.put_machine(row); }, std::move(reply));
}

MachinePtr Machines::newest(const std::string& arn) const {
  const auto it = newest_.find(arn);
  return it == newest_.end() ? nullptr : it->second;
}

MachinePtr Machines::revision(MachineId id) const {
  const auto it = revisions_.find(id);
  return it == revisions_.end() ? nullptr : it->second;
}

void Machines::read(Read from_store, Reply reply) {
  auto row = std::make_shared<Result<MachineRow>>(fail(ErrorCode::Internal, "not read"));
  committer_.run([row, from_store = std::move(from_store)](Store& store) { *row = from_store(store); },
                 [this, row, reply = std::move(reply)] {
                   if (!*row) {
                     reply(fail((*row).error()));
                     return;
                   }
                   reply(keep(std::move(**row), true));
                 });
}

void Machines::load_newest(const std::string& arn, Reply reply) {
  if (MachinePtr known = newest(arn)) {
    reply(known);
    return;
  }
  read([arn](Store& store) { return store.newest_machine(arn); },
       [arn, reply = std::move(reply)](Result<MachinePtr> found) {
         if (!found && found.error().code == ErrorCode::NotFound) {
           reply(fail(ErrorCode::NotFound, "State Machine Does Not Exist: '" + arn + "'"));
         } else {
           reply(std::move(found));
         }
       });
}

void Machines::load_revision(MachineId id, Reply reply) {
  if (MachinePtr known = revision(id)) {
    reply(known);
    return;
  }
  auto row = std::make_shared<Result<MachineRow>>(fail(ErrorCode::Internal, "not read"));
  committer_.run([row, id](Store& store) { *row = store.machine(id); },
                 [this, row, reply = std::move(reply)] {
                   if (!*row) {
                     reply(fail((*row).error()));
                     return;
                   }
                   reply(keep(std::move(**row), false));
                 });
}

}  // namespace millrace::orchestrator
