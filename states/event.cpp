#include "states/event.h"

namespace millrace::states {

std::string_view name_of(EventType type) {
  switch (type) {
#define MR_EVENT(name)  \
  case EventType::name: \
    return #name
    MR_EVENT(ExecutionStarted);
    MR_EVENT(ExecutionSucceeded);
    MR_EVENT(ExecutionFailed);
    MR_EVENT(ExecutionAborted);
    MR_EVENT(ExecutionTimedOut);
    MR_EVENT(ExecutionRedriven);
    MR_EVENT(PassStateEntered);
    MR_EVENT(PassStateExited);
    MR_EVENT(ChoiceStateEntered);
    MR_EVENT(ChoiceStateExited);
    MR_EVENT(WaitStateEntered);
    MR_EVENT(WaitStateExited);
    MR_EVENT(WaitStateAborted);
    MR_EVENT(SucceedStateEntered);
    MR_EVENT(SucceedStateExited);
    MR_EVENT(FailStateEntered);
    MR_EVENT(TaskStateEntered);
    MR_EVENT(TaskStateExited);
    MR_EVENT(TaskStateAborted);
    MR_EVENT(TaskScheduled);
    MR_EVENT(TaskStarted);
    MR_EVENT(TaskStartFailed);
    MR_EVENT(TaskSubmitted);
    MR_EVENT(TaskSubmitFailed);
    MR_EVENT(TaskSucceeded);
    MR_EVENT(TaskFailed);
    MR_EVENT(TaskTimedOut);
    MR_EVENT(LambdaFunctionScheduled);
    MR_EVENT(LambdaFunctionScheduleFailed);
    MR_EVENT(LambdaFunctionStarted);
    MR_EVENT(LambdaFunctionStartFailed);
    MR_EVENT(LambdaFunctionSucceeded);
    MR_EVENT(LambdaFunctionFailed);
    MR_EVENT(LambdaFunctionTimedOut);
    MR_EVENT(ActivityScheduled);
    MR_EVENT(ActivityScheduleFailed);
    MR_EVENT(ActivityStarted);
    MR_EVENT(ActivitySucceeded);
    MR_EVENT(ActivityFailed);
    MR_EVENT(ActivityTimedOut);
    MR_EVENT(ParallelStateEntered);
    MR_EVENT(ParallelStateStarted);
    MR_EVENT(ParallelStateSucceeded);
    MR_EVENT(ParallelStateFailed);
    MR_EVENT(ParallelStateAborted);
    MR_EVENT(ParallelStateExited);
    MR_EVENT(MapStateEntered);
    MR_EVENT(MapStateStarted);
    MR_EVENT(MapStateSucceeded);
    MR_EVENT(MapStateFailed);
    MR_EVENT(MapStateAborted);
    MR_EVENT(MapStateExited);
    MR_EVENT(MapIterationStarted);
    MR_EVENT(MapIterationSucceeded);
    MR_EVENT(MapIterationFailed);
    MR_EVENT(MapIterationAborted);
    MR_EVENT(MapRunStarted);
    MR_EVENT(MapRunSucceeded);
    MR_EVENT(MapRunFailed);
    MR_EVENT(MapRunAborted);
    MR_EVENT(MapRunRedriven);
    MR_EVENT(EvaluationFailed);
    MR_EVENT(WaitScheduled);
    MR_EVENT(RetryScheduled);
    MR_EVENT(BranchSucceeded);
#undef MR_EVENT
  }
  return "Unknown";
}

}  // namespace millrace::states
