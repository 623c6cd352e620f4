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

}  // namespace

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
