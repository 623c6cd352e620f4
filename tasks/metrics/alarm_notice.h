#pragma once
// What others are told of an alarm's change of state: the event of the bus, the message of topics, what a
// function is invoked with. Pure. Source: Amazon CloudWatch user guide, "Alarm events and EventBridge",
// "Using Amazon SNS", "Invoke a Lambda function from an alarm".

#include "tasks/metrics/alarm.h"

namespace millrace::tasks {

// A change of state that is durable, and still has to be told.
struct AlarmChange {
  std::int64_t number = 0;  // 1, 2, …: no two have the same
  std::string alarm;        // its name
  Instant time;
  AlarmState to = AlarmState::Ok;
  Payload event = Payload::empty_object();  // for the bus, without its id
  struct Action {
    std::string arn, input, subject;
  };
  std::vector<Action> actions;
};

// `before`: the alarm as it stood; its reason and time are told, too.
AlarmChange make_change(const Alarm& before, const Alarm& after, const ServicePlace& place);
Payload change_record(const AlarmChange& change);
Result<AlarmChange> read_change_record(std::int64_t number, std::string_view text);

// The HistoryData of a change.
std::string history_of_change(const Alarm& before, const Alarm& after);
std::string notice_time(Instant time);  // "2026-11-21T19:35:00.123+0000"

}  // namespace millrace::tasks
