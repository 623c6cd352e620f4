#pragma once
// Stimuli: something happened. One at a time, an execution decides what follows. A stimulus that comes too
// late (another visit or attempt, a frame that is gone, an ended execution) leads to no events.

#include <string>
#include <variant>

#include "states/event.h"

namespace millrace::states {

// Which attempt of which task a report is about.
struct TaskAttempt {
  FrameId frame;
  EventNumber visit = 0;      // Frame::entered
  std::uint32_t attempt = 0;  // Frame::attempt
  bool operator==(const TaskAttempt&) const = default;
};

namespace stimulus {
struct Started {
  ExecutionIdentity identity;
  Payload input;
};
struct TaskStarted {
  TaskAttempt task;
  std::string worker;
};  // a worker took an activity's task
struct TaskSubmitted {
  TaskAttempt task;
  Payload output;
};  // the job behind a .sync task exists; what waits for a token has been sent
struct TaskReported {
  TaskAttempt task;
  Outcome outcome;
};
struct HeartbeatMissed {
  TaskAttempt task;
};
// The map run of a distributed Map has come to its end, and all of its children too.
struct MapRunEnded {
  TaskAttempt task;
  Outcome outcome;  // the state's result
};
struct TimeCame {};  // env.now has reached next_due()
struct StopRequested {
  Failure reason;
};                         // StopExecution
struct RedriveRequested {  // RedriveExecution: an execution that did not succeed goes on
  std::string client_token = {};
};
}  // namespace stimulus

using Stimulus = std::variant<stimulus::Started, stimulus::TaskStarted, stimulus::TaskSubmitted,
                              stimulus::TaskReported, stimulus::HeartbeatMissed, stimulus::MapRunEnded,
                              stimulus::TimeCame, stimulus::StopRequested, stimulus::RedriveRequested>;

}  // namespace millrace::states
