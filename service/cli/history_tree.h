#pragma once
// HistoryTree: the states of an execution learnt from its history as AWS shows it (GetExecutionHistory). That
// history does not say which branch or iteration an event belongs to; it follows from previousEventId, from
// the nesting of the definition, and from what is open. Pure; one thread.

#include <cstdint>
#include <map>

#include "base/json.h"
#include "service/cli/state_tree.h"

namespace millrace::cli {

class HistoryTree final : public StateRows {
 public:
  explicit HistoryTree(std::shared_ptr<const definitions::Program> program);

  // Folds the next event, in the order of their ids; the row it is about, null when it is about none. Valid
  // until the next call.
  StateRow* apply(const Json& event);
  bool over() const override { return over_; }
  // The state in which an event that was applied happened; empty for those of the execution itself.
  const std::string& state_of(std::int64_t event) const;

 private:
  // One line of control: the root, a branch, an iteration.
  struct Line {
    FrameId parent = {};
    const definitions::Program* program = nullptr;
    std::size_t depth = 0;
    std::optional<std::size_t> item = {};
    bool open = true;
    bool given_up = false;                  // of an attempt of a Parallel or Map that was tried again
    std::size_t items = 0, items_done = 0;  // of the Map state this line is in
  };

  StateRow* entered(const Json& event, const std::string& name);
  void iteration(const Json& event, std::string_view type);
  FrameId line_before(const Json& event) const;
  // After a redrive, events follow it and not what failed: the line that goes on with this one.
  void go_on(Instant time);
  FrameId resumed(std::string_view type, const std::string& name);
  const std::string& state_name(const StateRow& row) const;
  // `from` or the nearest line around it for which `fits`; {0} when there is none.
  template <class Fits>
  FrameId up(FrameId from, Fits fits) const;
  FrameId add_line(FrameId parent, const definitions::Program* program, std::optional<std::size_t> item);
  StateRow* about(FrameId line, const Json& event, std::string_view type);
  bool alive(FrameId frame) const override;

  std::map<FrameId, Line> lines_;
  std::map<std::int64_t, FrameId> line_of_;                        // by event
  std::map<std::int64_t, std::string> state_of_;                   // by event
  std::map<std::int64_t, bool> starts_branches_;                   // ParallelStateStarted
  std::map<std::pair<FrameId, std::size_t>, FrameId> iterations_;  // by Map's line and index
  std::int64_t redriven_ = 0;                                      // the last ExecutionRedriven
  std::vector<FrameId> interrupted_ = {};  // lines that had not finished then, in the order they began
  bool over_ = false;
};

}  // namespace millrace::cli
