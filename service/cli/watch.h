#pragma once
// Watch: what people see while an execution runs: on a terminal a tree of states that is drawn again as
// things happen, else a line for each thing. It follows the execution by folding its events, as recovery
// does. Loop thread only.

#include <map>
#include <string>
#include <vector>

#include "orchestrator/engine.h"

namespace millrace::cli {

class Watch final : public orchestrator::Observer {
 public:
  enum class Style { None, Lines, Tree };
  Watch(Style style, std::shared_ptr<const definitions::Program> program, const Clock& clock)
      : style_(style), program_(std::move(program)), clock_(clock) {}

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

 private:
  struct Row {
    FrameId frame;
    std::string name, type, note;
    int depth = 0;
    enum class State { Running, Waiting, Succeeded, Failed, Caught } state = State::Running;
    Instant entered, left;
  };
  void apply(const states::Event& event);
  Row* row_of(FrameId frame);
  int depth_of(FrameId frame) const;
  void say(const Row& row, std::string_view what);
  std::string line_of(const Row& row, std::size_t columns) const;
  void draw(bool last);

  Style style_;
  std::shared_ptr<const definitions::Program> program_;
  const Clock& clock_;
  ExecutionId id_;
  states::Execution shadow_;
  std::vector<Row> rows_;
  std::map<FrameId, std::size_t> current_;  // the row a frame is in
  std::map<std::string, Instant> said_;     // when a progress line was last printed, by state
  int drawn_ = 0;
  Instant drawn_at_ = Instant::min();
};

// "Training 62 % · round 124/200 · validation:auc 0.9312 · 1.2 s left"
std::string describe_progress(const Payload& progress);

}  // namespace millrace::cli
