#include "service/cli/history_tree.h"

#include <nlohmann/json.hpp>

#include "service/cli/show.h"

namespace millrace::cli {
namespace {

constexpr FrameId kRootLine{1};

// What an event tells besides its type: its one member that ends in EventDetails.
const Json& details_of(const Json& event) {
  static const Json kNone = Json::object();
  for (const auto& [key, value] : event.items()) {
    if (key.ends_with("EventDetails")) return value;
  }
  return kNone;
}

std::int64_t number_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

Instant time_of_event(const Json& event) {
  const auto found = event.find("timestamp");
  if (found == event.end() || !found->is_number()) return {};
  return from_millis(static_cast<std::int64_t>(found->get<double>() * 1000 + 0.5));
}

// The branch of a Parallel that has the state, or a Map's only program.
const definitions::Program* program_inside(const definitions::Node& node, std::string_view state) {
  if (const auto* map = std::get_if<definitions::Map>(&node.kind)) return map->processor.get();
  const auto* parallel = std::get_if<definitions::Parallel>(&node.kind);
  if (!parallel) return nullptr;
  for (const auto& branch : parallel->branches) {
    if (branch->find(state)) return branch.get();
  }
  return nullptr;
}

}  // namespace

HistoryTree::HistoryTree(std::shared_ptr<const definitions::Program> program)
    : StateRows(std::move(program)) {
  lines_[kRootLine] = {.program = program_.get()};
}

template <class Fits>
FrameId HistoryTree::up(FrameId from, Fits fits) const {
  for (auto at = lines_.find(from); at != lines_.end(); at = lines_.find(at->second.parent)) {
    if (fits(at->first, at->second)) return at->first;
  }
  return {};
}

FrameId HistoryTree::line_before(const Json& event) const {
  const auto found = line_of_.find(number_in(event, "previousEventId"));
  return found == line_of_.end() ? kRootLine : found->second;
}

FrameId HistoryTree::add_line(FrameId parent, const definitions::Program* program,
                              std::optional<std::size_t> item) {
  const FrameId line{lines_.size() + 1};
  lines_[line] = {.parent = parent, .program = program, .depth = lines_[parent].depth + 1, .item = item};
  return line;
}

const std::string& HistoryTree::state_name(const StateRow& row) const {
  return lines_.at(row.frame).program->node(row.node).name;
}

void HistoryTree::go_on(Instant time) {
  interrupted_.clear();
  for (auto& [id, line] : lines_) {
    StateRow* row = current(id);
    const auto fell = [](const StateRow& r) {
      return r.status == StateRow::Status::Failed || r.status == StateRow::Status::Aborted;
    };
    if (!row || line.given_up || !fell(*row)) continue;
    // Inside something that was caught or went on otherwise nothing is taken up again.
    const StateRow* around = line.parent.value != 0 ? current(line.parent) : nullptr;
    if (around && (around->over() ||
                   std::find(around->children.begin(), around->children.end(), id) == around->children.end()))
      continue;
    row->status = StateRow::Status::Running;  // before the lines inside, which have higher numbers
    row->left = time;
    line.open = true;
    interrupted_.push_back(id);
  }
}

FrameId HistoryTree::resumed(std::string_view type, const std::string& name) {
  for (auto at = interrupted_.begin(); at != interrupted_.end(); ++at) {
    const StateRow& row = *current(*at);
    if (row.over()) continue;
    const bool fits =
        name.empty() ? row.kind.starts_with("Task") && type.ends_with("Scheduled") : state_name(row) == name;
    if (!fits) continue;
    const FrameId line = *at;
    if (name.empty()) interrupted_.erase(at);  // the next task is another one's
    return line;
  }
  return kRootLine;
}

bool HistoryTree::alive(FrameId frame) const {
  const auto found = lines_.find(frame);
  return found != lines_.end() && found->second.open;
}

StateRow* HistoryTree::entered(const Json& event, const std::string& name) {
  FrameId line = line_before(event);
  const std::int64_t previous = number_in(event, "previousEventId");
  if (starts_branches_.contains(previous)) {
    const Line& around = lines_[line];
    const StateRow* parallel = current(line);
    const definitions::Program* branch =
        parallel && around.program ? program_inside(around.program->node(parallel->node), name) : nullptr;
    line = add_line(line, branch, {});
  } else {
    line = up(line, [&](FrameId, const Line& l) { return l.program && l.program->find(name); });
    if (line.value == 0) return nullptr;  // not of this definition
  }
  line_of_[number_in(event, "id")] = line;
  const Line& at = lines_[line];
  const definitions::Node* node = at.program ? at.program->find(name) : nullptr;
  if (!node) return nullptr;
  lines_[line].items = lines_[line].items_done = 0;
  return enter({.frame = line,
                .parent = at.parent,
                .program = at.program,
                .node = static_cast<definitions::NodeIndex>(node - at.program->nodes.data()),
                .depth = at.depth,
                .item = at.item},
               name, time_of_event(event));
}

// MapIterationStarted begins a line inside the Map's; the others end it.
void HistoryTree::iteration(const Json& event, std::string_view type) {
  const Json& details = details_of(event);
  const std::string map_name = details.value("name", "");
  const auto index = static_cast<std::size_t>(number_in(details, "index"));
  const FrameId map_line =
      up(line_before(event), [&](FrameId, const Line& l) { return l.program && l.program->find(map_name); });
  StateRow* row = current(map_line);
  if (map_line.value == 0 || !row) return;
  FrameId line = map_line;
  Line& around = lines_[map_line];
  if (type == "MapIterationStarted") {
    line = add_line(map_line, program_inside(around.program->node(row->node), {}), index);
    iterations_[{map_line, index}] = line;
  } else {
    if (const auto found = iterations_.find({map_line, index}); found != iterations_.end())
      lines_[found->second].open = false;
    around.items_done += type == "MapIterationSucceeded";
  }
  line_of_[number_in(event, "id")] = line;
  row->note = std::to_string(around.items_done) + "/" + std::to_string(around.items) + " items";
}

StateRow* HistoryTree::about(FrameId line, const Json& event, std::string_view type) {
  StateRow* row = current(line);
  if (!row) return nullptr;
  const Json& details = details_of(event);
  const Instant time = time_of_event(event);
  const auto failure = [&] { return for_people(details.value("error", ""), details.value("cause", "")); };
  if (type.ends_with("StateExited")) {
    exited(*row, time);
    for (const FrameId inside : row->children) lines_[inside].open = false;
  } else if (type == "MapRunStarted") {
    row->note = "map run " + details.value("mapRunArn", "");
    return nullptr;
  } else if (type == "MapStateStarted") {
    lines_[line].items = static_cast<std::size_t>(number_in(details, "length"));
    row->note = "0/" + std::to_string(lines_[line].items) + " items";
    return nullptr;
  } else if (type.ends_with("Aborted")) {
    if (row->over()) return nullptr;
    end(*row, StateRow::Status::Aborted, time);
    row->note.clear();
  } else if (type.ends_with("Failed") || type.ends_with("TimedOut")) {
    end(*row, StateRow::Status::Failed, time);
    if (const std::string text = failure(); !text.empty()) row->note = text;
  } else if (type.ends_with("Scheduled") && row->over()) {  // tried again
    row->status = StateRow::Status::Running;
    row->note.clear();
  } else {
    return nullptr;
  }
  return row;
}

StateRow* HistoryTree::apply(const Json& event) {
  const std::string type = event.value("type", "");
  const std::int64_t id = number_in(event, "id");
  if (type.starts_with("Execution")) {
    over_ = type != "ExecutionStarted" && type != "ExecutionRedriven";
    if (over_) {
      end_all(type == "ExecutionFailed" ? StateRow::Status::Failed : StateRow::Status::Aborted,
              time_of_event(event));
    }
    line_of_[id] = line_before(event);
    if (type == "ExecutionRedriven") {
      redriven_ = id;
      go_on(time_of_event(event));
    }
    return nullptr;
  }
  const std::string name = details_of(event).value("name", "");
  if (type.ends_with("StateEntered")) {
    StateRow* row = entered(event, name);
    state_of_[id] = name;
    return row;
  }
  if (type.starts_with("MapIteration")) {
    state_of_[id] = name;
    iteration(event, type);
    return nullptr;
  }
  const bool after_redrive = redriven_ != 0 && number_in(event, "previousEventId") == redriven_;
  FrameId line = after_redrive ? resumed(type, name) : line_before(event);
  const auto in_state = [&](const auto& fits) {
    const FrameId found = up(line, [&](FrameId at, const Line&) {
      const StateRow* row = current(at);
      return row && fits(*row);
    });
    if (found.value != 0) line = found;
  };
  // What a Parallel or Map says of itself follows what happened in one of its lines.
  if (!name.empty())
    in_state([&](const StateRow& row) { return state_name(row) == name; });
  else if (type.starts_with("ParallelState"))
    in_state([](const StateRow& row) { return row.kind.starts_with("Parallel") && !row.over(); });
  else if (type.starts_with("MapState") || type.starts_with("MapRun"))
    in_state([](const StateRow& row) { return row.kind.starts_with("Map") && !row.over(); });
  line_of_[id] = line;
  if (type == "ParallelStateStarted") starts_branches_[id] = true;
  if (type == "ParallelStateStarted" || type == "MapStateStarted") {
    const StateRow* row = current(line);
    for (const FrameId inside : row ? row->children : std::vector<FrameId>()) lines_[inside].given_up = true;
  }
  if (const StateRow* row = current(line)) state_of_[id] = state_name(*row);
  return about(line, event, type);
}

const std::string& HistoryTree::state_of(std::int64_t event) const {
  static const std::string kNone;
  const auto found = state_of_.find(event);
  return found == state_of_.end() ? kNone : found->second;
}

}  // namespace millrace::cli
