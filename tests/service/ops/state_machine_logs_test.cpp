#include "service/ops/state_machine_logs.h"

#include <doctest/doctest.h>

using namespace millrace;
using namespace millrace::service;
using states::EventType;

TEST_CASE("state machine logs: what each level shows") {
  struct Row {
    EventType type;
    bool fatal, error, all;
  };
  for (const Row& row : {Row{EventType::ExecutionStarted, false, false, true},
                         {EventType::ExecutionSucceeded, false, false, true},
                         {EventType::ExecutionFailed, true, true, true},
                         {EventType::ExecutionAborted, true, true, true},
                         {EventType::ExecutionTimedOut, true, true, true},
                         {EventType::TaskFailed, false, true, true},
                         {EventType::TaskSucceeded, false, false, true},
                         {EventType::LambdaFunctionTimedOut, false, true, true},
                         {EventType::MapIterationAborted, false, true, true},
                         {EventType::FailStateEntered, false, true, true},
                         {EventType::PassStateEntered, false, false, true},
                         {EventType::RetryScheduled, false, false, false}}) {
    CAPTURE(name_of(row.type));
    CHECK(!shows(LogLevel::Off, row.type));
    CHECK(shows(LogLevel::Fatal, row.type) == row.fatal);
    CHECK(shows(LogLevel::Error, row.type) == row.error);
    CHECK(shows(LogLevel::All, row.type) == row.all);
  }
}
