#pragma once
// Machines: state machines by ARN and revision, compiled once and shared; which revision a start by version
// or alias runs. Loop thread only; reads and changes the store through the committer. The rules are in
// machine_changes.h.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "definitions/compile.h"
#include "orchestrator/committer.h"
#include "orchestrator/machine_changes.h"

namespace millrace::orchestrator {

struct Machine {
  MachineRow row;
  std::shared_ptr<const definitions::Program> program;
};
using MachinePtr = std::shared_ptr<const Machine>;

// What a start runs.
struct StartTarget {
  MachinePtr machine;
  std::uint32_t version = 0;  // 0: the newest revision, of no version
  std::string alias;          // the one that led to the version; may be empty
};

class Machines {
 public:
  template <class T>
  using ReplyOf = std::function<void(Result<T>)>;
  using Reply = ReplyOf<MachinePtr>;

  // `seed`: of revision ids and of the choice between an alias's versions.
  Machines(Committer& committer, const Limits& limits, std::uint64_t seed)
      : committer_(committer), limits_(limits), random_(seed) {}

  // Compiles, stores durably as the newest revision of its ARN, and answers with it.
  void put(MachineRow row, Reply reply);
  // create_machine() and update_machine(), once the definition compiles. InvalidArgument carries the first
  // diagnostic's text.
  void create(NewMachine request, Instant now, ReplyOf<MachineChange> reply);
  void update(MachineEdit edit, Instant now, ReplyOf<MachineChange> reply);
  // Any other change to the state machine of that ARN: what is known of it is read again afterwards.
  template <class T>
  void change(const std::string& arn, std::function<Result<T>(Store&)> work, ReplyOf<T> reply) {
    ask_store<T>(committer_, std::move(work), [this, arn, reply = std::move(reply)](Result<T> done) {
      forget(arn);
      reply(std::move(done));
    });
  }

  // The newest revision in memory, null when it is not there: then load_newest().
  MachinePtr newest(const std::string& arn) const;
  MachinePtr revision(MachineId id) const;
  // What a child of a map run runs: the item processor of the distributed Map `state`, with the machine's row
  // but for the names. NotFound when the definition has no such state.
  Result<MachinePtr> processor(const MachinePtr& machine, const std::string& state);
  void load_newest(const std::string& arn, Reply reply);  // NotFound: State Machine Does Not Exist: '<arn>'
  void load_revision(MachineId id, Reply reply);
  // Of a state machine's, version's or alias's ARN. NotFound; Unavailable while it is being deleted.
  void resolve(const std::string& arn, ReplyOf<StartTarget> reply);

 private:
  struct Route {
    std::uint32_t version = 0;
    int weight = 100;
    MachineId machine;
  };
  struct Routes {  // of a version's or alias's ARN
    std::string alias;
    std::vector<Route> routes;
  };

  void read(std::function<Result<MachineRow>(Store&)> from_store, bool is_newest, Reply reply);
  void store_update(MachineEdit edit, Instant now, ReplyOf<MachineChange> reply);
  Result<MachinePtr> keep(MachineRow row, bool is_newest);
  void forget(const std::string& arn);
  void follow(const Routes& routes, ReplyOf<StartTarget> reply);
  static Result<Routes> read_routes(Store& store, const std::string& arn);

  Committer& committer_;
  const Limits& limits_;
  Random random_;
  std::map<MachineId, MachinePtr> revisions_;
  std::map<std::string, MachinePtr, std::less<>> newest_;
  std::map<std::pair<MachineId, std::string>, MachinePtr> processors_;
  std::map<std::string, Routes, std::less<>> routes_;
};

// The first error of a definition that does not compile, as CreateStateMachine tells it.
Error first_error(const definitions::Compiled& compiled);

}  // namespace millrace::orchestrator
