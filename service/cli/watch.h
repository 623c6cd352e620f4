#pragma once
// Watch: what people see while an execution runs: on a terminal its tree of states, drawn again as things
// happen, else a line for each thing. Loop thread only.

#include <map>
#include <string>

#include "orchestrator/engine.h"
#include "service/cli/state_tree.h"

namespace millrace::cli {

class Watch final : public orchestrator::Observer {
 public:
  enum class Style { None, Lines, Tree };
  Watch(Style style, std::shared_ptr<const definitions::Program> program, const Clock& clock)
      : style_(style), clock_(clock), tree_(std::move(program)) {}

  // Follows this execution from now on; events of others are passed over.
  void follow(ExecutionId id) { id_ = id; }
  void on_events(ExecutionId id, const states::Execution& execution,
                 std::span<const states::Event> events) override;
  void on_progress(ExecutionId id, FrameId frame, const std::string& state_name,
                   const Payload& progress) override;
  // Draws the tree again, so that durations move; call now and then.
  void tick();
  // The last drawing; the tree stays on the screen.
  void finish();
  const StateTree& tree() const { return tree_; }

 private:
  void say(const StateRow& row, std::string_view what);
  void draw(bool last);

  Style style_;
  const Clock& clock_;
  ExecutionId id_;
  StateTree tree_;
  bool seen_ = false;                // anything of the execution
  std::map<FrameId, Instant> said_;  // when a progress line was last printed
  int drawn_ = 0;                    // lines on the screen
  Instant drawn_at_ = Instant::min();
};

// "Training 62 % · round 124/200 · validation:auc 0.9312 · 1.2 s left"
std::string describe_progress(const Payload& progress);
// One line of the tree, at most `columns` wide; `colours`: with the terminal's escape sequences.
std::string tree_line(const StateRow& row, Instant now, std::size_t columns, bool colours);

}  // namespace millrace::cli
