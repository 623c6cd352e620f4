#include "states/context.h"

#include "base/time.h"

namespace millrace::states {

// The nearest Map iteration around the frame, unless an item is being selected right now.
void FrameContext::write_map_item(JsonWriter& out) const {
  const auto write = [&](std::uint32_t index, JsonView value) {
    out.key("Map").begin_object().key("Item").begin_object();
    out.key("Index").number(static_cast<std::int64_t>(index)).key("Value").value(value);
    out.end_object().end_object();
  };
  if (item_) {
    out.key("Map").begin_object().key("Item").begin_object();
    out.key("Index").number(static_cast<std::int64_t>(item_->index));
    if (item_->key) out.key("Key").string(*item_->key);
    out.key("Value").value(item_->value);
    if (!item_->source.empty()) out.key("Source").string(item_->source);
    out.end_object().end_object();
    return;
  }
  const Frame* frame = &frame_;
  while (frame->parent.value != 0) {
    const auto parent = execution_.frames.find(frame->parent);
    if (parent == execution_.frames.end()) return;
    if (const auto* work = std::get_if<waiting::ForItems>(&parent->second.waiting)) {
      return write(frame->index, work->items.view().at(frame->index));
    }
    frame = &parent->second;
  }
}

// Of a task that waits for its token.
void FrameContext::write_token(JsonWriter& out) const {
  const auto* task = std::get_if<definitions::Task>(&frame_.program->node(frame_.node).kind);
  if (!task || task->resource.pattern != definitions::TaskPattern::WaitForTaskToken) return;
  if (!environment_.surroundings) return;
  out.key("Task").begin_object().key("Token");
  out.string(environment_.surroundings->task_token(frame_.id.value, frame_.entered, frame_.attempt));
  out.end_object();
}

// The context object that was handed in; an item that is being selected is added to it.
Payload FrameContext::mocked() const {
  if (!item_) return *execution_.context;
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : execution_.context->view().members()) out.key(key).value(value);
  write_map_item(out);
  return out.end_object().finish();
}

const Payload& FrameContext::object() const {
  if (object_) return *object_;
  if (execution_.context) {
    object_ = mocked();
    return *object_;
  }
  const ExecutionIdentity& who = execution_.identity;
  JsonWriter out;
  out.begin_object();
  out.key("Execution").begin_object();
  out.key("Id")
      .string(who.arn)
      .key("Input")
      .value(execution_.input)
      .key("StartTime")
      .string(format_rfc3339(execution_.started));
  out.key("Name").string(who.name).key("RoleArn").string(who.role_arn);
  if (!who.seconds_max)  // Express executions can't be redriven, and say nothing of it
    out.key("RedriveCount").number(static_cast<std::int64_t>(execution_.redrives));
  if (execution_.redriven) out.key("RedriveTime").string(format_rfc3339(*execution_.redriven));
  out.end_object();
  write_map_item(out);
  out.key("StateMachine").begin_object();
  out.key("Id").string(who.machine_arn).key("Name").string(who.machine_name).end_object();
  out.key("State").begin_object();
  out.key("Name").string(frame_.program->node(frame_.node).name);
  out.key("EnteredTime").string(format_rfc3339(frame_.entered_time));
  const definitions::StateType type = frame_.program->node(frame_.node).type();
  const bool retries = type == definitions::StateType::Task || type == definitions::StateType::Parallel ||
                       type == definitions::StateType::Map;
  if (retries) out.key("RetryCount").number(static_cast<std::int64_t>(frame_.attempt));
  out.end_object();
  write_token(out);
  object_ = out.end_object().finish();
  return *object_;
}

const Payload* FrameVariables::find(std::string_view name) const {
  for (const Frame* frame = &frame_;;) {
    if (const auto it = frame->variables.find(name); it != frame->variables.end()) return &it->second;
    const auto parent = execution_.frames.find(frame->parent);
    if (parent == execution_.frames.end()) break;
    frame = &parent->second;
  }
  const auto given = execution_.given_variables.find(name);
  return given == execution_.given_variables.end() ? nullptr : &given->second;
}

}  // namespace millrace::states
