#include "service/cli/state_tree.h"

#include <algorithm>

#include "service/cli/render_graph.h"
#include "service/cli/show.h"
#include "states/decide.h"

namespace millrace::cli {
namespace {

constexpr FrameId kRoot{1};

}  // namespace

std::string_view name_of(StateRow::Status status) {
  switch (status) {
    case StateRow::Status::Running:
    case StateRow::Status::Waiting:
      return "RUNNING";
    case StateRow::Status::Succeeded:
      return "SUCCEEDED";
    case StateRow::Status::Failed:
      return "FAILED";
    case StateRow::Status::Caught:
      return "CAUGHT";
    case StateRow::Status::Aborted:
      return "ABORTED";
  }
  return "";
}

std::size_t StateTree::depth_of(FrameId frame) const {
  std::size_t depth = 0;
  for (auto it = execution_.frames.find(frame); it != execution_.frames.end() && it->second.parent.value != 0;
       it = execution_.frames.find(it->second.parent)) {
    ++depth;
  }
  return depth;
}

StateRow* StateRows::current(FrameId frame) {
  const auto found = current_.find(frame);
  return found == current_.end() ? nullptr : found->second;
}

StateRow* StateRows::enter(const Place& place, const std::string& name, Instant time) {
  std::vector<StateRow*>& siblings = of_frame_[place.frame];
  const auto seen = std::find_if(siblings.begin(), siblings.end(),
                                 [&](const StateRow* row) { return row->node == place.node; });
  StateRow* row = nullptr;
  if (seen != siblings.end()) {  // a loop came back: the same row again
    row = *seen;
    row->children.clear();
    row->note.clear();
  } else {
    row = rows_.emplace_back(std::make_unique<StateRow>()).get();
    siblings.push_back(row);
    row->frame = place.frame;
    row->node = place.node;
    row->name = place.item ? "[" + std::to_string(*place.item) + "] " + name : name;
    row->depth = place.depth;
    if (place.program) row->kind = cli::describe(place.program->node(place.node));
    StateRow* above = place.parent.value != 0 ? current(place.parent) : nullptr;
    if (above && siblings.size() == 1) above->children.push_back(place.frame);
  }
  row->status = StateRow::Status::Running;
  row->entered = time;
  ++row->visits;
  current_[place.frame] = row;
  return row;
}

void StateRows::end(StateRow& row, StateRow::Status status, Instant time) {
  row.status = status;
  row.left = time;
}

void StateRows::exited(StateRow& row, Instant time) {
  const bool caught = row.status == StateRow::Status::Failed;
  end(row, caught ? StateRow::Status::Caught : StateRow::Status::Succeeded, time);
  if (!caught) row.note.clear();
}

void StateRows::end_all(StateRow::Status status, Instant time) {
  for (const auto& open : rows_) {
    if (open->over()) continue;
    end(*open, status, time);
    open->note.clear();
  }
}

StateRow* StateTree::enter_by(const states::Event& event) {
  Place place{.frame = event.frame, .node = event.node, .depth = depth_of(event.frame)};
  if (const auto frame = execution_.frames.find(event.frame); frame != execution_.frames.end()) {
    place.program = &*frame->second.program;
    const auto parent = execution_.frames.find(frame->second.parent);
    if (parent != execution_.frames.end()) {
      place.parent = parent->first;
      if (std::holds_alternative<states::waiting::ForItems>(parent->second.waiting))
        place.item = frame->second.index;
    }
  }
  return enter(place, std::get<states::detail::StateEntered>(event.details).name, event.time);
}

void StateTree::note_items(StateRow& row) const {
  const auto frame = execution_.frames.find(row.frame);
  if (frame == execution_.frames.end()) return;
  if (const auto* items = std::get_if<states::waiting::ForItems>(&frame->second.waiting)) {
    const auto done = std::count_if(items->outputs.begin(), items->outputs.end(),
                                    [](const auto& o) { return o.has_value(); });
    row.note = std::to_string(done) + "/" + std::to_string(items->length) + " items";
  }
}

StateRow* StateTree::apply(const states::Event& event) {
  states::evolve(execution_, *program_, event);
  const std::string_view type = states::name_of(event.type);
  if (type.ends_with("StateEntered")) return enter_by(event);
  if (type.starts_with("MapIteration")) {
    const auto frame = execution_.frames.find(event.frame);
    const FrameId parent =
        frame != execution_.frames.end() && frame->second.parent.value != 0 && current(frame->second.parent)
            ? frame->second.parent
            : event.frame;
    if (StateRow* row = current(parent)) note_items(*row);
    return nullptr;
  }
  if (event.frame.value == 0 && execution_.ended()) {
    end_all(type == "ExecutionFailed" ? StateRow::Status::Failed : StateRow::Status::Aborted, event.time);
    return nullptr;
  }
  StateRow* row = current(event.frame);
  if (!row) return nullptr;
  if (type.ends_with("StateExited")) {
    exited(*row, event.time);
  } else if (const auto* failed = std::get_if<states::detail::TaskFailed>(&event.details)) {
    end(*row, StateRow::Status::Failed, event.time);
    row->note = for_people(failed->failure.error, failed->failure.cause);
  } else if (type.ends_with("StateFailed")) {
    end(*row, StateRow::Status::Failed, event.time);
  } else if (type.ends_with("Aborted")) {
    if (row->over()) return nullptr;
    end(*row, StateRow::Status::Aborted, event.time);
    row->note.clear();
  } else if (const auto* retry = std::get_if<states::detail::RetryScheduled>(&event.details)) {
    row->status = StateRow::Status::Waiting;
    row->note = "tries again in " + format_duration(retry->due - event.time) + " · " + row->note;
  } else if (const auto* wait = std::get_if<states::detail::WaitScheduled>(&event.details)) {
    row->status = StateRow::Status::Waiting;
    row->note = "until " + format_rfc3339(wait->due);
  } else if (type.ends_with("Scheduled")) {
    row->status = StateRow::Status::Running;
    row->note.clear();
  } else {
    return nullptr;
  }
  return row;
}

void StateRows::collect(FrameId frame, bool whole, std::vector<const StateRow*>& out) const {
  const auto rows = of_frame_.find(frame);
  if (rows == of_frame_.end()) return;
  for (const StateRow* row : rows->second) {
    out.push_back(row);
    if (!whole && row->over()) continue;
    for (const FrameId child : row->children) {
      if (whole || alive(child)) collect(child, whole, out);
    }
  }
}

std::vector<const StateRow*> StateRows::shown(std::size_t height) const {
  std::vector<const StateRow*> rows;
  collect(kRoot, true, rows);
  if (height == 0 || rows.size() <= height) return rows;
  rows.clear();
  collect(kRoot, false, rows);
  if (rows.size() > height) rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(height));
  return rows;
}

std::vector<std::string> StateRows::not_entered() const {
  std::vector<std::string> names;
  const auto rows = of_frame_.find(kRoot);
  for (definitions::NodeIndex i = 0; i < program_->nodes.size(); ++i) {
    const bool entered =
        rows != of_frame_.end() && std::any_of(rows->second.begin(), rows->second.end(),
                                               [&](const StateRow* row) { return row->node == i; });
    if (!entered) names.push_back(program_->node(i).name);
  }
  return names;
}

}  // namespace millrace::cli
