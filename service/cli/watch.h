#pragma once
// What people see while an execution runs: on a terminal its tree of states, drawn again as things happen,
// else a line for each thing. Display draws; Watch hears of an engine in this process. Loop thread only.

#include <map>
#include <string>

#include "orchestrator/engine.h"
#include "service/cli/state_tree.h"

namespace millrace::cli {

class Display {
 public:
  enum class Style { None, Lines, Tree };
  // Tree on a terminal, Lines elsewhere when it is asked for, None when silence is.
  static Style style(bool asked, bool quiet);
  Display(Style style, const Clock& clock) : style_(style), clock_(clock) {}

  Style style() const { return style_; }
  // A row that has just changed: its line, in the style of lines.
  void changed(const StateRow& row);
  void retried(const StateRow& row);
  void progressed(const StateRow& row);
  void draw(const StateRows& rows, bool last);  // in the style of a tree; not more often than eyes see

 private:
  void say(const StateRow& row, std::string_view what);

  Style style_;
  const Clock& clock_;
  int drawn_ = 0;  // lines on the screen
  Instant drawn_at_ = Instant::min();
};

class Watch final : public orchestrator::Observer {
 public:
  using Style = Display::Style;
  Watch(Style style, std::shared_ptr<const definitions::Program> program, const Clock& clock)
      : display_(style, clock), clock_(clock), tree_(std::move(program)) {}

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
  Display display_;
  const Clock& clock_;
  ExecutionId id_;
  StateTree tree_;
  bool seen_ = false;                // anything of the execution
  std::map<FrameId, Instant> said_;  // when a progress line was last printed
};

// "Training 62 % · round 124/200 · validation:auc 0.9312 · 1.2 s left"
std::string describe_progress(const Payload& progress);
// One line of the tree, at most `columns` wide; `colours`: with the terminal's escape sequences.
std::string tree_line(const StateRow& row, Instant now, std::size_t columns, bool colours);

}  // namespace millrace::cli
