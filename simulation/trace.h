#pragma once
// Trace: what one execution did, event by event, and what can be read from that: the path of each line of
// control, how often a state was visited, how long it took, how often it was retried. One thread.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "states/decide.h"

namespace millrace::simulation {

// One line of control: the execution itself (its label is empty), a branch or an iteration.
struct Line {
  std::string label;  // "Each[2]", "Each[2]/Both[0]": the state, and the number of the branch or item
  std::uint32_t index = 0;
  std::vector<std::string> path;  // the states it entered, in order
};

// One visit of one state.
struct Visit {
  std::string state, line;
  Instant entered;
  std::optional<Instant> left;  // exited, failed for good, or aborted; nothing: it is still there
  std::uint32_t attempts = 0;   // of its task
  std::uint32_t retries = 0;
  bool failed = false;  // it did not exit
};

class Trace {
 public:
  // `program` is kept: events are folded over it. The line of an execution that is a child of a Map run is
  // that of its item: "Each[2]".
  explicit Trace(std::shared_ptr<const definitions::Program> program, Line line = {})
      : program_(std::move(program)), line_(std::move(line)) {}

  void add(const states::Event& event);

  const definitions::Program& program() const { return *program_; }
  const std::vector<states::Event>& events() const { return events_; }
  const states::Execution& execution() const { return execution_; }  // the fold of the events
  bool is_child() const { return !line_.label.empty(); }
  const std::map<FrameId, Line>& lines() const { return lines_; }  // in the order they began
  const Line* line(FrameId frame) const;
  const std::vector<Visit>& visits() const { return visits_; }  // in the order of their beginnings
  Millis duration() const;                                      // so far

 private:
  void know_line(FrameId frame);
  void enter(const states::Event& event, const std::string& name);
  void leave(FrameId frame, Instant when, bool failed);

  std::shared_ptr<const definitions::Program> program_;
  const Line line_;
  states::Execution execution_;
  std::vector<states::Event> events_;
  std::map<FrameId, Line> lines_;
  std::vector<Visit> visits_;
  std::map<FrameId, std::size_t> open_;  // the visit that a line is in
};

}  // namespace millrace::simulation
