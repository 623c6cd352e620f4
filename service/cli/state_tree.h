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

// The rows of one execution, however what happened is learnt.
class StateRows {
 public:
  virtual ~StateRows() = default;
  StateRow* current(FrameId frame);  // the row a line of control is in; null
  // Rows in the order to show: children below their parent. With more than `height` rows, first those inside
  // what is over are left out, then the oldest. 0: all.
  std::vector<const StateRow*> shown(std::size_t height = 0) const;
  // States of the outermost scope that have not been entered, in the order of the definition.
  std::vector<std::string> not_entered() const;
  virtual bool over() const = 0;  // the execution has ended

 protected:
  // Where a state was entered: its line of control, and the one that began that, if any did.
  struct Place {
    FrameId frame, parent = {};
    const definitions::Program* program = nullptr;  // of the frame
    definitions::NodeIndex node = 0;
    std::size_t depth = 0;
    std::optional<std::size_t> item = {};  // of a Map's iteration
  };
  explicit StateRows(std::shared_ptr<const definitions::Program> program) : program_(std::move(program)) {}
  StateRow* enter(const Place& place, const std::string& name, Instant time);
  // What a task's failure, a state's end and its abort mean for its row.
  static void end(StateRow& row, StateRow::Status status, Instant time);
  static void exited(StateRow& row, Instant time);
  // Not every state that an end interrupts has an event of its own.
  void end_all(StateRow::Status status, Instant time);
  virtual bool alive(FrameId frame) const = 0;  // a line of control that goes on

  std::shared_ptr<const definitions::Program> program_;

 private:
  void collect(FrameId frame, bool whole, std::vector<const StateRow*>& out) const;

  std::vector<std::unique_ptr<StateRow>> rows_;
  std::map<FrameId, std::vector<StateRow*>> of_frame_;  // in the order of entry
  std::map<FrameId, StateRow*> current_;
};

// Learnt from the engine's own events.
class StateTree final : public StateRows {
 public:
  explicit StateTree(std::shared_ptr<const definitions::Program> program) : StateRows(std::move(program)) {}

  // Folds the next event; the row it is about, null when it is about none. Valid until the next call.
  StateRow* apply(const states::Event& event);
  bool over() const override { return execution_.ended(); }
  const states::Execution& execution() const { return execution_; }

 private:
  StateRow* enter_by(const states::Event& event);
  std::size_t depth_of(FrameId frame) const;
  void note_items(StateRow& row) const;
  bool alive(FrameId frame) const override { return execution_.frames.contains(frame); }

  states::Execution execution_;
};

}  // namespace millrace::cli
