#include "tasks/metrics/alarms.h"

namespace millrace::tasks {

std::string_view name_of(AlarmState state) {
  switch (state) {
    case AlarmState::Ok:
      return "OK";
    case AlarmState::Alarm:
      return "ALARM";
    case AlarmState::InsufficientData:
      break;
  }
  return "INSUFFICIENT_DATA";
}

}  // namespace millrace::tasks
