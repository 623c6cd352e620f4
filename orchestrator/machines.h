#pragma once
// Machines: definitions by name and revision, compiled once and shared. Loop thread only; reads the store
// through the committer when a revision is not in memory.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "definitions/compile.h"
#include "orchestrator/committer.h"

namespace millrace::orchestrator {

struct Machine {
  MachineRow row;
  std::shared_ptr<const definitions::Program> program;
};
using MachinePtr = std::shared_ptr<const Machine>;

class Machines {
 public:
  using Reply = std::function<void(Result<MachinePtr>)>;

  Machines(Committer& committer, const Limits& limits) : committer_(committer), limits_(limits) {}

  // Compiles, stores durably as the newest revision of its ARN, and answers with it.
  void put(MachineRow row, Reply reply);
  // The newest revision in memory, null when it is not there: then load_newest().
  MachinePtr newest(const std::string& arn) const;
  MachinePtr revision(MachineId id) const;
  // What a child of a map run runs: the item processor of the distributed Map `state`, with the machine's row
  // but for the names. NotFound when the definition has no such state.
  Result<MachinePtr> processor(const MachinePtr& machine, const std::string& state);
  void load_newest(const std::string& arn, Reply reply);  // NotFound: State Machine Does Not Exist: '<arn>'
  void load_revision(MachineId id, Reply reply);

 private:
  using Read = std::function<Result<MachineRow>(Store&)>;
  void read(Read from_store, Reply reply);
  Result<MachinePtr> keep(MachineRow row, bool is_newest);

  Committer& committer_;
  const Limits& limits_;
  std::map<MachineId, MachinePtr> revisions_;
  std::map<std::string, MachinePtr, std::less<>> newest_;
  std::map<std::pair<MachineId, std::string>, MachinePtr> processors_;
};

}  // namespace millrace::orchestrator
