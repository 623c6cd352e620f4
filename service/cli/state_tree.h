#pragma once
// StateTree: the states of one execution as people look at them: what was entered, in the order of the
// definition's nesting, with how it stands and how long it took. It folds the history as recovery does, so a
// running execution and one read from a store look the same. Pure; one thread.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "definitions/program.h"
#include "states/event.h"
#include "states/execution.h"

namespace millrace::cli {

struct StateRow {
  enum class Status { Running, Waiting, Succeeded, Failed, Caught, Aborted };
  std::string name;  // of a Map's iteration: "[3] Score"
  std::string kind;  // "Task · sagemaker:createTrainingJob.sync", "Parallel"
  std::string note;  // what there is to say: progress, error, until when
  Status status = Status::Running;
  Instant entered, left;  // the last visit
  std::size_t visits = 0;
  FrameId frame;
  definitions::NodeIndex node = 0;
  std::size_t depth = 0;
  std::vector<FrameId> children;  // frames of branches and iterations, in the order of their start

  bool over() const { return status != Status::Running && status != Status::Waiting; }
};
// SUCCEEDED, FAILED, … as `run --json` writes it.
std::string_view name_of(StateRow::Status status);

class StateTree {
 public:
  explicit StateTree(std::shared_ptr<const definitions::Program> program) : program_(std::move(program)) {}

  // Folds the next event; the row it is about, null when it is about none. Valid until the next call.
  StateRow* apply(const states::Event& event);
  StateRow* current(FrameId frame);  // the row a line of control is in; null
  // Rows in the order to show: children below their parent. With more than `height` rows, first those inside
  // what is over are left out, then the oldest. 0: all.
  std::vector<const StateRow*> shown(std::size_t height = 0) const;
  // States of the outermost scope that have not been entered, in the order of the definition.
  std::vector<std::string> not_entered() const;
  const states::Execution& execution() const { return execution_; }

 private:
  StateRow* enter(const states::Event& event);
  std::size_t depth_of(FrameId frame) const;
  void collect(FrameId frame, bool whole, std::vector<const StateRow*>& out) const;
  void note_items(StateRow& row) const;

  std::shared_ptr<const definitions::Program> program_;
  states::Execution execution_;
  std::vector<std::unique_ptr<StateRow>> rows_;
  std::map<FrameId, std::vector<StateRow*>> of_frame_;  // in the order of entry
  std::map<FrameId, StateRow*> current_;
};

}  // namespace millrace::cli
